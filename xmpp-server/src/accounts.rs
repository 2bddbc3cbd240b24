//! Accounts: made, changed, removed and listed by whoever runs the server.

use std::fmt;
use std::sync::Arc;

use xmpp_core::jid::{Jid, JidError};
use xmpp_sasl::{DeriveError, Hash, StoredCredentials};

use crate::router::Router;
use crate::storage::{Account, Batch, StoreError};

/// Each account has credentials for these, so that any client finds a mechanism.
const HASHES: [Hash; 2] = [Hash::Sha1, Hash::Sha256];

/// The accounts of a server. Cheap to clone.
///
/// A password is only there while its keys are derived, which happens on a thread of its own; what is stored cannot
/// be turned back into it.
#[derive(Clone)]
pub struct Accounts {
    pub(crate) router: Arc<Router>,
    pub(crate) iterations: u32,
}

impl Accounts {
    /// Adds an account: `user` is the part of its address before the `@`.
    ///
    /// # Errors
    /// [`AccountError::Address`] and [`AccountError::Password`] for what cannot be one,
    /// [`StoreError::AccountExists`] if the address is taken.
    pub async fn create(&self, user: &str, password: &str) -> Result<(), AccountError> {
        let account = self.derive(user, password).await?;
        Ok(self
            .router
            .commit(Batch::new().create_account(account))
            .await?)
    }

    /// Gives an account another password. Who is logged in stays so; tokens by which clients log in again are void.
    ///
    /// # Errors
    /// As for [`Accounts::create`], but [`StoreError::NoSuchAccount`] if there is none.
    pub async fn set_password(&self, user: &str, password: &str) -> Result<(), AccountError> {
        let account = self.derive(user, password).await?;
        Ok(self
            .router
            .commit(Batch::new().replace_account(account))
            .await?)
    }

    /// Removes an account and its roster, and ends its connections. Nothing happens if there is none.
    ///
    /// # Errors
    /// [`AccountError::Address`], or what the store says.
    pub async fn remove(&self, user: &str) -> Result<(), AccountError> {
        Ok(self.router.remove_account(&self.address(user)?).await?)
    }

    /// Whether there is an account of this name.
    ///
    /// # Errors
    /// [`AccountError::Address`], or what the store says.
    pub async fn exists(&self, user: &str) -> Result<bool, AccountError> {
        Ok(self.router.account(self.address(user)?).await?.is_some())
    }

    /// Addresses of accounts in their order: at most `limit` of those after `after`.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, AccountError> {
        let after = after.map(str::to_owned);
        let list = self.router.load(after, move |store, after| {
            store.accounts(after.as_deref(), limit)
        });
        Ok(list.await?)
    }

    async fn derive(&self, user: &str, password: &str) -> Result<Account, AccountError> {
        let address = self.address(user)?;
        derive(address, Password::new(password), self.iterations).await
    }

    fn address(&self, user: &str) -> Result<Jid, AccountError> {
        Ok(Jid::from_parts(
            Some(user),
            self.router.rules.domain.domain(),
            None,
        )?)
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts").finish_non_exhaustive()
    }
}

/// The account of this address with keys derived from a password, on a thread of its own.
pub(crate) async fn derive(
    address: Jid,
    password: Password,
    iterations: u32,
) -> Result<Account, AccountError> {
    let derivation = tokio::task::spawn_blocking(move || {
        let mut credentials = Vec::new();
        for hash in HASHES {
            let mut salt = [0; 16];
            getrandom::fill(&mut salt).map_err(|_| AccountError::NoRandomness)?;
            let stored = StoredCredentials::derive(hash, &password.0, &salt, iterations)?;
            credentials.push(stored.to_text());
        }
        Ok(credentials)
    });
    let credentials = derivation
        .await
        .unwrap_or(Err(AccountError::Store(StoreError::Closed)))?;
    Ok(Account::new(address.as_str(), credentials))
}

/// The stored credentials for one hash function, if the account has them.
pub(crate) fn credentials(account: &Account, hash: Option<Hash>) -> Option<StoredCredentials> {
    let stored = account
        .credentials
        .iter()
        .filter_map(|text| text.parse::<StoredCredentials>().ok());
    // The last ones are for the strongest hash function.
    stored
        .rev()
        .find(|stored| hash.is_none_or(|hash| stored.hash() == hash))
}

/// A copy of a password on its way to the thread that derives.
pub(crate) struct Password(String);

impl Password {
    pub(crate) fn new(password: &str) -> Self {
        Self(password.to_owned())
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

/// Why an account was not made or changed.
#[derive(Debug)]
#[non_exhaustive]
pub enum AccountError {
    /// The name cannot be part of an address.
    Address(JidError),
    /// The password is empty or holds characters that passwords cannot have.
    Password(DeriveError),
    /// The system gives no random bytes.
    NoRandomness,
    /// The store refused or failed.
    Store(StoreError),
}

impl fmt::Display for AccountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AccountError::Address(error) => write!(f, "not a user name: {error}"),
            AccountError::Password(error) => write!(f, "not a password: {error}"),
            AccountError::NoRandomness => f.write_str("the system gives no random bytes"),
            AccountError::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AccountError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            AccountError::Address(error) => Some(error),
            AccountError::Password(error) => Some(error),
            AccountError::NoRandomness => None,
            AccountError::Store(error) => Some(error),
        }
    }
}

impl From<JidError> for AccountError {
    fn from(error: JidError) -> Self {
        Self::Address(error)
    }
}

impl From<DeriveError> for AccountError {
    fn from(error: DeriveError) -> Self {
        Self::Password(error)
    }
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
