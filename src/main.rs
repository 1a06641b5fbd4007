//! The `risktier` binary: parse, run, exit code.

use clap::Parser;
use risktier::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    Cli::parse().run().into()
}
