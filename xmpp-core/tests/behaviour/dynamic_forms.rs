//! Forms that change while they are filled in (XEP-0336).

use xmpp_core::form::dynamic::{Cancel, OpenForm, PostBack, Updated};
use xmpp_core::form::{Field, FieldErrorKind, FieldType, Form};
use xmpp_core::ns;
use xmpp_xml::{Element, FromXml, ToXml};

use crate::forms::form;

/// What the client shows, in order: name, value, and whether it is edited or undefined.
fn shown(open: &OpenForm<'_>) -> String {
    let fields = open.form().fields.iter().map(|field| {
        let var = field.var.as_deref().unwrap_or_default();
        let edited = if open.is_edited(var) { "*" } else { "" };
        let undefined = if field.not_same { "?" } else { "" };
        format!("{var}={}{edited}{undefined}", field.value().unwrap_or("-"))
    });
    fields.collect::<Vec<_>>().join(" ")
}

fn open(content: &str) -> OpenForm<'static> {
    OpenForm::new(form(&format!(" type='form'>{content}")))
}

fn field(var: &'static str, value: &'static str) -> Field<'static> {
    Field::new(FieldType::TextSingle, var).with_value(value)
}

#[test]
fn editing_clears_errors_and_undefined_values_and_may_ask_for_a_round_trip() {
    let mut open = open(
        "<field var='a'><value>1</value><xdd:notSame/><xdd:error>wrong</xdd:error><xdd:postBack/></field>\
         <field var='b'/>",
    );
    assert!(open.is_dynamic());
    assert_eq!(open.edit("a", ["2"]), Ok(true));
    assert_eq!(open.edit("b", ["3"]), Ok(false));
    assert_eq!(open.form().field("a").unwrap().error, None);
    assert_eq!(shown(&open), "a=2* b=3*");
    assert!(!OpenForm::new(Form::new("").with_field(field("a", "1"))).is_dynamic());
}

#[test]
fn what_cannot_be_edited_stays_as_it_is() {
    let mut open = open(
        "<field var='r'><value>1</value><xdd:readOnly/></field><field var='h' type='hidden'><value>1</value></field>\
         <field var='f' type='fixed'><value>1</value></field><field var='n' type='boolean'><value>1</value></field>",
    );
    for (var, kind) in [
        ("r", FieldErrorKind::Form),
        ("h", FieldErrorKind::Form),
        ("f", FieldErrorKind::Form),
        ("z", FieldErrorKind::Form),
        ("n", FieldErrorKind::Value),
    ] {
        assert_eq!(open.edit(var, ["x"]).unwrap_err().kind(), kind, "{var}");
    }
    assert_eq!(shown(&open), "r=1 h=1 f=1 n=1");
}

#[test]
fn a_submission_has_hidden_fields_and_no_undefined_or_fixed_ones() {
    let mut open = open(
        "<field var='s' type='hidden'><value>1</value></field><field var='f' type='fixed'><value>1</value></field>\
         <field var='r'><value>1</value><xdd:readOnly/></field><field var='u'><value>1</value><xdd:notSame/></field>\
         <field var='v'><value>1</value><xdd:notSame/></field><field var='a'><value>1</value></field>",
    );
    open.edit("v", ["2"]).unwrap();
    let written = Element::build(|writer| open.submission().to_xml(writer)).unwrap();
    assert_eq!(
        written.to_string(),
        "<x xmlns='jabber:x:data' type='submit'><field var='s'><value>1</value></field>\
         <field var='v'><value>2</value></field><field var='a'><value>1</value></field></x>"
    );
}

#[test]
fn a_new_form_brings_its_fields_and_their_order() {
    let mut open =
        open("<field var='a'><value>1</value></field><field var='b'><value>2</value></field>");
    open.edit("b", ["x"]).unwrap();
    open.merge(
        Form::new("")
            .with_field(field("c", "3"))
            .with_field(field("a", "4")),
    );
    // New fields come, others go with what was edited, and what was not edited is taken over.
    assert_eq!(shown(&open), "c=3 a=4");
    open.merge(Form::new("").with_field(field("b", "5")));
    assert_eq!(shown(&open), "b=5");
}

#[test]
fn what_was_edited_outlives_a_new_form_until_it_says_the_same() {
    let mut open = open("<field var='a'><value>1</value></field>");
    open.edit("a", ["2"]).unwrap();
    let updated = Form::new("").with_field(field("a", "3").with_label("New").with_required());
    open.merge(updated);
    assert_eq!(shown(&open), "a=2*");
    // All else is as the new form says.
    let merged = open.form().field("a").unwrap();
    assert_eq!(
        (merged.label.as_deref(), merged.required),
        (Some("New"), true)
    );
    open.merge(Form::new("").with_field(field("a", "2")));
    assert_eq!(shown(&open), "a=2");
    open.merge(Form::new("").with_field(field("a", "7")));
    assert_eq!(shown(&open), "a=7");
}

#[test]
fn an_edited_value_beats_an_undefined_one() {
    let mut undefined = field("a", "1");
    undefined.not_same = true;
    let mut open = OpenForm::new(Form::new("").with_field(undefined.clone()));
    assert_eq!(shown(&open), "a=1?");
    open.merge(Form::new("").with_field(undefined.clone()));
    assert_eq!(shown(&open), "a=1?");
    open.edit("a", ["2"]).unwrap();
    open.merge(Form::new("").with_field(undefined));
    assert_eq!(shown(&open), "a=2*");
}

#[test]
fn an_answered_field_comes_back_without_undefined_value() {
    let mut question = form(
        " type='form'><field var='a'><xdd:notSame/></field><field var='b'><xdd:notSame/></field>",
    );
    question.settle(&Form::default().with_field(Field::submitted("a").with_value("1")));
    assert!(!question.field("a").unwrap().not_same);
    assert!(question.field("b").unwrap().not_same);
}

#[test]
fn an_update_is_about_the_forms_of_the_same_session() {
    let update = Element::parse(
        "<updated xmlns='urn:xmpp:xdata:dynamic' sessionVariable='xdd session' xml:lang='en'>\
         <x xmlns='jabber:x:data' type='form'><field var='xdd session' type='hidden'><value>009c</value></field>\
         <field var='AnalogOutput'><value>49152</value></field></x></updated>",
    )
    .unwrap();
    let update = Updated::from_xml(update.root()).unwrap();
    assert_eq!(update.lang.as_deref(), Some("en"));
    let of =
        |session: &'static str| Form::new("").with_field(Field::hidden("xdd session", session));
    assert!(update.is_about(&of("009c")));
    assert!(!update.is_about(&of("009d")));
    assert!(!update.is_about(&Form::new("")));
    let nothing = Updated {
        form: Form::new("").with_field(Field::submitted("xdd session")),
        ..update
    };
    assert!(!nothing.is_about(&Form::new("").with_field(Field::submitted("xdd session"))));
}

#[test]
fn round_trips_and_cancellations_hold_the_form() {
    let answer = form(" type='submit'><field var='xdd session'><value>009c</value></field>");
    let post_back = PostBack {
        lang: Some("en".into()),
        form: answer.clone(),
    };
    let written = Element::build(|writer| post_back.to_xml(writer)).unwrap();
    assert!(written.root().is("submit", ns::DYNAMIC_FORMS));
    assert_eq!(PostBack::from_xml(written.root()), Ok(post_back));
    let cancel = Cancel { form: answer };
    let written = Element::build(|writer| cancel.to_xml(writer)).unwrap();
    assert!(written.root().is("cancel", ns::DYNAMIC_FORMS));
    assert_eq!(Cancel::from_xml(written.root()), Ok(cancel));
    let empty = Element::parse("<submit xmlns='urn:xmpp:xdata:dynamic'/>").unwrap();
    assert!(PostBack::from_xml(empty.root()).is_err());
}
