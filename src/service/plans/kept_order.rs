//! The order of a draw as it is kept: who is drawn and who stands by, so that a replacement needs no second draw.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::document::PlanDocument;
use super::steps::internal;
use crate::files::unpack;
use crate::sampling::draw::{DrawOutcome, ReserveObject, SampleKey, SampleLine};
use crate::sampling::pool::{ALL, EXPLORE, Pool};
use crate::sampling::replacement::Standing;
use crate::service::{Service, ServiceError};
use crate::store::PlanFile;

/// The file `reserve.tsv`: `id TAB stratum TAB order LF`, who stands by, in the order in which they are taken.
pub(super) fn reserve_file(outcome: &DrawOutcome, pool: &Pool) -> Vec<u8> {
    let mut text = String::new();
    for stratum in &outcome.strata {
        for standing_by in &stratum.reserve {
            if let Some(object) = pool.object(standing_by.object as usize) {
                // Writing to memory does not fail.
                let _ = writeln!(
                    text,
                    "{}\t{}\t{}",
                    object.id, stratum.key, standing_by.order
                );
            }
        }
    }
    text.into_bytes()
}

/// Sample and reserve, with numbers of its own for objects and strata.
pub(super) struct KeptOrder {
    ids: Vec<String>,
    by_id: BTreeMap<String, u32>,
    strata: Vec<String>,
    lines: Vec<SampleLine>,
    reserves: Vec<Vec<ReserveObject>>,
}

impl KeptOrder {
    /// Reads the files `sample.tsv` and `reserve.tsv`.
    fn read(sample: &[u8], reserve: &[u8]) -> Result<Self, ServiceError> {
        let mut order = Self {
            ids: Vec::new(),
            by_id: BTreeMap::new(),
            strata: Vec::new(),
            lines: Vec::new(),
            reserves: Vec::new(),
        };
        let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
        for line in lines(sample)? {
            let (id, key, place) = line?;
            let object = order.number_of(id)?;
            let key = match key {
                EXPLORE => SampleKey::Explore,
                ALL => SampleKey::All,
                stratum => SampleKey::Stratum(order.stratum(&mut numbers, stratum)?),
            };
            let order_in_key = u32::try_from(place).map_err(internal)?;
            order.lines.push(SampleLine {
                object,
                key,
                order: order_in_key,
            });
        }
        for line in lines(reserve)? {
            let (id, key, place) = line?;
            let object = order.number_of(id)?;
            let stratum = order.stratum(&mut numbers, key)?;
            if let Some(reserve) = order.reserves.get_mut(stratum as usize) {
                reserve.push(ReserveObject {
                    object,
                    order: place,
                });
            }
        }
        Ok(order)
    }

    fn number_of(&mut self, id: &str) -> Result<u32, ServiceError> {
        let number = u32::try_from(self.ids.len()).map_err(internal)?;
        if self.by_id.insert(id.to_owned(), number).is_some() {
            return Err(ServiceError::Internal(format!(
                "`{id}` stands twice in what is kept of a draw"
            )));
        }
        self.ids.push(id.to_owned());
        Ok(number)
    }

    fn stratum(
        &mut self,
        numbers: &mut BTreeMap<String, u32>,
        key: &str,
    ) -> Result<u32, ServiceError> {
        if let Some(number) = numbers.get(key) {
            return Ok(*number);
        }
        let number = u32::try_from(self.strata.len()).map_err(internal)?;
        numbers.insert(key.to_owned(), number);
        self.strata.push(key.to_owned());
        self.reserves.push(Vec::new());
        Ok(number)
    }

    /// The number of an object that is drawn or stands by.
    pub(super) fn find(&self, id: &str) -> Option<u32> {
        self.by_id.get(id).copied()
    }

    /// The id of an object.
    pub(super) fn id(&self, object: u32) -> &str {
        self.ids.get(object as usize).map_or("", String::as_str)
    }

    /// The key under which an object was drawn or taken.
    pub(super) fn key(&self, key: SampleKey) -> &str {
        match key {
            SampleKey::Stratum(stratum) => {
                self.strata.get(stratum as usize).map_or("", String::as_str)
            }
            SampleKey::Explore => EXPLORE,
            SampleKey::All => ALL,
        }
    }

    /// The sample as it was drawn.
    pub(super) fn standing(&self) -> Standing<'_> {
        Standing::of(
            &self.lines,
            self.reserves.iter().map(Vec::as_slice).collect(),
        )
    }
}

type Line<'a> = Result<(&'a str, &'a str, u64), ServiceError>;

/// The lines of a file of id, key and order.
fn lines(file: &[u8]) -> Result<impl Iterator<Item = Line<'_>>, ServiceError> {
    let text = std::str::from_utf8(file).map_err(internal)?;
    Ok(text.lines().map(|line| {
        let mut cells = line.split('\t');
        match (cells.next(), cells.next(), cells.next(), cells.next()) {
            (Some(id), Some(key), Some(order), None) => {
                Ok((id, key, order.parse().map_err(internal)?))
            }
            _ => Err(ServiceError::Internal(
                "a line of what is kept of a draw is cut".to_owned(),
            )),
        }
    }))
}

impl Service {
    /// The order of a drawn plan. What a plan of an earlier release did not keep is drawn again.
    pub(super) fn kept_order(&self, document: &PlanDocument) -> Result<KeptOrder, ServiceError> {
        let Some(drawn) = &document.drawn else {
            return Err(self.state_error(document, "drawn"));
        };
        let sample = self.sample_file(&document.plan_id)?;
        let kept = self.store.plan_file(&document.plan_id, PlanFile::Reserve)?;
        let reserve = match kept {
            Some(packed) => unpack(&packed)?,
            None => {
                let replayed = self.replay(document)?;
                reserve_file(replayed.outcome(), replayed.pool())
            }
        };
        let hash = document.request.hash;
        let differs = hash.hash(&[&sample]) != drawn.sample_digest
            || drawn
                .reserve_digest
                .is_some_and(|digest| digest != hash.hash(&[&reserve]));
        if differs {
            return Err(ServiceError::Internal(format!(
                "sample or reserve of plan `{}` are not those that were drawn",
                document.plan_id
            )));
        }
        KeptOrder::read(&sample, &reserve)
    }
}
