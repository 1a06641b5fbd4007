//! Imports through the service: counted, told by line, and seen by the next read.

use std::sync::Arc;

use risktier::domain::{Enterprise, Record, RecordDefaults, Tier};
use risktier::files::{
    FilesError, Format, LineError, ReadOptions, Row, Source, read_enterprises, read_records,
};
use risktier::service::{
    ImportObserver, ImportOptions, ImportReport, ImportState, Importable, Origin, Resume, Service,
};

use crate::register::{TODAY, enterprise, id, label, serious_penalty};
use crate::{Place, read, register};

#[derive(Default)]
struct Watching {
    refused: Vec<LineError>,
    rows: Vec<u64>,
}

impl ImportObserver for Watching {
    fn progress(&mut self, report: &ImportReport) {
        self.rows.push(report.row_count);
    }
    fn refused(&mut self, error: &LineError) {
        self.refused.push(error.clone());
    }
}

/// Imports off the asynchronous threads, as command line and server do.
async fn import<T: Importable>(
    service: &Arc<Service>,
    rows: Vec<Result<Row<T>, FilesError>>,
) -> (ImportReport, Watching) {
    let service = Arc::clone(service);
    let work = move || {
        let mut watching = Watching::default();
        let report = service
            .import(Some("file.csv"), rows.into_iter(), &mut watching)
            .unwrap();
        (report, watching)
    };
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn source(text: &str) -> Source {
    Source::from_reader(
        "file.csv",
        Format::Csv,
        std::io::Cursor::new(text.as_bytes().to_vec()),
    )
    .unwrap()
}

fn record_rows(text: &str) -> Vec<Result<Row<Record>, FilesError>> {
    let defaults = RecordDefaults {
        source: label("court"),
        known_on: TODAY,
    };
    read_records(source(text), &ReadOptions::default(), defaults)
        .unwrap()
        .collect()
}

fn good<T>(items: Vec<T>) -> Vec<Result<Row<T>, FilesError>> {
    (2..)
        .zip(items)
        .map(|(line, item)| Ok(Row::Good { line, item }))
        .collect()
}

#[tokio::test]
async fn every_row_is_counted_once_and_every_fault_has_its_line() {
    let place = Place::empty();
    let service = Arc::new(place.service());
    let enterprises = "enterprise_id,name,established_on\na,A,2015-01-01\nb,B,2015-02-30\na,A,2015-01-01\na,Other,2015-01-01\nc,\"C, 2\",\n";
    let rows = read_enterprises(source(enterprises), &ReadOptions::default())
        .unwrap()
        .collect();

    let (report, watching) = import::<Enterprise>(&service, rows).await;

    let counts = |report: &ImportReport| {
        (
            report.row_count,
            report.created_count,
            report.updated_count,
            report.unchanged_count,
            report.refused_count,
        )
    };
    assert_eq!(counts(&report), (5, 2, 0, 1, 2));
    let told = |report: &ImportReport| {
        report
            .errors
            .iter()
            .map(|error| (error.line, error.field.clone().unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told(&report),
        [(3, "established_on".into()), (5, "enterprise_id".into())]
    );
    assert_eq!(report.errors, watching.refused);
    assert!(
        report
            .errors
            .iter()
            .all(|error| error.file.as_deref() == Some("file.csv"))
    );
    assert!(!report.is_clean() && report.failure.is_none());

    let records = "record_id,enterprise_id,kind,occurred_on,severity\nr1,a,penalty,2026-10-01,serious\nr2,x,penalty,2026-10-01,serious\nr3,a,fine,2026-10-01,\nr1,c,penalty,2026-10-01,serious\nr4,c,penalty,2026-10-01,minor\n";
    let (report, _) = import(&service, record_rows(records)).await;
    assert_eq!(counts(&report), (5, 2, 0, 0, 2));
    assert_eq!(report.set_aside_count, 1);
    let mut errors = report.errors.clone();
    errors.sort_by_key(|error| error.line);
    let lines: Vec<_> = errors
        .iter()
        .map(|error| (error.line, error.field.as_deref(), error.value.as_deref()))
        .collect();
    assert_eq!(
        lines,
        [
            (4, Some("kind"), Some("fine")),
            (5, Some("record_id"), Some("r1"))
        ]
    );
    assert!(
        errors[1].reason.contains("belongs to enterprise `a`"),
        "{}",
        errors[1].reason
    );

    // Again: nothing new, and the same faults.
    let (again, _) = import(&service, record_rows(records)).await;
    assert_eq!(counts(&again), (5, 0, 0, 2, 2));
    assert_eq!(again.set_aside_count, 1);
    assert_eq!(again.errors, report.errors);
}

#[tokio::test]
async fn an_imported_record_counts_at_the_next_read() {
    let place = Place::empty();
    let service = Arc::new(place.service());
    register(&service, 2).await;
    service.catch_up().await.unwrap();
    for number in [1, 2] {
        read(&service, number).await;
    }

    import(&service, good(vec![serious_penalty(1, "p1", 30)])).await;

    assert_eq!(read(&service, 1).await, (Tier::C, Origin::Computed));
    assert_eq!(read(&service, 2).await, (Tier::A, Origin::Cache));
}

#[tokio::test]
async fn a_long_import_goes_in_by_batches_and_finds_repeated_ids_across_them() {
    let place = Place::empty();
    let service = Arc::new(place.service());
    let mut enterprises: Vec<Enterprise> = (1..=40_001).map(enterprise).collect();
    enterprises.push(Enterprise {
        name: "another".into(),
        ..enterprise(1)
    });

    let (report, watching) = import(&service, good(enterprises)).await;

    assert_eq!((report.created_count, report.refused_count), (40_001, 1));
    assert_eq!(watching.rows, [20_000, 40_000, 40_002]);
    assert_eq!(
        (report.errors[0].line, report.errors[0].value.as_deref()),
        (40_003, Some(id(1).as_str()))
    );
    assert_eq!(service.counts().unwrap().enterprises, 40_001);
}

#[tokio::test]
async fn a_report_repeats_a_hundred_faults_and_counts_all() {
    let place = Place::empty();
    let service = Arc::new(place.service());
    // The first takes the id for its enterprise, which is there, and the others are refused.
    import(&service, good(vec![enterprise(1)])).await;
    let records = (1..=251)
        .map(|number| serious_penalty(number, "p", 30))
        .collect();
    let (report, watching) = import(&service, good(records)).await;
    assert_eq!(
        (
            report.refused_count,
            report.errors.len(),
            watching.refused.len()
        ),
        (250, 100, 250)
    );
}

#[tokio::test]
async fn a_file_that_breaks_off_keeps_what_came_before() {
    let place = Place::empty();
    let service = Arc::new(place.service());
    let mut rows = good(vec![enterprise(1), enterprise(2)]);
    let broken = || std::io::Error::other("the disk is gone");
    rows.push(Err(FilesError::Read {
        file: "file.csv".into(),
        line: 3,
        cause: broken(),
    }));
    rows.extend(good(vec![enterprise(3)]));

    let (report, _) = import(&service, rows).await;

    assert_eq!((report.row_count, report.created_count), (2, 2));
    assert!(
        report
            .failure
            .as_ref()
            .is_some_and(|failure| failure.contains("the disk is gone"))
    );
    assert!(!report.is_clean());
    assert_eq!(service.counts().unwrap().enterprises, 2);
}

/// Stands for a process that is killed after its first batch.
struct Killed;

impl ImportObserver for Killed {
    fn progress(&mut self, _report: &ImportReport) {
        panic!("killed");
    }
}

/// Watches an import that goes on.
#[derive(Default)]
struct GoingOn {
    rows_done: Vec<u64>,
    kept: Vec<LineError>,
}

impl ImportObserver for GoingOn {
    fn resumed(&mut self, rows_done: u64, kept: &[LineError], dropped_count: u64) {
        assert_eq!(dropped_count, 0);
        self.rows_done.push(rows_done);
        self.kept = kept.to_vec();
    }
}

fn file(directory: &tempfile::TempDir, rows: usize) -> std::path::PathBuf {
    let path = directory.path().join("enterprises.csv");
    let mut text = "enterprise_id,name,established_on\nbad,Bad,2026-02-30\n".to_owned();
    for number in 1..=rows {
        text.push_str(&format!("{},N{number},2015-01-01\n", id(number)));
    }
    std::fs::write(&path, text).unwrap();
    path
}

async fn run_import<O: ImportObserver + Send + 'static>(
    service: &Arc<Service>,
    path: &std::path::Path,
    options: ImportOptions,
    mut observer: O,
) -> Result<(ImportReport, O), tokio::task::JoinError> {
    let (service, path) = (Arc::clone(service), path.to_owned());
    tokio::task::spawn_blocking(move || {
        let source = Source::open(&path, None).unwrap();
        let report = service
            .import_enterprises(source, &options, &mut observer)
            .unwrap();
        (report, observer)
    })
    .await
}

fn same_file() -> ImportOptions {
    ImportOptions {
        resume: Resume::SameFile,
        ..ImportOptions::default()
    }
}

#[tokio::test]
async fn a_killed_import_goes_on_where_it_stopped_and_counts_the_whole() {
    let place = Place::empty();
    let service = Arc::new(place.service());
    let path = file(&place.directory, 45_000);
    assert!(
        run_import(&service, &path, same_file(), Killed)
            .await
            .is_err()
    );
    let killed = service.imports(None, 9).unwrap();
    assert_eq!(killed[0].summary.state, ImportState::Running);

    let (report, going_on) = run_import(&service, &path, same_file(), GoingOn::default())
        .await
        .unwrap();

    assert_eq!(going_on.rows_done, [20_001]);
    assert_eq!((going_on.kept.len(), going_on.kept[0].line), (1, 2));
    assert_eq!(
        (
            report.row_count,
            report.created_count,
            report.unchanged_count,
            report.refused_count
        ),
        (45_001, 45_000, 0, 1)
    );
    assert_eq!(report.import_ids, [killed[0].summary.import_id.clone()]);
    assert_eq!(report.errors.len(), 1);
    assert_eq!(service.counts().unwrap().enterprises, 45_000);
    // It came to its end, so the same file once more is a new import; and so it is where one asks for it.
    let (again, going_on) = run_import(&service, &path, same_file(), GoingOn::default())
        .await
        .unwrap();
    assert_eq!((again.unchanged_count, again.resumed_count), (45_000, 0));
    assert!(going_on.rows_done.is_empty());
    assert_eq!(service.imports(None, 9).unwrap().len(), 2);
}

#[tokio::test]
async fn another_file_or_a_restart_goes_on_with_nothing() {
    let place = Place::empty();
    let service = Arc::new(place.service());
    let path = file(&place.directory, 21_000);
    assert!(
        run_import(&service, &path, same_file(), Killed)
            .await
            .is_err()
    );
    let never = ImportOptions::default();
    let (restarted, _) = run_import(&service, &path, never, ()).await.unwrap();
    assert_eq!(
        (restarted.created_count, restarted.unchanged_count),
        (1_000, 20_000)
    );

    assert!(
        run_import(&service, &path, ImportOptions::default(), Killed)
            .await
            .is_err()
    );
    let path = file(&place.directory, 21_001);
    let (other, _) = run_import(&service, &path, same_file(), ()).await.unwrap();
    assert_eq!((other.resumed_count, other.created_count), (0, 1));
}

#[tokio::test]
async fn all_or_nothing_writes_nothing_for_one_fault_and_everything_without() {
    let place = Place::empty();
    let service = Arc::new(place.service());
    service.catch_up().await.unwrap();
    let path = file(&place.directory, 45_000);
    let whole = || ImportOptions {
        all_or_nothing: true,
        ..ImportOptions::default()
    };
    let (refused, _) = run_import(&service, &path, whole(), ()).await.unwrap();
    assert!(refused.nothing_written && !refused.is_clean());
    assert_eq!(
        (
            refused.row_count,
            refused.created_count,
            refused.refused_count
        ),
        (45_001, 0, 1)
    );
    assert_eq!(service.counts().unwrap().enterprises, 0);
    let kept = &service.imports(None, 9).unwrap()[0].summary;
    assert_eq!(
        (kept.state, kept.created_count),
        (ImportState::NothingWritten, 0)
    );
    let faults = service.import_faults(&kept.import_id, 0, 9).unwrap();
    assert_eq!((faults.faults.len(), faults.dropped_count), (1, 0));

    // A kill in the middle leaves nothing, not even word of the import.
    let good = std::fs::read_to_string(&path)
        .unwrap()
        .replacen("bad,Bad,2026-02-30\n", "", 1);
    std::fs::write(&path, good).unwrap();
    assert!(run_import(&service, &path, whole(), Killed).await.is_err());
    assert_eq!(service.counts().unwrap().enterprises, 0);
    let (done, _) = run_import(&service, &path, whole(), ()).await.unwrap();
    assert_eq!((done.created_count, done.nothing_written), (45_000, false));
    assert_eq!(service.counts().unwrap().enterprises, 45_000);
    assert_eq!(service.imports(None, 9).unwrap().len(), 2);
    assert_eq!(read(&service, 7).await.0, Tier::A);
}
