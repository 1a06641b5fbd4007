//! Models: the registry, the steps of a model, and its ledger.

use actix_web::http::header::{CONTENT_DISPOSITION, LOCATION};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get, post};

use super::decisions::wrong;
use super::jobs::accepted;
use crate::api::accept::negotiate;
use crate::api::cursor::{List, page_limit};
use crate::api::dto::codes::PageLanguage;
use crate::api::dto::models::{
    AtQuery, LedgerAnswer, LiveModelAnswer, ModelAnswer, ModelChangeAnswer, ModelDetailAnswer,
    ModelInput, ModelQuery, PageLanguageQuery, PromotionInput, RollbackInput,
};
use crate::api::dto::page::{Page, PageQuery};
use crate::api::dto::persons::PersonInput;
use crate::api::examples;
use crate::api::extract::Body;
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, ProblemKind};
use crate::api::responses::{
    FormProblems, ImportProblems, ListProblems, ReadProblems, StateProblems, StepProblems,
};
use crate::api::state::AppState;
use crate::domain::FieldError;
use crate::report;
use crate::service::RegisterModelError;

impl From<RegisterModelError> for Problem {
    fn from(error: RegisterModelError) -> Self {
        let detail = error.to_string();
        match error {
            RegisterModelError::Service(error) => error.into(),
            RegisterModelError::Card(_) | RegisterModelError::Files(_) => {
                Self::invalid_fields([crate::api::problem::ProblemItem {
                    pointer: Some("/scorecard".to_owned()),
                    detail,
                    ..Default::default()
                }])
            }
        }
    }
}

/// A number that a cursor carries.
pub(super) fn number_of(place: Option<String>) -> Result<Option<u64>, Problem> {
    place
        .map(|number| number.parse::<u64>())
        .transpose()
        .map_err(|_| {
            let error = FieldError::new("cursor", "", "is damaged; start without a cursor");
            Problem::invalid_parameter(ProblemKind::InvalidCursor, error)
        })
}

/// Models, latest first
#[utoipa::path(
    operation_id = "list_models",
    tag = "models",
    params(ModelQuery),
    responses(
        (status = 200, description = "A page of models", body = Page<ModelAnswer>,
            example = json!({"items": [examples::model("approved")]})),
        ListProblems
    )
)]
#[get("/v1/models")]
pub(crate) async fn list_models(
    state: Data<AppState>,
    query: Query<ModelQuery>,
) -> Result<Json<Page<ModelAnswer>>, Problem> {
    let ModelQuery {
        state: wanted,
        cursor,
        limit,
    } = query.into_inner();
    let limit = page_limit(&state.settings.limits, limit)?;
    let filter = format!("{wanted:?}");
    let list = List {
        name: "models",
        filter: &filter,
    };
    let before = number_of(list.place(cursor.as_deref())?)?;
    let wanted = wanted.map(Into::into);
    let found = state
        .run(move |service| service.models(wanted, before, limit + 1))
        .await?;
    Ok(Json(
        list.page(found, limit, |row| row.model_no.to_string()),
    ))
}

/// Register a model
///
/// A card comes in as a draft under the SHA-256 of its canonical form and never changes. Its test vectors are run again;
/// a card of another format, one that was changed by hand, or one that does not fit the catalogue in force is refused,
/// and nothing of it is kept. The same card again gives the model that is there.
#[utoipa::path(
    operation_id = "create_model",
    tag = "models",
    request_body(content = ModelInput, example = json!({"by": "analyst-3",
        "reason": "retrained on the inspections of 2026", "scorecard": {"format": "risktier-scorecard/2"}})),
    responses(
        (status = 201, description = "It is registered",
            headers(("location" = String, description = "Path of the model")),
            body = ModelAnswer, example = json!(examples::model("draft"))),
        (status = 200, description = "It was registered already", body = ModelAnswer,
            example = json!(examples::model("draft"))),
        ImportProblems
    )
)]
#[post("/v1/models")]
pub(crate) async fn create_model(
    state: Data<AppState>,
    _query: NoQuery,
    body: Body<ModelInput>,
) -> Result<HttpResponse, Problem> {
    let (by, reason, card) = body.0.parse().map_err(wrong)?;
    let added = state
        .run(move |service| Ok(service.add_model(&card, &by, reason.as_deref(), None)))
        .await?;
    let (row, is_new) = added?;
    let answer = ModelAnswer::from(row);
    let mut response = if is_new {
        HttpResponse::Created()
    } else {
        HttpResponse::Ok()
    };
    Ok(response
        .insert_header((LOCATION, format!("/v1/models/{}", answer.model_id)))
        .json(answer))
}

/// One model
#[utoipa::path(
    operation_id = "get_model",
    tag = "models",
    params(("model_id" = String, Path, description = "Id of the model", example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")),
    responses(
        (status = 200, description = "The model", body = ModelDetailAnswer,
            example = json!(examples::model_detail())),
        ReadProblems
    )
)]
#[get("/v1/models/{model_id}")]
pub(crate) async fn get_model(
    state: Data<AppState>,
    model_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<ModelDetailAnswer>, Problem> {
    let detail = state
        .run(move |service| service.model_detail(&model_id))
        .await?;
    Ok(Json(detail.into()))
}

/// The artefact of a model
///
/// The card in canonical form, byte for byte: its SHA-256 is the id.
#[utoipa::path(
    operation_id = "get_model_artefact",
    tag = "models",
    params(("model_id" = String, Path, description = "Id of the model", example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")),
    responses(
        (status = 200, description = "The card",
            headers(("content-disposition" = String, description = "A name for the file")),
            body = Object, example = json!({"format": "risktier-scorecard/2"})),
        ReadProblems
    )
)]
#[get("/v1/models/{model_id}/artefact")]
pub(crate) async fn get_model_artefact(
    state: Data<AppState>,
    model_id: Path<String>,
    _query: NoQuery,
) -> Result<HttpResponse, Problem> {
    let name = format!(
        "attachment; filename=\"scorecard-{}.json\"",
        short(&model_id)
    );
    let card = state
        .run(move |service| service.model_artefact(&model_id))
        .await?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((CONTENT_DISPOSITION, name))
        .body(card))
}

/// The first digits of an id, as far as they may stand in a header.
fn short(model_id: &str) -> String {
    model_id
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(12)
        .collect()
}

/// The report on a model
///
/// A self-contained HTML page in Chinese and English: its last validation with every gate, the comparison with the live
/// model on later inspections, and where the two disagree about the present register.
#[utoipa::path(
    operation_id = "get_model_report",
    tag = "models",
    params(
        ("model_id" = String, Path, description = "Id of the model", example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728"),
        PageLanguageQuery
    ),
    responses(
        (status = 200, description = "The page", content((String = "text/html", example = "<!doctype html>"))),
        StateProblems
    )
)]
#[get("/v1/models/{model_id}/report")]
pub(crate) async fn get_model_report(
    state: Data<AppState>,
    model_id: Path<String>,
    query: Query<PageLanguageQuery>,
) -> Result<HttpResponse, Problem> {
    let language = language_of(&query);
    let page = state
        .run(move |service| {
            service.model(&model_id)?;
            let validation = service.model_validation(&model_id)?.ok_or_else(|| {
                crate::service::ServiceError::Conflict(format!(
                    "model `{model_id}` has no report yet; validate it"
                ))
            })?;
            Ok(report::validation_page(&validation, language))
        })
        .await?;
    Ok(html(page))
}

pub(super) fn html(page: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(page)
}

pub(super) fn language_of(query: &PageLanguageQuery) -> report::Language {
    match query.language {
        Some(PageLanguage::English) => report::Language::En,
        Some(PageLanguage::Chinese) | None => report::Language::Zh,
    }
}

/// The card about a model
///
/// What it is for and not for, what it rests on, how good it is and where, and who answers for it; read from the
/// artefact, the validation and the ledger. As JSON, or as a page for `Accept: text/html`.
#[utoipa::path(
    operation_id = "get_model_card",
    tag = "models",
    params(
        ("model_id" = String, Path, description = "Id of the model", example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728"),
        PageLanguageQuery
    ),
    responses(
        (status = 200, description = "The card", content(
            (Object = "application/json", example = json!({"format": "risktier-model-card/1",
                "model_id": examples::MODEL_ID, "name": "retrained", "version": 1, "state": "approved"})),
            (String = "text/html", example = "<!doctype html>")
        )),
        FormProblems
    )
)]
#[get("/v1/models/{model_id}/card")]
pub(crate) async fn get_model_card(
    state: Data<AppState>,
    model_id: Path<String>,
    query: Query<PageLanguageQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let is_page = negotiate(
        request.headers(),
        &[("application/json", false), ("text/html", true)],
    )?;
    let language = language_of(&query);
    let card = state
        .run(move |service| service.model_card(&model_id))
        .await?;
    Ok(if is_page {
        html(report::model_card_page(&card, language))
    } else {
        HttpResponse::Ok().json(card)
    })
}

/// The ledger rows of a model, latest first
#[utoipa::path(
    operation_id = "list_model_changes",
    tag = "models",
    params(
        ("model_id" = String, Path, description = "Id of the model", example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728"),
        PageQuery
    ),
    responses(
        (status = 200, description = "A page of changes", body = Page<ModelChangeAnswer>,
            example = json!({"items": [examples::model_change()]})),
        ReadProblems
    )
)]
#[get("/v1/models/{model_id}/history")]
pub(crate) async fn list_model_changes(
    state: Data<AppState>,
    model_id: Path<String>,
    query: Query<PageQuery>,
) -> Result<Json<Page<ModelChangeAnswer>>, Problem> {
    let model_id = model_id.into_inner();
    let known = model_id.clone();
    state.run(move |service| service.model(&known)).await?;
    changes(&state, Some(model_id), query.into_inner()).await
}

/// The ledger of all models, latest first
///
/// Every change of every model with who, when and why, the live model before and after, and the digests that chain the
/// rows.
#[utoipa::path(
    operation_id = "list_models_history",
    tag = "models",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of changes", body = Page<ModelChangeAnswer>,
            example = json!({"items": [examples::model_change()]})),
        ListProblems
    )
)]
#[get("/v1/models/history")]
pub(crate) async fn list_models_history(
    state: Data<AppState>,
    query: Query<PageQuery>,
) -> Result<Json<Page<ModelChangeAnswer>>, Problem> {
    changes(&state, None, query.into_inner()).await
}

async fn changes(
    state: &Data<AppState>,
    model_id: Option<String>,
    query: PageQuery,
) -> Result<Json<Page<ModelChangeAnswer>>, Problem> {
    let PageQuery { cursor, limit } = query;
    let limit = page_limit(&state.settings.limits, limit)?;
    let filter = model_id.clone().unwrap_or_default();
    let list = List {
        name: "model-changes",
        filter: &filter,
    };
    let before = number_of(list.place(cursor.as_deref())?)?;
    let found = state
        .run(move |service| service.model_history(model_id.as_deref(), before, limit + 1))
        .await?;
    Ok(Json(list.page(found, limit, |row| row.seq.to_string())))
}

/// Whether the ledger is whole
///
/// Every digest is computed anew: a row that was taken out or altered is found.
#[utoipa::path(
    operation_id = "verify_models_history",
    tag = "models",
    responses(
        (status = 200, description = "What was found", body = LedgerAnswer,
            example = json!({"row_count": 7, "head": examples::MODEL_ID, "is_intact": true})),
        ListProblems
    )
)]
#[get("/v1/models/history/verification")]
pub(crate) async fn verify_models_history(
    state: Data<AppState>,
    _query: NoQuery,
) -> Result<Json<LedgerAnswer>, Problem> {
    let check = state.run(|service| service.check_ledger()).await?;
    Ok(Json(check.into()))
}

/// The live model
///
/// Or the one that was live at any instant before.
#[utoipa::path(
    operation_id = "get_live_model",
    tag = "models",
    params(AtQuery),
    responses(
        (status = 200, description = "The model", body = LiveModelAnswer,
            example = json!(examples::live_model())),
        ReadProblems
    )
)]
#[get("/v1/models/live")]
pub(crate) async fn get_live_model(
    state: Data<AppState>,
    query: Query<AtQuery>,
) -> Result<Json<LiveModelAnswer>, Problem> {
    let at = query
        .at
        .as_deref()
        .map(|text| {
            text.parse::<jiff::Timestamp>().map_err(|_| {
                let reason = "is not an instant; write it as 2026-11-22T08:00:00Z";
                let error = FieldError::new("at", text, reason);
                Problem::invalid_parameter(ProblemKind::InvalidQuery, error)
            })
        })
        .transpose()?;
    let live = state.run(move |service| service.live_model(at)).await?;
    match live {
        Some(live) => Ok(Json(live.into())),
        None => Err(Problem::new(
            ProblemKind::UnknownModel,
            "no model was live at this instant; the ledger begins later",
        )),
    }
}

/// Approve a model
///
/// By another person than its author; the model is validated.
#[utoipa::path(
    operation_id = "approve_model",
    tag = "models",
    params(("model_id" = String, Path, description = "Id of the model", example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")),
    request_body(content = PersonInput, example = json!({"by": "head-of-analysis", "reason": "see minutes of 2026-11-20"})),
    responses(
        (status = 200, description = "It is approved", body = ModelAnswer,
            example = json!(examples::model("approved"))),
        StepProblems
    )
)]
#[post("/v1/models/{model_id}/approve")]
pub(crate) async fn approve_model(
    state: Data<AppState>,
    model_id: Path<String>,
    _query: NoQuery,
    body: Body<PersonInput>,
) -> Result<Json<ModelAnswer>, Problem> {
    let person = body.0.parse().map_err(wrong)?;
    let row = state
        .run(move |service| service.approve_model(&model_id, &person))
        .await?;
    Ok(Json(row.into()))
}

/// Put a model beside the live one
///
/// It scores the same register from then on, and no answer ever shows it. `Location` is the job of its first report.
#[utoipa::path(
    operation_id = "shadow_model",
    tag = "models",
    params(("model_id" = String, Path, description = "Id of the model", example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")),
    request_body(content = PersonInput, example = json!({"by": "analyst-3", "reason": "a month beside the live model"})),
    responses(
        (status = 200, description = "It is in shadow",
            headers(("location" = String, description = "Path of the job of its first report")),
            body = ModelAnswer, example = json!(examples::model("shadow"))),
        StepProblems
    )
)]
#[post("/v1/models/{model_id}/shadow")]
pub(crate) async fn shadow_model(
    state: Data<AppState>,
    model_id: Path<String>,
    _query: NoQuery,
    body: Body<PersonInput>,
) -> Result<HttpResponse, Problem> {
    let person = body.0.parse().map_err(wrong)?;
    let (row, job) = state
        .run(move |service| service.shadow_model(&model_id, &person))
        .await?;
    Ok(HttpResponse::Ok()
        .insert_header((LOCATION, format!("/v1/jobs/{}", job.run.run_id)))
        .json(ModelAnswer::from(row)))
}

/// Promote a model
///
/// The whole register is reclassified under it beside what is served; then everything changes over at once, and it is
/// live. A broken guard rail refuses it unless `force` is given with a reason, which is kept. Of two promotions at once
/// one wins.
#[utoipa::path(
    operation_id = "promote_model",
    tag = "models",
    params(("model_id" = String, Path, description = "Id of the model", example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")),
    request_body(content = PromotionInput, example = json!({"by": "director-1", "reason": "minutes of 2026-11-20"})),
    responses(
        (status = 202, description = "The run is queued or running",
            headers(("location" = String, description = "Path of the job")),
            body = crate::api::dto::jobs::JobAnswer, example = json!(examples::job())),
        StepProblems
    )
)]
#[post("/v1/models/{model_id}/promote")]
pub(crate) async fn promote_model(
    state: Data<AppState>,
    model_id: Path<String>,
    _query: NoQuery,
    body: Body<PromotionInput>,
) -> Result<HttpResponse, Problem> {
    let (person, force) = (body.0.person().map_err(wrong)?, body.0.force);
    let job = state
        .run(move |service| service.promote_model(&model_id, &person, force))
        .await?;
    Ok(accepted(job))
}

/// Roll back to the model before
///
/// The model that was live before the present one becomes live again, by a run like that of a promotion.
#[utoipa::path(
    operation_id = "roll_back_model",
    tag = "models",
    request_body(content = RollbackInput, example = json!({"by": "director-1", "reason": "too many restaurants in tier D"})),
    responses(
        (status = 202, description = "The run is queued or running",
            headers(("location" = String, description = "Path of the job")),
            body = crate::api::dto::jobs::JobAnswer, example = json!(examples::job())),
        StepProblems
    )
)]
#[post("/v1/models/rollback")]
pub(crate) async fn roll_back_model(
    state: Data<AppState>,
    _query: NoQuery,
    body: Body<RollbackInput>,
) -> Result<HttpResponse, Problem> {
    let (person, to) = (body.0.person().map_err(wrong)?, body.0.model_id);
    let job = state
        .run(move |service| service.roll_back(to.as_deref(), &person))
        .await?;
    Ok(accepted(job))
}

/// Retire a model
///
/// Takes a model out of use that is not live.
#[utoipa::path(
    operation_id = "retire_model",
    tag = "models",
    params(("model_id" = String, Path, description = "Id of the model", example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")),
    request_body(content = PersonInput, example = json!({"by": "analyst-3", "reason": "superseded by a better draft"})),
    responses(
        (status = 200, description = "It is retired", body = ModelAnswer,
            example = json!(examples::model("retired"))),
        StepProblems
    )
)]
#[post("/v1/models/{model_id}/retire")]
pub(crate) async fn retire_model(
    state: Data<AppState>,
    model_id: Path<String>,
    _query: NoQuery,
    body: Body<PersonInput>,
) -> Result<Json<ModelAnswer>, Problem> {
    let person = body.0.parse().map_err(wrong)?;
    let row = state
        .run(move |service| service.retire_model(&model_id, &person))
        .await?;
    Ok(Json(row.into()))
}
