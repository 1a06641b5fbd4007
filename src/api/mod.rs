//! Layer 4: the HTTP interface and its contract.
//!
//! A handler takes in, calls one function of the service, gives out. Every refusal is a problem (RFC 9457) made in one
//! place. The server and the OpenAPI document come from the same registration, so they cannot differ. Nothing here
//! decides a tier or a draw, and no public answer shows a tier without having been asked for one.

mod accept;
mod address;
mod coding;
mod conditional;
mod context;
mod contract;
mod cursor;
mod download;
mod dto;
mod examples;
mod extract;
mod guards;
mod handlers;
mod idempotency;
mod language;
mod optional;
mod problem;
mod problems_page;
mod responses;
mod server;
mod state;
mod tier_json;
mod trace;
mod upload;

use actix_web::App;
use utoipa_actix_web::AppExt;
use utoipa_actix_web::service_config::ServiceConfig;

pub use context::{REQUEST_ID, RequestId};
pub use extract::Body;
pub use language::Language;
pub use problem::{Problem, ProblemBody, ProblemItem, ProblemKind};
pub use server::{ApiServer, StartError};
pub use state::{AppState, Readiness, ReadinessCheck};

/// Registers every operation, for the server and for the document alike.
pub fn routes(config: &mut ServiceConfig) {
    config
        // Routes are tried in their order, one expression after the other: what is asked for thousands of times a second
        // comes first.
        .service(handlers::tiers::get_enterprise_tier)
        .service(handlers::tiers::lookup_tiers)
        .service(handlers::ops::get_health)
        .service(handlers::ops::get_readiness)
        .service(handlers::ops::get_metrics)
        .service(handlers::ops::get_openapi)
        .service(handlers::imports::import_enterprises)
        .service(handlers::enterprises::list_enterprises)
        .service(handlers::enterprises::put_enterprise)
        .service(handlers::enterprises::get_enterprise)
        .service(handlers::enterprises::list_enterprise_records)
        .service(handlers::decisions::merge_enterprise)
        .service(handlers::decisions::undo_merge)
        .service(handlers::decisions::list_enterprise_merges)
        .service(handlers::decisions::list_enterprise_acts)
        .service(handlers::imports::list_imports)
        .service(handlers::imports::get_import)
        .service(handlers::imports::list_import_errors)
        .service(handlers::exports::get_tiers_export)
        .service(handlers::tiers::get_tier_explanation)
        .service(handlers::history::get_tier_history)
        .service(handlers::decisions::propose_override)
        .service(handlers::decisions::approve_override)
        .service(handlers::decisions::end_override)
        .service(handlers::decisions::list_overrides)
        .service(handlers::records::create_records)
        .service(handlers::set_aside::list_set_aside_records)
        .service(handlers::imports::import_records)
        .service(handlers::records::repair_record)
        .service(handlers::records::withdraw_record)
        .service(handlers::records::end_record)
        .service(handlers::records::correct_record)
        .service(handlers::records::get_record)
        .service(handlers::objections::file_objection)
        .service(handlers::objections::list_objections)
        .service(handlers::objections::get_objection)
        .service(handlers::objections::examine_objection)
        .service(handlers::objections::decide_objection)
        .service(handlers::tier_pages::list_tiers)
        .service(handlers::tiers::score_tier)
        .service(handlers::changes::list_tier_changes)
        .service(handlers::alerts::list_tier_alerts)
        .service(handlers::migrations::get_tier_migrations)
        .service(handlers::summary::get_tier_summary)
        .service(handlers::jobs::reclassify_register)
        .service(handlers::jobs::list_jobs)
        .service(handlers::jobs::get_job)
        .service(handlers::job_events::get_job_events)
        .service(handlers::jobs::cancel_job)
        .service(handlers::items::import_items)
        .service(handlers::items::create_items)
        .service(handlers::items::list_items)
        .service(handlers::items::put_item)
        .service(handlers::items::get_item)
        .service(handlers::items::list_item_versions)
        .service(handlers::ledger::enter_visits)
        .service(handlers::ledger::list_visits)
        .service(handlers::ledger::get_ledger_summary)
        .service(handlers::ledger::note_visit)
        .service(handlers::ledger::get_enterprise_ledger)
        .service(handlers::simulation::simulate_policy)
        .service(handlers::policies::list_policies)
        .service(handlers::policies::create_policy)
        .service(handlers::policies::list_policies_history)
        .service(handlers::policies::verify_policies_history)
        .service(handlers::policies::get_policy)
        .service(handlers::policies::get_policy_file)
        .service(handlers::policies::activate_policy)
        .service(handlers::simulation::get_plan_rate)
        .service(handlers::model_jobs::get_job_result)
        .service(handlers::model_jobs::get_job_report)
        .service(handlers::models::list_models)
        .service(handlers::models::create_model)
        .service(handlers::models::get_live_model)
        .service(handlers::models::list_models_history)
        .service(handlers::models::verify_models_history)
        .service(handlers::models::roll_back_model)
        .service(handlers::model_jobs::import_training_table)
        .service(handlers::model_jobs::train_model)
        .service(handlers::model_jobs::measure_drift)
        .service(handlers::model_jobs::list_drift)
        .service(handlers::models::get_model)
        .service(handlers::models::get_model_artefact)
        .service(handlers::models::get_model_report)
        .service(handlers::models::get_model_card)
        .service(handlers::models::list_model_changes)
        .service(handlers::model_jobs::get_model_shadow)
        .service(handlers::model_jobs::evaluate_model)
        .service(handlers::model_jobs::compare_model)
        .service(handlers::model_jobs::validate_model)
        .service(handlers::models::approve_model)
        .service(handlers::models::shadow_model)
        .service(handlers::models::promote_model)
        .service(handlers::models::retire_model)
        .service(handlers::webhooks::create_webhook)
        .service(handlers::webhooks::list_webhooks)
        .service(handlers::webhooks::get_webhook)
        .service(handlers::webhooks::delete_webhook)
        .service(handlers::webhooks::ping_webhook)
        .service(handlers::webhooks::resume_webhook)
        .service(handlers::frames::create_frame)
        .service(handlers::frames::list_frames)
        .service(handlers::frames::get_frame)
        .service(handlers::frames::get_frame_file)
        .service(handlers::plans::preview_plan)
        .service(handlers::plans::create_plan)
        .service(handlers::plans::list_plans)
        .service(handlers::plans::get_plan)
        .service(handlers::plans::list_plan_strata)
        .service(handlers::plan_steps::freeze_plan)
        .service(handlers::plan_steps::draw_plan)
        .service(handlers::plan_steps::close_plan)
        .service(handlers::plan_steps::void_plan)
        .service(handlers::plan_steps::verify_plan)
        .service(handlers::plan_steps::list_plan_history)
        .service(handlers::plan_proofs::verify_plan_chain)
        .service(handlers::plan_proofs::replace_plan_object)
        .service(handlers::plan_proofs::list_plan_replacements)
        .service(handlers::plan_proofs::get_plan_membership)
        .service(handlers::plan_proofs::verify_membership)
        .service(handlers::plan_groups::create_plan_group)
        .service(handlers::plan_groups::list_plan_groups)
        .service(handlers::plan_groups::get_plan_group)
        .service(handlers::plan_groups::list_plan_group_plans)
        .service(handlers::plan_groups::seal_plan_group)
        .service(handlers::plan_groups::open_plan_group)
        .service(handlers::plan_groups::void_plan_group)
        .service(handlers::plan_groups::list_plan_group_history)
        .service(handlers::plan_files::get_plan_sample)
        .service(handlers::plan_files::get_plan_pool)
        .service(handlers::plan_files::get_plan_transcript)
        .service(handlers::sheets::get_plan_sheet)
        .service(handlers::joint::preview_joint_plan)
        .service(handlers::joint::create_joint_plan)
        .service(handlers::joint::get_joint_plan)
        .service(handlers::joint::list_joint_visits)
        .service(handlers::joint::close_joint_visits)
        .service(handlers::calendars::create_calendar)
        .service(handlers::calendars::list_calendars)
        .service(handlers::calendars::get_calendar)
        .service(handlers::calendars::create_calendar_edition)
        .service(handlers::calendars::list_calendar_visits)
        .service(handlers::calendars::close_calendar_visits)
        .service(handlers::calendars::get_calendar_object)
        .service(handlers::calendars::get_calendar_file);
}

/// The OpenAPI 3.1 document of [`routes`].
pub fn openapi() -> utoipa::openapi::OpenApi {
    let (_, document) = App::new()
        .into_utoipa_app()
        .openapi(contract::base())
        .configure(routes)
        .split_for_parts();
    contract::complete(document)
}

/// The document as it is committed: pretty, with a final line break.
pub fn openapi_json() -> String {
    // A document of texts, numbers and lists always serialises.
    let mut text = openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
