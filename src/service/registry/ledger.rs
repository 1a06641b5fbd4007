//! The ledger of models, and what was live when.

use jiff::Timestamp;

use crate::domain::Epoch;
use crate::service::{Service, ServiceError};
use crate::store::{ModelChange, ModelDeed, StoreError};

/// Rows of the ledger read at once.
const PAGE: usize = 1_000;

/// The model that was live at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveModel {
    /// The model.
    pub model_id: String,
    /// Number of the entry in the log of what was in force.
    pub number: u64,
    /// The epoch of its tiers.
    pub epoch: Epoch,
    /// The set of model files.
    pub files_id: String,
    /// Since when this entry was in force, in milliseconds since 1970 (UTC).
    pub since: i64,
}

/// What a walk along the ledger found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LedgerCheck {
    /// Rows.
    pub row_count: u64,
    /// Digest of the last one.
    pub head: String,
    /// The first row that does not follow from the one before, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<(u64, String)>,
}

/// A row of a chain.
pub(super) struct Link<'a> {
    pub(super) seq: u64,
    pub(super) expected_seq: Option<u64>,
    pub(super) previous: &'a str,
    pub(super) digest: &'a str,
    pub(super) computed: Result<String, StoreError>,
}

/// Walks along a chain from its first row.
pub(super) fn walk<'a>(links: impl Iterator<Item = Link<'a>>) -> Result<LedgerCheck, ServiceError> {
    let mut check = LedgerCheck {
        row_count: 0,
        head: ModelChange::ORIGIN.to_owned(),
        fault: None,
    };
    for link in links {
        check.row_count += 1;
        if check.fault.is_some() {
            continue;
        }
        let wrong = if link
            .expected_seq
            .is_some_and(|expected| expected != link.seq)
        {
            format!("it has number {}", link.seq)
        } else if link.previous != check.head {
            "it does not name the digest of the row before".to_owned()
        } else if link.computed? != link.digest {
            "it has another digest than its content".to_owned()
        } else {
            link.digest.clone_into(&mut check.head);
            continue;
        };
        check.fault = Some((link.expected_seq.unwrap_or(link.seq), wrong));
    }
    Ok(check)
}

impl Service {
    /// The model that was live at an instant, by default now; nothing before the first one.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn live_model(&self, at: Option<Timestamp>) -> Result<Option<LiveModel>, ServiceError> {
        let at = at.map_or(i64::MAX, Timestamp::as_millisecond);
        Ok(self
            .store
            .live_model_at(at)?
            .map(|(model_id, entry)| LiveModel {
                model_id,
                number: entry.number,
                epoch: entry.epoch,
                files_id: entry.files_id,
                since: entry.from_at,
            }))
    }

    pub(super) fn live_model_id(&self) -> Result<Option<String>, ServiceError> {
        Ok(self.live_model(None)?.map(|live| live.model_id))
    }

    /// Rows of the ledger before number `before`, latest first; of one model or of all.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn model_history(
        &self,
        model_id: Option<&str>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<ModelChange>, ServiceError> {
        Ok(self.store.model_changes(model_id, before, limit)?)
    }

    /// Walks along the whole ledger and computes every digest anew.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn check_ledger(&self) -> Result<LedgerCheck, ServiceError> {
        let rows = self.whole_ledger()?;
        let links = rows.iter().zip(1_u64..).map(|(row, number)| Link {
            seq: row.seq,
            // Models are numbered without a gap.
            expected_seq: Some(number),
            previous: &row.previous,
            digest: &row.digest,
            computed: row.computed_digest(),
        });
        walk(links)
    }

    /// The model that was live before the present one came: promotions put one on the other, rollbacks take one off.
    pub(super) fn model_before(&self) -> Result<Option<String>, ServiceError> {
        let mut order: Vec<String> = Vec::new();
        for row in self.whole_ledger()? {
            match row.what {
                ModelDeed::Promoted | ModelDeed::Adopted => order.push(row.model_id),
                ModelDeed::RolledBack => match order.iter().rposition(|one| *one == row.model_id) {
                    Some(place) => order.truncate(place + 1),
                    None => order.push(row.model_id),
                },
                ModelDeed::Registered
                | ModelDeed::Validated
                | ModelDeed::Refused
                | ModelDeed::Approved
                | ModelDeed::Shadowed
                | ModelDeed::PromotionAsked
                | ModelDeed::RollbackAsked
                | ModelDeed::Superseded
                | ModelDeed::Retired => {}
            }
        }
        let live = order.pop();
        // The same model twice in a row says nothing new.
        Ok(order
            .into_iter()
            .rev()
            .find(|one| Some(one) != live.as_ref()))
    }

    /// The live model, if persons made it live and not the files of a process.
    pub(in crate::service) fn promoted_model(&self) -> Result<Option<String>, ServiceError> {
        let rows = self.store.model_changes(None, None, PAGE)?;
        let live = rows.into_iter().find(|row| match row.what {
            ModelDeed::Promoted | ModelDeed::RolledBack | ModelDeed::Adopted => true,
            ModelDeed::Registered
            | ModelDeed::Validated
            | ModelDeed::Refused
            | ModelDeed::Approved
            | ModelDeed::Shadowed
            | ModelDeed::PromotionAsked
            | ModelDeed::RollbackAsked
            | ModelDeed::Superseded
            | ModelDeed::Retired => false,
        });
        Ok(live
            .filter(|row| row.what != ModelDeed::Adopted)
            .map(|row| row.model_id))
    }

    pub(super) fn was_live(&self, model_id: &str) -> Result<bool, ServiceError> {
        let rows = self.whole_ledger()?;
        Ok(rows
            .iter()
            .any(|row| row.model_id == model_id && row.live_after.as_deref() == Some(model_id)))
    }

    /// All rows, the first one first.
    fn whole_ledger(&self) -> Result<Vec<ModelChange>, ServiceError> {
        let mut rows: Vec<ModelChange> = Vec::new();
        loop {
            let before = rows.last().map(|row| row.seq);
            let page = self.store.model_changes(None, before, PAGE)?;
            if page.is_empty() {
                rows.reverse();
                return Ok(rows);
            }
            rows.extend(page);
        }
    }
}
