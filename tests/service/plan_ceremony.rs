//! What stands beside the steps of a plan: methods, extensions, replacements, membership proofs, the chain.

use std::collections::BTreeSet;

use risktier::domain::digest::HashAlgorithm;
use risktier::domain::{EnterpriseId, ReplaceReason};
use risktier::sampling::contribution::{Contribution, ContributionName, ContributionValue};
use risktier::sampling::verification::{Chain, VerifyError, VerifyInput, verify};
use risktier::service::{
    CommittedContribution, Edition, Method, PlanPreview, PlanRequest, PlanState, ReplaceRequest,
    Replacement, Rounding, SampleObject, SampleStanding, Service, ServiceError, SizeMeasure,
};
use serde_json::Value;

use crate::Place;
use crate::both_verifiers::assert_both_accept;
use crate::plans::world;
use crate::postgres_server::PostgresServer;
use crate::register::label;

fn replace(id: &str, reason: ReplaceReason) -> ReplaceRequest {
    ReplaceRequest {
        enterprise_id: EnterpriseId::parse(id).unwrap(),
        reason,
        note: (reason == ReplaceReason::Other).then(|| "flooded".to_owned()),
        by: label("officer-17"),
    }
}

fn ids(objects: &[SampleObject]) -> BTreeSet<String> {
    objects
        .iter()
        .map(|object| object.enterprise_id.clone())
        .collect()
}

fn drawn(service: &Service, request: PlanRequest) -> String {
    let plan_id = service.draft_plan(request).unwrap().plan_id;
    service.freeze_plan(&plan_id).unwrap();
    service.draw_plan(&plan_id, vec![]).unwrap();
    plan_id
}

fn whole_targets(preview: &PlanPreview) -> bool {
    let strata = preview.strata.iter();
    strata
        .map(|stratum| stratum.target_ppb)
        .all(|target| target % 1_000_000_000 == 0)
}

#[test]
fn every_method_hash_and_rounding_is_drawn_and_verified_by_strangers() {
    let place = Place::empty();
    let (service, request) = world(&place);
    for hash in HashAlgorithm::ALL {
        for (method, rounding, measure) in [
            (Method::Equal, Rounding::Systematic, None),
            (Method::Equal, Rounding::LargestRemainder, None),
            (Method::Pareto, Rounding::LargestRemainder, None),
            (
                Method::Pareto,
                Rounding::LargestRemainder,
                Some(SizeMeasure::Rate),
            ),
            (
                Method::Pareto,
                Rounding::LargestRemainder,
                Some(SizeMeasure::Points),
            ),
            (
                Method::Pareto,
                Rounding::LargestRemainder,
                Some(SizeMeasure::ComplaintRatio),
            ),
            (Method::Order, Rounding::Whole, None),
        ] {
            let order = method == Method::Order;
            let plan = service
                .draw_plan_now(PlanRequest {
                    hash,
                    method,
                    rounding,
                    size_measure: measure,
                    visits: request.visits.filter(|_| !order),
                    exploration_share: if order { 0.0 } else { 0.1 },
                    ..request.clone()
                })
                .unwrap();
            assert!(service.verify_plan(&plan.plan_id).unwrap().is_same());
            assert_both_accept(&service, &plan.plan_id, None);
            if method == Method::Pareto {
                assert!(whole_targets(&plan.preview));
                let pool = String::from_utf8(service.pool_file(&plan.plan_id).unwrap()).unwrap();
                let sizes: BTreeSet<&str> = pool
                    .lines()
                    .map(|line| line.rsplit('\t').next().unwrap())
                    .collect();
                let many = measure != Some(SizeMeasure::ComplaintRatio);
                assert!(!many || sizes.len() > 1, "{measure:?}: {sizes:?}");
            }
        }
    }
}

#[test]
fn pareto_strata_hold_mixed_rates_and_every_object_keeps_its_probability() {
    let place = Place::empty();
    let (service, mut request) = world(&place);
    request.visits = None;
    request.exploration_share = 0.0;
    request.rounding = Rounding::LargestRemainder;
    let equal = service.preview_plan(&request).unwrap();
    request.method = Method::Pareto;
    let pareto = service.preview_plan(&request).unwrap();

    let cells = |preview: &PlanPreview| -> BTreeSet<(String, String)> {
        let strata = preview.strata.iter();
        strata
            .map(|stratum| {
                (
                    stratum.meaning.tier.to_string(),
                    stratum.meaning.division.clone(),
                )
            })
            .collect()
    };
    assert_eq!(cells(&equal), cells(&pareto));
    assert_eq!(pareto.strata.len(), cells(&pareto).len());
    assert!(
        pareto
            .strata
            .iter()
            .zip(1..)
            .all(|(stratum, n)| stratum.key == format!("S{n:03}"))
    );
    let objects: u64 = pareto.strata.iter().map(|stratum| stratum.objects).sum();
    assert_eq!(objects, pareto.pool_size);
}

#[test]
fn rounding_whole_takes_only_whole_targets() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let field = |request: PlanRequest| match service.draft_plan(request) {
        Err(ServiceError::Field(field)) => (field.field, field.reason),
        other => panic!("{other:?}"),
    };
    let whole = PlanRequest {
        rounding: Rounding::Whole,
        exploration_share: 0.0,
        ..request.clone()
    };
    let (name, reason) = field(whole.clone());
    assert!(name == "rounding" && reason.contains("S00"), "{reason}");
    // All of them are a whole number in every stratum.
    for method in [Method::Equal, Method::Pareto] {
        let all = PlanRequest {
            visits: Some(80),
            method,
            ..whole.clone()
        };
        let plan = service.draw_plan_now(all).unwrap();
        assert_eq!(plan.sample_size, Some(80));
        assert_both_accept(&service, &plan.plan_id, None);
    }
    let systematic = PlanRequest {
        method: Method::Pareto,
        ..request.clone()
    };
    assert_eq!(field(systematic).0, "rounding");
    let sized = PlanRequest {
        size_measure: Some(SizeMeasure::Rate),
        ..request
    };
    assert_eq!(field(sized).0, "size_measure");
}

#[test]
fn an_extension_names_the_earlier_plan_and_leaves_out_who_was_drawn() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let first = service.draw_plan_now(request.clone()).unwrap();
    let extend = |plan_id: &str, visits| PlanRequest {
        extends: Some(plan_id.to_owned()),
        visits: Some(visits),
        ..request.clone()
    };
    let replaced = service.sample(&first.plan_id).unwrap()[0]
        .enterprise_id
        .clone();
    let taken = service
        .replace_object(&first.plan_id, &replace(&replaced, ReplaceReason::Ceased))
        .unwrap()
        .replacement
        .taken;

    let second = service.draw_plan_now(extend(&first.plan_id, 10)).unwrap();
    let third = service.draw_plan_now(extend(&second.plan_id, 10)).unwrap();

    let samples =
        [&first, &second, &third].map(|plan| ids(&service.sample(&plan.plan_id).unwrap()));
    assert!(samples[0].is_disjoint(&samples[1]));
    assert!(samples[1].is_disjoint(&samples[2]) && samples[0].is_disjoint(&samples[2]));
    assert!(taken.is_none_or(|taken| samples[0].contains(&taken.enterprise_id)));
    for (plan, before, named) in [
        (&second, samples[0].len(), &first),
        (&third, samples[0].len() + samples[1].len(), &second),
    ] {
        assert_eq!(plan.preview.pool_size, 80 - before as u64);
        assert_eq!(plan.preview.excluded[0].reason, "drawn_before");
        assert_eq!(plan.preview.excluded[0].count, before as u64);
        let frozen: Value =
            serde_json::from_slice(&service.frozen_plan(&plan.plan_id).unwrap()).unwrap();
        let digest = named.frozen.as_ref().unwrap().plan_digest.to_string();
        assert_eq!(frozen["extends"], digest);
        assert_both_accept(&service, &plan.plan_id, None);
    }
    // Other contributions than before: the seeds differ.
    let seed = |plan_id: &str| {
        let transcript = service.transcript(plan_id, Edition::Auditor).unwrap();
        serde_json::from_slice::<Value>(&transcript).unwrap()["seed"].clone()
    };
    assert_ne!(seed(&first.plan_id), seed(&second.plan_id));
}

#[test]
fn an_extension_needs_a_drawn_plan_and_new_contributions() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let envelope = Contribution {
        name: ContributionName::new("notary").unwrap(),
        value: ContributionValue::new("a sealed envelope").unwrap(),
    };
    let mut with = request.clone();
    with.committed = vec![CommittedContribution {
        name: "notary".into(),
        commitment: envelope.commitment(HashAlgorithm::Sha256),
    }];
    let plan_id = service.draft_plan(with.clone()).unwrap().plan_id;
    let extension = |committed: &[CommittedContribution]| PlanRequest {
        extends: Some(plan_id.clone()),
        visits: Some(5),
        committed: committed.to_vec(),
        ..request.clone()
    };
    for state in [PlanState::Draft, PlanState::Frozen] {
        assert!(matches!(
            service.draft_plan(extension(&[])),
            Err(ServiceError::PlanState { state: found, .. }) if found == state
        ));
        if state == PlanState::Draft {
            service.freeze_plan(&plan_id).unwrap();
        }
    }
    service.draw_plan(&plan_id, vec![envelope]).unwrap();
    assert!(
        matches!(service.draft_plan(extension(&with.committed)), Err(ServiceError::Field(field)) if field.field == "committed")
    );
    assert!(service.draft_plan(extension(&[])).is_ok());
    let unknown = PlanRequest {
        extends: Some("none".into()),
        ..request
    };
    assert!(matches!(
        service.draft_plan(unknown),
        Err(ServiceError::UnknownPlan(_))
    ));
}

fn replacements_take_the_next_of_the_reserve(place: &Place) {
    let (service, mut request) = world(place);
    request.reserve_share = 0.5;
    // So that the reserve of a small stratum is not drawn by exploration.
    request.exploration_share = 0.0;
    let plan_id = drawn(&service, request);
    let before = service.sample(&plan_id).unwrap();
    let file = service.sample_file(&plan_id).unwrap();
    let of_stratum = before
        .iter()
        .find(|object| object.stratum != "EXPLORE")
        .unwrap();

    let first = service
        .replace_object(
            &plan_id,
            &replace(&of_stratum.enterprise_id, ReplaceReason::Ceased),
        )
        .unwrap()
        .replacement;
    let took = first.taken.clone().expect("half of every target stands by");
    let drawn_in_stratum = before
        .iter()
        .filter(|object| object.stratum == of_stratum.stratum)
        .count() as u64;
    assert_eq!((first.number, &first.stratum), (1, &of_stratum.stratum));
    assert!(took.order > drawn_in_stratum);
    assert!(!ids(&before).contains(&took.enterprise_id));
    // Again, and who is not in the sample.
    assert!(matches!(
        service.replace_object(
            &plan_id,
            &replace(&of_stratum.enterprise_id, ReplaceReason::Ceased)
        ),
        Err(ServiceError::Conflict(_))
    ));
    assert!(
        matches!(service.replace_object(&plan_id, &replace("X-NOT-HERE", ReplaceReason::Ceased)),
            Err(ServiceError::Field(field)) if field.field == "enterprise_id")
    );
    // The chain of replacements goes on after the close, until the reserve is used up.
    service.close_plan(&plan_id).unwrap();
    let digest = service.plan(&plan_id).unwrap().transcript_digest;
    let mut next = took.enterprise_id;
    let mut last = loop {
        let replaced = service
            .replace_object(&plan_id, &replace(&next, ReplaceReason::Other))
            .unwrap()
            .replacement;
        match &replaced.taken {
            Some(taken) => next = taken.enterprise_id.clone(),
            None => break replaced,
        }
    };
    assert_eq!(last.note.take().as_deref(), Some("flooded"));
    let all: Vec<Replacement> = service.replacements(&plan_id).unwrap();
    assert!(
        all.iter()
            .zip(1..)
            .all(|(one, number)| one.number == number)
    );
    assert!(
        all.iter()
            .all(|one| one.by.as_str() == "officer-17" && one.at.ends_with('Z'))
    );

    // What was drawn stays as it was; the sample shows what became of it.
    assert_eq!(service.sample_file(&plan_id).unwrap(), file);
    assert_eq!(service.plan(&plan_id).unwrap().transcript_digest, digest);
    let shown = service.sample(&plan_id).unwrap();
    let standing = |wanted| {
        shown
            .iter()
            .filter(|object| object.standing == wanted)
            .count()
    };
    assert_eq!(standing(SampleStanding::Replaced), all.len());
    assert_eq!(shown.len(), before.len() + all.len() - 1);
    assert!(
        shown
            .iter()
            .all(|object| (object.standing == SampleStanding::Replaced) == object.reason.is_some())
    );
    let orders: Vec<u64> = shown
        .iter()
        .filter(|object| object.stratum == of_stratum.stratum)
        .map(|object| object.order)
        .collect();
    assert!(orders.is_sorted());

    // The internal edition shows them, and both verifiers accept it; the other editions do not know of them.
    let edition = |edition| service.transcript(&plan_id, edition).unwrap();
    let internal: Value = serde_json::from_slice(&edition(Edition::Internal)).unwrap();
    assert_eq!(
        internal["replacements"].as_array().unwrap().len(),
        all.len()
    );
    for other in [Edition::Auditor, Edition::Public] {
        let other: Value = serde_json::from_slice(&edition(other)).unwrap();
        assert!(other.get("replacements").is_none());
    }
    assert_both_accept(&service, &plan_id, None);
    assert!(service.verify_plan(&plan_id).unwrap().is_same());
}

#[test]
fn a_replacement_takes_the_next_of_the_reserve_in_order() {
    replacements_take_the_next_of_the_reserve(&Place::empty());
}

#[test]
fn a_replacement_takes_the_next_of_the_reserve_on_postgresql() {
    replacements_take_the_next_of_the_reserve(&Place::on(PostgresServer::shared()));
}

#[test]
fn a_bent_replacement_is_found_and_named() {
    let place = Place::empty();
    let (service, mut request) = world(&place);
    request.reserve_share = 1.0;
    request.exploration_share = 0.0;
    request.visits = Some(16);
    let plan_id = drawn(&service, request);
    service.close_plan(&plan_id).unwrap();
    let sample = service.sample(&plan_id).unwrap();
    let other = sample
        .iter()
        .find(|object| object.stratum != sample[0].stratum);
    for object in [&sample[0], other.unwrap()] {
        service
            .replace_object(
                &plan_id,
                &replace(&object.enterprise_id, ReplaceReason::NotFound),
            )
            .unwrap();
    }
    let internal: Value =
        serde_json::from_slice(&service.transcript(&plan_id, Edition::Internal).unwrap()).unwrap();
    let found = |bend: &dyn Fn(&mut Value)| {
        let mut bent = internal.clone();
        bend(&mut bent["replacements"]);
        let bytes = risktier::domain::canonical::canonical_bytes(&bent).unwrap();
        let verification = verify(VerifyInput {
            transcript: &bytes,
            pool: Some(service.pool_file(&plan_id).unwrap()),
            ..VerifyInput::default()
        })
        .unwrap();
        let names = verification.differences().map(|check| check.name.clone());
        names.collect::<Vec<_>>()
    };
    assert!(found(&|_| {}).is_empty());
    // The next in order, not another of the reserve.
    assert_eq!(
        found(&|list| list[0]["taken"]["order"] = 99.into()),
        ["replacement:1"]
    );
    assert_eq!(
        found(&|list| list[1]["taken"]["enterprise_id"] = list[0]["taken"]["enterprise_id"].clone()),
        ["replacement:2"]
    );
    assert_eq!(
        found(&|list| list[0]["enterprise_id"] = "nobody".into())[0],
        "replacement:1"
    );
    assert_eq!(
        found(&|list| list[1]["number"] = 3.into()),
        ["replacement:2"]
    );
    assert_eq!(
        found(&|list| list[0]["stratum"] = "S999".into()),
        ["replacement:1"]
    );
    assert_eq!(
        found(&|list| list[0]["colour"] = "red".into()),
        ["replacements[0].colour"]
    );
}

#[test]
fn a_replacement_needs_a_drawn_plan_and_says_what_other_means() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let plan_id = service.draft_plan(request.clone()).unwrap().plan_id;
    let somebody = replace("91990000MA00000004", ReplaceReason::Ceased);
    assert!(matches!(
        service.replace_object(&plan_id, &somebody),
        Err(ServiceError::PlanState {
            state: PlanState::Draft,
            ..
        })
    ));
    let order = PlanRequest {
        method: Method::Order,
        visits: None,
        exploration_share: 0.0,
        ..request
    };
    let plan_id = drawn(&service, order);
    let other = ReplaceRequest {
        note: None,
        ..replace("91990000MA00000004", ReplaceReason::Other)
    };
    assert!(
        matches!(service.replace_object(&plan_id, &other), Err(ServiceError::Field(field)) if field.field == "note")
    );
    // A plan that puts the whole pool in order has no reserve: the object is skipped.
    let skipped = service.replace_object(&plan_id, &somebody).unwrap();
    let skipped = skipped.replacement;
    assert_eq!((skipped.stratum.as_str(), skipped.taken), ("ALL", None));
}

#[test]
fn an_enterprise_is_shown_its_membership_and_its_own_row() {
    let place = Place::empty();
    let (service, mut request) = world(&place);
    for hash in HashAlgorithm::ALL {
        request.hash = hash;
        let plan_id = service.draft_plan(request.clone()).unwrap().plan_id;
        let id = EnterpriseId::parse("91990000MA00000004").unwrap();
        assert!(matches!(
            service.membership(&plan_id, &id, false),
            Err(ServiceError::PlanState { .. })
        ));
        let frozen = service.freeze_plan(&plan_id).unwrap().frozen.unwrap();
        let shown = service.membership(&plan_id, &id, false).unwrap();
        let own = service.membership(&plan_id, &id, true).unwrap();
        assert_eq!(
            (shown.pool_root, shown.own_row.is_some()),
            (frozen.pool_root, false)
        );
        assert!(shown.verify(Some(&frozen.pool_root)).is_same());
        assert!(own.verify(Some(&frozen.pool_root)).is_same());
        // Without the salt nothing tells the stratum.
        assert!(!serde_json::to_string(&shown).unwrap().contains("S0"));

        let mut bent = own.clone();
        bent.own_row.as_mut().unwrap().stratum = "S999".into();
        let names = |verification: risktier::sampling::verification::Verification| {
            let names = verification.differences().map(|check| check.name.clone());
            names.collect::<Vec<_>>()
        };
        assert_eq!(names(bent.verify(None)), ["own_row"]);
        let mut bent = shown.clone();
        bent.proof.id = "91990000MA00000005".into();
        assert_eq!(names(bent.verify(None)), ["proof"]);
        assert_eq!(
            names(shown.verify(Some(&frozen.plan_digest))),
            ["pool_root"]
        );
        let stranger = EnterpriseId::parse("91990000MA99999999").unwrap();
        assert!(matches!(
            service.membership(&plan_id, &stranger, true),
            Err(ServiceError::NotInPool { .. })
        ));
    }
}

fn names(chain: Chain, head: Option<risktier::domain::digest::Digest>) -> Vec<String> {
    let verification = chain.finish(head);
    let names = verification.differences().map(|check| check.name.clone());
    names.collect()
}

#[test]
fn the_chain_over_all_closed_plans_holds_and_every_break_is_named() {
    let place = Place::empty();
    let (service, mut request) = world(&place);
    assert!(service.verify_chain().unwrap().is_same());
    let mut plans = Vec::new();
    for hash in [
        HashAlgorithm::Sha256,
        HashAlgorithm::Sm3,
        HashAlgorithm::Sha256,
        HashAlgorithm::Sha256,
    ] {
        request.hash = hash;
        plans.push(service.draw_plan_now(request.clone()).unwrap());
    }
    let verification = service.verify_chain().unwrap();
    assert!(verification.is_same(), "{verification:?}");
    assert_eq!(
        verification
            .checks
            .iter()
            .filter(|check| check.name.ends_with(":previous"))
            .count(),
        4
    );

    let transcripts: Vec<Vec<u8>> = plans
        .iter()
        .map(|plan| service.transcript(&plan.plan_id, Edition::Auditor).unwrap())
        .collect();
    let chained = |which: &[usize]| {
        let mut chain = Chain::new();
        for place in which {
            chain
                .add(&format!("t{place}"), &transcripts[*place])
                .unwrap();
        }
        chain
    };
    let head = plans[3].transcript_digest;
    assert!(names(chained(&[2, 0, 3, 1]), head).is_empty());
    assert_eq!(
        names(chained(&[0, 1, 3]), head),
        ["t3:previous", "head", "chain"]
    );
    assert_eq!(names(chained(&[1, 2, 3]), None), ["t1:previous", "chain"]);
    assert_eq!(names(chained(&[0, 1, 2]), head), ["head"]);
    assert!(names(chained(&[0, 1, 2]), None).is_empty());
    let twice = names(chained(&[0, 1, 1]), None);
    assert!(
        twice.contains(&"t1:number".to_owned()) && twice.contains(&"chain".to_owned()),
        "{twice:?}"
    );

    let mut chain = chained(&[0, 2, 3]);
    let text = String::from_utf8(transcripts[1].clone()).unwrap();
    chain
        .add("bent", text.replacen("抽查", "抽检", 1).as_bytes())
        .unwrap();
    let found = names(chain, head);
    assert!(
        found.contains(&"bent:plan_digest".to_owned()) && found.contains(&"t2:previous".to_owned()),
        "{found:?}"
    );

    let mut chain = Chain::new();
    assert_eq!(
        chain
            .add("new", br#"{"format":"risktier-transcript/2"}"#)
            .unwrap_err(),
        VerifyError::TooNew("risktier-transcript/2".into(), "risktier-transcript/1")
    );
    chain.add("cut", &transcripts[0][..50]).unwrap();
    let public = service
        .transcript(&plans[0].plan_id, Edition::Public)
        .unwrap();
    chain.add("public", &public).unwrap();
    let found = names(chain, None);
    assert!(found.contains(&"cut:transcript".to_owned()), "{found:?}");
    assert!(
        found.iter().any(|name| name.starts_with("public:")),
        "{found:?}"
    );
}

#[test]
fn a_kept_plan_that_was_changed_breaks_the_chain_of_the_store() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let plans: Vec<String> = (0..3)
        .map(|_| service.draw_plan_now(request.clone()).unwrap().plan_id)
        .collect();
    let kept = place.store().plan(&plans[1]).unwrap().unwrap();
    let bent = kept.replace("抽查", "抽检");
    assert_ne!(kept, bent);
    rusqlite::Connection::open(place.path())
        .unwrap()
        .execute(
            "UPDATE plans SET document = ?2 WHERE plan_id = ?1",
            [&plans[1], &bent],
        )
        .unwrap();

    let verification = service.verify_chain().unwrap();

    assert!(!verification.is_same());
    let named = format!("{}:transcript", plans[1]);
    assert!(
        verification.differences().any(|check| check.name == named),
        "{verification:?}"
    );
}

#[test]
fn values_that_look_like_numbers_are_bytes() {
    let place = Place::empty();
    let (service, mut request) = world(&place);
    let mut seeds = BTreeSet::new();
    for value in [
        "1",
        "01",
        "001",
        "1 ",
        "12345678901234567890123",
        "12345678901234567890124",
        "1e0",
        "1.0",
    ] {
        request.public = vec![risktier::service::PublicContribution {
            name: "dice".into(),
            rule: "as read".into(),
        }];
        let plan_id = service.draft_plan(request.clone()).unwrap().plan_id;
        service.freeze_plan(&plan_id).unwrap();
        let dice = Contribution {
            name: ContributionName::new("dice").unwrap(),
            value: ContributionValue::new(value).unwrap(),
        };
        service.draw_plan(&plan_id, vec![dice]).unwrap();
        service.close_plan(&plan_id).unwrap();
        let transcript = service.transcript(&plan_id, Edition::Auditor).unwrap();
        let read: Value = serde_json::from_slice(&transcript).unwrap();
        assert_eq!(read["contributions"][0]["value"], value);
        assert!(seeds.insert(read["seed"].as_str().unwrap().to_owned()));
        assert_both_accept(&service, &plan_id, None);
    }
}
