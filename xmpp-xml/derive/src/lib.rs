//! Derive macros FromXml, ToXml and IntoOwned of xmpp-xml.

mod from_xml;
mod into_owned;
mod items;
mod model;
mod text;
mod to_xml;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Result, parse_macro_input};

use crate::model::{Head, Model};

/// Derives reading from an element.
#[proc_macro_derive(FromXml, attributes(xml))]
pub fn derive_from_xml(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    or_error(Model::new(&input).and_then(|model| from_xml::generate(&model)))
}

/// Derives writing as an element.
#[proc_macro_derive(ToXml, attributes(xml))]
pub fn derive_to_xml(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    or_error(Model::new(&input).map(|model| to_xml::generate(&model)))
}

/// Derives the conversion into a type that borrows nothing.
#[proc_macro_derive(IntoOwned, attributes(xml))]
pub fn derive_into_owned(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    or_error(into_owned::generate(&input))
}

/// Derives reading from an attribute or from text.
#[proc_macro_derive(FromXmlText, attributes(xml))]
pub fn derive_from_xml_text(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    or_error(text::from_text(&input))
}

/// Derives writing into an attribute or into text.
#[proc_macro_derive(ToXmlText, attributes(xml))]
pub fn derive_to_xml_text(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    or_error(text::to_text(&input))
}

fn or_error(generated: Result<TokenStream>) -> proc_macro::TokenStream {
    generated
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Puts the items where their names meet no others, with the support of the main crate at hand.
fn in_module(head: &Head, items: &TokenStream) -> TokenStream {
    let support = &head.support;
    quote! {
        #[allow(unused, clippy::all)]
        const _: () = {
            use #support as __xml;
            #items
        };
    }
}

/// The reason to refuse a value that is none of these.
fn names_of<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names = names.collect::<Vec<_>>();
    format!("none of {}", names.join(", "))
}
