//! Other ways to a server than TCP and TLS from here.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use xmpp_net::{Connection, NetError};

/// Makes connections that are secret and lead to the right server by themselves: through a tunnel, over a serial line,
/// or in memory for a simulation. See [`Config::dial`](crate::Config::dial).
pub trait Dial: Send + Sync + fmt::Debug {
    /// Makes a new connection, in bounded time.
    ///
    /// # Errors
    /// [`NetError`]: it is tried again later.
    fn dial(&self) -> Pin<Box<dyn Future<Output = Result<Connection, NetError>> + Send + '_>>;
}
