//! What owners do with their accounts (XEP-0077), and administrators with all of them (XEP-0133).

use std::sync::Arc;

use xmpp_server::storage::Memory;
use xmpp_xml::Element;

use crate::support::{
    Client, ITERATIONS, Running, attribute, condition, config, kinds, server, server_with,
};

const COMMANDS: &str = "http://jabber.org/protocol/commands";
const ADMIN: &str = "http://jabber.org/protocol/admin";

fn register(content: &str) -> String {
    format!("<query xmlns='jabber:iq:register'>{content}</query>")
}

#[tokio::test]
async fn an_owner_changes_the_password() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.client("juliet/balcony").await;
    let answer = juliet
        .ask("get", Some("example.com"), &register(""))
        .await
        .to_string();
    assert!(
        answer.contains("<registered/>") && answer.contains("<username>juliet</username>"),
        "{answer}"
    );
    let change = |user: &str, password: &str| {
        register(&format!(
            "<username>{user}</username><password>{password}</password>"
        ))
    };
    for (wish, expected) in [
        (change("juliet", ""), "bad-request"),
        (change("", "new"), "bad-request"),
        (register("<password>new</password>"), "bad-request"),
        (change("romeo", "new"), "not-allowed"),
        (
            change("juliet", "\u{7}\u{2028}".trim_start_matches('\u{7}')),
            "not-acceptable",
        ),
    ] {
        let answer = juliet.ask("set", Some("example.com"), &wish).await;
        assert_eq!(condition(&answer), expected, "{wish}");
    }
    let answer = juliet
        .ask("set", Some("example.com"), &change("juliet", "secret"))
        .await;
    assert_eq!(attribute(&answer, "type").as_deref(), Some("result"));
    assert!(!answer.to_string().contains("secret"));
    assert!(Client::login(server.address, "juliet/x").await.is_err());
    assert!(
        Client::login_as(server.address, "juliet/x", "secret")
            .await
            .is_ok()
    );
    assert!(Client::login(server.address, "romeo/x").await.is_ok());
}

#[tokio::test]
async fn an_owner_gives_the_account_up() {
    let server = server(&["juliet"]).await;
    let mut juliet = server.client("juliet/balcony").await;
    let mut chamber = server.client("juliet/chamber").await;
    let wish = register("<remove/><username>juliet</username>");
    assert_eq!(
        condition(&juliet.ask("set", None, &wish).await),
        "bad-request"
    );
    let answer = juliet.ask("set", None, &register("<remove/>")).await;
    assert_eq!(attribute(&answer, "type").as_deref(), Some("result"));
    assert_eq!(juliet.ended().await.as_deref(), Some("not-authorized"));
    assert_eq!(chamber.ended().await.as_deref(), Some("not-authorized"));
    assert!(Client::login(server.address, "juliet/x").await.is_err());
    assert!(!server.server.accounts().exists("juliet").await.unwrap());
}

#[tokio::test]
async fn a_server_may_keep_accounts_to_itself() {
    let config = config().account_changes(false);
    let server = server_with(config, Arc::new(Memory::new()), &["juliet"]).await;
    let mut juliet = server.client("juliet/balcony").await;
    for kind in ["get", "set"] {
        let answer = juliet
            .ask(kind, Some("example.com"), &register("<remove/>"))
            .await;
        assert_eq!(condition(&answer), "service-unavailable");
    }
}

async fn administered() -> (Running, Client) {
    let config = config()
        .administrator(&"admin@example.com".parse().unwrap())
        .iterations(ITERATIONS);
    let users = ["admin", "juliet", "romeo"];
    let server = server_with(config, Arc::new(Memory::new()), &users).await;
    let admin = server.available("admin/desk").await;
    (server, admin)
}

/// Asks for a command, fills in its form if there is one, and gives the last answer.
async fn execute(admin: &mut Client, command: &str, fields: &[(&str, &str)]) -> Element {
    let node = format!("{ADMIN}#{command}");
    let ask = format!("<command xmlns='{COMMANDS}' node='{node}' action='execute'/>");
    let answer = admin.ask("set", Some("example.com"), &ask).await;
    if attribute(&answer, "type").as_deref() == Some("error") {
        return answer;
    }
    let session = answer.root().child("command", COMMANDS).unwrap();
    if session.attribute("status").as_deref() == Some("completed") {
        return answer;
    }
    assert!(session.child("x", "jabber:x:data").is_some(), "{answer}");
    let id = session.attribute("sessionid").unwrap();
    let fields: String = fields
        .iter()
        .map(|(var, value)| format!("<field var='{var}'><value>{value}</value></field>"))
        .collect();
    let form = format!(
        "<command xmlns='{COMMANDS}' node='{node}' sessionid='{id}'><x xmlns='jabber:x:data' type='submit'>\
         <field var='FORM_TYPE'><value>{ADMIN}</value></field>{fields}</x></command>"
    );
    admin.ask("set", Some("example.com"), &form).await
}

fn is_completed(answer: &Element) -> bool {
    let command = answer.root().child("command", COMMANDS);
    command.is_some_and(|command| command.attribute("status").as_deref() == Some("completed"))
}

#[tokio::test]
async fn an_administrator_adds_changes_and_deletes_accounts() {
    let (server, mut admin) = administered().await;
    let fields = [
        ("accountjid", "nurse@example.com"),
        ("password", "secret"),
        ("password-verify", "secret"),
    ];
    let answer = execute(&mut admin, "add-user", &fields).await;
    assert!(is_completed(&answer), "{answer}");
    let mut nurse = Client::login_as(server.address, "nurse/room", "secret")
        .await
        .unwrap();
    let answer = execute(&mut admin, "add-user", &fields).await;
    assert_eq!(condition(&answer), "conflict");
    let differs = [fields[0], fields[1], ("password-verify", "other")];
    let answer = execute(&mut admin, "add-user", &differs).await;
    assert_eq!(condition(&answer), "bad-request");
    let foreign = [("accountjid", "nurse@example.org"), fields[1], fields[2]];
    let answer = execute(&mut admin, "add-user", &foreign).await;
    assert_eq!(condition(&answer), "bad-request");

    let fields = [("accountjid", "nurse@example.com"), ("password", "other")];
    let answer = execute(&mut admin, "change-user-password", &fields).await;
    assert!(is_completed(&answer), "{answer}");
    assert!(
        Client::login_as(server.address, "nurse/x", "other")
            .await
            .is_ok()
    );
    let nobody = [("accountjid", "nobody@example.com"), ("password", "other")];
    let answer = execute(&mut admin, "change-user-password", &nobody).await;
    assert_eq!(condition(&answer), "item-not-found");

    let answer = execute(
        &mut admin,
        "end-user-session",
        &[("accountjids", "nurse@example.com")],
    )
    .await;
    assert!(is_completed(&answer), "{answer}");
    assert_eq!(nurse.ended().await.as_deref(), Some("not-authorized"));
    assert!(
        Client::login_as(server.address, "nurse/x", "other")
            .await
            .is_ok()
    );

    let answer = execute(
        &mut admin,
        "delete-user",
        &[("accountjids", "nurse@example.com")],
    )
    .await;
    assert!(is_completed(&answer), "{answer}");
    assert!(
        Client::login_as(server.address, "nurse/x", "other")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_administrator_sees_who_is_there_and_speaks_to_them() {
    let (server, mut admin) = administered().await;
    let mut juliet = server.available("juliet/balcony").await;
    let _hidden = server.client("romeo/orchard").await;
    let values = |answer: &Element| -> Vec<String> {
        let command = answer.root().child("command", COMMANDS).unwrap();
        let form: xmpp_core::form::Form<'_> =
            command.child("x", "jabber:x:data").unwrap().read().unwrap();
        let field = form.fields.last().unwrap();
        field.values.iter().map(|value| value.to_string()).collect()
    };
    let answer = execute(&mut admin, "get-registered-users-num", &[]).await;
    assert_eq!(values(&answer), ["3"]);
    let answer = execute(&mut admin, "get-online-users-num", &[]).await;
    assert_eq!(values(&answer), ["2"]);
    let answer = execute(
        &mut admin,
        "get-registered-users-list",
        &[("max_items", "2")],
    )
    .await;
    assert_eq!(values(&answer), ["admin@example.com", "juliet@example.com"]);
    let answer = execute(&mut admin, "get-online-users-list", &[]).await;
    assert_eq!(values(&answer), ["admin@example.com", "juliet@example.com"]);
    let answer = execute(&mut admin, "announce", &[("announcement", "Good night")]).await;
    assert!(is_completed(&answer), "{answer}");
    let got = juliet.sync().await;
    assert_eq!(kinds(&got), ["message:headline"]);
    assert_eq!(attribute(&got[0], "from").as_deref(), Some("example.com"));
    assert!(got[0].to_string().contains("Good night"));
}

#[tokio::test]
async fn commands_are_for_administrators_alone() {
    let (server, mut admin) = administered().await;
    let items =
        format!("<query xmlns='http://jabber.org/protocol/disco#items' node='{COMMANDS}'/>");
    let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let domain = Some("example.com");
    let answer = admin.ask("get", domain, &items).await.to_string();
    assert!(
        answer.contains(&format!("node='{ADMIN}#add-user'")),
        "{answer}"
    );
    let answer = admin.ask("get", domain, info).await.to_string();
    assert!(answer.contains(&format!("var='{COMMANDS}'")), "{answer}");
    for (node, kind) in [
        (COMMANDS.to_owned(), "command-list"),
        (format!("{ADMIN}#add-user"), "command-node"),
    ] {
        let ask = info.replace("/>", &format!(" node='{node}'/>"));
        let answer = admin.ask("get", domain, &ask).await.to_string();
        assert!(answer.contains(&format!("type='{kind}'")), "{answer}");
        assert!(answer.contains(&format!("node='{node}'")), "{answer}");
        assert_eq!(
            condition(&admin.ask("get", None, &ask).await),
            "item-not-found"
        );
    }
    let unknown = execute(&mut admin, "restart", &[]).await;
    assert_eq!(condition(&unknown), "item-not-found");

    let mut juliet = server.client("juliet/balcony").await;
    assert_eq!(
        condition(&juliet.ask("get", domain, &items).await),
        "item-not-found"
    );
    for command in [
        "add-user",
        "delete-user",
        "get-online-users-list",
        "restart",
    ] {
        let answer = execute(&mut juliet, command, &[]).await;
        assert_eq!(condition(&answer), "forbidden", "{command}");
    }

    let plain = crate::support::server(&["juliet"]).await;
    let mut juliet = plain.client("juliet/balcony").await;
    let answer = execute(&mut juliet, "add-user", &[]).await;
    assert_eq!(condition(&answer), "service-unavailable");
    let answer = juliet.ask("get", domain, info).await.to_string();
    assert!(!answer.contains(COMMANDS), "{answer}");
}
