//! Calendars of items with frequencies: make, go on, list, note what was done.

use std::sync::Arc;

use actix_web::http::header::{CONTENT_DISPOSITION, LOCATION};
use actix_web::web::{Data, Json, Path, Query};
use actix_web::{HttpResponse, get, post};

use crate::api::cursor::{List, page_limit};
use crate::api::download::download;
use crate::api::dto::calendars::{
    CalendarAnswer, CalendarInput, CalendarObjectAnswer, DoneAnswer, DoneInput, EditionAnswer,
    EditionInput, EditionQuery, VisitAnswer, VisitFormat, VisitQuery,
};
use crate::api::dto::page::{Page, PageQuery};
use crate::api::examples;
use crate::api::extract::Body;
use crate::api::handlers::enterprises::id_of_path;
use crate::api::optional::NoQuery;
use crate::api::problem::{Problem, ProblemKind, field_item};
use crate::api::responses::{ListProblems, ReadProblems, StepProblems};
use crate::api::state::AppState;
use crate::domain::FieldError;
use crate::service::{Compression, Format, Sink};

fn invalid(error: FieldError) -> Problem {
    Problem::invalid_fields([field_item("", error)])
}

/// Make a calendar
///
/// Items with frequencies: every object of a drawn plan of method `order` is visited so many times a year by its tier.
/// The visits are spread over the batches of the year by the objects' tickets, evenly in time and level by division.
#[utoipa::path(
    operation_id = "create_calendar",
    tag = "calendars",
    request_body(content = CalendarInput, example = json!(examples::calendar_input())),
    responses(
        (status = 201, description = "The calendar with its first edition",
            headers(("location" = String, description = "Path of the calendar")),
            body = CalendarAnswer, example = json!(examples::calendar())),
        StepProblems
    )
)]
#[post("/v1/calendars")]
pub(crate) async fn create_calendar(
    state: Data<AppState>,
    _query: NoQuery,
    body: Body<CalendarInput>,
) -> Result<HttpResponse, Problem> {
    let request = body.0.parse().map_err(invalid)?;
    let calendar = state
        .run(move |service| service.create_calendar(request))
        .await?;
    let calendar = CalendarAnswer::from(calendar);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/v1/calendars/{}", calendar.calendar_id)))
        .json(calendar))
}

/// Calendars, latest first
#[utoipa::path(
    operation_id = "list_calendars",
    tag = "calendars",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of calendars, each with the edition in force", body = Page<CalendarAnswer>,
            example = json!({"items": [examples::calendar()]})),
        ListProblems
    )
)]
#[get("/v1/calendars")]
pub(crate) async fn list_calendars(
    state: Data<AppState>,
    query: Query<PageQuery>,
) -> Result<Json<Page<CalendarAnswer>>, Problem> {
    let limit = page_limit(&state.settings.limits, query.limit)?;
    let list = List {
        name: "calendars",
        filter: "",
    };
    let place = list.place(query.cursor.as_deref())?;
    let before = place.and_then(|number| number.parse().ok());
    let found = state
        .run(move |service| service.calendars(before, limit + 1))
        .await?;
    Ok(Json(list.page(found, limit, |calendar| {
        calendar.number.to_string()
    })))
}

/// One calendar
///
/// With all its editions.
#[utoipa::path(
    operation_id = "get_calendar",
    tag = "calendars",
    params(("calendar_id" = String, Path, description = "Id of the calendar", 
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a13")),
    responses(
        (status = 200, description = "The calendar", body = CalendarAnswer, example = json!(examples::calendar())),
        ReadProblems
    )
)]
#[get("/v1/calendars/{calendar_id}")]
pub(crate) async fn get_calendar(
    state: Data<AppState>,
    calendar_id: Path<String>,
    _query: NoQuery,
) -> Result<Json<CalendarAnswer>, Problem> {
    let calendar = state
        .run(move |service| service.calendar(&calendar_id))
        .await?;
    Ok(Json(calendar.into()))
}

/// Add an edition to a calendar
///
/// Plans the next year, or the rest of the present one anew. What is done stays, what was missed moves to the first
/// batches, and tiers as they are now set how often an object is visited from now on; its phase goes on.
#[utoipa::path(
    operation_id = "create_calendar_edition",
    tag = "calendars",
    params(("calendar_id" = String, Path, description = "Id of the calendar", 
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a13")),
    request_body(content = EditionInput, example = json!({"frame_id": examples::FRAME_ID, "from": "2027-07-01"})),
    responses(
        (status = 201, description = "The edition, which is in force now", body = EditionAnswer,
            example = json!(examples::edition())),
        StepProblems
    )
)]
#[post("/v1/calendars/{calendar_id}/editions")]
pub(crate) async fn create_calendar_edition(
    state: Data<AppState>,
    calendar_id: Path<String>,
    _query: NoQuery,
    body: Body<EditionInput>,
) -> Result<HttpResponse, Problem> {
    let request = body.0.parse().map_err(invalid)?;
    let edition = state
        .run(move |service| service.add_calendar_edition(&calendar_id, &request))
        .await?;
    Ok(HttpResponse::Created().json(EditionAnswer::from(edition)))
}

/// The visits of a calendar
///
/// In order of object and number: a page of JSON, or a whole file. Confidential until the visits are made.
#[utoipa::path(
    operation_id = "list_calendar_visits",
    tag = "calendars",
    params(
        ("calendar_id" = String, Path, description = "Id of the calendar", 
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a13"),
        VisitQuery
    ),
    responses(
        (status = 200, description = "The visits", content(
            (Page<VisitAnswer> = "application/json", example = json!({"items": [examples::visit()]})),
            (String = "text/csv", example = "enterprise_id,division,visit,batch,from,to,due,state,done_on\n\
                91990000MA00000017,990102,1,2027-Q1,2027-01-01,2027-03-31,2027-Q1,planned,\n"),
            (String = "application/x-ndjson",
                example = "{\"enterprise_id\":\"91990000MA00000017\",\"visit\":1,\"batch\":\"2027-Q1\"}\n"),
            (String = "application/vnd.apache.parquet", example = "PAR1…")
        )),
        ReadProblems
    )
)]
#[get("/v1/calendars/{calendar_id}/visits")]
pub(crate) async fn list_calendar_visits(
    state: Data<AppState>,
    calendar_id: Path<String>,
    query: Query<VisitQuery>,
) -> Result<HttpResponse, Problem> {
    let calendar_id = calendar_id.into_inner();
    let (format, media_type) = match query.format.unwrap_or(VisitFormat::Json) {
        VisitFormat::Json => return page(&state, calendar_id, &query).await,
        VisitFormat::Csv => (Format::Csv, "text/csv; charset=utf-8"),
        VisitFormat::Ndjson => (Format::Ndjson, "application/x-ndjson"),
        VisitFormat::Parquet => (Format::Parquet, "application/vnd.apache.parquet"),
    };
    if query.cursor.is_some() || query.limit.is_some() {
        return Err(Problem::new(
            ProblemKind::InvalidQuery,
            "`cursor` and `limit` go with JSON only; a file comes whole",
        ));
    }
    let filter = query.filter();
    // What is not there is a problem and not a file without rows.
    let id = calendar_id.clone();
    let of_edition = filter.edition;
    state
        .run(move |service| service.calendar_file(&id, of_edition).map(drop))
        .await?;
    let service = Arc::clone(&state.service);
    let (writer, body) = download();
    let name = format!("calendar-{calendar_id}.{}", format.as_str());
    tokio::task::spawn_blocking(move || {
        let end = writer.another();
        let sink = Sink::to_writer("the visits", format, Compression::Plain, writer);
        if let Err(error) = service.export_calendar_visits(&calendar_id, &filter, sink) {
            tracing::error!(%error, "an export of visits broke off");
            end.fail("the export broke off");
        }
    });
    Ok(HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ))
        .streaming(body))
}

async fn page(
    state: &AppState,
    calendar_id: String,
    query: &VisitQuery,
) -> Result<HttpResponse, Problem> {
    let limit = page_limit(&state.settings.limits, query.limit)?;
    let mut filter = query.filter();
    let told = format!("{calendar_id} {filter:?}");
    let list = List {
        name: "calendar_visits",
        filter: &told,
    };
    // A place names the edition too: a page goes on in the edition in which the first one began.
    let place = list.place(query.cursor.as_deref())?;
    let place = place.and_then(|place| {
        let (edition, after) = place.split_once(' ')?;
        Some((edition.parse().ok()?, after.parse::<usize>().ok()?))
    });
    let after = place.map_or(0, |(_, after)| after);
    if let Some((edition, _)) = place {
        filter.edition = Some(edition);
    }
    let (edition, visits) = state
        .run(move |service| {
            let edition = match filter.edition {
                Some(edition) => edition,
                None => service.calendar_in_force(&calendar_id)?,
            };
            filter.edition = Some(edition);
            Ok((edition, service.calendar_visits(&calendar_id, &filter)?))
        })
        .await?;
    let goes_on = visits.len() > after + limit;
    let items = visits.into_iter().skip(after).take(limit);
    Ok(HttpResponse::Ok().json(Page {
        items: items.map(VisitAnswer::from).collect(),
        next_cursor: goes_on.then(|| list.cursor(&format!("{edition} {}", after + limit))),
    }))
}

/// Note visits of a calendar as done
///
/// All or none. What is done stays in every later edition. Noting a visit again with the same day changes nothing.
#[utoipa::path(
    operation_id = "close_calendar_visits",
    tag = "calendars",
    params(("calendar_id" = String, Path, description = "Id of the calendar", 
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a13")),
    request_body(content = DoneInput, example = json!({"visits": [
        {"enterprise_id": examples::ENTERPRISE_ID, "visit": 1, "done_on": "2026-11-20"}]})),
    responses(
        (status = 200, description = "What became of them", body = DoneAnswer,
            example = json!({"noted_count": 1, "unchanged_count": 0})),
        StepProblems
    )
)]
#[post("/v1/calendars/{calendar_id}/visits/close")]
pub(crate) async fn close_calendar_visits(
    state: Data<AppState>,
    calendar_id: Path<String>,
    _query: NoQuery,
    body: Body<DoneInput>,
) -> Result<Json<DoneAnswer>, Problem> {
    let notes = body.0.parse().map_err(invalid)?;
    let noted = state
        .run(move |service| service.note_done_visits(&calendar_id, &notes))
        .await?;
    Ok(Json(noted.into()))
}

/// One object of a calendar
///
/// Its ticket, its phase and its visits: why it is visited when. Internal, as its frequency follows from its tier.
#[utoipa::path(
    operation_id = "get_calendar_object",
    tag = "calendars",
    params(
        ("calendar_id" = String, Path, description = "Id of the calendar", 
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a13"),
        ("enterprise_id" = String, Path, description = "Id of the object", example = "91990000MA00000017")
    ),
    responses(
        (status = 200, description = "The object", body = CalendarObjectAnswer,
            example = json!(examples::calendar_object())),
        ReadProblems
    )
)]
#[get("/v1/calendars/{calendar_id}/objects/{enterprise_id}")]
pub(crate) async fn get_calendar_object(
    state: Data<AppState>,
    path: Path<(String, String)>,
    _query: NoQuery,
) -> Result<Json<CalendarObjectAnswer>, Problem> {
    let (calendar_id, id) = path.into_inner();
    let id = id_of_path(&id)?;
    let object = state
        .run(move |service| service.calendar_object(&calendar_id, &id))
        .await?;
    Ok(Json(object.into()))
}

/// The file of a calendar
///
/// `calendar.tsv`: seed, objects, phases and visits of an edition, to the byte of its digest. Confidential.
#[utoipa::path(
    operation_id = "get_calendar_file",
    tag = "calendars",
    params(
        ("calendar_id" = String, Path, description = "Id of the calendar", 
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a13"),
        EditionQuery
    ),
    responses(
        (status = 200, description = "The file", body = String, content_type = "text/tab-separated-values",
            example = "risktier-calendar/1\t{\"batches\":\"quarter\",…}\n91990000MA00000017\t990102\t2\t246249636\t1:2027-04:2027-04\n"),
        ReadProblems
    )
)]
#[get("/v1/calendars/{calendar_id}/file")]
pub(crate) async fn get_calendar_file(
    state: Data<AppState>,
    calendar_id: Path<String>,
    query: Query<EditionQuery>,
) -> Result<HttpResponse, Problem> {
    let edition = query.edition;
    let file = state
        .run(move |service| service.calendar_file(&calendar_id, edition))
        .await?;
    Ok(HttpResponse::Ok()
        .content_type("text/tab-separated-values; charset=utf-8")
        .body(file))
}
