//! Merged ids: which id stands for which on a day.
//!
//! Nothing is moved: records stay under the id they came with, and count for its successor from the day of the merge.
//! What a merge changes is worked out on reading, for any day, so an undone merge leaves past days as they were.

use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

use super::merges::Merge;
use crate::domain::{EnterpriseId, Record};

/// The merges that one enterprise is connected with.
#[derive(Clone, Debug, Default)]
pub(super) struct Lineage {
    merges: Vec<Merge>,
    /// The places of the merges of an id, and of those into an id.
    of: BTreeMap<EnterpriseId, Vec<usize>>,
    into: BTreeMap<EnterpriseId, Vec<usize>>,
}

impl Lineage {
    pub(super) fn new(merges: Vec<Merge>) -> Self {
        let mut lineage = Self::default();
        for (place, merge) in merges.iter().enumerate() {
            let (of, into) = (&merge.enterprise_id, &merge.into_id);
            lineage.of.entry(of.clone()).or_default().push(place);
            lineage.into.entry(into.clone()).or_default().push(place);
        }
        lineage.merges = merges;
        lineage
    }

    /// The merges that `places` has for an id, in their order.
    fn at<'a>(
        &'a self,
        places: &'a BTreeMap<EnterpriseId, Vec<usize>>,
        id: &EnterpriseId,
    ) -> impl Iterator<Item = &'a Merge> {
        let places = places.get(id).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|place| self.merges.get(*place))
    }

    /// Where an id has gone by `day`, over any number of steps; `None` if it stands for itself.
    pub(super) fn successor_on(&self, id: &EnterpriseId, day: Date) -> Option<EnterpriseId> {
        if self.merges.is_empty() {
            return None;
        }
        let mut seen = BTreeSet::from([id]);
        let mut at = id;
        // INVARIANT: merges close no ring, which is refused when they are made; a ring in the data ends the walk.
        while let Some(merge) = self
            .at(&self.of, at)
            .find(|merge| merge.counts_on(day))
            .filter(|merge| seen.insert(&merge.into_id))
        {
            at = &merge.into_id;
        }
        (at != id).then(|| at.clone())
    }

    /// The ids whose records count for `id` on `day` or will do so later, each with the first day of that.
    pub(super) fn absorbed_by(&self, id: &EnterpriseId, day: Date) -> Vec<(EnterpriseId, Date)> {
        if self.merges.is_empty() {
            return Vec::new();
        }
        let mut found: Vec<(EnterpriseId, Date)> = Vec::new();
        let mut open = vec![(id.clone(), Date::MIN)];
        while let Some((at, since)) = open.pop() {
            let into = self.at(&self.into, &at);
            for merge in into.filter(|merge| !merge.is_over_on(day)) {
                let from = since.max(merge.from_on);
                let known = found.iter().any(|(old, _)| *old == merge.enterprise_id);
                if !known && merge.enterprise_id != *id {
                    found.push((merge.enterprise_id.clone(), from));
                    open.push((merge.enterprise_id.clone(), from));
                }
            }
        }
        found.sort();
        found
    }

    /// The first day after `day` on which a merge begins or ends.
    pub(super) fn next_change_on(&self, day: Date) -> Option<Date> {
        self.merges
            .iter()
            .filter(|merge| !merge.never_counts())
            .flat_map(|merge| [Some(merge.from_on), merge.undone_on()])
            .flatten()
            .filter(|change| *change > day)
            .min()
    }
}

/// The versions of an absorbed id's records as the successor knows them: known no earlier than `from`.
///
/// `versions` are grouped by record and ordered by `known_on`; so is what comes back.
pub(super) fn as_known_from(versions: Vec<Record>, from: Date) -> Vec<Record> {
    let mut kept: Vec<Record> = Vec::with_capacity(versions.len());
    for mut version in versions {
        version.known_on = version.known_on.max(from);
        match kept.last_mut() {
            // Of the versions known before the merge only the last one was ever known to the successor.
            Some(last)
                if last.source == version.source
                    && last.record_id == version.record_id
                    && last.known_on == version.known_on =>
            {
                *last = version;
            }
            _ => kept.push(version),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Label;
    use crate::service::merges::Undoing;
    use jiff::civil::date;

    fn id(name: &str) -> EnterpriseId {
        EnterpriseId::parse(name).unwrap()
    }

    fn merge(old: &str, into: &str, day: i8, undone: Option<i8>) -> Merge {
        let by = Label::parse("clerk").unwrap();
        Merge {
            merge_id: format!("{old}-{into}"),
            enterprise_id: id(old),
            into_id: id(into),
            reason: "new code".into(),
            made_by: by.clone(),
            made_on: date(2026, 3, 1),
            from_on: date(2026, 3, day),
            undone: undone.map(|day| Undoing {
                by,
                on: date(2026, 3, day),
                reason: "wrong".into(),
            }),
        }
    }

    #[test]
    fn a_chain_leads_to_its_end_from_the_day_of_each_step() {
        let lineage = Lineage::new(vec![merge("a", "b", 5, None), merge("b", "c", 10, None)]);
        let on = |name, day| lineage.successor_on(&id(name), date(2026, 3, day));
        assert_eq!((on("a", 4), on("a", 5)), (None, Some(id("b"))));
        assert_eq!((on("a", 10), on("b", 9)), (Some(id("c")), None));
        let absorbed = lineage.absorbed_by(&id("c"), date(2026, 3, 12));
        assert_eq!(
            absorbed,
            [(id("a"), date(2026, 3, 10)), (id("b"), date(2026, 3, 10))]
        );
        assert_eq!(
            lineage.next_change_on(date(2026, 3, 5)),
            Some(date(2026, 3, 10))
        );
        assert_eq!(lineage.next_change_on(date(2026, 3, 10)), None);
    }

    #[test]
    fn an_undone_merge_counts_only_between_its_days() {
        let lineage = Lineage::new(vec![merge("a", "b", 5, Some(8)), merge("a", "c", 8, None)]);
        let on = |day| lineage.successor_on(&id("a"), date(2026, 3, day));
        assert_eq!([on(4), on(7), on(8)], [None, Some(id("b")), Some(id("c"))]);
        assert!(lineage.absorbed_by(&id("b"), date(2026, 3, 8)).is_empty());
        assert_eq!(
            lineage.next_change_on(date(2026, 3, 5)),
            Some(date(2026, 3, 8))
        );
    }

    #[test]
    fn a_merge_undone_before_its_day_never_counts() {
        let lineage = Lineage::new(vec![merge("a", "b", 9, Some(4))]);
        assert_eq!(lineage.successor_on(&id("a"), date(2026, 3, 9)), None);
        assert!(lineage.absorbed_by(&id("b"), date(2026, 3, 1)).is_empty());
        assert_eq!(lineage.next_change_on(date(2026, 3, 1)), None);
    }

    #[test]
    fn a_ring_in_the_data_ends_the_walk() {
        let lineage = Lineage::new(vec![merge("a", "b", 5, None), merge("b", "a", 5, None)]);
        assert_eq!(
            lineage.successor_on(&id("a"), date(2026, 3, 6)),
            Some(id("b"))
        );
        assert_eq!(
            lineage.absorbed_by(&id("a"), date(2026, 3, 6)),
            [(id("b"), date(2026, 3, 5))]
        );
    }
}
