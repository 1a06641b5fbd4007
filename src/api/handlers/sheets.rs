//! The printable sheet of a plan.

use actix_web::http::header::VARY;
use actix_web::web::{Data, Path, Query};
use actix_web::{HttpRequest, HttpResponse, get};

use crate::api::dto::sheets::{SheetEdition, SheetLanguage, SheetQuery};
use crate::api::language::Language;
use crate::api::problem::Problem;
use crate::api::responses::ReadProblems;
use crate::api::state::AppState;
use crate::report::{self, plan_sheet_page};
use crate::service::Audience;

/// The printable sheet of a plan
///
/// One self-contained HTML page in Chinese and English: what was drawn, by which rule, with which evidence, with lines to
/// sign. The public edition shows no stratum, rate or tier; the internal one is confidential.
#[utoipa::path(
    operation_id = "get_plan_sheet",
    tag = "plans",
    params(
        ("plan_id" = String, Path, description = "Id of the plan",
            example = "rtp1-0123456789abcdef0123456789abcdef"),
        SheetQuery,
        ("accept-language" = Option<String>, Header, description = "The language that the page opens in, unless `language` names it",
            example = "zh-CN")
    ),
    responses(
        (status = 200, description = "The page",
            headers(("vary" = String, description = "The page depends on `Accept-Language`")),
            body = String, content_type = "text/html", example = "<!doctype html>…"),
        ReadProblems
    )
)]
#[get("/v1/plans/{plan_id}/sheet")]
pub(crate) async fn get_plan_sheet(
    state: Data<AppState>,
    plan_id: Path<String>,
    query: Query<SheetQuery>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let audience = match query.edition.unwrap_or(SheetEdition::Public) {
        SheetEdition::Internal => Audience::Internal,
        SheetEdition::Public => Audience::Public,
    };
    let language = match (query.language, Language::of(request.headers())) {
        (Some(SheetLanguage::Zh), _) | (None, Language::Chinese) => report::Language::Zh,
        (Some(SheetLanguage::En), _) | (None, Language::English) => report::Language::En,
    };
    let sheet = state
        .run(move |service| service.plan_sheet(&plan_id, audience))
        .await?;
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((VARY, "accept-language"))
        .body(plan_sheet_page(&sheet, language)))
}
