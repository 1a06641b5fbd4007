use super::*;
use crate::domain::{Enterprise, Label, Record, RecordDefaults, RecordKind, Severity};
use crate::files::{Format, Mapping};
use jiff::civil::date;
use std::io::Cursor;

const FINES: &str = r#"
format = "risktier-mapping/1"

[[table]]
name = "fines"
file = "fines.csv"
yields = "record"
delimiter = ";"
decimal = ","
thousands = "."
where = { status = ["final", "paid"], fine = { above = 0 }, dropped = { empty = true } }

[table.fields]
record_id     = { columns = ["office", "number"], join = "-" }
enterprise_id = { column = "credit_code" }
source        = { constant = "fines" }
kind          = { constant = "penalty" }
occurred_on   = { column = "decided", date = "%d.%m.%Y" }
known_on      = { column = "decided", date = "%d.%m.%Y", plus_days = 7 }
severity      = { column = "class", map = { I = "serious", II = "general", X = "grave" }, otherwise = "skip-row" }
amount_cny    = { column = "fine" }
upheld        = { column = "upheld", map = { Y = "true", N = "false" }, absent = ["?"] }
codes         = [
    { column = "articles", split = "/" },
    { constant = "repeat", where = { earlier = { above = 0 } } },
]
note          = [{ column = "remark" }, { constant = "none" }]
"#;

const HEADER: &str =
    "office;number;credit_code;decided;class;fine;upheld;articles;earlier;status;dropped;remark\n";

fn mapped(mapping: &str, csv: &str) -> Result<Rows<Record>, FilesError> {
    let mapping = Mapping::parse(mapping).unwrap();
    let bytes = Cursor::new(csv.as_bytes().to_vec());
    let source = Source::from_reader("fines.csv", Format::Csv, bytes)?;
    let defaults = RecordDefaults {
        source: Label::parse("import").unwrap(),
        known_on: date(2026, 11, 22),
    };
    mapping.record_tables()[0].rows(source, &ReadOptions::default(), defaults)
}

fn records(csv: &str) -> Vec<Row<Record>> {
    let rows = mapped(FINES, &format!("{HEADER}{csv}")).unwrap();
    rows.map(Result::unwrap).collect()
}

fn only_error(csv: &str) -> String {
    match records(csv).as_slice() {
        [Row::Bad(error)] => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_row_becomes_a_record_field_by_field() {
    let rows = records("A;7;E1;03.02.2026;I;1.234,50;Y;12/ 13;1;final;;\n");
    let [Row::Good { line: 2, item }] = rows.as_slice() else {
        panic!("{rows:?}");
    };
    assert_eq!(item.record_id, "A-7");
    assert_eq!(item.kind, RecordKind::Penalty);
    assert_eq!(item.source.as_str(), "fines");
    assert_eq!(
        (item.occurred_on, item.known_on),
        (date(2026, 2, 3), date(2026, 2, 10))
    );
    assert_eq!(item.severity, Some(Severity::Serious));
    assert_eq!(item.amount_fen, Some(123_450));
    assert_eq!(item.upheld, Some(true));
    let codes: Vec<&str> = item.codes.iter().map(Label::as_str).collect();
    assert_eq!(codes, ["12", "13", "repeat"]);
    assert_eq!(item.note.as_deref(), Some("none"));
}

#[test]
fn rows_that_the_conditions_leave_out_are_counted() {
    let csv = format!(
        "{HEADER}\
         A;1;E1;03.02.2026;I;5;?;;0;open;;\n\
         A;2;E1;03.02.2026;I;0;?;;0;final;;\n\
         A;3;E1;03.02.2026;I;5;?;;0;final;x;\n\
         A;4;E1;03.02.2026;III;5;?;;0;final;;\n\
         A;5;E1;03.02.2026;I;5;?;;0;paid;;r\n"
    );
    let mut rows = mapped(FINES, &csv).unwrap();
    let Some(Ok(Row::Good { line: 6, item })) = rows.next() else {
        panic!("the last row is good");
    };
    assert_eq!((item.upheld, item.note.as_deref()), (None, Some("r")));
    assert!(item.codes.is_empty());
    assert!(rows.next().is_none());
    assert_eq!(rows.skipped_count(), 4);
}

#[test]
fn errors_name_file_field_value_and_column() {
    assert_eq!(
        only_error("A;7;E1;2026-02-03;I;5;;;;final;;\n"),
        "`fines.csv` line 2: `known_on`: `2026-02-03` is not a date of the pattern `%d.%m.%Y` (from column `decided`)"
    );
    assert_eq!(
        only_error("A;7;;03.02.2026;I;5;;;;final;;\n"),
        "`fines.csv` line 2: `enterprise_id`: `` is empty; every row needs a value (from column `credit_code`)"
    );
    assert_eq!(
        only_error("A;7;E1;03.02.2026;I;5;maybe;;;final;;\n"),
        "`fines.csv` line 2: `upheld`: `maybe` is not in the map of the mapping; add it, or say `otherwise` \
         (from column `upheld`)"
    );
    assert_eq!(
        only_error("A;7;E1;03.02.2026;X;5;;;;final;;\n"),
        "`fines.csv` line 2: `severity`: `grave` is not one of minor, general, serious (from column `class`)"
    );
    assert_eq!(
        only_error("A;7;E1;03.02.2026;I;five;;;;final;;\n"),
        "`fines.csv` line 2: `where.fine`: `five` is not a number; write it like 1234.5, without separators or unit"
    );
    assert_eq!(
        only_error("A;7;E1\n"),
        "`fines.csv` line 2: the row has 3 cells, the header 12; look for a missing comma or an unquoted one"
    );
}

#[test]
fn a_column_that_the_file_lacks_fails_it_by_name() {
    let error = mapped(FINES, "office;number;status;fine;dropped\n")
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "the header does not fit: `fines.csv` line 1: `articles`: is not in the header, but mapping table `fines` \
         needs it for `codes`; the header has `office`, `number`, `status`, `fine`, `dropped`"
    );
}

#[test]
fn attributes_come_from_columns() {
    let mapping = Mapping::parse(
        r#"
        format = "risktier-mapping/1"
        [[table]]
        file = "e.csv"
        yields = "enterprise"
        [table.fields]
        enterprise_id = { column = "id" }
        name = { column = "id" }
        [table.attributes]
        score = { column = "score", absent = ["-"] }
        "#,
    )
    .unwrap();
    let read = |csv: &'static str| -> Vec<Row<Enterprise>> {
        let source = Source::from_reader("e.csv", Format::Csv, Cursor::new(csv)).unwrap();
        let rows = mapping.enterprise_tables()[0].rows(source, &ReadOptions::default(), ());
        rows.unwrap().map(Result::unwrap).collect()
    };
    let rows = read("id,score\nE1,0.5\nE2,-\nE3,high\n");
    assert!(matches!(&rows[0], Row::Good { item, .. } if item.attributes["score"] == 0.5));
    assert!(matches!(&rows[1], Row::Good { item, .. } if item.attributes.is_empty()));
    assert!(matches!(&rows[2], Row::Bad(error) if error.to_string()
        == "`e.csv` line 4: `attributes.score`: `high` is not a number; \
            write it like 1234.5, without separators or unit (from column `score`)"));
}

/// What a mapping with this in place of the date of the example says.
fn refused(from: &str, to: &str) -> String {
    assert!(FINES.contains(from));
    Mapping::parse(&FINES.replace(from, to))
        .err()
        .unwrap()
        .to_string()
}

#[test]
fn mappings_that_make_no_sense_are_refused() {
    let said = [
        refused("delimiter = \";\"", "delimeter = \";\""),
        refused("absent = [\"?\"]", "absnet = [\"?\"]"),
        refused("{ empty = true }", "{ full = true }"),
        refused("{ empty = true }", "7"),
        refused("\"skip-row\"", "\"skip\""),
        refused("risktier-mapping/1", "risktier-mapping/2"),
        refused("risktier-mapping/1", "mapping"),
        refused("amount_cny  ", "amount"),
        refused("kind          = { constant = \"penalty\" }", ""),
        refused("{ constant = \"fines\" }", "{ constant = \"f\", column = \"c\" }"),
        refused(", join = \"-\"", ""),
        refused("plus_days = 7", "split = \",\""),
        refused("%d.%m.%Y\" }", "%d.%m\" }"),
        refused("file = \"fines.csv\"", "file = \"../fines.csv\""),
        refused("delimiter = \";\"", "delimiter = \"；\""),
        refused("[table.fields]", "attributes = { a = { column = \"b\" } }\n[table.fields]"),
        Mapping::parse("format = \"risktier-mapping/1\"").err().unwrap().to_string(),
        Mapping::parse("format = \"risktier-mapping/1\"\n[demo]\nas_of = \"x\"\n[[table]]\nfile=\"a\"\nyields=\"record\"\nfields={}").err().unwrap().to_string(),
    ];
    assert_eq!(
        said,
        [
            "mapping line 8, column 1: unknown field `delimeter`, expected one of `name`, `file`, `yields`, `delimiter`, `decimal`, `thousands`, `where`, `fields`, `attributes`",
            "mapping line 22, column 73: unknown field `absnet`, expected one of `column`, `columns`, `join`, `constant`, `where`, `absent`, `map`, `otherwise`, `default`, `date`, `plus_days`, `times`, `split`",
            "mapping line 11, column 73: unknown field `full`, expected one of `one_of`, `none_of`, `empty`, `above`, `below`",
            "mapping line 11, column 71: invalid type: integer `7`, expected a text, a list of texts, or a table with `one_of`, `none_of`, `empty`, `above`, `below`",
            "mapping line 20, column 103: unknown variant `skip`, expected one of `error`, `keep`, `absent`, `skip-row`",
            "the mapping says format `risktier-mapping/2`; this release reads `risktier-mapping/1`, so use a newer release",
            "the mapping says format `mapping`; this release reads `risktier-mapping/1`, so correct the line `format`",
            "mapping table `fines`: `amount` is not a field of a record; known are record_id, enterprise_id, source, kind, occurred_on, ended_on, severity, amount_cny, count, upheld, codes, item_code, party, related_id, known_on, repaired_on, withdrawn_on, note",
            "mapping table `fines`: `kind` is missing; every record needs it",
            "mapping table `fines`: `source` needs exactly one of `column`, `columns` and `constant`",
            "mapping table `fines`: `record_id` needs `columns` and `join` together",
            "mapping table `fines`: `known_on` has `split`, but is no list; correct or remove it",
            "mapping table `fines`: `occurred_on` has the date pattern `%d.%m`, which does not tell a day; write it like `%d.%m.%Y`",
            "mapping table `fines`: `file` is not a path inside the folder of the data; give it relative, without `..`",
            "mapping table `fines`: `delimiter` is not a character that can part cells; use one like `,`, `;` or a tab",
            "mapping table `fines`: `attributes` do not exist for a record; remove them",
            "the mapping has no `[[table]]`; add one for each file",
            "mapping `demo.as_of`: `x` is not a date of the form 2026-12-01",
        ]
    );
}
