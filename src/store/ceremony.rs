//! What ceremonies need beside the steps of one plan: coordinated groups, replacements of what is drawn, the order of
//! the closed.

use super::StoreError;

/// Refused steps that are noted of one plan or group.
pub(super) const MOST_REFUSALS: i64 = 1_000;

/// The state of a group that still takes plans.
pub(super) const FORMING: &str = "forming";

/// Why a plan of a group is not frozen any more.
pub(super) const GROUP_IS_FULL: &str =
    "the plan's group takes no more plans; draft the plan anew in another group";

/// Groups of plans, and what happens to plans beside their steps.
pub trait CeremonyStore {
    /// Keeps a new group in state `forming`; `false` if its id is taken.
    fn insert_group(&self, group_id: &str, document: &str) -> Result<bool, StoreError>;

    /// The document of one group.
    fn group(&self, group_id: &str) -> Result<Option<String>, StoreError>;

    /// Documents of the groups made before group `before`, latest first, at most `limit`.
    fn groups_before(&self, before: Option<&str>, limit: usize) -> Result<Vec<String>, StoreError>;

    /// Documents of the plans of a group, in the order in which they were drafted.
    fn plans_of_group(&self, group_id: &str) -> Result<Vec<String>, StoreError>;

    /// Moves a group from one state to another: `build` gets the documents of its plans, of which none is added or frozen
    /// meanwhile, and returns the group's new document. `false` if the group is not in state `from`.
    fn advance_group(
        &self,
        group_id: &str,
        from: &str,
        to: &str,
        build: &mut dyn FnMut(&[String]) -> Result<String, StoreError>,
    ) -> Result<bool, StoreError>;

    /// Keeps a new plan of a group without a number; `false` if the group takes no more plans.
    fn insert_plan_of_group(
        &self,
        group_id: &str,
        plan_id: &str,
        state: &str,
        document: &str,
    ) -> Result<bool, StoreError>;

    /// The replacements of a plan in their order.
    fn replacements(&self, plan_id: &str) -> Result<Vec<String>, StoreError>;

    /// Notes that a step was refused, for good: `subject` names the plan or the group. `false` if as many are noted of it
    /// as are kept, so that nobody fills the store by asking in vain.
    fn note_refusal(&self, subject: &str, document: &str) -> Result<bool, StoreError>;

    /// The refused steps of a plan or a group, in their order.
    fn refusals(&self, subject: &str) -> Result<Vec<String>, StoreError>;

    /// Ids of the closed plans in the order of their closing.
    fn closed_plans(&self) -> Result<Vec<String>, StoreError>;
}
