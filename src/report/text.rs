//! Words in both languages, numbers as people read them, and escaping.

use crate::service::figures::Figure;

/// The language that a page opens in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Chinese.
    Zh,
    /// English.
    En,
}

/// A text in both languages, not yet escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) zh: String,
    pub(super) en: String,
}

/// A text in both languages.
pub(super) fn t(zh: impl Into<String>, en: impl Into<String>) -> Text {
    Text {
        zh: zh.into(),
        en: en.into(),
    }
}

/// A text that is the same in both.
pub(super) fn same(text: impl Into<String>) -> Text {
    let text = text.into();
    Text {
        en: text.clone(),
        zh: text,
    }
}

impl Text {
    /// As HTML: once where both are the same, else one span per language.
    pub(super) fn html(&self) -> String {
        self.tagged("span")
    }

    /// As SVG: the same with `tspan`.
    pub(super) fn svg(&self) -> String {
        self.tagged("tspan")
    }

    fn tagged(&self, tag: &str) -> String {
        if self.zh == self.en {
            return escape(&self.zh);
        }
        format!(
            "<{tag} lang=\"zh\">{}</{tag}><{tag} lang=\"en\">{}</{tag}>",
            escape(&self.zh),
            escape(&self.en)
        )
    }

    /// As one line for readers of screens, where nothing can be switched.
    pub(super) fn plain(&self) -> String {
        if self.zh == self.en {
            escape(&self.zh)
        } else {
            format!("{} / {}", escape(&self.zh), escape(&self.en))
        }
    }
}

/// A text that is safe in HTML and SVG, in elements and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Three decimals.
    Plain,
    /// Percent with one decimal.
    Percent,
    /// One decimal.
    Short,
}

impl Form {
    pub(super) fn of(self, value: f64) -> String {
        let text = match self {
            Self::Plain => format!("{value:.3}"),
            Self::Percent => format!("{:.1} %", value * 100.0),
            Self::Short => format!("{value:.1}"),
        };
        // A number that rounds to zero has no sign.
        match text.strip_prefix('-') {
            Some(rest) if rest.chars().all(|c| !matches!(c, '1'..='9')) => rest.to_owned(),
            Some(rest) => format!("−{rest}"),
            None => text,
        }
    }

    pub(super) fn or_dash(self, value: Option<f64>) -> String {
        value.map_or_else(|| "–".to_owned(), |value| self.of(value))
    }

    pub(super) fn range(self, low: f64, high: f64) -> String {
        format!("{} … {}", self.of(low), self.of(high))
    }
}

/// A count with its thousands apart.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// The value of a figure, or that there is none.
pub(super) fn value_of(figure: &Figure, form: Form) -> Text {
    match figure.value {
        Some(value) => same(form.of(value)),
        None => t("无法估计", "not estimable"),
    }
}

/// The interval of a figure, or why there is none.
pub(super) fn interval_of(figure: &Figure, form: Form) -> Text {
    match (figure.low, figure.high, &figure.not_estimable) {
        (Some(low), Some(high), _) => same(form.range(low, high)),
        (_, _, Some(reason)) => t(reason_zh(reason), reason.clone()),
        (_, _, None) => same("–"),
    }
}

fn reason_zh(reason: &str) -> String {
    const KNOWN: [(&str, &str); 14] = [
        ("every row has the same outcome", "所有行的结果相同"),
        ("the model gives no probabilities", "模型不给出概率"),
        ("no row has a problem", "没有一行发现问题"),
        ("the rows have no weight", "各行没有权重"),
        (
            "resampling needs two enterprises",
            "重抽样至少需要两个企业和一轮",
        ),
        (
            "too few resamples",
            "能算出该值的重抽样太少，需要更多问题或更多轮次",
        ),
        ("fewer than five rows", "发现问题或未发现问题的行不足五行"),
        (
            "the score parts the rows",
            "评分把两类完全分开，或只有一个企业",
        ),
        ("there is one enterprise only", "只有一个企业"),
        (
            "the outcome or the probability is the same",
            "结果或概率全部相同，或一方完全决定另一方",
        ),
        (
            "one of the models gives no probabilities",
            "其中一个模型不给出概率",
        ),
        ("the rows carry no rates", "各行没有抽查比例"),
        ("the rows carry no days", "各行没有日期，或这是加权口径"),
        ("no order could find", "任何顺序都不能更早发现问题"),
    ];
    KNOWN
        .iter()
        .find(|(known, _)| reason.contains(known))
        .map_or_else(
            || format!("无法估计（{reason}）"),
            |(_, zh)| (*zh).to_owned(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_data_cannot_become_markup() {
        let hostile = "</td><script>alert('x')</script>\" onload=\"&";
        let html = same(hostile).html();
        assert!(
            !html.contains('<') && !html.contains('"') && !html.contains('\''),
            "{html}"
        );
        assert_eq!(
            t("甲<", "a&").html(),
            "<span lang=\"zh\">甲&lt;</span><span lang=\"en\">a&amp;</span>"
        );
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(Form::Plain.of(-0.0001), "0.000");
        assert_eq!(Form::Plain.of(-0.25), "−0.250");
        assert_eq!(Form::Percent.of(0.1234), "12.3 %");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(count(12), "12");
        assert_eq!(Form::Plain.or_dash(None), "–");
    }
}
