//! The database goes away in the middle and comes back: every call says so while it is away, and everything goes on
//! afterwards without a restart of ours.
//!
//! `RISKTIER_AWAY_SECONDS=60` keeps it away for a minute.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use risktier::service::{ImportObserver, ImportReport, RunObserver, Service, ServiceError};
use risktier::store::PostgresStore;
use tokio::runtime::Runtime;

use crate::postgres_server::PostgresServer;
use crate::register::{TODAY, id, serious_penalty};
use crate::world::{BASE_DAY, Content, Files, Part, Place, import, imported, reclassified};

fn seconds() -> Duration {
    let seconds = std::env::var("RISKTIER_AWAY_SECONDS").map_or(2, |text| text.parse().unwrap());
    Duration::from_secs(seconds)
}

/// Where the server goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    Import,
    Scan,
    Finish,
}

/// Ends the server once, at a moment.
struct Ending<'a> {
    at: Moment,
    in_order: bool,
    server: &'a Mutex<PostgresServer>,
    count: AtomicU32,
}

impl Ending<'_> {
    fn reached(&self, moment: Moment) {
        if moment == self.at && self.count.fetch_add(1, Ordering::SeqCst) == 0 {
            let mut server = self.server.lock().unwrap();
            if self.in_order {
                server.stop();
            } else {
                server.crash();
            }
        }
    }
}

impl ImportObserver for Ending<'_> {
    fn progress(&mut self, _report: &ImportReport) {
        self.reached(Moment::Import);
    }
}

impl RunObserver for Ending<'_> {
    fn scanned(&self, _done: u64, _total: u64) {
        self.reached(Moment::Scan);
    }
    fn finished(&self, _done: u64, _total: u64) {
        self.reached(Moment::Finish);
    }
}

fn is_passing<T: std::fmt::Debug>(result: Result<T, ServiceError>) {
    match result {
        Err(ServiceError::Store(error)) if error.is_passing() => {}
        other => panic!("the database is away, but: {other:?}"),
    }
}

/// Look-ups and writes while the server is away and after it is back.
fn asked_while_away(service: &Service, server: &Mutex<PostgresServer>, known: &str, round: usize) {
    let runtime = Runtime::new().unwrap();
    let known = risktier::domain::EnterpriseId::parse(known).unwrap();
    is_passing(service.enterprise(&known));
    is_passing(service.ping());
    // Nothing of this enterprise is cached.
    is_passing(runtime.block_on(service.tier(&id(77))));
    let record = serious_penalty(round, &format!("written-{round}"), 3);
    is_passing(runtime.block_on(service.put_records(vec![record])));
    is_passing(service.reclassify());
    std::thread::sleep(seconds());
    server.lock().unwrap().start_again();
    assert_eq!(
        service.enterprise(&known).unwrap().enterprise.enterprise_id,
        known
    );
    service.ping().unwrap();
    runtime.block_on(service.tier(&known)).unwrap();
}

#[test]
fn a_database_that_goes_away_in_an_import_or_a_run_is_gone_on_with() {
    let files = Files::made(10_000);
    let server = Mutex::new(PostgresServer::start());
    let place = |server: &Mutex<PostgresServer>| {
        let url = server.lock().unwrap().new_database();
        let place = Place::Postgres(url);
        let service = place.service(BASE_DAY);
        imported(&service, files.folder(), Part::BaseEnterprises);
        imported(&service, files.folder(), Part::BaseRecords);
        reclassified(&service, &());
        place
    };
    let (disturbed, undisturbed) = (place(&server), place(&server));
    let (other, other_store) = (undisturbed.service(TODAY), undisturbed.store());
    let enterprises = imported(&other, files.folder(), Part::AllEnterprises);
    let records = imported(&other, files.folder(), Part::OtherRecords);
    let known = other_store.enterprises_after(None, 1).unwrap()[0].0.clone();
    let known = known.enterprise_id.to_string();
    let runtime = Runtime::new().unwrap();
    // The readings between the steps, which keep what they computed.
    let read = |service: &Service| {
        let known = risktier::domain::EnterpriseId::parse(&known).unwrap();
        runtime.block_on(service.tier(&known)).unwrap();
    };
    read(&other);
    reclassified(&other, &());
    let expected = Content::of(&other, other_store.as_ref());

    let Place::Postgres(url) = &disturbed else {
        unreachable!();
    };
    let service = crate::world::service_on(
        std::sync::Arc::new(PostgresStore::open(url).unwrap()),
        TODAY,
    );
    let made = imported(&service, files.folder(), Part::AllEnterprises);
    assert_eq!(made.created_count, enterprises.created_count);
    let ending = |at, in_order| Ending {
        at,
        in_order,
        server: &server,
        count: AtomicU32::new(0),
    };

    let broken = {
        let _inside = runtime.enter();
        let mut observer = ending(Moment::Import, false);
        import(&service, files.folder(), Part::OtherRecords, &mut observer)
    };
    is_passing(broken);
    asked_while_away(&service, &server, &known, 1);
    let report = imported(&service, files.folder(), Part::OtherRecords);
    assert!(report.resumed_count > 0 && report.resumed_count < report.row_count);
    assert_eq!(
        (report.row_count, report.created_count, report.updated_count),
        (
            records.row_count,
            records.created_count,
            records.updated_count
        )
    );

    service.reclassify().unwrap();
    for (round, (at, in_order)) in [
        (Moment::Scan, true),
        (Moment::Scan, false),
        // The part is complete then, and only the flip is missing.
        (Moment::Finish, false),
    ]
    .into_iter()
    .enumerate()
    {
        is_passing(service.carry_out_run(&ending(at, in_order)));
        asked_while_away(&service, &server, &known, 2 + round);
    }
    let job = service.carry_out_run(&()).unwrap().unwrap();
    assert!(job.has_ended() && job.run.failure.is_none(), "{job:?}");
    assert_eq!(service.jobs(None, 9).unwrap().len(), 2);
    let end = Content::of(&service, disturbed.store().as_ref());
    assert_eq!(end, expected);
}
