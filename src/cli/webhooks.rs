//! `risktier webhook`: who is told of tier changes.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::compose::{CommonFlags, blocking, runtime, service, webhook_options};
use super::exit::{Ended, ExitCode};
use super::output::{OutputFormat, Table, print_table, say};
use crate::service::{Entropy, Webhook, secret_text};
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
    /// Subscribe a target; prints its secret, which is not shown again.
    Create {
        /// Where changes are sent: an https:// or http:// address of another machine.
        url: String,
    },
    /// Show the webhooks and how far each has come.
    List,
    /// Send a message that says nothing, to try a target out; exits with 1 if it is not taken.
    Ping {
        /// Id of the webhook.
        webhook_id: String,
    },
    /// Let a suspended or waiting webhook go on at once.
    Resume {
        /// Id of the webhook.
        webhook_id: String,
        /// Leave out what waits.
        #[arg(long)]
        skip: bool,
    },
    /// End a subscription.
    Delete {
        /// Id of the webhook.
        webhook_id: String,
    },
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let Arguments {
        what,
        common,
        format,
    } = arguments;
    let settings = common.settings(None)?;
    init_logs(&settings.log)?;
    let runtime = runtime()?;
    blocking(&runtime, move || {
        let service = service(&settings, Entropy::System)?;
        let options = webhook_options(&settings);
        match what {
            What::Create { url } => {
                let webhook = service.create_webhook(&url, &options)?;
                eprintln!("risktier: keep the secret; it is not shown again");
                say(&secret_text(&webhook.secret))?;
                show(&[webhook], format)?;
            }
            What::List => show(&service.webhooks()?, format)?,
            What::Ping { webhook_id } => {
                let delivery = service.ping_webhook(&webhook_id, &options)?;
                if let Some(failure) = delivery.failure {
                    eprintln!("risktier: {failure}");
                    return Ok(ExitCode::AnswerIsNo);
                }
            }
            What::Resume { webhook_id, skip } => {
                show(&[service.resume_webhook(&webhook_id, skip)?], format)?;
            }
            What::Delete { webhook_id } => {
                service.delete_webhook(&webhook_id)?;
            }
        }
        Ok(ExitCode::Done)
    })
}

fn show(webhooks: &[Webhook], format: OutputFormat) -> Result<(), super::exit::Failure> {
    let columns = [
        "webhook_id",
        "url",
        "is_suspended",
        "taken_number",
        "waiting_count",
        "failure_count",
        "last_failure",
    ];
    let mut table = Table::new(&columns);
    for webhook in webhooks {
        let failure = webhook.last_failure.clone();
        table.row(vec![
            webhook.webhook_id.clone().into(),
            webhook.url.clone().into(),
            webhook.is_suspended.into(),
            webhook.cursor.into(),
            webhook.last_move.saturating_sub(webhook.cursor).into(),
            webhook.failure_count.into(),
            failure.map_or(Value::Null, Value::from),
        ]);
    }
    print_table(&table, format)
}
