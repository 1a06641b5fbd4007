//! Small plots as SVG: lines, bars and dots with whiskers on honest axes. Nothing moves and nothing rests on colour: the
//! second series is dashed, hollow or hatched.

use super::text::{Form, Text};

const WIDTH: f64 = 560.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 48.0;

/// Which of two series a mark belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Series {
    One,
    Two,
}

impl Series {
    fn class(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Two => "two",
        }
    }
}

/// An axis.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) label: Text,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) form: Form,
    /// Labels at places of their own, instead of numbers at round ones.
    pub(super) places: Vec<(f64, Text)>,
}

impl Axis {
    /// From `from` to the next round number at or above `to`.
    pub(super) fn rounded(label: Text, from: f64, to: f64, form: Form) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        let step = round_step(to - from);
        Self {
            label,
            from,
            to: from + ((to - from) / step - 1e-9).ceil() * step,
            form,
            places: Vec::new(),
        }
    }

    /// Exactly these ends.
    pub(super) fn exact(label: Text, from: f64, to: f64, form: Form) -> Self {
        Self {
            label,
            from,
            to: if to > from { to } else { from + 1.0 },
            form,
            places: Vec::new(),
        }
    }

    /// One place per name, at 0.5, 1.5, …
    pub(super) fn named(label: Text, names: Vec<Text>) -> Self {
        Self {
            label,
            from: 0.0,
            to: names.len().max(1) as f64,
            form: Form::Plain,
            places: names
                .into_iter()
                .enumerate()
                .map(|(place, name)| (place as f64 + 0.5, name))
                .collect(),
        }
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        if !self.places.is_empty() {
            return self
                .places
                .iter()
                .map(|(at, name)| (*at, name.svg()))
                .collect();
        }
        let step = round_step(self.to - self.from);
        let first = (self.from / step - 1e-9).ceil() * step;
        (0..20)
            .map(|k| first + f64::from(k) * step)
            .take_while(|at| *at <= self.to + step * 1e-6)
            .map(|at| (at, self.tick(at, step)))
            .collect()
    }

    fn tick(&self, at: f64, step: f64) -> String {
        let decimals = |step: f64| (-(step.log10() + 1e-9).floor()).clamp(0.0, 6.0) as usize;
        let at = if at.abs() < step * 1e-6 { 0.0 } else { at };
        match self.form {
            Form::Percent => format!("{:.*} %", decimals(step * 100.0), at * 100.0),
            Form::Plain | Form::Short => format!("{:.*}", decimals(step), at),
        }
    }
}

fn round_step(span: f64) -> f64 {
    let raw = span / 5.0;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|step| step * power >= raw * 0.999_999)
        .unwrap_or(10.0);
    step * power
}

/// A plot while it is drawn.
pub(super) struct Plot {
    title: Text,
    description: Text,
    x: Axis,
    y: Axis,
    height: f64,
    left: f64,
    marks: String,
    legend: Vec<(Series, Text)>,
}

impl Plot {
    pub(super) fn new(title: Text, description: Text, x: Axis, y: Axis) -> Self {
        Self {
            title,
            description,
            x,
            y,
            height: 360.0,
            left: LEFT,
            marks: String::new(),
            legend: Vec::new(),
        }
    }

    /// The same with names down the left side, one line each.
    pub(super) fn listed(title: Text, description: Text, x: Axis, mut y: Axis) -> Self {
        let lines = y.places.len().max(1) as f64;
        // From the top down.
        let span = y.to;
        for (at, _) in &mut y.places {
            *at = span - *at;
        }
        Self {
            height: TOP + BOTTOM + lines * 22.0,
            left: 170.0,
            ..Self::new(title, description, x, y)
        }
    }

    pub(super) fn legend(&mut self, series: Series, name: Text) {
        self.legend.push((series, name));
    }

    fn at_x(&self, x: f64) -> f64 {
        let share = (x - self.x.from) / (self.x.to - self.x.from);
        self.left + share.clamp(-0.02, 1.02) * (WIDTH - RIGHT - self.left)
    }

    fn at_y(&self, y: f64) -> f64 {
        let share = (y - self.y.from) / (self.y.to - self.y.from);
        self.height - BOTTOM - share.clamp(-0.02, 1.02) * (self.height - BOTTOM - TOP)
    }

    pub(super) fn line(&mut self, points: impl IntoIterator<Item = (f64, f64)>, series: Series) {
        let points: Vec<String> = points
            .into_iter()
            .map(|(x, y)| format!("{:.1},{:.1}", self.at_x(x), self.at_y(y)))
            .collect();
        self.marks.push_str(&format!(
            "<polyline class=\"line {}\" points=\"{}\"/>",
            series.class(),
            points.join(" ")
        ));
    }

    /// A dotted reference line.
    pub(super) fn reference(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.marks.push_str(&format!(
            "<line class=\"ref\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            self.at_x(from.0),
            self.at_y(from.1),
            self.at_x(to.0),
            self.at_y(to.1)
        ));
    }

    /// A dot with its interval, upright.
    pub(super) fn dot(&mut self, x: f64, y: f64, interval: Option<(f64, f64)>, series: Series) {
        if let Some((low, high)) = interval {
            self.whisker((x, low), (x, high));
        }
        self.marker(x, y, series);
    }

    /// A dot with its interval, lying.
    pub(super) fn lying_dot(
        &mut self,
        x: f64,
        line: usize,
        interval: Option<(f64, f64)>,
        series: Series,
    ) {
        let y = self.y.to - line as f64 - 0.5;
        if let Some((low, high)) = interval {
            self.whisker((low, y), (high, y));
        }
        self.marker(x, y, series);
    }

    fn marker(&mut self, x: f64, y: f64, series: Series) {
        self.marks.push_str(&format!(
            "<circle class=\"fill-{}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\"/>",
            series.class(),
            self.at_x(x),
            self.at_y(y)
        ));
    }

    fn whisker(&mut self, from: (f64, f64), to: (f64, f64)) {
        self.marks.push_str(&format!(
            "<line class=\"whisker\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
            self.at_x(from.0),
            self.at_y(from.1),
            self.at_x(to.0),
            self.at_y(to.1)
        ));
    }

    /// An upright bar from zero, with its interval. `width` is in units of the axis.
    pub(super) fn bar(
        &mut self,
        x: f64,
        y: f64,
        width: f64,
        interval: Option<(f64, f64)>,
        series: Series,
    ) {
        let (left, right) = (self.at_x(x - width / 2.0), self.at_x(x + width / 2.0));
        let (top, bottom) = (self.at_y(y), self.at_y(0.0));
        self.marks.push_str(&format!(
            "<rect class=\"bar-{}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            series.class(),
            right - left,
            (bottom - top).max(0.0)
        ));
        if let Some((low, high)) = interval {
            self.whisker((x, low), (x, high));
        }
    }

    /// A lying bar from zero.
    pub(super) fn lying_bar(&mut self, x: f64, line: usize, series: Series) {
        let y = self.y.to - line as f64 - 0.5;
        let (left, right) = (self.at_x(0.0), self.at_x(x));
        self.marks.push_str(&format!(
            "<rect class=\"bar-{}\" x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"13\"/>",
            series.class(),
            self.at_y(y) - 6.5,
            (right - left).max(0.0)
        ));
    }

    pub(super) fn svg(&self, id: &str) -> String {
        let mut out = format!(
            "<svg viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
             <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>",
            self.height,
            self.title.plain(),
            self.description.plain()
        );
        self.draw_axes(&mut out);
        out.push_str(&self.marks);
        let mut x = self.left;
        for (series, name) in &self.legend {
            out.push_str(&format!(
                "<line class=\"line {}\" x1=\"{x:.0}\" y1=\"14\" x2=\"{:.0}\" y2=\"14\"/><text x=\"{:.0}\" y=\"18\">{}</text>",
                series.class(),
                x + 26.0,
                x + 32.0,
                name.svg()
            ));
            x += 250.0;
        }
        out.push_str("</svg>");
        out
    }

    fn draw_axes(&self, out: &mut String) {
        let (bottom, right) = (self.height - BOTTOM, WIDTH - RIGHT);
        let down_the_side = !self.y.places.is_empty();
        for (at, name) in self.y.ticks() {
            let y = self.at_y(at);
            if !down_the_side {
                out.push_str(&format!(
                    "<line class=\"grid\" x1=\"{:.1}\" y1=\"{y:.1}\" x2=\"{right:.1}\" y2=\"{y:.1}\"/>",
                    self.left
                ));
            }
            out.push_str(&format!(
                "<text class=\"soft\" text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
                self.left - 7.0,
                y + 4.0
            ));
        }
        for (at, name) in self.x.ticks() {
            let x = self.at_x(at);
            if self.x.places.is_empty() {
                out.push_str(&format!(
                    "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP:.1}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\"/>"
                ));
            }
            out.push_str(&format!(
                "<text class=\"soft\" text-anchor=\"middle\" x=\"{x:.1}\" y=\"{:.1}\">{name}</text>",
                bottom + 17.0
            ));
        }
        out.push_str(&format!(
            "<line class=\"axis\" x1=\"{0:.1}\" y1=\"{bottom:.1}\" x2=\"{right:.1}\" y2=\"{bottom:.1}\"/>\
             <line class=\"axis\" x1=\"{0:.1}\" y1=\"{TOP:.1}\" x2=\"{0:.1}\" y2=\"{bottom:.1}\"/>",
            self.left
        ));
        out.push_str(&format!(
            "<text text-anchor=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            (self.left + right) / 2.0,
            self.height - 8.0,
            self.x.label.svg()
        ));
        if !down_the_side {
            let middle = (TOP + bottom) / 2.0;
            out.push_str(&format!(
                "<text text-anchor=\"middle\" transform=\"rotate(-90 14 {middle:.1})\" x=\"14\" y=\"{middle:.1}\">{}</text>",
                self.y.label.svg()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::{same, t};
    use super::*;

    #[test]
    fn axes_end_on_round_numbers_that_cover_the_data() {
        let axis = |to| Axis::rounded(same(""), 0.0, to, Form::Percent);
        assert_eq!(axis(0.23).to, 0.25);
        assert_eq!(axis(1.0).to, 1.0);
        assert_eq!(axis(0.0).to, 1.0, "nothing to show still has an axis");
        let ticks: Vec<String> = axis(0.23)
            .ticks()
            .into_iter()
            .map(|(_, name)| name)
            .collect();
        assert_eq!(ticks, ["0 %", "5 %", "10 %", "15 %", "20 %", "25 %"]);
    }

    #[test]
    fn a_bar_begins_at_zero_and_a_dot_lies_on_its_value() {
        let axis = || Axis::exact(same("x"), 0.0, 1.0, Form::Plain);
        let mut plot = Plot::new(t("标题", "title"), t("说明", "text"), axis(), axis());
        plot.bar(0.5, 0.5, 0.2, Some((0.4, 0.6)), Series::Two);
        let svg = plot.svg("p");
        // The plot runs from 34 to 312: half of it is 139 high, and ends on the axis.
        assert!(
            svg.contains("y=\"173.0\"") && svg.contains("height=\"139.0\""),
            "{svg}"
        );
        assert!(svg.contains("<title id=\"p-t\">标题 / title</title>") && svg.contains("bar-two"));
    }
}
