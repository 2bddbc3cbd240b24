//! Tokens for the next login.

use crate::support::{
    HEADER, PASSWORD, Pair, Side, Tokens, bearer_server, client_config, jid, password_config,
    plain_policy,
};
use std::time::Duration;
use xmpp_core::datetime::DateTime;
use xmpp_core::entropy::Entropy;
use xmpp_core::stream::{
    Encryption, Error, Event, FastConfig, FastToken, FastTokens, InitiatorConfig, Misuse,
    ReceiverConfig, Sasl2, Stream, TlsInfo, TokenUse, UserAgent,
};
use xmpp_core::time::Instant;
use xmpp_sasl::{Condition, Credentials, Mechanism, ServerConfig, Token, wire};

const FAST: &str = "urn:xmpp:fast:0";
const SASL2: &str = "urn:xmpp:sasl:2";
const AGENT: &str = "d4565fa7-4d72-4749-b3d3-740edbf87770";
const START: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

fn sasl2() -> Sasl2 {
    let agent = UserAgent::with_id(AGENT).unwrap();
    Sasl2::new().user_agent(agent).request_token(true)
}

fn client() -> InitiatorConfig {
    client_config().sasl2(sasl2())
}

fn server() -> ReceiverConfig {
    server_with(FastConfig::new())
}

fn server_with(fast: FastConfig) -> ReceiverConfig {
    let sasl = ServerConfig::new([9; 32]).mechanisms([
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha256,
        Mechanism::HtSha256Exporter,
        Mechanism::HtSha256Unbound,
    ]);
    ReceiverConfig::new(jid("example.com"), sasl)
        .sasl2(true)
        .fast(fast)
}

/// A server and the clients that come to it, one after the other.
struct World {
    config: ReceiverConfig,
    tokens: Tokens,
    seconds: i64,
    streams: u8,
}

impl World {
    fn new(config: ReceiverConfig) -> Self {
        Self {
            config,
            tokens: Tokens::new(),
            seconds: START,
            streams: 0,
        }
    }

    fn time(&self) -> DateTime {
        DateTime::from_unix(self.seconds, 0).unwrap()
    }

    /// A stream that may be cut.
    fn meet_and_cut(
        &mut self,
        client: InitiatorConfig,
        token: Option<(&mut FastToken, TokenUse)>,
        cut: Option<usize>,
    ) -> Pair {
        self.streams += 1;
        let mut pair = Pair::new(client, self.config.clone());
        let entropy = Entropy::from_seed([self.streams; 32]);
        pair.server = Side::new(Stream::receiver(
            self.config.clone(),
            entropy,
            Instant::ORIGIN,
        ));
        pair.server.tokens = std::mem::take(&mut self.tokens);
        pair.server.time = self.time();
        pair.cut = cut;
        if let Some((token, purpose)) = token {
            pair.client.stream.use_token(token, purpose).unwrap();
        }
        pair.run();
        self.tokens = pair.server.tokens.clone();
        pair
    }

    #[track_caller]
    fn meet(&mut self, token: Option<(&mut FastToken, TokenUse)>) -> Pair {
        let pair = self.meet_and_cut(client(), token, None);
        for side in [&pair.client, &pair.server] {
            assert!(side.stream.is_established(), "{:?}", side.events);
        }
        pair
    }

    /// Logs in with the token; whether it was taken.
    #[track_caller]
    fn log_in(&mut self, token: &mut FastToken) -> Result<Pair, Condition> {
        let pair = self.meet(Some((token, TokenUse::Login)));
        match refused(&pair.client) {
            Some(condition) => Err(condition),
            None => Ok(pair),
        }
    }

    /// The first token.
    #[track_caller]
    fn token(&mut self) -> FastToken {
        let pair = self.meet(None);
        issued(&pair.client).unwrap()
    }

    fn kept(&self) -> FastTokens {
        let key = ("juliet@example.com".to_owned(), AGENT.to_owned());
        self.tokens.get(&key).cloned().unwrap_or_default()
    }
}

fn issued(client: &Side) -> Option<FastToken> {
    client.events.iter().find_map(|event| match event {
        Event::Token { token } => Some((**token).clone()),
        _ => None,
    })
}

fn refused(client: &Side) -> Option<Condition> {
    client.events.iter().find_map(|event| match event {
        Event::TokenRefused { condition } => Some(*condition),
        _ => None,
    })
}

fn mechanism(side: &Side) -> Option<Mechanism> {
    side.events.iter().find_map(|event| match event {
        Event::Authenticated { mechanism, .. } => Some(*mechanism),
        _ => None,
    })
}

#[test]
fn tokens_are_offered_inline_where_there_are_mechanisms_for_them() {
    let said = |config: ReceiverConfig| Side::secured_server(config).said;
    let both = "<mechanism>HT-SHA-256-EXPR</mechanism><mechanism>HT-SHA-256-NONE</mechanism></fast>\
                </inline></authentication>";
    let offered = said(server());
    assert!(
        offered.contains(&format!("<fast xmlns='{FAST}'>{both}")),
        "{offered}"
    );
    let (others, _) = offered.split_once("<inline>").unwrap();
    assert!(
        !others.contains("HT-SHA-256"),
        "they are not among the others"
    );
    let early = said(server_with(FastConfig::new().early_data(true)));
    assert!(early.contains(&format!("<fast xmlns='{FAST}' tls-0rtt='true'>{both}")));
    assert!(!said(bearer_server().sasl2(true).fast(FastConfig::new())).contains("<fast"));
    // What the connection cannot be bound to is not offered.
    let mut unbound = Side::server(server().encryption(Encryption::Direct));
    unbound
        .stream
        .handle_tls(TlsInfo::new(), unbound.now)
        .unwrap();
    let said = unbound.hear(HEADER);
    assert!(said.contains("HT-SHA-256-NONE") && !said.contains("HT-SHA-256-EXPR"));
}

#[test]
fn a_token_comes_with_success_and_is_all_that_the_next_login_needs() {
    let mut world = World::new(server());
    let first = world.meet(None);
    assert!(first.client.said.contains(&format!(
        "<request-token xmlns='{FAST}' mechanism='HT-SHA-256-EXPR'/>"
    )));
    let mut token = issued(&first.client).unwrap();
    assert_eq!(token.token().mechanism(), Mechanism::HtSha256Exporter);
    assert_eq!(token.expiry().unix_seconds(), START + 21 * DAY);
    assert!(first.server.said.contains(&format!(
        "<token xmlns='{FAST}' token='{}' expiry='{}'/>",
        token.token().secret(),
        token.expiry()
    )));
    assert!(!format!("{:?}", first.client.events).contains(token.token().secret()));
    assert_eq!(world.kept().newest(), Some(&token));

    let second = world.log_in(&mut token).unwrap();
    for side in [&second.client, &second.server] {
        assert_eq!(mechanism(side), Some(Mechanism::HtSha256Exporter));
    }
    let (_, said) = second.client.said.rsplit_once("<stream:stream ").unwrap();
    assert!(said.contains("from='juliet@example.com'"));
    assert!(
        said.contains(&format!("<fast xmlns='{FAST}' count='1'")),
        "{said}"
    );
    assert!(!said.contains("<response") && !said.contains("<request-token"));
    assert!(
        second
            .server
            .events
            .iter()
            .all(|event| !matches!(event, Event::Lookup { .. }))
    );
    assert_eq!(second.client.stream.jid(), second.server.stream.jid());
    // It is in use now, and was counted on both sides.
    assert_eq!(token.count(), 1);
    assert_eq!(
        (world.kept().newest(), world.kept().current()),
        (None, Some(&token))
    );
    assert_eq!(issued(&second.client), None, "it is young");
}

#[test]
fn nothing_is_asked_for_by_a_client_that_cannot_be_known_again() {
    for sasl2 in [
        Sasl2::new().request_token(true),
        Sasl2::new()
            .user_agent(UserAgent::default().software("x"))
            .request_token(true),
        Sasl2::new().user_agent(UserAgent::with_id(AGENT).unwrap()),
    ] {
        let mut pair = Pair::new(client_config().sasl2(sasl2.clone()), server());
        let mut token = World::new(server()).token();
        let used = pair.client.stream.use_token(&mut token, TokenUse::Login);
        let has_id = format!("{sasl2:?}").contains(AGENT);
        assert_eq!(used.is_ok(), has_id);
        if !has_id {
            assert_eq!((used, token.count()), (Err(Misuse::NoTokens), 0));
            pair.run();
            assert!(pair.client.stream.is_established());
            assert!(!pair.client.said.contains("<request-token"));
        }
    }
    let mut late = Side::established_client(client());
    let mut token = World::new(server()).token();
    assert_eq!(
        late.stream.use_token(&mut token, TokenUse::Login),
        Err(Misuse::NoTokens)
    );
}

#[test]
fn a_token_that_cannot_be_used_here_leaves_the_password() {
    let mut world = World::new(server());
    let mut token = world.token();
    for config in [
        server().fast(FastConfig::new()).sasl2(false),
        bearer_and_scram(),
    ] {
        let mut other = World::new(config);
        let pair = other.meet(Some((&mut token, TokenUse::Login)));
        assert_eq!(mechanism(&pair.server), Some(Mechanism::ScramSha256Plus));
        assert_eq!(refused(&pair.client), None, "it may be good elsewhere");
    }
    assert!(world.log_in(&mut token).is_ok());
}

fn bearer_and_scram() -> ReceiverConfig {
    crate::support::server_config().sasl2(true)
}

#[test]
fn a_token_is_good_for_one_client_and_one_mechanism() {
    let mut world = World::new(server());
    let mut token = world.token();
    let agent = UserAgent::with_id(&AGENT.replace("7770", "7771")).unwrap();
    let other = client_config().sasl2(Sasl2::new().user_agent(agent));
    let pair = world.meet_and_cut(other, Some((&mut token, TokenUse::Login)), None);
    assert_eq!(refused(&pair.client), Some(Condition::NotAuthorized));
    let text = token.token().secret();
    let unbound = Token::new(Mechanism::HtSha256Unbound, text).unwrap();
    let mut unbound = FastToken::new(unbound, token.expiry());
    assert_eq!(
        world.log_in(&mut unbound).err(),
        Some(Condition::NotAuthorized)
    );
}

#[test]
fn who_is_refused_with_a_token_logs_in_otherwise_in_the_same_stream() {
    let mut world = World::new(server());
    let forged = Token::new(Mechanism::HtSha256Exporter, "forged").unwrap();
    let mut forged = FastToken::new(forged, world.time());
    let pair = world.meet(Some((&mut forged, TokenUse::Login)));
    assert_eq!(refused(&pair.client), Some(Condition::NotAuthorized));
    assert_eq!(mechanism(&pair.server), Some(Mechanism::ScramSha256Plus));
    assert_eq!(pair.client.said.matches("<stream:stream ").count(), 2);
    // And gets a new one.
    let mut token = issued(&pair.client).unwrap();
    assert!(world.log_in(&mut token).is_ok());

    // Without other credentials it stays at that.
    let nothing = InitiatorConfig::new(jid("juliet@example.com"), Credentials::default());
    let pair = world.meet_and_cut(
        nothing.sasl2(sasl2()),
        Some((&mut forged, TokenUse::Login)),
        None,
    );
    assert_eq!(refused(&pair.client), Some(Condition::NotAuthorized));
    let failure = pair.client.failure();
    assert!(
        matches!(failure, Error::NoCommonMechanism { .. }),
        "{failure:?}"
    );
    // With a good one nothing else is needed.
    let nothing = InitiatorConfig::new(jid("juliet@example.com"), Credentials::default());
    let pair = world.meet_and_cut(
        nothing.sasl2(sasl2()),
        Some((&mut token, TokenUse::Login)),
        None,
    );
    assert!(pair.client.stream.is_established());
}

#[test]
fn a_new_token_follows_an_old_one_which_stays_good_until_it_is_used() {
    let mut world = World::new(server());
    let mut old = world.token();
    world.seconds += DAY - 1;
    let pair = world.log_in(&mut old).unwrap();
    assert_eq!(issued(&pair.client), None);
    world.seconds += 1;
    let pair = world.log_in(&mut old).unwrap();
    let mut lost = issued(&pair.client).unwrap();
    assert_eq!(lost.expiry().unix_seconds(), START + 22 * DAY);
    // It did not arrive: the old one is good, and another follows.
    let pair = world.log_in(&mut old).unwrap();
    let mut new = issued(&pair.client).unwrap();
    assert_ne!(new.token(), lost.token());
    assert_eq!(
        world.log_in(&mut lost).err(),
        Some(Condition::NotAuthorized)
    );
    // The refused login got one with the password, in the place of the one that was not used.
    assert_eq!(world.log_in(&mut new).err(), Some(Condition::NotAuthorized));
    let mut newest = world.kept().newest().cloned().unwrap();
    assert!(world.log_in(&mut old).is_ok(), "still in use");
    let pair = world.log_in(&mut old).unwrap();
    newest = issued(&pair.client).unwrap_or(newest);
    assert!(world.log_in(&mut newest).is_ok());
    assert_eq!(world.log_in(&mut old).err(), Some(Condition::NotAuthorized));
    assert!(world.log_in(&mut newest).is_ok());
}

#[test]
fn a_token_ends_when_it_says() {
    let mut world = World::new(server_with(
        FastConfig::new().lifetime(Duration::from_secs(3600)),
    ));
    let mut token = world.token();
    assert_eq!(token.expiry().unix_seconds(), START + 3600);
    world.seconds += 3599;
    assert!(world.log_in(&mut token).is_ok());
    let before = world.kept();
    world.seconds += 1;
    assert_eq!(
        world.log_in(&mut token).err(),
        Some(Condition::CredentialsExpired)
    );
    assert_eq!(world.kept().current(), before.current());
    // Who does not have it does not learn that it has expired.
    let forged = Token::new(Mechanism::HtSha256Exporter, "forged").unwrap();
    let mut forged = FastToken::new(forged, world.time());
    assert_eq!(
        world.log_in(&mut forged).err(),
        Some(Condition::NotAuthorized)
    );
}

#[test]
fn who_logs_out_makes_the_tokens_void() {
    let mut world = World::new(server());
    let mut token = world.token();
    world.seconds += 2 * DAY;
    let pair = world.meet(Some((&mut token, TokenUse::Logout)));
    assert!(pair.client.said.contains("count='1' invalidate='true'"));
    assert_eq!(mechanism(&pair.server), Some(Mechanism::HtSha256Exporter));
    assert_eq!(issued(&pair.client), None, "though one would be due");
    assert!(world.kept().is_empty());
    assert_eq!(
        world.log_in(&mut token).err(),
        Some(Condition::NotAuthorized)
    );
    // To log out nobody logs in.
    let pair = world.meet_and_cut(client(), Some((&mut token, TokenUse::Logout)), None);
    assert!(matches!(pair.client.failure(), Error::Authentication(_)));
    assert_eq!(mechanism(&pair.server), None);
}

/// What a client writes to log in with a token.
fn authenticate(token: &FastToken, inner: &str) -> String {
    // The proof does not depend on who writes the element.
    let mut pair = Pair::new(client(), server());
    pair.client
        .stream
        .use_token(&mut token.clone(), TokenUse::Login)
        .unwrap();
    pair.run();
    let (_, rest) = pair.client.said.split_once("<initial-response>").unwrap();
    let (initial, _) = rest.split_once('<').unwrap();
    format!(
        "<authenticate xmlns='{SASL2}' mechanism='{}'><initial-response>{initial}</initial-response>\
         {inner}</authenticate>",
        token.token().mechanism()
    )
}

fn agent() -> String {
    format!("<user-agent id='{AGENT}'/>")
}

fn used(count: u32) -> String {
    format!("{}<fast xmlns='{FAST}' count='{count}'/>", agent())
}

/// A server that has got a header below TLS.
fn hearing(world: &World, header: &str, info: TlsInfo) -> Side {
    let mut side = Side::server(world.config.clone().encryption(Encryption::Direct));
    side.tokens = world.tokens.clone();
    side.time = world.time();
    let info = info.exporter(Some([5; 32]));
    side.stream.handle_tls(info, side.now).unwrap();
    side.hear(header);
    side
}

fn from_juliet() -> String {
    HEADER.replace("to=", "from='juliet@example.com' to=")
}

#[test]
fn a_token_is_used_by_who_says_so_and_who_it_is() {
    let mut world = World::new(server());
    let token = world.token();
    let fast = format!("<fast xmlns='{FAST}'/>");
    for (header, inner, condition) in [
        (from_juliet(), agent(), "malformed-request"),
        (from_juliet(), fast.clone(), "malformed-request"),
        (
            from_juliet(),
            format!("{}<fast xmlns='{FAST}' count='-1'/>", agent()),
            "malformed-request",
        ),
        (HEADER.to_owned(), used(1), "not-authorized"),
        (
            HEADER.replace("to=", "from='romeo@example.com' to="),
            used(1),
            "not-authorized",
        ),
    ] {
        let mut server = hearing(&world, &header, TlsInfo::new());
        let said = server.hear(&authenticate(&token, &inner));
        assert!(said.contains(&format!("<{condition}")), "{inner} {said}");
    }
    let mut server = hearing(&world, &from_juliet(), TlsInfo::new());
    let said = server.hear(&authenticate(&token, &format!("{}{fast}", agent())));
    assert!(
        said.contains("<success"),
        "a count is for early data: {said}"
    );
    // Nor are there tokens for a server that issues none.
    let config = world.config.clone();
    world.config = bearer_and_scram();
    let mut server = hearing(&world, &from_juliet(), TlsInfo::new());
    let said = server.hear(&authenticate(&token, &used(1)));
    assert!(said.contains("<invalid-mechanism"), "{said}");
    world.config = config;
}

#[test]
fn what_can_be_repeated_is_taken_once() {
    let mut world = World::new(server_with(FastConfig::new().early_data(true)));
    let token = world.token();
    let mut early = |inner: &str| {
        let mut server = hearing(&world, &from_juliet(), TlsInfo::new().early_data());
        let said = server.hear(&authenticate(&token, inner));
        world.tokens = server.tokens.clone();
        said
    };
    let without = format!("{}<fast xmlns='{FAST}'/>", agent());
    assert!(early(&without).contains("<not-authorized"));
    assert!(early(&used(3)).contains("<success"));
    for count in [3, 2, 0] {
        assert!(early(&used(count)).contains("<not-authorized"), "{count}");
    }
    assert!(early(&used(4)).contains("<success"));
    assert_eq!(world.kept().current().map(FastToken::count), Some(4));
    // After the handshake a count is no condition, and is kept all the same.
    let mut server = hearing(&world, &from_juliet(), TlsInfo::new());
    assert!(
        server
            .hear(&authenticate(&token, &used(2)))
            .contains("<success")
    );
    let mut server = hearing(&world, &from_juliet(), TlsInfo::new());
    server.hear(&authenticate(&token, &used(9)));
    world.tokens = server.tokens;
    assert_eq!(world.kept().current().map(FastToken::count), Some(9));
}

#[test]
fn nothing_but_a_token_is_taken_from_early_data_and_that_only_where_it_is_allowed() {
    let mut world = World::new(server());
    let token = world.token();
    let mut server = hearing(&world, &from_juliet(), TlsInfo::new().early_data());
    let said = server.hear(&authenticate(&token, &used(1)));
    assert!(said.contains("<encryption-required"), "{said}");

    let scram = wire::encode(b"n,,n=juliet,r=abcdefgh");
    let first = format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-256'>{scram}</auth>"
    );
    let second = format!(
        "<authenticate xmlns='{SASL2}' mechanism='SCRAM-SHA-256'>\
         <initial-response>{scram}</initial-response></authenticate>"
    );
    world.config = server_with(FastConfig::new().early_data(true));
    for attempt in [first, second] {
        let mut server = hearing(&world, &from_juliet(), TlsInfo::new().early_data());
        let said = server.hear(&attempt);
        assert!(said.contains("<encryption-required"), "{said}");
        // Who has heard that is no echo.
        let said = server.hear(&attempt);
        assert!(said.contains("<challenge"), "{said}");
    }
}

#[test]
fn the_application_may_let_nobody_in_by_tokens_now() {
    let mut world = World::new(server());
    let token = world.token();
    let mut server = hearing(&world, &from_juliet(), TlsInfo::new());
    server.answers = false;
    server.hear(&authenticate(&token, &used(1)));
    let Some(Event::Tokens {
        ticket,
        account,
        client,
        mechanism,
    }) = server.events.pop()
    else {
        panic!("{:?}", server.events);
    };
    assert_eq!(account, jid("juliet@example.com"));
    assert_eq!((&*client, mechanism), (AGENT, Mechanism::HtSha256Exporter));
    let refused = Err(Condition::TemporaryAuthFailure);
    let answer = server
        .stream
        .handle_tokens(ticket, refused, server.time, server.now);
    assert_eq!(answer, Ok(false));
    let mut tokens = world.kept();
    let answer = server
        .stream
        .handle_tokens(ticket, Ok(&mut tokens), server.time, server.now);
    assert_eq!((answer, tokens), (Err(Misuse::UnknownTicket), world.kept()));
    server.drain();
    assert!(server.said.contains("<temporary-auth-failure"));
}

#[test]
fn a_server_that_does_not_have_the_token_is_not_believed() {
    let mut world = World::new(server());
    let mut token = world.token();
    let offer = format!(
        "<authentication xmlns='{SASL2}'><mechanism>SCRAM-SHA-256</mechanism><inline>\
         <fast xmlns='{FAST}'><mechanism>HT-SHA-256-EXPR</mechanism></fast></inline></authentication>"
    );
    let proof = wire::encode(&[1; 32]);
    for data in ["", &format!("<additional-data>{proof}</additional-data>")] {
        let mut client = Side::client(client().encryption(Encryption::Direct));
        client
            .stream
            .use_token(&mut token, TokenUse::Login)
            .unwrap();
        client.secure();
        client.hear(crate::support::RESPONSE);
        client.hear(&format!("<stream:features>{offer}</stream:features>"));
        assert!(client.said.contains("mechanism='HT-SHA-256-EXPR'"));
        client.hear(&format!(
            "<success xmlns='{SASL2}'>{data}<authorization-identifier>juliet@example.com/x\
             </authorization-identifier><token xmlns='{FAST}' token='x' expiry='2030-01-01T00:00:00Z'/>\
             </success>"
        ));
        assert!(
            matches!(client.failure(), Error::Sasl(_)),
            "{:?}",
            client.events
        );
        assert_eq!((issued(&client), mechanism(&client)), (None, None));
        assert_eq!(
            client.said.matches("<authenticate ").count(),
            1,
            "and no password either"
        );
    }
}

#[test]
fn a_password_goes_to_no_server_that_only_offers_the_wrong_things() {
    // The fall-back obeys the policy like any other login.
    let mut world = World::new(server());
    let mut forged = FastToken::new(
        Token::new(Mechanism::HtSha256Exporter, "forged").unwrap(),
        world.time(),
    );
    let careful = password_config("juliet", PASSWORD)
        .policy(plain_policy().mechanisms([Mechanism::HtSha256Exporter, Mechanism::ScramSha512]))
        .sasl2(sasl2());
    let pair = world.meet_and_cut(careful, Some((&mut forged, TokenUse::Login)), None);
    assert!(!pair.client.stream.is_established());
    assert_eq!(mechanism(&pair.server), None);
}

#[test]
fn a_login_that_is_cut_at_any_byte_leaves_a_token_that_is_good() {
    let start = || {
        let mut world = World::new(server());
        let token = world.token();
        world.seconds += 2 * DAY;
        (world, token)
    };
    let (mut world, mut token) = start();
    let length = world.log_in(&mut token).unwrap().carried;
    for cut in length - 1400..length {
        let (mut world, mut token) = start();
        let pair = world.meet_and_cut(client(), Some((&mut token, TokenUse::Login)), Some(cut));
        // The client keeps what it was given last.
        let mut kept = issued(&pair.client).unwrap_or(token);
        let again = world.log_in(&mut kept);
        assert!(again.is_ok(), "{cut} {:?}", again.err());
    }
}

#[test]
fn a_proof_that_was_changed_on_the_way_lets_nobody_in() {
    let mut world = World::new(server());
    let token = world.token();
    let genuine = authenticate(&token, &used(1));
    let (before, rest) = genuine.split_once("<initial-response>").unwrap();
    let (initial, after) = rest.split_once('<').unwrap();
    let proof = wire::decode(initial).unwrap();
    for place in 0..proof.len() {
        for bit in [1, 128] {
            let mut changed = proof.clone();
            changed[place] ^= bit;
            let initial = wire::encode(&changed);
            let mut server = hearing(&world, &from_juliet(), TlsInfo::new());
            let said = server.hear(&format!("{before}<initial-response>{initial}<{after}"));
            assert!(said.contains("<failure "), "{place} {said}");
            assert_eq!(mechanism(&server), None);
            assert_eq!(server.tokens, world.tokens);
        }
    }
    // Another connection has another binding.
    let mut server = Side::server(world.config.clone().encryption(Encryption::Direct));
    server.tokens = world.tokens.clone();
    let info = TlsInfo::new().exporter(Some([6; 32]));
    server.stream.handle_tls(info, server.now).unwrap();
    server.hear(&from_juliet());
    assert!(server.hear(&genuine).contains("<not-authorized"));
}

/// Clients that use any token that was ever issued, at any time, against a model of the two slots.
#[test]
fn tokens_are_taken_exactly_when_the_model_says() {
    for seed in 0..6 {
        let mut random = Entropy::from_seed([seed; 32]);
        let mut world = World::new(server());
        let mut all = vec![world.token()];
        let (mut newest, mut current) = (Some(0), None);
        for _ in 0..30 {
            let choice = random.number();
            if choice.is_multiple_of(4) {
                world.seconds += i64::from(choice as u32 >> 8) % (12 * DAY);
            }
            let index = (choice >> 40) as usize % all.len();
            let is_logout = choice.is_multiple_of(13);
            let is_known = newest == Some(index) || current == Some(index);
            let is_fresh = world.seconds < all[index].expiry().unix_seconds();
            let expected = match (is_known, is_fresh) {
                (true, true) => None,
                (true, false) => Some(Condition::CredentialsExpired),
                (false, _) => Some(Condition::NotAuthorized),
            };
            let purpose = if is_logout {
                TokenUse::Logout
            } else {
                TokenUse::Login
            };
            let token = &mut all[index];
            let pair = world.meet_and_cut(client(), Some((token, purpose)), None);
            assert_eq!(refused(&pair.client), expected, "{index}");
            if expected.is_none() {
                if newest == Some(index) {
                    newest = None;
                }
                current = Some(index);
                if is_logout {
                    (newest, current) = (None, None);
                }
            }
            if let Some(token) = issued(&pair.client) {
                newest = Some(all.len());
                all.push(token);
            }
            let kept = world.kept();
            for (kept, model) in [(kept.newest(), newest), (kept.current(), current)] {
                let model = model.map(|index: usize| all[index].token());
                assert_eq!(kept.map(FastToken::token), model);
            }
        }
    }
}

#[test]
fn success_may_name_the_account_as_the_examples_do() {
    let mut world = World::new(server());
    let mut token = world.token();
    let mut client = Side::client(client().encryption(Encryption::Direct));
    let mut server = hearing(&world, &from_juliet(), TlsInfo::new());
    client
        .stream
        .use_token(&mut token, TokenUse::Login)
        .unwrap();
    client.secure();
    client.hear(&server.said);
    let (_, authenticate) = client.said.split_once("<authenticate ").unwrap();
    let said = server.hear(&format!("<authenticate {authenticate}"));
    assert!(said.contains("<authorization-identifier>"));
    client.hear(&said.replace("authorization-identifier", "authorization-identity"));
    assert!(client.stream.is_established(), "{:?}", client.events);
    assert_eq!(client.stream.jid(), server.stream.jid());
}
