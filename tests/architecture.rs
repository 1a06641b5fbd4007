//! Holds the layers in place: imports point down only, and outside crates stay in their layer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "test code"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may name of the crate's own, beside itself.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("lib", &[]),
    (
        "cli",
        &["report", "service", "domain", "config", "telemetry"],
    ),
    (
        "api",
        &["report", "service", "domain", "config", "telemetry"],
    ),
    ("report", &["service", "domain"]),
    (
        "service",
        &[
            "files",
            "store",
            "cache",
            "sampling",
            "model",
            "indicators",
            "domain",
        ],
    ),
    ("files", &["sampling", "domain"]),
    ("store", &["domain"]),
    ("cache", &["domain"]),
    ("sampling", &["domain"]),
    ("model", &["indicators", "domain"]),
    ("indicators", &["domain"]),
    ("domain", &[]),
    ("config", &["domain"]),
    ("telemetry", &["config"]),
];

/// Files that may know more, and why.
const EXCEPTIONS: &[(&str, &[&str])] = &[
    // Start-up puts store, cache and service together.
    ("cli/compose.rs", &["store", "cache"]),
    // One verb runs the server; its errors are that verb's errors.
    ("cli/serve.rs", &["api"]),
    ("cli/exit.rs", &["api"]),
    // One verb prints the contract.
    ("cli/openapi.rs", &["api"]),
];

/// Where an outside crate stays: the path prefixes under `src` that may name it.
const STAYS: &[(&str, &[&str])] = &[
    ("actix_web", &["api/"]),
    ("utoipa", &["api/"]),
    ("utoipa_actix_web", &["api/"]),
    ("utoipa_swagger_ui", &["api/"]),
    ("futures_util", &["api/", "cache/redis/"]),
    ("governor", &["api/guards.rs"]),
    ("ureq", &["service/webhooks/"]),
    ("hmac", &["service/webhooks/"]),
    ("base64", &["service/webhooks/"]),
    ("clap", &["cli/", "main.rs"]),
    ("indicatif", &["cli/"]),
    ("comfy_table", &["cli/"]),
    ("csv", &["files/"]),
    ("flate2", &["files/"]),
    ("zstd", &["files/"]),
    ("parquet", &["files/"]),
    ("arrow_array", &["files/"]),
    ("arrow_schema", &["files/"]),
    ("tempfile", &["files/"]),
    ("rusqlite", &["store/"]),
    // `store/mod.rs` names the module of this name.
    ("postgres", &["store/"]),
    // `cache/mod.rs` names the module of this name.
    ("redis", &["cache/redis/", "cache/mod.rs"]),
    ("figment", &["config/"]),
    ("tracing_subscriber", &["telemetry"]),
    ("metrics_exporter_prometheus", &["telemetry"]),
    ("linfa", &["model/train/"]),
    ("linfa_ensemble", &["model/train/"]),
    ("linfa_logistic", &["model/train/"]),
    ("linfa_trees", &["model/train/"]),
    ("ndarray", &["model/train/"]),
    ("rand", &["model/train/", "api/context.rs"]),
    ("forust_ml", &["model/train/"]),
    ("pulp", &["model/"]),
    ("rand_chacha", &["domain/rng.rs"]),
    (
        "sha2",
        &[
            "domain/digest.rs",
            "cache/key.rs",
            "service/webhooks/sign.rs",
        ],
    ),
    ("sm3", &["domain/digest.rs"]),
    ("getrandom", &["service/", "cache/"]),
    ("unicode_normalization", &["domain/"]),
    ("compact_str", &["domain/"]),
    (
        "toml",
        &[
            "indicators/",
            "files/",
            "service/models.rs",
            "service/outcomes.rs",
            "service/training/",
        ],
    ),
];

fn source_files() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| {
            (
                path.strip_prefix(&root).unwrap().to_owned(),
                fs::read_to_string(&path).unwrap(),
            )
        })
        .collect()
}

/// The code of a file: no comments, no string literals, no unit tests at its end.
fn code(text: &str) -> String {
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text);
    let without_comments = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(line));
    let joined: String = without_comments.collect::<Vec<_>>().join("\n");
    joined.split('"').step_by(2).collect::<Vec<_>>().join(" ")
}

/// Every `first` of a path `prefix::first` or `prefix::{first, …}` in the code.
fn named_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let word = |text: &str| {
        text.chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            None => {
                names.insert(word(rest));
            }
            Some(group) => {
                let mut depth = 0;
                let mut start = true;
                for (position, character) in group.char_indices() {
                    match character {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && !c.is_whitespace() => {
                            names.insert(word(&group[position..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    names
}

fn module_of(path: &Path) -> String {
    let first = path
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_str()
        .unwrap();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn imports_point_down_only() {
    let rules: BTreeMap<&str, &[&str]> = MAY_KNOW.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in source_files() {
        let module = module_of(&path);
        let rule = rules
            .get(module.as_str())
            .unwrap_or_else(|| panic!("module `{module}` has no rule; give it one"));
        let exceptions = EXCEPTIONS
            .iter()
            .find(|(file, _)| Path::new(file) == path)
            .map_or(&[] as &[&str], |(_, more)| more);
        let prefix = if module == "main" {
            "risktier::"
        } else {
            "crate::"
        };
        for name in named_after(&code(&text), prefix) {
            let known = rules.contains_key(name.as_str());
            if known
                && name != module
                && !rule.contains(&name.as_str())
                && !exceptions.contains(&name.as_str())
            {
                wrong.push(format!(
                    "{} names `{name}`, which `{module}` may not know",
                    path.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn outside_crates_stay_in_their_layer() {
    let mut wrong = Vec::new();
    for (path, text) in source_files() {
        let code = code(&text);
        let file = path.to_str().unwrap();
        for (outside, homes) in STAYS {
            let named = !named_after(&code, &format!("{outside}::")).is_empty()
                || code.contains(&format!("use {outside};"));
            if named && !homes.iter().any(|home| file.starts_with(home)) {
                wrong.push(format!(
                    "{file} names `{outside}`, which stays in {}",
                    homes.join(", ")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_outside_crate_has_a_place_or_is_free_for_all() {
    const EVERYWHERE: &[&str] = &[
        "async_trait",
        "hex",
        "jiff",
        "metrics",
        "serde",
        "serde_json",
        "serde_json_canonicalizer",
        "serde_path_to_error",
        "thiserror",
        "tokio",
        "tracing",
        "uuid",
    ];
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let dependencies = manifest
        .split("[dependencies]")
        .nth(1)
        .unwrap()
        .split("\n[")
        .next()
        .unwrap();
    for line in dependencies
        .lines()
        .filter(|line| line.contains('=') && !line.starts_with('#'))
    {
        let name = line.split([' ', '=']).next().unwrap().replace('-', "_");
        let placed = STAYS.iter().any(|(outside, _)| *outside == name)
            || EVERYWHERE.contains(&name.as_str());
        assert!(
            placed,
            "dependency `{name}` has no place; say in this test where it stays"
        );
    }
}

#[test]
fn the_rules_can_fail() {
    let names = named_after(
        "use crate::{cli, domain::{Tier, Label}, store};\nlet x = crate::api::run();",
        "crate::",
    );
    assert_eq!(
        names,
        ["api", "cli", "domain", "store"].map(str::to_owned).into()
    );
    assert_eq!(
        code("let a = \"crate::api\"; // crate::cli\nb"),
        "let a =  ; \nb"
    );
}
