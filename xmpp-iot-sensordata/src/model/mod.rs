//! What is read: requests, fields, values, categories and quality, free of any wire vocabulary.
//!
//! These types know nothing of XML. A dialect (see [`payload`](crate::payload)) is a codec between
//! them and its elements, so that a second dialect needs no second model.
//!
//! Types that hold text are generic over a lifetime: read from a stanza they borrow from it, and
//! `into_owned` frees them; made by an application they are usually `'static`.

mod calendar;
mod categories;
mod decimal;
mod failure;
mod field;
mod localization;
mod node;
mod quality;
mod readings;
mod request;
mod value;

pub use self::calendar::{Date, Time};
pub use self::categories::Categories;
pub use self::decimal::Decimal;
pub use self::failure::NodeFailure;
pub use self::field::Field;
pub use self::localization::{Step, StepError, StringIds};
pub use self::node::NodeReference;
pub use self::quality::Quality;
pub use self::readings::{Reading, Readings};
pub use self::request::{ReadoutRequest, Tokens};
pub use self::value::Value;

/// `time` in whole seconds and nanoseconds since 1970 (UTC), where a time without a zone is taken
/// to be `assumed_offset` minutes ahead of UTC.
pub(crate) fn moment(time: &xmpp_xml::value::DateTime, assumed_offset: i16) -> (i64, u32) {
    let seconds = match time.offset() {
        Some(_) => time.unix_seconds(),
        None => time
            .unix_seconds()
            .saturating_sub(i64::from(assumed_offset) * 60),
    };
    (seconds, time.nanoseconds())
}
