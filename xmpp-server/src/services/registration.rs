//! What the owner of an account may do with it (XEP-0077): change its password, and give it up.

use std::sync::Arc;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::stanza::{IqBuilder, IqType};
use xmpp_xml::{ElementRef, ToXml, Writer};

use super::{
    Answer, How, Inquiry, Later, Order, Reply, Service, bad_request, payload, store_error,
};
use crate::accounts::{self, AccountError};
use crate::outbox::Turn;
use crate::registry::Handle;
use crate::router::output::push;
use crate::router::{Router, Rules};
use crate::storage::Batch;

const REGISTER: &str = "jabber:iq:register";

pub(super) const SERVICES: &[Service] = &[
    Service::new(REGISTER, "query", IqType::Get, How::Now(tell))
        .at_server()
        .at_own_account()
        .only_if(is_on),
    Service::new(REGISTER, "query", IqType::Set, How::Later(change))
        .at_server()
        .at_own_account()
        .only_if(is_on),
];

fn is_on(rules: &Rules) -> bool {
    rules.account_changes
}

/// Who asks has an account already (XEP-0077 §3.1).
fn tell(inquiry: &Inquiry<'_>) -> Answer {
    payload(Registered {
        user: inquiry.handle.jid.local().unwrap_or_default().to_owned(),
    })
}

struct Registered {
    user: String,
}

impl ToXml for Registered {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer
            .start("query", REGISTER)
            .empty("registered", REGISTER);
        writer
            .start("username", REGISTER)
            .text(&self.user)
            .end()
            .empty("password", REGISTER)
            .end();
    }
}

/// What is wanted.
enum Wish<'q> {
    Remove,
    Password(std::borrow::Cow<'q, str>),
}

impl<'q> Wish<'q> {
    fn read(query: ElementRef<'q>, user: &str) -> Result<Self, StanzaError> {
        if query.child("remove", REGISTER).is_some() {
            // Nothing else may stand beside it (XEP-0077 §3.2).
            return match query.children().count() {
                1 => Ok(Self::Remove),
                _ => Err(bad_request("remove stands alone")),
            };
        }
        let text = |name: &str| query.child(name, REGISTER).map(ElementRef::text);
        let password = text("password").filter(|password| !password.is_empty());
        match (text("username"), password) {
            (Some(name), Some(password)) if name == user => Ok(Self::Password(password)),
            // A second account for somebody who has one is not given (§3.1).
            (Some(name), Some(_)) if !name.is_empty() => {
                Err(StanzaError::new(StanzaCondition::NotAllowed))
            }
            _ => Err(bad_request("a name and a password are needed")),
        }
    }
}

fn change<'r>(router: &'r Router, handle: &'r Arc<Handle>, order: &'r Order) -> Later<'r> {
    Box::pin(async move {
        let user = handle.jid.local().unwrap_or_default();
        let password = match Wish::read(order.payload()?, user)? {
            Wish::Remove => None,
            Wish::Password(password) => Some(accounts::Password::new(&password)),
        };
        let account = handle.bare.as_str();
        // One at a time: deriving keys takes a while, and it is for the attacker to spend his own.
        let _guards = router.lock([account, account]).await;
        let Some(password) = password else {
            let removed = router.commit(Batch::new().remove_account(account)).await;
            removed.map_err(|error| store_error(&error))?;
            let mut turn = Turn::new();
            let result = order.element.root().attribute("id").unwrap_or_default();
            push(handle, &mut turn, |writer| {
                IqBuilder::result(&result).to(&handle.jid).to_xml(writer);
            });
            router.end_sessions(&handle.bare, &mut turn);
            return Ok(Reply::Sent);
        };
        let derived = accounts::derive(handle.bare.clone(), password, router.rules.iterations);
        let account = derived.await.map_err(|error| refusal(&error))?;
        let committed = router.commit(Batch::new().replace_account(account)).await;
        committed.map_err(|error| store_error(&error))?;
        Ok(Reply::Empty)
    })
}

/// What somebody is told whose account could not be made or changed.
pub(super) fn refusal(error: &AccountError) -> StanzaError {
    match error {
        AccountError::Address(_) | AccountError::Password(_) => {
            StanzaError::new(StanzaCondition::NotAcceptable).with_text(error.to_string())
        }
        AccountError::Store(crate::storage::StoreError::AccountExists(_)) => {
            StanzaError::new(StanzaCondition::Conflict)
        }
        AccountError::Store(crate::storage::StoreError::NoSuchAccount(_)) => {
            StanzaError::new(StanzaCondition::ItemNotFound)
        }
        AccountError::Store(error) => store_error(error),
        AccountError::NoRandomness => StanzaError::new(StanzaCondition::InternalServerError),
    }
}
