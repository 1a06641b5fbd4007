//! What stands beside the steps of a plan: replacements, membership proofs, the chain over all closed plans.

use actix_web::web::{Data, Json, Path, Query};
use actix_web::{get, post};

use crate::api::dto::page::Page;
use crate::api::dto::plan_proofs::{
    MembershipBody, MembershipQuery, ReplaceInput, ReplacedAnswer, ReplacementAnswer,
};
use crate::api::dto::plan_results::VerificationAnswer;
use crate::api::examples;
use crate::api::extract::Body;
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, ProblemKind, field_item};
use crate::api::responses::{
    BodyProblems, ListProblems, ReadProblems, StateProblems, StepProblems,
};
use crate::api::state::AppState;
use crate::domain::field;

/// Replace a drawn object
///
/// For a coded reason the next of the stratum's reserve takes its place. Where no reserve is left, and for exploration and
/// method `order`, the object is skipped and nobody does. In the ledger the visit gives its slot back and whoever comes in
/// takes one; objects of the reserve that caps or gaps no longer let be visited are passed over. What was drawn never
/// changes: sample file, auditor and public edition stay as they are.
#[utoipa::path(
    operation_id = "replace_plan_object",
    tag = "plans",
    params(("plan_id" = String, Path, description = "Id of the plan",
        example = "rtp1-0123456789abcdef0123456789abcdef")),
    request_body(content = ReplaceInput, example = json!({"enterprise_id": examples::ENTERPRISE_ID, "reason": "ceased",
        "by": "officer-17"})),
    responses(
        (status = 200, description = "The replacement", body = ReplacedAnswer, example = json!(examples::replacement())),
        StepProblems
    )
)]
#[post("/v1/plans/{plan_id}/replace")]
pub(crate) async fn replace_plan_object(
    state: Data<AppState>,
    plan_id: Path<String>,
    _query: NoQuery,
    body: Body<ReplaceInput>,
) -> Result<Json<ReplacedAnswer>, Problem> {
    let request = body
        .0
        .parse()
        .map_err(|error| Problem::invalid_fields([field_item("", error)]))?;
    let replaced = state
        .run(move |service| service.replace_object(&plan_id, &request))
        .await?;
    Ok(Json(replaced.into()))
}

/// The replacements of a plan
///
/// In their order, with who said so, when and why.
#[utoipa::path(
    operation_id = "list_plan_replacements",
    tag = "plans",
    params(("plan_id" = String, Path, description = "Id of the plan",
        example = "rtp1-0123456789abcdef0123456789abcdef")),
    responses(
        (status = 200, description = "The replacements, whole", body = Page<ReplacementAnswer>,
            example = json!({"items": [examples::replacement()]})),
        ReadProblems
    )
)]
#[get("/v1/plans/{plan_id}/replacements")]
pub(crate) async fn list_plan_replacements(
    state: Data<AppState>,
    plan_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<Page<ReplacementAnswer>>, Problem> {
    let replacements = state
        .run(move |service| service.replacements(&plan_id))
        .await?;
    let items = replacements.into_iter().map(Into::into).collect();
    Ok(Json(Page::whole(items)))
}

/// Show that an enterprise was in a frozen pool
///
/// The proof leads to the pool root published at the freeze and tells no stratum. With `own_row` it is confidential: the
/// row is for the enterprise itself and nobody else.
#[utoipa::path(
    operation_id = "get_plan_membership",
    tag = "plans",
    params(
        ("plan_id" = String, Path, description = "Id of the plan",
            example = "rtp1-0123456789abcdef0123456789abcdef"),
        ("enterprise_id" = String, Path, description = "Id of the enterprise", example = "91990000MA00000017"),
        MembershipQuery
    ),
    responses(
        (status = 200, description = "The proof", body = MembershipBody, example = json!(examples::membership())),
        StateProblems
    )
)]
#[get("/v1/plans/{plan_id}/membership/{enterprise_id}")]
pub(crate) async fn get_plan_membership(
    state: Data<AppState>,
    path: Path<(String, String)>,
    query: Query<MembershipQuery>,
) -> Result<Json<MembershipBody>, Problem> {
    let (plan_id, id) = path.into_inner();
    let id = field::enterprise_id("enterprise_id", &id)
        .map_err(|error| Problem::invalid_parameter(ProblemKind::InvalidPath, error))?;
    let own_row = query.own_row;
    let membership = state
        .run(move |service| service.membership(&plan_id, &id, own_row))
        .await?;
    Ok(Json(membership.into()))
}

/// Verify a membership proof
///
/// Recomputes the way from the enterprise, and from its own row if it is given, to the pool root. Compare that root with
/// the one that was published.
#[utoipa::path(
    operation_id = "verify_membership",
    tag = "plans",
    request_body(content = MembershipBody, example = json!(examples::membership())),
    responses(
        (status = 200, description = "What was found", body = VerificationAnswer, example = json!({"same": true, "checks": [
            {"name": "proof", "outcome": "same"}]})),
        BodyProblems
    )
)]
#[post("/v1/memberships/verify")]
pub(crate) async fn verify_membership(
    _query: NoQuery,
    body: Body<MembershipBody>,
) -> Result<Json<VerificationAnswer>, Problem> {
    let membership = body
        .0
        .parse()
        .map_err(|error| Problem::invalid_fields([field_item("", error)]))?;
    Ok(Json(membership.verify(None).into()))
}

/// Verify the chain over all closed plans
///
/// Draws each again from what is kept and checks that every transcript names the one closed before it. Takes about as
/// long as drawing all of them.
#[utoipa::path(
    operation_id = "verify_plan_chain",
    tag = "plans",
    responses(
        (status = 200, description = "What was found", body = VerificationAnswer, example = json!({"same": true,
            "edition": "auditor", "checks": [{"name": "chain", "outcome": "same"}]})),
        ListProblems
    )
)]
#[post("/v1/plans/verify")]
pub(crate) async fn verify_plan_chain(
    state: Data<AppState>,
    _query: NoQuery,
) -> Result<Json<VerificationAnswer>, Problem> {
    let verification = state.run(|service| service.verify_chain()).await?;
    Ok(Json(verification.into()))
}
