//! Forms that change while they are filled in (XEP-0336).
//!
//! Who asks keeps a session for each open form, named by a hidden field, and forgets it after a time
//! without activity ([`Sessions`](crate::session::Sessions)); who answers keeps an [`OpenForm`]. Both
//! announce the feature [`ns::DYNAMIC_FORMS`].
//!
//! ```
//! use xmpp_core::form::dynamic::OpenForm;
//! use xmpp_core::form::{Field, FieldType, Form};
//!
//! let country = Field::new(FieldType::ListSingle, "country")
//!     .with_option(Some("Chile"), "CL")
//!     .with_option(Some("Sweden"), "SE")
//!     .with_post_back();
//! let form = Form::new("Where").with_field(Field::hidden("session", "s1")).with_field(country.clone());
//! let mut open = OpenForm::new(form);
//!
//! // Editing this field asks for a round trip …
//! assert!(open.edit("country", ["SE"])?);
//! assert_eq!(open.submission().value("session"), Some("s1"));
//!
//! // … whose result has one field more.
//! let updated = Form::new("Where")
//!     .with_field(Field::hidden("session", "s1"))
//!     .with_field(country.with_value("SE"))
//!     .with_field(Field::new(FieldType::TextSingle, "region"));
//! open.merge(updated);
//! assert!(open.form().field("region").is_some());
//! assert!(!open.is_edited("country"));
//! # Ok::<(), xmpp_core::form::FieldError>(())
//! ```

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use xmpp_xml::{FromXml, IntoOwned, ToXml, ValueError};

use super::{Field, FieldError, FieldErrorKind, FieldType, Form, FormType};
use crate::ns;

/// A round trip in the middle of editing: not a final answer (XEP-0336 §3.2). The result holds the new
/// form, and `item-not-found` says that the session is over (§3.7).
#[derive(Debug, Clone, PartialEq, FromXml, ToXml, IntoOwned)]
#[xml(name = "submit", namespace = ns::DYNAMIC_FORMS)]
pub struct PostBack<'a> {
    /// The language of who fills in the form.
    #[xml(lang)]
    pub lang: Option<Cow<'a, str>>,
    /// The form as it is now, as an answer.
    #[xml(child)]
    pub form: Form<'a>,
}

/// There will be no answer, and the session can be forgotten (XEP-0336 §3.6).
#[derive(Debug, Clone, PartialEq, FromXml, ToXml, IntoOwned)]
#[xml(name = "cancel", namespace = ns::DYNAMIC_FORMS)]
pub struct Cancel<'a> {
    /// The form as it is now, as an answer, with the hidden fields that tell the session.
    #[xml(child)]
    pub form: Form<'a>,
}

/// The form has changed at who asked (XEP-0336 §3.9); in a message.
#[derive(Debug, Clone, PartialEq, FromXml, ToXml, IntoOwned)]
#[xml(name = "updated", namespace = ns::DYNAMIC_FORMS)]
pub struct Updated<'a> {
    /// The name of the field that tells which form it is.
    #[xml(attribute = "sessionVariable")]
    pub session_variable: Cow<'a, str>,
    /// The language of the form.
    #[xml(lang)]
    pub lang: Option<Cow<'a, str>>,
    /// The whole new form.
    #[xml(child)]
    pub form: Form<'a>,
}

impl Updated<'_> {
    /// Whether it is about that form: the field that tells the session has the same values in both.
    /// The caller compares where both came from: only who asked may change a form.
    #[must_use]
    pub fn is_about(&self, form: &Form<'_>) -> bool {
        let var = &self.session_variable;
        match (form.field(var), self.form.field(var)) {
            (Some(ours), Some(theirs)) => ours.values == theirs.values && !ours.values.is_empty(),
            _ => false,
        }
    }
}

/// A form that is being filled in, with what was edited and what was not.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenForm<'a> {
    form: Form<'a>,
    edited: BTreeSet<String>,
}

impl<'a> OpenForm<'a> {
    /// The form as it came, with nothing edited.
    #[must_use]
    pub fn new(form: Form<'a>) -> Self {
        Self {
            form,
            edited: BTreeSet::new(),
        }
    }

    /// The form as it is to be shown.
    #[must_use]
    pub fn form(&self) -> &Form<'a> {
        &self.form
    }

    /// Whether that field has a value of who fills in the form.
    #[must_use]
    pub fn is_edited(&self, var: &str) -> bool {
        self.edited.contains(var)
    }

    /// Whether the form asks for round trips, and is to be cancelled with [`Cancel`] when it is given up
    /// (XEP-0336 §5.1).
    #[must_use]
    pub fn is_dynamic(&self) -> bool {
        self.form.fields.iter().any(|field| field.post_back)
    }

    /// The form as it is now, as an answer: with the hidden fields as they came, without fixed and
    /// read-only fields, and without undefined values (XEP-0336 §3.4).
    #[must_use]
    pub fn submission(&self) -> Form<'a> {
        let fields = self.form.fields.iter().filter(|field| {
            let is_shown_only = field.kind == Some(FieldType::Fixed) || field.read_only;
            field.var.is_some() && !is_shown_only && !field.not_same
        });
        Form {
            fields: fields.map(Field::to_submitted).collect(),
            ..Form::of(FormType::Submit)
        }
    }

    /// A new form has come, as the result of a round trip or as an [`Updated`]: takes it over, and puts
    /// what was edited into it (XEP-0336 §5.3).
    pub fn merge(&mut self, updated: Form<'a>) {
        let before = core::mem::replace(&mut self.form, updated);
        let mut still_edited = BTreeSet::new();
        let mut ours: BTreeMap<String, Vec<Cow<'a, str>>> = before
            .fields
            .into_iter()
            .filter_map(|field| Some((field.var?.into_owned(), field.values)))
            .filter(|(var, _)| self.edited.contains(var))
            .collect();
        for field in &mut self.form.fields {
            let var = field.var.as_deref().unwrap_or_default();
            let Some((var, values)) = ours.remove_entry(var) else {
                continue;
            };
            field.not_same = false;
            if field.values != values {
                field.values = values;
                still_edited.insert(var);
            }
        }
        self.edited = still_edited;
    }

    /// Gives a field new values, which takes away its error and its mark of an undefined value. Says
    /// whether the form is to be sent back now, with [`PostBack`].
    ///
    /// # Errors
    /// [`FieldError`], and nothing changes, when there is no such field, when it cannot be edited, and
    /// when the values are none for it ([`Field::check`]).
    pub fn edit<V: Into<Cow<'a, str>>>(
        &mut self,
        var: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Result<bool, FieldError> {
        let refused = |reason| {
            let reason = ValueError::new(reason);
            Err(FieldError::new(var, FieldErrorKind::Form, reason))
        };
        let Some(field) = self.form.field_mut(var) else {
            return refused("the form has no such field");
        };
        let is_shown_only = matches!(field.kind, Some(FieldType::Fixed | FieldType::Hidden));
        if is_shown_only || field.read_only {
            return refused("the field cannot be edited");
        }
        let values: Vec<_> = values.into_iter().map(Into::into).collect();
        field.check(&values)?;
        field.values = values;
        field.not_same = false;
        field.error = None;
        self.edited.insert(var.to_string());
        Ok(field.post_back)
    }
}

impl Form<'_> {
    /// Takes the mark of an undefined value from every field that an answer mentions: the result of a
    /// round trip must not have it there (XEP-0336 §3.4).
    pub fn settle(&mut self, answer: &Form<'_>) {
        let answered: BTreeSet<_> = answer
            .fields
            .iter()
            .filter_map(|field| field.var.as_deref())
            .collect();
        for field in &mut self.fields {
            let var = field.var.as_deref().unwrap_or_default();
            field.not_same &= !answered.contains(var);
        }
    }
}
