//! SASL (RFC 6120 §6).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use xmpp_sasl::{
    Channel, Client, Condition, Failure, Mechanism, MessageError, Nonce, Server, Step,
    StoredCredentials, wire,
};
use xmpp_xml::{ElementRef, Writer};

use super::component::Login;
use super::error::{Error, FeatureKind, SaslFailure};
use super::event::{CredentialsAnswer, Event, Ticket};
use super::negotiation::{
    Answer, Config, Context, Facts, Feature, Progress, Shared, Terms, violation,
};
use crate::entropy::Entropy;
use crate::error::StreamCondition;
use crate::jid::Jid;
use crate::ns;

const ELEMENT: (&str, &str) = ("mechanisms", ns::SASL);

pub(super) struct SaslInitiator {
    necessary: Facts,
    offered: Vec<String>,
    client: Option<Client>,
}

impl SaslInitiator {
    pub(super) fn new(needs_tls: bool) -> Self {
        Self {
            necessary: necessary(needs_tls),
            offered: Vec::new(),
            client: None,
        }
    }

    /// The server's message is not acceptable: say so, then leave.
    fn abort(context: &mut Context<'_>, error: xmpp_sasl::Error) -> Result<Progress, Error> {
        context.write(|writer| {
            writer.empty("abort", ns::SASL);
        })?;
        Err(Error::Sasl(error))
    }
}

impl Feature for SaslInitiator {
    fn terms(&self) -> Terms {
        Terms::new(FeatureKind::Sasl, ELEMENT)
            .after(self.necessary)
            .until(Facts::AUTHENTICATED)
    }

    fn parse(&mut self, offer: ElementRef<'_>) -> bool {
        let mechanisms = offer
            .children()
            .filter(|child| child.is("mechanism", ns::SASL));
        self.offered = mechanisms
            .map(|mechanism| mechanism.text().into_owned())
            .collect();
        true
    }

    fn begin(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        let Some(mut client) = select(&mut self.offered, context.shared)? else {
            return Ok(Progress::Open);
        };
        let mechanism = client.mechanism();
        let response = client.initial_response();
        context.write(|writer| {
            writer
                .start("auth", ns::SASL)
                .attribute("mechanism", mechanism.name());
            writer
                .text(&wire::encode_optional(response.as_deref()))
                .end();
        })?;
        self.client = Some(client);
        Ok(Progress::Wait)
    }

    fn handle(
        &mut self,
        element: ElementRef<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        let Some(client) = &mut self.client else {
            return Ok(Progress::Open);
        };
        let name = if element.namespace() == ns::SASL {
            element.name()
        } else {
            ""
        };
        match name {
            "challenge" | "success" => {
                let Ok(data) = wire::decode_optional(&element.text()) else {
                    let error = MessageError::Base64("message").into();
                    return Self::abort(context, error);
                };
                if name == "challenge" {
                    return match client.handle_challenge(&data.unwrap_or_default()) {
                        Ok(response) => {
                            let response = wire::encode(&response);
                            context.write(|writer| message(writer, "response", &response))?;
                            Ok(Progress::Wait)
                        }
                        Err(error) => Self::abort(context, error),
                    };
                }
                client
                    .handle_success(data.as_deref())
                    .map_err(Error::Sasl)?;
                let (mechanism, keys) = (client.mechanism(), client.keys().cloned());
                self.client = None;
                let shared = &mut *context.shared;
                if let Config::Initiator(config) = &shared.config {
                    let account = config.jid.bare();
                    shared.account = Some(account.clone());
                    let event = Event::Authenticated {
                        account,
                        mechanism,
                        keys,
                        user_agent: None,
                    };
                    context.events.push_back(event);
                }
                shared.facts = shared.facts.with(Facts::AUTHENTICATED);
                Ok(Progress::Restart)
            }
            "failure" => Err(refusal(element)),
            _ => Err(violation(
                StreamCondition::BadFormat,
                "not an answer to authentication",
            )),
        }
    }
}

/// The channel as the receiver's features describe it: they tell the types of binding where they offer the second
/// profile.
pub(super) fn described(shared: &Shared) -> Channel {
    let channel = shared.channel.clone();
    match (&shared.config, shared.config.sasl()) {
        (Config::Receiver(config), Some(sasl)) if config.sasl2 => {
            let kinds = sasl.binding_kinds(&channel);
            if kinds.is_empty() {
                return channel;
            }
            channel.announced(kinds.iter().map(|kind| kind.name()))
        }
        _ => channel,
    }
}

/// The strongest mechanism that both sides have.
pub(super) fn select(
    offered: &mut Vec<String>,
    shared: &mut Shared,
) -> Result<Option<Client>, Error> {
    let Shared {
        config: Config::Initiator(config),
        entropy,
        channel,
        offers,
        ..
    } = shared
    else {
        return Ok(None);
    };
    let Login::Account(credentials) = &config.login else {
        return Ok(None);
    };
    let mut channel = channel.clone();
    if let Some(kinds) = &offers.binding_kinds {
        channel = channel.announced(kinds.iter().map(String::as_str));
    }
    let names = offered.iter().map(String::as_str);
    let nonce = nonce(entropy);
    let selected = Client::select(names, credentials, &channel, &config.policy, nonce);
    selected.map(Some).map_err(|error| match error {
        xmpp_sasl::Error::NoCommonMechanism
        | xmpp_sasl::Error::PlainNotAllowed
        | xmpp_sasl::Error::PlainNeedsEncryption => Error::NoCommonMechanism {
            reason: error,
            offered: core::mem::take(offered),
        },
        error => Error::Sasl(error),
    })
}

/// What the server says in `<failure/>`, of either profile.
pub(super) fn refusal(failure: ElementRef<'_>) -> Error {
    let is_text = |child: &ElementRef<'_>| child.name() == "text";
    let mut children = failure
        .children()
        .filter(|child| child.namespace() == ns::SASL);
    let condition = children.find(|child| !is_text(child));
    let condition = condition.and_then(|condition| condition.name().parse().ok());
    let text = failure
        .children()
        .find(|child| is_text(child) && matches!(child.namespace(), ns::SASL | ns::SASL2));
    let text = text.map(|text| text.text().into_owned());
    let condition = condition.unwrap_or(Condition::NotAuthorized);
    Error::Authentication(SaslFailure::new(condition, text))
}

/// The receiver's side of an exchange, whatever elements carry it.
#[derive(Default)]
pub(super) struct Exchange {
    server: Option<Server>,
    account: Option<Jid>,
}

/// Who is due in an exchange.
pub(super) enum Turn {
    /// The application, which looks up credentials.
    Application(Ticket),
    /// The peer, with this challenge.
    Peer(Vec<u8>),
    /// Nobody: that account is who it says. With the last data of the mechanism.
    Success {
        account: Jid,
        mechanism: Mechanism,
        data: Option<Vec<u8>>,
    },
    /// Nobody: it failed.
    Failure(Condition),
}

impl Exchange {
    /// Begins anew, which ends what was under way (RFC 6120 §6.4.2).
    pub(super) fn begin(
        &mut self,
        mechanism: &str,
        data: Option<&[u8]>,
        shared: &mut Shared,
    ) -> Result<Step, Failure> {
        self.clear();
        let channel = described(shared);
        let Some(sasl) = shared.config.sasl() else {
            return Err(Failure::OutOfOrder);
        };
        let nonce = nonce(&mut shared.entropy);
        let mut server = Server::start(sasl, mechanism, &channel, nonce)?;
        let step = server.handle_initial(data)?;
        self.server = Some(server);
        Ok(step)
    }

    pub(super) fn respond(&mut self, data: &[u8]) -> Result<Step, Failure> {
        let server = self.server.as_mut().ok_or(Failure::OutOfOrder)?;
        server.handle_response(data)
    }

    pub(super) fn abort(&mut self) -> Failure {
        let server = self.server.take();
        server.map_or(Failure::Aborted, |mut server| server.handle_abort())
    }

    pub(super) fn look_up(&mut self, found: Option<&StoredCredentials>) -> Result<Step, Failure> {
        let server = self.server.as_mut().ok_or(Failure::OutOfOrder)?;
        server.handle_lookup(found)
    }

    pub(super) fn is_running(&self) -> bool {
        self.server.is_some()
    }

    pub(super) fn clear(&mut self) {
        (self.server, self.account) = (None, None);
    }

    /// Does what the mechanism asks for, until somebody else is due.
    pub(super) fn follow(
        &mut self,
        mut step: Result<Step, Failure>,
        context: &mut Context<'_>,
    ) -> Turn {
        loop {
            step = match step {
                Ok(Step::Lookup { user, hash }) => {
                    let host = context.shared.host.as_ref().map_or("", Jid::domain);
                    let account = Jid::from_parts(Some(&user), host, None);
                    let (Ok(account), Some(server)) = (account, &self.server) else {
                        // Nobody has that name; the exchange goes on like any other.
                        step = self.look_up(None);
                        continue;
                    };
                    self.account = Some(account.clone());
                    let (ticket, mechanism) = (context.shared.ticket(), server.mechanism());
                    let event = Event::Lookup {
                        ticket,
                        account,
                        mechanism,
                        hash,
                    };
                    context.events.push_back(event);
                    return Turn::Application(ticket);
                }
                Ok(Step::Challenge(challenge)) => return Turn::Peer(challenge),
                Ok(Step::Authorize { authorization, .. }) => {
                    let permitted = Jid::parse(&authorization).ok() == self.account;
                    let server = self.server.as_mut().ok_or(Failure::OutOfOrder);
                    server.and_then(|server| server.handle_authorization(permitted))
                }
                Ok(Step::Success { data, .. }) => {
                    let (Some(server), Some(account)) = (self.server.take(), self.account.take())
                    else {
                        return Turn::Failure(Condition::TemporaryAuthFailure);
                    };
                    let mechanism = server.mechanism();
                    return Turn::Success {
                        account,
                        mechanism,
                        data,
                    };
                }
                Ok(_) => Err(Failure::OutOfOrder),
                Err(failure) => return Turn::Failure(failure.condition()),
            }
        }
    }
}

/// Whether the header of the stream says who authenticated, if it says anything. Under TLS nobody else has written
/// it (RFC 6120 §6.4.6).
pub(super) fn is_who_it_claims(account: &Jid, shared: &Shared) -> bool {
    let is_secure = shared.facts.contains(Facts::SECURE);
    let claimed = shared.from.as_ref().filter(|_| is_secure);
    claimed.is_none_or(|claimed| claimed.to_bare_ref() == *account)
}

/// Who has authenticated does not do so again.
pub(super) fn once(shared: &Shared) -> Result<(), Error> {
    if shared.facts.contains(Facts::AUTHENTICATED) {
        let text = "authenticated already";
        return Err(violation(StreamCondition::PolicyViolation, text));
    }
    Ok(())
}

/// Authentication has failed; too often ends the stream.
pub(super) fn count_failure(shared: &mut Shared) -> Result<Progress, Error> {
    shared.failures = shared.failures.saturating_add(1);
    let attempts = match &shared.config {
        Config::Receiver(config) => config.authentication_attempts,
        Config::Initiator(_) => 0,
    };
    if shared.failures >= attempts {
        let text = "too many attempts to authenticate";
        return Err(violation(StreamCondition::PolicyViolation, text));
    }
    Ok(Progress::Open)
}

pub(super) struct SaslReceiver {
    necessary: Facts,
    exchange: Exchange,
}

impl SaslReceiver {
    pub(super) fn new(needs_tls: bool) -> Self {
        Self {
            necessary: necessary(needs_tls),
            exchange: Exchange::default(),
        }
    }

    /// The peer began, went on or gave up.
    fn advance(&mut self, element: ElementRef<'_>, shared: &mut Shared) -> Result<Step, Failure> {
        if element.name() == "abort" {
            return Err(self.exchange.abort());
        }
        let data = wire::decode_optional(&element.text());
        if element.name() == "response" {
            if !self.exchange.is_running() {
                return Err(Failure::OutOfOrder);
            }
            return self.exchange.respond(&data?.unwrap_or_default());
        }
        let mechanism = element.attribute("mechanism").unwrap_or(Cow::Borrowed(""));
        self.exchange.begin(&mechanism, data?.as_deref(), shared)
    }

    fn follow(
        &mut self,
        step: Result<Step, Failure>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        let (account, mechanism, data) = match self.exchange.follow(step, context) {
            Turn::Application(ticket) => return Ok(Progress::Answer(ticket)),
            Turn::Peer(challenge) => {
                let challenge = wire::encode(&challenge);
                context.write(|writer| message(writer, "challenge", &challenge))?;
                return Ok(Progress::Wait);
            }
            Turn::Failure(condition) => return self.fail(condition, context),
            Turn::Success {
                account,
                mechanism,
                data,
            } => (account, mechanism, data),
        };
        let shared = &mut *context.shared;
        if !is_who_it_claims(&account, shared) {
            let text = "the stream's from is not who authenticated";
            return Err(violation(StreamCondition::InvalidFrom, text));
        }
        shared.account = Some(account.clone());
        shared.facts = shared.facts.with(Facts::AUTHENTICATED);
        context.write(|writer| {
            writer
                .start("success", ns::SASL)
                .text(&wire::encode_optional(data.as_deref()))
                .end();
        })?;
        context.events.push_back(Event::Authenticated {
            account,
            mechanism,
            keys: None,
            user_agent: None,
        });
        Ok(Progress::Restart)
    }

    fn fail(&mut self, condition: Condition, context: &mut Context<'_>) -> Result<Progress, Error> {
        self.exchange.clear();
        context.write(|writer| {
            writer
                .start("failure", ns::SASL)
                .empty(condition.name(), ns::SASL)
                .end();
        })?;
        count_failure(context.shared)
    }
}

impl Feature for SaslReceiver {
    fn terms(&self) -> Terms {
        Terms::new(FeatureKind::Sasl, ELEMENT)
            .after(self.necessary)
            .until(Facts::AUTHENTICATED)
    }

    fn list(&self, shared: &Shared, writer: &mut Writer<'_>) {
        let Some(sasl) = shared.config.sasl() else {
            return;
        };
        writer.start("mechanisms", ns::SASL);
        for mechanism in sasl.offer(&shared.channel) {
            writer
                .start("mechanism", ns::SASL)
                .text(mechanism.name())
                .end();
        }
        writer.end();
    }

    fn takes(&self, element: ElementRef<'_>) -> bool {
        element.namespace() == ns::SASL
    }

    fn refuse(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        once(context.shared)?;
        self.fail(Condition::EncryptionRequired, context)
    }

    fn handle(
        &mut self,
        element: ElementRef<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        if !matches!(element.name(), "auth" | "response" | "abort") {
            let text = "not a step of authentication";
            return Err(violation(StreamCondition::UnsupportedStanzaType, text));
        }
        let step = self.advance(element, context.shared);
        self.follow(step, context)
    }

    fn answer(&mut self, answer: Answer, context: &mut Context<'_>) -> Result<Progress, Error> {
        let Answer::Credentials(answer) = answer else {
            return Ok(Progress::Open);
        };
        let step = match answer {
            CredentialsAnswer::Found(credentials) => self.exchange.look_up(Some(&credentials)),
            CredentialsAnswer::Unknown => self.exchange.look_up(None),
            CredentialsAnswer::Refused(condition) => return self.fail(condition, context),
        };
        self.follow(step, context)
    }
}

fn message(writer: &mut Writer<'_>, name: &str, data: &str) {
    writer.start(name, ns::SASL);
    if !data.is_empty() {
        writer.text(data);
    }
    writer.end();
}

pub(super) fn necessary(needs_tls: bool) -> Facts {
    if needs_tls {
        Facts::SECURE
    } else {
        Facts::NONE
    }
}

fn nonce(entropy: &mut Entropy) -> Nonce {
    let mut random = [0; 18];
    for (byte, fresh) in random.iter_mut().zip(entropy.bytes()) {
        *byte = fresh;
    }
    Nonce::new(random)
}
