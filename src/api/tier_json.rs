//! The tier of one enterprise as JSON and as an entity tag, written without a detour: it is what callers ask for thousands
//! of times per second.
//!
//! The bytes are those that the documented type gives; a test holds the two together.

use std::io::Write;

use jiff::civil::Date;

use super::dto::codes;
use crate::domain::digest::HashAlgorithm;
use crate::domain::{Epoch, Tier};
use crate::service::{CachedTier, TierAnswer};

/// What there is to tell of a tier for the present day.
#[derive(Clone, Copy, Debug)]
pub(super) struct TierView<'a> {
    pub(super) enterprise_id: &'a str,
    pub(super) epoch: &'a Epoch,
    pub(super) tier: CachedTier,
    pub(super) merged_into: Option<&'a str>,
}

/// Room for an answer with an id of usual length.
const USUAL_BYTES: usize = 224;
/// A strong entity tag: 32 hexadecimal digits in quotes.
pub(super) const TAG_BYTES: usize = 34;

impl<'a> From<&'a TierAnswer> for TierView<'a> {
    fn from(answer: &'a TierAnswer) -> Self {
        let TierAnswer {
            enterprise_id,
            tier,
            points,
            as_of,
            next_change_on,
            revision,
            epoch,
            merged_into,
            // Shown as `Cache-Status`.
            origin: _,
        } = answer;
        Self {
            enterprise_id: enterprise_id.as_str(),
            epoch,
            tier: CachedTier {
                tier: *tier,
                points: *points,
                revision: *revision,
                as_of: *as_of,
                next_change_on: *next_change_on,
            },
            merged_into: merged_into.as_ref().map(|id| id.as_str()),
        }
    }
}

impl TierView<'_> {
    /// The answer as JSON.
    pub(super) fn to_json(self) -> Vec<u8> {
        let mut json = Vec::with_capacity(USUAL_BYTES);
        self.push_json(&mut json);
        json
    }

    /// Appends the answer as JSON.
    pub(super) fn push_json(self, json: &mut Vec<u8>) {
        let Self {
            enterprise_id,
            epoch,
            tier:
                CachedTier {
                    tier,
                    points,
                    revision,
                    as_of,
                    next_change_on,
                },
            merged_into,
        } = self;
        json.extend_from_slice(b"{\"enterprise_id\":");
        push_text(json, enterprise_id);
        json.extend_from_slice(b",\"tier\":\"");
        json.extend_from_slice(letter(tier).as_bytes());
        json.extend_from_slice(b"\",\"points\":");
        push_number(json, points.into());
        json.extend_from_slice(b",\"as_of\":\"");
        push_day(json, as_of);
        if let Some(day) = next_change_on {
            json.extend_from_slice(b"\",\"next_change_on\":\"");
            push_day(json, day);
        }
        json.extend_from_slice(b"\",\"epoch\":\"");
        json.extend_from_slice(epoch.as_str().as_bytes());
        json.extend_from_slice(b"\",\"revision\":");
        push_number(json, revision);
        if let Some(id) = merged_into {
            json.extend_from_slice(b",\"merged_into\":");
            push_text(json, id);
        }
        json.push(b'}');
    }

    /// The entity tag: a digest of everything that the answer tells, so it changes exactly when the answer does.
    pub(super) fn entity_tag(self) -> [u8; TAG_BYTES] {
        let Self {
            enterprise_id,
            epoch,
            tier:
                CachedTier {
                    tier,
                    points,
                    revision,
                    as_of,
                    next_change_on,
                },
            merged_into,
        } = self;
        let day = |day: Date| {
            let [high, low] = day.year().to_be_bytes();
            [
                high,
                low,
                day.month().unsigned_abs(),
                day.day().unsigned_abs(),
            ]
        };
        let [p0, p1] = points.to_be_bytes();
        let mut fields = [0; 19];
        let parts = [
            &[tier.code(), p0, p1][..],
            &revision.to_be_bytes(),
            &day(as_of),
            // Year 0 stands for none: nothing changes before 1970.
            &next_change_on.map_or([0; 4], day),
        ];
        for (place, byte) in fields.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        tag_of(&[
            epoch.as_str().as_bytes(),
            &fields,
            enterprise_id.as_bytes(),
            // A byte that is in no id keeps the two apart.
            if merged_into.is_some() { b"\n" } else { b"" },
            merged_into.unwrap_or_default().as_bytes(),
        ])
    }
}

/// The entity tag of whatever the parts make together.
pub(super) fn tag_of(parts: &[&[u8]]) -> [u8; TAG_BYTES] {
    let digest = HashAlgorithm::Sha256.hash(parts);
    let mut tag = [b'"'; TAG_BYTES];
    if let (Some(bytes), Some(place)) = (
        digest.as_bytes().get(..(TAG_BYTES - 2) / 2),
        tag.get_mut(1..TAG_BYTES - 1),
    ) {
        // The place is twice as long as the bytes, so this cannot fail.
        let _ = hex::encode_to_slice(bytes, place);
    }
    tag
}

fn letter(tier: Tier) -> &'static str {
    codes::Tier::from(tier).text()
}

fn push_text(json: &mut Vec<u8>, text: &str) {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        json.push(b'"');
        json.extend_from_slice(text.as_bytes());
        json.push(b'"');
        return;
    }
    // Writing a text to memory cannot fail.
    let _ = serde_json::to_writer(json, text);
}

fn push_number(json: &mut Vec<u8>, number: u64) {
    // Writing to memory cannot fail.
    let _ = write!(json, "{number}");
}

fn push_day(json: &mut Vec<u8>, day: Date) {
    let (Ok(year @ 0..=9999), month, of_month) =
        (u16::try_from(day.year()), day.month(), day.day())
    else {
        // Writing to memory cannot fail.
        let _ = write!(json, "{day}");
        return;
    };
    let digit = |number: u16| b'0' + (number % 10) as u8;
    let (month, of_month) = (
        u16::from(month.unsigned_abs()),
        u16::from(of_month.unsigned_abs()),
    );
    json.extend_from_slice(&[
        digit(year / 1_000),
        digit(year / 100),
        digit(year / 10),
        digit(year),
        b'-',
        digit(month / 10),
        digit(month),
        b'-',
        digit(of_month / 10),
        digit(of_month),
    ]);
}

#[cfg(test)]
mod tests {
    use super::super::dto::tiers::EnterpriseTier;
    use super::*;
    use crate::domain::EnterpriseId;
    use crate::service::Origin;
    use jiff::civil::date;
    use std::collections::BTreeSet;

    fn answer() -> TierAnswer {
        TierAnswer {
            enterprise_id: EnterpriseId::parse("91990000MA00000017").unwrap(),
            tier: Tier::C,
            points: 612,
            as_of: date(2026, 11, 2),
            next_change_on: Some(date(2026, 12, 1)),
            revision: 3,
            epoch: "0123456789abcdef".parse().unwrap(),
            merged_into: None,
            origin: Origin::Cache,
        }
    }

    fn id(text: &str) -> EnterpriseId {
        EnterpriseId::parse(text).unwrap()
    }

    /// Answers that differ from each other in one thing.
    fn variety() -> Vec<TierAnswer> {
        let of = |change: &dyn Fn(&mut TierAnswer)| {
            let mut answer = answer();
            change(&mut answer);
            answer
        };
        vec![
            answer(),
            of(&|a| a.enterprise_id = id("企业-\"\\'7")),
            of(&|a| a.enterprise_id = id("x")),
            of(&|a| a.tier = Tier::A),
            of(&|a| a.tier = Tier::D),
            of(&|a| a.points = 0),
            of(&|a| a.points = u16::MAX),
            of(&|a| a.as_of = date(1970, 1, 31)),
            of(&|a| a.next_change_on = None),
            of(&|a| a.next_change_on = Some(date(9999, 12, 31))),
            of(&|a| a.revision = u64::MAX),
            of(&|a| a.epoch = "fedcba9876543210".parse().unwrap()),
            of(&|a| a.merged_into = Some(id("91990000MA00000025"))),
            of(&|a| a.merged_into = Some(id("\""))),
        ]
    }

    #[test]
    fn the_bytes_are_those_of_the_documented_type() {
        for answer in variety() {
            let written = TierView::from(&answer).to_json();
            let documented = serde_json::to_vec(&EnterpriseTier::from(answer)).unwrap();
            assert_eq!(
                String::from_utf8(written).unwrap(),
                String::from_utf8(documented).unwrap()
            );
        }
    }

    #[test]
    fn the_entity_tag_changes_with_everything_that_is_told_and_with_nothing_else() {
        let variety = variety();
        let tags: BTreeSet<_> = variety
            .iter()
            .map(|answer| TierView::from(answer).entity_tag())
            .collect();
        assert_eq!(tags.len(), variety.len());
        let computed = TierAnswer {
            origin: Origin::Computed,
            ..answer()
        };
        let tag = TierView::from(&computed).entity_tag();
        assert_eq!(tag, TierView::from(&answer()).entity_tag());
        assert!(tag.starts_with(b"\"") && tag.ends_with(b"\""));
        assert!(tag[1..33].iter().all(u8::is_ascii_hexdigit));
    }
}
