//! Drift of the register against the rows that the live model was trained on, measured beside the run of each month.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::domain::dates::add_days;
use crate::domain::{AsOf, EnterpriseKind, Tier};
use crate::model::evaluation::{Guard, GuardResult, GuardState, Profile, Spread, Stability};
use crate::model::{Card, Scorecard};
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
pub struct DriftReport {
    /// `risktier-register-drift/1`.
    pub format: String,
    /// The live model.
    pub model_id: String,
    /// The day of the register.
    pub as_of: Date,
    /// Of the general card.
    #[serde(flatten)]
    pub general: CardDrift,
    /// Of the cards of single kinds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_kind: BTreeMap<EnterpriseKind, CardDrift>,
    /// Codes of the last year's inspections that no outcome rule names, with their number.
    pub unseen_codes: BTreeMap<String, u64>,
    /// Enterprises that changed tier since the measuring before; absent for the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
    /// Whether a bound of the policy is broken, for whichever card.
    pub is_alert: bool,
}

/// The drift of the enterprises that one card of the model scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CardDrift {
    /// How many they are.
    pub enterprise_count: u64,
    /// Shares of the tiers.
    pub mix: BTreeMap<Tier, f64>,
    /// Stability of points and features; absent where the card carries no baseline and nothing was measured before, and
    /// where the card scores nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability: Option<Stability>,
    /// The bounds of the policy.
    pub guards: Vec<GuardResult>,
    /// Share of missing values by indicator.
    pub missing: BTreeMap<String, f64>,
    /// How the enterprises spread over the card's bins, for the next measuring.
    pub profile: Profile,
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

/// Counts of the enterprises of one card while the register is walked.
struct Spreading<'a> {
    scorecard: &'a Scorecard,
    codes: Vec<&'a str>,
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
        let mut cards = self.spread(&current, progress)?;
        let guard = &current.models.guard;
        let last = before
            .as_ref()
            .filter(|(row, _)| row.model_id == model_id)
            .map(|(row, report)| (row.as_of, report));
        let mut drift = |kind: Option<EnterpriseKind>| {
            let last = last.and_then(|(as_of, report)| {
                let card = match kind {
                    None => Some(&report.general),
                    Some(kind) => report.by_kind.get(&kind),
                };
                Some((as_of, &card?.profile))
            });
            cards
                .remove(&kind)
                .map(|counted| counted.drift(guard, last))
        };
        let general = drift(None)
            .ok_or_else(|| ServiceError::Internal("the general card was not counted".to_owned()))?;
        let kinds = current.models.classifier.scorecards().by_kind.keys();
        let by_kind: BTreeMap<_, _> = kinds
            .filter_map(|kind| Some((*kind, drift(Some(*kind))?)))
            .collect();
        let kinds = by_kind.iter().map(|(kind, card)| (Some(*kind), card));
        let broken: Vec<(Option<EnterpriseKind>, GuardResult)> = std::iter::once((None, &general))
            .chain(kinds)
            .flat_map(|(kind, card)| card.guards.iter().map(move |guard| (kind, guard.clone())))
            .filter(|(_, guard)| guard.state == GuardState::Broken)
            .collect();
        let report = DriftReport {
            format: FORMAT.to_owned(),
            model_id: model_id.clone(),
            as_of: self.today(),
            is_alert: !broken.is_empty(),
            general,
            by_kind,
            unseen_codes: self.unseen_codes()?,
            moved: before
                .map(|(row, _)| self.moved_since(row.as_of))
                .transpose()?,
        };
        let document = serde_json::to_string(&report)?;
        self.store
            .put_drift(&model_id, report.as_of, report.is_alert, &document)?;
        for (kind, broken) in broken {
            tracing::warn!(
                model.id = model_id,
                kind = kind.map(EnterpriseKind::as_str),
                guard = broken.guard,
                value = broken.value,
                "drift is beyond a bound of the policy"
            );
        }
        Ok(report)
    }

    /// How the present register spreads over points and bins of each card; the general one stands under no kind.
    fn spread<'a>(
        &self,
        current: &'a Current,
        progress: &mut dyn FnMut(u64) -> bool,
    ) -> Result<BTreeMap<Option<EnterpriseKind>, Spreading<'a>>, ServiceError> {
        let classifier = &current.models.classifier;
        let cards = classifier.scorecards();
        let codes: Vec<&str> = classifier
            .catalogue()
            .indicators
            .iter()
            .map(|indicator| indicator.code.as_str())
            .collect();
        let mut spreading: BTreeMap<_, _> = cards
            .all()
            .map(|(kind, card)| (kind, Spreading::of(card, codes.clone())))
            .collect();
        let (mut is_wanted, mut count) = (true, 0_u64);
        self.each_assembled(current, AsOf::monthly(self.today()), &mut |found| {
            let kind = found.enterprise.kind;
            let kind = cards.by_kind.contains_key(&kind).then_some(kind);
            let Some(spreading) = spreading.get_mut(&kind).filter(|_| is_wanted) else {
                return;
            };
            let classification = found.classify(current);
            let features = classifier.features(&found.case(), found.as_of);
            spreading.add(&features, classification.points, classification.tier);
            count += 1;
            if count.is_multiple_of(STEP) {
                is_wanted = progress(count);
            }
        })?;
        if is_wanted {
            Ok(spreading)
        } else {
            Err(ServiceError::Conflict("it was cancelled".to_owned()))
        }
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

impl<'a> Spreading<'a> {
    fn of(scorecard: &'a Scorecard, codes: Vec<&'a str>) -> Self {
        let card_of = |code: &&str| {
            let card = scorecard.indicators.get(*code)?;
            Some((card, vec![0; card.bin_count()]))
        };
        Self {
            scorecard,
            cards: codes.iter().map(card_of).collect(),
            missing: vec![0; codes.len()],
            codes,
            points: Vec::new(),
            mix: Tier::ALL.iter().map(|tier| (*tier, 0)).collect(),
            count: 0,
        }
    }

    /// The drift against the rows that the card was trained on, or else against what was measured last with its day.
    fn drift(self, guard: &Guard, last: Option<(Date, &Profile)>) -> CardDrift {
        let baseline = match baseline_profile(self.scorecard) {
            Some(profile) => Some((profile, format!("training rows of {}", self.scorecard.name))),
            None => last.map(|(day, profile)| (profile.clone(), format!("register as of {day}"))),
        };
        let profile = self.profile(baseline.as_ref().map(|(profile, _)| profile.score.clone()));
        let stability = baseline
            .filter(|_| self.count > 0)
            .map(|(baseline, name)| baseline.shift_to(&profile, &name, guard.limits()));
        let share = |count: u64| count as f64 / self.count.max(1) as f64;
        CardDrift {
            enterprise_count: self.count,
            mix: self
                .mix
                .iter()
                .map(|(tier, count)| (*tier, share(*count)))
                .collect(),
            guards: stability
                .as_ref()
                .map_or_else(Vec::new, |stability| guard.judge_drift(stability)),
            stability,
            missing: self
                .codes
                .iter()
                .zip(&self.missing)
                .map(|(code, count)| ((*code).to_owned(), share(*count)))
                .collect(),
            profile,
        }
    }

    /// How the enterprises spread, over the bands of `score` if they are given.
    fn profile(&self, score: Option<Spread>) -> Profile {
        let counted = self.codes.iter().zip(&self.cards);
        let features = counted
            .filter_map(|(code, counted)| {
                let (card, counts) = counted.as_ref()?;
                let spread = bin_spread(card.bin_labels(), counts.clone(), 0);
                Some(((*code).to_owned(), spread))
            })
            .collect();
        let score = match score {
            Some(score) => {
                Profile {
                    score,
                    ..Profile::default()
                }
                .count(&self.points, &[])
                .score
            }
            None => Profile::baseline(&self.points, &[]).score,
        };
        Profile { score, features }
    }

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
