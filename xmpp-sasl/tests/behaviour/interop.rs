//! Against the crate `sasl`, where that is right: its clients with our server, our client with its servers.

use sasl::client::Mechanism as _;
use sasl::client::mechanisms::{Plain as TheirPlainClient, Scram as TheirScramClient};
use sasl::common::scram::{ScramProvider, Sha1, Sha256};
use sasl::common::{ChannelBinding as TheirBinding, Credentials as TheirCredentials, Identity};
use sasl::impl_validator_using_provider;
use sasl::secret::{self, Pbkdf2Sha1, Pbkdf2Sha256};
use sasl::server::mechanisms::{Plain as TheirPlainServer, Scram as TheirScramServer};
use sasl::server::{
    Mechanism as TheirServer, Provider, ProviderError, Response, Validator, ValidatorError,
};
use xmpp_sasl::{
    Channel, ChannelBinding, Client, Credentials, Error, Failure, Hash, Mechanism, Nonce, Policy,
    Server, ServerConfig, Step, StoredCredentials,
};

pub(crate) const ITERATIONS: u32 = 4096;
pub(crate) const SALT: &[u8] = b"sixteen byte salt";

/// One account, `user` with `pencil`, as that crate's servers look it up.
#[derive(Clone, Copy)]
pub(crate) struct Accounts;

fn is_user(identity: &Identity) -> Result<(), ProviderError> {
    if *identity == Identity::Username("user".to_owned()) {
        Ok(())
    } else {
        Err(ProviderError::AuthenticationFailed)
    }
}

impl Provider<Pbkdf2Sha1> for Accounts {
    fn provide(&self, identity: &Identity) -> Result<Pbkdf2Sha1, ProviderError> {
        is_user(identity)?;
        Ok(Pbkdf2Sha1::derive("pencil", SALT, ITERATIONS)?)
    }
}

impl Provider<Pbkdf2Sha256> for Accounts {
    fn provide(&self, identity: &Identity) -> Result<Pbkdf2Sha256, ProviderError> {
        is_user(identity)?;
        Ok(Pbkdf2Sha256::derive("pencil", SALT, ITERATIONS)?)
    }
}

impl_validator_using_provider!(Accounts, Pbkdf2Sha1);
impl_validator_using_provider!(Accounts, Pbkdf2Sha256);

impl Validator<secret::Plain> for Accounts {
    fn validate(&self, identity: &Identity, value: &secret::Plain) -> Result<(), ValidatorError> {
        is_user(identity)?;
        if value.0 == "pencil" {
            Ok(())
        } else {
            Err(ValidatorError::AuthenticationFailed)
        }
    }
}

fn their_credentials(user: &str, password: &str) -> TheirCredentials {
    TheirCredentials::default()
        .with_username(user)
        .with_password(password)
}

/// Their client with our server.
fn into_ours(
    client: &mut dyn sasl::client::Mechanism,
    channel: &Channel,
) -> Result<String, Failure> {
    let config = ServerConfig::new([1; 32])
        .mechanisms(Mechanism::ALL.iter().copied())
        .unknown_users(ITERATIONS, SALT.len());
    let name = client.name().to_owned();
    let mut server = Server::start(&config, &name, channel, Nonce::new([3; 18]))?;
    let mut step = server.handle_initial(Some(&client.initial()))?;
    loop {
        step = match step {
            Step::Lookup { user, hash } => {
                let hash = hash.unwrap_or(Hash::Sha256);
                let stored = StoredCredentials::derive(hash, "pencil", SALT, ITERATIONS).unwrap();
                server.handle_lookup((user == "user").then_some(&stored))?
            }
            Step::Challenge(challenge) => {
                let response = client.response(&challenge).unwrap();
                server.handle_response(&response)?
            }
            Step::Success { user, data, .. } => {
                client.success(&data.unwrap_or_default()).unwrap();
                return Ok(user);
            }
            step => panic!("unexpected step {step:?}"),
        };
    }
}

/// Our client with their server; that the client is authenticated means that it verified the server.
fn into_theirs(mechanism: Mechanism, password: &str, server: &mut dyn TheirServer) -> bool {
    // Their server takes `y` only, so ours has to be a client that can bind.
    let channel = Channel::tls().binding(ChannelBinding::tls_exporter([7; 32]));
    let mut client = Client::select(
        [mechanism.name()],
        &Credentials::password("user", password),
        &channel,
        &Policy::default().allow_plain(true),
        Nonce::new([2; 18]),
    )
    .unwrap();
    let mut message = client.initial_response().unwrap();
    loop {
        match server.respond(&message) {
            Ok(Response::Proceed(challenge)) => {
                message = client.handle_challenge(&challenge).unwrap();
            }
            Ok(Response::Success(identity, data)) => {
                assert_eq!(identity, Identity::Username("user".to_owned()));
                client.handle_success(Some(&data)).unwrap();
                return client.is_authenticated();
            }
            Err(_) => return false,
        }
    }
}

#[test]
fn their_scram_clients_log_in_to_our_server() {
    let right = their_credentials("user", "pencil");
    let mut sha1 = TheirScramClient::<Sha1>::from_credentials(right.clone()).unwrap();
    assert_eq!(into_ours(&mut sha1, &Channel::tls()).unwrap(), "user");
    let mut sha256 = TheirScramClient::<Sha256>::from_credentials(right.clone()).unwrap();
    assert_eq!(into_ours(&mut sha256, &Channel::tls()).unwrap(), "user");

    let bound = right.with_channel_binding(TheirBinding::TlsExporter(vec![7; 32]));
    let channel = Channel::tls().binding(ChannelBinding::tls_exporter([7; 32]));
    let mut plus = TheirScramClient::<Sha256>::from_credentials(bound.clone()).unwrap();
    assert_eq!(plus.name(), "SCRAM-SHA-256-PLUS");
    assert_eq!(into_ours(&mut plus, &channel).unwrap(), "user");
    let mut plus = TheirScramClient::<Sha1>::from_credentials(bound).unwrap();
    let elsewhere = Channel::tls().binding(ChannelBinding::tls_exporter([8; 32]));
    assert_eq!(
        into_ours(&mut plus, &elsewhere),
        Err(Failure::BindingMismatch)
    );
}

#[test]
fn their_clients_with_wrong_credentials_stay_outside() {
    for wrong in [
        their_credentials("user", "pencils"),
        their_credentials("nobody", "pencil"),
    ] {
        let mut sha256 = TheirScramClient::<Sha256>::from_credentials(wrong.clone()).unwrap();
        let result = into_ours(&mut sha256, &Channel::tls());
        assert_eq!(result, Err(Failure::WrongCredentials));
        let mut plain = TheirPlainClient::from_credentials(wrong).unwrap();
        let result = into_ours(&mut plain, &Channel::tls());
        assert_eq!(result, Err(Failure::WrongCredentials));
    }
}

#[test]
fn their_plain_client_logs_in_to_our_server() {
    let right = their_credentials("user", "pencil");
    let mut plain = TheirPlainClient::from_credentials(right).unwrap();
    assert_eq!(into_ours(&mut plain, &Channel::tls()).unwrap(), "user");
}

#[test]
fn our_client_logs_in_to_their_servers() {
    for (password, is_right) in [("pencil", true), ("pencils", false)] {
        let mut sha1 = TheirScramServer::<Sha1, _>::new(Accounts, TheirBinding::None);
        assert_eq!(
            into_theirs(Mechanism::ScramSha1, password, &mut sha1),
            is_right
        );
        let mut sha256 = TheirScramServer::<Sha256, _>::new(Accounts, TheirBinding::None);
        assert_eq!(
            into_theirs(Mechanism::ScramSha256, password, &mut sha256),
            is_right
        );
        let mut plain = TheirPlainServer::new(Accounts);
        assert_eq!(
            into_theirs(Mechanism::Plain, password, &mut plain),
            is_right
        );
    }
}

#[test]
fn both_derive_the_same_salted_password() {
    let theirs = Pbkdf2Sha256::derive("pencil", SALT, ITERATIONS).unwrap();
    let ours = StoredCredentials::derive(Hash::Sha256, "pencil", SALT, ITERATIONS).unwrap();
    let of_theirs =
        StoredCredentials::from_salted_password(Hash::Sha256, &theirs.digest, SALT, ITERATIONS);
    assert_eq!(of_theirs, Some(ours));
    assert_eq!(Sha256::name(), Hash::Sha256.name());
}

/// Where that crate is not right, ours does not follow: its client sends a proof for a nonce that is not its own.
#[test]
fn what_their_client_takes_ours_refuses() {
    let challenge = b"r=not-an-extension,s=c2FsdA==,i=1";
    let mut theirs =
        TheirScramClient::<Sha256>::from_credentials(their_credentials("user", "pencil")).unwrap();
    let _ = theirs.initial();
    assert!(theirs.response(challenge).is_ok());

    let mut ours = crate::common::scram_client();
    assert_eq!(ours.handle_challenge(challenge), Err(Error::NonceMismatch));
}
