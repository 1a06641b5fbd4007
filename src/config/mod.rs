//! Settings: the commented defaults, a file, the environment and flags, laid over each other and validated once.
//!
//! Unknown keys and variables are refused, so a misspelt setting never passes for one that took effect. Nothing here
//! reads the environment or a clock by itself: the caller hands in what it has.

mod load;
mod settings;

pub use load::{ConfigError, DEFAULT_TOML, Sources};
pub use settings::{
    CacheSettings, Limits, LogFormat, LogSettings, ModelPaths, RunSettings, SecretUrl, Settings,
    StoreSettings,
};
