//! Which enterprises belong together, so that training and validation never share an owner.

use std::collections::BTreeMap;

use crate::domain::{EnterpriseId, Record, RecordKind};

/// Links with one of these codes make one group of both ends.
const OWNING: [&str; 5] = [
    "shareholder",
    "affiliate",
    "legal_representative",
    "actual_controller",
    "parent",
];

/// Groups of enterprises that are linked by ownership, over any number of steps.
#[derive(Debug, Default)]
pub(super) struct Owners {
    parent: BTreeMap<EnterpriseId, EnterpriseId>,
}

impl Owners {
    /// Notes that two ids belong together.
    pub(super) fn join(&mut self, one: &EnterpriseId, other: &EnterpriseId) {
        let (one, other) = (self.root(one), self.root(other));
        if one != other {
            // The smaller id names the group, whatever the order in which links are met.
            let (first, second) = if one < other {
                (one, other)
            } else {
                (other, one)
            };
            self.parent.insert(second, first);
        }
    }

    /// Notes what the links of an enterprise say.
    pub(super) fn note(&mut self, id: &EnterpriseId, versions: &[Record]) {
        for record in versions
            .iter()
            .filter(|record| record.kind == RecordKind::Link)
        {
            let owns = record
                .codes
                .iter()
                .any(|code| OWNING.contains(&code.as_str()));
            if let (true, Some(other)) = (owns, &record.related_id) {
                self.join(id, other);
            }
        }
    }

    /// The id that names the group of an enterprise.
    pub(super) fn root(&mut self, id: &EnterpriseId) -> EnterpriseId {
        let mut root = id.clone();
        while let Some(above) = self.parent.get(&root) {
            root = above.clone();
        }
        // The path is shortened, so that long chains stay cheap.
        let mut at = id.clone();
        while let Some(above) = self.parent.get(&at).filter(|above| **above != root) {
            let above = above.clone();
            self.parent.insert(at, root.clone());
            at = above;
        }
        root
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> EnterpriseId {
        EnterpriseId::parse(text).unwrap()
    }

    #[test]
    fn groups_reach_over_chains_and_do_not_depend_on_the_order_of_links() {
        let links = [("E4", "E3"), ("E2", "E1"), ("E3", "E2"), ("E6", "E5")];
        let roots = |links: &[(&str, &str)]| -> Vec<String> {
            let mut owners = Owners::default();
            for (one, other) in links {
                owners.join(&id(one), &id(other));
            }
            ["E1", "E2", "E3", "E4", "E5", "E6", "E7"]
                .iter()
                .map(|text| owners.root(&id(text)).to_string())
                .collect()
        };
        let mut turned = links;
        turned.reverse();
        assert_eq!(roots(&links), ["E1", "E1", "E1", "E1", "E5", "E5", "E7"]);
        assert_eq!(roots(&links), roots(&turned));
    }
}
