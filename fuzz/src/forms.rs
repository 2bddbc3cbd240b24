//! Data forms.

use xmpp_core::form::dynamic::OpenForm;
use xmpp_core::form::{FieldErrorKind, Form, FormType};
use xmpp_xml::{FromXml, IntoOwned, Limits, Scratch, ToXml, Writer};

/// Any document that is read as a form is written, parsed and read as the same form. It is then checked
/// against itself, arranged, filled in and merged: a form never takes more than it says, and nothing that
/// an answer may do changes what was not asked for.
///
/// # Panics
/// When a form breaks its word.
pub fn forms(data: &[u8]) {
    let mut scratch = Scratch::new();
    let Ok(element) = scratch.document(data, &Limits::default()) else {
        return;
    };
    let Ok(form) = Form::from_xml(element) else {
        return;
    };
    let again = rewritten(&form);
    assert_eq!(again, form);
    assert_eq!(form.clone().into_owned(), form);

    let answer = Form {
        kind: Some(FormType::Submit),
        ..form.clone()
    };
    if let Err(error) = form.check(&answer) {
        assert!(!error.errors().is_empty());
        let mut marked = form.clone();
        error.mark(&mut marked);
        assert_eq!(rewritten(&marked), marked);
    }
    assert_eq!(form.unknown_fields(&answer).count(), 0);
    let pages = form.arranged();
    assert!(pages.len() <= form.pages.len() + 1);

    let mut open = OpenForm::new(form.clone());
    for field in &form.fields {
        let Some(var) = field.var.as_deref() else {
            continue;
        };
        match open.edit(var, ["1"]) {
            Ok(_) => {
                assert!(open.is_edited(var));
                assert_eq!(open.form().value(var), Some("1"));
            }
            Err(error) => assert_ne!(error.kind(), FieldErrorKind::Repeated),
        }
    }
    let filled_in = open.submission();
    assert_eq!(rewritten(&filled_in), filled_in);
    assert!(filled_in.fields.iter().all(|field| !field.not_same));
    open.merge(form.clone());
    assert_eq!(open.form().fields.len(), form.fields.len());
}

/// The form after it was written and read.
fn rewritten(form: &Form<'_>) -> Form<'static> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes);
    form.to_xml(&mut writer);
    assert_eq!(writer.finish(), Ok(()), "not written: {form:?}");
    let mut scratch = Scratch::new();
    let limits = Limits::default().stanza_bytes(u32::MAX);
    let read = scratch
        .document(&bytes, &limits)
        .map(|element| Form::read(element, usize::MAX).map(IntoOwned::into_owned));
    match read {
        Ok(Ok(form)) => form,
        other => unreadable(&bytes, &other),
    }
}

#[expect(clippy::panic, reason = "a fuzz target tells what is wrong by a panic")]
fn unreadable(bytes: &[u8], why: &dyn std::fmt::Debug) -> ! {
    panic!("{} is refused: {why:?}", String::from_utf8_lossy(bytes))
}
