//! SASL, client and server: SCRAM by itself, and every mechanism.

use xmpp_sasl::{
    BearerError, BindingKind, Channel, ChannelBinding, Client, Credentials, DerivedKeys, Error,
    Failure, Hash, Limits, Mechanism, Nonce, Policy, Server, ServerConfig, Step, StoredCredentials,
    Token, TokenSlots, wire,
};

/// In an order of their own, so that seeds mean the same whatever mechanisms are added.
const SCRAM: [Mechanism; 6] = [
    Mechanism::ScramSha512Plus,
    Mechanism::ScramSha256Plus,
    Mechanism::ScramSha1Plus,
    Mechanism::ScramSha512,
    Mechanism::ScramSha256,
    Mechanism::ScramSha1,
];

const ALL: [Mechanism; 19] = [
    Mechanism::ScramSha512Plus,
    Mechanism::ScramSha256Plus,
    Mechanism::ScramSha1Plus,
    Mechanism::ScramSha512,
    Mechanism::ScramSha256,
    Mechanism::ScramSha1,
    Mechanism::Plain,
    Mechanism::External,
    Mechanism::Anonymous,
    Mechanism::OAuthBearer,
    Mechanism::HtSha256Exporter,
    Mechanism::HtSha256Unique,
    Mechanism::HtSha256EndPoint,
    Mechanism::HtSha256Unbound,
    Mechanism::HtSha512Exporter,
    Mechanism::HtSha512Unique,
    Mechanism::HtSha512EndPoint,
    Mechanism::HtSha512Unbound,
    Mechanism::DigestMd5,
];

/// Three ways to attack an exchange of SCRAM, chosen by the first byte: a client fed arbitrary messages, a server fed
/// arbitrary messages, and a client and a server whose messages are lost, repeated, mixed up and changed.
///
/// The second byte chooses the mechanism. Messages stand in lines; of operations each is a byte.
///
/// # Panics
/// When somebody who lacks the key is authenticated.
pub fn scram(data: &[u8]) {
    attack(&SCRAM, data);
}

/// The same with every mechanism, and as the fourth way what comes from a store or from TLS: certificates, credentials as
/// text, base64.
///
/// # Panics
/// When somebody who lacks the secret is authenticated.
pub fn sasl(data: &[u8]) {
    match data {
        [3, data @ ..] => attack_parsers(data),
        data => attack(&ALL, data),
    }
}

fn attack(mechanisms: &[Mechanism], data: &[u8]) {
    let [way, choice, data @ ..] = data else {
        return;
    };
    let Some(mechanism) = mechanisms.get(usize::from(*choice) % mechanisms.len()) else {
        return;
    };
    match way % 3 {
        0 => attack_client(*mechanism, data),
        1 => attack_server(*mechanism, data),
        _ => attack_both(*mechanism, data),
    }
}

/// Whether the server proves itself in its last message.
fn is_mutual(mechanism: Mechanism) -> bool {
    mechanism.hash().is_some() || mechanism.is_token() || mechanism == Mechanism::DigestMd5
}

/// Whether the client proves to have a secret of the account's.
fn needs_secret(mechanism: Mechanism) -> bool {
    !matches!(mechanism, Mechanism::External | Mechanism::Anonymous)
}

fn attack_client(mechanism: Mechanism, data: &[u8]) {
    let Some(mut client) = client(mechanism, true) else {
        return;
    };
    let mut has_begun = false;
    for (number, message) in data.split(|byte| *byte == b'\n').enumerate() {
        if number == 0 && message.is_empty() {
            has_begun |= client.initial_response().is_some();
        } else if message.first() == Some(&b'!') {
            let _ = client.handle_success(message.get(1..));
        } else {
            let _ = client.derivation(message);
            has_begun |= client.handle_challenge(message).is_ok();
        }
        if client.is_authenticated() {
            assert!(
                !is_mutual(mechanism),
                "a server without the key was trusted"
            );
            assert!(has_begun, "a success was believed that nothing came before");
            assert!(
                client.bearer_error().is_none(),
                "a success was believed after a refusal"
            );
        }
    }
}

fn attack_server(mechanism: Mechanism, data: &[u8]) {
    let Some(mut server) = server(mechanism) else {
        return;
    };
    // Keys that no password has.
    let hash = mechanism.hash().unwrap_or(Hash::Sha256);
    let key = vec![0x5a; hash.output_bytes()];
    let account = StoredCredentials::from_parts(hash, b"salt", 1, &key, &key);
    let application = Application {
        account,
        token: "a token that nobody guesses",
        bearer_token: "bearer-token-that-nobody-guesses",
    };
    for (number, message) in data.split(|byte| *byte == b'\n').enumerate() {
        let step = match number {
            0 if message.is_empty() => server.handle_initial(None),
            0 => server.handle_initial(Some(message)),
            _ => server.handle_response(message),
        };
        if let Ok(Step::Success {
            user,
            authorization,
            ..
        }) = application.settle(&mut server, step)
        {
            match mechanism {
                Mechanism::External => {
                    assert_eq!((user.as_str(), authorization), (IDENTITY, None));
                }
                Mechanism::Anonymous => {
                    assert_eq!(user.len(), 32);
                    let trace = server.trace().unwrap_or_default();
                    assert!(trace.chars().count() <= 255 && !trace.contains('\0'));
                }
                _ => unreachable!("a client without the key was authenticated"),
            }
        }
        assert!(!server.is_authenticated() || !needs_secret(mechanism));
    }
}

/// What a server's application knows.
struct Application {
    account: Option<StoredCredentials>,
    token: &'static str,
    bearer_token: &'static str,
}

impl Application {
    /// Answers the server until it is the peer's turn.
    fn settle(&self, server: &mut Server, step: Result<Step, Failure>) -> Result<Step, Failure> {
        let step = match step? {
            Step::Lookup { user, .. } => {
                server.handle_lookup(self.account.as_ref().filter(|_| user == "user"))
            }
            Step::Tokens { user } => {
                let mut slots = TokenSlots::new(None, Token::new(server.mechanism(), self.token));
                server.handle_tokens(Some(&mut slots).filter(|_| user == "user"))
            }
            Step::Bearer { token, .. } => {
                let is_known = token.is_some_and(|token| *token == self.bearer_token);
                let error = BearerError::invalid_token().scope("s");
                server.handle_bearer(if is_known { Ok("user") } else { Err(&error) })
            }
            Step::Authorize {
                user,
                authorization,
            } => server.handle_authorization(user == authorization),
            step => return Ok(step),
        };
        self.settle(server, step)
    }
}

/// Messages on their way, and everything that was ever sent.
#[derive(Default)]
struct Wire {
    to_client: Option<Vec<u8>>,
    to_server: Option<Vec<u8>>,
    success: Option<Option<Vec<u8>>>,
    sent: Vec<Vec<u8>>,
}

fn attack_both(mechanism: Mechanism, data: &[u8]) {
    let Some((first, operations)) = data.split_first() else {
        return;
    };
    let knows = first % 2 == 0;
    let Some(mut client) = client(mechanism, knows) else {
        return;
    };
    let Some(mut server) = server(mechanism) else {
        return;
    };
    let hash = mechanism.hash().unwrap_or(Hash::Sha256);
    let application = Application {
        account: StoredCredentials::derive(hash, "pencil", b"salt", 2).ok(),
        token: "token",
        bearer_token: "token",
    };
    let mut wire = Wire::default();
    let mut proven = false;
    for operation in operations {
        let argument = operation >> 4;
        match operation & 0x0f {
            0 => wire.to_server = client.initial_response(),
            1 => {
                let message = wire.to_server.take();
                let step = server.handle_initial(message.as_deref());
                wire.arrived(application.settle(&mut server, step));
            }
            2 => {
                let Some(message) = wire.to_server.take() else {
                    continue;
                };
                let step = server.handle_response(&message);
                wire.arrived(application.settle(&mut server, step));
            }
            3 => {
                let Some(message) = wire.to_client.take() else {
                    continue;
                };
                wire.to_server = client.handle_challenge(&message).ok();
            }
            4 => {
                let Some(data) = wire.success.take() else {
                    continue;
                };
                let result = client.handle_success(data.as_deref());
                assert!(result.is_ok() == client.is_authenticated());
            }
            5 => wire.to_client = wire.remembered(argument),
            6 => wire.to_server = wire.remembered(argument),
            7 => wire.success = Some(wire.remembered(argument)),
            8 => change(wire.to_client.as_mut(), argument),
            9 => change(wire.to_server.as_mut(), argument),
            10 => change(wire.success.as_mut().and_then(Option::as_mut), argument),
            11 => {
                let Some(message) = &wire.to_client else {
                    continue;
                };
                if let Ok(Some(derivation)) = client.derivation(message) {
                    client.handle_keys(derivation.run());
                }
            }
            12 => {
                let _ = match argument % 3 {
                    0 => server.handle_lookup(None),
                    1 => server.handle_tokens(None),
                    _ => server.handle_bearer(Ok("user")),
                };
            }
            13 => {
                let step = server.handle_authorization(true);
                wire.arrived(application.settle(&mut server, step));
            }
            14 => {
                let failure: Failure = server.handle_abort();
                assert!(!failure.condition().name().is_empty());
            }
            _ => {
                let result: Result<(), Error> = client.handle_success(None);
                assert!(result.is_ok() == client.is_authenticated());
            }
        }
        wire.remember();
        proven |= server.is_authenticated();
        assert!(
            knows || !proven || !needs_secret(mechanism),
            "a wrong secret was accepted"
        );
        assert!(
            proven || !client.is_authenticated() || !is_mutual(mechanism),
            "a server was trusted that proved nothing"
        );
    }
}

impl Wire {
    fn arrived(&mut self, step: Result<Step, Failure>) {
        match step {
            Ok(Step::Challenge(challenge)) => self.to_client = Some(challenge),
            Ok(Step::Success { data, .. }) => self.success = Some(data),
            _ => {}
        }
    }

    fn remember(&mut self) {
        let success = self.success.iter().flatten();
        let sent = self.to_client.iter().chain(&self.to_server).chain(success);
        for message in sent {
            if !self.sent.contains(message) && self.sent.len() < 16 {
                self.sent.push(message.clone());
            }
        }
    }

    fn remembered(&self, number: u8) -> Option<Vec<u8>> {
        self.sent.get(usize::from(number)).cloned()
    }
}

fn change(message: Option<&mut Vec<u8>>, argument: u8) {
    let Some(message) = message else { return };
    let position = message.len() * usize::from(argument) / 16;
    match argument % 4 {
        0 => message.truncate(position),
        1 => message.extend_from_slice(b",x=y"),
        2 => message.rotate_left(position),
        _ => {
            if let Some(byte) = message.get_mut(position) {
                *byte ^= 1 << (argument % 8);
            }
        }
    }
}

fn attack_parsers(data: &[u8]) {
    if let Ok(binding) = ChannelBinding::tls_server_end_point(data) {
        assert_eq!(binding.kind(), BindingKind::TlsServerEndPoint);
    }
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    if let Ok(stored) = text.parse::<StoredCredentials>() {
        assert_eq!(stored.to_text().parse(), Ok(stored));
    }
    if let Ok(keys) = text.parse::<DerivedKeys>() {
        assert_eq!(
            keys.to_text()
                .parse::<DerivedKeys>()
                .map(|keys| keys.to_text()),
            Ok(keys.to_text())
        );
    }
    if let Ok(message) = wire::decode_optional(text) {
        assert_eq!(wire::encode_optional(message.as_deref()), text);
    }
}

const IDENTITY: &str = "user@example.org";

fn channel() -> Channel {
    let bindings = [
        Some(ChannelBinding::tls_exporter([7; 32])),
        ChannelBinding::tls_unique(b"finished"),
        ChannelBinding::new(BindingKind::TlsServerEndPoint, *b"hash"),
    ];
    bindings
        .into_iter()
        .flatten()
        .fold(Channel::tls(), Channel::binding)
        .identities([IDENTITY])
        .host("example.org")
}

/// A client that has the right secret, or a wrong one.
fn client(mechanism: Mechanism, knows: bool) -> Option<Client> {
    let policy = Policy::default()
        .mechanisms([mechanism])
        .min_iterations(1)
        .max_iterations(8)
        .allow_plain(true)
        .allow_digest_md5(true);
    let secret = if knows { "token" } else { "tokens" };
    let credentials = match mechanism {
        Mechanism::External => Credentials::certificate(),
        Mechanism::Anonymous => Credentials::anonymous().trace("sirhc"),
        Mechanism::OAuthBearer => Credentials::bearer_token(secret),
        _ => match Token::new(mechanism, secret) {
            Some(token) => Credentials::token("user", token),
            None => Credentials::password("user", if knows { "pencil" } else { "pencils" }),
        },
    };
    let nonce = Nonce::from_text("client").ok()?;
    Client::select([mechanism.name()], &credentials, &channel(), &policy, nonce).ok()
}

fn server(mechanism: Mechanism) -> Option<Server> {
    let config = ServerConfig::new([1; 32])
        .mechanisms([mechanism])
        .unknown_users(2, 8)
        .limits(Limits::default().message_bytes(4096));
    let nonce = Nonce::from_text("server").ok()?;
    Server::start(&config, mechanism.name(), &channel(), nonce).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Operations that carry an exchange to its end.
    const EXCHANGE: [u8; 5] = [0, 1, 3, 2, 4];

    #[test]
    fn an_exchange_left_alone_succeeds() {
        // Otherwise the assertions above would hold for the wrong reason.
        // Of the last there is no server.
        for mechanism in &ALL[..18] {
            let mechanism = *mechanism;
            let mut client = client(mechanism, true).unwrap();
            let mut server = server(mechanism).unwrap();
            let hash = mechanism.hash().unwrap_or(Hash::Sha256);
            let application = Application {
                account: StoredCredentials::derive(hash, "pencil", b"salt", 2).ok(),
                token: "token",
                bearer_token: "token",
            };
            let mut wire = Wire::default();
            let step = server.handle_initial(client.initial_response().as_deref());
            wire.arrived(application.settle(&mut server, step));
            while let Some(challenge) = wire.to_client.take() {
                let response = client.handle_challenge(&challenge).unwrap();
                let step = server.handle_response(&response);
                wire.arrived(application.settle(&mut server, step));
            }
            client
                .handle_success(wire.success.take().unwrap().as_deref())
                .unwrap();
            assert!(client.is_authenticated() && server.is_authenticated());
        }
    }

    #[test]
    fn every_mechanism_is_attacked() {
        let left_out: Vec<_> = Mechanism::ALL
            .iter()
            .filter(|mechanism| !ALL.contains(mechanism))
            .map(|mechanism| mechanism.name())
            .collect();
        // Behind a feature, and like the other hash functions.
        let allowed = ["SCRAM-SHA3-512-PLUS", "SCRAM-SHA3-512"];
        assert!(
            left_out.iter().all(|name| allowed.contains(name)),
            "{left_out:?}"
        );
    }

    #[test]
    fn an_operation_more_breaks_no_promise() {
        for way in 0..=1 {
            for extra in 0..=255u8 {
                let place = usize::from(extra) % (EXCHANGE.len() + 1);
                let mut data = vec![2, 4, way];
                data.extend(EXCHANGE);
                data.insert(3 + place, extra);
                scram(&data);
                for choice in 0..19 {
                    if let Some(byte) = data.get_mut(1) {
                        *byte = choice;
                    }
                    sasl(&data);
                }
            }
        }
    }
}
