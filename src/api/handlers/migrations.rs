//! Migrations between tiers.

use actix_web::get;
use actix_web::web::{Data, Json, Query};

use crate::api::dto::overview::{MigrationAnswer, MigrationQuery};
use crate::api::examples;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::responses::ListProblems;
use crate::api::state::AppState;

/// How enterprises went from tier to tier between two days
///
/// Tiers at the end of both days, as they were served; beside the matrix the enterprises that had no tier yet on the first
/// day, and those merged into others in between. Enterprises whose tier was never computed are not counted.
#[utoipa::path(
    operation_id = "get_tier_migrations",
    tag = "tiers",
    params(MigrationQuery),
    responses(
        (status = 200, description = "The matrix", body = MigrationAnswer,
            example = json!(examples::migrations())),
        ListProblems
    )
)]
#[get("/v1/tiers/migrations")]
pub(crate) async fn get_tier_migrations(
    state: Data<AppState>,
    query: Query<MigrationQuery>,
) -> Result<Json<MigrationAnswer>, Problem> {
    let wrong = |error| Problem::invalid_parameter(ProblemKind::InvalidQuery, error);
    let (from, to, filter) = query.into_inner().parse().map_err(wrong)?;
    let migrations = state
        .run(move |service| service.migrations(from, to, &filter))
        .await?;
    Ok(Json(MigrationAnswer::of(from, to, &migrations)))
}
