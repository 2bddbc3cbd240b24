//! Data forms (XEP-0004): asking for data, submitting it, and reporting it.
//!
//! A [`Form`] is read from any payload that holds one, asked by the names of its fields, checked against
//! the form it answers, and built with chained setters. Around it: [`validate`] tells which values a field
//! takes (XEP-0122), [`layout`] how fields are arranged (XEP-0141), [`media`] shows pictures and sounds
//! (XEP-0221), [`dynamic`] lets a form change while it is filled in (XEP-0336).
//!
//! ```
//! use xmpp_core::form::{Field, FieldType, Form};
//! use xmpp_core::form::validate::Validate;
//!
//! // A device asks for its settings …
//! let form = Form::new("Lamp")
//!     .with_field(Field::hidden("FORM_TYPE", "urn:example:lamp"))
//!     .with_field(
//!         Field::new(FieldType::TextSingle, "brightness")
//!             .with_label("Brightness, %")
//!             .with_validate(Validate::range("xs:int", Some("0"), Some("100")))
//!             .with_required(),
//!     )
//!     .with_field(Field::new(FieldType::Boolean, "on"));
//!
//! // … a reader answers …
//! let answer = form.to_submit().with_field(Field::submitted("brightness").with_typed(&80));
//!
//! // … and the device checks the answer before it believes it.
//! assert_eq!(answer.form_type(), Some("urn:example:lamp"));
//! assert!(form.check(&answer).is_ok());
//! assert_eq!(answer.parse::<u8>("brightness")?, Some(80));
//! assert_eq!(answer.parse::<bool>("on")?, None);
//!
//! let wrong = form.to_submit().with_field(Field::submitted("brightness").with_value("101"));
//! let refusal = form.check(&wrong).unwrap_err();
//! assert_eq!(refusal.to_string(), "field \"brightness\": more than 100");
//! # Ok::<(), xmpp_core::form::FieldError>(())
//! ```
//!
//! # Limits
//!
//! A small stanza can hold many small elements, and a field takes more memory than its bytes. A form of
//! more than [`Form::MAX_ELEMENTS`] elements is therefore refused as it is read; [`Form::read`] takes
//! another bound.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;

use xmpp_xml::{
    ElementRef, FromXml, FromXmlError, FromXmlText, IntoOwned, ToXml, ToXmlText, ValueError,
};

use crate::jid::Jid;
use crate::ns;

mod check;
pub mod dynamic;
pub mod layout;
pub mod media;
pub mod validate;

pub use check::{FieldError, FieldErrorKind, FormError};

use layout::Page;
use media::Media;
use validate::Validate;

/// A form: a question, an answer, a cancellation or a report (XEP-0004 §3).
#[derive(Debug, Clone, PartialEq, Default, ToXml, IntoOwned)]
#[xml(name = "x", namespace = ns::DATA_FORMS)]
pub struct Form<'a> {
    /// What the form is for. `None` where the sender did not say: some devices leave it out, and the place
    /// of the form tells it.
    #[xml(attribute = "type")]
    pub kind: Option<FormType>,
    /// A title for people.
    #[xml(child_text)]
    pub title: Option<Cow<'a, str>>,
    /// What people are to do, in paragraphs.
    #[xml(child_text)]
    pub instructions: Vec<Cow<'a, str>>,
    /// How the fields are arranged (XEP-0141).
    #[xml(children)]
    pub pages: Vec<Page<'a>>,
    /// The fields, in the order in which they are shown. Those of a table stand in `reported` and `items`.
    #[xml(children)]
    pub fields: Vec<Field<'a>>,
    /// The columns of a table.
    #[xml(child)]
    pub reported: Option<Reported<'a>>,
    /// The rows of a table.
    #[xml(children)]
    pub items: Vec<Item<'a>>,
}

impl<'a> Form<'a> {
    /// How many elements a form may have unless [`Form::read`] is told otherwise: fields, values, options,
    /// rows, cells and all else together. A form of that many takes about two megabytes.
    pub const MAX_ELEMENTS: usize = 8192;

    /// A question of that title.
    #[must_use]
    pub fn new(title: impl Into<Cow<'a, str>>) -> Self {
        Self {
            title: Some(title.into()),
            ..Self::of(FormType::Form)
        }
    }

    /// An empty form of that type.
    #[must_use]
    pub fn of(kind: FormType) -> Self {
        Self {
            kind: Some(kind),
            ..Self::default()
        }
    }

    /// Reads a form of at most so many elements. Fields that must have a name and have none are left out
    /// (XEP-0004 §3.2); of several titles, tables and options with the same value the first counts.
    ///
    /// # Errors
    /// For another element, an unknown type of form, too many elements, and what cannot be read in a
    /// field, which names the element at fault.
    pub fn read(element: ElementRef<'a>, elements: usize) -> Result<Self, FromXmlError> {
        if !Self::matches(element) {
            return Err(FromXmlError::unexpected(element));
        }
        if !has_at_most(element, &mut { elements }) {
            let reason = ValueError::new("a form of too many elements");
            return Err(FromXmlError::invalid(element, reason));
        }
        let mut form = Self::default();
        if let Some(kind) = element.attribute("type") {
            let kind = FormType::from_xml_text(kind)
                .map_err(|reason| FromXmlError::attribute(element, "type", reason))?;
            form.kind = Some(kind);
        }
        for child in element.children() {
            match (child.namespace(), child.name()) {
                (ns::DATA_FORMS, "title") if form.title.is_none() => {
                    form.title = Some(child.text());
                }
                (ns::DATA_FORMS, "instructions") => form.instructions.push(child.text()),
                (ns::DATA_FORMS, "field") => form.fields.extend(Field::named(child)?),
                (ns::DATA_FORMS, "reported") if form.reported.is_none() => {
                    form.reported = Some(child.read()?);
                }
                (ns::DATA_FORMS, "item") => form.items.push(child.read()?),
                (ns::FORM_LAYOUT, "page") => form.pages.push(child.read()?),
                _ => {}
            }
        }
        Ok(form)
    }

    /// What the names of the fields mean: the namespace that the field `FORM_TYPE` tells (XEP-0068). In a
    /// question or report that field counts only if it is hidden.
    #[must_use]
    pub fn form_type(&self) -> Option<&str> {
        let field = self.field("FORM_TYPE")?;
        let is_answer = matches!(self.kind, Some(FormType::Submit | FormType::Cancel) | None);
        let counts = is_answer || field.kind == Some(FieldType::Hidden);
        field.value().filter(|_| counts)
    }

    /// The field of that name; the first, when there are several.
    #[must_use]
    pub fn field(&self, var: &str) -> Option<&Field<'a>> {
        find(&self.fields, var)
    }

    /// The field of that name, to be changed.
    pub fn field_mut(&mut self, var: &str) -> Option<&mut Field<'a>> {
        let mut fields = self.fields.iter_mut();
        fields.find(|field| field.var.as_deref() == Some(var))
    }

    /// The first value of the field of that name.
    #[must_use]
    pub fn value(&self, var: &str) -> Option<&str> {
        self.field(var)?.value()
    }

    /// The values of the field of that name; none when there is no such field.
    pub fn values(&self, var: &str) -> impl Iterator<Item = &str> {
        let field = self.field(var).into_iter();
        field.flat_map(|field| field.values.iter().map(|value| &**value))
    }

    /// The value of the field of that name as a `bool`, a number, a [`Jid`], a
    /// [`DateTime`](crate::datetime::DateTime) or a type of your own. `None` when there is no such field, or no
    /// value, or an empty one, which means none (XEP-0004 §3.6).
    ///
    /// # Errors
    /// [`FieldError`], when the value is not one of that type.
    pub fn parse<'s, T: FromXmlText<'s>>(&'s self, var: &str) -> Result<Option<T>, FieldError> {
        self.field(var).map_or(Ok(None), Field::parse)
    }

    /// The columns of the table and those of one row side by side: each column with the row's field.
    /// Fields of the row that are no column are left out.
    pub fn cells<'s>(
        &'s self,
        item: &'s Item<'a>,
    ) -> impl Iterator<Item = (&'s Field<'a>, Option<&'s Field<'a>>)> {
        let columns = self.reported.iter().flat_map(|reported| &reported.fields);
        columns.map(|column| {
            let var = column.var.as_deref().unwrap_or_default();
            (column, item.field(var))
        })
    }

    /// The beginning of an answer to this question: with its hidden fields, which go back as they came
    /// (XEP-0004 §3.3), and nothing else.
    #[must_use]
    pub fn to_submit(&self) -> Self {
        let hidden = self
            .fields
            .iter()
            .filter(|field| field.kind == Some(FieldType::Hidden) && field.var.is_some());
        Self {
            fields: hidden.map(Field::to_submitted).collect(),
            ..Self::of(FormType::Submit)
        }
    }

    /// Adds a paragraph of instructions.
    #[must_use]
    pub fn with_instructions(mut self, text: impl Into<Cow<'a, str>>) -> Self {
        self.instructions.push(text.into());
        self
    }

    /// Adds a field.
    #[must_use]
    pub fn with_field(mut self, field: Field<'a>) -> Self {
        self.fields.push(field);
        self
    }

    /// Adds a page that arranges fields.
    #[must_use]
    pub fn with_page(mut self, page: Page<'a>) -> Self {
        self.pages.push(page);
        self
    }

    /// Sets the columns of the table.
    #[must_use]
    pub fn with_reported(mut self, columns: impl IntoIterator<Item = Field<'a>>) -> Self {
        let fields = columns.into_iter().collect();
        self.reported = Some(Reported { fields });
        self
    }

    /// Adds a row to the table.
    #[must_use]
    pub fn with_item(mut self, cells: impl IntoIterator<Item = Field<'a>>) -> Self {
        let fields = cells.into_iter().collect();
        self.items.push(Item { fields });
        self
    }
}

impl<'a> FromXml<'a> for Form<'a> {
    fn matches(element: ElementRef<'_>) -> bool {
        element.is("x", ns::DATA_FORMS)
    }

    fn from_xml(element: ElementRef<'a>) -> Result<Self, FromXmlError> {
        Self::read(element, Self::MAX_ELEMENTS)
    }
}

/// Whether all below an element is at most so much; what is left of that is kept in `rest`.
fn has_at_most(element: ElementRef<'_>, rest: &mut usize) -> bool {
    element.children().all(|child| match rest.checked_sub(1) {
        Some(left) => {
            *rest = left;
            has_at_most(child, rest)
        }
        None => false,
    })
}

fn find<'f, 'a>(fields: &'f [Field<'a>], var: &str) -> Option<&'f Field<'a>> {
    let mut fields = fields.iter();
    fields.find(|field| field.var.as_deref() == Some(var))
}

/// What a form is for (XEP-0004 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, FromXmlText, ToXmlText)]
pub enum FormType {
    /// A question: please fill it in.
    Form,
    /// An answer. What it does not mention stays as it is.
    Submit,
    /// There will be no answer.
    Cancel,
    /// A report, with or without a table, or data of any kind.
    Result,
}

/// One field of a form, of the head of a table or of one of its rows (XEP-0004 §3.2).
///
/// Values of type `text-private` are not shown by `Debug`.
#[derive(Clone, PartialEq, Default, FromXml, ToXml, IntoOwned)]
#[xml(name = "field", namespace = ns::DATA_FORMS)]
pub struct Field<'a> {
    /// Its name within the form. Only fixed fields may do without.
    #[xml(attribute)]
    pub var: Option<Cow<'a, str>>,
    /// Its type. `None` stands for a single line of text in a question, and for the type that was asked
    /// for in an answer.
    #[xml(attribute = "type")]
    pub kind: Option<FieldType>,
    /// A name for people.
    #[xml(attribute)]
    pub label: Option<Cow<'a, str>>,
    /// A description for people.
    #[xml(child_text)]
    pub desc: Option<Cow<'a, str>>,
    /// Whether an answer has to have a value for it.
    #[xml(flag)]
    pub required: bool,
    /// Which values it takes (XEP-0122).
    #[xml(child)]
    pub validate: Option<Box<Validate<'a>>>,
    /// What it shows or plays (XEP-0221).
    #[xml(child)]
    pub media: Option<Box<Media<'a>>>,
    /// Its values: the present or proposed ones in a question, the chosen ones in an answer.
    #[xml(child_text = "value")]
    pub values: Vec<Cow<'a, str>>,
    /// What may be chosen from.
    #[xml(children)]
    pub options: Vec<FieldOption<'a>>,
    /// Whether the form goes back to who asked as soon as this field was edited (XEP-0336 §3.1).
    #[xml(flag = "postBack", namespace = ns::DYNAMIC_FORMS)]
    pub post_back: bool,
    /// Whether it is shown but cannot be edited (XEP-0336 §3.3).
    #[xml(flag = "readOnly", namespace = ns::DYNAMIC_FORMS)]
    pub read_only: bool,
    /// Whether the value is undefined or uncertain (XEP-0336 §3.4).
    #[xml(flag = "notSame", namespace = ns::DYNAMIC_FORMS)]
    pub not_same: bool,
    /// What is wrong with the value, for people (XEP-0336 §3.5).
    #[xml(child_text, namespace = ns::DYNAMIC_FORMS)]
    pub error: Option<Cow<'a, str>>,
}

impl<'a> Field<'a> {
    /// A field of a question.
    #[must_use]
    pub fn new(kind: FieldType, var: impl Into<Cow<'a, str>>) -> Self {
        Self {
            var: Some(var.into()),
            kind: Some(kind),
            ..Self::default()
        }
    }

    /// A field that goes back as it came and is not shown.
    #[must_use]
    pub fn hidden(var: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) -> Self {
        Self::new(FieldType::Hidden, var).with_value(value)
    }

    /// A line of text between the other fields.
    #[must_use]
    pub fn fixed(text: impl Into<Cow<'a, str>>) -> Self {
        Self {
            kind: Some(FieldType::Fixed),
            ..Self::default()
        }
        .with_value(text)
    }

    /// A field of an answer or of a row, whose type is known from the question or from the column.
    #[must_use]
    pub fn submitted(var: impl Into<Cow<'a, str>>) -> Self {
        Self {
            var: Some(var.into()),
            ..Self::default()
        }
    }

    /// The type of a field of a question: a single line of text where it is not given
    /// (XEP-0004 §3.2).
    #[must_use]
    pub fn type_or_default(&self) -> FieldType {
        self.kind.unwrap_or_default()
    }

    /// The first value.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.values.first().map(|value| &**value)
    }

    /// The values as one text, a line each, as texts of several lines are meant (XEP-0004 §3.3).
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match self.values.as_slice() {
            [] => Cow::Borrowed(""),
            [value] => Cow::Borrowed(value),
            values => Cow::Owned(values.join("\n")),
        }
    }

    /// The first value as one of that type; `None` when there is none, or an empty one.
    ///
    /// # Errors
    /// [`FieldError`], when the value is not one of that type.
    pub fn parse<'s, T: FromXmlText<'s>>(&'s self) -> Result<Option<T>, FieldError> {
        match self.value() {
            None | Some("") => Ok(None),
            Some(value) => self.parse_value(value).map(Some),
        }
    }

    /// All values as values of that type.
    ///
    /// # Errors
    /// [`FieldError`], when one is not of that type.
    pub fn parse_all<'s, T: FromXmlText<'s>>(&'s self) -> Result<Vec<T>, FieldError> {
        let values = self.values.iter();
        values.map(|value| self.parse_value(value)).collect()
    }

    /// All values as addresses, each once (XEP-0004 §3.3).
    ///
    /// # Errors
    /// [`FieldError`], when one is no address.
    pub fn addresses(&self) -> Result<Vec<Jid>, FieldError> {
        let mut known = BTreeSet::new();
        let mut addresses: Vec<Jid> = self.parse_all()?;
        addresses.retain(|address| known.insert(address.clone()));
        Ok(addresses)
    }

    /// Sets the name for people.
    #[must_use]
    pub fn with_label(mut self, label: impl Into<Cow<'a, str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Sets the description for people.
    #[must_use]
    pub fn with_desc(mut self, desc: impl Into<Cow<'a, str>>) -> Self {
        self.desc = Some(desc.into());
        self
    }

    /// Makes the field required.
    #[must_use]
    pub fn with_required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Adds a value.
    #[must_use]
    pub fn with_value(mut self, value: impl Into<Cow<'a, str>>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Adds a `bool`, a number, an address, a time or any other value that has a lexical form.
    #[must_use]
    pub fn with_typed(self, value: &dyn ToXmlText) -> Self {
        self.with_value(value.to_xml_text())
    }

    /// Adds each line of a text as a value, as texts of several lines are sent (XEP-0004 §3.3).
    #[must_use]
    pub fn with_lines(mut self, text: &'a str) -> Self {
        self.values.extend(text.lines().map(Cow::Borrowed));
        self
    }

    /// Adds an option, with a name for people if it has another than its value.
    #[must_use]
    pub fn with_option(
        mut self,
        label: Option<impl Into<Cow<'a, str>>>,
        value: impl Into<Cow<'a, str>>,
    ) -> Self {
        self.options.push(FieldOption {
            label: label.map(Into::into),
            value: value.into(),
        });
        self
    }

    /// Says which values the field takes.
    #[must_use]
    pub fn with_validate(mut self, validate: Validate<'a>) -> Self {
        self.validate = Some(Box::new(validate));
        self
    }

    /// Sets what the field shows or plays.
    #[must_use]
    pub fn with_media(mut self, media: Media<'a>) -> Self {
        self.media = Some(Box::new(media));
        self
    }

    /// Lets the form go back as soon as the field was edited.
    #[must_use]
    pub fn with_post_back(mut self) -> Self {
        self.post_back = true;
        self
    }

    /// The field of an answer with the same values.
    fn to_submitted(&self) -> Self {
        Self {
            var: self.var.clone(),
            // So that what is private stays so in logs.
            kind: self.kind.filter(|kind| *kind == FieldType::TextPrivate),
            values: self.values.clone(),
            ..Self::default()
        }
    }

    /// The field, unless it has to have a name and has none.
    fn named(element: ElementRef<'a>) -> Result<Option<Self>, FromXmlError> {
        let mut field: Self = element.read()?;
        let mut known = BTreeSet::new();
        field
            .options
            .retain(|option| known.insert(option.value.clone()));
        let is_named = field.var.is_some() || field.kind == Some(FieldType::Fixed);
        Ok(is_named.then_some(field))
    }

    fn parse_value<'s, T: FromXmlText<'s>>(&self, value: &'s str) -> Result<T, FieldError> {
        T::from_xml_text(Cow::Borrowed(value)).map_err(|reason| {
            let var = self.var.as_deref().unwrap_or_default();
            FieldError::new(var, FieldErrorKind::Value, reason)
        })
    }
}

impl fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut field = f.debug_struct("Field");
        field.field("var", &self.var).field("kind", &self.kind);
        if self.kind == Some(FieldType::TextPrivate) {
            field.field("values", &format_args!("[..]"));
        } else {
            field.field("values", &self.values);
        }
        field
            .field("label", &self.label)
            .field("required", &self.required)
            .field("validate", &self.validate)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The types of fields (XEP-0004 §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FieldType {
    /// Yes or no: `true`, `false`, `1` or `0`.
    Boolean,
    /// Text that is only shown.
    Fixed,
    /// Not shown; goes back as it came.
    Hidden,
    /// Any number of addresses.
    JidMulti,
    /// One address.
    JidSingle,
    /// Any number of the options.
    ListMulti,
    /// One of the options.
    ListSingle,
    /// Several lines of text, each a value.
    TextMulti,
    /// A line of text that is not shown in clear.
    TextPrivate,
    /// A line of text. Every type that is not known is taken for this one.
    #[default]
    TextSingle,
}

impl FieldType {
    /// Every type, in the order of the standard.
    pub const ALL: [Self; 10] = [
        Self::Boolean,
        Self::Fixed,
        Self::Hidden,
        Self::JidMulti,
        Self::JidSingle,
        Self::ListMulti,
        Self::ListSingle,
        Self::TextMulti,
        Self::TextPrivate,
        Self::TextSingle,
    ];

    /// The value of the attribute `type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Fixed => "fixed",
            Self::Hidden => "hidden",
            Self::JidMulti => "jid-multi",
            Self::JidSingle => "jid-single",
            Self::ListMulti => "list-multi",
            Self::ListSingle => "list-single",
            Self::TextMulti => "text-multi",
            Self::TextPrivate => "text-private",
            Self::TextSingle => "text-single",
        }
    }

    /// The type of that name; a single line of text where the name is not known (XEP-0004 §3.3).
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == name);
        known.unwrap_or_default()
    }

    /// Whether it may have more than one value (XEP-0004 §3.2).
    #[must_use]
    pub fn is_multi(self) -> bool {
        matches!(
            self,
            Self::Hidden | Self::JidMulti | Self::ListMulti | Self::TextMulti
        )
    }

    /// Whether it is chosen from options.
    #[must_use]
    pub fn is_list(self) -> bool {
        matches!(self, Self::ListMulti | Self::ListSingle)
    }
}

impl FromXmlText<'_> for FieldType {
    fn from_xml_text(text: Cow<'_, str>) -> Result<Self, ValueError> {
        Ok(Self::from_name(&text))
    }
}

impl ToXmlText for FieldType {
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// One of the options of a list (XEP-0004 §3.2).
#[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
#[xml(name = "option", namespace = ns::DATA_FORMS)]
pub struct FieldOption<'a> {
    /// A name for people. Where there is none, the value is shown.
    #[xml(attribute)]
    pub label: Option<Cow<'a, str>>,
    /// What is submitted when it is chosen.
    #[xml(child_text)]
    pub value: Cow<'a, str>,
}

/// The columns of a table (XEP-0004 §3.4).
#[derive(Debug, Clone, PartialEq, Default, FromXml, ToXml, IntoOwned)]
#[xml(name = "reported", namespace = ns::DATA_FORMS)]
pub struct Reported<'a> {
    /// One field for each column, without values.
    #[xml(children)]
    pub fields: Vec<Field<'a>>,
}

/// A row of a table (XEP-0004 §3.4).
#[derive(Debug, Clone, PartialEq, Default, FromXml, ToXml, IntoOwned)]
#[xml(name = "item", namespace = ns::DATA_FORMS)]
pub struct Item<'a> {
    /// One field for each column.
    #[xml(children)]
    pub fields: Vec<Field<'a>>,
}

impl<'a> Item<'a> {
    /// The field of that name.
    #[must_use]
    pub fn field(&self, var: &str) -> Option<&Field<'a>> {
        find(&self.fields, var)
    }

    /// The value of the field of that name as one of that type, as [`Form::parse`] reads it.
    ///
    /// # Errors
    /// [`FieldError`], when the value is not one of that type.
    pub fn parse<'s, T: FromXmlText<'s>>(&'s self, var: &str) -> Result<Option<T>, FieldError> {
        self.field(var).map_or(Ok(None), Field::parse)
    }
}
