//! How sure a plan will let one be: the interval that its results will have.

/// The two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// One stratum of a tier: objects, expected visits and predicted problem probability.
#[derive(Clone, Copy, Debug)]
pub struct Precision {
    /// Its objects.
    pub objects: u64,
    /// Visits expected.
    pub visits: f64,
    /// Predicted share of visits that find a problem; one half, the worst case, where nothing is predicted.
    pub problem: f64,
}

/// Half the width of the 95 % interval of the estimated problem rate over these strata: `z·√Σ (N_h/N)²(1 − f_h)p(1 − p)/n_h`,
/// the variance of a stratified proportion. A stratum that expects less than one visit counts as one visit, and nothing
/// beyond 1 is told: it is the width of all that could be. `None` without objects.
pub fn expected_half_width(strata: &[Precision]) -> Option<f64> {
    let objects: u64 = strata.iter().map(|stratum| stratum.objects).sum();
    if objects == 0 {
        return None;
    }
    let variance: f64 = strata
        .iter()
        .map(|stratum| {
            let visits = stratum.visits.max(1.0).min(stratum.objects.max(1) as f64);
            let share = stratum.objects as f64 / objects as f64;
            let unseen = 1.0 - visits / stratum.objects.max(1) as f64;
            share * share * unseen * stratum.problem * (1.0 - stratum.problem) / visits
        })
        .sum();
    Some((Z * variance.sqrt()).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stratum_has_the_interval_of_a_proportion() {
        let half = expected_half_width(&[Precision {
            objects: 1_000_000,
            visits: 100.0,
            problem: 0.5,
        }]);
        // 1.96·√(0.25/100) = 0.098.
        assert!((half.unwrap() - 0.098).abs() < 1e-4);
    }

    #[test]
    fn who_sees_everybody_is_sure() {
        let all = Precision {
            objects: 20,
            visits: 20.0,
            problem: 0.3,
        };
        assert_eq!(expected_half_width(&[all]), Some(0.0));
        assert_eq!(expected_half_width(&[]), None);
    }
}
