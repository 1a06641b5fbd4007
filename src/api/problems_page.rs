//! The page that explains the kinds of problem, in both languages. A problem's `Link` leads to it.

use std::fmt::Write as _;

use actix_web::web::Path;
use actix_web::{HttpResponse, Responder};

use super::language::Language;
use super::problem::{Problem, ProblemKind};

const HEAD: &str = "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>risktier: problems</title>\
    <style>body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
    td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}code{white-space:nowrap}</style></head>\n<body>\n";

/// All kinds.
pub(super) async fn all() -> impl Responder {
    let mut page = format!(
        "{HEAD}<h1>Problems</h1>\n<p>Every refusal and failure is a problem as of RFC 9457. Programs may rely on \
         <code>type</code> and <code>status</code>; <code>detail</code> and <code>errors</code> say what happened this \
         time and what to do.</p>\n<table>\n<tr><th>type</th><th>status</th><th>title</th><th>标题</th></tr>\n"
    );
    for kind in ProblemKind::ALL {
        // Writing to a text does not fail.
        let _ = writeln!(
            page,
            "<tr id=\"{slug}\"><td><a href=\"/docs/problems/{slug}\"><code>{type_uri}</code></a></td><td>{status}</td>\
             <td>{english}</td><td lang=\"zh-CN\">{chinese}</td></tr>",
            slug = kind.slug(),
            type_uri = kind.type_uri(),
            status = kind.status().as_u16(),
            english = kind.title(Language::English),
            chinese = kind.title(Language::Chinese),
        );
    }
    page.push_str("</table>\n</body>\n</html>\n");
    html(page)
}

/// One kind.
pub(super) async fn one(slug: Path<String>) -> Result<HttpResponse, Problem> {
    let kind = ProblemKind::ALL
        .iter()
        .find(|kind| kind.slug() == slug.as_str())
        .ok_or_else(|| {
            Problem::new(
                ProblemKind::UnknownRoute,
                "there is no such kind of problem; `/docs/problems` lists them",
            )
        })?;
    Ok(html(format!(
        "{HEAD}<h1>{english}</h1>\n<p lang=\"zh-CN\">{chinese}</p>\n<p><code>{type_uri}</code>, status {status}.</p>\n\
         <p>{meaning}.</p>\n<p><a href=\"/docs/problems\">All problems</a></p>\n</body>\n</html>\n",
        english = kind.title(Language::English),
        chinese = kind.title(Language::Chinese),
        type_uri = kind.type_uri(),
        status = kind.status().as_u16(),
        meaning = remedy(*kind),
    )))
}

fn html(page: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .body(page)
}

/// What to do about a kind of problem: by its status, because `detail` says the rest.
fn remedy(kind: ProblemKind) -> &'static str {
    match kind.status().as_u16() {
        401 | 403 => "Ask the operator for access",
        404 => "Check the path and the ids in it",
        405 => "The header <code>Allow</code> says which methods there are",
        406 => "Ask for a form or coding that <code>detail</code> names",
        408 => "Send the request again, without pauses",
        409 => "Read what stands, then decide whether the request still makes sense",
        410 => "Start over with a complete copy, and follow from there",
        412 | 428 => {
            "Read the resource again and send its <code>ETag</code> as <code>If-Match</code>"
        }
        413 | 414 | 431 => "Send less at once; <code>limit_bytes</code> says how much",
        415 => "Send one of the forms or codings that <code>detail</code> names",
        429 | 503 => "Repeat the request after the time that <code>Retry-After</code> says",
        500 => "Report the <code>instance</code> to the operator, or repeat the request later",
        _ => "The request is wrong as it is: <code>detail</code> and <code>errors</code> say where",
    }
}
