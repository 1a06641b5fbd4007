//! Opaque cursors: a place in a list, bound to the list and its filter, and of tiers to their epoch.

use super::dto::page::Page;
use super::problem::{Problem, ProblemKind};
use crate::config::Limits;
use crate::domain::digest::HashAlgorithm;
use crate::domain::{Epoch, FieldError};

/// Bytes of each mark that binds a cursor to its list, and to the filter.
const MARK_BYTES: usize = 4;

/// A list with its filter, as far as cursors are concerned.
pub(super) struct List<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// The filter, empty if there is none.
    pub(super) filter: &'a str,
}

impl List<'_> {
    fn marks(&self) -> ([u8; MARK_BYTES], [u8; MARK_BYTES]) {
        (mark(self.name), mark(self.filter))
    }

    /// The cursor that goes on behind `place`.
    pub(super) fn cursor(&self, place: &str) -> String {
        let (list, filter) = self.marks();
        format!(
            "{}{}{}",
            hex::encode(list),
            hex::encode(filter),
            hex::encode(place)
        )
    }

    /// The place of a cursor of this list.
    pub(super) fn place(&self, cursor: Option<&str>) -> Result<Option<String>, Problem> {
        let Some(cursor) = cursor else {
            return Ok(None);
        };
        let refused = |what: &str| {
            Problem::new(
                ProblemKind::InvalidCursor,
                format!("the cursor {what}; start without a cursor"),
            )
        };
        let bytes = hex::decode(cursor).map_err(|_| refused("is damaged"))?;
        let (list, rest) = bytes
            .split_first_chunk::<MARK_BYTES>()
            .ok_or_else(|| refused("is damaged"))?;
        let (filter, place) = rest
            .split_first_chunk::<MARK_BYTES>()
            .ok_or_else(|| refused("is damaged"))?;
        let (own_list, own_filter) = self.marks();
        if *list != own_list {
            return Err(refused(&format!("is not one of the list of {}", self.name)));
        }
        if *filter != own_filter {
            return Err(refused(&format!(
                "is one of the list of {} with another filter",
                self.name
            )));
        }
        String::from_utf8(place.to_vec())
            .map(Some)
            .map_err(|_| refused("is damaged"))
    }

    /// The cursor that goes on behind `place` among tiers of one epoch.
    pub(super) fn cursor_of_epoch(&self, epoch: &Epoch, place: &str) -> String {
        self.cursor(&format!("{epoch} {place}"))
    }

    /// The place of a cursor of this list, and the epoch that it is bound to.
    pub(super) fn place_of_epoch(
        &self,
        cursor: Option<&str>,
    ) -> Result<Option<(Epoch, String)>, Problem> {
        let Some(place) = self.place(cursor)? else {
            return Ok(None);
        };
        let parts = place.split_once(' ');
        let read = parts.and_then(|(epoch, place)| Some((epoch.parse().ok()?, place.to_owned())));
        read.map(Some).ok_or_else(|| {
            Problem::new(
                ProblemKind::InvalidCursor,
                "the cursor is damaged; start without a cursor",
            )
        })
    }

    /// The page of at most `limit` items; `items` holds one more if the list goes on.
    pub(super) fn page<T, A: From<T>>(
        &self,
        mut items: Vec<T>,
        limit: usize,
        place: impl Fn(&T) -> String,
    ) -> Page<A> {
        let goes_on = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items
            .last()
            .filter(|_| goes_on)
            .map(|last| self.cursor(&place(last)));
        Page {
            items: items.into_iter().map(Into::into).collect(),
            next_cursor,
        }
    }
}

fn mark(text: &str) -> [u8; MARK_BYTES] {
    let digest = HashAlgorithm::Sha256.hash(&[text.as_bytes()]);
    let [first, second, third, fourth, ..] = digest.leading_u64().to_be_bytes();
    [first, second, third, fourth]
}

/// How many items a page has.
pub(super) fn page_limit(limits: &Limits, asked: Option<usize>) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(limits.page_default);
    if (1..=limits.page).contains(&limit) {
        return Ok(limit);
    }
    let reason = format!("is not from 1 to {}", limits.page);
    let error = FieldError::new("limit", &limit.to_string(), reason);
    Err(Problem::invalid_parameter(ProblemKind::InvalidQuery, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_belongs_to_its_list_and_filter() {
        let list = |name, filter| List { name, filter };
        let cursor = list("enterprises", "9901").cursor("企业-1");
        let place = list("enterprises", "9901").place(Some(&cursor)).unwrap();
        assert_eq!(place.as_deref(), Some("企业-1"));
        for other in [list("enterprises", ""), list("frames", "9901")] {
            assert!(other.place(Some(&cursor)).is_err());
        }
        for bad in ["", "zz", "00", &cursor[..20], "\u{0}"] {
            let place = list("enterprises", "9901").place(Some(bad));
            assert!(
                place.map_or(true, |place| place.as_deref() != Some("企业-1")),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_cursor_of_tiers_carries_its_epoch() {
        let list = List {
            name: "tiers",
            filter: "D",
        };
        let epoch: Epoch = "0123456789abcdef".parse().unwrap();
        let cursor = list.cursor_of_epoch(&epoch, "企业-1");
        let found = list.place_of_epoch(Some(&cursor)).unwrap();
        assert_eq!(found, Some((epoch, "企业-1".to_owned())));
        assert!(list.place_of_epoch(Some(&list.cursor("企业-1"))).is_err());
        assert_eq!(list.place_of_epoch(None).unwrap(), None);
    }

    #[test]
    fn only_a_list_that_goes_on_has_a_next_cursor() {
        let list = List {
            name: "n",
            filter: "",
        };
        let whole: Page<u8> = list.page(vec![1_u8, 2], 2, u8::to_string);
        assert!(whole.next_cursor.is_none());
        let part: Page<u8> = list.page(vec![1_u8, 2, 3], 2, u8::to_string);
        assert_eq!(part.items, [1, 2]);
        let place = list.place(part.next_cursor.as_deref()).unwrap();
        assert_eq!(place.as_deref(), Some("2"));
    }
}
