//! One strict pass over one first-level construct: an element, the stream header, an end tag, or the XML
//! declaration.
//!
//! The tokenizer stops wherever the bytes end and goes on from there, so no byte is looked at more than a bounded
//! number of times. Each part (a name, a value, a run of text) is judged when its last byte has arrived, so the
//! verdict depends on the bytes alone and never on how they were cut.

use alloc::string::String;
use alloc::vec::Vec;

use crate::chars::{is_space, name_end, plain_text_end, plain_value_end, split_name};
use crate::escape::{self, Place};
use crate::fault::FaultKind;
use crate::limits::Limits;
use crate::tape::{Context, Kind, NamespaceId, Node, Source, index, number};
use crate::{XML_NAMESPACE, XMLNS_NAMESPACE};

/// The buffers of one pass; they keep their capacity.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) tape: Vec<Node>,
    /// Namespaces that had to be decoded.
    pub(crate) decoded: String,
    /// Tape entries of the declarations in scope.
    pub(crate) scope: Vec<u32>,
    /// The elements around the innermost open one.
    pub(crate) outer: Vec<Outer>,
    /// Attributes of a tag that has many of them, to be sorted.
    sorted: Vec<u32>,
}

/// What an open element is left with while those in it are read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outer {
    /// Its child elements so far.
    children: u32,
    /// What a name without a prefix is in.
    default: NamespaceId,
}

impl Work {
    fn clear(&mut self) {
        self.tape.clear();
        self.decoded.clear();
        self.scope.clear();
        self.outer.clear();
    }
}

/// What is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// A whole element.
    Element,
    /// A start tag alone.
    Header,
}

/// How far a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More bytes are needed.
    Partial,
    /// Complete; its length in bytes. `closed` is false for a header whose root stays open.
    Complete { length: usize, closed: bool },
}

/// A fault with its offset in the construct.
pub(crate) type Refusal = (FaultKind, usize);

/// A position in the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Between tags: text, or the next `<`.
    Content,
    /// Within a CDATA section.
    Section,
    /// At the name of a start tag.
    StartName,
    /// Within a start tag, before an attribute or the end; whether white space has been seen.
    Tag { spaced: bool },
    /// Behind the name of an attribute, before its `=`.
    Equals,
    /// Behind `=`, before the quote.
    Quote,
    /// Within a value that this quote ends.
    Value(u8),
    /// At the name of an end tag.
    EndName,
    /// Behind the name of an end tag.
    EndTag,
}

/// No element is open.
const ROOT: u32 = u32::MAX;

/// Up to this many attributes are compared pairwise.
const PAIRWISE: usize = 12;

/// A cut tag shorter than this waits for its rest; then it is read as a whole. Longer ones are read as they come.
const PATIENCE: usize = 256;

/// The state between two calls; small enough to rest beside the bytes that wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokenizer {
    goal: Goal,
    phase: Phase,
    /// Where the part begins that is being read.
    at: usize,
    /// How far into it has been looked.
    scan: usize,
    /// The part holds something that must be decoded.
    escaped: bool,
    /// The part may hold U+FFFE or U+FFFF.
    suspect: bool,
    /// The open element (its tape entry).
    pub(crate) current: u32,
    pub(crate) depth: u32,
    pub(crate) attributes: u32,
    /// Child elements of the open element, so far.
    pub(crate) children: u32,
    /// Declarations that were in scope before this start tag.
    pub(crate) outer_scope: usize,
    /// What a name without a prefix is in.
    pub(crate) default: NamespaceId,
}

impl Tokenizer {
    /// Begins at a `<`.
    pub(crate) fn begin(goal: Goal, context: &Context, work: &mut Work) -> Self {
        work.clear();
        Self {
            goal,
            phase: Phase::Content,
            at: 0,
            scan: 0,
            escaped: false,
            suspect: false,
            current: ROOT,
            depth: 0,
            attributes: 0,
            children: 0,
            outer_scope: 0,
            default: context.default_namespace(),
        }
    }

    /// Reads on. `bytes` begins with the construct each time and has grown at its end.
    pub(crate) fn read(
        &mut self,
        work: &mut Work,
        bytes: &[u8],
        context: &Context,
        limits: &Limits,
    ) -> Result<Progress, Refusal> {
        let (limit, too_long) = match self.goal {
            Goal::Element => (limits.stanza_bytes, FaultKind::StanzaTooLong),
            Goal::Header => (limits.header_bytes, FaultKind::HeaderTooLong),
        };
        let limit = index(limit);
        let view = bytes.get(..limit).unwrap_or(bytes);
        let result = Reading {
            token: self,
            work,
            bytes: view,
            context,
            limits,
        }
        .run();
        match result {
            Ok(Progress::Partial) if bytes.len() > limit => {
                Err(prefer_encoding(view, (too_long, limit)))
            }
            Ok(progress) => Ok(progress),
            Err(refusal) => Err(prefer_encoding(view, refusal)),
        }
    }
}

/// The text of a complete construct: the last check.
pub(crate) fn complete_text(bytes: &[u8]) -> Result<&str, Refusal> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| {
        let valid = core::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
        (FaultKind::InvalidUtf8, valid)
    })
}

/// Bytes that are no UTF-8 come first where they stand before the fault.
fn prefer_encoding(bytes: &[u8], refusal: Refusal) -> Refusal {
    let before = bytes.get(..refusal.1).unwrap_or(bytes);
    match core::str::from_utf8(before) {
        Err(error) if error.error_len().is_some() => (FaultKind::InvalidUtf8, error.valid_up_to()),
        _ => refusal,
    }
}

/// One call's view of everything.
pub(crate) struct Reading<'r> {
    pub(crate) token: &'r mut Tokenizer,
    pub(crate) work: &'r mut Work,
    pub(crate) bytes: &'r [u8],
    context: &'r Context,
    pub(crate) limits: &'r Limits,
}

/// What a step of the grammar led to.
pub(crate) enum Step {
    Next,
    More,
    Done(usize, bool),
}

impl Reading<'_> {
    fn run(mut self) -> Result<Progress, Refusal> {
        loop {
            let step = match self.token.phase {
                Phase::Content => self.content()?,
                Phase::Section => self.section()?,
                Phase::StartName => self.start_name()?,
                Phase::Tag { spaced } => self.tag(spaced)?,
                Phase::Equals => self.equals()?,
                Phase::Quote => self.quote()?,
                Phase::Value(quote) => self.value(quote)?,
                Phase::EndName => self.end_name()?,
                Phase::EndTag => self.end_tag()?,
            };
            match step {
                Step::Next => {}
                Step::More => return Ok(Progress::Partial),
                Step::Done(length, closed) => return Ok(Progress::Complete { length, closed }),
            }
        }
    }

    #[inline(always)]
    pub(crate) fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    fn slice(&self, from: usize, to: usize) -> &[u8] {
        self.bytes.get(from..to).unwrap_or_default()
    }

    /// Turns to the part that begins at `at`.
    fn enter(&mut self, phase: Phase, at: usize) -> Step {
        self.token.phase = phase;
        self.token.at = at;
        self.token.scan = at;
        self.token.escaped = false;
        self.token.suspect = false;
        Step::Next
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, node: Node) -> u32 {
        let entry = number(self.work.tape.len());
        self.work.tape.push(node);
        entry
    }

    // ---- text ----

    fn content(&mut self) -> Result<Step, Refusal> {
        if self.token.scan == self.token.at && self.token.goal == Goal::Element {
            let (at, ended) = self.whole_parts(self.token.at);
            if ended {
                return Ok(Step::Done(at, true));
            }
            self.enter(Phase::Content, at);
        }
        let at = self.token.at;
        if self.token.scan == at && self.byte(at) == Some(b'<') {
            return if self.is_short_and_cut(at) {
                Ok(Step::More)
            } else {
                self.markup(at)
            };
        }
        loop {
            let Some(end) = plain_text_end(self.bytes, self.token.scan) else {
                self.token.scan = self.bytes.len();
                return Ok(Step::More);
            };
            match self.byte(end) {
                Some(b'<') => {
                    self.text(at, end)?;
                    return Ok(self.enter(Phase::Content, end));
                }
                Some(b'&' | b'\r') => self.token.escaped = true,
                Some(b'>') => {
                    if end >= at.saturating_add(2)
                        && self.slice(end.saturating_sub(2), end) == b"]]"
                    {
                        return Err((FaultKind::SectionEndInText, end.saturating_sub(2)));
                    }
                }
                Some(0xEF) => self.token.suspect = true,
                _ => return Err((FaultKind::InvalidCharacter, end)),
            }
            self.token.scan = end.saturating_add(1);
        }
    }

    /// Whether a tag begins here that is worth waiting for.
    fn is_short_and_cut(&self, at: usize) -> bool {
        let rest = self.slice(at, self.bytes.len());
        rest.len() < PATIENCE
            && !matches!(rest.get(1), Some(b'!' | b'?'))
            && memchr::memchr(b'>', rest).is_none()
    }

    fn text(&mut self, start: usize, end: usize) -> Result<(), Refusal> {
        self.check_data(start, end, true)?;
        let kind = if self.token.escaped {
            Kind::TextEscaped
        } else {
            Kind::Text
        };
        self.push_text(kind, start, end);
        Ok(())
    }

    #[inline(always)]
    pub(crate) fn push_text(&mut self, kind: Kind, start: usize, end: usize) {
        let length = number(end.saturating_sub(start));
        self.push(Node {
            kind,
            prefix: 0,
            name: 0,
            start: number(start),
            a: number(start),
            b: length,
        });
    }

    /// The checks of character data that only its marks call for.
    fn check_data(&self, start: usize, end: usize, references: bool) -> Result<(), Refusal> {
        let data = self.slice(start, end);
        if self.token.suspect {
            let found = data.windows(3).position(escape::is_noncharacter);
            if let Some(found) = found {
                return Err((FaultKind::InvalidCharacter, start.saturating_add(found)));
            }
        }
        if self.token.escaped && references {
            escape::check_references(data)
                .map_err(|(kind, at)| (kind, start.saturating_add(at)))?;
        }
        Ok(())
    }

    /// At a `<`: which construct is it?
    fn markup(&mut self, at: usize) -> Result<Step, Refusal> {
        const SECTION: &[u8] = b"<![CDATA[";
        let Some(next) = self.byte(at.saturating_add(1)) else {
            return Ok(Step::More);
        };
        match next {
            b'/' if self.token.depth > 0 => Ok(self.enter(Phase::EndName, at.saturating_add(2))),
            b'?' => Err((FaultKind::ProcessingInstruction, at)),
            b'!' => {
                let seen = self.slice(at, at.saturating_add(SECTION.len()).min(self.bytes.len()));
                match seen.get(2) {
                    None => return Ok(Step::More),
                    Some(b'-') => return Err((FaultKind::Comment, at)),
                    Some(b'D') => return Err((FaultKind::DocumentType, at)),
                    Some(_) => {}
                }
                if !SECTION.starts_with(seen) || self.token.depth == 0 {
                    return Err((FaultKind::UnexpectedByte, at.saturating_add(2)));
                }
                if seen.len() < SECTION.len() {
                    return Ok(Step::More);
                }
                Ok(self.enter(Phase::Section, at.saturating_add(SECTION.len())))
            }
            _ => Ok(self.enter(Phase::StartName, at.saturating_add(1))),
        }
    }

    fn section(&mut self) -> Result<Step, Refusal> {
        let at = self.token.at;
        loop {
            let Some(end) = plain_text_end(self.bytes, self.token.scan) else {
                self.token.scan = self.bytes.len();
                return Ok(Step::More);
            };
            match self.byte(end) {
                Some(b'<' | b'&') => {}
                Some(b'\r') => self.token.escaped = true,
                Some(0xEF) => self.token.suspect = true,
                Some(b'>') => {
                    let close = end.saturating_sub(2);
                    if close >= at && self.slice(close, end) == b"]]" {
                        self.check_data(at, close, false)?;
                        let kind = if self.token.escaped {
                            Kind::SectionEscaped
                        } else {
                            Kind::Section
                        };
                        self.push_text(kind, at, close);
                        return Ok(self.enter(Phase::Content, end.saturating_add(1)));
                    }
                }
                _ => return Err((FaultKind::InvalidCharacter, end)),
            }
            self.token.scan = end.saturating_add(1);
        }
    }

    // ---- start tags ----

    /// The end of the name at the current part, once it has arrived.
    fn name(&mut self) -> Result<Option<usize>, Refusal> {
        let at = self.token.at;
        let end = name_end(self.bytes, self.token.scan);
        let seen = end.unwrap_or(self.bytes.len());
        if seen.saturating_sub(at) > usize::from(self.limits.name_bytes) {
            return Err((FaultKind::NameTooLong, at));
        }
        self.token.scan = seen;
        Ok(end)
    }

    /// The length of the prefix of the name between two offsets.
    fn prefix(&self, at: usize, end: usize) -> Result<u8, Refusal> {
        if at == end {
            return Err((FaultKind::UnexpectedByte, at));
        }
        let prefix = split_name(self.slice(at, end)).map_err(|encoding| {
            (
                if encoding {
                    FaultKind::InvalidUtf8
                } else {
                    FaultKind::InvalidName
                },
                at,
            )
        })?;
        u8::try_from(prefix).map_err(|_| (FaultKind::NameTooLong, at))
    }

    fn start_name(&mut self) -> Result<Step, Refusal> {
        let at = self.token.at;
        let Some(end) = self.name()? else {
            return Ok(Step::More);
        };
        let prefix = self.prefix(at, end)?;
        if prefix == 5 && self.slice(at, end).starts_with(b"xmlns") {
            return Err((FaultKind::ReservedDeclaration, at));
        }
        if self.token.depth >= self.limits.depth {
            return Err((FaultKind::TooDeep, at));
        }
        if self.token.depth > 0 && self.token.children >= self.limits.children {
            return Err((FaultKind::TooManyChildren, at));
        }
        let name =
            u16::try_from(end.saturating_sub(at)).map_err(|_| (FaultKind::NameTooLong, at))?;
        let entry = self.push(Node {
            kind: Kind::Open,
            prefix,
            name,
            start: number(at),
            a: NamespaceId::NONE.0,
            // Until its end tag has come: the element around it.
            b: self.token.current,
        });
        self.descend(entry, self.token.default);
        self.token.attributes = 0;
        self.token.outer_scope = self.work.scope.len();
        Ok(self.enter(Phase::Tag { spaced: false }, end))
    }

    fn skip_space(&self, from: usize) -> usize {
        let mut at = from;
        while self.byte(at).is_some_and(is_space) {
            at = at.saturating_add(1);
        }
        at
    }

    fn tag(&mut self, spaced: bool) -> Result<Step, Refusal> {
        // At the name of an attribute, or still before it?
        if self.token.scan == self.token.at {
            let at = self.skip_space(self.token.at);
            let spaced = spaced || at > self.token.at;
            self.enter(Phase::Tag { spaced }, at);
            match self.byte(at) {
                None => return Ok(Step::More),
                Some(b'>') => return self.start_tag_end(at.saturating_add(1), false),
                Some(b'/') => {
                    return match self.byte(at.saturating_add(1)) {
                        None => Ok(Step::More),
                        Some(b'>') => self.start_tag_end(at.saturating_add(2), true),
                        Some(_) => Err((FaultKind::UnexpectedByte, at.saturating_add(1))),
                    };
                }
                Some(_) if !spaced => {
                    let first = self
                        .byte(at)
                        .is_some_and(|b| name_end(&[b, b' '], 0) == Some(1));
                    let kind = if first {
                        FaultKind::MissingSpace
                    } else {
                        FaultKind::UnexpectedByte
                    };
                    return Err((kind, at));
                }
                Some(_) => {}
            }
        }
        let at = self.token.at;
        let Some(end) = self.name()? else {
            return Ok(Step::More);
        };
        let prefix = self.prefix(at, end)?;
        let name =
            u16::try_from(end.saturating_sub(at)).map_err(|_| (FaultKind::NameTooLong, at))?;
        let mut node = Node {
            kind: Kind::Attribute,
            prefix,
            name,
            start: number(at),
            a: 0,
            b: 0,
        };
        if let Some(declaration) = node.into_declaration(self.bytes) {
            node = declaration;
        }
        if node.kind == Kind::Declaration {
            let scope = number(self.work.scope.len());
            if scope >= self.limits.namespaces {
                return Err((FaultKind::TooManyNamespaces, at));
            }
            let entry = self.push(node);
            self.work.scope.push(entry);
        } else {
            self.token.attributes = self.token.attributes.saturating_add(1);
            if self.token.attributes > self.limits.attributes {
                return Err((FaultKind::TooManyAttributes, at));
            }
            self.push(node);
        }
        Ok(self.enter(Phase::Equals, end))
    }

    fn equals(&mut self) -> Result<Step, Refusal> {
        let at = self.skip_space(self.token.at);
        self.token.at = at;
        match self.byte(at) {
            None => Ok(Step::More),
            Some(b'=') => Ok(self.enter(Phase::Quote, at.saturating_add(1))),
            Some(_) => Err((FaultKind::UnexpectedByte, at)),
        }
    }

    fn quote(&mut self) -> Result<Step, Refusal> {
        let at = self.skip_space(self.token.at);
        self.token.at = at;
        match self.byte(at) {
            None => Ok(Step::More),
            Some(quote @ (b'\'' | b'"')) => {
                Ok(self.enter(Phase::Value(quote), at.saturating_add(1)))
            }
            Some(_) => Err((FaultKind::UnexpectedByte, at)),
        }
    }

    fn value(&mut self, quote: u8) -> Result<Step, Refusal> {
        let at = self.token.at;
        let end = loop {
            let Some(end) = plain_value_end(self.bytes, self.token.scan) else {
                self.token.scan = self.bytes.len();
                return Ok(Step::More);
            };
            match self.byte(end) {
                Some(byte) if byte == quote => break end,
                Some(b'\'' | b'"') => {}
                Some(b'&' | b'\r' | b'\n' | b'\t') => self.token.escaped = true,
                Some(0xEF) => self.token.suspect = true,
                Some(b'<') => return Err((FaultKind::LessThanInAttribute, end)),
                _ => return Err((FaultKind::InvalidCharacter, end)),
            }
            self.token.scan = end.saturating_add(1);
        };
        self.check_data(at, end, true)?;
        let escaped = self.token.escaped;
        let Some(&node) = self.work.tape.last() else {
            return Err((FaultKind::UnexpectedByte, at));
        };
        let mut node = Node {
            a: number(at),
            b: number(end.saturating_sub(at)),
            ..node
        };
        if node.kind == Kind::Declaration {
            node = self.declaration(node, escaped)?;
            if node.name == 0 {
                let entry = number(self.work.tape.len()).saturating_sub(1);
                self.token.default = NamespaceId::declared(node, entry);
            }
        } else if escaped {
            node.kind = Kind::AttributeEscaped;
        }
        if let Some(last) = self.work.tape.last_mut() {
            *last = node;
        }
        if node.prefix > 0 {
            self.push(Node::attribute_namespace());
        }
        Ok(self.enter(Phase::Tag { spaced: false }, end.saturating_add(1)))
    }

    /// Checks a declaration whose value is known, and decodes it where it must be.
    pub(crate) fn declaration(&mut self, mut node: Node, escaped: bool) -> Result<Node, Refusal> {
        let at = index(node.a);
        if escaped {
            let raw = self.bytes.get(node.value_range()).unwrap_or_default();
            let raw = core::str::from_utf8(raw).map_err(|_| (FaultKind::InvalidUtf8, at))?;
            let value = escape::decode(raw, Place::Value);
            node.kind = Kind::DeclarationDecoded;
            node.a = number(self.work.decoded.len());
            node.b = number(value.len());
            self.work.decoded.push_str(&value);
        }
        // Nearly every declaration is one of the default namespace, and only the reserved ones are refused there.
        if node.name == 0 && ![XML_NAMESPACE.len(), XMLNS_NAMESPACE.len()].contains(&index(node.b))
        {
            return Ok(node);
        }
        let namespace = namespace_bytes(self.bytes, self.work.decoded.as_bytes(), node);
        let fixed = namespace == XML_NAMESPACE.as_bytes();
        let forbidden = match self.bytes.get(node.name_range()) {
            Some(b"") => fixed,
            Some(b"xml") => !fixed,
            Some(b"xmlns") => true,
            _ => fixed || namespace.is_empty(),
        };
        if forbidden || namespace == XMLNS_NAMESPACE.as_bytes() {
            return Err((FaultKind::ReservedDeclaration, at));
        }
        Ok(node)
    }

    /// Behind `>`: all declarations of the tag are known now.
    fn start_tag_end(&mut self, end: usize, empty: bool) -> Result<Step, Refusal> {
        let open = index(self.token.current);
        self.resolve_tag(open)?;
        if self.token.goal == Goal::Header {
            self.push_close(end, end);
            return Ok(Step::Done(end, empty));
        }
        if empty {
            return Ok(self.close(end, end));
        }
        Ok(self.enter(Phase::Content, end))
    }

    pub(crate) fn resolve_tag(&mut self, open: usize) -> Result<(), Refusal> {
        let Some(&node) = self.work.tape.get(open) else {
            return Ok(());
        };
        let namespace = self.resolve(node)?;
        if let Some(node) = self.work.tape.get_mut(open) {
            node.a = namespace.0;
        }
        let head = open.saturating_add(1);
        if self.work.tape.len() == head {
            return Ok(());
        }
        let mut entry = head;
        while let Some(&node) = self.work.tape.get(entry) {
            if node.prefix > 0 && node.is_attribute() {
                let namespace = self.resolve(node)?.0;
                if let Some(next) = self.work.tape.get_mut(entry.saturating_add(1)) {
                    next.a = namespace;
                }
            }
            entry = entry.saturating_add(1);
        }
        self.check_declarations()?;
        self.check_attributes(head)
    }

    /// The declaration that the prefix of an element or attribute leans on.
    fn resolve(&self, node: Node) -> Result<NamespaceId, Refusal> {
        if node.prefix == 0 {
            return Ok(self.token.default);
        }
        let start = index(node.start);
        let prefix = self.slice(start, start.saturating_add(usize::from(node.prefix)));
        if prefix == b"xml" {
            return Ok(NamespaceId::XML);
        }
        self.in_scope(prefix)
            .ok_or((FaultKind::UnboundPrefix, start))
    }

    /// What the innermost declaration of a prefix stands for.
    fn in_scope(&self, prefix: &[u8]) -> Option<NamespaceId> {
        for &entry in self.work.scope.iter().rev() {
            let Some(&declaration) = self.work.tape.get(index(entry)) else {
                continue;
            };
            if usize::from(declaration.name) == prefix.len()
                && self.bytes.get(declaration.name_range()) == Some(prefix)
            {
                return Some(NamespaceId::declared(declaration, entry));
            }
        }
        self.context.namespace_of(prefix)
    }

    pub(crate) fn check_declarations(&self) -> Result<(), Refusal> {
        let own = self
            .work
            .scope
            .get(self.token.outer_scope..)
            .unwrap_or_default();
        let mut earlier = own
            .iter()
            .filter_map(|&entry| self.work.tape.get(index(entry)));
        while let Some(first) = earlier.next() {
            let prefix = self.bytes.get(first.name_range());
            if let Some(second) = earlier
                .clone()
                .find(|n| self.bytes.get(n.name_range()) == prefix)
            {
                return Err((FaultKind::DuplicateAttribute, index(second.start)));
            }
        }
        Ok(())
    }

    /// No two attributes may have one expanded name.
    fn check_attributes(&mut self, head: usize) -> Result<(), Refusal> {
        if self.token.attributes < 2 {
            return Ok(());
        }
        let mut sorted = core::mem::take(&mut self.work.sorted);
        sorted.clear();
        let entries = self.work.tape.iter().enumerate().skip(head);
        sorted.extend(
            entries
                .filter(|(_, node)| node.is_attribute())
                .map(|(entry, _)| number(entry)),
        );
        let duplicate = if sorted.len() <= PAIRWISE {
            let mut rest = sorted.as_slice();
            let mut found = None;
            while let Some((&first, tail)) = rest.split_first() {
                let name = self.expanded(first);
                found = tail
                    .iter()
                    .copied()
                    .find(|&entry| self.expanded(entry) == name);
                if found.is_some() {
                    break;
                }
                rest = tail;
            }
            found
        } else {
            sorted
                .sort_unstable_by(|&a, &b| self.expanded(a).cmp(&self.expanded(b)).then(a.cmp(&b)));
            let equal = |pair: &&[u32]| match pair {
                [a, b] => self.expanded(*a) == self.expanded(*b),
                _ => false,
            };
            sorted
                .windows(2)
                .filter(equal)
                .filter_map(|pair| pair.last().copied())
                .min()
        };
        self.work.sorted = sorted;
        match duplicate.and_then(|entry| self.work.tape.get(index(entry))) {
            Some(node) => Err((FaultKind::DuplicateAttribute, index(node.start))),
            None => Ok(()),
        }
    }

    /// Local name first: it tells most names apart.
    fn expanded(&self, entry: u32) -> (&[u8], &[u8]) {
        let Some(&node) = self.work.tape.get(index(entry)) else {
            return (b"", b"");
        };
        let name = self.bytes.get(node.name_range()).unwrap_or_default();
        if node.prefix == 0 {
            return (name, b"");
        }
        let local = name
            .get(usize::from(node.prefix).saturating_add(1)..)
            .unwrap_or_default();
        let id = self
            .work
            .tape
            .get(index(entry).saturating_add(1))
            .map_or(NamespaceId::NONE.0, |n| n.a);
        (local, self.namespace(NamespaceId(id)))
    }

    fn namespace(&self, id: NamespaceId) -> &[u8] {
        match id.source() {
            Source::None => b"",
            Source::Xml => XML_NAMESPACE.as_bytes(),
            Source::Local(entry) => self.work.tape.get(index(entry)).map_or(b"", |&node| {
                namespace_bytes(self.bytes, self.work.decoded.as_bytes(), node)
            }),
            Source::Context(entry) => self
                .context
                .declarations
                .get(index(entry))
                .map_or(b"", |d| d.namespace.as_bytes()),
        }
    }

    // ---- end tags ----

    fn end_name(&mut self) -> Result<Step, Refusal> {
        let at = self.token.at;
        let Some(end) = self.name()? else {
            return Ok(Step::More);
        };
        let open = self
            .work
            .tape
            .get(index(self.token.current))
            .map(|node| node.name_range());
        let expected = open.and_then(|range| self.bytes.get(range));
        if expected != Some(self.slice(at, end)) {
            let kind = if at == end {
                FaultKind::UnexpectedByte
            } else {
                FaultKind::MismatchedEndTag
            };
            return Err((kind, at));
        }
        // Keeps where the end tag began in `at`.
        self.token.phase = Phase::EndTag;
        self.token.scan = end;
        Ok(Step::Next)
    }

    fn end_tag(&mut self) -> Result<Step, Refusal> {
        let end = self.skip_space(self.token.scan);
        self.token.scan = end;
        match self.byte(end) {
            None => Ok(Step::More),
            Some(b'>') => {
                let tag = self.token.at.saturating_sub(2);
                Ok(self.close(tag, end.saturating_add(1)))
            }
            Some(_) => Err((FaultKind::UnexpectedByte, end)),
        }
    }

    pub(crate) fn push_close(&mut self, tag: usize, end: usize) {
        let open = self.token.current;
        let behind = self.push(Node::close(tag, end, open)).saturating_add(1);
        if let Some(node) = self.work.tape.get_mut(index(open)) {
            self.token.current = node.b;
            node.b = behind;
        }
    }

    pub(crate) fn close(&mut self, tag: usize, end: usize) -> Step {
        let open = self.token.current;
        self.push_close(tag, end);
        self.token.depth = self.token.depth.saturating_sub(1);
        if let Some(outer) = self.work.outer.pop() {
            self.token.children = outer.children;
            self.token.default = outer.default;
        }
        self.leave_scope(open);
        if self.token.depth == 0 {
            return Step::Done(end, true);
        }
        self.enter(Phase::Content, end)
    }

    /// Opens the element at this entry, in which names without a prefix are in `default`.
    #[inline(always)]
    pub(crate) fn descend(&mut self, open: u32, default: NamespaceId) {
        self.work.outer.push(Outer {
            children: self.token.children.saturating_add(1),
            default: self.token.default,
        });
        self.token.current = open;
        self.token.children = 0;
        self.token.default = default;
        self.token.depth = self.token.depth.saturating_add(1);
    }

    /// Forgets the declarations from this entry of the tape on.
    #[inline(always)]
    pub(crate) fn leave_scope(&mut self, open: u32) {
        if self.work.scope.last().is_some_and(|&entry| entry > open) {
            self.work.scope.truncate(self.own_scope(open));
        }
    }

    /// Where the declarations begin in the scope that stand behind this entry of the tape.
    pub(crate) fn own_scope(&self, open: u32) -> usize {
        let scope = &self.work.scope;
        scope
            .iter()
            .rposition(|&entry| entry < open)
            .map_or(0, |last| last.saturating_add(1))
    }
}

/// The namespace of a declaration.
pub(crate) fn namespace_bytes<'b>(bytes: &'b [u8], decoded: &'b [u8], node: Node) -> &'b [u8] {
    let source = if node.kind == Kind::DeclarationDecoded {
        decoded
    } else {
        bytes
    };
    source.get(node.value_range()).unwrap_or_default()
}
