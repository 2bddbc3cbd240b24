//! Keys for a stronger hash function, after logging in with a weaker one (XEP-0480).

use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::credentials::Credentials;
use crate::error::{Error, Failure, MessageError};
use crate::hash::Hash;
use crate::keys::{DeriveError, StoredCredentials};
use crate::pbkdf2::pbkdf2;
use crate::policy::Policy;
use crate::prepare::Preparation;

/// A task by which a server that stores no passwords gets keys of another hash function (XEP-0480 §3): it tells salt
/// and iterations, the client answers with the SaltedPassword.
///
/// The answer is worth the password to whoever sees it, so do this on an encrypted channel only, and better on one
/// that the login was bound to. Base64 around salt and answer is strict: [`wire`](crate::wire).
///
/// ```
/// use xmpp_sasl::{Credentials, Hash, Policy, Upgrade};
///
/// // The server asks a user who has logged in by SCRAM-SHA-1 …
/// let upgrade = Upgrade::new(Hash::Sha256, b"sixteen byte salt", 10_000)?;
/// assert_eq!(upgrade.task(), "UPGR-SCRAM-SHA-256");
///
/// // … whose client answers, within the bounds of its policy …
/// let answer = upgrade.answer(&Credentials::password("user", "pencil"), &Policy::default())?;
///
/// // … and the server stores what the next login by SCRAM-SHA-256 needs.
/// let stored = upgrade.handle_answer(&answer)?;
/// assert!(stored.verify("pencil"));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Upgrade {
    hash: Hash,
    salt: Vec<u8>,
    iterations: u32,
}

impl Upgrade {
    /// On the server from a random salt of 16 bytes or more, new for every task; on the client from what the server
    /// sent.
    ///
    /// # Errors
    /// When salt or iterations are none.
    pub fn new(hash: Hash, salt: &[u8], iterations: u32) -> Result<Upgrade, DeriveError> {
        if salt.is_empty() {
            return Err(DeriveError::EmptySalt);
        }
        if iterations == 0 {
            return Err(DeriveError::NoIterations);
        }
        Ok(Upgrade {
            hash,
            salt: salt.to_vec(),
            iterations,
        })
    }

    /// The name of the task for a hash function, such as `UPGR-SCRAM-SHA-256`.
    pub const fn task_name(hash: Hash) -> &'static str {
        match hash {
            Hash::Sha1 => "UPGR-SCRAM-SHA-1",
            Hash::Sha256 => "UPGR-SCRAM-SHA-256",
            Hash::Sha512 => "UPGR-SCRAM-SHA-512",
            #[cfg(feature = "sha3")]
            Hash::Sha3_512 => "UPGR-SCRAM-SHA3-512",
        }
    }

    /// The hash function that a task is for; `None` for other tasks.
    pub fn hash_of_task(name: &str) -> Option<Hash> {
        Hash::ALL
            .iter()
            .find(|hash| Upgrade::task_name(**hash) == name)
            .copied()
    }

    /// The name of this task.
    pub fn task(&self) -> &'static str {
        Upgrade::task_name(self.hash)
    }

    /// The hash function.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The salt to send.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// The number of iterations to send.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Client: the SaltedPassword (RFC 5802 §3), at the cost of the iterations.
    ///
    /// # Errors
    /// [`Error::Iterations`] outside the policy's bounds and [`MessageError::TooLong`] for a salt over its limit,
    /// before anything is hashed; [`Error::KeysDoNotFit`] without a password; [`Error::Password`].
    pub fn answer(
        &self,
        credentials: &Credentials,
        policy: &Policy,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        policy.check_iterations(u64::from(self.iterations))?;
        if self.salt.len() > policy.limits.salt_bytes {
            return Err(MessageError::TooLong("salt").into());
        }
        let password = credentials.password.as_ref().ok_or(Error::KeysDoNotFit)?;
        let password = credentials
            .prepare(password, Preparation::Stored)
            .map_err(Error::Password)?;
        let salted = pbkdf2(
            self.hash,
            password.as_bytes(),
            &self.salt,
            self.iterations,
            &mut || true,
        );
        // Never asked to stop, so there is always one.
        Ok(Zeroizing::new(salted.map_or_else(Vec::new, |salted| {
            salted.as_slice().to_vec()
        })))
    }

    /// Server: what to store, from the client's answer.
    ///
    /// # Errors
    /// [`Failure::Message`] when the answer is not as long as the hash function's output.
    pub fn handle_answer(&self, salted_password: &[u8]) -> Result<StoredCredentials, Failure> {
        let stored = StoredCredentials::from_salted_password(
            self.hash,
            salted_password,
            &self.salt,
            self.iterations,
        );
        stored.ok_or(Failure::Message(MessageError::Malformed(
            "length of the salted password",
        )))
    }
}

/// The salt is not shown.
impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade")
            .field("hash", &self.hash)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}
