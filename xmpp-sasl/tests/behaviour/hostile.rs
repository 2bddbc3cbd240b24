//! Truncated, repeated, reordered and oversized messages, for every mechanism and both sides.

use crate::common::{all_mechanisms, any_client, any_server, settle};
use xmpp_sasl::{Client, Error, Failure, Mechanism, Server, Step};

/// The messages of an exchange that succeeds, in order; the server's last one is what comes with success.
struct Script {
    mechanism: Mechanism,
    of_client: Vec<Vec<u8>>,
    of_server: Vec<Vec<u8>>,
    success: Option<Vec<u8>>,
}

fn script(mechanism: Mechanism) -> Script {
    let mut client = any_client(mechanism);
    let mut server = any_server(mechanism);
    let mut script = Script {
        mechanism,
        of_client: vec![client.initial_response().unwrap()],
        of_server: Vec::new(),
        success: None,
    };
    let first = server.handle_initial(Some(&script.of_client[0]));
    let mut step = settle(&mut server, first).unwrap();
    loop {
        step = match step {
            Step::Challenge(challenge) => {
                let response = client.handle_challenge(&challenge).unwrap();
                script.of_server.push(challenge);
                let next = server.handle_response(&response);
                script.of_client.push(response);
                settle(&mut server, next).unwrap()
            }
            Step::Success { data, .. } => {
                client.handle_success(data.as_deref()).unwrap();
                assert!(client.is_authenticated() && server.is_authenticated());
                script.success = data;
                return script;
            }
            step => panic!("unexpected step {step:?}"),
        };
    }
}

/// Feeds a server one message after the other.
fn feed(server: &mut Server, messages: &[&[u8]]) -> Result<Step, Failure> {
    let mut last = Err(Failure::OutOfOrder);
    for (number, message) in messages.iter().enumerate() {
        let step = if number == 0 {
            server.handle_initial(Some(message))
        } else {
            server.handle_response(message)
        };
        last = Ok(settle(server, step)?);
    }
    last
}

/// A client that has heard the server's messages up to this one.
fn client_before(script: &Script, number: usize) -> Client {
    let mut client = any_client(script.mechanism);
    client.initial_response().unwrap();
    for message in &script.of_server[..number] {
        client.handle_challenge(message).unwrap();
    }
    client
}

#[test]
fn a_truncated_message_authenticates_nobody() {
    for mechanism in &all_mechanisms() {
        let script = script(*mechanism);
        for number in 0..script.of_client.len() {
            let whole = &script.of_client[number];
            for length in 0..whole.len() {
                let mut messages: Vec<&[u8]> = script.of_client[..number]
                    .iter()
                    .map(Vec::as_slice)
                    .collect();
                let cut = &whole[..length];
                messages.push(cut);
                let mut server = any_server(*mechanism);
                let result = feed(&mut server, &messages);
                assert!(
                    !matches!(result, Ok(Step::Success { .. })),
                    "{mechanism} {cut:?}"
                );
                assert!(!server.is_authenticated());
            }
        }
        for number in 0..script.of_server.len() {
            let whole = &script.of_server[number];
            // Iterations with a digit less are another number, which the proof then covers.
            for length in 0..whole.len() {
                let mut client = client_before(&script, number);
                let _ = client.handle_challenge(&whole[..length]);
                let _ = client.handle_success(script.success.as_deref());
                assert!(!client.is_authenticated(), "{mechanism} {length}");
            }
        }
        if let Some(success) = &script.success {
            for length in 0..success.len() {
                let mut client = client_before(&script, script.of_server.len());
                assert!(client.handle_success(Some(&success[..length])).is_err());
                assert!(!client.is_authenticated());
            }
        }
    }
}

#[test]
fn a_repeated_message_ends_the_exchange() {
    for mechanism in &all_mechanisms() {
        let script = script(*mechanism);
        for number in 0..script.of_client.len() {
            let mut messages: Vec<&[u8]> = script.of_client[..=number]
                .iter()
                .map(Vec::as_slice)
                .collect();
            messages.push(&script.of_client[number]);
            let mut server = any_server(*mechanism);
            let result = feed(&mut server, &messages);
            assert!(result.is_err(), "{mechanism}");
            assert!(!server.is_authenticated());
            let next = server.handle_response(&script.of_client[number]);
            assert_eq!(next.unwrap_err(), Failure::OutOfOrder);
        }
        for number in 0..script.of_server.len() {
            let mut client = client_before(&script, number + 1);
            assert!(client.handle_challenge(&script.of_server[number]).is_err());
            let late = client.handle_success(script.success.as_deref());
            assert_eq!(late, Err(Error::OutOfOrder), "{mechanism}");
        }
        let mut client = client_before(&script, script.of_server.len());
        client.handle_success(script.success.as_deref()).unwrap();
        let again = client.handle_success(script.success.as_deref());
        assert_eq!(again, Err(Error::OutOfOrder), "{mechanism}");
        assert!(!client.is_authenticated());
    }
}

#[test]
fn messages_in_another_order_end_the_exchange() {
    for mechanism in &all_mechanisms() {
        let script = script(*mechanism);
        // The last first.
        if script.of_client.len() > 1 {
            let messages: Vec<&[u8]> = script.of_client.iter().rev().map(Vec::as_slice).collect();
            let mut server = any_server(*mechanism);
            assert!(feed(&mut server, &messages).is_err(), "{mechanism}");
        }
        // A response before the mechanism's first message.
        let mut server = any_server(*mechanism);
        let early = server.handle_response(&script.of_client[0]);
        assert_eq!(early.unwrap_err(), Failure::OutOfOrder);
        // Success before anything was sent, and before the challenges.
        let mut client = any_client(*mechanism);
        let early = client.handle_success(script.success.as_deref());
        assert!(early.is_err() && !client.is_authenticated(), "{mechanism}");
        if !script.of_server.is_empty() {
            let mut client = client_before(&script, 0);
            let early = client.handle_success(script.success.as_deref());
            assert!(early.is_err() && !client.is_authenticated(), "{mechanism}");
        }
        // What comes with success, as a challenge to mechanisms that end there.
        if let (Some(success), true) = (&script.success, mechanism.is_token()) {
            let mut client = client_before(&script, 0);
            assert_eq!(client.handle_challenge(success), Err(Error::OutOfOrder));
        }
    }
}

#[test]
fn answers_that_were_not_asked_for_end_the_exchange() {
    for mechanism in &all_mechanisms() {
        type Answer = fn(&mut Server) -> Result<Step, Failure>;
        let answers: [Answer; 4] = [
            |server| server.handle_lookup(None),
            |server| server.handle_tokens(None),
            |server| server.handle_bearer(Ok("user")),
            |server| server.handle_authorization(true),
        ];
        for answer in answers {
            let mut server = any_server(*mechanism);
            assert_eq!(answer(&mut server).unwrap_err(), Failure::OutOfOrder);
            let first = any_client(*mechanism).initial_response();
            let late = server.handle_initial(first.as_deref());
            assert_eq!(late.unwrap_err(), Failure::OutOfOrder, "{mechanism}");
        }
        // After the first message only the answer that was asked for counts.
        for (number, answer) in answers.iter().enumerate() {
            let mut server = any_server(*mechanism);
            let first = any_client(*mechanism).initial_response();
            let expected = match server.handle_initial(first.as_deref()).unwrap() {
                Step::Lookup { .. } => 0,
                Step::Tokens { .. } => 1,
                Step::Bearer { .. } => 2,
                Step::Authorize { .. } => 3,
                _ => 4,
            };
            if number != expected {
                assert_eq!(answer(&mut server).unwrap_err(), Failure::OutOfOrder);
                assert!(!server.is_authenticated());
            }
        }
    }
}

#[test]
fn an_oversized_message_is_refused_by_either_side() {
    let oversized = vec![b'a'; 16_385];
    for mechanism in &all_mechanisms() {
        let script = script(*mechanism);
        for number in 0..script.of_client.len() {
            let mut messages: Vec<&[u8]> = script.of_client[..number]
                .iter()
                .map(Vec::as_slice)
                .collect();
            messages.push(&oversized);
            let failure = feed(&mut any_server(*mechanism), &messages).unwrap_err();
            assert!(
                matches!(
                    failure,
                    Failure::Message(xmpp_sasl::MessageError::TooLong("message"))
                ),
                "{mechanism}: {failure:?}"
            );
        }
        let mut client = client_before(&script, 0);
        assert!(client.handle_challenge(&oversized).is_err());
        let mut client = client_before(&script, script.of_server.len());
        assert!(client.handle_success(Some(&oversized)).is_err());
        assert!(!client.is_authenticated());
    }
}

#[test]
fn every_mechanism_waits_for_an_empty_challenge_where_no_first_message_can_go_along() {
    for mechanism in &all_mechanisms() {
        let mut server = any_server(*mechanism);
        let Step::Challenge(challenge) = server.handle_initial(None).unwrap() else {
            panic!("no challenge")
        };
        let mut client = any_client(*mechanism);
        let first = client.handle_challenge(&challenge).unwrap();
        assert!(client.initial_response().is_none());
        let step = server.handle_response(&first);
        assert!(settle(&mut server, step).is_ok(), "{mechanism}");
    }
}
