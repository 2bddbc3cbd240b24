//! SASL (RFC 6120 §6).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use xmpp_sasl::{
    Client, Condition, Failure, MessageError, Nonce, Server, Step, StoredCredentials, wire,
};
use xmpp_xml::{ElementRef, Writer};

use super::component::Login;
use super::error::{Error, FeatureKind, SaslFailure};
use super::event::{CredentialsAnswer, Event};
use super::negotiation::{Answer, Config, Context, Facts, Feature, Progress, Shared, violation};
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
    fn kind(&self) -> FeatureKind {
        FeatureKind::Sasl
    }

    fn element(&self) -> (&'static str, &'static str) {
        ELEMENT
    }

    fn necessary(&self) -> Facts {
        self.necessary
    }

    fn prohibited(&self) -> Facts {
        Facts::AUTHENTICATED
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
        let Shared {
            config: Config::Initiator(config),
            entropy,
            channel,
            ..
        } = context.shared
        else {
            return Ok(Progress::Open);
        };
        let Login::Account(credentials) = &config.login else {
            return Ok(Progress::Open);
        };
        let offered = self.offered.iter().map(String::as_str);
        let nonce = nonce(entropy);
        let selected = Client::select(offered, credentials, channel, &config.policy, nonce);
        let mut client = selected.map_err(|error| match error {
            xmpp_sasl::Error::NoCommonMechanism
            | xmpp_sasl::Error::PlainNotAllowed
            | xmpp_sasl::Error::PlainNeedsEncryption => Error::NoCommonMechanism {
                reason: error,
                offered: core::mem::take(&mut self.offered),
            },
            error => Error::Sasl(error),
        })?;
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
                    };
                    context.events.push_back(event);
                }
                shared.facts = shared.facts.with(Facts::AUTHENTICATED);
                Ok(Progress::Restart)
            }
            "failure" => {
                let mut children = element.children().filter(|c| c.namespace() == ns::SASL);
                let condition = children.find(|child| child.name() != "text");
                let condition = condition.and_then(|condition| condition.name().parse().ok());
                let text = element
                    .child("text", ns::SASL)
                    .map(|text| text.text().into_owned());
                let condition = condition.unwrap_or(Condition::NotAuthorized);
                Err(Error::Authentication(SaslFailure::new(condition, text)))
            }
            _ => Err(violation(
                StreamCondition::BadFormat,
                "not an answer to authentication",
            )),
        }
    }
}

pub(super) struct SaslReceiver {
    necessary: Facts,
    server: Option<Server>,
    account: Option<Jid>,
    failures: u8,
}

impl SaslReceiver {
    pub(super) fn new(needs_tls: bool) -> Self {
        Self {
            necessary: necessary(needs_tls),
            server: None,
            account: None,
            failures: 0,
        }
    }

    /// The peer began, went on or gave up.
    fn advance(&mut self, element: ElementRef<'_>, shared: &mut Shared) -> Result<Step, Failure> {
        let Some(sasl) = shared.config.sasl() else {
            return Err(Failure::OutOfOrder);
        };
        if element.name() == "abort" {
            return Err(self
                .server
                .take()
                .map_or(Failure::Aborted, |mut s| s.handle_abort()));
        }
        if element.name() == "response" {
            let server = self.server.as_mut().ok_or(Failure::OutOfOrder)?;
            let data = wire::decode_optional(&element.text())?;
            return server.handle_response(&data.unwrap_or_default());
        }
        // A new beginning ends what was under way (RFC 6120 §6.4.2).
        (self.server, self.account) = (None, None);
        let mechanism = element.attribute("mechanism").unwrap_or(Cow::Borrowed(""));
        let nonce = nonce(&mut shared.entropy);
        let mut server = Server::start(sasl, &mechanism, &shared.channel, nonce)?;
        let data = wire::decode_optional(&element.text())?;
        let step = server.handle_initial(data.as_deref())?;
        self.server = Some(server);
        Ok(step)
    }

    fn look_up(&mut self, found: Option<&StoredCredentials>) -> Result<Step, Failure> {
        let server = self.server.as_mut().ok_or(Failure::OutOfOrder)?;
        server.handle_lookup(found)
    }

    /// Does what the mechanism asks for, until somebody else is due.
    fn follow(
        &mut self,
        mut step: Result<Step, Failure>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
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
                    return Ok(Progress::Answer(ticket));
                }
                Ok(Step::Challenge(challenge)) => {
                    let challenge = wire::encode(&challenge);
                    context.write(|writer| message(writer, "challenge", &challenge))?;
                    return Ok(Progress::Wait);
                }
                Ok(Step::Authorize { authorization, .. }) => {
                    let permitted = Jid::parse(&authorization).ok() == self.account;
                    let server = self.server.as_mut().ok_or(Failure::OutOfOrder);
                    server.and_then(|server| server.handle_authorization(permitted))
                }
                Ok(Step::Success { data, .. }) => return self.succeed(data.as_deref(), context),
                Ok(_) => Err(Failure::OutOfOrder),
                Err(failure) => return self.fail(failure.condition(), context),
            }
        }
    }

    fn succeed(
        &mut self,
        data: Option<&[u8]>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        let (Some(server), Some(account)) = (self.server.take(), self.account.take()) else {
            return self.fail(Condition::TemporaryAuthFailure, context);
        };
        // Under TLS nobody else has written what the header says (RFC 6120 §6.4.6).
        let shared = &mut *context.shared;
        let claimed = shared
            .from
            .as_ref()
            .filter(|_| shared.facts.contains(Facts::SECURE));
        if claimed.is_some_and(|claimed| claimed.to_bare_ref() != account) {
            let text = "the stream's from is not who authenticated";
            return Err(violation(StreamCondition::InvalidFrom, text));
        }
        shared.account = Some(account.clone());
        shared.facts = shared.facts.with(Facts::AUTHENTICATED);
        context.write(|writer| {
            writer
                .start("success", ns::SASL)
                .text(&wire::encode_optional(data))
                .end();
        })?;
        let mechanism = server.mechanism();
        context.events.push_back(Event::Authenticated {
            account,
            mechanism,
            keys: None,
        });
        Ok(Progress::Restart)
    }

    fn fail(&mut self, condition: Condition, context: &mut Context<'_>) -> Result<Progress, Error> {
        (self.server, self.account) = (None, None);
        context.write(|writer| {
            writer
                .start("failure", ns::SASL)
                .empty(condition.name(), ns::SASL)
                .end();
        })?;
        self.failures = self.failures.saturating_add(1);
        let attempts = match &context.shared.config {
            Config::Receiver(config) => config.authentication_attempts,
            Config::Initiator(_) => 0,
        };
        if self.failures >= attempts {
            let text = "too many attempts to authenticate";
            return Err(violation(StreamCondition::PolicyViolation, text));
        }
        Ok(Progress::Open)
    }
}

impl Feature for SaslReceiver {
    fn kind(&self) -> FeatureKind {
        FeatureKind::Sasl
    }

    fn element(&self) -> (&'static str, &'static str) {
        ELEMENT
    }

    fn necessary(&self) -> Facts {
        self.necessary
    }

    fn prohibited(&self) -> Facts {
        Facts::AUTHENTICATED
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
        if context.shared.facts.contains(Facts::AUTHENTICATED) {
            let text = "authenticated already";
            return Err(violation(StreamCondition::PolicyViolation, text));
        }
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
            CredentialsAnswer::Found(credentials) => self.look_up(Some(&credentials)),
            CredentialsAnswer::Unknown => self.look_up(None),
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

fn necessary(needs_tls: bool) -> Facts {
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
