//! The tokens by which clients log in again (FAST, XEP-0484): kept by account, a few installations of clients each.
//!
//! A token is worth the password of its account for as long as it lasts, so that it is kept where credentials are, and
//! it is void when the password is changed.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use xmpp_core::datetime::DateTime;
use xmpp_core::stream::{FastToken, FastTokens};
use xmpp_sasl::{Mechanism, Token};
use zeroize::Zeroizing;

use crate::router::Router;
use crate::storage::{Account, Batch, StoreError};

/// For how many installations of clients one account has tokens; the one that was away for longest goes first.
const INSTALLATIONS: usize = 32;

/// The mechanisms for tokens: bound to the TLS connection where it can be, and for clients that cannot do it, not.
pub(crate) const MECHANISMS: [Mechanism; 3] = [
    Mechanism::HtSha256Exporter,
    Mechanism::HtSha256EndPoint,
    Mechanism::HtSha256Unbound,
];

/// Under this name the store keeps the tokens of an account.
pub(crate) fn key(account: &str) -> String {
    format!("tokens/{account}")
}

/// Lets `answer` see and change the tokens of an installation; it says whether they have changed. What has changed is on
/// the disk when this returns, and nobody else has seen the tokens meanwhile. An account that is not there has none.
///
/// # Errors
/// What the store says; `answer` was not called if it cannot be read.
pub(crate) async fn with_tokens(
    router: &Router,
    account: &str,
    client: &str,
    answer: impl FnOnce(&mut FastTokens, DateTime) -> bool,
) -> Result<(), StoreError> {
    let time = now()?;
    let _guard = router.lock([account, account]).await;
    let stored = router.load(account.to_owned(), |store, account| {
        let generation = store.account(account)?.as_ref().map(generation);
        let stored = match generation {
            Some(_) => store.value(&key(account))?,
            None => None,
        };
        Ok((generation, Zeroizing::new(stored.unwrap_or_default())))
    });
    let (generation, stored) = stored.await?;
    let generation = generation.as_deref();
    let mut kept = read(&stored, generation.unwrap_or_default());
    let place = kept
        .iter()
        .position(|(installation, _)| installation == client);
    let mut tokens = place.map_or_else(FastTokens::default, |place| kept.remove(place).1);
    if answer(&mut tokens, time)
        && let Some(generation) = generation
    {
        if !tokens.is_empty() {
            kept.push((client.to_owned(), tokens));
        }
        let excess = kept.len().saturating_sub(INSTALLATIONS);
        kept.drain(..excess);
        let bytes = write(&kept, generation).as_bytes().to_vec();
        router
            .commit(Batch::new().put_value(key(account), bytes))
            .await?;
    }
    Ok(())
}

fn now() -> Result<DateTime, StoreError> {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    DateTime::from_unix(seconds, 0).map_err(|error| StoreError::Failed(Arc::new(error)))
}

/// Tells the credentials of an account from those before and after: each have salts of their own. Tokens are good for
/// those with which they were issued, whoever changes the password and however.
fn generation(account: &Account) -> String {
    let bytes = account.credentials.iter().flat_map(|text| text.bytes());
    // FNV-1a: salts are random, and nobody can choose them.
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// One line for the generation of the credentials, and one for each token: installation, slot, mechanism, expiry, count,
/// secret.
fn write(kept: &[(String, FastTokens)], generation: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(format!("{generation}\n"));
    for (client, tokens) in kept {
        for (slot, token) in [("newest", tokens.newest()), ("current", tokens.current())] {
            let Some(token) = token else {
                continue;
            };
            let expiry = token.expiry().unix_seconds();
            let (mechanism, count) = (token.token().mechanism().name(), token.count());
            let fields = [
                client.as_str(),
                slot,
                mechanism,
                &expiry.to_string(),
                &count.to_string(),
                token.token().secret(),
            ];
            for (index, field) in fields.into_iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "\t" });
                text.push_str(field);
            }
            text.push('\n');
        }
    }
    text
}

/// What cannot be read, or is of another generation, is no token: its client logs in with its password.
fn read(bytes: &[u8], generation: &str) -> Vec<(String, FastTokens)> {
    let mut kept: Vec<(String, FastTokens)> = Vec::new();
    let mut lines = std::str::from_utf8(bytes).unwrap_or_default().lines();
    if lines.next() != Some(generation) {
        return kept;
    }
    for line in lines {
        let Some((client, slot, token)) = read_line(line) else {
            continue;
        };
        let before = kept.pop_if(|(installation, _)| installation == client);
        let (newest, current) = before.map_or((None, None), |(_, tokens)| {
            (tokens.newest().cloned(), tokens.current().cloned())
        });
        let tokens = match slot {
            "newest" => FastTokens::new(Some(token), current),
            _ => FastTokens::new(newest, Some(token)),
        };
        kept.push((client.to_owned(), tokens));
    }
    kept
}

fn read_line(line: &str) -> Option<(&str, &str, FastToken)> {
    let mut fields = line.splitn(6, '\t');
    let (client, slot) = (fields.next()?, fields.next()?);
    let mechanism: Mechanism = fields.next()?.parse().ok()?;
    let expiry = DateTime::from_unix(fields.next()?.parse().ok()?, 0).ok()?;
    let count = fields.next()?.parse().ok()?;
    let token = Token::new(mechanism, fields.next()?)?;
    Some((client, slot, FastToken::new(token, expiry).counted(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(secret: &str) -> FastToken {
        let token = Token::new(Mechanism::HtSha256Exporter, secret).unwrap();
        FastToken::new(token, DateTime::from_unix(1_800_000_000, 0).unwrap()).counted(7)
    }

    #[test]
    fn tokens_come_back_as_they_were_kept() {
        let kept = vec![
            (
                "one".to_owned(),
                FastTokens::new(Some(token("a")), Some(token("b"))),
            ),
            ("two".to_owned(), FastTokens::new(None, Some(token("c")))),
            ("three".to_owned(), FastTokens::new(Some(token("d")), None)),
        ];
        assert_eq!(read(write(&kept, "g").as_bytes(), "g"), kept);
        assert!(read(write(&kept, "g").as_bytes(), "h").is_empty());
        assert!(read(b"", "g").is_empty());
        assert!(read(b"g\none\tnewest\tHT-SHA-256-EXPR\tsoon\t1\tx\n", "g").is_empty());
    }
}
