//! Drift of the register against the rows that the live model was trained on, measured beside the run of each month.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::domain::dates::add_days;
use crate::domain::{AsOf, Tier};
use crate::model::Card;
use crate::model::evaluation::{GuardResult, GuardState, Profile, Spread, Stability, any_broken};
use crate::service::evaluation::{baseline_profile, bin_spread};
use crate::service::runs::Job;
use crate::service::{Current, OutcomeRule, Service, ServiceError};
use crate::store::{DriftRow, JobKind, ModelState, TierFilter};

/// The format of the document.
const FORMAT: &str = "risktier-register-drift/1";

/// Enterprises between two signs of progress.
const STEP: u64 = 1_000;

/// Days of inspections whose codes are looked at.
const CODE_DAYS: i32 = 365;

/// What a month's measuring found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftReport {
    /// `risktier-register-drift/1`.
    pub format: String,
    /// The live model.
    pub model_id: String,
    /// The day of the register.
    pub as_of: Date,
    /// Enterprises that the model's card scores.
    pub enterprise_count: u64,
    /// Shares of the tiers.
    pub mix: BTreeMap<Tier, f64>,
    /// Stability of points and features; absent where the card carries no baseline and nothing was measured before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability: Option<Stability>,
    /// The bounds of the policy.
    pub guards: Vec<GuardResult>,
    /// Share of missing values by indicator.
    pub missing: BTreeMap<String, f64>,
    /// Codes of the last year's inspections that no outcome rule names, with their number.
    pub unseen_codes: BTreeMap<String, u64>,
    /// Enterprises that changed tier since the measuring before; absent for the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
    /// How the register spreads over the card's bins, for the next measuring.
    pub profile: Profile,
    /// Whether a bound of the policy is broken.
    pub is_alert: bool,
}

/// Changes of tier between two measurings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// The day of the measuring before.
    pub since: Date,
    /// Enterprises with a tier on both days.
    pub enterprise_count: u64,
    /// Of these, how many have a worse one.
    pub worsened_count: u64,
    /// How many a better one.
    pub improved_count: u64,
}

/// Counts while the register is walked.
struct Spreading<'a> {
    codes: Vec<String>,
    /// The card of each indicator that has one, with the enterprises in each of its bins.
    cards: Vec<Option<(&'a Card, Vec<u64>)>>,
    points: Vec<f64>,
    missing: Vec<u64>,
    mix: BTreeMap<Tier, u64>,
    count: u64,
}

impl Service {
    /// Asks for a measuring of drift.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn request_drift(&self) -> Result<Job, ServiceError> {
        self.request_task(JobKind::Drift, &super::TaskRequest::Drift {})
    }

    /// Asks for the measuring of the month once its run has flipped; says whether it did.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn request_monthly_drift(&self) -> Result<bool, ServiceError> {
        let month = self.today().first_of_month();
        let current = self.current();
        let is_counted = current
            .models
            .classifier
            .statistics()
            .is_some_and(|statistics| statistics.as_of() >= month);
        if !is_counted {
            return Ok(false);
        }
        let last = self.store.drifts_before(None, 1)?;
        if last.first().is_some_and(|row| row.as_of >= month) {
            return Ok(false);
        }
        let asked = self.store.runs_before(None, 50)?;
        if asked
            .iter()
            .any(|run| run.kind == JobKind::Drift && run.as_of >= month)
        {
            return Ok(false);
        }
        self.request_drift()?;
        // Models in shadow are counted anew on the same register.
        for shadow in self.models(Some(ModelState::Shadow), None, 100)? {
            self.request_shadow_report(&shadow.model_id)?;
        }
        Ok(true)
    }

    /// Measured drifts before number `before`, latest first.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn drifts(&self, before: Option<u64>, limit: usize) -> Result<Vec<DriftRow>, ServiceError> {
        Ok(self.store.drifts_before(before, limit)?)
    }

    /// Measures drift as of the present day and keeps it.
    ///
    /// # Errors
    ///
    /// When no model is live or the store fails.
    pub fn measure_drift(
        &self,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<DriftReport, ServiceError> {
        let current = self.current();
        let model_id = self.live_model_id()?.ok_or_else(|| {
            ServiceError::Conflict("no model is live; start the service once".to_owned())
        })?;
        let before: Option<(DriftRow, DriftReport)> = self
            .store
            .drifts_before(None, 1)?
            .pop()
            .map(|row| {
                let report = serde_json::from_str(&row.document)?;
                Ok::<_, ServiceError>((row, report))
            })
            .transpose()?;
        let card = &current.models.classifier.scorecards().general;
        let baseline = match baseline_profile(card) {
            Some(profile) => Some((profile, format!("training rows of {}", card.name))),
            None => before
                .as_ref()
                .filter(|(row, _)| row.model_id == model_id)
                .map(|(row, report)| {
                    (
                        report.profile.clone(),
                        format!("register as of {}", row.as_of),
                    )
                }),
        };
        let edges = baseline.as_ref().map(|(profile, _)| profile.score.clone());
        let (spreading, profile) = self.spread(&current, edges, progress)?;
        let guard = &current.models.guard;
        let stability =
            baseline.map(|(baseline, name)| baseline.shift_to(&profile, &name, guard.limits()));
        let guards = stability
            .as_ref()
            .map_or_else(Vec::new, |stability| guard.judge_drift(stability));
        let share = |count: u64| count as f64 / spreading.count.max(1) as f64;
        let report = DriftReport {
            format: FORMAT.to_owned(),
            model_id: model_id.clone(),
            as_of: self.today(),
            enterprise_count: spreading.count,
            mix: spreading
                .mix
                .iter()
                .map(|(tier, count)| (*tier, share(*count)))
                .collect(),
            is_alert: any_broken(&guards),
            stability,
            guards,
            missing: spreading
                .codes
                .iter()
                .zip(&spreading.missing)
                .map(|(code, count)| (code.clone(), share(*count)))
                .collect(),
            unseen_codes: self.unseen_codes()?,
            moved: before
                .map(|(row, _)| self.moved_since(row.as_of))
                .transpose()?,
            profile,
        };
        let document = serde_json::to_string(&report)?;
        self.store
            .put_drift(&model_id, report.as_of, report.is_alert, &document)?;
        for broken in report
            .guards
            .iter()
            .filter(|guard| guard.state == GuardState::Broken)
        {
            tracing::warn!(
                model.id = model_id,
                guard = broken.guard,
                value = broken.value,
                "drift is beyond a bound of the policy"
            );
        }
        Ok(report)
    }

    /// How the present register spreads over points and bins of the general card.
    fn spread<'a>(
        &self,
        current: &'a Current,
        score: Option<Spread>,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<(Spreading<'a>, Profile), ServiceError> {
        let classifier = &current.models.classifier;
        let cards = classifier.scorecards();
        let codes: Vec<String> = classifier
            .catalogue()
            .indicators
            .iter()
            .map(|indicator| indicator.code.clone())
            .collect();
        let card_of = |code: &String| {
            let card = cards.general.indicators.get(code)?;
            Some((card, vec![0; card.bin_count()]))
        };
        let mut spreading = Spreading {
            cards: codes.iter().map(card_of).collect(),
            missing: vec![0; codes.len()],
            codes,
            points: Vec::new(),
            mix: Tier::ALL.iter().map(|tier| (*tier, 0)).collect(),
            count: 0,
        };
        let mut is_wanted = true;
        self.each_assembled(current, AsOf::monthly(self.today()), &mut |found| {
            // Kinds with a card of their own are not this model's.
            if !is_wanted || cards.by_kind.contains_key(&found.enterprise.kind) {
                return;
            }
            let classification = found.classify(current);
            let features = classifier.features(&found.case(), found.as_of);
            spreading.add(&features, classification.points, classification.tier);
            if spreading.count.is_multiple_of(STEP) {
                is_wanted = progress(spreading.count);
            }
        })?;
        if !is_wanted {
            return Err(ServiceError::Conflict("it was cancelled".to_owned()));
        }
        let features = spreading
            .codes
            .iter()
            .zip(&spreading.cards)
            .filter_map(|(code, counted)| {
                let (card, counts) = counted.as_ref()?;
                let spread = bin_spread(card.bin_labels(), counts.clone(), 0);
                Some((code.clone(), spread))
            })
            .collect();
        let points = std::mem::take(&mut spreading.points);
        let score = match score {
            Some(score) => {
                Profile {
                    score,
                    ..Profile::default()
                }
                .count(&points, &[])
                .score
            }
            None => Profile::baseline(&points, &[]).score,
        };
        Ok((spreading, Profile { score, features }))
    }

    /// Codes of the last year's inspections that the compiled-in outcome rule does not name.
    fn unseen_codes(&self) -> Result<BTreeMap<String, u64>, ServiceError> {
        let rule = OutcomeRule::compiled_in()
            .map_err(|error| ServiceError::Internal(error.to_string()))?;
        let (today, from) = (self.today(), add_days(self.today(), -CODE_DAYS));
        let mut unseen: BTreeMap<String, u64> = BTreeMap::new();
        self.store.each_dossier(&mut |dossier| {
            for visit in rule.visits(&dossier.versions, today) {
                if visit.first_day >= from {
                    for code in visit.unknown {
                        *unseen.entry(code.to_string()).or_default() += 1;
                    }
                }
            }
        })?;
        Ok(unseen)
    }

    fn moved_since(&self, since: Date) -> Result<Moved, ServiceError> {
        let filter = TierFilter::default();
        let migrations = self.migrations(since, self.today(), &filter)?;
        let sum = |wanted: fn(Tier, Tier) -> bool| -> u64 {
            migrations
                .moves
                .iter()
                .filter(|((from, to), _)| wanted(*from, *to))
                .map(|(_, count)| count)
                .sum()
        };
        Ok(Moved {
            since,
            enterprise_count: sum(|_, _| true),
            worsened_count: sum(|from, to| to > from),
            improved_count: sum(|from, to| to < from),
        })
    }
}

impl Spreading<'_> {
    fn add(&mut self, features: &[Option<f64>], points: u16, tier: Tier) {
        let columns = self.cards.iter_mut().zip(&mut self.missing);
        for ((card, missing), value) in columns.zip(features) {
            *missing += u64::from(value.is_none());
            if let Some((card, counts)) = card
                && let Some(count) = counts.get_mut(card.bin_of(*value))
            {
                *count += 1;
            }
        }
        self.points.push(f64::from(points));
        *self.mix.entry(tier).or_default() += 1;
        self.count += 1;
    }
}
