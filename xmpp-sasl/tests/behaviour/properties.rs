//! What holds for any input.

use crate::common::{account, config, nonce, password_mechanisms, policy, scram_mechanisms, tls};
use proptest::prelude::*;
use xmpp_sasl::{
    Client, Credentials, Hash, Mechanism, Nonce, Preparation, Server, Step, StoredCredentials,
    saslprep,
};

/// Where a message is changed on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    ClientFirst,
    ServerFirst,
    ClientFinal,
    ServerFinal,
}

#[derive(Clone, Copy, Debug)]
enum Edit {
    Replace(u8),
    Insert(u8),
    Remove,
    Cut,
    Double,
}

fn edit(message: &[u8], edit: Edit, position: usize) -> Vec<u8> {
    let mut message = message.to_vec();
    let position = position % message.len();
    match edit {
        Edit::Replace(byte) => message[position] = byte,
        Edit::Insert(byte) => message.insert(position, byte),
        Edit::Remove => drop(message.remove(position)),
        Edit::Cut => message.truncate(position),
        Edit::Double => message.extend_from_within(position..),
    }
    message
}

fn a_place() -> impl Strategy<Value = Place> {
    prop_oneof![
        Just(Place::ClientFirst),
        Just(Place::ServerFirst),
        Just(Place::ClientFinal),
        Just(Place::ServerFinal),
    ]
}

fn an_edit() -> impl Strategy<Value = Edit> {
    let byte = || {
        prop_oneof![
            any::<u8>(),
            prop::sample::select(b"nyp,=macrisve0129A+/".to_vec())
        ]
    };
    prop_oneof![
        byte().prop_map(Edit::Replace),
        byte().prop_map(Edit::Insert),
        Just(Edit::Remove),
        Just(Edit::Cut),
        Just(Edit::Double),
    ]
}

fn scram() -> impl Strategy<Value = Mechanism> {
    prop::sample::select(scram_mechanisms())
}

/// An exchange in which one message may be changed; whether client and server ended well.
fn exchange(mechanism: Mechanism, change: impl Fn(Place, Vec<u8>) -> Vec<u8>) -> (bool, bool) {
    let mut client = Client::select(
        [mechanism.name()],
        &Credentials::password("user", "pencil"),
        &tls(),
        &policy().mechanisms([mechanism]).max_iterations(100),
        nonce("client-nonce"),
    )
    .unwrap();
    // Only this mechanism is offered, so that a bare one does not look like a downgrade.
    let config = config().mechanisms([mechanism]);
    let mut server =
        Server::start(&config, mechanism.name(), &tls(), nonce("server-nonce")).unwrap();
    let run = |client: &mut Client, server: &mut Server| {
        let first = change(Place::ClientFirst, client.initial_response().unwrap());
        let Ok(Step::Lookup { user, hash }) = server.handle_initial(Some(&first)) else {
            return;
        };
        let known = (user == "user").then(|| account(hash.unwrap(), "pencil"));
        let Ok(Step::Challenge(challenge)) = server.handle_lookup(known.as_ref()) else {
            return;
        };
        let challenge = change(Place::ServerFirst, challenge);
        let Ok(last) = client.handle_challenge(&challenge) else {
            return;
        };
        let mut step = server.handle_response(&change(Place::ClientFinal, last));
        if let Ok(Step::Authorize { .. }) = step {
            step = server.handle_authorization(true);
        }
        let Ok(Step::Success {
            data: Some(data), ..
        }) = step
        else {
            return;
        };
        let _ = client.handle_success(Some(&change(Place::ServerFinal, data)));
    };
    run(&mut client, &mut server);
    (client.is_authenticated(), server.is_authenticated())
}

proptest! {
    #[test]
    fn any_user_with_the_right_password_gets_in(
        user in "\\PC{1,12}",
        password in "\\PC{1,12}",
        authorization in proptest::option::of("[a-z,=@.\u{e4}]{1,12}"),
        mechanism in prop::sample::select(password_mechanisms()),
        random: ([u8; 18], [u8; 18]),
    ) {
        let mut credentials = Credentials::password(user.clone(), password.clone());
        if let Some(authorization) = &authorization {
            credentials = credentials.authorization(authorization);
        }
        let policy = policy().mechanisms([mechanism]).allow_plain(true);
        let client =
            Client::select([mechanism.name()], &credentials, &tls(), &policy, Nonce::new(random.0));
        let hash = mechanism.hash().unwrap_or(Hash::Sha256);
        let account = StoredCredentials::derive(hash, &password, b"salt", 1);
        let (Ok(name), Ok(account)) = (saslprep(&user, Preparation::Query), account) else {
            prop_assert!(client.is_err());
            return Ok(());
        };
        let mut client = client.unwrap();
        let config = config().mechanisms([mechanism]);
        let mut server =
            Server::start(&config, mechanism.name(), &tls(), Nonce::new(random.1)).unwrap();
        let mut step = server.handle_initial(client.initial_response().as_deref()).unwrap();
        loop {
            step = match step {
                Step::Lookup { user, .. } => {
                    prop_assert_eq!(&user, &name);
                    server.handle_lookup(Some(&account)).unwrap()
                }
                Step::Challenge(challenge) => {
                    server.handle_response(&client.handle_challenge(&challenge).unwrap()).unwrap()
                }
                Step::Authorize { .. } => server.handle_authorization(true).unwrap(),
                Step::Success { user, authorization: asked, data } => {
                    prop_assert_eq!(&user, &name);
                    prop_assert_eq!(asked, authorization);
                    client.handle_success(data.as_deref()).unwrap();
                    break;
                }
                step => panic!("unknown step {step:?}"),
            };
        }
        prop_assert!(client.is_authenticated() && server.is_authenticated());
    }

    #[test]
    fn another_password_never_gets_in(
        right in "[ -~]{1,8}",
        wrong in "[ -~]{1,8}",
        mechanism in scram(),
    ) {
        prop_assume!(right != wrong);
        let mut client = Client::select(
            [mechanism.name()],
            &Credentials::password("user", wrong),
            &tls(),
            &policy().mechanisms([mechanism]),
            nonce("client"),
        )
        .unwrap();
        let config = config().mechanisms([mechanism]);
        let mut server =
            Server::start(&config, mechanism.name(), &tls(), nonce("server")).unwrap();
        prop_assert!(crate::common::exchange(&mut client, &mut server, "user", &right).is_err());
        prop_assert!(!client.is_authenticated() && !server.is_authenticated());
    }

    #[test]
    fn a_message_changed_on_its_way_never_succeeds(
        mechanism in scram(),
        place in a_place(),
        change in an_edit(),
        position: usize,
    ) {
        prop_assert_eq!(exchange(mechanism, |_, message| message), (true, true));
        let changed = core::cell::Cell::new(false);
        let (client, server) = exchange(mechanism, |at, message| {
            if at != place {
                return message;
            }
            let edited = edit(&message, change, position);
            changed.set(edited != message);
            edited
        });
        prop_assume!(changed.get());
        prop_assert!(!client);
        // The server has already proven the client when its last message is changed.
        prop_assert_eq!(server, place == Place::ServerFinal);
    }

    #[test]
    fn arbitrary_messages_never_succeed(
        mechanism in prop::sample::select(password_mechanisms()),
        messages in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..40),
                "(n|y|p=tls-exporter),(a=b)?,n=user,r=c(,x=1)?".prop_map(String::into_bytes),
                "r=client-nonce[a-z]{0,3},s=[A-Za-z0-9+/]{0,8}={0,2},i=[0-9]{1,2}"
                    .prop_map(String::into_bytes),
                "c=biws,r=cserver-nonce,p=[A-Za-z0-9+/]{43}=".prop_map(String::into_bytes),
                "v=[A-Za-z0-9+/]{43}=".prop_map(String::into_bytes),
                "\u{0}user\u{0}[a-z]{1,5}".prop_map(String::into_bytes),
            ],
            0..6,
        ),
    ) {
        let config = config().mechanisms([mechanism]);
        let mut server =
            Server::start(&config, mechanism.name(), &tls(), nonce("server-nonce")).unwrap();
        let mut client = Client::select(
            [mechanism.name()],
            &Credentials::password("user", "pencil"),
            &tls(),
            &policy().mechanisms([mechanism]).max_iterations(100).allow_plain(true),
            nonce("client-nonce"),
        )
        .unwrap();
        client.initial_response().unwrap();
        let mut step = server.handle_initial(None);
        for message in messages {
            let _ = client.handle_challenge(&message);
            step = match step {
                Ok(Step::Lookup { hash, .. }) => {
                    server.handle_lookup(Some(&account(hash.unwrap_or(Hash::Sha1), "pencil")))
                }
                Ok(Step::Challenge(_)) => server.handle_response(&message),
                other => other,
            };
        }
        // PLAIN has no proof of the server's; with the right password guessed it is right.
        if mechanism != Mechanism::Plain {
            let _ = client.handle_success(Some(b"v=AAAA"));
            prop_assert!(!client.is_authenticated());
            prop_assert!(!server.is_authenticated());
        }
    }
}
