use alloc::collections::VecDeque;
use alloc::vec::Vec;

use xmpp_xml::value::DateTime;

use crate::model::{Field, NodeFailure, NodeReference};

/// What a readout has still to send, in order.
#[derive(Debug, Default)]
pub(super) struct Pending {
    items: VecDeque<Item>,
    bytes: usize,
}

#[derive(Debug)]
enum Item {
    Fields(Sample),
    Failure(NodeFailure<'static>, usize),
}

/// Fields of one node and time, each with the most bytes that it takes.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) node: NodeReference<'static>,
    pub(super) time: DateTime,
    pub(super) fields: VecDeque<(Field<'static>, usize)>,
    /// The most bytes that node and time take around them.
    around: usize,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn begins_with_failure(&self) -> bool {
        matches!(self.items.front(), Some(Item::Failure(..)))
    }

    pub(super) fn push_fields(
        &mut self,
        node: NodeReference<'static>,
        time: DateTime,
        fields: VecDeque<(Field<'static>, usize)>,
        around: usize,
    ) {
        self.bytes += around + fields.iter().map(|(_, size)| size).sum::<usize>();
        self.items.push_back(Item::Fields(Sample {
            node,
            time,
            fields,
            around,
        }));
    }

    pub(super) fn push_failure(&mut self, failure: NodeFailure<'static>, size: usize) {
        self.bytes += size;
        self.items.push_back(Item::Failure(failure, size));
    }

    /// Takes as many fields from the front as `room` holds, and at least one if there is one.
    /// Returns whether nothing is left, too.
    pub(super) fn take_fields(&mut self, room: usize) -> (Vec<Sample>, bool) {
        let mut taken: Vec<Sample> = Vec::new();
        let mut left = room;
        while let Some(Item::Fields(sample)) = self.items.front_mut() {
            let mut fields = VecDeque::new();
            let first = sample.fields.front().map_or(0, |(_, size)| *size);
            if !taken.is_empty() && sample.around + first > left {
                break;
            }
            left = left.saturating_sub(sample.around);
            while let Some((_, size)) = sample.fields.front() {
                let is_forced = taken.is_empty() && fields.is_empty();
                if *size > left && !is_forced {
                    break;
                }
                left = left.saturating_sub(*size);
                self.bytes = self.bytes.saturating_sub(*size);
                fields.extend(sample.fields.pop_front());
            }
            if sample.fields.is_empty() {
                self.bytes = self.bytes.saturating_sub(sample.around);
                if let Some(Item::Fields(sample)) = self.items.pop_front() {
                    taken.push(Sample { fields, ..sample });
                }
            } else {
                let Sample {
                    node, time, around, ..
                } = sample;
                let (node, time, around) = (node.clone(), *time, *around);
                taken.push(Sample {
                    node,
                    time,
                    fields,
                    around,
                });
                break;
            }
        }
        (taken, self.items.is_empty())
    }

    /// Takes as many failures from the front as `room` holds, and at least one if there is one.
    /// Returns whether nothing is left, too.
    pub(super) fn take_failures(&mut self, room: usize) -> (Vec<NodeFailure<'static>>, bool) {
        let mut taken = Vec::new();
        let mut left = room;
        while let Some(Item::Failure(_, size)) = self.items.front() {
            if *size > left && !taken.is_empty() {
                break;
            }
            left = left.saturating_sub(*size);
            self.bytes = self.bytes.saturating_sub(*size);
            if let Some(Item::Failure(failure, _)) = self.items.pop_front() {
                taken.push(failure);
            }
        }
        (taken, self.items.is_empty())
    }
}
