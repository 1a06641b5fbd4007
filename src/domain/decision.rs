//! A person's dated act about a tier: an override, or the freeze while an objection is examined.

use jiff::civil::Date;

use super::Tier;

/// What a person decided about the tier of one enterprise.
///
/// A decision counts from `from_on` on every day before `expires_on` and before `ended_on`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A dated change of the tier by two persons.
    Override {
        /// Its id.
        decision_id: String,
        /// The tier while it counts.
        tier: Tier,
        /// Why, in the words of whoever proposed it.
        reason: String,
        /// Who proposed it.
        proposed_by: String,
        /// Who approved it; another person.
        approved_by: String,
        /// The first day on which it counts.
        from_on: Date,
        /// The first day on which it no longer counts.
        expires_on: Date,
        /// The day on which it was ended early.
        ended_on: Option<Date>,
    },
    /// While an objection is examined the tier stays what it was.
    Freeze {
        /// The objection.
        objection_id: String,
        /// The tier on `from_on`.
        tier: Tier,
        /// What the objection says.
        reason: String,
        /// The day on which the examination began.
        from_on: Date,
        /// Its time limit.
        expires_on: Date,
        /// The day on which the objection was decided.
        ended_on: Option<Date>,
    },
}

impl Decision {
    /// The tier it asks for.
    pub fn tier(&self) -> Tier {
        match self {
            Self::Override { tier, .. } | Self::Freeze { tier, .. } => *tier,
        }
    }

    /// Whether it counts on `day`.
    pub fn counts_on(&self, day: Date) -> bool {
        let [from_on, expires_on, ended_on] = self.turning_days();
        from_on.is_some_and(|from_on| from_on <= day)
            && [expires_on, ended_on]
                .into_iter()
                .flatten()
                .all(|end| day < end)
    }

    /// The days on which it begins, expires and was ended.
    pub fn turning_days(&self) -> [Option<Date>; 3] {
        match self {
            Self::Override {
                from_on,
                expires_on,
                ended_on,
                ..
            }
            | Self::Freeze {
                from_on,
                expires_on,
                ended_on,
                ..
            } => [Some(*from_on), Some(*expires_on), *ended_on],
        }
    }

    /// Which of several decisions of one sort that count on a day prevails: the latest; of one day the higher id.
    pub fn precedence(&self) -> (Date, &str) {
        match self {
            Self::Override {
                from_on,
                decision_id: id,
                ..
            }
            | Self::Freeze {
                from_on,
                objection_id: id,
                ..
            } => (*from_on, id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_decision_counts_from_its_day_until_it_expires_or_is_ended() {
        let freeze = |ended_on| Decision::Freeze {
            objection_id: "o-1".into(),
            tier: Tier::B,
            reason: "not ours".into(),
            from_on: date(2026, 3, 1),
            expires_on: date(2026, 4, 1),
            ended_on,
        };
        let counts = |ended_on, day| freeze(ended_on).counts_on(date(2026, 3, day));
        assert!(counts(None, 1) && counts(None, 31));
        assert!(
            !freeze(None).counts_on(date(2026, 2, 28)) && !freeze(None).counts_on(date(2026, 4, 1))
        );
        let ended = Some(date(2026, 3, 10));
        assert!(counts(ended, 9) && !counts(ended, 10));
    }
}
