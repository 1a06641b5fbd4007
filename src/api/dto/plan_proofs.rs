//! Replacements, membership proofs and what verifies them.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::codes::{Hash, ReplaceReason};
use super::present;
use crate::domain::digest::Digest;
use crate::domain::{FieldError, field};
use crate::service::{
    Membership, MembershipProof, OwnRow, ReplaceRequest, Replaced, Replacement, Side, TakenObject,
    person,
};

/// Who is to be replaced, why, and who says so.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "an object with `enterprise_id`, `reason` and `by`"
)]
pub(crate) struct ReplaceInput {
    /// The object: drawn, or in the sample by an earlier replacement.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// Why it is not visited.
    reason: ReplaceReason,
    /// What the code does not say, 1 to 1000 bytes; needed for `other`.
    #[serde(default, deserialize_with = "present")]
    #[schema(
        example = "closed since October, says the landlord",
        min_length = 1,
        max_length = 1000
    )]
    note: Option<String>,
    /// Who says so: an id or role at the office, never a private name.
    #[schema(example = "officer-17", min_length = 1, max_length = 64)]
    by: String,
}

impl ReplaceInput {
    pub(crate) fn parse(self) -> Result<ReplaceRequest, FieldError> {
        Ok(ReplaceRequest {
            enterprise_id: field::enterprise_id("enterprise_id", &self.enterprise_id)?,
            reason: self.reason.into(),
            note: self.note,
            by: person("by", &self.by)?,
        })
    }
}

/// Who took the place of whom.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Replacement)]
pub(crate) struct ReplacementAnswer {
    /// Its number within the plan.
    #[schema(example = 1, minimum = 1)]
    number: u64,
    /// The object that is not visited.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// The key under which it was drawn.
    #[schema(example = "S001")]
    stratum: String,
    /// Why.
    reason: ReplaceReason,
    /// What the code does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Who took its place; left out where there is no reserve left.
    #[serde(skip_serializing_if = "Option::is_none")]
    taken: Option<TakenAnswer>,
    /// Who said so.
    #[schema(example = "officer-17")]
    by: String,
    /// When.
    #[schema(format = DateTime, example = "2026-12-03T09:00:00Z")]
    at: String,
}

/// What came of a replacement.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReplacedObject)]
pub(crate) struct ReplacedAnswer {
    #[serde(flatten)]
    replacement: ReplacementAnswer,
    /// Objects of the reserve that may not be visited any more, each with the next one; whoever the last of them names is
    /// visited. Left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passed_over: Vec<ReplacementAnswer>,
}

impl From<Replaced> for ReplacedAnswer {
    fn from(replaced: Replaced) -> Self {
        let Replaced {
            replacement,
            passed_over,
        } = replaced;
        Self {
            replacement: replacement.into(),
            passed_over: passed_over.into_iter().map(Into::into).collect(),
        }
    }
}

/// An object that took a place from the reserve.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TakenObject)]
pub(crate) struct TakenAnswer {
    /// The object.
    #[schema(example = "91990000MA00000025")]
    enterprise_id: String,
    /// Its place in the order of its stratum.
    #[schema(example = 41, minimum = 1)]
    order: u64,
}

impl From<Replacement> for ReplacementAnswer {
    fn from(replacement: Replacement) -> Self {
        let Replacement {
            number,
            enterprise_id,
            stratum,
            reason,
            note,
            taken,
            by,
            at,
        } = replacement;
        Self {
            number,
            enterprise_id,
            stratum,
            reason: reason.into(),
            note,
            taken: taken.map(
                |TakenObject {
                     enterprise_id,
                     order,
                 }| TakenAnswer {
                    enterprise_id,
                    order,
                },
            ),
            by: by.into(),
            at,
        }
    }
}

/// Whether the enterprise's own row is shown.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MembershipQuery {
    /// Whether the stratum, size and salt are shown too; default false. They are for the enterprise itself and nobody
    /// else.
    #[param(inline, example = true)]
    #[serde(default)]
    pub(crate) own_row: bool,
}

/// Shows that an enterprise was in a frozen pool.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "an object with `hash`, `pool_root` and `proof`"
)]
#[schema(as = Membership)]
pub(crate) struct MembershipBody {
    /// The plan; may be left out where only the root matters.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(example = "rtp1-0123456789abcdef0123456789abcdef")]
    plan_id: Option<String>,
    /// The plan digest published at the freeze.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    plan_digest: Option<String>,
    /// The hash of the plan.
    hash: Hash,
    /// The pool root published at the freeze.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pool_root: String,
    /// Leads from the enterprise to the root, without its stratum.
    proof: ProofBody,
    /// For the enterprise itself and nobody else.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    own_row: Option<OwnRowBody>,
}

/// A membership proof (`risktier-draw/1` section 1).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "an object with `id`, `blind` and `path`"
)]
#[schema(as = MembershipProof)]
pub(crate) struct ProofBody {
    /// The object's id.
    #[schema(example = "91990000MA00000017")]
    id: String,
    /// The blinded row.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    blind: String,
    /// The siblings from the leaf up, each with the side on which it stands.
    path: Vec<(PathSide, String)>,
}

/// On which side of the path a sibling stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) enum PathSide {
    L,
    R,
}

/// An object's own row.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "an object with `id`, `stratum`, `size` and `salt`"
)]
#[schema(as = OwnRow)]
pub(crate) struct OwnRowBody {
    /// The object's id.
    #[schema(example = "91990000MA00000017")]
    id: String,
    /// The stratum it stood in.
    #[schema(example = "S001")]
    stratum: String,
    /// Its size measure.
    #[schema(value_type = u64, example = 1, maximum = 4_294_967_295_u64)]
    size: u32,
    /// The salt of its row.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    salt: String,
}

fn digest(name: &str, text: &str) -> Result<Digest, FieldError> {
    text.parse()
        .map_err(|error| FieldError::new(name, text, format!("is {error}")))
}

impl MembershipBody {
    pub(crate) fn parse(self) -> Result<Membership, FieldError> {
        let ProofBody { id, blind, path } = self.proof;
        let path = path.into_iter().enumerate();
        Ok(Membership {
            plan_id: self.plan_id,
            plan_digest: self
                .plan_digest
                .map(|text| digest("plan_digest", &text))
                .transpose()?,
            hash: self.hash.into(),
            pool_root: digest("pool_root", &self.pool_root)?,
            proof: MembershipProof {
                id,
                blind: digest("proof.blind", &blind)?,
                path: path
                    .map(|(place, (side, sibling))| {
                        let side = match side {
                            PathSide::L => Side::L,
                            PathSide::R => Side::R,
                        };
                        Ok((side, digest(&format!("proof.path.{place}.1"), &sibling)?))
                    })
                    .collect::<Result<_, FieldError>>()?,
            },
            own_row: self
                .own_row
                .map(|row| {
                    Ok::<_, FieldError>(OwnRow {
                        id: row.id,
                        stratum: row.stratum,
                        size: row.size,
                        salt: digest("own_row.salt", &row.salt)?,
                    })
                })
                .transpose()?,
        })
    }
}

impl From<Membership> for MembershipBody {
    fn from(membership: Membership) -> Self {
        let Membership {
            plan_id,
            plan_digest,
            hash,
            pool_root,
            proof: MembershipProof { id, blind, path },
            own_row,
        } = membership;
        let path = path.into_iter().map(|(side, sibling)| {
            let side = match side {
                Side::L => PathSide::L,
                Side::R => PathSide::R,
            };
            (side, sibling.to_string())
        });
        Self {
            plan_id,
            plan_digest: plan_digest.map(|digest| digest.to_string()),
            hash: hash.into(),
            pool_root: pool_root.to_string(),
            proof: ProofBody {
                id,
                blind: blind.to_string(),
                path: path.collect(),
            },
            own_row: own_row.map(
                |OwnRow {
                     id,
                     stratum,
                     size,
                     salt,
                 }| OwnRowBody {
                    id,
                    stratum,
                    size,
                    salt: salt.to_string(),
                },
            ),
        }
    }
}
