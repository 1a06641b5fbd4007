//! Several threads read a file as one does.

use std::io::Cursor;

use jiff::civil::date;
use proptest::prelude::*;
use risktier::domain::{Label, RecordDefaults};
use risktier::files::{Format, ReadOptions, Source, read_records};

/// Long enough for several blocks.
const BYTES: usize = 400_000;

fn defaults() -> RecordDefaults {
    RecordDefaults {
        source: Label::parse("test").unwrap(),
        known_on: date(2026, 11, 22),
    }
}

/// What each row says, and how the file ends.
fn said(format: Format, bytes: &[u8], parsers: Option<usize>) -> Vec<String> {
    let source = Source::from_reader("f", format, Cursor::new(bytes.to_vec()));
    let options = ReadOptions {
        max_row_bytes: 2_000,
        ..ReadOptions::default()
    };
    let rows = match source.and_then(|source| read_records(source, &options, defaults())) {
        Ok(rows) => rows,
        Err(failure) => return vec![failure.to_string()],
    };
    let rows = match parsers {
        Some(parsers) => rows.in_parallel(parsers),
        None => rows,
    };
    rows.map(|row| match row {
        Ok(row) => format!("{row:?}"),
        Err(failure) => failure.to_string(),
    })
    .collect()
}

fn csv_row() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[a-z]{1,8}".prop_map(|id| format!("{id},E1,penalty,2026-05-01,")),
        2 => "[a-z]{1,8}".prop_map(|id| format!("\"{id}\",E1,penalty,2026-05-01,\"two\nlines, \"\"quoted\"\"\"")),
        1 => Just(",E1,penalty,2026-05-01,".to_owned()),
        1 => Just("p,E1,penalty,2026-02-30,x".to_owned()),
        1 => Just("p,E1".to_owned()),
        1 => Just("p,E1,penalty,2026-05-01,\"a\"b".to_owned()),
        1 => Just(String::new()),
        1 => "[ -~\u{4e00}-\u{4e20}\"\r]{0,40}",
        1 => Just(format!("p,E1,penalty,2026-05-01,{}", "x".repeat(3_000))),
    ]
}

fn json_row() -> impl Strategy<Value = String> {
    let good = r#""enterprise_id":"E1","kind":"penalty","occurred_on":"2026-05-01"}"#;
    prop_oneof![
        6 => "[a-z]{1,8}".prop_map(move |id| format!("{{\"record_id\":\"{id}\",{good}")),
        1 => Just(format!("{{\"record_id\":7,{good}")),
        1 => Just("{\"record_id\":\"a\"".to_owned()),
        1 => "[ -~]{0,40}",
    ]
}

fn repeated(rows: &[String], ends: &[bool]) -> Vec<u8> {
    let mut text = Vec::new();
    for (row, windows) in rows.iter().cycle().zip(ends.iter().cycle()) {
        text.extend_from_slice(row.as_bytes());
        text.extend_from_slice(if *windows { b"\r\n" } else { b"\n" });
        if text.len() > BYTES {
            return text;
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn threads_read_csv_as_one_does(
        rows in prop::collection::vec(csv_row(), 1..40),
        ends in prop::collection::vec(any::<bool>(), 1..7),
        cut in 0_usize..BYTES,
        parsers in 1_usize..5,
    ) {
        let mut bytes = b"record_id,enterprise_id,kind,occurred_on,note\n".to_vec();
        bytes.extend(repeated(&rows, &ends));
        let whole = said(Format::Csv, &bytes, None);
        prop_assert_eq!(&said(Format::Csv, &bytes, Some(parsers)), &whole);
        bytes.truncate(cut);
        prop_assert_eq!(said(Format::Csv, &bytes, Some(parsers)), said(Format::Csv, &bytes, None));
    }

    #[test]
    fn threads_read_json_lines_as_one_does(
        rows in prop::collection::vec(json_row(), 1..40),
        ends in prop::collection::vec(any::<bool>(), 1..7),
        parsers in 1_usize..5,
    ) {
        let bytes = repeated(&rows, &ends);
        prop_assert_eq!(said(Format::Ndjson, &bytes, Some(parsers)), said(Format::Ndjson, &bytes, None));
    }
}
