//! The registry of policies on both stores: what comes into force at once, what takes a run, and what stands beside a
//! promotion.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use risktier::cache::MemoryCache;
use risktier::domain::{Record, Tier};
use risktier::service::{
    Activation, JobKind, ModelFiles, Models, OutcomeRule, Person, PolicyDeed, RunObserver,
    RunState, Service, ServiceError, ValidationAsk, figures::Settings,
};
use tokio::runtime::Runtime;

use crate::Place;
use crate::postgres_server::PostgresServer;
use crate::register::{TODAY, enterprise, id, label, serious_penalty};

const POLICY: &str = include_str!("../../models/policy.toml");

/// The default policy under another version and with another rate of tier D: it gives the same tiers.
fn rates(version: u32) -> String {
    let text = POLICY.replacen("version = 1", &format!("version = {version}"), 1);
    let text = text.replacen("D = 0.50", &format!("D = 0.{}", 60 + version), 1);
    assert_ne!(text, POLICY);
    text
}

/// The default policy under another version, by which a serious penalty makes tier D at least.
fn stricter(version: u32) -> String {
    let (before, after) = POLICY.split_once("code = \"SERIOUS_PENALTY\"").unwrap();
    let after = after.replacen("tier = \"C\"", "tier = \"D\"", 1);
    format!("{before}code = \"SERIOUS_PENALTY\"{after}").replacen(
        "version = 1",
        &format!("version = {version}"),
        1,
    )
}

fn models_with(policy: &str) -> Models {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.toml");
    std::fs::write(&path, policy).unwrap();
    Models::load(&ModelFiles {
        policy: Some(path),
        ..ModelFiles::default()
    })
    .unwrap()
}

fn person(by: &str) -> Person {
    Person::parse(by, "as the test asks").unwrap()
}

fn on_both(law: fn(&Place)) {
    law(&Place::empty());
    law(&Place::on(PostgresServer::shared()));
}

/// Twenty enterprises, every second one with a serious penalty.
fn filled(place: &Place) -> Service {
    let store = place.store();
    let all: Vec<_> = (1..=20).map(enterprise).collect();
    store.put_enterprises(&all, 0, TODAY).unwrap();
    let records: Vec<Record> = (1..=20)
        .step_by(2)
        .map(|number| serious_penalty(number, &format!("p{number}"), 30))
        .collect();
    store.put_records(&records, 0).unwrap();
    place.service()
}

fn add(service: &Service, text: &str) -> String {
    let added = service.add_policy(text, &label("analyst-1"), Some("try"));
    let (row, is_new) = added.unwrap();
    assert!(is_new && !row.is_in_force);
    row.policy_id
}

fn in_force(service: &Service) -> String {
    service.refresh().unwrap();
    service.current().models.policy_name.clone()
}

fn tier(service: &Service) -> Tier {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(service.tier(&id(1))).unwrap().tier
}

#[track_caller]
fn conflict<T: std::fmt::Debug>(result: Result<T, ServiceError>, said: &str) {
    match result {
        Err(ServiceError::Conflict(text)) => assert!(text.contains(said), "{text}"),
        other => panic!("{other:?}"),
    }
}

/// Brings a card with another cut-off to tier D to `approved`.
fn approved(service: &Service) -> String {
    let text = include_str!("../../models/default/scorecard.json");
    let mut card: serde_json::Value = serde_json::from_str(text).unwrap();
    card["version"] = 2.into();
    card["cutoffs"]["D"] = 170.into();
    let added = service.add_model(&card.to_string(), &label("analyst-1"), None, None);
    let model_id = added.unwrap().0.model_id;
    let ask = ValidationAsk {
        by: label("analyst-1"),
        reason: Some("the register is new".to_owned()),
        outcome: OutcomeRule::compiled_in().unwrap(),
        as_of: None,
        settings: Settings {
            rounds: 20,
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

/// Does something once, when a run has scanned a part.
struct Meanwhile<F: Fn()>(AtomicBool, F);

impl<F: Fn() + Sync> RunObserver for Meanwhile<F> {
    fn scanned(&self, _done: u64, _total: u64) {
        if !self.0.swap(true, Ordering::SeqCst) {
            (self.1)();
        }
    }
}

#[test]
fn a_policy_is_kept_under_the_digest_of_its_file_and_a_wrong_one_is_not() {
    on_both(|place| {
        let service = filled(place);
        // What the process was started with stands in the registry without an author.
        let first = service.policy_named("in-force").unwrap();
        assert_eq!((first.name.as_str(), first.version), ("cn-general", 1));
        assert_eq!((first.author, first.is_in_force), (None, true));
        assert_eq!(
            service.policy_file(&first.policy_id).unwrap(),
            POLICY.as_bytes()
        );

        let policy_id = add(&service, &rates(2));
        assert_eq!(
            service.policy_file(&policy_id).unwrap(),
            rates(2).as_bytes()
        );
        let again = service.add_policy(&rates(2), &label("analyst-7"), None);
        let (row, is_new) = again.unwrap();
        assert_eq!(
            (row.policy_id.as_str(), is_new),
            (policy_id.as_str(), false)
        );
        assert_eq!(row.author.as_deref(), Some("analyst-1"));
        assert_eq!(
            service.policy_named("cn-general/2").unwrap().policy_id,
            policy_id
        );
        assert_eq!(
            service.policy_named(&policy_id[..12]).unwrap().policy_id,
            policy_id
        );

        for (wrong, said) in [
            (rates(3).replacen("D = 0.63", "D = 0.10", 1), "tier D"),
            ("format = ".to_owned(), "cannot be read"),
            (rates(3).replacen("policy/1", "policy/9", 1), "policy/9"),
            (
                rates(3).replacen("\"SUP05\"", "\"SUP99\"", 1),
                "ABNORMAL_LISTING",
            ),
        ] {
            let error = service
                .add_policy(&wrong, &label("analyst-1"), None)
                .unwrap_err()
                .to_string();
            assert!(error.contains(said), "{error}");
        }
        assert_eq!(service.policies(None, 10).unwrap().len(), 2);
        let none = service.policy("none").unwrap_err();
        assert!(matches!(none, ServiceError::UnknownPolicy(_)), "{none}");
    });
}

#[test]
fn rates_come_into_force_at_once_and_by_another_person() {
    on_both(|place| {
        let service = filled(place);
        let replica = place.service();
        let before = (*service.current().epoch(), tier(&service));
        let policy_id = add(&service, &rates(2));
        let error = service
            .activate_policy(&policy_id, &person("ANALYST-1"))
            .unwrap_err();
        assert!(error.to_string().contains("another person"), "{error}");
        assert_eq!(in_force(&service), "cn-general/1");

        let done = service.activate_policy(&policy_id, &person("head-2"));
        assert!(matches!(done.unwrap(), Activation::Done(row) if row.is_in_force));

        assert_eq!(in_force(&service), "cn-general/2");
        assert_eq!(in_force(&replica), "cn-general/2");
        assert!((replica.current().models.sampling.rates.general.d - 0.62).abs() < 1e-12);
        assert_eq!((*service.current().epoch(), tier(&service)), before);
        conflict(
            service.activate_policy(&policy_id, &person("head-2")),
            "is in force",
        );
        // The first one comes back the same way, though nobody registered it.
        let first = service.policy_named("cn-general/1").unwrap().policy_id;
        service.activate_policy(&first, &person("head-2")).unwrap();
        assert_eq!(in_force(&replica), "cn-general/1");

        let told: Vec<(PolicyDeed, Option<String>)> = service
            .policy_history(None, None, 10)
            .unwrap()
            .into_iter()
            .map(|row| (row.change.what, row.change.by))
            .collect();
        let by = |name: &str| Some(name.to_owned());
        assert_eq!(
            told,
            [
                (PolicyDeed::ActivationAsked, by("head-2")),
                (PolicyDeed::ActivationAsked, by("head-2")),
                (PolicyDeed::Registered, by("analyst-1")),
                (PolicyDeed::Registered, None),
            ]
        );
    });
}

#[test]
fn tier_rules_come_into_force_by_a_run_and_go_back_by_one() {
    on_both(|place| {
        let service = filled(place);
        assert_eq!(tier(&service), Tier::C);
        let policy_id = add(&service, &stricter(2));
        let Activation::Run(job) = service
            .activate_policy(&policy_id, &person("head-2"))
            .unwrap()
        else {
            panic!("a policy that changes tiers was in force at once");
        };
        assert_eq!(
            (in_force(&service).as_str(), tier(&service)),
            ("cn-general/1", Tier::C)
        );
        // Meanwhile no promotion breaks it off, and no other policy overtakes it.
        let model_id = approved(&service);
        conflict(
            service.promote_model(&model_id, &person("director-3"), true),
            &job.run.run_id,
        );
        let other = add(&service, &rates(3));
        conflict(
            service.activate_policy(&other, &person("head-2")),
            &job.run.run_id,
        );

        let done = service.carry_out_run(&()).unwrap().unwrap();

        assert_eq!(done.run.state, RunState::Succeeded);
        assert_eq!(
            (in_force(&service).as_str(), tier(&service)),
            ("cn-general/2", Tier::D)
        );
        let asked = service
            .policy_history(Some(&policy_id), None, 1)
            .unwrap()
            .remove(0);
        assert_eq!(asked.change.run_id, Some(job.run.run_id));
        let first = service.policy_named("cn-general/1").unwrap().policy_id;
        service.activate_policy(&first, &person("head-2")).unwrap();
        service.carry_out_run(&()).unwrap();
        assert_eq!(
            (in_force(&service).as_str(), tier(&service)),
            ("cn-general/1", Tier::C)
        );
    });
}

#[test]
fn a_policy_that_comes_into_force_during_a_run_is_not_taken_back_by_its_flip() {
    on_both(|place| {
        let (service, other) = (filled(place), place.service());
        service.reclassify().unwrap();
        service.carry_out_run(&()).unwrap();
        let (second, third) = (add(&service, &rates(2)), add(&service, &rates(3)));
        let model_id = approved(&service);

        // During a promotion, by a person.
        service
            .promote_model(&model_id, &person("director-3"), true)
            .unwrap();
        let tiers = add(&service, &stricter(9));
        conflict(
            other.activate_policy(&tiers, &person("head-2")),
            "other tiers",
        );
        let meanwhile = Meanwhile(AtomicBool::new(false), || {
            let done = other.activate_policy(&second, &person("head-2"));
            assert!(matches!(done.unwrap(), Activation::Done(_)));
        });
        let done = service.carry_out_run(&meanwhile).unwrap().unwrap();
        assert_eq!(
            (done.run.kind, done.run.state),
            (JobKind::Promote, RunState::Succeeded)
        );
        assert_eq!(
            (in_force(&other).as_str(), tier(&other)),
            ("cn-general/2", Tier::D)
        );
        let live = service.live_model(None).unwrap().unwrap().model_id;
        assert_eq!(live, model_id);
        assert_eq!(service.check_ledger().unwrap().fault, None);

        // During an ordinary run.
        service.reclassify().unwrap();
        let meanwhile = Meanwhile(AtomicBool::new(false), || {
            other.activate_policy(&third, &person("head-2")).unwrap();
        });
        let done = service.carry_out_run(&meanwhile).unwrap().unwrap();
        assert_eq!(done.run.state, RunState::Succeeded);
        assert_eq!(in_force(&service), "cn-general/3");
        assert_eq!(service.live_model(None).unwrap().unwrap().model_id, live);

        // During a rollback, by a process that starts with a policy of its own.
        service.roll_back(None, &person("director-3")).unwrap();
        let starting = place.replica(
            Arc::new(MemoryCache::with_capacity(10)),
            models_with(&rates(4)),
            TODAY,
        );
        assert_eq!(starting.adopt_given(false).unwrap(), None);
        assert_eq!(in_force(&service), "cn-general/4");
        let done = service.carry_out_run(&()).unwrap().unwrap();
        assert_eq!(done.run.state, RunState::Succeeded);
        assert_eq!(
            (in_force(&service).as_str(), tier(&service)),
            ("cn-general/4", Tier::C)
        );
        assert_ne!(service.live_model(None).unwrap().unwrap().model_id, live);
    });
}

#[test]
fn the_history_is_a_chain() {
    on_both(|place| {
        let service = filled(place);
        let second = add(&service, &rates(2));
        add(&service, &rates(3));
        service.activate_policy(&second, &person("head-2")).unwrap();
        let check = service.check_policy_history().unwrap();
        // The policy of the process, two that were registered, and one that was asked for.
        assert_eq!((check.row_count, check.fault), (4, None));
        let history = service.policy_history(None, None, 10).unwrap();
        assert_eq!(check.head, history[0].digest);
        assert_eq!(history[0].previous, history[1].digest);
    });
}

#[test]
fn rows_that_were_changed_by_hand_are_found_and_those_of_an_earlier_release_are_chained() {
    let place = Place::empty();
    let service = filled(&place);
    let second = add(&service, &rates(2));
    service.activate_policy(&second, &person("head-2")).unwrap();
    let head = service.check_policy_history().unwrap().head;
    let file = rusqlite::Connection::open(place.path()).unwrap();

    // As an earlier release left them, and one that it writes beside this one.
    let earlier = "INSERT INTO policy_changes (at, policy_id, what) VALUES (7, 'p', 'registered')";
    file.execute_batch("UPDATE policy_changes SET previous = '', digest = ''")
        .unwrap();
    let open = service.check_policy_history().unwrap();
    assert_eq!(open.fault.unwrap().0, 1);
    let service = place.service();
    let again = service.check_policy_history().unwrap();
    assert_eq!((&again.head, &again.fault), (&head, &None));
    file.execute_batch(earlier).unwrap();
    assert!(service.check_policy_history().unwrap().fault.is_some());
    add(&service, &rates(3));
    let after = service.check_policy_history().unwrap();
    assert_eq!((after.row_count, after.fault), (5, None));

    let set = "UPDATE policy_changes SET reason = 'another' WHERE what = 'activation_asked'";
    file.execute_batch(set).unwrap();
    let (row, wrong) = service.check_policy_history().unwrap().fault.unwrap();
    assert!(wrong.contains("another digest"), "{wrong}");
    // Nothing chains it anew, and its end does not hide it.
    add(&service, &rates(4));
    assert_eq!(
        service.check_policy_history().unwrap().fault.unwrap().0,
        row
    );
    file.execute("DELETE FROM policy_changes WHERE seq = ?1", [row])
        .unwrap();
    let (next, wrong) = place
        .service()
        .check_policy_history()
        .unwrap()
        .fault
        .unwrap();
    assert_eq!(next, row + 1);
    assert!(wrong.contains("row before"), "{wrong}");
}
