//! Ad-hoc commands, both sides, in virtual time (XEP-0050).

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use xmpp_core::command::{
    Action, Actions, Answer, CommandCondition, Event, Execution, ExecutionError, NotAllowed, Note,
    Report, Request, Responder, Response, Severity, Stage, StaleTicket, Status, Ticket,
};
use xmpp_core::disco::{Disco, Entity, info, items};
use xmpp_core::entropy::Entropy;
use xmpp_core::error::{ErrorType, StanzaCondition, StanzaError};
use xmpp_core::form::{Field, FieldType, Form, FormType};
use xmpp_core::ns;
use xmpp_core::stanza::{Iq, Stanza};
use xmpp_core::time::Instant;
use xmpp_xml::{Element, FromXml, IntoOwned, ToXml, Writer};

use crate::support::{jid, seconds};

const JULIET: &str = "juliet@example.com/balcony";

fn responder() -> Responder {
    let mut responder =
        Responder::new(Entropy::from_seed([3; 32])).sessions(Duration::from_secs(60), 8, 4);
    responder.offer("config", "Configure");
    responder.offer("restart", "Restart");
    responder
}

fn iq<T>(from: &str, id: &str, payload: &str, read: impl FnOnce(&Iq<'_>) -> T) -> T {
    let xml = format!(
        "<iq xmlns='jabber:client' type='set' id='{id}' from='{from}' to='device@example.com/1'>{payload}</iq>"
    );
    let element = Element::parse(&xml).unwrap();
    match Stanza::parse(element.root()).unwrap() {
        Stanza::Iq(iq) => read(&iq),
        other => panic!("{other:?}"),
    }
}

/// Sends a request; gives the answers so far.
fn ask(responder: &mut Responder, payload: &str, now: Instant) -> Vec<Element> {
    ask_as(responder, JULIET, "1", payload, now)
}

fn ask_as(
    responder: &mut Responder,
    from: &str,
    id: &str,
    payload: &str,
    now: Instant,
) -> Vec<Element> {
    assert!(iq(from, id, payload, |iq| responder.handle_request(iq, now)));
    said(responder)
}

fn said(responder: &mut Responder) -> Vec<Element> {
    let mut answers = Vec::new();
    loop {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        if !responder.poll_transmit(&mut writer) {
            return answers;
        }
        writer.finish().unwrap();
        answers.push(Element::parse(std::str::from_utf8(&out).unwrap()).unwrap());
    }
}

fn command(attributes: &str, content: &str) -> String {
    format!("<command xmlns='http://jabber.org/protocol/commands' {attributes}>{content}</command>")
}

fn refusal(answers: &[Element]) -> (StanzaCondition, Option<CommandCondition>, ErrorType) {
    let [answer] = answers else {
        panic!("{answers:?}")
    };
    let Stanza::Iq(iq) = Stanza::parse(answer.root()).unwrap() else {
        panic!()
    };
    let error = iq.error().unwrap();
    (error.condition, CommandCondition::of(&error), error.kind)
}

fn response(answers: &[Element]) -> Response<'static> {
    let [answer] = answers else {
        panic!("{answers:?}")
    };
    let payload = answer.root().children().next().unwrap();
    Response::from_xml(payload).unwrap().into_owned()
}

fn ticket(responder: &mut Responder) -> (Ticket, Action<'static>, Option<Box<Form<'static>>>) {
    match responder.poll_event() {
        Some(Event::Request {
            ticket,
            action,
            form,
            ..
        }) => (ticket, action, form),
        other => panic!("{other:?}"),
    }
}

fn question() -> Form<'static> {
    Form::new("Which").with_field(Field::new(FieldType::TextSingle, "service").with_required())
}

/// A session at its first stage; gives its id.
fn staged(responder: &mut Responder, stage: Stage) -> String {
    assert!(ask(responder, &command("node='config'", ""), seconds(0)).is_empty());
    let (ticket, action, _) = ticket(responder);
    assert_eq!(action, Action::Execute);
    responder
        .respond(ticket, Answer::Stage(stage), seconds(0))
        .unwrap();
    response(&said(responder)).session.unwrap().into_owned()
}

const FILLED: &str =
    "<x xmlns='jabber:x:data' type='submit'><field var='service'><value>httpd</value></field></x>";

#[test]
fn commands_are_discovered() {
    let mut disco = Disco::new(Entity::new(info::Identity::new("device", "sensor")));
    responder().describe(&jid("device@example.com/1"), &mut disco);
    assert!(
        disco
            .root()
            .features()
            .any(|feature| feature == ns::COMMANDS)
    );
    let list = disco.node(ns::COMMANDS).unwrap();
    assert!(list.info().has_identity("automation", "command-list"));
    let item = items::Item::new(jid("device@example.com/1"))
        .with_node("config")
        .with_name("Configure");
    assert_eq!(list.items()[0], item);
    assert_eq!(list.items().len(), 2);
    let command = disco.node("config").unwrap().info();
    assert!(command.has_identity("automation", "command-node"));
    assert!(command.has_feature(ns::COMMANDS) && command.has_feature(ns::DATA_FORMS));
    let mut responder = responder();
    responder.withdraw("config");
    assert_eq!(
        responder.commands().collect::<Vec<_>>(),
        [("restart", "Restart")]
    );
}

#[test]
fn a_command_of_one_stage_is_answered_at_once() {
    let mut responder = responder();
    assert!(
        ask(
            &mut responder,
            &command("node='restart' action='execute' status='executing'", ""),
            seconds(0)
        )
        .is_empty()
    );
    let (ticket, _, _) = ticket(&mut responder);
    assert_eq!(ticket.peer(), &jid(JULIET));
    let notes = vec![Note::new(Severity::Info, "Restarted")];
    let mut report = Report::default()
        .with_form(Form::of(FormType::Result))
        .with_note(Note::new(Severity::Info, "Restarted"));
    report
        .payloads
        .push(Element::parse("<x xmlns='jabber:x:oob'/>").unwrap());
    let answer = Answer::Completed(report);
    responder
        .respond(ticket.clone(), answer, seconds(1))
        .unwrap();
    let answers = said(&mut responder);
    assert_eq!(answers[0].root().attribute("id").as_deref(), Some("1"));
    assert_eq!(answers[0].root().attribute("to").as_deref(), Some(JULIET));
    assert_eq!(
        answers[0].root().attribute("from").as_deref(),
        Some("device@example.com/1")
    );
    let response = response(&answers);
    assert_eq!(
        (response.status, response.notes),
        (Status::Completed, notes)
    );
    assert_eq!(
        (response.form.is_some(), response.payloads.len()),
        (true, 1)
    );
    assert_eq!(response.session.as_deref(), Some(ticket.session()));
    assert_eq!(responder.open_sessions(), 0);
    // A ticket is for one answer.
    assert_eq!(
        responder.respond(ticket, Answer::completed(), seconds(1)),
        Err(StaleTicket)
    );
}

#[test]
fn a_command_of_several_stages_goes_on_and_back() {
    let mut responder = responder();
    let id = staged(&mut responder, Stage::more(question()));
    let attributes = |action: &str| format!("node='config' sessionid='{id}' action='{action}'");
    assert!(
        ask(
            &mut responder,
            &command(&attributes("next"), FILLED),
            seconds(1)
        )
        .is_empty()
    );
    let (second, action, form) = ticket(&mut responder);
    assert_eq!((action, second.session()), (Action::Next, id.as_str()));
    assert_eq!(form.unwrap().value("service"), Some("httpd"));
    let stage = Stage::last(Form::new("Mode"))
        .with_prev()
        .with_note(Note::new(Severity::Warn, "Careful"));
    responder
        .respond(second, Answer::Stage(stage), seconds(1))
        .unwrap();
    let told = response(&said(&mut responder));
    assert_eq!(
        (told.status, told.session.as_deref()),
        (Status::Executing, Some(id.as_str()))
    );
    let actions = told.actions.unwrap();
    assert_eq!(
        (actions.prev, actions.next, actions.complete),
        (true, false, true)
    );
    assert_eq!(actions.execute, Some(Action::Complete));

    // Back needs no answer to the form.
    ask(
        &mut responder,
        &command(&attributes("prev"), ""),
        seconds(2),
    );
    let (third, action, _) = ticket(&mut responder);
    assert_eq!(action, Action::Prev);
    responder
        .respond(third, Answer::Stage(Stage::more(question())), seconds(2))
        .unwrap();
    said(&mut responder);

    // What `execute` stands for is told by the stage.
    ask(
        &mut responder,
        &command(&attributes("execute"), FILLED),
        seconds(3),
    );
    assert_eq!(ticket(&mut responder).1, Action::Next);
}

#[test]
fn every_error_of_the_standard_has_its_cause() {
    use CommandCondition::{BadAction, BadPayload, BadSessionId, MalformedAction, SessionExpired};
    use StanzaCondition::{BadRequest, ItemNotFound, NotAllowed};

    let mut responder = responder();
    let id = staged(&mut responder, Stage::more(question()));
    let long_gone = "0123456789abcdef0123456789abcdef";
    let in_session = |rest: &str| format!("node='config' sessionid='{id}' {rest}");
    for (attributes, content, condition, special, kind) in [
        (
            "node='other'".into(),
            "",
            ItemNotFound,
            None,
            ErrorType::Cancel,
        ),
        ("".into(), "", BadRequest, None, ErrorType::Modify),
        (
            "node='config' action='jump'".into(),
            "",
            BadRequest,
            Some(MalformedAction),
            ErrorType::Modify,
        ),
        (
            in_session("action='jump'"),
            "",
            BadRequest,
            Some(MalformedAction),
            ErrorType::Modify,
        ),
        (
            "node='config' action='next'".into(),
            "",
            BadRequest,
            Some(BadAction),
            ErrorType::Modify,
        ),
        (
            "node='config' action='cancel'".into(),
            "",
            BadRequest,
            Some(BadAction),
            ErrorType::Modify,
        ),
        (
            in_session("action='prev'"),
            "",
            BadRequest,
            Some(BadAction),
            ErrorType::Modify,
        ),
        (
            in_session("action='complete'"),
            FILLED,
            BadRequest,
            Some(BadAction),
            ErrorType::Modify,
        ),
        (
            "node='config' sessionid='x'".into(),
            "",
            BadRequest,
            Some(BadSessionId),
            ErrorType::Modify,
        ),
        (
            format!("node='restart' sessionid='{id}'"),
            "",
            BadRequest,
            Some(BadSessionId),
            ErrorType::Modify,
        ),
        (
            format!("node='config' sessionid='{long_gone}'"),
            "",
            NotAllowed,
            Some(SessionExpired),
            ErrorType::Cancel,
        ),
        (
            in_session("action='next'"),
            "",
            BadRequest,
            Some(BadPayload),
            ErrorType::Modify,
        ),
        (
            in_session(""),
            "<x xmlns='jabber:x:data' type='submit'/>",
            BadRequest,
            Some(BadPayload),
            ErrorType::Modify,
        ),
        (
            in_session(""),
            "<x xmlns='jabber:x:data' type='order'/>",
            BadRequest,
            Some(BadPayload),
            ErrorType::Modify,
        ),
        (
            in_session(""),
            "<x xmlns='jabber:x:data'/><x xmlns='jabber:x:data'/>",
            BadRequest,
            Some(BadPayload),
            ErrorType::Modify,
        ),
    ] {
        let answers = ask(&mut responder, &command(&attributes, content), seconds(1));
        assert_eq!(
            refusal(&answers),
            (condition, special, kind),
            "{attributes} {content}"
        );
        assert_eq!(responder.poll_event(), None, "{attributes}");
    }
    // The stage is still there.
    assert!(
        ask(
            &mut responder,
            &command(&in_session(""), FILLED),
            seconds(1)
        )
        .is_empty()
    );
    // And a second request before the answer comes too early.
    let answers = ask(
        &mut responder,
        &command(&in_session(""), FILLED),
        seconds(1),
    );
    assert_eq!(refusal(&answers).0, StanzaCondition::UnexpectedRequest);
}

#[test]
fn an_id_that_is_too_long_is_not_kept() {
    let mut responder = responder();
    let execute = command("node='config'", "");
    let answers = ask_as(
        &mut responder,
        JULIET,
        &"i".repeat(1025),
        &execute,
        seconds(0),
    );
    assert_eq!(refusal(&answers).0, StanzaCondition::ResourceConstraint);
    assert_eq!(responder.open_sessions(), 0);
    assert!(
        ask_as(
            &mut responder,
            JULIET,
            &"i".repeat(1024),
            &execute,
            seconds(0)
        )
        .is_empty()
    );
}

#[test]
fn a_session_is_of_one_peer() {
    let mut responder = responder();
    let id = staged(&mut responder, Stage::more(question()));
    let attributes = format!("node='config' sessionid='{id}' action='cancel'");
    let answers = ask_as(
        &mut responder,
        "mallory@example.net/x",
        "9",
        &command(&attributes, ""),
        seconds(1),
    );
    assert_eq!(refusal(&answers).1, Some(CommandCondition::SessionExpired));
    assert_eq!(responder.open_sessions(), 1);
}

#[test]
fn a_cancelled_form_is_a_submitted_one() {
    let mut responder = responder();
    let id = staged(&mut responder, Stage::more(question()));
    let attributes = format!("node='config' sessionid='{id}'");
    let cancelled = FILLED.replace("submit", "cancel");
    assert!(
        ask(
            &mut responder,
            &command(&attributes, &cancelled),
            seconds(1)
        )
        .is_empty()
    );
    let form = ticket(&mut responder).2.unwrap();
    assert_eq!(
        (form.kind, form.value("service")),
        (Some(FormType::Submit), Some("httpd"))
    );
}

#[test]
fn a_command_can_be_given_up_at_any_time() {
    let mut responder = responder();
    let id = staged(&mut responder, Stage::more(question()));
    let attributes = format!("node='config' sessionid='{id}'");
    let cancel = command(&format!("{attributes} action='cancel'"), "");
    let told = response(&ask(&mut responder, &cancel, seconds(1)));
    assert_eq!(
        (told.status, told.session.as_deref()),
        (Status::Canceled, Some(id.as_str()))
    );
    assert!(
        matches!(responder.poll_event(), Some(Event::Cancelled { node, .. }) if node == "config")
    );
    assert_eq!(responder.open_sessions(), 0);
    assert_eq!(
        refusal(&ask(&mut responder, &cancel, seconds(1))).1,
        Some(CommandCondition::SessionExpired)
    );

    // Also while the application thinks: both requests are answered, and the ticket is stale.
    let id = staged(&mut responder, Stage::more(question()));
    let attributes = format!("node='config' sessionid='{id}'");
    ask_as(
        &mut responder,
        JULIET,
        "a",
        &command(&attributes, FILLED),
        seconds(1),
    );
    let (open, _, _) = ticket(&mut responder);
    let cancel = command(&format!("{attributes} action='cancel'"), "");
    let answers = ask_as(&mut responder, JULIET, "b", &cancel, seconds(1));
    let ids: Vec<_> = answers
        .iter()
        .map(|answer| answer.root().attribute("id").unwrap().into_owned())
        .collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(
        responder.respond(open, Answer::completed(), seconds(1)),
        Err(StaleTicket)
    );
    assert!(said(&mut responder).is_empty());
}

#[test]
fn a_session_without_activity_is_over() {
    let mut responder = responder();
    let id = staged(&mut responder, Stage::more(question()));
    assert_eq!(responder.poll_timeout(), Some(seconds(60)));
    let attributes = format!("node='config' sessionid='{id}'");
    // A request that comes when it is over is refused, although nobody has said that time has passed.
    let answers = ask(&mut responder, &command(&attributes, FILLED), seconds(60));
    assert_eq!(refusal(&answers).1, Some(CommandCondition::SessionExpired));
    assert!(matches!(responder.poll_event(), Some(Event::Expired { node }) if node == "config"));

    // An application that never answers does not keep the peer waiting.
    ask_as(
        &mut responder,
        JULIET,
        "slow",
        &command("node='restart'", ""),
        seconds(70),
    );
    let (open, _, _) = ticket(&mut responder);
    let timeout = responder.poll_timeout().unwrap();
    responder.handle_timeout(timeout);
    let answers = said(&mut responder);
    assert_eq!(answers[0].root().attribute("id").as_deref(), Some("slow"));
    assert_eq!(refusal(&answers).1, Some(CommandCondition::SessionExpired));
    assert_eq!(
        responder.respond(open, Answer::completed(), timeout),
        Err(StaleTicket)
    );
    assert_eq!(responder.poll_timeout(), None);
}

#[test]
fn sessions_are_limited_and_end_with_their_peer() {
    let mut responder = responder();
    let execute = command("node='config'", "");
    for _ in 0..4 {
        assert!(ask(&mut responder, &execute, seconds(0)).is_empty());
    }
    let answers = ask(&mut responder, &execute, seconds(0));
    assert_eq!(refusal(&answers).0, StanzaCondition::ResourceConstraint);
    for n in 0..4 {
        assert!(
            ask_as(
                &mut responder,
                &format!("romeo@example.net/{n}"),
                "1",
                &execute,
                seconds(0)
            )
            .is_empty()
        );
    }
    let answers = ask_as(
        &mut responder,
        "romeo@example.net/9",
        "1",
        &execute,
        seconds(0),
    );
    assert_eq!(refusal(&answers).0, StanzaCondition::ResourceConstraint);
    responder.handle_gone(jid(JULIET).as_ref());
    assert_eq!(responder.open_sessions(), 4);
    assert_eq!(said(&mut responder).len(), 4);

    let mut single = Responder::new(Entropy::from_seed([3; 32])).single_session();
    single.offer("config", "Configure");
    single.offer("restart", "Restart");
    assert!(ask(&mut single, &execute, seconds(0)).is_empty());
    assert_eq!(
        refusal(&ask(&mut single, &execute, seconds(0))).0,
        StanzaCondition::NotAllowed
    );
    assert!(ask(&mut single, &command("node='restart'", ""), seconds(0)).is_empty());
    assert!(
        ask_as(
            &mut single,
            "romeo@example.net/1",
            "1",
            &execute,
            seconds(0)
        )
        .is_empty()
    );
}

#[test]
fn the_application_refuses_with_an_error_of_its_choice() {
    let mut responder = responder();
    ask(&mut responder, &command("node='restart'", ""), seconds(0));
    let (open, _, _) = ticket(&mut responder);
    let forbidden = StanzaError::new(StanzaCondition::Forbidden);
    responder
        .respond(open, Answer::Refused(forbidden), seconds(0))
        .unwrap();
    assert_eq!(
        refusal(&said(&mut responder)),
        (StanzaCondition::Forbidden, None, ErrorType::Auth)
    );
    assert_eq!(responder.open_sessions(), 0);

    // Later it leaves the stage as it is.
    let id = staged(&mut responder, Stage::more(question()));
    let attributes = format!("node='config' sessionid='{id}'");
    ask(&mut responder, &command(&attributes, FILLED), seconds(1));
    let (open, _, _) = ticket(&mut responder);
    let error = CommandCondition::BadPayload.into();
    responder
        .respond(open, Answer::Refused(error), seconds(1))
        .unwrap();
    assert_eq!(
        refusal(&said(&mut responder)).1,
        Some(CommandCondition::BadPayload)
    );
    assert!(ask(&mut responder, &command(&attributes, FILLED), seconds(1)).is_empty());
}

#[test]
fn the_language_of_the_first_request_counts_for_all() {
    let mut responder = responder();
    ask(
        &mut responder,
        &command("node='config' xml:lang='de'", ""),
        seconds(0),
    );
    let Some(Event::Request { ticket, lang, .. }) = responder.poll_event() else {
        panic!()
    };
    assert_eq!(lang.as_deref(), Some("de"));
    responder
        .respond(ticket, Answer::Stage(Stage::more(question())), seconds(0))
        .unwrap();
    let told = response(&said(&mut responder));
    assert_eq!(told.lang.as_deref(), Some("de"));
    let attributes = format!(
        "node='config' xml:lang='fr' sessionid='{}'",
        told.session.unwrap()
    );
    ask(&mut responder, &command(&attributes, FILLED), seconds(1));
    let Some(Event::Request { lang, .. }) = responder.poll_event() else {
        panic!()
    };
    assert_eq!(lang.as_deref(), Some("de"));
}

#[test]
fn what_is_no_command_is_left_to_others() {
    let mut responder = responder();
    let other = iq(JULIET, "1", "<ping xmlns='urn:xmpp:ping'/>", |iq| {
        responder.handle_request(iq, seconds(0))
    });
    assert!(!other);
    let get = Element::parse(&format!(
        "<iq xmlns='jabber:client' type='get' id='1' from='{JULIET}'>{}</iq>",
        command("node='config'", "")
    ))
    .unwrap();
    let Stanza::Iq(get) = Stanza::parse(get.root()).unwrap() else {
        panic!()
    };
    assert!(!responder.handle_request(&get, seconds(0)));
    assert!(said(&mut responder).is_empty());
}

fn result(attributes: &str, content: &str) -> Element {
    Element::parse(&command(attributes, content)).unwrap()
}

fn started() -> Execution {
    let mut execution = Execution::new("config").lang("en");
    let request = execution.start();
    assert_eq!(
        (
            &*request.node,
            request.session.as_deref(),
            request.lang.as_deref()
        ),
        ("config", None, Some("en"))
    );
    assert_eq!(request.action, Action::Execute);
    execution
}

fn at_stage(actions: &str) -> Execution {
    let mut execution = started();
    let stage = result("node='config' sessionid='s1' status='executing'", actions);
    execution.handle_result(stage.root()).unwrap();
    execution
}

#[test]
fn a_stage_allows_what_it_says() {
    for (actions, allowed) in [
        ("", &[Action::Execute, Action::Complete, Action::Cancel][..]),
        (
            "<actions><next/></actions>",
            &[Action::Execute, Action::Next, Action::Cancel],
        ),
        (
            "<actions execute='complete'><prev/><complete/></actions>",
            &[
                Action::Execute,
                Action::Prev,
                Action::Complete,
                Action::Cancel,
            ],
        ),
    ] {
        let execution = at_stage(actions);
        for action in [
            Action::Execute,
            Action::Prev,
            Action::Next,
            Action::Complete,
            Action::Cancel,
        ] {
            assert_eq!(
                execution.allows(&action),
                allowed.contains(&action),
                "{actions} {action:?}"
            );
        }
        assert!(!execution.allows(&Action::Unknown("jump".into())));
    }
}

#[test]
fn an_execution_keeps_its_session_and_one_request_at_a_time() {
    let mut execution = at_stage("<actions execute='next'><prev/><next/></actions>");
    assert_eq!(execution.complete(None), Err(NotAllowed));
    let request = execution.next(Some(Form::of(FormType::Submit))).unwrap();
    assert_eq!(
        (request.session.as_deref(), &request.action),
        (Some("s1"), &Action::Next)
    );
    assert!(request.form.is_some());
    // Nothing before the answer.
    assert_eq!(execution.previous(), Err(NotAllowed));
    assert_eq!(execution.cancel(), Err(NotAllowed));
    let last = result(
        "node='config' sessionid='s1' status='completed'",
        "<note type='error'>No</note>",
    );
    execution.handle_result(last.root()).unwrap();
    assert!(execution.is_over());
    assert_eq!(execution.notes(), [Note::new(Severity::Error, "No")]);
    assert_eq!(execution.cancel(), Err(NotAllowed));
    assert_eq!(execution.response().unwrap().status, Status::Completed);

    let mut execution = at_stage("<actions execute='next'><prev/><next/></actions>");
    assert_eq!(execution.previous().unwrap().action, Action::Prev);
    let mut execution = at_stage("");
    assert_eq!(execution.cancel().unwrap().action, Action::Cancel);
    let cancelled = result("node='config' sessionid='s1' status='canceled'", "");
    execution.handle_result(cancelled.root()).unwrap();
    assert!(execution.is_over());
}

#[test]
fn responders_that_break_the_rules_are_not_followed() {
    let refused = |mut execution: Execution, attributes: &str, content: &str| {
        let error = execution
            .handle_result(result(attributes, content).root())
            .unwrap_err();
        assert!(execution.is_over());
        error
    };
    let ok = "node='config' sessionid='s1' status='executing'";
    assert_eq!(
        refused(Execution::new("config"), ok, ""),
        ExecutionError::Unexpected
    );
    assert_eq!(
        refused(
            started(),
            "node='other' sessionid='s1' status='executing'",
            ""
        ),
        ExecutionError::Other
    );
    assert_eq!(
        refused(started(), "node='config' status='executing'", ""),
        ExecutionError::NoSession
    );
    assert_eq!(
        refused(
            started(),
            "node='config' sessionid='' status='executing'",
            ""
        ),
        ExecutionError::NoSession
    );
    assert_eq!(
        refused(started(), ok, "<actions/>"),
        ExecutionError::Actions
    );
    assert_eq!(
        refused(started(), ok, "<actions><complete/></actions>"),
        ExecutionError::Actions
    );
    assert_eq!(
        refused(started(), ok, "<actions execute='prev'><next/></actions>"),
        ExecutionError::Actions
    );
    for unreadable in [
        "node='config' sessionid='s1'",
        "node='config' sessionid='s1' status='dreaming'",
    ] {
        assert!(matches!(
            refused(started(), unreadable, ""),
            ExecutionError::Unreadable(_)
        ));
    }
    let mut waiting = at_stage("");
    waiting.complete(None).unwrap();
    let other = "node='config' sessionid='s2' status='completed'";
    assert_eq!(refused(waiting, other, ""), ExecutionError::Other);
}

#[test]
fn after_an_error_the_stage_can_be_answered_again_unless_the_session_is_gone() {
    let mut execution = started();
    execution.handle_error(&StanzaError::new(StanzaCondition::Forbidden));
    assert!(execution.is_over());
    for (condition, is_over) in [
        (CommandCondition::BadPayload, false),
        (CommandCondition::BadAction, false),
        (CommandCondition::SessionExpired, true),
        (CommandCondition::BadSessionId, true),
    ] {
        let mut execution = at_stage("");
        execution.complete(None).unwrap();
        execution.handle_error(&condition.into());
        assert_eq!(execution.is_over(), is_over, "{condition}");
        assert_eq!(execution.allows(&Action::Complete), !is_over);
    }
    let mut idle = at_stage("");
    idle.handle_error(&CommandCondition::SessionExpired.into());
    assert!(!idle.is_over(), "nothing was asked");
}

#[test]
fn payloads_are_read_as_they_are_written() {
    let request = Request {
        node: "config".into(),
        session: Some("s1".into()),
        action: Action::Prev,
        lang: Some("en".into()),
        form: Some(Form::of(FormType::Submit)),
        payloads: vec![Element::parse("<other xmlns='urn:example:other'/>").unwrap()],
    };
    let written = Element::build(|writer| request.to_xml(writer)).unwrap();
    assert_eq!(
        written.to_string(),
        "<command xmlns='http://jabber.org/protocol/commands' node='config' sessionid='s1' action='prev' \
         xml:lang='en'><x xmlns='jabber:x:data' type='submit'/><other xmlns='urn:example:other'/></command>"
    );
    assert_eq!(Request::from_xml(written.root()).unwrap(), request);
    let response = Response {
        node: "config".into(),
        session: Some("s1".into()),
        status: Status::Executing,
        lang: None,
        actions: Some(Actions {
            execute: Some(Action::Next),
            prev: true,
            next: true,
            complete: false,
        }),
        notes: vec![
            Note::new(Severity::Info, "a"),
            Note::new(Severity::Warn, "b"),
        ],
        form: None,
        payloads: Vec::new(),
    };
    let written = Element::build(|writer| response.to_xml(writer)).unwrap();
    assert_eq!(
        written.to_string(),
        "<command xmlns='http://jabber.org/protocol/commands' node='config' sessionid='s1' status='executing'>\
         <actions execute='next'><prev/><next/></actions><note>a</note><note type='warn'>b</note></command>"
    );
    assert_eq!(Response::from_xml(written.root()).unwrap(), response);
}

#[test]
fn each_condition_goes_with_its_error() {
    for condition in [
        CommandCondition::MalformedAction,
        CommandCondition::BadAction,
        CommandCondition::BadLocale,
        CommandCondition::BadPayload,
        CommandCondition::BadSessionId,
        CommandCondition::SessionExpired,
    ] {
        let error = StanzaError::from(condition);
        let written = Element::build(|writer| error.to_xml(writer)).unwrap();
        let read = StanzaError::from_xml(written.root()).unwrap();
        assert_eq!(CommandCondition::of(&read), Some(condition));
        let element = format!("<{condition} xmlns='http://jabber.org/protocol/commands'/>");
        assert!(written.to_string().contains(&element));
    }
    assert_eq!(
        CommandCondition::of(&StanzaError::new(StanzaCondition::BadRequest)),
        None
    );
}

/// Something that happens to a responder.
#[derive(Debug, Clone)]
enum Happening {
    /// A request of one of two peers: a new one, or for a session that was there once, with an action and
    /// perhaps an answer to the form.
    Request {
        peer: bool,
        session: Option<usize>,
        action: usize,
        is_filled: bool,
    },
    /// The application answers one of its tickets, in one of four ways.
    Respond { ticket: usize, answer: usize },
    /// Time passes.
    Wait(u64),
    /// A peer goes.
    Gone(bool),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (any::<bool>(), prop::option::of(0..6usize), 0..6usize, any::<bool>()).prop_map(
            |(peer, session, action, is_filled)| Happening::Request { peer, session, action, is_filled }
        ),
        4 => (0..6usize, 0..4usize).prop_map(|(ticket, answer)| Happening::Respond { ticket, answer }),
        1 => (0..70u64).prop_map(Happening::Wait),
        1 => any::<bool>().prop_map(Happening::Gone),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_every_request_is_answered_once(happenings in prop::collection::vec(happening(), 0..60)) {
        let mut responder = responder();
        let (mut now, mut sent) = (0, 0);
        let mut sessions: Vec<String> = Vec::new();
        let mut tickets: Vec<Ticket> = Vec::new();
        let mut answers: BTreeMap<String, usize> = BTreeMap::new();
        let peer = |peer: bool| if peer { JULIET } else { "romeo@example.net/orchard" };
        for happening in happenings {
            match happening {
                Happening::Request { peer: of, session, action, is_filled } => {
                    let action = ["execute", "next", "prev", "complete", "cancel", "jump"][action];
                    let session = session.and_then(|at| sessions.get(at));
                    let session = session.map_or(String::new(), |id| format!("sessionid='{id}'"));
                    let attributes = format!("node='config' action='{action}' {session}");
                    let payload = command(&attributes, if is_filled { FILLED } else { "" });
                    let id = sent.to_string();
                    sent += 1;
                    iq(peer(of), &id, &payload, |iq| responder.handle_request(iq, seconds(now)));
                }
                Happening::Respond { ticket, answer } if !tickets.is_empty() => {
                    let ticket = tickets[ticket % tickets.len()].clone();
                    let answer = match answer {
                        0 => Answer::Stage(Stage::more(question()).with_prev()),
                        1 => Answer::Stage(Stage::last(question())),
                        2 => Answer::completed(),
                        _ => Answer::Refused(StanzaError::new(StanzaCondition::Forbidden)),
                    };
                    let _ = responder.respond(ticket, answer, seconds(now));
                }
                Happening::Respond { .. } => {}
                Happening::Wait(time) => {
                    now += time;
                    responder.handle_timeout(seconds(now));
                }
                Happening::Gone(of) => responder.handle_gone(jid(peer(of)).as_ref()),
            }
            while let Some(event) = responder.poll_event() {
                if let Event::Request { ticket, .. } = event {
                    sessions.push(ticket.session().to_owned());
                    tickets.push(ticket);
                }
            }
            for answer in said(&mut responder) {
                *answers.entry(answer.root().attribute("id").unwrap().into_owned()).or_default() += 1;
            }
        }
        while let Some(timeout) = responder.poll_timeout() {
            responder.handle_timeout(timeout);
        }
        for answer in said(&mut responder) {
            *answers.entry(answer.root().attribute("id").unwrap().into_owned()).or_default() += 1;
        }
        prop_assert_eq!(responder.open_sessions(), 0);
        prop_assert_eq!(answers.len(), sent);
        prop_assert!(answers.values().all(|count| *count == 1), "{:?}", answers);
    }
}
