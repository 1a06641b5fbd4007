//! Rates explained, and policies tried against each other: nothing is drawn and nothing kept.

use actix_web::web::{Data, Json, Path};
use actix_web::{get, post};

use super::enterprises::id_of_path;
use crate::api::dto::simulation::{ObjectRateAnswer, SimulationAnswer, SimulationInput};
use crate::api::examples;
use crate::api::extract::Body;
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, field_item};
use crate::api::responses::{ChangeProblems, StateProblems};
use crate::api::state::AppState;

/// Why an object has its rate in a plan
///
/// Every factor with its source, and where the object stands: in which stratum, with which probability, or why it is left
/// out. Internal: it shows the tier.
#[utoipa::path(
    operation_id = "get_plan_rate",
    tag = "plans",
    params(
        ("plan_id" = String, Path, description = "Id of the plan",
            example = "rtp1-0123456789abcdef0123456789abcdef"),
        ("enterprise_id" = String, Path, description = "Id of the object", example = "91990000MA00000017")
    ),
    responses(
        (status = 200, description = "The rate, explained", body = ObjectRateAnswer,
            example = json!(examples::object_rate())),
        StateProblems
    )
)]
#[get("/v1/plans/{plan_id}/rates/{enterprise_id}")]
pub(crate) async fn get_plan_rate(
    state: Data<AppState>,
    path: Path<(String, String)>,
    _query: NoQuery,
) -> Result<Json<ObjectRateAnswer>, Problem> {
    let (plan_id, enterprise_id) = path.into_inner();
    let id = id_of_path(&enterprise_id)?;
    let rate = state
        .run(move |service| service.plan_rate(&plan_id, &id))
        .await?;
    Ok(Json(rate.into()))
}

/// Try one policy against another
///
/// On the same frame: visits by tier, problems expected to be found, burden, load per division, overlap. Nothing is drawn
/// and no secret made. Tiers are those of the frame; complaint bands are those of each policy.
#[utoipa::path(
    operation_id = "simulate_policy",
    tag = "plans",
    request_body(content = SimulationInput, example = json!({"plan": examples::plan_input(),
        "candidate": "format = \"risktier-policy/1\"\nname = \"candidate\"\nversion = 2\n…"})),
    responses(
        (status = 200, description = "Both sides", body = SimulationAnswer,
            example = json!(examples::simulation())),
        ChangeProblems
    )
)]
#[post("/v1/policies/simulate")]
pub(crate) async fn simulate_policy(
    state: Data<AppState>,
    _query: NoQuery,
    body: Body<SimulationInput>,
) -> Result<Json<SimulationAnswer>, Problem> {
    let request = body
        .0
        .parse()
        .map_err(|error| Problem::invalid_fields([field_item("", error)]))?;
    let simulation = state
        .run(move |service| service.simulate_policies(&request))
        .await?;
    Ok(Json(simulation.into()))
}
