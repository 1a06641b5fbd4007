//! Enterprises.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

use super::codes::{EnterpriseKind, EnterpriseSize, EnterpriseStatus, IdCheck};
use super::{each_once, exact, present, stated};
use crate::domain::{Enterprise, EnterpriseDraft, EnterpriseId, FieldError, field};
use crate::service::RegisteredEnterprise;

/// An enterprise or another check object, as a caller gives it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(crate) struct EnterpriseInput {
    /// Its id: normally the unified social credit code. Where the path names the id, it may be left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "91990000MA00000017", min_length = 1, max_length = 64)]
    pub(crate) enterprise_id: Option<String>,
    /// Its name, at most 400 bytes.
    #[schema(example = "Example Foods Ltd", min_length = 1, max_length = 400)]
    name: String,
    /// What kind of object it is; default `enterprise`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<EnterpriseKind>)]
    kind: Option<String>,
    /// The enterprise behind a product or project.
    #[serde(default, deserialize_with = "present")]
    #[schema(min_length = 1, max_length = 64)]
    owner_id: Option<String>,
    /// Supervision division: six digits, or a label of another system.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "990102", min_length = 1, max_length = 64)]
    division: Option<String>,
    /// Industry: a letter and up to four digits, or a label of another system.
    #[serde(default, deserialize_with = "present")]
    #[schema(example = "F5212", min_length = 1, max_length = 64)]
    industry: Option<String>,
    /// Day of founding.
    #[serde(default, deserialize_with = "present")]
    #[schema(format = Date, example = "2015-03-02")]
    established_on: Option<String>,
    /// Registration status; default `active`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<EnterpriseStatus>)]
    status: Option<String>,
    /// Size class; default `unknown`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<EnterpriseSize>)]
    size: Option<String>,
    /// Short labels.
    #[serde(default)]
    #[schema(example = json!(["食品生产"]))]
    tags: Vec<String>,
    /// Other measured facts that a model may use, by name.
    #[serde(default, deserialize_with = "each_once")]
    #[schema(example = json!({"employees": 12.0}))]
    attributes: BTreeMap<String, f64>,
}

impl EnterpriseInput {
    /// Checks it; `path_id` is the id that the path names, if it does.
    pub(crate) fn parse(self, path_id: Option<&EnterpriseId>) -> Result<Enterprise, FieldError> {
        let enterprise_id = match (self.enterprise_id, path_id) {
            (Some(given), Some(expected)) => {
                if field::enterprise_id("enterprise_id", &given)? != *expected {
                    let reason = format!("is not the id of the path, `{expected}`; leave it out");
                    return Err(FieldError::new("enterprise_id", &given, reason));
                }
                given
            }
            (Some(given), None) => given,
            (None, Some(expected)) => expected.to_string(),
            (None, None) => {
                return Err(FieldError::new(
                    "enterprise_id",
                    "",
                    "is missing; name the enterprise",
                ));
            }
        };
        stated(&[
            ("owner_id", &self.owner_id),
            ("division", &self.division),
            ("industry", &self.industry),
        ])?;
        exact(&[
            ("kind", &self.kind),
            ("established_on", &self.established_on),
            ("status", &self.status),
            ("size", &self.size),
        ])?;
        Enterprise::parse(EnterpriseDraft {
            enterprise_id,
            name: self.name,
            kind: self.kind,
            owner_id: self.owner_id,
            division: self.division,
            industry: self.industry,
            established_on: self.established_on,
            status: self.status,
            size: self.size,
            tags: self.tags,
            attributes: self.attributes,
        })
    }
}

/// An enterprise as the register holds it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EnterpriseAnswer {
    /// Its id.
    #[schema(example = "91990000MA00000017")]
    enterprise_id: String,
    /// What the check character of the id says.
    id_check: IdCheck,
    /// Its name.
    #[schema(example = "Example Foods Ltd")]
    name: String,
    /// What kind of object it is.
    kind: EnterpriseKind,
    /// The enterprise behind a product or project.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner_id: Option<String>,
    /// Supervision division.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "990102")]
    division: Option<String>,
    /// Industry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "F5212")]
    industry: Option<String>,
    /// Day of founding.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Date, example = "2015-03-02")]
    established_on: Option<String>,
    /// Registration status.
    status: EnterpriseStatus,
    /// Size class.
    size: EnterpriseSize,
    /// Short labels, sorted.
    tags: Vec<String>,
    /// Other measured facts, by name.
    attributes: BTreeMap<String, f64>,
    /// Grows with every change of it or of its records.
    #[schema(example = 3, minimum = 1)]
    revision: u64,
}

impl From<RegisteredEnterprise> for EnterpriseAnswer {
    fn from(registered: RegisteredEnterprise) -> Self {
        let RegisteredEnterprise {
            enterprise,
            id_check,
            revision,
        } = registered;
        let Enterprise {
            enterprise_id,
            name,
            kind,
            owner_id,
            division,
            industry,
            established_on,
            status,
            size,
            tags,
            attributes,
        } = enterprise;
        Self {
            enterprise_id: enterprise_id.into(),
            id_check: id_check.into(),
            name,
            kind: kind.into(),
            owner_id: owner_id.map(Into::into),
            division: division.map(Into::into),
            industry: industry.map(Into::into),
            established_on: established_on.map(|day| day.to_string()),
            status: status.into(),
            size: size.into(),
            tags: tags.into_iter().map(Into::into).collect(),
            attributes: attributes
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
            revision,
        }
    }
}

/// Which enterprises to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EnterpriseQuery {
    /// Division: a six-digit code or prefix that includes what lies below it, or a whole label.
    #[param(example = "990100")]
    pub(crate) division: Option<String>,
    /// Where to go on: `next_cursor` of the page before, with the same `division`.
    #[param(pattern = "^([0-9a-f]{2}){8,}$")]
    pub(crate) cursor: Option<String>,
    /// Most items on the page.
    #[param(example = 100, minimum = 1)]
    pub(crate) limit: Option<usize>,
}
