//! Tiers: read, explained, looked up in bulk, computed for what is not stored.

use std::borrow::Cow;

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::web::{Data, Json, Path, Payload, Query};
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, get, post};
use jiff::civil::Date;
use serde::Deserialize;

use super::enterprises::id_of_path;
use super::records::parse_records;
use crate::api::accept::negotiate;
use crate::api::conditional::names;
use crate::api::dto::tiers::{
    AsOfQuery, EnterpriseTier, ItemError, LookupAnswer, LookupFault, LookupInput, LookupItem,
    ScoreInput, TierExplanation,
};
use crate::api::examples;
use crate::api::extract::{Body, NDJSON, expect_media_type, parse_json, read_body};
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, ProblemItem, ProblemKind, field_item};
use crate::api::responses::{BodyProblems, FormBodyProblems, ReadProblems};
use crate::api::state::AppState;
use crate::api::tier_json::{TAG_BYTES, TierView, tag_of};
use crate::domain::{EnterpriseId, IdError, field};
use crate::service::{Origin, TierAnswer};

/// How a tier came about, as `Cache-Status` (RFC 9211) says it.
const CACHE_STATUS: header::HeaderName = header::HeaderName::from_static("cache-status");
const KEEP_BUT_ASK: HeaderValue = HeaderValue::from_static("private, no-cache");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The forms of a bulk look-up, in and out.
const LOOKUP_FORMS: [(&str, LookupForm); 2] = [
    ("application/json", LookupForm::Json),
    (NDJSON, LookupForm::Ndjson),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum LookupForm {
    Json,
    Ndjson,
}

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
                ("cache-status" = String, description = "How the answer came about (RFC 9211): `risktier; hit` from the \
                    tier cache; `risktier; fwd=miss; detail=store` or `detail=computed` from the store; `risktier; \
                    fwd=miss; collapsed` together with another request; `risktier; fwd=bypass` for another day")
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
    request: HttpRequest,
) -> Result<HttpResponse, Error> {
    let id = match request.match_info().get("id") {
        // Nearly every id comes without escapes, and then it is what stands in the path.
        Some(plain) if !plain.contains('%') => id_of_path(plain)?,
        _ => id_of_path(&Path::<String>::extract(&request).await?)?,
    };
    let day = match request.query_string() {
        "" => None,
        _ => day_of_query(Query::<AsOfQuery>::extract(&request).await?.into_inner())?,
    };
    let headers = request.headers();
    if let Some(day) = day.filter(|day| *day != state.service.today()) {
        let answer = tier_of_day(&state, id, day).await?;
        let body = serde_json::to_vec(&answer).map_err(Problem::internal)?;
        let tag = tag_of(&[&body]);
        return Ok(conditional(headers, &tag, "risktier; fwd=bypass", || body));
    }
    if let Some(response) = at_hand(&state, &id, headers) {
        return Ok(response);
    }
    let answer = state.service.tier(&id).await.map_err(Problem::from)?;
    let view = TierView::from(&answer);
    let status = cache_status(answer.origin);
    Ok(conditional(headers, &view.entity_tag(), status, || {
        view.to_json()
    }))
}

/// The path of [`get_enterprise_tier`].
pub(in crate::api) const TIER_PATH: &str = "/v1/enterprises/{id}/tier";

/// The answer of [`get_enterprise_tier`] to the request that comes more often than all others together: for the present
/// day, of an enterprise whose tier lies in this process. Told before the request is routed, because finding the route
/// costs more than the answer.
pub(in crate::api) fn tier_at_hand(request: &ServiceRequest) -> Option<HttpResponse> {
    if request.method() != Method::GET || request.uri().query().is_some() {
        return None;
    }
    let (before, after) = TIER_PATH.split_once("{id}")?;
    let id = request.path().strip_prefix(before)?.strip_suffix(after)?;
    if id.contains(['/', '%']) {
        return None;
    }
    let id = EnterpriseId::parse(id).ok()?;
    let state = request.app_data::<Data<AppState>>()?;
    at_hand(state, &id, request.headers())
}

fn at_hand(state: &AppState, id: &EnterpriseId, headers: &HeaderMap) -> Option<HttpResponse> {
    let (epoch, tier) = state.service.tier_at_hand(id)?;
    let view = TierView {
        enterprise_id: id.as_str(),
        epoch: &epoch,
        tier,
        merged_into: None,
    };
    let status = cache_status(Origin::Cache);
    Some(conditional(headers, &view.entity_tag(), status, || {
        view.to_json()
    }))
}

/// The answer, or 304 where the caller has it.
fn conditional(
    headers: &HeaderMap,
    tag: &[u8; TAG_BYTES],
    cache_status: &'static str,
    body: impl FnOnce() -> Vec<u8>,
) -> HttpResponse {
    let tag = std::str::from_utf8(tag).unwrap_or_default();
    let is_known = names(headers, header::IF_NONE_MATCH, tag);
    let mut response = if is_known {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.insert_header((header::ETAG, tag));
    }
    response
        .insert_header((header::CACHE_CONTROL, KEEP_BUT_ASK))
        .insert_header((CACHE_STATUS, HeaderValue::from_static(cache_status)));
    if is_known {
        return response.finish();
    }
    response
        .insert_header((header::CONTENT_TYPE, JSON))
        .body(body())
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
        Origin::Joined => "risktier; fwd=miss; collapsed",
    }
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
/// One item per id in the order of the request; an id that has no tier says why in its place. As NDJSON, in and out, every
/// line is one item: a line of the request is an id in quotes or an object with `enterprise_id`.
#[utoipa::path(
    operation_id = "lookup_tiers",
    tag = "tiers",
    params(("accept" = Option<String>, Header, description = "The form of the answer",
        example = "application/x-ndjson")),
    request_body(content(
        (LookupInput = "application/json", example = json!({"enterprise_ids": [examples::ENTERPRISE_ID, "no-such-id"]})),
        (String = "application/x-ndjson", example = "\"91990000MA00000017\"\n{\"enterprise_id\":\"no-such-id\"}\n")
    )),
    responses(
        (status = 200, description = "The tiers",
            headers(
                ("cache-status" = String, description = "Whether the tier cache had all of them (`risktier; hit`), some \
                    (`risktier; fwd=partial`) or none (`risktier; fwd=miss`)"),
                ("vary" = String, description = "The form depends on `Accept`")
            ),
            content(
                (LookupAnswer = "application/json", example = json!({"items": [
                    examples::tier(),
                    {"enterprise_id": "no-such-id", "error": {
                        "type": "urn:risktier:problem:unknown-enterprise",
                        "detail": "is not in the register; import it first"
                    }}
                ]})),
                (String = "application/x-ndjson",
                    example = "{\"enterprise_id\":\"91990000MA00000017\",\"tier\":\"B\",\"points\":120,\"as_of\":\"2026-11-22\",\"epoch\":\"0123456789abcdef\",\"revision\":3}\n")
            )),
        FormBodyProblems
    )
)]
#[post("/v1/tiers/lookup")]
pub(crate) async fn lookup_tiers(
    state: Data<AppState>,
    _query: NoQuery,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let form = negotiate(request.headers(), &LOOKUP_FORMS)?;
    expect_media_type(&request, &LOOKUP_FORMS.map(|(media_type, _)| media_type))?;
    let limits = &state.settings.limits;
    let body = read_body(request.headers(), payload.into_inner(), limits.body_bytes).await?;
    let is_ndjson = request.content_type().trim().eq_ignore_ascii_case(NDJSON);
    let given = if is_ndjson {
        ids_of_lines(&body)?
    } else {
        ids_of_json(&body)?
    };
    let limit = limits.lookup_ids;
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
    let (mut ids, mut faults) = (Vec::with_capacity(given.len()), Vec::new());
    for (at, text) in given.iter().enumerate() {
        match EnterpriseId::parse(text) {
            Ok(id) => ids.push(id),
            Err(error) => faults.push((at, error)),
        }
    }
    let answers = state.service.tiers(&ids).await?;
    let hits = answers
        .iter()
        .flatten()
        .filter(|answer| answer.origin == Origin::Cache)
        .count();
    let status = match hits {
        hits if hits == ids.len() => "risktier; hit",
        0 => "risktier; fwd=miss",
        _ => "risktier; fwd=partial",
    };
    let body = lookup_body(form, &given, faults, &answers).map_err(Problem::internal)?;
    let media_type = match form {
        LookupForm::Json => JSON,
        LookupForm::Ndjson => HeaderValue::from_static(NDJSON),
    };
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, media_type))
        .insert_header((CACHE_STATUS, HeaderValue::from_static(status)))
        .insert_header((header::VARY, "accept"))
        .body(body))
}

/// The items in the order of the request.
fn lookup_body(
    form: LookupForm,
    given: &[Cow<'_, str>],
    faults: Vec<(usize, IdError)>,
    answers: &[Option<TierAnswer>],
) -> Result<Vec<u8>, serde_json::Error> {
    let mut body = Vec::with_capacity(given.len() * 200 + 16);
    let (before, between, after): (&[u8], &[u8], &[u8]) = match form {
        LookupForm::Json => (b"{\"items\":[", b",", b"]}"),
        LookupForm::Ndjson if given.is_empty() => (b"", b"", b""),
        LookupForm::Ndjson => (b"", b"\n", b"\n"),
    };
    let (mut answers, mut faults) = (answers.iter(), faults.into_iter().peekable());
    body.extend_from_slice(before);
    for (at, text) in given.iter().enumerate() {
        if at > 0 {
            body.extend_from_slice(between);
        }
        let fault = match faults.next_if(|(place, _)| *place == at) {
            Some((_, error)) => Some((ProblemKind::InvalidBody, error.to_string())),
            None => match answers.next().and_then(Option::as_ref) {
                Some(answer) => {
                    TierView::from(answer).push_json(&mut body);
                    None
                }
                None => Some((
                    ProblemKind::UnknownEnterprise,
                    "is not in the register; import it first".to_owned(),
                )),
            },
        };
        if let Some((kind, detail)) = fault {
            let r#type = kind.type_uri();
            let missing = LookupItem::Missing(LookupFault {
                enterprise_id: text.to_string(),
                error: ItemError { r#type, detail },
            });
            serde_json::to_writer(&mut body, &missing)?;
        }
    }
    body.extend_from_slice(after);
    Ok(body)
}

/// The ids of a JSON body, without copies of them where nothing is escaped.
fn ids_of_json(body: &[u8]) -> Result<Vec<Cow<'_, str>>, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Ids<'a> {
        #[serde(borrow)]
        enterprise_ids: Vec<GivenId<'a>>,
    }
    if let Ok(Ids { enterprise_ids }) = serde_json::from_slice(body) {
        return Ok(enterprise_ids.into_iter().map(|GivenId(id)| id).collect());
    }
    // Read again for the words of the refusal.
    let LookupInput { enterprise_ids } = parse_json(body)?;
    Ok(enterprise_ids.into_iter().map(Cow::Owned).collect())
}

#[derive(Deserialize)]
struct GivenId<'a>(#[serde(borrow)] Cow<'a, str>);

/// The ids of a body of lines.
fn ids_of_lines(body: &[u8]) -> Result<Vec<Cow<'_, str>>, Problem> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line<'a> {
        #[serde(borrow)]
        enterprise_id: GivenId<'a>,
    }
    let mut ids = Vec::new();
    for (line, number) in body.split(|byte| *byte == b'\n').zip(1_u64..) {
        let line = line.trim_ascii();
        let id = match line.first() {
            None => continue,
            Some(b'"') => serde_json::from_slice(line),
            // A list would pass for an object's values.
            Some(b'[') => Err(serde::de::Error::custom("a list stands here")),
            Some(_) => serde_json::from_slice(line).map(|Line { enterprise_id }| enterprise_id),
        };
        let GivenId(id) = id.map_err(|error| {
            let detail = format!(
                "line {number} is neither an id in quotes nor an object with `enterprise_id`"
            );
            Problem::new(ProblemKind::InvalidBody, detail).with_item(ProblemItem {
                line: Some(number),
                detail: error.to_string(),
                ..ProblemItem::default()
            })
        })?;
        ids.push(id);
    }
    Ok(ids)
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
