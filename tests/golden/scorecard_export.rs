//! The SQL of a card, run by SQLite and by PostgreSQL on the card's own test vectors.

use risktier::domain::rng::SeededRng;
use risktier::model::train::{Fitter, TrainParams, train};
use risktier::model::{Beside, Cell, Column, LEAST_VECTORS, Scorecard, Table, Values};
use rusqlite::types::Value;

use crate::postgres_server::PostgresServer;

fn trained() -> Scorecard {
    let mut rng = SeededRng::new(4, "export");
    let rows = 4_000;
    let mut numbers: Vec<Vec<f64>> = vec![Vec::new(); 3];
    let (mut codes, mut outcome) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let (a, b) = (rng.unit_f64() / 3.0, rng.unit_f64() * 1e6);
        let code = u32::try_from(rng.below(3)).unwrap();
        let special = rng.chance(0.1);
        let risk = 0.15 + a + if b > 4e5 && code == 1 { 0.3 } else { 0.0 };
        outcome.push(u8::from(rng.chance(risk)));
        numbers[0].push(a);
        numbers[1].push(if special { -1.0 } else { b });
        numbers[2].push(if rng.chance(0.2) {
            f64::NAN
        } else {
            rng.unit_f64()
        });
        codes.push(code);
    }
    let mut columns: Vec<Column> = ["rate \"a\"", "amount", "c"]
        .iter()
        .zip(numbers)
        .map(|(name, values)| Column {
            name: (*name).to_owned(),
            values: Values::Numbers(values),
        })
        .collect();
    columns.push(Column {
        name: "kind".to_owned(),
        values: Values::Categories {
            codes,
            names: ["it's", "other kind", "third"].map(str::to_owned).to_vec(),
        },
    });
    let table = Table::new(
        columns,
        Beside {
            outcome: Some(outcome),
            ..Beside::default()
        },
    )
    .unwrap();
    let mut params = TrainParams {
        fitter: Fitter::Boost,
        declared_pairs: vec![["amount".to_owned(), "kind".to_owned()]],
        rounds: 30,
        ..TrainParams::default()
    };
    params
        .features
        .entry("amount".to_owned())
        .or_default()
        .specials = vec![-1.0];
    train(&table, &params.valid().unwrap(), &mut |_| {})
        .unwrap()
        .card
}

/// A card in the format of training with straight lines: beyond their caps, and far out on the other side.
fn with_lines() -> Scorecard {
    let text = serde_json::json!({
        "format": "risktier-scorecard/1", "name": "lines", "version": 1, "group_caps": {},
        "cutoffs": { "B": 20, "C": 40, "D": 60 },
        "indicators": {
            "visits": { "linear": { "points_per_unit": 15, "cap": 45 }, "missing": 4 },
            "years": { "linear": { "points_per_unit": -7, "cap": -35 }, "missing": 0 },
            "count": { "bins": [{ "points": 0 }, { "from": 2.5, "points": 11 }], "missing": 3 }
        },
        "manifest": {}
    });
    let card = Scorecard::from_json(&text.to_string()).unwrap();
    // An edited card has test vectors.
    let rows: Vec<[String; 4]> = card
        .rows()
        .iter()
        .map(risktier::model::CardRow::cells)
        .collect();
    card.with_rows(&rows).unwrap()
}

/// What a database must find for a row of the table: its test vector.
type Found = (i64, i64, i64, String);

fn expected(card: &Scorecard) -> Vec<Found> {
    let vectors = &card.vectors.as_ref().unwrap().rows;
    vectors
        .iter()
        .zip(0..)
        .map(|(vector, number)| {
            let points = i64::from(vector.points);
            (number, vector.sum.into(), points, vector.tier.to_string())
        })
        .collect()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn in_sqlite(card: &Scorecard) -> Vec<Found> {
    let names: Vec<&String> = card.indicators.keys().collect();
    let columns: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    let database = rusqlite::Connection::open_in_memory().unwrap();
    database
        .execute_batch(&format!(
            "CREATE TABLE enterprises (number INTEGER PRIMARY KEY, {})",
            columns.join(", ")
        ))
        .unwrap();
    let marks = vec!["?"; names.len() + 1].join(", ");
    let mut insert = database
        .prepare(&format!("INSERT INTO enterprises VALUES ({marks})"))
        .unwrap();
    for (vector, number) in card.vectors.as_ref().unwrap().rows.iter().zip(0..) {
        let mut row = vec![Value::Integer(number)];
        row.extend(names.iter().map(|name| match vector.values.get(*name) {
            None => Value::Null,
            Some(Cell::Number(number)) => Value::Real(*number),
            Some(Cell::Category(text)) => Value::Text(text.clone()),
        }));
        insert.execute(rusqlite::params_from_iter(row)).unwrap();
    }
    let mut select = database.prepare(&card.to_sql("enterprises")).unwrap();
    let mut found: Vec<Found> = select
        .query_map([], |row| {
            Ok((
                row.get("number")?,
                row.get("score_sum")?,
                row.get("points")?,
                row.get("tier")?,
            ))
        })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    found.sort();
    found
}

fn in_postgresql(card: &Scorecard) -> Vec<Found> {
    let url = PostgresServer::shared().new_database();
    let mut client = postgres::Client::connect(&url, postgres::NoTls).unwrap();
    let columns: Vec<String> = card
        .indicators
        .iter()
        .map(|(name, single)| {
            let holds = if single.is_categorical() {
                "text"
            } else {
                "double precision"
            };
            format!("{} {holds}", quoted(name))
        })
        .collect();
    let table = format!(
        "CREATE TABLE enterprises (number bigint, {})",
        columns.join(", ")
    );
    client.batch_execute(&table).unwrap();
    let marks: Vec<String> = (1..=columns.len() + 1).map(|at| format!("${at}")).collect();
    let insert = client
        .prepare(&format!(
            "INSERT INTO enterprises VALUES ({})",
            marks.join(", ")
        ))
        .unwrap();
    for (vector, number) in card.vectors.as_ref().unwrap().rows.iter().zip(0_i64..) {
        let mut row: Vec<Box<dyn postgres::types::ToSql + Sync>> = vec![Box::new(number)];
        for (name, single) in &card.indicators {
            row.push(match vector.values.get(name) {
                None if single.is_categorical() => Box::new(None::<String>),
                None => Box::new(None::<f64>),
                Some(Cell::Number(number)) => Box::new(*number),
                Some(Cell::Category(text)) => Box::new(text.clone()),
            });
        }
        let row: Vec<&(dyn postgres::types::ToSql + Sync)> =
            row.iter().map(AsRef::as_ref).collect();
        client.execute(&insert, &row).unwrap();
    }
    let mut found: Vec<Found> = client
        .query(&card.to_sql("enterprises"), &[])
        .unwrap()
        .iter()
        .map(|row| {
            let number = |name: &str| i64::from(row.get::<_, i32>(name));
            (
                row.get("number"),
                number("score_sum"),
                number("points"),
                row.get("tier"),
            )
        })
        .collect();
    found.sort();
    found
}

#[test]
fn the_sql_of_a_card_gives_every_test_vector_its_points_and_tier() {
    let card = trained();
    assert!(!card.pairs.is_empty() && !card.indicators["amount"].specials.is_empty());
    // Straight lines need FLOOR, which SQLite has only where it is built with its mathematical functions.
    let lines = with_lines();
    for (card, databases) in [
        (
            &card,
            &[in_sqlite as fn(&Scorecard) -> Vec<Found>, in_postgresql][..],
        ),
        (&lines, &[in_postgresql]),
    ] {
        let expected = expected(card);
        assert!(expected.len() >= LEAST_VECTORS);
        for database in databases {
            assert_eq!(database(card), expected);
        }
    }
}

/// The bin of a value among the words of a card on paper.
fn bin_in_words<'a>(labels: &[&'a str], value: Option<&Cell>) -> &'a str {
    let labelled = |wanted: &str| labels.iter().copied().find(|label| *label == wanted);
    let number = |text: &str| text.trim().parse::<f64>().unwrap();
    let found = match value {
        None => labelled("missing"),
        Some(Cell::Category(name)) => labels
            .iter()
            .copied()
            .find(|label| label.split(", ").any(|one| one == name))
            .or(labelled("other")),
        Some(Cell::Number(x)) => {
            let is_special =
                |label: &&str| label.strip_prefix("= ").is_some_and(|n| number(n) == *x);
            let holds = |label: &&str| match (label.split_once(" – < "), label.chars().next()) {
                (Some((from, until)), _) => *x >= number(from) && *x < number(until),
                (None, Some('<')) => *x < number(&label[1..]),
                (None, Some('≥')) => *x >= number(&label['≥'.len_utf8()..]),
                _ => *label == "any number",
            };
            let copied = || labels.iter().copied();
            copied().find(is_special).or_else(|| copied().find(holds))
        }
    };
    found.unwrap_or_else(|| panic!("{value:?} is in no bin of {labels:?}"))
}

#[test]
fn the_card_on_paper_gives_every_test_vector_its_points_and_tier() {
    let card = trained();
    let rows: Vec<[String; 4]> = card
        .rows()
        .iter()
        .map(risktier::model::CardRow::cells)
        .collect();
    let of = |part: &str, subject: &str| -> Vec<(&str, i32)> {
        rows.iter()
            .filter(|row| row[0] == part && row[1] == subject)
            .map(|row| (row[2].as_str(), row[3].parse().unwrap()))
            .collect()
    };
    let labels = |part: &str, subject: &str| -> Vec<&str> {
        of(part, subject).iter().map(|(label, _)| *label).collect()
    };
    for vector in &card.vectors.as_ref().unwrap().rows {
        let mut sum = of("base", "")[0].1;
        for code in card.indicators.keys() {
            let word = bin_in_words(&labels("bin", code), vector.values.get(code));
            sum += of("bin", code)
                .iter()
                .find(|(label, _)| *label == word)
                .unwrap()
                .1;
        }
        for pair in &card.pairs {
            let [first, second] = pair.codes();
            let subject = format!("{first} × {second}");
            let cells = of("pair", &subject);
            let side = |at: usize| -> Vec<&str> {
                let mut words: Vec<&str> = cells
                    .iter()
                    .map(|(label, _)| label.split(" × ").nth(at).unwrap())
                    .collect();
                words.dedup();
                words
            };
            // Special codes share the cell of missing values.
            let value = |code: &str| {
                let value = vector.values.get(code);
                value.filter(|cell| {
                    let specials = &card.indicators[code].specials;
                    !specials
                        .iter()
                        .any(|code| **cell == Cell::Number(code.value))
                })
            };
            let one = bin_in_words(&side(0), value(first));
            let other = bin_in_words(&side(1), value(second));
            let word = format!("{one} × {other}");
            sum += cells.iter().find(|(label, _)| **label == word).unwrap().1;
        }
        assert_eq!(sum, vector.sum, "{vector:?}");
        let points = sum.clamp(0, 1_000);
        let cut = |tier: &str| of("cutoff", tier)[0].1;
        let tier = ["D", "C", "B"].into_iter().find(|tier| points >= cut(tier));
        assert_eq!(tier.unwrap_or("A"), vector.tier.to_string());
    }
}
