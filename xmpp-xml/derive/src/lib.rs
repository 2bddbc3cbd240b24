//! The derive macros of [`xmpp-xml`](https://docs.rs/xmpp-xml): typed payloads of XMPP, declared
//! instead of parsed by hand.
//!
//! `xmpp-xml` re-exports the macros with its feature `derive`, which is on by default; depend on
//! that, not on this crate.
//!
//! ```text
//! use std::borrow::Cow;
//! use xmpp_xml::{Element, FromXml, IntoOwned, ToXml};
//!
//! #[derive(FromXml, ToXml, IntoOwned)]
//! #[xml(name = "query", namespace = "http://jabber.org/protocol/disco#info")]
//! struct Query<'a> {
//!     #[xml(attribute)]
//!     node: Option<Cow<'a, str>>,
//!     #[xml(children)]
//!     identities: Vec<Identity<'a>>,
//!     #[xml(rest)]
//!     rest: Vec<Element>,
//! }
//! ```
//!
//! The generated code goes once over the attributes and once over the children, and borrows what
//! need not be unescaped. Errors at run time name the element, the attribute or child, and the
//! reason.
//!
//! # The macros
//!
//! | macro | for | what it implements |
//! |---|---|---|
//! | [`FromXml`](macro@FromXml) | structs and enums | reading from an element |
//! | [`ToXml`](macro@ToXml) | structs and enums | writing as an element: attributes, then content, in the order of declaration |
//! | [`IntoOwned`](macro@IntoOwned) | structs and enums | the copy that borrows nothing |
//! | [`FromXmlText`](macro@FromXmlText) | enums of values, structs of one unnamed field | reading from an attribute or from text |
//! | [`ToXmlText`](macro@ToXmlText) | the same | writing into an attribute or into text |
//!
//! A type may have one lifetime, that of the element it borrows from, and no type parameters.
//!
//! # All attributes
//!
//! `T` is any type with `FromXmlText` and `ToXmlText`, `E` any type with `FromXml` and `ToXml`
//! (`Element` is one, which takes any element; `Box<E>` is one). A name is that of the field unless
//! it is given. A namespace is a string or the path of a constant.
//!
//! | where | `#[xml(…)]` | meaning |
//! |---|---|---|
//! | struct, variant | `name = "…", namespace = …` | which element it is; the namespace is `""` for none, and a variant has that of its enum unless it says another |
//! | struct | `group` | no element by itself, only flattened into others |
//! | struct, enum | `deny_unknown` | attributes and children that no field takes are errors; otherwise they are ignored |
//! | any type | `crate = path` | where `xmpp_xml` is, if not `::xmpp_xml` |
//! | enum | `namespace = …` | that of all variants that do not say another |
//! | enum | `name = "…", namespace = …, attribute = "…"` | one element, told apart by the value of that attribute |
//! | variant of such an enum | `value = "…"` | the value; by default the variant's name in lower case, if it is one word |
//! | variant of such an enum | `default` | what is meant if the attribute is absent |
//! | variant with one field | nothing | what the type of the field reads and writes |
//! | field | `attribute`, `attribute = "…"` | `T` or `Option<T>`: an attribute; with `namespace = …` one in a namespace |
//! | field | `lang` | `Option<Cow<str>>`: the element's own `xml:lang`; `None` if it is no language tag |
//! | field | `text` | `T` or `Option<T>`: the text of the element; `None` if it is empty |
//! | field | `child` | `E` or `Option<E>`: a child; a second one is an error |
//! | field | `children` | `Vec<E>`: all children that are an `E` |
//! | field | `child_text`, `child_text = "…"` | `T`, `Option<T>` or `Vec<T>`: the text of children of that name, in the namespace of the element or `namespace = …` |
//! | field | `flag`, `flag = "…"` | `bool`: whether there is an empty child of that name, in the namespace of the element or `namespace = …` |
//! | field | `flatten` | a struct: its attributes and children are those of this element |
//! | field | `rest` | `Vec<Element>`: the children that no other field takes |
//! | field | `default`, `default = expression` | with `attribute`, `text`, `child` and `child_text`: the value if absent, and not written |
//! | variant of values | `value = "…"` | how the variant is spelt; by default its name in lower case, if it is one word |
//! | variant of values | `other` | keeps any other text in its one field |
//!
//! A child is offered first to the fields that name it (`child_text`, `flag`), then to `child` and
//! `children` in the order of declaration, then to flattened structs, and at last to the rest.
//! Types that are only written may have slices where those that are read have `Vec`.

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

/// Implements `xmpp_xml::FromXml`: the type is read from an element.
///
/// All attributes are in the [table of the crate](crate#all-attributes).
#[proc_macro_derive(FromXml, attributes(xml))]
pub fn derive_from_xml(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    or_error(Model::new(&input).and_then(|model| from_xml::generate(&model)))
}

/// Implements `xmpp_xml::ToXml`: the type is written as an element.
///
/// All attributes are in the [table of the crate](crate#all-attributes).
#[proc_macro_derive(ToXml, attributes(xml))]
pub fn derive_to_xml(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    or_error(Model::new(&input).map(|model| to_xml::generate(&model)))
}

/// Implements `xmpp_xml::IntoOwned`: what the type borrows is copied.
///
/// Fields whose type names the lifetime of the struct or enum must implement `IntoOwned`; all
/// others are moved.
#[proc_macro_derive(IntoOwned, attributes(xml))]
pub fn derive_into_owned(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    or_error(into_owned::generate(&input))
}

/// Implements `xmpp_xml::FromXmlText`: the type is read from an attribute or from text.
///
/// For enums of variants without fields, of which one with `#[xml(other)]` may keep any other text
/// in a field; and for structs with one unnamed field, which take its form. Values are compared
/// exactly, by case and white space.
#[proc_macro_derive(FromXmlText, attributes(xml))]
pub fn derive_from_xml_text(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    or_error(text::from_text(&input))
}

/// Implements `xmpp_xml::ToXmlText`: the type is written into an attribute or into text.
///
/// For the same types as [`FromXmlText`](macro@FromXmlText).
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
