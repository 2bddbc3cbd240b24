//! Data forms: read, written, built and arranged (XEP-0004, 0068, 0141, 0221).

use std::borrow::Cow;

use xmpp_core::form::layout::{Arranged, Page, Part, Placed};
use xmpp_core::form::media::Media;
use xmpp_core::form::{Field, FieldErrorKind, FieldType, Form, FormType};
use xmpp_core::jid::Jid;
use xmpp_core::ns;
use xmpp_xml::value::DateTime;
use xmpp_xml::{Element, FromXml, FromXmlError, IntoOwned, ToXml, Writer};

pub fn element(content: &str) -> Element {
    Element::parse(&format!(
        "<x xmlns='jabber:x:data' xmlns:xdv='http://jabber.org/protocol/xdata-validate' \
         xmlns:xdl='http://jabber.org/protocol/xdata-layout' xmlns:xdd='urn:xmpp:xdata:dynamic'{content}</x>"
    ))
    .unwrap()
}

pub fn form(content: &str) -> Form<'static> {
    Form::from_xml(element(content).root())
        .unwrap()
        .into_owned()
}

fn written(payload: &dyn ToXml) -> String {
    let mut out = Vec::new();
    let mut writer = Writer::in_stream(&mut out, ns::DATA_FORMS);
    writer.payload(payload);
    writer.finish().unwrap();
    String::from_utf8(out).unwrap()
}

/// The form of XEP-0004, example 2.
const BOT: &str = " type='form'><title>Bot Configuration</title>\
    <instructions>Fill out this form to configure your new bot!</instructions>\
    <field type='hidden' var='FORM_TYPE'><value>jabber:bot</value></field>\
    <field type='fixed'><value>Section 1: Bot Info</value></field>\
    <field type='text-single' label='The name of your bot' var='botname'/>\
    <field type='text-multi' label='Helpful description of your bot' var='description'/>\
    <field type='boolean' label='Public bot?' var='public'><required/></field>\
    <field type='text-private' label='Password for special access' var='password'/>\
    <field type='list-multi' label='What features will the bot support?' var='features'>\
    <option label='Contests'><value>contests</value></option>\
    <option label='News'><value>news</value></option>\
    <option label='Search'><value>search</value></option>\
    <value>news</value><value>search</value></field>\
    <field type='list-single' label='Maximum number of subscribers' var='maxsubs'>\
    <value>20</value><option label='10'><value>10</value></option>\
    <option label='20'><value>20</value></option></field>\
    <field type='jid-multi' label='People to invite' var='invitelist'>\
    <desc>Tell all your friends about your new bot!</desc></field>";

#[test]
fn a_question_is_read_with_all_its_parts() {
    let form = form(BOT);
    assert_eq!(form.kind, Some(FormType::Form));
    assert_eq!(form.title.as_deref(), Some("Bot Configuration"));
    assert_eq!(
        form.instructions,
        ["Fill out this form to configure your new bot!"]
    );
    assert_eq!(form.fields.len(), 9);
    assert_eq!(form.form_type(), Some("jabber:bot"));
    assert_eq!(form.fields[1].value(), Some("Section 1: Bot Info"));
    assert!(form.field("public").unwrap().required);
    assert!(!form.field("botname").unwrap().required);
    let features = form.field("features").unwrap();
    let options: Vec<_> = features
        .options
        .iter()
        .map(|option| (option.label.as_deref().unwrap(), &*option.value))
        .collect();
    assert_eq!(
        options,
        [
            ("Contests", "contests"),
            ("News", "news"),
            ("Search", "search")
        ]
    );
    assert_eq!(
        form.values("features").collect::<Vec<_>>(),
        ["news", "search"]
    );
    let invited = form.field("invitelist").unwrap();
    assert_eq!(
        invited.desc.as_deref(),
        Some("Tell all your friends about your new bot!")
    );
    assert_eq!(form.field("nothing"), None);
}

#[test]
fn what_was_read_is_written_and_read_as_the_same() {
    for content in [
        BOT,
        " type='cancel'>",
        ">",
        " type='result'><reported><field var='a' label='A' type='jid-single'/></reported>\
         <item><field var='a'><value>x</value></field></item><item><field var='a'/></item>",
        " type='form'><xdl:page label='P'><xdl:text>T</xdl:text><xdl:section label='S'>\
         <xdl:fieldref var='a'/><xdl:reportedref/></xdl:section></xdl:page>\
         <field var='a'><xdv:validate datatype='xs:int'><xdv:range min='1' max='3'/>\
         <xdv:list-range min='1'/></xdv:validate><media xmlns='urn:xmpp:media-element' height='80' \
         width='290'><uri type='image/jpeg'>\n http://www.victim.com/ocr.jpeg?F3A6292C\n</uri></media>\
         <xdd:postBack/><xdd:readOnly/><xdd:notSame/><xdd:error>wrong</xdd:error></field>",
    ] {
        let read = form(content);
        let again =
            Element::parse(&format!("{}", Element::build(|w| read.to_xml(w)).unwrap())).unwrap();
        assert_eq!(Form::from_xml(again.root()).unwrap(), read);
    }
}

#[test]
fn every_type_of_form_and_field_is_known_by_its_name() {
    for (name, kind) in [
        ("form", FormType::Form),
        ("submit", FormType::Submit),
        ("cancel", FormType::Cancel),
        ("result", FormType::Result),
    ] {
        assert_eq!(form(&format!(" type='{name}'>")).kind, Some(kind));
        assert!(written(&Form::of(kind)).contains(&format!("type='{name}'")));
    }
    assert_eq!(form(">").kind, None);
    let error = Form::from_xml(element(" type='order'>").root()).unwrap_err();
    assert_eq!(error.part(), Some("type"));

    for kind in FieldType::ALL {
        let read = form(&format!("><field var='a' type='{}'/>", kind.as_str()));
        assert_eq!(read.fields[0].kind, Some(kind));
        assert!(written(&read.fields[0]).contains(&format!("type='{}'", kind.as_str())));
    }
    // What is not known, and what is not said, is a line of text.
    let read = form("><field var='a' type='colour'/><field var='b'/>");
    assert_eq!(read.fields[0].kind, Some(FieldType::TextSingle));
    assert_eq!(read.fields[1].kind, None);
    assert_eq!(read.fields[1].type_or_default(), FieldType::TextSingle);
}

#[test]
fn fields_without_a_name_are_left_out_unless_they_are_fixed() {
    let read = form(
        "><field type='fixed'><value>t</value></field><field type='boolean'/><field/><field var='a'/>",
    );
    assert_eq!(read.fields.len(), 2);
    assert_eq!(read.fields[0].kind, Some(FieldType::Fixed));
    assert_eq!(read.fields[1].var.as_deref(), Some("a"));
}

#[test]
fn options_have_one_value_each_that_no_other_has() {
    let read = form(
        "><field var='a' type='list-single'><option label='One'><value>1</value></option>\
         <option label='Uno'><value>1</value></option><option label='Two'><value>2</value></option></field>",
    );
    let options = &read.fields[0].options;
    let labels: Vec<_> = options
        .iter()
        .map(|option| option.label.as_deref().unwrap())
        .collect();
    assert_eq!(labels, ["One", "Two"]);
    for wrong in [
        "<option/>",
        "<option><value>1</value><value>2</value></option>",
    ] {
        let form = format!("><field var='a' type='list-single'>{wrong}</field>");
        assert!(Form::from_xml(element(&form).root()).is_err(), "{wrong}");
    }
}

#[test]
fn instructions_come_in_paragraphs_and_titles_once() {
    let read = form(
        "><title>a</title><instructions>1</instructions><title>b</title><instructions>2</instructions>",
    );
    assert_eq!(
        (read.title.as_deref(), read.instructions.len()),
        (Some("a"), 2)
    );
}

#[test]
fn a_form_type_counts_only_if_it_is_hidden_or_submitted() {
    let with = |kind, field_type| {
        let content = format!(
            " type='{kind}'><field var='FORM_TYPE' {field_type}><value>urn:a</value></field>"
        );
        form(&content).form_type().map(str::to_owned)
    };
    let found = Some("urn:a".to_owned());
    assert_eq!(with("form", "type='hidden'"), found);
    assert_eq!(with("result", "type='hidden'"), found);
    assert_eq!(with("form", "type='text-single'"), None);
    assert_eq!(with("result", ""), None);
    assert_eq!(with("submit", ""), found);
    assert_eq!(form(" type='form'>").form_type(), None);
}

#[test]
fn values_are_read_as_what_they_are() {
    let read = form(
        " type='submit'><field var='on'><value>1</value></field><field var='off'><value>false</value></field>\
         <field var='number'><value>21.5</value></field><field var='who'><value>A@Example.com</value></field>\
         <field var='when'><value>2026-11-22T12:00:00Z</value></field><field var='empty'><value/></field>\
         <field var='none'/><field var='text'><value>one</value><value>two</value></field>\
         <field var='many'><value>a@b</value><value>c@d</value><value>A@B</value></field>",
    );
    assert_eq!(read.parse("on"), Ok(Some(true)));
    assert_eq!(read.parse("off"), Ok(Some(false)));
    assert_eq!(read.parse("number"), Ok(Some(21.5)));
    assert_eq!(
        read.parse("who"),
        Ok(Some("a@example.com".parse::<Jid>().unwrap()))
    );
    let noon: DateTime = "2026-11-22T12:00:00Z".parse().unwrap();
    assert_eq!(read.parse("when"), Ok(Some(noon)));
    assert_eq!(read.parse::<u8>("empty"), Ok(None));
    assert_eq!(read.parse::<u8>("none"), Ok(None));
    assert_eq!(read.parse::<u8>("absent"), Ok(None));
    assert_eq!(read.parse::<Cow<'_, str>>("text"), Ok(Some("one".into())));
    assert_eq!(read.field("text").unwrap().text(), "one\ntwo");
    assert_eq!(read.field("on").unwrap().text(), "1");
    assert_eq!(read.field("none").unwrap().text(), "");
    let error = read.parse::<u8>("number").unwrap_err();
    assert_eq!(
        (error.var(), error.kind()),
        ("number", FieldErrorKind::Value)
    );
    let many = read.field("many").unwrap();
    assert_eq!(many.parse_all::<Jid>().unwrap().len(), 3);
    // An address that stands twice counts once.
    let addresses = many.addresses().unwrap();
    assert_eq!(
        addresses.iter().map(Jid::as_str).collect::<Vec<_>>(),
        ["a@b", "c@d"]
    );
    assert!(read.field("number").unwrap().parse_all::<bool>().is_err());
}

#[test]
fn forms_are_built_as_they_are_written() {
    let built = Form::new("Lamp")
        .with_instructions("Choose.")
        .with_field(Field::hidden("FORM_TYPE", "urn:example:lamp"))
        .with_field(Field::fixed("Light"))
        .with_field(
            Field::new(FieldType::ListSingle, "colour")
                .with_label("Colour")
                .with_desc("Of the light")
                .with_required()
                .with_option(Some("Warm"), "w")
                .with_option(None::<&str>, "c")
                .with_value("w"),
        )
        .with_field(Field::new(FieldType::Boolean, "on").with_typed(&true))
        .with_field(Field::new(FieldType::TextMulti, "note").with_lines("a\nb"))
        .with_media_field();
    assert_eq!(
        written(&built),
        "<x type='form'><title>Lamp</title><instructions>Choose.</instructions>\
         <field var='FORM_TYPE' type='hidden'><value>urn:example:lamp</value></field>\
         <field type='fixed'><value>Light</value></field>\
         <field var='colour' type='list-single' label='Colour'><desc>Of the light</desc><required/>\
         <value>w</value><option label='Warm'><value>w</value></option><option><value>c</value></option></field>\
         <field var='on' type='boolean'><value>true</value></field>\
         <field var='note' type='text-multi'><value>a</value><value>b</value></field>\
         <field var='ocr' type='text-single'><media xmlns='urn:xmpp:media-element' height='80' width='290'>\
         <uri type='image/jpeg'>cid:a@b</uri></media></field></x>"
    );
}

trait WithMedia {
    fn with_media_field(self) -> Self;
}

impl WithMedia for Form<'_> {
    fn with_media_field(self) -> Self {
        let media = Media::new()
            .with_size(290, 80)
            .with_uri("image/jpeg", "cid:a@b");
        self.with_field(Field::new(FieldType::TextSingle, "ocr").with_media(media))
    }
}

#[test]
fn an_answer_begins_with_the_hidden_fields() {
    let answer = form(BOT).to_submit();
    assert_eq!(
        written(&answer),
        "<x type='submit'><field var='FORM_TYPE'><value>jabber:bot</value></field></x>"
    );
    assert_eq!(answer.form_type(), Some("jabber:bot"));
}

#[test]
fn a_table_is_read_by_its_columns_in_any_order() {
    let table = form(
        " type='result'><item><field var='b'><value>2</value></field><field var='a'><value>1</value></field>\
         <field var='c'><value>3</value></field></item>\
         <reported><field var='a' label='A'/><field var='b'/></reported>\
         <reported><field var='z'/></reported><item/>",
    );
    assert_eq!(table.items.len(), 2);
    let cells = |row: usize| -> Vec<_> {
        let cells = table.cells(&table.items[row]);
        cells
            .map(|(column, cell)| (column.var.as_deref().unwrap(), cell.and_then(Field::value)))
            .collect()
    };
    assert_eq!(cells(0), [("a", Some("1")), ("b", Some("2"))]);
    assert_eq!(cells(1), [("a", None), ("b", None)]);
    assert_eq!(table.items[0].parse::<u8>("c"), Ok(Some(3)));
    let built = Form::of(FormType::Result)
        .with_reported([Field::submitted("a").with_label("A")])
        .with_item([Field::submitted("a").with_value("1")]);
    assert_eq!(
        written(&built),
        "<x type='result'><reported><field var='a' label='A'/></reported>\
         <item><field var='a'><value>1</value></field></item></x>"
    );
}

#[test]
fn a_form_of_too_many_elements_is_refused() {
    let reads = |content: String, limit| Form::read(element(&content).root(), limit).is_ok();
    let fields = |count| format!(">{}", "<field var='a'><value/></field>".repeat(count));
    assert!(reads(fields(5), 10));
    assert!(!reads(fields(5), 9));
    assert!(reads(fields(Form::MAX_ELEMENTS / 2), Form::MAX_ELEMENTS));
    let too_many = element(&fields(Form::MAX_ELEMENTS / 2 + 1));
    let error: FromXmlError = Form::from_xml(too_many.root()).unwrap_err();
    assert_eq!(
        error.reason().map(|reason| reason.reason()),
        Some("a form of too many elements")
    );
    // Whatever the elements are, and however deep.
    assert!(!reads("><a><b><c/></b></a>".into(), 2));
}

#[test]
fn private_values_do_not_show_in_logs() {
    let question = Form::new("Login")
        .with_field(Field::new(FieldType::TextPrivate, "password").with_value("s3cret"));
    assert!(!format!("{question:?}").contains("s3cret"));
    let open = xmpp_core::form::dynamic::OpenForm::new(question);
    assert!(!format!("{:?}", open.submission()).contains("s3cret"));
    let shown = Field::new(FieldType::TextSingle, "name").with_value("juliet");
    assert!(format!("{shown:?}").contains("juliet"));
}

fn outline(pages: &[Arranged<'_, '_>]) -> String {
    let part = |part: &Placed<'_, '_>| match part {
        Placed::Text(text) => format!("'{text}'"),
        Placed::Field(field) => field.var.as_deref().unwrap_or("fixed").to_owned(),
        Placed::Table => "table".to_owned(),
        Placed::Section(section) => outline(std::slice::from_ref(section)),
    };
    let page = |page: &Arranged<'_, '_>| {
        let parts: Vec<_> = page.parts.iter().map(part).collect();
        format!("{}({})", page.label.unwrap_or("-"), parts.join(" "))
    };
    pages.iter().map(page).collect::<Vec<_>>().join(" ")
}

#[test]
fn fields_are_arranged_on_pages_and_in_sections() {
    let fields = "<field var='a'/><field var='b'/><field var='c'/><field var='h' type='hidden'/>\
                  <field type='fixed'/><reported><field var='t'/></reported>";
    let arranged = |pages: &str| outline(&form(&format!(">{pages}{fields}")).arranged());
    // Without pages everything stands on one, and hidden fields nowhere.
    assert_eq!(arranged(""), "-(a b c fixed table)");
    // Order is that of the pages, texts stay, and what no page mentions comes last.
    assert_eq!(
        arranged(
            "<xdl:page label='P'><xdl:text>T</xdl:text><xdl:fieldref var='c'/>\
             <xdl:section label='S'><xdl:reportedref/><xdl:fieldref var='a'/></xdl:section></xdl:page>\
             <xdl:page label='Q'/>"
        ),
        "P('T' c S(table a)) Q() -(b fixed)"
    );
    // What is not there, a second table, and sections that show nothing are left out.
    assert_eq!(
        arranged(
            "<xdl:page label='P'><xdl:fieldref var='z'/><xdl:reportedref/><xdl:reportedref/>\
             <xdl:section label='S'><xdl:text>T</xdl:text><xdl:section/></xdl:section></xdl:page>"
        ),
        "P(table) -(a b c fixed)"
    );
    assert_eq!(
        outline(&form("><xdl:page><xdl:reportedref/></xdl:page><field var='a'/>").arranged()),
        "-() -(a)"
    );
    let built = Page::new("P")
        .with(Part::Text("T".into()))
        .with(Part::section("S", [Part::field("a"), Part::Table]));
    assert_eq!(
        written(&built),
        "<page xmlns='http://jabber.org/protocol/xdata-layout' label='P'><text>T</text>\
         <section label='S'><fieldref var='a'/><reportedref/></section></page>"
    );
}

#[test]
fn media_have_a_size_and_addresses_for_each_encoding() {
    let read = form(
        "><field var='ocr'><media xmlns='urn:xmpp:media-element' height='80' width='290'>\
         <uri type='image/jpeg'>\n http://www.victim.com/challenges/ocr.jpeg?F3A6292C\n </uri>\
         <uri type='audio/ogg; codecs=speex'>cid:sha1+f24@bob.xmpp.org</uri></media></field>",
    );
    let media = read.fields[0].media.as_deref().unwrap();
    assert_eq!((media.height, media.width), (Some(80), Some(290)));
    let addresses: Vec<_> = media
        .uris
        .iter()
        .map(|uri| (&*uri.kind, uri.address()))
        .collect();
    assert_eq!(
        addresses,
        [
            (
                "image/jpeg",
                "http://www.victim.com/challenges/ocr.jpeg?F3A6292C"
            ),
            ("audio/ogg; codecs=speex", "cid:sha1+f24@bob.xmpp.org"),
        ]
    );
}
