//! What a link record points to.

use super::{EnterpriseId, Record, RecordKind};

/// Code of a link to an address: `related_id` is the address key.
const ADDRESS: &str = "address";
/// Code of a link to a person: `related_id` is the person's pseudonym.
const LEGAL_REPRESENTATIVE: &str = "legal_representative";

/// The other end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEnd<'a> {
    /// An address, by its key.
    Address(&'a str),
    /// A person, by a pseudonym.
    Person(&'a str),
    /// Another enterprise: a shareholder, an affiliate, a parent.
    Enterprise(&'a EnterpriseId),
}

impl Record {
    /// The other end of a link record that names one.
    ///
    /// The codes tell which kind of end it is: `address`, then `legal_representative`; any other link is to an
    /// enterprise.
    pub fn link_end(&self) -> Option<LinkEnd<'_>> {
        if self.kind != RecordKind::Link {
            return None;
        }
        let end = self.related_id.as_ref()?;
        let has = |code: &str| {
            self.codes
                .binary_search_by(|label| label.as_str().cmp(code))
                .is_ok()
        };
        Some(if has(ADDRESS) {
            LinkEnd::Address(end.as_str())
        } else if has(LEGAL_REPRESENTATIVE) {
            LinkEnd::Person(end.as_str())
        } else {
            LinkEnd::Enterprise(end)
        })
    }
}
