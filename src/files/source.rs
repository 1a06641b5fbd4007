//! Where bytes come from: a path, standard input or any reader; gzip is noticed by its first bytes.

use flate2::bufread::MultiGzDecoder;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::bounded::Bounded;
use super::error::FilesError;

const BUFFER_BYTES: usize = 64 * 1024;

/// How a file lays out its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated cells with a header, RFC 4180.
    Csv,
    /// One JSON object per line.
    Ndjson,
}

impl Format {
    /// The format that a file name states: `.csv`, `.ndjson` or `.jsonl`, each also with `.gz`.
    pub fn of_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

/// An opened file whose rows have not been read yet.
pub struct Source {
    pub(super) name: String,
    pub(super) format: Format,
    pub(super) reader: Box<dyn BufRead + Send>,
    pub(super) gzip: bool,
    taken: Arc<AtomicU64>,
    length: Option<u64>,
}

impl Source {
    /// Opens a path, or standard input for `-`; without a stated format the file name says it.
    pub fn open(path: &Path, format: Option<Format>) -> Result<Self, FilesError> {
        let file = path.display().to_string();
        let Some(format) = format.or_else(|| Format::of_path(path)) else {
            return Err(FilesError::UnknownFormat { file });
        };
        if path.as_os_str() == "-" {
            return Self::from_reader("standard input", format, io::stdin());
        }
        match File::open(path) {
            Ok(opened) => {
                let length = opened
                    .metadata()
                    .ok()
                    .filter(Metadata::is_file)
                    .map(|metadata| metadata.len());
                Ok(Self {
                    length,
                    ..Self::from_reader(&file, format, opened)?
                })
            }
            Err(cause) => Err(FilesError::Open { file, cause }),
        }
    }

    /// Takes any reader; `name` is what errors call it.
    pub fn from_reader(
        name: &str,
        format: Format,
        reader: impl Read + Send + 'static,
    ) -> Result<Self, FilesError> {
        let taken = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            inner: reader,
            taken: Arc::clone(&taken),
        };
        let buffered = BufReader::with_capacity(BUFFER_BYTES, counted);
        let (reader, gzip) = decode(name, buffered)?;
        Ok(Self {
            name: name.to_owned(),
            format,
            reader,
            gzip,
            taken,
            length: None,
        })
    }

    /// The same file with a bound on its bytes after decompression; `exceeded` is set when it has more.
    pub fn bounded(self, most: u64, exceeded: Arc<AtomicBool>) -> Self {
        let inner = self.reader;
        Self {
            reader: Box::new(Bounded {
                inner,
                left: most,
                exceeded,
            }),
            ..self
        }
    }

    /// What errors call this file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Its size in bytes before decompression, where it is known.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// A counter of the bytes taken from the file itself (before decompression), for progress bars.
    pub fn bytes_taken(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.taken)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// Counts what passes through.
struct Counted<R> {
    inner: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.taken.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// Unpacks gzip (any number of members), drops a byte-order mark, and names files that are neither text nor gzip.
fn decode(
    name: &str,
    raw: impl BufRead + Send + 'static,
) -> Result<(Box<dyn BufRead + Send>, bool), FilesError> {
    let (start, raw) = sniff(name, raw, false)?;
    if start.starts_with(&[0x1f, 0x8b]) {
        let unpacked = BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(raw));
        let (start, text) = sniff(name, unpacked, true)?;
        refuse_other_kinds(name, &start)?;
        return Ok((text, true));
    }
    refuse_other_kinds(name, &start)?;
    Ok((raw, false))
}

/// The first bytes and a reader that still yields them, without a UTF-8 byte-order mark.
fn sniff(
    name: &str,
    mut reader: impl BufRead + Send + 'static,
    gzip: bool,
) -> Result<(Vec<u8>, Box<dyn BufRead + Send>), FilesError> {
    let mut start = Vec::with_capacity(4);
    (&mut reader)
        .take(4)
        .read_to_end(&mut start)
        .map_err(|cause| read_failure(name, 0, gzip, cause))?;
    let kept = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start);
    let whole = Cursor::new(kept.to_vec()).chain(reader);
    Ok((start, Box::new(whole)))
}

fn refuse_other_kinds(name: &str, start: &[u8]) -> Result<(), FilesError> {
    let (found, advice) = match start {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            ("in UTF-16", "save it as UTF-8 (`iconv -f UTF-16 -t UTF-8`)")
        }
        [0x50, 0x4b, 0x03, 0x04] => (
            "a zip archive or a spreadsheet",
            "unpack it, or save the sheet as CSV in UTF-8",
        ),
        [0x28, 0xb5, 0x2f, 0xfd] => (
            "compressed with zstd",
            "unpack it (`zstd -d`) or compress it with gzip",
        ),
        [b'P', b'A', b'R', b'1'] => ("a Parquet file", "convert it to CSV or NDJSON first"),
        _ => return Ok(()),
    };
    Err(FilesError::Unreadable {
        file: name.to_owned(),
        found,
        advice,
    })
}

/// Words a failure of the reader; a damaged gzip is told apart from a disk that fails.
pub(super) fn read_failure(name: &str, line: u64, gzip: bool, cause: io::Error) -> FilesError {
    let file = name.to_owned();
    match cause.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
            if gzip =>
        {
            FilesError::DamagedGzip { file, line, cause }
        }
        _ => FilesError::Read { file, line, cause },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_state_the_format() {
        for (name, format) in [
            ("a.csv", Some(Format::Csv)),
            ("A.CSV.GZ", Some(Format::Csv)),
            ("a.b.ndjson", Some(Format::Ndjson)),
            ("a.jsonl.gz", Some(Format::Ndjson)),
            ("a.xlsx", None),
            ("csv", None),
        ] {
            assert_eq!(Format::of_path(Path::new(name)), format, "{name}");
        }
    }

    #[test]
    fn other_kinds_of_files_are_named() {
        for (bytes, word) in [
            (&b"PK\x03\x04rest"[..], "spreadsheet"),
            (b"\xff\xfea\0", "UTF-16"),
            (b"\x28\xb5\x2f\xfd0", "zstd"),
            (b"PAR1....", "Parquet"),
        ] {
            let error =
                Source::from_reader("f", Format::Csv, Cursor::new(bytes.to_vec())).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Source::open(Path::new("no-such-file.csv"), None).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("cannot open `no-such-file.csv`: "),
            "{error}"
        );
        let error = Source::open(Path::new("-"), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the format of `-` is unknown; name the file .csv, .ndjson or .jsonl (also with .gz), or state the format"
        );
    }
}
