//! The numbers behind the fictional records: four ways of behaving and what each leads to.
//!
//! One hidden way of behaving per enterprise ties its records together, so that a few hold many, as in real registers.
//! Rates are means per year; counts are gamma–Poisson with shape 1 (geometric), so they are over-dispersed within each
//! way, too. Chances hold at the as-of day.

/// How an enterprise behaves.
pub(super) struct Behaviour {
    /// Share of the register in parts of 1,000.
    pub(super) share: u64,
    /// Minor penalties a year.
    pub(super) minor_penalties: f64,
    /// General penalties a year.
    pub(super) general_penalties: f64,
    /// Serious penalties a year.
    pub(super) serious_penalties: f64,
    /// Complaints compared with others of the same size and industry.
    pub(super) complaints: f64,
    /// Chance that a complaint or report is upheld, once decided.
    pub(super) upheld: f64,
    /// Other misconduct a year, each: failed samplings, coercive measures, broken promises, unpublished information.
    pub(super) misconduct: f64,
    /// Adverse media reports a year.
    pub(super) adverse_media: f64,
    /// Changes of registration a year.
    pub(super) registration_changes: f64,
    /// Routine inspections a year.
    pub(super) inspections: f64,
    /// Chance that an inspection finds a problem.
    pub(super) problem_found: f64,
    /// Chance of a missing report, each year.
    pub(super) report_missing: f64,
    /// Chance of a late report or one edited again and again, each year.
    pub(super) report_late: f64,
    /// Chance that the latest reports state zero throughout.
    pub(super) report_all_zero: f64,
    /// Chance of being on the list of abnormal operation.
    pub(super) abnormal_now: f64,
    /// Chance of having been on it within three years.
    pub(super) abnormal_before: f64,
    /// Chance of being on the list of serious violation.
    pub(super) serious_listing_now: f64,
    /// Chance of an order to stop, to close, or a revoked permit, in force.
    pub(super) stop_order_now: f64,
    /// Chance of being a judgment defaulter.
    pub(super) judgment_now: f64,
    /// Chance of tax arrears or non-normal tax status.
    pub(super) tax_now: f64,
    /// Chance of frozen equity or a defaulted mortgage within two years.
    pub(super) equity_freeze: f64,
    /// Chance of a major accident within three years.
    pub(super) accident: f64,
    /// Chance that a permit has run out.
    pub(super) permit_lapsed: f64,
    /// Chance of each bad flag among the attributes.
    pub(super) bad_flag: f64,
    /// Commendations a year.
    pub(super) commendations: f64,
}

/// Runs its business in order; has at most small matters on record.
pub(super) const CAREFUL: Behaviour = Behaviour {
    share: 605,
    minor_penalties: 0.004,
    general_penalties: 0.003,
    serious_penalties: 0.0,
    complaints: 0.75,
    upheld: 0.2,
    misconduct: 0.001,
    adverse_media: 0.001,
    registration_changes: 0.15,
    inspections: 0.05,
    problem_found: 0.04,
    report_missing: 0.005,
    report_late: 0.02,
    report_all_zero: 0.02,
    abnormal_now: 0.002,
    abnormal_before: 0.006,
    serious_listing_now: 0.0,
    stop_order_now: 0.0,
    judgment_now: 0.0005,
    tax_now: 0.002,
    equity_freeze: 0.002,
    accident: 0.0,
    permit_lapsed: 0.01,
    bad_flag: 0.004,
    commendations: 0.03,
};

/// Makes the mistakes that most make.
const ORDINARY: Behaviour = Behaviour {
    share: 288,
    minor_penalties: 0.06,
    general_penalties: 0.06,
    serious_penalties: 0.001,
    complaints: 1.1,
    upheld: 0.3,
    misconduct: 0.012,
    adverse_media: 0.006,
    registration_changes: 0.3,
    inspections: 0.06,
    problem_found: 0.18,
    report_missing: 0.035,
    report_late: 0.1,
    report_all_zero: 0.08,
    abnormal_now: 0.03,
    abnormal_before: 0.05,
    serious_listing_now: 0.0,
    stop_order_now: 0.0005,
    judgment_now: 0.004,
    tax_now: 0.02,
    equity_freeze: 0.015,
    accident: 0.0003,
    permit_lapsed: 0.04,
    bad_flag: 0.03,
    commendations: 0.01,
};

/// Is in trouble: with its reports, its creditors, its customers.
const TROUBLED: Behaviour = Behaviour {
    share: 80,
    minor_penalties: 0.25,
    general_penalties: 0.3,
    serious_penalties: 0.05,
    complaints: 2.0,
    upheld: 0.45,
    misconduct: 0.08,
    adverse_media: 0.04,
    registration_changes: 0.7,
    inspections: 0.15,
    problem_found: 0.45,
    report_missing: 0.2,
    report_late: 0.25,
    report_all_zero: 0.25,
    abnormal_now: 0.4,
    abnormal_before: 0.2,
    serious_listing_now: 0.003,
    stop_order_now: 0.005,
    judgment_now: 0.13,
    tax_now: 0.15,
    equity_freeze: 0.12,
    accident: 0.002,
    permit_lapsed: 0.12,
    bad_flag: 0.15,
    commendations: 0.0,
};

/// Breaks the rules knowingly and again.
const RECKLESS: Behaviour = Behaviour {
    share: 27,
    minor_penalties: 0.6,
    general_penalties: 1.2,
    serious_penalties: 0.35,
    complaints: 3.5,
    upheld: 0.6,
    misconduct: 0.35,
    adverse_media: 0.25,
    registration_changes: 1.2,
    inspections: 0.4,
    problem_found: 0.7,
    report_missing: 0.35,
    report_late: 0.25,
    report_all_zero: 0.2,
    abnormal_now: 0.35,
    abnormal_before: 0.3,
    serious_listing_now: 0.42,
    stop_order_now: 0.3,
    judgment_now: 0.35,
    tax_now: 0.3,
    equity_freeze: 0.3,
    accident: 0.02,
    permit_lapsed: 0.25,
    bad_flag: 0.35,
    commendations: 0.0,
};

/// All ways of behaving, from best to worst.
pub(super) const BEHAVIOURS: &[Behaviour] = &[CAREFUL, ORDINARY, TROUBLED, RECKLESS];

/// Complaints per enterprise and year before size, industry and behaviour; chosen so that the register as a whole has
/// about 0.108 per year, the national figure.
pub(super) const COMPLAINTS_PER_YEAR: f64 = 0.066;

/// Reports (举报) for every complaint: 4.72 M to 13.1 M nationally.
pub(super) const REPORTS_PER_COMPLAINT: f64 = 0.36;

/// Complaints by size: micro, small, medium, large.
pub(super) const COMPLAINTS_BY_SIZE: [f64; 4] = [1.0, 2.5, 8.0, 40.0];

/// Chance that an Internet platform is one of the few with hundreds of complaints a year.
pub(super) const PLATFORM_CHANCE: f64 = 0.01;

/// Complaints of such a platform in a year.
pub(super) const PLATFORM_COMPLAINTS: f64 = 300.0;

/// Chance that a complaint comes from the one who made the previous one.
pub(super) const REPEATED_PARTY: f64 = 0.08;

/// Chance that a complaint or report is still undecided.
pub(super) const UNDECIDED: f64 = 0.35;

/// Chance that an ended listing or an old penalty has been repaired (信用修复).
pub(super) const REPAIRED: f64 = 0.35;

/// Chance that a link to a defaulter or a listed shareholder exists, by way of behaving.
pub(super) const BAD_LINK: [f64; 4] = [0.001, 0.004, 0.04, 0.15];

/// Chance that an attribute is not known.
pub(super) const ATTRIBUTE_ABSENT: f64 = 0.12;
