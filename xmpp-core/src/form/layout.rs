//! How the fields of a form are arranged: pages and sections (XEP-0141).
//!
//! ```
//! use xmpp_core::form::layout::{Page, Part, Placed};
//! use xmpp_core::form::{Field, FieldType, Form};
//!
//! let form = Form::new("Lamp")
//!     .with_field(Field::new(FieldType::Boolean, "on"))
//!     .with_field(Field::new(FieldType::TextSingle, "name"))
//!     .with_page(Page::new("Light").with(Part::field("on")).with(Part::field("misspelt")));
//!
//! let pages = form.arranged();
//! assert_eq!(pages[0].label, Some("Light"));
//! assert!(matches!(pages[0].parts[..], [Placed::Field(field)] if field.var.as_deref() == Some("on")));
//! // What no page mentions is not lost.
//! assert_eq!((pages[1].label, pages[1].parts.len()), (None, 1));
//! ```

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use xmpp_xml::{FromXml, IntoOwned, ToXml};

use super::{Field, FieldType, Form};
use crate::ns;

/// A page of a form (XEP-0141 §3.1).
#[derive(Debug, Clone, PartialEq, Default, FromXml, ToXml, IntoOwned)]
#[xml(name = "page", namespace = ns::FORM_LAYOUT)]
pub struct Page<'a> {
    /// A name for people.
    #[xml(attribute)]
    pub label: Option<Cow<'a, str>>,
    /// What stands on it, in this order.
    #[xml(children)]
    pub parts: Vec<Part<'a>>,
}

impl<'a> Page<'a> {
    /// An empty page of that name.
    #[must_use]
    pub fn new(label: impl Into<Cow<'a, str>>) -> Self {
        Self {
            label: Some(label.into()),
            parts: Vec::new(),
        }
    }

    /// Adds something to the page.
    #[must_use]
    pub fn with(mut self, part: Part<'a>) -> Self {
        self.parts.push(part);
        self
    }
}

/// A section of a page or of another section (XEP-0141 §3.2).
#[derive(Debug, Clone, PartialEq, Default, FromXml, ToXml, IntoOwned)]
#[xml(name = "section", namespace = ns::FORM_LAYOUT)]
pub struct Section<'a> {
    /// A name for people.
    #[xml(attribute)]
    pub label: Option<Cow<'a, str>>,
    /// What stands in it, in this order.
    #[xml(children)]
    pub parts: Vec<Part<'a>>,
}

/// What stands on a page or in a section.
#[derive(Debug, Clone, PartialEq, FromXml, ToXml, IntoOwned)]
#[xml(namespace = ns::FORM_LAYOUT)]
pub enum Part<'a> {
    /// A text for people.
    #[xml(name = "text")]
    Text(#[xml(text)] Cow<'a, str>),
    /// A field of the form, by its name.
    #[xml(name = "fieldref")]
    Field {
        /// Its name.
        #[xml(attribute)]
        var: Cow<'a, str>,
    },
    /// The table of the form (XEP-0141 §3.3).
    #[xml(name = "reportedref")]
    Table,
    /// A section.
    Section(Section<'a>),
}

impl<'a> Part<'a> {
    /// The field of that name.
    #[must_use]
    pub fn field(var: impl Into<Cow<'a, str>>) -> Self {
        Self::Field { var: var.into() }
    }

    /// A section of that name.
    #[must_use]
    pub fn section(label: impl Into<Cow<'a, str>>, parts: impl IntoIterator<Item = Self>) -> Self {
        Self::Section(Section {
            label: Some(label.into()),
            parts: parts.into_iter().collect(),
        })
    }
}

/// A page or section with the fields that it shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Arranged<'f, 'a> {
    /// A name for people; none for what no page mentions.
    pub label: Option<&'f str>,
    /// What stands there, in this order.
    pub parts: Vec<Placed<'f, 'a>>,
}

/// What stands on an arranged page.
#[derive(Debug, Clone, PartialEq)]
pub enum Placed<'f, 'a> {
    /// A text for people.
    Text(&'f str),
    /// A field.
    Field(&'f Field<'a>),
    /// The table of the form.
    Table,
    /// A section.
    Section(Arranged<'f, 'a>),
}

impl<'a> Form<'a> {
    /// The form as it is to be shown, page by page. References to fields that are not there, to a table
    /// that is not there or was shown already, and sections without anything to show are left out
    /// (XEP-0141 §3.2, §3.3, §5.3). What no page mentions follows on a page without name; hidden fields
    /// only stand where a page mentions them.
    #[must_use]
    pub fn arranged(&self) -> Vec<Arranged<'_, 'a>> {
        let mut arranging = Arranging {
            fields: BTreeMap::new(),
            placed: BTreeSet::new(),
            has_table: self.reported.is_some(),
        };
        for field in self.fields.iter().rev() {
            if let Some(var) = &field.var {
                arranging.fields.insert(var, field);
            }
        }
        let mut pages: Vec<_> = self
            .pages
            .iter()
            .map(|page| arranging.arrange(page.label.as_deref(), &page.parts))
            .collect();
        let placed = arranging.placed;
        let rest = self.fields.iter().filter(|field| {
            let is_placed = field.var.as_deref().is_some_and(|var| placed.contains(var));
            !is_placed && field.kind != Some(FieldType::Hidden)
        });
        let mut parts: Vec<_> = rest.map(Placed::Field).collect();
        if arranging.has_table {
            parts.push(Placed::Table);
        }
        if !parts.is_empty() {
            pages.push(Arranged { label: None, parts });
        }
        pages
    }
}

struct Arranging<'f, 'a> {
    fields: BTreeMap<&'f str, &'f Field<'a>>,
    placed: BTreeSet<&'f str>,
    /// Whether there is a table that does not stand anywhere yet.
    has_table: bool,
}

impl<'f, 'a> Arranging<'f, 'a> {
    fn arrange(&mut self, label: Option<&'f str>, parts: &'f [Part<'a>]) -> Arranged<'f, 'a> {
        let parts = parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(Placed::Text(text)),
            Part::Field { var } => {
                let field = self.fields.get(&**var)?;
                self.placed.insert(var);
                Some(Placed::Field(field))
            }
            Part::Table => core::mem::take(&mut self.has_table).then_some(Placed::Table),
            Part::Section(section) => {
                let section = self.arrange(section.label.as_deref(), &section.parts);
                let mut parts = section.parts.iter();
                let shows = parts.any(|part| !matches!(part, Placed::Text(_)));
                shows.then_some(Placed::Section(section))
            }
        });
        Arranged {
            label,
            parts: parts.collect(),
        }
    }
}
