//! `risktier calendar`: items with frequencies, in a store or on plain files.

use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::Date;
use std::fs;
use std::path::{Path, PathBuf};

use super::compose::{CommonFlags, blocking, runtime, service};
use super::exit::{Ended, ExitCode, Failure};
use super::output::{OutputFormat, Table, print_json, print_table, say};
use super::persons::fault;
use super::progress::watched;
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::domain::field;
use crate::service::{
    Balance, BatchKind, BatchLoad, CalendarRequest, CalendarView, EditionRequest, EditionView,
    Entropy, FileCalendarRequest, Frequencies, Frequency, ModelFiles, Models, PoolFilter, Service,
    TierFrequencies, VisitFilter, VisitState, label, read_done_notes, write_calendar_visits,
};
use crate::telemetry::init_logs;

/// Calendars read at once.
const PAGE: usize = 100;

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
    /// Make a calendar from a drawn plan of method `order` (`risktier plan --order`).
    Create {
        /// Id of the plan.
        plan_id: String,
        /// Title of the calendar.
        #[arg(long, default_value = "calendar")]
        title: String,
        /// The first batch is the one that begins on or after this day.
        #[arg(long, value_name = "DATE")]
        from: Date,
        /// How years are cut.
        #[arg(long, value_enum, default_value_t = Batches::Quarter)]
        batches: Batches,
        #[command(flatten)]
        often: OftenFlags,
    },
    /// Add an edition: the next year, or the rest of the present one anew, with the tiers of the register as it is.
    Extend {
        /// Id of the calendar.
        calendar_id: String,
        /// The first batch to be planned is the one that begins on or after this day.
        #[arg(long, value_name = "DATE")]
        from: Date,
        /// Freeze the register as of this day; default: the present day.
        #[arg(long, value_name = "DATE")]
        frame_day: Option<Date>,
        #[command(flatten)]
        often: OftenFlags,
    },
    /// Note visits as done, from a file with the columns enterprise_id, visit and done_on; rows without a day are passed
    /// over.
    Done {
        /// Id of the calendar.
        calendar_id: String,
        /// CSV or Parquet.
        file: PathBuf,
    },
    /// List calendars, latest first.
    List,
    /// Show a calendar with its editions and the load of their batches.
    Show {
        /// Id of the calendar.
        calendar_id: String,
    },
    /// Write the visits of a calendar.
    Visits {
        /// Id of the calendar.
        calendar_id: String,
        /// Only of this batch, such as 2027-Q1; default: all.
        #[arg(long)]
        batch: Option<String>,
        /// Only of this division; default: all.
        #[arg(long)]
        division: Option<String>,
        /// Only in this state; default: all.
        #[arg(long, value_enum)]
        state: Option<State>,
        /// Number of the edition; default: the one in force.
        #[arg(long)]
        edition: Option<u64>,
        /// File: CSV, NDJSON or Parquet by its name; default: CSV on standard output.
        #[arg(long, value_name = "FILE", default_value = "-")]
        out: PathBuf,
    },
    /// Show ticket, phase and visits of one object.
    Object {
        /// Id of the calendar.
        calendar_id: String,
        /// Id of the object.
        enterprise_id: String,
    },
    /// Plan a calendar on plain files, without a store: writes calendar.tsv and visits.csv.
    Files(Box<FileFlags>),
}

#[derive(Debug, Args)]
struct FileFlags {
    /// The frame, as `GET /v1/frames/{id}/file` and `risktier demo` give it.
    #[arg(long, value_name = "FILE")]
    frame: PathBuf,
    /// Seed of the tickets, 64 hexadecimal digits, as the transcript of a drawn plan shows it; default: that of the
    /// calendar before.
    #[arg(long, value_name = "HEX", required_unless_present = "before")]
    seed: Option<String>,
    /// Use SM3 for the tickets instead of SHA-256.
    #[arg(long)]
    sm3: bool,
    /// Only objects of this division and what lies below it; default: all.
    #[arg(long)]
    division: Option<String>,
    /// Only objects of this industry and what lies below it; default: all.
    #[arg(long)]
    industry: Option<String>,
    /// Only objects with one of these tags; may be given several times; default: all.
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// The first batch is the one that begins on or after this day.
    #[arg(long, value_name = "DATE")]
    from: Date,
    /// How the year is cut; with --before as there.
    #[arg(long, value_enum, default_value_t = Batches::Quarter)]
    batches: Batches,
    #[command(flatten)]
    often: OftenFlags,
    /// The file calendar.tsv of the edition before; default: none, this is the first.
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// What was done since then: the columns enterprise_id, visit and done_on; default: nothing.
    #[arg(long, value_name = "FILE", requires = "before")]
    done: Option<PathBuf>,
    /// Folder for calendar.tsv and the visits.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Name of the file with the visits: CSV, NDJSON or Parquet by its ending.
    #[arg(long, value_name = "NAME", default_value = "visits.csv")]
    visits: PathBuf,
}

#[derive(Debug, Args)]
struct OftenFlags {
    /// How often, by a name of the policy's [calendar.frequencies]; default: food_production for a first edition, as
    /// before for a further one.
    #[arg(long, value_name = "NAME", conflicts_with = "visits_a_year")]
    frequency: Option<String>,
    /// How often, by tier: visits a year, or visits in years, such as A=1/3,B=1,C=2,D=4; default: by --frequency.
    #[arg(long, value_name = "TIERS")]
    visits_a_year: Option<String>,
    /// What is level over the batches; default: as the policy says, or as before.
    #[arg(long, value_enum)]
    balance: Option<Level>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Batches {
    /// Twelve months.
    Month,
    /// Four quarters.
    Quarter,
    /// The first five working days of each quarter.
    QuarterStart,
}

impl From<Batches> for BatchKind {
    fn from(batches: Batches) -> Self {
        match batches {
            Batches::Month => Self::Month,
            Batches::Quarter => Self::Quarter,
            Batches::QuarterStart => Self::QuarterStart,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    /// Visits.
    Visits,
    /// Visits per working day.
    WorkingDays,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    /// To come.
    Planned,
    /// The batch is over and the visit is not done.
    Overdue,
    /// Done.
    Done,
}

impl OftenFlags {
    fn balance(&self) -> Option<Balance> {
        self.balance.map(|level| match level {
            Level::Visits => Balance::Visits,
            Level::WorkingDays => Balance::WorkingDays,
        })
    }

    fn frequencies(&self) -> Result<Option<Frequencies>, Failure> {
        match (&self.frequency, &self.visits_a_year) {
            (Some(name), _) => Ok(Some(Frequencies::Named(label("--frequency", name)?))),
            (None, Some(text)) => by_tier(text).map(|given| Some(Frequencies::Given(given))),
            (None, None) => Ok(None),
        }
    }

    fn first(&self) -> Result<Frequencies, Failure> {
        match self.frequencies()? {
            Some(frequencies) => Ok(frequencies),
            None => Ok(Frequencies::Named(label("--frequency", "food_production")?)),
        }
    }
}

/// Reads `A=1,B=2,C=3,D=4`.
fn by_tier(text: &str) -> Result<TierFrequencies, Failure> {
    let of = |tier: &str| -> Result<Frequency, Failure> {
        let mut given = text.split(',').filter_map(|part| part.split_once('='));
        let found = given.find(|(name, _)| name.trim() == tier).ok_or_else(|| {
            Failure::Other(format!(
                "--visits-a-year `{text}` says nothing of tier {tier}; write A=1,B=2,C=3,D=4"
            ))
        })?;
        let number = found.1.trim();
        number.parse().map_err(|error| {
            Failure::Other(format!(
                "--visits-a-year: `{number}` of tier {tier} {error}"
            ))
        })
    };
    Ok(TierFrequencies {
        a: of("A")?,
        b: of("B")?,
        c: of("C")?,
        d: of("D")?,
    })
}

pub(super) fn run(arguments: Arguments) -> Ended {
    let settings = arguments.common.settings(None)?;
    init_logs(&settings.log)?;
    let (what, format) = (arguments.what, arguments.format);
    if let What::Files(flags) = what {
        let models = Models::load(&ModelFiles {
            policy: settings.models.policy.clone(),
            ..ModelFiles::default()
        })?;
        let today = settings
            .as_of
            .unwrap_or_else(|| crate::service::Clock::System.today());
        return on_files(&flags, &models, today, format);
    }
    let runtime = runtime()?;
    blocking(&runtime, move || {
        let service = service(&settings, Entropy::System)?;
        on_store(&service, what, format)
    })
}

fn on_store(service: &Service, what: What, format: OutputFormat) -> Ended {
    match what {
        What::Create {
            plan_id,
            title,
            from,
            batches,
            often,
        } => {
            let calendar = service.create_calendar(CalendarRequest {
                plan_id,
                title,
                batches: batches.into(),
                balance: often.balance(),
                frequencies: often.first()?,
                from,
            })?;
            show(&calendar, format)?;
        }
        What::Extend {
            calendar_id,
            from,
            frame_day,
            often,
        } => {
            // A calendar that does not exist shows before the register is frozen for it.
            service.calendar_in_force(&calendar_id)?;
            let frame = watched("freezing the frame", || service.freeze_frame(frame_day))?;
            let request = EditionRequest {
                frame_id: frame.frame_id,
                from,
                frequencies: often.frequencies()?,
                balance: often.balance(),
            };
            service.add_calendar_edition(&calendar_id, &request)?;
            show(&service.calendar(&calendar_id)?, format)?;
        }
        What::Done { calendar_id, file } => {
            let noted = service.note_done_visits(&calendar_id, &read_done_notes(&file)?)?;
            let mut table = Table::new(&["noted", "unchanged"]);
            table.row(vec![noted.noted.into(), noted.unchanged.into()]);
            print_table(&table, format)?;
        }
        What::List => list(service, format)?,
        What::Show { calendar_id } => show(&service.calendar(&calendar_id)?, format)?,
        What::Visits {
            calendar_id,
            batch,
            division,
            state,
            edition,
            out,
        } => {
            let filter = VisitFilter {
                edition,
                batch,
                division,
                state: state.map(|state| match state {
                    State::Planned => VisitState::Planned,
                    State::Overdue => VisitState::Overdue,
                    State::Done => VisitState::Done,
                }),
            };
            let visits = service.calendar_visits(&calendar_id, &filter)?;
            let count = write_calendar_visits(&visits, &out)?;
            eprintln!("{count} visits");
        }
        What::Object {
            calendar_id,
            enterprise_id,
        } => {
            let id = field::enterprise_id("enterprise_id", &enterprise_id).map_err(fault)?;
            let object = service.calendar_object(&calendar_id, &id)?;
            if format == OutputFormat::Json {
                print_json(&object)?;
            } else {
                if format == OutputFormat::Table {
                    say(&format!(
                        "ticket {}\nphase {} ppb at the beginning of {}, {} visits a year",
                        object.ticket,
                        object.phase_ppb,
                        object.from,
                        object
                            .frequency
                            .map_or_else(|| "0".to_owned(), |often| often.to_string())
                    ))?;
                }
                let mut table = Table::new(&["visit", "batch", "due", "state", "done_on"]);
                for visit in &object.visits {
                    table.row(vec![
                        visit.visit.into(),
                        visit.batch.clone().into(),
                        visit.due.clone().into(),
                        visit.state.as_str().into(),
                        visit.done_on.map(|day| day.to_string()).into(),
                    ]);
                }
                print_table(&table, format)?;
            }
        }
        // Needs no store; run beside.
        What::Files(_) => {}
    }
    Ok(ExitCode::Done)
}

fn list(service: &Service, format: OutputFormat) -> Result<(), Failure> {
    let mut table = Table::new(&[
        "calendar_id",
        "number",
        "title",
        "batches",
        "edition",
        "year",
    ]);
    let mut before = None;
    loop {
        let page = service.calendars(before, PAGE)?;
        for calendar in &page {
            let edition = calendar.editions.last();
            table.row(vec![
                calendar.calendar_id.clone().into(),
                calendar.number.into(),
                calendar.title.clone().into(),
                calendar.batches.as_str().into(),
                edition.map(|edition| edition.edition).into(),
                edition.map(|edition| edition.year).into(),
            ]);
        }
        match page.last() {
            Some(last) if page.len() == PAGE => before = Some(last.number),
            Some(_) | None => return print_table(&table, format),
        }
    }
}

fn show(calendar: &CalendarView, format: OutputFormat) -> Result<(), Failure> {
    if format == OutputFormat::Json {
        return print_json(calendar);
    }
    if format == OutputFormat::Table {
        say(&format!(
            "{}: {} ({} editions)",
            calendar.calendar_id,
            calendar.title,
            calendar.editions.len()
        ))?;
    }
    let Some(edition) = calendar.editions.last() else {
        return Ok(());
    };
    if format == OutputFormat::Table {
        told(edition)?;
    }
    print_table(&batch_table(&edition.batches), format)
}

fn told(edition: &EditionView) -> Result<(), Failure> {
    say(&format!(
        "edition {} ({}): {} from {}; {} objects, {} visits planned, {} done, {} moved because they were missed\n\
         file digest {}",
        edition.edition,
        edition.cause.as_str(),
        edition.year,
        edition.from,
        edition.object_count,
        edition.planned_count,
        edition.done_count,
        edition.missed_count,
        edition.file_digest
    ))
}

fn batch_table(batches: &[BatchLoad]) -> Table {
    let mut table = Table::new(&[
        "batch",
        "from",
        "to",
        "working_days",
        "visits",
        "least_by_division",
        "most_by_division",
    ]);
    for batch in batches {
        table.row(vec![
            batch.name.clone().into(),
            batch.from.to_string().into(),
            batch.to.to_string().into(),
            batch.working_days.into(),
            batch.visits.into(),
            batch.least_by_division.into(),
            batch.most_by_division.into(),
        ]);
    }
    table
}

fn on_files(flags: &FileFlags, models: &Models, today: Date, format: OutputFormat) -> Ended {
    let read = |path: &Path| fs::read(path).map_err(Failure::at(path));
    let optional = |name: &str, text: &Option<String>| {
        text.as_deref().map(|text| label(name, text)).transpose()
    };
    let seed = flags.seed.as_deref().map(|text| {
        text.parse::<Digest>()
            .map_err(|error| Failure::Other(format!("--seed: `{text}` is {error}")))
    });
    let request = FileCalendarRequest {
        frame: read(&flags.frame)?,
        filter: PoolFilter {
            division: optional("--division", &flags.division)?,
            industry: optional("--industry", &flags.industry)?,
            tags: flags
                .tags
                .iter()
                .map(|tag| label("--tag", tag))
                .collect::<Result<_, _>>()?,
            ..PoolFilter::default()
        },
        seed: seed.transpose()?,
        hash: if flags.sm3 {
            HashAlgorithm::Sm3
        } else {
            HashAlgorithm::Sha256
        },
        batches: flags.batches.into(),
        balance: flags.often.balance(),
        frequencies: flags.often.first()?,
        from: flags.from,
        before: flags.before.as_deref().map(read).transpose()?,
        done: flags.done.clone(),
        today,
    };
    let calendar = request.plan(models)?;
    fs::create_dir_all(&flags.out).map_err(Failure::at(&flags.out))?;
    let path = flags.out.join("calendar.tsv");
    fs::write(&path, &calendar.file).map_err(Failure::at(&path))?;
    write_calendar_visits(&calendar.visits, &flags.out.join(&flags.visits))?;
    if format == OutputFormat::Json {
        let document = serde_json::json!({
            "file_digest": calendar.file_digest,
            "object_count": calendar.object_count,
            "visit_count": calendar.visits.len(),
            "batches": calendar.batches,
        });
        print_json(&document)?;
        return Ok(ExitCode::Done);
    }
    if format == OutputFormat::Table {
        say(&format!(
            "{} objects, {} visits\nfile digest {}",
            calendar.object_count,
            calendar.visits.len(),
            calendar.file_digest
        ))?;
    }
    print_table(&batch_table(&calendar.batches), format)?;
    Ok(ExitCode::Done)
}
