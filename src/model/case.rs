//! Everything that a tier is made of, put together for one enterprise.

use jiff::civil::Date;

use crate::domain::{Decision, Enterprise, EnterpriseId, LinkEnd, Record};
use crate::indicators::{LinkedEnterprise, current_versions, owner_of};

/// One enterprise with all that its tier rests on.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The enterprise.
    pub enterprise: &'a Enterprise,
    /// All stored versions of its records, grouped by record and ordered by `known_on`.
    pub versions: &'a [Record],
    /// What persons decided about its tier, in any order.
    pub decisions: &'a [Decision],
    /// The enterprises that [`Case::others`] names, as far as they are in the register, each once, under the id by which
    /// they are named. Any more are ignored.
    pub linked: &'a [LinkedEnterprise],
}

impl<'a> Case<'a> {
    /// A case without decisions and without other enterprises.
    pub fn of(enterprise: &'a Enterprise, versions: &'a [Record]) -> Self {
        Self {
            enterprise,
            versions,
            decisions: &[],
            linked: &[],
        }
    }

    /// The other enterprises that its tier rests on as of a day: those that its links in force name, and its owner.
    /// Sorted, each once, never itself.
    pub fn others(&self, day: Date) -> Vec<EnterpriseId> {
        let (records, _) = current_versions(self.versions, day);
        let mut others: Vec<EnterpriseId> = records
            .into_iter()
            .filter(|record| record.in_force_on(day))
            .filter_map(|record| match record.link_end() {
                Some(LinkEnd::Enterprise(id)) => Some(id),
                Some(LinkEnd::Address(_) | LinkEnd::Person(_)) | None => None,
            })
            .chain(owner_of(self.enterprise))
            .filter(|id| **id != self.enterprise.enterprise_id)
            .cloned()
            .collect();
        others.sort_unstable();
        others.dedup();
        others
    }
}
