//! Realistic fictional registers of any size for demonstrations, calibration and measurement.
//!
//! A register is a pure function of [`BenchOptions`]: same options, same bytes, on any machine. Only whole numbers and
//! the four basic operations decide anything, and every enterprise has a stream of its own, so registers of different
//! size with one seed share their first enterprises. Divisions (99xxxx) do not exist, credit codes verify, names and
//! numbers are invented.
//!
//! What to expect of a large register (tested in bands):
//!
//! | share of enterprises | expected |
//! |---|---|
//! | younger than a year | 12 % |
//! | on the list of abnormal operation | 4–5.5 % (about 7 % with former ones) |
//! | serious penalty within 36 months | 2.5 % |
//! | judgment defaulter | about 1.8 % |
//! | on the list of serious violation | 0.9 % |
//! | stop order in force | 0.7 % |
//! | one of the two last (a direct D) | 1.4 % |
//! | a floor C without a direct D | 5–6 % |
//! | complaints per enterprise and year | about 0.1, over-dispersed; platforms have hundreds |
//! | records per enterprise | about 4.5 |
//!
//! With the points of the default scorecard and cut-offs B 40, C 150, D 300, a register of 40,000 comes out at A 71, B 21,
//! C 5.3 and D 2.5 %, inside the measured bands of real provinces (A 48–74, B 18–42, C 5–8, D 1.5–3.5 %).
//!
//! It refuses to be data: nothing measured on it says anything about real enterprises.

mod behaviour;
mod enterprise;
mod records;
mod vocabulary;

use jiff::civil::Date;
use std::path::Path;

use crate::domain::{Enterprise, EnterpriseId, FieldError, Label, Record};
use crate::files::{FilesError, Sink, enterprise_writer, record_writer};

pub use enterprise::ATTRIBUTES;

/// What the register depends on.
#[derive(Debug, Clone, Copy)]
pub struct BenchOptions {
    /// How many enterprises.
    pub enterprise_count: u64,
    /// At least so many records: where behaviour gives fewer, old changes of registration fill up, which lie outside
    /// every window and move no tier.
    pub record_count: Option<u64>,
    /// The seed.
    pub seed: u64,
    /// The day on which the register is taken; nothing in it is known later.
    pub as_of: Date,
}

/// Why a register cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// More enterprises than there are codes.
    #[error("`{0}` enterprises are too many; at most {max} have a code", max = enterprise::CODES)]
    TooMany(u64),
    /// A generated value is refused by its own rules.
    #[error("the generator made an invalid value, please report it: {0}")]
    Invalid(#[from] FieldError),
    /// A file cannot be written.
    #[error(transparent)]
    Files(#[from] FilesError),
}

/// One enterprise with its records in order of day.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchEnterprise {
    /// The enterprise.
    pub enterprise: Enterprise,
    /// Its records.
    pub records: Vec<Record>,
}

/// How much was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BenchCounts {
    /// Enterprises written.
    pub enterprise_count: u64,
    /// Records written.
    pub record_count: u64,
}

/// The register, one enterprise after the other.
#[derive(Debug)]
pub struct BenchRegister {
    options: BenchOptions,
    next: u64,
    record_count: u64,
}

impl BenchRegister {
    /// A register from its first enterprise.
    pub fn new(options: BenchOptions) -> Result<Self, BenchError> {
        if options.enterprise_count > enterprise::CODES {
            return Err(BenchError::TooMany(options.enterprise_count));
        }
        Ok(Self {
            options,
            next: 0,
            record_count: 0,
        })
    }

    /// The id of the enterprise at `index`, without making the others.
    pub fn id_at(options: &BenchOptions, index: u64) -> Result<EnterpriseId, BenchError> {
        Ok(enterprise::Identity::of(options, index).id()?)
    }

    fn make(&mut self, index: u64) -> Result<BenchEnterprise, BenchError> {
        let made = enterprise::make(&self.options, index)?;
        let mut records = records::make(&self.options, index, &made)?;
        let so_far = self.record_count + records.len() as u64;
        if let Some(wanted) = self.options.record_count {
            let due = u128::from(wanted) * u128::from(index + 1)
                / u128::from(self.options.enterprise_count.max(1));
            let missing = u64::try_from(due)
                .unwrap_or(u64::MAX)
                .saturating_sub(so_far);
            records::fill_up(&self.options, index, &made, missing, &mut records)?;
        }
        self.record_count += records.len() as u64;
        Ok(BenchEnterprise {
            enterprise: made.enterprise,
            records,
        })
    }
}

impl Iterator for BenchRegister {
    type Item = Result<BenchEnterprise, BenchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.options.enterprise_count {
            return None;
        }
        let index = self.next;
        self.next += 1;
        Some(self.make(index))
    }
}

/// Writes a register to two sinks, enterprises and records, in one pass. `progress` is told how many enterprises are
/// done.
pub fn write_bench_data(
    options: BenchOptions,
    enterprises: Sink,
    records: Sink,
    progress: &mut dyn FnMut(u64),
) -> Result<BenchCounts, BenchError> {
    let attributes = ATTRIBUTES
        .iter()
        .filter_map(|name| Label::parse(name).ok())
        .collect();
    let mut enterprise_rows = enterprise_writer(enterprises, &attributes)?;
    let mut record_rows = record_writer(records)?;
    for (made, done) in BenchRegister::new(options)?.zip(1..) {
        let made = made?;
        enterprise_rows.write(&made.enterprise)?;
        for record in &made.records {
            record_rows.write(record)?;
        }
        progress(done);
    }
    Ok(BenchCounts {
        enterprise_count: enterprise_rows.finish()?,
        record_count: record_rows.finish()?,
    })
}

/// Writes `enterprises.csv` and `records.csv` into a folder, with `.gz` where asked for; see [`write_bench_data`].
pub fn write_bench_files(
    options: BenchOptions,
    folder: &Path,
    gzip: bool,
    progress: &mut dyn FnMut(u64),
) -> Result<BenchCounts, BenchError> {
    let sink = |name: &str| {
        let file = if gzip {
            format!("{name}.csv.gz")
        } else {
            format!("{name}.csv")
        };
        Sink::create(&folder.join(file), None)
    };
    write_bench_data(options, sink("enterprises")?, sink("records")?, progress)
}

#[cfg(test)]
mod tests;
