//! The check object (检查对象): an enterprise, an individual business, a product, a project.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::coded::coded_enum;
use super::field::{self, FieldError};
use super::{EnterpriseId, Label};

coded_enum! {
    /// What kind of check object this is.
    EnterpriseKind, "enterprise kind" {
        /// A company or another enterprise (企业).
        Enterprise = 1 "enterprise",
        /// An individual business (个体工商户).
        IndividualBusiness = 2 "individual_business",
        /// A farmers' cooperative (农民专业合作社).
        Cooperative = 3 "cooperative",
        /// An institution (事业单位) or another organisation.
        Institution = 4 "institution",
        /// A product of an owner.
        Product = 5 "product",
        /// A project of an owner.
        Project = 6 "project",
        /// A behaviour (行为) under inspection.
        Behaviour = 7 "behaviour",
    }
}

coded_enum! {
    /// Registration status; only active and abnormal ones can be visited.
    EnterpriseStatus, "enterprise status" {
        /// In business (存续).
        Active = 1 "active",
        /// Marked abnormal but still to be found (异常).
        Abnormal = 2 "abnormal",
        /// Licence revoked (吊销).
        Revoked = 3 "revoked",
        /// Deregistered (注销).
        Cancelled = 4 "cancelled",
        /// Moved to another province (迁出).
        MovedOut = 5 "moved_out",
    }
}

coded_enum! {
    /// Size of the enterprise by the statistical standard.
    EnterpriseSize, "enterprise size" {
        /// Micro (微型).
        Micro = 1 "micro",
        /// Small (小型).
        Small = 2 "small",
        /// Medium (中型).
        Medium = 3 "medium",
        /// Large (大型).
        Large = 4 "large",
        /// Not known.
        Unknown = 5 "unknown",
    }
}

/// A check object as the register holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Enterprise {
    /// Its cleaned id.
    pub enterprise_id: EnterpriseId,
    /// Its name.
    pub name: String,
    /// What kind of object it is.
    pub kind: EnterpriseKind,
    /// The enterprise behind a product or project.
    pub owner_id: Option<EnterpriseId>,
    /// Supervision division (GB/T 2260, six digits) or an opaque label of another system.
    pub division: Option<Label>,
    /// Industry (GB/T 4754: letter and up to four digits) or an opaque label.
    pub industry: Option<Label>,
    /// Day of founding.
    pub established_on: Option<Date>,
    /// Registration status.
    pub status: EnterpriseStatus,
    /// Size class.
    pub size: EnterpriseSize,
    /// Short labels: 食品生产, 特种设备, …
    pub tags: BTreeSet<Label>,
    /// Any other measured fact that a model may use.
    pub attributes: BTreeMap<Label, f64>,
}

/// An enterprise as a caller or file gives it, before any check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnterpriseDraft {
    /// See [`Enterprise::enterprise_id`].
    pub enterprise_id: String,
    /// See [`Enterprise::name`].
    pub name: String,
    /// Text code of [`EnterpriseKind`]; default `enterprise`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// See [`Enterprise::owner_id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// See [`Enterprise::division`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub division: Option<String>,
    /// See [`Enterprise::industry`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub industry: Option<String>,
    /// ISO date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub established_on: Option<String>,
    /// Text code of [`EnterpriseStatus`]; default `active`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Text code of [`EnterpriseSize`]; default `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// See [`Enterprise::tags`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// See [`Enterprise::attributes`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, f64>,
}

impl Enterprise {
    /// Checks a draft; the error names the first field that is wrong.
    pub fn parse(draft: EnterpriseDraft) -> Result<Self, FieldError> {
        let mut tags = BTreeSet::new();
        for tag in &draft.tags {
            tags.insert(field::label("tags", tag)?);
        }
        let mut attributes = BTreeMap::new();
        for (name, value) in draft.attributes {
            if !value.is_finite() {
                return Err(FieldError::new(
                    "attributes",
                    &name,
                    "is not a finite number",
                ));
            }
            attributes.insert(field::label("attributes", &name)?, value);
        }
        Ok(Self {
            enterprise_id: field::enterprise_id("enterprise_id", &draft.enterprise_id)?,
            name: field::text("name", &draft.name, 1, 400)?,
            kind: field::optional("kind", draft.kind.as_deref(), field::code)?
                .unwrap_or(EnterpriseKind::Enterprise),
            owner_id: field::optional("owner_id", draft.owner_id.as_deref(), field::enterprise_id)?,
            division: field::optional("division", draft.division.as_deref(), field::label)?,
            industry: field::optional("industry", draft.industry.as_deref(), field::label)?,
            established_on: field::optional(
                "established_on",
                draft.established_on.as_deref(),
                field::date,
            )?,
            status: field::optional("status", draft.status.as_deref(), field::code)?
                .unwrap_or(EnterpriseStatus::Active),
            size: field::optional("size", draft.size.as_deref(), field::code)?
                .unwrap_or(EnterpriseSize::Unknown),
            tags,
            attributes,
        })
    }

    /// The draft that parses to this enterprise; used for export.
    pub fn to_draft(&self) -> EnterpriseDraft {
        EnterpriseDraft {
            enterprise_id: self.enterprise_id.to_string(),
            name: self.name.clone(),
            kind: Some(self.kind.to_string()),
            owner_id: self.owner_id.as_ref().map(ToString::to_string),
            division: self.division.as_ref().map(ToString::to_string),
            industry: self.industry.as_ref().map(ToString::to_string),
            established_on: self.established_on.map(|day| day.to_string()),
            status: Some(self.status.to_string()),
            size: Some(self.size.to_string()),
            tags: self.tags.iter().map(ToString::to_string).collect(),
            attributes: self
                .attributes
                .iter()
                .map(|(name, value)| (name.to_string(), *value))
                .collect(),
        }
    }
}
