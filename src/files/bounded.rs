//! A bound on the bytes of a file after decompression, so that a small archive cannot become a huge import.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends with an error where more than the allowed bytes would be read.
pub(super) struct Bounded {
    pub(super) inner: Box<dyn BufRead + Send>,
    pub(super) left: u64,
    /// Set when the bound is met.
    pub(super) exceeded: Arc<AtomicBool>,
}

impl BufRead for Bounded {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let waiting = self.inner.fill_buf()?;
        if left == 0 && !waiting.is_empty() {
            self.exceeded.store(true, Ordering::Relaxed);
            return Err(io::Error::other("it has more bytes than allowed"));
        }
        Ok(waiting.get(..left).unwrap_or(waiting))
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count as u64);
        self.inner.consume(count);
    }
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn read(bytes: &'static [u8], most: u64) -> (io::Result<String>, bool) {
        let exceeded = Arc::new(AtomicBool::new(false));
        let mut bounded = Bounded {
            inner: Box::new(Cursor::new(bytes)),
            left: most,
            exceeded: Arc::clone(&exceeded),
        };
        let mut text = String::new();
        let outcome = bounded.read_to_string(&mut text).map(|_| text);
        (outcome, exceeded.load(Ordering::Relaxed))
    }

    #[test]
    fn exactly_the_allowed_bytes_are_read_and_not_one_more() {
        let (text, exceeded) = read(b"abcd", 4);
        assert_eq!((text.unwrap().as_str(), exceeded), ("abcd", false));
        let (text, exceeded) = read(b"abcde", 4);
        assert!(text.is_err() && exceeded);
        assert!(!read(b"", 0).1);
    }
}
