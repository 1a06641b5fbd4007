//! Kinds of what persons decide over time.

use super::coded::coded_enum;

coded_enum! {
    /// What persons decide over time, in several dated acts.
    ProceedingKind, "kind of proceeding" {
        /// An override of a tier: proposed, approved, ended.
        Override = 1 "override",
        /// An objection to a record (异议): filed, examined, decided.
        Objection = 2 "objection",
        /// A merge of an id into its successor: made, undone.
        Merge = 3 "merge",
    }
}
