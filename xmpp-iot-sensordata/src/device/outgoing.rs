//! What is sent to readers: answers, and data in parts.

use alloc::string::String;

use xmpp_core::error::StanzaError;
use xmpp_core::jid::Jid;
use xmpp_xml::Writer;

use super::pending::Sample;
use super::{Device, Readout, Ticket};
use crate::payload::{
    Accepted, Cancelled, Done, NAMESPACE, NodeError, Started, write_field, write_fields_start,
    write_node_start, write_sample_start,
};
use crate::stanza::{message_size, start_iq, start_message};

/// A stanza without data.
#[derive(Debug)]
pub(super) enum Transmit {
    Accepted {
        to: Jid,
        id: String,
        seqnr: i32,
        queued: bool,
    },
    Cancelled {
        to: Jid,
        id: String,
        seqnr: i32,
    },
    Refused {
        to: Option<Jid>,
        id: Option<String>,
        error: StanzaError,
    },
    Started {
        to: Jid,
        seqnr: i32,
    },
}

impl Device {
    pub(super) fn write_transmit(&self, transmit: Transmit, writer: &mut Writer<'_>) {
        let own = self.config.address.as_ref();
        match transmit {
            Transmit::Accepted {
                to,
                id,
                seqnr,
                queued,
            } => {
                start_iq("result", Some(&id), own, Some(&to), writer);
                writer.payload(&Accepted { seqnr, queued });
            }
            Transmit::Cancelled { to, id, seqnr } => {
                start_iq("result", Some(&id), own, Some(&to), writer);
                writer.payload(&Cancelled { seqnr });
            }
            Transmit::Refused { to, id, error } => {
                start_iq("error", id.as_deref(), own, to.as_ref(), writer);
                writer.payload(&error);
            }
            Transmit::Started { to, seqnr } => {
                start_message(own, &to, writer);
                writer.payload(&Started { seqnr });
            }
        }
        writer.end();
    }

    /// Writes the next message of a readout. Returns whether there was one.
    pub(super) fn write_part(&mut self, ticket: Ticket, writer: &mut Writer<'_>) -> bool {
        let own = self.config.address.as_ref();
        let Some(readout) = self.readouts.get_mut(&ticket) else {
            return false;
        };
        let Readout {
            peer,
            seqnr,
            is_done,
            pending,
            ..
        } = readout;
        let (seqnr, separate) = (*seqnr, self.config.separate_done);
        let room = self
            .config
            .message_bytes
            .saturating_sub(message_size(own, peer));
        start_message(own, peer, writer);
        let is_last = if pending.is_empty() && separate {
            writer.payload(&Done { seqnr });
            true
        } else if pending.begins_with_failure() {
            let (failures, is_empty) = pending.take_failures(room);
            writer
                .start("failure", NAMESPACE)
                .attribute_value("seqnr", &seqnr);
            let is_last = is_empty && *is_done && !separate;
            if is_last {
                writer.attribute("done", "true");
            }
            for failure in failures {
                writer.payload(&NodeError::from(failure));
            }
            writer.end();
            is_last
        } else {
            let (samples, is_empty) = pending.take_fields(room);
            let is_last = is_empty && *is_done && !separate;
            write_fields_start(seqnr, is_last, writer);
            write_samples(&samples, writer);
            writer.end();
            is_last
        };
        writer.end();
        if is_last {
            self.remove(ticket);
            self.start_queued();
        } else {
            self.has_pending(ticket);
        }
        true
    }
}

/// Writes samples, those of one node in one element.
fn write_samples(samples: &[Sample], writer: &mut Writer<'_>) {
    for samples in samples.chunk_by(|left, right| left.node == right.node) {
        if let Some(first) = samples.first() {
            write_node_start(&first.node, writer);
        }
        for sample in samples {
            write_sample_start(&sample.time, writer);
            for (field, _) in &sample.fields {
                write_field(field, writer);
            }
            writer.end();
        }
        writer.end();
    }
}
