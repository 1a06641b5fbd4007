//! Bringing the schema up to date. Replicas that start at once take turns.

use super::lock::Lock;
use super::policies;
use super::pool::{End, Pool};
use crate::store::{StoreError, rows};

/// Forward-only migrations; the position plus one is the schema version they lead to.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/postgres/0001_register.sql"),
    include_str!("../migrations/postgres/0002_versions.sql"),
    include_str!("../migrations/postgres/0005_life.sql"),
    include_str!("../migrations/postgres/0004_runs.sql"),
    include_str!("../migrations/postgres/0003_imports.sql"),
    include_str!("../migrations/postgres/0006_models.sql"),
    include_str!("../migrations/postgres/0007_items_ledger.sql"),
    include_str!("../migrations/postgres/0008_ceremony.sql"),
    include_str!("../migrations/postgres/0009_schedule.sql"),
    include_str!("../migrations/postgres/0010_serving.sql"),
    include_str!("../migrations/postgres/0011_scale.sql"),
    include_str!("../migrations/postgres/0012_registry.sql"),
    include_str!("../migrations/postgres/0013_shared_visits.sql"),
    include_str!("../migrations/postgres/0014_refusals.sql"),
    include_str!("../migrations/postgres/0015_policy_chain.sql"),
    include_str!("../migrations/postgres/0016_due.sql"),
    include_str!("../migrations/postgres/0017_pieces.sql"),
];

pub(super) fn check_encoding(pool: &Pool) -> Result<(), StoreError> {
    let encoding = pool.read(|tx| {
        let row = tx.one("SELECT current_setting('server_encoding')", &[])?;
        Ok(rows::text(&row, 0, "server_encoding")?.to_owned())
    })?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(StoreError::Encoding {
        place: pool.place().to_owned(),
        encoding,
    })
}

pub(super) fn migrate(pool: &Pool) -> Result<(), StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    pool.write(|tx| {
        tx.batch("SET LOCAL statement_timeout = 0")?;
        Lock::Schema.take(tx)?;
        tx.batch("CREATE TABLE IF NOT EXISTS schema_version (version bigint NOT NULL)")?;
        let row = tx.one("SELECT coalesce(max(version), 0) FROM schema_version", &[])?;
        let found: i64 = rows::number(&row, 0, "version")?;
        if found > known {
            return Err(StoreError::TooNew {
                path: pool.place().to_owned(),
                found,
                known,
            });
        }
        for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
            tx.batch(migration)?;
        }
        if found < known {
            tx.batch(&format!(
                "DELETE FROM schema_version; INSERT INTO schema_version VALUES ({known})"
            ))?;
        }
        // What an earlier release wrote has no place in the chain yet.
        Lock::Models.take(tx)?;
        policies::chain(tx)?;
        Ok(End::Keep(()))
    })
}
