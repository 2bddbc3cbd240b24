//! Whether an answer fits the question, and what is wrong with it.

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use xmpp_xml::{FromXmlText, ValueError};

use super::{Field, FieldType, Form, FormType};
use crate::error::{StanzaCondition, StanzaError};
use crate::jid::Address;

impl<'a> Form<'a> {
    /// Whether that answer fits this question (XEP-0004 §3, §4; XEP-0122): every required field has a
    /// value, no field has more values than its type allows, addresses are addresses and booleans
    /// booleans, what is chosen is one of the options, and every value fulfils what the field says.
    ///
    /// Fields that the answer does not mention, and values that are empty, are right unless the field is
    /// required. Whatever it says about fixed and read-only fields does not count, and neither do fields
    /// that this question does not have ([`Form::unknown_fields`]). A field with
    /// an undefined value ([`Field::not_same`]) is never required (XEP-0336 §3.4).
    ///
    /// # Errors
    /// [`FormError`] with every fault, in the order of the question's fields.
    pub fn check(&self, answer: &Form<'_>) -> Result<(), FormError> {
        let mut errors = Vec::new();
        if answer.kind.is_some_and(|kind| kind != FormType::Submit) {
            let reason = ValueError::new("a form of type submit is expected");
            errors.push(FieldError::new("", FieldErrorKind::Form, reason));
        }
        let mut submitted = BTreeMap::new();
        for field in &answer.fields {
            let var = field.var.as_deref().unwrap_or_default();
            if submitted.insert(var, field).is_some() {
                let reason = ValueError::new("stands twice");
                errors.push(FieldError::new(var, FieldErrorKind::Repeated, reason));
            }
        }
        let asked = self.fields.iter().filter(|field| field.takes_values());
        for field in asked {
            let var = field.var.as_deref().unwrap_or_default();
            let values = submitted.get(var).map_or(&[][..], |field| &field.values);
            errors.extend(field.check(values).err());
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(FormError { errors })
        }
    }

    /// The fields of an answer that this question does not have. They are to be ignored unless the
    /// protocol around the form says otherwise (XEP-0004 §3.1).
    pub fn unknown_fields<'f, 'b>(
        &'f self,
        answer: &'f Form<'b>,
    ) -> impl Iterator<Item = &'f Field<'b>> + use<'f, 'a, 'b> {
        let known: BTreeSet<&str> = self
            .fields
            .iter()
            .filter_map(|field| field.var.as_deref())
            .collect();
        answer.fields.iter().filter(move |field| {
            let var = field.var.as_deref();
            var.is_some_and(|var| !known.contains(var))
        })
    }
}

impl Field<'_> {
    /// Whether those values fit this field of a question, as [`Form::check`] checks each.
    ///
    /// # Errors
    /// [`FieldError`] with the first fault.
    pub fn check(&self, values: &[Cow<'_, str>]) -> Result<(), FieldError> {
        let kind = self.type_or_default();
        let fault = |kind, reason| {
            let var = self.var.as_deref().unwrap_or_default();
            Err(FieldError::new(var, kind, reason))
        };
        if values.iter().all(|value| value.is_empty()) {
            if self.required && !self.not_same {
                let reason = ValueError::new("a value is required");
                return fault(FieldErrorKind::Missing, reason);
            }
            return Ok(());
        }
        if values.len() > 1 && !kind.is_multi() {
            let reason = ValueError::new("only one value is allowed");
            return fault(FieldErrorKind::TooMany, reason);
        }
        for value in values {
            if let Err(reason) = self.check_value(kind, value) {
                return fault(FieldErrorKind::Value, reason);
            }
        }
        let list_range = self
            .validate
            .as_ref()
            .and_then(|validate| validate.list_range)
            .filter(|_| kind == FieldType::ListMulti);
        match list_range.map(|range| range.check(values.len())) {
            Some(Err(reason)) => fault(FieldErrorKind::Choices, reason),
            _ => Ok(()),
        }
    }

    /// Whether an answer is asked for.
    fn takes_values(&self) -> bool {
        self.var.is_some() && self.kind != Some(FieldType::Fixed) && !self.read_only
    }

    fn check_value(&self, kind: FieldType, value: &str) -> Result<(), ValueError> {
        match kind {
            FieldType::Boolean => {
                bool::from_xml_text(Cow::Borrowed(value))?;
            }
            FieldType::JidMulti | FieldType::JidSingle => {
                Address::from_xml_text(Cow::Borrowed(value))?;
            }
            FieldType::ListMulti | FieldType::ListSingle => {
                let is_option = self.options.iter().any(|option| option.value == value);
                let is_open = self.validate.as_ref().is_some_and(|v| v.is_open());
                if !is_option && !is_open {
                    return Err(ValueError::new("none of the options"));
                }
            }
            _ => {}
        }
        match &self.validate {
            Some(validate) => validate.check(value),
            None => Ok(()),
        }
    }
}

/// What is wrong with an answer to a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormError {
    errors: Vec<FieldError>,
}

impl FormError {
    /// The faults, at least one.
    #[must_use]
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// Marks each field at fault with what is wrong, for an answer that shows the form again
    /// (XEP-0336 §3.5).
    pub fn mark(&self, form: &mut Form<'_>) {
        for error in &self.errors {
            if let Some(field) = form.field_mut(&error.var) {
                field.error = Some(Cow::Owned(error.reason.to_string()));
            }
        }
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        // A hostile answer has as many faults as it likes.
        for error in self.errors.iter().take(8) {
            write!(f, "{between}{error}")?;
            between = "; ";
        }
        match self.errors.len().checked_sub(8) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "; and {more} more"),
        }
    }
}

impl core::error::Error for FormError {}

/// The refusal that XEP-0004 §4 asks for: `not-acceptable`, with the faults as text.
impl From<&FormError> for StanzaError {
    fn from(error: &FormError) -> Self {
        Self::new(StanzaCondition::NotAcceptable).with_text(error.to_string())
    }
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    var: String,
    kind: FieldErrorKind,
    reason: ValueError,
}

impl FieldError {
    /// The name of the field, cut to 128 characters; empty when it is about the form itself.
    #[must_use]
    pub fn var(&self) -> &str {
        &self.var
    }

    /// What kind of fault it is.
    #[must_use]
    pub fn kind(&self) -> FieldErrorKind {
        self.kind
    }

    /// What was expected.
    #[must_use]
    pub fn reason(&self) -> &ValueError {
        &self.reason
    }

    pub(super) fn new(var: &str, kind: FieldErrorKind, reason: ValueError) -> Self {
        Self {
            var: var.chars().take(128).collect(),
            kind,
            reason,
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            FieldErrorKind::Form => write!(f, "{}", self.reason),
            _ => write!(f, "field {:?}: {}", self.var, self.reason),
        }
    }
}

impl core::error::Error for FieldError {}

/// What kind of fault a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FieldErrorKind {
    /// The form is none of the expected type.
    Form,
    /// A value is required.
    Missing,
    /// The field stands twice.
    Repeated,
    /// There are more values than the type allows.
    TooMany,
    /// A value is not one that the field takes.
    Value,
    /// Too few or too many options are chosen.
    Choices,
}
