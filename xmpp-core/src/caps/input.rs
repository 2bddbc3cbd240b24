//! What is hashed of a description: the strings of XEP-0115 §5.1 and of XEP-0390 §4.1.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::disco::info;
use crate::form::{FieldType, Form, FormType};

/// Why a description cannot be hashed. Such an answer counts for who gave it and for nobody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum IllFormed {
    /// An identity stands twice (XEP-0115 §5.4).
    RepeatedIdentity,
    /// A feature stands twice (XEP-0115 §5.4).
    RepeatedFeature,
    /// Two forms are of the same type, or one is of two types (XEP-0115 §5.4).
    RepeatedForm,
    /// A text has the character `<`, with which one description could pass for another
    /// (XEP-0115 §5.1).
    Separator,
    /// A form does not tell its type in a hidden field `FORM_TYPE` (XEP-0390 §4.1).
    FormType,
    /// A form has a table (XEP-0390 §4.1).
    Table,
    /// There is something besides identities, features and forms (XEP-0390 §4.1).
    Extension,
}

impl fmt::Display for IllFormed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RepeatedIdentity => "an identity stands twice",
            Self::RepeatedFeature => "a feature stands twice",
            Self::RepeatedForm => "a type of form stands twice",
            Self::Separator => "a text has the character `<`",
            Self::FormType => "a form does not tell its type",
            Self::Table => "a form has a table",
            Self::Extension => "there is something besides identities, features and forms",
        })
    }
}

impl core::error::Error for IllFormed {}

/// The string whose hash is the `ver` of XEP-0115 (§5.1). Forms without a hidden type are left out
/// (§5.4).
///
/// # Errors
/// [`IllFormed`], as §5.4 says, and for a text with a separator in it.
pub fn verification_input(info: &info::Query<'_>) -> Result<String, IllFormed> {
    let mut identities: Vec<_> = info
        .identities
        .iter()
        .map(|identity| {
            (
                &*identity.category,
                &*identity.kind,
                identity.lang.as_deref().unwrap_or_default(),
                identity.name.as_deref().unwrap_or_default(),
            )
        })
        .collect();
    identities.sort_unstable();
    if has_pair(&identities) {
        return Err(IllFormed::RepeatedIdentity);
    }
    let mut features: Vec<_> = info.features.iter().map(|feature| &*feature.var).collect();
    features.sort_unstable();
    if has_pair(&features) {
        return Err(IllFormed::RepeatedFeature);
    }
    let mut forms = Vec::new();
    for form in &info.forms {
        if let Some(form_type) = form_type(form)? {
            forms.push((form_type, form));
        }
    }
    forms.sort_by_key(|(form_type, _)| *form_type);
    if forms
        .iter()
        .zip(forms.iter().skip(1))
        .any(|((one, _), (other, _))| one == other)
    {
        return Err(IllFormed::RepeatedForm);
    }

    let mut input = Input(String::new());
    for (category, kind, lang, name) in identities {
        input.begin(category)?;
        for part in [kind, lang] {
            input.0.push('/');
            input.begin(part)?;
        }
        input.0.push('/');
        input.add(name)?;
    }
    for feature in features {
        input.add(feature)?;
    }
    for (form_type, form) in forms {
        input.add(form_type)?;
        let mut fields: Vec<_> = form
            .fields
            .iter()
            .map(|field| (field.var.as_deref().unwrap_or_default(), field))
            .filter(|(var, _)| *var != "FORM_TYPE")
            .collect();
        fields.sort_by_key(|(var, _)| *var);
        for (var, field) in fields {
            input.add(var)?;
            let mut values: Vec<_> = field.values.iter().map(|value| &**value).collect();
            values.sort_unstable();
            for value in values {
                input.add(value)?;
            }
        }
    }
    Ok(input.0)
}

/// The octets whose hash is that of XEP-0390 (§4.1). `lang` is the language in force around the
/// description, which identities without a language of their own are in.
///
/// # Errors
/// [`IllFormed`], as §4.1 says.
pub fn hash_input(info: &info::Query<'_>, lang: Option<&str>) -> Result<Vec<u8>, IllFormed> {
    const UNIT: u8 = 0x1f;
    const RECORD: u8 = 0x1e;
    const GROUP: u8 = 0x1d;
    const FILE: u8 = 0x1c;
    let unit = |text: &str| [text.as_bytes(), &[UNIT]].concat();

    if !info.extensions.is_empty() {
        return Err(IllFormed::Extension);
    }
    let mut features: Vec<_> = info
        .features
        .iter()
        .map(|feature| unit(&feature.var))
        .collect();
    let mut input = joined(&mut features, FILE);
    let mut identities: Vec<_> = info
        .identities
        .iter()
        .map(|identity| {
            let lang = identity.lang.as_deref().or(lang);
            let parts = [
                unit(&identity.category),
                unit(&identity.kind),
                unit(lang.unwrap_or_default()),
                unit(identity.name.as_deref().unwrap_or_default()),
            ];
            let mut parts = parts.concat();
            parts.push(RECORD);
            parts
        })
        .collect();
    input.append(&mut joined(&mut identities, FILE));
    let mut forms = Vec::new();
    for form in &info.forms {
        if form.reported.is_some() || !form.items.is_empty() {
            return Err(IllFormed::Table);
        }
        if form.form_type().is_none() || form.kind != Some(FormType::Result) {
            return Err(IllFormed::FormType);
        }
        let mut fields: Vec<_> = form
            .fields
            .iter()
            .map(|field| {
                let mut values: Vec<_> = field.values.iter().map(|value| unit(value)).collect();
                let var = unit(field.var.as_deref().unwrap_or_default());
                [var, joined(&mut values, RECORD)].concat()
            })
            .collect();
        forms.push(joined(&mut fields, GROUP));
    }
    input.append(&mut joined(&mut forms, FILE));
    Ok(input)
}

/// The parts in the order of their octets, and what ends them.
fn joined(parts: &mut [Vec<u8>], end: u8) -> Vec<u8> {
    parts.sort_unstable();
    let mut joined = parts.concat();
    joined.push(end);
    joined
}

/// The type of a form that counts for XEP-0115.
fn form_type<'f>(form: &'f Form<'_>) -> Result<Option<&'f str>, IllFormed> {
    let Some(field) = form
        .field("FORM_TYPE")
        .filter(|field| field.kind == Some(FieldType::Hidden))
    else {
        return Ok(None);
    };
    let types: BTreeSet<_> = field.values.iter().collect();
    if types.len() > 1 {
        return Err(IllFormed::RepeatedForm);
    }
    Ok(field.value())
}

fn has_pair<T: PartialEq>(sorted: &[T]) -> bool {
    let mut pairs = sorted.iter().zip(sorted.iter().skip(1));
    pairs.any(|(one, other)| one == other)
}

/// The string of XEP-0115, in which `<` ends each text.
struct Input(String);

impl Input {
    fn add(&mut self, text: &str) -> Result<(), IllFormed> {
        self.begin(text)?;
        self.0.push('<');
        Ok(())
    }

    fn begin(&mut self, text: &str) -> Result<(), IllFormed> {
        if text.contains('<') {
            return Err(IllFormed::Separator);
        }
        self.0.push_str(text);
        Ok(())
    }
}
