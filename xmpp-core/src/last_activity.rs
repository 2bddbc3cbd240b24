//! Last activity (XEP-0012): since when has nothing happened there?
//!
//! Who may not see the presence of somebody gets `forbidden` (XEP-0012 §3).

use alloc::borrow::Cow;

use xmpp_xml::{FromXml, IntoOwned, ToXml};

use crate::ns;

/// Asks since when nothing has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromXml, ToXml, IntoOwned)]
#[xml(name = "query", namespace = ns::LAST_ACTIVITY)]
pub struct Request;

/// Since when nothing has happened: for an account since its last resource went, for a resource since
/// somebody used it, for a server or service since it was started (XEP-0012 §2).
///
/// ```
/// use xmpp_core::last_activity::LastActivity;
/// use xmpp_xml::{Element, FromXml};
///
/// let element: Element = "<query xmlns='jabber:iq:last' seconds='903'>Heading Home</query>".parse()?;
/// assert_eq!(LastActivity::from_xml(element.root())?.seconds, 903);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
#[xml(name = "query", namespace = ns::LAST_ACTIVITY)]
pub struct LastActivity<'a> {
    /// Seconds since then; 0 for an account with a resource that is there.
    #[xml(attribute)]
    pub seconds: u64,
    /// What the account said as its last resource went.
    #[xml(text)]
    pub status: Option<Cow<'a, str>>,
}
