//! Plans bent behind the service's back are found out, by name.

use risktier::service::{Edition, PlanRequest, Service};
use rusqlite::Connection;
use serde_json::Value;

use crate::Place;
use crate::plans::world;

/// Changes what is stored of a plan behind the service's back, as someone with the database file could.
fn bend(place: &Place, plan_id: &str, column: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let file = Connection::open(place.path()).unwrap();
    let bytes: rusqlite::types::Value = file
        .query_row(
            &format!("SELECT {column} FROM plans WHERE plan_id = ?1"),
            [plan_id],
            |row| row.get(0),
        )
        .unwrap();
    match bytes {
        rusqlite::types::Value::Blob(bytes) => file.execute(
            &format!("UPDATE plans SET {column} = ?2 WHERE plan_id = ?1"),
            rusqlite::params![plan_id, change(bytes)],
        ),
        rusqlite::types::Value::Text(text) => {
            let text = String::from_utf8(change(text.into_bytes())).unwrap();
            file.execute(
                &format!("UPDATE plans SET {column} = ?2 WHERE plan_id = ?1"),
                rusqlite::params![plan_id, text],
            )
        }
        other => panic!("{other:?}"),
    }
    .unwrap();
}

fn frozen_before(service: &Service, request: &PlanRequest) -> String {
    let plan_id = service.draft_plan(request.clone()).unwrap().plan_id;
    service.freeze_plan(&plan_id).unwrap();
    plan_id
}

fn repacked(bytes: &[u8], change: impl FnOnce(String) -> String) -> Vec<u8> {
    use std::io::{Read, Write};
    let mut text = String::new();
    flate2::read::GzDecoder::new(bytes)
        .read_to_string(&mut text)
        .unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(change(text).as_bytes()).unwrap();
    packed.finish().unwrap()
}

#[test]
fn a_bent_pool_sample_or_plan_is_found_and_named() {
    let place = Place::empty();
    let (service, request) = world(&place);
    let renamed = |text: String| text.replacen("00000004\t", "000000040\t", 1);
    let unsorted = |text: String| text.replacen("00000004\t", "00000099\t", 1);
    let fails = |plan_id: &str| match service.verify_plan(plan_id) {
        Err(error) => error.to_string(),
        Ok(verification) => verification
            .differences()
            .map(|check| check.name.clone())
            .collect::<Vec<_>>()
            .join(" "),
    };

    let plan_id = service.draw_plan_now(request.clone()).unwrap().plan_id;
    assert_eq!(fails(&plan_id), "");
    bend(&place, &plan_id, "pool", |bytes| repacked(&bytes, renamed));
    assert!(fails(&plan_id).contains("pool"), "{}", fails(&plan_id));
    assert!(service.transcript(&plan_id, Edition::Public).is_err());

    type Bend<'b> = &'b dyn Fn(Vec<u8>) -> Vec<u8>;
    let cut: Bend<'_> = &|bytes| bytes[..bytes.len() - 9].to_vec();
    for change in [cut, &|_| Vec::new(), &|bytes| repacked(&bytes, unsorted)] {
        let plan_id = frozen_before(&service, &request);
        bend(&place, &plan_id, "pool", change);
        let refused = service
            .draw_plan(&plan_id, Vec::new())
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains(&format!("the kept pool of plan `{plan_id}`")),
            "{refused}"
        );
        // Whoever changed the pool between freeze and draw finds the attempt noted.
        let noted = service.plan_events(&plan_id).unwrap();
        assert!(
            noted
                .iter()
                .any(|event| event.refused && event.reason.as_ref() == Some(&refused))
        );
    }

    let plan_id = service.draw_plan_now(request.clone()).unwrap().plan_id;
    let mut lines = 0;
    bend(&place, &plan_id, "sample", |bytes| {
        repacked(&bytes, |text| {
            lines = text.lines().count();
            text.lines()
                .skip(1)
                .map(|line| format!("{line}\n"))
                .collect()
        })
    });
    assert!(
        lines > 1 && fails(&plan_id).contains("sample"),
        "{}",
        fails(&plan_id)
    );

    for (member, what) in [
        ("target_ppb", "plan"),
        ("server_value", "server"),
        ("sample_digest", "sample"),
    ] {
        let plan_id = service.draw_plan_now(request.clone()).unwrap().plan_id;
        bend(&place, &plan_id, "document", |bytes| {
            let mut document: Value = serde_json::from_slice(&bytes).unwrap();
            match member {
                "target_ppb" => document["frozen"]["plan"]["strata"][0]["target_ppb"] = 1.into(),
                "server_value" => {
                    document["drawn"]["contributions"][0]["value"] = "0".repeat(64).into()
                }
                _ => document["drawn"]["sample_digest"] = "0".repeat(64).into(),
            }
            serde_json::to_vec(&document).unwrap()
        });
        assert!(
            fails(&plan_id).contains(what),
            "{member}: {}",
            fails(&plan_id)
        );
    }
}
