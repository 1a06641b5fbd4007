//! A batch of arriving rows beside what is stored under their ids.
//!
//! A store reads what is stored for a whole batch, lets the law decide row by row in memory, and writes what came of it:
//! every enterprise, record and version once, in the order of its key, whatever the order of the batch. The revision of an
//! enterprise grows by one per batch that changes it, and the change is logged once.

use jiff::civil::Date;
use std::borrow::Cow;
use std::collections::BTreeSet;

use super::decide::{self, EnterpriseStep, Held, KnownVersion, RecordStep};
use super::rows::EnterpriseRow;
use super::stood::Pass;
use super::{Changed, Outcome, StoreError, packed};
use crate::domain::{Enterprise, EnterpriseId, Label, Record};

/// Arriving enterprises.
pub(super) struct EnterpriseBatch<'a> {
    rows: &'a [Enterprise],
    /// By id.
    pub(super) standings: Vec<Standing<'a>>,
    standing_of: Vec<usize>,
}

/// One enterprise of a batch.
pub(super) struct Standing<'a> {
    pub(super) id: &'a EnterpriseId,
    /// As it is stored.
    pub(super) before: Option<EnterpriseRow>,
    /// As it is to be stored; none if nothing about it changes.
    pub(super) now: Option<&'a Enterprise>,
    /// Whether it is to be noted that it stood in this import.
    pub(super) is_noted: bool,
}

impl<'a> EnterpriseBatch<'a> {
    pub(super) fn new(rows: &'a [Enterprise]) -> Self {
        let (ids, standing_of) = distinct(rows.iter().map(|row| &row.enterprise_id));
        let standings = ids.into_iter().map(|id| Standing {
            id,
            before: None,
            now: None,
            is_noted: false,
        });
        Self {
            rows,
            standings: standings.collect(),
            standing_of,
        }
    }

    /// Decides about every row; the changes have no numbers in the log yet.
    pub(super) fn decide(&mut self, pass: &mut Pass) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(self.rows.len());
        for (arriving, place) in self.rows.iter().zip(&self.standing_of) {
            let Some(standing) = self.standings.get_mut(*place) else {
                continue;
            };
            let stored = match (standing.now, &standing.before) {
                (Some(now), _) => Some((now, pass.import_no())),
                (None, Some(before)) => Some((&before.enterprise, before.import_no)),
                (None, None) => None,
            };
            outcomes.push(match decide::enterprise(arriving, stored, pass) {
                EnterpriseStep::Keep => Outcome::Unchanged,
                EnterpriseStep::Note => {
                    standing.is_noted = true;
                    Outcome::Unchanged
                }
                EnterpriseStep::Refuse(refusal) => Outcome::Refused(refusal),
                EnterpriseStep::Write => {
                    let is_first = stored.is_none();
                    standing.now = Some(arriving);
                    let changed = unnumbered(standing.id, standing.revision());
                    if is_first {
                        Outcome::Created(changed)
                    } else {
                        Outcome::Updated(changed)
                    }
                }
            });
        }
        outcomes
    }

    /// Enterprises that change, with their revisions after it, in order of their ids.
    pub(super) fn changes(&self) -> Vec<(&'a EnterpriseId, u64)> {
        let changed = self.standings.iter().filter(|of| of.now.is_some());
        changed.map(|of| (of.id, of.revision())).collect()
    }

    /// Tells the outcomes the numbers of the changes, which follow `last` in the order of [`Self::changes`].
    pub(super) fn number(&self, outcomes: &mut [Outcome], last: u64) {
        let is_changed = self.standings.iter().map(|of| of.now.is_some());
        number(outcomes, &self.standing_of, is_changed, last);
    }
}

impl Standing<'_> {
    /// Its revision once the batch is written.
    pub(super) fn revision(&self) -> u64 {
        let before = self.before.as_ref().map_or(0, |before| before.revision);
        before + u64::from(self.now.is_some())
    }
}

/// Arriving records.
pub(super) struct RecordBatch<'a> {
    rows: &'a [Record],
    /// The enterprises that they are about, by id.
    pub(super) subjects: Vec<Subject<'a>>,
    subject_of: Vec<usize>,
    /// By source and id.
    pub(super) slots: Vec<Slot<'a>>,
    slot_of: Vec<usize>,
}

/// An enterprise that records of a batch are about.
pub(super) struct Subject<'a> {
    pub(super) id: &'a EnterpriseId,
    /// As it is stored; none if the enterprise is not in the register.
    pub(super) revision: Option<u64>,
    /// Its stored piece; none if it has to be put together anew.
    pub(super) packed: Option<Vec<u8>>,
    /// Whether the batch writes a record of it.
    pub(super) is_touched: bool,
}

/// One record of a batch.
pub(super) struct Slot<'a> {
    pub(super) source: &'a Label,
    pub(super) record_id: &'a str,
    /// Whose it becomes if it is nobody's yet: the enterprise of the first row.
    pub(super) claimant: &'a EnterpriseId,
    /// Whose it was before the batch.
    pub(super) owner: Option<EnterpriseId>,
    /// Whether that one is not in the register, so that the record is set aside.
    pub(super) is_set_aside: bool,
    /// Whose it was before the batch, if a row has taken it from there: its stored versions go.
    pub(super) taken_from: Option<EnterpriseId>,
    /// The enterprises of this batch from which a row has taken it.
    left: Vec<&'a EnterpriseId>,
    /// By the day from which it is known; `true` marks what is to be written.
    versions: Vec<(KnownVersion<'a>, bool)>,
    is_written: bool,
}

impl<'a> RecordBatch<'a> {
    pub(super) fn new(rows: &'a [Record]) -> Self {
        let (ids, subject_of) = distinct(rows.iter().map(|row| &row.enterprise_id));
        let (keys, slot_of) =
            distinct(rows.iter().map(|row| (&row.source, row.record_id.as_str())));
        let mut claimants = vec![None; keys.len()];
        for (row, place) in rows.iter().zip(&slot_of) {
            if let Some(claimant) = claimants.get_mut(*place) {
                claimant.get_or_insert(&row.enterprise_id);
            }
        }
        let slots = keys.into_iter().zip(claimants);
        let slots = slots.filter_map(|((source, record_id), claimant)| {
            Some(Slot {
                source,
                record_id,
                claimant: claimant?,
                owner: None,
                is_set_aside: false,
                taken_from: None,
                left: Vec::new(),
                versions: Vec::new(),
                is_written: false,
            })
        });
        let subjects = ids.into_iter().map(|id| Subject {
            id,
            revision: None,
            packed: None,
            is_touched: false,
        });
        Self {
            rows,
            subjects: subjects.collect(),
            subject_of,
            slots: slots.collect(),
            slot_of,
        }
    }

    /// Decides about every row; the changes have no numbers in the log yet. With `all_or_none` it ends at the first
    /// refused row.
    pub(super) fn decide(
        &mut self,
        pass: &mut Pass,
        all_or_none: bool,
    ) -> Result<Vec<Outcome>, StoreError> {
        let mut outcomes = Vec::with_capacity(self.rows.len());
        let awaited: BTreeSet<&EnterpriseId> = self
            .subjects
            .iter()
            .filter(|subject| subject.revision.is_none())
            .map(|subject| subject.id)
            .collect();
        for ((arriving, subject), slot) in self.rows.iter().zip(&self.subject_of).zip(&self.slot_of)
        {
            let (Some(subject), Some(slot)) =
                (self.subjects.get_mut(*subject), self.slots.get_mut(*slot))
            else {
                continue;
            };
            if slot.waits_for_another(&arriving.enterprise_id, &awaited) {
                slot.take_for(&arriving.enterprise_id);
            }
            let owner = slot.owner();
            let held = match owner {
                Some(owner) if *owner == arriving.enterprise_id => {
                    Held::Version(slot.known_on(arriving.known_on))
                }
                Some(owner) => Held::OfOther(owner),
                None => Held::Nothing,
            };
            let is_new = owner.is_none();
            let said = match decide::record(arriving, held, pass) {
                RecordStep::Keep => Said::Nothing,
                RecordStep::Note(stated) => {
                    slot.note(arriving.known_on, stated);
                    Said::Nothing
                }
                RecordStep::Refuse(refusal) => {
                    outcomes.push(Outcome::Refused(refusal));
                    if all_or_none {
                        return Ok(outcomes);
                    }
                    continue;
                }
                RecordStep::Write { record, restated } => {
                    slot.write(record, pass.import_no());
                    if let Some(restated) = restated {
                        slot.write_if_absent(*restated, pass.import_no());
                    }
                    subject.is_touched = true;
                    if is_new { Said::New } else { Said::More }
                }
            };
            outcomes.push(subject.outcome(said));
        }
        Ok(outcomes)
    }

    /// Registered enterprises that change, with their revisions after it, in order of their ids.
    pub(super) fn changes(&self) -> Vec<(&'a EnterpriseId, u64)> {
        let changed = self.subjects.iter().filter(|of| of.is_changed());
        changed
            .filter_map(|of| Some((of.id, of.revision? + 1)))
            .collect()
    }

    /// The pieces of the enterprises that change, in the order of [`Self::changes`]; none for those that have to be put
    /// together anew. `new` and `more` are what [`Self::written`] gave.
    pub(super) fn pieces(
        &self,
        new: &[&KnownVersion<'_>],
        more: &[&KnownVersion<'_>],
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        // Two runs in order, which this sort merges.
        let mut written = [new, more].concat();
        written.sort_by(|a, b| a.key().cmp(&b.key()));
        let mut written = written.iter().map(|version| &*version.record).peekable();
        let mut of_one = Vec::new();
        self.subjects
            .iter()
            .filter(|of| of.is_changed())
            .map(|subject| {
                of_one.clear();
                while let Some(version) = written.next_if(|of| of.enterprise_id <= *subject.id) {
                    if version.enterprise_id == *subject.id {
                        of_one.push(version);
                    }
                }
                let piece = subject.packed.as_deref();
                piece
                    .map(|piece| packed::with_written(piece, &of_one))
                    .transpose()
            })
            .collect()
    }

    /// Enterprises that are not in the register and have records now, in order of their ids.
    pub(super) fn awaited(&self) -> Vec<&'a EnterpriseId> {
        let touched = self.subjects.iter().filter(|of| of.is_touched);
        touched
            .filter(|of| of.revision.is_none())
            .map(|of| of.id)
            .collect()
    }

    /// Enterprises from which records were taken that had waited for them; nothing may be left to wait.
    pub(super) fn left(&self) -> BTreeSet<&EnterpriseId> {
        let left = |slot: &'_ Slot<'a>| slot.left.clone();
        let taken = self
            .slots
            .iter()
            .filter_map(|slot| slot.taken_from.as_ref());
        self.slots.iter().flat_map(left).chain(taken).collect()
    }

    /// Versions to write of records that are new, and of those that are not, each in the order of their keys.
    pub(super) fn written(&self) -> (Vec<&KnownVersion<'a>>, Vec<&KnownVersion<'a>>) {
        let of = |is_new: bool| {
            let slots = self
                .slots
                .iter()
                .filter(move |slot| slot.owner.is_none() == is_new);
            let mut versions: Vec<_> = slots
                .flat_map(|slot| &slot.versions)
                .filter(|(_, is_changed)| *is_changed)
                .map(|(version, _)| version)
                .collect();
            versions.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
            versions
        };
        (of(true), of(false))
    }

    /// Tells the outcomes the numbers of the changes, which follow `last` in the order of [`Self::changes`].
    pub(super) fn number(&self, outcomes: &mut [Outcome], last: u64) {
        let is_changed = self.subjects.iter().map(Subject::is_changed);
        number(outcomes, &self.subject_of, is_changed, last);
    }
}

/// What an accepted record says.
enum Said {
    /// Nothing new.
    Nothing,
    /// It is new itself.
    New,
    /// More about a record that is there.
    More,
}

impl Subject<'_> {
    /// Whether it is a registered enterprise that the batch changes.
    fn is_changed(&self) -> bool {
        self.is_touched && self.revision.is_some()
    }

    fn outcome(&self, said: Said) -> Outcome {
        let Some(revision) = self.revision else {
            return Outcome::SetAside;
        };
        let changed = || unnumbered(self.id, revision + 1);
        match said {
            Said::Nothing => Outcome::Unchanged,
            Said::New => Outcome::Created(changed()),
            Said::More => Outcome::Updated(changed()),
        }
    }
}

impl<'a> Slot<'a> {
    /// Takes a stored version.
    pub(super) fn stored(&mut self, version: KnownVersion<'a>) {
        let place = self.place_after(version.record.known_on);
        self.versions.insert(place, (version, false));
    }

    /// Whose it is at present.
    fn owner(&self) -> Option<&EnterpriseId> {
        match &self.owner {
            Some(owner) => Some(owner),
            None if self.is_written => Some(self.claimant),
            None => None,
        }
    }

    /// Whether it waits for an enterprise that is not in the register, other than `id`; `awaited` are those of the batch.
    fn waits_for_another(&self, id: &EnterpriseId, awaited: &BTreeSet<&EnterpriseId>) -> bool {
        self.owner().is_some_and(|owner| {
            let waits = self.is_set_aside || awaited.contains(owner);
            owner != id && waits
        })
    }

    /// Gives it to another enterprise. It has never counted for the one for which it waited, so nothing of it is kept: its
    /// source has corrected whom it is about.
    fn take_for(&mut self, id: &'a EnterpriseId) {
        match self.owner.take() {
            Some(owner) => self.taken_from = Some(owner),
            None => self.left.push(self.claimant),
        }
        self.claimant = id;
        self.is_set_aside = false;
        self.is_written = false;
        self.versions.clear();
    }

    /// Whether it waits for an enterprise other than that of the first row.
    pub(super) fn may_be_taken(&self) -> bool {
        self.is_set_aside
            && self
                .owner
                .as_ref()
                .is_some_and(|owner| owner != self.claimant)
    }

    /// Forgets what was read of it.
    pub(super) fn forget(&mut self) {
        self.owner = None;
        self.is_set_aside = false;
        self.versions.clear();
    }

    /// Whether a row has taken it from an enterprise for which it had waited.
    pub(super) fn is_taken(&self) -> bool {
        self.taken_from.is_some() || !self.left.is_empty()
    }

    /// How many versions are known by `day`.
    fn place_after(&self, day: Date) -> usize {
        self.versions
            .partition_point(|(version, _)| version.record.known_on <= day)
    }

    /// The version known on `day`.
    fn known_on(&self, day: Date) -> Option<&KnownVersion<'a>> {
        let place = self.place_after(day).checked_sub(1)?;
        self.versions.get(place).map(|(version, _)| version)
    }

    fn note(&mut self, day: Date, stated: (i64, Date)) {
        let place = self.place_after(day).checked_sub(1);
        if let Some((version, is_changed)) = place.and_then(|place| self.versions.get_mut(place)) {
            version.stated = stated;
            *is_changed = true;
        }
    }

    fn write(&mut self, record: Cow<'a, Record>, import_no: i64) {
        self.is_written = true;
        let day = record.known_on;
        let version = KnownVersion {
            record,
            stated: (import_no, day),
        };
        let place = self.place_after(day);
        let same_day = place
            .checked_sub(1)
            .and_then(|place| self.versions.get_mut(place))
            .filter(|(version, _)| version.record.known_on == day);
        match same_day {
            Some(kept) => *kept = (version, true),
            None => self.versions.insert(place, (version, true)),
        }
    }

    fn write_if_absent(&mut self, record: Record, import_no: i64) {
        let held = self.known_on(record.known_on);
        if held.is_none_or(|held| held.record.known_on != record.known_on) {
            self.write(Cow::Owned(record), import_no);
        }
    }
}

impl KnownVersion<'_> {
    fn key(&self) -> (&EnterpriseId, &Label, &str, Date) {
        let record = &*self.record;
        (
            &record.enterprise_id,
            &record.source,
            &record.record_id,
            record.known_on,
        )
    }
}

/// The distinct keys in order, and for each given key its place among them.
fn distinct<K: Ord + Copy>(keys: impl Iterator<Item = K>) -> (Vec<K>, Vec<usize>) {
    let mut sorted: Vec<(K, usize)> = keys.zip(0..).collect();
    // Files mostly come in some order; this sort takes what is in order as it is.
    sorted.sort();
    let mut places = vec![0; sorted.len()];
    let mut distinct: Vec<K> = Vec::with_capacity(sorted.len());
    for (key, row) in sorted {
        if distinct.last() != Some(&key) {
            distinct.push(key);
        }
        if let Some(place) = places.get_mut(row) {
            *place = distinct.len() - 1;
        }
    }
    (distinct, places)
}

/// A change that has no number in the log yet.
pub(super) fn unnumbered(id: &EnterpriseId, revision: u64) -> Changed {
    Changed {
        seq: 0,
        enterprise_id: id.clone(),
        revision,
    }
}

/// Numbers the changes of those enterprises that `is_changed`, in order, from the one after `last`, and tells them to the
/// outcomes; `place_of` gives the enterprise of each.
fn number(
    outcomes: &mut [Outcome],
    place_of: &[usize],
    is_changed: impl Iterator<Item = bool>,
    last: u64,
) {
    let numbers: Vec<u64> = is_changed
        .scan(last, |seq, is_changed| {
            *seq += u64::from(is_changed);
            Some(*seq)
        })
        .collect();
    for (outcome, place) in outcomes.iter_mut().zip(place_of) {
        match outcome {
            Outcome::Created(changed) | Outcome::Updated(changed) => {
                changed.seq = numbers.get(*place).copied().unwrap_or(last);
            }
            Outcome::Unchanged | Outcome::SetAside | Outcome::Refused(_) => {}
        }
    }
}
