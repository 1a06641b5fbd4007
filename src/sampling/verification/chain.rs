//! The chain over the transcripts of an installation: every auditor edition names the digest of the one closed before it
//! (`risktier-draw/1` section 8), so that none can be changed, taken away or put in between unnoticed.
//!
//! The chain shows that transcripts belong together; whether each replays is for [`super::verify`]. What is after the
//! last link nobody can know from the chain alone: give the digest of the last one where it is known from elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::super::plan::PLAN_FORMAT;
use super::super::transcript::{AuditorTranscript, Edition, TRANSCRIPT_FORMAT};
use super::{Checks, Verification, VerifyError, refuse_newer, replay, shape};
use crate::domain::canonical::canonical_bytes;
use crate::domain::digest::Digest;

/// Gathers transcripts in any order, holds only what links them, and checks the whole at the end.
#[derive(Debug, Default)]
pub struct Chain {
    links: Vec<Link>,
    checks: Checks,
}

/// What a transcript says about its place.
#[derive(Debug)]
struct Link {
    name: String,
    digest: Digest,
    previous: Option<Digest>,
    number: u64,
    plan_digest: Digest,
    extends: Option<Digest>,
    group: Option<String>,
    /// Names and values of the contributions; of public ones only the rule tells two apart.
    values: Vec<(String, String)>,
}

impl Chain {
    /// An empty chain.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of transcripts so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether no transcript has come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Adds the bytes of an auditor edition under the name by which differences are told. Anything else that is wrong with
    /// them is a difference.
    ///
    /// # Errors
    ///
    /// [`VerifyError::TooNew`] when a newer version wrote it.
    pub fn add(&mut self, name: &str, transcript: &[u8]) -> Result<(), VerifyError> {
        let named = |what: &str| format!("{name}:{what}");
        let value: Value = match serde_json::from_slice(transcript) {
            Ok(value) => value,
            Err(error) => {
                self.checks
                    .differs(named("transcript"), format!("not JSON: {error}"));
                return Ok(());
            }
        };
        refuse_newer(value.get("format"), TRANSCRIPT_FORMAT)?;
        refuse_newer(
            value.get("plan").and_then(|plan| plan.get("format")),
            PLAN_FORMAT,
        )?;
        let mut is_shaped = true;
        shape::check(
            &value,
            shape::of(Edition::Auditor),
            &mut |member, problem| {
                is_shaped = false;
                self.checks.differs(named(&member), problem);
            },
        );
        if !is_shaped {
            return Ok(());
        }
        let canonical = canonical_bytes(&value).is_ok_and(|bytes| bytes == transcript);
        let transcript_digest =
            |hash: crate::domain::digest::HashAlgorithm| hash.hash(&[transcript]);
        let read: AuditorTranscript = match serde_json::from_value(value) {
            Ok(read) => read,
            Err(error) => {
                self.checks.differs(named("transcript"), error.to_string());
                return Ok(());
            }
        };
        if read.edition != Edition::Auditor {
            let detail = "only auditor editions are chained: give those".to_owned();
            self.checks.differs(named("edition"), detail);
            return Ok(());
        }
        if !canonical {
            let detail = "the bytes are not the canonical JSON of their content".to_owned();
            self.checks.differs(named("canonical"), detail);
        }
        let Ok(plan_digest) = read.plan.digest() else {
            let detail = "the plan has no canonical form".to_owned();
            self.checks.differs(named("plan_digest"), detail);
            return Ok(());
        };
        if plan_digest != read.plan_digest {
            let detail = format!(
                "recorded `{}`, recomputed `{plan_digest}`",
                read.plan_digest
            );
            self.checks.differs(named("plan_digest"), detail);
        }
        self.links.push(Link {
            name: name.to_owned(),
            digest: transcript_digest(read.plan.hash),
            previous: read.previous,
            number: read.plan.number,
            plan_digest,
            extends: read.plan.extends,
            group: read.plan.group.as_ref().map(ToString::to_string),
            values: replay::committed_values(&read),
        });
        Ok(())
    }

    /// Checks the whole; `head` is the digest of the last transcript, where it is known.
    #[must_use]
    pub fn finish(mut self, head: Option<Digest>) -> Verification {
        let links = std::mem::take(&mut self.links);
        self.unique(&links);
        self.order(&links, head);
        Verification {
            edition: Some(Edition::Auditor),
            checks: self.checks.0,
        }
    }

    /// No number, plan or value is there twice.
    fn unique(&mut self, links: &[Link]) {
        let mut numbers = BTreeMap::new();
        let mut plans = BTreeMap::new();
        let mut values: BTreeMap<&str, &Link> = BTreeMap::new();
        for link in links {
            if let Some(other) = numbers.insert(link.number, &link.name) {
                let detail = format!("`{other}` has the number {} too", link.number);
                self.checks.differs(format!("{}:number", link.name), detail);
            }
            if let Some(other) = plans.insert(link.plan_digest, &link.name) {
                let detail = format!("`{other}` is of the same plan");
                self.checks
                    .differs(format!("{}:plan_digest", link.name), detail);
            }
            for (name, value) in &link.values {
                let before = values.insert(value, link);
                let shared = before.filter(|other| {
                    other.plan_digest != link.plan_digest
                        && (link.group.is_none() || other.group != link.group)
                });
                if let Some(other) = shared {
                    let detail = format!("`{}` has a contribution of the same value", other.name);
                    let name = format!("{}:contribution:{name}", link.name);
                    self.checks.differs(name, detail);
                }
            }
        }
        for link in links {
            if let Some(extended) = &link.extends
                && !plans.contains_key(extended)
            {
                let detail = "the plan that it extends is not among the transcripts; it may not be closed yet";
                self.checks
                    .not_checked(format!("{}:extends", link.name), detail);
            }
        }
    }

    /// Every transcript but one follows another, no two follow the same, and all hang together.
    fn order(&mut self, links: &[Link], head: Option<Digest>) {
        let mut after: BTreeMap<Option<Digest>, Vec<&Link>> = BTreeMap::new();
        for link in links {
            after.entry(link.previous).or_default().push(link);
        }
        for followers in after.values() {
            for pair in followers.windows(2) {
                if let [first, second] = pair {
                    let what = if first.previous.is_some() {
                        "follows the same transcript"
                    } else {
                        "is a first one too"
                    };
                    let detail = format!("`{}` {what}", first.name);
                    self.checks
                        .differs(format!("{}:previous", second.name), detail);
                }
            }
        }
        let known: BTreeSet<Digest> = links.iter().map(|link| link.digest).collect();
        for link in links {
            if let Some(previous) = link.previous
                && !known.contains(&previous)
            {
                let detail = format!(
                    "no transcript has the digest `{previous}`: the one before is missing or changed"
                );
                self.checks
                    .differs(format!("{}:previous", link.name), detail);
            }
        }
        let mut place = None;
        let mut reached = 0;
        while let Some([link]) = after.get(&place).map(Vec::as_slice) {
            place = Some(link.digest);
            reached += 1;
            self.checks
                .holds(format!("{}:previous", link.name), true, "");
            if reached == links.len() {
                break;
            }
        }
        if let Some(head) = head {
            let otherwise =
                "the last transcript of the chain does not have the digest that was expected";
            self.checks.holds("head", place == Some(head), otherwise);
        } else {
            self.checks.not_checked(
                "head",
                "whether transcripts after the last one are missing: give the digest of the last one to have it checked",
            );
        }
        self.checks.holds(
            "chain",
            reached == links.len() && !links.is_empty(),
            "the transcripts are not one chain from the first to the last",
        );
    }
}
