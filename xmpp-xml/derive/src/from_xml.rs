//! The code that reads: one pass over the attributes, one over the children.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};
use syn::spanned::Spanned;
use syn::{Error, Lifetime, Result, Type};

use crate::model::{
    Body, Case, Count, ElementName, Errors, Field, Head, Kind, Model, Shape, Variant,
};
use crate::{in_module, names_of};

pub(crate) fn generate(model: &Model) -> Result<TokenStream> {
    let Model { head, shape } = model;
    let life = head.life();
    let ty = head.ty();
    let mut items = TokenStream::new();
    let (matches, from_matching) = match shape {
        Shape::Struct(body) => {
            let parts = format_ident!("__XmlParts");
            items.extend(parts_of(head, body, &parts, head.ident.to_token_stream())?);
            items.extend(quote! {
                #[automatically_derived]
                impl<#life> __xml::FromGroup<#life> for #ty {
                    type Parts = #parts<#life>;
                }
            });
            let Some(element) = &body.element else {
                return Ok(in_module(head, &items));
            };
            let matches = matches(element);
            let from_matching = quote! {
                if #matches {
                    return __xml::gather::<#parts<#life>>(element).map(__xml::Some);
                }
                __xml::Ok(__xml::None)
            };
            (matches, from_matching)
        }
        Shape::Choice(variants) => {
            let mut tests = Vec::new();
            let mut readers = TokenStream::new();
            for (index, variant) in variants.iter().enumerate() {
                match variant {
                    Variant::Delegate {
                        ident,
                        ty: inner,
                        member,
                    } => {
                        tests.push(quote!(<#inner as __xml::FromXml<#life>>::matches(element)));
                        readers.extend(quote! {
                            if let __xml::Some(value) =
                                <#inner as __xml::FromXml<#life>>::from_matching(element)?
                            {
                                return __xml::Ok(__xml::Some(Self::#ident { #member: value }));
                            }
                        });
                    }
                    Variant::Element { ident, body } => {
                        let parts = format_ident!("__XmlParts{index}");
                        items.extend(parts_of(head, body, &parts, variant_of(head, ident))?);
                        if let Some(element) = &body.element {
                            let matches = matches(element);
                            readers.extend(quote! {
                                if #matches {
                                    return __xml::gather::<#parts<#life>>(element)
                                        .map(__xml::Some);
                                }
                            });
                            tests.push(matches);
                        }
                    }
                }
            }
            (
                quote!(false #(|| #tests)*),
                quote!(#readers __xml::Ok(__xml::None)),
            )
        }
        Shape::Switch {
            element,
            attribute,
            cases,
        } => {
            let matches = matches(element);
            let reader = switch(head, attribute, cases, &mut items)?;
            (
                matches.clone(),
                quote! {
                    if !#matches {
                        return __xml::Ok(__xml::None);
                    }
                    #reader
                },
            )
        }
    };
    items.extend(quote! {
        #[automatically_derived]
        impl<#life> __xml::FromXml<#life> for #ty {
            fn matches(element: __xml::ElementRef<'_>) -> bool {
                #matches
            }

            fn from_xml(
                element: __xml::ElementRef<#life>,
            ) -> __xml::Result<Self, __xml::FromXmlError> {
                match <Self as __xml::FromXml<#life>>::from_matching(element)? {
                    __xml::Some(value) => __xml::Ok(value),
                    __xml::None => __xml::Err(__xml::FromXmlError::unexpected(element)),
                }
            }

            fn from_matching(
                element: __xml::ElementRef<#life>,
            ) -> __xml::Result<__xml::Option<Self>, __xml::FromXmlError> {
                #from_matching
            }
        }
    });
    Ok(in_module(head, &items))
}

/// Chooses a variant by the value of an attribute.
fn switch(
    head: &Head,
    attribute: &str,
    cases: &[Case],
    items: &mut TokenStream,
) -> Result<TokenStream> {
    let life = head.life();
    let mut arms = TokenStream::new();
    let mut absent = quote! {
        __xml::Err(__xml::FromXmlError::missing_attribute(element, #attribute))
    };
    for (
        index,
        Case {
            ident,
            value,
            default,
            body,
        },
    ) in cases.iter().enumerate()
    {
        let parts = format_ident!("__XmlParts{index}");
        items.extend(parts_of(head, body, &parts, variant_of(head, ident))?);
        let read = quote!(__xml::gather::<#parts<#life>>(element).map(__xml::Some));
        arms.extend(quote!(__xml::Some(#value) => #read,));
        if *default {
            absent = read;
        }
    }
    let reason = names_of(cases.iter().map(|case| case.value.as_str()));
    Ok(quote! {
        match element.attribute(#attribute).as_deref() {
            #arms
            __xml::None => #absent,
            __xml::Some(_) => __xml::Err(__xml::FromXmlError::attribute(
                element,
                #attribute,
                __xml::ValueError::new(#reason),
            )),
        }
    })
}

fn variant_of(head: &Head, ident: &Ident) -> TokenStream {
    let name = &head.ident;
    quote!(#name::#ident)
}

fn matches(ElementName { name, namespace }: &ElementName) -> TokenStream {
    quote!(element.is(#name, #namespace))
}

/// The struct that gathers the parts of a body, and how it does.
fn parts_of(
    head: &Head,
    body: &Body,
    parts: &Ident,
    constructor: TokenStream,
) -> Result<TokenStream> {
    let life = head.life();
    let output = head.ty();
    let visibility = &head.visibility;
    let deny_unknown = body.deny_unknown;
    let mut code = Code::default();
    let mut errors = Errors::default();
    if let Some(switch) = body.switch.iter().find(|_| deny_unknown) {
        code.attributes.extend(quote! {
            #switch if attribute.namespace().is_empty() => __xml::Ok(true),
        });
        code.has_attributes = true;
    }
    for field in &body.fields {
        if let Err(error) = code.add(field, body.element.as_ref(), &life) {
            errors.add(error);
        }
    }
    errors.none_or(())?;
    let Code {
        places,
        attributes,
        has_attributes,
        named_children,
        children,
        has_children,
        groups,
        rest,
        values,
    } = code;
    let group_places = groups.iter().map(|(place, _)| place).collect::<Vec<_>>();
    let group_parts = groups.iter().map(|(_, parts)| parts).collect::<Vec<_>>();
    let rest = rest.unwrap_or_else(|| {
        quote! {
            __xml::Ok(false #(|| __xml::Parts::rest(&mut self.#group_places, child)?)*)
        }
    });
    Ok(quote! {
        #[derive(__xml::Default)]
        #visibility struct #parts<#life> {
            #places
            __life: __xml::PhantomData<&#life ()>,
        }

        #[automatically_derived]
        impl<#life> __xml::Parts<#life> for #parts<#life> {
            type Output = #output;
            const ATTRIBUTES: bool =
                #has_attributes #(|| <#group_parts as __xml::Parts<#life>>::ATTRIBUTES)*;
            const CHILDREN: bool =
                #has_children #(|| <#group_parts as __xml::Parts<#life>>::CHILDREN)*;
            const DENY_UNKNOWN: bool =
                #deny_unknown #(|| <#group_parts as __xml::Parts<#life>>::DENY_UNKNOWN)*;

            fn attribute(
                &mut self,
                element: __xml::ElementRef<#life>,
                attribute: __xml::AttributeRef<#life>,
            ) -> __xml::Result<bool, __xml::FromXmlError> {
                match attribute.name() {
                    #attributes
                    _ => __xml::Ok(false #(|| __xml::Parts::attribute(
                        &mut self.#group_places, element, attribute,
                    )?)*),
                }
            }

            fn child(
                &mut self,
                element: __xml::ElementRef<#life>,
                child: __xml::ElementRef<#life>,
            ) -> __xml::Result<bool, __xml::FromXmlError> {
                match child.name() {
                    #named_children
                    _ => {}
                }
                #children
                __xml::Ok(false #(|| __xml::Parts::child(
                    &mut self.#group_places, element, child,
                )?)*)
            }

            fn rest(
                &mut self,
                child: __xml::ElementRef<#life>,
            ) -> __xml::Result<bool, __xml::FromXmlError> {
                #rest
            }

            fn finish(
                self,
                element: __xml::ElementRef<#life>,
            ) -> __xml::Result<Self::Output, __xml::FromXmlError> {
                __xml::Ok(#constructor { #values })
            }
        }
    })
}

/// The pieces of the generated methods.
#[derive(Default)]
struct Code {
    places: TokenStream,
    attributes: TokenStream,
    has_attributes: bool,
    named_children: TokenStream,
    children: TokenStream,
    has_children: bool,
    groups: Vec<(Ident, TokenStream)>,
    rest: Option<TokenStream>,
    values: TokenStream,
}

impl Code {
    fn add(&mut self, field: &Field, element: Option<&ElementName>, life: &Lifetime) -> Result<()> {
        let Field {
            member,
            binding: place,
            ty,
            label,
            kind,
        } = field;
        let own_namespace = || match element {
            Some(ElementName { namespace, .. }) => namespace.to_token_stream(),
            None => quote!(element.namespace()),
        };
        let value = match kind {
            Kind::Attribute {
                name,
                namespace,
                count,
            } => {
                let namespace = namespace.as_ref().map(ToTokens::to_token_stream);
                self.attribute(place, name, namespace, count);
                let missing = quote!(missing_attribute(element, #name));
                value(count, &quote!(self.#place), &missing)
            }
            Kind::Lang { item } => {
                self.has_attributes = true;
                self.places.extend(quote!(#place: __xml::Option<#item>,));
                self.attributes.extend(quote! {
                    "lang" if attribute.namespace() == __xml::XML => {
                        self.#place = __xml::lang::<#item>(element, attribute)?;
                        __xml::Ok(true)
                    }
                });
                quote!(self.#place)
            }
            Kind::Text {
                count: Count::One(ty) | Count::Many(ty),
            } => {
                quote!(__xml::text::<#ty>(element)?)
            }
            Kind::Text {
                count: count @ (Count::Optional(ty) | Count::Default(ty, _)),
            } => {
                let found = quote!(__xml::text_if_any::<#ty>(element)?);
                value(count, &found, &TokenStream::new())
            }
            Kind::Child { count } => {
                let ty = count.item();
                self.has_children = true;
                self.places.extend(quote!(#place: __xml::Option<#ty>,));
                self.children.extend(quote! {
                    if let __xml::Some(value) =
                        <#ty as __xml::FromXml<#life>>::from_matching(child)?
                    {
                        return __xml::once(&mut self.#place, value, element, child);
                    }
                });
                let missing = quote!(missing_child(element, #label));
                value(count, &quote!(self.#place), &missing)
            }
            Kind::Children { item } => {
                readable_list(ty)?;
                self.has_children = true;
                self.places.extend(quote!(#place: __xml::Vec<#item>,));
                self.children.extend(quote! {
                    if let __xml::Some(value) =
                        <#item as __xml::FromXml<#life>>::from_matching(child)?
                    {
                        self.#place.push(value);
                        return __xml::Ok(true);
                    }
                });
                quote!(self.#place)
            }
            Kind::ChildText {
                name,
                namespace,
                count,
            } => {
                self.has_children = true;
                let namespace = namespace
                    .as_ref()
                    .map_or_else(own_namespace, ToTokens::to_token_stream);
                let item = count.item();
                let read = quote!(__xml::child_text::<#item>(element, child)?);
                let take = match count {
                    Count::Many(_) => {
                        readable_list(ty)?;
                        self.places.extend(quote!(#place: __xml::Vec<#item>,));
                        quote! {{
                            self.#place.push(#read);
                            return __xml::Ok(true);
                        }}
                    }
                    _ => {
                        self.places.extend(quote!(#place: __xml::Option<#item>,));
                        quote!(return __xml::once(&mut self.#place, #read, element, child))
                    }
                };
                self.named_children.extend(quote! {
                    #name if child.namespace() == #namespace => #take,
                });
                let missing = quote!(missing_child(element, #name));
                value(count, &quote!(self.#place), &missing)
            }
            Kind::Flag { name, namespace } => {
                self.has_children = true;
                let namespace = namespace
                    .as_ref()
                    .map_or_else(own_namespace, ToTokens::to_token_stream);
                self.places.extend(quote!(#place: bool,));
                self.named_children.extend(quote! {
                    #name if child.namespace() == #namespace => {
                        return __xml::flag(&mut self.#place, element, child);
                    }
                });
                quote!(self.#place)
            }
            Kind::Flatten => {
                let parts = quote!(<#ty as __xml::FromGroup<#life>>::Parts);
                self.places.extend(quote!(#place: #parts,));
                self.groups.push((place.clone(), parts));
                quote!(__xml::Parts::finish(self.#place, element)?)
            }
            Kind::Rest { item } => {
                readable_list(ty)?;
                self.has_children = true;
                self.places.extend(quote!(#place: __xml::Vec<#item>,));
                self.rest = Some(quote! {
                    self.#place.push(<#item as __xml::FromXml<#life>>::from_xml(child)?);
                    __xml::Ok(true)
                });
                quote!(self.#place)
            }
        };
        self.values.extend(quote!(#member: #value,));
        Ok(())
    }

    fn attribute(
        &mut self,
        place: &Ident,
        name: &str,
        namespace: Option<TokenStream>,
        count: &Count,
    ) {
        let ty = count.item();
        self.has_attributes = true;
        self.places.extend(quote!(#place: __xml::Option<#ty>,));
        let guard = match namespace {
            Some(namespace) => quote!(attribute.namespace() == #namespace),
            None => quote!(attribute.namespace().is_empty()),
        };
        self.attributes.extend(quote! {
            #name if #guard => {
                self.#place = __xml::attribute::<#ty>(element, attribute)?;
                __xml::Ok(true)
            }
        });
    }
}

/// The value of a field, from what was found.
fn value(count: &Count, found: &TokenStream, missing: &TokenStream) -> TokenStream {
    match count {
        Count::Optional(_) | Count::Many(_) => found.clone(),
        Count::One(_) => quote! {
            match #found {
                __xml::Some(value) => value,
                __xml::None => return __xml::Err(__xml::FromXmlError::#missing),
            }
        },
        Count::Default(_, default) => quote! {
            match #found {
                __xml::Some(value) => value,
                __xml::None => #default,
            }
        },
    }
}

fn readable_list(ty: &Type) -> Result<()> {
    match ty {
        Type::Reference(_) => {
            let message = "a slice can only be written: to read, write `Vec<…>`";
            Err(Error::new(ty.span(), message))
        }
        _ => Ok(()),
    }
}

impl Count {
    pub(crate) fn item(&self) -> &Type {
        match self {
            Self::One(ty) | Self::Optional(ty) | Self::Default(ty, _) | Self::Many(ty) => ty,
        }
    }
}
