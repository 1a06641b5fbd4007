//! Tiers of many enterprises at once.

use jiff::civil::Date;
use rusqlite::types::ToSql;

use super::SqliteStore;
use super::tiers::{all, live, table};
use crate::domain::EnterpriseId;
use crate::domain::dates::to_epoch_day;
use crate::store::overview::Dialect;
use crate::store::rows;
use crate::store::tier_rows::{self, ALERT_COLUMNS, IN_FORCE_COLUMNS, group_name};
use crate::store::{
    Alert, AlertFilter, InForce, Migrated, Overview, StoreError, SummaryBy, Summed, TierFilter,
};

const DIALECT: Dialect = Dialect {
    mark: '?',
    only_digits: "NOT GLOB '*[^0-9]*'",
    has_tag: "EXISTS (SELECT 1 FROM json_each(e.tags) j WHERE j.value = {})",
};

impl Overview for SqliteStore {
    fn in_force_log(&self) -> Result<Vec<InForce>, StoreError> {
        let sql = format!("SELECT {IN_FORCE_COLUMNS} FROM in_force f ORDER BY f.number");
        self.read(|tx| all(tx, &sql, &[], |row| tier_rows::in_force(row)))
    }

    fn alerts_of(
        &self,
        filter: &AlertFilter,
        seq: u64,
        limit: usize,
    ) -> Result<Vec<Alert>, StoreError> {
        let (mut wanted, texts) = division_of(filter).conditions(&DIALECT, 3);
        wanted.iter_mut().for_each(|condition| {
            *condition = format!(
                "EXISTS (SELECT 1 FROM enterprises e WHERE e.enterprise_id = alerts.enterprise_id AND {condition})"
            );
        });
        wanted.extend(
            filter
                .kind
                .map(|kind| format!("kind = '{}'", kind.as_str())),
        );
        wanted.insert(0, "seq > ?1".to_owned());
        let sql = format!(
            "SELECT {ALERT_COLUMNS} FROM alerts WHERE {} ORDER BY seq LIMIT ?2",
            wanted.join(" AND ")
        );
        let mut values: Vec<&dyn ToSql> = vec![&seq, &limit];
        values.extend(texts.iter().map(|text| text as &dyn ToSql));
        self.read(|tx| all(tx, &sql, &values, |row| tier_rows::alert(row)))
    }

    fn tier_migrations(
        &self,
        (from, to): (Date, Date),
        filter: &TierFilter,
        without: &[EnterpriseId],
    ) -> Result<Vec<Migrated>, StoreError> {
        let (mut wanted, texts) = filter.conditions(&DIALECT, 4);
        let join = if wanted.is_empty() {
            ""
        } else {
            "JOIN enterprises e USING (enterprise_id)"
        };
        wanted.insert(
            0,
            "t.enterprise_id NOT IN (SELECT value FROM json_each(?3))".to_owned(),
        );
        let (from, to, without) = (to_epoch_day(from), to_epoch_day(to), list(without)?);
        let mut values: Vec<&dyn ToSql> = vec![&from, &to, &without];
        values.extend(texts.iter().map(|text| text as &dyn ToSql));
        self.read(|tx| {
            let Some(live) = live(tx)? else {
                return Ok(Vec::new());
            };
            // A bare column beside min() is of the row with the minimum: the earliest one that was superseded later.
            let sql = format!(
                "WITH a AS (SELECT enterprise_id, tier, from_on, min(until_on) FROM tier_history WHERE until_on > ?1 \
                     GROUP BY enterprise_id), \
                 b AS (SELECT enterprise_id, tier, from_on, min(until_on) FROM tier_history WHERE until_on > ?2 \
                     GROUP BY enterprise_id) \
                 SELECT CASE WHEN coalesce(a.from_on, t.from_on) <= ?1 THEN coalesce(a.tier, t.tier) END, \
                     CASE WHEN coalesce(b.from_on, t.from_on) <= ?2 THEN coalesce(b.tier, t.tier) END, count(*) \
                 FROM {} t {join} LEFT JOIN a USING (enterprise_id) LEFT JOIN b USING (enterprise_id) \
                 WHERE {} GROUP BY 1, 2 ORDER BY 1, 2",
                table(live.slot),
                wanted.join(" AND ")
            );
            all(tx, &sql, &values, |row| {
                Ok((
                    tier_rows::optional_tier(row, 0)?,
                    tier_rows::optional_tier(row, 1)?,
                    rows::number(row, 2, "count")?,
                ))
            })
        })
    }

    fn tier_summary(
        &self,
        by: SummaryBy,
        day: Date,
        without: &[EnterpriseId],
    ) -> Result<Vec<Summed>, StoreError> {
        let (day, without) = (to_epoch_day(day), list(without)?);
        self.read(|tx| {
            let Some(live) = live(tx)? else {
                return Ok(Vec::new());
            };
            let (column, more) = match by {
                SummaryBy::Division => ("coalesce(e.division, '')", ""),
                SummaryBy::Industry => ("coalesce(e.industry, '')", ""),
                SummaryBy::Size => ("CAST(e.size AS TEXT)", ""),
                SummaryBy::Kind => ("CAST(e.kind AS TEXT)", ""),
                SummaryBy::Tag => ("j.value", ", json_each(e.tags) j"),
            };
            let sql = format!(
                "SELECT {column}, CASE WHEN t.revision = e.revision AND t.as_of <= ?1 \
                     AND (t.next_change_on IS NULL OR t.next_change_on > ?1) THEN t.tier END, count(*) \
                 FROM enterprises e LEFT JOIN {} t USING (enterprise_id){more} \
                 WHERE e.enterprise_id NOT IN (SELECT value FROM json_each(?2)) \
                 GROUP BY 1, 2 ORDER BY 1, 2",
                table(live.slot)
            );
            all(tx, &sql, &[&day, &without], |row| {
                Ok((
                    group_name(by, rows::text(row, 0, "summary")?),
                    tier_rows::optional_tier(row, 1)?,
                    rows::number(row, 2, "count")?,
                ))
            })
        })
    }
}

/// The part of a filter that is about the enterprise.
fn division_of(filter: &AlertFilter) -> TierFilter {
    TierFilter {
        division: filter.division.clone(),
        ..TierFilter::default()
    }
}

/// Ids as a list for `json_each`.
fn list(ids: &[EnterpriseId]) -> Result<String, StoreError> {
    serde_json::to_string(ids).map_err(|error| StoreError::Aborted(error.to_string()))
}
