//! What happened to a plan or a group, and who asks for its steps.

use clap::Args;

use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_json, print_table};
use super::persons::fault;
use crate::domain::Label;
use crate::service::{PlanEvent, person};

/// Who asks for a step.
#[derive(Debug, Args)]
pub(super) struct AskerFlags {
    /// Who asks for it: an id or role at the office, never a private name; default: nobody is named.
    #[arg(long, value_name = "PERSON")]
    by: Option<String>,
}

impl AskerFlags {
    pub(super) fn by(&self) -> Result<Option<Label>, Failure> {
        let by = self.by.as_deref().map(|text| person("--by", text));
        by.transpose().map_err(fault)
    }
}

/// Shows the steps that were taken and refused.
pub(super) fn show_events(events: &[PlanEvent], format: OutputFormat) -> Ended {
    if format == OutputFormat::Json {
        print_json(&events)?;
        return Ok(ExitCode::Done);
    }
    let mut table = Table::new(&["at", "step", "outcome", "by", "reason"]);
    for event in events {
        table.row(vec![
            event.at.clone().into(),
            event.step.as_str().into(),
            if event.refused { "refused" } else { "done" }.into(),
            event.by.as_ref().map(ToString::to_string).into(),
            event.reason.clone().into(),
        ]);
    }
    print_table(&table, format)?;
    Ok(ExitCode::Done)
}
