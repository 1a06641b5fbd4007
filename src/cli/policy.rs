//! `risktier policy`: the registry of policies, policies tried against each other, and rates explained.

use clap::{Args, Subcommand};
use std::fs;
use std::path::{Path, PathBuf};

use super::compose::{CommonFlags, blocking, runtime, service};
use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_json, print_table, rounded};
use super::persons::fault;
use super::plan::{PlanFlags, ground};
use super::policies::Registry;
use crate::domain::{Tier, field};
use crate::service::{
    Entropy, ObjectRate, PoolPlace, Simulation, SimulationRequest, SimulationSide,
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
    #[command(flatten)]
    Registry(Registry),
    /// Try a candidate against another policy on the same frame: nothing is drawn, no secret is made.
    Simulate {
        /// The candidate: a policy file (TOML).
        #[arg(long, value_name = "FILE")]
        candidate: PathBuf,
        /// The policy file that it is compared with; default: the policy in force.
        #[arg(long, value_name = "FILE")]
        current: Option<PathBuf>,
        #[command(flatten)]
        plan: Box<PlanFlags>,
    },
    /// Explain the rate of one object in a plan: every factor with its source, and where the object stands.
    Rate {
        /// Id of the plan.
        plan_id: String,
        /// Id of the object.
        id: String,
    },
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    match arguments.what {
        What::Registry(verb) => {
            let runtime = runtime()?;
            return blocking(&runtime, move || {
                let service = service(&settings, Entropy::System)?;
                verb.carry_out(&service, arguments.format)
            });
        }
        What::Simulate {
            candidate,
            current,
            plan,
        } => {
            let read = |path: &Path| fs::read_to_string(path).map_err(Failure::at(path));
            let (candidate, current) =
                (read(&candidate)?, current.as_deref().map(read).transpose()?);
            let (service, request, _passing) = ground(&settings, &plan)?;
            let simulation = service.simulate_policies(&SimulationRequest {
                plan: request,
                candidate,
                current,
            })?;
            show(&simulation, arguments.format)?;
        }
        What::Rate { plan_id, id } => {
            let service = service(&settings, Entropy::System)?;
            let id = field::enterprise_id("id", &id).map_err(fault)?;
            show_rate(&service.plan_rate(&plan_id, &id)?, arguments.format)?;
        }
    }
    Ok(ExitCode::Done)
}

fn show(simulation: &Simulation, format: OutputFormat) -> Result<(), Failure> {
    if simulation.tier_rules_differ {
        eprintln!(
            "the two policies differ in their tier rules, which are not simulated: both sides have the tiers of the frame"
        );
    }
    if format == OutputFormat::Json {
        return print_json(simulation);
    }
    let sides = [&simulation.current, &simulation.candidate];
    let mut table = Table::new(&["figure", "current", "candidate"]);
    let mut line = |name: String, of: &dyn Fn(&SimulationSide) -> Option<f64>, decimals: u32| {
        let [current, candidate] = sides
            .map(|side| of(side).map_or(serde_json::Value::Null, |value| rounded(value, decimals)));
        table.row(vec![name.into(), current, candidate]);
    };
    line("visits".into(), &|s| Some(s.simulated.expected_visits), 1);
    for tier in Tier::ALL {
        let of = |s: &SimulationSide| {
            let found = s.simulated.tiers.iter().find(|one| one.tier == *tier);
            found.map(|one| one.expected_visits)
        };
        line(format!("visits to tier {tier}"), &of, 1);
    }
    line(
        "problems expected".into(),
        &|s| s.simulated.expected_problems,
        1,
    );
    line(
        "inspector-days".into(),
        &|s| Some(s.simulated.inspector_days),
        1,
    );
    line(
        "visits per thousand objects".into(),
        &|s| Some(s.simulated.visits_per_thousand),
        2,
    );
    line(
        "percent of visits to tiers A and B".into(),
        &|s| Some(s.simulated.low_risk_share * 100.0),
        1,
    );
    line(
        "overall annual rate, percent".into(),
        &|s| Some(s.simulated.overall_annual_rate * 100.0),
        2,
    );
    let divisions: std::collections::BTreeSet<&String> = sides
        .iter()
        .flat_map(|side| side.simulated.divisions.keys())
        .collect();
    for division in divisions {
        let of = |s: &SimulationSide| s.simulated.divisions.get(division).copied();
        line(format!("visits in {division}"), &of, 1);
    }
    let both = |value: f64| rounded(value, 1);
    for (name, value) in [
        (
            "drawn by both, independently",
            simulation.overlap_independent,
        ),
        ("drawn by both, same tickets", simulation.overlap_most),
    ] {
        table.row(vec![name.into(), both(value), both(value)]);
    }
    eprintln!(
        "the candidate raises the probability of {} objects and lowers that of {}",
        simulation.raised_count, simulation.lowered_count
    );
    print_table(&table, format)
}

fn show_rate(rate: &ObjectRate, format: OutputFormat) -> Result<(), Failure> {
    if format == OutputFormat::Json {
        return print_json(rate);
    }
    let mut table = Table::new(&["step", "source", "value", "rate_percent"]);
    for step in &rate.steps {
        let name = serde_json::to_value(step.factor)?;
        table.row(vec![
            name,
            step.source.clone().into(),
            rounded(step.value, 6),
            rounded(step.rate_ppb as f64 / 1e7, 6),
        ]);
    }
    match &rate.place {
        PoolPlace::InPool {
            stratum,
            object_count,
            inclusion_probability,
            ..
        } => eprintln!(
            "in stratum {stratum} of {object_count} objects, drawn with probability {inclusion_probability:.6}"
        ),
        PoolPlace::LeftOut { reason } => eprintln!("left out of the pool: {reason}"),
        PoolPlace::NotAskedFor => eprintln!("the filter of the plan does not ask for it"),
    }
    print_table(&table, format)
}
