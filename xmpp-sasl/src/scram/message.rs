//! The messages of RFC 5802 §7, read strictly: fixed order, no repetition, canonical base64.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::MessageError;
use crate::limits::Limits;
use crate::nonce::is_nonce;

/// `n,,n=user,r=nonce`
pub(crate) struct ClientFirst<'a> {
    pub(crate) flag: BindingFlag<'a>,
    pub(crate) authorization: Option<String>,
    pub(crate) gs2_header: &'a str,
    pub(crate) bare: &'a str,
    pub(crate) user: String,
    pub(crate) nonce: &'a str,
}

/// What the client says about channel binding, `gs2-cbind-flag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BindingFlag<'a> {
    /// `n`: it does not support it.
    Unsupported,
    /// `y`: it does, but did not see it offered.
    NotOffered,
    /// `p=`: it is bound, to this type.
    Bound(&'a str),
}

impl<'a> ClientFirst<'a> {
    pub(crate) fn parse(
        message: &'a [u8],
        limits: &Limits,
    ) -> Result<ClientFirst<'a>, MessageError> {
        let message = text(message, limits)?;
        let (header, bare) = Gs2Header::parse(message, limits)?;
        let mut attributes = Attributes::new(bare, limits);
        let user = unescape(attributes.required('n')?, limits, "user name")?;
        let nonce = nonce(attributes.required('r')?, limits)?;
        attributes.extensions(|_, _| Ok(()))?;
        Ok(ClientFirst {
            flag: header.flag,
            authorization: header.authorization,
            gs2_header: header.text,
            bare,
            user,
            nonce,
        })
    }
}

/// `n,a=identity,`, with which the client's first message begins in SCRAM and in OAUTHBEARER (RFC 5801 §4).
pub(crate) struct Gs2Header<'a> {
    pub(crate) flag: BindingFlag<'a>,
    pub(crate) authorization: Option<String>,
    pub(crate) text: &'a str,
}

impl<'a> Gs2Header<'a> {
    /// The header and what follows it.
    pub(crate) fn parse(
        message: &'a str,
        limits: &Limits,
    ) -> Result<(Gs2Header<'a>, &'a str), MessageError> {
        let (flag, rest) = message.split_once(',').ok_or(HEADER)?;
        let flag = match flag {
            "n" => BindingFlag::Unsupported,
            "y" => BindingFlag::NotOffered,
            flag => match flag.strip_prefix("p=") {
                Some(name) if is_binding_name(name) => BindingFlag::Bound(name),
                _ => return Err(HEADER),
            },
        };
        let (authorization, bare) = rest.split_once(',').ok_or(HEADER)?;
        let text = message.strip_suffix(bare).ok_or(HEADER)?;
        let authorization = match authorization {
            "" => None,
            attribute => {
                let name = attribute.strip_prefix("a=").ok_or(HEADER)?;
                Some(unescape(name, limits, "authorization identity")?)
            }
        };
        let header = Gs2Header {
            flag,
            authorization,
            text,
        };
        Ok((header, bare))
    }
}

/// `r=nonce,s=salt,i=iterations`
pub(crate) struct ServerFirst<'a> {
    pub(crate) text: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) salt: Vec<u8>,
    /// `u64::MAX` stands for that and more.
    pub(crate) iterations: u64,
    /// The hash over what the server offers (XEP-0474 §6.1).
    pub(crate) offer_hash: Option<Vec<u8>>,
}

impl<'a> ServerFirst<'a> {
    pub(crate) fn parse(
        message: &'a [u8],
        limits: &Limits,
    ) -> Result<ServerFirst<'a>, MessageError> {
        let text = text(message, limits)?;
        let mut attributes = Attributes::new(text, limits);
        let nonce = nonce(attributes.required('r')?, limits)?;
        let salt = attributes.required('s')?;
        // Base64 grows by a third; what is longer cannot be within the limit.
        if salt.len() / 4 > limits.salt_bytes / 3 + 1 {
            return Err(MessageError::TooLong("salt"));
        }
        let salt = STANDARD
            .decode(salt)
            .map_err(|_| MessageError::Base64("salt"))?;
        if salt.len() > limits.salt_bytes {
            return Err(MessageError::TooLong("salt"));
        }
        let iterations = positive_number(attributes.required('i')?)?;
        let mut offer_hash = None;
        attributes.extensions(|name, value| {
            if name == 'h' {
                let hash = STANDARD
                    .decode(value)
                    .map_err(|_| MessageError::Base64("hash over the offer"))?;
                if offer_hash.replace(hash).is_some() {
                    return Err(MessageError::Malformed("repeated attribute"));
                }
            }
            Ok(())
        })?;
        Ok(ServerFirst {
            text,
            nonce,
            salt,
            iterations,
            offer_hash,
        })
    }
}

/// `c=binding,r=nonce,p=proof`
pub(crate) struct ClientFinal<'a> {
    pub(crate) without_proof: &'a str,
    /// Base64, as sent.
    pub(crate) binding: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) proof: Vec<u8>,
}

impl<'a> ClientFinal<'a> {
    pub(crate) fn parse(
        message: &'a [u8],
        limits: &Limits,
    ) -> Result<ClientFinal<'a>, MessageError> {
        let text = text(message, limits)?;
        let (without_proof, proof) = text
            .rsplit_once(',')
            .ok_or(MessageError::Malformed("no proof"))?;
        let mut attributes = Attributes::new(without_proof, limits);
        let binding = attributes.required('c')?;
        if STANDARD.decode(binding).is_err() {
            return Err(MessageError::Base64("channel binding"));
        }
        let nonce = attributes.required('r')?;
        attributes.extensions(|_, _| Ok(()))?;
        let mut last = Attributes::new(proof, limits);
        let proof = last.required('p')?;
        let proof = STANDARD
            .decode(proof)
            .map_err(|_| MessageError::Base64("proof"))?;
        Ok(ClientFinal {
            without_proof,
            binding,
            nonce,
            proof,
        })
    }
}

/// `v=signature` or `e=error`
pub(crate) enum ServerFinal<'a> {
    Signature(Vec<u8>),
    Error(&'a str),
}

impl<'a> ServerFinal<'a> {
    pub(crate) fn parse(
        message: &'a [u8],
        limits: &Limits,
    ) -> Result<ServerFinal<'a>, MessageError> {
        let mut attributes = Attributes::new(text(message, limits)?, limits);
        let result = match attributes.next()? {
            Some(('v', signature)) => ServerFinal::Signature(
                STANDARD
                    .decode(signature)
                    .map_err(|_| MessageError::Base64("signature"))?,
            ),
            Some(('e', error)) => ServerFinal::Error(error),
            Some(('m', _)) => return Err(MessageError::MandatoryExtension),
            _ => return Err(MessageError::Malformed("neither signature nor error")),
        };
        attributes.extensions(|_, _| Ok(()))?;
        Ok(result)
    }
}

/// A name as it stands in `n=` and `a=`: `,` and `=` are escaped.
pub(crate) fn escape(name: &str) -> Cow<'_, str> {
    if name.contains([',', '=']) {
        Cow::Owned(name.replace('=', "=3D").replace(',', "=2C"))
    } else {
        Cow::Borrowed(name)
    }
}

const HEADER: MessageError = MessageError::Malformed("GS2 header");

fn unescape(value: &str, limits: &Limits, what: &'static str) -> Result<String, MessageError> {
    if value.is_empty() {
        return Err(MessageError::Malformed("empty name"));
    }
    let mut name = String::with_capacity(value.len().min(limits.name_bytes));
    let mut parts = value.split('=');
    name.push_str(parts.next().unwrap_or_default());
    for part in parts {
        if let Some(rest) = part.strip_prefix("2C") {
            name.push(',');
            name.push_str(rest);
        } else if let Some(rest) = part.strip_prefix("3D") {
            name.push('=');
            name.push_str(rest);
        } else {
            return Err(MessageError::Malformed("escape in a name"));
        }
    }
    limits.check_name(&name, what)?;
    Ok(name)
}

fn text<'a>(message: &'a [u8], limits: &Limits) -> Result<&'a str, MessageError> {
    let text = limits.text(message)?;
    if text.contains('\0') {
        Err(MessageError::Malformed("NUL character"))
    } else {
        Ok(text)
    }
}

fn nonce<'a>(value: &'a str, limits: &Limits) -> Result<&'a str, MessageError> {
    if value.len() > limits.nonce_bytes {
        Err(MessageError::TooLong("nonce"))
    } else if is_nonce(value) {
        Ok(value)
    } else {
        Err(MessageError::Malformed("nonce"))
    }
}

/// `cb-name`
fn is_binding_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

/// `posit-number`
fn positive_number(value: &str) -> Result<u64, MessageError> {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || value.is_empty() || value.starts_with('0') {
        return Err(MessageError::Malformed("iterations"));
    }
    // Only digits, so what does not parse is too great.
    Ok(value.parse().unwrap_or(u64::MAX))
}

/// `attr-val *("," attr-val)`, one after the other.
struct Attributes<'a> {
    rest: Option<&'a str>,
    extensions: usize,
}

impl<'a> Attributes<'a> {
    fn new(text: &'a str, limits: &Limits) -> Attributes<'a> {
        Attributes {
            rest: Some(text),
            extensions: limits.extensions,
        }
    }

    fn next(&mut self) -> Result<Option<(char, &'a str)>, MessageError> {
        let Some(rest) = self.rest else {
            return Ok(None);
        };
        let (attribute, rest) = match rest.split_once(',') {
            Some((attribute, rest)) => (attribute, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        let mut chars = attribute.chars();
        match (chars.next(), chars.next(), chars.as_str()) {
            (Some(name), Some('='), value) if name.is_ascii_alphabetic() && !value.is_empty() => {
                Ok(Some((name, value)))
            }
            _ => Err(MessageError::Malformed("attribute")),
        }
    }

    fn required(&mut self, name: char) -> Result<&'a str, MessageError> {
        match self.next()? {
            Some((found, value)) if found == name => Ok(value),
            Some(('m', _)) => Err(MessageError::MandatoryExtension),
            Some(_) => Err(MessageError::Malformed("order of attributes")),
            None => Err(MessageError::Malformed("missing attribute")),
        }
    }

    /// What may stand at the end. Names that RFC 5802 defines are out of place there; the others go to `each`.
    fn extensions(
        &mut self,
        mut each: impl FnMut(char, &'a str) -> Result<(), MessageError>,
    ) -> Result<(), MessageError> {
        while let Some((name, value)) = self.next()? {
            match name {
                'm' => return Err(MessageError::MandatoryExtension),
                'a' | 'c' | 'e' | 'i' | 'n' | 'p' | 'r' | 's' | 'v' => {
                    return Err(MessageError::Malformed("order of attributes"));
                }
                _ => {}
            }
            self.extensions = self
                .extensions
                .checked_sub(1)
                .ok_or(MessageError::TooLong("number of extensions"))?;
            each(name, value)?;
        }
        Ok(())
    }
}
