//! Intervals of proportions, and the few distribution functions that the evaluation needs.

/// The 97.5 % point of the normal distribution.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// The score interval of a proportion at 95 % (Wilson 1927); the whole range without observations.
///
/// `n` may be an effective number of observations and `found` a weighted one, as for proportions of complex samples
/// (Korn & Graubard 1998; Franco, Little, Louis & Slud 2019).
pub fn wilson(found: f64, n: f64) -> (f64, f64) {
    if !(n > 0.0 && n.is_finite()) {
        return (0.0, 1.0);
    }
    let p = (found / n).clamp(0.0, 1.0);
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (
        ((centre - half) / scale).max(0.0),
        ((centre + half) / scale).min(1.0),
    )
}

/// The exact interval of a proportion at 95 % (Clopper & Pearson 1934), by quantiles of the beta distribution.
pub fn clopper_pearson(found: f64, n: f64) -> (f64, f64) {
    if !(n > 0.0 && n.is_finite()) {
        return (0.0, 1.0);
    }
    let found = found.clamp(0.0, n);
    let low = if found <= 0.0 {
        0.0
    } else {
        beta_quantile(0.025, found, n - found + 1.0)
    };
    let high = if found >= n {
        1.0
    } else {
        beta_quantile(0.975, found + 1.0, n - found)
    };
    (low, high)
}

/// The normal distribution function, by the series of Marsaglia 2004 (Journal of Statistical Software 11(4)).
pub(super) fn normal_below(x: f64) -> f64 {
    if x.abs() > 8.0 {
        // Beyond eight the tail is below 1e-15.
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut sum, mut term, mut k) = (x, x, 1.0);
    loop {
        k += 2.0;
        term *= x * x / k;
        let next = sum + term;
        if next == sum {
            break;
        }
        sum = next;
    }
    let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    (0.5 + sum * density).clamp(0.0, 1.0)
}

/// The two-sided p-value of a standardised difference.
pub(super) fn two_sided(z: f64) -> f64 {
    2.0 * normal_below(-z.abs())
}

/// The quantile of a beta distribution by bisection: the distribution function rises, and 60 halvings are beyond the
/// precision of binary64.
fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if beta_below(middle, a, b) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The regularised incomplete beta function, by its continued fraction (DLMF 8.17.22) and Lentz's method.
fn beta_below(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_below(1.0 - x, b, a);
    }
    let front = (log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * x.ln() + b * (1.0 - x).ln())
        .exp()
        / a;
    let keep = |value: f64| if value.abs() < 1e-300 { 1e-300 } else { value };
    let (mut c, mut d) = (1.0, 1.0 / keep(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for m in 1..500 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / keep(1.0 + even * d);
        c = keep(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / keep(1.0 + odd * d);
        c = keep(1.0 + odd / c);
        let step = d * c;
        fraction *= step;
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    (front * fraction).clamp(0.0, 1.0)
}

/// The logarithm of the gamma function for positive numbers: Stirling's series (DLMF 5.11.1) after shifting to 10.
fn log_gamma(x: f64) -> f64 {
    let (mut x, mut shift) = (x, 0.0);
    while x < 10.0 {
        shift -= x.ln();
        x += 1.0;
    }
    let r = 1.0 / (x * x);
    let series = (1.0 / 12.0 - r * (1.0 / 360.0 - r * (1.0 / 1260.0 - r / 1680.0))) / x;
    shift + (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: f64, wanted: f64, within: f64) {
        assert!((got - wanted).abs() <= within, "{got} is not {wanted}");
    }

    #[test]
    fn the_wilson_interval_has_its_published_values() {
        // Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611.
        let (low, high) = wilson(81.0, 263.0);
        close(low, 0.2553, 5e-5);
        close(high, 0.3662, 5e-5);
        let (low, high) = wilson(0.0, 20.0);
        assert_eq!(low, 0.0);
        close(high, 0.1611, 5e-5);
    }

    #[test]
    fn the_exact_interval_has_its_published_values() {
        // Newcombe 1998, table I, method 5: 81 of 263 gives 0.2527 to 0.3676; 0 of 20 gives 0 to 0.1684; 1 of 29 gives
        // 0.0009 to 0.1776.
        let (low, high) = clopper_pearson(81.0, 263.0);
        close(low, 0.2527, 5e-5);
        close(high, 0.3676, 5e-5);
        let (low, high) = clopper_pearson(0.0, 20.0);
        assert_eq!(low, 0.0);
        close(high, 0.1684, 5e-5);
        let (low, high) = clopper_pearson(1.0, 29.0);
        close(low, 0.0009, 5e-5);
        close(high, 0.1776, 5e-5);
    }

    #[test]
    fn the_exact_interval_inverts_the_binomial_distribution() {
        // By definition: 2.5 % of outcomes as large or larger at the lower end, as small or smaller at the upper.
        let binomial = |k: u32, n: u32, p: f64| {
            let choose = (1..=k).fold(1.0, |c, i| c * f64::from(n - k + i) / f64::from(i));
            choose * p.powi(k as i32) * (1.0 - p).powi((n - k) as i32)
        };
        for (found, n) in [(1_u32, 5_u32), (3, 10), (17, 40), (39, 40)] {
            let (low, high) = clopper_pearson(f64::from(found), f64::from(n));
            let above: f64 = (found..=n).map(|k| binomial(k, n, low)).sum();
            let below: f64 = (0..=found).map(|k| binomial(k, n, high)).sum();
            close(above, 0.025, 1e-10);
            close(below, 0.025, 1e-10);
        }
    }

    #[test]
    fn the_normal_distribution_has_its_tabled_values() {
        close(normal_below(0.0), 0.5, 1e-15);
        close(normal_below(Z), 0.975, 1e-12);
        close(normal_below(-1.0), 0.158_655_253_931_457, 1e-14);
        close(two_sided(3.0), 0.002_699_796_063_260, 1e-13);
        close(normal_below(40.0), 1.0, 0.0);
    }

    #[test]
    fn nothing_observed_leaves_everything_possible() {
        assert_eq!(wilson(0.0, 0.0), (0.0, 1.0));
        assert_eq!(clopper_pearson(0.0, f64::NAN), (0.0, 1.0));
    }
}
