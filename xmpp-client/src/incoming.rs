//! What happens to a client, in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use xmpp_core::jid::Jid;
use xmpp_xml::Element;

use crate::client::Handle;
use crate::error::{ConnectError, End};

/// Something that happened.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A stanza has arrived.
    Stanza(Element),
    /// Stanzas flow, the first time or again.
    Connected {
        /// The full address that is bound.
        jid: Jid,
        /// Whether everything is as it was before: the server has kept the session, with presence and all
        /// (XEP-0198 §5). If not, this is a new session: nobody sees the client before it sends presence.
        resumed: bool,
    },
    /// The connection is gone. The client connects again by itself.
    Disconnected {
        /// Why.
        reason: End,
        /// When, from when it was lost.
        retry: Duration,
    },
    /// An attempt to connect again has failed. Another follows.
    Retrying {
        /// Why.
        error: ConnectError,
        /// When, from when it failed.
        retry: Duration,
    },
}

/// The receiving half of a client: messages, presence and the IQ requests that were
/// [taken on](crate::Config::handle), in the order in which they came. IQ results and errors come here, too, when they
/// answer nothing that [`Client::get`](crate::Client::get) or [`Client::set`](crate::Client::set) asked: an engine that
/// writes its own requests waits for them, and whoever has none leaves them alone.
#[derive(Debug)]
pub struct Incoming {
    pub(crate) handle: Arc<Handle>,
}

impl Incoming {
    /// Waits for the next stanza, and passes over all other events. May be dropped and called again without losing any.
    ///
    /// # Errors
    /// How the client ended, after the last stanza was taken.
    pub async fn next(&mut self) -> Result<Element, End> {
        loop {
            if let Event::Stanza(element) = self.next_event().await? {
                return Ok(element);
            }
        }
    }

    /// Waits for the next event. May be dropped and called again without losing any. Whoever comes too late for a
    /// connection that came and went without a stanza is told of the last one alone.
    ///
    /// # Errors
    /// How the client ended, after the last event was taken.
    pub async fn next_event(&mut self) -> Result<Event, End> {
        let shared = &self.handle.shared;
        loop {
            let arrived = shared.arrived.notified();
            {
                let mut state = shared.state();
                if let Some(event) = state.inbox.pop() {
                    let had_no_room = state.inbox.len().saturating_add(1) >= shared.inbox;
                    drop(state);
                    if had_no_room {
                        shared.work.notify_one();
                    }
                    return Ok(event);
                }
                if let Some(end) = &state.end {
                    return Err(end.clone());
                }
            }
            // A notification that comes between the look and this is kept for it.
            arrived.await;
        }
    }
}

/// The events that were not taken yet. Between two stanzas there are three others at the most.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    events: VecDeque<Event>,
    /// How many events follow the last stanza.
    behind: usize,
}

impl Inbox {
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        self.behind = self.behind.min(self.events.len());
        event
    }

    pub(crate) fn push(&mut self, mut event: Event) {
        if matches!(event, Event::Stanza(_)) {
            self.events.push_back(event);
            self.behind = 0;
            return;
        }
        if matches!(event, Event::Retrying { .. })
            && matches!(self.events.back(), Some(Event::Retrying { .. }))
        {
            self.events.pop_back();
            self.behind = self.behind.saturating_sub(1);
        }
        if let Event::Connected { resumed, .. } = &mut event {
            let start = self.events.len().saturating_sub(self.behind);
            let before = self.events.iter().skip(start);
            let known = before.clone().position(is_connected);
            if let Some(known) = known {
                // What came and went does not count, but a session that began does.
                *resumed &= before
                    .skip(known)
                    .all(|event| !matches!(event, Event::Connected { resumed: false, .. }));
                self.events.truncate(start.saturating_add(known));
                self.behind = known;
            }
        }
        self.events.push_back(event);
        self.behind = self.behind.saturating_add(1);
    }
}

fn is_connected(event: &Event) -> bool {
    matches!(event, Event::Connected { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connected(resumed: bool) -> Event {
        let jid = Jid::parse("juliet@example.org/balcony").unwrap();
        Event::Connected { jid, resumed }
    }

    fn cut() -> Event {
        let (reason, retry) = (End::Closed, Duration::ZERO);
        Event::Disconnected { reason, retry }
    }

    fn stanza() -> Event {
        Event::Stanza(Element::parse("<message/>").unwrap())
    }

    fn shown(inbox: &mut Inbox) -> String {
        let mut shown = String::new();
        while let Some(event) = inbox.pop() {
            shown.push(match event {
                Event::Stanza(_) => 's',
                Event::Connected { resumed: false, .. } => 'N',
                Event::Connected { resumed: true, .. } => 'R',
                Event::Disconnected { .. } => 'd',
                Event::Retrying { .. } => 'r',
            });
        }
        shown
    }

    #[test]
    fn whoever_takes_no_events_is_told_how_it_stands_and_nothing_grows() {
        let mut inbox = Inbox::default();
        inbox.push(connected(false));
        inbox.push(stanza());
        for fresh in [false, true, false] {
            for _ in 0..3 {
                inbox.push(cut());
                for _ in 0..3 {
                    let error = ConnectError::Random(getrandom::Error::UNSUPPORTED);
                    let retry = Duration::ZERO;
                    inbox.push(Event::Retrying { error, retry });
                }
                inbox.push(connected(!fresh));
            }
        }
        inbox.push(cut());
        // The first loss is told, and that the session is not the one of before it.
        assert_eq!(shown(&mut inbox), "NsdrNd");
        assert_eq!(inbox.behind, 0);
        inbox.push(cut());
        inbox.push(connected(true));
        assert_eq!(shown(&mut inbox), "dR");
    }
}
