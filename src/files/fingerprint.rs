//! What tells a file from others without reading it whole: its length and the digests of its two ends.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use crate::domain::digest::{Digest, HashAlgorithm};

/// How much of each end counts.
const END_BYTES: u64 = 1 << 20;

/// The marks of a file; a stream has only those of its beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// Its length in bytes, where it is known.
    pub length: Option<u64>,
    /// SHA-256 of its first MiB.
    pub beginning: Option<Digest>,
    /// SHA-256 of its last MiB, where it can be read.
    pub ending: Option<Digest>,
}

impl Fingerprint {
    /// Reads both ends of a file and goes back to its start.
    pub(super) fn of_file(file: &mut File, length: u64) -> io::Result<Self> {
        let end = |file: &mut File, from: u64| -> io::Result<Digest> {
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(from))?;
            file.take(END_BYTES).read_to_end(&mut bytes)?;
            Ok(HashAlgorithm::Sha256.hash(&[&bytes]))
        };
        let beginning = end(file, 0)?;
        let ending = end(file, length.saturating_sub(END_BYTES))?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Self {
            length: Some(length),
            beginning: Some(beginning),
            ending: Some(ending),
        })
    }
}

/// A reader whose first MiB has been looked at; it yields the same bytes, and the same failure where one came.
pub(super) struct Peeked<R> {
    start: Cursor<Vec<u8>>,
    failure: Option<io::Error>,
    rest: R,
}

impl<R: Read> Peeked<R> {
    pub(super) fn new(mut rest: R) -> Self {
        let mut start = Vec::new();
        let failure = (&mut rest).take(END_BYTES).read_to_end(&mut start).err();
        Self {
            start: Cursor::new(start),
            failure,
            rest,
        }
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            length: None,
            // A beginning that was cut short says nothing about the file.
            beginning: self
                .failure
                .is_none()
                .then(|| HashAlgorithm::Sha256.hash(&[self.start.get_ref()])),
            ending: None,
        }
    }
}

impl<R: Read> Read for Peeked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.start.read(buffer)?;
        if count > 0 || buffer.is_empty() {
            return Ok(count);
        }
        // What was kept for looking is not needed any more.
        self.start = Cursor::new(Vec::new());
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => self.rest.read(buffer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Breaking(bool);

    impl Read for Breaking {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0 {
                return Err(io::Error::other("gone"));
            }
            self.0 = true;
            buffer[..3].copy_from_slice(b"abc");
            Ok(3)
        }
    }

    #[test]
    fn a_peeked_reader_yields_every_byte_and_then_the_failure() {
        let mut peeked = Peeked::new(Breaking(false));
        assert_eq!(peeked.fingerprint().beginning, None);
        let mut bytes = Vec::new();
        let error = peeked.read_to_end(&mut bytes).unwrap_err();
        assert_eq!(
            (bytes.as_slice(), error.to_string().as_str()),
            (&b"abc"[..], "gone")
        );
    }

    #[test]
    fn a_file_and_a_stream_of_the_same_bytes_begin_alike() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes = vec![7_u8; 3 << 20];
        io::Write::write_all(&mut file, &bytes).unwrap();
        let of_file = Fingerprint::of_file(&mut file, bytes.len() as u64).unwrap();
        let of_stream = Peeked::new(Cursor::new(bytes.clone())).fingerprint();
        assert_eq!(of_file.beginning, of_stream.beginning);
        assert_ne!(of_file, of_stream);
        let mut back = Vec::new();
        Peeked::new(Cursor::new(bytes.clone()))
            .read_to_end(&mut back)
            .unwrap();
        assert!(back == bytes);
    }
}
