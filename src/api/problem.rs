//! The single place that turns an error into a status and an RFC 9457 body.
//!
//! A problem's `type` and title belong to its kind and never change; `detail` belongs to the case. Titles come in English
//! and Chinese by `Accept-Language`. What only the log may know travels beside the body as the cause.

mod service;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use actix_web::body::BoxBody;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use super::language::Language;

pub(crate) use service::{field_item, line_item};

/// Every `type` starts with this.
const TYPE_PREFIX: &str = "urn:risktier:problem:";
pub(super) const CONTENT_TYPE: &str = "application/problem+json";
/// All that a caller learns about a failure of ours.
const INTERNAL_DETAIL: &str =
    "something failed on our side; report the instance to the operator, or try again later";

/// Declares the kinds of problem: variant, status, last part of the type, titles in English and Chinese.
macro_rules! problem_kinds {
    ($($(#[$meta:meta])* $variant:ident = $status:ident $slug:literal $english:literal $chinese:literal),+ $(,)?) => {
        /// What went wrong, as callers may rely on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProblemKind { $($(#[$meta])* $variant),+ }

        impl ProblemKind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The HTTP status.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status),+ }
            }

            /// The last part of the `type`.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug),+ }
            }

            /// The title, which is the same for every problem of the kind.
            pub fn title(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$variant, Language::English) => $english,
                      (Self::$variant, Language::Chinese) => $chinese),+
                }
            }
        }
    };
}

problem_kinds! {
    /// The body is not JSON.
    MalformedBody = BAD_REQUEST "malformed-body" "The body cannot be read" "请求体无法解析",
    /// The body is nested more deeply than it is read.
    TooDeep = BAD_REQUEST "too-deep" "The body is nested too deeply" "请求体嵌套过深",
    /// A part of the path has the wrong form.
    InvalidPath = BAD_REQUEST "invalid-path" "The path has a wrong part" "路径参数有误",
    /// A query parameter is unknown or wrong.
    InvalidQuery = BAD_REQUEST "invalid-query" "The query is wrong" "查询参数有误",
    /// A header is wrong, or the request is not HTTP as we know it.
    BadRequest = BAD_REQUEST "bad-request" "The request is wrong" "请求有误",
    /// The cursor does not belong to this list and filter.
    InvalidCursor = BAD_REQUEST "invalid-cursor" "The cursor cannot be used" "分页游标无效",
    /// A header that this operation needs is missing.
    MissingHeader = BAD_REQUEST "missing-header" "A header is missing" "缺少请求头",
    /// Nobody was authenticated.
    Unauthenticated = UNAUTHORIZED "unauthenticated" "Authentication is needed" "需要身份认证",
    /// The caller may not do this.
    Forbidden = FORBIDDEN "forbidden" "This is not allowed" "无权执行此操作",
    /// No such path.
    UnknownRoute = NOT_FOUND "unknown-route" "There is nothing at this path" "路径不存在",
    /// No such enterprise.
    UnknownEnterprise = NOT_FOUND "unknown-enterprise" "The enterprise is not in the register" "经营主体不在名录中",
    /// No such record.
    UnknownRecord = NOT_FOUND "unknown-record" "The record does not exist" "记录不存在",
    /// No such import.
    UnknownImport = NOT_FOUND "unknown-import" "The import does not exist" "导入任务不存在",
    /// No such frame.
    UnknownFrame = NOT_FOUND "unknown-frame" "The frame does not exist" "抽样框不存在",
    /// No such check item.
    UnknownItem = NOT_FOUND "unknown-item" "The check item is not in the list" "抽查事项不在清单中",
    /// No such visit.
    UnknownVisit = NOT_FOUND "unknown-visit" "The visit is not in the ledger" "台账中没有该次检查",
    /// No such plan.
    UnknownPlan = NOT_FOUND "unknown-plan" "The plan does not exist" "抽查计划不存在",
    /// No such calendar, or the object is not in it.
    UnknownCalendar = NOT_FOUND "unknown-calendar" "The calendar or its object does not exist" "检查日历或其对象不存在",
    /// No such coordinated group.
    UnknownGroup = NOT_FOUND "unknown-group" "The coordinated group does not exist" "协同抽取组不存在",
    /// No such model.
    UnknownModel = NOT_FOUND "unknown-model" "The model does not exist" "模型不存在",
    /// No such training table.
    UnknownTable = NOT_FOUND "unknown-table" "The training table does not exist" "训练数据表不存在",
    /// No such policy.
    UnknownPolicy = NOT_FOUND "unknown-policy" "The policy does not exist" "策略不存在",
    /// No such job.
    UnknownJob = NOT_FOUND "unknown-job" "The job does not exist" "任务不存在",
    /// No such webhook.
    UnknownWebhook = NOT_FOUND "unknown-webhook" "The webhook does not exist" "网络回调不存在",
    /// No override stands.
    UnknownOverride = NOT_FOUND "unknown-override" "There is no such override" "没有该人工调整",
    /// No such objection.
    UnknownObjection = NOT_FOUND "unknown-objection" "The objection does not exist" "异议不存在",
    /// The id is not merged.
    UnknownMerge = NOT_FOUND "unknown-merge" "The id is not merged into another" "该编号未被合并",
    /// The path exists, the method does not.
    MethodNotAllowed = METHOD_NOT_ALLOWED "method-not-allowed" "The method is not allowed here" "不支持该请求方法",
    /// The answer does not come in a form that the caller accepts.
    NotAcceptable = NOT_ACCEPTABLE "not-acceptable" "No acceptable form exists" "没有可接受的响应格式",
    /// The request took too long to arrive.
    RequestTimeout = REQUEST_TIMEOUT "request-timeout" "The request took too long" "请求超时",
    /// The changes behind the cursor were removed.
    ChangesRemoved = GONE "changes-removed" "The changes are no longer kept" "变更记录已清理",
    /// The result of a job is kept no longer.
    ResultExpired = GONE "result-expired" "The result is no longer kept" "任务结果已过期",
    /// Other tiers came into force since the first page.
    StaleCursor = GONE "stale-cursor" "The list changed over since its first page" "列表已整体更新",
    /// The thing exists already, or changed meanwhile.
    Conflict = CONFLICT "conflict" "The request conflicts with what stands" "请求与现有状态冲突",
    /// The idempotency key belongs to a request whose answer was lost.
    IdempotencyUnanswered = CONFLICT "idempotency-unanswered" "The answer to this request was lost" "该请求的结果已丢失",
    /// The plan is not in a state that allows the step.
    PlanState = CONFLICT "plan-state" "The plan does not allow this step now" "计划当前状态不允许此操作",
    /// The model is not in a state that allows the step.
    ModelState = CONFLICT "model-state" "The model does not allow this step now" "模型当前状态不允许此操作",
    /// The same idempotency key is being worked on.
    IdempotencyInFlight = CONFLICT "idempotency-in-flight" "The same request is being worked on" "相同请求正在处理",
    /// What the caller saw is no longer what stands.
    PreconditionFailed = PRECONDITION_FAILED "precondition-failed" "It changed since it was read" "资源已被修改",
    /// The body or a part of it is larger than allowed.
    TooLarge = PAYLOAD_TOO_LARGE "too-large" "The body is too large" "请求体过大",
    /// The address is longer than allowed.
    UriTooLong = URI_TOO_LONG "uri-too-long" "The address is too long" "请求地址过长",
    /// The body has a form that this operation does not read.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "The body's form is not supported" "不支持的内容类型",
    /// The body is JSON but not what this operation takes.
    InvalidBody = UNPROCESSABLE_ENTITY "invalid-body" "The body has wrong fields" "请求体字段有误",
    /// More items than one request may carry.
    TooManyItems = UNPROCESSABLE_ENTITY "too-many-items" "Too many items in one request" "单次请求条目过多",
    /// The idempotency key was used with another body.
    IdempotencyMismatch = UNPROCESSABLE_ENTITY "idempotency-mismatch" "The idempotency key belongs to another request" "幂等键已用于其他请求",
    /// A rule of the policy refuses it.
    RuleViolated = UNPROCESSABLE_ENTITY "rule-violated" "A rule does not allow this" "违反业务规则",
    /// Changing this needs `If-Match`.
    PreconditionRequired = PRECONDITION_REQUIRED "precondition-required" "Say which version you saw" "需要提供版本条件",
    /// The headers are larger than allowed.
    HeadersTooLarge = REQUEST_HEADER_FIELDS_TOO_LARGE "headers-too-large" "The headers are too large" "请求头过大",
    /// Too many requests.
    TooManyRequests = TOO_MANY_REQUESTS "too-many-requests" "Too many requests" "请求过于频繁",
    /// A failure of ours.
    Internal = INTERNAL_SERVER_ERROR "internal" "Something failed on our side" "服务内部错误",
    /// As many requests are worked on as may be.
    Overloaded = SERVICE_UNAVAILABLE "overloaded" "Too much is being worked on" "服务繁忙",
    /// The request was not answered in time.
    TookTooLong = SERVICE_UNAVAILABLE "took-too-long" "The request took too long to answer" "处理超时",
    /// Not ready to serve, or the store is away.
    Unavailable = SERVICE_UNAVAILABLE "unavailable" "The service is not ready" "服务暂不可用",
}

impl ProblemKind {
    /// The stable `type`.
    pub fn type_uri(self) -> String {
        format!("{TYPE_PREFIX}{}", self.slug())
    }

    /// Where the kind is explained, as a `Link`.
    fn link(self) -> String {
        format!("</docs/problems/{}>; rel=\"describedby\"", self.slug())
    }

    /// The kind for a refusal by the HTTP library, which knows only a status.
    pub(super) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthenticated,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::UnknownRoute,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::NOT_ACCEPTABLE => Self::NotAcceptable,
            StatusCode::REQUEST_TIMEOUT => Self::RequestTimeout,
            StatusCode::GONE => Self::ChangesRemoved,
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Self::HeadersTooLarge,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::URI_TOO_LONG => Self::UriTooLong,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::UNPROCESSABLE_ENTITY => Self::InvalidBody,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            other if other.is_client_error() => Self::BadRequest,
            _ => Self::Internal,
        }
    }
}

/// One thing that is wrong inside a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProblemItem {
    /// JSON Pointer (RFC 6901) into the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "/enterprise_ids/3")]
    pub pointer: Option<String>,
    /// Name of the path part, query parameter or field.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "division")]
    pub field: Option<String>,
    /// Line of the body, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 12)]
    pub line: Option<u64>,
    /// The value as given, shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "2026-02-30")]
    pub value: Option<String>,
    /// What is wrong and what to do.
    #[schema(example = "is not a day of the calendar")]
    pub detail: String,
}

/// The body of every error: a problem as of RFC 9457.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// The kind of problem; stable, for programs.
    #[serde(rename = "type")]
    #[schema(example = "urn:risktier:problem:unknown-enterprise")]
    pub r#type: String,
    /// The kind of problem; the same for every problem of a kind, in the language asked for.
    #[schema(example = "The enterprise is not in the register")]
    pub title: &'a str,
    /// The HTTP status.
    #[schema(example = 404, minimum = 400, maximum = 599)]
    pub status: u16,
    /// What happened this time and what to do.
    #[schema(example = "`91990000MA00000017` is not in the register; import it first")]
    pub detail: &'a str,
    /// The request id, which the log knows too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")]
    pub instance: Option<&'a str>,
    /// What is wrong inside the request.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub errors: &'a [ProblemItem],
    /// Ids and other members of the kind.
    #[serde(flatten)]
    #[schema(ignore)]
    pub members: &'a BTreeMap<&'static str, serde_json::Value>,
}

/// An answer that is a problem; return it as the error of a handler.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: ProblemKind,
    detail: Cow<'static, str>,
    // Boxed, because handlers return problems by value beside small answers.
    more: Box<More>,
}

#[derive(Clone, Debug, Default)]
struct More {
    errors: Vec<ProblemItem>,
    members: BTreeMap<&'static str, serde_json::Value>,
    headers: Vec<(header::HeaderName, String)>,
    cause: Option<String>,
}

impl Problem {
    /// A problem of `kind`; `detail` says what happened and what to do, as a lower-case fragment.
    pub fn new(kind: ProblemKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            more: Box::default(),
        }
    }

    /// A failure of ours. The caller reads one fixed sentence; `cause` goes to the log with the request id.
    pub fn internal(cause: impl fmt::Display) -> Self {
        let mut problem = Self::new(ProblemKind::Internal, INTERNAL_DETAIL);
        problem.more.cause = Some(cause.to_string());
        problem
    }

    /// Adds one thing that is wrong inside the request.
    #[must_use]
    pub fn with_item(mut self, item: ProblemItem) -> Self {
        self.more.errors.push(item);
        self
    }

    /// Adds things that are wrong inside the request.
    #[must_use]
    pub fn with_items(mut self, items: impl IntoIterator<Item = ProblemItem>) -> Self {
        self.more.errors.extend(items);
        self
    }

    /// Adds a member such as `enterprise_id`.
    #[must_use]
    pub fn with_member(mut self, name: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.more.members.insert(name, value.into());
        self
    }

    /// Adds a response header such as `Allow` or `Retry-After`.
    #[must_use]
    pub fn with_header(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.more.headers.push((name, value.into()));
        self
    }

    /// Keeps a cause for the log.
    #[must_use]
    pub fn with_cause(mut self, cause: impl fmt::Display) -> Self {
        self.more.cause = Some(cause.to_string());
        self
    }

    /// Its kind.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// What only the log may know.
    pub(super) fn cause(&self) -> Option<&str> {
        self.more.cause.as_deref()
    }

    /// The whole response.
    pub(super) fn render(&self, language: Language, instance: Option<&str>) -> HttpResponse {
        let status = self.kind.status();
        let body = ProblemBody {
            r#type: self.kind.type_uri(),
            title: self.kind.title(language),
            status: status.as_u16(),
            detail: &self.detail,
            instance,
            errors: &self.more.errors,
            members: &self.more.members,
        };
        let mut response = HttpResponse::build(status);
        response
            .content_type(CONTENT_TYPE)
            .insert_header((header::CONTENT_LANGUAGE, language.tag()))
            .insert_header((header::LINK, self.kind.link()));
        for (name, value) in &self.more.headers {
            response.insert_header((name.clone(), value.as_str()));
        }
        // Texts and numbers always serialise.
        response.body(serde_json::to_string(&body).unwrap_or_default())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.slug(), self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.kind.status()
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        self.render(Language::English, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_has_its_own_type_and_titles_and_an_error_status() {
        let slugs: BTreeSet<_> = ProblemKind::ALL.iter().map(|kind| kind.slug()).collect();
        assert_eq!(slugs.len(), ProblemKind::ALL.len());
        for kind in ProblemKind::ALL {
            assert!(kind.status().is_client_error() || kind.status().is_server_error());
            assert!(kind.title(Language::English).is_ascii());
            assert!(!kind.title(Language::Chinese).is_ascii());
            assert!(
                kind.slug()
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-')
            );
        }
    }

    #[test]
    fn a_failure_of_ours_does_not_tell_its_cause() {
        let problem = Problem::internal("disk full at /var/lib");
        assert!(!problem.to_string().contains("disk"));
        assert_eq!(problem.cause(), Some("disk full at /var/lib"));
    }
}
