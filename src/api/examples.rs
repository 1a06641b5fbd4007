//! The examples of the contract that several operations share.

use serde_json::{Value, json};

pub(super) const ENTERPRISE_ID: &str = "91990000MA00000017";
const IMPORT_ID: &str = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a12";
pub(super) const OVERRIDE_ID: &str = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11";
pub(super) const FRAME_ID: &str = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11";
pub(super) const PLAN_ID: &str = "rtp1-0123456789abcdef0123456789abcdef";
const DIGEST: &str = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728";

pub(super) const MODEL_ID: &str = DIGEST;

/// A model in a state.
pub(super) fn model(state: &str) -> Value {
    json!({
        "model_id": MODEL_ID, "number": 2, "name": "retrained", "version": 1, "state": state,
        "author": "analyst-3", "added_at": "2026-11-22T08:00:00Z"
    })
}

pub(super) fn model_detail() -> Value {
    let mut detail = model("validated");
    let more = json!({
        "manifest": {"origin": "trained"}, "indicator_count": 18, "pair_count": 3, "vector_count": 412,
        "kinds": [{"kind": "individual_business", "name": "shops", "version": 1, "indicator_count": 12}],
        "validation": {
            "on": "2026-11-22", "as_of": "2026-06-30", "by": "analyst-3", "against": MODEL_ID,
            "outcome": "E or B at the first inspection after it", "passed": true, "forced": false,
            "gates": [{
                "gate": "guard.mix_shift", "state": "holds", "value": 0.04, "may_force": true,
                "limit": "stability index of the register's tier mix against the live model below 0.25"
            }]
        }
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        add(&mut detail, name, value.clone());
    }
    detail
}

/// A policy that is in force, or is not.
pub(super) fn policy(is_in_force: bool) -> Value {
    json!({
        "policy_id": DIGEST, "number": 2, "name": "cn-general", "version": 2, "author": "analyst-3",
        "added_at": "2026-11-22T08:00:00Z", "is_in_force": is_in_force
    })
}

pub(super) fn policy_change() -> Value {
    json!({
        "seq": 4, "at": "2026-11-22T08:00:30.125Z", "policy_id": DIGEST, "what": "activation_asked",
        "by": "head-2", "reason": "minutes of 2026-11-20", "previous": DIGEST, "digest": DIGEST
    })
}

pub(super) fn model_change() -> Value {
    json!({
        "seq": 7, "at": "2026-11-22T08:00:30.125Z", "model_id": MODEL_ID, "what": "promoted",
        "from_state": "approved", "to_state": "live", "by": "director-1", "reason": "minutes of 2026-11-20",
        "is_forced": false, "live_after": MODEL_ID, "job_id": "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11",
        "previous": DIGEST, "digest": DIGEST
    })
}

pub(super) fn live_model() -> Value {
    json!({
        "model_id": MODEL_ID, "number": 4, "epoch": "0123456789abcdef",
        "files_id": "0123456789abcdef0123456789abcdef", "since": "2026-11-22T08:00:30.125Z"
    })
}

pub(super) fn drift() -> Value {
    json!({
        "number": 3, "model_id": MODEL_ID, "as_of": "2026-11-01", "at": "2026-11-01T02:00:00Z", "is_alert": false,
        "report": {"format": "risktier-register-drift/1"}
    })
}

/// A job beside the runs.
pub(super) fn task(kind: &str) -> Value {
    json!({
        "job_id": "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11", "number": 4, "kind": kind, "state": "queued",
        "cause": "demand", "phase": "work", "as_of": "2026-11-22", "total_count": 0, "scanned_count": 0,
        "finished_count": 0, "percent": 0.0, "requested_at": "2026-11-22T08:00:00Z"
    })
}

pub(super) fn enterprise_input() -> Value {
    json!({
        "name": "Example Foods Ltd", "division": "990102", "industry": "F5212", "established_on": "2015-03-02",
        "status": "active", "size": "small", "tags": ["食品生产"]
    })
}

pub(super) fn enterprise() -> Value {
    json!({
        "enterprise_id": ENTERPRISE_ID, "id_check": "valid", "name": "Example Foods Ltd", "kind": "enterprise",
        "division": "990102", "industry": "F5212", "established_on": "2015-03-02", "status": "active",
        "size": "small", "tags": ["食品生产"], "attributes": {}, "revision": 1
    })
}

pub(super) fn record_input() -> Value {
    json!({
        "source": "penalties", "record_id": "P-2026-0042", "enterprise_id": ENTERPRISE_ID, "kind": "penalty",
        "occurred_on": "2026-10-05", "severity": "general", "amount_cny": 50000.0
    })
}

pub(super) fn record() -> Value {
    json!({
        "source": "penalties", "record_id": "P-2026-0042", "enterprise_id": ENTERPRISE_ID, "kind": "penalty",
        "occurred_on": "2026-10-05", "severity": "general", "amount_cny": 50000.0, "codes": [],
        "known_on": "2026-10-09"
    })
}

pub(super) fn import_report() -> Value {
    json!({
        "import_id": IMPORT_ID, "row_count": 3, "created_count": 1, "updated_count": 0, "unchanged_count": 1,
        "set_aside_count": 0, "refused_count": 1, "resumed_count": 0, "errors": [{
            "line": 3, "field": "established_on", "value": "2026-02-30", "reason": "is not a day of the calendar"
        }]
    })
}

pub(super) fn import() -> Value {
    json!({
        "import_id": IMPORT_ID, "kind": "records", "file": "records.csv", "state": "finished",
        "all_or_nothing": false, "started_at": "2026-11-22T08:00:00Z", "noted_at": "2026-11-22T08:00:05Z",
        "row_count": 3, "created_count": 1, "updated_count": 0, "unchanged_count": 1, "set_aside_count": 0,
        "refused_count": 1
    })
}

pub(super) fn import_errors() -> Value {
    json!({
        "items": [{
            "line": 3, "field": "established_on", "value": "2026-02-30", "reason": "is not a day of the calendar"
        }],
        "dropped_count": 0
    })
}

pub(super) fn tier() -> Value {
    json!({
        "enterprise_id": ENTERPRISE_ID, "tier": "B", "points": 120, "as_of": "2026-11-22",
        "next_change_on": "2026-12-01", "epoch": "0123456789abcdef", "revision": 2
    })
}

pub(super) fn explanation() -> Value {
    json!({
        "enterprise_id": ENTERPRISE_ID, "tier": "B", "scored_tier": "B", "points": 120, "as_of": "2026-11-22",
        "decay_as_of": "2026-11-01", "next_change_on": "2026-12-01",
        "reasons": [{
            "step": "points", "code": "penalty_count", "value": 1.0, "points": 40,
            "records": [{"source": "penalties", "record_id": "P-2026-0042"}],
            "text": {"zh": "行政处罚次数：1", "en": "administrative penalties: 1"}
        }],
        "files": files(), "epoch": "0123456789abcdef", "scorecard": "default/1", "policy": "cn-general/1"
    })
}

/// An override in a state.
pub(super) fn override_of(state: &str) -> Value {
    let mut shown = json!({
        "override_id": OVERRIDE_ID, "enterprise_id": ENTERPRISE_ID, "state": state, "tier": "D",
        "reason": "food-safety incident under investigation", "proposed_by": "officer-17",
        "proposed_on": "2026-11-22", "lapses_on": "2026-12-22", "from_on": "2026-11-22", "expires_on": "2027-01-31"
    });
    if state != "proposed" {
        add(&mut shown, "approved_by", "officer-23".into());
        add(&mut shown, "approved_on", "2026-11-22".into());
    }
    if state == "ended" {
        add(&mut shown, "ended_by", "officer-17".into());
        add(&mut shown, "ended_on", "2026-12-20".into());
        add(&mut shown, "end_reason", "the investigation is over".into());
    }
    shown
}

/// An objection in a state.
pub(super) fn objection(state: &str) -> Value {
    let mut shown = json!({
        "objection_id": OVERRIDE_ID, "state": state, "overdue": false, "source": "penalties",
        "record_id": "P-2026-0042", "enterprise_id": ENTERPRISE_ID, "filed_by": "legal-representative",
        "reason": "the penalty concerns another firm of the same name", "filed_on": "2026-11-20",
        "accept_by": "2026-11-27"
    });
    if state != "filed" {
        add(&mut shown, "examined_by", "officer-17".into());
        add(&mut shown, "examined_on", "2026-11-23".into());
        add(
            &mut shown,
            "freeze_reason",
            "the file is asked for at the court".into(),
        );
        add(&mut shown, "decide_by", "2026-12-21".into());
        add(&mut shown, "frozen_tier", "B".into());
    }
    if state == "upheld" {
        add(&mut shown, "decided_by", "officer-23".into());
        add(&mut shown, "decided_on", "2026-12-02".into());
        add(
            &mut shown,
            "decision_reason",
            "the registry confirms the mistake".into(),
        );
        add(&mut shown, "remedy", "withdrawn".into());
    }
    shown
}

pub(super) fn merge() -> Value {
    json!({
        "merge_id": OVERRIDE_ID, "enterprise_id": ENTERPRISE_ID, "into_id": "91990000MA00000025",
        "reason": "the credit code changed", "made_by": "officer-17", "made_on": "2026-11-22",
        "from_on": "2026-11-22"
    })
}

fn add(shown: &mut Value, name: &str, value: Value) {
    if let Some(members) = shown.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

fn files() -> Value {
    json!({"number": 2, "from_on": "2026-11-01", "files_id": DIGEST, "statistics": DIGEST, "why": "in_force"})
}

pub(super) fn tier_history() -> Value {
    json!({
        "enterprise_id": ENTERPRISE_ID,
        "items": [
            {"tier": "B", "points": 120, "from_on": "2026-10-09", "epoch": "0123456789abcdef",
                "brought_by": [{"what": "record", "subject": "penalties/P-2026-0042"}]},
            {"tier": "A", "points": 20, "from_on": "2026-09-01", "until_on": "2026-10-09",
                "epoch": "0123456789abcdef", "brought_by": [{"what": "first"}]}
        ],
        "overrides": [], "objections": [], "merges": []
    })
}

pub(super) fn alerts() -> Value {
    json!({
        "items": [{
            "seq": 108, "kind": "worsened", "enterprise_id": ENTERPRISE_ID, "on": "2026-10-09", "from_tier": "A",
            "tier": "B", "points": 120, "noted_at": "2026-10-09T08:00:00Z"
        }],
        "next_cursor": "5f1d0c6ba3e84297313038"
    })
}

pub(super) fn migrations() -> Value {
    let tiers = ["A", "B", "C", "D"];
    let moves: Vec<Value> = tiers
        .iter()
        .flat_map(|from| tiers.iter().map(move |to| (from, to)))
        .map(|(from, to)| json!({"from": from, "to": to, "count": if from == to { 90 } else { 3 }}))
        .collect();
    let each = |count: u64| -> Vec<Value> {
        tiers
            .iter()
            .map(|tier| json!({"tier": tier, "count": count}))
            .collect()
    };
    json!({"from": "2026-10-31", "to": "2026-11-22", "moves": moves, "new": each(2), "gone": each(0)})
}

pub(super) fn tier_summary() -> Value {
    json!({
        "by": "division",
        "items": [{
            "name": "990100", "stale_count": 0,
            "tiers": [
                {"tier": "A", "count": 60, "share": 0.6}, {"tier": "B", "count": 25, "share": 0.25},
                {"tier": "C", "count": 10, "share": 0.1}, {"tier": "D", "count": 5, "share": 0.05}
            ]
        }]
    })
}

pub(super) fn frame() -> Value {
    json!({
        "frame_id": FRAME_ID, "number": 1, "as_of": "2026-11-22", "frozen_at": "2026-11-22T08:00:00Z",
        "epoch": "0123456789abcdef", "model_digest": DIGEST, "policy_digest": DIGEST, "frame_digest": DIGEST,
        "object_count": 20000, "tiers": {"A": 12000, "B": 6000, "C": 1500, "D": 500},
        "complaint_bands": {"none": 19700, "some": 300}
    })
}

pub(super) fn job() -> Value {
    json!({
        "job_id": FRAME_ID, "number": 3, "kind": "reclassify", "state": "running", "cause": "demand",
        "phase": "scan", "as_of": "2026-11-22", "total_count": 5_000_000, "scanned_count": 2_600_000,
        "finished_count": 0, "percent": 41.6, "rows_per_second": 190_000.0, "seconds_left": 19,
        "requested_at": "2026-11-22T08:00:00Z", "started_at": "2026-11-22T08:00:01Z"
    })
}

pub(super) fn plan_input() -> Value {
    json!({
        "frame_id": FRAME_ID, "title": "Food safety, first quarter",
        "period": {"from": "2027-01-01", "to": "2027-03-31"},
        "filter": {"division": "990100", "industry": "F52"}, "visits": 40
    })
}

pub(super) fn preview() -> Value {
    json!({"outlook": outlook(), "strata": [stratum()]})
}

fn outlook() -> Value {
    json!({
        "pool_size": 500, "excluded": [{"reason": "status_revoked", "count": 12}], "expected_visits": 40.0,
        "exploration_n": 0, "overall_annual_rate": 0.031,
        "tiers": [{"tier": "B", "objects": 500, "expected_visits": 40.0, "inclusion_probability": 0.08,
            "expected_half_width": 0.149}],
        "divisions": {"990102": 40.0}, "warnings": [], "item_class": "general", "inspector_days": 40.0,
        "year": {"year": 2027, "object_count": 20000, "planned_count": 580, "rate_with_plan": 0.031,
            "floor": 0.03, "ceiling": 0.05},
        "overlaps": [], "limits": []
    })
}

pub(super) fn stratum() -> Value {
    json!({
        "key": "S001", "tier": "B", "division": "990102", "complaint_band": "none",
        "rate": {
            "tier_rate_ppb": 100_000_000, "band_multiplier_milli": 1000, "tag_multiplier_milli": 1000,
            "rate_ppb": 25_000_000
        },
        "objects": 500, "target_ppb": 40_000_000_000_u64, "reserve": 8, "inclusion_probability": 0.08
    })
}

/// A plan in a state, as far as that state has come.
pub(super) fn plan(state: &str) -> Value {
    let reached = |least: &str| {
        let order = ["draft", "frozen", "drawn", "closed"];
        let place = |name: &str| order.iter().position(|one| *one == name).unwrap_or(0);
        place(state) >= place(least)
    };
    let mut plan = json!({
        "plan_id": PLAN_ID, "state": state, "created_at": "2026-11-22T08:05:00Z",
        "request": {
            "frame_id": FRAME_ID, "title": "Food safety, first quarter", "item_class": "general", "items": [],
            "period": {"from": "2027-01-01", "to": "2027-03-31"},
            "filter": {"division": "990100", "industry": "F52", "kinds": [], "sizes": [], "tiers": [], "tags": []},
            "method": "equal", "visits": 40, "allocation": {"by": "rates", "strata": [], "strata_by": ["division"]},
            "rounding": "systematic", "exploration_share": 0.0,
            "reserve_share": 0.2, "hash": "sha256", "committed": [], "public": [], "public_seed": false
        },
        "outlook": outlook()
    });
    let mut add = |name: &str, value: Value| add(&mut plan, name, value);
    if reached("frozen") {
        let frozen = json!({
            "number": 1, "plan_digest": DIGEST, "pool_digest": DIGEST, "pool_root": DIGEST,
            "contributions": [{"name": "server", "commitment": DIGEST}], "insecure": false,
            "frozen_at": "2026-11-22T08:10:00Z"
        });
        add("frozen", frozen);
    }
    if reached("drawn") {
        add("sample_digest", DIGEST.into());
        add("sample_size", 40.into());
        add("drawn_at", "2026-11-22T08:15:00Z".into());
    }
    if reached("closed") {
        add("transcript_digest", DIGEST.into());
        add("closed_at", "2026-11-22T08:20:00Z".into());
    }
    if state == "void" {
        add("void_reason", "the division was merged".into());
    }
    plan
}

pub(super) fn replacement() -> Value {
    json!({
        "number": 1, "enterprise_id": ENTERPRISE_ID, "stratum": "S001", "reason": "ceased",
        "taken": {"enterprise_id": "91990000MA00000025", "order": 41}, "by": "officer-17",
        "at": "2026-12-03T09:00:00Z"
    })
}

pub(super) fn membership() -> Value {
    json!({
        "plan_id": PLAN_ID, "plan_digest": DIGEST, "hash": "sha256", "pool_root": DIGEST,
        "proof": {"id": ENTERPRISE_ID, "blind": DIGEST, "path": [["L", DIGEST], ["R", DIGEST]]}
    })
}

/// A coordinated group in a state.
pub(super) fn plan_group(state: &str) -> Value {
    let mut group = json!({
        "group_id": "2027-q1", "state": state, "title": "Joint checks, first quarter",
        "created_at": "2026-11-22T08:05:00Z", "hash": "sha256",
        "contributions": [{"name": "server", "commitment": DIGEST}], "public_seed": false, "insecure": false,
        "plans": []
    });
    if ["sealed", "opened"].contains(&state) {
        add(&mut group, "sealed_at", "2026-11-22T08:20:00Z".into());
        let plans = json!([{"plan_id": PLAN_ID, "number": 1, "plan_digest": DIGEST}]);
        add(&mut group, "plans", plans);
    }
    if state == "opened" {
        add(&mut group, "opened_at", "2026-12-01T08:00:00Z".into());
    }
    if state == "void" {
        add(&mut group, "void_reason", "the division was merged".into());
    }
    group
}

pub(super) fn plan_list() -> Value {
    json!({"items": [{
        "plan_id": PLAN_ID, "number": 1, "title": "Food safety, first quarter", "state": "closed",
        "created_at": "2026-11-22T08:05:00Z", "frame_id": FRAME_ID, "pool_size": 500, "sample_size": 40
    }]})
}

/// The members of a public transcript, shortened.
pub(super) fn transcript() -> Value {
    json!({
        "assurance": "operator", "commitments": [], "edition": "public", "format": "risktier-transcript/1",
        "plan_digest": DIGEST, "plan_id": PLAN_ID, "pool_root": DIGEST, "selected": []
    })
}

pub(super) fn item_input() -> Value {
    json!({
        "name": "Hygiene of food sale", "class": "general", "published": true, "ratio_cap": 0.05,
        "legal_basis": "Food Safety Law, art. 110", "department": "market-regulation", "levels": ["county"],
        "methods": ["on_site"], "sub_items": ["licence on display", "storage"]
    })
}

pub(super) fn item_entry() -> Value {
    let mut entry = item_input();
    add(&mut entry, "item_code", "SP-0301".into());
    entry
}

pub(super) fn item() -> Value {
    let mut item = item_entry();
    add(&mut item, "version", 1.into());
    add(&mut item, "from_on", "2026-11-22".into());
    item
}

/// A planned visit in a state.
pub(super) fn ledger_visit(state: &str) -> Value {
    let mut visit = json!({
        "visit_no": 17, "enterprise_id": ENTERPRISE_ID, "year": 2027, "kind": "general", "state": state, "slot": 1,
        "from_on": "2027-01-01", "until_on": "2027-03-31", "plan_id": PLAN_ID,
        "departments": ["market-regulation"], "items": ["SP-0301"], "noted_at": "2026-11-22T08:15:00Z"
    });
    if state == "done" {
        add(&mut visit, "visited_on", "2027-02-11".into());
    }
    visit
}

pub(super) fn exempt_visit() -> Value {
    json!({
        "visit_no": 18, "enterprise_id": ENTERPRISE_ID, "year": 2026, "kind": "exempt", "state": "done",
        "from_on": "2026-11-20", "until_on": "2026-11-20", "visited_on": "2026-11-20",
        "departments": ["market-regulation"], "items": [], "reason": "complaint",
        "noted_at": "2026-11-22T08:15:00Z"
    })
}

pub(super) fn enterprise_ledger() -> Value {
    json!({
        "enterprise_id": ENTERPRISE_ID,
        "years": [{"year": 2026, "general_count": 0, "key_count": 0, "exempt_count": 1, "done_count": 1}],
        "visits": [exempt_visit()]
    })
}

pub(super) fn ledger_summary() -> Value {
    json!({
        "year": 2027, "general_count": 620, "key_count": 140, "exempt_count": 33, "done_count": 410,
        "visited_count": 750, "repeat_rate": 0.0137, "joint_share": 0.22, "object_count": 20000,
        "general_rate": 0.031, "floor": 0.03, "ceiling": 0.05
    })
}

pub(super) fn object_rate() -> Value {
    json!({
        "plan_id": PLAN_ID, "enterprise_id": ENTERPRISE_ID, "tier": "C", "complaint_band": "none",
        "complaint_ratio_milli": 900, "upheld_count": 0, "policy": "cn-general/1",
        "steps": [
            {"factor": "tier_rate", "source": "sampling.rates.general.C", "value": 0.15, "rate_ppb": 150_000_000},
            {"factor": "complaint_band", "source": "sampling.complaints.band.none", "value": 1.0,
                "rate_ppb": 150_000_000},
            {"factor": "period", "source": "plan.period (90 days, sampling.rates.general.basis = annual)",
                "value": 0.2466, "rate_ppb": 36_986_301}
        ],
        "rate_ppb": 36_986_301,
        "place": {"state": "in_pool", "stratum": "S003", "object_count": 70, "target_ppb": 2_589_041_070_u64,
            "inclusion_probability": 0.037}
    })
}

pub(super) fn simulation() -> Value {
    let side = |policy: &str, visits: f64| {
        json!({
            "policy": policy, "pool_size": 500, "excluded": [], "expected_visits": visits,
            "inspector_days": visits, "visits_per_thousand": visits * 2.0, "low_risk_share": 0.6,
            "overall_annual_rate": 0.031,
            "tiers": [{"tier": "B", "objects": 500, "expected_visits": visits,
                "inclusion_probability": visits / 500.0, "expected_half_width": 0.149}],
            "divisions": {"990102": visits}, "limits": []
        })
    };
    json!({
        "item_class": "general", "object_count": 20000, "current": side("cn-general/1", 40.0),
        "candidate": side("candidate/2", 50.0), "overlap_independent": 4.0, "overlap_most": 40.0,
        "raised_count": 500, "lowered_count": 0, "tier_rules_differ": false
    })
}

pub(super) fn calendar_input() -> Value {
    json!({
        "plan_id": PLAN_ID, "title": "Food producers", "batches": "quarter", "frequency": "food_production",
        "from": "2027-01-01"
    })
}

pub(super) fn calendar() -> Value {
    json!({
        "calendar_id": "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a13", "number": 1, "title": "Food producers",
        "plan_id": PLAN_ID, "plan_digest": DIGEST, "items": ["food-hygiene"], "batches": "quarter",
        "insecure": false, "created_at": "2026-11-22T08:10:00Z", "editions": [edition()]
    })
}

pub(super) fn edition() -> Value {
    json!({
        "edition": 1, "cause": "first", "year": 2027, "from": "2027-01", "made_at": "2026-11-22T08:10:00Z",
        "frame_id": FRAME_ID, "frame_digest": DIGEST, "policy_digest": DIGEST,
        "frequencies": {"A": "1", "B": "2", "C": "3", "D": "4"}, "balance": "visits", "file_digest": DIGEST,
        "object_count": 120, "planned_count": 190, "done_count": 0, "missed_count": 0,
        "batches": [{"batch": "2027-Q1", "from": "2027-01-01", "to": "2027-03-31", "working_days": 64,
            "visit_count": 48, "least_by_division": 15, "most_by_division": 17}]
    })
}

pub(super) fn visit() -> Value {
    json!({
        "enterprise_id": ENTERPRISE_ID, "division": "990102", "visit": 1, "batch": "2027-Q1",
        "from": "2027-01-01", "to": "2027-03-31", "due": "2027-Q1", "state": "planned"
    })
}

pub(super) fn calendar_object() -> Value {
    json!({
        "enterprise_id": ENTERPRISE_ID, "division": "990102", "frequency": "2", "ticket": DIGEST,
        "ticket_phase_ppb": 246_249_636, "phase_ppb": 246_249_636, "from": "2027-01", "visits": [visit()]
    })
}

pub(super) fn joint_input() -> Value {
    json!({
        "group_id": "2027-q1", "title": "Joint checks, first quarter", "frame_id": FRAME_ID,
        "period": {"from": "2027-01-01", "to": "2027-03-31"},
        "rows": [
            {"title": "Food hygiene", "items": ["food-hygiene"], "filter": {"industry": "F52"}},
            {"title": "Fire exits", "items": ["fire-exits"]}
        ]
    })
}

pub(super) fn joint_outlook() -> Value {
    json!({
        "objects": 5000, "separate_visits": 1890.5, "coinciding_visits": 1320.1, "least_visits": 365.2,
        "most_saved": 0.807
    })
}

pub(super) fn joint_plan() -> Value {
    json!({
        "group": plan_group("opened"),
        "rows": [{
            "plan_id": PLAN_ID, "number": 1, "title": "Food hygiene", "items": ["food-hygiene"], "state": "drawn",
            "pool_size": 5000, "sample_size": 40
        }],
        "outlook": joint_outlook(),
        "saving": {"separate_visits": 1890, "joint_visits": 391, "shared_visits": 350, "saved": 0.793}
    })
}

pub(super) fn joint_visit() -> Value {
    json!({
        "enterprise_id": ENTERPRISE_ID, "items": ["fire-exits", "food-hygiene"], "plan_ids": [PLAN_ID]
    })
}

/// A part of the feed of changes.
pub(super) fn changes() -> Value {
    json!({
        "items": [
            {"number": 107, "kind": "epoch", "is_whole": true, "on": "2026-11-22", "epoch": "0123456789abcdef",
                "noted_at": "2026-11-22T08:00:00Z"},
            {"number": 108, "kind": "tier", "enterprise_id": ENTERPRISE_ID, "from_tier": "B", "tier": "D", "points": 420,
                "on": "2026-11-22", "epoch": "0123456789abcdef", "noted_at": "2026-11-22T08:00:00Z"}
        ],
        "next_cursor": "5f1d0c6ba3e84297313038", "is_current": true
    })
}

/// A webhook.
pub(super) fn webhook() -> Value {
    json!({
        "webhook_id": "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a21", "url": "https://draw.example.gov.cn/hooks/tiers",
        "state": "active", "taken_number": 107, "waiting_count": 1, "failure_count": 0, "last_status": 204,
        "attempted_at": "2026-11-22T08:00:00Z", "created_at": "2026-11-20T08:00:00Z"
    })
}
