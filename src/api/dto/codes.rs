//! The closed vocabularies of the contract, each tied to the inner one variant by variant.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::api::language;
use crate::{domain, service};

/// Declares the contract's form of an inner enum and the conversion, which is exhaustive.
macro_rules! mirror {
    ($(#[doc = $doc:literal])* $name:ident of $inner:ty { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub(crate) enum $name { $(#[serde(rename = $text)] $variant),+ }

        // Written out, because the derive does not read names that come through a macro.
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some(concat!($($doc),*).trim()))
                    .enum_values(Some([$($text),+]))
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }

        impl $name {
            /// Its text in the contract.
            #[allow(dead_code, reason = "of most codes serde alone writes the text")]
            pub(crate) const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl From<$inner> for $name {
            fn from(inner: $inner) -> Self {
                match inner { $(<$inner>::$variant => Self::$variant),+ }
            }
        }
    };
}

/// Adds the conversion from the contract to the inside.
macro_rules! taken {
    ($name:ident into $inner:ty { $($variant:ident),+ $(,)? }) => {
        impl From<$name> for $inner {
            fn from(given: $name) -> Self {
                match given { $($name::$variant => <$inner>::$variant),+ }
            }
        }
    };
}

mirror! {
    /// Kind of check object.
    EnterpriseKind of domain::EnterpriseKind {
        Enterprise = "enterprise", IndividualBusiness = "individual_business", Cooperative = "cooperative",
        Institution = "institution", Product = "product", Project = "project", Behaviour = "behaviour",
    }
}
taken! { EnterpriseKind into domain::EnterpriseKind {
    Enterprise, IndividualBusiness, Cooperative, Institution, Product, Project, Behaviour
} }

mirror! {
    /// Registration status; only active and abnormal ones can be visited.
    EnterpriseStatus of domain::EnterpriseStatus {
        Active = "active", Abnormal = "abnormal", Revoked = "revoked", Cancelled = "cancelled", MovedOut = "moved_out",
    }
}

mirror! {
    /// Size class.
    EnterpriseSize of domain::EnterpriseSize {
        Micro = "micro", Small = "small", Medium = "medium", Large = "large", Unknown = "unknown",
    }
}
taken! { EnterpriseSize into domain::EnterpriseSize { Micro, Small, Medium, Large, Unknown } }

mirror! {
    /// What the check character of a credit code says; `opaque` ids are no credit codes.
    IdCheck of domain::IdCheck { Valid = "valid", Failed = "failed", Opaque = "opaque" }
}

mirror! {
    /// What a record is about.
    RecordKind of domain::RecordKind {
        Penalty = "penalty", AbnormalListing = "abnormal_listing",
        SeriousViolationListing = "serious_violation_listing", JudgmentDefault = "judgment_default",
        Complaint = "complaint", Report = "report", Inspection = "inspection", SamplingFailure = "sampling_failure",
        CoerciveMeasure = "coercive_measure", Accident = "accident", AnnualReport = "annual_report",
        PublicityFailure = "publicity_failure", RegistrationChange = "registration_change", Permit = "permit",
        EquityFreeze = "equity_freeze", TaxAbnormal = "tax_abnormal", AdverseMedia = "adverse_media",
        Commendation = "commendation", PromiseBroken = "promise_broken", Link = "link", StopOrder = "stop_order",
    }
}

mirror! {
    /// Severity of a record.
    Severity of domain::Severity { Minor = "minor", General = "general", Serious = "serious" }
}

mirror! {
    /// Credit-risk tier, from A (low) to D (high); no other value will be added. For internal reference only.
    Tier of domain::Tier { A = "A", B = "B", C = "C", D = "D" }
}
taken! { Tier into domain::Tier { A, B, C, D } }

mirror! {
    /// What happened on the day on which a tier came to hold: `elapsed` is nothing of its own, such as the end of a window
    /// or a change of an enterprise that it is linked with.
    CauseKind of service::CauseKind {
        First = "first", Record = "record", Enterprise = "enterprise", Override = "override",
        Objection = "objection", Merge = "merge", Run = "run", Files = "files", Elapsed = "elapsed",
    }
}

mirror! {
    /// What a supervisor should know: a tier got worse, an enterprise came into tier D, complaints began to surge.
    AlertKind of service::AlertKind {
        Worsened = "worsened", EnteredD = "entered_d", ComplaintSurge = "complaint_surge",
    }
}
taken! { AlertKind into service::AlertKind { Worsened, EnteredD, ComplaintSurge } }

mirror! {
    /// What a summary counts by.
    SummaryBy of service::SummaryBy {
        Division = "division", Industry = "industry", Size = "size", Kind = "kind", Tag = "tag",
    }
}
taken! { SummaryBy into service::SummaryBy { Division, Industry, Size, Kind, Tag } }

mirror! {
    /// Step of a classification, in the order in which they act.
    Step of service::Step {
        Points = "points", Missing = "missing", GroupCap = "group_cap", Cutoff = "cutoff",
        DirectRule = "direct_rule", Floor = "floor", Shift = "shift", ColdStart = "cold_start",
        Grade = "grade", Owner = "owner", Freeze = "freeze", Override = "override",
    }
}

mirror! {
    /// What became of a written row.
    Written of service::Written { Created = "created", Updated = "updated", Unchanged = "unchanged", SetAside = "set_aside" }
}

mirror! {
    /// How a year is cut into batches: months, quarters, or the first five working days of each quarter.
    CalendarBatches of service::BatchKind { Month = "month", Quarter = "quarter", QuarterStart = "quarter_start" }
}
taken! { CalendarBatches into service::BatchKind { Month, Quarter, QuarterStart } }

mirror! {
    /// What is level over the batches of a year: visits, or visits per working day.
    CalendarBalance of service::Balance { Visits = "visits", WorkingDays = "working_days" }
}
taken! { CalendarBalance into service::Balance { Visits, WorkingDays } }

mirror! {
    /// Why an edition of a calendar was made: it is the first, a further year, or the rest of the year anew.
    EditionCause of service::EditionCause { First = "first", Year = "year", Rest = "rest" }
}

mirror! {
    /// Where a visit of a calendar stands; `overdue` is one whose batch is over.
    VisitState of service::VisitState { Planned = "planned", Overdue = "overdue", Done = "done" }
}
taken! { VisitState into service::VisitState { Planned, Overdue, Done } }

mirror! {
    /// Class of the check items: `general` ones have bounded ratios, `key` ones concern safety and quality.
    ItemClass of service::ItemClass { General = "general", Key = "key" }
}
taken! { ItemClass into service::ItemClass { General, Key } }

mirror! {
    /// How objects are selected within a stratum.
    Method of service::Method { Equal = "equal", Pareto = "pareto", Order = "order" }
}

mirror! {
    /// How targets become whole numbers.
    Rounding of service::Rounding {
        Systematic = "systematic", LargestRemainder = "largest_remainder", Whole = "whole",
    }
}

mirror! {
    /// The hash of every digest, ticket and sub-key of a plan.
    Hash of domain::digest::HashAlgorithm { Sha256 = "sha256", Sm3 = "sm3" }
}
taken! { Hash into domain::digest::HashAlgorithm { Sha256, Sm3 } }

mirror! {
    /// Where a plan stands.
    PlanState of service::PlanState {
        Draft = "draft", Frozen = "frozen", Drawn = "drawn", Closed = "closed", Void = "void",
    }
}

mirror! {
    /// Where a coordinated group stands: it takes plans, its last plan is frozen, its contributions are opened, or it was
    /// given up.
    GroupState of service::GroupState {
        Forming = "forming", Sealed = "sealed", Opened = "opened", Void = "void",
    }
}

mirror! {
    /// For whom a transcript is: everyone, auditors, or the office that made the plan.
    Edition of service::Edition { Internal = "internal", Auditor = "auditor", Public = "public" }
}
taken! { Edition into service::Edition { Internal, Auditor, Public } }

mirror! {
    /// Where an override stands: it waits for a second person, nobody approved it in time, it was approved and counts or
    /// is to count, its time is over, it was ended early, or it was taken back before it was approved.
    OverrideState of service::OverrideState {
        Proposed = "proposed", Lapsed = "lapsed", Approved = "approved", Expired = "expired", Ended = "ended",
        Withdrawn = "withdrawn",
    }
}
taken! { OverrideState into service::OverrideState { Proposed, Lapsed, Approved, Expired, Ended, Withdrawn } }

mirror! {
    /// Where an objection stands.
    ObjectionState of service::ObjectionState {
        Filed = "filed", Examined = "examined", Upheld = "upheld", Rejected = "rejected",
    }
}
taken! { ObjectionState into service::ObjectionState { Filed, Examined, Upheld, Rejected } }

mirror! {
    /// What became of a record under objection: it stands, was withdrawn, or was corrected.
    Remedy of service::ObjectionOutcome { Rejected = "none", Withdrawn = "withdrawn", Corrected = "corrected" }
}

/// The decision about an objection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RulingWord {
    Upheld,
    Rejected,
}

mirror! {
    /// How an object came into a sample, and whether it still counts: drawn, not visited for a coded reason, or taken from
    /// the reserve in place of another.
    SampleStanding of service::SampleStanding {
        Drawn = "drawn", Replaced = "replaced", Replacement = "replacement",
    }
}

mirror! {
    /// Why a drawn object is not visited.
    ReplaceReason of domain::ReplaceReason {
        Ceased = "ceased", NotFound = "not_found", MovedOut = "moved_out", CapReached = "cap_reached",
        GapNotOver = "gap_not_over", NotConcerned = "not_concerned", UnderInvestigation = "under_investigation",
        ForceMajeure = "force_majeure", Other = "other",
    }
}
taken! { ReplaceReason into domain::ReplaceReason {
    Ceased, NotFound, MovedOut, CapReached, GapNotOver, NotConcerned, UnderInvestigation, ForceMajeure, Other
} }

/// How a plan selects: `equal` draws by stratum with one probability, `pareto` in proportion to size, `order` puts the
/// whole pool in ticket order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PlanMethod {
    #[default]
    Equal,
    Pareto,
    Order,
}
taken! { PlanMethod into service::Method { Equal, Pareto, Order } }

mirror! {
    /// What an object's size is for method `pareto`: the visits that the allocation gives it, its points, or its complaint
    /// ratio to its peers.
    SizeMeasure of service::SizeMeasure {
        Rate = "rate", Points = "points", ComplaintRatio = "complaint_ratio",
    }
}
taken! { SizeMeasure into service::SizeMeasure { Rate, Points, ComplaintRatio } }

mirror! {
    /// What strata may be of beside tier, complaint band and rate: the division or a level above it, the section of the
    /// industry, the kind of object, its size class.
    StratumAttribute of service::StratumAttribute {
        Division = "division", City = "city", Province = "province", Industry = "industry", Kind = "kind", Size = "size",
    }
}
taken! { StratumAttribute into service::StratumAttribute { Division, City, Province, Industry, Kind, Size } }

/// How a plan's targets become whole numbers: at the draw by one random start, before it by largest remainder, or not at
/// all, because they are whole already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PlanRounding {
    #[default]
    Systematic,
    LargestRemainder,
    Whole,
}
taken! { PlanRounding into service::Rounding { Systematic, LargestRemainder, Whole } }

mirror! {
    /// Where a model stands.
    ModelState of service::ModelState {
        Draft = "draft", Validated = "validated", Approved = "approved", Shadow = "shadow", Live = "live",
        Retired = "retired",
    }
}

taken! {
    ModelState into service::ModelState { Draft, Validated, Approved, Shadow, Live, Retired }
}

mirror! {
    /// What happened to a model.
    ModelDeed of service::ModelDeed {
        Registered = "registered", Validated = "validated", Refused = "refused", Approved = "approved",
        Shadowed = "shadowed", PromotionAsked = "promotion_asked", Promoted = "promoted",
        RollbackAsked = "rollback_asked", RolledBack = "rolled_back", Adopted = "adopted",
        Superseded = "superseded", Retired = "retired",
    }
}

mirror! {
    /// What a person did with a policy.
    PolicyDeed of service::PolicyDeed {
        Registered = "registered", ActivationAsked = "activation_asked",
    }
}

mirror! {
    /// The language that a page opens in.
    PageLanguage of language::Language {
        Chinese = "zh", English = "en",
    }
}

mirror! {
    /// How points are fitted: weights of evidence, boosting, or the better of both on held-back rows.
    Fitter of service::Fitter {
        Woe = "woe", Boost = "boost", Auto = "auto",
    }
}

taken! {
    Fitter into service::Fitter { Woe, Boost, Auto }
}

mirror! {
    /// How points become probabilities: by a logistic curve, or by pool-adjacent-violators.
    CalibrationMethod of service::CalibrationMethod { Platt = "platt", Isotonic = "isotonic" }
}

taken! {
    CalibrationMethod into service::CalibrationMethod { Platt, Isotonic }
}

mirror! {
    /// What becomes of inspections that no plan drew: kept apart where plans drew any, counted once, or kept apart.
    Unplanned of service::training::Unplanned {
        Auto = "auto", Count = "count", Apart = "apart",
    }
}

taken! {
    Unplanned into service::training::Unplanned { Auto, Count, Apart }
}

mirror! {
    /// What divides training rows: day and owner, owner alone, or nothing.
    RegisterSplitBy of service::training::SplitBy {
        Day = "day", Group = "group", None = "none",
    }
}

mirror! {
    /// Level of the authority that inspects.
    InspectingLevel of domain::InspectingLevel { Province = "province", City = "city", County = "county" }
}

mirror! {
    /// How an item is inspected.
    InspectionMethod of domain::InspectionMethod {
        OnSite = "on_site", Written = "written", Network = "network", Entrusted = "entrusted",
    }
}

mirror! {
    /// What a visit counts as: only `general` ones are bound by caps and gaps.
    VisitKind of domain::VisitKind { General = "general", Key = "key", Exempt = "exempt" }
}
taken! { VisitKind into domain::VisitKind { General, Key, Exempt } }

mirror! {
    /// Where a visit stands.
    LedgerVisitState of domain::VisitState {
        Planned = "planned", Done = "done", Void = "void", Replaced = "replaced",
    }
}
taken! { LedgerVisitState into domain::VisitState { Planned, Done, Void, Replaced } }

mirror! {
    /// Why a visit is outside the plans and their caps.
    ExemptReason of domain::ExemptReason {
        Complaint = "complaint", Transfer = "transfer", Cooperation = "cooperation",
        SupervisionAudit = "supervision_audit", MonitoringLead = "monitoring_lead",
        MediaExposure = "media_exposure", Rectification = "rectification",
        EnterpriseRequest = "enterprise_request", Licensing = "licensing", StatutoryUrgent = "statutory_urgent",
    }
}
taken! { ExemptReason into domain::ExemptReason {
    Complaint, Transfer, Cooperation, SupervisionAudit, MonitoringLead, MediaExposure, Rectification,
    EnterpriseRequest, Licensing, StatutoryUrgent
} }

mirror! {
    /// What the visits follow: the policy's rates, the spread of the predicted problem probability, or bounds on precision.
    AllocationBy of service::AllocationBy { Rates = "rates", Neyman = "neyman", Precision = "precision" }
}
taken! { AllocationBy into service::AllocationBy { Rates, Neyman, Precision } }

mirror! {
    /// A step of a plan or of a group.
    PlanStep of service::PlanStep {
        Draft = "draft", Freeze = "freeze", Seal = "seal", Open = "open", Draw = "draw", Replace = "replace",
        Close = "close", Void = "void",
    }
}

mirror! {
    /// What the strata of a bound on precision have in common.
    DomainTrait of service::DomainTrait {
        Tier = "tier", ComplaintBand = "complaint_band", Division = "division", City = "city", Province = "province",
        Industry = "industry", Kind = "kind", Size = "size",
    }
}
taken! { DomainTrait into service::DomainTrait { Tier, ComplaintBand, Division, City, Province, Industry, Kind, Size } }

mirror! {
    /// A limit of the policy that a plan touches.
    LimitCode of service::LimitCode {
        RatesAboveCeiling = "rates_above_ceiling", RatesBelowFloor = "rates_below_floor",
        YearAboveCeiling = "year_above_ceiling", YearBelowFloor = "year_below_floor",
        FallsWithRisk = "falls_with_risk",
    }
}

mirror! {
    /// A factor of a rate.
    RateFactor of service::RateFactor {
        TierRate = "tier_rate", ComplaintBand = "complaint_band", Tag = "tag", Period = "period", Floor = "floor",
        LeastRate = "least_rate", ItemCap = "item_cap",
    }
}

mirror! {
    /// What a job does.
    JobKind of service::JobKind {
        Reclassify = "reclassify", Promote = "promote", Rollback = "rollback", Train = "train",
        Evaluate = "evaluate", Compare = "compare", Validate = "validate", Shadow = "shadow", Drift = "drift",
    }
}

mirror! {
    /// Where a job stands; the last three are for good.
    JobState of service::RunState {
        Queued = "queued", Running = "running", Succeeded = "succeeded", Failed = "failed", Cancelled = "cancelled",
    }
}

mirror! {
    /// Why a job was asked for.
    JobCause of service::RunCause { Demand = "demand", Files = "files", Month = "month" }
}
