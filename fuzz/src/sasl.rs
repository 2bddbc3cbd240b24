//! SCRAM and PLAIN, client and server.

use xmpp_sasl::{
    Channel, ChannelBinding, Client, Credentials, Error, Failure, Hash, Limits, Mechanism, Nonce,
    Policy, Server, ServerConfig, Step, StoredCredentials,
};

/// Three ways to attack an exchange, chosen by the first byte: a client fed arbitrary messages, a server fed arbitrary
/// messages, and a client and a server whose messages are lost, repeated, mixed up and changed.
///
/// The second byte chooses the mechanism. Messages stand in lines; of operations each is a byte.
///
/// # Panics
/// When somebody who lacks the key is authenticated.
pub fn scram(data: &[u8]) {
    let [way, choice, data @ ..] = data else {
        return;
    };
    let mechanisms: Vec<Mechanism> = Mechanism::ALL
        .iter()
        .copied()
        .filter(|mechanism| mechanism.hash().is_some())
        .collect();
    let Some(mechanism) = mechanisms.get(usize::from(*choice) % mechanisms.len()) else {
        return;
    };
    match way % 3 {
        0 => attack_client(*mechanism, data),
        1 => attack_server(*mechanism, data),
        _ => attack_both(*mechanism, data),
    }
}

fn attack_client(mechanism: Mechanism, data: &[u8]) {
    let Some(mut client) = client(mechanism, "pencil") else {
        return;
    };
    for (number, message) in data.split(|byte| *byte == b'\n').enumerate() {
        if number == 0 && message.is_empty() {
            let _ = client.initial_response();
        } else if message.first() == Some(&b'!') {
            let _ = client.handle_success(message.get(1..));
        } else {
            let _ = client.derivation(message);
            let _ = client.handle_challenge(message);
        }
        assert!(
            !client.is_authenticated(),
            "a server without the key was trusted"
        );
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
    for (number, message) in data.split(|byte| *byte == b'\n').enumerate() {
        let mut step = match number {
            0 if message.is_empty() => server.handle_initial(None),
            0 => server.handle_initial(Some(message)),
            _ => server.handle_response(message),
        };
        if let Ok(Step::Lookup { user, .. }) = &step {
            let known = user.len() % 2 == 0;
            step = server.handle_lookup(account.as_ref().filter(|_| known));
        }
        if let Ok(Step::Authorize { .. } | Step::Success { .. }) = step {
            unreachable!("a client without the key was authenticated");
        }
        assert!(!server.is_authenticated());
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
    let Some(mut client) = client(mechanism, if knows { "pencil" } else { "pencils" }) else {
        return;
    };
    let Some(mut server) = server(mechanism) else {
        return;
    };
    let hash = mechanism.hash().unwrap_or(Hash::Sha256);
    let Ok(account) = StoredCredentials::derive(hash, "pencil", b"salt", 2) else {
        return;
    };
    let mut wire = Wire::default();
    let mut proven = false;
    for operation in operations {
        let argument = operation >> 4;
        match operation & 0x0f {
            0 => wire.to_server = client.initial_response(),
            1 => {
                let message = wire.to_server.take();
                wire.arrived(
                    server.handle_initial(message.as_deref()),
                    &mut server,
                    &account,
                );
            }
            2 => {
                let Some(message) = wire.to_server.take() else {
                    continue;
                };
                wire.arrived(server.handle_response(&message), &mut server, &account);
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
                let _ = server.handle_lookup(None);
            }
            13 => wire.arrived(server.handle_authorization(true), &mut server, &account),
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
        assert!(knows || !proven, "a wrong password was accepted");
        assert!(
            proven || !client.is_authenticated(),
            "a server was trusted that proved nothing"
        );
    }
}

impl Wire {
    fn arrived(
        &mut self,
        step: Result<Step, Failure>,
        server: &mut Server,
        account: &StoredCredentials,
    ) {
        match step {
            Ok(Step::Lookup { user, .. }) => {
                let step = server.handle_lookup((user == "user").then_some(account));
                self.arrived(step, server, account);
            }
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

fn channel() -> Channel {
    Channel::tls().binding(ChannelBinding::tls_exporter([7; 32]))
}

fn client(mechanism: Mechanism, password: &str) -> Option<Client> {
    let policy = Policy::default()
        .mechanisms([mechanism])
        .min_iterations(1)
        .max_iterations(8);
    let credentials = Credentials::password("user", password);
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
        for choice in 0..6 {
            let mechanism = Mechanism::ALL[choice];
            let mut client = client(mechanism, "pencil").unwrap();
            let mut server = server(mechanism).unwrap();
            let hash = mechanism.hash().unwrap();
            let account = StoredCredentials::derive(hash, "pencil", b"salt", 2).unwrap();
            let mut wire = Wire::default();
            let step = server.handle_initial(client.initial_response().as_deref());
            wire.arrived(step, &mut server, &account);
            let last = client
                .handle_challenge(&wire.to_client.take().unwrap())
                .unwrap();
            wire.arrived(server.handle_response(&last), &mut server, &account);
            client
                .handle_success(wire.success.take().unwrap().as_deref())
                .unwrap();
            assert!(client.is_authenticated() && server.is_authenticated());
        }
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
            }
        }
    }
}
