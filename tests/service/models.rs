//! The life of a model on both stores: every step by its law, promotions whole for every reader, and a ledger that tells.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use risktier::domain::dates::add_days;
use risktier::domain::{EnterpriseId, EnterpriseKind, Record, Tier};
use risktier::service::{
    CardDrift, JobKind, ModelDeed, ModelState, OutcomeRule, Person, RunState, Service,
    ServiceError, ValidationAsk, figures::Settings,
};
use risktier::store::Store;
use tokio::runtime::Runtime;

use crate::Place;
use crate::postgres_server::PostgresServer;
use crate::register::{TODAY, enterprise, id, label, record_with, serious_penalty};

const COUNT: usize = 40;

fn person(by: &str) -> Person {
    Person::parse(by, "as the test asks").unwrap()
}

/// The default card under another version and with another cut-off to tier D.
fn card(version: u32, d: u16) -> String {
    let text = include_str!("../../models/default/scorecard.json");
    let mut card: serde_json::Value = serde_json::from_str(text).unwrap();
    card["version"] = version.into();
    card["cutoffs"]["D"] = d.into();
    card.to_string()
}

/// Every second enterprise has a serious penalty: 180 points.
fn fill(store: &dyn Store) {
    let enterprises: Vec<_> = (1..=COUNT).map(enterprise).collect();
    store.put_enterprises(&enterprises, 0, TODAY).unwrap();
    let records: Vec<Record> = (1..=COUNT)
        .step_by(2)
        .map(|number| serious_penalty(number, &format!("p{number}"), 30))
        .collect();
    store.put_records(&records, 0).unwrap();
}

fn ask(force: bool) -> ValidationAsk {
    ValidationAsk {
        by: label("analyst-1"),
        reason: force.then(|| "the register is new".to_owned()),
        outcome: OutcomeRule::compiled_in().unwrap(),
        as_of: None,
        settings: Settings {
            rounds: 20,
            ..Settings::default()
        },
        force,
    }
}

fn add(service: &Service, card: &str) -> String {
    let added = service.add_model(card, &label("analyst-1"), Some("try"), None);
    added.unwrap().0.model_id
}

/// Brings a card to `approved`, overriding what an inspection-free register cannot show.
fn approved(service: &Service, card: &str) -> String {
    let model_id = add(service, card);
    service
        .validate_model(&model_id, &ask(true), &mut |_, _| true)
        .unwrap();
    service.approve_model(&model_id, &person("head-2")).unwrap();
    model_id
}

fn promote(service: &Service, model_id: &str) {
    let job = service
        .promote_model(model_id, &person("director-3"), true)
        .unwrap();
    let done = service.carry_out_run(&()).unwrap().unwrap();
    assert_eq!(done.run.run_id, job.run.run_id);
    assert_eq!(
        (done.run.state, done.run.failure.as_deref()),
        (RunState::Succeeded, None)
    );
}

fn live(service: &Service) -> String {
    service.live_model(None).unwrap().unwrap().model_id
}

fn state(service: &Service, model_id: &str) -> ModelState {
    service.model(model_id).unwrap().state
}

/// The refusal of a step by the state of the model.
#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, ServiceError>, found: ModelState) {
    match result {
        Err(ServiceError::ModelState { state, .. }) => assert_eq!(state, found),
        other => panic!("{other:?}"),
    }
}

fn on_both(law: fn(&Place)) {
    law(&Place::empty());
    law(&Place::on(PostgresServer::shared()));
}

#[test]
fn every_step_has_its_states_and_every_other_is_refused() {
    on_both(|place| {
        let service = place.service();
        fill(place.store().as_ref());
        let first = live(&service);
        type Step<'a> = &'a dyn Fn() -> Result<(), ServiceError>;
        let refused_all = |model_id: &str, found: ModelState, but: &[&str]| {
            let person = person("head-2");
            let steps: [(&str, Step<'_>); 5] = [
                ("approve", &|| {
                    service.approve_model(model_id, &person).map(drop)
                }),
                ("shadow", &|| {
                    service.shadow_model(model_id, &person).map(drop)
                }),
                ("promote", &|| {
                    service.promote_model(model_id, &person, true).map(drop)
                }),
                ("retire", &|| {
                    service.retire_model(model_id, &person).map(drop)
                }),
                ("validate", &|| {
                    let task = risktier::service::TaskRequest::Validate {
                        model_id: model_id.to_owned(),
                        ask: Box::new(ask(false)),
                    };
                    service.ask_task(&task).map(drop)
                }),
            ];
            for (_, step) in steps.iter().filter(|(name, _)| !but.contains(name)) {
                refused(step(), found);
            }
        };
        let model_id = add(&service, &card(2, 170));
        assert_eq!(state(&service, &model_id), ModelState::Draft);
        refused_all(&model_id, ModelState::Draft, &["validate", "retire"]);

        // No inspection can judge it, and that is told and not passed over.
        let validation = service
            .validate_model(&model_id, &ask(false), &mut |_, _| true)
            .unwrap();
        assert!(!validation.passed && !validation.forced);
        let broken: Vec<&str> = validation.broken().map(|gate| gate.gate.as_str()).collect();
        assert!(broken.contains(&"later_inspections"), "{broken:?}");
        assert_eq!(state(&service, &model_id), ModelState::Draft);
        assert_eq!(validation.disagreement.enterprise_count, COUNT as u64);
        assert_eq!(validation.disagreement.changed_count, COUNT as u64 / 2);
        assert_eq!(validation.disagreement.worsened_count, COUNT as u64 / 2);

        service
            .validate_model(&model_id, &ask(true), &mut |_, _| true)
            .unwrap();
        refused_all(
            &model_id,
            ModelState::Validated,
            &["validate", "approve", "retire"],
        );

        // The author in other letters is the author.
        for author in ["analyst-1", "Analyst-1"] {
            let error = service
                .approve_model(&model_id, &person(author))
                .unwrap_err();
            assert!(error.to_string().contains("another person"), "{error}");
        }
        service.approve_model(&model_id, &person("head-2")).unwrap();
        refused_all(
            &model_id,
            ModelState::Approved,
            &["validate", "shadow", "promote", "retire"],
        );

        let error = service
            .promote_model(&model_id, &person("director-3"), false)
            .unwrap_err();
        assert!(
            matches!(&error, ServiceError::GatesBroken { gates, .. } if gates.iter().any(|gate| gate == "later_inspections")),
            "{error}"
        );
        service.shadow_model(&model_id, &person("head-2")).unwrap();
        refused_all(
            &model_id,
            ModelState::Shadow,
            &["validate", "promote", "retire"],
        );

        promote(&service, &model_id);
        assert_eq!(state(&service, &model_id), ModelState::Live);
        assert_eq!(state(&service, &first), ModelState::Retired);
        refused_all(&model_id, ModelState::Live, &[]);
        // Nobody registered it, so that nobody can be told apart from its author.
        refused_all(&first, ModelState::Retired, &["approve"]);

        let none = service.model("none").unwrap_err();
        assert!(matches!(none, ServiceError::UnknownModel(_)), "{none}");
        assert_eq!(service.check_ledger().unwrap().fault, None);
    });
}

#[test]
fn a_promotion_changes_tiers_and_a_rollback_brings_them_back_and_the_ledger_tells() {
    on_both(|place| {
        let service = place.service();
        fill(place.store().as_ref());
        let runtime = Runtime::new().unwrap();
        let tier = || runtime.block_on(service.tier(&id(1))).unwrap().tier;
        let first = live(&service);
        assert_eq!(tier(), Tier::C);
        let before = jiff::Timestamp::now();
        std::thread::sleep(std::time::Duration::from_millis(5));

        let second = approved(&service, &card(2, 170));
        promote(&service, &second);
        assert_eq!((live(&service), tier()), (second.clone(), Tier::D));
        let between = jiff::Timestamp::now();
        std::thread::sleep(std::time::Duration::from_millis(5));
        let third = approved(&service, &card(3, 400));
        promote(&service, &third);
        assert_eq!((live(&service), tier()), (third.clone(), Tier::C));

        // Back, and back again, to what was live before.
        for expected in [(&second, Tier::D), (&first, Tier::C)] {
            service.roll_back(None, &person("director-3")).unwrap();
            service.carry_out_run(&()).unwrap();
            assert_eq!((&live(&service), tier()), expected);
        }
        let error = service.roll_back(None, &person("director-3")).unwrap_err();
        assert!(matches!(error, ServiceError::Conflict(_)), "{error}");
        // And to one by name, if it was ever live.
        service
            .roll_back(Some(&third), &person("director-3"))
            .unwrap();
        service.carry_out_run(&()).unwrap();
        assert_eq!(live(&service), third);
        let never = add(&service, &card(9, 500));
        let error = service
            .roll_back(Some(&never), &person("director-3"))
            .unwrap_err();
        assert!(error.to_string().contains("never live"), "{error}");

        let at = |instant| service.live_model(Some(instant)).unwrap().unwrap().model_id;
        assert_eq!((at(before), at(between)), (first.clone(), second.clone()));
        assert_eq!(
            service
                .live_model(Some(jiff::Timestamp::UNIX_EPOCH))
                .unwrap(),
            None
        );

        let mut rows = service.model_history(None, None, 1_000).unwrap();
        rows.reverse();
        let told: Vec<(ModelDeed, &str)> = rows
            .iter()
            .filter(|row| row.live_before != row.live_after && row.what != ModelDeed::Superseded)
            .map(|row| (row.what, row.model_id.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (ModelDeed::Adopted, first.as_str()),
                (ModelDeed::Promoted, second.as_str()),
                (ModelDeed::Promoted, third.as_str()),
                (ModelDeed::RolledBack, second.as_str()),
                (ModelDeed::RolledBack, first.as_str()),
                (ModelDeed::RolledBack, third.as_str()),
            ]
        );
        let promoted = rows
            .iter()
            .find(|row| row.what == ModelDeed::Promoted)
            .unwrap();
        assert_eq!(promoted.by.as_deref(), Some("director-3"));
        assert!(promoted.is_forced && promoted.run_id.is_some() && promoted.reason.is_some());
        let check = service.check_ledger().unwrap();
        assert_eq!((check.fault, check.row_count), (None, rows.len() as u64));
        assert_eq!(check.head, rows.last().unwrap().digest);

        // A replica that starts with its compiled-in files takes nothing back.
        let replica = place.service();
        assert_eq!(replica.adopt_given(false).unwrap(), None);
        assert_eq!(replica.adopt_given(true).unwrap(), None);
        assert_eq!(live(&replica), third);
    });
}

#[test]
fn of_two_promotions_at_once_one_wins_and_the_other_is_told() {
    on_both(|place| {
        let (here, there) = (place.service(), place.service());
        fill(place.store().as_ref());
        let (second, third) = (
            approved(&here, &card(2, 170)),
            approved(&here, &card(3, 400)),
        );
        let start = std::sync::Barrier::new(2);
        let ask = |service: &Service, model_id: &str| {
            start.wait();
            service.promote_model(model_id, &person("director-3"), true)
        };
        let results: Vec<Result<_, ServiceError>> = std::thread::scope(|scope| {
            let one = scope.spawn(|| ask(&here, &second));
            let other = scope.spawn(|| ask(&there, &third));
            vec![one.join().unwrap(), other.join().unwrap()]
        });
        let won: Vec<bool> = results.iter().map(Result::is_ok).collect();
        assert_ne!(won[0], won[1], "{results:?}");
        let told = results
            .iter()
            .find_map(|result| result.as_ref().err())
            .unwrap();
        assert!(matches!(told, ServiceError::PromotionBusy { .. }), "{told}");
        let winner = if won[0] { &second } else { &third };

        // A reclassification that someone asks for meanwhile joins it and does not break it off.
        let joined = there.reclassify().unwrap();
        assert_eq!(joined.run.kind, JobKind::Promote);
        there.carry_out_run(&()).unwrap();
        here.refresh().unwrap();
        assert_eq!((&live(&here), &live(&there)), (winner, winner));
        assert_eq!(here.check_ledger().unwrap().fault, None);

        // What was approved against the model before is not approved against this one.
        let loser = if won[0] { &third } else { &second };
        let error = here
            .promote_model(loser, &person("director-3"), false)
            .unwrap_err();
        assert!(error.to_string().contains("validate it anew"), "{error}");
    });
}

#[test]
fn readers_never_see_a_mixture_while_models_change() {
    on_both(|place| {
        let service = Arc::new(place.service());
        fill(place.store().as_ref());
        let second = approved(&service, &card(2, 170));
        let third = approved(&service, &card(3, 400));
        let ended = AtomicBool::new(false);
        let ids: Vec<EnterpriseId> = (1..=COUNT).map(id).collect();
        let seen = std::thread::scope(|scope| {
            let readers: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let runtime = Runtime::new().unwrap();
                        let mut seen: BTreeMap<String, Vec<Tier>> = BTreeMap::new();
                        let mut count = 0_u64;
                        while !ended.load(Ordering::SeqCst) || count == 0 {
                            let answers = runtime.block_on(service.tiers(&ids)).unwrap();
                            let answers: Vec<_> =
                                answers.into_iter().map(|one| one.unwrap()).collect();
                            let epoch = answers[0].epoch;
                            assert!(answers.iter().all(|one| one.epoch == epoch));
                            let tiers: Vec<Tier> = answers.iter().map(|one| one.tier).collect();
                            let kept = seen
                                .entry(epoch.to_string())
                                .or_insert_with(|| tiers.clone());
                            assert_eq!(*kept, tiers, "two answers of epoch {epoch}");
                            count += 1;
                        }
                        seen
                    })
                })
                .collect();
            for model_id in [&second, &third] {
                promote(&service, model_id);
            }
            for _ in 0..2 {
                service.roll_back(None, &person("director-3")).unwrap();
                service.carry_out_run(&()).unwrap();
            }
            ended.store(true, Ordering::SeqCst);
            readers
                .into_iter()
                .flat_map(|reader| reader.join().unwrap())
                .collect::<Vec<_>>()
        });
        // The tiers of one epoch are the same for every reader.
        let mut by_epoch: BTreeMap<String, Vec<Tier>> = BTreeMap::new();
        for (epoch, tiers) in seen {
            let kept = by_epoch.entry(epoch).or_insert_with(|| tiers.clone());
            assert_eq!(*kept, tiers);
        }
        assert!(!by_epoch.is_empty());
    });
}

#[test]
fn a_cancelled_promotion_changes_nothing_and_may_be_asked_for_again() {
    on_both(|place| {
        let service = place.service();
        fill(place.store().as_ref());
        let first = live(&service);
        let second = approved(&service, &card(2, 170));
        let job = service
            .promote_model(&second, &person("director-3"), true)
            .unwrap();
        service.cancel_job(&job.run.run_id).unwrap();
        assert!(service.carry_out_run(&()).unwrap().is_none());
        assert_eq!(live(&service), first);
        assert_eq!(state(&service, &second), ModelState::Approved);

        // A model that is retired while its run is under way does not become live.
        let job = service
            .promote_model(&second, &person("director-3"), true)
            .unwrap();
        service.retire_model(&second, &person("head-2")).unwrap();
        let error = service.carry_out_run(&()).unwrap_err();
        assert!(error.to_string().contains("retired"), "{error}");
        assert_eq!(
            service.job(&job.run.run_id).unwrap().run.state,
            RunState::Failed
        );
        assert_eq!(live(&service), first);
        assert_eq!(service.check_ledger().unwrap().fault, None);
    });
}

#[test]
fn a_model_in_shadow_is_counted_and_never_told() {
    on_both(|place| {
        let service = place.service();
        fill(place.store().as_ref());
        let runtime = Runtime::new().unwrap();
        let ids: Vec<EnterpriseId> = (1..=COUNT).map(id).collect();
        let told = || -> Vec<(Tier, String)> {
            let answers = runtime.block_on(service.tiers(&ids)).unwrap();
            answers
                .into_iter()
                .map(|one| one.unwrap())
                .map(|one| (one.tier, one.epoch.to_string()))
                .collect()
        };
        let before = told();
        let second = approved(&service, &card(2, 170));
        let (_, job) = service.shadow_model(&second, &person("head-2")).unwrap();
        assert_eq!(job.run.kind, JobKind::Shadow);

        let done = service.carry_out_task().unwrap().unwrap();

        assert_eq!((done.run.state, done.percent), (RunState::Succeeded, 100.0));
        let report = service.shadow_report(&second).unwrap();
        assert_eq!(report.enterprise_count, COUNT as u64);
        let cell = |from, to| {
            let found = report
                .moves
                .iter()
                .find(|one| one.from == from && one.to == to);
            found.unwrap().count
        };
        assert_eq!(cell(Tier::C, Tier::D), COUNT as u64 / 2);
        assert_eq!(cell(Tier::A, Tier::A), COUNT as u64 / 2);
        assert_eq!(
            report.moves.iter().map(|one| one.count).sum::<u64>(),
            COUNT as u64
        );
        let divisions: u64 = report
            .groups
            .iter()
            .filter(|group| group.grouping == "division")
            .map(|group| group.enterprise_count)
            .sum();
        assert_eq!(divisions, COUNT as u64);
        assert_eq!(told(), before);
        assert!(service.carry_out_task().unwrap().is_none());
    });
}

#[test]
fn results_are_forgotten_after_their_time_and_that_there_was_one_is_not() {
    on_both(|place| {
        let service = place.service();
        fill(place.store().as_ref());
        let runtime = Runtime::new().unwrap();
        let job = service
            .ask_task(&risktier::service::TaskRequest::Drift {})
            .unwrap();
        let id = job.run.run_id.as_str();
        service.carry_out_task().unwrap().unwrap();
        runtime.block_on(service.tidy());
        let result = service.job_result(id).unwrap();
        assert!(result.starts_with('{'), "{result}");

        // A process that keeps results for no time at all, as one would be after so many days.
        let hasty = place.service().with_results_kept(std::time::Duration::ZERO);
        runtime.block_on(hasty.tidy());

        for service in [&service, &hasty, &place.service()] {
            let gone = service.job_result(id).unwrap_err();
            assert!(matches!(gone, ServiceError::ResultExpired { .. }), "{gone}");
            assert!(service.job(id).unwrap().result_expires_at.is_some());
        }
        assert_eq!(place.store().forget_results(0, 10).unwrap(), 0);
    });
}

#[test]
fn drift_is_measured_kept_and_raises_an_alert() {
    on_both(|place| {
        let service = place.service();
        let store = place.store();
        fill(store.as_ref());
        // An expert card carries no baseline: the first measuring is one.
        let first = service.measure_drift(&mut |_| true).unwrap();
        assert_eq!(first.general.enterprise_count, COUNT as u64);
        assert!(first.general.stability.is_none() && !first.is_alert);
        assert!(
            !service.request_monthly_drift().unwrap(),
            "no run has frozen anything"
        );
        let records: Vec<Record> = (1..=COUNT)
            .map(|number| serious_penalty(number, &format!("q{number}"), 20))
            .collect();
        store.put_records(&records, 0).unwrap();

        let second = service.measure_drift(&mut |_| true).unwrap();

        let stability = second.general.stability.unwrap();
        assert!(stability.score.index > 0.25, "{}", stability.score.index);
        assert!(second.is_alert);
        let kept = service.drifts(None, 10).unwrap();
        let alerts: Vec<bool> = kept.iter().map(|row| row.is_alert).collect();
        assert_eq!(alerts, [true, false]);
        assert!(
            second.general.missing["BAS04"] == 1.0,
            "nothing is frozen yet"
        );
    });
}

#[test]
fn codes_that_no_rule_knows_are_counted() {
    let place = Place::empty();
    let service = place.service();
    let store = place.store();
    fill(store.as_ref());
    let visit = record_with(1, "v1", "inspection", add_days(TODAY, -10), |draft| {
        draft.codes = vec!["Z9".into()];
    });
    store.put_records(&[visit], 0).unwrap();
    let report = service.measure_drift(&mut |_| true).unwrap();
    assert_eq!(report.unseen_codes, BTreeMap::from([("Z9".to_owned(), 1)]));
}

#[test]
fn a_ledger_that_was_changed_by_hand_is_found_by_row() {
    let place = Place::empty();
    let service = place.service();
    fill(place.store().as_ref());
    let second = approved(&service, &card(2, 170));
    promote(&service, &second);
    let file = rusqlite::Connection::open(place.path()).unwrap();
    file.execute(
        "UPDATE model_changes SET by_whom = 'someone-else' WHERE what = 'approved'",
        [],
    )
    .unwrap();
    let (row, wrong) = service.check_ledger().unwrap().fault.unwrap();
    assert!(wrong.contains("another digest"), "{wrong}");
    file.execute("DELETE FROM model_changes WHERE seq = ?1", [row])
        .unwrap();
    let (row_out, wrong) = service.check_ledger().unwrap().fault.unwrap();
    assert_eq!(row_out, row);
    assert!(wrong.contains("number"), "{wrong}");
}

#[test]
fn a_database_of_an_earlier_release_learns_whose_card_is_live() {
    let place = Place::empty();
    let first = live(&place.service());
    let file = rusqlite::Connection::open(place.path()).unwrap();
    file.execute_batch("DELETE FROM models; DELETE FROM set_models; DELETE FROM model_changes")
        .unwrap();
    assert_eq!(live(&place.service()), first);
    // What a process is started with goes its own way into the registry.
    let stricter = place.replica(
        Arc::new(risktier::cache::MemoryCache::with_capacity(10)),
        crate::stricter_models(),
        TODAY,
    );
    stricter.adopt_given(true).unwrap();
    stricter.carry_out_run(&()).unwrap();
    let now = live(&stricter);
    assert_ne!(now, first);
    assert_eq!(stricter.model(&now).unwrap().author, None);
    let error = stricter
        .approve_model(&first, &person("head-2"))
        .unwrap_err();
    assert!(error.to_string().contains("no author"), "{error}");
}

#[test]
fn the_month_is_measured_once_after_its_run_and_shadows_are_counted_anew() {
    on_both(|place| {
        let service = place.service();
        fill(place.store().as_ref());
        let second = approved(&service, &card(2, 170));
        service.shadow_model(&second, &person("head-2")).unwrap();
        service.carry_out_task().unwrap().unwrap();
        assert!(!service.request_monthly_drift().unwrap());
        service.reclassify().unwrap();
        service.carry_out_run(&()).unwrap();

        assert!(service.request_monthly_drift().unwrap());

        assert!(!service.request_monthly_drift().unwrap());
        let mut kinds = Vec::new();
        while let Some(job) = service.carry_out_task().unwrap() {
            assert_eq!(job.run.state, RunState::Succeeded, "{:?}", job.run.failure);
            kinds.push(job.run.kind);
        }
        assert_eq!(kinds, [JobKind::Drift, JobKind::Shadow]);
        assert!(!service.request_monthly_drift().unwrap());
        assert_eq!(service.drifts(None, 10).unwrap().len(), 1);
    });
}

/// Does something once, when a run has scanned a part.
struct Meanwhile<F: Fn()>(AtomicBool, F);

impl<F: Fn() + Sync> risktier::service::RunObserver for Meanwhile<F> {
    fn scanned(&self, _done: u64, _total: u64) {
        if !self.0.swap(true, Ordering::SeqCst) {
            (self.1)();
        }
    }
}

#[test]
fn other_work_that_is_cancelled_during_a_promotion_leaves_it_alone() {
    on_both(|place| {
        let (service, other) = (place.service(), place.service());
        fill(place.store().as_ref());
        // The tiers that the promotion changes are told by then.
        service.reclassify().unwrap();
        service.carry_out_run(&()).unwrap();
        let second = approved(&service, &card(2, 170));
        service
            .promote_model(&second, &person("director-3"), true)
            .unwrap();
        let cancelled = Meanwhile(AtomicBool::new(false), || {
            let job = other.request_drift().unwrap();
            let job = other.cancel_job(&job.run.run_id).unwrap();
            assert_eq!(job.run.state, RunState::Cancelled);
        });

        let done = service.carry_out_run(&cancelled).unwrap().unwrap();

        assert_eq!(
            (done.run.state, done.run.change_count),
            (RunState::Succeeded, Some(COUNT as u64 / 2))
        );
        assert_eq!(live(&service), second);
        assert!(other.carry_out_task().unwrap().is_none());
    });
}

#[test]
fn cards_for_kinds_are_promoted_and_rolled_back_with_the_general_one() {
    on_both(|place| {
        let service = place.service();
        let store = place.store();
        fill(store.as_ref());
        // The first enterprise is an individual business; the third one, as all others, is none.
        let mut shop = enterprise(1);
        shop.kind = EnterpriseKind::IndividualBusiness;
        store.put_enterprises(&[shop], 0, TODAY).unwrap();
        let runtime = Runtime::new().unwrap();
        let tier = |number| runtime.block_on(service.tier(&id(number))).unwrap().tier;
        let first = live(&service);
        let of_kinds = |version: u32, d: u16| {
            let general: serde_json::Value = serde_json::from_str(&card(version, 200)).unwrap();
            let shops: serde_json::Value = serde_json::from_str(&card(version, d)).unwrap();
            serde_json::json!({"format": "risktier-scorecards/1", "general": general,
                "by_kind": {"individual_business": shops}})
            .to_string()
        };
        assert_eq!((tier(1), tier(3)), (Tier::C, Tier::C));

        let second = approved(&service, &of_kinds(2, 170));
        assert_eq!(add(&service, &of_kinds(2, 170)), second);
        let detail = service.model_detail(&second).unwrap();
        assert_eq!(detail.cards.by_kind.len(), 1);
        let gates = detail.validation.unwrap().gates;
        let of_kind = "individual_business.direction";
        assert!(gates.iter().any(|gate| gate.gate == of_kind), "{gates:?}");
        promote(&service, &second);
        assert_eq!(live(&service), second);
        assert_eq!((tier(1), tier(3)), (Tier::D, Tier::C));
        // A digest over all: another card of the kind alone makes another model.
        let third = approved(&service, &of_kinds(2, 400));
        assert_ne!(third, second);
        promote(&service, &third);
        assert_eq!((tier(1), tier(3)), (Tier::C, Tier::C));

        // Each card is measured by those whom it scores, the second time against the first.
        let kind = EnterpriseKind::IndividualBusiness;
        for has_baseline in [false, true] {
            let drift = service.measure_drift(&mut |_| true).unwrap();
            let shops = &drift.by_kind[&kind];
            assert_eq!(drift.general.enterprise_count, COUNT as u64 - 1);
            assert_eq!((shops.enterprise_count, shops.mix[&Tier::C]), (1, 1.0));
            let rows = |card: &CardDrift| card.stability.as_ref().map(|now| now.rows_now);
            let expected = has_baseline.then_some((COUNT as u64 - 1, 1));
            assert_eq!(rows(&drift.general).zip(rows(shops)), expected);
            assert!(!drift.is_alert, "{:?}", shops.guards);
        }

        for expected in [(&second, Tier::D), (&first, Tier::C)] {
            service.roll_back(None, &person("director-3")).unwrap();
            service.carry_out_run(&()).unwrap();
            assert_eq!((&live(&service), tier(1)), expected);
        }
        let general = service
            .current()
            .models
            .classifier
            .scorecards()
            .by_kind
            .len();
        assert_eq!(general, 0);
        assert_eq!(service.check_ledger().unwrap().fault, None);
    });
}
