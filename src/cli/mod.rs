//! Layer 4: the command line.
//!
//! One file per verb. Results go to standard output (`--format table|json|csv`), talk and progress bars to standard
//! error, `-` means standard input or output. What a verb does is done by the service; here it is asked for and shown.

mod alerts;
mod bench_data;
mod calendar;
mod ceremony;
mod changes;
mod classify;
mod compare;
mod compose;
mod contributions;
mod demo;
mod drift;
mod evaluate;
mod events;
mod exit;
mod groups;
mod history;
mod import;
mod items;
mod joint;
mod judging;
mod judging_tables;
mod ledger;
mod merges;
mod migrations;
mod models;
mod objections;
mod openapi;
mod output;
mod overrides;
mod pages;
mod persons;
mod plan;
mod policies;
mod policy;
mod precision;
mod progress;
mod reclassify;
mod records;
mod registers;
mod serve;
mod set_aside;
mod sheet;
mod summary;
mod tiers;
mod train;
mod verify;
mod webhooks;

use clap::{Parser, Subcommand};

pub use exit::ExitCode;

use exit::Failure;

/// Credit-risk tiers and verifiable inspection plans for market regulators.
///
/// Exit codes: 0 done; 1 it ran and the answer is no (a verification differs, rows were refused, a guard rail is
/// broken); 2 the command line is wrong; 3 it could not run (a file is missing, a store does not open).
#[derive(Debug, Parser)]
#[command(name = "risktier", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the HTTP interface and its documentation.
    Serve(serve::Arguments),
    /// See the whole product at work on a made-up register, or on real files.
    Demo(demo::Arguments),
    /// Import enterprises and records from files.
    Import(import::Arguments),
    /// Show the records whose enterprise is not in the register.
    SetAside(set_aside::Arguments),
    /// Classify a register and show its tiers.
    Classify(classify::Arguments),
    /// Show the tiers in force: of some enterprises, or page by page of all, by division and tier.
    Tiers(tiers::Arguments),
    /// Show which tier an enterprise had from when, and what brought it.
    History(history::Arguments),
    /// Show what happened to tiers that a supervisor should know.
    Alerts(alerts::Arguments),
    /// Show the changes of tiers in the order in which they became visible.
    Changes(changes::Arguments),
    /// Webhooks, which tell others of changes of tiers: create, list, ping, resume, delete.
    Webhook(webhooks::Arguments),
    /// Show how enterprises went from tier to tier between two days.
    Migrations(migrations::Arguments),
    /// Show the tiers of the register by a property.
    Summary(summary::Arguments),
    /// Reclassify the register, and let all tiers change over at once.
    Reclassify(reclassify::Arguments),
    /// Repair, withdraw, end or correct a record.
    Record(records::Arguments),
    /// Objections to records: file, examine, decide, list.
    Objection(objections::Arguments),
    /// Tiers set by two persons: propose, approve, end, list.
    Override(overrides::Arguments),
    /// Merge an id into its successor, or undo that.
    Merge(merges::Arguments),
    /// Show what persons did about an enterprise.
    Acts(merges::ActArguments),
    /// Judge a model by what inspections found.
    Evaluate(evaluate::Arguments),
    /// Compare two models on the same rows.
    Compare(compare::Arguments),
    /// Tell whether score and features still spread as they did.
    Drift(drift::Arguments),
    /// Preview or draw an inspection plan.
    Plan(plan::Arguments),
    /// The list of check items: import, show, list.
    Items(items::Arguments),
    /// Visits over all plans: list, show, sum up, enter, note as done.
    Ledger(ledger::Arguments),
    /// Register policies and bring them into force, try them against each other, and explain the rates of a plan.
    Policy(policy::Arguments),
    /// Rows of several departments and items on shared tickets, as one list of visits.
    Joint(Box<joint::Arguments>),
    /// Items with frequencies: who is visited how often, and when in the year.
    Calendar(calendar::Arguments),
    /// Write the printable sheet of a plan: what was drawn, by which rule, with which evidence.
    Sheet(sheet::Arguments),
    /// The steps of a plan one by one: freeze, draw, close, give up.
    Ceremony(ceremony::Arguments),
    /// Plans on shared tickets: make, seal, open a coordinated group.
    Group(groups::Arguments),
    /// Verify a transcript against pool and sample.
    Verify(verify::Arguments),
    /// Models: register, validate, approve, shadow, promote, roll back, retire; their ledger, cards and drift.
    Models(models::Arguments),
    /// Train a scorecard from a table with outcomes, or on what inspections of the register found.
    Train(Box<train::Arguments>),
    /// Print the OpenAPI document.
    Openapi(openapi::Arguments),
    /// Write a made-up register of a province that does not exist.
    BenchData(bench_data::Arguments),
}

impl Cli {
    /// Runs the verb and says how it ended.
    pub fn run(self) -> ExitCode {
        let ended = match self.command {
            Command::Serve(arguments) => serve::run(arguments),
            Command::Demo(arguments) => demo::run(arguments),
            Command::Import(arguments) => import::run(arguments),
            Command::SetAside(arguments) => set_aside::run(arguments),
            Command::Classify(arguments) => classify::run(arguments),
            Command::Tiers(arguments) => tiers::run(arguments),
            Command::History(arguments) => history::run(arguments),
            Command::Alerts(arguments) => alerts::run(arguments),
            Command::Changes(arguments) => changes::run(arguments),
            Command::Webhook(arguments) => webhooks::run(arguments),
            Command::Migrations(arguments) => migrations::run(arguments),
            Command::Summary(arguments) => summary::run(arguments),
            Command::Reclassify(arguments) => reclassify::run(arguments),
            Command::Record(arguments) => records::run(arguments),
            Command::Objection(arguments) => objections::run(arguments),
            Command::Override(arguments) => overrides::run(arguments),
            Command::Merge(arguments) => merges::run(arguments),
            Command::Acts(arguments) => merges::run_acts(arguments),
            Command::Evaluate(arguments) => evaluate::run(arguments),
            Command::Compare(arguments) => compare::run(arguments),
            Command::Drift(arguments) => drift::run(arguments),
            Command::Plan(arguments) => plan::run(arguments),
            Command::Items(arguments) => items::run(arguments),
            Command::Ledger(arguments) => ledger::run(arguments),
            Command::Policy(arguments) => policy::run(arguments),
            Command::Joint(arguments) => joint::run(*arguments),
            Command::Calendar(arguments) => calendar::run(arguments),
            Command::Sheet(arguments) => sheet::run(arguments),
            Command::Ceremony(arguments) => ceremony::run(arguments),
            Command::Group(arguments) => groups::run(arguments),
            Command::Verify(arguments) => verify::run(arguments),
            Command::Models(arguments) => models::run(arguments),
            Command::Train(arguments) => train::run(*arguments),
            Command::Openapi(arguments) => openapi::run(arguments),
            Command::BenchData(arguments) => bench_data::run(arguments),
        };
        match ended {
            Ok(code) => code,
            // A reader that has seen enough (`risktier … | head`) is no failure.
            Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                ExitCode::Done
            }
            Err(failure) => {
                eprintln!("risktier: {failure}");
                ExitCode::CouldNotRun
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_every_flag_has_help() {
        Cli::command().debug_assert();
        for verb in Cli::command().get_subcommands() {
            assert!(verb.get_about().is_some(), "{}", verb.get_name());
            for argument in verb.get_arguments() {
                assert!(
                    argument.get_help().is_some(),
                    "{} {}",
                    verb.get_name(),
                    argument.get_id()
                );
            }
        }
    }
}
