//! Enumerations of values, and types that take the form of their only field.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Result, Type};

use crate::items::Items;
use crate::model::{Errors, Head, collect, value_of_name, without_self};
use crate::{in_module, names_of};

/// A type that is read from or written as text.
struct Model {
    head: Head,
    shape: Shape,
}

enum Shape {
    /// The form is that of the only field.
    Wrapper { ty: Type },
    Values {
        values: Vec<(Ident, String)>,
        other: Option<(Ident, Type)>,
    },
}

pub(crate) fn from_text(input: &DeriveInput) -> Result<TokenStream> {
    let Model { head, shape } = model(input)?;
    let life = head.life();
    let ty = head.ty();
    let read = match shape {
        Shape::Wrapper { ty, .. } => quote! {
            <#ty as __xml::FromXmlText<#life>>::from_xml_text(text).map(|value| Self(value))
        },
        Shape::Values { values, other } => {
            let arms = values
                .iter()
                .map(|(ident, value)| quote!(#value => __xml::Ok(Self::#ident {}),));
            let otherwise = match other {
                Some((ident, ty)) => quote! {
                    <#ty as __xml::FromXmlText<#life>>::from_xml_text(text)
                        .map(|value| Self::#ident(value))
                },
                None => {
                    let reason = names_of(values.iter().map(|(_, value)| value.as_str()));
                    quote!(__xml::Err(__xml::ValueError::new(#reason)))
                }
            };
            quote! {
                match &*text {
                    #(#arms)*
                    _ => #otherwise,
                }
            }
        }
    };
    Ok(in_module(
        &head,
        &quote! {
            #[automatically_derived]
            impl<#life> __xml::FromXmlText<#life> for #ty {
                fn from_xml_text(
                    text: __xml::Cow<#life, str>,
                ) -> __xml::Result<Self, __xml::ValueError> {
                    #read
                }
            }
        },
    ))
}

pub(crate) fn to_text(input: &DeriveInput) -> Result<TokenStream> {
    let Model { head, shape } = model(input)?;
    let parameters = head.parameters();
    let ty = head.ty();
    let write = match shape {
        Shape::Wrapper { .. } => quote!(__xml::ToXmlText::write_text(&self.0, out)),
        Shape::Values { values, other } => {
            let arms = values.iter().map(|(ident, value)| {
                quote!(Self::#ident {} => __xml::fmt::Write::write_str(out, #value),)
            });
            let other = other.iter().map(|(ident, _)| {
                quote!(Self::#ident(value) => __xml::ToXmlText::write_text(value, out),)
            });
            quote!(match self { #(#arms)* #(#other)* })
        }
    };
    Ok(in_module(
        &head,
        &quote! {
            #[automatically_derived]
            impl #parameters __xml::ToXmlText for #ty {
                fn write_text(&self, out: &mut dyn __xml::fmt::Write) -> __xml::fmt::Result {
                    #write
                }
            }
        },
    ))
}

fn model(input: &DeriveInput) -> Result<Model> {
    let mut items = Items::of(&input.attrs)?;
    let head = Head::new(input, &mut items)?;
    items.finish("`crate`")?;
    let shape = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                let field = fields
                    .unnamed
                    .first()
                    .map(|field| without_self(&field.ty, &head));
                match field {
                    Some(ty) => Shape::Wrapper { ty },
                    None => return Err(no_value(&head.ident)),
                }
            }
            _ => return Err(no_value(&head.ident)),
        },
        Data::Enum(data) => {
            let found = collect(data.variants.iter().map(|variant| value(variant, &head)))?;
            values(found)?
        }
        Data::Union(_) => return Err(no_value(&head.ident)),
    };
    Ok(Model { head, shape })
}

fn no_value(ident: &Ident) -> Error {
    let message = "a value is an enum of variants without fields, or a struct with one unnamed \
                   field";
    Error::new(ident.span(), message)
}

enum Found {
    Value(Ident, String),
    Other(Ident, Type),
}

fn value(variant: &syn::Variant, head: &Head) -> Result<Found> {
    let ident = variant.ident.clone();
    let mut items = Items::of(&variant.attrs)?;
    let other = items.take_bare("other")?;
    let value = items.take("value");
    items.finish("`value` and `other`")?;
    match (&variant.fields, other, value) {
        (Fields::Unnamed(fields), true, None) if fields.unnamed.len() == 1 => {
            match fields.unnamed.first() {
                Some(field) => Ok(Found::Other(ident, without_self(&field.ty, head))),
                None => Err(no_value(&ident)),
            }
        }
        (_, true, _) => {
            let message = "`other` keeps the text: write one field, as in `Other(String)`";
            Err(Error::new(ident.span(), message))
        }
        (Fields::Unit, false, Some(item)) => Ok(Found::Value(ident, item.string()?)),
        (Fields::Unit, false, None) => {
            let value = value_of_name(&ident)?;
            Ok(Found::Value(ident, value))
        }
        (fields, false, _) => {
            let message = "a variant with fields is no value; one that keeps any other text is \
                           marked `#[xml(other)]`";
            Err(Error::new(fields.span(), message))
        }
    }
}

fn values(found: Vec<Found>) -> Result<Shape> {
    let mut values: Vec<(Ident, String)> = Vec::new();
    let mut other = None;
    let mut errors = Errors::default();
    for found in found {
        match found {
            Found::Value(ident, value) => {
                if values.iter().any(|(_, known)| *known == value) {
                    let message = format!("the value {value:?} belongs to another variant");
                    errors.add(Error::new(ident.span(), message));
                }
                values.push((ident, value));
            }
            Found::Other(ident, ty) => {
                if other.is_some() {
                    errors.add(Error::new(
                        ident.span(),
                        "`other` belongs to another variant",
                    ));
                }
                other = Some((ident, ty));
            }
        }
    }
    errors.none_or(Shape::Values { values, other })
}
