//! Realistic fictional registers of any size for demonstrations, calibration and measurement.
//!
//! A register is a pure function of [`BenchOptions`]: same options, same bytes, on any machine. Only whole numbers and
//! the four basic operations decide anything, and every enterprise has a stream of its own: several threads make the
//! blocks of one register, in bounded memory, and their number changes no byte. Registers of different size with one seed
//! share their first enterprises, but not whom these are linked to. Divisions (99xxxx) do not exist, credit codes verify,
//! names and numbers are invented.
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
//! | at an address of ten or more | about 1 %; another 11 % share one with a few |
//! | with a legal representative of ten or more | about 0.3 %; another 8 % share one with a few |
//! | with a shareholder, an affiliate in the register | 2 %, 1 % |
//! | records per enterprise | about 5 |
//!
//! | share of records | expected |
//! |---|---|
//! | known two months to a year late | 1 % |
//! | followed by a corrected version, known later | about 2 % |
//! | repeated word for word | 1 % |
//! | withdrawn | 0.4 % |
//!
//! With the points of the default scorecard and cut-offs B 40, C 150, D 300, a register of 40,000 comes out at A 71, B 21,
//! C 5.3 and D 2.5 %, inside the measured bands of real provinces (A 48–74, B 18–42, C 5–8, D 1.5–3.5 %).
//!
//! It refuses to be data: nothing measured on it says anything about real enterprises.

mod behaviour;
mod enterprise;
mod life;
mod links;
mod records;
mod vocabulary;
mod writing;

use jiff::civil::Date;

use crate::domain::{Enterprise, EnterpriseId, FieldError, Record};
use crate::files::FilesError;

pub use enterprise::ATTRIBUTES;
pub use writing::{FileForm, write_bench_data, write_bench_files};

/// What the register depends on.
#[derive(Debug, Clone, Copy)]
pub struct BenchOptions {
    /// How many enterprises.
    pub enterprise_count: u64,
    /// So many records, as far as possible: where behaviour gives fewer, old changes of registration fill up, which lie
    /// outside every window; where it gives more, annual reports filed in time are left out. Neither moves a tier.
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
    /// A thread that made a part of the register ended early.
    #[error("a part of the register was not made, please report it")]
    Stopped,
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

/// Enterprises made together; their number of records is decided by nothing outside.
const BLOCK: u64 = 1_000;

/// The register, one enterprise after the other.
#[derive(Debug)]
pub struct BenchRegister {
    options: BenchOptions,
    next_block: u64,
    made: std::vec::IntoIter<BenchEnterprise>,
}

impl BenchRegister {
    /// A register from its first enterprise.
    pub fn new(options: BenchOptions) -> Result<Self, BenchError> {
        if options.enterprise_count > enterprise::CODES {
            return Err(BenchError::TooMany(options.enterprise_count));
        }
        Ok(Self {
            options,
            next_block: 0,
            made: Vec::new().into_iter(),
        })
    }

    /// The id of the enterprise at `index`, without making the others.
    pub fn id_at(options: &BenchOptions, index: u64) -> Result<EnterpriseId, BenchError> {
        Ok(enterprise::Identity::of(options, index).id()?)
    }
}

impl Iterator for BenchRegister {
    type Item = Result<BenchEnterprise, BenchError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(made) = self.made.next() {
                return Some(Ok(made));
            }
            if self.next_block >= block_count(&self.options) {
                return None;
            }
            match make_block(&self.options, self.next_block) {
                Ok(made) => self.made = made.into_iter(),
                Err(error) => return Some(Err(error.into())),
            }
            self.next_block += 1;
        }
    }
}

fn block_count(options: &BenchOptions) -> u64 {
    options.enterprise_count.div_ceil(BLOCK)
}

/// Makes the enterprises of one block with their records.
fn make_block(options: &BenchOptions, block: u64) -> Result<Vec<BenchEnterprise>, FieldError> {
    let first = block * BLOCK;
    let last = (first + BLOCK).min(options.enterprise_count);
    let mut all = Vec::new();
    let mut record_count = 0_u64;
    for index in first..last {
        let made = enterprise::make(options, index)?;
        let mut records = records::make(options, index, &made)?;
        records.extend(records::make_links(options, index, &made)?);
        record_count += records.len() as u64;
        all.push((index, made, records));
    }
    if let Some(wanted) = options.record_count {
        // The block's part of all wanted records; those that are missing go evenly to the enterprises old enough.
        let due = |index: u64| {
            let due = u128::from(wanted) * u128::from(index)
                / u128::from(options.enterprise_count.max(1));
            u64::try_from(due).unwrap_or(u64::MAX)
        };
        let due = due(last) - due(first);
        leave_out(&mut all, record_count.saturating_sub(due));
        let missing = due.saturating_sub(record_count);
        let old = |made: &enterprise::Made| records::has_archive(options, made);
        let old_count = all.iter().filter(|(_, made, _)| old(made)).count() as u64;
        let aged = all.iter_mut().filter(|(_, made, _)| old(made));
        for ((index, made, records), place) in aged.zip(0..) {
            let share = missing * (place + 1) / old_count - missing * place / old_count;
            records::fill_up(options, *index, made, share, records)?;
        }
    }
    let done = all.into_iter().map(|(_, made, records)| BenchEnterprise {
        enterprise: made.enterprise,
        records,
    });
    Ok(done.collect())
}

/// Leaves `excess` annual reports out, evenly, as far as there are so many that were filed in time.
fn leave_out(all: &mut [(u64, enterprise::Made, Vec<Record>)], excess: u64) {
    let count = all.len() as u64;
    let mut owed = 0;
    // What the last ones have not enough of is left out in a second round.
    for place in 0..2 * count {
        if place < count {
            owed += excess * (place + 1) / count - excess * place / count;
        }
        let Some((_, _, records)) = usize::try_from(place % count)
            .ok()
            .and_then(|place| all.get_mut(place))
        else {
            continue;
        };
        records.retain(|record| {
            let leaves = owed > 0 && records::is_routine(record);
            owed -= u64::from(leaves);
            !leaves
        });
    }
}

#[cfg(test)]
mod tests;
