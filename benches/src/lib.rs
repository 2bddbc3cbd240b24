//! What the benches share: corpora, and a server with clients on loopback.

pub mod corpus;
pub mod loopback;
