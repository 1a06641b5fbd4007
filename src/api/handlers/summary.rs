//! Summaries of tiers.

use actix_web::get;
use actix_web::web::{Data, Json, Query};

use crate::api::dto::overview::{SummaryAnswer, SummaryQuery};
use crate::api::examples;
use crate::api::problem::Problem;
use crate::api::responses::ListProblems;
use crate::api::state::AppState;

/// The tiers of the register by a property
///
/// Counts and shares per tier of what is stored, in one pass. Tiers that are outdated at the moment are counted apart.
/// An enterprise with two tags is counted under both.
#[utoipa::path(
    operation_id = "get_tier_summary",
    tag = "tiers",
    params(SummaryQuery),
    responses(
        (status = 200, description = "The groups", body = SummaryAnswer,
            example = json!(examples::tier_summary())),
        ListProblems
    )
)]
#[get("/v1/tiers/summary")]
pub(crate) async fn get_tier_summary(
    state: Data<AppState>,
    query: Query<SummaryQuery>,
) -> Result<Json<SummaryAnswer>, Problem> {
    let SummaryQuery { by, level } = query.into_inner();
    let groups = state
        .run(move |service| service.tier_summary(by.into(), level))
        .await?;
    Ok(Json(SummaryAnswer::of(by, groups)))
}
