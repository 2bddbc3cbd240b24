//! What was written for the peer, taken apart again into its first-level elements.

use crate::ns;

/// The first-level elements in bytes that a [`Writer`](xmpp_xml::Writer) has written.
pub(super) struct Elements<'b> {
    rest: &'b [u8],
}

/// One of them, with what its start tag says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outgoing<'b> {
    pub(super) bytes: &'b [u8],
}

const CDATA: &[u8] = b"<![CDATA[";

pub(super) fn elements(bytes: &[u8]) -> Elements<'_> {
    Elements { rest: bytes }
}

impl<'b> Elements<'b> {
    /// What was not taken yet.
    pub(super) fn rest(&self) -> &'b [u8] {
        self.rest
    }
}

impl<'b> Iterator for Elements<'b> {
    type Item = Outgoing<'b>;

    fn next(&mut self) -> Option<Outgoing<'b>> {
        let start = self.rest.iter().position(|byte| *byte == b'<')?;
        let element = self.rest.get(start..)?;
        let (bytes, rest) = element.split_at(end_of(element).min(element.len()));
        self.rest = rest;
        Some(Outgoing { bytes })
    }
}

impl<'b> Outgoing<'b> {
    /// Whether it is a message, a presence or an IQ, in the namespace of the stream's content.
    pub(super) fn is_stanza(self) -> bool {
        matches!(self.name(), b"message" | b"presence" | b"iq")
            && self
                .attribute(b"xmlns")
                .is_none_or(|namespace| namespace == ns::CLIENT.as_bytes())
    }

    /// Its name with its prefix.
    pub(super) fn name(self) -> &'b [u8] {
        let name = self.bytes.get(1..).unwrap_or_default();
        let end = name.iter().position(|byte| is_name_end(*byte));
        name.get(..end.unwrap_or(name.len())).unwrap_or_default()
    }

    /// The value of an attribute of its start tag, as it is written.
    pub(super) fn attribute(self, wanted: &[u8]) -> Option<&'b [u8]> {
        let tag = self.bytes.get(..tag_end(self.bytes))?;
        let mut rest = tag.get(self.name().len().saturating_add(1)..)?;
        // Attributes: a name, an equals sign, a value in quotes.
        loop {
            let equals = rest.iter().position(|byte| *byte == b'=')?;
            let (name, value) = rest.split_at(equals);
            let open = value.iter().position(|byte| matches!(byte, b'"' | b'\''))?;
            let quote = value.get(open)?;
            let value = value.get(open.saturating_add(1)..)?;
            let close = value.iter().position(|byte| byte == quote)?;
            let (value, after) = value.split_at(close);
            if name.trim_ascii() == wanted {
                return Some(value);
            }
            rest = after.get(1..)?;
        }
    }
}

/// Where the element ends that begins at the first byte.
fn end_of(element: &[u8]) -> usize {
    let (mut at, mut depth) = (0_usize, 0_usize);
    while let Some(rest) = element.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(CDATA) {
            let end = rest.windows(3).position(|window| window == b"]]>");
            at = end.map_or(element.len(), |end| {
                at.saturating_add(end).saturating_add(3)
            });
        } else {
            let end = tag_end(rest);
            let tag = rest.get(..end).unwrap_or_default();
            if tag.starts_with(b"</") {
                depth = depth.saturating_sub(1);
            } else if !tag.ends_with(b"/>") {
                depth = depth.saturating_add(1);
            }
            at = at.saturating_add(end);
            if depth == 0 {
                return at;
            }
        }
        let rest = element.get(at..).unwrap_or_default();
        let next = rest.iter().position(|byte| *byte == b'<');
        at = next.map_or(element.len(), |next| at.saturating_add(next));
    }
    element.len()
}

/// Where the tag ends that begins at the first byte.
fn tag_end(tag: &[u8]) -> usize {
    let mut quote = None;
    for (at, byte) in tag.iter().enumerate() {
        match (byte, quote) {
            (b'"' | b'\'', None) => quote = Some(*byte),
            (byte, Some(open)) if *byte == open => quote = None,
            (b'>', None) => return at.saturating_add(1),
            _ => {}
        }
    }
    tag.len()
}

fn is_name_end(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'/' | b'>')
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn split(bytes: &str) -> Vec<(&str, bool)> {
        let text = |bytes| core::str::from_utf8(bytes).unwrap_or_default();
        elements(bytes.as_bytes())
            .map(|element| (text(element.bytes), element.is_stanza()))
            .collect()
    }

    #[test]
    fn elements_are_told_apart_whatever_they_hold() {
        let parts = [
            (
                "<message a='>' b=\"'/>\"><body>1 &lt; 2</body></message>",
                true,
            ),
            ("<iq/>", true),
            ("<iq xmlns='jabber:client' id='1'><q xmlns='x'/></iq>", true),
            ("<iq id='1' xmlns=\"urn:x\"/>", false),
            (
                "<presence\nid='xmlns='><![CDATA[</presence>]]><a><a/></a></presence >",
                true,
            ),
            ("<presences/>", false),
            ("<x:message xmlns:x='urn:x'></x:message>", false),
        ];
        let mut whole = alloc::string::String::new();
        for (part, _) in parts {
            whole.push_str(part);
            whole.push(' ');
        }
        assert_eq!(split(&whole), parts);
        assert_eq!(split("  "), []);
    }

    #[test]
    fn what_was_cut_is_one_piece() {
        for cut in [
            "<message",
            "<message>",
            "<message a='>",
            "<message><![CDATA[",
            "<a><b></b>",
        ] {
            assert_eq!(split(cut).len(), 1, "{cut}");
        }
    }
}
