//! Records that wait for their enterprise.

use actix_web::get;
use actix_web::web::{Data, Json, Query};

use crate::api::cursor::{List, page_limit};
use crate::api::dto::page::{Page, PageQuery};
use crate::api::dto::records::RecordAnswer;
use crate::api::examples;
use crate::api::problem::Problem;
use crate::api::responses::ListProblems;
use crate::api::state::AppState;
use crate::service::set_aside_place;

/// Records whose enterprise is not in the register
///
/// All versions of them, in the order of enterprise, source, record and day. They count from the moment when their
/// enterprise arrives, as if they had come after it.
#[utoipa::path(
    operation_id = "list_set_aside_records",
    tag = "records",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of records", body = Page<RecordAnswer>,
            example = json!({"items": [examples::record()]})),
        ListProblems
    )
)]
#[get("/v1/records/set-aside")]
pub(crate) async fn list_set_aside_records(
    state: Data<AppState>,
    query: Query<PageQuery>,
) -> Result<Json<Page<RecordAnswer>>, Problem> {
    let PageQuery { cursor, limit } = query.into_inner();
    let limit = page_limit(&state.settings.limits, limit)?;
    let list = List {
        name: "set-aside",
        filter: "",
    };
    let after = list.place(cursor.as_deref())?;
    let found = state
        .run(move |service| service.set_aside(after.as_deref(), limit + 1))
        .await?;
    Ok(Json(list.page(found, limit, set_aside_place)))
}
