//! Reading a pool file piece by piece on all cores, as strictly as line by line.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::{KeyError, LineError, Pool, StratumKey, check_id};

/// Bytes of a file that one thread reads in one piece, and the rest of the last line.
const PIECE: usize = 1 << 20;
/// The pieces in which a file is read: whole lines, but for a last one that may be cut off.
pub(super) fn pieces(file: &[u8]) -> Vec<Range<usize>> {
    let mut pieces = Vec::with_capacity(file.len() / PIECE + 1);
    let mut start = 0;
    while start < file.len() {
        let rest = file.get(start + PIECE..).unwrap_or_default();
        let line_end = rest.iter().position(|&byte| byte == b'\n');
        let end = line_end.map_or(file.len(), |at| start + PIECE + at + 1);
        pieces.push(start..end);
        start = end;
    }
    pieces
}

/// The columns of one piece; strata are numbered as they appear in it.
#[derive(Default)]
pub(super) struct Rows<'a> {
    starts: Vec<u32>,
    id_lengths: Vec<u8>,
    sizes: Vec<u32>,
    strata: Vec<u32>,
    /// Looked up and never gone through, so that its order does not matter.
    numbers: HashMap<&'a [u8], u32>,
    /// Each key with the number of its objects.
    keys: Vec<(StratumKey, u32)>,
    last: Option<(&'a [u8], u32)>,
}

impl<'a> Rows<'a> {
    /// Reads a piece; an error is told with the number of its line within the piece, from 1.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "INVARIANT: the file is under 4 GiB and ids under 65 bytes"
    )]
    pub(super) fn read(file: &'a [u8], range: Range<usize>) -> Result<Self, (u64, LineError)> {
        let mut rows = Self::default();
        let mut start = range.start;
        let mut before = id_before(file, start);
        let piece = file.get(range).unwrap_or_default();
        for (line, bytes) in (1_u64..).zip(piece.split_inclusive(|&byte| byte == b'\n')) {
            let fail = |problem| (line, problem);
            let (id, key, size) = split_line(bytes).map_err(fail)?;
            if id <= before {
                let text = String::from_utf8_lossy(id).into_owned();
                return Err(fail(if id == before {
                    LineError::Duplicate(text)
                } else {
                    LineError::Order(text)
                }));
            }
            rows.starts.push(start as u32);
            rows.id_lengths.push(id.len() as u8);
            rows.sizes.push(size);
            rows.count(key).map_err(|problem| fail(problem.into()))?;
            start += bytes.len();
            before = id;
        }
        Ok(rows)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "INVARIANT: there are fewer strata than bytes in the file"
    )]
    fn count(&mut self, key: &'a [u8]) -> Result<(), KeyError> {
        let number = match &self.last {
            Some((last, number)) if *last == key => *number,
            _ => match self.numbers.get(key) {
                Some(number) => *number,
                None => {
                    let number = self.keys.len() as u32;
                    let text = std::str::from_utf8(key)
                        .map_err(|_| KeyError::Form(String::from_utf8_lossy(key).into_owned()))?;
                    self.keys.push((StratumKey::new(text)?, 0));
                    self.numbers.insert(key, number);
                    number
                }
            },
        };
        self.last = Some((key, number));
        if let Some((_, count)) = self.keys.get_mut(number as usize) {
            *count += 1;
        }
        self.strata.push(number);
        Ok(())
    }
}

/// The id of the line that ends where another begins. What is no line is no id either: whoever reads it says so.
fn id_before(file: &[u8], start: usize) -> &[u8] {
    let lines = file.get(..start).unwrap_or_default();
    let line = lines.strip_suffix(b"\n").unwrap_or(lines);
    let line = line.rsplit(|&byte| byte == b'\n').next();
    let id = line.and_then(|line| line.split(|&byte| byte == b'\t').next());
    id.unwrap_or_default()
}

/// The columns of a whole file; strata are numbered as they appear.
#[derive(Default)]
pub(super) struct Columns {
    starts: Vec<u32>,
    id_lengths: Vec<u8>,
    sizes: Vec<u32>,
    strata: Vec<u32>,
    numbers: BTreeMap<StratumKey, u32>,
    counts: Vec<u32>,
}

impl Columns {
    /// Number of objects so far.
    pub(super) fn len(&self) -> usize {
        self.sizes.len()
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "INVARIANT: there are fewer strata than bytes in the file"
    )]
    pub(super) fn append(&mut self, rows: Rows<'_>) {
        let mut numbers = Vec::with_capacity(rows.keys.len());
        for (key, count) in rows.keys {
            let number = match self.numbers.get(&key) {
                Some(number) => *number,
                None => {
                    let number = self.counts.len() as u32;
                    self.numbers.insert(key, number);
                    self.counts.push(0);
                    number
                }
            };
            if let Some(sum) = self.counts.get_mut(number as usize) {
                *sum += count;
            }
            numbers.push(number);
        }
        self.starts.extend_from_slice(&rows.starts);
        self.id_lengths.extend_from_slice(&rows.id_lengths);
        self.sizes.extend_from_slice(&rows.sizes);
        let strata = rows.strata.iter();
        self.strata.extend(
            strata.map(|number| numbers.get(*number as usize).copied().unwrap_or_default()),
        );
    }

    /// The pool without its file, which is so long.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "INVARIANT: the file is under 4 GiB"
    )]
    pub(super) fn into_pool(mut self, length: usize) -> Pool {
        let mut rank = vec![0_u32; self.counts.len()];
        let mut keys = Vec::with_capacity(self.counts.len());
        for (position, (key, number)) in (0_u32..).zip(self.numbers) {
            if let Some(slot) = rank.get_mut(number as usize) {
                *slot = position;
            }
            let count = self.counts.get(number as usize).copied();
            keys.push((key, count.unwrap_or_default()));
        }
        for stratum in &mut self.strata {
            *stratum = rank.get(*stratum as usize).copied().unwrap_or_default();
        }
        self.starts.push(length as u32);
        Pool {
            file: Vec::new(),
            starts: self.starts,
            id_lengths: self.id_lengths,
            strata: self.strata,
            sizes: self.sizes,
            keys,
        }
    }
}

fn split_line(bytes: &[u8]) -> Result<(&[u8], &[u8], u32), LineError> {
    let line = bytes.strip_suffix(b"\n").ok_or(LineError::Unfinished)?;
    let (id, rest) = split_field(line).ok_or(LineError::Fields)?;
    let (key, size) = split_field(rest).ok_or(LineError::Fields)?;
    if size.contains(&b'\t') {
        return Err(LineError::Fields);
    }
    check_id(id)?;
    Ok((id, key, parse_size(size)?))
}

/// What is before the first tab, and what is behind it.
fn split_field(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&byte| byte == b'\t')?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

fn parse_size(field: &[u8]) -> Result<u32, LineError> {
    if field == b"1" {
        return Ok(1);
    }
    let wrong = || LineError::Size(String::from_utf8_lossy(field).chars().take(20).collect());
    let (Some(b'1'..=b'9'), true) = (field.first(), field.iter().all(u8::is_ascii_digit)) else {
        return Err(wrong());
    };
    std::str::from_utf8(field)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(wrong)
}
