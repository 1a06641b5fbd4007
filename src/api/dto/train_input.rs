//! What a training is asked for, on the register or on a table that was sent: all that the command line takes.

use serde::Deserialize;
use std::collections::BTreeSet;
use utoipa::ToSchema;

use super::codes::{CalibrationMethod, EnterpriseKind, Fitter, RegisterSplitBy, Unplanned};
use super::model_jobs::{OutcomeInput, day, outcome};
use super::present;
use crate::domain::{self, FieldError};
use crate::service::training::{self, RegisterSplit, Roles, RowRules};
use crate::service::{
    CutoffRule, Scaling, TableTrainRequest, TaskRequest, TrainParams, TrainRequest, Validation,
    person, reason_of,
};

/// A table that was sent, to train on in place of the register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `table_id`")]
pub(crate) struct TableInput {
    /// The table.
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    table_id: String,
    /// Roles of its columns (TOML, `risktier-roles/1`); what they leave out is inferred from the names of the columns.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "format = \"risktier-roles/1\"\noutcome = \"found\"\n")]
    roles: Option<String>,
    /// The outcome column, over the roles; default the one that they name, or `outcome`, `label` or `target`.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "found")]
    outcome: Option<String>,
}

impl TableInput {
    fn roles(&self) -> Result<Roles, FieldError> {
        let mut roles = match &self.roles {
            Some(text) => Roles::from_toml(text)
                .map_err(|error| FieldError::new("table.roles", "", error.to_string()))?,
            None => Roles::none(),
        };
        if let Some(outcome) = &self.outcome {
            roles.outcome = Some(outcome.clone());
        }
        Ok(roles)
    }
}

/// How a model is trained on the register, or on a table.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `by`")]
pub(crate) struct TrainInput {
    /// A table to train on; default the register.
    #[serde(default, deserialize_with = "present")]
    table: Option<TableInput>,
    /// Who asks, and is the author of the model; a later release takes it from the caller's token.
    #[schema(example = "analyst-3", min_length = 1, max_length = 64)]
    by: String,
    /// Why.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "yearly retraining", min_length = 1, max_length = 2000)]
    reason: Option<String>,
    /// Name of the card; default `trained`.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "retrained", min_length = 1, max_length = 80)]
    name: Option<String>,
    /// Version of the card; default 1.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 1)]
    version: Option<u32>,
    /// What counts as a problem; default the codes of the national platform.
    #[serde(default, deserialize_with = "present")]
    outcome: Option<OutcomeInput>,
    /// First day of the inspections; default all.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date, example = "2024-01-01")]
    since: Option<String>,
    /// Last day of the inspections; default all.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date, example = "2026-10-31")]
    until: Option<String>,
    /// Kinds of enterprises whose inspections are learned from, for a card of their own; default every kind.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = json!(["individual_business"]), min_items = 1)]
    kinds: Option<Vec<EnterpriseKind>>,
    /// What becomes of inspections that no plan of this service drew; default `auto`.
    #[serde(default, deserialize_with = "present")]
    unplanned: Option<Unplanned>,
    /// What divides the rows; default `day`.
    #[serde(default, deserialize_with = "present")]
    split: Option<RegisterSplitBy>,
    /// First day of validation, with `split` by day; default the latest share of the rows.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date, example = "2026-04-01")]
    validate_from: Option<String>,
    /// Share of the rows that only validate; 0 keeps none back; default 0.3, of a table 0.2.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 0.3, minimum = 0.0, maximum = 1.0)]
    validate_share: Option<f64>,
    /// Days before validation whose rows are used for nothing; default 30, of a table 0.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 30)]
    gap_days: Option<u16>,
    /// Shares of tiers B, C and D among the fitted rows; default 0.29, 0.065, 0.025.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = json!([0.29, 0.065, 0.025]), min_items = 3, max_items = 3)]
    shares: Option<Vec<f64>>,
    /// Least points of tiers B, C and D, in place of shares.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = json!([400, 600, 800]), min_items = 3, max_items = 3)]
    cutoffs: Option<Vec<u16>>,
    /// Least probabilities of a problem in tiers B, C and D, in place of shares.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = json!([0.1, 0.25, 0.5]), min_items = 3, max_items = 3)]
    problem_rates: Option<Vec<f64>>,
    /// Visits that can be made: tiers B, C and D keep the proportion of their shares and become as large as they allow.
    #[serde(default, deserialize_with = "present")]
    capacity: Option<CapacityInput>,
    /// How points are scaled; default: the rows fill 0 to 1000.
    #[serde(default, deserialize_with = "present")]
    pdo: Option<PdoInput>,
    /// How points become probabilities; default `platt`.
    #[serde(default, deserialize_with = "present")]
    calibration: Option<CalibrationMethod>,
    /// How the points are fitted; default `auto`.
    #[serde(default, deserialize_with = "present")]
    fitter: Option<Fitter>,
    /// Most pair terms to look for; default 16.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 8, maximum = 100)]
    pairs: Option<usize>,
    /// Pair terms that are fitted whether they help or not, as pairs of columns; none means that pairs are looked for.
    #[serde(default)]
    #[schema(example = json!([["SUP02", "BAS01"]]), max_items = 100)]
    declared_pairs: Vec<Vec<String>>,
    /// Id of the registered model that this one replaces, named as its parent; default none.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "3f0a377ba0a4a460ecb616f6507ce0d8cfa3e704025d4fda3ed0c5ca05468728")]
    parent: Option<String>,
    /// Train other kinds of models on the same rows too and report them beside the card; default no.
    #[serde(default)]
    #[schema(example = false)]
    challengers: bool,
    /// Fail where a feature runs the wrong way, instead of leaving it out; default no.
    #[serde(default)]
    #[schema(example = false)]
    strict: bool,
    /// Seed of every random choice; default 1.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = 1)]
    seed: Option<u64>,
}

/// Visits that can be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "an object with `visits` and `enterprises`"
)]
pub(crate) struct CapacityInput {
    /// Visits in a year.
    #[schema(example = 20_000)]
    visits: u64,
    /// Enterprises of the register.
    #[schema(example = 400_000, minimum = 1)]
    enterprises: u64,
    /// Yearly rates of visits in tiers A, B, C and D; default those of general items in the policy in force.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = json!([0.01, 0.03, 0.1, 0.3]), min_items = 4, max_items = 4)]
    visit_rates: Option<Vec<f64>>,
}

/// Points on a scale of odds.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object with `pdo` and `points`")]
pub(crate) struct PdoInput {
    /// Points that double the odds.
    #[schema(example = 50.0)]
    pdo: f64,
    /// Points at even odds.
    #[schema(example = 600.0)]
    points: f64,
}

/// Exactly so many numbers.
fn numbers<T: Copy, const N: usize>(
    name: &str,
    given: Option<&[T]>,
    what: &str,
) -> Result<Option<[T; N]>, FieldError> {
    let Some(given) = given else {
        return Ok(None);
    };
    let numbers = <[T; N]>::try_from(given).map_err(|_| {
        let reason = format!("is the count of numbers given; write {N} of them, for {what}");
        FieldError::new(name, &given.len().to_string(), reason)
    })?;
    Ok(Some(numbers))
}

const TIERS: &str = "tiers B, C and D";

/// Kinds that were named; all where none is asked for.
fn kinds(
    given: Option<Vec<EnterpriseKind>>,
) -> Result<BTreeSet<domain::EnterpriseKind>, FieldError> {
    match given {
        Some(kinds) if kinds.is_empty() => Err(FieldError::new(
            "kinds",
            "[]",
            "names no kind; leave it out to learn from every kind",
        )),
        kinds => Ok(kinds.into_iter().flatten().map(Into::into).collect()),
    }
}

impl TrainInput {
    /// The training that is asked for; `visit_rates` are those of the policy in force.
    pub(crate) fn training(self, visit_rates: [f64; 4]) -> Result<TaskRequest, FieldError> {
        if let Some(share) = self.validate_share
            && !(0.0..1.0).contains(&share)
        {
            let reason = "is not a share of at least 0 and below 1";
            let given = share.to_string();
            return Err(FieldError::new("validate_share", &given, reason));
        }
        let by = person("by", &self.by)?;
        let reason = self.reason.as_deref().map(reason_of).transpose()?;
        let params = self.params(visit_rates)?;
        let from = day("validate_from", self.validate_from.as_deref())?;
        let none = self.validate_share == Some(0.0);
        if let Some(table) = &self.table {
            self.speaks_of_no_register()?;
            let gap_days = self.gap_days.unwrap_or(0);
            let validation = match from {
                Some(day) => Validation::From { day, gap_days },
                None if none => Validation::None,
                None => Validation::Share {
                    share: self.validate_share.unwrap_or(0.2),
                    gap_days,
                },
            };
            return Ok(TaskRequest::TrainOnTable(Box::new(TableTrainRequest {
                by,
                reason,
                table_id: table.table_id.clone(),
                roles: table.roles()?,
                params: TrainParams {
                    validation,
                    ..params
                },
            })));
        }
        let share = self.validate_share.unwrap_or(0.3);
        let split = match self.split.unwrap_or(RegisterSplitBy::Day) {
            _ if none => RegisterSplit::None,
            RegisterSplitBy::Day => RegisterSplit::Day {
                from,
                share,
                gap_days: self.gap_days.unwrap_or(30),
            },
            RegisterSplitBy::Group => RegisterSplit::Group { share },
            RegisterSplitBy::None => RegisterSplit::None,
        };
        Ok(TaskRequest::Train(Box::new(TrainRequest {
            by,
            reason,
            rows: RowRules {
                outcome: outcome(self.outcome)?,
                from: day("since", self.since.as_deref())?,
                until: day("until", self.until.as_deref())?,
                kinds: kinds(self.kinds)?,
                unplanned: self.unplanned.map_or(training::Unplanned::Auto, Into::into),
                split,
                seed: params.seed,
            },
            params,
        })))
    }

    /// A table has rows and a division of its own.
    fn speaks_of_no_register(&self) -> Result<(), FieldError> {
        let of_register = [
            ("outcome", self.outcome.is_some()),
            ("since", self.since.is_some()),
            ("until", self.until.is_some()),
            ("kinds", self.kinds.is_some()),
            ("unplanned", self.unplanned.is_some()),
            ("split", self.split.is_some()),
        ];
        match of_register.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(FieldError::new(
                name,
                "",
                "is about inspections of the register; leave it out where there is a `table`",
            )),
            None => Ok(()),
        }
    }

    /// Everything but features and validation.
    fn params(&self, visit_rates: [f64; 4]) -> Result<TrainParams, FieldError> {
        let default = TrainParams::default();
        let scaling = match &self.pdo {
            None => Scaling::Band,
            Some(PdoInput { pdo, points }) if *pdo > 0.0 => Scaling::Pdo {
                pdo: *pdo,
                points: *points,
                odds: 1.0,
            },
            Some(PdoInput { pdo, .. }) => {
                return Err(FieldError::new(
                    "pdo.pdo",
                    &pdo.to_string(),
                    "is not above 0",
                ));
            }
        };
        let pair = |pair: &Vec<String>| {
            <[String; 2]>::try_from(pair.clone()).map_err(|pair| {
                let reason = "is not two columns";
                FieldError::new("declared_pairs", &pair.join(", "), reason)
            })
        };
        Ok(TrainParams {
            name: self.name.clone().unwrap_or(default.name),
            version: self.version.unwrap_or(default.version),
            seed: self.seed.unwrap_or(default.seed),
            fitter: self.fitter.map_or(default.fitter, Into::into),
            pairs: self.pairs.unwrap_or(default.pairs),
            declared_pairs: self
                .declared_pairs
                .iter()
                .map(pair)
                .collect::<Result<_, _>>()?,
            scaling,
            cutoffs: self.cutoff_rule(visit_rates)?,
            calibration: self.calibration.map_or(default.calibration, Into::into),
            challengers: self.challengers,
            strict: self.strict,
            parent: self.parent.clone(),
            ..TrainParams::default()
        })
    }

    /// Where tiers begin: by at most one of the ways there are.
    fn cutoff_rule(&self, visit_rates: [f64; 4]) -> Result<CutoffRule, FieldError> {
        let ways = [
            ("cutoffs", self.cutoffs.is_some()),
            ("problem_rates", self.problem_rates.is_some()),
            ("capacity", self.capacity.is_some()),
            // Of a capacity they are the proportion.
            ("shares", self.shares.is_some() && self.capacity.is_none()),
        ];
        let mut given = ways.iter().filter(|(_, given)| *given);
        if let (Some((one, _)), Some((other, _))) = (given.next(), given.next()) {
            let reason = format!("says where tiers begin, and so does `{one}`; leave one out");
            return Err(FieldError::new(other, "", reason));
        }
        let shares = numbers("shares", self.shares.as_deref(), TIERS)?;
        let is_share = |value: &f64| *value > 0.0 && *value < 1.0;
        if let Some(shares) = &shares
            && !(shares.iter().all(is_share) && shares.iter().sum::<f64>() < 1.0)
        {
            let reason = "are not shares above 0 that leave some for tier A";
            return Err(FieldError::new("shares", &format!("{shares:?}"), reason));
        }
        if let Some([b, c, d]) = numbers("cutoffs", self.cutoffs.as_deref(), TIERS)? {
            if !(0 < b && b < c && c < d && d <= 1_000) {
                let reason = "do not rise from at least 1 to at most 1000";
                let given = format!("{:?}", [b, c, d]);
                return Err(FieldError::new("cutoffs", &given, reason));
            }
            return Ok(CutoffRule::Fixed { b, c, d });
        }
        if let Some([b, c, d]) = numbers("problem_rates", self.problem_rates.as_deref(), TIERS)? {
            if !(is_share(&b) && b < c && c < d && is_share(&d)) {
                let reason = "do not rise from above 0 to below 1";
                let given = format!("{:?}", [b, c, d]);
                return Err(FieldError::new("problem_rates", &given, reason));
            }
            return Ok(CutoffRule::ProblemRate { b, c, d });
        }
        let [b, c, d] = shares.unwrap_or(CutoffRule::DEFAULT_SHARES);
        let Some(capacity) = &self.capacity else {
            return Ok(CutoffRule::Shares { b, c, d });
        };
        if capacity.enterprises == 0 {
            return Err(FieldError::new(
                "capacity.enterprises",
                "0",
                "is not above 0",
            ));
        }
        let given = capacity.visit_rates.as_deref();
        let rates = numbers("capacity.visit_rates", given, "tiers A, B, C and D")?;
        let rates = rates.unwrap_or(visit_rates);
        if !rates.iter().all(|rate| (0.0..=1.0).contains(rate)) {
            let reason = "are not rates from 0 to 1";
            let given = format!("{rates:?}");
            return Err(FieldError::new("capacity.visit_rates", &given, reason));
        }
        Ok(CutoffRule::Capacity {
            enterprises: capacity.enterprises,
            visits: capacity.visits,
            rates,
            shares: [b, c, d],
        })
    }
}
