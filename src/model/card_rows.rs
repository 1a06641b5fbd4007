//! A scorecard as rows of a plain table: what fits on paper, and what an analyst may edit.
//!
//! Every number that an analyst may change has one row: the base, each bin, each cell of a pair term, each cut-off. The
//! rows of an edited card must be those of its parent; only points differ. The edited card gets new test vectors, says in
//! its manifest that it was edited, and names its parent.

use serde_json::{Value, json};

use super::card_parts::PairAxis;
use super::scorecard::{Card, Parts, Scorecard, ScorecardError};

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardRow {
    /// `base`, `cutoff`, `bin`, `linear` or `pair`.
    pub part: &'static str,
    /// Code of the indicator; for a pair term both, with ` × ` between; for a cut-off the tier.
    pub subject: String,
    /// The bin in words, or both cells of a pair term.
    pub bin: String,
    /// Its points.
    pub points: i32,
}

impl CardRow {
    /// The names of the columns.
    pub const COLUMNS: [&'static str; 4] = ["part", "subject", "bin", "points"];

    /// The cells of the row.
    pub fn cells(&self) -> [String; 4] {
        [
            self.part.to_owned(),
            self.subject.clone(),
            self.bin.clone(),
            self.points.to_string(),
        ]
    }
}

/// A place of a card that carries points.
enum Place<'a> {
    Base(&'a mut i32),
    Cutoff(&'a mut u16),
    Points(&'a mut i32),
}

impl Scorecard {
    /// The card as rows.
    pub fn rows(&self) -> Vec<CardRow> {
        let mut copy = self.clone();
        let mut rows = Vec::new();
        copy.each_place(|part, subject, bin, place| {
            rows.push(CardRow {
                part,
                subject: subject.to_owned(),
                bin,
                points: match place {
                    Place::Base(points) | Place::Points(points) => *points,
                    Place::Cutoff(points) => i32::from(*points),
                },
            });
            Ok(())
        })
        // Reading the places of a card refuses nothing.
        .unwrap_or_default();
        rows
    }

    /// The card with other points: `cells` are the rows of [`Scorecard::rows`], in any order, with points changed.
    ///
    /// # Errors
    ///
    /// When a row is missing, unknown or not a whole number, or when the changed points run against a declared direction.
    pub fn with_rows(&self, cells: &[[String; 4]]) -> Result<Self, ScorecardError> {
        let mut given = std::collections::BTreeMap::new();
        for [part, subject, bin, points] in cells {
            let points = points.trim().parse::<i32>().map_err(|_| {
                edit_fault(
                    subject,
                    format!("{bin}: `{points}` is not a whole number of points"),
                )
            })?;
            if given
                .insert((part.clone(), subject.clone(), bin.clone()), points)
                .is_some()
            {
                return Err(edit_fault(subject, format!("the row `{bin}` stands twice")));
            }
        }
        let mut edited = self.clone();
        edited.each_place(|part, subject, bin, place| {
            let points = given
                .remove(&(part.to_owned(), subject.to_owned(), bin.clone()))
                .ok_or_else(|| {
                    edit_fault(subject, format!("the row `{bin}` is missing; put it back"))
                })?;
            match place {
                Place::Base(old) | Place::Points(old) => *old = points,
                Place::Cutoff(old) => {
                    *old = u16::try_from(points).map_err(|_| {
                        edit_fault(subject, format!("cut-off {points} is not within 1 to 1000"))
                    })?;
                }
            }
            Ok(())
        })?;
        if let Some((_, subject, bin)) = given.keys().next() {
            return Err(edit_fault(
                subject,
                format!("the row `{bin}` is not in the parent card; bins cannot be added by hand"),
            ));
        }
        self.child(edited)
    }

    /// A card edited as JSON, with this card as its parent: its vectors are computed anew.
    ///
    /// # Errors
    ///
    /// When the text is no scorecard, or one that could not be used.
    pub fn with_json(&self, text: &str) -> Result<Self, ScorecardError> {
        self.child(serde_json::from_str(text)?)
    }

    /// Makes `edited` a card of its own. The calibration and the baseline were those of the parent's points, so they go.
    fn child(&self, edited: Self) -> Result<Self, ScorecardError> {
        let mut manifest = match edited.manifest {
            Value::Object(fields) => fields,
            other => [("parent_manifest".to_owned(), other)]
                .into_iter()
                .collect(),
        };
        manifest.insert("edited_by_hand".to_owned(), json!(true));
        manifest.insert("parent".to_owned(), json!(self.digest()?.to_string()));
        let card = Self::from_parts(Parts {
            name: edited.name,
            version: self.version.saturating_add(1),
            group_caps: edited.group_caps,
            cutoffs: edited.cutoffs,
            base: edited.base,
            indicators: edited.indicators,
            pairs: edited.pairs,
            calibration: None,
            baseline: None,
            manifest: Value::Object(manifest),
        })?;
        Ok(card)
    }

    fn each_place(
        &mut self,
        mut visit: impl FnMut(&'static str, &str, String, Place<'_>) -> Result<(), ScorecardError>,
    ) -> Result<(), ScorecardError> {
        visit("base", "", String::new(), Place::Base(&mut self.base))?;
        for (tier, cutoff) in [
            ("B", &mut self.cutoffs.b),
            ("C", &mut self.cutoffs.c),
            ("D", &mut self.cutoffs.d),
        ] {
            visit("cutoff", tier, "from".to_owned(), Place::Cutoff(cutoff))?;
        }
        let cards = self.indicators.clone();
        for (code, single) in &mut self.indicators {
            let labels = single.bin_labels();
            for (label, points) in labels.into_iter().zip(single.places()) {
                visit("bin", code, label, Place::Points(points))?;
            }
        }
        for pair in &mut self.pairs {
            let [first, second] = pair.codes().map(str::to_owned);
            let rows = axis_labels(&pair.first, cards.get(&first));
            let columns = axis_labels(&pair.second, cards.get(&second));
            let subject = format!("{first} × {second}");
            for (row, points) in rows.iter().zip(&mut pair.points) {
                for (column, points) in columns.iter().zip(points) {
                    visit(
                        "pair",
                        &subject,
                        format!("{row} × {column}"),
                        Place::Points(points),
                    )?;
                }
            }
        }
        Ok(())
    }
}

impl Card {
    /// The points of the bins, in the order of [`Card::bin_labels`]; a linear card says its points of one unit.
    pub fn bin_points(&self) -> Vec<i32> {
        let mut copy = self.clone();
        copy.places().into_iter().map(|points| *points).collect()
    }

    fn places(&mut self) -> Vec<&mut i32> {
        self.linear
            .iter_mut()
            .map(|linear| &mut linear.points_per_unit)
            .chain(self.bins.iter_mut().map(|bin| &mut bin.points))
            .chain(self.categories.iter_mut().map(|bin| &mut bin.points))
            .chain(self.other.iter_mut())
            .chain(self.specials.iter_mut().map(|code| &mut code.points))
            .chain([&mut self.missing])
            .collect()
    }
}

/// The names of an axis's cells.
fn axis_labels(axis: &PairAxis, single: Option<&Card>) -> Vec<String> {
    let mut labels = Vec::with_capacity(axis.cell_count());
    if single.is_some_and(Card::is_categorical) {
        labels.extend(axis.groups.iter().map(|group| group.join(", ")));
        labels.push("other".to_owned());
    } else {
        labels.push(
            axis.edges
                .first()
                .map_or_else(|| "any number".to_owned(), |first| format!("< {first}")),
        );
        for (position, from) in axis.edges.iter().enumerate() {
            labels.push(match axis.edges.get(position + 1) {
                Some(until) => format!("{from} – < {until}"),
                None => format!("≥ {from}"),
            });
        }
    }
    labels.push("missing".to_owned());
    labels
}

fn edit_fault(subject: &str, reason: String) -> ScorecardError {
    ScorecardError::Indicator {
        indicator: subject.to_owned(),
        reason,
    }
}
