//! SASL (RFC 6120 §6).

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use xmpp_sasl::{
    Channel, Client, Condition, Failure, Mechanism, MessageError, Nonce, Server, Step, wire,
};
use xmpp_xml::{ElementRef, Writer};

use super::component::Login;
use super::error::{Error, FeatureKind, SaslFailure};
use super::event::{BearerToken, CredentialsAnswer, Event, Ticket};
use super::fast::{Attempt, FastConfig, FastTokens};
use super::negotiation::{
    Answer, Config, Context, Facts, Feature, Progress, Question, Shared, Terms, violation,
};
use crate::datetime::DateTime;
use crate::entropy::Entropy;
use crate::error::StreamCondition;
use crate::jid::Jid;
use crate::ns;

const ELEMENT: (&str, &str) = ("mechanisms", ns::SASL);

/// Which elements carry the messages of a mechanism. They do not offer the same mechanisms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Profile {
    /// RFC 6120 §6.
    First,
    /// XEP-0388.
    Second,
}

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
        let Some(mut client) = select(&mut self.offered, Profile::First, context.shared)? else {
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
            "failure" => Err(refusal(element, self.client.as_ref())),
            _ => Err(violation(
                StreamCondition::BadFormat,
                "not an answer to authentication",
            )),
        }
    }
}

/// Receiver: the channel as its features describe it to a client of that profile. Binding types are told where the
/// second profile is offered.
pub(super) fn described(shared: &Shared, profile: Profile) -> Channel {
    let mut channel = shared.channel.clone();
    if profile == Profile::Second {
        channel = channel.sasl2();
    }
    let is_meant = |identity: &&Jid| {
        let host = shared.host.as_ref().map(Jid::domain);
        let from = shared.from.as_ref().map(Jid::to_bare_ref);
        host == Some(identity.domain()) && from.is_none_or(|from| from == **identity)
    };
    let identities = shared.identities.iter().filter(is_meant);
    channel = channel.identities(identities.map(Jid::as_str));
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

/// Initiator: the channel as the server's features describe it.
pub(super) fn seen(shared: &Shared, profile: Profile) -> Channel {
    let mut channel = shared.channel.clone();
    if profile == Profile::Second {
        channel = channel.sasl2();
    }
    if let Some(kinds) = &shared.offers.binding_kinds {
        channel = channel.announced(kinds.iter().map(String::as_str));
    }
    if let Config::Initiator(config) = &shared.config {
        channel = channel.host(config.jid.domain());
    }
    channel
}

/// The strongest mechanism that both sides have.
pub(super) fn select(
    offered: &mut Vec<String>,
    profile: Profile,
    shared: &mut Shared,
) -> Result<Option<Client>, Error> {
    let channel = seen(shared, profile);
    let Shared {
        config: Config::Initiator(config),
        entropy,
        ..
    } = shared
    else {
        return Ok(None);
    };
    let Login::Account(credentials) = &config.login else {
        return Ok(None);
    };
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
pub(super) fn refusal(failure: ElementRef<'_>, client: Option<&Client>) -> Error {
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
    Error::Authentication(SaslFailure {
        condition: condition.unwrap_or(Condition::NotAuthorized),
        text,
        bearer: client.and_then(Client::bearer_error).cloned().map(Box::new),
    })
}

/// The receiver's side of an exchange, whatever elements carry it.
#[derive(Default)]
pub(super) struct Exchange {
    server: Option<Server>,
    account: Option<Jid>,
}

/// Who is due in an exchange.
pub(super) enum Turn {
    /// The application, which looks something up.
    Application(Ticket),
    /// The application, which looks up the tokens of a client of that account.
    Tokens(Jid),
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
        profile: Profile,
        shared: &mut Shared,
    ) -> Result<Step, Failure> {
        self.clear();
        let channel = described(shared, profile);
        let Some(sasl) = shared.config.sasl() else {
            return Err(Failure::OutOfOrder);
        };
        let nonce = nonce(&mut shared.entropy);
        let mut server = Server::start(sasl, mechanism, &channel, nonce)?;
        let is_token = server.mechanism().is_token();
        if is_token && (profile == Profile::First || fast(shared).is_none()) {
            return Err(Failure::InvalidMechanism);
        }
        if shared.is_early && !(is_token && fast(shared).is_some_and(FastConfig::allows_early_data))
        {
            return Err(Failure::EncryptionRequired);
        }
        let step = server.handle_initial(data)?;
        self.server = Some(server);
        Ok(step)
    }

    /// Checks the proof of who logs in with a token.
    pub(super) fn check_tokens(
        &mut self,
        tokens: &mut FastTokens,
        attempt: &Attempt,
        time: DateTime,
        context: &mut Context<'_>,
    ) -> Turn {
        let Some(server) = &mut self.server else {
            return Turn::Failure(Condition::TemporaryAuthFailure);
        };
        match tokens.check(attempt, time, |slots| server.handle_tokens(Some(slots))) {
            Ok(step) => self.follow(Ok(step), context),
            Err(condition) => Turn::Failure(condition),
        }
    }

    pub(super) fn respond(&mut self, data: &[u8]) -> Result<Step, Failure> {
        let server = self.server.as_mut().ok_or(Failure::OutOfOrder)?;
        server.handle_response(data)
    }

    pub(super) fn abort(&mut self) -> Failure {
        let server = self.server.take();
        server.map_or(Failure::Aborted, |mut server| server.handle_abort())
    }

    pub(super) fn mechanism(&self) -> Option<Mechanism> {
        self.server.as_ref().map(Server::mechanism)
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
            let Some(server) = &mut self.server else {
                let failure = step.err().unwrap_or(Failure::OutOfOrder);
                return Turn::Failure(failure.condition());
            };
            let shared = &mut *context.shared;
            let host = shared.host.as_ref().map_or("", Jid::domain);
            step = match step {
                Ok(Step::Lookup { user, hash }) => {
                    let Ok(account) = Jid::from_parts(Some(&user), host, None) else {
                        // Nobody has that name; the exchange goes on like any other.
                        step = server.handle_lookup(None);
                        continue;
                    };
                    self.account = Some(account.clone());
                    let (ticket, mechanism) =
                        (shared.ticket(Question::Credentials), server.mechanism());
                    context.events.push_back(Event::Lookup {
                        ticket,
                        account,
                        mechanism,
                        hash,
                    });
                    return Turn::Application(ticket);
                }
                Ok(Step::Tokens { user }) => {
                    let Ok(account) = Jid::from_parts(Some(&user), host, None) else {
                        step = server.handle_tokens(None);
                        continue;
                    };
                    self.account = Some(account.clone());
                    return Turn::Tokens(account);
                }
                Ok(Step::Bearer { token, .. }) => {
                    let ticket = shared.ticket(Question::Bearer);
                    let token = token.map(BearerToken::new);
                    context.events.push_back(Event::Bearer { ticket, token });
                    return Turn::Application(ticket);
                }
                Ok(Step::Challenge(challenge)) => return Turn::Peer(challenge),
                Ok(Step::Authorize {
                    user,
                    authorization,
                }) => {
                    let asked = Jid::parse(&authorization).ok();
                    // A certificate names addresses; that it is an account, only the application knows.
                    let named = Jid::parse(&user).ok().filter(|_| self.account.is_none());
                    match (named, asked) {
                        (None, Some(asked)) => {
                            let is_own = self.account.as_ref() == Some(&asked);
                            server.handle_authorization(is_own)
                        }
                        (Some(account), Some(asked)) if account == asked => {
                            self.account = Some(asked);
                            let ticket = shared.ticket(Question::Certificate);
                            let event = Event::Certificate { ticket, account };
                            context.events.push_back(event);
                            return Turn::Application(ticket);
                        }
                        _ => server.handle_authorization(false),
                    }
                }
                Ok(Step::Success { user, data, .. }) => {
                    let mechanism = server.mechanism();
                    self.server = None;
                    // Nobody in particular has no name but the one that the mechanism makes up.
                    let nobody = || Jid::from_parts(Some(&user), host, None).ok();
                    let Some(account) = self.account.take().or_else(nobody) else {
                        return Turn::Failure(Condition::TemporaryAuthFailure);
                    };
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

    /// The application has looked up what it was asked for.
    pub(super) fn answer(&mut self, answer: Answer<'_>, context: &mut Context<'_>) -> Turn {
        let Some(server) = &mut self.server else {
            return Turn::Failure(Condition::TemporaryAuthFailure);
        };
        let step = match answer {
            Answer::Credentials(CredentialsAnswer::Found(credentials)) => {
                server.handle_lookup(Some(&credentials))
            }
            Answer::Credentials(CredentialsAnswer::Unknown) => server.handle_lookup(None),
            Answer::Credentials(CredentialsAnswer::Refused(condition)) => {
                return Turn::Failure(condition);
            }
            Answer::Bearer(Ok(account)) => {
                let step = server.handle_bearer(Ok(account.local().unwrap_or_default()));
                self.account = Some(account);
                step
            }
            Answer::Bearer(Err(error)) => server.handle_bearer(Err(&error)),
            Answer::Certificate(is_known) => server.handle_authorization(is_known),
            Answer::Task(_)
            | Answer::Upgrade(_)
            | Answer::Tokens(..)
            | Answer::Bind(_)
            | Answer::Resume(_)
            | Answer::Component(_) => Err(Failure::OutOfOrder),
        };
        self.follow(step, context)
    }
}

/// Receiver: how it issues tokens, if it does.
fn fast(shared: &Shared) -> Option<&FastConfig> {
    match &shared.config {
        Config::Receiver(config) => config.fast.as_ref(),
        Config::Initiator(_) => None,
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
    // Who goes on has heard our answer, and early data ends before that.
    shared.is_early = false;
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
        let data = data?;
        self.exchange
            .begin(&mechanism, data.as_deref(), Profile::First, shared)
    }

    fn follow(&mut self, turn: Turn, context: &mut Context<'_>) -> Result<Progress, Error> {
        let (account, mechanism, data) = match turn {
            Turn::Application(ticket) => return Ok(Progress::Answer(ticket)),
            Turn::Peer(challenge) => {
                let challenge = wire::encode(&challenge);
                context.write(|writer| message(writer, "challenge", &challenge))?;
                return Ok(Progress::Wait);
            }
            Turn::Tokens(_) => return self.fail(Condition::InvalidMechanism, context),
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
        for mechanism in sasl.offer(&described(shared, Profile::First)) {
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
        let turn = self.exchange.follow(step, context);
        self.follow(turn, context)
    }

    fn answer(&mut self, answer: Answer<'_>, context: &mut Context<'_>) -> Result<Progress, Error> {
        let turn = self.exchange.answer(answer, context);
        self.follow(turn, context)
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

pub(super) fn nonce(entropy: &mut Entropy) -> Nonce {
    let mut random = [0; 18];
    for (byte, fresh) in random.iter_mut().zip(entropy.bytes()) {
        *byte = fresh;
    }
    Nonce::new(random)
}
