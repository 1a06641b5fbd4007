//! With what probability a visit was drawn, as the plans of this service say.

use jiff::civil::Date;
use std::collections::BTreeMap;

use crate::domain::EnterpriseId;
use crate::sampling::plan::Method;
use crate::service::{PlanState, Service, ServiceError};

/// Plans read at once.
const PAGE: usize = 100;

/// The draws of each enterprise.
#[derive(Debug, Default)]
pub(super) struct Design {
    draws: BTreeMap<EnterpriseId, Vec<Drawn>>,
    /// Plans that drew anything.
    pub(super) plan_count: u64,
}

/// One draw of one enterprise.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Drawn {
    from: Date,
    to: Date,
    probability: f64,
}

impl Design {
    /// The probability with which a visit on a day was drawn; nothing where no plan drew it. Of several plans that begin
    /// on different days the last one counts.
    pub(super) fn probability(&self, id: &EnterpriseId, day: Date) -> Option<f64> {
        let draws = self.draws.get(id)?;
        let of_day = draws
            .iter()
            .filter(|one| (one.from..=one.to).contains(&day));
        of_day.max_by_key(|one| one.from).map(|one| one.probability)
    }

    /// Whether any plan drew anything.
    pub(super) fn is_empty(&self) -> bool {
        self.draws.is_empty()
    }
}

impl Service {
    /// What the drawn plans say. The probability is that of the object's stratum, exploration included; plans in mere
    /// order select nobody and say nothing, as does a plan whose probabilities differ within a stratum.
    pub(super) fn design(&self) -> Result<Design, ServiceError> {
        let mut design = Design::default();
        let mut before: Option<String> = None;
        loop {
            let page = self.plans(before.as_deref(), PAGE)?;
            let Some(last) = page.last() else { break };
            before = Some(last.plan_id.clone());
            for plan in &page {
                let is_drawn = match plan.state {
                    PlanState::Drawn | PlanState::Closed => true,
                    PlanState::Draft | PlanState::Frozen | PlanState::Void => false,
                };
                if !is_drawn || plan.request.method != Method::Equal {
                    continue;
                }
                let by_stratum: BTreeMap<&str, f64> = plan
                    .preview
                    .strata
                    .iter()
                    .map(|stratum| (stratum.key.as_str(), stratum.inclusion_probability))
                    .collect();
                let pool = self.kept_pool(&plan.plan_id)?;
                design.plan_count += 1;
                for object in self.sample(&plan.plan_id)? {
                    let place = pool.find(&object.enterprise_id);
                    let stratum = place.and_then(|at| pool.object(at));
                    let Some(probability) = stratum
                        .and_then(|found| {
                            by_stratum.get(found.stratum.to_string().as_str()).copied()
                        })
                        .filter(|probability| *probability > 0.0 && *probability <= 1.0)
                    else {
                        continue;
                    };
                    let Ok(id) = EnterpriseId::parse(&object.enterprise_id) else {
                        continue;
                    };
                    design.draws.entry(id).or_default().push(Drawn {
                        from: plan.request.period.from,
                        to: plan.request.period.to,
                        probability,
                    });
                }
            }
        }
        Ok(design)
    }
}
