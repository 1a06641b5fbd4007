//! `risktier override`: tiers set by two persons.

use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::Date;

use super::compose::{CommonFlags, runtime, service};
use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_table};
use super::pages::every;
use super::persons::{PersonFlags, fault};
use crate::domain::{EnterpriseId, Tier, field};
use crate::service::{Entropy, Override, OverrideProposal, OverrideState, person};
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
    /// Propose a tier; another person must approve it.
    Propose {
        /// Id of the enterprise.
        id: String,
        /// The tier: A, B, C or D.
        #[arg(long)]
        tier: Tier,
        /// The first day on which it no longer counts.
        #[arg(long, value_name = "DATE")]
        expires_on: Date,
        /// The first day on which it counts; default: today.
        #[arg(long, value_name = "DATE")]
        from_on: Option<Date>,
        #[command(flatten)]
        person: PersonFlags,
    },
    /// Approve a proposed override, as another person.
    Approve {
        /// Id of the enterprise.
        id: String,
        /// Id of the override.
        override_id: String,
        /// Who approves: not the one who proposed it.
        #[arg(long, value_name = "PERSON")]
        by: String,
    },
    /// End an override, or take a proposal back.
    End {
        /// Id of the enterprise.
        id: String,
        /// Id of the override; default: the one that counts, is to count, or waits.
        override_id: Option<String>,
        #[command(flatten)]
        person: PersonFlags,
    },
    /// List overrides in the order in which they were proposed.
    List {
        /// Only those in this state; default: all.
        #[arg(long, value_enum)]
        state: Option<State>,
    },
}

/// Where an override stands.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    /// It waits for a second person.
    Proposed,
    /// Nobody approved it in time.
    Lapsed,
    /// It was approved, and counts or is to count.
    Approved,
    /// Its time is over.
    Expired,
    /// It was ended early.
    Ended,
    /// It was taken back before it was approved.
    Withdrawn,
}

impl From<State> for OverrideState {
    fn from(state: State) -> Self {
        match state {
            State::Proposed => Self::Proposed,
            State::Lapsed => Self::Lapsed,
            State::Approved => Self::Approved,
            State::Expired => Self::Expired,
            State::Ended => Self::Ended,
            State::Withdrawn => Self::Withdrawn,
        }
    }
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let service = service(&settings, Entropy::System)?;
    let runtime = runtime()?;
    let enterprise = |id: &str| field::enterprise_id("id", id).map_err(fault);
    let overrides = match arguments.what {
        What::Propose {
            id,
            tier,
            expires_on,
            from_on,
            person,
        } => {
            let proposal = OverrideProposal {
                tier,
                from_on,
                expires_on,
                person: person.person()?,
            };
            vec![runtime.block_on(service.propose_override(enterprise(&id)?, proposal))?]
        }
        What::Approve {
            id,
            override_id,
            by,
        } => {
            let by = person("by", &by).map_err(fault)?;
            let approved = service.approve_override(enterprise(&id)?, override_id, by);
            vec![runtime.block_on(approved)?]
        }
        What::End {
            id,
            override_id,
            person,
        } => {
            let ended = service.end_override(enterprise(&id)?, override_id, person.person()?);
            vec![runtime.block_on(ended)?]
        }
        What::List { state } => every(|last: Option<&Override>, most| {
            let after = last.map(|last| last.override_id.clone());
            service.overrides(state.map(Into::into), after.as_deref(), most)
        })?,
    };
    print_table(&table(&overrides, service.today())?, arguments.format)?;
    Ok(ExitCode::Done)
}

fn table(overrides: &[Override], today: Date) -> Result<Table, Failure> {
    let mut table = Table::new(&[
        "override_id",
        "enterprise_id",
        "state",
        "tier",
        "from_on",
        "expires_on",
        "proposed_by",
        "approved_by",
        "reason",
    ]);
    for one in overrides {
        let id = |id: &EnterpriseId| id.to_string();
        table.row(vec![
            one.override_id.clone().into(),
            id(&one.enterprise_id).into(),
            serde_json::to_value(one.state_on(today))?,
            one.tier.to_string().into(),
            one.from_on.to_string().into(),
            one.expires_on.to_string().into(),
            one.proposed_by.to_string().into(),
            one.approved
                .as_ref()
                .map(|approved| approved.by.to_string())
                .into(),
            one.reason.clone().into(),
        ]);
    }
    Ok(table)
}
