//! What the attributes of a type say, checked.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Data, DeriveInput, Error, Expr, ExprLit, Fields, GenericArgument, GenericParam, Lifetime, Lit,
    Member, PathArguments, Result, Type, TypeReference, TypeSlice, Visibility,
};

use crate::items::{Item, Items, check_name};

/// The name and lifetime of the type, and where `xmpp_xml` is.
pub(crate) struct Head {
    pub(crate) ident: Ident,
    pub(crate) visibility: Visibility,
    pub(crate) lifetime: Option<Lifetime>,
    /// The path of the module with what the generated code needs.
    pub(crate) support: TokenStream,
}

impl Head {
    /// The head, with `crate` taken from `items`.
    pub(crate) fn new(input: &DeriveInput, items: &mut Items) -> Result<Self> {
        let mut lifetime = None;
        for parameter in &input.generics.params {
            match parameter {
                GenericParam::Lifetime(parameter) if lifetime.is_none() => {
                    lifetime = Some(parameter.lifetime.clone());
                }
                GenericParam::Lifetime(parameter) => {
                    let message = "one lifetime only: all fields borrow from the same element";
                    return Err(Error::new(parameter.span(), message));
                }
                other => {
                    let message = "no type parameters: write the type, an enum of the \
                                   possible types, or `Element`";
                    return Err(Error::new(other.span(), message));
                }
            }
        }
        let root = match items.take("crate") {
            None => quote!(::xmpp_xml),
            Some(Item {
                value: Some(Expr::Path(path)),
                ..
            }) => quote!(#path),
            Some(item) => {
                return Err(Error::new(
                    item.span(),
                    "write `crate = path::to::xmpp_xml`",
                ));
            }
        };
        let support = quote!(#root::typed::derive_support);
        let (ident, visibility) = (input.ident.clone(), input.vis.clone());
        Ok(Self {
            ident,
            visibility,
            lifetime,
            support,
        })
    }

    /// The lifetime of the element that is read.
    pub(crate) fn life(&self) -> Lifetime {
        self.lifetime
            .clone()
            .unwrap_or_else(|| Lifetime::new("'xml", Span::call_site()))
    }

    /// The type with its lifetime.
    pub(crate) fn ty(&self) -> TokenStream {
        let Self {
            ident, lifetime, ..
        } = self;
        match lifetime {
            Some(lifetime) => quote!(#ident<#lifetime>),
            None => quote!(#ident),
        }
    }

    /// `<'a>`, or nothing: the parameters of an `impl` that does not read.
    pub(crate) fn parameters(&self) -> TokenStream {
        self.lifetime
            .iter()
            .map(|lifetime| quote!(<#lifetime>))
            .collect()
    }
}

/// A type that is read from or written as an element.
pub(crate) struct Model {
    pub(crate) head: Head,
    pub(crate) shape: Shape,
}

pub(crate) enum Shape {
    Struct(Body),
    /// One of several elements.
    Choice(Vec<Variant>),
    /// One element, told apart by the value of an attribute.
    Switch {
        element: ElementName,
        attribute: String,
        cases: Vec<Case>,
    },
}

/// The content of an element.
pub(crate) struct Body {
    /// None: only a part of other elements.
    pub(crate) element: Option<ElementName>,
    pub(crate) fields: Vec<Field>,
    pub(crate) deny_unknown: bool,
    /// An attribute that is known although it belongs to no field.
    pub(crate) switch: Option<String>,
}

pub(crate) struct ElementName {
    pub(crate) name: String,
    pub(crate) namespace: Expr,
}

pub(crate) enum Variant {
    /// What another type reads and writes.
    Delegate {
        ident: Ident,
        ty: Type,
        member: Member,
    },
    Element {
        ident: Ident,
        body: Body,
    },
}

pub(crate) struct Case {
    pub(crate) ident: Ident,
    pub(crate) value: String,
    pub(crate) default: bool,
    pub(crate) body: Body,
}

pub(crate) struct Field {
    pub(crate) member: Member,
    pub(crate) binding: Ident,
    pub(crate) ty: Type,
    /// What the field is called in errors, where it has no name in XML.
    pub(crate) label: String,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    Attribute {
        name: String,
        namespace: Option<Expr>,
        count: Count,
    },
    Lang {
        item: Type,
    },
    Text {
        count: Count,
    },
    Child {
        count: Count,
    },
    Children {
        item: Type,
    },
    /// Without a namespace of its own, it is in that of the element.
    ChildText {
        name: String,
        namespace: Option<Expr>,
        count: Count,
    },
    Flag {
        name: String,
        namespace: Option<Expr>,
    },
    Flatten,
    Rest {
        item: Type,
    },
}

/// How often a part may stand, and the type of one.
pub(crate) enum Count {
    One(Type),
    Optional(Type),
    Default(Type, Expr),
    Many(Type),
}

const FIELD_KINDS: &str = "`attribute`, `lang`, `text`, `child`, `children`, `child_text`, \
                           `flag`, `flatten` and `rest`";

impl Model {
    pub(crate) fn new(input: &DeriveInput) -> Result<Self> {
        let mut items = Items::of(&input.attrs)?;
        let head = Head::new(input, &mut items)?;
        let deny_unknown = items.take_bare("deny_unknown")?;
        let shape = match &input.data {
            Data::Union(data) => {
                return Err(Error::new(
                    data.union_token.span(),
                    "write a struct or an enum",
                ));
            }
            Data::Struct(data) => {
                let group = items.take_bare("group")?;
                let element = element_name(&mut items, None)?;
                items.finish("`name`, `namespace`, `group`, `deny_unknown` and `crate`")?;
                if group && element.is_some() {
                    return Err(Error::new(
                        input.ident.span(),
                        "a group is no element by itself: leave out `group`, or `name` and \
                         `namespace`",
                    ));
                }
                if !group && element.is_none() {
                    return Err(Error::new(
                        input.ident.span(),
                        "say which element this is: `#[xml(name = \"…\", namespace = …)]`; or \
                         `#[xml(group)]` for a struct that is only flattened into others",
                    ));
                }
                let fields = fields(&data.fields, &head)?;
                Shape::Struct(Body {
                    element,
                    fields,
                    deny_unknown,
                    switch: None,
                })
            }
            Data::Enum(data) => {
                if let Some(switch) = items.take("attribute") {
                    let attribute = switch.name()?;
                    let element = element_name(&mut items, None)?.ok_or_else(|| {
                        let message = "also say which element has the attribute: \
                                       `#[xml(name = \"…\", namespace = …)]`";
                        Error::new(switch.span(), message)
                    })?;
                    items.finish("`name`, `namespace`, `attribute`, `deny_unknown` and `crate`")?;
                    let cases = collect(
                        data.variants
                            .iter()
                            .map(|variant| case(variant, &head, deny_unknown, &attribute)),
                    )?;
                    check_cases(&cases)?;
                    Shape::Switch {
                        element,
                        attribute,
                        cases,
                    }
                } else {
                    let namespace = items.take("namespace").map(|item| item.string_or_path());
                    let namespace = namespace.transpose()?;
                    items.finish(
                        "`namespace`, `deny_unknown` and `crate`; for an enum that is one \
                         element, `name`, `namespace` and `attribute = \"…\"`",
                    )?;
                    Shape::Choice(collect(data.variants.iter().map(|variant| {
                        choice(variant, &head, deny_unknown, namespace.as_ref())
                    }))?)
                }
            }
        };
        Ok(Self { head, shape })
    }
}

fn element_name(items: &mut Items, outer: Option<&Expr>) -> Result<Option<ElementName>> {
    let name = items.take("name");
    let namespace = items.take("namespace");
    match (name, namespace) {
        (None, None) => Ok(None),
        (Some(name), namespace) => {
            let namespace = match (namespace, outer) {
                (Some(namespace), _) => namespace.string_or_path()?,
                (None, Some(outer)) => outer.clone(),
                (None, None) => {
                    let message =
                        "also say the namespace: `namespace = \"…\"`, which is \"\" for none";
                    return Err(Error::new(name.span(), message));
                }
            };
            Ok(Some(ElementName {
                name: name.name()?,
                namespace,
            }))
        }
        (None, Some(namespace)) => Err(Error::new(
            namespace.span(),
            "also say the name of the element: `name = \"…\"`",
        )),
    }
}

fn choice(
    variant: &syn::Variant,
    head: &Head,
    deny_unknown: bool,
    outer: Option<&Expr>,
) -> Result<Variant> {
    let ident = variant.ident.clone();
    let mut items = Items::of(&variant.attrs)?;
    if let Some(item) = items.take("other") {
        let message = "`other` is for enums of values; for any other element write \
                       `Other(Element)` as the last variant";
        return Err(Error::new(item.span(), message));
    }
    if let Fields::Unnamed(fields) = &variant.fields
        && let (Some(field), 1) = (fields.unnamed.first(), fields.unnamed.len())
        && items.is_empty()
        && Items::of(&field.attrs)?.is_empty()
    {
        let ty = without_self(&field.ty, head);
        return Ok(Variant::Delegate {
            ident,
            ty,
            member: Member::from(0),
        });
    }
    let element = match element_name(&mut items, outer)? {
        Some(element) => element,
        None => {
            let message = "say which element this is: `#[xml(name = \"…\")]`, with \
                           `namespace = …` here or on the enum";
            return Err(Error::new(ident.span(), message));
        }
    };
    items.finish("`name` and `namespace`")?;
    let fields = fields(&variant.fields, head)?;
    Ok(Variant::Element {
        ident,
        body: Body {
            element: Some(element),
            fields,
            deny_unknown,
            switch: None,
        },
    })
}

fn case(variant: &syn::Variant, head: &Head, deny_unknown: bool, attribute: &str) -> Result<Case> {
    let ident = variant.ident.clone();
    let mut items = Items::of(&variant.attrs)?;
    let value = match items.take("value") {
        Some(item) => item.string()?,
        None => value_of_name(&ident)?,
    };
    let default = items.take_bare("default")?;
    items.finish("`value` and `default`")?;
    let delegate = match &variant.fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => fields.unnamed.first(),
        _ => None,
    };
    let fields = match delegate {
        Some(field) if Items::of(&field.attrs)?.is_empty() => vec![Field {
            member: Member::from(0),
            binding: format_ident!("__f0"),
            ty: without_self(&field.ty, head),
            label: String::new(),
            kind: Kind::Flatten,
        }],
        _ => fields(&variant.fields, head)?,
    };
    for field in &fields {
        if let Kind::Attribute {
            name,
            namespace: None,
            ..
        } = &field.kind
            && name == attribute
        {
            let message = format!("the attribute `{name}` already tells the variant");
            return Err(Error::new(field.ty.span(), message));
        }
    }
    let switch = Some(attribute.to_owned());
    Ok(Case {
        ident,
        value,
        default,
        body: Body {
            element: None,
            fields,
            deny_unknown,
            switch,
        },
    })
}

fn check_cases(cases: &[Case]) -> Result<()> {
    let mut default = false;
    for (index, case) in cases.iter().enumerate() {
        if cases
            .iter()
            .take(index)
            .any(|other| other.value == case.value)
        {
            let message = format!("the value {:?} belongs to another variant", case.value);
            return Err(Error::new(case.ident.span(), message));
        }
        if case.default && core::mem::replace(&mut default, true) {
            return Err(Error::new(
                case.ident.span(),
                "`default` belongs to another variant",
            ));
        }
    }
    Ok(())
}

/// The value of a variant that does not say it.
pub(crate) fn value_of_name(ident: &Ident) -> Result<String> {
    let name = ident.unraw().to_string();
    // What several words become is a guess that is better not made.
    if name.chars().skip(1).any(|c| c.is_uppercase() || c == '_') {
        let message = "say how this is spelt: `#[xml(value = \"…\")]`";
        return Err(Error::new(ident.span(), message));
    }
    Ok(name.to_lowercase())
}

fn fields(fields: &Fields, head: &Head) -> Result<Vec<Field>> {
    let fields = collect(
        fields
            .iter()
            .enumerate()
            .map(|(index, found)| field(index, found, head)),
    )?;
    let mut errors = Errors::default();
    for (index, field) in fields.iter().enumerate() {
        let before = || fields.iter().take(index);
        let clash = match &field.kind {
            Kind::Attribute {
                name, namespace, ..
            } => before()
                .any(|other| {
                    matches!(&other.kind, Kind::Attribute { name: n, namespace: ns, .. }
                        if n == name && same(ns, namespace))
                })
                .then(|| format!("the attribute `{name}` belongs to another field")),
            Kind::ChildText {
                name, namespace, ..
            }
            | Kind::Flag { name, namespace } => before()
                .any(|other| {
                    matches!(&other.kind,
                        Kind::ChildText { name: n, namespace: ns, .. }
                        | Kind::Flag { name: n, namespace: ns }
                        if n == name && same(ns, namespace))
                })
                .then(|| format!("the child `{name}` belongs to another field")),
            Kind::Text { .. } => before()
                .any(|other| matches!(other.kind, Kind::Text { .. }))
                .then(|| "the text belongs to another field".to_owned()),
            Kind::Lang { .. } => before()
                .any(|other| matches!(other.kind, Kind::Lang { .. }))
                .then(|| "the language belongs to another field".to_owned()),
            Kind::Rest { .. } => before()
                .any(|other| matches!(other.kind, Kind::Rest { .. }))
                .then(|| "the rest belongs to another field".to_owned()),
            Kind::Child { .. } | Kind::Children { .. } | Kind::Flatten => None,
        };
        if let Some(message) = clash {
            errors.add(Error::new(field.ty.span(), message));
        }
    }
    errors.none_or(fields)
}

fn field(index: usize, field: &syn::Field, head: &Head) -> Result<Field> {
    let (member, label) = match &field.ident {
        Some(ident) => (Member::from(ident.clone()), ident.unraw().to_string()),
        None => (Member::from(index), String::new()),
    };
    let place = field
        .ident
        .as_ref()
        .map_or_else(|| field.ty.span(), Ident::span);
    let ty = without_self(&field.ty, head);
    let mut items = Items::of(&field.attrs)?;
    let mut kinds = FIELD_KIND_KEYS
        .iter()
        .filter_map(|key| items.take(key))
        .collect::<Vec<_>>();
    let kind = match (kinds.pop(), kinds.pop()) {
        (Some(kind), None) => kind,
        (Some(_), Some(second)) => {
            let message = format!("a field is one of {FIELD_KINDS}");
            return Err(Error::new(second.span(), message));
        }
        (None, _) => {
            items.finish(FIELD_KINDS)?;
            let message = format!(
                "say what this field is in the element: `#[xml(…)]` with one of {FIELD_KINDS}"
            );
            return Err(Error::new(place, message));
        }
    };
    let default = items.take("default");
    let namespace = items.take("namespace");
    let name_or_label = |item: &Item| match item.optional_name()? {
        Some(name) => Ok(name),
        None if label.is_empty() => Err(Error::new(
            item.span(),
            format!("say the name: `{} = \"…\"`", item.key),
        )),
        None => check_name(&label, place).map(|()| label.clone()),
    };
    let key = kind.key.to_string();
    let has_namespace = matches!(&*key, "attribute" | "child_text" | "flag");
    if let (Some(item), false) = (&namespace, has_namespace) {
        let message = "`namespace` is for `attribute`, `child_text` and `flag` here; other types \
                       bring their own";
        return Err(Error::new(item.span(), message));
    }
    let namespace = namespace.map(|item| item.string_or_path()).transpose()?;
    if let (Some(item), false) = (
        &default,
        matches!(&*key, "attribute" | "text" | "child" | "child_text"),
    ) {
        let message = "`default` is for `attribute`, `text`, `child` and `child_text`";
        return Err(Error::new(item.span(), message));
    }
    let count = |many: bool| count(&ty, default, many, &key);
    let kind = match &*key {
        "attribute" => {
            let name = name_or_label(&kind)?;
            // No namespace is what an attribute has if nothing is said.
            let namespace = namespace.filter(|namespace| !is_empty_string(namespace));
            Kind::Attribute {
                name,
                namespace,
                count: count(false)?,
            }
        }
        "child_text" => Kind::ChildText {
            name: name_or_label(&kind)?,
            namespace,
            count: count(true)?,
        },
        "flag" => {
            if !matches!(&ty, Type::Path(path) if path.path.is_ident("bool")) {
                return Err(Error::new(
                    ty.span(),
                    "a flag is there or not: write `bool`",
                ));
            }
            Kind::Flag {
                name: name_or_label(&kind)?,
                namespace,
            }
        }
        _ => {
            kind.bare()?;
            match &*key {
                "lang" => {
                    let item = argument(&ty, "Option").ok_or_else(|| {
                        let message = "a language may be absent: write `Option<Cow<str>>`";
                        Error::new(ty.span(), message)
                    })?;
                    Kind::Lang { item }
                }
                "text" => Kind::Text {
                    count: count(false)?,
                },
                "child" => Kind::Child {
                    count: count(false)?,
                },
                "children" => Kind::Children {
                    item: list_of(&ty, &key)?,
                },
                "flatten" => Kind::Flatten,
                _ => Kind::Rest {
                    item: list_of(&ty, &key)?,
                },
            }
        }
    };
    items.finish("`default` and `namespace`, after what the field is")?;
    Ok(Field {
        member,
        binding: format_ident!("__f{index}"),
        ty,
        label,
        kind,
    })
}

const FIELD_KIND_KEYS: [&str; 9] = [
    "attribute",
    "lang",
    "text",
    "child",
    "children",
    "child_text",
    "flag",
    "flatten",
    "rest",
];

fn count(ty: &Type, default: Option<Item>, many: bool, key: &str) -> Result<Count> {
    let list = list(ty);
    if let (Some(_), false) = (&list, many) {
        let message = match key {
            "child" => "more than one child: write `#[xml(children)]`",
            _ => "this stands once: write `T` or `Option<T>`",
        };
        return Err(Error::new(ty.span(), message));
    }
    let optional = argument(ty, "Option");
    match default {
        None => Ok(match (list, optional) {
            (Some(item), _) => Count::Many(item),
            (_, Some(item)) => Count::Optional(item),
            _ => Count::One(ty.clone()),
        }),
        Some(item) if optional.is_some() || list.is_some() => Err(Error::new(
            item.span(),
            "no default is needed: absent is `None` or empty",
        )),
        Some(item) => {
            let value = match item.value {
                Some(value) => value,
                None => syn::parse_quote!(__xml::Default::default()),
            };
            Ok(Count::Default(ty.clone(), value))
        }
    }
}

fn list_of(ty: &Type, key: &str) -> Result<Type> {
    list(ty).ok_or_else(|| {
        let message = match key {
            "rest" => "write `Vec<Element>`: the rest is any number of children",
            _ => "write `Vec<…>`: `children` are any number; one is `#[xml(child)]`",
        };
        Error::new(ty.span(), message)
    })
}

/// The `T` of `Vec<T>` or, in types that are only written, of `&[T]`.
fn list(ty: &Type) -> Option<Type> {
    match ty {
        Type::Reference(TypeReference { elem, .. }) => match &**elem {
            Type::Slice(TypeSlice { elem, .. }) => Some((**elem).clone()),
            _ => None,
        },
        _ => argument(ty, "Vec"),
    }
}

/// The `T` of a type `Name<T>`, with or without a path before the name.
fn argument(ty: &Type, name: &str) -> Option<Type> {
    let Type::Path(path) = ty else { return None };
    let last = path
        .path
        .segments
        .last()
        .filter(|last| last.ident == name)?;
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
            Some(GenericArgument::Type(ty)) if arguments.args.len() == 1 => Some(ty.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn same(one: &Option<Expr>, other: &Option<Expr>) -> bool {
    quote!(#one).to_string() == quote!(#other).to_string()
}

fn is_empty_string(expression: &Expr) -> bool {
    matches!(expression, Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.value().is_empty())
}

/// The type with `Self` written out: it is used where `Self` is another.
pub(crate) fn without_self(ty: &Type, head: &Head) -> Type {
    fn replace(tokens: TokenStream, with: &TokenStream) -> TokenStream {
        use proc_macro2::{Group, TokenTree};
        tokens
            .into_iter()
            .flat_map(|token| match token {
                TokenTree::Ident(ident) if ident == "Self" => with.clone(),
                TokenTree::Group(group) => {
                    let inner = replace(group.stream(), with);
                    let mut replaced = Group::new(group.delimiter(), inner);
                    replaced.set_span(group.span());
                    TokenTree::Group(replaced).into()
                }
                other => other.into(),
            })
            .collect()
    }
    let tokens = quote!(#ty);
    syn::parse2(replace(tokens, &head.ty())).unwrap_or_else(|_| ty.clone())
}

/// Gathers errors, so that all are shown at once.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    pub(crate) fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    pub(crate) fn none_or<T>(self, value: T) -> Result<T> {
        match self.0 {
            Some(error) => Err(error),
            None => Ok(value),
        }
    }
}

pub(crate) fn collect<T>(results: impl Iterator<Item = Result<T>>) -> Result<Vec<T>> {
    let mut errors = Errors::default();
    let mut values = Vec::new();
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(error) => errors.add(error),
        }
    }
    errors.none_or(values)
}
