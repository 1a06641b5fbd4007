//! The SQL of a trained card, run by a database on the card's own test vectors.

use risktier::domain::rng::SeededRng;
use risktier::model::train::{Fitter, TrainParams, train};
use risktier::model::{Beside, Cell, Column, Scorecard, Table, Values};
use rusqlite::types::Value;

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

#[test]
fn the_sql_of_a_card_gives_every_test_vector_its_points_and_tier() {
    let card = trained();
    assert!(!card.pairs.is_empty() && !card.indicators["amount"].specials.is_empty());
    let vectors = &card.vectors.as_ref().unwrap().rows;
    let names: Vec<&String> = card.indicators.keys().collect();
    let quoted: Vec<String> = names
        .iter()
        .map(|name| format!("\"{}\"", name.replace('"', "\"\"")))
        .collect();
    let database = rusqlite::Connection::open_in_memory().unwrap();
    database
        .execute_batch(&format!(
            "CREATE TABLE enterprises (number INTEGER PRIMARY KEY, {})",
            quoted.join(", ")
        ))
        .unwrap();
    let marks = vec!["?"; names.len() + 1].join(", ");
    let mut insert = database
        .prepare(&format!("INSERT INTO enterprises VALUES ({marks})"))
        .unwrap();
    for (number, vector) in vectors.iter().enumerate() {
        let mut row = vec![Value::Integer(i64::try_from(number).unwrap())];
        row.extend(names.iter().map(|name| match vector.values.get(*name) {
            None => Value::Null,
            Some(Cell::Number(number)) => Value::Real(*number),
            Some(Cell::Category(text)) => Value::Text(text.clone()),
        }));
        insert.execute(rusqlite::params_from_iter(row)).unwrap();
    }
    let mut select = database.prepare(&card.to_sql("enterprises")).unwrap();
    let mut rows = select.query([]).unwrap();
    let mut seen = 0;
    while let Some(row) = rows.next().unwrap() {
        let number: usize = row.get("number").unwrap();
        let vector = &vectors[number];
        let found: (i32, u16, String) = (
            row.get("score_sum").unwrap(),
            row.get("points").unwrap(),
            row.get("tier").unwrap(),
        );
        assert_eq!(
            found,
            (vector.sum, vector.points, vector.tier.to_string()),
            "{:?}",
            vector.values
        );
        seen += 1;
    }
    assert_eq!(seen, vectors.len());
}
