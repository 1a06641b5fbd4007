//! The printable sheet of a plan.

use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// Which sheet.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SheetQuery {
    /// The edition; default `public`. The internal one shows tiers and rates and is confidential.
    #[param(inline, example = "public")]
    pub(crate) edition: Option<SheetEdition>,
    /// The language that the page opens in; default: by `Accept-Language`. Both are on the page.
    #[param(inline, example = "zh")]
    pub(crate) language: Option<SheetLanguage>,
}

/// For whom a sheet is.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SheetEdition {
    Internal,
    Public,
}

/// A language of the sheet.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SheetLanguage {
    Zh,
    En,
}
