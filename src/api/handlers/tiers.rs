//! Tiers: read, explained, looked up in bulk, computed for what is not stored.

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get, post};
use jiff::civil::Date;

use super::enterprises::id_of_path;
use super::records::parse_records;
use crate::api::dto::tiers::{
    AsOfQuery, EnterpriseTier, ItemError, LookupAnswer, LookupFault, LookupInput, LookupItem,
    ScoreInput, TierExplanation,
};
use crate::api::examples;
use crate::api::extract::Body;
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, ProblemItem, ProblemKind, field_item};
use crate::api::responses::{BodyProblems, ReadProblems};
use crate::api::state::AppState;
use crate::domain::digest::HashAlgorithm;
use crate::domain::{EnterpriseId, field};
use crate::service::{Origin, TierAnswer};

/// How a tier came about, as `Cache-Status` (RFC 9211) says it.
const CACHE_STATUS: header::HeaderName = header::HeaderName::from_static("cache-status");

/// The tier of an enterprise
///
/// With `as_of` the tier of that day is computed from what was known by then, with the files and statistics that were in
/// force at its end; `files` names them. Of a day before anything was in force the first files speak, and `files` says so. The entity tag changes with every change
/// of the answer: send it as `If-None-Match` to learn that nothing has changed.
#[utoipa::path(
    operation_id = "get_enterprise_tier",
    tag = "tiers",
    params(
        ("id" = String, Path, description = "Id of the enterprise", example = "91990000MA00000017",
        min_length = 1, max_length = 64, pattern = r"^[^\s/\x00-\x1f\x7f-\x9f]+$"),
        AsOfQuery,
        ("if-none-match" = Option<String>, Header, description = "Entity tags of answers that the caller has",
            example = "\"3f0a377ba0a4a460ecb616f6507ce0d8\"")
    ),
    responses(
        (status = 200, description = "The tier",
            headers(
                ("etag" = String, description = "Strong entity tag of the answer"),
                ("cache-control" = String, description = "`private, no-cache`: keep it, but ask again before use"),
                ("cache-status" = String, description = "Whether the tier cache answered: `risktier; hit`")
            ),
            body = EnterpriseTier, example = json!(examples::tier())),
        (status = 304, description = "The answer that the caller has still stands",
            headers(
                ("etag" = String, description = "Strong entity tag of the answer"),
                ("cache-control" = String, description = "As for 200"),
                ("cache-status" = String, description = "As for 200")
            )),
        ReadProblems
    )
)]
#[get("/v1/enterprises/{id}/tier")]
pub(crate) async fn get_enterprise_tier(
    state: Data<AppState>,
    id: Path<String>,
    query: Query<AsOfQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let id = id_of_path(&id)?;
    let day = day_of_query(query.into_inner())?.filter(|day| *day != state.service.today());
    let (answer, status) = match day {
        None => {
            let answer = state.service.tier(&id).await?;
            let status = cache_status(answer.origin);
            (EnterpriseTier::from(answer), status)
        }
        Some(day) => (tier_of_day(&state, id, day).await?, "risktier; fwd=bypass"),
    };
    let body = serde_json::to_vec(&answer).map_err(Problem::internal)?;
    let digest = HashAlgorithm::Sha256.hash(&[&body]).to_string();
    let tag = format!("\"{}\"", digest.get(..32).unwrap_or(&digest));
    let mut response = if has_tag(request.headers(), &tag) {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    response
        .insert_header((header::ETAG, tag.as_str()))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .insert_header((CACHE_STATUS, HeaderValue::from_static(status)));
    if has_tag(request.headers(), &tag) {
        return Ok(response.finish());
    }
    Ok(response.content_type("application/json").body(body))
}

async fn tier_of_day(
    state: &AppState,
    id: EnterpriseId,
    day: Date,
) -> Result<EnterpriseTier, Problem> {
    let (answer, files) = state
        .run(move |service| {
            let explanation = service.explain(&id, Some(day))?;
            let classification = explanation.classification;
            let answer = TierAnswer {
                enterprise_id: id,
                tier: classification.tier,
                points: classification.points,
                as_of: classification.as_of.day,
                next_change_on: classification.next_change_on,
                revision: explanation.revision,
                epoch: explanation.epoch,
                merged_into: explanation.life.merged_into,
                origin: Origin::Computed,
            };
            Ok((answer, explanation.files))
        })
        .await?;
    Ok(EnterpriseTier {
        files: Some(files.into()),
        ..answer.into()
    })
}

fn day_of_query(query: AsOfQuery) -> Result<Option<Date>, Problem> {
    query
        .as_of
        .map(|text| field::date("as_of", &text))
        .transpose()
        .map_err(|error| Problem::invalid_parameter(ProblemKind::InvalidQuery, error))
}

fn cache_status(origin: Origin) -> &'static str {
    match origin {
        Origin::Cache => "risktier; hit",
        Origin::Store => "risktier; fwd=miss; detail=store",
        Origin::Computed => "risktier; fwd=miss; detail=computed",
    }
}

/// Whether `If-None-Match` names the tag; weak tags compare equal (RFC 9110, section 13.1.2).
fn has_tag(headers: &HeaderMap, tag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|given| given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag)
}

/// Why an enterprise is in its tier
///
/// Every reason in the order in which the steps act, with the records behind it.
#[utoipa::path(
    operation_id = "get_tier_explanation",
    tag = "tiers",
    params(
        ("id" = String, Path, description = "Id of the enterprise", example = "91990000MA00000017",
        min_length = 1, max_length = 64, pattern = r"^[^\s/\x00-\x1f\x7f-\x9f]+$"),
        AsOfQuery
    ),
    responses(
        (status = 200, description = "The tier with its reasons", body = TierExplanation,
            example = json!(examples::explanation())),
        ReadProblems
    )
)]
#[get("/v1/enterprises/{id}/tier/explanation")]
pub(crate) async fn get_tier_explanation(
    state: Data<AppState>,
    id: Path<String>,
    query: Query<AsOfQuery>,
) -> Result<Json<TierExplanation>, Problem> {
    let id = id_of_path(&id)?;
    let day = day_of_query(query.into_inner())?;
    let explanation = state.run(move |service| service.explain(&id, day)).await?;
    Ok(Json(explanation.into()))
}

/// The tiers of many enterprises
///
/// One item per id in the order of the request; an id that has no tier says why in its place.
#[utoipa::path(
    operation_id = "lookup_tiers",
    tag = "tiers",
    request_body(content = LookupInput,
        example = json!({"enterprise_ids": [examples::ENTERPRISE_ID, "no-such-id"]})),
    responses(
        (status = 200, description = "The tiers", body = LookupAnswer, example = json!({"items": [
            examples::tier(),
            {"enterprise_id": "no-such-id", "error": {
                "type": "urn:risktier:problem:unknown-enterprise",
                "detail": "is not in the register; import it first"
            }}
        ]})),
        BodyProblems
    )
)]
#[post("/v1/tiers/lookup")]
pub(crate) async fn lookup_tiers(
    state: Data<AppState>,
    _query: NoQuery,
    body: Body<LookupInput>,
) -> Result<Json<LookupAnswer>, Problem> {
    let given = body.0.enterprise_ids;
    let limit = state.settings.limits.lookup_ids;
    if given.len() > limit {
        let detail = format!("{} ids are more than {limit}; ask in parts", given.len());
        return Err(Problem::new(ProblemKind::TooManyItems, detail)
            .with_member("limit", limit)
            .with_item(ProblemItem {
                pointer: Some("/enterprise_ids".to_owned()),
                detail: "has too many items".to_owned(),
                ..ProblemItem::default()
            }));
    }
    let parsed: Vec<_> = given.iter().map(|text| EnterpriseId::parse(text)).collect();
    let ids: Vec<EnterpriseId> = parsed.iter().filter_map(|id| id.clone().ok()).collect();
    let mut answers = state.service.tiers(&ids).await?.into_iter();
    let items = given.into_iter().zip(parsed).map(|(enterprise_id, id)| {
        let missing = |kind: ProblemKind, detail: String| {
            let r#type = kind.type_uri();
            let error = ItemError { r#type, detail };
            LookupItem::Missing(LookupFault {
                enterprise_id,
                error,
            })
        };
        match id {
            Err(error) => missing(ProblemKind::InvalidBody, error.to_string()),
            Ok(_) => match answers.next().flatten() {
                Some(answer) => LookupItem::Found(answer.into()),
                None => missing(
                    ProblemKind::UnknownEnterprise,
                    "is not in the register; import it first".to_owned(),
                ),
            },
        }
    });
    Ok(Json(LookupAnswer {
        items: items.collect(),
    }))
}

/// What tier an enterprise with these records would have
///
/// Nothing is stored and the register is not asked.
#[utoipa::path(
    operation_id = "score_tier",
    tag = "tiers",
    request_body(content = ScoreInput, example = json!({
        "enterprise": {"enterprise_id": examples::ENTERPRISE_ID, "name": "Example Foods Ltd"},
        "records": [examples::record_input()],
        "as_of": "2026-11-22"
    })),
    responses(
        (status = 200, description = "The tier with its reasons", body = TierExplanation,
            example = json!(examples::explanation())),
        BodyProblems
    )
)]
#[post("/v1/tiers/score")]
pub(crate) async fn score_tier(
    state: Data<AppState>,
    _query: NoQuery,
    body: Body<ScoreInput>,
) -> Result<Json<TierExplanation>, Problem> {
    let ScoreInput {
        enterprise,
        records,
        as_of,
    } = body.0;
    let invalid = |prefix: &str, error| Problem::invalid_fields([field_item(prefix, error)]);
    let day = as_of
        .map(|text| field::date("as_of", &text))
        .transpose()
        .map_err(|error| invalid("", error))?;
    let enterprise = enterprise
        .parse(None)
        .map_err(|error| invalid("/enterprise", error))?;
    let records = parse_records(records, day.unwrap_or_else(|| state.service.today()))?;
    let strangers = records
        .iter()
        .enumerate()
        .filter(|(_, record)| record.enterprise_id != enterprise.enterprise_id);
    let faults: Vec<_> = strangers
        .map(|(place, record)| ProblemItem {
            pointer: Some(format!("/records/{place}/enterprise_id")),
            value: Some(record.enterprise_id.to_string()),
            detail: "is not the enterprise of this request".to_owned(),
            ..ProblemItem::default()
        })
        .collect();
    if !faults.is_empty() {
        return Err(Problem::invalid_fields(faults));
    }
    let explanation = state
        .run(move |service| Ok(service.explain_given(&enterprise, &records, day)))
        .await?;
    Ok(Json(explanation.into()))
}
