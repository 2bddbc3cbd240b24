//! DIGEST-MD5 (RFC 2831), the client's side alone: historic (RFC 6331), for old servers that have nothing better.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::error::{Error, MessageError};
use crate::limits::Limits;
use crate::nonce::Nonce;
use crate::prepare::PrepareError;

/// RFC 2831 §2.1.1: a challenge has fewer bytes than this.
const CHALLENGE_BYTES: usize = 2048;

pub(crate) struct DigestClient {
    user: Zeroizing<String>,
    password: Zeroizing<String>,
    authorization: Option<String>,
    host: String,
    nonce: String,
    limits: Limits,
    state: State,
}

enum State {
    Start,
    ResponseSent {
        /// What the server has to answer, 32 hexadecimal digits.
        server_proof: Zeroizing<String>,
    },
    /// The proof was right; the outcome is still to come.
    Verified,
    Done,
}

impl DigestClient {
    pub(crate) fn new(
        user: Zeroizing<String>,
        password: Zeroizing<String>,
        authorization: Option<&str>,
        host: &str,
        nonce: Nonce,
        limits: Limits,
    ) -> DigestClient {
        DigestClient {
            user,
            password,
            authorization: authorization.map(String::from),
            host: String::from(host),
            nonce: nonce.into_text(),
            limits,
            state: State::Start,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(crate) fn handle_challenge(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Error> {
        match &self.state {
            State::Start => self.respond(challenge, "xmpp"),
            State::ResponseSent { .. } => {
                self.verify(challenge)?;
                Ok(Vec::new())
            }
            State::Verified | State::Done => Err(Error::OutOfOrder),
        }
    }

    pub(crate) fn handle_success(&mut self, data: Option<&[u8]>) -> Result<(), Error> {
        match (&self.state, data) {
            (State::ResponseSent { .. }, Some(data)) if !data.is_empty() => self.verify(data)?,
            (State::Verified, None | Some([])) => {}
            (State::ResponseSent { .. }, _) => return Err(Error::NoServerSignature),
            (State::Start | State::Verified | State::Done, _) => return Err(Error::OutOfOrder),
        }
        self.state = State::Done;
        Ok(())
    }

    /// RFC 2831 §2.1.2.
    fn respond(&mut self, challenge: &[u8], service: &str) -> Result<Vec<u8>, Error> {
        let challenge = Challenge::parse(challenge, &self.limits)?;
        let realm = challenge.realm(&self.host);
        let uri = format!("{service}/{}", self.host);

        let user = encoded(&self.user, challenge.is_utf8).map_err(Error::UserName)?;
        let password = encoded(&self.password, challenge.is_utf8).map_err(Error::Password)?;
        let mut secret = Md5::new();
        for part in [&user, &b":"[..], realm.as_bytes(), b":", &password] {
            secret.update(part);
        }
        let secret: Zeroizing<[u8; 16]> = Zeroizing::new(secret.finalize().into());
        let mut a1 = Md5::new();
        a1.update(*secret);
        let (theirs, ours) = (&challenge.nonce, &self.nonce);
        for part in [Some(theirs), Some(ours), self.authorization.as_ref()]
            .into_iter()
            .flatten()
        {
            a1.update(b":");
            a1.update(part);
        }
        let key = Zeroizing::new(hex(a1));
        let proof = |a2: String| {
            let a2 = hex(Md5::new_with_prefix(a2));
            let mut proof = Md5::new_with_prefix(key.as_bytes());
            proof.update(format!(":{theirs}:00000001:{ours}:auth:{a2}"));
            hex(proof)
        };
        let response = proof(format!("AUTHENTICATE:{uri}"));
        let server_proof = Zeroizing::new(proof(format!(":{uri}")));

        let mut message = String::new();
        if challenge.is_utf8 {
            message.push_str("charset=utf-8,");
        }
        message.push_str(&format!(
            "username={},realm={},nonce={},nc=00000001,cnonce={},digest-uri={},response={response},qop=auth",
            quoted(&self.user),
            quoted(&realm),
            quoted(&challenge.nonce),
            quoted(&self.nonce),
            quoted(&uri),
        ));
        if let Some(authorization) = &self.authorization {
            message.push_str(&format!(",authzid={}", quoted(authorization)));
        }
        self.state = State::ResponseSent { server_proof };
        if challenge.is_utf8 {
            Ok(message.into_bytes())
        } else {
            latin_1(&message).ok_or(Error::UserName(PrepareError::Prohibited))
        }
    }

    /// RFC 2831 §2.1.3.
    fn verify(&mut self, message: &[u8]) -> Result<(), Error> {
        let State::ResponseSent { server_proof } = &self.state else {
            return Err(Error::OutOfOrder);
        };
        let mut proof = None;
        Directives::new(message, &self.limits)?.each(|name, value| {
            if name.eq_ignore_ascii_case("rspauth") {
                once(&mut proof, value)?;
            }
            Ok(())
        })?;
        let proof = proof.ok_or(Error::NoServerSignature)?;
        if bool::from(proof.as_bytes().ct_eq(server_proof.as_bytes())) {
            self.state = State::Verified;
            Ok(())
        } else {
            Err(Error::WrongServerSignature)
        }
    }
}

struct Challenge {
    realms: Vec<String>,
    nonce: String,
    is_utf8: bool,
}

impl Challenge {
    fn parse(message: &[u8], limits: &Limits) -> Result<Challenge, MessageError> {
        let mut realms = Vec::new();
        let (mut nonce, mut algorithm, mut qualities) = (None, None, None);
        let (mut charset, mut stale, mut buffer) = (None, None, None);
        Directives::new(message, limits)?.each(|name, value| {
            match name.to_ascii_lowercase().as_str() {
                "realm" => realms.push(value),
                "nonce" => once(&mut nonce, value)?,
                "algorithm" => once(&mut algorithm, value)?,
                "qop" => once(&mut qualities, value)?,
                "charset" => once(&mut charset, value)?,
                "stale" => once(&mut stale, value)?,
                "maxbuf" => once(&mut buffer, value)?,
                _ => {}
            }
            Ok(())
        })?;
        if !algorithm.is_some_and(|name| name.eq_ignore_ascii_case("md5-sess")) {
            return Err(MessageError::Malformed("algorithm"));
        }
        if charset
            .as_ref()
            .is_some_and(|name| !name.eq_ignore_ascii_case("utf-8"))
        {
            return Err(MessageError::Malformed("charset"));
        }
        // Without the directive it is authentication alone, which is all there is here.
        let is_offered = |qualities: String| {
            let mut qualities = qualities.split(',');
            qualities.any(|quality| quality.trim().eq_ignore_ascii_case("auth"))
        };
        if !qualities.is_none_or(is_offered) {
            return Err(MessageError::Malformed("quality of protection"));
        }
        Ok(Challenge {
            realms,
            nonce: nonce
                .filter(|nonce| !nonce.is_empty())
                .ok_or(MessageError::Malformed("no nonce"))?,
            is_utf8: charset.is_some(),
        })
    }

    /// Of several realms the one that is called like the host, or the first; the host where there is none.
    fn realm(&self, host: &str) -> String {
        let mut realms = self.realms.iter();
        let named = realms.find(|realm| realm.eq_ignore_ascii_case(host));
        let realm = named.or(self.realms.first());
        realm.map_or_else(|| String::from(host), String::clone)
    }
}

fn once(directive: &mut Option<String>, value: String) -> Result<(), MessageError> {
    match directive.replace(value) {
        None => Ok(()),
        Some(_) => Err(MessageError::Malformed("repeated directive")),
    }
}

/// `1#( token "=" ( token | quoted-string ) )` (RFC 2831 §7).
struct Directives<'a> {
    rest: &'a str,
    limit: usize,
}

impl<'a> Directives<'a> {
    fn new(message: &'a [u8], limits: &Limits) -> Result<Directives<'a>, MessageError> {
        if message.len() >= CHALLENGE_BYTES {
            return Err(MessageError::TooLong("message"));
        }
        Ok(Directives {
            rest: limits.text(message)?,
            limit: limits.extensions,
        })
    }

    fn each(
        mut self,
        mut take: impl FnMut(&str, String) -> Result<(), MessageError>,
    ) -> Result<(), MessageError> {
        const MALFORMED: MessageError = MessageError::Malformed("directive");
        loop {
            // Empty elements are allowed and count for nothing.
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n', ',']);
            if self.rest.is_empty() {
                return Ok(());
            }
            self.limit = self
                .limit
                .checked_sub(1)
                .ok_or(MessageError::TooLong("number of directives"))?;
            let (name, rest) = self.rest.split_once('=').ok_or(MALFORMED)?;
            let name = name.trim_end_matches([' ', '\t']);
            self.rest = rest.trim_start_matches([' ', '\t']);
            let value = match self.rest.strip_prefix('"') {
                Some(rest) => self.quoted(rest)?,
                None => self.token(),
            };
            if name.is_empty() || !name.chars().all(is_token) || value.contains(char::is_control) {
                return Err(MALFORMED);
            }
            take(name, value)?;
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
            if !self.rest.is_empty() && !self.rest.starts_with(',') {
                return Err(MALFORMED);
            }
        }
    }

    fn token(&mut self) -> String {
        let rest = self.rest.trim_start_matches(is_token);
        let token = self.rest.strip_suffix(rest).unwrap_or_default();
        self.rest = rest;
        String::from(token)
    }

    fn quoted(&mut self, text: &'a str) -> Result<String, MessageError> {
        let mut value = String::new();
        let mut chars = text.chars();
        loop {
            match chars.next() {
                Some('"') => break,
                Some('\\') => value.extend(chars.next()),
                Some(c) => value.push(c),
                None => return Err(MessageError::Malformed("quoted string")),
            }
        }
        self.rest = chars.as_str();
        Ok(value)
    }
}

fn is_token(c: char) -> bool {
    c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?={}".contains(c)
}

fn quoted(value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{escaped}\"")
}

/// As it is hashed: in ISO 8859-1 if that can express it, in UTF-8 if not and the server knows that (§2.1.2.1).
fn encoded(text: &str, is_utf8: bool) -> Result<Zeroizing<Vec<u8>>, PrepareError> {
    match latin_1(text) {
        Some(bytes) => Ok(Zeroizing::new(bytes)),
        None if is_utf8 => Ok(Zeroizing::new(text.as_bytes().to_vec())),
        None => Err(PrepareError::Prohibited),
    }
}

fn latin_1(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        bytes.push(u8::try_from(c).ok()?);
    }
    Some(bytes)
}

fn hex(hash: Md5) -> String {
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2831 §4: the same but for service and nonces.
    fn follows(service: &str, nonces: [&str; 2], proofs: [&str; 2]) {
        let text = |text: &str| Zeroizing::new(String::from(text));
        let mut client = DigestClient::new(
            text("chris"),
            text("secret"),
            None,
            "elwood.innosoft.com",
            Nonce::from_text(nonces[1]).unwrap(),
            Limits::default(),
        );
        let challenge = format!(
            "realm=\"elwood.innosoft.com\",nonce=\"{}\",qop=\"auth\",algorithm=md5-sess,charset=utf-8",
            nonces[0]
        );
        let response = client.respond(challenge.as_bytes(), service).unwrap();
        assert_eq!(
            String::from_utf8(response).unwrap(),
            format!(
                "charset=utf-8,username=\"chris\",realm=\"elwood.innosoft.com\",nonce=\"{}\",\
                 nc=00000001,cnonce=\"{}\",digest-uri=\"{service}/elwood.innosoft.com\",\
                 response={},qop=auth",
                nonces[0], nonces[1], proofs[0]
            )
        );
        let proof = format!("rspauth={}", proofs[1]);
        client.handle_success(Some(proof.as_bytes())).unwrap();
        assert!(client.is_done());
    }

    #[test]
    fn the_exchange_by_imap_of_rfc_2831_is_followed() {
        follows(
            "imap",
            ["OA6MG9tEQGm2hh", "OA6MHXh6VqTrRk"],
            [
                "d388dad90d4bbd760a152321f2143af7",
                "ea40f60335c427b5527b84dbabcdfffd",
            ],
        );
    }

    #[test]
    fn the_exchange_by_acap_of_rfc_2831_is_followed() {
        follows(
            "acap",
            ["OA9BSXrbuRhWay", "OA9BSuZWMSpW8m"],
            [
                "6084c6db3fede7352c551284490fd0fc",
                "2f0b3d7c3c2e486600ef710726aa2eae",
            ],
        );
    }
}
