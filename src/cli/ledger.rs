//! `risktier ledger`: visits over all plans and departments.

use clap::{Args, Subcommand};
use jiff::civil::Date;

use super::compose::{CommonFlags, service};
use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_json, print_table, rounded};
use super::pages::every;
use super::persons::fault;
use crate::domain::{ExemptReason, UnknownCode, Visit, VisitKind, VisitState, field};
use crate::service::{Entropy, ExemptVisit, LedgerFilter, LedgerSummary, label, person};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    common: CommonFlags,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t, global = true)]
    format: OutputFormat,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List visits, latest entry first.
    List {
        /// Only of this year; default: all.
        #[arg(long)]
        year: Option<i16>,
        /// Only of this kind: general, key or exempt; default: all.
        #[arg(long)]
        kind: Option<VisitKind>,
        /// Only in this state: planned, done, void or replaced; default: all.
        #[arg(long)]
        state: Option<VisitState>,
        /// Only of this plan; default: all.
        #[arg(long, value_name = "PLAN_ID")]
        plan: Option<String>,
    },
    /// Show how often one enterprise was disturbed, by whom, and why.
    Show {
        /// Id of the enterprise.
        id: String,
    },
    /// Show a year: repeat rate, share of joint visits, rate of general visits.
    Summary {
        /// The year; default: the present one.
        #[arg(long)]
        year: Option<i16>,
    },
    /// Enter a visit outside the plans.
    Enter {
        /// Id of the enterprise.
        id: String,
        /// The day of the visit.
        #[arg(long, value_name = "DATE")]
        on: Date,
        /// Why: complaint, transfer, cooperation, supervision_audit, monitoring_lead, media_exposure, rectification,
        /// enterprise_request, licensing or statutory_urgent.
        #[arg(long, value_parser = exempt_reason)]
        reason: ExemptReason,
        /// A department that took part; may be given several times; default: none.
        #[arg(long = "department", value_name = "NAME")]
        departments: Vec<String>,
        /// Code of a check item; may be given several times; default: none.
        #[arg(long = "item", value_name = "CODE")]
        items: Vec<String>,
        /// A remark; default: none.
        #[arg(long)]
        note: Option<String>,
        /// Who enters it; default: nobody is named.
        #[arg(long)]
        by: Option<String>,
    },
    /// Note that a planned visit took place.
    Done {
        /// Number of the visit.
        visit_no: u64,
        /// The day of the visit.
        #[arg(long, value_name = "DATE")]
        on: Date,
        /// Who notes it; default: nobody is named.
        #[arg(long)]
        by: Option<String>,
    },
}

fn exempt_reason(text: &str) -> Result<ExemptReason, String> {
    text.parse().map_err(|error: UnknownCode| error.to_string())
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let service = service(&settings, Entropy::System)?;
    let who = |by: Option<String>| by.map(|by| person("--by", &by)).transpose().map_err(fault);
    let visits = match arguments.what {
        What::List {
            year,
            kind,
            state,
            plan,
        } => {
            let filter = LedgerFilter {
                year,
                kind,
                state,
                plan_id: plan,
            };
            every(|last: Option<&Visit>, most| {
                service.visits(&filter, last.map(|last| last.visit_no), most)
            })?
        }
        What::Show { id } => {
            let id = field::enterprise_id("id", &id).map_err(fault)?;
            service.enterprise_ledger(&id)?.visits
        }
        What::Summary { year } => {
            let summary = service.ledger_summary(year)?;
            show_summary(&summary, arguments.format)?;
            return Ok(ExitCode::Done);
        }
        What::Enter {
            id,
            on,
            reason,
            departments,
            items,
            note,
            by,
        } => {
            let labels = |name: &str, texts: &[String]| {
                let texts = texts.iter().map(|text| label(name, text));
                texts.collect::<Result<Vec<_>, _>>()
            };
            service.enter_visits(vec![ExemptVisit {
                enterprise_id: field::enterprise_id("id", &id).map_err(fault)?,
                visited_on: on,
                reason,
                departments: labels("--department", &departments)?,
                items: labels("--item", &items)?,
                note,
                by: who(by)?,
            }])?
        }
        What::Done { visit_no, on, by } => vec![service.note_visit(visit_no, on, who(by)?)?],
    };
    print_table(&visit_table(&visits), arguments.format)?;
    Ok(ExitCode::Done)
}

fn visit_table(visits: &[Visit]) -> Table {
    let mut table = Table::new(&[
        "visit_no",
        "enterprise_id",
        "year",
        "kind",
        "state",
        "slot",
        "from_on",
        "until_on",
        "visited_on",
        "reason",
        "departments",
        "items",
        "plan_id",
    ]);
    let joined = |labels: &[crate::domain::Label]| {
        let texts: Vec<&str> = labels.iter().map(|label| label.as_str()).collect();
        texts.join("|")
    };
    for visit in visits {
        table.row(vec![
            visit.visit_no.into(),
            visit.enterprise_id.to_string().into(),
            visit.year.into(),
            visit.kind.as_str().into(),
            visit.state.as_str().into(),
            visit.slot.into(),
            visit.from_on.to_string().into(),
            visit.until_on.to_string().into(),
            visit.visited_on.map(|day| day.to_string()).into(),
            visit.reason.map(|reason| reason.as_str()).into(),
            joined(&visit.departments).into(),
            joined(&visit.items).into(),
            visit.plan_id.clone().into(),
        ]);
    }
    table
}

fn show_summary(summary: &LedgerSummary, format: OutputFormat) -> Result<(), Failure> {
    if format == OutputFormat::Json {
        return print_json(summary);
    }
    let mut table = Table::new(&[
        "year",
        "general",
        "key",
        "exempt",
        "done",
        "enterprises",
        "repeat_percent",
        "joint_percent",
        "general_percent",
        "floor_percent",
        "ceiling_percent",
    ]);
    table.row(vec![
        summary.year.into(),
        summary.general_count.into(),
        summary.key_count.into(),
        summary.exempt_count.into(),
        summary.done_count.into(),
        summary.visited_count.into(),
        rounded(summary.repeat_rate * 100.0, 2),
        rounded(summary.joint_share * 100.0, 2),
        rounded(summary.general_rate * 100.0, 2),
        rounded(summary.floor * 100.0, 2),
        rounded(summary.ceiling * 100.0, 2),
    ]);
    print_table(&table, format)
}
