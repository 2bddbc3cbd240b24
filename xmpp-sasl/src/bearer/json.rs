//! As much JSON (RFC 8259) as the error report of OAUTHBEARER needs: one object of strings, with whatever else in it
//! passed over.

use alloc::format;
use alloc::string::String;

use crate::error::MessageError;

const MALFORMED: MessageError = MessageError::Malformed("JSON");

/// How deep values that are passed over may be nested.
const MAX_DEPTH: u8 = 8;

/// Gives each member of an object whose value is a string to `each`.
///
/// # Errors
/// Text that is not one JSON object, or has more members than `limit`, nested ones not counted.
pub(super) fn read_object(
    text: &str,
    limit: usize,
    mut each: impl FnMut(&str, String) -> Result<(), MessageError>,
) -> Result<(), MessageError> {
    let mut reader = Reader(text);
    reader.space();
    reader.members(b'{', b'}', limit, |reader| {
        let name = reader.name()?;
        if reader.0.starts_with('"') {
            let value = reader.string()?;
            each(&name, value)
        } else {
            reader.pass_over(MAX_DEPTH)
        }
    })?;
    reader.space();
    if reader.0.is_empty() {
        Ok(())
    } else {
        Err(MALFORMED)
    }
}

/// Appends a string with its quotes.
pub(super) fn write_string(into: &mut String, text: &str) {
    into.push('"');
    for c in text.chars() {
        match c {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\0'..='\x1f' => into.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => into.push(c),
        }
    }
    into.push('"');
}

struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// The next character if it is this one.
    fn has(&mut self, c: char) -> bool {
        match self.0.strip_prefix(c) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, c: char) -> Result<(), MessageError> {
        if self.has(c) { Ok(()) } else { Err(MALFORMED) }
    }

    /// What stands between brackets, separated by commas.
    fn members(
        &mut self,
        open: u8,
        close: u8,
        limit: usize,
        mut each: impl FnMut(&mut Self) -> Result<(), MessageError>,
    ) -> Result<(), MessageError> {
        self.expect(char::from(open))?;
        self.space();
        if self.has(char::from(close)) {
            return Ok(());
        }
        for _ in 0..limit {
            self.space();
            each(self)?;
            self.space();
            if self.has(char::from(close)) {
                return Ok(());
            }
            self.expect(',')?;
        }
        Err(MessageError::TooLong("number of members"))
    }

    /// A member's name and its colon.
    fn name(&mut self) -> Result<String, MessageError> {
        let name = self.string()?;
        self.space();
        self.expect(':')?;
        self.space();
        Ok(name)
    }

    fn string(&mut self) -> Result<String, MessageError> {
        self.expect('"')?;
        let mut string = String::new();
        loop {
            let end = self.0.find(['"', '\\']).ok_or(MALFORMED)?;
            let (plain, rest) = self.0.split_at_checked(end).ok_or(MALFORMED)?;
            if plain.chars().any(|c| c < ' ') {
                return Err(MALFORMED);
            }
            string.push_str(plain);
            self.0 = rest;
            if self.has('"') {
                return Ok(string);
            }
            self.expect('\\')?;
            string.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, MessageError> {
        let mut chars = self.0.chars();
        let escape = chars.next().ok_or(MALFORMED)?;
        self.0 = chars.as_str();
        Ok(match escape {
            '"' | '\\' | '/' => escape,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.unit()?;
                // What is beyond 16 bits takes two units.
                let second = if matches!(first, 0xd800..=0xdbff) {
                    self.expect('\\')?;
                    self.expect('u')?;
                    Some(self.unit()?)
                } else {
                    None
                };
                let mut decoded = char::decode_utf16([first].into_iter().chain(second));
                decoded.next().and_then(Result::ok).ok_or(MALFORMED)?
            }
            _ => return Err(MALFORMED),
        })
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Result<u16, MessageError> {
        let (digits, rest) = self.0.split_at_checked(4).ok_or(MALFORMED)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(MALFORMED);
        }
        self.0 = rest;
        u16::from_str_radix(digits, 16).map_err(|_| MALFORMED)
    }

    /// Any value. Words and numbers are told from other text, but not from each other.
    fn pass_over(&mut self, depth: u8) -> Result<(), MessageError> {
        let depth = depth
            .checked_sub(1)
            .ok_or(MessageError::TooLong("depth of JSON"))?;
        // Every member takes a byte at least, so the message's own limit holds.
        let limit = self.0.len();
        match self.0.as_bytes().first() {
            Some(b'{') => self.members(b'{', b'}', limit, |reader| {
                reader.name()?;
                reader.pass_over(depth)
            }),
            Some(b'[') => self.members(b'[', b']', limit, |reader| reader.pass_over(depth)),
            Some(b'"') => self.string().map(drop),
            _ => {
                let rest = self
                    .0
                    .trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "+-.".contains(c));
                if rest.len() == self.0.len() {
                    return Err(MALFORMED);
                }
                self.0 = rest;
                Ok(())
            }
        }
    }
}
