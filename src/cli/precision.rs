//! Bounds on precision on the command line: how they are said, and what comes of them.

use std::num::ParseFloatError;

use crate::domain::Label;
use crate::service::{PrecisionBound, PrecisionPreview};

/// Reads `cv=0.1,each=tier,…`.
pub(super) fn precision_bound(text: &str) -> Result<PrecisionBound, String> {
    let mut bound = PrecisionBound {
        cv: f64::NAN,
        ..PrecisionBound::default()
    };
    for part in text.split(',') {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| format!("`{part}` is not of the form NAME=VALUE"))?;
        let wrong = |error: &dyn std::fmt::Display| format!("`{part}`: {error}");
        let label = |text: &str| Label::parse(text).map_err(|error| wrong(&error));
        match name.trim() {
            "cv" => {
                bound.cv = value
                    .parse()
                    .map_err(|error: ParseFloatError| wrong(&error))?
            }
            "of" => bound.of = Some(label(value)?),
            "each" => bound
                .each
                .push(value.parse().map_err(|error: String| wrong(&error))?),
            other => {
                let one = other.parse().map_err(|_| {
                    format!(
                        "`{other}` is not one of cv, of, each, tier, complaint_band, division, city, province, industry, kind, size"
                    )
                })?;
                bound.within.insert(one, label(value)?);
            }
        }
    }
    if bound.cv.is_nan() {
        return Err(format!(
            "`{text}` needs the coefficient of variation, such as cv=0.1"
        ));
    }
    Ok(bound)
}

/// What comes of the bounds on precision, beside the table.
pub(super) fn tell_precision(precision: &PrecisionPreview) {
    for bound in &precision.bounds {
        let domain: Vec<String> = bound
            .domain
            .iter()
            .map(|(one, value)| format!("{one} {value}"))
            .collect();
        let domain = if domain.is_empty() {
            "the whole plan".to_owned()
        } else {
            domain.join(", ")
        };
        let (most, expected) = (bound.most_cv * 100.0, bound.expected_cv * 100.0);
        let price = if bound.days_per_point > 0.0 {
            format!(
                "one point less would cost about {:.1} inspector-days",
                bound.days_per_point
            )
        } else {
            "it holds anyway".to_owned()
        };
        eprintln!(
            "precision: {} over {domain}: coefficient of variation {expected:.2} %, at most {most:.2} %; {price}",
            bound.of
        );
    }
    if !precision.census.is_empty() {
        eprintln!(
            "precision: everybody is visited in {}",
            precision.census.join(", ")
        );
    }
}
