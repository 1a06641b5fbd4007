//! `risktier openapi`: the contract on standard output.

use clap::Args;
use std::io::{Write, stdout};

use super::exit::{Ended, ExitCode, Failure};
use crate::api::openapi_json;

#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) fn run(Arguments {}: Arguments) -> Ended {
    stdout()
        .lock()
        .write_all(openapi_json().as_bytes())
        .map_err(Failure::Output)?;
    Ok(ExitCode::Done)
}
