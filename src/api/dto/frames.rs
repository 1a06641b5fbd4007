//! Frames.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

use super::present;
use crate::service::FrameSummary;

/// The day that a frame is to speak for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct FrameInput {
    /// The day; default the present one.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date, example = "2026-11-22")]
    pub(crate) as_of: Option<String>,
}

/// A frame: the classified register frozen at an instant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Frame)]
pub(crate) struct FrameAnswer {
    /// Its id.
    #[schema(example = "019362a4-5c1e-7d40-b0a6-2f6a3f0c9a11")]
    pub(crate) frame_id: String,
    /// Its number, consecutive within the installation.
    #[schema(example = 1, minimum = 1)]
    pub(crate) number: u64,
    /// The day its tiers speak for.
    #[schema(format = Date, example = "2026-11-22")]
    as_of: String,
    /// When it was frozen.
    #[schema(format = DateTime, example = "2026-11-22T08:00:00Z")]
    frozen_at: String,
    /// Epoch of its tiers.
    #[schema(example = "0123456789abcdef")]
    epoch: String,
    /// Digest of catalogue and scorecard.
    model_digest: String,
    /// Digest of the policy.
    policy_digest: String,
    /// SHA-256 of the frame's file.
    frame_digest: String,
    /// Number of objects.
    #[schema(example = 20000)]
    object_count: u64,
    /// Number of objects by tier.
    #[schema(example = json!({"A": 12000, "B": 6000, "C": 1500, "D": 500}))]
    tiers: BTreeMap<String, u64>,
    /// Number of objects by complaint band.
    #[schema(example = json!({"none": 19700, "some": 300}))]
    complaint_bands: BTreeMap<String, u64>,
}

impl From<FrameSummary> for FrameAnswer {
    fn from(summary: FrameSummary) -> Self {
        let FrameSummary {
            frame_id,
            number,
            as_of,
            frozen_at,
            epoch,
            model_digest,
            policy_digest,
            frame_digest,
            object_count,
            tiers,
            complaint_bands,
        } = summary;
        Self {
            frame_id,
            number,
            as_of: as_of.to_string(),
            frozen_at,
            epoch,
            model_digest: model_digest.to_string(),
            policy_digest: policy_digest.to_string(),
            frame_digest: frame_digest.to_string(),
            object_count,
            tiers: tiers
                .into_iter()
                .map(|(tier, count)| (tier.to_string(), count))
                .collect(),
            complaint_bands,
        }
    }
}
