//! Evaluating the tiers of the register by what later inspections found.

use jiff::civil::Date;
use std::collections::BTreeMap;

use super::error::EvaluateError;
use crate::domain::dates::months_between;
use crate::domain::{AsOf, Enterprise, EnterpriseId, Record};
use crate::model::Step;
use crate::model::evaluation::{
    Columns, Comparison, Evaluation, Settings, Side, Subject, compare, evaluate,
};
use crate::sampling::{ItemClass, RateRule};
use crate::service::{OutcomeRule, Service, ServiceError};

/// Reasons kept per enterprise.
const REASONS: usize = 4;

/// The days of a year, for which annual rates are taken.
const YEAR_DAYS: u64 = 365;

/// What the first inspection after the day found at one enterprise, with what was known before.
struct Inspected {
    day: Date,
    found: bool,
    groups: [String; 4],
    reasons: Vec<String>,
}

/// The names of the groupings, in the order of [`Inspected::groups`].
const GROUPINGS: [&str; 4] = ["division", "industry", "size", "age"];

impl Service {
    /// Classifies the register as of a day and judges the tiers by the first inspection of each enterprise after it.
    ///
    /// One inspection per enterprise, so rows are independent. Groups are division, industry, size and age; rates are
    /// those of the policy for general items, complaint bands and tags included.
    ///
    /// # Errors
    ///
    /// When the store fails or no enterprise was inspected after the day.
    pub fn evaluate_register(
        &self,
        as_of: AsOf,
        rule: &OutcomeRule,
        settings: Settings,
    ) -> Result<Evaluation, EvaluateError> {
        let side = self.register_side(as_of, rule)?;
        Ok(evaluate(
            &side.rows,
            side.subject,
            settings,
            side.stability,
            &self.models.guard,
        ))
    }

    /// Compares the tiers of this service's model files with those of another one on the same store.
    ///
    /// # Errors
    ///
    /// As [`Service::evaluate_register`].
    pub fn compare_register(
        &self,
        candidate: &Self,
        as_of: AsOf,
        rule: &OutcomeRule,
        settings: Settings,
    ) -> Result<Comparison, EvaluateError> {
        let current = self.register_side(as_of, rule)?;
        let next = candidate.register_side(as_of, rule)?;
        Ok(compare(&current, &next, settings, &self.models.guard)?)
    }

    fn register_side(&self, as_of: AsOf, rule: &OutcomeRule) -> Result<Side, EvaluateError> {
        let mut inspected: BTreeMap<EnterpriseId, Inspected> = BTreeMap::new();
        self.classify_register(as_of, &mut |enterprise, versions, _| {
            if let Some((day, found)) = rule.first_after(versions, as_of.day) {
                inspected.insert(
                    enterprise.enterprise_id.clone(),
                    Inspected {
                        day,
                        found,
                        groups: groups(enterprise, as_of.day),
                        reasons: self.main_reasons(enterprise, versions, as_of),
                    },
                );
            }
        })?;
        let frame = self.classified_register(as_of)?;
        let rates = RateRule::new(&self.models.sampling, ItemClass::General, YEAR_DAYS, &frame)
            .map_err(ServiceError::from)?;
        let mut columns = Columns {
            tier: Some(Vec::new()),
            day: Some(Vec::new()),
            enterprise: Some(Vec::new()),
            rate: Some(Vec::new()),
            groups: GROUPINGS.map(|name| (name.to_owned(), Vec::new())).to_vec(),
            reasons: Some(Vec::new()),
            ..Columns::default()
        };
        for row in frame.rows() {
            let Some(known) = inspected.remove(&row.enterprise_id) else {
                continue;
            };
            let rate = rates.of(row).map_err(ServiceError::from)?;
            columns.score.push(f64::from(row.points));
            columns.outcome.push(known.found);
            columns.tier.get_or_insert_default().push(row.tier);
            columns.day.get_or_insert_default().push(known.day);
            columns
                .enterprise
                .get_or_insert_default()
                .push(row.enterprise_id.to_string());
            columns
                .rate
                .get_or_insert_default()
                .push(rate.rate_ppb as f64 / 1e9);
            columns.reasons.get_or_insert_default().push(known.reasons);
            for ((_, values), value) in columns.groups.iter_mut().zip(known.groups) {
                values.push(value);
            }
        }
        let card = self.models.classifier.scorecard();
        Ok(Side {
            subject: Subject {
                model: format!(
                    "{}/{} + {}",
                    card.name, card.version, self.models.policy_name
                ),
                digest: Some(self.models.classifier.model_digest().to_string()),
                data: format!("register as of {}", as_of.day),
                outcome: format!("{} at the first {} after it", rule.code, rule.kind),
                manifest: Some(card.manifest.clone()),
            },
            rows: columns.check()?,
            stability: None,
        })
    }

    /// The indicators that added most points, the weightiest first, and the rules that set the tier.
    fn main_reasons(
        &self,
        enterprise: &Enterprise,
        versions: &[Record],
        as_of: AsOf,
    ) -> Vec<String> {
        let reasons = self
            .models
            .classifier
            .explain(enterprise, versions, as_of)
            .reasons;
        let mut points: Vec<(i32, &str)> = reasons
            .iter()
            .filter(|reason| reason.step == Step::Points)
            .filter_map(|reason| {
                Some((
                    reason.points.filter(|points| *points > 0)?,
                    reason.code.as_str(),
                ))
            })
            .collect();
        points.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        let rules = reasons
            .iter()
            .filter(|reason| {
                matches!(
                    reason.step,
                    Step::DirectRule | Step::Floor | Step::Shift | Step::ColdStart
                )
            })
            .map(|reason| reason.code.clone());
        points
            .iter()
            .take(REASONS)
            .map(|(_, code)| (*code).to_owned())
            .chain(rules)
            .collect()
    }
}

fn groups(enterprise: &Enterprise, day: Date) -> [String; 4] {
    let label = |label: &Option<crate::domain::Label>| {
        label
            .as_ref()
            .map_or_else(|| "unknown".to_owned(), ToString::to_string)
    };
    let age = match enterprise.established_on {
        None => "unknown",
        Some(founded) => match months_between(founded, day) {
            0..12 => "under 1 year",
            12..36 => "1 to 3 years",
            36..120 => "3 to 10 years",
            120.. => "10 years and more",
        },
    };
    [
        label(&enterprise.division),
        label(&enterprise.industry),
        enterprise.size.to_string(),
        age.to_owned(),
    ]
}
