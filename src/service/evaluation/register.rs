//! Evaluating the tiers of the register by what later inspections found.

use jiff::civil::Date;
use std::collections::BTreeMap;

use super::error::EvaluateError;
use crate::domain::dates::months_between;
use crate::domain::{AsOf, Enterprise, EnterpriseId};
use crate::model::evaluation::{
    Columns, Comparison, Evaluation, Settings, Side, Subject, compare, evaluate,
};
use crate::model::{Reason, Scorecards, Step};
use crate::sampling::{Frame, ItemClass, RateRule};
use crate::service::frames::{frame_entry, no_band};
use crate::service::{Models, OutcomeRule, Service, ServiceError};

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
    /// Classifies the register as of a day under files of the caller's choice, and judges the tiers by the first
    /// inspection of each enterprise after it.
    ///
    /// One inspection per enterprise, so rows are independent. Groups are division, industry, size and age; rates are
    /// those of the policy for general items, complaint bands and tags included. What persons decided about a tier is left
    /// out, because the model is judged; of the frozen statistics those count that were known on the day.
    ///
    /// # Errors
    ///
    /// When the store fails or no enterprise was inspected after the day.
    pub fn evaluate_register(
        &self,
        models: &Models,
        as_of: AsOf,
        rule: &OutcomeRule,
        settings: Settings,
    ) -> Result<Evaluation, EvaluateError> {
        let side = self.register_side(models, as_of, rule)?;
        Ok(evaluate(
            &side.rows,
            side.subject,
            settings,
            side.stability,
            &models.guard,
        ))
    }

    /// Compares the tiers that two sets of model files give the same register; the guard rails are those of the first.
    ///
    /// # Errors
    ///
    /// As [`Service::evaluate_register`].
    pub fn compare_register(
        &self,
        current: &Models,
        candidate: &Models,
        as_of: AsOf,
        rule: &OutcomeRule,
        settings: Settings,
    ) -> Result<Comparison, EvaluateError> {
        let now = self.register_side(current, as_of, rule)?;
        let next = self.register_side(candidate, as_of, rule)?;
        Ok(compare(&now, &next, settings, &current.guard)?)
    }

    fn register_side(
        &self,
        models: &Models,
        as_of: AsOf,
        rule: &OutcomeRule,
    ) -> Result<Side, EvaluateError> {
        let current = self.as_in_force_on(models, as_of.day)?;
        let sampling = &current.models.sampling;
        let no_band = no_band()?;
        let mut inspected: BTreeMap<EnterpriseId, Inspected> = BTreeMap::new();
        let mut entries = Vec::new();
        self.each_assembled(&current, as_of, &mut |mut found| {
            found.decisions.clear();
            let classification = match rule.first_after(&found.versions, as_of.day) {
                None => found.classify(&current),
                Some((day, problem)) => {
                    let explained = found.explain(&current);
                    let known = Inspected {
                        day,
                        found: problem,
                        groups: groups(&found.enterprise, as_of.day),
                        reasons: main_reasons(&explained.reasons),
                    };
                    inspected.insert(found.enterprise.enterprise_id.clone(), known);
                    explained
                }
            };
            let overlay = &sampling.complaints;
            entries.push(frame_entry(&found, &classification, overlay, &no_band));
        })?;
        let frame =
            Frame::freeze(as_of.day, entries, &sampling.complaints).map_err(ServiceError::from)?;
        let rates = RateRule::new(sampling, ItemClass::General, YEAR_DAYS, &frame)
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
        Ok(Side {
            subject: subject(&current.models, as_of, rule),
            rows: columns.check()?,
            stability: None,
        })
    }
}

/// What is judged: the general scorecard, those of single kinds, and the policy.
fn subject(models: &Models, as_of: AsOf, rule: &OutcomeRule) -> Subject {
    let Scorecards { general, by_kind } = models.classifier.scorecards();
    let mut names = vec![format!("{}/{}", general.name, general.version)];
    names.extend(
        by_kind
            .iter()
            .map(|(kind, card)| format!("{kind}: {}/{}", card.name, card.version)),
    );
    names.push(models.policy_name.clone());
    Subject {
        model: names.join(" + "),
        digest: Some(models.classifier.model_digest().to_string()),
        data: format!("register as of {}", as_of.day),
        outcome: rule.words(),
        manifest: Some(general.manifest.clone()),
    }
}

/// The indicators that added most points, the weightiest first, and the steps that set the tier.
fn main_reasons(reasons: &[Reason]) -> Vec<String> {
    let mut points: Vec<(i32, &str)> = reasons
        .iter()
        .filter(|reason| reason.step == Step::Points)
        .filter_map(|reason| {
            let points = reason.points.filter(|points| *points > 0)?;
            Some((points, reason.code.as_str()))
        })
        .collect();
    points.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let rules = reasons
        .iter()
        .filter(|reason| match reason.step {
            Step::DirectRule
            | Step::Floor
            | Step::Shift
            | Step::ColdStart
            | Step::Grade
            | Step::Owner => true,
            Step::Points
            | Step::Missing
            | Step::GroupCap
            | Step::Cutoff
            | Step::Freeze
            | Step::Override => false,
        })
        .map(|reason| reason.code.clone());
    points
        .iter()
        .take(REASONS)
        .map(|(_, code)| (*code).to_owned())
        .chain(rules)
        .collect()
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
