//! Checks what a Parquet file declares before anything is sized by it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use parquet::file::metadata::ColumnChunkMetaData;

use super::thrift::{Malformed, Walker, kind};
use crate::files::source::PARQUET_MAGIC;

/// Largest page after decompression; writers aim at one MiB.
const MOST_PAGE_BYTES: i64 = 64 << 20;
/// Largest footer; a thousand row groups of fifty columns take about ten MiB.
const MOST_FOOTER_BYTES: u64 = 128 << 20;
/// A page header with statistics of long texts stays below this.
const PAGE_HEADER_BYTES: u64 = 64 * 1024;
/// Most of a page header is far below this.
const USUAL_HEADER_BYTES: u64 = 512;
/// Bytes behind the footer: its length and the magic number.
const TAIL_BYTES: u64 = 8;

/// Why a file is not read.
pub(super) type Refusal = String;

fn reading(cause: io::Error) -> Refusal {
    format!("it cannot be read ({cause})")
}

/// Checks the footer: that it is there, and that no list in it is longer than it can be.
pub(super) fn check_footer(file: &mut File) -> Result<(), Refusal> {
    let length = file.seek(SeekFrom::End(0)).map_err(reading)?;
    let magic = PARQUET_MAGIC.len() as u64;
    let Some(tail_at) = length
        .checked_sub(TAIL_BYTES)
        .filter(|tail_at| *tail_at >= magic)
    else {
        return Err("it is too short or was cut off".to_owned());
    };
    let tail = bytes_at(file, tail_at, TAIL_BYTES).map_err(reading)?;
    let Some((declared, end)) = tail.split_first_chunk::<4>() else {
        return Err("it is too short or was cut off".to_owned());
    };
    if end == b"PARE" {
        return Err("it is encrypted".to_owned());
    }
    if end != PARQUET_MAGIC {
        return Err("its end is missing, so it was cut off or is still being written".to_owned());
    }
    let declared = u64::from(u32::from_le_bytes(*declared));
    if declared > MOST_FOOTER_BYTES || declared > tail_at - magic {
        return Err(format!(
            "its footer says to have {declared} bytes, which cannot be"
        ));
    }
    let footer = bytes_at(file, tail_at - declared, declared).map_err(reading)?;
    Walker::new(&footer)
        .structure(&mut |_, _, _| Ok(false))
        .map_err(|Malformed| "its footer is damaged".to_owned())
}

/// Checks the pages of a column in a row group.
pub(super) fn check_pages(file: &mut File, column: &ColumnChunkMetaData) -> Result<(), Refusal> {
    let length = file.seek(SeekFrom::End(0)).map_err(reading)?;
    let start = column
        .dictionary_page_offset()
        .unwrap_or(column.data_page_offset())
        .min(column.data_page_offset());
    let outside = || "a column says to lie outside the file".to_owned();
    let mut at = u64::try_from(start).map_err(|_| outside())?;
    let size = u64::try_from(column.compressed_size()).map_err(|_| outside())?;
    let end = at.checked_add(size).filter(|end| *end <= length);
    let end = end.ok_or_else(outside)?;
    while at < end {
        let damaged = || format!("the page at byte {at} is damaged");
        let page = page_at(file, at, end)?.ok_or_else(damaged)?;
        if page.uncompressed > MOST_PAGE_BYTES || page.compressed > MOST_PAGE_BYTES {
            return Err(format!(
                "the page at byte {at} says to have {} bytes, more than {MOST_PAGE_BYTES}; write smaller pages",
                page.uncompressed
            ));
        }
        // Every entry of a dictionary takes a byte at least.
        let implausible = page.dictionary_entries > page.uncompressed.max(0);
        if implausible || page.uncompressed < 0 {
            return Err(damaged());
        }
        let compressed = u64::try_from(page.compressed).map_err(|_| damaged())?;
        let next = at + page.header_bytes + compressed;
        if next > end {
            return Err(damaged());
        }
        at = next;
    }
    Ok(())
}

struct PageDeclared {
    header_bytes: u64,
    uncompressed: i64,
    compressed: i64,
    dictionary_entries: i64,
}

/// Reads the header of the page at `at`; nothing where there is none.
fn page_at(file: &mut File, at: u64, end: u64) -> Result<Option<PageDeclared>, Refusal> {
    for most in [USUAL_HEADER_BYTES, PAGE_HEADER_BYTES] {
        let bytes = bytes_at(file, at, most.min(end - at)).map_err(reading)?;
        if let Ok(page) = declared(&bytes) {
            return Ok(Some(page));
        }
    }
    Ok(None)
}

fn declared(bytes: &[u8]) -> Result<PageDeclared, Malformed> {
    let mut walker = Walker::new(bytes);
    let (mut uncompressed, mut compressed, mut dictionary_entries) = (None, None, 0);
    walker.structure(&mut |walker, number, of| {
        match (number, of) {
            (2, kind::I32) => uncompressed = Some(walker.integer()?),
            (3, kind::I32) => compressed = Some(walker.integer()?),
            (7, kind::STRUCT) => walker.structure(&mut |walker, number, of| {
                let taken = (number, of) == (1, kind::I32);
                if taken {
                    dictionary_entries = walker.integer()?;
                }
                Ok(taken)
            })?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    Ok(PageDeclared {
        header_bytes: (bytes.len() - walker.left()) as u64,
        uncompressed: uncompressed.ok_or(Malformed)?,
        compressed: compressed.ok_or(Malformed)?,
        dictionary_entries,
    })
}

fn bytes_at(file: &mut File, at: u64, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}
