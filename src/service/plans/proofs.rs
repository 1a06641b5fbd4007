//! Showing an enterprise that it was in a frozen pool, and the chain over all closed plans.

use serde::{Deserialize, Serialize};

use crate::domain::EnterpriseId;
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::sampling::merkle::{MembershipProof, OwnRow, prove_member};
use crate::sampling::transcript::Edition;
use crate::sampling::verification::{Chain, Check, Outcome, Verification};
use crate::service::{Service, ServiceError};

/// Shows that one enterprise was in a frozen pool; with its own row, also in which stratum and with which size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// The plan; left out where only the root matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<String>,
    /// The plan digest published at the freeze.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_digest: Option<Digest>,
    /// The hash of the plan.
    pub hash: HashAlgorithm,
    /// The pool root published at the freeze.
    pub pool_root: Digest,
    /// Leads from the enterprise to the root, without its stratum.
    pub proof: MembershipProof,
    /// For the enterprise itself and nobody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_row: Option<OwnRow>,
}

impl Membership {
    /// Recomputes the way to the root; `root` is the one that was published, where it is known.
    #[must_use]
    pub fn verify(&self, root: Option<&Digest>) -> Verification {
        let mut checks = Vec::new();
        let mut holds = |name: &str, holds: bool, otherwise: &str| {
            let outcome = if holds {
                Outcome::Same
            } else {
                Outcome::Differs {
                    detail: otherwise.to_owned(),
                }
            };
            checks.push(Check {
                name: name.to_owned(),
                outcome,
            });
        };
        if let Some(root) = root {
            let same = *root == self.pool_root;
            holds("pool_root", same, "not the root that was published");
        }
        let leads = self.proof.leads_to(self.hash, &self.pool_root);
        holds("proof", leads, "the path does not lead to the pool root");
        if let Some(row) = &self.own_row {
            let matches = row.matches(self.hash, &self.proof, &self.pool_root);
            holds("own_row", matches, "not the row behind the proof");
        }
        if root.is_none() {
            checks.push(Check {
                name: "pool_root".to_owned(),
                outcome: Outcome::NotChecked {
                    detail: "compare it with what was published at the freeze".to_owned(),
                },
            });
        }
        Verification {
            edition: None,
            checks,
        }
    }
}

impl Service {
    /// The membership proof of an enterprise in the pool of a frozen plan. With `own_row` also its row, which is for the
    /// enterprise itself and nobody else.
    ///
    /// # Errors
    ///
    /// When the plan is not frozen yet, or the enterprise is not in its pool.
    pub fn membership(
        &self,
        plan_id: &str,
        id: &EnterpriseId,
        own_row: bool,
    ) -> Result<Membership, ServiceError> {
        let document = self.plan_document(plan_id)?;
        let Some(frozen) = &document.frozen else {
            return Err(self.state_error(&document, "frozen"));
        };
        let pool = self.kept_pool(plan_id)?;
        let (hash, secret) = (frozen.plan.hash, &frozen.pool_secret);
        let found = pool
            .find(id.as_str())
            .and_then(|index| prove_member(hash, secret, &pool, index));
        let Some((proof, row)) = found else {
            return Err(ServiceError::NotInPool {
                plan_id: plan_id.to_owned(),
                enterprise_id: id.clone(),
            });
        };
        Ok(Membership {
            plan_id: Some(plan_id.to_owned()),
            plan_digest: Some(frozen.plan_digest),
            hash,
            pool_root: frozen.plan.pool_root,
            proof,
            own_row: own_row.then_some(row),
        })
    }

    /// Verifies the chain over all closed plans: each is drawn again from what is kept, its transcript has the digest that
    /// was kept, and every transcript names the one closed before it.
    ///
    /// # Errors
    ///
    /// When the store fails. A plan that does not replay any more is a difference.
    pub fn verify_chain(&self) -> Result<Verification, ServiceError> {
        let mut chain = Chain::new();
        let mut broken = Vec::new();
        let mut head = None;
        for plan_id in self.store.closed_plans()? {
            let kept = self.plan(&plan_id)?.transcript_digest;
            let mut differs = |detail: String| {
                broken.push(Check {
                    name: format!("{plan_id}:transcript"),
                    outcome: Outcome::Differs { detail },
                });
            };
            match self.transcript(&plan_id, Edition::Auditor) {
                Ok(transcript) => {
                    let is_kept = HashAlgorithm::ALL
                        .iter()
                        .any(|hash| Some(hash.hash(&[&transcript])) == kept);
                    if !is_kept {
                        differs("the transcript has not the digest that was kept".to_owned());
                    }
                    chain.add(&plan_id, &transcript)?;
                }
                Err(ServiceError::Store(error)) => return Err(error.into()),
                Err(error) => differs(error.to_string()),
            }
            head = kept;
        }
        if chain.is_empty() && broken.is_empty() {
            return Ok(Verification {
                edition: Some(Edition::Auditor),
                checks: Vec::new(),
            });
        }
        let mut verification = chain.finish(head);
        verification.checks.extend(broken);
        Ok(verification)
    }
}
