//! Two replicas that do the same thing at the same time: the register becomes that of one.

use std::time::Duration;

use risktier::service::{ImportOptions, ImportReport, Job, RunState, Service, Source, label};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::postgres_server::PostgresServer;
use crate::register::TODAY;
use crate::world::{BASE_DAY, Content, Files, Part, Place, imported, reclassified};

#[test]
fn two_replicas_with_one_file_and_one_run_give_the_register_of_one() {
    let folder = TempDir::new().unwrap();
    both_on(&Place::Sqlite(folder.path().join("base.db")));
}

#[test]
fn on_postgresql_two_replicas_with_one_file_and_one_run_give_the_register_of_one() {
    both_on(&Place::Postgres(PostgresServer::shared().new_database()));
}

/// Imports other records from the first row, whatever another replica does with the file.
fn import_whole(service: &Service, files: &Files) -> ImportReport {
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    let path = files.folder().join(Part::OtherRecords.name());
    let report = service
        .import_records(
            Source::open(&path, None).unwrap(),
            &label("source", "court").unwrap(),
            &ImportOptions::default(),
            &mut (),
        )
        .unwrap();
    assert!(report.failure.is_none() && report.resumed_count == 0);
    report
}

/// Asks for a run and sees it through, as the command does.
fn see_through(service: &Service) -> Job {
    let asked = service.reclassify().unwrap();
    loop {
        service.carry_out_run(&()).unwrap();
        let job = service.job(&asked.run.run_id).unwrap();
        if job.has_ended() {
            return job;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn both_on(base: &Place) {
    let files = Files::made(5_000);
    let folder = TempDir::new().unwrap();
    {
        let service = base.service(BASE_DAY);
        imported(&service, files.folder(), Part::BaseEnterprises);
        imported(&service, files.folder(), Part::BaseRecords);
        reclassified(&service, &());
        let service = base.service(TODAY);
        imported(&service, files.folder(), Part::AllEnterprises);
    }
    let alone = base.copied(folder.path(), "alone");
    let one = alone.service(TODAY);
    let told = import_whole(&one, &files);
    reclassified(&one, &());
    let expected = Content::of(&one, alone.store().as_ref());

    let place = base.copied(folder.path(), "together");
    let both = [place.service(TODAY), place.service(TODAY)];
    let reports: Vec<ImportReport> = std::thread::scope(|scope| {
        let working = both
            .each_ref()
            .map(|one| scope.spawn(|| import_whole(one, &files)));
        working.map(|one| one.join().unwrap()).into()
    });
    let sum = |count: fn(&ImportReport) -> u64| reports.iter().map(count).sum::<u64>();
    assert_eq!(sum(|report| report.created_count), told.created_count);
    assert_eq!(sum(|report| report.updated_count), told.updated_count);
    assert_eq!(sum(|report| report.row_count), 2 * told.row_count);
    assert_eq!(sum(|report| report.refused_count), 2 * told.refused_count);

    let jobs: Vec<Job> = std::thread::scope(|scope| {
        let working = both.each_ref().map(|one| scope.spawn(|| see_through(one)));
        working.map(|one| one.join().unwrap()).into()
    });
    assert!(jobs.iter().all(|job| job.run.state == RunState::Succeeded));
    for service in &both {
        service.refresh().unwrap();
    }
    let end = Content::of(&both[1], place.store().as_ref());
    // One after the other they may have made two runs of the same register.
    let runs = service_runs(&both[0]);
    assert!((2..=3).contains(&runs), "{runs}");
    let entries = expected.entries + runs - 2;
    assert_eq!(
        end,
        Content {
            entries,
            ..expected
        }
    );
}

fn service_runs(service: &Service) -> u64 {
    service.jobs(None, 99).unwrap().len() as u64
}
