//! One file per resource.

pub(super) mod ops;
