//! Laying the sources over each other.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::Settings;

/// The commented defaults, as they are compiled in.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

const PREFIX: &str = "RISKTIER_";

/// Every environment variable and the key it sets.
const VARIABLES: &[(&str, &str)] = &[
    ("RISKTIER_LISTEN", "listen"),
    ("RISKTIER_AS_OF", "as_of"),
    ("RISKTIER_STORE_PATH", "store.path"),
    ("RISKTIER_DATABASE_URL", "store.database_url"),
    ("RISKTIER_STORE_MAX_BYTES", "store.max_bytes"),
    ("RISKTIER_STORE_CONNECTIONS", "store.connections"),
    (
        "RISKTIER_STORE_STATEMENT_TIMEOUT_MS",
        "store.statement_timeout_ms",
    ),
    ("RISKTIER_REDIS_URL", "cache.redis_url"),
    ("RISKTIER_CACHE_REDIS_CA", "cache.redis_ca"),
    ("RISKTIER_CACHE_ENTRIES", "cache.entries"),
    ("RISKTIER_CACHE_REDIS_BUDGET_MS", "cache.redis_budget_ms"),
    ("RISKTIER_CACHE_REDIS_TTL_DAYS", "cache.redis_ttl_days"),
    (
        "RISKTIER_CACHE_WARM_UP_PER_SECOND",
        "cache.warm_up_per_second",
    ),
    ("RISKTIER_CACHE_STORE_READS", "cache.store_reads"),
    ("RISKTIER_LIMITS_BODY_BYTES", "limits.body_bytes"),
    ("RISKTIER_LIMITS_IMPORT_BYTES", "limits.import_bytes"),
    ("RISKTIER_LIMITS_SPOOL_BYTES", "limits.spool_bytes"),
    ("RISKTIER_LIMITS_TABLE_BYTES", "limits.table_bytes"),
    ("RISKTIER_LIMITS_LINE_BYTES", "limits.line_bytes"),
    ("RISKTIER_LIMITS_LOOKUP_IDS", "limits.lookup_ids"),
    ("RISKTIER_LIMITS_PAGE", "limits.page"),
    ("RISKTIER_LIMITS_PAGE_DEFAULT", "limits.page_default"),
    ("RISKTIER_LIMITS_HEADER_BYTES", "limits.header_bytes"),
    ("RISKTIER_LIMITS_REQUEST_SECONDS", "limits.request_seconds"),
    (
        "RISKTIER_LIMITS_CONCURRENT_REQUESTS",
        "limits.concurrent_requests",
    ),
    (
        "RISKTIER_LIMITS_CONCURRENT_IMPORTS",
        "limits.concurrent_imports",
    ),
    ("RISKTIER_LIMITS_RATE_REQUESTS", "limits.rate_requests"),
    ("RISKTIER_LIMITS_RATE_SECONDS", "limits.rate_seconds"),
    ("RISKTIER_WRITES_KEEP_KEYS_HOURS", "writes.keep_keys_hours"),
    ("RISKTIER_WRITES_REQUIRE_KEY", "writes.require_key"),
    (
        "RISKTIER_WRITES_REQUIRE_IF_MATCH",
        "writes.require_if_match",
    ),
    ("RISKTIER_WEBHOOKS_ENABLED", "webhooks.enabled"),
    ("RISKTIER_WEBHOOKS_ALLOWED_HOSTS", "webhooks.allowed_hosts"),
    (
        "RISKTIER_WEBHOOKS_ALLOW_LOOPBACK",
        "webhooks.allow_loopback",
    ),
    ("RISKTIER_WEBHOOKS_GIVE_UP_HOURS", "webhooks.give_up_hours"),
    (
        "RISKTIER_WEBHOOKS_FIRST_PAUSE_MS",
        "webhooks.first_pause_ms",
    ),
    ("RISKTIER_MODELS_CATALOGUE", "models.catalogue"),
    ("RISKTIER_MODELS_SCORECARD", "models.scorecard"),
    ("RISKTIER_MODELS_POLICY", "models.policy"),
    ("RISKTIER_RUNS_MONTHLY", "runs.monthly"),
    ("RISKTIER_RUNS_KEEP_RESULTS_DAYS", "runs.keep_results_days"),
    ("RISKTIER_LOG_FORMAT", "log.format"),
    ("RISKTIER_LOG_FILTER", "log.filter"),
];

/// Variables under our prefix that are not settings: the file's own name, what container platforms set for a service
/// that happens to be called risktier, and where tests find real data.
const NOT_SETTINGS: &[&str] = &[
    "RISKTIER_CONFIG",
    "RISKTIER_PORT",
    "RISKTIER_SERVICE_",
    "RISKTIER_SAMPLE_DIR",
];

/// What lies over the defaults, later over earlier.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    file: Option<PathBuf>,
    texts: Vec<Text>,
    unknown_variable: Option<String>,
}

/// One value given as text.
#[derive(Clone, Debug)]
struct Text {
    origin: String,
    key: &'static str,
    value: String,
}

/// Why the settings cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// The file is missing or cannot be read.
    #[error("the settings file `{path}` cannot be read: {cause}")]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// A value or key is wrong.
    #[error("setting `{key}`{} {reason}", origin.as_ref().map(|o| format!(" ({o})")).unwrap_or_default())]
    Invalid {
        /// The key, sections joined by dots.
        key: String,
        /// Where the value came from.
        origin: Option<String>,
        /// What is wrong and what to do.
        reason: String,
    },
    /// An environment variable with our prefix that sets nothing.
    #[error("the environment variable `{name}` is not a setting; known are {known}")]
    UnknownVariable {
        /// Its name.
        name: String,
        /// The names that are known.
        known: String,
    },
    /// The server would be open to others without asking who they are.
    #[error(
        "`{address}` is not a loopback address: there is no access control yet, and tiers are internal; listen on \
         127.0.0.1 or [::1] and put a proxy that checks access in front"
    )]
    NotLoopback {
        /// The address asked for.
        address: SocketAddr,
    },
}

impl Sources {
    /// The defaults alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// A TOML file.
    pub fn file(mut self, path: Option<&Path>) -> Self {
        self.file = path.map(Path::to_owned);
        self
    }

    /// The environment, as names and values; an empty value counts as not set.
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        for (name, value) in variables {
            if value.is_empty() || !name.starts_with(PREFIX) {
                continue;
            }
            let known = VARIABLES.iter().find(|(known, _)| *known == name);
            if let Some((_, key)) = known {
                self.texts.push(Text {
                    origin: format!("from `{name}`"),
                    key,
                    value,
                });
            } else if !NOT_SETTINGS.iter().any(|other| name.starts_with(other)) {
                self.unknown_variable.get_or_insert(name);
            }
        }
        self
    }

    /// A flag that sets `key`, such as `--listen`.
    pub fn flag(mut self, name: &str, key: &'static str, value: Option<String>) -> Self {
        self.texts.extend(value.map(|value| Text {
            origin: format!("from `{name}`"),
            key,
            value,
        }));
        self
    }

    /// Lays everything over the defaults and validates the result.
    pub fn load(self) -> Result<Settings, ConfigError> {
        if let Some(name) = self.unknown_variable {
            let known: Vec<_> = VARIABLES.iter().map(|(name, _)| *name).collect();
            return Err(ConfigError::UnknownVariable {
                name,
                known: known.join(", "),
            });
        }
        let defaults = Figment::from(Toml::string(DEFAULT_TOML));
        let mut figment = defaults.clone();
        if let Some(path) = self.file {
            let text = std::fs::read_to_string(&path).map_err(|cause| ConfigError::Unreadable {
                path: path.clone(),
                cause: cause.to_string(),
            })?;
            if let Err(error) = Toml::from_str::<Dict>(&text) {
                let before = error.span().and_then(|span| text.get(..span.start));
                let line = before.map_or(1, |before| before.matches('\n').count() + 1);
                let what = error.message().replace('\n', "; ");
                return Err(ConfigError::Unreadable {
                    path,
                    cause: format!("line {line} is not TOML: {what}"),
                });
            }
            figment = figment.merge(File { path, text });
        }
        for text in self.texts {
            let value = text.typed_like(&defaults)?;
            figment = figment.merge(Layer { text, value });
        }
        figment.extract::<Settings>().map_err(readable)?.validated()
    }
}

impl Text {
    /// A whole number or truth value where the default is one, otherwise the text itself.
    fn typed_like(&self, defaults: &Figment) -> Result<Value, ConfigError> {
        if matches!(defaults.find_value(self.key), Ok(Value::Bool(..))) {
            return self
                .value
                .parse::<bool>()
                .map(Value::from)
                .map_err(|_| ConfigError::Invalid {
                    key: self.key.to_owned(),
                    origin: Some(self.origin.clone()),
                    reason: format!("is `{}`; use true or false", self.value),
                });
        }
        if !matches!(defaults.find_value(self.key), Ok(Value::Num(..))) {
            return Ok(Value::from(self.value.clone()));
        }
        self.value
            .parse::<u64>()
            .map(Value::from)
            .map_err(|_| ConfigError::Invalid {
                key: self.key.to_owned(),
                origin: Some(self.origin.clone()),
                reason: format!("is `{}`; use a whole number", self.value),
            })
    }
}

/// The settings file as a source that knows its name.
struct File {
    path: PathBuf,
    text: String,
}

impl Provider for File {
    fn metadata(&self) -> Metadata {
        Metadata::named(format!("from `{}`", self.path.display()))
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Toml::string(&self.text).data()
    }
}

/// One text value as a source that knows where it came from.
struct Layer {
    text: Text,
    value: Value,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.text.origin.clone())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let nested = self
            .text
            .key
            .rsplit('.')
            .fold(self.value.clone(), |value, part| {
                Value::from(Dict::from([(part.to_owned(), value)]))
            });
        let dict = nested.into_dict().unwrap_or_default();
        Ok(Map::from([(Profile::Default, dict)]))
    }
}

fn readable(error: figment::Error) -> ConfigError {
    let origin = error
        .metadata
        .as_ref()
        .map(|source| source.name.to_string());
    let known = |names: &[&str]| match names {
        [] => "there are none here".to_owned(),
        names => format!("known are {}", names.join(", ")),
    };
    let mut key = error.path.join(".");
    let reason = match &error.kind {
        figment::error::Kind::UnknownField(name, names) => {
            // The path ends at the table for some sources and at the field for others.
            if error.path.last() != Some(name) {
                key = [error.path.as_slice(), std::slice::from_ref(name)]
                    .concat()
                    .join(".");
            }
            format!("is not known; {}", known(names))
        }
        figment::error::Kind::UnknownVariant(given, names) => {
            format!("is `{given}`; {}", known(names))
        }
        kind => {
            let hint = match key.as_str() {
                "listen" => "; use an address and port such as `127.0.0.1:8080`",
                "as_of" => "; use a date such as `2026-12-01`",
                _ => "",
            };
            format!("is wrong: {}{hint}", kind.to_string().replace('\n', " "))
        }
    };
    ConfigError::Invalid {
        key,
        origin,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogFormat;
    use jiff::civil::date;

    fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn with_file(text: &str) -> Result<Settings, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("risktier.toml");
        std::fs::write(&path, text).unwrap();
        Sources::new().file(Some(&path)).load()
    }

    #[test]
    fn the_defaults_are_valid() {
        let settings = Sources::new().load().unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.store.path, Path::new("risktier.db"));
        assert_eq!(settings.limits.body_bytes, 8 << 20);
        assert_eq!(settings.limits.import_bytes, 8 << 30);
        assert_eq!(settings.cache.redis_url, None);
        assert_eq!(settings.store.database_url, None);
    }

    #[test]
    fn the_commented_out_settings_are_valid_too() {
        let all = DEFAULT_TOML
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(setting) if setting.contains(" = \"") => setting,
                _ => line,
            })
            .collect::<Vec<_>>()
            .join("\n");
        let settings = with_file(&all).unwrap();
        assert_eq!(settings.as_of, Some(date(2026, 12, 1)));
        assert!(settings.models.policy.is_some() && settings.cache.redis_url.is_some());
        assert!(settings.store.database_url.is_some());
    }

    #[test]
    fn every_variable_sets_a_key_that_is_documented_beside_it() {
        for (name, key) in VARIABLES {
            assert!(DEFAULT_TOML.contains(name), "{name}");
            let field = key.rsplit('.').next().unwrap();
            assert!(DEFAULT_TOML.contains(&format!("{field} = ")), "{key}");
        }
    }

    #[test]
    fn flags_lie_over_the_environment_and_the_environment_over_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("risktier.toml");
        std::fs::write(
            &path,
            "listen = '127.0.0.1:1'\n[limits]\npage = 10\npage_default = 5\n[log]\nformat = 'json'",
        )
        .unwrap();
        let settings = Sources::new()
            .file(Some(&path))
            .environment(variables(&[
                ("RISKTIER_LISTEN", "127.0.0.1:2"),
                ("RISKTIER_LIMITS_PAGE", "20"),
                ("RISKTIER_LOG_FILTER", "info,risktier=debug"),
                ("RISKTIER_REDIS_URL", ""),
                ("RISKTIER_SERVICE_HOST", "10.0.0.1"),
                ("PATH", "/bin"),
            ]))
            .flag("--listen", "listen", Some("[::1]:3".to_owned()))
            .flag("--store", "store.path", Some("2026".to_owned()))
            .flag("--redis-url", "cache.redis_url", None)
            .load()
            .unwrap();

        assert_eq!(settings.listen.to_string(), "[::1]:3");
        assert_eq!(settings.limits.page, 20);
        assert_eq!(settings.limits.page_default, 5);
        assert_eq!(settings.limits.lookup_ids, 10_000);
        assert_eq!(settings.store.path, Path::new("2026"));
        assert_eq!(settings.log.filter, "info,risktier=debug");
        assert_eq!(settings.log.format, LogFormat::Json);
        assert_eq!(settings.cache.redis_url, None);
    }

    #[test]
    fn bad_settings_say_which_key_and_what_to_do() {
        let cases = [
            (
                "listne = '127.0.0.1:1'",
                "`listne`",
                "is not known; known are listen",
            ),
            (
                "[store]\ndatabase_url = 'mysql://u:geheim@h/d'",
                "`store.database_url`",
                "is no address of a PostgreSQL database",
            ),
            (
                "[store]\nfile = 'x'",
                "`store.file`",
                "known are path, database_url",
            ),
            (
                "[limits]\npage = 0",
                "`limits.page`",
                "allowed are 1 to 10000",
            ),
            (
                "[limits]\npage_default = 1001",
                "`limits.page_default`",
                "1 to 1000",
            ),
            (
                "[limits]\npage = 'ten'",
                "`limits.page`",
                "is wrong: invalid type",
            ),
            ("[cache]\nentries = -1", "`cache.entries`", "is wrong"),
            (
                "[log]\nformat = 'xml'",
                "`log.format`",
                "is `xml`; known are text, json",
            ),
            ("as_of = '2026-02-30'", "`as_of`", "is wrong"),
            ("listen = 'localhost'", "`listen`", "is wrong"),
            ("\n\nlisten = ", "risktier.toml`", "line 3 is not TOML"),
        ];
        for (text, key, reason) in cases {
            let message = with_file(text).unwrap_err().to_string();
            assert!(
                message.contains(key) && message.contains(reason),
                "{message}"
            );
            assert!(!message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn an_unknown_or_malformed_variable_is_refused() {
        let load = |name, value| {
            let sources = Sources::new().environment(variables(&[(name, value)]));
            sources.load().unwrap_err().to_string()
        };
        assert!(
            load("RISKTIER_LISTNE", "x").starts_with("the environment variable `RISKTIER_LISTNE`")
        );
        assert_eq!(
            load("RISKTIER_LIMITS_PAGE", "many"),
            "setting `limits.page` (from `RISKTIER_LIMITS_PAGE`) is `many`; use a whole number"
        );
        assert!(load("RISKTIER_LISTEN", "x").contains("(from `RISKTIER_LISTEN`)"));
    }

    #[test]
    fn only_loopback_addresses_are_accepted() {
        for address in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:8080"] {
            let message = with_file(&format!("listen = '{address}'"))
                .unwrap_err()
                .to_string();
            assert!(
                message.contains(address) && message.contains("access control"),
                "{message}"
            );
        }
    }

    #[test]
    fn passwords_are_not_printed() {
        let settings = with_file(
            "[cache]\nredis_url = 'redis://:geheim@127.0.0.1'\n\
             [store]\ndatabase_url = 'postgresql://u:geheim@127.0.0.1/d'",
        )
        .unwrap();
        assert!(!format!("{settings:?}").contains("geheim"));
        let refused = with_file("[store]\ndatabase_url = 'mysql://u:geheim@h/d'").unwrap_err();
        assert!(!refused.to_string().contains("geheim"));
    }

    #[test]
    fn a_missing_file_is_an_error() {
        let message = Sources::new()
            .file(Some(Path::new("no-such-file.toml")))
            .load()
            .unwrap_err()
            .to_string();
        assert!(message.starts_with("the settings file `no-such-file.toml` cannot be read"));
    }
}
