//! The code that writes, in the order of declaration.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;

use crate::in_module;
use crate::model::{Body, Case, Count, ElementName, Field, Head, Kind, Model, Shape, Variant};

pub(crate) fn generate(model: &Model) -> TokenStream {
    let Model { head, shape } = model;
    let parameters = head.parameters();
    let ty = head.ty();
    let mut items = TokenStream::new();
    let to_xml = match shape {
        Shape::Struct(body) => {
            items.extend(group(head, body));
            let Some(ElementName { name, namespace }) = &body.element else {
                return in_module(head, &items);
            };
            quote! {
                writer.start(#name, #namespace);
                __xml::ToGroup::write_attributes(self, writer);
                __xml::ToGroup::write_children(self, writer, #namespace);
                writer.end();
            }
        }
        Shape::Choice(variants) if variants.is_empty() => quote!(match *self {}),
        Shape::Choice(variants) => {
            let arms = variants.iter().map(|variant| match variant {
                Variant::Delegate { ident, member, .. } => quote! {
                    Self::#ident { #member: value } => __xml::ToXml::to_xml(value, writer),
                },
                Variant::Element { ident, body } => {
                    let pattern = pattern(body);
                    let content = body
                        .element
                        .iter()
                        .map(|element| content(element, body, &TokenStream::new()));
                    quote!(Self::#ident #pattern => { #(#content)* })
                }
            });
            quote!(match self { #(#arms)* })
        }
        Shape::Switch { cases, .. } if cases.is_empty() => quote!(match *self {}),
        Shape::Switch {
            element,
            attribute,
            cases,
        } => {
            let arms = cases.iter().map(
                |Case {
                     ident,
                     value,
                     default,
                     body,
                 }| {
                    let pattern = pattern(body);
                    // As with any default: what is meant anyway is not written.
                    let switch = (!default).then(|| quote!(writer.attribute(#attribute, #value);));
                    let content = content(element, body, &switch.to_token_stream());
                    quote!(Self::#ident #pattern => { #content })
                },
            );
            quote!(match self { #(#arms)* })
        }
    };
    items.extend(quote! {
        #[automatically_derived]
        impl #parameters __xml::ToXml for #ty {
            fn to_xml(&self, writer: &mut __xml::Writer<'_>) {
                #to_xml
            }
        }
    });
    in_module(head, &items)
}

/// Writing the parts of a struct into any element.
fn group(head: &Head, body: &Body) -> TokenStream {
    let parameters = head.parameters();
    let ty = head.ty();
    let pattern = pattern(body);
    let attributes = attributes(body);
    let namespace = match &body.element {
        Some(ElementName { namespace, .. }) => namespace.to_token_stream(),
        None => quote!(namespace),
    };
    let children = children(body, &namespace);
    quote! {
        #[automatically_derived]
        impl #parameters __xml::ToGroup for #ty {
            fn write_attributes(&self, writer: &mut __xml::Writer<'_>) {
                let Self #pattern = self;
                #attributes
            }

            fn write_children(&self, writer: &mut __xml::Writer<'_>, namespace: &str) {
                let Self #pattern = self;
                #children
            }
        }
    }
}

/// A whole element, of which the fields are bound.
fn content(element: &ElementName, body: &Body, first: &TokenStream) -> TokenStream {
    let ElementName { name, namespace } = element;
    let attributes = attributes(body);
    let children = children(body, &namespace.to_token_stream());
    quote! {
        writer.start(#name, #namespace);
        #first
        #attributes
        #children
        writer.end();
    }
}

fn pattern(body: &Body) -> TokenStream {
    let members = body.fields.iter().map(|field| &field.member);
    let bindings = body.fields.iter().map(|field| &field.binding);
    quote!({ #(#members: #bindings),* })
}

fn attributes(body: &Body) -> TokenStream {
    body.fields
        .iter()
        .map(|field| at_type_of(field, attribute(field)))
        .collect()
}

fn attribute(field: &Field) -> TokenStream {
    let binding = &field.binding;
    match &field.kind {
        Kind::Attribute {
            name,
            namespace: None,
            count,
        } => counted(
            field,
            count,
            &|value| quote!(writer.attribute_value(#name, #value);),
        ),
        Kind::Attribute {
            name,
            namespace: Some(namespace),
            count,
        } => counted(
            field,
            count,
            &|value| quote!(__xml::write_attribute_ns(writer, #name, #namespace, #value);),
        ),
        Kind::Lang { .. } => quote! {
            if let __xml::Some(value) = #binding {
                writer.lang(value);
            }
        },
        Kind::Flatten => quote!(__xml::ToGroup::write_attributes(#binding, writer);),
        Kind::Text { .. }
        | Kind::Child { .. }
        | Kind::Children { .. }
        | Kind::ChildText { .. }
        | Kind::Flag { .. }
        | Kind::Rest { .. } => TokenStream::new(),
    }
}

fn children(body: &Body, own_namespace: &TokenStream) -> TokenStream {
    body.fields
        .iter()
        .map(|field| at_type_of(field, child(field, own_namespace)))
        .collect()
}

/// The same code, so that what is wrong with the type of the field is shown there.
fn at_type_of(field: &Field, code: TokenStream) -> TokenStream {
    let place = field.ty.span();
    code.into_iter()
        .map(|mut token| {
            if let TokenTree::Group(group) = &token {
                let inner = at_type_of(field, group.stream());
                token = TokenTree::Group(Group::new(group.delimiter(), inner));
            }
            token.set_span(token.span().located_at(place));
            token
        })
        .collect()
}

fn child(field: &Field, own_namespace: &TokenStream) -> TokenStream {
    let binding = &field.binding;
    let or_own = |namespace: &Option<syn::Expr>| match namespace {
        Some(namespace) => namespace.to_token_stream(),
        None => own_namespace.clone(),
    };
    match &field.kind {
        Kind::Attribute { .. } | Kind::Lang { .. } => TokenStream::new(),
        Kind::Text { count } => counted(field, count, &|value| quote!(writer.text_value(#value);)),
        Kind::Child { count } => counted(
            field,
            count,
            &|value| quote!(__xml::ToXml::to_xml(#value, writer);),
        ),
        Kind::Children { .. } | Kind::Rest { .. } => quote! {
            for value in #binding.iter() {
                __xml::ToXml::to_xml(value, writer);
            }
        },
        Kind::ChildText {
            name,
            namespace,
            count,
        } => {
            let namespace = or_own(namespace);
            counted(
                field,
                count,
                &|value| quote!(__xml::write_child_text(writer, #name, #namespace, #value);),
            )
        }
        Kind::Flag { name, namespace } => {
            let namespace = or_own(namespace);
            quote! {
                if *#binding {
                    writer.empty(#name, #namespace);
                }
            }
        }
        Kind::Flatten => {
            quote!(__xml::ToGroup::write_children(#binding, writer, #own_namespace);)
        }
    }
}

/// Writes as many values as there are.
fn counted(
    field: &Field,
    count: &Count,
    write: &dyn Fn(TokenStream) -> TokenStream,
) -> TokenStream {
    let binding = &field.binding;
    match count {
        Count::One(_) => write(quote!(#binding)),
        Count::Optional(_) => {
            let written = write(quote!(value));
            quote!(if let __xml::Some(value) = #binding { #written })
        }
        Count::Many(_) => {
            let written = write(quote!(value));
            quote!(for value in #binding.iter() { #written })
        }
        Count::Default(ty, default) => {
            let written = write(quote!(#binding));
            quote! {
                let default: #ty = #default;
                if *#binding != default {
                    #written
                }
            }
        }
    }
}
