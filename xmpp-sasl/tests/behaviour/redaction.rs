//! Nothing that is written to a log tells a secret.

use crate::common::{account, config, end_point, nonce, policy, tls};
use xmpp_sasl::{
    Channel, Client, Credentials, DerivedKeys, Error, Hash, Mechanism, Server, ServerConfig, Step,
    Token, TokenSlots, Upgrade, saslprep,
};

/// A password whose text, bytes and base64 would all be seen.
const PASSWORD: &str = "hunter2-hunter2";

fn tells_nothing(shown: &str) {
    let bytes = format!("{:?}", PASSWORD.as_bytes());
    let bytes = bytes.trim_matches(['[', ']']).to_owned();
    let keys = DerivedKeys::derive(Hash::Sha256, PASSWORD, crate::common::SALT, 2).unwrap();
    let stored = keys.to_stored();
    let mut secrets = vec![
        String::from("hunter2"),
        bytes,
        xmpp_sasl::wire::encode(PASSWORD.as_bytes()),
        String::from("7, 7, 7, 7"),
    ];
    for key in [stored.stored_key(), stored.server_key()] {
        secrets.push(xmpp_sasl::wire::encode(key));
        secrets.push(
            format!("{:?}", &key[..4])
                .trim_matches(['[', ']'])
                .to_owned(),
        );
    }
    secrets.extend(keys.to_text().rsplit(['$', ':']).take(2).map(str::to_owned));
    for secret in secrets {
        assert!(!shown.contains(&secret), "{secret} in {shown}");
    }
}

#[test]
fn debug_output_holds_no_secret() {
    let keys = DerivedKeys::derive(Hash::Sha256, PASSWORD, crate::common::SALT, 2).unwrap();
    let credentials = Credentials::password("user", PASSWORD).cached(keys.clone());
    assert!(format!("{credentials:?}").contains("[redacted]"));
    tells_nothing(&format!("{credentials:?}"));
    tells_nothing(&format!("{:?}", Credentials::keys("user", keys.clone())));
    tells_nothing(&format!("{keys:?}"));
    tells_nothing(&format!("{:?}", keys.to_stored()));
    tells_nothing(&format!("{:?}", tls()));
    tells_nothing(&format!("{:?}", end_point(&[7; 32])));
    tells_nothing(&format!("{:?}", ServerConfig::new([7; 32])));
    tells_nothing(&format!("{:?}", policy()));
    let token = Token::new(Mechanism::HtSha256Exporter, PASSWORD).unwrap();
    tells_nothing(&format!("{token:?}"));
    tells_nothing(&format!("{:?}", Credentials::token("user", token.clone())));
    tells_nothing(&format!(
        "{:?}",
        TokenSlots::new(Some(token.clone()), Some(token))
    ));
    tells_nothing(&format!("{:?}", Credentials::bearer_token(PASSWORD)));
    let upgrade = Upgrade::new(Hash::Sha256, &[7; 32], 2).unwrap();
    tells_nothing(&format!("{upgrade:?}"));
}

#[test]
fn machines_show_no_token_in_any_state() {
    for mechanism in [Mechanism::OAuthBearer, Mechanism::HtSha256Exporter] {
        let credentials = match Token::new(mechanism, PASSWORD) {
            Some(token) => Credentials::token("user", token),
            None => Credentials::bearer_token(PASSWORD),
        };
        let select = Client::select(
            [mechanism.name()],
            &credentials,
            &tls(),
            &policy(),
            nonce("client"),
        );
        let mut client = select.unwrap();
        let mut server =
            Server::start(&config(), mechanism.name(), &tls(), nonce("server")).unwrap();
        tells_nothing(&format!("{client:?}{server:?}"));
        let step = server
            .handle_initial(client.initial_response().as_deref())
            .unwrap();
        tells_nothing(&format!("{client:?}{server:?}{step:?}"));
        let step = if mechanism.is_token() {
            let mut slots = TokenSlots::new(None, Token::new(mechanism, PASSWORD));
            server.handle_tokens(Some(&mut slots))
        } else {
            server.handle_bearer(Ok("user"))
        };
        let Step::Success { data, .. } = step.unwrap() else {
            panic!("no success")
        };
        client.handle_success(data.as_deref()).unwrap();
        tells_nothing(&format!("{client:?}{server:?}"));
    }
}

#[test]
fn machines_show_no_secret_in_any_state() {
    for mechanism in [
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha256,
        Mechanism::Plain,
    ] {
        let mut client = Client::select(
            [mechanism.name()],
            &Credentials::password("user", PASSWORD),
            &tls(),
            &policy().allow_plain(true),
            nonce("client"),
        )
        .unwrap();
        let config = config().mechanisms([mechanism]);
        let mut server = Server::start(&config, mechanism.name(), &tls(), nonce("server")).unwrap();
        tells_nothing(&format!("{client:?}{server:?}"));
        let mut step = server
            .handle_initial(client.initial_response().as_deref())
            .unwrap();
        loop {
            tells_nothing(&format!("{client:?}{server:?}{step:?}"));
            step = match step {
                Step::Lookup { .. } => server
                    .handle_lookup(Some(&account(Hash::Sha256, PASSWORD)))
                    .unwrap(),
                Step::Challenge(challenge) => {
                    if let Some(derivation) = client.derivation(&challenge).unwrap() {
                        tells_nothing(&format!("{derivation:?}"));
                    }
                    let response = client.handle_challenge(&challenge).unwrap();
                    server.handle_response(&response).unwrap()
                }
                Step::Success { data, .. } => {
                    client.handle_success(data.as_deref()).unwrap();
                    tells_nothing(&format!("{client:?}{server:?}"));
                    break;
                }
                step => panic!("unexpected step {step:?}"),
            };
        }
    }
}

#[test]
fn errors_do_not_quote_the_password() {
    let bad = format!("{PASSWORD}\u{7}");
    let error = saslprep(&bad, xmpp_sasl::Preparation::Stored).unwrap_err();
    tells_nothing(&format!("{error} {error:?}"));
    let error = Client::select(
        ["SCRAM-SHA-1"],
        &Credentials::password("user", bad),
        &Channel::cleartext(),
        &policy(),
        nonce("client"),
    )
    .unwrap_err();
    assert!(matches!(error, Error::Password(_)));
    tells_nothing(&format!("{error} {error:?}"));
    let failure = Server::start(&config(), "PLAIN", &tls(), nonce("server"))
        .unwrap()
        .handle_initial(Some(format!("\0user\0{PASSWORD}\0").as_bytes()))
        .unwrap_err();
    tells_nothing(&format!("{failure} {failure:?}"));
}

#[test]
fn machines_can_move_between_threads() {
    fn is_send<T: Send + 'static>() {}
    fn is_sync<T: Send + Sync + 'static>() {}
    is_send::<Client>();
    is_send::<Server>();
    is_send::<xmpp_sasl::Derivation>();
    is_sync::<ServerConfig>();
    is_sync::<Credentials>();
    is_sync::<DerivedKeys>();
}
