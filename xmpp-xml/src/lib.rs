//! Strict, zero-copy XML stream parser, writer and typed payloads for XMPP.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod value;
