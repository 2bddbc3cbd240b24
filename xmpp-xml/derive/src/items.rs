//! Reads `#[xml(key, key = value, …)]`.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprLit, Ident, Lit, Result, Token};

/// One key, with its value if it has one.
pub(crate) struct Item {
    pub(crate) key: Ident,
    pub(crate) value: Option<Expr>,
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let key = input.call(Ident::parse_any)?;
        let value = if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            Some(input.parse()?)
        } else {
            None
        };
        Ok(Self { key, value })
    }
}

impl Item {
    /// The place of the key.
    pub(crate) fn span(&self) -> Span {
        self.key.span()
    }

    /// The value, which must be a string.
    pub(crate) fn string(&self) -> Result<String> {
        match self.optional_string()? {
            Some(text) => Ok(text),
            None => Err(Error::new(
                self.span(),
                format!("write `{} = \"…\"`", self.key),
            )),
        }
    }

    /// The value, which must be a string if there is one.
    pub(crate) fn optional_string(&self) -> Result<Option<String>> {
        match &self.value {
            None => Ok(None),
            Some(Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            })) => Ok(Some(text.value())),
            Some(other) => Err(Error::new(
                other.span(),
                format!("write a string: `{} = \"…\"`", self.key),
            )),
        }
    }

    /// The value, which must be an XML name if there is one.
    pub(crate) fn optional_name(&self) -> Result<Option<String>> {
        let name = self.optional_string()?;
        if let Some(name) = &name {
            check_name(name, self.span())?;
        }
        Ok(name)
    }

    /// The value, which must be an XML name.
    pub(crate) fn name(&self) -> Result<String> {
        let name = self.string()?;
        check_name(&name, self.span())?;
        Ok(name)
    }

    /// The value, which must be a string or the path of a constant.
    pub(crate) fn string_or_path(&self) -> Result<Expr> {
        match &self.value {
            Some(
                value @ (Expr::Path(_)
                | Expr::Lit(ExprLit {
                    lit: Lit::Str(_), ..
                })),
            ) => Ok(value.clone()),
            _ => Err(Error::new(
                self.span(),
                format!(
                    "write `{0} = \"urn:…\"` or `{0} = path::OF_A_CONSTANT`",
                    self.key
                ),
            )),
        }
    }

    /// Refuses a value.
    pub(crate) fn bare(&self) -> Result<()> {
        match &self.value {
            None => Ok(()),
            Some(value) => Err(Error::new(
                value.span(),
                format!("`{}` takes no value here", self.key),
            )),
        }
    }
}

/// The keys at one place, from all its `#[xml(…)]`.
pub(crate) struct Items {
    items: Vec<Item>,
}

impl Items {
    pub(crate) fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut items: Vec<Item> = Vec::new();
        for attribute in attributes
            .iter()
            .filter(|attribute| attribute.path().is_ident("xml"))
        {
            let list =
                attribute.parse_args_with(Punctuated::<Item, Token![,]>::parse_terminated)?;
            for item in list {
                if items.iter().any(|other| other.key == item.key) {
                    let message = format!("`{}` is said twice", item.key);
                    return Err(Error::new(item.span(), message));
                }
                items.push(item);
            }
        }
        Ok(Self { items })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn take(&mut self, key: &str) -> Option<Item> {
        let index = self.items.iter().position(|item| item.key == key)?;
        Some(self.items.swap_remove(index))
    }

    /// Takes a key that has no value; whether it was there.
    pub(crate) fn take_bare(&mut self, key: &str) -> Result<bool> {
        match self.take(key) {
            Some(item) => item.bare().map(|()| true),
            None => Ok(false),
        }
    }

    /// Refuses what has not been taken; `known` says what could have stood there.
    pub(crate) fn finish(self, known: &str) -> Result<()> {
        match self.items.first() {
            None => Ok(()),
            Some(item) => Err(Error::new(
                item.span(),
                format!("`{}` has no meaning here; what has: {known}", item.key),
            )),
        }
    }
}

pub(crate) fn check_name(name: &str, span: Span) -> Result<()> {
    let starts = |c: char| c.is_alphabetic() || c == '_';
    let goes_on = |c: char| starts(c) || c.is_numeric() || matches!(c, '-' | '.' | '\u{b7}');
    if name.starts_with(starts) && name.chars().all(goes_on) {
        Ok(())
    } else if name == "xml:lang" {
        Err(Error::new(span, "for `xml:lang` write `#[xml(lang)]`"))
    } else if name.contains(':') {
        Err(Error::new(
            span,
            "a name has no prefix: write the namespace as `namespace = …`",
        ))
    } else {
        Err(Error::new(span, format!("{name:?} is no XML name")))
    }
}
