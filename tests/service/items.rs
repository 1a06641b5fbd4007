//! Check items: versions with their day, imports by line, and what a plan may use of them.

use risktier::domain::{CheckItem, ItemDraft};
use risktier::service::{
    Format, ItemClass, ItemOutcome, PlanRequest, ReadOptions, Service, ServiceError, Source,
};

use crate::Place;
use crate::plans::{item, world};
use crate::register::TODAY;

fn source(format: Format, text: &str) -> Source {
    Source::from_reader(
        "items",
        format,
        std::io::Cursor::new(text.to_owned().into_bytes()),
    )
    .unwrap()
}

/// Each place on either store.
pub fn places() -> Vec<Place> {
    vec![
        Place::empty(),
        Place::on(crate::postgres_server::PostgresServer::shared()),
    ]
}

#[test]
fn every_change_of_an_item_is_a_version_with_its_day() {
    for place in places() {
        let service = place.service();
        let first = item("SP-01", ItemClass::General);
        let (written, outcome) = service.put_item(first.clone()).unwrap();
        assert_eq!((written.version, outcome), (1, ItemOutcome::Created));
        assert_eq!(written.from_on, TODAY);
        assert_eq!(
            service.put_item(first.clone()).unwrap().1,
            ItemOutcome::Unchanged
        );
        let later = TODAY.tomorrow().unwrap();
        let next_day = place.replica(
            std::sync::Arc::new(risktier::cache::MemoryCache::with_capacity(10)),
            crate::register::default_models(),
            later,
        );
        let mut second = first.clone();
        second.ratio_cap = Some(0.05);
        let (written, outcome) = next_day.put_item(second.clone()).unwrap();
        assert_eq!((written.version, outcome), (2, ItemOutcome::Updated));

        assert_eq!(service.item_on("SP-01", TODAY).unwrap().item, first);
        assert_eq!(service.item_on("SP-01", later).unwrap().item, second);
        assert!(matches!(
            service.item_on("SP-01", TODAY.yesterday().unwrap()),
            Err(ServiceError::UnknownItem(_))
        ));
        let versions = service.item_versions("SP-01").unwrap();
        assert_eq!(
            versions.iter().map(|v| v.version).collect::<Vec<_>>(),
            [2, 1]
        );
        assert!(matches!(
            service.item("nothing"),
            Err(ServiceError::UnknownItem(_))
        ));
    }
}

#[test]
fn items_are_imported_from_each_format_and_faults_told_by_line() {
    for place in places() {
        let service = place.service();
        let csv = "item_code,name,class,published,ratio_cap,sub_items,levels\n\
            A-1,食品,general,true,0.05,证照|贮存,county|city\n\
            A-2,电梯,key,true,,,\n\
            A-3,其他,major,true,,,\n";
        let report = service
            .import_items(source(Format::Csv, csv), &ReadOptions::default())
            .unwrap();
        assert_eq!((report.row_count, report.created_count), (3, 2));
        assert_eq!(report.refused_count, 1);
        assert_eq!(report.errors[0].line, 4);
        assert_eq!(report.errors[0].field.as_deref(), Some("class"));

        let again = service
            .import_items(source(Format::Csv, csv), &ReadOptions::default())
            .unwrap();
        assert_eq!((again.created_count, again.unchanged_count), (0, 2));

        let ndjson = "{\"item_code\":\"A-2\",\"name\":\"电梯\",\"class\":\"key\"}\n\
            {\"item_code\":\"B-1\",\"name\":\"广告\",\"class\":\"general\",\"methods\":[\"network\"]}\n";
        let report = service
            .import_items(source(Format::Ndjson, ndjson), &ReadOptions::default())
            .unwrap();
        assert_eq!((report.created_count, report.updated_count), (1, 1));
        let codes: Vec<String> = service
            .items(None, 10)
            .unwrap()
            .iter()
            .map(|version| version.item.item_code.to_string())
            .collect();
        assert_eq!(codes, ["A-1", "A-2", "B-1"]);
        assert_eq!(service.items(Some("A-1"), 1).unwrap()[0].version, 2);
        assert_eq!(
            service.item("A-1").unwrap().item.sub_items,
            ["证照", "贮存"]
        );
    }
}

/// What a plan over these items is told.
fn refused(service: &Service, request: &PlanRequest, items: &[&str]) -> String {
    let request = PlanRequest {
        items: items.iter().map(|code| (*code).to_owned()).collect(),
        ..request.clone()
    };
    service.preview_plan(&request).unwrap_err().to_string()
}

#[test]
fn a_plan_is_of_published_items_of_one_class() {
    let place = Place::empty();
    let (service, request) = world(&place);
    service.put_item(item("G-1", ItemClass::General)).unwrap();
    service
        .put_item(
            CheckItem::parse(ItemDraft {
                published: None,
                ..item("G-2", ItemClass::General).to_draft()
            })
            .unwrap(),
        )
        .unwrap();

    let told = refused(&service, &request, &["G-9"]);
    assert!(
        told.contains("`items.0`: `G-9` is not in the list"),
        "{told}"
    );
    let told = refused(&service, &request, &["G-1", "G-2"]);
    assert!(told.contains("`items.1`: `G-2` is not published"), "{told}");
    let told = refused(&service, &request, &["F-001", "G-1"]);
    assert!(
        told.contains("`items.1`: `G-1` is a general item"),
        "{told}"
    );

    let said = PlanRequest {
        item_class: Some(ItemClass::General),
        ..request.clone()
    };
    let told = service.preview_plan(&said).unwrap_err().to_string();
    assert!(
        told.contains("item_class") && told.contains("key"),
        "{told}"
    );
    let preview = service.preview_plan(&request).unwrap();
    assert_eq!(preview.item_class, ItemClass::Key);
    let general = PlanRequest {
        items: vec!["G-1".into()],
        ..request
    };
    assert_eq!(
        service.preview_plan(&general).unwrap().item_class,
        ItemClass::General
    );
}

#[test]
fn the_lowest_cap_of_the_items_bounds_every_rate() {
    let place = Place::empty();
    let (service, request) = world(&place);
    for (code, cap) in [("G-1", Some(0.12)), ("G-2", Some(0.5)), ("G-3", None)] {
        let mut capped = item(code, ItemClass::General);
        capped.ratio_cap = cap;
        service.put_item(capped).unwrap();
    }
    let request = PlanRequest {
        items: ["G-1", "G-2", "G-3"].map(str::to_owned).to_vec(),
        visits: None,
        exploration_share: 0.0,
        ..request
    };
    let preview = service.preview_plan(&request).unwrap();
    // A twelfth of a year: 31 of 365 days of 12 %.
    let most = 0.12 * 31.0 / 365.0;
    let of = |tier| {
        let found = preview.tiers.iter().find(|one| one.tier == tier).unwrap();
        found.inclusion_probability
    };
    assert!((of(risktier::domain::Tier::D) - most).abs() < 1e-8);
    assert!((of(risktier::domain::Tier::C) - most).abs() < 1e-8);
    assert!(of(risktier::domain::Tier::A) < most);
}
