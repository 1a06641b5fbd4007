use std::fs;

use super::{risktier, stderr, stdout};

const ENTERPRISES: &str = "enterprise_id,name,division,established_on\n\
     914403001922038216,first,990101,2010-01-01\n\
     licence-7,second,990102,2012-05-05\n";

#[test]
fn importing_a_file_twice_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("enterprises.csv"), ENTERPRISES).unwrap();
    let import = || {
        let mut command = risktier(folder.path());
        command.args([
            "import",
            "enterprises",
            "enterprises.csv",
            "--format",
            "csv",
        ]);
        stdout(&mut command, 0)
    };
    assert_eq!(
        import(),
        "rows,created,updated,unchanged,set_aside,refused\n2,2,0,0,0,0\n"
    );
    assert_eq!(
        import(),
        "rows,created,updated,unchanged,set_aside,refused\n2,0,0,2,0,0\n"
    );
}

#[test]
fn a_record_that_comes_before_its_enterprise_is_shown_until_it_arrives() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("enterprises.csv"), ENTERPRISES).unwrap();
    let records = "record_id,enterprise_id,kind,occurred_on,known_on\nr1,licence-7,penalty,2026-01-02,2026-01-03\n";
    fs::write(folder.path().join("records.csv"), records).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = risktier(folder.path());
        command.args(arguments).args(["--format", "csv"]);
        stdout(&mut command, 0)
    };
    let imported = run(&["import", "records", "records.csv", "--source", "court"]);
    assert!(imported.ends_with("\n1,0,0,0,1,0\n"), "{imported}");
    let header = "enterprise_id,source,record_id,kind,occurred_on,known_on\n";
    assert_eq!(
        run(&["set-aside"]),
        format!("{header}licence-7,court,r1,penalty,2026-01-02,2026-01-03\n")
    );
    run(&["import", "enterprises", "enterprises.csv"]);
    assert_eq!(run(&["set-aside"]), header);
}

#[test]
fn refused_rows_are_told_by_line_and_the_answer_is_no() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("enterprises.csv"), ENTERPRISES).unwrap();
    let records = "{\"record_id\":\"1\",\"enterprise_id\":\"licence-7\",\"kind\":\"penalty\",\"occurred_on\":\"2026-02-30\"}\n\
         {\"record_id\":\"2\",\"enterprise_id\":\"no body\",\"kind\":\"penalty\",\"occurred_on\":\"2026-02-01\"}\n\
         {\"record_id\":\"3\",\"enterprise_id\":\"licence-7\",\"kind\":\"penalty\",\"occurred_on\":\"2026-02-01\"}\n";
    fs::write(folder.path().join("records.ndjson"), records).unwrap();
    stdout(
        risktier(folder.path()).args(["import", "enterprises", "enterprises.csv"]),
        0,
    );
    let mut command = risktier(folder.path());
    command.args([
        "import",
        "records",
        "records.ndjson",
        "--source",
        "court",
        "--error-report",
        "faults.ndjson",
    ]);

    let told = stderr(&mut command, 1);

    assert!(
        told.contains("line 1: `occurred_on`: `2026-02-30` is not a day of the calendar"),
        "{told}"
    );
    let report = fs::read_to_string(folder.path().join("faults.ndjson")).unwrap();
    let faults: Vec<serde_json::Value> = report
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(faults.len(), 2);
    assert_eq!(
        (&faults[1]["line"], &faults[1]["field"]),
        (&2.into(), &"enterprise_id".into())
    );
    assert!(
        faults[1]["reason"]
            .as_str()
            .unwrap()
            .contains("white space")
    );
}

#[test]
fn the_error_report_is_complete_and_all_or_nothing_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut rows = "enterprise_id,name,established_on\nE0,good,\n".to_owned();
    for number in 1..=250 {
        rows.push_str(&format!("E{number},bad,2026-02-3{}\n", number % 2));
    }
    fs::write(folder.path().join("enterprises.csv"), rows).unwrap();
    let import = |more: &[&str]| {
        let mut command = risktier(folder.path());
        command.args([
            "import",
            "enterprises",
            "enterprises.csv",
            "--format",
            "csv",
        ]);
        command.args(more);
        stdout(&mut command, 1)
    };
    let told = import(&["--all-or-nothing", "--errors", "faults.csv"]);
    assert_eq!(
        told,
        "rows,created,updated,unchanged,set_aside,refused\n251,0,0,0,0,250\n"
    );
    let report = fs::read_to_string(folder.path().join("faults.csv")).unwrap();
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines.len(), 251);
    assert_eq!(lines[0], "file,line,field,value,reason");
    assert_eq!(
        lines[1],
        "enterprises.csv,3,established_on,2026-02-31,is not a day of the calendar"
    );
    // Nothing was there before, so the good row is new now.
    assert!(import(&[]).ends_with("\n251,1,0,0,0,250\n"));
}

#[test]
fn every_form_of_a_made_up_register_is_the_same_register() {
    let folder = tempfile::tempdir().unwrap();
    let mut tiers = Vec::new();
    for form in ["csv", "csv.zst", "ndjson.gz", "parquet"] {
        let mut make = risktier(folder.path());
        make.args([
            "bench-data",
            "--enterprises",
            "300",
            "--records",
            "2000",
            "--files",
            form,
        ]);
        stdout(make.args(["--out", form]), 0);
        let mut classify = risktier(folder.path());
        classify.args([
            "classify",
            "--data",
            form,
            "--as-of",
            "2026-09-30",
            "--tiers",
            "-",
        ]);
        tiers.push(stdout(&mut classify, 0));
    }
    assert_eq!(tiers[0].lines().count(), 301);
    assert!(tiers.iter().all(|other| *other == tiers[0]));
}

#[test]
fn a_missing_file_an_empty_one_and_a_wrong_column_could_not_run() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("empty.csv"), "").unwrap();
    fs::write(
        folder.path().join("wrong.csv"),
        "enterprise_id,name,colour\n1,a,b\n",
    )
    .unwrap();
    for (file, named) in [
        ("none.csv", "none.csv"),
        ("empty.csv", "is empty"),
        ("wrong.csv", "colour"),
    ] {
        let told = stderr(
            risktier(folder.path()).args(["import", "enterprises", file]),
            3,
        );
        assert!(told.contains(named), "{file}: {told}");
    }
}

#[test]
fn standard_input_is_read_with_a_dash() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = risktier(folder.path());
    command
        .args([
            "import",
            "--input-format",
            "csv",
            "--format",
            "csv",
            "enterprises",
            "-",
        ])
        .write_stdin(ENTERPRISES);
    assert_eq!(
        stdout(&mut command, 0),
        "rows,created,updated,unchanged,set_aside,refused\n2,2,0,0,0,0\n"
    );
}

#[test]
fn individual_businesses_are_scored_by_their_own_card() {
    let folder = tempfile::tempdir().unwrap();
    let enterprises = "enterprise_id,name,kind,established_on\nshop,店,individual_business,2015-01-01\n\
        firm,某公司,enterprise,2015-01-01\n";
    fs::write(folder.path().join("enterprises.csv"), enterprises).unwrap();
    let records = "record_id,enterprise_id,kind,occurred_on,known_on\n\
        m1,shop,tax_abnormal,2026-01-05,2026-01-06\nm2,firm,tax_abnormal,2026-01-05,2026-01-06\n";
    fs::write(folder.path().join("records.csv"), records).unwrap();
    let card = include_str!("../../models/default/scorecard.json")
        .replacen("cn-general-expert", "shops", 1)
        .replacen(
            "\"SOC06\": { \"bins\": [{ \"points\": 0 }, { \"from\": 1, \"points\": 40 }]",
            "\"SOC06\": { \"bins\": [{ \"points\": 0 }, { \"from\": 1, \"points\": 10 }]",
            1,
        );
    fs::write(folder.path().join("shops.json"), card).unwrap();
    stdout(risktier(folder.path()).args(["import", "folder", "."]), 0);

    let explain = |id: &str, arguments: &[&str]| {
        let mut command = risktier(folder.path());
        command.args([
            "classify",
            "--explain",
            id,
            "--as-of",
            "2026-02-01",
            "--format",
            "json",
        ]);
        command.args(arguments);
        serde_json::from_str::<serde_json::Value>(&stdout(&mut command, 0)).unwrap()
    };
    let own = ["--kind-scorecard", "individual_business=shops.json"];
    let (shop, firm) = (explain("shop", &own), explain("firm", &own));

    assert_eq!(
        (&shop["points"], &shop["tier"], &shop["scorecard"]),
        (&10.into(), &"A".into(), &"shops/1".into())
    );
    assert_eq!((&firm["points"], &firm["tier"]), (&40.into(), &"B".into()));
    assert_eq!(firm["scorecard"], "cn-general-expert/1");
    assert_eq!(explain("shop", &[])["points"], 40);

    let settings = "[models.scorecards]\nindividual_business = \"shops.json\"\n";
    fs::write(folder.path().join("settings.toml"), settings).unwrap();
    let by_settings = explain("shop", &["--config", "settings.toml"]);
    assert_eq!(
        (&by_settings["points"], &by_settings["epoch"]),
        (&10.into(), &shop["epoch"])
    );
    for wrong in [
        "individual_business",
        "shop=shops.json",
        "individual_business=",
    ] {
        stderr(
            risktier(folder.path()).args(["classify", "--kind-scorecard", wrong]),
            2,
        );
    }
    fs::write(folder.path().join("wrong.json"), "{}").unwrap();
    let wrong = stderr(
        risktier(folder.path()).args(["classify", "--kind-scorecard", "cooperative=wrong.json"]),
        3,
    );
    assert!(wrong.contains("`cooperative`"), "{wrong}");
}

#[test]
fn a_tier_is_explained_in_both_languages() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("enterprises.csv"), ENTERPRISES).unwrap();
    let records = "record_id,enterprise_id,kind,occurred_on,known_on\nl1,licence-7,abnormal_listing,2026-01-05,2026-01-06\n";
    fs::write(folder.path().join("records.csv"), records).unwrap();
    stdout(risktier(folder.path()).args(["import", "folder", "."]), 0);
    let explain = |day: &str| {
        let mut command = risktier(folder.path());
        command.args([
            "classify",
            "--explain",
            "licence-7",
            "--as-of",
            day,
            "--format",
            "json",
        ]);
        serde_json::from_str::<serde_json::Value>(&stdout(&mut command, 0)).unwrap()
    };
    let before = explain("2026-01-05");
    let after = explain("2026-01-06");
    assert_eq!(
        (&before["tier"], &after["tier"]),
        (&"A".into(), &"C".into())
    );
    let floor = after["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .find(|reason| reason["step"] == "points")
        .unwrap();
    assert_eq!(floor["code"], "SUP05");
    assert_eq!(floor["records"][0]["record_id"], "l1");
    assert_eq!(floor["text"]["zh"], "列入经营异常名录：1，计120分");
}

#[test]
fn the_contract_on_standard_output_is_the_committed_one() {
    let folder = tempfile::tempdir().unwrap();
    let committed = include_str!("../../openapi/risktier.v1.json");
    assert_eq!(
        stdout(risktier(folder.path()).arg("openapi"), 0),
        committed,
        "accept with: cargo run -- openapi > openapi/risktier.v1.json"
    );
}

#[test]
fn a_made_up_register_is_the_same_on_every_run() {
    let folder = tempfile::tempdir().unwrap();
    for out in ["one", "two"] {
        let mut command = risktier(folder.path());
        command.args([
            "bench-data",
            "--enterprises",
            "500",
            "--seed",
            "9",
            "--out",
            out,
        ]);
        stdout(&mut command, 0);
    }
    for file in ["enterprises.csv", "records.csv"] {
        let bytes = |out: &str| fs::read(folder.path().join(out).join(file)).unwrap();
        assert_eq!(bytes("one"), bytes("two"));
    }
}

#[test]
fn a_policy_that_favours_risk_is_refused_by_place() {
    let folder = tempfile::tempdir().unwrap();
    let policy = include_str!("../../models/policy.toml").replacen("C = 0.15", "C = 0.02", 1);
    fs::write(folder.path().join("policy.toml"), policy).unwrap();
    let told = stderr(
        risktier(folder.path()).args(["classify", "--policy", "policy.toml"]),
        3,
    );
    assert!(
        told.contains("sampling.rates.general") && told.contains("tier C"),
        "{told}"
    );
}
