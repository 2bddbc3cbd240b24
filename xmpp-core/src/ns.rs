//! The namespaces of the streams and of the extensions that this crate speaks.

/// Of the stream itself: the header, `features` and `error` (RFC 6120 §4.8.1).
pub const STREAMS: &str = "http://etherx.jabber.org/streams";
/// Of stanzas between client and server (RFC 6120 §4.8.3).
pub const CLIENT: &str = "jabber:client";
/// Of stanzas between servers (RFC 6120 §4.8.3).
pub const SERVER: &str = "jabber:server";
/// Of stream error conditions (RFC 6120 §4.9.2).
pub const STREAM_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-streams";
/// Of stanza error conditions (RFC 6120 §8.3.2).
pub const STANZA_ERRORS: &str = "urn:ietf:params:xml:ns:xmpp-stanzas";
/// STARTTLS (RFC 6120 §5).
pub const TLS: &str = "urn:ietf:params:xml:ns:xmpp-tls";
/// SASL (RFC 6120 §6).
pub const SASL: &str = "urn:ietf:params:xml:ns:xmpp-sasl";
/// Resource binding (RFC 6120 §7).
pub const BIND: &str = "urn:ietf:params:xml:ns:xmpp-bind";
/// Stream management (XEP-0198).
pub const STREAM_MANAGEMENT: &str = "urn:xmpp:sm:3";
/// Of what opens and closes a stream over WebSocket (RFC 7395 §3.3.2).
pub const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";
/// Of the stream between a component and its server (XEP-0114).
pub const COMPONENT_ACCEPT: &str = "jabber:component:accept";
/// The second profile of SASL (XEP-0388).
pub const SASL2: &str = "urn:xmpp:sasl:2";
/// Channel-binding types (XEP-0440).
pub const SASL_CHANNEL_BINDING: &str = "urn:xmpp:sasl-cb:0";
/// Resource binding within authentication (XEP-0386).
pub const BIND2: &str = "urn:xmpp:bind:0";
/// Tokens for the next login (XEP-0484).
pub const FAST: &str = "urn:xmpp:fast:0";
/// Tasks by which a server gets keys for other mechanisms (XEP-0480).
pub const SASL_UPGRADE: &str = "urn:xmpp:sasl:upgrade:0";
/// Those tasks for SCRAM (XEP-0480 §3).
pub const SCRAM_UPGRADE: &str = "urn:xmpp:scram-upgrade:0";
/// Client state indication (XEP-0352).
pub const CLIENT_STATE: &str = "urn:xmpp:csi:0";
/// The limits of a stream (XEP-0478).
pub const STREAM_LIMITS: &str = "urn:xmpp:stream-limits:0";
/// The session of RFC 3921 §3, which does nothing any more (RFC 6121, appendix E).
pub const SESSION: &str = "urn:ietf:params:xml:ns:xmpp-session";
/// Roster management (RFC 6121 §2).
pub const ROSTER: &str = "jabber:iq:roster";
/// The stream feature for roster versions (RFC 6121 §2.6).
pub const ROSTER_VERSIONING: &str = "urn:xmpp:features:rosterver";
/// The stream feature for approving subscriptions in advance (RFC 6121 §3.4).
pub const PRE_APPROVAL: &str = "urn:xmpp:features:pre-approval";
/// Service discovery: what an entity is and can do (XEP-0030 §3).
pub const DISCO_INFO: &str = "http://jabber.org/protocol/disco#info";
/// Service discovery: what an entity has (XEP-0030 §4).
pub const DISCO_ITEMS: &str = "http://jabber.org/protocol/disco#items";
/// Ping (XEP-0199).
pub const PING: &str = "urn:xmpp:ping";
/// Delayed delivery (XEP-0203).
pub const DELAY: &str = "urn:xmpp:delay";
/// Data forms (XEP-0004).
pub const DATA_FORMS: &str = "jabber:x:data";
/// Which values the fields of a form take (XEP-0122).
pub const FORM_VALIDATION: &str = "http://jabber.org/protocol/xdata-validate";
/// How the fields of a form are arranged (XEP-0141).
pub const FORM_LAYOUT: &str = "http://jabber.org/protocol/xdata-layout";
/// Forms that change while they are filled in (XEP-0336).
pub const DYNAMIC_FORMS: &str = "urn:xmpp:xdata:dynamic";
/// Media in forms (XEP-0221).
pub const MEDIA: &str = "urn:xmpp:media-element";
/// Results in pages (XEP-0059).
pub const RESULT_SETS: &str = "http://jabber.org/protocol/rsm";
/// Entity capabilities (XEP-0115).
pub const CAPS: &str = "http://jabber.org/protocol/caps";
/// Entity capabilities 2.0 (XEP-0390).
pub const CAPS_2: &str = "urn:xmpp:caps";
/// Hashes, each with the name of its function (XEP-0300).
pub const HASHES: &str = "urn:xmpp:hashes:2";
/// Ad-hoc commands (XEP-0050).
pub const COMMANDS: &str = "http://jabber.org/protocol/commands";
/// Hints for the handling of messages (XEP-0334).
pub const HINTS: &str = "urn:xmpp:hints";
/// Unique and stable stanza ids (XEP-0359).
pub const STANZA_IDS: &str = "urn:xmpp:sid:0";
/// Message receipts (XEP-0184).
pub const RECEIPTS: &str = "urn:xmpp:receipts";
/// Headers of stanzas (XEP-0131).
pub const HEADERS: &str = "http://jabber.org/protocol/shim";
/// Forwarded stanzas (XEP-0297).
pub const FORWARD: &str = "urn:xmpp:forward:0";
/// Software version (XEP-0092).
pub const VERSION: &str = "jabber:iq:version";
/// Entity time (XEP-0202).
pub const TIME: &str = "urn:xmpp:time";
/// Last activity (XEP-0012).
pub const LAST_ACTIVITY: &str = "jabber:iq:last";
/// The feature of an entity that shows and takes escaped addresses (XEP-0106 §6).
pub const JID_ESCAPING: &str = "jid\\20escaping";
/// What the prefix `xml` stands for.
pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
