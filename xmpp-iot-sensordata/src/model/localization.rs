use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use xmpp_xml::value::{FromXmlText, ToXmlText, ValueError};

use super::value::owned;

/// How the name of a field is put together in a person's language (XEP-0323 §6.2).
///
/// A chain of steps, each naming a text in a language module by its id. A text may contain `%0%`
/// for the result of the step before and `%1%` for the seed of its own step. This is for people
/// only; logic goes by the plain name.
///
/// ```
/// use xmpp_iot_sensordata::model::{Step, StringIds};
///
/// let ids = StringIds::new([Step::new("4").seed("A1"), Step::new("5").seed("3")])?;
/// assert_eq!(ids.as_str(), "4||A1,5||3");
/// let name = ids.localize("meters", |_module, id| match id {
///     "4" => Some("Entrance %1%".into()),
///     "5" => Some("%0%, Floor %1%".into()),
///     _ => None,
/// });
/// assert_eq!(name.as_deref(), Some("Entrance A1, Floor 3"));
/// # Ok::<(), xmpp_iot_sensordata::model::StepError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StringIds<'a> {
    text: Cow<'a, str>,
}

impl<'a> StringIds<'a> {
    /// The most bytes that [`StringIds::localize`] builds; texts that multiply could otherwise
    /// fill the memory.
    pub const LONGEST_NAME: usize = 4096;

    /// The chain of the given steps.
    ///
    /// # Errors
    /// When there is no step, an id is not made of digits, or a module or seed has a character
    /// that would be taken for the end of it. The standard knows no escaping.
    pub fn new<'s>(steps: impl IntoIterator<Item = Step<'s>>) -> Result<Self, StepError> {
        let mut text = String::new();
        for step in steps {
            step.check()?;
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(step.id);
            if !step.module.is_empty() || !step.seed.is_empty() {
                text.push('|');
                text.push_str(step.module);
            }
            if !step.seed.is_empty() {
                text.push('|');
                text.push_str(step.seed);
            }
        }
        if text.is_empty() {
            return Err(StepError::Missing);
        }
        Ok(Self {
            text: Cow::Owned(text),
        })
    }

    /// The chain that `text` says: ids with commas between them, each perhaps with a module and a
    /// seed after bars.
    ///
    /// A module may be empty: the schema forbids that, but the examples of the standard do it.
    ///
    /// # Errors
    /// When an id is not made of digits.
    pub fn parse(text: impl Into<Cow<'a, str>>) -> Result<Self, ValueError> {
        let text = text.into();
        if text.split(',').all(|step| is_id(Step::parse(step).id)) {
            Ok(Self { text })
        } else {
            Err(ValueError::new("not a chain of string ids as in 1,2"))
        }
    }

    /// The chain as it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The steps, in their order.
    pub fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.text.split(',').map(Step::parse)
    }

    /// The name in a person's language, or `None` when a text is not known or the name would be
    /// longer than [`StringIds::LONGEST_NAME`]; then show the plain name.
    ///
    /// `module` is the language module of the field, `lookup` gives the text of an id in a module.
    pub fn localize<'t>(
        &self,
        module: &str,
        mut lookup: impl FnMut(&str, &str) -> Option<Cow<'t, str>>,
    ) -> Option<String> {
        let mut name = String::new();
        for step in self.steps() {
            let module = if step.module.is_empty() {
                module
            } else {
                step.module
            };
            let text = lookup(module, step.id)?;
            let mut next = String::new();
            let mut rest = &*text;
            while let Some((before, after)) = rest.split_once('%') {
                let (filling, after) = if let Some(after) = after.strip_prefix("0%") {
                    (&*name, after)
                } else if let Some(after) = after.strip_prefix("1%") {
                    (step.seed, after)
                } else {
                    ("%", after)
                };
                next.push_str(before);
                next.push_str(filling);
                if next.len() > Self::LONGEST_NAME {
                    return None;
                }
                rest = after;
            }
            next.push_str(rest);
            if next.len() > Self::LONGEST_NAME {
                return None;
            }
            name = next;
        }
        Some(name)
    }

    /// The chain, freed from what it was read from.
    pub fn into_owned(self) -> StringIds<'static> {
        StringIds {
            text: owned(self.text),
        }
    }
}

/// One step of [`StringIds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Step<'a> {
    /// The id of the text: digits.
    pub id: &'a str,
    /// The language module of the text; empty for that of the field.
    pub module: &'a str,
    /// What stands for `%1%` in the text; may be empty.
    pub seed: &'a str,
}

impl<'a> Step<'a> {
    /// The text `id` of the field's own module.
    pub fn new(id: &'a str) -> Self {
        Self {
            id,
            module: "",
            seed: "",
        }
    }

    /// The same id, in the given module.
    #[must_use]
    pub fn module(self, module: &'a str) -> Self {
        Self { module, ..self }
    }

    /// The same text, with `seed` in place of `%1%`.
    #[must_use]
    pub fn seed(self, seed: &'a str) -> Self {
        Self { seed, ..self }
    }

    fn parse(text: &'a str) -> Self {
        let (id, rest) = text.split_once('|').unwrap_or((text, ""));
        // Bars after the second belong to the seed.
        let (module, seed) = rest.split_once('|').unwrap_or((rest, ""));
        Self { id, module, seed }
    }

    fn check(&self) -> Result<(), StepError> {
        if !is_id(self.id) {
            return Err(StepError::Id);
        }
        let is_word = |part: &str| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|each| each.is_alphanumeric() || each == '_')
        };
        if !self.module.is_empty() && !self.module.split('.').all(is_word) {
            return Err(StepError::Module);
        }
        if self.seed.contains(',') {
            return Err(StepError::Seed);
        }
        Ok(())
    }
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|digit| digit.is_ascii_digit())
}

/// Why steps cannot be written as [`StringIds`]: the caller's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepError {
    /// There is no step.
    Missing,
    /// An id is not made of digits.
    Id,
    /// A module is not words with points between them.
    Module,
    /// A seed has a comma, which would begin the next step.
    Seed,
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no step",
            Self::Id => "a string id is not made of digits",
            Self::Module => "a language module is not words with points between them",
            Self::Seed => "a seed has a comma",
        })
    }
}

impl core::error::Error for StepError {}

impl fmt::Display for StringIds<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'a> FromXmlText<'a> for StringIds<'a> {
    fn from_xml_text(text: Cow<'a, str>) -> Result<Self, ValueError> {
        Self::parse(text)
    }
}

impl ToXmlText for StringIds<'_> {
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(&self.text)
    }
}
