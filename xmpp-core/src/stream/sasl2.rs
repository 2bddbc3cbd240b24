//! The second profile of SASL (XEP-0388), and what goes with it in one round trip: a resource (Bind 2, XEP-0386), and
//! stream management enabled or a session resumed (XEP-0198 §9).

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use sha2::{Digest, Sha256};
use xmpp_sasl::{
    Client, Condition, Credentials, DerivedKeys, Failure, Hash, Mechanism, MessageError, wire,
};
use xmpp_xml::{ElementRef, Writer};
use zeroize::Zeroizing;

use super::component::Login;
use super::error::{Error, FeatureKind, SaslFailure};
use super::event::{Event, Ticket};
use super::fast::{
    self, Attempt, FastToken, FastTokens, IssuedToken, TokenRequest, TokenUse, UsedToken,
};
use super::management::{
    Management, Wish, asked_for, condition, failed, not_resumed, resumed, take_up, write_resume,
    write_resumed,
};
use super::negotiation::{
    Answer, Config, Context, Facts, Feature, Progress, Question, Shared, Terms, violation,
};
use super::offers::Offers;
use super::sasl::{
    Exchange, Profile, Turn, count_failure, described, is_who_it_claims, nonce, once, refusal,
    seen, select,
};
use super::task::{self, Next, Tasks, Work};
use crate::datetime::DateTime;
use crate::entropy::Entropy;
use crate::error::{StanzaCondition, StreamCondition};
use crate::jid::Jid;
use crate::ns;

const ELEMENT: (&str, &str) = ("authentication", ns::SASL2);

/// What a client says and wishes when it authenticates by the second profile of SASL (XEP-0388).
///
/// ```
/// use xmpp_core::entropy::Entropy;
/// use xmpp_core::stream::{InitiatorConfig, Sasl2, UserAgent};
/// use xmpp_sasl::Credentials;
///
/// // Made once for an installation and kept.
/// let agent = UserAgent::generate(&mut Entropy::from_seed([1; 32])).software("Balcony");
/// let sasl2 = Sasl2::new().user_agent(agent).tag("Balcony");
/// let credentials = Credentials::password("juliet", "r0m30myr0m30");
/// let config = InitiatorConfig::new("juliet@example.com".parse()?, credentials).sasl2(sasl2);
/// # let _ = config;
/// # Ok::<(), xmpp_core::jid::JidError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Sasl2 {
    user_agent: Option<UserAgent>,
    tag: Option<String>,
    inactive: bool,
    request_token: bool,
    tasks: Vec<String>,
    upgrade: bool,
}

impl Sasl2 {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells which installation this is. Default: none, so that the server cannot know it again.
    #[must_use]
    pub fn user_agent(mut self, user_agent: UserAgent) -> Self {
        self.user_agent = Some(user_agent);
        self
    }

    /// A short text that the server makes the beginning of the resource, seen by contacts: the name of the
    /// software, nothing private (XEP-0386 §3.2.1). The resource of the configured address is not asked for.
    /// Default: none.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = Some(tag.into());
        self
    }

    /// Begins inactive (XEP-0352), where the server lets this be said at once. Default: active.
    #[must_use]
    pub fn inactive(mut self, inactive: bool) -> Self {
        self.inactive = inactive;
        self
    }

    /// Asks for a token for the next login (XEP-0484), where the server issues such:
    /// [`Event::Token`](super::Event::Token) brings it, [`Stream::use_token`](super::Stream::use_token) uses it. Tokens
    /// are for a [user agent](Self::user_agent) with an identifier, and nothing is asked for another. Default: not.
    #[must_use]
    pub fn request_token(mut self, requested: bool) -> Self {
        self.request_token = requested;
        self
    }

    /// Adds a task that the application can do when the server demands more than a mechanism (XEP-0388 §2.6.3):
    /// [`Event::Task`](super::Event::Task) asks for it. Default: none, and a server that demands one is left.
    #[must_use]
    pub fn task(mut self, name: impl Into<String>) -> Self {
        self.tasks.push(name.into());
        self
    }

    /// Gives a server keys of the password for the hash functions that it wants them for (XEP-0480), after a SCRAM
    /// exchange that was bound to the channel; they are worth the password to whoever sees them. Each costs the
    /// iterations that the server asks for, within the bounds of the policy. Default: not.
    #[must_use]
    pub fn upgrade(mut self, allowed: bool) -> Self {
        self.upgrade = allowed;
        self
    }

    /// Whether the server knows the installation again.
    pub(super) fn is_identified(&self) -> bool {
        self.user_agent
            .as_ref()
            .is_some_and(|agent| agent.id.is_some())
    }
}

/// An installation of a client (XEP-0388 §2.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserAgent {
    id: Option<Box<str>>,
    software: Option<Box<str>>,
    device: Option<Box<str>>,
}

impl UserAgent {
    /// A new identifier, to be kept as long as the installation.
    #[must_use]
    pub fn generate(entropy: &mut Entropy) -> Self {
        let digits = entropy.token();
        let part = |range| digits.get(range).unwrap_or_default();
        // Version 4, variant 1 (RFC 9562 §5.4).
        let id = format!(
            "{}-{}-4{}-a{}-{}",
            part(0..8),
            part(8..12),
            part(13..16),
            part(17..20),
            part(20..32)
        );
        Self {
            id: Some(id.into_boxed_str()),
            ..Self::default()
        }
    }

    /// An installation that has its identifier already; `None` when that is no UUID of version 4.
    #[must_use]
    pub fn with_id(id: &str) -> Option<Self> {
        is_uuid(id).then(|| Self {
            id: Some(Box::from(id)),
            ..Self::default()
        })
    }

    /// Adds the name of the software. Default: none.
    #[must_use]
    pub fn software(mut self, software: impl Into<Box<str>>) -> Self {
        self.software = Some(software.into());
        self
    }

    /// Adds the name of the device. Default: none.
    #[must_use]
    pub fn device(mut self, device: impl Into<Box<str>>) -> Self {
        self.device = Some(device.into());
        self
    }

    /// The identifier: a UUID of version 4, the same each time.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The name of the software.
    #[must_use]
    pub fn software_name(&self) -> Option<&str> {
        self.software.as_deref()
    }

    /// The name of the device.
    #[must_use]
    pub fn device_name(&self) -> Option<&str> {
        self.device.as_deref()
    }

    fn read(element: ElementRef<'_>) -> Self {
        let text = |name| {
            let child = element.child(name, ns::SASL2)?;
            Some(Box::from(child.text()))
        };
        Self {
            id: element
                .attribute("id")
                .filter(|id| is_uuid(id))
                .map(Box::from),
            software: text("software"),
            device: text("device"),
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer
            .start("user-agent", ns::SASL2)
            .attribute_opt("id", self.id());
        for (name, text) in [("software", &self.software), ("device", &self.device)] {
            if let Some(text) = text {
                writer.start(name, ns::SASL2).text(text).end();
            }
        }
        writer.end();
    }
}

/// What the resources of installations are derived from.
#[derive(Clone)]
pub(super) struct ResourceSecret(Zeroizing<[u8; 32]>);

impl ResourceSecret {
    pub(super) fn new(secret: [u8; 32]) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// 128 bits in hexadecimal, which cannot be told from random ones.
    fn resource(&self, account: &Jid, agent: &str, tag: &str) -> String {
        let mut hash = Sha256::new().chain_update(self.0.as_slice());
        for part in [account.as_str(), agent, tag] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let hash = hash.finalize();
        let digits = hash.iter().take(16).flat_map(|byte| [byte >> 4, byte & 15]);
        digits
            .map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0'))
            .collect()
    }
}

impl fmt::Debug for ResourceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResourceSecret(..)")
    }
}

/// Whether a text is a UUID of version 4.
fn is_uuid(text: &str) -> bool {
    let is_right = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        14 => byte == b'4',
        19 => matches!(byte.to_ascii_lowercase(), b'8' | b'9' | b'a' | b'b'),
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_right)
}

pub(super) struct Sasl2Initiator {
    config: Sasl2,
    offered: Vec<String>,
    /// What the server does along with it.
    resumes: bool,
    binds: bool,
    /// The features that may be enabled along with the resource.
    inline: Vec<String>,
    /// The mechanisms for tokens.
    for_tokens: Vec<String>,
    client: Option<Client>,
    /// The mechanism is done and the server is who it says; with the keys that were used.
    done: Option<(Mechanism, Option<DerivedKeys>)>,
    /// The hash functions that the server wants keys for.
    upgrades: Vec<Hash>,
    work: Work,
    /// The token that is tried.
    tried: Option<(Mechanism, TokenUse)>,
    /// For which mechanism a token was asked for.
    requested: Option<Mechanism>,
}

impl Sasl2Initiator {
    pub(super) fn new(config: Sasl2) -> Self {
        Self {
            config,
            offered: Vec::new(),
            resumes: false,
            binds: false,
            inline: Vec::new(),
            for_tokens: Vec::new(),
            client: None,
            done: None,
            upgrades: Vec::new(),
            work: Work::default(),
            tried: None,
            requested: None,
        }
    }

    /// Logs in with the token, if there is one that can be used.
    fn try_token(&self, shared: &mut Shared) -> Option<(Client, FastToken, TokenUse)> {
        let channel = seen(shared, Profile::Second);
        let Shared {
            config: Config::Initiator(config),
            entropy,
            token,
            ..
        } = shared
        else {
            return None;
        };
        let (token, purpose) = token.take()?;
        let name = token.token().mechanism().name();
        if !self.for_tokens.iter().any(|offered| offered == name) {
            return None;
        }
        let user = match &config.login {
            Login::Account(credentials) if !credentials.user().is_empty() => credentials.user(),
            _ => config.jid.local()?,
        };
        let credentials = Credentials::token(user, token.token().clone());
        let nonce = nonce(entropy);
        let client = Client::select([name], &credentials, &channel, &config.policy, nonce);
        client.ok().map(|client| (client, token, purpose))
    }

    /// For which mechanism to ask for a token.
    fn wished(&self, shared: &Shared) -> Option<Mechanism> {
        let Config::Initiator(config) = &shared.config else {
            return None;
        };
        if !self.config.request_token || !self.config.is_identified() {
            return None;
        }
        let offered = self.for_tokens.iter().map(String::as_str);
        Client::token_mechanism(offered, &seen(shared, Profile::Second), &config.policy)
    }

    fn has_inline(&self, feature: &str) -> bool {
        self.inline.iter().any(|inline| inline == feature)
    }

    fn begins_inactive(&self) -> bool {
        self.config.inactive && self.has_inline(ns::CLIENT_STATE)
    }

    fn abort(context: &mut Context<'_>, error: Error) -> Result<Progress, Error> {
        context.write(|writer| {
            writer.empty("abort", ns::SASL2);
        })?;
        Err(error)
    }

    /// Data of the mechanism; where there is none the element lacks.
    fn data(element: Option<ElementRef<'_>>) -> Result<Option<Vec<u8>>, Error> {
        let data = element.map(|element| wire::decode(element.text().trim()));
        let malformed = |_| Error::Sasl(MessageError::Base64("message").into());
        data.transpose().map_err(malformed)
    }

    /// The mechanism is done with success, or when more is demanded; the server has to prove itself first.
    fn verify(&mut self, element: ElementRef<'_>) -> Result<(), Error> {
        let Some(mut client) = self.client.take() else {
            return Ok(());
        };
        let data = Self::data(element.child("additional-data", ns::SASL2))?;
        client
            .handle_success(data.as_deref())
            .map_err(Error::Sasl)?;
        self.done = Some((client.mechanism(), client.keys().cloned()));
        Ok(())
    }

    /// Where a task leads.
    fn follow(next: Result<Next, Error>, context: &mut Context<'_>) -> Result<Progress, Error> {
        match next {
            Ok(Next::Application(ticket)) => Ok(Progress::Answer(ticket)),
            Ok(Next::Peer | Next::Nothing) => Ok(Progress::Wait),
            Ok(Next::Refused(condition)) => {
                let refusal = SaslFailure {
                    condition,
                    text: None,
                    bearer: None,
                };
                Self::abort(context, Error::Authentication(refusal))
            }
            Err(error) => Self::abort(context, error),
        }
    }

    /// The hash functions for which to give keys after that exchange.
    fn gives(&self, mechanism: Mechanism, shared: &Shared) -> Vec<Hash> {
        let Config::Initiator(config) = &shared.config else {
            return Vec::new();
        };
        let has_password = match &config.login {
            Login::Account(credentials) => credentials.has_password(),
            Login::Component(_) => false,
        };
        let is_scram = mechanism.hash().is_some();
        if !self.config.upgrade || !has_password || !is_scram || !mechanism.is_channel_bound() {
            return Vec::new();
        }
        let others = self.upgrades.iter().copied();
        others
            .filter(|hash| mechanism.hash() != Some(*hash))
            .collect()
    }

    fn succeed(
        &mut self,
        element: ElementRef<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        self.verify(element)?;
        let Some((by, keys)) = self.done.take() else {
            return Ok(Progress::Open);
        };
        let issued = element.child("token", ns::FAST);
        let issued = issued.and_then(|issued| issued.read::<IssuedToken<'_>>().ok());
        // One that nobody asked for follows the one that was used (XEP-0484 §3.5).
        let mechanism = self
            .requested
            .or(self.tried.map(|(mechanism, _)| mechanism));
        let issued = issued.zip(mechanism);
        let issued = issued.and_then(|(issued, mechanism)| FastToken::issued(mechanism, issued));
        // The examples of XEP-0484 have it by another name.
        let identity = ["authorization-identifier", "authorization-identity"];
        let mut identity = identity.iter();
        let identity = identity.find_map(|name| element.child(name, ns::SASL2));
        let identity = identity.and_then(|identity| Jid::parse(identity.text().trim()).ok());
        let Some(identity) = identity else {
            let text = "success without an identity";
            return Err(violation(StreamCondition::BadFormat, text));
        };
        let shared = &mut *context.shared;
        let account = identity.bare();
        shared.account = Some(account.clone());
        shared.facts = shared.facts.with(Facts::AUTHENTICATED);
        context.events.push_back(Event::Authenticated {
            account,
            mechanism: by,
            keys,
            user_agent: None,
        });
        if let Some(token) = issued.map(Box::new) {
            context.events.push_back(Event::Token { token });
        }
        if let Some(answer) = element.child("resumed", ns::STREAM_MANAGEMENT) {
            if context.shared.resuming.is_none() {
                let text = "resumed, and nobody asked for it";
                return Err(violation(StreamCondition::BadFormat, text));
            }
            resumed(answer, context)?;
            // No features follow, and what was told to a stranger does not count any more.
            context.shared.offers = Offers {
                client_state: self.has_inline(ns::CLIENT_STATE),
                ..Offers::default()
            };
            return Ok(Progress::Done);
        }
        if let Some(failed) = element.child("failed", ns::STREAM_MANAGEMENT) {
            not_resumed(Some(failed), context.shared, |event| {
                context.events.push_back(event);
            });
        }
        if let Some(bound) = element.child("bound", ns::BIND2) {
            if identity.is_bare() {
                let text = "no full address was bound";
                return Err(violation(StreamCondition::BadFormat, text));
            }
            context.shared.facts = context.shared.facts.with(Facts::BOUND);
            context.shared.bound = Some(identity.clone());
            context.shared.is_inactive = self.begins_inactive();
            self.bound(bound, identity, context);
        }
        Ok(Progress::Features)
    }

    /// The token was not taken: other credentials may be (XEP-0484 §4.1).
    fn fall_back(
        &mut self,
        refusal: Error,
        purpose: TokenUse,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        if let Error::Authentication(SaslFailure { condition, .. }) = &refusal {
            let condition = *condition;
            context.events.push_back(Event::TokenRefused { condition });
        }
        if purpose == TokenUse::Logout {
            return Err(refusal);
        }
        self.begin(context)
    }

    /// What was enabled along with the resource.
    fn bound(&self, bound: ElementRef<'_>, jid: Jid, context: &mut Context<'_>) {
        let config = context.shared.management_config().cloned();
        let Some(config) = config.filter(|_| self.has_inline(ns::STREAM_MANAGEMENT)) else {
            return;
        };
        if let Some(enabled) = bound.child("enabled", ns::STREAM_MANAGEMENT) {
            let mut management = Management::requested(jid, config);
            management.enabled(enabled);
            context.events.push_back(Event::Managed {
                resumable: management.is_resumable(),
            });
            context.shared.management = Some(management);
        } else if let Some(failed) = bound.child("failed", ns::STREAM_MANAGEMENT) {
            context.events.push_back(Event::Unmanaged {
                condition: condition(failed),
            });
        }
    }
}

impl Feature for Sasl2Initiator {
    /// The first profile may be offered instead.
    fn terms(&self) -> Terms {
        Terms::new(FeatureKind::Sasl, ELEMENT)
            .after(Facts::SECURE)
            .until(Facts::AUTHENTICATED)
            .optional()
    }

    fn parse(&mut self, offer: ElementRef<'_>) -> bool {
        let mechanisms = offer
            .children()
            .filter(|child| child.is("mechanism", ns::SASL2));
        self.offered = mechanisms
            .map(|mechanism| mechanism.text().into_owned())
            .collect();
        let inline = offer.child("inline", ns::SASL2);
        let has = |name, namespace| inline.and_then(|inline| inline.child(name, namespace));
        self.resumes = has("sm", ns::STREAM_MANAGEMENT).is_some();
        let bind = has("bind", ns::BIND2);
        self.binds = bind.is_some();
        self.for_tokens = fast::offered(inline);
        self.upgrades = task::upgrades(offer);
        let features = bind.and_then(|bind| bind.child("inline", ns::BIND2));
        let features = features.into_iter().flat_map(ElementRef::children);
        let features = features.filter(|feature| feature.is("feature", ns::BIND2));
        let features = features.filter_map(|feature| feature.attribute("var"));
        self.inline = features.map(|var| var.into_owned()).collect();
        // Some mechanisms are offered by the first profile only.
        !self.offered.is_empty()
    }

    fn begin(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        let (mut client, used) = match self.try_token(context.shared) {
            Some((client, token, purpose)) => (client, Some((token, purpose))),
            None => match select(&mut self.offered, Profile::Second, context.shared) {
                // PLAIN, for instance, is left to the first profile.
                Err(Error::NoCommonMechanism { .. }) if context.shared.offers.first_profile => {
                    return Ok(Progress::Done);
                }
                Ok(None) => return Ok(Progress::Open),
                Ok(Some(client)) => (client, None),
                Err(error) => return Err(error),
            },
        };
        let response = client.initial_response();
        let used_token = used.as_ref().map(|(token, purpose)| UsedToken {
            count: Some(token.count()),
            invalidate: *purpose == TokenUse::Logout,
        });
        self.tried = used.map(|(token, purpose)| (token.token().mechanism(), purpose));
        // Who has one gets the next when it is time.
        self.requested = match self.tried {
            Some(_) => None,
            None => self.wished(context.shared),
        };
        let request = self.requested.map(|mechanism| TokenRequest {
            mechanism: Cow::Borrowed(mechanism.name()),
        });
        let upgrades = self.gives(client.mechanism(), context.shared);
        let shared = &*context.shared;
        let enable = shared
            .management_config()
            .filter(|_| self.has_inline(ns::STREAM_MANAGEMENT))
            .cloned();
        let resume = shared.resuming.as_ref().filter(|_| self.resumes);
        let resume = resume.map(|session| (session.id().map(String::from), session.h()));
        // A session that has to be resumed later could not be, with a resource bound.
        let binds = self.binds && (resume.is_some() || shared.resuming.is_none());
        let is_inactive = self.begins_inactive();
        let Sasl2 {
            user_agent, tag, ..
        } = &self.config;
        context.write(|writer| {
            writer
                .start("authenticate", ns::SASL2)
                .attribute("mechanism", client.mechanism().name());
            if let Some(response) = response {
                let response = wire::encode(&response);
                writer.start("initial-response", ns::SASL2);
                writer.text(&response).end();
            }
            if let Some(user_agent) = user_agent {
                user_agent.write(writer);
            }
            task::list_upgrades(&upgrades, writer);
            if let Some(used) = used_token {
                writer.payload(&used);
            }
            if let Some(request) = request {
                writer.payload(&request);
            }
            if let Some((id, h)) = resume {
                write_resume(id.as_deref(), h, writer);
            }
            if binds {
                writer.start("bind", ns::BIND2);
                if let Some(tag) = tag {
                    writer.start("tag", ns::BIND2).text(tag).end();
                }
                if let Some(config) = enable {
                    config.write_enable(writer);
                }
                if is_inactive {
                    writer.empty("inactive", ns::CLIENT_STATE);
                }
                writer.end();
            }
            writer.end();
        })?;
        self.client = Some(client);
        self.done = None;
        self.work = Work::new(upgrades);
        Ok(Progress::Wait)
    }

    fn handle(
        &mut self,
        element: ElementRef<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        let is_ours = element.namespace() == ns::SASL2;
        match element.name() {
            "challenge" if is_ours => {
                let data = match Self::data(Some(element)) {
                    Ok(data) => data.unwrap_or_default(),
                    Err(error) => return Self::abort(context, error),
                };
                let Some(client) = &mut self.client else {
                    return Ok(Progress::Open);
                };
                match client.handle_challenge(&data) {
                    Ok(response) => {
                        let response = wire::encode(&response);
                        context.write(|writer| message(writer, "response", &response))?;
                        Ok(Progress::Wait)
                    }
                    Err(error) => Self::abort(context, Error::Sasl(error)),
                }
            }
            "success" if is_ours => self.succeed(element, context),
            "failure" if is_ours => {
                let refusal = refusal(element, self.client.as_ref());
                match self.tried.take() {
                    Some((_, purpose)) => self.fall_back(refusal, purpose, context),
                    None => Err(refusal),
                }
            }
            "continue" if is_ours => {
                if let Err(error) = self.verify(element) {
                    return Self::abort(context, error);
                }
                let next = self.work.begin(element, &self.config.tasks, context);
                Self::follow(next, context)
            }
            "task-data" if is_ours && self.done.is_some() => {
                let next = self.work.handle_data(element, context);
                Self::follow(next, context)
            }
            _ => {
                let text = "not an answer to authentication";
                Err(violation(StreamCondition::BadFormat, text))
            }
        }
    }

    fn answer(&mut self, answer: Answer<'_>, context: &mut Context<'_>) -> Result<Progress, Error> {
        let Answer::Task(answer) = answer else {
            return Ok(Progress::Wait);
        };
        let next = self.work.answer(answer, context);
        Self::follow(next, context)
    }
}

/// What a client wants along with authentication.
#[derive(Default)]
struct Request {
    user_agent: Option<Box<UserAgent>>,
    upgrades: Vec<Hash>,
    used_token: Option<UsedToken>,
    /// For which mechanism it wants a token.
    wished: Option<Mechanism>,
    resume: Option<(Box<str>, u32)>,
    bind: Option<BindRequest>,
}

#[derive(Default)]
struct BindRequest {
    tag: Option<String>,
    enable: Option<Wish>,
    inactive: bool,
}

impl Request {
    fn read(authenticate: ElementRef<'_>) -> Self {
        let user_agent = authenticate.child("user-agent", ns::SASL2);
        let resume = authenticate.child("resume", ns::STREAM_MANAGEMENT);
        let bind = authenticate.child("bind", ns::BIND2);
        let used_token = authenticate.child("fast", ns::FAST);
        let wish = authenticate.child("request-token", ns::FAST);
        let wish = wish.and_then(|wish| wish.read::<TokenRequest<'_>>().ok());
        Self {
            user_agent: user_agent.map(|agent| Box::new(UserAgent::read(agent))),
            upgrades: task::upgrades(authenticate),
            used_token: used_token.and_then(|used| used.read().ok()),
            wished: wish.and_then(|wish| wish.mechanism.parse().ok()),
            resume: resume.and_then(asked_for),
            bind: bind.map(|bind| BindRequest {
                tag: bind
                    .child("tag", ns::BIND2)
                    .map(|tag| tag.text().into_owned()),
                enable: bind.child("enable", ns::STREAM_MANAGEMENT).map(Wish::read),
                inactive: bind.child("inactive", ns::CLIENT_STATE).is_some(),
            }),
        }
    }

    /// Whether all is there that the mechanism needs: a token is used by a client that says which it is.
    fn is_whole(&self, mechanism: &str) -> bool {
        let is_token = mechanism
            .parse::<Mechanism>()
            .is_ok_and(Mechanism::is_token);
        let agent = self.user_agent.as_ref();
        let is_identified = agent.is_some_and(|agent| agent.id().is_some());
        !is_token || (is_identified && self.used_token.is_some())
    }
}

/// The mechanisms for tokens that a client is offered.
fn token_offer(shared: &Shared) -> Vec<Mechanism> {
    let (Some(sasl), Config::Receiver(config)) = (shared.config.sasl(), &shared.config) else {
        return Vec::new();
    };
    match &config.fast {
        Some(_) => sasl.token_offer(&described(shared, Profile::Second)),
        None => Vec::new(),
    }
}

#[derive(Default)]
pub(super) struct Sasl2Receiver {
    exchange: Exchange,
    request: Request,
    /// Whose mechanism is done, and which one.
    proven: Option<(Jid, Mechanism)>,
    tasks: Tasks,
    /// What the mechanism has to say with success.
    data: Option<Vec<u8>>,
    /// What the client logs in with the next time.
    token: Option<FastToken>,
    /// Why the session was not resumed, and how much of it was handled.
    lost: Option<(StanzaCondition, Option<u32>)>,
}

impl Sasl2Receiver {
    fn follow(&mut self, turn: Turn, context: &mut Context<'_>) -> Result<Progress, Error> {
        let (account, mechanism, data) = match turn {
            Turn::Application(ticket) => return Ok(Progress::Answer(ticket)),
            Turn::Tokens(account) => {
                let is_told = context.shared.from.is_some();
                if !is_told || !is_who_it_claims(&account, context.shared) {
                    return self.fail(Condition::NotAuthorized, context);
                }
                let mechanism = self.exchange.mechanism();
                return match mechanism
                    .and_then(|mechanism| self.ask_tokens(account, mechanism, context))
                {
                    Some(ticket) => Ok(Progress::Answer(ticket)),
                    None => self.fail(Condition::MalformedRequest, context),
                };
            }
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
        if !is_who_it_claims(&account, context.shared) {
            return self.fail(Condition::NotAuthorized, context);
        }
        self.proven = Some((account.clone(), mechanism));
        if mechanism.is_token() {
            // Nothing else is demanded of it (XEP-0484 §4.2).
            self.data = data;
            return self.accept(context);
        }
        let upgrades = core::mem::take(&mut self.request.upgrades);
        let next = self.tasks.begin(data, upgrades, &account, context)?;
        self.go_on(next, context)
    }

    /// Where a task leads.
    fn go_on(&mut self, next: Next, context: &mut Context<'_>) -> Result<Progress, Error> {
        match next {
            Next::Application(ticket) => Ok(Progress::Answer(ticket)),
            Next::Peer => Ok(Progress::Wait),
            Next::Nothing => {
                self.data = self.tasks.take_data();
                self.accept(context)
            }
            Next::Refused(condition) => self.fail(condition, context),
        }
    }

    /// Nothing else is to be done.
    fn accept(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        let Some((account, mechanism)) = self.proven.take() else {
            return self.fail(Condition::TemporaryAuthFailure, context);
        };
        let shared = &mut *context.shared;
        shared.account = Some(account.clone());
        shared.facts = shared.facts.with(Facts::AUTHENTICATED);
        context.events.push_back(Event::Authenticated {
            account,
            mechanism,
            keys: None,
            user_agent: self.request.user_agent.clone(),
        });
        self.grant_token(context)
    }

    /// Asks for the tokens of the client, if it says which it is.
    fn ask_tokens(
        &self,
        account: Jid,
        mechanism: Mechanism,
        context: &mut Context<'_>,
    ) -> Option<Ticket> {
        let client = Box::from(self.request.user_agent.as_ref()?.id()?);
        let ticket = context.shared.ticket(Question::Tokens);
        context.events.push_back(Event::Tokens {
            ticket,
            account,
            client,
            mechanism,
        });
        Some(ticket)
    }

    /// Who has logged in without a token may get one.
    fn grant_token(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        let offered = token_offer(context.shared);
        let wished = self.request.wished;
        if let Some(mechanism) = wished.filter(|wished| offered.contains(wished))
            && let Some(account) = context.shared.account.clone()
            && let Some(ticket) = self.ask_tokens(account, mechanism, context)
        {
            return Ok(Progress::Answer(ticket));
        }
        self.resume(context)
    }

    /// The application has looked up the tokens of the client.
    fn handle_tokens(
        &mut self,
        answer: Result<&mut FastTokens, Condition>,
        time: DateTime,
        context: &mut Context<'_>,
    ) -> Result<Progress, Error> {
        let Config::Receiver(config) = context.shared.config.clone() else {
            return Ok(Progress::Open);
        };
        let Some(fast) = &config.fast else {
            return self.fail(Condition::TemporaryAuthFailure, context);
        };
        let wished = self.request.wished.take();
        if !self.exchange.is_running() {
            let random = context.shared.entropy.bytes();
            if let (Ok(tokens), Some(mechanism)) = (answer, wished) {
                self.token = tokens.issue(mechanism, random, fast, time);
            }
            return self.resume(context);
        }
        let tokens = match answer {
            Ok(tokens) => tokens,
            Err(condition) => return self.fail(condition, context),
        };
        let attempt = Attempt {
            of_token: self.request.used_token.unwrap_or_default(),
            is_early: context.shared.is_early,
        };
        let turn = self.exchange.check_tokens(tokens, &attempt, time, context);
        if let Turn::Success { mechanism, .. } = &turn {
            let offered = token_offer(context.shared);
            let wished = wished.filter(|wished| offered.contains(wished));
            let due = Some(*mechanism).filter(|_| tokens.is_due(fast, time));
            if let Some(mechanism) = wished.or(due) {
                let random = context.shared.entropy.bytes();
                self.token = tokens.issue(mechanism, random, fast, time);
            }
        }
        self.follow(turn, context)
    }

    /// A session comes before a resource (XEP-0386 §3.2).
    fn resume(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        let Some((id, _)) = &self.request.resume else {
            return self.bind(context);
        };
        let config = context.shared.management_config();
        let is_allowed = config.is_some_and(|config| config.allows_resumption());
        let account = context.shared.account.clone();
        let Some(account) = account.filter(|_| is_allowed && !id.is_empty()) else {
            let condition = if is_allowed {
                StanzaCondition::ItemNotFound
            } else {
                StanzaCondition::FeatureNotImplemented
            };
            self.lost = Some((condition, None));
            return self.bind(context);
        };
        let (ticket, id) = (context.shared.ticket(Question::Resume), id.clone());
        context.events.push_back(Event::Resume {
            ticket,
            account,
            id,
        });
        Ok(Progress::Answer(ticket))
    }

    fn bind(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        let shared = &mut *context.shared;
        let (Some(request), Some(account)) = (&self.request.bind, &shared.account) else {
            return self.unbound(context);
        };
        let account = account.clone();
        let agent = self
            .request
            .user_agent
            .as_ref()
            .and_then(|agent| agent.id());
        let stable = match &shared.config {
            Config::Receiver(config) => config.resource_secret.as_ref().zip(agent),
            Config::Initiator(_) => None,
        };
        let tag = request.tag.as_deref().unwrap_or_default();
        let stable = stable.map(|(secret, agent)| secret.resource(&account, agent, tag));
        let unique = stable.unwrap_or_else(|| shared.entropy.token());
        let tagged = request.tag.as_deref().map(|tag| format!("{tag}/{unique}"));
        let tagged = tagged.and_then(|resource| account.with_resource(&resource).ok());
        let Some(jid) = tagged.or_else(|| account.with_resource(&unique).ok()) else {
            return self.unbound(context);
        };
        let ticket = shared.ticket(Question::Bind);
        context.events.push_back(Event::Bind {
            ticket,
            jid,
            requested: false,
        });
        Ok(Progress::Answer(ticket))
    }

    /// Authenticated and no more: a resource is bound later.
    fn unbound(&mut self, context: &mut Context<'_>) -> Result<Progress, Error> {
        let account = context.shared.account.clone();
        let identity = account.as_ref().map_or("", Jid::as_str);
        self.write_success(identity, context, |_| {})?;
        Ok(Progress::Features)
    }

    fn bound(&mut self, jid: Jid, context: &mut Context<'_>) -> Result<Progress, Error> {
        let request = self.request.bind.take().unwrap_or_default();
        let config = context.shared.management_config().cloned();
        let refused = request.enable.is_some() && config.is_none();
        if let (Some(wish), Some(config)) = (request.enable, config) {
            let id = context.shared.entropy.token();
            let mut management = Management::offered(jid.clone(), id, config);
            management.enable(wish);
            context.events.push_back(Event::Managed {
                resumable: management.is_resumable(),
            });
            context.shared.management = Some(management);
        }
        let management = context.shared.management.take();
        self.write_success(jid.as_str(), context, |writer| {
            writer.start("bound", ns::BIND2);
            if let Some(management) = &management {
                management.write_enabled(writer);
            } else if refused {
                failed(StanzaCondition::FeatureNotImplemented, None, writer);
            }
            writer.end();
        })?;
        let shared = &mut *context.shared;
        shared.management = management;
        shared.bound = Some(jid);
        shared.facts = shared.facts.with(Facts::BOUND);
        if let Config::Receiver(config) = &shared.config
            && config.client_state
            && request.inactive
        {
            context
                .events
                .push_back(Event::ClientState { active: false });
        }
        Ok(Progress::Bound)
    }

    /// Writes success, with what was lost and what was won along with it.
    fn write_success(
        &mut self,
        identity: &str,
        context: &mut Context<'_>,
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(), Error> {
        context.shared.is_exclusive = false;
        let (data, lost) = (self.data.take(), self.lost.take());
        let token = self.token.take();
        context.write(|writer| {
            writer.start("success", ns::SASL2);
            if let Some(data) = data {
                writer.start("additional-data", ns::SASL2);
                writer.text(&wire::encode(&data)).end();
            }
            writer.start("authorization-identifier", ns::SASL2);
            writer.text(identity).end();
            if let Some(token) = token {
                writer.payload(&token.to_issued());
            }
            if let Some((condition, handled)) = lost {
                failed(condition, handled, writer);
            }
            write(writer);
            writer.end();
        })
    }

    fn fail(&mut self, condition: Condition, context: &mut Context<'_>) -> Result<Progress, Error> {
        self.exchange.clear();
        self.request = Request::default();
        (self.proven, self.token) = (None, None);
        self.tasks = Tasks::default();
        context.shared.is_exclusive = false;
        context.write(|writer| {
            writer
                .start("failure", ns::SASL2)
                .empty(condition.name(), ns::SASL)
                .end();
        })?;
        count_failure(context.shared)
    }
}

impl Feature for Sasl2Receiver {
    fn terms(&self) -> Terms {
        Terms::new(FeatureKind::Sasl, ELEMENT)
            .after(Facts::SECURE)
            .until(Facts::AUTHENTICATED)
    }

    fn list(&self, shared: &Shared, writer: &mut Writer<'_>) {
        let (Some(sasl), Config::Receiver(config)) = (shared.config.sasl(), &shared.config) else {
            return;
        };
        let channel = described(shared, Profile::Second);
        let mechanisms = sasl.offer(&channel);
        if mechanisms.is_empty() {
            return;
        }
        writer.start("authentication", ns::SASL2);
        for mechanism in mechanisms {
            writer.start("mechanism", ns::SASL2);
            writer.text(mechanism.name()).end();
        }
        writer.start("inline", ns::SASL2);
        writer.start("bind", ns::BIND2).start("inline", ns::BIND2);
        let features = [
            (ns::STREAM_MANAGEMENT, config.management.is_some()),
            (ns::CLIENT_STATE, config.client_state),
        ];
        for (feature, _) in features.iter().filter(|(_, is_offered)| *is_offered) {
            writer.start("feature", ns::BIND2);
            writer.attribute("var", feature).end();
        }
        writer.end().end();
        if config.management.is_some() {
            writer.empty("sm", ns::STREAM_MANAGEMENT);
        }
        if let Some(fast) = &config.fast {
            fast.list(&token_offer(shared), writer);
        }
        writer.end();
        task::list_upgrades(&config.upgrades.0, writer);
        writer.end();
        let kinds = sasl.binding_kinds(&channel);
        if !kinds.is_empty() {
            writer.start("sasl-channel-binding", ns::SASL_CHANNEL_BINDING);
            for kind in kinds {
                writer.start("channel-binding", ns::SASL_CHANNEL_BINDING);
                writer.attribute("type", kind.name()).end();
            }
            writer.end();
        }
    }

    fn takes(&self, element: ElementRef<'_>) -> bool {
        element.namespace() == ns::SASL2
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
        if self.tasks.is_running()
            && let Some((account, _)) = self.proven.clone()
        {
            let next = self.tasks.handle(element, &account, context)?;
            return self.go_on(next, context);
        }
        let is_running = self.exchange.is_running();
        let step = match element.name() {
            "authenticate" if !is_running => {
                self.request = Request::read(element);
                context.shared.is_exclusive = true;
                let mechanism = element.attribute("mechanism").unwrap_or_default();
                let response = element.child("initial-response", ns::SASL2);
                let response = response.map(|response| wire::decode(response.text().trim()));
                match response.transpose() {
                    // Who uses a token says so, and which client it is.
                    _ if !self.request.is_whole(&mechanism) => Err(Failure::OutOfOrder),
                    Ok(data) => {
                        let data = data.as_deref();
                        self.exchange
                            .begin(&mechanism, data, Profile::Second, context.shared)
                    }
                    Err(error) => Err(error.into()),
                }
            }
            "response" if is_running => match wire::decode(element.text().trim()) {
                Ok(data) => self.exchange.respond(&data),
                Err(error) => Err(error.into()),
            },
            "abort" => Err(self.exchange.abort()),
            _ => {
                let text = "not the next step of authentication";
                return Err(violation(StreamCondition::PolicyViolation, text));
            }
        };
        let turn = self.exchange.follow(step, context);
        self.follow(turn, context)
    }

    fn answer(&mut self, answer: Answer<'_>, context: &mut Context<'_>) -> Result<Progress, Error> {
        match answer {
            Answer::Tokens(answer, time) => self.handle_tokens(answer, time, context),
            Answer::Task(_) | Answer::Upgrade(_) => {
                let Some((account, _)) = self.proven.clone() else {
                    return self.fail(Condition::TemporaryAuthFailure, context);
                };
                let next = self.tasks.answer(answer, &account, context)?;
                self.go_on(next, context)
            }
            Answer::Resume(answer) => {
                let (id, handled) = self.request.resume.take().unwrap_or_default();
                match take_up(answer, &id, handled, context)? {
                    Ok(h) => {
                        let jid = context.shared.bound.clone();
                        let identity = jid.as_ref().map_or("", Jid::as_str);
                        self.write_success(identity, context, |writer| {
                            write_resumed(&id, h, writer);
                        })?;
                        if let Some(management) = &context.shared.management {
                            management.write_queue(context.output);
                        }
                        Ok(Progress::Done)
                    }
                    Err(handled) => {
                        self.lost = Some((StanzaCondition::ItemNotFound, handled));
                        self.bind(context)
                    }
                }
            }
            Answer::Bind(Ok(jid)) => self.bound(jid, context),
            // The client is who it says all the same, and may bind by itself.
            Answer::Bind(Err(_)) => self.unbound(context),
            answer => {
                let turn = self.exchange.answer(answer, context);
                self.follow(turn, context)
            }
        }
    }
}

/// A step of the mechanism; an empty element is an empty message (XEP-0388 §2.2).
fn message(writer: &mut Writer<'_>, name: &str, data: &str) {
    writer.start(name, ns::SASL2);
    if !data.is_empty() {
        writer.text(data);
    }
    writer.end();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_of_installations_are_uuids_of_version_4() {
        let agent = UserAgent::generate(&mut Entropy::from_seed([1; 32]));
        assert!(agent.id().is_some_and(is_uuid), "{agent:?}");
        assert!(UserAgent::with_id("d4565fa7-4d72-4749-b3d3-740edbf87770").is_some());
        for wrong in [
            "",
            "d4565fa7-4d72-1749-b3d3-740edbf87770",
            "d4565fa7-4d72-4749-c3d3-740edbf87770",
            "d4565fa74d724749b3d3740edbf87770",
            "g4565fa7-4d72-4749-b3d3-740edbf87770",
            "d4565fa7-4d72-4749-b3d3-740edbf877700",
        ] {
            assert_eq!(UserAgent::with_id(wrong), None, "{wrong}");
        }
    }
}
