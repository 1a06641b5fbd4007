//! `risktier reclassify`: the whole register anew, then the flip.

use clap::Args;
use indicatif::ProgressBar;
use std::sync::Arc;
use std::time::Duration;

use super::compose::{CommonFlags, blocking, runtime, service};
use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_json, print_table};
use super::progress::bar;
use crate::service::{Entropy, Job, RunObserver, RunState, Service};
use crate::telemetry::init_logs;

/// How often a run of another process is looked at.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: CommonFlags,
    /// Only show the last runs.
    #[arg(long, conflicts_with = "cancel")]
    status: bool,
    /// Cancel the run with this id; what is live stays as it is.
    #[arg(long, value_name = "ID")]
    cancel: Option<String>,
    /// Use the compiled-in files where none are named; default: the files in force, unless files are named.
    #[arg(long, conflicts_with_all = ["status", "cancel"])]
    compiled_in: bool,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let runtime = runtime()?;
    blocking(&runtime, move || {
        let with_given = arguments.compiled_in || settings.models.are_named();
        let service = service(&settings, Entropy::System)?;
        if arguments.status {
            show(&service.jobs(None, 20)?, arguments.format)?;
            return Ok(ExitCode::Done);
        }
        if let Some(run_id) = &arguments.cancel {
            let job = service.cancel_job(run_id)?;
            let is_cancelled = job.run.state == RunState::Cancelled;
            show(&[job], arguments.format)?;
            return Ok(answer(is_cancelled));
        }
        let asked = if with_given {
            service.reclassify_with_given()?
        } else {
            service.reclassify()?
        };
        let job = see_through(&service, asked)?;
        let has_succeeded = job.run.state == RunState::Succeeded;
        show(&[job], arguments.format)?;
        Ok(answer(has_succeeded))
    })
}

fn answer(yes: bool) -> ExitCode {
    if yes {
        ExitCode::Done
    } else {
        ExitCode::AnswerIsNo
    }
}

/// Carries the run out, or watches the process that does, until it has ended.
pub(super) fn see_through(service: &Service, asked: Job) -> Result<Job, Failure> {
    let bars = Arc::new(Bars {
        scan: bar(0, "reading the register"),
        finish: ProgressBar::hidden(),
    });
    let job = loop {
        service.carry_out_run(bars.as_ref())?;
        let job = service.job(&asked.run.run_id)?;
        if job.has_ended() {
            break job;
        }
        bars.scan.set_length(job.run.total_count);
        bars.scan.set_position(job.run.scanned_count);
        std::thread::sleep(LOOK);
    };
    bars.scan.finish_and_clear();
    bars.finish.finish_and_clear();
    Ok(job)
}

/// Shows how far a run is.
struct Bars {
    scan: ProgressBar,
    finish: ProgressBar,
}

impl RunObserver for Bars {
    fn scanned(&self, done: u64, total: u64) {
        self.scan.set_length(total);
        self.scan.set_position(done);
    }

    fn finished(&self, done: u64, total: u64) {
        self.scan.set_message("completing");
        self.scan.set_length(total);
        self.scan.set_position(done);
    }
}

fn show(jobs: &[Job], format: OutputFormat) -> Result<(), Failure> {
    if format == OutputFormat::Json {
        let values: Vec<_> = jobs.iter().map(json).collect();
        return print_json(&values);
    }
    let mut table = Table::new(&[
        "run_id",
        "state",
        "cause",
        "as_of",
        "epoch",
        "enterprises",
        "percent",
        "seconds_left",
        "changed",
        "failure",
    ]);
    for job in jobs {
        let run = &job.run;
        table.row(vec![
            run.run_id.clone().into(),
            run.state.as_str().into(),
            run.cause.as_str().into(),
            run.as_of.to_string().into(),
            run.epoch.map(|epoch| epoch.to_string()).into(),
            run.total_count.into(),
            job.percent.into(),
            job.seconds_left.into(),
            run.change_count.into(),
            run.failure.clone().into(),
        ]);
    }
    print_table(&table, format)
}

fn json(job: &Job) -> serde_json::Value {
    let run = &job.run;
    serde_json::json!({
        "run_id": run.run_id,
        "state": run.state.as_str(),
        "cause": run.cause.as_str(),
        "as_of": run.as_of,
        "epoch": run.epoch.map(|epoch| epoch.to_string()),
        "enterprises": run.total_count,
        "percent": job.percent,
        "rows_per_second": job.rows_per_second,
        "seconds_left": job.seconds_left,
        "changed": run.change_count,
        "failure": run.failure,
    })
}
