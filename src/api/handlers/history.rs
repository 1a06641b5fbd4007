//! The tiers of an enterprise over time.

use actix_web::get;
use actix_web::web::{Data, Json, Path, Query};
use jiff::civil::Date;

use super::enterprises::id_of_path;
use crate::api::cursor::{List, page_limit};
use crate::api::dto::history::TierHistoryAnswer;
use crate::api::dto::page::PageQuery;
use crate::api::examples;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::responses::ReadProblems;
use crate::api::state::AppState;
use crate::domain::field;

/// The tiers of an enterprise over time
///
/// Which tier it had from when until when, as it was served, latest first; and all that happened on the day on which each
/// came to hold: records that became known, decisions, merges, runs and files. Overrides, objections and merges stand
/// beside it on every page.
#[utoipa::path(
    operation_id = "get_tier_history",
    tag = "tiers",
    params(
        ("id" = String, Path, description = "Id of the enterprise", example = "91990000MA00000017",
        min_length = 1, max_length = 64, pattern = r"^[^\s/\x00-\x1f\x7f-\x9f]+$"),
        PageQuery
    ),
    responses(
        (status = 200, description = "A page of tiers", body = TierHistoryAnswer,
            example = json!(examples::tier_history())),
        ReadProblems
    )
)]
#[get("/v1/enterprises/{id}/tier/history")]
pub(crate) async fn get_tier_history(
    state: Data<AppState>,
    id: Path<String>,
    query: Query<PageQuery>,
) -> Result<Json<TierHistoryAnswer>, Problem> {
    let id = id_of_path(&id)?;
    let PageQuery { cursor, limit } = query.into_inner();
    let limit = page_limit(&state.settings.limits, limit)?;
    let filter = id.to_string();
    let list = List {
        name: "tier-history",
        filter: &filter,
    };
    let before: Option<Date> = list
        .place(cursor.as_deref())?
        .map(|place| field::date("cursor", &place))
        .transpose()
        .map_err(|error| Problem::invalid_parameter(ProblemKind::InvalidQuery, error))?;
    let mut history = state
        .run(move |service| service.tier_history(&id, before, limit + 1))
        .await?;
    let goes_on = history.spells.len() > limit;
    history.spells.truncate(limit);
    let next_cursor = history
        .spells
        .last()
        .filter(|_| goes_on)
        .map(|last| list.cursor(&last.from_on.to_string()));
    let today = state.service.today();
    Ok(Json(TierHistoryAnswer::on(today, history, next_cursor)))
}
