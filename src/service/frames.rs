//! Freezing the classified register into a frame.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::dossiers::Assembled;
use super::{Current, Service, ServiceError};
use crate::domain::digest::{Digest, HashAlgorithm};
use crate::domain::{AsOf, FieldError, Label, Tier};
use crate::files::{
    FilesError, LineError, ReadOptions, Row, Source, pack, read_frame, read_frame_rows, unpack,
    write_frame,
};
use crate::indicators::current_versions;
use crate::model::Classification;
use crate::sampling::{ComplaintOverlay, Frame, FrameEntry, FrameRow, NO_BAND, complaint_load};

/// Objects by tier.
pub type TierCounts = BTreeMap<Tier, u64>;

/// What is known of a frame without its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameSummary {
    /// Its id.
    pub frame_id: String,
    /// Its number, consecutive within the installation.
    pub number: u64,
    /// The day its tiers speak for.
    pub as_of: Date,
    /// When it was frozen, RFC 3339.
    pub frozen_at: String,
    /// Epoch of its tiers.
    pub epoch: String,
    /// Digest of catalogue and scorecard.
    pub model_digest: Digest,
    /// Digest of the policy.
    pub policy_digest: Digest,
    /// SHA-256 over the frame's file form.
    pub frame_digest: Digest,
    /// Number of objects.
    pub object_count: u64,
    /// Objects by tier.
    pub tiers: TierCounts,
    /// Objects by complaint band.
    pub complaint_bands: BTreeMap<String, u64>,
}

/// What others say of a frame that they have classified: the members of a frame's summary that count, of which all but
/// the model's digest may be left out. Further members are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FrameManifest {
    /// Digest of catalogue and scorecard.
    pub model_digest: Digest,
    /// Epoch of its tiers.
    #[serde(default)]
    pub epoch: Option<String>,
    /// The day its tiers speak for.
    #[serde(default)]
    pub as_of: Option<Date>,
    /// SHA-256 over the frame's file form.
    #[serde(default)]
    pub frame_digest: Option<Digest>,
}

/// What a frame's tiers come from.
struct Origin {
    epoch: String,
    model_digest: Digest,
    policy_digest: Digest,
}

/// The epoch of a frame that others have classified.
const UNKNOWN_EPOCH: &str = "unknown";

impl Service {
    /// Classifies the register as of `day` (default: the present day) and freezes it.
    ///
    /// # Errors
    ///
    /// When the register is empty or the store fails.
    pub fn freeze_frame(&self, day: Option<Date>) -> Result<FrameSummary, ServiceError> {
        let as_of = AsOf::monthly(day.unwrap_or_else(|| self.today()));
        let current = self.in_force_on(as_of.day)?;
        let frame = self.classified_under(&current, as_of)?;
        if frame.rows().is_empty() {
            return Err(ServiceError::EmptyRegister);
        }
        let origin = Origin {
            epoch: current.epoch().to_string(),
            model_digest: *current.models.classifier.model_digest(),
            policy_digest: current.models.policy_digest,
        };
        self.keep_frame(&frame, origin)
    }

    /// Takes a frame that others have classified: CSV, NDJSON or Parquet, of which only id and tier are needed. Its model
    /// is what the manifest says; without one it is not known, and its model digest is all zeros.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, one of its rows is wrong, an id stands twice, there is none, or the manifest is that of
    /// another frame. A frame is whole or it is another one, so nothing is kept then.
    pub fn take_frame(
        &self,
        source: Source,
        options: &ReadOptions,
        as_of: Date,
        manifest: Option<&FrameManifest>,
    ) -> Result<FrameSummary, ServiceError> {
        let mut rows = Vec::new();
        for row in read_frame_rows(source, options)? {
            match row? {
                Row::Good { line: _, item } => rows.push(item),
                Row::Bad(fault) => {
                    let line = fault.line;
                    let reason = LineError { line: 0, ..fault }.to_string();
                    return Err(FilesError::Frame { line, reason }.into());
                }
            }
        }
        if rows.is_empty() {
            return Err(ServiceError::EmptyRegister);
        }
        let frame = Frame::from_rows(as_of, rows)?;
        let epoch = manifest.and_then(|manifest| manifest.epoch.clone());
        let origin = Origin {
            epoch: epoch.unwrap_or_else(|| UNKNOWN_EPOCH.to_owned()),
            model_digest: manifest.map_or(Digest::from_bytes([0; 32]), |said| said.model_digest),
            policy_digest: self.current().models.policy_digest,
        };
        if let Some(said) = manifest.and_then(|manifest| manifest.frame_digest) {
            let mut file = Vec::new();
            write_frame(&frame, &mut file)?;
            let found = HashAlgorithm::Sha256.hash(&[&file]);
            if found != said {
                let reason = format!(
                    "is not the digest of the frame given, which is `{found}`; give the manifest of this frame, or leave \
                     its digest out where rows or columns were changed"
                );
                return Err(FieldError::new("frame_digest", &said.to_string(), reason).into());
            }
        }
        self.keep_frame(&frame, origin)
    }

    fn keep_frame(&self, frame: &Frame, origin: Origin) -> Result<FrameSummary, ServiceError> {
        let mut file = Vec::new();
        write_frame(frame, &mut file)?;
        let mut tiers: TierCounts = Tier::ALL.iter().map(|tier| (*tier, 0)).collect();
        let mut complaint_bands = BTreeMap::new();
        for row in frame.rows() {
            *tiers.entry(row.tier).or_default() += 1;
            *complaint_bands
                .entry(row.complaint_band.to_string())
                .or_default() += 1;
        }
        let mut summary = FrameSummary {
            frame_id: self.entropy.id()?,
            number: 0,
            as_of: frame.as_of,
            frozen_at: jiff::Timestamp::now().to_string(),
            epoch: origin.epoch,
            model_digest: origin.model_digest,
            policy_digest: origin.policy_digest,
            frame_digest: HashAlgorithm::Sha256.hash(&[&file]),
            object_count: frame.rows().len() as u64,
            tiers,
            complaint_bands,
        };
        let body = pack(&file)?;
        let document = |number| {
            serde_json::to_string(&FrameSummary {
                number,
                ..summary.clone()
            })
            .unwrap_or_default()
        };
        summary.number = self.store.put_frame(&summary.frame_id, &body, &document)?;
        Ok(summary)
    }

    /// The register as of a day: every enterprise founded by then, with its tier and complaint band.
    ///
    /// An enterprise whose day of founding is later is left out: on that day it did not exist. So is an id that is merged
    /// into another.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn classified_register(&self, as_of: AsOf) -> Result<Frame, ServiceError> {
        let current = self.in_force_on(as_of.day)?;
        self.classified_under(&current, as_of)
    }

    fn classified_under(&self, current: &Current, as_of: AsOf) -> Result<Frame, ServiceError> {
        let overlay = &current.models.sampling.complaints;
        let no_band = no_band()?;
        let mut entries = Vec::new();
        self.each_assembled(current, as_of, &mut |found| {
            let classification = found.classify(current);
            entries.push(frame_entry(&found, &classification, overlay, &no_band));
        })?;
        Ok(Frame::freeze(as_of.day, entries, overlay)?)
    }

    /// One frame's summary.
    ///
    /// # Errors
    ///
    /// When there is no such frame or the store fails.
    pub fn frame(&self, frame_id: &str) -> Result<FrameSummary, ServiceError> {
        let document = self
            .store
            .frame(frame_id)?
            .ok_or_else(|| ServiceError::UnknownFrame(frame_id.to_owned()))?;
        Ok(serde_json::from_str(&document)?)
    }

    /// Frames before number `before`, latest first.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub fn frames(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<FrameSummary>, ServiceError> {
        let documents = self.store.frames_before(before, limit)?;
        Ok(documents
            .iter()
            .map(|document| serde_json::from_str(document))
            .collect::<Result<_, _>>()?)
    }

    /// One frame's file, CSV.
    ///
    /// # Errors
    ///
    /// When there is no such frame or the store fails.
    pub fn frame_file(&self, frame_id: &str) -> Result<Vec<u8>, ServiceError> {
        let body = self
            .store
            .frame_body(frame_id)?
            .ok_or_else(|| ServiceError::UnknownFrame(frame_id.to_owned()))?;
        Ok(unpack(&body)?)
    }

    /// One frame with its rows.
    pub(super) fn frame_rows(&self, frame_id: &str) -> Result<(FrameSummary, Frame), ServiceError> {
        let summary = self.frame(frame_id)?;
        let frame = read_frame(self.frame_file(frame_id)?.as_slice(), summary.as_of)?;
        Ok((summary, frame))
    }
}

/// The complaint band of an enterprise until the frame is frozen.
pub(super) fn no_band() -> Result<Label, ServiceError> {
    Label::parse(NO_BAND).map_err(|error| ServiceError::Internal(error.to_string()))
}

/// One enterprise as it enters a frame.
pub(super) fn frame_entry(
    found: &Assembled,
    classification: &Classification,
    overlay: &ComplaintOverlay,
    no_band: &Label,
) -> FrameEntry {
    let (enterprise, day) = (&found.enterprise, found.as_of.day);
    let (records, _) = current_versions(&found.versions, day);
    let load = complaint_load(overlay, &records, day);
    FrameEntry {
        row: FrameRow {
            enterprise_id: enterprise.enterprise_id.clone(),
            kind: enterprise.kind,
            division: enterprise.division.clone(),
            industry: enterprise.industry.clone(),
            size: enterprise.size,
            status: enterprise.status,
            tags: enterprise.tags.clone(),
            tier: classification.tier,
            points: classification.points,
            complaints_milli: load.weighted_milli,
            upheld_count: load.upheld,
            complaint_ratio_milli: 0,
            complaint_band: no_band.clone(),
        },
        load,
    }
}
