//! Administration by ad-hoc commands (XEP-0133), for those whom the configuration names.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use xmpp_core::command::{
    Answer as CommandAnswer, CommandCondition, Event, Report, Responder, Stage,
};
use xmpp_core::disco::{info, items};
use xmpp_core::entropy::Entropy;
use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::form::{Field, FieldType, Form, FormType};
use xmpp_core::jid::Jid;
use xmpp_core::ns;
use xmpp_core::stanza::{IqType, MessageBuilder, MessageType, Stanza};
use xmpp_core::time::Instant;
use xmpp_xml::{Element, ToXml, Writer};

use super::registration::refusal;
use super::{How, Later, Order, Reply, Service, store_error};
use crate::accounts::{self, AccountError};
use crate::outbox::Turn;
use crate::registry::Handle;
use crate::router::output::{push, stamped};
use crate::router::{Router, Rules};
use crate::storage::Batch;

/// Of the forms (XEP-0133 §5).
const ADMIN: &str = "http://jabber.org/protocol/admin";

/// Entries of a list at most, where no other number is asked for.
const LIST: usize = 1_000;

pub(super) const SERVICES: &[Service] =
    &[
        Service::new(ns::COMMANDS, "command", IqType::Set, How::Later(execute))
            .at_server()
            .only_if(is_on),
    ];

fn is_on(rules: &Rules) -> bool {
    !rules.administrators.is_empty()
}

/// A command, its node behind `http://jabber.org/protocol/admin#`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Command {
    AddUser,
    DeleteUser,
    ChangePassword,
    EndSession,
    CountUsers,
    CountOnline,
    ListUsers,
    ListOnline,
    Announce,
}

impl Command {
    const ALL: [(Self, &'static str, &'static str); 9] = [
        (Self::AddUser, "add-user", "Add a user"),
        (Self::DeleteUser, "delete-user", "Delete users"),
        (
            Self::ChangePassword,
            "change-user-password",
            "Change a user's password",
        ),
        (Self::EndSession, "end-user-session", "End users' sessions"),
        (
            Self::CountUsers,
            "get-registered-users-num",
            "Number of users",
        ),
        (
            Self::CountOnline,
            "get-online-users-num",
            "Number of users online",
        ),
        (
            Self::ListUsers,
            "get-registered-users-list",
            "List of users",
        ),
        (
            Self::ListOnline,
            "get-online-users-list",
            "List of users online",
        ),
        (Self::Announce, "announce", "Send an announcement"),
    ];

    fn of_node(node: &str) -> Option<Self> {
        let name = node.strip_prefix(ADMIN)?.strip_prefix('#')?;
        let found = Self::ALL.into_iter().find(|(_, known, _)| *known == name);
        found.map(|(command, ..)| command)
    }

    /// What has to be filled in before it can be done.
    fn form(self) -> Option<Form<'static>> {
        let title = Self::ALL.into_iter().find(|(command, ..)| *command == self);
        let form = Form::new(title.map_or("", |(_, _, title)| title))
            .with_field(Field::hidden("FORM_TYPE", ADMIN));
        let account = || Field::new(FieldType::JidSingle, "accountjid").with_required();
        let accounts = || Field::new(FieldType::JidMulti, "accountjids").with_required();
        let password = |var: &'static str| Field::new(FieldType::TextPrivate, var).with_required();
        match self {
            Self::AddUser => Some(
                form.with_field(account())
                    .with_field(password("password"))
                    .with_field(password("password-verify")),
            ),
            Self::ChangePassword => {
                Some(form.with_field(account()).with_field(password("password")))
            }
            Self::DeleteUser | Self::EndSession => Some(form.with_field(accounts())),
            Self::Announce => {
                let text = Field::new(FieldType::TextMulti, "announcement");
                Some(form.with_field(text.with_required()))
            }
            Self::ListUsers | Self::ListOnline => {
                let number = Field::new(FieldType::TextSingle, "max_items");
                Some(form.with_field(number.with_label("At most")))
            }
            Self::CountUsers | Self::CountOnline => None,
        }
    }
}

/// The commands that are being executed.
#[derive(Debug)]
pub(crate) struct Commands(Mutex<Responder>);

impl Commands {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        let mut responder = Responder::new(Entropy::from_seed(seed));
        for (_, node, name) in Command::ALL {
            responder.offer(format!("{ADMIN}#{node}"), name);
        }
        Self(Mutex::new(responder))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Responder) -> T) -> T {
        // A responder that panicked would have its sessions in an unknown state; they expire.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the list of commands, or one of them, is, for those who may execute them (XEP-0050 §2.1 and §2.2).
pub(super) fn info(rules: &Rules, asker: &Handle, node: &str) -> Option<info::Query<'static>> {
    if !rules.administrators.contains(&asker.bare) {
        return None;
    }
    let kind = |kind| info::Identity::new("automation", kind);
    let feature = |var: &'static str| info::Feature { var: var.into() };
    let (identity, features) = if node == ns::COMMANDS {
        (kind("command-list"), vec![feature(ns::DISCO_ITEMS)])
    } else {
        let command = Command::of_node(node)?;
        let (.., name) = Command::ALL
            .into_iter()
            .find(|(known, ..)| *known == command)?;
        let features = vec![feature(ns::COMMANDS), feature(ns::DATA_FORMS)];
        (kind("command-node").with_name(name), features)
    };
    Some(info::Query {
        node: Some(node.to_owned().into()),
        identities: vec![identity],
        features,
        ..info::Query::new()
    })
}

/// The list of commands, for those who may execute them (XEP-0050 §2.1).
pub(super) fn items(rules: &Rules, asker: &Handle) -> Option<items::Query<'static>> {
    if !rules.administrators.contains(&asker.bare) {
        return None;
    }
    let item = |(_, node, name): (Command, &str, &'static str)| {
        items::Item::new(rules.domain.clone())
            .with_node(format!("{ADMIN}#{node}"))
            .with_name(name)
    };
    Some(items::Query {
        node: Some(ns::COMMANDS.into()),
        items: Command::ALL.into_iter().map(item).collect(),
        set: None,
    })
}

fn execute<'r>(router: &'r Router, handle: &'r Arc<Handle>, order: &'r Order) -> Later<'r> {
    Box::pin(async move {
        if !router.rules.administrators.contains(&handle.bare) {
            return Err(StanzaError::new(StanzaCondition::Forbidden));
        }
        let domain = router.rules.domain.as_str();
        let addresses = [("from", Some(handle.jid.as_str())), ("to", Some(domain))];
        let element = stamped(order.element.root(), &addresses)?;
        let now = || Instant::from_origin(router.uptime());
        let mut events = Vec::new();
        router.commands.with(|responder| {
            if let Ok(Stanza::Iq(iq)) = Stanza::parse(element.root()) {
                responder.handle_request(&iq, now());
            }
            events.extend(std::iter::from_fn(|| responder.poll_event()));
        });
        for event in events {
            let Event::Request {
                ticket, node, form, ..
            } = event
            else {
                continue;
            };
            let answer = match (Command::of_node(&node), form) {
                (None, _) => Err(StanzaError::new(StanzaCondition::ItemNotFound)),
                (Some(command), None) => match command.form() {
                    Some(form) => Ok(CommandAnswer::Stage(Stage::last(form))),
                    None => command.run(router, handle, &Form::default()).await,
                },
                (Some(command), Some(form)) => command.run(router, handle, &form).await,
            };
            let answer = answer.unwrap_or_else(CommandAnswer::Refused);
            // It is stale when the session has ended meanwhile; then the peer was told.
            let _ = router
                .commands
                .with(|responder| responder.respond(ticket, answer, now()));
        }
        send_replies(router);
        Ok(Reply::Sent)
    })
}

fn send_replies(router: &Router) {
    let mut turn = Turn::new();
    loop {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        let has_more = router
            .commands
            .with(|responder| responder.poll_transmit(&mut writer));
        if !has_more {
            return;
        }
        let is_written = writer.finish().is_ok();
        let text = String::from_utf8(bytes).unwrap_or_default();
        let Some(reply) = Element::parse(&text).ok().filter(|_| is_written) else {
            continue;
        };
        let to = reply.root().attribute("to");
        let to = to.and_then(|to| Jid::parse(&to).ok());
        let registry = router.read();
        if let Some(session) = to.and_then(|to| registry.session(to.as_ref())) {
            push(&session.handle, &mut turn, |writer| {
                writer.forward(reply.root(), &[]);
            });
        }
    }
}

impl Command {
    async fn run(
        self,
        router: &Router,
        handle: &Handle,
        form: &Form<'_>,
    ) -> Result<CommandAnswer, StanzaError> {
        match self {
            Self::AddUser | Self::ChangePassword => {
                let account = local(router, form.value("accountjid").unwrap_or_default())?;
                let password = form.value("password").unwrap_or_default();
                if self == Self::AddUser && form.value("password-verify") != Some(password) {
                    let error = StanzaError::from(CommandCondition::BadPayload);
                    return Err(error.with_text("the passwords differ"));
                }
                let password = accounts::Password::new(password);
                let derived = accounts::derive(account, password, router.rules.iterations);
                let account = derived.await.map_err(|error| refusal(&error))?;
                tracing::info!(by = %handle.bare, account = account.address, command = ?self, "administered");
                let batch = match self {
                    Self::AddUser => Batch::new().create_account(account),
                    _ => Batch::new().replace_account(account),
                };
                let committed = router.commit(batch).await;
                committed.map_err(|error| refusal(&AccountError::Store(error)))?;
                Ok(CommandAnswer::completed())
            }
            Self::DeleteUser | Self::EndSession => {
                let accounts: Result<BTreeSet<_>, _> = form
                    .values("accountjids")
                    .map(|account| local(router, account))
                    .collect();
                for account in accounts? {
                    tracing::info!(by = %handle.bare, %account, command = ?self, "administered");
                    if self == Self::DeleteUser {
                        let removed = router.remove_account(&account).await;
                        removed.map_err(|error| store_error(&error))?;
                    } else {
                        router.end_sessions(&account, &mut Turn::new());
                    }
                }
                Ok(CommandAnswer::completed())
            }
            Self::CountUsers => {
                let count =
                    router.load((), |store, ()| Ok(store.accounts(None, usize::MAX)?.len()));
                let count = count.await.map_err(|error| store_error(&error))?;
                Ok(report("registeredusersnum", [count.to_string()]))
            }
            Self::CountOnline => {
                let count = online(router, usize::MAX).len();
                Ok(report("onlineusersnum", [count.to_string()]))
            }
            Self::ListUsers => {
                let limit = limit(form);
                let list = router.load((), move |store, ()| store.accounts(None, limit));
                let list = list.await.map_err(|error| store_error(&error))?;
                Ok(report("registereduserjids", list))
            }
            Self::ListOnline => Ok(report("onlineuserjids", online(router, limit(form)))),
            Self::Announce => {
                let lines: Vec<_> = form.values("announcement").collect();
                announce(router, &lines.join("\n"));
                Ok(CommandAnswer::completed())
            }
        }
    }
}

/// An address that may be that of an account here.
fn local(router: &Router, address: &str) -> Result<Jid, StanzaError> {
    let jid = Jid::parse(address).map_err(|error| {
        StanzaError::new(StanzaCondition::JidMalformed).with_text(error.to_string())
    })?;
    let is_local = jid.domain() == router.rules.domain.domain();
    if is_local && jid.local().is_some() && jid.is_bare() {
        return Ok(jid);
    }
    let error = StanzaError::from(CommandCondition::BadPayload);
    Err(error.with_text("the account is not one of this server"))
}

fn limit(form: &Form<'_>) -> usize {
    let asked = form
        .value("max_items")
        .and_then(|number| number.parse().ok());
    asked.map_or(LIST, |asked: usize| asked.min(LIST))
}

/// The accounts of which a resource is available, in their order.
fn online(router: &Router, limit: usize) -> BTreeSet<String> {
    let registry = router.read();
    let available = registry
        .sessions()
        .filter(|session| session.presence.is_some());
    let accounts: BTreeSet<_> = available
        .map(|session| session.handle.bare.as_str().to_owned())
        .collect();
    accounts.into_iter().take(limit).collect()
}

/// To everybody who is there.
fn announce(router: &Router, text: &str) {
    let mut turn = Turn::new();
    for session in router.read().sessions() {
        if session.presence.is_some() {
            push(&session.handle, &mut turn, |writer| {
                MessageBuilder::new(MessageType::Headline)
                    .from(&router.rules.domain)
                    .to(&session.handle.jid)
                    .body(text)
                    .to_xml(writer);
            });
        }
    }
}

fn report(var: &'static str, values: impl IntoIterator<Item = String>) -> CommandAnswer {
    let field = Field::new(FieldType::TextMulti, var);
    let field = values.into_iter().fold(field, Field::with_value);
    let form = Form::of(FormType::Result)
        .with_field(Field::hidden("FORM_TYPE", ADMIN))
        .with_field(field);
    CommandAnswer::Completed(Report::default().with_form(form))
}
