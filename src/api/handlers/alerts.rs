//! The feed of alerts.

use actix_web::get;
use actix_web::web::{Data, Json, Query};

use crate::api::cursor::{List, page_limit};
use crate::api::dto::overview::{AlertFeed, AlertQuery};
use crate::api::examples;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::responses::ListProblems;
use crate::api::state::AppState;
use crate::domain::field;

/// What happened to tiers that a supervisor should know
///
/// A tier that got worse, an enterprise that came into tier D, complaints that began to surge: in the order in which it
/// was noted. The answer comes at once and always says where to go on; asking again with that cursor gives what came
/// since, nothing twice and nothing left out.
#[utoipa::path(
    operation_id = "list_tier_alerts",
    tag = "tiers",
    params(AlertQuery),
    responses(
        (status = 200, description = "Alerts, and where to go on", body = AlertFeed,
            example = json!(examples::alerts())),
        ListProblems
    )
)]
#[get("/v1/tiers/alerts")]
pub(crate) async fn list_tier_alerts(
    state: Data<AppState>,
    query: Query<AlertQuery>,
) -> Result<Json<AlertFeed>, Problem> {
    let query = query.into_inner();
    let wrong = |error| Problem::invalid_parameter(ProblemKind::InvalidQuery, error);
    let limit = page_limit(&state.settings.limits, query.limit)?;
    let filter = query.filter().map_err(wrong)?;
    let of = format!("{filter:?}");
    let list = List {
        name: "alerts",
        filter: &of,
    };
    let after = list
        .place(query.cursor.as_deref())?
        .map_or(Ok(0), |place| field::number("cursor", &place))
        .map_err(wrong)?;
    let alerts = state
        .run(move |service| service.alerts(&filter, after, limit))
        .await?;
    let seen = alerts.last().map_or(after, |last| last.seq);
    Ok(Json(AlertFeed {
        items: alerts.into_iter().map(Into::into).collect(),
        next_cursor: list.cursor(&seen.to_string()),
    }))
}
