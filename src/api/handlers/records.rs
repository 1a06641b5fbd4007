//! Credit and penalty records.

use actix_web::http::header::ETAG;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse, get, post, put};
use jiff::civil::Date;
use std::collections::BTreeMap;

use crate::api::conditional::{expect_if_match, fits_if_match, tag_of_bytes};
use crate::api::dto::objections::CorrectionInput;
use crate::api::dto::persons::AmendmentInput;
use crate::api::dto::records::{
    MOST_RECORDS, RecordAnswer, RecordInput, RecordWritten, RecordsInput, RecordsWritten,
};
use crate::api::examples;
use crate::api::extract::Body;
use crate::api::optional::{NoQuery, OptionalBody};
use crate::api::problem::{Problem, ProblemItem, ProblemKind, field_item};
use crate::api::responses::{BodyProblems, ConditionalProblems, ReadProblems};
use crate::api::state::AppState;
use crate::domain::{FieldError, Label, Record, RecordDefaults, field};
use crate::service::{Amendment, ServiceError};

/// Checks records; every one that is wrong is named.
pub(super) fn parse_records(
    given: Vec<RecordInput>,
    known_on: Date,
) -> Result<Vec<Record>, Problem> {
    if given.len() > MOST_RECORDS {
        let detail = format!(
            "{} records are more than {MOST_RECORDS}; send them in parts or as an import",
            given.len()
        );
        return Err(Problem::new(ProblemKind::TooManyItems, detail)
            .with_member("limit", MOST_RECORDS)
            .with_item(ProblemItem {
                pointer: Some("/records".to_owned()),
                detail: "has too many items".to_owned(),
                ..ProblemItem::default()
            }));
    }
    let mut records = Vec::with_capacity(given.len());
    let mut faults = Vec::new();
    for (place, input) in given.into_iter().enumerate() {
        let parsed = field::label("source", &input.source)
            .and_then(|source| input.parse(&RecordDefaults { source, known_on }));
        match parsed {
            Ok(record) => records.push(record),
            Err(error) => faults.push(field_item(&format!("/records/{place}"), error)),
        }
    }
    if faults.is_empty() {
        faults = contradictions(&records);
    }
    if faults.is_empty() {
        Ok(records)
    } else {
        Err(Problem::invalid_fields(faults))
    }
}

/// Records that say something else than an earlier one of the same id and day.
fn contradictions(records: &[Record]) -> Vec<ProblemItem> {
    let mut seen: BTreeMap<(&Label, &str, Date), &Record> = BTreeMap::new();
    let mut faults = Vec::new();
    for (place, record) in records.iter().enumerate() {
        let version = (&record.source, record.record_id.as_str(), record.known_on);
        let first = *seen.entry(version).or_insert(record);
        if first != record {
            let reason = "stands earlier in this request with other content; keep one of the two";
            let error = FieldError::new("record_id", &record.record_id, reason);
            faults.push(field_item(&format!("/records/{place}"), error));
        }
    }
    faults
}

/// Write records
///
/// All or none. Writing the same record again changes nothing; another content is a new version of it.
#[utoipa::path(
    operation_id = "create_records",
    tag = "records",
    request_body(content = RecordsInput, example = json!({"records": [examples::record_input()]})),
    responses(
        (status = 200, description = "What became of each record", body = RecordsWritten,
            example = json!({"items": [
                {"source": "penalties", "record_id": "P-2026-0042", "outcome": "created"}]})),
        BodyProblems
    )
)]
#[post("/v1/records")]
pub(crate) async fn create_records(
    state: Data<AppState>,
    _query: NoQuery,
    body: Body<RecordsInput>,
) -> Result<Json<RecordsWritten>, Problem> {
    let records = parse_records(body.0.records, state.service.today())?;
    if records.is_empty() {
        return Err(Problem::invalid_fields([ProblemItem {
            pointer: Some("/records".to_owned()),
            detail: "is empty; send at least one record".to_owned(),
            ..ProblemItem::default()
        }]));
    }
    let ids: Vec<(String, String)> = records
        .iter()
        .map(|record| (record.source.to_string(), record.record_id.clone()))
        .collect();
    let written = state
        .service
        .put_records(records)
        .await
        .map_err(|error| at_record(error, &ids))?;
    let items = ids.into_iter().zip(written);
    Ok(Json(RecordsWritten {
        items: items
            .map(|((source, record_id), outcome)| RecordWritten {
                source,
                record_id,
                outcome: outcome.into(),
            })
            .collect(),
    }))
}

/// Names the place of the record that was refused.
fn at_record(error: ServiceError, ids: &[(String, String)]) -> Problem {
    let refused = match &error {
        ServiceError::Refused { subject, refusal } => Some((subject.clone(), refusal.to_string())),
        _ => None,
    };
    let problem = Problem::from(error);
    let Some((subject, detail)) = refused else {
        return problem;
    };
    let place = ids
        .iter()
        .rposition(|(source, record_id)| format!("{source}/{record_id}") == subject);
    problem.with_item(ProblemItem {
        pointer: place.map(|place| format!("/records/{place}")),
        value: Some(subject),
        detail,
        ..ProblemItem::default()
    })
}

/// Repair a record
///
/// Credit repair (信用修复): from that day on it may not be used, and the tier is computed anew.
#[utoipa::path(
    operation_id = "repair_record",
    tag = "records",
    params(
        ("source" = String, Path, description = "Source of the record", example = "penalties"),
        ("record_id" = String, Path, description = "Its id at the source", example = "P-2026-0042"),
        ("if-match" = Option<String>, Header, description = "Entity tag of the record that is to be changed, or `*`",
            example = "\"3f0a377ba0a4a460ecb616f6507ce0d8\"")
    ),
    request_body(content = Option<AmendmentInput>, description = "May be left out",
        example = json!({"on": "2026-11-22"})),
    responses((status = 204, description = "It is repaired"), ConditionalProblems)
)]
#[post("/v1/records/{source}/{record_id}/repair")]
pub(crate) async fn repair_record(
    state: Data<AppState>,
    path: Path<(String, String)>,
    _query: NoQuery,
    request: HttpRequest,
    body: OptionalBody<AmendmentInput>,
) -> Result<HttpResponse, Problem> {
    amend(
        &state,
        path.into_inner(),
        Amendment::Repair,
        &request,
        body.0,
    )
    .await
}

/// Withdraw a record
///
/// The record itself was wrong or annulled: from that day on it may not be used.
#[utoipa::path(
    operation_id = "withdraw_record",
    tag = "records",
    params(
        ("source" = String, Path, description = "Source of the record", example = "penalties"),
        ("record_id" = String, Path, description = "Its id at the source", example = "P-2026-0042"),
        ("if-match" = Option<String>, Header, description = "Entity tag of the record that is to be changed, or `*`",
            example = "\"3f0a377ba0a4a460ecb616f6507ce0d8\"")
    ),
    request_body(content = Option<AmendmentInput>, description = "May be left out",
        example = json!({"on": "2026-11-22"})),
    responses((status = 204, description = "It is withdrawn"), ConditionalProblems)
)]
#[post("/v1/records/{source}/{record_id}/withdraw")]
pub(crate) async fn withdraw_record(
    state: Data<AppState>,
    path: Path<(String, String)>,
    _query: NoQuery,
    request: HttpRequest,
    body: OptionalBody<AmendmentInput>,
) -> Result<HttpResponse, Problem> {
    amend(
        &state,
        path.into_inner(),
        Amendment::Withdraw,
        &request,
        body.0,
    )
    .await
}

/// End a record
///
/// A listing was removed, a judgment satisfied, an order lifted, a permit ran out: from that day on it is not in force.
#[utoipa::path(
    operation_id = "end_record",
    tag = "records",
    params(
        ("source" = String, Path, description = "Source of the record", example = "penalties"),
        ("record_id" = String, Path, description = "Its id at the source", example = "P-2026-0042"),
        ("if-match" = Option<String>, Header, description = "Entity tag of the record that is to be changed, or `*`",
            example = "\"3f0a377ba0a4a460ecb616f6507ce0d8\"")
    ),
    request_body(content = Option<AmendmentInput>, description = "May be left out",
        example = json!({"on": "2026-11-22"})),
    responses((status = 204, description = "It is ended"), ConditionalProblems)
)]
#[post("/v1/records/{source}/{record_id}/end")]
pub(crate) async fn end_record(
    state: Data<AppState>,
    path: Path<(String, String)>,
    _query: NoQuery,
    request: HttpRequest,
    body: OptionalBody<AmendmentInput>,
) -> Result<HttpResponse, Problem> {
    amend(&state, path.into_inner(), Amendment::End, &request, body.0).await
}

/// Correct a record
///
/// From the present day on it says what is given here, whole; what it said is kept for answers about earlier days. A
/// repair or withdrawal that the correction is silent about stays. With `If-Match` it changes only the record that the
/// caller saw.
#[utoipa::path(
    operation_id = "correct_record",
    tag = "records",
    params(
        ("source" = String, Path, description = "Source of the record", example = "penalties"),
        ("record_id" = String, Path, description = "Its id at the source", example = "P-2026-0042"),
        ("if-match" = Option<String>, Header, description = "Entity tag of the record that is to be changed, or `*`",
            example = "\"3f0a377ba0a4a460ecb616f6507ce0d8\"")
    ),
    request_body(content = CorrectionInput, example = json!({"record": examples::record_input(),
        "by": "officer-17", "reason": "the amount was mistyped"})),
    responses(
        (status = 200, description = "The record as it stands",
            headers(("etag" = String, description = "Entity tag of the record as it stands")), body = RecordAnswer,
            example = json!(examples::record())),
        ConditionalProblems
    )
)]
#[put("/v1/records/{source}/{record_id}")]
pub(crate) async fn correct_record(
    state: Data<AppState>,
    path: Path<(String, String)>,
    _query: NoQuery,
    request: HttpRequest,
    body: Body<CorrectionInput>,
) -> Result<HttpResponse, Problem> {
    expect_if_match(request.headers(), state.settings.writes.require_if_match)?;
    let (source, record_id) = path.into_inner();
    let source = source_of_path(&source)?;
    let (content, said) = body
        .0
        .parse(&source, &record_id, state.service.today())
        .map_err(|(of_record, error)| {
            let prefix = if of_record { "/record" } else { "" };
            Problem::invalid_fields([field_item(prefix, error)])
        })?;
    let headers = request.headers().clone();
    let (record, _) = state
        .service
        .correct_record_if(content, said, move |record| {
            fits_if_match(&headers, || tag_of(record))
        })
        .await?;
    let tag = tag_of(&record);
    Ok(HttpResponse::Ok()
        .insert_header((ETAG, tag))
        .json(RecordAnswer::from(record)))
}

/// One record
///
/// As it stands: its last version that is known today. Its entity tag is what `If-Match` takes.
#[utoipa::path(
    operation_id = "get_record",
    tag = "records",
    params(
        ("source" = String, Path, description = "Source of the record", example = "penalties"),
        ("record_id" = String, Path, description = "Its id at the source", example = "P-2026-0042")
    ),
    responses(
        (status = 200, description = "The record", body = RecordAnswer, example = json!(examples::record())),
        ReadProblems
    )
)]
#[get("/v1/records/{source}/{record_id}")]
pub(crate) async fn get_record(
    state: Data<AppState>,
    path: Path<(String, String)>,
    _query: NoQuery,
) -> Result<Json<RecordAnswer>, Problem> {
    let (source, record_id) = path.into_inner();
    let source = source_of_path(&source)?;
    let record = state
        .run(move |service| service.record(&source, &record_id))
        .await?;
    Ok(Json(record.into()))
}

/// The entity tag that the layer above gives the record as an answer.
fn tag_of(record: &Record) -> String {
    // Texts and numbers always serialise.
    let bytes = serde_json::to_vec(&RecordAnswer::from(record.clone())).unwrap_or_default();
    tag_of_bytes(&bytes)
}

/// The source that a path names.
pub(super) fn source_of_path(source: &str) -> Result<Label, Problem> {
    field::label("source", source)
        .map_err(|error| Problem::invalid_parameter(ProblemKind::InvalidPath, error))
}

async fn amend(
    state: &AppState,
    (source, record_id): (String, String),
    amendment: Amendment,
    request: &HttpRequest,
    body: AmendmentInput,
) -> Result<HttpResponse, Problem> {
    let source = source_of_path(&source)?;
    let said = body
        .parse()
        .map_err(|error| Problem::invalid_fields([field_item("", error)]))?;
    let headers = request.headers().clone();
    state
        .service
        .amend_record_if(source, record_id, amendment, said, move |record| {
            fits_if_match(&headers, || tag_of(record))
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
