//! Kills at random instants of promotions and rollbacks, on both stores: the old model is live or the new one, with its own
//! tiers and a whole ledger, and whoever comes next sees it through to the tiers of an undisturbed one.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use risktier::domain::rng::SeededRng;
use risktier::service::{
    ModelState, OutcomeRule, Person, RunState, Service, ValidationAsk, figures::Settings, label,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::postgres_server::PostgresServer;
use crate::register::TODAY;
use crate::world::{BASE_DAY, Content, Files, Part, Place, imported, reclassified};

const PLACE: &str = "RISKTIER_TEST_PROMOTION_PLACE";
const TO: &str = "RISKTIER_TEST_PROMOTION_TO";

/// Kills of a promotion, and of the rollback after it, at most.
const KILLS: usize = 6;

fn person(by: &str) -> Person {
    Person::parse(by, "as the test asks").unwrap()
}

/// Registers a card with other cut-offs and brings it to `approved`.
fn approved(service: &Service) -> String {
    let text = include_str!("../../models/default/scorecard.json");
    let mut card: serde_json::Value = serde_json::from_str(text).unwrap();
    card["version"] = 2.into();
    card["cutoffs"] = serde_json::json!({"B": 25, "C": 90, "D": 300});
    let author = label("by", "analyst-1").unwrap();
    let added = service.add_model(&card.to_string(), &author, None, None);
    let model_id = added.unwrap().0.model_id;
    let ask = ValidationAsk {
        by: author,
        reason: Some("the register is new".to_owned()),
        outcome: OutcomeRule::compiled_in().unwrap(),
        as_of: None,
        settings: Settings {
            rounds: 10,
            ..Settings::default()
        },
        force: true,
    };
    service
        .validate_model(&model_id, &ask, &mut |_, _| true)
        .unwrap();
    service.approve_model(&model_id, &person("head-2")).unwrap();
    model_id
}

fn live(service: &Service) -> String {
    service.live_model(None).unwrap().unwrap().model_id
}

/// Makes a model live, by the run that is there or by one that is asked for.
fn made_live(service: &Service, model_id: &str) {
    if live(service) == model_id {
        return;
    }
    match service.model(model_id).unwrap().state {
        ModelState::Retired => service.roll_back(Some(model_id), &person("director-3")),
        _ => service.promote_model(model_id, &person("director-3"), true),
    }
    .unwrap();
    let job = service.carry_out_run(&()).unwrap().unwrap();
    assert_eq!(job.run.state, RunState::Succeeded, "{:?}", job.run.failure);
}

/// The process; without a place it does nothing.
#[test]
fn the_child_makes_a_model_live() {
    let Ok(address) = std::env::var(PLACE) else {
        return;
    };
    let model_id = std::env::var(TO).unwrap();
    let runtime = Runtime::new().unwrap();
    let _inside = runtime.enter();
    made_live(&Place::of(&address).service(TODAY), &model_id);
}

fn making_live(place: &Place, model_id: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "promotion::the_child_makes_a_model_live",
            "--nocapture",
        ])
        .env(PLACE, place.address())
        .env(TO, model_id)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What must hold at any time; gives the live model.
fn holds(place: &Place, [old, new]: [&str; 2]) -> String {
    let (store, service) = (place.store(), place.service(TODAY));
    let live = live(&service);
    assert!([old, new].contains(&live.as_str()));
    let states: Vec<ModelState> = [old, new]
        .map(|model_id| service.model(model_id).unwrap().state)
        .to_vec();
    let others = states.iter().filter(|state| **state == ModelState::Live);
    assert_eq!(others.count(), 1, "{states:?}");
    assert_eq!(service.model(&live).unwrap().state, ModelState::Live);
    // The card in force is that of the live model, and every tier that is told is of its epoch.
    let entry = store.in_force().unwrap().unwrap();
    assert_eq!(
        store.model_of_set(&entry.files_id).unwrap().as_ref(),
        Some(&live)
    );
    let all = store.enterprises_after(None, 300).unwrap();
    for (enterprise, _) in all.iter().step_by(10) {
        let row = store.tier(&enterprise.enterprise_id).unwrap().unwrap();
        assert_eq!(row.epoch, Some(entry.epoch));
        let stored = row.stored.unwrap();
        let computed = service
            .explain(&enterprise.enterprise_id, None)
            .unwrap()
            .classification;
        assert_eq!(
            (stored.tier, stored.points),
            (computed.tier, computed.points)
        );
    }
    assert_eq!(service.check_ledger().unwrap().fault, None);
    live
}

fn kills_on(base: &Place, folder: &Path) {
    let files = Files::made(4_000);
    let (old, new) = {
        let service = base.service(BASE_DAY);
        imported(&service, files.folder(), Part::BaseEnterprises);
        imported(&service, files.folder(), Part::BaseRecords);
        reclassified(&service, &());
        reclassified(&base.service(TODAY), &());
        (live(&service), approved(&service))
    };
    base.quiet();
    // What an undisturbed promotion and rollback lead to, and how long they take.
    let undisturbed = base.copied(folder, "undisturbed_promotion");
    let mut ends = Vec::new();
    let mut paces = Vec::new();
    for model_id in [&new, &old] {
        let begun = Instant::now();
        assert!(
            making_live(&undisturbed, model_id)
                .wait()
                .unwrap()
                .success()
        );
        paces.push(begun.elapsed());
        ends.push(Content::of(
            &undisturbed.service(TODAY),
            undisturbed.store().as_ref(),
        ));
    }
    undisturbed.quiet();
    undisturbed.removed();
    assert_ne!(ends[0].tiers, ends[1].tiers, "the card changes no tier");

    let place = base.copied(folder, "killed_promotion");
    let mut rng = SeededRng::new(17, "kill promotions");
    for ((model_id, pace), end) in [&new, &old].into_iter().zip(paces).zip(ends) {
        let mut before_the_end = 0;
        for _ in 0..KILLS {
            let mut child = making_live(&place, model_id);
            let pause = pace.as_secs_f64() * rng.unit_f64();
            std::thread::sleep(Duration::from_secs_f64(pause));
            child.kill().unwrap();
            child.wait().unwrap();
            place.quiet();
            if holds(&place, [&old, &new]) == *model_id {
                break;
            }
            before_the_end += 1;
        }
        println!("{before_the_end} kills before the flip");
        assert!(making_live(&place, model_id).wait().unwrap().success());
        place.quiet();
        assert_eq!(holds(&place, [&old, &new]), *model_id);
        let found = Content::of(&place.service(TODAY), place.store().as_ref());
        assert_eq!(found, end);
        place.quiet();
    }
    place.removed();
}

#[test]
fn a_killed_promotion_leaves_the_old_model_or_the_new_one() {
    let folder = TempDir::new().unwrap();
    let place = Place::Sqlite(folder.path().join("base.db"));
    kills_on(&place, folder.path());
}

#[test]
fn on_postgresql_a_killed_promotion_leaves_the_old_model_or_the_new_one() {
    let folder = TempDir::new().unwrap();
    let place = Place::Postgres(PostgresServer::shared().new_database());
    kills_on(&place, folder.path());
}
