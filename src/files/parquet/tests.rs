use super::*;
use crate::domain::{Label, Record, RecordDefaults, RecordDraft};
use crate::files::{
    Compression, ExportWriter, FilesError, Format, Mapping, ReadOptions, Row, Sink, Source,
    read_records, record_writer,
};
use jiff::civil::date;
use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex};

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

fn defaults() -> RecordDefaults {
    RecordDefaults {
        source: Label::parse("test").unwrap(),
        known_on: date(2026, 11, 22),
    }
}

/// A file of the given number of records, each with a list and a number.
fn file(count: usize) -> Vec<u8> {
    let bytes = Shared::default();
    let sink = Sink::to_writer("f", Format::Parquet, Compression::Plain, bytes.clone());
    let mut writer = record_writer(sink).unwrap();
    for number in 0..count {
        let draft = RecordDraft {
            record_id: format!("r{number}"),
            enterprise_id: format!("E{}", number % 7),
            kind: "penalty".into(),
            occurred_on: "2026-05-01".into(),
            amount_cny: Some(number as f64 + 0.25),
            codes: vec!["a|b".into(), format!("c{}", number % 3)],
            ..RecordDraft::default()
        };
        writer
            .write(&Record::parse(draft, &defaults()).unwrap())
            .unwrap();
    }
    assert_eq!(writer.finish().unwrap(), count as u64);
    bytes.0.lock().unwrap().clone()
}

fn table(columns: &[(&str, ColumnType)], rows: &[&[Value<'_>]]) -> Vec<u8> {
    let bytes = Shared::default();
    let sink = Sink::to_writer("f", Format::Parquet, Compression::Plain, bytes.clone());
    let mut writer = ExportWriter::open(sink, columns).unwrap();
    for row in rows {
        writer.row(row).unwrap();
    }
    writer.finish().unwrap();
    bytes.0.lock().unwrap().clone()
}

fn source(bytes: Vec<u8>) -> Result<Source, FilesError> {
    Source::from_reader("f", Format::Parquet, Cursor::new(bytes))
}

fn read(bytes: Vec<u8>) -> Result<Vec<Row<Record>>, FilesError> {
    read_records(source(bytes)?, &ReadOptions::default(), defaults())?.collect()
}

#[test]
fn rows_come_back_by_number_over_many_batches() {
    let rows = read(file(10_000)).unwrap();
    assert_eq!(rows.len(), 10_000);
    let Some(Row::Good { line: 10_000, item }) = rows.last() else {
        panic!("{:?}", rows.last());
    };
    assert_eq!(
        (item.record_id.as_str(), item.amount_fen),
        ("r9999", Some(999_925))
    );
    assert_eq!(
        item.codes.iter().map(Label::as_str).collect::<Vec<_>>(),
        ["a|b", "c0"]
    );
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let whole = file(300);
    for kept in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
        let error = read(whole[..kept].to_vec()).unwrap_err();
        assert!(!error.to_string().is_empty(), "{kept}");
    }
}

#[test]
fn a_file_with_any_byte_changed_never_brings_the_reader_down() {
    let whole = file(40);
    let mut failed = 0;
    for at in (0..whole.len()).step_by(4) {
        let mut damaged = whole.clone();
        damaged[at] ^= if at % 8 == 0 { 0xff } else { 0x08 };
        failed += usize::from(read(damaged).is_err());
    }
    assert!(failed > whole.len() / 40, "{failed} of {}", whole.len());
}

#[test]
fn a_stream_over_the_limit_is_refused_by_name() {
    let options = ReadOptions {
        max_spool_bytes: 1_000,
        ..ReadOptions::default()
    };
    let error = read_records(source(file(300)).unwrap(), &options, defaults())
        .err()
        .unwrap();
    assert!(
        matches!(error, FilesError::Spool { limit: 1_000, .. }),
        "{error}"
    );
}

#[test]
fn a_column_of_the_wrong_type_fails_the_file_and_a_wrong_value_its_row() {
    let columns = [
        ("record_id", ColumnType::Count),
        ("enterprise_id", ColumnType::Text),
        ("kind", ColumnType::Text),
        ("occurred_on", ColumnType::Text),
        ("upheld", ColumnType::Number),
    ];
    let error = read(table(&columns, &[])).unwrap_err().to_string();
    assert!(
        error.contains("`upheld`: has values of type Float64; expected are booleans"),
        "{error}"
    );

    let rows: [&[Value<'_>]; 2] = [
        &[
            Value::Count(7),
            Value::Text("E1"),
            Value::Text("penalty"),
            Value::Text("2026-02-30"),
        ],
        &[
            Value::Count(8),
            Value::Text("E1"),
            Value::Text("penalty"),
            Value::Text("2026-02-28"),
        ],
    ];
    let read = read(table(&columns[..4], &rows)).unwrap();
    let [Row::Bad(error), Row::Good { line: 2, item }] = read.as_slice() else {
        panic!("{read:?}");
    };
    assert_eq!(
        error.to_string(),
        "line 1: `occurred_on`: `2026-02-30` is not a day of the calendar"
    );
    assert_eq!(item.record_id, "8");
}

#[test]
fn a_mapping_reads_typed_columns_and_lists() {
    let columns = [
        ("no", ColumnType::Count),
        ("who", ColumnType::Text),
        ("decided", ColumnType::Day),
        ("fine", ColumnType::Number),
        ("articles", ColumnType::List),
        ("unused", ColumnType::Flag),
    ];
    let articles = ["12|a".to_owned(), "13".to_owned()];
    let rows: [&[Value<'_>]; 2] = [
        &[
            Value::Count(1),
            Value::Text("E1"),
            Value::Day(date(2026, 5, 1)),
            Value::Number(12.5),
            Value::List(&articles),
            Value::Flag(true),
        ],
        &[
            Value::Count(2),
            Value::Text("E1"),
            Value::Day(date(2026, 5, 1)),
            Value::Number(0.0),
            Value::List(&[]),
            Value::Absent,
        ],
    ];
    let mapping = Mapping::parse(
        r#"
        format = "risktier-mapping/1"
        [[table]]
        file = "fines.parquet"
        yields = "record"
        where = { fine = { above = 0 } }
        [table.fields]
        record_id     = { column = "no" }
        enterprise_id = { column = "who" }
        kind          = { constant = "penalty" }
        occurred_on   = { column = "decided" }
        known_on      = { column = "decided", plus_days = 3 }
        amount_cny    = { column = "fine" }
        codes         = { column = "articles" }
        "#,
    )
    .unwrap();
    let of_file = source(table(&columns, &rows)).unwrap();
    let mut read = mapping.record_tables()[0]
        .rows(of_file, &ReadOptions::default(), defaults())
        .unwrap();
    let Some(Ok(Row::Good { line: 1, item })) = read.next() else {
        panic!("the first row is good");
    };
    assert_eq!(
        (item.known_on, item.amount_fen),
        (date(2026, 5, 4), Some(1_250))
    );
    assert_eq!(
        item.codes.iter().map(Label::as_str).collect::<Vec<_>>(),
        ["12|a", "13"]
    );
    assert!(read.next().is_none());
    assert_eq!(read.skipped_count(), 1);
}
