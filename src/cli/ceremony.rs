//! `risktier ceremony`: the steps of a plan one by one.

use clap::{Args, Subcommand};
use std::path::PathBuf;

use super::compose::{CommonFlags, service};
use super::contributions::OpenedFlags;
use super::events::{AskerFlags, show_events};
use super::exit::{Ended, ExitCode};
use super::output::{OutputFormat, Table, print_json, print_table};
use super::pages::every;
use super::persons::fault;
use super::plan::{put_sample, write_files};
use super::progress::watched;
use super::verify::show_verification;
use crate::domain::{ReplaceReason, field};
use crate::service::{Entropy, PlanView, ReplaceRequest, Replacement, person};
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
    /// Freeze a draft: pool, targets and commitments are fixed under the next number.
    Freeze {
        /// Id of the plan.
        plan_id: String,
        #[command(flatten)]
        asker: AskerFlags,
    },
    /// Draw a frozen plan, once.
    Draw {
        /// Id of the plan.
        plan_id: String,
        #[command(flatten)]
        opened: OpenedFlags,
        #[command(flatten)]
        asker: AskerFlags,
    },
    /// Close a drawn plan: its transcript becomes final and is chained.
    Close {
        /// Id of the plan.
        plan_id: String,
        /// Folder for plan.json, pool.tsv, sample.tsv and the transcripts; default: none.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        #[command(flatten)]
        asker: AskerFlags,
    },
    /// Give up a plan that is not closed; it stays visible.
    Void {
        /// Id of the plan.
        plan_id: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        asker: AskerFlags,
    },
    /// Replace a drawn object by the next of its stratum's reserve.
    Replace {
        /// Id of the plan.
        plan_id: String,
        /// Id of the enterprise that is not visited.
        enterprise_id: String,
        /// Why: ceased, not_found, moved_out, cap_reached, gap_not_over, not_concerned, under_investigation,
        /// force_majeure or other.
        #[arg(long, value_name = "CODE")]
        reason: ReplaceReason,
        /// What the code does not say; needed for other; default: none.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// Who says so: an id or role at the office, never a private name.
        #[arg(long, value_name = "PERSON")]
        by: String,
    },
    /// Write the drawn objects of a plan with their inclusion probabilities and design weights, and who took whose place.
    Sample {
        /// Id of the plan.
        plan_id: String,
        /// The file: CSV, NDJSON, Parquet or TSV (the normative form: what was drawn) by its name, also .gz or .zst.
        #[arg(long, value_name = "FILE", default_value = "-")]
        out: PathBuf,
    },
    /// List the replacements of a plan in their order.
    Replacements {
        /// Id of the plan.
        plan_id: String,
    },
    /// List what happened to a plan: every step that was taken and every one that was refused, with when, why and by whom.
    History {
        /// Id of the plan.
        plan_id: String,
    },
    /// Show that an enterprise was in the pool of a frozen plan, as JSON for `risktier verify --membership`.
    Membership {
        /// Id of the plan.
        plan_id: String,
        /// Id of the enterprise.
        enterprise_id: String,
        /// Show its stratum, size and salt too: for the enterprise itself and nobody else; default: not.
        #[arg(long)]
        own_row: bool,
    },
    /// Verify the chain over all closed plans of this store.
    VerifyChain,
    /// Show a plan.
    Show {
        /// Id of the plan.
        plan_id: String,
    },
    /// List the plans, latest first.
    List,
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let service = service(&settings, Entropy::System)?;
    let plans = match arguments.what {
        What::Freeze { plan_id, asker } => {
            let by = asker.by()?;
            let freeze = || service.freeze_plan_by(&plan_id, by.as_ref());
            vec![watched("freezing", freeze)?]
        }
        What::Draw {
            plan_id,
            opened,
            asker,
        } => {
            let (opened, by) = (opened.opened()?, asker.by()?);
            let draw = || service.draw_plan_by(&plan_id, opened, by.as_ref());
            vec![watched("drawing", draw)?]
        }
        What::Close {
            plan_id,
            out,
            asker,
        } => {
            let by = asker.by()?;
            let close = || service.close_plan_by(&plan_id, by.as_ref());
            let plan = watched("closing", close)?;
            if let Some(folder) = &out {
                write_files(&service, &plan, folder)?;
            }
            vec![plan]
        }
        What::Void {
            plan_id,
            reason,
            asker,
        } => vec![service.void_plan_by(&plan_id, &reason, asker.by()?.as_ref())?],
        What::History { plan_id } => {
            return show_events(&service.plan_events(&plan_id)?, arguments.format);
        }
        What::Replace {
            plan_id,
            enterprise_id,
            reason,
            note,
            by,
        } => {
            let request = ReplaceRequest {
                enterprise_id: field::enterprise_id("enterprise_id", &enterprise_id)
                    .map_err(fault)?,
                reason,
                note,
                by: person("by", &by).map_err(fault)?,
            };
            let replaced = service.replace_object(&plan_id, &request)?;
            let mut all = vec![replaced.replacement];
            all.extend(replaced.passed_over);
            return show_replacements(&all, arguments.format);
        }
        What::Sample { plan_id, out } => {
            put_sample(&service, &plan_id, &out)?;
            return Ok(ExitCode::Done);
        }
        What::Replacements { plan_id } => {
            return show_replacements(&service.replacements(&plan_id)?, arguments.format);
        }
        What::Membership {
            plan_id,
            enterprise_id,
            own_row,
        } => {
            let id = field::enterprise_id("enterprise_id", &enterprise_id).map_err(fault)?;
            print_json(&service.membership(&plan_id, &id, own_row)?)?;
            return Ok(ExitCode::Done);
        }
        What::VerifyChain => {
            let verification = watched("verifying", || service.verify_chain())?;
            return show_verification(&verification, arguments.format);
        }
        What::Show { plan_id } => vec![service.plan(&plan_id)?],
        What::List => every(|last: Option<&PlanView>, most| {
            let before = last.map(|last| last.plan_id.clone());
            service.plans(before.as_deref(), most)
        })?,
    };
    if arguments.format == OutputFormat::Json {
        print_json(&plans)?;
    } else {
        print_table(&table(&plans), arguments.format)?;
    }
    Ok(ExitCode::Done)
}

fn show_replacements(replacements: &[Replacement], format: OutputFormat) -> Ended {
    if format == OutputFormat::Json {
        print_json(&replacements)?;
        return Ok(ExitCode::Done);
    }
    let mut table = Table::new(&[
        "number",
        "enterprise_id",
        "stratum",
        "reason",
        "taken",
        "order",
        "by",
        "at",
        "note",
    ]);
    for replacement in replacements {
        let taken = replacement.taken.as_ref();
        table.row(vec![
            replacement.number.into(),
            replacement.enterprise_id.clone().into(),
            replacement.stratum.clone().into(),
            replacement.reason.as_str().into(),
            taken.map(|taken| taken.enterprise_id.clone()).into(),
            taken.map(|taken| taken.order).into(),
            replacement.by.to_string().into(),
            replacement.at.clone().into(),
            replacement.note.clone().into(),
        ]);
    }
    print_table(&table, format)?;
    Ok(ExitCode::Done)
}

fn table(plans: &[PlanView]) -> Table {
    let mut table = Table::new(&[
        "plan_id",
        "number",
        "state",
        "title",
        "group",
        "pool",
        "visits",
        "plan_digest",
        "transcript_digest",
    ]);
    for plan in plans {
        let frozen = plan.frozen.as_ref();
        table.row(vec![
            plan.plan_id.clone().into(),
            frozen.map(|frozen| frozen.number).into(),
            plan.state.as_str().into(),
            plan.request.title.clone().into(),
            plan.request.group.clone().into(),
            plan.preview.pool_size.into(),
            plan.sample_size.into(),
            frozen.map(|frozen| frozen.plan_digest.to_string()).into(),
            plan.transcript_digest
                .map(|digest| digest.to_string())
                .into(),
        ]);
    }
    table
}
