//! DIGEST-MD5, the client's side: what it takes from a server, and when it is used at all.

use crate::common::{config, full_channel, nonce, policy};
use xmpp_sasl::{
    Channel, Client, Credentials, Error, Failure, Limits, Mechanism, MessageError, Policy,
    PrepareError, Server,
};

const CHALLENGE: &str =
    "realm=\"example.org\",nonce=\"server\",qop=\"auth\",algorithm=md5-sess,charset=utf-8";

fn select(credentials: &Credentials, channel: &Channel, policy: &Policy) -> Result<Client, Error> {
    Client::select(
        ["DIGEST-MD5", "PLAIN"],
        credentials,
        channel,
        policy,
        nonce("client"),
    )
}

fn user() -> Credentials {
    Credentials::password("user", "pencil")
}

fn client(credentials: &Credentials) -> Client {
    let channel = Channel::tls().host("example.org");
    select(credentials, &channel, &policy().allow_digest_md5(true)).unwrap()
}

fn answer(challenge: &str) -> Result<String, Error> {
    let response = client(&user()).handle_challenge(challenge.as_bytes())?;
    Ok(String::from_utf8(response).unwrap())
}

/// The proofs computed with Python's hashlib.
const RESPONSE: &str = "29be29bf2d01a2a45fc4c59f8b9d3212";
const SERVER_PROOF: &str = "rspauth=dd0ce1bc3eaf9e36a254b1424a6c75bc";

#[test]
fn the_server_begins_and_is_answered_for_the_domain() {
    let mut client = client(&user());
    assert_eq!(client.mechanism(), Mechanism::DigestMd5);
    assert!(client.initial_response().is_none());
    let response = client.handle_challenge(CHALLENGE.as_bytes()).unwrap();
    assert_eq!(
        String::from_utf8(response).unwrap(),
        format!(
            "charset=utf-8,username=\"user\",realm=\"example.org\",nonce=\"server\",nc=00000001,\
             cnonce=\"client\",digest-uri=\"xmpp/example.org\",response={RESPONSE},qop=auth"
        )
    );
    assert_eq!(
        client.handle_challenge(SERVER_PROOF.as_bytes()).unwrap(),
        b""
    );
    assert!(!client.is_authenticated());
    client.handle_success(None).unwrap();
    assert!(client.is_authenticated());
}

#[test]
fn it_is_used_only_when_allowed_and_never_offered() {
    let channel = Channel::tls().host("example.org");
    let allowed = policy().allow_digest_md5(true);
    assert!(select(&user(), &channel, &allowed).is_ok());
    assert_eq!(
        select(&user(), &channel, &policy()).unwrap_err(),
        Error::PlainNotAllowed
    );
    for other in [Channel::tls(), Channel::cleartext().host("example.org")] {
        assert!(select(&user(), &other, &allowed).is_err());
    }
    // Anything else that a password serves is better.
    let better = Client::select(
        ["DIGEST-MD5", "SCRAM-SHA-1"],
        &user(),
        &channel,
        &allowed,
        nonce("client"),
    );
    assert_eq!(better.unwrap().mechanism(), Mechanism::ScramSha1);

    assert!(
        !config()
            .offer(&full_channel())
            .contains(&Mechanism::DigestMd5)
    );
    let failure = Server::start(&config(), "DIGEST-MD5", &full_channel(), nonce("s"));
    assert_eq!(failure.unwrap_err(), Failure::InvalidMechanism);
}

#[test]
fn directives_stand_in_any_order_and_form() {
    let usual = answer(CHALLENGE).unwrap();
    for same in [
        "NONCE=\"server\" , Algorithm=MD5-SESS,,charset=UTF-8,realm=\"example.org\"",
        ",\r\n\tnonce = \"ser\\ver\",algorithm=\"md5-sess\",charset=utf-8,realm=\"example.org\",",
        "realm=\"example.org\",nonce=\"server\",qop=\"auth-int, auth,x\",cipher=\"rc4\",stale=true,\
         maxbuf=65536,opaque=\"a,b=c\",algorithm=md5-sess,charset=utf-8",
        // The realm that is called like the host, and the host itself where there is none.
        "realm=\"first\",realm=\"Example.org\",realm=\"last\",nonce=\"server\",algorithm=md5-sess,\
         charset=utf-8",
        "nonce=\"server\",algorithm=md5-sess,charset=utf-8",
    ] {
        let answer = answer(same).unwrap().replace("Example.org", "example.org");
        let without_proof = |text: &str| text.split(",response=").next().unwrap().to_owned();
        assert_eq!(without_proof(&answer), without_proof(&usual), "{same}");
    }
    let other =
        answer("realm=\"a\\\"b\\\\\",realm=\"c\",nonce=\"server\",algorithm=md5-sess").unwrap();
    assert!(other.starts_with("username=\"user\",realm=\"a\\\"b\\\\\",nonce=\"server\""));
}

#[test]
fn a_challenge_that_breaks_the_rules_is_refused() {
    for challenge in [
        "",
        "realm=\"example.org\"",
        "algorithm=md5-sess",
        "nonce=\"\",algorithm=md5-sess",
        "nonce=\"server\"",
        "nonce=\"server\",algorithm=md5",
        "nonce=\"server\",nonce=\"server\",algorithm=md5-sess",
        "nonce=\"server\",algorithm=md5-sess,algorithm=md5-sess",
        "nonce=\"server\",algorithm=md5-sess,charset=utf-8,charset=utf-8",
        "nonce=\"server\",algorithm=md5-sess,charset=iso-8859-1",
        "nonce=\"server\",algorithm=md5-sess,stale=true,stale=true",
        "nonce=\"server\",algorithm=md5-sess,maxbuf=1,maxbuf=1",
        "nonce=\"server\",algorithm=md5-sess,qop=\"auth\",qop=\"auth\"",
        "nonce=\"server\",algorithm=md5-sess,qop=\"auth-int,auth-conf\"",
        "nonce=\"server\",algorithm=md5-sess,qop=\"\"",
        "nonce=\"server,algorithm=md5-sess",
        "nonce=\"server\\",
        "nonce=\"server\"x,algorithm=md5-sess",
        "nonce=\"server\" algorithm=md5-sess",
        "nonce=\"server\",algorithm=md5-sess,x",
        "nonce=\"server\",algorithm=md5-sess,=x",
        "nonce=\"server\",algorithm=md5-sess,a b=x",
        "nonce=\"ser\0ver\",algorithm=md5-sess",
    ] {
        let error = answer(challenge).unwrap_err();
        assert!(
            matches!(error, Error::Message(MessageError::Malformed(_))),
            "{challenge:?}: {error:?}"
        );
    }
    assert!(matches!(
        client(&user()).handle_challenge(b"nonce=\"\xff\""),
        Err(Error::Message(_))
    ));
}

#[test]
fn a_challenge_of_2048_bytes_or_many_directives_is_refused() {
    let long = |bytes: usize| {
        format!(
            "{CHALLENGE},x=\"{}\"",
            "y".repeat(bytes - CHALLENGE.len() - 5)
        )
    };
    assert!(answer(&long(2047)).is_ok());
    assert_eq!(
        answer(&long(2048)),
        Err(Error::Message(MessageError::TooLong("message")))
    );
    let limited = |directives: usize| {
        let channel = Channel::tls().host("example.org");
        let limits = Limits::default().extensions(directives);
        let policy = policy().allow_digest_md5(true).limits(limits);
        let mut client = select(&user(), &channel, &policy).unwrap();
        client.handle_challenge(CHALLENGE.as_bytes()).map(drop)
    };
    assert_eq!(limited(5), Ok(()));
    assert_eq!(
        limited(4),
        Err(Error::Message(MessageError::TooLong(
            "number of directives"
        )))
    );
}

#[test]
fn the_server_is_trusted_only_with_its_proof() {
    let sent = || {
        let mut client = client(&user());
        client.handle_challenge(CHALLENGE.as_bytes()).unwrap();
        client
    };
    let mut right = sent();
    right.handle_success(Some(SERVER_PROOF.as_bytes())).unwrap();
    assert!(right.is_authenticated());
    for data in [None, Some(&b""[..]), Some(b"x=y")] {
        assert_eq!(sent().handle_success(data), Err(Error::NoServerSignature));
    }
    let response = format!("rspauth={RESPONSE}");
    for wrong in [
        &response,
        "rspauth=\"\"",
        "rspauth=0",
        &SERVER_PROOF.to_uppercase(),
    ] {
        let mut client = sent();
        assert_eq!(
            client.handle_success(Some(wrong.as_bytes())),
            Err(Error::WrongServerSignature)
        );
        let late = client.handle_success(Some(SERVER_PROOF.as_bytes()));
        assert_eq!(late, Err(Error::OutOfOrder));
        assert!(!client.is_authenticated());
    }
    let twice = format!("{SERVER_PROOF},{SERVER_PROOF}");
    assert!(matches!(
        sent().handle_challenge(twice.as_bytes()),
        Err(Error::Message(_))
    ));
    // Out of order: success before the challenge, the challenge again, anything after the end.
    assert_eq!(client(&user()).handle_success(None), Err(Error::OutOfOrder));
    assert!(sent().handle_challenge(CHALLENGE.as_bytes()).is_err());
    assert_eq!(
        right.handle_challenge(SERVER_PROOF.as_bytes()),
        Err(Error::OutOfOrder)
    );
    for length in 0..SERVER_PROOF.len() {
        let mut client = sent();
        assert!(
            client
                .handle_success(SERVER_PROOF.as_bytes().get(..length))
                .is_err()
        );
    }
}

#[test]
fn names_are_sent_in_the_servers_character_set_and_hashed_in_the_smaller_one() {
    let respond = |user: &str, password: &str, challenge: &str| {
        let credentials = Credentials::password(user, password);
        client(&credentials).handle_challenge(challenge.as_bytes())
    };
    let latin = CHALLENGE.replace(",charset=utf-8", "");
    let utf_8 = respond("j\u{fc}rgen", "pencil", CHALLENGE).unwrap();
    assert!(utf_8.starts_with("charset=utf-8,username=\"j\u{fc}rgen\"".as_bytes()));
    let latin_1 = respond("j\u{fc}rgen", "pencil", &latin).unwrap();
    assert!(latin_1.starts_with(b"username=\"j\xfcrgen\""));
    // Hashed alike, so the same password was proven.
    let proof = |message: &[u8]| {
        let text = String::from_utf8_lossy(message).into_owned();
        text.split("response=")
            .nth(1)
            .unwrap()
            .get(..32)
            .unwrap()
            .to_owned()
    };
    assert_eq!(proof(&utf_8), proof(&latin_1));
    assert!(respond("\u{44f}", "pencil", CHALLENGE).is_ok());
    assert_eq!(
        respond("\u{44f}", "pencil", &latin),
        Err(Error::UserName(PrepareError::Prohibited))
    );
    assert_eq!(
        respond("user", "\u{44f}", &latin),
        Err(Error::Password(PrepareError::Prohibited))
    );
}

#[test]
fn an_identity_to_act_as_goes_into_message_and_proof() {
    let mut plain = client(&user());
    let mut other = client(&user().authorization("boss@example.org"));
    let plain = plain.handle_challenge(CHALLENGE.as_bytes()).unwrap();
    let other = other.handle_challenge(CHALLENGE.as_bytes()).unwrap();
    let other = String::from_utf8(other).unwrap();
    let other = other.strip_suffix(",authzid=\"boss@example.org\"").unwrap();
    assert_ne!(other.as_bytes(), plain);
}
