//! Which of the next 64 bytes need a look, found for all of them at once.

/// Bytes of one block.
const BLOCK: usize = 64;

/// Finds its way through bytes by the marks of one block of them after the other. A block begins wherever the reader
/// stands when it needs one.
#[derive(Debug)]
pub(crate) struct Marks<'b> {
    bytes: &'b [u8],
    /// Where the block begins.
    base: usize,
    /// Bytes at which text or a value may end or must be looked at: `<`, `>`, `&`, both quotes, control characters,
    /// and 0xEF, with which U+FFFE and U+FFFF begin. `#` comes along for the sake of fewer comparisons.
    stops: u64,
    /// Bytes that are no ASCII letters. Most names consist of letters alone.
    breaks: u64,
}

impl<'b> Marks<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            // So far away that no position lies within the block.
            base: usize::MAX / 2,
            stops: 0,
            breaks: 0,
        }
    }

    pub(crate) fn bytes(&self) -> &'b [u8] {
        self.bytes
    }

    #[inline(always)]
    pub(crate) fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// The byte at `at` and the one behind it.
    #[inline(always)]
    pub(crate) fn pair(&self, at: usize) -> Option<[u8; 2]> {
        self.bytes.get(at..at + 2)?.try_into().ok()
    }

    /// The first stop from `at` on; the length of the bytes, if there is none.
    #[inline(always)]
    pub(crate) fn stop(&mut self, at: usize) -> usize {
        self.find(at, |marks| marks.stops)
    }

    /// The first byte from `at` on that is no ASCII letter; the length of the bytes, if there is none.
    #[inline(always)]
    pub(crate) fn letters_end(&mut self, at: usize) -> usize {
        self.find(at, |marks| marks.breaks)
    }

    #[inline(always)]
    fn find(&mut self, mut at: usize, mask: impl Fn(&Self) -> u64) -> usize {
        let offset = at.wrapping_sub(self.base);
        if offset < BLOCK {
            let mask = mask(self) >> offset;
            if mask != 0 {
                return at + mask.trailing_zeros() as usize;
            }
            at = self.base + BLOCK;
        }
        while at < self.bytes.len() {
            self.base = at;
            (self.stops, self.breaks) = marks_at(self.bytes, at);
            let mask = mask(self);
            if mask != 0 {
                return at + mask.trailing_zeros() as usize;
            }
            at += BLOCK;
        }
        self.bytes.len()
    }
}

/// Stops and breaks of the 64 bytes from `at` on. What lies behind the end counts as both.
#[inline(never)]
fn marks_at(bytes: &[u8], at: usize) -> (u64, u64) {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first_chunk() {
        Some(block) => marks(block),
        None => {
            let mut block = [0; BLOCK];
            for (to, from) in block.iter_mut().zip(rest) {
                *to = *from;
            }
            marks(&block)
        }
    }
}

#[cfg(any(
    target_feature = "sse2",
    all(target_feature = "neon", target_arch = "aarch64"),
    target_feature = "simd128"
))]
#[inline(always)]
fn marks(block: &[u8; BLOCK]) -> (u64, u64) {
    let (lanes, _) = block.as_chunks();
    lanes.iter().rev().fold((0, 0), |(stops, breaks), lane| {
        let (stop, letter) = lane_marks(*lane);
        (
            stops << 16 | u64::from(stop),
            breaks << 16 | u64::from(!letter & 0xFFFF),
        )
    })
}

/// Stops and letters of 16 bytes.
#[cfg(any(
    target_feature = "sse2",
    all(target_feature = "neon", target_arch = "aarch64"),
    target_feature = "simd128"
))]
#[inline(always)]
fn lane_marks(lane: [u8; 16]) -> (u32, u32) {
    use wide::u8x16;

    let bytes = u8x16::new(lane);
    let all = u8x16::splat;
    // 0x22 `"`, 0x23 `#`, 0x26 `&`, 0x27 `'`.
    let quotes = (bytes & all(0xFA)).simd_eq(all(0x22));
    // 0x3C `<`, 0x3E `>`.
    let angles = (bytes & all(0xFD)).simd_eq(all(0x3C));
    let controls = bytes.min(all(0x1F)).simd_eq(bytes);
    let stops = quotes | angles | controls | bytes.simd_eq(all(0xEF));
    let letter = (bytes | all(0x20)) - all(b'a');
    let letters = letter.min(all(25)).simd_eq(letter);
    (stops.to_bitmask(), letters.to_bitmask())
}

/// The same, byte by byte.
#[cfg(any(
    test,
    not(any(
        target_feature = "sse2",
        all(target_feature = "neon", target_arch = "aarch64"),
        target_feature = "simd128"
    ))
))]
mod bytewise {
    use super::BLOCK;

    pub(super) fn marks(block: &[u8; BLOCK]) -> (u64, u64) {
        block.iter().rev().fold((0, 0), |(stops, breaks), &byte| {
            (
                stops << 1 | u64::from(is_stop(byte)),
                breaks << 1 | u64::from(!byte.is_ascii_alphabetic()),
            )
        })
    }

    fn is_stop(byte: u8) -> bool {
        matches!(
            byte,
            0..0x20 | b'"' | b'#' | b'&' | b'\'' | b'<' | b'>' | 0xEF
        )
    }
}

#[cfg(not(any(
    target_feature = "sse2",
    all(target_feature = "neon", target_arch = "aarch64"),
    target_feature = "simd128"
)))]
use bytewise::marks;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_a_block_are_those_of_its_bytes() {
        for byte in 0..=u8::MAX {
            for place in [0, 15, 16, 31, 32, 47, 48, 63] {
                for around in [b'a', b' ', b'<', 0x00, 0xC3] {
                    let mut block = [around; BLOCK];
                    block[place] = byte;
                    assert_eq!(
                        marks(&block),
                        bytewise::marks(&block),
                        "{byte:#x} at {place}"
                    );
                }
            }
        }
    }

    #[test]
    fn positions_are_found_across_blocks_and_at_the_end() {
        for length in [0, 1, 63, 64, 65, 127, 128, 200] {
            let mut bytes = vec![b'a'; length];
            assert_eq!(Marks::new(&bytes).stop(0), length);
            assert_eq!(Marks::new(&bytes).letters_end(0), length);
            for at in 0..length {
                bytes[at] = b'<';
                for from in 0..=at {
                    let mut marks = Marks::new(&bytes);
                    assert_eq!(marks.letters_end(0), at);
                    assert_eq!(marks.stop(from), at);
                    assert_eq!(Marks::new(&bytes).letters_end(from), at);
                }
                bytes[at] = b'a';
            }
        }
    }
}
