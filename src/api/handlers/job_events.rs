//! The progress of a job as server-sent events.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use actix_web::http::header::{CACHE_CONTROL, CONTENT_ENCODING};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpResponse, get};
use futures_util::stream::unfold;

use crate::api::dto::jobs::JobAnswer;
use crate::api::guards::{Guards, Permit};
use crate::api::optional::NoQuery;
use crate::api::problem::Problem;
use crate::api::responses::ReadProblems;
use crate::api::state::{AppState, Stopping};

/// How often the job is looked at.
const PAUSE: Duration = Duration::from_millis(500);
/// How long nothing may be sent: proxies close connections that are silent.
const LONGEST_SILENCE: Duration = Duration::from_secs(15);

/// Watch a job
///
/// Server-sent events: `progress` with the job as data whenever it has moved, first of all as it is now, and `end` with
/// the job as it ended; then the stream closes. It also closes when the server stops; connect again and go on.
#[utoipa::path(
    operation_id = "get_job_events",
    tag = "operations",
    params(("job_id" = String, Path, description = "Id of the job",
        example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")),
    responses(
        (status = 200, description = "The events", body = String, content_type = "text/event-stream",
            example = "event: progress\ndata: {\"job_id\":\"019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11\",\"percent\":41.6}\n\n"),
        ReadProblems
    )
)]
#[get("/v1/jobs/{job_id}/events")]
pub(crate) async fn get_job_events(
    state: Data<AppState>,
    guards: Data<Guards>,
    stopping: Data<Stopping>,
    job_id: Path<String>,
    _query: NoQuery,
) -> Result<HttpResponse, Problem> {
    let job_id = job_id.into_inner();
    let id = job_id.clone();
    // An unknown job is a problem and not a stream without events.
    state.run(move |service| service.job(&id)).await?;
    let watch = Watch {
        permit: guards.stream()?,
        state,
        stopping: stopping.get_ref().clone(),
        job_id,
        last: String::new(),
        sent_at: Instant::now(),
        waiting: VecDeque::new(),
        has_ended: false,
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        // Events that wait in a compressor would come late.
        .insert_header((CONTENT_ENCODING, "identity"))
        .streaming(unfold(watch, next)))
}

/// Someone who watches a job.
struct Watch {
    #[expect(dead_code, reason = "it is held as long as the stream lasts")]
    permit: Permit,
    state: Data<AppState>,
    stopping: Stopping,
    job_id: String,
    /// The job as it was last told.
    last: String,
    sent_at: Instant,
    waiting: VecDeque<Bytes>,
    has_ended: bool,
}

async fn next(mut watch: Watch) -> Option<(io::Result<Bytes>, Watch)> {
    loop {
        if let Some(event) = watch.waiting.pop_front() {
            watch.sent_at = Instant::now();
            return Some((Ok(event), watch));
        }
        if watch.has_ended {
            return None;
        }
        if !watch.last.is_empty() {
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = watch.stopping.0.changed() => return None,
            }
        }
        let id = watch.job_id.clone();
        let job = match watch.state.run(move |service| service.job(&id)).await {
            Ok(job) => job,
            // Whoever watches connects again, and is told what is wrong.
            Err(_) => return None,
        };
        let has_ended = job.has_ended();
        let text = match serde_json::to_string(&JobAnswer::from(job)) {
            Ok(text) => text,
            Err(error) => return Some((Err(io::Error::other(error)), watch)),
        };
        if text != watch.last {
            let name = if has_ended { "end" } else { "progress" };
            let event = format!("event: {name}\ndata: {text}\n\n");
            watch.waiting.push_back(Bytes::from(event));
            watch.last = text;
        } else if watch.sent_at.elapsed() >= LONGEST_SILENCE {
            watch.waiting.push_back(Bytes::from_static(b": \n\n"));
        }
        watch.has_ended = has_ended;
    }
}
