//! Our mechanisms behind the traits of the crate `sasl`, and its mechanisms behind our methods.

use sasl::client::Mechanism as _;
use sasl::client::MechanismError as ClientError;
use sasl::client::mechanisms::{Anonymous, Plain as TheirPlain, Scram as TheirScram};
use sasl::common::scram::Sha256;
use sasl::common::{ChannelBinding as TheirBinding, Credentials, Identity, Password, Secret};
use sasl::server::mechanisms::{Plain as TheirPlainServer, Scram as TheirScramServer};
use sasl::server::{Mechanism as _, MechanismError as ServerError, Response, Validator as _};
use xmpp_sasl::adapter::{
    ClientMechanism, ForeignClient, ForeignServer, PlainValidator, ServerMechanism, provider_lookup,
};
use xmpp_sasl::{
    Channel, ChannelBinding, Error, Failure, Hash, Mechanism, Server, Step, StoredCredentials,
};

use crate::common::{config, nonce};
use crate::interop::{Accounts, ITERATIONS, SALT};

fn credentials() -> Credentials {
    Credentials::default()
        .with_username("user")
        .with_password("pencil")
}

fn lookup(user: &str, hash: Option<Hash>) -> Option<StoredCredentials> {
    let hash = hash.unwrap_or(Hash::Sha256);
    let stored = StoredCredentials::derive(hash, "pencil", SALT, ITERATIONS).unwrap();
    (user == "user").then_some(stored)
}

type Lookup = fn(&str, Option<Hash>) -> Option<StoredCredentials>;

fn server(mechanism: Mechanism, channel: &Channel) -> ServerMechanism<Lookup> {
    let server = Server::start(&config(), mechanism.name(), channel, nonce("server")).unwrap();
    ServerMechanism::new(server, lookup)
}

/// Lets two talk that know only the traits of the other crate.
fn talk(
    client: &mut dyn sasl::client::Mechanism,
    server: &mut dyn sasl::server::Mechanism,
) -> Result<Identity, String> {
    assert_eq!(client.name(), server.name());
    let mut message = client.initial();
    loop {
        match server
            .respond(&message)
            .map_err(|error| error.to_string())?
        {
            Response::Proceed(challenge) => {
                message = client
                    .response(&challenge)
                    .map_err(|error| error.to_string())?;
            }
            Response::Success(identity, data) => {
                client.success(&data).map_err(|error| error.to_string())?;
                return Ok(identity);
            }
        }
    }
}

#[test]
fn our_client_and_server_talk_through_the_traits() {
    let user = Identity::Username("user".to_owned());
    for mechanism in crate::common::password_mechanisms() {
        let mut theirs = credentials();
        let mut channel = Channel::tls();
        if mechanism.is_channel_bound() {
            theirs = theirs.with_channel_binding(TheirBinding::TlsUnique(vec![7; 12]));
            channel = channel.binding(ChannelBinding::tls_unique(&[7; 12]).unwrap());
        }
        let mut client = ClientMechanism::new(mechanism, theirs).unwrap();
        let mut server = server(mechanism, &channel);
        assert_eq!(
            talk(&mut client, &mut server),
            Ok(user.clone()),
            "{mechanism}"
        );
        assert!(client.client().is_authenticated() && server.server().is_authenticated());
    }
    let mut client = ClientMechanism::new(Mechanism::Anonymous, Credentials::default()).unwrap();
    let mut server = server(Mechanism::Anonymous, &Channel::tls());
    assert!(matches!(
        talk(&mut client, &mut server),
        Ok(Identity::Username(_))
    ));
}

#[test]
fn a_client_from_credentials_is_of_scram_sha_256() {
    let client = ClientMechanism::from_credentials(credentials()).unwrap();
    assert_eq!(client.name(), "SCRAM-SHA-256");
    let bound = credentials().with_channel_binding(TheirBinding::TlsExporter(vec![7; 32]));
    let mut bound = ClientMechanism::from_credentials(bound).unwrap();
    assert_eq!(bound.name(), "SCRAM-SHA-256-PLUS");
    assert!(bound.initial().starts_with(b"p=tls-exporter,,n=user,r="));
    // A client that could bind, had it been offered.
    let unsupported = credentials().with_channel_binding(TheirBinding::Unsupported);
    let mut unsupported = ClientMechanism::from_credentials(unsupported).unwrap();
    assert_eq!(unsupported.name(), "SCRAM-SHA-256");
    assert!(unsupported.initial().starts_with(b"y,,n=user,r="));
    // Every client has a nonce of its own.
    let initial = || {
        ClientMechanism::from_credentials(credentials())
            .unwrap()
            .initial()
    };
    assert_ne!(initial(), initial());
}

#[test]
fn keys_of_the_other_crate_serve_as_ours() {
    let digest = sasl::secret::Pbkdf2Sha256::derive("pencil", SALT, ITERATIONS)
        .unwrap()
        .digest;
    let with = |method: &str, data: Vec<u8>| Credentials {
        secret: Secret::Password(Password::Pbkdf2 {
            method: method.to_owned(),
            salt: SALT.to_vec(),
            iterations: ITERATIONS,
            data,
        }),
        ..credentials()
    };
    let keys = with("SHA-256", digest.clone());
    let mut client = ClientMechanism::new(Mechanism::ScramSha256, keys).unwrap();
    let mut server = server(Mechanism::ScramSha256, &Channel::tls());
    assert!(talk(&mut client, &mut server).is_ok());
    for wrong in [
        with("SHA-257", digest.clone()),
        with("SHA-1", digest.clone()),
        with("SHA-256", vec![1; 31]),
    ] {
        let error = ClientMechanism::new(Mechanism::ScramSha256, wrong).unwrap_err();
        assert!(matches!(error, ClientError::DeriveError(_)), "{error}");
    }
}

#[test]
fn credentials_that_do_not_fit_are_refused() {
    let new = |mechanism, credentials| ClientMechanism::new(mechanism, credentials).unwrap_err();
    let nobody = Credentials::default;
    assert_eq!(
        new(Mechanism::ScramSha256, nobody().with_password("pencil")),
        ClientError::ScramRequiresUsername
    );
    assert_eq!(
        new(Mechanism::ScramSha256, nobody().with_username("user")),
        ClientError::ScramRequiresPassword
    );
    assert_eq!(
        new(Mechanism::ScramSha256, nobody()),
        ClientError::ScramRequiresPassword
    );
    for nothing in [
        TheirBinding::None,
        TheirBinding::Unsupported,
        TheirBinding::TlsUnique(Vec::new()),
        TheirBinding::TlsExporter(Vec::new()),
    ] {
        let unbound = credentials().with_channel_binding(nothing);
        assert_eq!(
            new(Mechanism::ScramSha256Plus, unbound),
            ClientError::ScramRequiresPassword
        );
    }
}

#[test]
fn errors_of_ours_are_kept_beside_the_nearest_of_theirs() {
    let begun = || {
        let mut client = ClientMechanism::from_credentials(credentials()).unwrap();
        let first = String::from_utf8(client.initial()).unwrap();
        (client, first.rsplit_once("r=").unwrap().1.to_owned())
    };
    let (mut client, _) = begun();
    let error = client.response(b"r=other,s=c2FsdA==,i=4096").unwrap_err();
    assert_eq!(error, ClientError::NoServerNonce);
    assert_eq!(client.error(), Some(&Error::NonceMismatch));
    let (mut client, nonce) = begun();
    let challenge = format!("r={nonce}x,s=c2FsdA==,i=4000000000");
    let error = client.response(challenge.as_bytes()).unwrap_err();
    assert_eq!(error, ClientError::NoServerIterations);
    assert!(matches!(client.error(), Some(Error::Iterations { .. })));
    let (mut client, _) = begun();
    assert_eq!(
        client.success(b""),
        Err(ClientError::NoSignatureInSuccessResponse)
    );
    assert_eq!(client.success(b""), Err(ClientError::InvalidState));

    let mut server = server(Mechanism::Plain, &Channel::tls());
    let error = server.respond(b"\0user\0pencils").unwrap_err();
    assert_eq!(error, ServerError::AuthenticationFailed);
    assert_eq!(server.failure(), Some(&Failure::WrongCredentials));
    assert_eq!(
        server.respond(b"\0user\0pencil").unwrap_err(),
        ServerError::SaslSessionAlreadyOver
    );
}

#[test]
fn nobody_acts_as_another_through_the_trait() {
    let mut server = server(Mechanism::Plain, &Channel::tls());
    assert!(server.respond(b"boss\0user\0pencil").is_err());
    assert_eq!(server.failure(), Some(&Failure::InvalidAuthorization));
}

#[test]
fn a_provider_serves_as_look_up() {
    let mut lookup = provider_lookup(Accounts);
    for hash in [Hash::Sha1, Hash::Sha256] {
        let stored = lookup("user", Some(hash)).unwrap();
        assert_eq!(stored.hash(), hash);
        assert!(stored.verify("pencil"));
    }
    assert_eq!(lookup("user", None).unwrap().hash(), Hash::Sha256);
    assert!(lookup("user", Some(Hash::Sha512)).is_none());
    assert!(lookup("nobody", Some(Hash::Sha1)).is_none());
}

#[test]
fn stored_keys_serve_their_plain_server() {
    let mut client = TheirPlain::from_credentials(credentials()).unwrap();
    let validator = PlainValidator::new(|user: &str| lookup(user, None));
    let mut server = TheirPlainServer::new(validator);
    assert!(talk(&mut client, &mut server).is_ok());

    let validator = PlainValidator::new(|user: &str| lookup(user, None));
    let plain = |password: &str| sasl::secret::Plain(password.to_owned());
    let user = Identity::Username("user".to_owned());
    assert!(validator.validate(&user, &plain("pencil")).is_ok());
    assert!(validator.validate(&user, &plain("pencils")).is_err());
    assert!(
        validator
            .validate(&Identity::None, &plain("pencil"))
            .is_err()
    );
    let nobody = Identity::Username("nobody".to_owned());
    assert!(validator.validate(&nobody, &plain("pencil")).is_err());
}

#[test]
fn their_mechanisms_are_driven_by_our_methods() {
    let unsupported = credentials().with_channel_binding(TheirBinding::Unsupported);
    let scram = TheirScram::<Sha256>::from_credentials(unsupported).unwrap();
    let mut client = ForeignClient::new(scram);
    let mechanism = TheirScramServer::<Sha256, _>::new(Accounts, TheirBinding::None);
    let mut server = ForeignServer::new(mechanism);
    assert_eq!(
        (client.name(), server.name()),
        ("SCRAM-SHA-256", "SCRAM-SHA-256")
    );
    let mut step = server
        .handle_initial(client.initial_response().as_deref())
        .unwrap();
    loop {
        step = match step {
            Step::Challenge(challenge) => {
                let response = client.handle_challenge(&challenge).unwrap();
                server.handle_response(&response).unwrap()
            }
            Step::Success { user, data, .. } => {
                assert_eq!(user, "user");
                client.handle_success(data.as_deref()).unwrap();
                break;
            }
            step => panic!("unexpected step {step:?}"),
        };
    }
    assert!(client.is_authenticated() && server.is_authenticated());
}

#[test]
fn their_mechanisms_are_kept_in_order() {
    let plain = || ForeignClient::new(TheirPlain::from_credentials(credentials()).unwrap());
    let mut client = plain();
    assert_eq!(client.handle_success(None), Err(Error::OutOfOrder));
    assert!(client.initial_response().is_none());
    let mut client = plain();
    assert_eq!(client.handle_challenge(b"x"), Err(Error::OutOfOrder));
    let mut client = plain();
    assert_eq!(client.handle_challenge(b"").unwrap(), b"\0user\0pencil");
    assert!(client.initial_response().is_none());
    client.handle_success(None).unwrap();
    assert!(client.is_authenticated());
    assert_eq!(client.handle_success(None), Err(Error::OutOfOrder));
    assert!(!client.is_authenticated());
    let mut client = plain();
    client.initial_response().unwrap();
    client.handle_success(None).unwrap();
    assert_eq!(client.handle_challenge(b""), Err(Error::OutOfOrder));

    let server = || ForeignServer::new(TheirPlainServer::new(Accounts));
    let mut waiting = server();
    assert_eq!(
        waiting.handle_response(b"\0user\0pencil").unwrap_err(),
        Failure::OutOfOrder
    );
    let mut waiting = server();
    assert!(matches!(waiting.handle_initial(None), Ok(Step::Challenge(empty)) if empty.is_empty()));
    assert!(matches!(
        waiting.handle_response(b"\0user\0pencil"),
        Ok(Step::Success { user, data: None, .. }) if user == "user"
    ));
    assert!(waiting.is_authenticated());
    assert_eq!(
        waiting.handle_response(b"\0user\0pencil").unwrap_err(),
        Failure::OutOfOrder
    );
    let mut refused = server();
    assert_eq!(
        refused
            .handle_initial(Some(b"\0user\0pencils"))
            .unwrap_err(),
        Failure::WrongCredentials
    );
    assert_eq!(
        refused.handle_initial(Some(b"\0user\0pencil")).unwrap_err(),
        Failure::OutOfOrder
    );
}

#[test]
fn their_anonymous_client_is_let_in_by_ours() {
    let mut client = Anonymous::from_credentials(Credentials::default()).unwrap();
    let mut server = server(Mechanism::Anonymous, &Channel::tls());
    assert!(talk(&mut client, &mut server).is_ok());
}
