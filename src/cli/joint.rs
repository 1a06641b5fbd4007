//! `risktier joint`: rows of several departments and items on shared tickets.

use clap::{Args, Subcommand};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

use super::compose::{CommonFlags, blocking, runtime, service};
use super::contributions::PlannedFlags;
use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_json, print_table, rounded, say};
use super::persons::fault;
use super::plan::Hash;
use super::progress::watched;
use crate::domain::digest::HashAlgorithm;
use crate::service::{
    AllocationRequest, Entropy, Format, GroupRequest, ItemClass, JointOutlook, JointRequest,
    JointView, Method, Period, PlanRequest, PoolFilter, Rounding, Service, Sink, person,
    read_done_notes,
};
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
    /// Show what a joint plan would do: each row, and what merging may save. Draws nothing.
    Preview(Asked),
    /// Make a joint plan and freeze and seal its rows; with --draw, draw and close them too.
    Make {
        #[command(flatten)]
        asked: Asked,
        #[command(flatten)]
        planned: PlannedFlags,
        /// Open, draw and close at once; only the server contributes.
        #[arg(long)]
        draw: bool,
    },
    /// Show a joint plan: its rows, and what merging saved.
    Show {
        /// Id of its group.
        group_id: String,
    },
    /// Write the joint visits: one for each object, with everything that is checked at it.
    Visits {
        /// Id of the group.
        group_id: String,
        /// File: CSV, NDJSON or Parquet by its name; default: CSV on standard output.
        #[arg(long, value_name = "FILE", default_value = "-")]
        out: PathBuf,
    },
    /// Note joint visits as done, in the ledger: a file with the columns enterprise_id and done_on, such as the list of
    /// visits with its column done_on filled in; rows without a day are passed over.
    Done {
        /// Id of the group.
        group_id: String,
        /// CSV, NDJSON or Parquet.
        file: PathBuf,
        /// Who notes it; default: nobody is named.
        #[arg(long)]
        by: Option<String>,
    },
}

#[derive(Debug, Args)]
struct Asked {
    /// The rows: a JSON list of objects with title, item_class, items, filter, method, visits, rounding and
    /// reserve_share; all but the title may be left out.
    rows: PathBuf,
    /// Id of the group, never used before.
    #[arg(long, value_name = "ID", default_value = "joint")]
    group: String,
    /// Title of the joint plan.
    #[arg(long, default_value = "joint checks")]
    title: String,
    /// First day of the visits.
    #[arg(long, value_name = "DATE")]
    from: Date,
    /// Last day of the visits.
    #[arg(long, value_name = "DATE")]
    to: Date,
    /// Hash of the draw.
    #[arg(long, value_enum, default_value_t = Hash::Sha256)]
    hash: Hash,
    /// Freeze the register as of this day; default: the present day.
    #[arg(long, value_name = "DATE")]
    frame_day: Option<Date>,
}

/// One row as the file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    title: String,
    #[serde(default)]
    item_class: Option<ItemClass>,
    #[serde(default)]
    items: Vec<String>,
    #[serde(default)]
    filter: PoolFilter,
    #[serde(default = "equal")]
    method: Method,
    #[serde(default)]
    visits: Option<u64>,
    #[serde(default = "systematic")]
    rounding: Rounding,
    #[serde(default = "a_fifth")]
    reserve_share: f64,
}

fn equal() -> Method {
    Method::Equal
}

fn systematic() -> Rounding {
    Rounding::Systematic
}

fn a_fifth() -> f64 {
    0.2
}

fn read_rows(path: &Path) -> Result<Vec<Row>, Failure> {
    let text = fs::read_to_string(path).map_err(Failure::at(path))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::Other(format!("`{}`: {error}", path.display())))
}

fn request(
    service: &Service,
    asked: &Asked,
    planned: Option<&PlannedFlags>,
) -> Result<JointRequest, Failure> {
    // What is wrong with the rows shows before the register is frozen for them.
    let rows = read_rows(&asked.rows)?;
    let frame = watched("freezing the frame", || {
        service.freeze_frame(asked.frame_day)
    })?;
    let hash: HashAlgorithm = asked.hash.into();
    let public_seed = planned.is_some_and(|planned| planned.public_seed);
    let rows = rows.into_iter().map(|row| PlanRequest {
        frame_id: frame.frame_id.clone(),
        title: row.title,
        item_class: row.item_class,
        items: row.items,
        department: None,
        period: Period {
            from: asked.from,
            to: asked.to,
        },
        filter: row.filter,
        method: row.method,
        size_measure: None,
        visits: row.visits,
        allocation: AllocationRequest::default(),
        rounding: row.rounding,
        exploration_share: 0.0,
        reserve_share: row.reserve_share,
        hash,
        committed: Vec::new(),
        public: Vec::new(),
        public_seed,
        group: None,
        extends: None,
    });
    Ok(JointRequest {
        rows: rows.collect(),
        group: GroupRequest {
            group_id: asked.group.clone(),
            title: asked.title.clone(),
            hash,
            committed: planned.map_or_else(|| Ok(Vec::new()), PlannedFlags::committed)?,
            public: planned.map_or_else(|| Ok(Vec::new()), PlannedFlags::public)?,
            public_seed,
        },
    })
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let runtime = runtime()?;
    blocking(&runtime, move || {
        let service = service(&settings, Entropy::System)?;
        match arguments.what {
            What::Preview(asked) => {
                let request = request(&service, &asked, None)?;
                let preview = service.preview_joint_plan(&request)?;
                if arguments.format == OutputFormat::Json {
                    print_json(&preview)?;
                } else {
                    if arguments.format == OutputFormat::Table {
                        expected(&preview.outlook)?;
                    }
                    let mut table = Table::new(&["row", "pool", "expected_visits"]);
                    for (row, told) in request.rows.iter().zip(&preview.rows) {
                        table.row(vec![
                            row.title.clone().into(),
                            told.pool_size.into(),
                            rounded(told.expected_visits, 1),
                        ]);
                    }
                    print_table(&table, arguments.format)?;
                }
            }
            What::Make {
                asked,
                planned,
                draw,
            } => {
                let request = request(&service, &asked, Some(&planned))?;
                let plan = if draw {
                    watched("drawing", || service.draw_joint_plan_now(&request))?
                } else {
                    service.create_joint_plan(&request)?
                };
                show(&plan, arguments.format)?;
            }
            What::Show { group_id } => show(&service.joint_plan(&group_id)?, arguments.format)?,
            What::Visits { group_id, out } => {
                let is_stdout = out.as_os_str() == "-";
                // What is not drawn shows before a file is made for it.
                service.joint_visits(&group_id)?;
                let sink = Sink::create(&out, is_stdout.then_some(Format::Csv))?;
                let count = service.export_joint_visits(&group_id, sink)?;
                eprintln!("{count} visits");
            }
            What::Done { group_id, file, by } => {
                let by = by
                    .map(|by| person("--by", &by))
                    .transpose()
                    .map_err(fault)?;
                let notes = read_done_notes(&file)?;
                let noted = service.note_joint_visits(&group_id, &notes, by.as_ref())?;
                let mut table = Table::new(&["noted", "unchanged"]);
                table.row(vec![noted.noted.into(), noted.unchanged.into()]);
                print_table(&table, arguments.format)?;
            }
        }
        Ok(ExitCode::Done)
    })
}

fn show(plan: &JointView, format: OutputFormat) -> Result<(), Failure> {
    if format == OutputFormat::Json {
        return print_json(plan);
    }
    if format == OutputFormat::Table {
        say(&format!("{}: {}", plan.group.group_id, plan.group.state))?;
        if let Some(outlook) = &plan.outlook {
            expected(outlook)?;
        }
        if let Some(saving) = &plan.saving {
            say(&format!(
                "{} checks of items in {} visits, {} of them for several rows: {:.1} % fewer visits than one by one",
                saving.separate_visits,
                saving.joint_visits,
                saving.shared_visits,
                100.0 * saving.saved
            ))?;
        }
    }
    let mut table = Table::new(&["plan_id", "number", "row", "state", "pool", "visits"]);
    for row in &plan.rows {
        table.row(vec![
            row.plan_id.clone().into(),
            row.number.into(),
            row.title.clone().into(),
            row.state.as_str().into(),
            row.pool_size.into(),
            row.sample_size.map_or(Value::Null, Value::from),
        ]);
    }
    print_table(&table, format)
}

fn expected(outlook: &JointOutlook) -> Result<(), Failure> {
    say(&format!(
        "expected: {:.0} visits one by one, {:.0} if drawn apart and merged where they coincide; no design needs fewer than \
         {:.0} ({:.1} % fewer)",
        outlook.separate_visits,
        outlook.coinciding_visits,
        outlook.least_visits,
        100.0 * outlook.most_saved
    ))
}
