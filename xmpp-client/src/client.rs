//! The handle of a client.

use std::future::Future;
use std::sync::Arc;

use xmpp_core::error::StanzaError;
use xmpp_core::jid::Jid;
use xmpp_core::stanza::{Iq, IqBuilder, IqType, error_reply};
use xmpp_xml::{Element, ElementRef, FromXml, ToXml, Writer};

use crate::config::Config;
use crate::delivery::Delivery;
use crate::error::{ConnectError, End, RequestError, SendError};
use crate::incoming::Incoming;
use crate::session::Session;
use crate::shared::{Answer, Shared};

/// The sending half of a client. Clones share it; when the last one and [`Incoming`] are gone, its stream is closed.
#[derive(Clone, Debug)]
pub struct Client {
    handle: Arc<Handle>,
}

/// Closes the stream when nobody uses it any more.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Client {
    /// Connects, logs in and binds a resource. Must run within a tokio runtime, which then keeps the client connected
    /// ([`Config::reconnect`]) until it is [closed](Self::close) or dropped.
    ///
    /// # Errors
    /// See [`ConnectError`]. The first time nothing is tried again.
    pub async fn connect(config: Config) -> Result<(Client, Incoming), ConnectError> {
        let (session, link) = Session::connect(config).await?;
        let shared = session.shared();
        tokio::spawn(session.run(link));
        let handle = Arc::new(Handle { shared });
        Ok((
            Client {
                handle: Arc::clone(&handle),
            },
            Incoming { handle },
        ))
    }

    /// The full address that is bound; while there is no connection, the one that was. A new session may have another.
    pub fn jid(&self) -> Jid {
        self.shared().state().jid.clone()
    }

    /// How the client ended; `None` while it has not.
    pub fn end(&self) -> Option<End> {
        self.shared().state().end.clone()
    }

    /// Tells that the network has changed, as systems do that have several: a client that waits to connect again does
    /// so at once, and one that is connected makes sure of it, which takes [`Config::ping_timeout`] at the most.
    pub fn reconnect_now(&self) {
        self.shared().state().hint = true;
        self.shared().work.notify_one();
    }

    /// Sends a stanza, once less than [`Config::send_buffer`] bytes are unsent, whether there is a connection now or
    /// not. It is written out when this is called, so the future borrows nothing of it; where there is room it is on its
    /// way before the future is first polled.
    ///
    /// # Errors
    /// [`SendError`]; nothing was sent.
    pub fn send(
        &self,
        stanza: &dyn ToXml,
    ) -> impl Future<Output = Result<Delivery, SendError>> + Send + use<> {
        self.send_with(&mut |writer| stanza.to_xml(writer))
    }

    /// Sends what is written here: one or several stanzas, as engines write them.
    ///
    /// # Errors
    /// [`SendError`]; nothing was sent. [`SendError::NoStanza`] if nothing was written.
    pub fn send_with(
        &self,
        write: &mut dyn FnMut(&mut Writer<'_>),
    ) -> impl Future<Output = Result<Delivery, SendError>> + Send + use<> {
        self.shared().send(None, write)
    }

    /// Asks for something (IQ `get`) and waits for the result. Without `to`, one's own account is asked.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn get(
        &self,
        to: Option<&Jid>,
        payload: &dyn ToXml,
    ) -> impl Future<Output = Result<Reply, RequestError>> + Send + use<> {
        self.request(IqType::Get, to, payload)
    }

    /// Changes something (IQ `set`) and waits for the result. Without `to`, one's own account is asked.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn set(
        &self,
        to: Option<&Jid>,
        payload: &dyn ToXml,
    ) -> impl Future<Output = Result<Reply, RequestError>> + Send + use<> {
        self.request(IqType::Set, to, payload)
    }

    /// Answers a request with a result.
    ///
    /// # Errors
    /// [`SendError`]; nothing was sent.
    pub fn reply(
        &self,
        request: &Iq<'_>,
        payload: Option<&dyn ToXml>,
    ) -> impl Future<Output = Result<Delivery, SendError>> + Send + use<> {
        let result = request.result();
        match payload {
            Some(payload) => self.send(&result.payload(payload)),
            None => self.send(&result),
        }
    }

    /// Answers a stanza with an error (RFC 6120 §8.3).
    ///
    /// # Errors
    /// [`SendError`]; nothing was sent. [`SendError::NoStanza`] for what is never answered: errors and results.
    pub fn refuse(
        &self,
        stanza: ElementRef<'_>,
        error: &StanzaError,
    ) -> impl Future<Output = Result<Delivery, SendError>> + Send + use<> {
        self.shared().send(None, &mut |writer| {
            error_reply(stanza, error, writer);
        })
    }

    /// Closes the stream and waits until that is done. What was sent before is written first, where there is a
    /// connection.
    pub async fn close(&self) -> End {
        self.shared().close();
        self.shared().wait_for(|state| state.end.clone()).await
    }

    fn request(
        &self,
        kind: IqType,
        to: Option<&Jid>,
        payload: &dyn ToXml,
    ) -> impl Future<Output = Result<Reply, RequestError>> + Send + use<> {
        let opened = self.shared().open_request(to);
        let opened = opened.map(|(request, reply)| {
            let id = request.id();
            let sending = self.shared().send(Some(id), &mut |writer| {
                let iq = if kind == IqType::Get {
                    IqBuilder::get(id)
                } else {
                    IqBuilder::set(id)
                };
                let iq = iq.payload(payload);
                match to {
                    Some(to) => iq.to(to).to_xml(writer),
                    None => iq.to_xml(writer),
                }
            });
            (request, reply, sending)
        });
        async move {
            // Forgets the reply when this future ends, however that happens.
            let (request, reply, sending) = opened.map_err(|_| RequestError::TooMany)?;
            let _ = sending.await?;
            let shared = request.shared();
            match reply.await {
                Ok(Answer::Reply(element)) => Reply::of(element),
                Ok(Answer::Lost) => Err(RequestError::Lost),
                Ok(Answer::TimedOut) => Err(RequestError::TimedOut(shared.request_timeout)),
                Err(_) => Err(RequestError::Ended(
                    shared.state().end.clone().unwrap_or(End::Closed),
                )),
            }
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

/// The result of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    iq: Element,
}

impl Reply {
    fn of(iq: Element) -> Result<Self, RequestError> {
        if iq.root().attribute("type").as_deref() == Some("error") {
            return Err(RequestError::Refused(StanzaError::of(iq.root())));
        }
        Ok(Self { iq })
    }

    /// The whole IQ.
    pub fn iq(&self) -> &Element {
        &self.iq
    }

    /// What it holds; many results hold nothing.
    pub fn payload(&self) -> Option<ElementRef<'_>> {
        self.iq.root().children().next()
    }

    /// Reads what it holds as a typed payload.
    ///
    /// # Errors
    /// [`RequestError::Empty`] and [`RequestError::Reply`].
    pub fn read<'a, T: FromXml<'a>>(&'a self) -> Result<T, RequestError> {
        self.payload()
            .ok_or(RequestError::Empty)?
            .read()
            .map_err(RequestError::Reply)
    }
}
