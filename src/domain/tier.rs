//! The four credit-risk tiers.

use super::coded::coded_enum;

coded_enum! {
    /// Credit-risk tier (风险类别), ordered from low to high risk.
    ///
    /// A tier is an internal reference for supervision: it appears in no public answer, transcript or log line.
    Tier, "tier" {
        /// Low risk (信用风险低).
        A = 1 "A",
        /// General risk (信用风险一般).
        B = 2 "B",
        /// Elevated risk (信用风险较高).
        C = 3 "C",
        /// High risk (信用风险高).
        D = 4 "D",
    }
}

impl Tier {
    /// The tier `steps` worse, never beyond [`Tier::D`].
    pub fn worsened_by(self, steps: u8) -> Self {
        Self::from_code(self.code().saturating_add(steps)).unwrap_or(Self::D)
    }
}

#[cfg(test)]
mod tests {
    use super::Tier;

    #[test]
    fn tiers_order_from_low_to_high_risk() {
        assert!(Tier::A < Tier::B && Tier::B < Tier::C && Tier::C < Tier::D);
    }

    #[test]
    fn worsening_stops_at_d() {
        assert_eq!(Tier::A.worsened_by(2), Tier::C);
        assert_eq!(Tier::C.worsened_by(2), Tier::D);
        assert_eq!(Tier::B.worsened_by(255), Tier::D);
    }
}
