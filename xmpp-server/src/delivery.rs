//! Who gets a message: the delivery rules of RFC 6121 §8.5 as a pure function.

use xmpp_core::stanza::MessageType;

/// What stands behind the address of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Situation {
    /// The address has a resource, or it is a bare one.
    pub(crate) full: bool,
    /// The resource of the address is connected.
    pub(crate) matched: bool,
    /// Resources of the account that are available with a priority that is not negative.
    pub(crate) willing: usize,
    /// The message may be kept until somebody is there.
    pub(crate) storable: bool,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// It goes to the resource of its address.
    Exact,
    /// It goes to the willing resource with the highest priority.
    MostAvailable,
    /// It goes to every willing resource.
    Willing,
    /// It waits in the store until a willing resource comes; the sender is told `service-unavailable` if there is no
    /// such account or no room.
    Kept,
    /// The sender is told `service-unavailable`. That is the same whether the account does not exist or has
    /// nobody connected, so it tells nothing about the account.
    Refused,
    /// It ends here without a word, as the standard has it.
    Ignored,
}

/// Decides one message (RFC 6121 §8.5.4, table 1). What can wait for its receiver is kept; where the table has
/// a choice between silence and an error it is an error, as whoever has sent it may rely on it.
pub(crate) fn decide(kind: MessageType, situation: Situation) -> Delivery {
    if situation.matched {
        return Delivery::Exact;
    }
    match (kind, situation.full, situation.willing) {
        // Nobody answers an error, so nobody is told that it found no one.
        (MessageType::Error, ..) => Delivery::Ignored,
        (MessageType::Groupchat, ..) => Delivery::Refused,
        (MessageType::Headline, false, 0) => Delivery::Ignored,
        (MessageType::Headline, false, _) => Delivery::Willing,
        (MessageType::Headline, true, _) => Delivery::Refused,
        (MessageType::Normal, true, _) => Delivery::Refused,
        (MessageType::Normal | MessageType::Chat, _, 0) if situation.storable => Delivery::Kept,
        (MessageType::Normal | MessageType::Chat, _, 0) => Delivery::Refused,
        (MessageType::Normal | MessageType::Chat, _, _) => Delivery::MostAvailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Delivery::*;

    /// Normal, chat, groupchat and headline in one situation.
    fn row(full: bool, matched: bool, willing: usize) -> [Delivery; 4] {
        [
            MessageType::Normal,
            MessageType::Chat,
            MessageType::Groupchat,
            MessageType::Headline,
        ]
        .map(|kind| {
            decide(
                kind,
                Situation {
                    full,
                    matched,
                    willing,
                    storable: false,
                },
            )
        })
    }

    #[test]
    fn a_bare_address_without_willing_resources_refuses_and_drops_headlines() {
        assert_eq!(row(false, false, 0), [Refused, Refused, Refused, Ignored]);
    }

    #[test]
    fn what_can_wait_is_kept_for_who_is_not_there() {
        let decide = |kind, full, willing| {
            let situation = Situation {
                full,
                matched: false,
                willing,
                storable: true,
            };
            decide(kind, situation)
        };
        assert_eq!(decide(MessageType::Normal, false, 0), Kept);
        assert_eq!(decide(MessageType::Chat, false, 0), Kept);
        assert_eq!(decide(MessageType::Chat, true, 0), Kept);
        assert_eq!(decide(MessageType::Normal, true, 0), Refused);
        assert_eq!(decide(MessageType::Chat, true, 1), MostAvailable);
        assert_eq!(decide(MessageType::Groupchat, false, 0), Refused);
        assert_eq!(decide(MessageType::Headline, false, 0), Ignored);
    }

    #[test]
    fn a_full_address_that_nobody_has_refuses_when_no_resource_is_willing() {
        assert_eq!(row(true, false, 0), [Refused; 4]);
    }

    #[test]
    fn a_full_address_that_is_connected_gets_everything_whatever_its_priority() {
        assert_eq!(row(true, true, 0), [Exact; 4]);
        assert_eq!(row(true, true, 3), [Exact; 4]);
        let error = Situation {
            full: true,
            matched: true,
            willing: 0,
            storable: true,
        };
        assert_eq!(decide(MessageType::Error, error), Exact);
    }

    #[test]
    fn a_bare_address_delivers_to_the_most_available_and_headlines_to_all() {
        for willing in [1, 2, 5] {
            assert_eq!(
                row(false, false, willing),
                [MostAvailable, MostAvailable, Refused, Willing]
            );
        }
    }

    #[test]
    fn a_chat_to_a_resource_that_left_goes_to_another_one() {
        for willing in [1, 2] {
            assert_eq!(
                row(true, false, willing),
                [Refused, MostAvailable, Refused, Refused]
            );
        }
    }

    #[test]
    fn errors_are_dropped_unless_their_address_is_connected() {
        for (full, willing) in [(false, 0), (false, 2), (true, 0), (true, 2)] {
            let situation = Situation {
                full,
                matched: false,
                willing,
                storable: true,
            };
            assert_eq!(decide(MessageType::Error, situation), Ignored);
        }
    }
}
