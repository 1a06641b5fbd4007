//! Plans as they are kept and shown: fixed at the freeze, chained at the close, the same for whoever asks.

use risktier::domain::digest::HashAlgorithm;
use risktier::domain::{CheckItem, Enterprise, ItemDraft, Tier};
use risktier::sampling::verification::{VerifyInput, verify};
use risktier::service::{
    AllocationRequest, Edition, ItemClass, Method, Period, PlanRequest, PlanState, PoolFilter,
    Rounding, Service, ServiceError,
};
use serde_json::Value;

use crate::Place;
use crate::register::{TODAY, enterprise, label, record, serious_penalty};
use jiff::civil::date;
use risktier::domain::dates::add_days;
use std::collections::BTreeMap;

/// A published check item.
pub fn item(code: &str, class: ItemClass) -> CheckItem {
    CheckItem::parse(ItemDraft {
        item_code: code.into(),
        name: format!("事项 {code}"),
        class: class.to_string(),
        published: Some(true),
        ..ItemDraft::default()
    })
    .unwrap()
}

/// A register of eighty with every tier in every division, frozen; and a request for forty visits.
pub fn world(place: &Place) -> (Service, PlanRequest) {
    let service = place.service();
    let store = place.store();
    let enterprises: Vec<Enterprise> = (1..=80).map(enterprise).collect();
    store.put_enterprises(&enterprises, 0, TODAY).unwrap();
    let mut records = Vec::new();
    for number in 1..=80 {
        match number / 4 % 4 {
            0 => {}
            1 => records.push(record(
                number,
                &format!("a{number}"),
                "tax_abnormal",
                add_days(TODAY, -50),
            )),
            2 => records.push(serious_penalty(number, &format!("b{number}"), 30)),
            _ => records.push(record(
                number,
                &format!("c{number}"),
                "stop_order",
                add_days(TODAY, -9),
            )),
        }
    }
    store.put_records(&records, 0).unwrap();
    service.put_item(item("F-001", ItemClass::Key)).unwrap();
    let frame = service.freeze_frame(None).unwrap();
    assert_eq!(
        frame.tiers,
        Tier::ALL
            .iter()
            .map(|tier| (*tier, 20))
            .collect::<BTreeMap<_, _>>()
    );
    let request = PlanRequest {
        frame_id: frame.frame_id,
        title: "抽查 2026-12".into(),
        item_class: None,
        items: vec!["F-001".into()],
        department: None,
        period: Period {
            from: date(2026, 12, 1),
            to: date(2026, 12, 31),
        },
        filter: PoolFilter::default(),
        method: Method::Equal,
        size_measure: None,
        visits: Some(40),
        allocation: AllocationRequest::default(),
        rounding: Rounding::Systematic,
        exploration_share: 0.05,
        reserve_share: 0.1,
        hash: HashAlgorithm::Sha256,
        committed: Vec::new(),
        public: Vec::new(),
        public_seed: false,
        group: None,
        extends: None,
    };
    (service, request)
}

#[test]
fn a_frozen_frame_is_what_the_register_was() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let frame = service.frame(&request.frame_id).unwrap();
    let file = service.frame_file(&request.frame_id).unwrap();
    place
        .store()
        .put_records(&[serious_penalty(4, "later", 1)], 0)
        .unwrap();

    let next = service.freeze_frame(None).unwrap();

    assert_eq!((frame.number, next.number), (1, 2));
    assert_ne!(frame.frame_digest, next.frame_digest);
    assert_eq!(service.frame_file(&request.frame_id).unwrap(), file);
    assert_eq!(frame.frame_digest, HashAlgorithm::Sha256.hash(&[&file]));
    assert_eq!(service.frames(None, 9).unwrap(), [next, frame]);
    assert!(matches!(
        Place::empty().service().freeze_frame(None),
        Err(ServiceError::EmptyRegister)
    ));
}

#[test]
fn a_preview_is_what_the_freeze_fixes() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let preview = service.preview_plan(&request).unwrap();
    let draft = service.draft_plan(request.clone()).unwrap();
    // News after the frame changes no plan of that frame.
    place
        .store()
        .put_records(&[serious_penalty(4, "later", 1)], 0)
        .unwrap();
    let frozen = service.freeze_plan(&draft.plan_id).unwrap();

    assert_eq!((&draft.preview, &frozen.preview), (&preview, &preview));
    assert_eq!(
        (draft.state, frozen.state),
        (PlanState::Draft, PlanState::Frozen)
    );
    let plan: Value =
        serde_json::from_slice(&service.frozen_plan(&draft.plan_id).unwrap()).unwrap();
    assert_eq!(
        (plan["pool_size"].as_u64(), plan["exploration_n"].as_u64()),
        (Some(preview.pool_size), Some(preview.exploration_n))
    );
    let strata = plan["strata"].as_array().unwrap();
    assert_eq!(strata.len(), preview.strata.len());
    for (fixed, shown) in strata.iter().zip(&preview.strata) {
        assert_eq!(fixed["key"], shown.key);
        assert_eq!(
            (
                fixed["pool"].as_u64(),
                fixed["target_ppb"].as_u64(),
                fixed["reserve"].as_u64()
            ),
            (
                Some(shown.objects),
                Some(shown.target_ppb),
                Some(shown.reserve)
            )
        );
    }
    let pool = String::from_utf8(service.pool_file(&draft.plan_id).unwrap()).unwrap();
    assert_eq!(pool.lines().count() as u64, preview.pool_size);
    // By tier the chance never falls, and nobody has none.
    let chances: Vec<f64> = preview
        .tiers
        .iter()
        .map(|tier| tier.inclusion_probability)
        .collect();
    assert!(
        chances.is_sorted() && chances[0] > 0.0 && chances[3] <= 1.0,
        "{chances:?}"
    );
}

#[test]
fn a_closed_plan_verifies_in_every_edition_and_another_process_says_the_same() {
    let place = Place::empty();
    let (service, request) = world(&place);
    for (method, rounding) in [
        (Method::Equal, Rounding::Systematic),
        (Method::Equal, Rounding::LargestRemainder),
        (Method::Order, Rounding::Whole),
    ] {
        let order = method == Method::Order;
        let request = PlanRequest {
            method,
            rounding,
            visits: request.visits.filter(|_| !order),
            exploration_share: if order { 0.0 } else { 0.05 },
            ..request.clone()
        };
        let plan = service.draw_plan_now(request).unwrap();
        assert_eq!(plan.state, PlanState::Closed);
        // Exploration and strata overlap a little, so that forty visits go to a little fewer objects.
        let expected = if order { 80.0..=80.0 } else { 38.5..=40.5 };
        assert!(
            expected.contains(&plan.preview.expected_visits),
            "{}",
            plan.preview.expected_visits
        );
        assert!(
            plan.preview
                .strata
                .iter()
                .all(|stratum| (0.0..=1.0).contains(&stratum.inclusion_probability))
        );
        assert!(service.verify_plan(&plan.plan_id).unwrap().is_same());

        let again = place.service();
        assert_eq!(again.plan(&plan.plan_id).unwrap(), plan);
        assert!(again.verify_plan(&plan.plan_id).unwrap().is_same());
        let (pool, sample) = (
            again.pool_file(&plan.plan_id).unwrap(),
            again.sample_file(&plan.plan_id).unwrap(),
        );
        assert_eq!(
            again.sample(&plan.plan_id).unwrap().len() as u64,
            plan.sample_size.unwrap()
        );
        for edition in [Edition::Internal, Edition::Auditor, Edition::Public] {
            let transcript = again.transcript(&plan.plan_id, edition).unwrap();
            assert_eq!(
                service.transcript(&plan.plan_id, edition).unwrap(),
                transcript
            );
            let pool = (edition != Edition::Public).then(|| pool.clone());
            let verified = verify(VerifyInput {
                transcript: &transcript,
                pool,
                sample: Some(&sample),
                ..VerifyInput::default()
            })
            .unwrap();
            assert!(verified.is_same(), "{verified:?}");
        }
    }
}

#[test]
fn the_public_edition_reveals_neither_tier_nor_rate_nor_stratum() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let plan = service.draw_plan_now(request).unwrap();
    let edition =
        |edition| String::from_utf8(service.transcript(&plan.plan_id, edition).unwrap()).unwrap();

    let (public, internal) = (edition(Edition::Public), edition(Edition::Internal));

    // The words stand for what they name: the internal edition has them all.
    let words = [
        "\"tier\"",
        "rate",
        "\"S001\"",
        "target_ppb",
        "complaint_band",
        "\"strata",
    ];
    for word in words {
        assert!(internal.contains(word), "{word}");
        assert!(!public.contains(word), "{word}");
    }
    for secret in ["pool_secret", "\"seed\""] {
        assert!(!public.contains(secret), "{secret}");
    }
    // Nor does what is shown of the plan hold its secrets.
    let shown = serde_json::to_string(&plan).unwrap();
    let kept = place.store().plan(&plan.plan_id).unwrap().unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    for secret in ["pool_secret", "server_value"] {
        let value = kept["frozen"][secret].as_str().unwrap();
        assert!(
            value.len() == 64 && !shown.contains(value) && !public.contains(value),
            "{secret}"
        );
    }
}

#[test]
fn transcripts_chain_in_the_order_of_their_closing() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let drawn = |service: &Service| {
        let plan_id = service.draft_plan(request.clone()).unwrap().plan_id;
        service.freeze_plan(&plan_id).unwrap();
        service.draw_plan(&plan_id, Vec::new()).unwrap();
        plan_id
    };
    let plans: Vec<String> = (0..3).map(|_| drawn(&service)).collect();

    let mut previous = Value::Null;
    for position in [1, 2, 0] {
        let closed = service.close_plan(&plans[position]).unwrap();
        let transcript = service
            .transcript(&plans[position], Edition::Auditor)
            .unwrap();
        let document: Value = serde_json::from_slice(&transcript).unwrap();
        assert_eq!(document.get("previous").unwrap_or(&Value::Null), &previous);
        let digest = HashAlgorithm::Sha256.hash(&[&transcript]);
        assert_eq!(closed.transcript_digest, Some(digest));
        previous = Value::String(digest.to_string());
    }
    let numbers: Vec<u64> = plans
        .iter()
        .map(|plan_id| service.plan(plan_id).unwrap().frozen.unwrap().number)
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[test]
fn a_request_that_cannot_be_planned_names_its_field() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let plan = |change: &dyn Fn(&mut PlanRequest)| {
        let mut request = request.clone();
        change(&mut request);
        service.draft_plan(request).unwrap_err().to_string()
    };
    let period = Period {
        from: date(2026, 12, 2),
        to: date(2026, 12, 1),
    };
    type Fault<'f> = (&'f str, &'f dyn Fn(&mut PlanRequest));
    let faults: [Fault<'_>; 8] = [
        ("title", &|request| request.title.clear()),
        ("period.to", &|request| request.period = period),
        ("exploration_share", &|request| {
            request.exploration_share = f64::NAN
        }),
        ("reserve_share", &|request| request.reserve_share = 1.1),
        ("rounding", &|request| request.rounding = Rounding::Whole),
        ("rounding", &|request| request.method = Method::Pareto),
        ("visits", &|request| request.method = Method::Order),
        ("frame", &|request| request.frame_id = "none".into()),
    ];
    for (field, change) in faults {
        assert!(plan(change).contains(field), "{}", plan(change));
    }
    assert!(plan(&|request| request.visits = Some(81)).contains("81 visits"));
    assert!(
        plan(&|request| request.filter.division = Some(label("880000"))).contains("pool is empty")
    );
    assert!(service.plans(None, 9).unwrap().is_empty());
}

/// Acceptance test 17: every weight in samples and in the internal edition is the inverse of the probability as drawn, which
/// whoever has the auditor edition and the pool works out, and nobody's probability lies below the policy's least.
#[test]
fn samples_and_transcript_tell_the_weights_as_drawn() {
    let place = Place::empty();
    let (service, request) = world(&place);
    for (exploration_share, visits) in [(0.0, Some(40)), (0.25, Some(23)), (0.25, None)] {
        let plan = service
            .draw_plan_now(PlanRequest {
                exploration_share,
                visits,
                reserve_share: 1.0,
                ..request.clone()
            })
            .unwrap();
        let edition = |edition| -> Value {
            let bytes = service.transcript(&plan.plan_id, edition).unwrap();
            serde_json::from_slice(&bytes).unwrap()
        };
        let (auditor, internal) = (edition(Edition::Auditor), edition(Edition::Internal));
        let whole = |value: &Value| u128::from(value.as_u64().unwrap());
        let explored = whole(&auditor["plan"]["exploration_n"]);
        let size = whole(&auditor["plan"]["pool_size"]);
        // By stratum, as fractions: π = 1 − (1 − t/N)(1 − e/P).
        let mut by_stratum: BTreeMap<String, (u128, u128)> = BTreeMap::new();
        for stratum in auditor["plan"]["strata"].as_array().unwrap() {
            let key = stratum["key"].as_str().unwrap();
            let all = whole(&stratum["pool"]) * 1_000_000_000;
            let target = whole(&stratum["target_ppb"]);
            let (above, below) = (target * size + (all - target) * explored, all * size);
            by_stratum.insert(key.to_owned(), (above, below));
            let told = &internal["strata_meaning"][key];
            let fraction = |name: &str| -> (u128, u128) {
                let (above, below) = told[name].as_str().unwrap().split_once('/').unwrap();
                (above.parse().unwrap(), below.parse().unwrap())
            };
            let (probability, weight) =
                (fraction("inclusion_probability"), fraction("design_weight"));
            assert_eq!(probability.0 * below, probability.1 * above);
            assert_eq!((weight.1, weight.0), probability);
            // The policy's least rate is one in ten thousand.
            assert!(above * 10_000 >= below, "{key}");
        }
        let pool = String::from_utf8(service.pool_file(&plan.plan_id).unwrap()).unwrap();
        let stratum_of: BTreeMap<&str, &str> = pool
            .lines()
            .map(|line| {
                let mut cells = line.split('\t');
                (cells.next().unwrap(), cells.next().unwrap())
            })
            .collect();
        let sample = service.weighted_sample(&plan.plan_id).unwrap();
        assert_eq!(sample.len() as u64, plan.sample_size.unwrap());
        for weighted in &sample {
            let (above, below) = by_stratum[stratum_of[weighted.object.enterprise_id.as_str()]];
            assert_eq!(weighted.inclusion_probability, above as f64 / below as f64);
            assert_eq!(weighted.design_weight, 1.0 / weighted.inclusion_probability);
        }
    }
}
