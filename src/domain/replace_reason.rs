//! Why a drawn object is not visited.

use super::coded::coded_enum;

coded_enum! {
    /// Why a drawn object is not visited, and the next of the reserve is (替换理由).
    ReplaceReason, "reason of a replacement" {
        /// It has ceased business or is deregistered (已注销或停业).
        Ceased = 1 "ceased",
        /// It cannot be found where it is registered (查无下落).
        NotFound = 2 "not_found",
        /// It has moved to another province (已迁出).
        MovedOut = 3 "moved_out",
        /// Its visits of the year are used up (检查次数已达上限).
        CapReached = 4 "cap_reached",
        /// It was visited too short a time ago (检查间隔未满).
        GapNotOver = 5 "gap_not_over",
        /// It does nothing that the check items concern (不涉及抽查事项).
        NotConcerned = 6 "not_concerned",
        /// A case against it is open (正在立案调查).
        UnderInvestigation = 7 "under_investigation",
        /// It cannot be reached for reasons that nobody answers for (不可抗力).
        ForceMajeure = 8 "force_majeure",
        /// None of these; the note says what (其他).
        Other = 9 "other",
    }
}

impl ReplaceReason {
    /// The reason in Chinese and English, for people.
    pub const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Ceased => ("已注销或停业", "ceased business or deregistered"),
            Self::NotFound => ("查无下落", "not found where it is registered"),
            Self::MovedOut => ("已迁出", "moved to another province"),
            Self::CapReached => ("检查次数已达上限", "its visits of the year are used up"),
            Self::GapNotOver => ("检查间隔未满", "visited too short a time ago"),
            Self::NotConcerned => (
                "不涉及抽查事项",
                "does nothing that the check items concern",
            ),
            Self::UnderInvestigation => ("正在立案调查", "a case against it is open"),
            Self::ForceMajeure => ("不可抗力", "out of reach, and nobody answers for it"),
            Self::Other => ("其他", "other"),
        }
    }
}
