//! The language that a caller asks for.

use actix_web::http::header::{ACCEPT_LANGUAGE, HeaderMap};

/// The languages that titles come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// The default.
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// The better-liked of our languages in `Accept-Language` (RFC 9110, section 12.5.4); English when in doubt.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let asked = headers
            .get(ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let mut best = (0_u16, Self::English);
        for range in asked.split(',').take(16) {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let primary = tag.trim().split('-').next().unwrap_or_default();
            let language = match primary.to_ascii_lowercase().as_str() {
                "zh" => Self::Chinese,
                "en" | "*" => Self::English,
                _ => continue,
            };
            let weight = weight_of(parameters);
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// Its language tag.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }
}

/// `q` in thousandths; 1000 when it is missing, 0 when it cannot be read.
fn weight_of(parameters: &str) -> u16 {
    let Some(q) = parameters.trim().strip_prefix("q=") else {
        return 1000;
    };
    let digits = match q.trim().split_once('.') {
        None => (q.trim(), ""),
        Some(parts) => parts,
    };
    match digits {
        ("1", _) => 1000,
        ("0", fraction) if fraction.len() <= 3 => {
            format!("{fraction:0<3}").parse().unwrap_or_default()
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn the_better_liked_language_is_chosen() {
        let chosen = |asked: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(asked));
            Language::of(&headers)
        };
        for chinese in [
            "zh",
            "zh-CN,zh;q=0.9,en;q=0.8",
            "en;q=0.5, ZH-hans",
            "fr, zh;q=0.001",
        ] {
            assert_eq!(chosen(chinese), Language::Chinese, "{chinese}");
        }
        for english in [
            "",
            "en",
            "fr",
            "*",
            "en, zh",
            "zh;q=0",
            "zh;q=0.4,en-GB;q=0.45",
            ";;,,",
            "zh;q=x",
        ] {
            assert_eq!(chosen(english), Language::English, "{english}");
        }
        assert_eq!(Language::of(&HeaderMap::new()), Language::English);
    }
}
