//! `risktier tiers`: the tiers in force, of some enterprises or of all, page by page.

use std::sync::Arc;

use clap::Args;
use serde_json::Value;

use super::compose::{CommonFlags, blocking, runtime, service};
use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_table};
use crate::domain::{EnterpriseId, Label, Tier, field};
use crate::service::{Entropy, Service, TierAnswer, TierPageRequest};
use crate::telemetry::init_logs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: CommonFlags,
    /// Show these enterprises only, in this order; default: all of the register in the order of their ids.
    #[arg(value_name = "ID", conflicts_with_all = ["division", "tier", "after"])]
    ids: Vec<EnterpriseId>,
    /// Only enterprises of this division, what lies below it included.
    #[arg(long, value_name = "CODE", value_parser = label)]
    division: Option<Label>,
    /// Only enterprises in this tier.
    #[arg(long, value_name = "A|B|C|D")]
    tier: Option<Tier>,
    /// Begin behind this id, the last one seen before; default: at the first.
    #[arg(long, value_name = "ID")]
    after: Option<EnterpriseId>,
    /// Show at most so many.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Form of the result; default: table.
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

fn label(text: &str) -> Result<Label, String> {
    field::label("--division", text).map_err(|error| error.to_string())
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let runtime = runtime()?;
    let service = blocking(&runtime, move || service(&settings, Entropy::System))?;
    let service = Arc::new(service);
    let format = arguments.format;
    let (answers, unknown) = runtime.block_on(found(&service, arguments))?;
    print_table(&table(&answers), format)?;
    if unknown.is_empty() {
        return Ok(ExitCode::Done);
    }
    for id in unknown {
        eprintln!("risktier: enterprise `{id}` is not in the register; import it first");
    }
    Ok(ExitCode::AnswerIsNo)
}

/// The tiers that are asked for, and the ids that are not in the register.
async fn found(
    service: &Arc<Service>,
    arguments: Arguments,
) -> Result<(Vec<TierAnswer>, Vec<EnterpriseId>), Failure> {
    let Arguments {
        ids,
        division,
        tier,
        mut after,
        limit,
        ..
    } = arguments;
    if !ids.is_empty() {
        let answers = service.tiers(&ids).await?;
        let missing = ids.into_iter().zip(&answers);
        let unknown = missing
            .filter(|(_, answer)| answer.is_none())
            .map(|(id, _)| id)
            .collect();
        return Ok((answers.into_iter().flatten().collect(), unknown));
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut answers, mut epoch) = (Vec::new(), None);
    loop {
        let request = TierPageRequest {
            after,
            epoch,
            division: division.clone(),
            tier,
            limit: most - answers.len(),
        };
        let page = service.tier_page(request).await?;
        answers.extend(page.answers);
        (after, epoch) = (page.next, Some(page.epoch));
        if after.is_none() || answers.len() >= most {
            return Ok((answers, Vec::new()));
        }
    }
}

fn table(answers: &[TierAnswer]) -> Table {
    let columns = [
        "enterprise_id",
        "tier",
        "points",
        "as_of",
        "next_change_on",
        "merged_into",
        "revision",
        "epoch",
    ];
    let mut table = Table::new(&columns);
    for answer in answers {
        let text = |text: Option<String>| text.map_or(Value::Null, Value::from);
        table.row(vec![
            answer.enterprise_id.to_string().into(),
            answer.tier.to_string().into(),
            answer.points.into(),
            answer.as_of.to_string().into(),
            text(answer.next_change_on.map(|day| day.to_string())),
            text(answer.merged_into.as_ref().map(EnterpriseId::to_string)),
            answer.revision.into(),
            answer.epoch.to_string().into(),
        ]);
    }
    table
}
