//! One estimated number: its value and interval, or why there is none.

use serde::{Deserialize, Serialize};

/// The confidence of every interval.
pub const CONFIDENCE: f64 = 0.95;

/// An estimated number. Never NaN or infinite: what cannot be estimated says so in words.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The estimate; absent where it cannot be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Lower end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Standard error, where the method has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
    /// Why there is no value or no interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_estimable: Option<String>,
}

impl Figure {
    /// A value without an interval; a number that is not finite is not estimable.
    pub fn of(value: f64) -> Self {
        if value.is_finite() {
            Self {
                value: Some(value),
                ..Self::default()
            }
        } else {
            Self::not_estimable("the rows give no finite number")
        }
    }

    /// A value where there is one, and the reason where there is none.
    pub fn or_reason(value: Option<f64>, reason: &str) -> Self {
        value.map_or_else(|| Self::not_estimable(reason), Self::of)
    }

    /// No value, and why.
    pub fn not_estimable(reason: &str) -> Self {
        Self {
            not_estimable: Some(reason.to_owned()),
            ..Self::default()
        }
    }

    /// The same with an interval; bounds that are not finite are left out.
    #[must_use]
    pub fn between(self, low: f64, high: f64) -> Self {
        if self.value.is_some() && low.is_finite() && high.is_finite() {
            Self {
                low: Some(low),
                high: Some(high),
                ..self
            }
        } else {
            self
        }
    }

    /// The same with a standard error.
    #[must_use]
    pub fn with_error(self, standard_error: f64) -> Self {
        Self {
            standard_error: Some(standard_error).filter(|error| error.is_finite()),
            ..self
        }
    }

    /// The same with a remark on why the interval is missing.
    #[must_use]
    pub fn without_interval(self, reason: &str) -> Self {
        if self.value.is_none() {
            return self;
        }
        Self {
            low: None,
            high: None,
            standard_error: None,
            not_estimable: Some(format!("no interval: {reason}")),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_not_finite_never_reaches_the_json() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let json = serde_json::to_string(&Figure::of(value)).unwrap();
            assert!(
                json.contains("not_estimable") && !json.contains("null"),
                "{json}"
            );
        }
        let open = Figure::of(0.5).between(f64::NAN, 1.0);
        assert_eq!((open.low, open.high), (None, None));
    }
}
