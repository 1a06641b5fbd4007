//! The feed of tier changes.

use actix_web::get;
use actix_web::web::{Data, Json, Query};

use crate::api::cursor::{List, page_limit};
use crate::api::dto::changes::{ChangeFeed, ChangesFrom, ChangesQuery};
use crate::api::examples;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::responses::FeedProblems;
use crate::api::state::AppState;
use crate::domain::field;

/// Changes of tiers, to be followed
///
/// Every change of a tier in the order in which it became visible, numbered without gaps: nothing is left out, and none
/// comes after one with a larger number was seen. The answer comes at once and always says where to go on. To copy all
/// tiers: take `next_cursor` of `from=now`, read `GET /v1/tiers/export`, then follow from that cursor; what comes twice
/// says the same. The last ten million changes are kept; behind them the answer is 410.
#[utoipa::path(
    operation_id = "list_tier_changes",
    tag = "tiers",
    params(ChangesQuery),
    responses(
        (status = 200, description = "Changes, and where to go on", body = ChangeFeed,
            example = json!(examples::changes())),
        FeedProblems
    )
)]
#[get("/v1/tiers/changes")]
pub(crate) async fn list_tier_changes(
    state: Data<AppState>,
    query: Query<ChangesQuery>,
) -> Result<Json<ChangeFeed>, Problem> {
    let ChangesQuery {
        cursor,
        from,
        limit,
    } = query.into_inner();
    let limit = page_limit(&state.settings.limits, limit)?;
    if cursor.is_some() && from.is_some() {
        return Err(Problem::new(
            ProblemKind::InvalidQuery,
            "`from` says where to begin without a cursor; leave it out beside `cursor`",
        ));
    }
    // A place in one database means nothing in another.
    let feed_id = state.run(|service| service.feed_id()).await?;
    let list = List {
        name: "tier changes",
        filter: &feed_id,
    };
    let place = list.place(cursor.as_deref())?;
    let after = match (place, from.unwrap_or_default()) {
        (Some(place), _) => field::number("cursor", &place)
            .map_err(|error| Problem::invalid_parameter(ProblemKind::InvalidQuery, error))?,
        (None, from) => {
            let (start, now) = state.run(|service| service.changes_range()).await?;
            match from {
                ChangesFrom::Start => start,
                ChangesFrom::Now => now,
            }
        }
    };
    let changes = state
        .run(move |service| service.changes(after, limit))
        .await?;
    Ok(Json(ChangeFeed {
        items: changes.moves.into_iter().map(Into::into).collect(),
        next_cursor: list.cursor(&changes.last.to_string()),
        is_current: changes.is_current,
    }))
}
