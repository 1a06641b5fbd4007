//! The complaint overlay: how much an enterprise is complained about, against its peers.
//!
//! An empirical-Bayes rate: with `y` the weighted complaints of an object, `m` the mean of its peers and `k` the gamma
//! shape of their rates by moments, `ρ = (k + y)/(k + m)` is the posterior mean of its relative rate. A platform with
//! many customers is not punished for size alone, and a small shop with three upheld reports is seen.

use std::collections::BTreeMap;

use super::policy::ComplaintOverlay;
use crate::domain::dates::{add_days, add_months};
use crate::domain::{EnterpriseSize, Label, Record, RecordKind};
use jiff::civil::Date;

/// Weighted complaints are kept in thousandths, so that sums are exact.
const MILLI: f64 = 1_000.0;

/// What is complained about one object in the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ComplaintLoad {
    /// Weighted number `y`, in thousandths.
    pub weighted_milli: u32,
    /// Upheld complaints and reports, repeats included.
    pub upheld: u32,
}

/// Weighs the complaints and reports that count on `day`.
///
/// `records` hold one version per record, as known on `day`.
pub fn complaint_load(policy: &ComplaintOverlay, records: &[&Record], day: Date) -> ComplaintLoad {
    let mut counted: Vec<&Record> = records
        .iter()
        .copied()
        .filter(|record| matches!(record.kind, RecordKind::Complaint | RecordKind::Report))
        .filter(|record| {
            record.counts_on(day) && day < add_months(record.occurred_on, policy.window_months)
        })
        .collect();
    counted.sort_by(|a, b| {
        (a.occurred_on, &a.source, &a.record_id).cmp(&(b.occurred_on, &b.source, &b.record_id))
    });
    let mut last_of_party: BTreeMap<&Label, Date> = BTreeMap::new();
    let mut load = ComplaintLoad::default();
    for record in counted {
        let weight = match record.upheld {
            Some(true) => policy.upheld_weight,
            None => policy.unknown_weight,
            Some(false) => policy.rejected_weight,
        };
        let last = record
            .party
            .as_ref()
            .and_then(|party| last_of_party.insert(party, record.occurred_on));
        let repeats = last
            .is_some_and(|last| record.occurred_on < add_days(last, i32::from(policy.repeat_days)));
        let factor = if repeats { policy.repeat_weight } else { 1.0 };
        load.weighted_milli = load
            .weighted_milli
            .saturating_add((weight * factor * MILLI + 0.5).floor() as u32);
        load.upheld += u32::from(record.upheld == Some(true));
    }
    load
}

/// What the peer groups of one object need to know of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct PeerKey<'a> {
    /// Industry label.
    pub(super) industry: Option<&'a Label>,
    /// Size class.
    pub(super) size: EnterpriseSize,
}

/// Sums over one peer group, exact in integers.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: u64,
    sum_milli: u64,
    sum_of_squares: u128,
}

impl Moments {
    fn add(&mut self, milli: u32) {
        self.count += 1;
        self.sum_milli += u64::from(milli);
        self.sum_of_squares += u128::from(milli) * u128::from(milli);
    }

    /// Mean `m` and, by moments of a gamma distribution, the shape `k = m²/v` within the policy's bounds.
    fn mean_and_shape(&self, policy: &ComplaintOverlay) -> (f64, f64) {
        let n = self.count.max(1) as f64;
        let mean = self.sum_milli as f64 / n / MILLI;
        let variance = self.sum_of_squares as f64 / n / (MILLI * MILLI) - mean * mean;
        // Peers without any spread are alike: the shape is at its upper bound.
        let shape = if variance > 0.0 {
            mean * mean / variance
        } else {
            policy.most_shape
        };
        (mean, shape.clamp(policy.least_shape, policy.most_shape))
    }
}

/// Peer statistics of one frame.
#[derive(Debug, Default)]
pub(super) struct Peers {
    by_industry_and_size: BTreeMap<(Label, EnterpriseSize), Moments>,
    by_letter_and_size: BTreeMap<(String, EnterpriseSize), Moments>,
    by_letter: BTreeMap<String, Moments>,
    all: Moments,
}

impl Peers {
    /// Adds one object.
    pub(super) fn add(&mut self, key: PeerKey<'_>, load: ComplaintLoad) {
        if let Some(industry) = key.industry {
            let letter = industry.industry_section().to_owned();
            self.by_industry_and_size
                .entry((industry.clone(), key.size))
                .or_default()
                .add(load.weighted_milli);
            self.by_letter_and_size
                .entry((letter.clone(), key.size))
                .or_default()
                .add(load.weighted_milli);
            self.by_letter
                .entry(letter)
                .or_default()
                .add(load.weighted_milli);
        }
        self.all.add(load.weighted_milli);
    }

    /// The ratio `ρ` of one object to its narrowest peer group that is large enough.
    pub(super) fn ratio(
        &self,
        policy: &ComplaintOverlay,
        key: PeerKey<'_>,
        load: ComplaintLoad,
    ) -> f64 {
        let least = u64::from(policy.least_peers);
        let narrow = key.industry.and_then(|industry| {
            let letter = industry.industry_section().to_owned();
            [
                self.by_industry_and_size.get(&(industry.clone(), key.size)),
                self.by_letter_and_size.get(&(letter.clone(), key.size)),
                self.by_letter.get(&letter),
            ]
            .into_iter()
            .flatten()
            .find(|peers| peers.count >= least)
        });
        let (mean, shape) = narrow.unwrap_or(&self.all).mean_and_shape(policy);
        (shape + f64::from(load.weighted_milli) / MILLI) / (shape + mean)
    }
}

/// The band of an object: 0 is none, then the policy's bands from 1.
pub(super) fn band_of(policy: &ComplaintOverlay, ratio: f64, load: ComplaintLoad) -> usize {
    let reached = |band: &super::policy::Band| {
        ratio >= band.ratio || band.upheld.is_some_and(|upheld| load.upheld >= upheld)
    };
    policy
        .bands
        .iter()
        .rposition(reached)
        .map_or(0, |position| position + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{RecordDefaults, RecordDraft};
    use crate::sampling::policy::Band;
    use jiff::civil::date;

    fn policy() -> ComplaintOverlay {
        let band = |name: &str, ratio, upheld, multiplier| Band {
            name: Label::parse(name).unwrap(),
            ratio,
            upheld,
            multiplier,
        };
        ComplaintOverlay {
            window_months: 12,
            upheld_weight: 1.0,
            unknown_weight: 0.5,
            rejected_weight: 0.0,
            repeat_weight: 0.25,
            repeat_days: 90,
            least_peers: 200,
            least_shape: 0.5,
            most_shape: 50.0,
            bands: vec![
                band("some", 2.0, None, 1.5),
                band("many", 4.0, None, 2.0),
                band("severe", 8.0, Some(3), 3.0),
            ],
        }
    }

    fn complaint(id: &str, on: &str, upheld: Option<bool>, party: Option<&str>) -> Record {
        let draft = RecordDraft {
            record_id: id.into(),
            enterprise_id: "e".into(),
            kind: "complaint".into(),
            occurred_on: on.into(),
            known_on: Some(on.into()),
            upheld,
            party: party.map(str::to_owned),
            ..RecordDraft::default()
        };
        Record::parse(
            draft,
            &RecordDefaults {
                source: Label::parse("12315").unwrap(),
                known_on: date(2026, 1, 1),
            },
        )
        .unwrap()
    }

    #[test]
    fn repeats_of_one_party_weigh_a_quarter() {
        let records = [
            complaint("1", "2026-01-10", Some(true), Some("p")),
            complaint("2", "2026-02-10", None, Some("p")),
            complaint("3", "2026-02-11", None, Some("q")),
            complaint("4", "2026-03-01", Some(false), None),
            complaint("5", "2024-03-01", Some(true), None),
        ];
        let load = complaint_load(
            &policy(),
            &records.iter().collect::<Vec<_>>(),
            date(2026, 6, 1),
        );
        assert_eq!(
            load,
            ComplaintLoad {
                weighted_milli: 1_000 + 125 + 500,
                upheld: 1
            }
        );
    }

    #[test]
    fn a_large_platform_among_large_platforms_is_not_punished_for_size() {
        let mut peers = Peers::default();
        let industry = Label::parse("I6429").unwrap();
        let platform = PeerKey {
            industry: Some(&industry),
            size: EnterpriseSize::Large,
        };
        for _ in 0..250 {
            peers.add(
                platform,
                ComplaintLoad {
                    weighted_milli: 100_000,
                    upheld: 1,
                },
            );
        }
        let load = ComplaintLoad {
            weighted_milli: 110_000,
            upheld: 1,
        };
        let ratio = peers.ratio(&policy(), platform, load);
        assert!(ratio < 1.1, "{ratio}");
        assert_eq!(band_of(&policy(), ratio, load), 0);
    }

    #[test]
    fn three_upheld_reports_are_severe_whatever_the_ratio() {
        assert_eq!(
            band_of(
                &policy(),
                1.0,
                ComplaintLoad {
                    weighted_milli: 3_000,
                    upheld: 3
                }
            ),
            3
        );
        assert_eq!(band_of(&policy(), 2.0, ComplaintLoad::default()), 1);
        assert_eq!(band_of(&policy(), 7.99, ComplaintLoad::default()), 2);
    }

    #[test]
    fn more_complaints_never_lower_the_ratio() {
        let mut peers = Peers::default();
        let key = PeerKey {
            industry: None,
            size: EnterpriseSize::Micro,
        };
        for y in [0, 0, 0, 500, 1_000, 4_000] {
            peers.add(
                key,
                ComplaintLoad {
                    weighted_milli: y,
                    upheld: 0,
                },
            );
        }
        let ratio = |y| {
            peers.ratio(
                &policy(),
                key,
                ComplaintLoad {
                    weighted_milli: y,
                    upheld: 0,
                },
            )
        };
        assert!((0..40).all(|step| ratio(step * 250) < ratio((step + 1) * 250)));
    }
}
