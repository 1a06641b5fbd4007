//! `risktier sheet`: the printable sheet of a plan.

use clap::{Args, ValueEnum};
use std::fs;
use std::path::PathBuf;

use super::compose::{CommonFlags, blocking, runtime, service};
use super::exit::{Ended, ExitCode, Failure};
use super::output::say;
use crate::report::{self, plan_sheet_page};
use crate::service::{Audience, Entropy};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: CommonFlags,
    /// Id of the plan.
    plan_id: String,
    /// The internal edition, with strata, tiers and rates; default: the public one, which shows none of them.
    #[arg(long)]
    internal: bool,
    /// The language that the page opens in; both are on it.
    #[arg(long, value_enum, default_value_t = Language::Zh)]
    language: Language,
    /// HTML file; default: standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    /// Chinese.
    Zh,
    /// English.
    En,
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let runtime = runtime()?;
    blocking(&runtime, move || {
        let service = service(&settings, Entropy::System)?;
        let audience = if arguments.internal {
            Audience::Internal
        } else {
            Audience::Public
        };
        let language = match arguments.language {
            Language::Zh => report::Language::Zh,
            Language::En => report::Language::En,
        };
        let page = plan_sheet_page(&service.plan_sheet(&arguments.plan_id, audience)?, language);
        if arguments.out.as_os_str() == "-" {
            say(page.trim_end())?;
        } else {
            fs::write(&arguments.out, page).map_err(Failure::at(&arguments.out))?;
        }
        Ok(ExitCode::Done)
    })
}
