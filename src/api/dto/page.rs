//! The envelope of lists.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// Where to go on; left out on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "5f1d0c6ba3e8429739313939303030304d413030303030303137")]
    pub(crate) next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A list that comes whole.
    pub(crate) fn whole(items: Vec<T>) -> Self {
        Self {
            items,
            next_cursor: None,
        }
    }

    /// The page with every item turned into another.
    pub(crate) fn map<B>(self, turn: impl Fn(T) -> B) -> Page<B> {
        Page {
            items: self.items.into_iter().map(turn).collect(),
            next_cursor: self.next_cursor,
        }
    }
}

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Where to go on: `next_cursor` of the page before.
    #[param(pattern = "^([0-9a-f]{2}){8,}$")]
    pub(crate) cursor: Option<String>,
    /// Most items on the page.
    #[param(example = 100, minimum = 1)]
    pub(crate) limit: Option<usize>,
}
