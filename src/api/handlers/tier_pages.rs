//! The tiers of the register, page by page.

use actix_web::get;
use actix_web::web::{Data, Json, Query};

use crate::api::cursor::{List, page_limit};
use crate::api::dto::page::Page;
use crate::api::dto::tiers::{EnterpriseTier, TierPageQuery};
use crate::api::examples;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::responses::FeedProblems;
use crate::api::state::AppState;
use crate::domain::field;
use crate::service::TierPageRequest;

/// Tiers in the order of the enterprises' ids
///
/// All pages are of one epoch: when another comes into force, a cursor of before is refused (410 `stale-cursor`), and the
/// list begins anew without one. A page may hold fewer items than asked for, even none, before the list ends: go on as long
/// as there is a `next_cursor`. An id that is merged into another has the tier of that one and names it. For all tiers at one
/// instant take `GET /v1/tiers/export`.
#[utoipa::path(
    operation_id = "list_tiers",
    tag = "tiers",
    params(TierPageQuery),
    responses(
        (status = 200, description = "A page of tiers", body = Page<EnterpriseTier>,
            example = json!({"items": [examples::tier()]})),
        FeedProblems
    )
)]
#[get("/v1/tiers")]
pub(crate) async fn list_tiers(
    state: Data<AppState>,
    query: Query<TierPageQuery>,
) -> Result<Json<Page<EnterpriseTier>>, Problem> {
    let TierPageQuery {
        division,
        tier,
        cursor,
        limit,
    } = query.into_inner();
    let limit = page_limit(&state.settings.limits, limit)?;
    let invalid = |error| Problem::invalid_parameter(ProblemKind::InvalidQuery, error);
    let division = division
        .map(|text| field::label("division", &text))
        .transpose()
        .map_err(invalid)?;
    let filter = format!("{division:?} {tier:?}");
    let list = List {
        name: "tiers",
        filter: &filter,
    };
    let place = list.place_of_epoch(cursor.as_deref())?;
    let (epoch, after) = match place {
        Some((epoch, id)) => {
            let id = field::enterprise_id("cursor", &id).map_err(invalid)?;
            (Some(epoch), Some(id))
        }
        None => (None, None),
    };
    let request = TierPageRequest {
        after,
        epoch,
        division,
        tier: tier.map(Into::into),
        limit,
    };
    let page = state.service.tier_page(request).await?;
    Ok(Json(Page {
        items: page.answers.into_iter().map(Into::into).collect(),
        next_cursor: page
            .next
            .map(|last| list.cursor_of_epoch(&page.epoch, last.as_str())),
    }))
}
