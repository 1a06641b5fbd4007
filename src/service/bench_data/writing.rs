//! A made-up register as files. Threads make and encode its blocks; they are written in order, so their number changes
//! no byte.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{available_parallelism, scope};

use super::{
    ATTRIBUTES, BLOCK, BenchCounts, BenchError, BenchOptions, BenchRegister, block_count,
    make_block,
};
use crate::domain::{Enterprise, Label, Record};
use crate::files::{
    Compression, Encoded, Encoder, Format, Sink, Writer, enterprise_writer, record_writer,
};

/// Layout and compression of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileForm {
    /// Their layout.
    pub format: Format,
    /// How they are packed; Parquet packs itself.
    pub compression: Compression,
}

impl FileForm {
    /// The form that a name's ending states, such as `csv`, `ndjson.zst` or `parquet`.
    pub fn of_ending(ending: &str) -> Option<Self> {
        let name = format!("f.{ending}");
        let path = Path::new(&name);
        let form = Self {
            format: Format::of_path(path)?,
            compression: Compression::of_path(path),
        };
        (form.ending() == ending).then_some(form)
    }

    /// How the names of such files end.
    pub fn ending(self) -> String {
        let packed = match self.compression {
            Compression::Plain => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        };
        format!("{}{packed}", self.format.as_str())
    }
}

/// A block of both files.
type Made = Result<(Encoded, Encoded), BenchError>;

/// Writes a register to two sinks, enterprises and records, in one pass. `progress` is told how many enterprises are
/// done.
///
/// # Errors
///
/// When there are more enterprises than codes, or a file cannot be written.
pub fn write_bench_data(
    options: BenchOptions,
    enterprises: Sink,
    records: Sink,
    threads: usize,
    progress: &mut dyn FnMut(u64),
) -> Result<BenchCounts, BenchError> {
    // Refuses what cannot be made.
    BenchRegister::new(options)?;
    let attributes = ATTRIBUTES
        .iter()
        .filter_map(|name| Label::parse(name).ok())
        .collect();
    let mut enterprises = enterprise_writer(enterprises, &attributes)?;
    let mut records = record_writer(records)?;
    let next = AtomicU64::new(0);
    let threads = threads.max(1);
    let (done, made) = sync_channel(2 * threads);
    scope(|scope| {
        for _ in 0..threads {
            let (done, next) = (done.clone(), &next);
            let encoders = (enterprises.encoder(), records.encoder());
            scope.spawn(move || make_blocks(&options, next, encoders, &done));
        }
        drop(done);
        append_in_order(&options, made, &mut enterprises, &mut records, progress)
    })?;
    Ok(BenchCounts {
        enterprise_count: enterprises.finish()?,
        record_count: records.finish()?,
    })
}

/// Takes one block after the other until there are no more, or nobody wants them.
fn make_blocks(
    options: &BenchOptions,
    next: &AtomicU64,
    (mut enterprises, mut records): (Encoder<Enterprise>, Encoder<Record>),
    done: &SyncSender<(u64, Made)>,
) {
    loop {
        let block = next.fetch_add(1, Ordering::Relaxed);
        if block >= block_count(options) {
            return;
        }
        let mut encode = || -> Made {
            for made in make_block(options, block)? {
                enterprises.push(&made.enterprise)?;
                for record in &made.records {
                    records.push(record)?;
                }
            }
            Ok((enterprises.take()?, records.take()?))
        };
        if done.send((block, encode())).is_err() {
            return;
        }
    }
}

fn append_in_order(
    options: &BenchOptions,
    made: Receiver<(u64, Made)>,
    enterprises: &mut Writer<Enterprise>,
    records: &mut Writer<Record>,
    progress: &mut dyn FnMut(u64),
) -> Result<(), BenchError> {
    // A block that is late is being made by a thread of its own, so few wait for it.
    let mut waiting = BTreeMap::new();
    for block in 0..block_count(options) {
        let blocks = loop {
            if let Some(ready) = waiting.remove(&block) {
                break ready;
            }
            match made.recv() {
                Ok((number, made)) => waiting.insert(number, made),
                Err(_) => return Err(BenchError::Stopped),
            };
        };
        let (of_enterprises, of_records) = blocks?;
        enterprises.append(of_enterprises)?;
        records.append(of_records)?;
        progress(((block + 1) * BLOCK).min(options.enterprise_count));
    }
    Ok(())
}

/// Writes `enterprises` and `records` with the ending of their form into a folder; see [`write_bench_data`].
///
/// # Errors
///
/// As [`write_bench_data`].
pub fn write_bench_files(
    options: BenchOptions,
    folder: &Path,
    form: FileForm,
    progress: &mut dyn FnMut(u64),
) -> Result<BenchCounts, BenchError> {
    let sink = |name: &str| {
        let file = format!("{name}.{}", form.ending());
        Sink::create(&folder.join(file), Some(form.format))
    };
    let threads = available_parallelism().map_or(1, Into::into);
    let (enterprises, records) = (sink("enterprises")?, sink("records")?);
    write_bench_data(options, enterprises, records, threads, progress)
}
