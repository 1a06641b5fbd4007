//! The `risktier` binary: parse, run, exit code.

fn main() {}
