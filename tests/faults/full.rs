//! The disk is full in the middle: the error says so, nothing is lost, and with more room everything goes on.

use std::sync::Arc;

use risktier::service::{RunState, Service, ServiceError};
use risktier::store::{SqliteStore, Store, StoreError};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::postgres_server::PostgresServer;
use crate::register::TODAY;
use crate::world::{
    BASE_DAY, Content, Files, Part, Place, import, imported, reclassified, service_on,
};

/// Room beyond what the database takes: less than a batch of records, or the rows of a part, need.
const ROOM: u64 = 200_000;

fn told<T>(result: Result<T, ServiceError>) {
    match result {
        Err(ServiceError::Store(error @ StoreError::Full { .. })) => {
            assert!(error.is_passing());
            let text = error.to_string();
            assert!(
                text.contains("no room left") && text.contains("make room"),
                "{text}"
            );
        }
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("there was room"),
    }
}

#[test]
fn a_full_disk_in_an_import_or_a_run_is_told_and_then_gone_on_with() {
    let files = Files::made(10_000);
    let folder = TempDir::new().unwrap();
    let base = Place::Sqlite(folder.path().join("base.db"));
    {
        let service = base.service(BASE_DAY);
        imported(&service, files.folder(), Part::BaseEnterprises);
        imported(&service, files.folder(), Part::BaseRecords);
        reclassified(&service, &());
    }
    let undisturbed = base.copied(folder.path(), "undisturbed");
    let expected = {
        let service = undisturbed.service(TODAY);
        imported(&service, files.folder(), Part::AllEnterprises);
        imported(&service, files.folder(), Part::OtherRecords);
        reclassified(&service, &());
        Content::of(&service, undisturbed.store().as_ref())
    };

    let place = base.copied(folder.path(), "full");
    let Place::Sqlite(path) = &place else {
        unreachable!();
    };
    let narrow = || -> (Service, Arc<dyn Store>) {
        // What is written counts once it is in the file itself.
        let file = rusqlite::Connection::open(path).unwrap();
        file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .unwrap();
        drop(file);
        let room = std::fs::metadata(path).unwrap().len() + ROOM;
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open_limited(path, Some(room)).unwrap());
        (service_on(Arc::clone(&store), TODAY), store)
    };
    let runtime = Runtime::new().unwrap();
    imported(&place.service(TODAY), files.folder(), Part::AllEnterprises);
    {
        let (service, store) = narrow();
        let before = store.counts().unwrap();
        let _inside = runtime.enter();
        let part = Part::OtherRecords;
        told(import(&service, files.folder(), part, &mut ()));
        assert_eq!(store.counts().unwrap(), before);
        // Reads go on.
        assert_eq!(store.enterprises_after(None, 9).unwrap().len(), 9);
        drop((service, store));
        imported(&place.service(TODAY), files.folder(), part);
    }
    let (service, store) = narrow();
    let in_force = store.in_force().unwrap();
    service.reclassify().unwrap();
    told(service.carry_out_run(&()));
    assert_eq!(store.in_force().unwrap(), in_force);
    let job = &service.jobs(None, 9).unwrap()[0];
    assert_eq!(
        (job.run.state, &job.run.failure),
        (RunState::Running, &None)
    );
    drop((service, store));
    place.quiet();
    let service = place.service(TODAY);
    let job = service.carry_out_run(&()).unwrap().unwrap();
    assert_eq!(job.run.state, RunState::Succeeded);
    assert_eq!(Content::of(&service, place.store().as_ref()), expected);
}

/// The server answers to a write as it does when its disk is full.
const FULL: &str = "CREATE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$; \
     CREATE TRIGGER is_full BEFORE INSERT ON record_versions FOR EACH STATEMENT EXECUTE FUNCTION is_full(); \
     CREATE TRIGGER is_full BEFORE INSERT ON tiers_a FOR EACH STATEMENT EXECUTE FUNCTION is_full(); \
     CREATE TRIGGER is_full BEFORE INSERT ON tiers_b FOR EACH STATEMENT EXECUTE FUNCTION is_full()";
const ROOM_AGAIN: &str = "DROP FUNCTION is_full() CASCADE";

#[test]
fn on_postgresql_a_full_disk_is_told_and_then_gone_on_with() {
    let files = Files::made(5_000);
    let server = PostgresServer::shared();
    let url = server.new_database();
    let name = url.rsplit('/').next().unwrap().to_owned();
    let place = Place::Postgres(url);
    let service = place.service(BASE_DAY);
    imported(&service, files.folder(), Part::BaseEnterprises);
    let store = place.store();
    let before = store.counts().unwrap();
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();

    server.run(&name, FULL);
    told(import(&service, files.folder(), Part::BaseRecords, &mut ()));
    assert_eq!(store.counts().unwrap(), before);
    assert_eq!(store.enterprises_after(None, 9).unwrap().len(), 9);
    let in_force = store.in_force().unwrap();
    service.reclassify().unwrap();
    told(service.carry_out_run(&()));
    assert_eq!(store.in_force().unwrap(), in_force);
    let job = &service.jobs(None, 9).unwrap()[0];
    assert_eq!(job.run.state, RunState::Running);

    // With room again both go on, in the same process.
    server.run(&name, ROOM_AGAIN);
    let job = service.carry_out_run(&()).unwrap().unwrap();
    assert_eq!(job.run.state, RunState::Succeeded);
    let report = import(&service, files.folder(), Part::BaseRecords, &mut ()).unwrap();
    assert!(report.failure.is_none() && store.counts().unwrap().record_versions > 0);
}
