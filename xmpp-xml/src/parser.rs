//! The push parser: bytes in as they arrive, first-level elements out.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::chars::is_space;
use crate::element::ElementRef;
use crate::fault::{Fault, FaultKind};
use crate::limits::Limits;
use crate::tape::{Context, ContextDeclaration, NO_CONTEXT, SharedContext, index};
use crate::tokenizer::{Goal, Progress, Refusal, Tokenizer, Work, complete_text};

/// The working memory of parsers, lent to whichever has bytes.
///
/// One scratch serves any number of [`Parser`]s in turn; it grows to what the largest stanza needed and keeps that.
/// [`Event`]s borrow from it, so they end before the next call.
#[derive(Default)]
pub struct Scratch {
    work: Work,
    bytes: Vec<u8>,
    /// For the next construct that is cut: to allocate it each time would cost as much as a short tag.
    spare: Option<Box<Pending>>,
}

impl Scratch {
    /// An empty scratch; it allocates when it is first used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `bytes` as one whole document: a single element, for example a WebSocket message (RFC 7395 §3.3.3) or
    /// a file. An XML declaration before it and white space around it are allowed.
    ///
    /// The same grammar and limits hold as in a stream; input that ends early is the fault
    /// [`Truncated`](FaultKind::Truncated).
    ///
    /// ```
    /// let mut scratch = xmpp_xml::Scratch::new();
    /// let element = scratch.document(b"<a xmlns='urn:x'>1 &lt; 2</a>", &xmpp_xml::Limits::new())?;
    /// assert_eq!((element.name(), &*element.text()), ("a", "1 < 2"));
    /// # Ok::<(), xmpp_xml::Fault>(())
    /// ```
    pub fn document<'a>(
        &'a mut self,
        bytes: &'a [u8],
        limits: &Limits,
    ) -> Result<ElementRef<'a>, Fault> {
        let fault = |offset: usize| {
            move |(kind, at): Refusal| {
                Fault::new(
                    kind,
                    u64::try_from(offset.saturating_add(at)).unwrap_or(u64::MAX),
                )
            }
        };
        let mut start = 0;
        if bytes.starts_with(b"<?") {
            match declaration(bytes, 0, index(limits.header_bytes)).map_err(fault(0))? {
                Scan::Found(length) => start = length,
                Scan::Partial(_) => {
                    return Err(Fault::new(FaultKind::Truncated, bytes.len() as u64));
                }
            }
        }
        let rest = bytes.get(start..).unwrap_or_default();
        start = start.saturating_add(rest.iter().take_while(|&&b| is_space(b)).count());
        let rest = bytes.get(start..).unwrap_or_default();
        match rest.first() {
            Some(b'<') => {}
            Some(_) => return Err(fault(start)((FaultKind::UnexpectedByte, 0))),
            None => return Err(fault(start)((FaultKind::Truncated, 0))),
        }
        let context = Context::default();
        let mut token = Tokenizer::begin(Goal::Element, &context, &mut self.work);
        let progress = token
            .read(&mut self.work, rest, &context, limits)
            .map_err(fault(start))?;
        let Progress::Complete { length, .. } = progress else {
            return Err(fault(start)((FaultKind::Truncated, rest.len())));
        };
        let (element, tail) = rest.split_at(length.min(rest.len()));
        let text = complete_text(element).map_err(fault(start))?;
        if let Some(at) = tail.iter().position(|&b| !is_space(b)) {
            return Err(fault(start)((
                FaultKind::ContentAfterEnd,
                length.saturating_add(at),
            )));
        }
        Ok(ElementRef::root(
            text,
            &self.work.tape,
            &self.work.decoded,
            &NO_CONTEXT,
        ))
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch")
            .field("tape_entries", &self.work.tape.capacity())
            .field("bytes", &self.bytes.capacity())
            .finish()
    }
}

/// What the stream brought next.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The stream header: the start tag of the root, with its attributes (RFC 6120 §4.7). It has no children.
    Header(ElementRef<'a>),
    /// A complete first-level element.
    Element(ElementRef<'a>),
    /// White space between first-level elements: a keepalive (RFC 6120 §4.6.1).
    Whitespace,
    /// The end tag of the root: the peer has closed its stream (RFC 6120 §4.4).
    End,
}

/// Reads one XML stream as XMPP restricts it (RFC 6120 §11).
///
/// ```
/// use xmpp_xml::{Event, Limits, Parser, Scratch};
///
/// let mut parser = Parser::new(Limits::new());
/// let mut scratch = Scratch::new();
/// let mut bodies = Vec::new();
/// for chunk in ["<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
///               "<message><bo", "dy>hello</body></message>"] {
///     let mut input = chunk.as_bytes();
///     while let Some(event) = parser.next(&mut scratch, &mut input)? {
///         if let Event::Element(message) = event {
///             bodies.extend(message.child("body", "jabber:client").map(|body| body.text().into_owned()));
///         }
///     }
/// }
/// assert_eq!(bodies, ["hello"]);
/// # Ok::<(), xmpp_xml::Fault>(())
/// ```
///
/// Between stanzas a parser holds what it learned from the stream header and nothing else. While a stanza is
/// incomplete it holds the stanza's bytes and tape.
pub struct Parser {
    limits: Limits,
    stage: Stage,
    offset: u64,
    context: SharedContext,
    pending: Option<Box<Pending>>,
    failed: Option<Fault>,
}

/// Where in the stream the next first-level construct stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// At the very first byte.
    Start,
    /// Before the stream header.
    Prolog,
    /// Below the root.
    Content,
    /// Behind a header that closed itself; the end has not been told yet.
    Closing,
    /// Behind the root.
    Ended,
}

/// Stanzas up to about this length count as short.
const SHORT: usize = 512;

/// A construct whose end has not arrived.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    work: Work,
    token: Option<Tokenizer>,
    scan: usize,
}

/// A complete construct.
enum Unit {
    Declaration,
    Header { closed: bool },
    Element,
    End,
}

/// What [`Parser::advance`] found: the construct, its length, and its bytes, unless they stand in the scratch.
enum Found<'a> {
    Nothing,
    Whitespace,
    Unit {
        unit: Unit,
        length: usize,
        source: Option<&'a [u8]>,
    },
}

impl Parser {
    /// A parser at the beginning of a stream.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            stage: Stage::Start,
            offset: 0,
            context: None,
            pending: None,
            failed: None,
        }
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many bytes have been read since the beginning or the last restart, those of an incomplete stanza
    /// not counted.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether an incomplete stanza waits for its rest.
    pub fn is_partial(&self) -> bool {
        self.pending.is_some()
    }

    /// Takes the next event from the front of `input`, and `None` once all of it has been read. What is incomplete
    /// is kept. After a fault every call returns that fault.
    pub fn next<'a, 'i: 'a>(
        &'a mut self,
        scratch: &'a mut Scratch,
        input: &mut &'i [u8],
    ) -> Result<Option<Event<'a>>, Fault> {
        if let Some(fault) = self.failed {
            return Err(fault);
        }
        if self.stage == Stage::Closing {
            self.stage = Stage::Ended;
            return Ok(Some(Event::End));
        }
        let found = loop {
            match self.advance(scratch, input) {
                Ok(Found::Unit {
                    unit: Unit::Declaration,
                    length,
                    ..
                }) => {
                    self.offset = self.offset.saturating_add(length as u64);
                    self.stage = Stage::Prolog;
                }
                Ok(found) => break found,
                Err(refusal) => return Err(self.fail(refusal)),
            }
        };
        let (unit, length, source) = match found {
            Found::Nothing => return Ok(None),
            Found::Whitespace => return Ok(Some(Event::Whitespace)),
            Found::Unit {
                unit,
                length,
                source,
            } => (unit, length, source),
        };
        let bytes = match source {
            Some(bytes) => bytes,
            None => scratch.bytes.as_slice(),
        };
        let text = match complete_text(bytes.get(..length).unwrap_or_default()) {
            Ok(text) => text,
            Err((kind, at)) => {
                let fault = Fault::new(kind, self.offset.saturating_add(at as u64));
                self.failed = Some(fault);
                return Err(fault);
            }
        };
        self.offset = self.offset.saturating_add(length as u64);
        let (tape, decoded) = (scratch.work.tape.as_slice(), scratch.work.decoded.as_str());
        Ok(Some(match unit {
            Unit::Header { closed } => {
                let header = ElementRef::root(text, tape, decoded, &NO_CONTEXT);
                self.context = Some(Arc::new(context_of(header)));
                self.stage = if closed {
                    Stage::Closing
                } else {
                    Stage::Content
                };
                Event::Header(header)
            }
            Unit::Element => Event::Element(ElementRef::root(text, tape, decoded, &self.context)),
            Unit::End | Unit::Declaration => {
                self.stage = Stage::Ended;
                Event::End
            }
        }))
    }

    /// Replaces the limits from the next first-level element on, for example after authentication (XEP-0478).
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Begins anew, as after STARTTLS and SASL (RFC 6120 §4.3.3): whatever was read, declared or pending is
    /// forgotten, and a new header is expected.
    pub fn restart(&mut self) {
        *self = Self::new(self.limits);
    }

    fn fail(&mut self, (kind, at): Refusal) -> Fault {
        let fault = Fault::new(kind, self.offset.saturating_add(at as u64));
        self.failed = Some(fault);
        self.pending = None;
        fault
    }

    /// Reads up to the end of the next construct, and consumes it from `input`.
    fn advance<'a>(
        &mut self,
        scratch: &mut Scratch,
        input: &mut &'a [u8],
    ) -> Result<Found<'a>, Refusal> {
        let pending = match self.pending.take() {
            Some(pending) => Some(pending),
            None => match self.gap(input)? {
                Some(found) => return Ok(found),
                None => None,
            },
        };
        match pending {
            None => {
                let mut token = None;
                let mut scan = 0;
                match self.unit(&mut scratch.work, input, &mut token, &mut scan)? {
                    Some((unit, length)) => {
                        let source = *input;
                        *input = source.get(length..).unwrap_or_default();
                        Ok(Found::Unit {
                            unit,
                            length,
                            source: Some(source),
                        })
                    }
                    None => {
                        let mut pending = scratch.spare.take().unwrap_or_default();
                        pending.bytes = core::mem::take(&mut scratch.bytes);
                        pending.bytes.clear();
                        pending.bytes.extend_from_slice(input);
                        *input = &[];
                        pending.work = core::mem::take(&mut scratch.work);
                        pending.token = token;
                        pending.scan = scan;
                        self.pending = Some(pending);
                        Ok(Found::Nothing)
                    }
                }
            }
            Some(mut pending) => loop {
                // One byte over the limit is enough to tell.
                let limit =
                    index(self.limits.stanza_bytes.max(self.limits.header_bytes)).saturating_add(1);
                let had = pending.bytes.len();
                // Most stanzas are short: what follows them should not be copied along.
                let step = if had < SHORT { SHORT } else { usize::MAX };
                let take = limit.saturating_sub(had).min(step).min(input.len());
                pending
                    .bytes
                    .extend_from_slice(input.get(..take).unwrap_or_default());
                let Pending {
                    bytes,
                    work,
                    token,
                    scan,
                } = &mut *pending;
                if let Some((unit, length)) = self.unit(work, bytes, token, scan)? {
                    *input = input.get(length.saturating_sub(had)..).unwrap_or_default();
                    scratch.bytes = core::mem::take(bytes);
                    scratch.work = core::mem::take(work);
                    scratch.spare = Some(pending);
                    return Ok(Found::Unit {
                        unit,
                        length,
                        source: None,
                    });
                }
                *input = input.get(take..).unwrap_or_default();
                if input.is_empty() || take == 0 {
                    self.pending = Some(pending);
                    return Ok(Found::Nothing);
                }
            },
        }
    }

    /// Between constructs: white space, or the `<` of the next.
    fn gap<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Found<'a>>, Refusal> {
        let spaces = input.iter().take_while(|&&b| is_space(b)).count();
        if spaces > 0 {
            *input = input.get(spaces..).unwrap_or_default();
            self.offset = self.offset.saturating_add(spaces as u64);
            if self.stage == Stage::Start {
                self.stage = Stage::Prolog;
            }
            if self.stage == Stage::Content {
                return Ok(Some(Found::Whitespace));
            }
        }
        match (input.first(), self.stage) {
            (None, _) => Ok(Some(Found::Nothing)),
            (Some(_), Stage::Ended | Stage::Closing) => Err((FaultKind::ContentAfterEnd, 0)),
            (Some(b'<'), _) => Ok(None),
            (Some(_), Stage::Content) => Err((FaultKind::TextBetweenStanzas, 0)),
            (Some(_), Stage::Start | Stage::Prolog) => Err((FaultKind::UnexpectedByte, 0)),
        }
    }

    /// Reads on in the construct that `bytes` begins with.
    fn unit(
        &self,
        work: &mut Work,
        bytes: &[u8],
        token: &mut Option<Tokenizer>,
        scan: &mut usize,
    ) -> Result<Option<(Unit, usize)>, Refusal> {
        if token.is_none() {
            let second = bytes.get(1).copied();
            let scanned = match (self.stage, second) {
                (Stage::Content, Some(b'/')) => {
                    let root = self
                        .context
                        .as_ref()
                        .map_or("", |context| context.root.as_str());
                    Some((
                        Unit::End,
                        end_tag(bytes, *scan, root, index(self.limits.header_bytes))?,
                    ))
                }
                (Stage::Start, Some(b'?')) => {
                    let limit = index(self.limits.header_bytes);
                    Some((Unit::Declaration, declaration(bytes, *scan, limit)?))
                }
                (_, None) => return Ok(None),
                _ => None,
            };
            match scanned {
                Some((unit, Scan::Found(length))) => return Ok(Some((unit, length))),
                Some((_, Scan::Partial(at))) => {
                    *scan = at;
                    return Ok(None);
                }
                None => {}
            }
        }
        let goal = if self.stage == Stage::Content {
            Goal::Element
        } else {
            Goal::Header
        };
        let none = Context::default();
        let context = self.context.as_deref().unwrap_or(&none);
        let token = token.get_or_insert_with(|| Tokenizer::begin(goal, context, work));
        match token.read(work, bytes, context, &self.limits)? {
            Progress::Partial => Ok(None),
            Progress::Complete { length, closed } => Ok(Some(match goal {
                Goal::Element => (Unit::Element, length),
                Goal::Header => (Unit::Header { closed }, length),
            })),
        }
    }
}

impl fmt::Debug for Parser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parser")
            .field("stage", &self.stage)
            .field("offset", &self.offset)
            .field(
                "pending_bytes",
                &self.pending.as_ref().map_or(0, |p| p.bytes.len()),
            )
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// A search that may go on from where it stopped.
enum Scan {
    Found(usize),
    Partial(usize),
}

/// The byte behind the first `>` from `scan` on.
fn closing(bytes: &[u8], scan: usize, limit: usize) -> Result<Scan, Refusal> {
    let view = bytes.get(..limit).unwrap_or(bytes);
    match memchr::memchr(b'>', view.get(scan..).unwrap_or_default()) {
        Some(at) => Ok(Scan::Found(scan.saturating_add(at).saturating_add(1))),
        None if bytes.len() > limit => Err((FaultKind::HeaderTooLong, limit)),
        None => Ok(Scan::Partial(view.len())),
    }
}

/// `</root >`
fn end_tag(bytes: &[u8], scan: usize, root: &str, limit: usize) -> Result<Scan, Refusal> {
    let scan = closing(bytes, scan, limit)?;
    if let Scan::Found(length) = scan {
        let name = bytes.get(2..length.saturating_sub(1)).unwrap_or_default();
        if name
            .strip_prefix(root.as_bytes())
            .is_none_or(|rest| !rest.iter().all(|&b| is_space(b)))
        {
            return Err((FaultKind::MismatchedEndTag, 2));
        }
    }
    Ok(scan)
}

/// `<?xml version='1.0' encoding='UTF-8' standalone='yes'?>` (XML 1.0 §2.8, RFC 6120 §11.5).
fn declaration(bytes: &[u8], scan: usize, limit: usize) -> Result<Scan, Refusal> {
    const OPEN: &[u8] = b"<?xml";
    let seen = bytes.get(..OPEN.len()).unwrap_or(bytes);
    let other = seen.len() == OPEN.len() && bytes.get(OPEN.len()).is_some_and(|&b| !is_space(b));
    if !OPEN.starts_with(seen) || other {
        return Err((FaultKind::ProcessingInstruction, 0));
    }
    let scan = closing(bytes, scan, limit)?;
    if let Scan::Found(length) = scan {
        let inner = bytes
            .get(OPEN.len()..length.saturating_sub(1))
            .unwrap_or_default();
        let inner = inner
            .strip_suffix(b"?")
            .ok_or((FaultKind::InvalidDeclaration, 0))?;
        check_declaration(inner).map_err(|kind| (kind, 0))?;
    }
    Ok(scan)
}

fn check_declaration(inner: &[u8]) -> Result<(), FaultKind> {
    let text = core::str::from_utf8(inner).map_err(|_| FaultKind::InvalidUtf8)?;
    let space = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    let mut rest = text;
    let mut expected: &[&str] = &["version", "encoding", "standalone"];
    loop {
        let trimmed = rest.trim_start_matches(space);
        if trimmed.is_empty() {
            // The version is required.
            return if expected.len() == 3 {
                Err(FaultKind::InvalidDeclaration)
            } else {
                Ok(())
            };
        }
        if trimmed.len() == rest.len() {
            return Err(FaultKind::InvalidDeclaration);
        }
        let (name, value) = trimmed
            .split_once('=')
            .ok_or(FaultKind::InvalidDeclaration)?;
        let name = name.trim_end_matches(space);
        let position = expected.iter().position(|&known| known == name);
        let position = position.ok_or(FaultKind::InvalidDeclaration)?;
        if expected.len() == 3 && position > 0 {
            return Err(FaultKind::InvalidDeclaration);
        }
        expected = expected
            .get(position.saturating_add(1)..)
            .unwrap_or_default();
        let value = value.trim_start_matches(space);
        let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let quote = quote.ok_or(FaultKind::InvalidDeclaration)?;
        let value = value.strip_prefix(quote).unwrap_or_default();
        let (value, tail) = value
            .split_once(quote)
            .ok_or(FaultKind::InvalidDeclaration)?;
        match name {
            "version" if value != "1.0" => return Err(FaultKind::InvalidDeclaration),
            "encoding" if !value.eq_ignore_ascii_case("utf-8") => {
                return Err(FaultKind::UnsupportedEncoding);
            }
            "standalone" if !matches!(value, "yes" | "no") => {
                return Err(FaultKind::InvalidDeclaration);
            }
            _ => {}
        }
        rest = tail;
    }
}

/// What the elements below this header inherit.
fn context_of(header: ElementRef<'_>) -> Context {
    let declarations = header
        .declarations()
        .map(|(prefix, namespace)| ContextDeclaration {
            prefix: String::from(prefix),
            namespace: String::from(namespace),
        })
        .collect();
    Context {
        declarations,
        lang: header
            .attribute_ns("lang", crate::XML_NAMESPACE)
            .map(|lang| lang.into_owned()),
        root: String::from(header.qualified_name()),
    }
}
