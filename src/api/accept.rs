//! Choosing among the forms of an answer by `Accept` (RFC 9110, section 12.5.1).

use actix_web::http::header::{ACCEPT, HeaderMap, HeaderName};

use super::problem::{Problem, ProblemKind};

/// Most ranges of a header that are looked at.
const MOST_RANGES: usize = 32;

/// The best-liked of the forms on offer, the first of them where the caller does not mind.
pub(super) fn negotiate<T: Copy>(headers: &HeaderMap, offered: &[(&str, T)]) -> Result<T, Problem> {
    let ranges = weighted(headers, ACCEPT);
    let mut best: Option<(u16, T)> = None;
    for (media_type, form) in offered {
        let weight = if ranges.is_empty() {
            1000
        } else {
            weight_of(media_type, &ranges)
        };
        if weight > best.map_or(0, |(best, _)| best) {
            best = Some((weight, *form));
        }
    }
    best.map(|(_, form)| form).ok_or_else(|| {
        let known: Vec<&str> = offered.iter().map(|(media_type, _)| *media_type).collect();
        Problem::new(
            ProblemKind::NotAcceptable,
            format!(
                "the answer comes as {}; accept one of them",
                known.join(", ")
            ),
        )
    })
}

/// The items of a header with their weights in thousandths.
pub(super) fn weighted(headers: &HeaderMap, name: HeaderName) -> Vec<(&str, u16)> {
    headers
        .get_all(name)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .take(MOST_RANGES)
        .filter_map(range)
        .collect()
}

/// A media range and its weight in thousandths.
fn range(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let media_range = parts.next().filter(|range| !range.is_empty())?;
    let q = parts.find_map(|part| part.strip_prefix("q="));
    let weight = match q {
        None => 1000,
        Some(q) => {
            let q: f64 = q.parse().ok().filter(|q| (0.0..=1.0).contains(q))?;
            (q * 1000.0) as u16
        }
    };
    Some((media_range, weight))
}

/// The weight of the most specific range that covers a media type; 0 if none does.
fn weight_of(media_type: &str, ranges: &[(&str, u16)]) -> u16 {
    let family = media_type.split('/').next().unwrap_or_default();
    let specificity = |range: &str| {
        if range.eq_ignore_ascii_case(media_type) {
            3
        } else if range
            .strip_suffix("/*")
            .is_some_and(|of| of.eq_ignore_ascii_case(family))
        {
            2
        } else {
            u8::from(range == "*/*")
        }
    };
    ranges
        .iter()
        .map(|(range, weight)| (specificity(range), *weight))
        .filter(|(specificity, _)| *specificity > 0)
        .max()
        .map_or(0, |(_, weight)| weight)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn the_best_liked_form_is_chosen() {
        let chosen = |asked: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(asked));
            negotiate(&headers, &[("application/json", 'j'), ("text/csv", 'c')]).ok()
        };
        for (asked, form) in [
            ("", Some('j')),
            ("*/*", Some('j')),
            ("text/csv", Some('c')),
            ("text/*;q=0.5, application/json;q=0.4", Some('c')),
            ("text/csv;q=0, */*", Some('j')),
            ("TEXT/CSV; charset=utf-8", Some('c')),
            ("application/xml", None),
            ("application/json;q=0", None),
        ] {
            assert_eq!(chosen(asked), form, "{asked}");
        }
    }
}
