//! What several test files need.

use xmpp_sasl::{
    BearerError, BindingKind, Channel, ChannelBinding, Client, Credentials, Error, Failure, Hash,
    Mechanism, Nonce, Policy, Server, ServerConfig, Step, StoredCredentials, Token, TokenSlots,
};

pub(crate) const SALT: &[u8] = b"sixteen byte salt";

/// Bounds that keep the tests quick.
pub(crate) fn policy() -> Policy {
    Policy::default().min_iterations(1)
}

/// Every mechanism, with no word about the offer, so that clients may be told of another one.
pub(crate) fn config() -> ServerConfig {
    ServerConfig::new([1; 32])
        .mechanisms(Mechanism::ALL.iter().copied())
        .unknown_users(2, 16)
        .confirm_offer(false)
}

/// The mechanisms that a password serves.
pub(crate) fn password_mechanisms() -> Vec<Mechanism> {
    let mut mechanisms = scram_mechanisms();
    mechanisms.push(Mechanism::Plain);
    mechanisms
}

pub(crate) fn scram_mechanisms() -> Vec<Mechanism> {
    let all = Mechanism::ALL.iter().copied();
    all.filter(|mechanism| mechanism.hash().is_some()).collect()
}

pub(crate) fn token_mechanisms() -> Vec<Mechanism> {
    let all = Mechanism::ALL.iter().copied();
    all.filter(|mechanism| mechanism.is_token()).collect()
}

/// A channel that carries every mechanism.
pub(crate) fn full_channel() -> Channel {
    tls()
        .binding(ChannelBinding::tls_unique(b"finished").unwrap())
        .binding(end_point(b"hash"))
        .identities(["user@example.org"])
        .host("example.org")
        .port(5222)
}

/// The mechanisms that both sides speak.
pub(crate) fn all_mechanisms() -> Vec<Mechanism> {
    let all = Mechanism::ALL.iter().copied();
    all.filter(|mechanism| *mechanism != Mechanism::DigestMd5)
        .collect()
}

pub(crate) const TOKEN: &str = "WXZzciBwYmFmdmZnZiBqdmd1IGp2eXFhcmZm";
pub(crate) const BEARER_TOKEN: &str = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";

/// What a client of any mechanism logs in with.
pub(crate) fn credentials(mechanism: Mechanism) -> Credentials {
    match mechanism {
        Mechanism::External => Credentials::certificate(),
        Mechanism::OAuthBearer => Credentials::bearer_token(BEARER_TOKEN),
        Mechanism::Anonymous => Credentials::anonymous(),
        mechanism => match Token::new(mechanism, TOKEN) {
            Some(token) => Credentials::token("user", token),
            None => Credentials::password("user", "pencil"),
        },
    }
}

/// A client of any mechanism on the full channel, before its first message.
pub(crate) fn any_client(mechanism: Mechanism) -> Client {
    Client::select(
        [mechanism.name()],
        &credentials(mechanism),
        &full_channel(),
        &policy()
            .mechanisms([mechanism])
            .max_iterations(100)
            .allow_plain(true),
        nonce("client-nonce"),
    )
    .unwrap()
}

/// A server of any mechanism on the full channel.
pub(crate) fn any_server(mechanism: Mechanism) -> Server {
    let config = config().mechanisms([mechanism]);
    Server::start(
        &config,
        mechanism.name(),
        &full_channel(),
        nonce("server-nonce"),
    )
    .unwrap()
}

/// Answers what a server asks of its application, until it is the peer's turn; it knows `user` with `pencil`, the token
/// and the bearer token.
pub(crate) fn settle(
    server: &mut Server,
    mut step: Result<Step, Failure>,
) -> Result<Step, Failure> {
    loop {
        step = match step? {
            Step::Lookup { user, hash } => {
                let account = account(hash.unwrap_or(Hash::Sha256), "pencil");
                server.handle_lookup((user == "user").then_some(&account))
            }
            Step::Tokens { user } => {
                let mut slots = TokenSlots::new(None, Token::new(server.mechanism(), TOKEN));
                server.handle_tokens((user == "user").then_some(&mut slots))
            }
            Step::Bearer { token, .. } => {
                let is_known = token.is_some_and(|token| *token == BEARER_TOKEN);
                let error = BearerError::invalid_token();
                server.handle_bearer(if is_known { Ok("user") } else { Err(&error) })
            }
            Step::Authorize {
                user,
                authorization,
            } => server.handle_authorization(user == authorization),
            step => return Ok(step),
        };
    }
}

pub(crate) fn tls() -> Channel {
    Channel::tls().binding(ChannelBinding::tls_exporter([7; 32]))
}

pub(crate) fn account(hash: Hash, password: &str) -> StoredCredentials {
    StoredCredentials::derive(hash, password, SALT, 2).unwrap()
}

pub(crate) fn nonce(text: &str) -> Nonce {
    Nonce::from_text(text).unwrap()
}

/// A client of this one mechanism that has sent its first message.
pub(crate) fn client(mechanism: Mechanism, channel: &Channel, policy: Policy) -> (Client, Vec<u8>) {
    let mut client = Client::select(
        [mechanism.name()],
        &Credentials::password("user", "pencil"),
        channel,
        &policy.mechanisms([mechanism]),
        nonce("client"),
    )
    .unwrap();
    let first = client.initial_response().unwrap();
    (client, first)
}

/// A SCRAM-SHA-256 client without channel binding that has sent its first message with the nonce `client`.
pub(crate) fn scram_client() -> Client {
    client(Mechanism::ScramSha256, &Channel::cleartext(), policy()).0
}

/// A SCRAM-SHA-256 server without channel binding, with the nonce `server`.
pub(crate) fn scram_server() -> Server {
    let config = config().mechanisms([Mechanism::ScramSha256]);
    Server::start(
        &config,
        "SCRAM-SHA-256",
        &Channel::cleartext(),
        nonce("server"),
    )
    .unwrap()
}

/// How an exchange that reached its end went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) user: String,
    pub(crate) authorization: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Client(Error),
    Server(Failure),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Client(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Stop {
        Stop::Server(failure)
    }
}

/// Lets the two talk until either is done; the server knows `user`, with `password`.
pub(crate) fn exchange(
    client: &mut Client,
    server: &mut Server,
    user: &str,
    password: &str,
) -> Result<Outcome, Stop> {
    let mut step = server.handle_initial(client.initial_response().as_deref())?;
    loop {
        step = match step {
            Step::Lookup { user: asked, hash } => {
                let account = account(hash.unwrap_or(Hash::Sha256), password);
                server.handle_lookup((asked == user).then_some(&account))?
            }
            Step::Challenge(challenge) => {
                server.handle_response(&client.handle_challenge(&challenge)?)?
            }
            Step::Authorize { .. } => server.handle_authorization(true)?,
            Step::Success {
                user,
                authorization,
                data,
            } => {
                client.handle_success(data.as_deref())?;
                assert!(client.is_authenticated() && server.is_authenticated());
                return Ok(Outcome {
                    user,
                    authorization,
                });
            }
            step => panic!("unknown step {step:?}"),
        };
    }
}

/// Selects and exchanges over one channel, seen alike from both sides.
pub(crate) fn log_in(
    config: &ServerConfig,
    channel: &Channel,
    credentials: &Credentials,
    policy: &Policy,
) -> Result<(Mechanism, Outcome), Stop> {
    let offer = config.offer(channel);
    let mut client = Client::select(
        offer.iter().map(|mechanism| mechanism.name()),
        credentials,
        channel,
        policy,
        Nonce::new([2; 18]),
    )?;
    let mechanism = client.mechanism();
    let mut server = Server::start(config, mechanism.name(), channel, Nonce::new([3; 18]))?;
    exchange(&mut client, &mut server, "user", "pencil").map(|outcome| (mechanism, outcome))
}

pub(crate) fn end_point(data: &[u8]) -> ChannelBinding {
    ChannelBinding::new(BindingKind::TlsServerEndPoint, data).unwrap()
}
