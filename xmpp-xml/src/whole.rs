//! The fast way through what nearly all traffic consists of: parts of the usual form that have arrived whole.
//!
//! It accepts or it steps back. A part that is cut, written unusually or wrong is left as if it had not been looked
//! at, and the tokenizer takes it step by step; so faults are told in one place alone, and both ways leave the same
//! tape behind.

use crate::chars::is_space;
use crate::escape::{self, is_noncharacter};
use crate::marks::Marks;
use crate::tape::{Kind, NamespaceId, Node, index, number};
use crate::tokenizer::Reading;

impl Reading<'_> {
    /// Goes on from `at`, where a part begins. Gives where the first part begins that is not accepted, and whether
    /// the element ended before it.
    pub(crate) fn whole_parts(&mut self, mut at: usize) -> (usize, bool) {
        let mut marks = Marks::new(self.bytes);
        loop {
            let part = if marks.byte(at) != Some(b'<') {
                self.whole_text(&mut marks, at)
            } else if marks.byte(at + 1) == Some(b'/') {
                self.whole_end_tag(at)
            } else {
                self.whole_start_tag(&mut marks, at)
            };
            match part {
                Some(end) => at = end,
                None => return (at, false),
            }
            if self.token.depth == 0 {
                return (at, true);
            }
        }
    }

    #[inline(always)]
    fn whole_end_tag(&mut self, at: usize) -> Option<usize> {
        let open = *self.work.tape.get(index(self.token.current))?;
        let name = self.bytes.get(open.name_range())?;
        let rest = self.bytes.get(at + 2..)?;
        let (repeated, rest) = rest.split_at_checked(name.len())?;
        if rest.first() != Some(&b'>') || !same(repeated, name) {
            return None;
        }
        let end = at + 2 + name.len() + 1;
        self.close(at, end);
        Some(end)
    }

    #[inline(always)]
    fn whole_text(&mut self, marks: &mut Marks<'_>, at: usize) -> Option<usize> {
        let mut escaped = false;
        let mut from = at;
        let end = loop {
            let stop = marks.stop(from);
            let byte = marks.byte(stop)?;
            if byte == b'<' {
                break stop;
            }
            from = match byte {
                b'>' if marks.bytes().get(at..stop)?.ends_with(b"]]") => return None,
                b'\r' => {
                    escaped = true;
                    stop + 1
                }
                _ => harmless(marks.bytes(), stop, &mut escaped)?,
            };
        };
        let kind = if escaped {
            Kind::TextEscaped
        } else {
            Kind::Text
        };
        self.push_text(kind, at, end);
        Some(end)
    }

    #[inline(never)]
    fn whole_start_tag(&mut self, marks: &mut Marks<'_>, at: usize) -> Option<usize> {
        let open = number(self.work.tape.len());
        let end = self.accept_start_tag(marks, at + 1, open);
        if end.is_none() {
            self.work.tape.truncate(index(open));
            self.leave_scope(open);
        }
        end
    }

    #[inline(always)]
    fn accept_start_tag(
        &mut self,
        marks: &mut Marks<'_>,
        start: usize,
        open: u32,
    ) -> Option<usize> {
        if self.token.depth >= self.limits.depth || self.token.children >= self.limits.children {
            return None;
        }
        let longest = usize::from(self.limits.name_bytes);
        let mut tag = Tag {
            default: self.token.default,
            declarations: 0,
            has_prefixes: false,
        };
        let mut end = marks.letters_end(start);
        let mut next = marks.byte(end)?;
        let mut prefix = 0;
        if end == start || !matches!(next, b' ' | b'>' | b'/') {
            (prefix, end) = name(marks, start)?;
            next = marks.byte(end)?;
            tag.has_prefixes = prefix > 0;
        }
        if end - start > longest {
            return None;
        }
        self.push(Node {
            kind: Kind::Open,
            prefix,
            name: (end - start) as u16,
            start: number(start),
            a: tag.default.0,
            b: self.token.current,
        });

        // One bit for each hash of a name: fewer bits than names tell that two may be the same.
        let mut hashes = 0u64;
        while next == b' ' || is_space(next) {
            let start = end + 1;
            let name_end = marks.letters_end(start);
            if name_end == start
                && let Some(found) = white_space_end(marks, start)
            {
                (end, next) = found;
                continue;
            }
            let first = marks.byte(start)?;
            let [equals, quote] = marks.pair(name_end)?;
            let value = name_end + 2;
            let value_end = marks.stop(value);
            let [closing, behind] = marks.pair(value_end)?;
            let length = name_end - start;
            let is_plain = equals == b'='
                && length > 0
                && closing == quote
                && (quote == b'\'' || quote == b'"')
                && length <= longest;
            if is_plain {
                let node = Node {
                    kind: Kind::Attribute,
                    prefix: 0,
                    name: length as u16,
                    start: number(start),
                    a: number(value),
                    b: number(value_end - value),
                };
                if first == b'x'
                    && let Some(node) = node.into_declaration(marks.bytes())
                {
                    self.declare(node, false, &mut tag)?;
                } else {
                    self.push(node);
                }
                end = value_end + 1;
                next = behind;
            } else {
                end = self.whole_attribute(marks, start, &mut tag)?;
                next = marks.byte(end)?;
            }
            hashes |= 1 << (usize::from(first).wrapping_add(length.wrapping_mul(11)) & 63);
        }
        let empty = match next {
            b'>' => false,
            b'/' if marks.byte(end + 1)? == b'>' => true,
            _ => return None,
        };
        let entries = number(self.work.tape.len()) - open - 1;
        if (entries > 1 && hashes.count_ones() < entries)
            || tag.has_prefixes
            || tag.declarations > 1
            || entries > self.limits.attributes
        {
            self.resolve_whole_tag(open, &tag)?;
        } else if tag.declarations > 0 {
            self.work.tape.get_mut(index(open))?.a = tag.default.0;
        }
        if empty {
            end += 2;
            let close = self.push(Node::close(end, end, open));
            self.work.tape.get_mut(index(open))?.b = close + 1;
            self.token.children += 1;
            if tag.declarations > 0 {
                self.leave_scope(open);
            }
        } else {
            end += 1;
            self.descend(open, tag.default);
        }
        Some(end)
    }

    /// An attribute that may have a prefix, a value to be decoded, or be a declaration. Gives the byte behind it.
    #[inline(never)]
    fn whole_attribute(
        &mut self,
        marks: &mut Marks<'_>,
        start: usize,
        tag: &mut Tag,
    ) -> Option<usize> {
        let (prefix, name_end) = name(marks, start)?;
        let [equals, quote] = marks.pair(name_end)?;
        if equals != b'='
            || (quote != b'\'' && quote != b'"')
            || name_end - start > usize::from(self.limits.name_bytes)
        {
            return None;
        }
        let value = name_end + 2;
        let (value_end, escaped) = whole_value(marks, value, quote)?;
        let kind = if escaped {
            Kind::AttributeEscaped
        } else {
            Kind::Attribute
        };
        let node = Node {
            kind,
            prefix,
            name: (name_end - start) as u16,
            start: number(start),
            a: number(value),
            b: number(value_end - value),
        };
        if let Some(node) = node.into_declaration(marks.bytes()) {
            self.declare(node, escaped, tag)?;
        } else {
            self.push(node);
            if prefix > 0 {
                self.push(Node::attribute_namespace());
                tag.has_prefixes = true;
            }
        }
        Some(value_end + 1)
    }

    /// Takes a declaration into the scope.
    fn declare(&mut self, node: Node, escaped: bool, tag: &mut Tag) -> Option<()> {
        if self.work.scope.len() >= index(self.limits.namespaces) {
            return None;
        }
        let node = self.declaration(node, escaped).ok()?;
        let entry = self.push(node);
        self.work.scope.push(entry);
        if node.name == 0 {
            tag.default = NamespaceId::declared(node, entry);
        }
        tag.declarations += 1;
        Some(())
    }

    /// Looks up the namespaces of a tag that has prefixes, and compares names that may be the same.
    #[inline(never)]
    fn resolve_whole_tag(&mut self, open: u32, tag: &Tag) -> Option<()> {
        let head = self.work.tape.get(index(open)..)?;
        self.token.attributes = number(head.iter().filter(|node| node.is_attribute()).count());
        if self.token.attributes > self.limits.attributes {
            return None;
        }
        self.token.outer_scope = self.own_scope(open);
        let outer = core::mem::replace(&mut self.token.default, tag.default);
        let resolved = self.resolve_tag(index(open));
        self.token.default = outer;
        resolved.ok()
    }
}

/// What is not usual about the names of one start tag.
struct Tag {
    /// What a name without a prefix is in.
    default: NamespaceId,
    declarations: u32,
    has_prefixes: bool,
}

/// Behind more white space in a tag, which begins at `at`: the byte before an attribute and a blank, or the end of the
/// tag.
#[inline(never)]
fn white_space_end(marks: &Marks<'_>, at: usize) -> Option<(usize, u8)> {
    let rest = marks.bytes().get(at..)?;
    let spaces = rest.iter().take_while(|&&byte| is_space(byte)).count();
    match rest.get(spaces)? {
        end @ (b'>' | b'/') => Some((at + spaces, *end)),
        _ if spaces > 0 => Some((at + spaces - 1, b' ')),
        _ => None,
    }
}

/// Of the ASCII name that begins at `at`: the length of its prefix, and the byte behind it.
#[inline(never)]
fn name(marks: &mut Marks<'_>, at: usize) -> Option<(u8, usize)> {
    let end = name_part(marks, at)?;
    if marks.byte(end)? != b':' {
        return Some((0, end));
    }
    let prefix = u8::try_from(end - at).ok()?;
    Some((prefix, name_part(marks, end + 1)?))
}

/// The byte behind the ASCII name without a prefix that begins at `at`.
fn name_part(marks: &mut Marks<'_>, at: usize) -> Option<usize> {
    let first = marks.byte(at)?;
    if !first.is_ascii_alphabetic() && first != b'_' {
        return None;
    }
    let mut end = marks.letters_end(at);
    while let b'0'..=b'9' | b'-' | b'.' | b'_' = marks.byte(end)? {
        end = marks.letters_end(end + 1);
    }
    Some(end)
}

/// The end of the value that begins at `at`, and whether it must be decoded.
fn whole_value(marks: &mut Marks<'_>, at: usize, quote: u8) -> Option<(usize, bool)> {
    let mut escaped = false;
    let mut from = at;
    loop {
        let stop = marks.stop(from);
        from = match marks.byte(stop)? {
            byte if byte == quote => return Some((stop, escaped)),
            b'<' => return None,
            b'\t' | b'\n' | b'\r' => {
                escaped = true;
                stop + 1
            }
            _ => harmless(marks.bytes(), stop, &mut escaped)?,
        };
    }
}

/// The byte behind what stands at `stop`, if it is nothing to stop at after all.
#[inline(always)]
fn harmless(bytes: &[u8], stop: usize, escaped: &mut bool) -> Option<usize> {
    let rest = bytes.get(stop..)?;
    match rest {
        [b'&', reference @ ..] => {
            *escaped = true;
            let (_, length) = escape::reference(reference).ok()?;
            Some(stop + 1 + length)
        }
        [0xEF, ..] if is_noncharacter(rest) => None,
        [b'\t' | b'\n' | 0x20.., ..] => Some(stop + 1),
        _ => None,
    }
}

/// Equality of two slices of the same length, which are short nearly always.
#[inline(always)]
fn same(one: &[u8], other: &[u8]) -> bool {
    if one.len() >= 8 {
        one.first_chunk::<8>() == other.first_chunk()
            && one.last_chunk::<8>() == other.last_chunk()
            && (one.len() <= 16 || one == other)
    } else if one.len() >= 4 {
        one.first_chunk::<4>() == other.first_chunk() && one.last_chunk::<4>() == other.last_chunk()
    } else {
        core::iter::zip(one, other).all(|(a, b)| a == b)
    }
}
