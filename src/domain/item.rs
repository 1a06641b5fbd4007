//! Check items (抽查事项): what may be inspected, by whom, how often.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use super::Label;
use super::coded::coded_enum;
use super::field::{self, FieldError};

coded_enum! {
    /// Class of a check item.
    ItemClass, "item class" {
        /// General item (一般检查事项): bounded ratios and caps.
        General = 1 "general",
        /// Key item (重点检查事项): safety, quality, public interest; not capped.
        Key = 2 "key",
    }
}

coded_enum! {
    /// Level of the authority that inspects.
    InspectingLevel, "inspecting level" {
        /// The province.
        Province = 1 "province",
        /// A city.
        City = 2 "city",
        /// A county or district.
        County = 3 "county",
    }
}

coded_enum! {
    /// How an item is inspected.
    InspectionMethod, "inspection method" {
        /// On site (实地核查).
        OnSite = 1 "on_site",
        /// In writing (书面检查).
        Written = 2 "written",
        /// Monitoring of the network (网络监测).
        Network = 3 "network",
        /// By a body that is entrusted (委托专业机构).
        Entrusted = 4 "entrusted",
    }
}

/// Longest free text of an item in bytes.
const MAX_TEXT: usize = 2_000;

/// One entry of the list of check items (抽查事项清单).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckItem {
    /// Its code.
    pub item_code: Label,
    /// Its name.
    pub name: String,
    /// Its sub-items.
    #[serde(default)]
    pub sub_items: Vec<String>,
    /// The law that it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<String>,
    /// The department whose item it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<Label>,
    /// Levels that inspect it.
    #[serde(default)]
    pub levels: BTreeSet<InspectingLevel>,
    /// General or key.
    pub class: ItemClass,
    /// Largest share of the objects to be drawn: in a year where the policy's rates are annual, else in a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio_cap: Option<f64>,
    /// Visits to an object in a year, where the list sets them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visits_per_year: Option<f64>,
    /// How it is inspected.
    #[serde(default)]
    pub methods: BTreeSet<InspectionMethod>,
    /// What its objects are, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<String>,
    /// What inspectors must be able to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inspector_requirement: Option<String>,
    /// Whether it is published: an item that is not cannot be planned.
    pub published: bool,
    /// A remark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// A check item as it arrives, unchecked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ItemDraft {
    /// See [`CheckItem`].
    pub item_code: String,
    /// See [`CheckItem`].
    pub name: String,
    /// See [`CheckItem`].
    pub class: String,
    /// See [`CheckItem`].
    pub published: Option<bool>,
    /// See [`CheckItem`].
    pub sub_items: Vec<String>,
    /// See [`CheckItem`].
    pub legal_basis: Option<String>,
    /// See [`CheckItem`].
    pub department: Option<String>,
    /// See [`CheckItem`].
    pub levels: Vec<String>,
    /// See [`CheckItem`].
    pub ratio_cap: Option<f64>,
    /// See [`CheckItem`].
    pub visits_per_year: Option<f64>,
    /// See [`CheckItem`].
    pub methods: Vec<String>,
    /// See [`CheckItem`].
    pub objects: Option<String>,
    /// See [`CheckItem`].
    pub inspector_requirement: Option<String>,
    /// See [`CheckItem`].
    pub note: Option<String>,
}

impl CheckItem {
    /// Checks a draft; an item that does not say whether it is published is not.
    ///
    /// # Errors
    ///
    /// Names the first field that is wrong.
    pub fn parse(draft: ItemDraft) -> Result<Self, FieldError> {
        let text = |name: &str, given: &Option<String>| {
            field::optional(name, given.as_deref(), |name, text| {
                field::text(name, text, 1, MAX_TEXT)
            })
        };
        if let Some(cap) = draft.ratio_cap.filter(|cap| !(*cap > 0.0 && *cap <= 1.0)) {
            return Err(FieldError::new(
                "ratio_cap",
                &cap.to_string(),
                "is not a share above 0 and at most 1, such as 0.05 for 5 %",
            ));
        }
        let visits = draft.visits_per_year;
        if let Some(visits) = visits.filter(|visits| !(*visits > 0.0 && *visits <= 366.0)) {
            return Err(FieldError::new(
                "visits_per_year",
                &visits.to_string(),
                "is not a number of visits above 0 and at most 366",
            ));
        }
        let sub_items = draft
            .sub_items
            .iter()
            .enumerate()
            .map(|(place, text)| field::text(&format!("sub_items.{place}"), text, 1, 500));
        Ok(Self {
            item_code: field::label("item_code", &draft.item_code)?,
            name: field::text("name", &draft.name, 1, 500)?,
            sub_items: sub_items.collect::<Result<_, _>>()?,
            legal_basis: text("legal_basis", &draft.legal_basis)?,
            department: field::optional("department", draft.department.as_deref(), field::label)?,
            levels: codes("levels", &draft.levels)?,
            class: field::code("class", &draft.class)?,
            ratio_cap: draft.ratio_cap,
            visits_per_year: draft.visits_per_year,
            methods: codes("methods", &draft.methods)?,
            objects: text("objects", &draft.objects)?,
            inspector_requirement: text("inspector_requirement", &draft.inspector_requirement)?,
            published: draft.published.unwrap_or(false),
            note: text("note", &draft.note)?,
        })
    }

    /// The draft that checks to this item.
    pub fn to_draft(&self) -> ItemDraft {
        let words = |codes: Vec<&'static str>| codes.into_iter().map(str::to_owned).collect();
        ItemDraft {
            item_code: self.item_code.to_string(),
            name: self.name.clone(),
            class: self.class.to_string(),
            published: Some(self.published),
            sub_items: self.sub_items.clone(),
            legal_basis: self.legal_basis.clone(),
            department: self.department.as_ref().map(ToString::to_string),
            levels: words(self.levels.iter().map(|level| level.as_str()).collect()),
            ratio_cap: self.ratio_cap,
            visits_per_year: self.visits_per_year,
            methods: words(self.methods.iter().map(|method| method.as_str()).collect()),
            objects: self.objects.clone(),
            inspector_requirement: self.inspector_requirement.clone(),
            note: self.note.clone(),
        }
    }
}

fn codes<T: Ord + std::str::FromStr<Err = super::UnknownCode>>(
    name: &str,
    given: &[String],
) -> Result<BTreeSet<T>, FieldError> {
    let codes = given.iter().enumerate();
    codes
        .map(|(place, text)| field::code(&format!("{name}.{place}"), text))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> ItemDraft {
        ItemDraft {
            item_code: "SP-01".into(),
            name: "食品生产许可".into(),
            class: "key".into(),
            ..ItemDraft::default()
        }
    }

    #[test]
    fn an_item_is_published_only_where_it_says_so() {
        let item = CheckItem::parse(draft()).unwrap();
        assert!(!item.published);
        assert_eq!(CheckItem::parse(item.to_draft()).unwrap(), item);
    }

    #[test]
    fn what_is_wrong_is_named() {
        type Edit = fn(&mut ItemDraft);
        let cases: [(Edit, &str); 7] = [
            (|d| d.item_code.clear(), "item_code"),
            (|d| d.name.clear(), "name"),
            (|d| d.class = "major".into(), "class"),
            (|d| d.ratio_cap = Some(5.0), "ratio_cap"),
            (|d| d.ratio_cap = Some(f64::NAN), "ratio_cap"),
            (|d| d.visits_per_year = Some(0.0), "visits_per_year"),
            (|d| d.levels = vec!["town".into()], "levels.0"),
        ];
        for (edit, field) in cases {
            let mut wrong = draft();
            edit(&mut wrong);
            assert_eq!(CheckItem::parse(wrong).unwrap_err().field, field);
        }
    }
}
