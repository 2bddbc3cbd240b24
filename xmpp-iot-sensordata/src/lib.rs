//! Reading sensors over XMPP (XEP-0323): requester and device engines without I/O.
