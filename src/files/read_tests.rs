use super::*;
use crate::domain::{Enterprise, Record, RecordDefaults};
use crate::domain::{EnterpriseDraft, Label, RecordDraft};
use crate::files::{
    Compression, FilesError, Format, LineError, Row, Sink, Source, enterprise_writer, record_writer,
};
use flate2::Compression as GzipLevel;
use flate2::write::GzEncoder;
use jiff::civil::date;
use std::io::{self, Cursor, Read, Write};
use std::sync::{Arc, Mutex};

const RECORD_HEADER: &str = "record_id,enterprise_id,kind,occurred_on,count,codes\n";

fn source(format: Format, bytes: impl Into<Vec<u8>>) -> Result<Source, FilesError> {
    Source::from_reader("f", format, Cursor::new(bytes.into()))
}

fn defaults() -> RecordDefaults {
    RecordDefaults {
        source: Label::parse("test").unwrap(),
        known_on: date(2026, 11, 22),
    }
}

fn records(format: Format, bytes: impl Into<Vec<u8>>) -> Result<Vec<Row<Record>>, FilesError> {
    read_records(source(format, bytes)?, &ReadOptions::default(), defaults())?.collect()
}

fn enterprises(
    format: Format,
    bytes: impl Into<Vec<u8>>,
) -> Result<Vec<Row<Enterprise>>, FilesError> {
    read_enterprises(source(format, bytes)?, &ReadOptions::default())?.collect()
}

/// What each row says: `ok LINE` or the error as text.
fn said<T>(rows: &[Row<T>]) -> Vec<String> {
    rows.iter()
        .map(|row| match row {
            Row::Good { line, .. } => format!("ok {line}"),
            Row::Bad(error) => error.to_string(),
        })
        .collect()
}

fn csv_records(rows: &str) -> Vec<String> {
    said(&records(Format::Csv, format!("{RECORD_HEADER}{rows}")).unwrap())
}

fn json_enterprises(lines: &str) -> Vec<String> {
    said(&enterprises(Format::Ndjson, lines).unwrap())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), GzipLevel::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn good_rows_pass_and_bad_rows_are_named() {
    let got = csv_records(
        "p1,91350100M000100Y43,penalty,2026-05-01,2,a|b\n\
         \n\
         p2,E1,penalty,2026-02-30,,\n\
         p3,E1,penalty,2026-05-01,two,\n\
         p4,E1,fine,2026-05-01,,\n\
         p5,E1,penalty,2026-05-01\n\
         ,E1,penalty,2026-05-01,,\n\
         p7,E1,penalty,2026-05-01,,\"x\"y\n\
         p8,E1,penalty,2026-05-01,,\"x\n",
    );
    assert_eq!(got[0], "ok 2");
    assert_eq!(
        got[1],
        "line 4: `occurred_on`: `2026-02-30` is not a day of the calendar"
    );
    assert_eq!(
        got[2],
        "line 5: `count`: `two` is not a whole number from 0 to 4294967295"
    );
    assert!(got[3].starts_with("line 6: `kind`: `fine` is not one of penalty, "));
    assert_eq!(
        got[4],
        "line 7: the row has 4 cells, the header 6; look for a missing comma or an unquoted one"
    );
    assert_eq!(
        got[5],
        "line 8: `record_id`: `` is empty; every row needs a value"
    );
    assert_eq!(
        got[6],
        "line 9: `codes`: `x` has text after its closing quote; double the quotes inside the cell (`\"\"`)"
    );
    assert_eq!(
        got[7],
        "line 10: a quoted cell starts here and is never closed, so the rest of the file was not read; \
         close the quote or double it (`\"\"`)"
    );
    assert_eq!(got.len(), 8);
}

#[test]
fn a_line_in_another_encoding_is_named_and_the_next_one_read() {
    let mut bytes = RECORD_HEADER.as_bytes().to_vec();
    bytes.extend_from_slice(b"p1,E1,penalty,2026-05-01,,\"a,\xb9\xe3\xb6\xab\"\n");
    bytes.extend_from_slice(b"p2,E1,penalty,2026-05-01,,\n");
    let got = said(&records(Format::Csv, bytes).unwrap());
    assert!(
        got[0].starts_with("line 2: `codes`: `a,\u{fffd}"),
        "{}",
        got[0]
    );
    assert!(
        got[0].ends_with(
            "is not UTF-8; convert the file, for example with `iconv -f GB18030 -t UTF-8`"
        ),
        "{}",
        got[0]
    );
    assert_eq!(got[1], "ok 3");

    let mut bytes = b"{\"enterprise_id\":\"E1\",\"name\":\"\xb9\xe3\"}\n".to_vec();
    bytes.extend_from_slice(b"{\"enterprise_id\":\"E1\",\"name\":\"n\"}");
    let got = said(&enterprises(Format::Ndjson, bytes).unwrap());
    assert!(got[0].contains("is not UTF-8"), "{}", got[0]);
    assert_eq!(got[1], "ok 2");
}

#[test]
fn headers_that_do_not_fit_fail_the_file() {
    let fault = |bytes: &str| enterprises(Format::Csv, bytes).unwrap_err().to_string();
    assert_eq!(
        fault("enterprise_id,name,colour\n1,n,red\n"),
        "the header does not fit: `f` line 1: `colour`: is not a column of enterprise files; known are \
         enterprise_id, name, kind, owner_id, division, industry, established_on, status, size, tags, \
         attributes.NAME; use a mapping file for other columns"
    );
    assert_eq!(
        fault("\n\nenterprise_id,size\n"),
        "the header does not fit: `f` line 3: `name`: is missing from the header; every enterprise needs it"
    );
    assert_eq!(
        fault("enterprise_id,name,name\n"),
        "the header does not fit: `f` line 1: `name`: stands twice in the header; remove or rename one"
    );
    assert!(fault("enterprise_id,name,,\n").contains("two columns have no name"));
    assert!(
        records(Format::Csv, "record_id,attributes.x\n")
            .unwrap_err()
            .to_string()
            .contains("`attributes.x`: is not a column of record files")
    );
}

#[test]
fn empty_files_are_not_a_success() {
    for bytes in [&b""[..], b"\n\n", b"\xef\xbb\xbf"] {
        assert_eq!(
            enterprises(Format::Csv, bytes).unwrap_err().to_string(),
            "`f` is empty; a file needs a header line with the names of its columns"
        );
        assert_eq!(
            enterprises(Format::Ndjson, bytes).unwrap_err().to_string(),
            "`f` is empty; a file needs one JSON object per line"
        );
    }
    assert_eq!(
        enterprises(Format::Csv, gzip(b""))
            .unwrap_err()
            .to_string()
            .find("is empty"),
        Some(4)
    );
    assert!(records(Format::Csv, RECORD_HEADER).unwrap().is_empty());
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let rows = enterprises(
        Format::Csv,
        "\u{feff}\"enterprise_id\",name,attributes.score\nE1,店,0.5\n",
    )
    .unwrap();
    let Row::Good { line: 2, item } = &rows[0] else {
        panic!("{rows:?}");
    };
    assert_eq!(item.attributes["score"], 0.5);
}

#[test]
fn json_lines_say_what_is_wrong_with_them() {
    let got = json_enterprises(concat!(
        r#"{"enterprise_id":"E1","name":"n","tags":["a"],"attributes":{"x":1}}"#,
        "\n\n",
        r#"{"enterprise_id":"E1","name":"n","colour":1}"#,
        "\n",
        r#"{"enterprise_id":"E1"}"#,
        "\n",
        r#"{"enterprise_id":"E1","name":"n","name":"m"}"#,
        "\n",
        r#"{"enterprise_id":"E1","name":7}"#,
        "\n",
        r#"{"enterprise_id":"E1","name":"n","attributes":{"x":"high"}}"#,
        "\n",
        r#"{"enterprise_id":"E1","name":"n","attributes":{"x":1,"x":2}}"#,
        "\n",
        r#"{"enterprise_id":"E1","name":"n"} x"#,
        "\n",
        r#"{"enterprise_id":"E1","name":"n""#,
        "\n",
        r#"["E1"]"#,
        "\n",
        r#"{"enterprise_id":"E1","name":"n","tags":["a",["b"]]}"#,
        "\n",
        r#"{"enterprise_id":"E1","name":"n","established_on":"1.2.2020"}"#,
    ));
    assert_eq!(
        got,
        [
            "ok 1",
            "line 3: `colour`: is not a field of this enterprise; known are enterprise_id, name, kind, owner_id, \
             division, industry, established_on, status, size, tags, attributes.NAME",
            "line 4: `name`: is missing; every enterprise needs it",
            "line 5: `name`: stands twice in the object; keep one",
            "line 6: `name`: `7` is a number; expected is a text in quotes",
            "line 7: `attributes.x`: `high` is a text; expected is a number",
            "line 8: `attributes.x`: stands twice in the object; keep one",
            "line 9: `{\"enterprise_id\":\"E1\",\"name\":\"n\"} x` has text after the object; \
             put every object on a line of its own",
            "line 10: `{\"enterprise_id\":\"E1\",\"name\":\"n\"` is not a JSON object: EOF while parsing an object \
             (character 32); write one object per line",
            "line 11: `[\"E1\"]` is a list; expected is an object in braces",
            "line 12: `tags[1]`: `[\"b\"]` is a list; expected is a text in quotes",
            "line 13: `established_on`: `1.2.2020` is not a date of the form 2026-12-01",
        ]
    );
}

#[test]
fn json_of_great_depth_is_refused_without_harm() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let got = json_enterprises(&format!("{deep}\n{{\"enterprise_id\":{deep}}}"));
    assert!(got.iter().all(|line| line.starts_with("line ")), "{got:?}");
}

#[test]
fn gzip_is_noticed_and_may_have_several_members() {
    let mut bytes = gzip(format!("{RECORD_HEADER}p1,E1,penalty,2026-05-01,,\n").as_bytes());
    bytes.extend(gzip(b"p2,E1,penalty,2026-05-01,,\n"));
    let got = said(&records(Format::Csv, bytes).unwrap());
    assert_eq!(got, ["ok 2", "ok 3"]);
}

#[test]
fn a_gzip_that_is_cut_off_is_a_failure_at_every_length() {
    let rows: String = (0..200)
        .map(|n| format!("p{n},E1,penalty,2026-05-01,,\n"))
        .collect();
    let whole = gzip(format!("{RECORD_HEADER}{rows}").as_bytes());
    for kept in [3, 12, whole.len() / 2, whole.len() - 8, whole.len() - 1] {
        let error = records(Format::Csv, &whole[..kept]).unwrap_err();
        assert!(
            matches!(error, FilesError::Damaged { .. }),
            "{kept}: {error}"
        );
        assert!(
            error
                .to_string()
                .contains("is damaged or cut off after line")
        );
    }
    let mut flipped = whole.clone();
    let middle = flipped.len() - 6;
    flipped[middle] ^= 1;
    assert!(records(Format::Csv, flipped).is_err());
}

/// A single line of `left` bytes that exists nowhere in memory.
struct EndlessLine {
    left: u64,
    tail: Cursor<&'static [u8]>,
}

impl Read for EndlessLine {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return self.tail.read(buffer);
        }
        let count = buffer.len().min(usize::try_from(self.left).unwrap());
        buffer[..count].fill(b'x');
        self.left -= count as u64;
        Ok(count)
    }
}

#[test]
fn a_line_of_200_mb_is_passed_over_in_bounded_memory() {
    let endless = EndlessLine {
        left: 200_000_000,
        tail: Cursor::new(b"\n{\"enterprise_id\":\"E1\",\"name\":\"n\"}\n"),
    };
    let source = Source::from_reader("f", Format::Ndjson, endless).unwrap();
    let taken = source.bytes_taken();
    let mut rows = read_enterprises(source, &ReadOptions::default()).unwrap();
    let Some(Ok(Row::Bad(error))) = rows.next() else {
        panic!("the long line was taken");
    };
    assert_eq!(
        error.to_string(),
        "line 1: the line is longer than 1048576 bytes and was passed over; \
         look for an unclosed quote or a missing line end"
    );
    assert!(rows.held_bytes() <= 4 << 20);
    assert!(matches!(rows.next(), Some(Ok(Row::Good { line: 2, .. }))));
    assert!(rows.next().is_none());
    assert!(taken.load(std::sync::atomic::Ordering::Relaxed) > 200_000_000);
}

#[test]
fn a_reader_that_fails_ends_the_stream_once() {
    struct Failing(bool);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(io::Error::other("disk gone"));
            }
            let text = b"enterprise_id,name\nE1,n\n";
            buffer[..text.len()].copy_from_slice(text);
            Ok(text.len())
        }
    }
    let source = Source::from_reader("f", Format::Csv, Failing(false)).unwrap();
    let got: Vec<_> = read_enterprises(source, &ReadOptions::default())
        .unwrap()
        .collect();
    assert_eq!(got.len(), 2);
    assert_eq!(
        got[1].as_ref().unwrap_err().to_string(),
        "cannot read `f` beyond line 2: disk gone; what came before it was read"
    );
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn items<T>(rows: Vec<Row<T>>) -> Vec<T> {
    rows.into_iter()
        .map(|row| match row {
            Row::Good { item, .. } => item,
            Row::Bad(error) => panic!("{error}"),
        })
        .collect()
}

const LAYOUTS: [(Format, Compression); 7] = [
    (Format::Csv, Compression::Plain),
    (Format::Csv, Compression::Gzip),
    (Format::Csv, Compression::Zstd),
    (Format::Ndjson, Compression::Plain),
    (Format::Ndjson, Compression::Gzip),
    (Format::Ndjson, Compression::Zstd),
    (Format::Parquet, Compression::Plain),
];

#[test]
fn records_round_trip_in_every_layout() {
    let drafts = [
        RecordDraft {
            record_id: "a,\"b\"".into(),
            enterprise_id: "91350100M000100Y43".into(),
            kind: "complaint".into(),
            occurred_on: "2026-05-01".into(),
            upheld: Some(false),
            codes: vec!["x|y".into(), "a\\".into()],
            note: Some("逗号, “引号”".into()),
            ..RecordDraft::default()
        },
        RecordDraft {
            record_id: "2".into(),
            enterprise_id: "E 1".replace(' ', "-"),
            kind: "penalty".into(),
            occurred_on: "2025-01-31".into(),
            ended_on: Some("2025-12-31".into()),
            severity: Some("serious".into()),
            amount_cny: Some(1_234_567.89),
            count: Some(3),
            item_code: Some("F-1".into()),
            party: Some("p".into()),
            related_id: Some("E2".into()),
            known_on: Some("2025-02-01".into()),
            repaired_on: Some("2026-02-01".into()),
            withdrawn_on: Some("2026-03-01".into()),
            ..RecordDraft::default()
        },
    ];
    let written: Vec<Record> = drafts
        .into_iter()
        .map(|draft| Record::parse(draft, &defaults()).unwrap())
        .collect();
    for (format, compressed) in LAYOUTS {
        let bytes = Shared::default();
        let mut writer =
            record_writer(Sink::to_writer("f", format, compressed, bytes.clone())).unwrap();
        for record in &written {
            writer.write(record).unwrap();
        }
        assert_eq!(writer.finish().unwrap(), 2);
        let bytes = bytes.0.lock().unwrap().clone();
        assert_eq!(items(records(format, bytes).unwrap()), written);
    }
}

#[test]
fn enterprises_round_trip_in_every_layout() {
    let full = EnterpriseDraft {
        enterprise_id: "91350100M000100Y43".into(),
        name: "甲, 乙".into(),
        kind: Some("product".into()),
        owner_id: Some("E2".into()),
        division: Some("990101".into()),
        industry: Some("F5212".into()),
        established_on: Some("2020-02-29".into()),
        status: Some("abnormal".into()),
        size: Some("micro".into()),
        tags: vec!["食品生产".into(), "a|b".into()],
        attributes: [("x".to_owned(), 0.1), ("y".to_owned(), -1e-7)].into(),
    };
    let plain = EnterpriseDraft {
        enterprise_id: "E2".into(),
        name: "丙".into(),
        ..EnterpriseDraft::default()
    };
    let written: Vec<Enterprise> = [full, plain]
        .into_iter()
        .map(|draft| Enterprise::parse(draft).unwrap())
        .collect();
    let names = written[0].attributes.keys().cloned().collect();
    for (format, compressed) in LAYOUTS {
        let bytes = Shared::default();
        let sink = Sink::to_writer("f", format, compressed, bytes.clone());
        let mut writer = enterprise_writer(sink, &names).unwrap();
        for enterprise in &written {
            writer.write(enterprise).unwrap();
        }
        writer.finish().unwrap();
        let bytes = bytes.0.lock().unwrap().clone();
        assert_eq!(items(enterprises(format, bytes).unwrap()), written);
    }
}

#[test]
fn an_attribute_without_a_column_is_not_dropped_in_silence() {
    let enterprise = Enterprise::parse(EnterpriseDraft {
        enterprise_id: "E1".into(),
        name: "n".into(),
        attributes: [("x".to_owned(), 1.0)].into(),
        ..EnterpriseDraft::default()
    })
    .unwrap();
    let sink = Sink::to_writer("f", Format::Csv, Compression::Plain, io::sink());
    let mut writer = enterprise_writer(sink, &std::collections::BTreeSet::new()).unwrap();
    assert_eq!(
        writer.write(&enterprise).unwrap_err().to_string(),
        "`E1` has the attribute `x`, for which `f` has no column; declare it or write NDJSON"
    );
}

#[test]
fn a_report_has_one_object_per_refused_line() {
    let rows = records(Format::Csv, format!("{RECORD_HEADER}p,E1,penalty,x,,\n")).unwrap();
    let errors: Vec<LineError> = rows
        .into_iter()
        .filter_map(|row| match row {
            Row::Bad(error) => Some(error.of_file("r.csv")),
            Row::Good { .. } => None,
        })
        .collect();
    assert_eq!(errors.len(), 1);
    assert_eq!(
        serde_json::to_string(&errors[0]).unwrap() + "\n",
        "{\"file\":\"r.csv\",\"line\":2,\"field\":\"occurred_on\",\"value\":\"x\",\
         \"reason\":\"is not a date of the form 2026-12-01\"}\n"
    );
}
