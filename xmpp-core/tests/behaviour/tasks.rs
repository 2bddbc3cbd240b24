//! What a login takes besides a mechanism, and keys for stronger hash functions.

use crate::support::{
    PASSWORD, Pair, RESPONSE, Side, bearer_server, client_config, jid, password_config,
    server_config,
};
use std::collections::VecDeque;
use std::time::Duration;
use xmpp_core::error::StreamCondition;
use xmpp_core::stream::{
    Encryption, Error, Event, FastConfig, InitiatorConfig, Misuse, ReceiverConfig, Sasl2, State,
    TaskAnswer, TaskStep, TlsInfo, TokenUse, UserAgent,
};
use xmpp_sasl::{Condition, Hash, Mechanism, ServerConfig, StoredCredentials, wire};
use xmpp_xml::Element;

const SASL2: &str = "urn:xmpp:sasl:2";
const UPGRADE: &str = "urn:xmpp:sasl:upgrade:0";
const SCRAM: &str = "urn:xmpp:scram-upgrade:0";

fn client() -> InitiatorConfig {
    password_config("juliet", PASSWORD).sasl2(Sasl2::new().upgrade(true))
}

fn server(hashes: &[Hash]) -> ReceiverConfig {
    server_config()
        .sasl2(true)
        .upgrades(hashes.iter().copied(), 4096)
}

fn meet(client: InitiatorConfig, server: ReceiverConfig) -> Pair {
    let mut pair = Pair::new(client, server);
    pair.run();
    pair
}

fn upgraded(side: &Side) -> Vec<&StoredCredentials> {
    let upgraded = side.events.iter().filter_map(|event| match event {
        Event::Upgraded {
            account,
            credentials,
        } => {
            assert_eq!(*account, jid("juliet@example.com"));
            Some(credentials)
        }
        _ => None,
    });
    upgraded.collect()
}

fn is_authenticated(side: &Side) -> bool {
    let done = |event: &Event| matches!(event, Event::Authenticated { .. });
    side.events.iter().any(done)
}

#[test]
fn a_client_gives_the_keys_that_the_server_lacks_one_after_the_other() {
    // The one that logs in by SHA-256 has keys for that, and the application says that it lacks the others.
    let pair = meet(client(), server(&[Hash::Sha512, Hash::Sha256, Hash::Sha1]));
    assert!(pair.client.stream.is_established() && pair.server.stream.is_established());
    let offered = |name: &str| format!("<upgrade xmlns='{UPGRADE}'>{name}</upgrade>");
    for name in ["UPGR-SCRAM-SHA-512", "UPGR-SCRAM-SHA-1"] {
        assert!(pair.server.said.contains(&offered(name)), "{name}");
        assert!(pair.client.said.contains(&offered(name)), "{name}");
        let continued = format!("<tasks><task>{name}</task></tasks></continue>");
        assert_eq!(pair.server.said.matches(&continued).count(), 1, "{name}");
        let next = format!("<next xmlns='{SASL2}' task='{name}'/>");
        assert_eq!(pair.client.said.matches(&next).count(), 1, "{name}");
    }
    assert!(pair.server.said.contains(&offered("UPGR-SCRAM-SHA-256")));
    assert!(!pair.client.said.contains("UPGR-SCRAM-SHA-256"));
    // The server has proven itself with the first, and says so once.
    let said = &pair.server.said;
    assert_eq!(said.matches("<additional-data>").count(), 1);
    assert!(said.contains(&format!("<continue xmlns='{SASL2}'><additional-data>")));
    let keys = upgraded(&pair.server);
    assert_eq!(keys.len(), 2);
    for (keys, hash) in keys.iter().zip([Hash::Sha512, Hash::Sha1]) {
        assert_eq!((keys.hash(), keys.iterations()), (hash, 4096));
        assert_eq!(keys.salt().len(), 16);
        assert!(keys.verify(PASSWORD) && !keys.verify("another"));
    }
    assert_ne!(keys[0].salt(), keys[1].salt());
}

#[test]
fn keys_are_given_to_nobody_who_does_not_want_them_or_might_listen() {
    let all = server(&[Hash::Sha512]);
    let nothing = |pair: &Pair| {
        assert!(
            pair.client.stream.is_established(),
            "{:?}",
            pair.client.events
        );
        assert!(!pair.client.said.contains(UPGRADE), "{}", pair.client.said);
        assert!(upgraded(&pair.server).is_empty());
    };
    // Not offered, not allowed, no password, no binding to the channel.
    nothing(&meet(client(), server_config().sasl2(true)));
    nothing(&meet(client().sasl2(Sasl2::new()), all.clone()));
    nothing(&meet(
        client_config().sasl2(Sasl2::new().upgrade(true)),
        all,
    ));
    let sasl = ServerConfig::new([9; 32]).mechanisms([Mechanism::ScramSha256]);
    let unbound = ReceiverConfig::new(jid("example.com"), sasl).sasl2(true);
    nothing(&meet(client(), unbound.upgrades([Hash::Sha512], 4096)));
    // The application has them already.
    let mut server = bearer(&[Hash::Sha256]);
    let said = server.hear(&authenticate("UPGR-SCRAM-SHA-256"));
    assert!(said.starts_with("<success"), "{said}");
    let asked = |event: &Event| {
        matches!(
            event,
            Event::Upgrade {
                hash: Hash::Sha256,
                ..
            }
        )
    };
    assert_eq!(server.events.iter().filter(|event| asked(event)).count(), 1);
    // Nor is it asked about what it does not offer.
    let mut server = bearer(&[Hash::Sha256]);
    let said = server.hear(&authenticate("UPGR-SCRAM-SHA-512"));
    assert!(said.starts_with("<success"), "{said}");
}

/// A server below TLS that takes bearer tokens and keys.
fn bearer(hashes: &[Hash]) -> Side {
    let config = bearer_server().sasl2(true);
    Side::secured_server(config.upgrades(hashes.iter().copied(), 4096))
}

fn authenticate(upgrade: &str) -> String {
    let initial = wire::encode(format!("n,,\x01auth=Bearer {PASSWORD}\x01\x01").as_bytes());
    format!(
        "<authenticate xmlns='{SASL2}' mechanism='OAUTHBEARER'>\
         <initial-response>{initial}</initial-response>\
         <upgrade xmlns='{UPGRADE}'>{upgrade}</upgrade></authenticate>"
    )
}

fn next(task: &str) -> String {
    format!("<next xmlns='{SASL2}' task='{task}'/>")
}

fn task_data(inner: &str) -> String {
    format!("<task-data xmlns='{SASL2}'>{inner}</task-data>")
}

#[test]
fn keys_that_are_none_do_not_undo_the_login() {
    for wrong in [
        String::new(),
        format!("<hash xmlns='{SCRAM}'>AAAA</hash>"),
        format!("<hash xmlns='{SCRAM}'>!</hash>"),
        format!("<hash xmlns='{SCRAM}'/>"),
    ] {
        let mut server = bearer(&[Hash::Sha512]);
        let said = server.hear(&authenticate("UPGR-SCRAM-SHA-512"));
        assert_eq!(
            said,
            format!(
                "<continue xmlns='{SASL2}'><tasks><task>UPGR-SCRAM-SHA-512</task></tasks></continue>"
            )
        );
        let said = server.hear(&next("UPGR-SCRAM-SHA-512"));
        assert!(
            said.starts_with(&format!(
                "<task-data xmlns='{SASL2}'><salt xmlns='{SCRAM}' iterations='4096'>"
            )),
            "{said}"
        );
        assert!(!is_authenticated(&server));
        let said = server.hear(&task_data(&wrong));
        assert!(said.starts_with("<success"), "{wrong} {said}");
        assert!(is_authenticated(&server) && upgraded(&server).is_empty());
    }
}

#[test]
fn a_task_goes_its_way_or_ends_the_login() {
    let begun = || {
        let mut server = bearer(&[Hash::Sha512]);
        server.hear(&authenticate("UPGR-SCRAM-SHA-512"));
        server
    };
    let abort = format!("<abort xmlns='{SASL2}'/>");
    for (element, condition) in [
        (abort.as_str(), "aborted"),
        (&next("UPGR-SCRAM-SHA-1"), "malformed-request"),
        (&format!("<next xmlns='{SASL2}'/>"), "malformed-request"),
    ] {
        let mut server = begun();
        let said = server.hear(element);
        assert!(said.contains(&format!("<{condition}")), "{element} {said}");
        assert!(!is_authenticated(&server) && !server.is_over());
        // And the next try is a fresh one.
        let said = server.hear(&authenticate("X"));
        assert!(said.starts_with("<success"), "{said}");
    }
    for element in [
        &authenticate("X"),
        &task_data(""),
        " ",
        "<message/>",
        &format!("<response xmlns='{SASL2}'/>"),
    ] {
        let mut server = begun();
        server.hear(element);
        assert_eq!(
            server.violation(),
            StreamCondition::PolicyViolation,
            "{element}"
        );
        assert!(!is_authenticated(&server));
    }
}

/// A client that has asked to give keys, and the server's `<continue/>` to it with that proof.
fn continued(change: impl Fn(&str) -> String) -> (Side, String) {
    let mut client = Side::client(client().encryption(Encryption::Direct));
    let mut server = Side::server(server(&[Hash::Sha512]).encryption(Encryption::Direct));
    client.secure();
    server.secure();
    let mut seen = 0;
    let mut all = String::new();
    while seen < client.said.len() && !client.is_over() {
        let said = client.said[seen..].to_owned();
        seen = client.said.len();
        let answer = change(&server.hear(&said));
        all.push_str(&answer);
        client.hear(&answer);
    }
    (client, all)
}

#[test]
fn nothing_is_given_to_a_server_that_has_not_proven_itself() {
    let (client, _) = continued(str::to_owned);
    assert!(client.stream.is_established());
    let forged = wire::encode(b"v=AAAA");
    let (client, said) = continued(|said| match said.split_once("<additional-data>") {
        Some((before, rest)) => {
            let (_, after) = rest.split_once('<').unwrap();
            format!("{before}<additional-data>{forged}<{after}")
        }
        None => said.to_owned(),
    });
    assert!(said.contains("<continue"));
    assert!(
        matches!(client.failure(), Error::Sasl(_)),
        "{:?}",
        client.events
    );
    assert!(!client.said.contains("<next "), "{}", client.said);
    assert!(client.said.contains(&format!("<abort xmlns='{SASL2}'/>")));
}

#[test]
fn a_client_makes_no_keys_outside_its_bounds() {
    for (iterations, reason) in [
        ("1", "iterations"),
        ("9999999", "iterations"),
        ("x", "malformed"),
    ] {
        let (client, _) = continued(|said| {
            said.replace("iterations='4096'", &format!("iterations='{iterations}'"))
        });
        let failure = client.failure();
        assert!(matches!(failure, Error::Sasl(_)), "{failure:?}");
        assert!(failure.to_string().contains(reason), "{failure}");
        assert!(!client.said.contains("<hash"));
    }
}

fn element(text: &str) -> Element {
    text.parse().unwrap()
}

/// A client and a server that demands a second factor.
fn second_factor(client: &[TaskAnswer], server: &[TaskAnswer]) -> Pair {
    let config = client_config().sasl2(Sasl2::new().task("TOTP-EXAMPLE"));
    let mut pair = Pair::new(config, server_config().sasl2(true).tasks(true));
    pair.client.tasks = VecDeque::from(client.to_vec());
    pair.server.tasks = VecDeque::from(server.to_vec());
    pair
}

fn demand() -> TaskAnswer {
    TaskAnswer::Demand {
        tasks: ["HOTP-EXAMPLE", "TOTP-EXAMPLE"].map(String::from).to_vec(),
        text: Some(String::from("This account requires 2FA")),
    }
}

fn begin() -> TaskAnswer {
    TaskAnswer::Begin {
        task: String::from("TOTP-EXAMPLE"),
        data: Some(element("<totp xmlns='urn:totp:example'>idea</totp>")),
    }
}

fn code(text: &str) -> TaskAnswer {
    TaskAnswer::Data(element(&format!(
        "<totp xmlns='urn:totp:example'>{text}</totp>"
    )))
}

#[test]
fn a_second_factor_is_a_task_between_the_applications() {
    let mut pair = second_factor(
        &[begin(), code("123456")],
        &[demand(), code("which?"), TaskAnswer::Done],
    );
    pair.run();
    assert!(pair.client.stream.is_established() && pair.server.stream.is_established());
    let (_, said) = pair.server.said.split_once("<continue ").unwrap();
    assert!(said.contains(
        "</additional-data><tasks><task>HOTP-EXAMPLE</task><task>TOTP-EXAMPLE</task></tasks>\
         <text>This account requires 2FA</text></continue>"
    ));
    assert!(pair.client.said.contains(&format!(
        "<next xmlns='{SASL2}' task='TOTP-EXAMPLE'><totp xmlns='urn:totp:example'>idea</totp></next>\
         <task-data xmlns='{SASL2}'><totp xmlns='urn:totp:example'>123456</totp></task-data>"
    )));
    let steps = |side: &Side| -> Vec<TaskStep> {
        let steps = side.events.iter().filter_map(|event| match event {
            Event::Task { account, step, .. } => {
                assert_eq!(*account, jid("juliet@example.com"));
                Some(step.clone())
            }
            _ => None,
        });
        steps.collect()
    };
    let totp = |text: &str| {
        vec![element(&format!(
            "<totp xmlns='urn:totp:example'>{text}</totp>"
        ))]
    };
    let TaskAnswer::Demand { tasks, text } = demand() else {
        unreachable!();
    };
    assert_eq!(
        steps(&pair.client),
        [
            TaskStep::Demanded { tasks, text },
            TaskStep::Data(totp("which?"))
        ]
    );
    let begun = TaskStep::Begun {
        task: String::from("TOTP-EXAMPLE"),
        data: totp("idea"),
    };
    let all = [
        TaskStep::Authenticated,
        begun,
        TaskStep::Data(totp("123456")),
    ];
    assert_eq!(steps(&pair.server), all);
    assert!(!format!("{:?} {:?}", pair.server.events, code("123456")).contains("123456"));
    // However the bytes come.
    for chunk in [1, 7] {
        let mut again = second_factor(
            &[begin(), code("123456")],
            &[demand(), code("which?"), TaskAnswer::Done],
        );
        again.chunk = chunk;
        again.run();
        assert_eq!(again.server.said, pair.server.said);
    }
}

#[test]
fn nobody_is_in_before_the_last_task_is_done() {
    // The first one is not the last, and a wrong code is the end.
    let refused = TaskAnswer::Refused(Condition::NotAuthorized);
    let mut pair = second_factor(
        &[begin(), begin(), code("wrong")],
        &[demand(), demand(), code("which?"), refused],
    );
    pair.run();
    let Error::Authentication(refusal) = pair.client.failure() else {
        panic!("{:?}", pair.client.failure());
    };
    assert_eq!(refusal.condition, Condition::NotAuthorized);
    for side in [&pair.client, &pair.server] {
        assert!(!is_authenticated(side));
    }
    assert_eq!(pair.server.said.matches("<continue ").count(), 2);
    assert_eq!(pair.server.said.matches("<additional-data>").count(), 1);
    // So it is when the client gives up.
    let mut pair = second_factor(&[TaskAnswer::Refused(Condition::Aborted)], &[demand()]);
    pair.run();
    assert!(
        pair.client
            .said
            .contains(&format!("<abort xmlns='{SASL2}'/>"))
    );
    assert!(pair.server.said.contains("<aborted"));
    assert!(!is_authenticated(&pair.server));
    // Or when nothing is ever answered.
    let mut pair = second_factor(&[], &[demand()]);
    pair.run();
    assert!(pair.client.stream.is_waiting());
    pair.client.wait(Duration::from_secs(61));
    assert_eq!(
        *pair.client.failure(),
        Error::Unanswered(State::Authenticating)
    );
    pair.server.wait(Duration::from_secs(61));
    assert!(matches!(pair.server.failure(), Error::Timeout(_)));
    assert!(!is_authenticated(&pair.server));
}

#[test]
fn each_side_answers_for_itself() {
    let mut pair = second_factor(&[], &[]);
    pair.run();
    let Some(Event::Task { ticket, .. }) = pair.server.events.last() else {
        panic!("{:?}", pair.server.events);
    };
    let (ticket, now) = (*ticket, pair.server.now);
    let server = &mut pair.server.stream;
    let nothing = TaskAnswer::Demand {
        tasks: Vec::new(),
        text: None,
    };
    for wrong in [begin(), nothing] {
        assert_eq!(
            server.handle_task(ticket, wrong, now),
            Err(Misuse::WrongAnswer)
        );
    }
    assert_eq!(
        server.handle_upgrade(ticket, true, now),
        Err(Misuse::UnknownTicket)
    );
    assert_eq!(server.handle_task(ticket, demand(), now), Ok(()));
    assert_eq!(
        server.handle_task(ticket, demand(), now),
        Err(Misuse::UnknownTicket)
    );
    pair.run();
    let Some(Event::Task { ticket, .. }) = pair.client.events.last() else {
        panic!("{:?}", pair.client.events);
    };
    let answer = pair
        .client
        .stream
        .handle_task(*ticket, TaskAnswer::Done, now);
    assert_eq!(answer, Err(Misuse::WrongAnswer));
    // Data of a task that has not begun is nobody's.
    let mut pair = second_factor(&[], &[code("which?")]);
    pair.run();
    assert!(pair.server.said.contains("<temporary-auth-failure"));
}

#[test]
fn who_comes_with_a_token_is_asked_for_no_more() {
    let agent = UserAgent::with_id("d4565fa7-4d72-4749-b3d3-740edbf87770").unwrap();
    let sasl2 = Sasl2::new()
        .user_agent(agent)
        .request_token(true)
        .task("TOTP-EXAMPLE");
    let config = client_config().sasl2(sasl2);
    let sasl = ServerConfig::new([9; 32])
        .mechanisms([Mechanism::ScramSha256Plus, Mechanism::HtSha256Exporter]);
    let server = ReceiverConfig::new(jid("example.com"), sasl)
        .sasl2(true)
        .tasks(true)
        .fast(FastConfig::new());
    let mut first = Pair::new(config.clone(), server.clone());
    first.client.tasks = VecDeque::from([begin()]);
    first.server.tasks = VecDeque::from([demand(), TaskAnswer::Done]);
    first.run();
    // It comes after the task, with success.
    let said = &first.server.said;
    assert!(said.find("<token ") > said.find("<success "), "{said}");
    let mut token = first.client.events.iter().find_map(|event| match event {
        Event::Token { token } => Some((**token).clone()),
        _ => None,
    });
    let mut second = Pair::new(config, server);
    second.server.tokens = first.server.tokens.clone();
    let used = second
        .client
        .stream
        .use_token(token.as_mut().unwrap(), TokenUse::Login);
    assert_eq!(used, Ok(()));
    second.run();
    assert!(second.client.stream.is_established());
    assert!(!second.server.said.contains("<continue"));
}

#[test]
fn a_login_with_tasks_that_is_cut_at_any_byte_lets_nobody_in_too_early() {
    let answers = [demand(), code("which?"), TaskAnswer::Done];
    let mut whole = second_factor(&[begin(), code("123456")], &answers);
    whole.run();
    for cut in whole.carried - 2200..whole.carried {
        let mut pair = second_factor(&[begin(), code("123456")], &answers);
        pair.cut = Some(cut);
        pair.run();
        let is_done = pair.server.tasks.is_empty();
        assert_eq!(is_authenticated(&pair.server), is_done, "{cut}");
        assert!(!is_authenticated(&pair.client) || is_done, "{cut}");
        assert!(pair.client.is_over() && pair.server.is_over(), "{cut}");
    }
}

#[test]
fn a_client_does_nothing_that_it_was_not_told_to() {
    let features = format!(
        "<authentication xmlns='{SASL2}'><mechanism>PLAIN</mechanism>\
         <upgrade xmlns='{UPGRADE}'>UPGR-SCRAM-SHA-256</upgrade></authentication>"
    );
    let config = client().policy(crate::support::plain_policy());
    let mut client = Side::client(config.encryption(Encryption::Direct));
    client
        .stream
        .handle_tls(TlsInfo::new(), client.now)
        .unwrap();
    client.drain();
    client.hear(RESPONSE);
    client.hear(&format!("<stream:features>{features}</stream:features>"));
    assert!(
        !client.said.contains("<upgrade"),
        "PLAIN shows the password itself"
    );
    client.hear(&format!(
        "<continue xmlns='{SASL2}'><tasks><task>UPGR-SCRAM-SHA-256</task></tasks></continue>"
    ));
    let tasks = vec![String::from("UPGR-SCRAM-SHA-256")];
    assert_eq!(*client.failure(), Error::UnknownTasks(tasks));
    assert!(!client.said.contains("<next"));
}

#[test]
fn there_is_no_way_around_a_task() {
    let mut server = Side::secured_server(bearer_server().sasl2(true).tasks(true));
    assert!(server.said.contains("<authentication ") && !server.said.contains("<mechanisms "));
    let initial = wire::encode(format!("n,,\x01auth=Bearer {PASSWORD}\x01\x01").as_bytes());
    server.hear(&format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='OAUTHBEARER'>{initial}</auth>"
    ));
    assert_eq!(server.violation(), StreamCondition::UnsupportedStanzaType);
    assert!(!is_authenticated(&server));
    // Not even where a server forgets to offer the other.
    let server = Side::secured_server(bearer_server().tasks(true));
    assert!(!server.said.contains("OAUTHBEARER"), "{}", server.said);
}
