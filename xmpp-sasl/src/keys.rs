//! What SCRAM derives from a password: the client's keys, and what a server stores (RFC 5802 §3).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::hash::{Hash, Key};
use crate::pbkdf2::pbkdf2;
use crate::prepare::{Preparation, PrepareError, saslprep};

/// What a server keeps of an account for one hash function: salt, iterations, StoredKey and ServerKey, never the
/// password (RFC 5802 §2.1).
///
/// Who steals it cannot log in with it, but can guess passwords against it and play the server to the client. Debug
/// shows no keys.
///
/// [`to_text`](StoredCredentials::to_text) and `parse` keep it as one line in the form of RFC 5803 §3:
/// `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
///
/// ```
/// use xmpp_sasl::{Hash, StoredCredentials};
///
/// let account = StoredCredentials::derive(Hash::Sha256, "pencil", b"sixteen byte salt", 10_000)?;
/// let line = account.to_text();
/// assert!(line.starts_with("SCRAM-SHA-256$10000:"));
/// assert_eq!(line.parse::<StoredCredentials>()?, account);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct StoredCredentials {
    hash: Hash,
    salt: Vec<u8>,
    iterations: u32,
    stored_key: Key,
    server_key: Key,
}

impl StoredCredentials {
    /// Iterations for new accounts unless there is a reason for others: 10 000.
    pub const DEFAULT_ITERATIONS: u32 = 10_000;

    /// From a password at registration. The salt is random, 16 bytes or more, and new for every password; the cost is
    /// `iterations` rounds of the hash function, so keep it off an async runtime's threads.
    ///
    /// # Errors
    /// When the password cannot be prepared ([`saslprep`], [`Preparation::Stored`]), or salt or iterations are none.
    pub fn derive(
        hash: Hash,
        password: &str,
        salt: &[u8],
        iterations: u32,
    ) -> Result<StoredCredentials, DeriveError> {
        Ok(DerivedKeys::derive(hash, password, salt, iterations)?.to_stored())
    }

    /// From the SaltedPassword of RFC 5802 §3, as a client answers an [`Upgrade`](crate::Upgrade) with; `None` when it
    /// is not as long as the hash function's output, or salt or iterations are none.
    pub fn from_salted_password(
        hash: Hash,
        salted_password: &[u8],
        salt: &[u8],
        iterations: u32,
    ) -> Option<StoredCredentials> {
        let keys = DerivedKeys::from_salted_password(hash, salted_password, salt, iterations)?;
        Some(keys.to_stored())
    }

    /// From the parts, as another program's store has them; `None` when a key is not as long as the hash function's
    /// output, or salt or iterations are none.
    pub fn from_parts(
        hash: Hash,
        salt: &[u8],
        iterations: u32,
        stored_key: &[u8],
        server_key: &[u8],
    ) -> Option<StoredCredentials> {
        let fits = stored_key.len() == hash.output_bytes()
            && server_key.len() == hash.output_bytes()
            && !salt.is_empty()
            && iterations > 0;
        fits.then(|| StoredCredentials {
            hash,
            salt: salt.to_vec(),
            iterations,
            stored_key: Key::from_slice(stored_key),
            server_key: Key::from_slice(server_key),
        })
    }

    /// The hash function.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The salt, sent to everybody who asks for this user.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// The number of iterations.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// StoredKey: with it a proof is checked.
    pub fn stored_key(&self) -> &[u8] {
        self.stored_key.as_slice()
    }

    /// ServerKey: with it the server proves itself.
    pub fn server_key(&self) -> &[u8] {
        self.server_key.as_slice()
    }

    /// Whether this is the password, at the full cost of deriving; in constant time otherwise. One that cannot be
    /// prepared is not.
    pub fn verify(&self, password: &str) -> bool {
        let Ok(prepared) = saslprep(password, Preparation::Query) else {
            return false;
        };
        let prepared = Zeroizing::new(prepared.into_owned());
        bool::from(self.verify_prepared(&prepared))
    }

    pub(crate) fn verify_prepared(&self, password: &str) -> Choice {
        let keys = DerivedKeys::of_prepared(self.hash, password, &self.salt, self.iterations);
        keys.to_stored().stored_key.matches(&self.stored_key)
    }

    pub(crate) fn of_keys(
        hash: Hash,
        salt: Vec<u8>,
        iterations: u32,
        stored_key: Key,
        server_key: Key,
    ) -> StoredCredentials {
        StoredCredentials {
            hash,
            salt,
            iterations,
            stored_key,
            server_key,
        }
    }

    /// One line for a store.
    pub fn to_text(&self) -> String {
        format!(
            "SCRAM-{}${}:{}${}:{}",
            self.hash,
            self.iterations,
            STANDARD.encode(&self.salt),
            STANDARD.encode(self.stored_key()),
            STANDARD.encode(self.server_key()),
        )
    }
}

impl FromStr for StoredCredentials {
    type Err = TextError;

    fn from_str(text: &str) -> Result<StoredCredentials, TextError> {
        let parts = TextParts::parse(text.strip_prefix("SCRAM-").ok_or(TextError)?)?;
        StoredCredentials::from_parts(
            parts.hash,
            &parts.salt,
            parts.iterations,
            &parts.first,
            &parts.second,
        )
        .ok_or(TextError)
    }
}

/// In constant time as far as the keys go.
impl PartialEq for StoredCredentials {
    fn eq(&self, other: &StoredCredentials) -> bool {
        let public = self.hash == other.hash
            && self.salt == other.salt
            && self.iterations == other.iterations;
        let keys =
            self.stored_key.matches(&other.stored_key) & self.server_key.matches(&other.server_key);
        public & bool::from(keys)
    }
}

impl Eq for StoredCredentials {}

/// The keys are not shown.
impl fmt::Debug for StoredCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredCredentials")
            .field("hash", &self.hash)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// A client's keys for one hash function, salt and number of iterations: ClientKey and ServerKey.
///
/// For that account they are worth the password, so keep them as carefully. A client may cache them and so save the
/// derivation at the next login (RFC 5802 §5.1). Zeroed when dropped; Debug shows nothing secret.
#[derive(Clone)]
pub struct DerivedKeys {
    hash: Hash,
    salt: Vec<u8>,
    iterations: u32,
    client_key: Key,
    server_key: Key,
}

impl DerivedKeys {
    /// From the password, at the cost of `iterations` rounds of the hash function.
    ///
    /// # Errors
    /// When the password cannot be prepared, or salt or iterations are none.
    pub fn derive(
        hash: Hash,
        password: &str,
        salt: &[u8],
        iterations: u32,
    ) -> Result<DerivedKeys, DeriveError> {
        if salt.is_empty() {
            return Err(DeriveError::EmptySalt);
        }
        if iterations == 0 {
            return Err(DeriveError::NoIterations);
        }
        let prepared = Zeroizing::new(saslprep(password, Preparation::Stored)?.into_owned());
        Ok(DerivedKeys::of_prepared(hash, &prepared, salt, iterations))
    }

    /// From the SaltedPassword of RFC 5802 §3; `None` when it is not as long as the hash function's output, or salt or
    /// iterations are none.
    pub fn from_salted_password(
        hash: Hash,
        salted_password: &[u8],
        salt: &[u8],
        iterations: u32,
    ) -> Option<DerivedKeys> {
        (salted_password.len() == hash.output_bytes() && !salt.is_empty() && iterations > 0)
            .then(|| DerivedKeys::of_salted(hash, salted_password, salt, iterations))
    }

    pub(crate) fn of_prepared(
        hash: Hash,
        password: &str,
        salt: &[u8],
        iterations: u32,
    ) -> DerivedKeys {
        let salted = pbkdf2(hash, password.as_bytes(), salt, iterations, &mut || true);
        // Never asked to stop, so there is always one.
        let salted = salted.unwrap_or_else(Key::empty);
        DerivedKeys::of_salted(hash, salted.as_slice(), salt, iterations)
    }

    fn of_salted(hash: Hash, salted: &[u8], salt: &[u8], iterations: u32) -> DerivedKeys {
        DerivedKeys {
            hash,
            salt: salt.to_vec(),
            iterations,
            client_key: hash.hmac(salted, &[b"Client Key"]),
            server_key: hash.hmac(salted, &[b"Server Key"]),
        }
    }

    /// The hash function.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The salt they were derived with.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// The number of iterations they were derived with.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// What a server stores for these keys.
    pub fn to_stored(&self) -> StoredCredentials {
        StoredCredentials {
            hash: self.hash,
            salt: self.salt.clone(),
            iterations: self.iterations,
            stored_key: self.hash.digest(self.client_key.as_slice()),
            server_key: self.server_key.clone(),
        }
    }

    /// One line for a protected store, `KEYS-SHA-256$iterations:salt$ClientKey:ServerKey`; `parse` reads it back. It
    /// is as secret as the password.
    pub fn to_text(&self) -> Zeroizing<String> {
        let client_key = Zeroizing::new(STANDARD.encode(self.client_key.as_slice()));
        let server_key = Zeroizing::new(STANDARD.encode(self.server_key.as_slice()));
        Zeroizing::new(format!(
            "KEYS-{}${}:{}${}:{}",
            self.hash,
            self.iterations,
            STANDARD.encode(&self.salt),
            *client_key,
            *server_key,
        ))
    }

    pub(crate) fn client_key(&self) -> &Key {
        &self.client_key
    }

    pub(crate) fn server_key(&self) -> &Key {
        &self.server_key
    }

    pub(crate) fn fits(&self, hash: Hash, salt: &[u8], iterations: u32) -> bool {
        self.hash == hash && self.iterations == iterations && bool::from(self.salt.ct_eq(salt))
    }
}

impl FromStr for DerivedKeys {
    type Err = TextError;

    fn from_str(text: &str) -> Result<DerivedKeys, TextError> {
        let parts = TextParts::parse(text.strip_prefix("KEYS-").ok_or(TextError)?)?;
        let length = parts.hash.output_bytes();
        if parts.first.len() != length || parts.second.len() != length {
            return Err(TextError);
        }
        Ok(DerivedKeys {
            hash: parts.hash,
            iterations: parts.iterations,
            client_key: Key::from_slice(&parts.first),
            server_key: Key::from_slice(&parts.second),
            salt: parts.salt,
        })
    }
}

/// The keys are not shown.
impl fmt::Debug for DerivedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DerivedKeys")
            .field("hash", &self.hash)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// The costly part of a client's step, to be run where it may take its time
/// ([`Client::derivation`](crate::Client::derivation)).
pub struct Derivation {
    pub(crate) hash: Hash,
    pub(crate) password: Zeroizing<String>,
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u32,
}

impl Derivation {
    /// The number of iterations ahead.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Derives the keys.
    pub fn run(&self) -> DerivedKeys {
        DerivedKeys::of_prepared(self.hash, &self.password, &self.salt, self.iterations)
    }

    /// Derives the keys unless `go_on` says no; it is asked every 4096 iterations.
    pub fn run_while(&self, mut go_on: impl FnMut() -> bool) -> Option<DerivedKeys> {
        let password = self.password.as_bytes();
        let salted = pbkdf2(self.hash, password, &self.salt, self.iterations, &mut go_on)?;
        Some(DerivedKeys::of_salted(
            self.hash,
            salted.as_slice(),
            &self.salt,
            self.iterations,
        ))
    }
}

/// The password is not shown.
impl fmt::Debug for Derivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Derivation")
            .field("hash", &self.hash)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// `SHA-256$iterations:salt$key:key`
struct TextParts {
    hash: Hash,
    iterations: u32,
    salt: Vec<u8>,
    first: Zeroizing<Vec<u8>>,
    second: Zeroizing<Vec<u8>>,
}

impl TextParts {
    fn parse(text: &str) -> Result<TextParts, TextError> {
        let mut fields = text.split('$');
        let (Some(name), Some(salting), Some(keys), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(TextError);
        };
        let hash = Hash::ALL
            .iter()
            .find(|hash| hash.name() == name)
            .copied()
            .ok_or(TextError)?;
        let (iterations, salt) = salting.split_once(':').ok_or(TextError)?;
        let (first, second) = keys.split_once(':').ok_or(TextError)?;
        if !iterations.starts_with(|c: char| matches!(c, '1'..='9')) {
            return Err(TextError);
        }
        let salt = STANDARD.decode(salt).map_err(|_| TextError)?;
        if salt.is_empty() {
            return Err(TextError);
        }
        Ok(TextParts {
            hash,
            iterations: iterations.parse().map_err(|_| TextError)?,
            salt,
            first: Zeroizing::new(STANDARD.decode(first).map_err(|_| TextError)?),
            second: Zeroizing::new(STANDARD.decode(second).map_err(|_| TextError)?),
        })
    }
}

/// Why no keys can be derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeriveError {
    /// The password cannot be used.
    Password(PrepareError),
    /// The salt is empty, which SCRAM does not allow.
    EmptySalt,
    /// The number of iterations is zero.
    NoIterations,
}

impl From<PrepareError> for DeriveError {
    fn from(error: PrepareError) -> DeriveError {
        DeriveError::Password(error)
    }
}

impl fmt::Display for DeriveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeriveError::Password(error) => write!(f, "the password: {error}"),
            DeriveError::EmptySalt => f.write_str("the salt is empty"),
            DeriveError::NoIterations => f.write_str("the number of iterations is zero"),
        }
    }
}

impl core::error::Error for DeriveError {}

/// The text is not what `to_text` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextError;

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text does not hold SCRAM keys")
    }
}

impl core::error::Error for TextError {}
