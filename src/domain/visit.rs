//! Visits in the ledger: planned, done, or outside the plans.

use jiff::civil::Date;
use std::collections::BTreeSet;

use super::coded::coded_enum;
use super::{EnterpriseId, Label};

coded_enum! {
    /// What a visit counts as.
    VisitKind, "visit kind" {
        /// Planned for general items: caps and gaps bind it.
        General = 1 "general",
        /// Planned for key items: counted, not capped.
        Key = 2 "key",
        /// Outside the plans, for one of the ten reasons: counted, not capped.
        Exempt = 3 "exempt",
    }
}

coded_enum! {
    /// Where a visit stands.
    VisitState, "visit state" {
        /// It is to take place.
        Planned = 1 "planned",
        /// It has taken place.
        Done = 2 "done",
        /// Its plan was given up.
        Void = 3 "void",
        /// Another object is visited instead.
        Replaced = 4 "replaced",
    }
}

coded_enum! {
    /// Why a visit is outside the plans and their caps (a published list of ten, DOMAIN 2.2).
    ExemptReason, "reason of exemption" {
        /// A complaint, report or petition.
        Complaint = 1 "complaint",
        /// Handed over from above or from another authority.
        Transfer = 2 "transfer",
        /// Assistance to another authority.
        Cooperation = 3 "cooperation",
        /// An audit of those who supervise.
        SupervisionAudit = 4 "supervision_audit",
        /// A lead from off-site monitoring.
        MonitoringLead = 5 "monitoring_lead",
        /// Exposure in the media.
        MediaExposure = 6 "media_exposure",
        /// To see whether an order to rectify was followed.
        Rectification = 7 "rectification",
        /// At the enterprise's own request.
        EnterpriseRequest = 8 "enterprise_request",
        /// For a licence.
        Licensing = 9 "licensing",
        /// Another urgent case that the law demands.
        StatutoryUrgent = 10 "statutory_urgent",
    }
}

/// One visit of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Its number in the ledger, from 1; 0 before it is written.
    pub visit_no: u64,
    /// Who is visited.
    pub enterprise_id: EnterpriseId,
    /// The calendar year that it counts in.
    pub year: i16,
    /// What it counts as.
    pub kind: VisitKind,
    /// Where it stands.
    pub state: VisitState,
    /// Its number among the visits for general items to this enterprise in its year, from 1; absent for other kinds,
    /// and where it does not count any more.
    pub slot: Option<u16>,
    /// First day on which it may take place.
    pub from_on: Date,
    /// Last day on which it may take place.
    pub until_on: Date,
    /// When it took place.
    pub visited_on: Option<Date>,
    /// The plan that it belongs to.
    pub plan_id: Option<String>,
    /// Departments that take part.
    pub departments: Vec<Label>,
    /// Codes of the check items.
    pub items: Vec<Label>,
    /// Why it is outside the plans.
    pub reason: Option<ExemptReason>,
    /// A remark.
    pub note: Option<String>,
    /// Who entered it, where they said so.
    pub by: Option<Label>,
    /// When it was entered, RFC 3339.
    pub noted_at: String,
}

impl Visit {
    /// Whether several departments take part.
    pub fn is_joint(&self) -> bool {
        self.departments.len() > 1
    }
}

/// The labels of both lists, each once, in order: what a visit comes to that several plans need.
pub fn united(one: &[Label], other: &[Label]) -> Vec<Label> {
    let all: BTreeSet<&Label> = one.iter().chain(other).collect();
    all.into_iter().cloned().collect()
}
