//! The tiers of the whole register as a file.

use std::sync::Arc;

use actix_web::http::header::CONTENT_DISPOSITION;
use actix_web::web::{Data, Query};
use actix_web::{HttpResponse, get};

use crate::api::download::download;
use crate::api::dto::imports::{ExportFormat, ExportQuery};
use crate::api::problem::Problem;
use crate::api::responses::ListProblems;
use crate::api::state::AppState;
use crate::service::{Compression, Format, Sink};

/// What messages call the file.
const NAME: &str = "the export";

/// All tiers as a file
///
/// One row per enterprise in id order, as the register is at one instant, under one epoch. Streamed: a failure in the
/// middle breaks the connection off. Confidential, as every tier is.
#[utoipa::path(
    operation_id = "get_tiers_export",
    tag = "tiers",
    params(ExportQuery),
    responses(
        (status = 200, description = "The rows",
            headers(("content-disposition" = String, description = "A name for the file")), content(
            (String = "text/csv", example = "enterprise_id,division,industry,kind,size,tier,points,as_of,next_change_on,epoch\n\
                91990000MA00000017,990102,F5212,enterprise,small,B,120,2026-11-22,2026-12-01,0123456789abcdef\n"),
            (String = "application/x-ndjson", example = "{\"enterprise_id\":\"91990000MA00000017\",\"tier\":\"B\",\"points\":120}\n"),
            (String = "application/vnd.apache.parquet", example = "PAR1…")
        )),
        ListProblems
    )
)]
#[get("/v1/tiers/export")]
pub(crate) async fn get_tiers_export(
    state: Data<AppState>,
    query: Query<ExportQuery>,
) -> Result<HttpResponse, Problem> {
    // What cannot be read at all is a problem and not a file without rows.
    state.run(|service| service.ping()).await?;
    let (format, media_type) = match query.format.unwrap_or(ExportFormat::Csv) {
        ExportFormat::Csv => (Format::Csv, "text/csv; charset=utf-8"),
        ExportFormat::Ndjson => (Format::Ndjson, "application/x-ndjson"),
        ExportFormat::Parquet => (Format::Parquet, "application/vnd.apache.parquet"),
    };
    let service = Arc::clone(&state.service);
    let name = format!("tiers-{}.{}", service.today(), format.as_str());
    let (writer, body) = download();
    tokio::task::spawn_blocking(move || {
        let end = writer.another();
        let sink = Sink::to_writer(NAME, format, Compression::Plain, writer);
        if let Err(error) = service.export_tiers(sink) {
            tracing::error!(%error, "an export of tiers broke off");
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
