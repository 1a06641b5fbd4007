//! Tiers of many enterprises at once.

use jiff::civil::Date;
use postgres::types::ToSql;

use super::PostgresStore;
use super::tiers::{LiveLock, limited, live, signed, table, texts, whole_tables};
use crate::domain::EnterpriseId;
use crate::domain::dates::to_epoch_day;
use crate::store::overview::Dialect;
use crate::store::rows;
use crate::store::tier_rows::{self, ALERT_COLUMNS, IN_FORCE_COLUMNS, group_name};
use crate::store::{
    Alert, AlertFilter, InForce, Migrated, Overview, StoreError, SummaryBy, Summed, TierFilter,
};

const DIALECT: Dialect = Dialect {
    mark: '$',
    only_digits: "!~ '[^0-9]'",
    has_tag: "jsonb_exists(e.tags::jsonb, {})",
};

type Value<'a> = &'a (dyn ToSql + Sync);

impl Overview for PostgresStore {
    fn in_force_log(&self) -> Result<Vec<InForce>, StoreError> {
        let sql = format!("SELECT {IN_FORCE_COLUMNS} FROM in_force f ORDER BY f.number");
        self.pool.read(|tx| {
            tx.query(&sql, &[])?
                .iter()
                .map(tier_rows::in_force)
                .collect()
        })
    }

    fn alerts_of(
        &self,
        filter: &AlertFilter,
        seq: u64,
        limit: usize,
    ) -> Result<Vec<Alert>, StoreError> {
        let of = TierFilter {
            division: filter.division.clone(),
            ..TierFilter::default()
        };
        let (mut wanted, words) = of.conditions(&DIALECT, 3);
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
        wanted.insert(0, "seq > $1".to_owned());
        let sql = format!(
            "SELECT {ALERT_COLUMNS} FROM alerts WHERE {} ORDER BY seq LIMIT $2",
            wanted.join(" AND ")
        );
        let (seq, limit) = (signed(seq), limited(limit));
        let mut values: Vec<Value<'_>> = vec![&seq, &limit];
        values.extend(words.iter().map(|word| word as Value<'_>));
        self.pool.read(|tx| {
            tx.query(&sql, &values)?
                .iter()
                .map(tier_rows::alert)
                .collect()
        })
    }

    fn tier_migrations(
        &self,
        (from, to): (Date, Date),
        filter: &TierFilter,
        without: &[EnterpriseId],
    ) -> Result<Vec<Migrated>, StoreError> {
        let (mut wanted, words) = filter.conditions(&DIALECT, 4);
        let join = if wanted.is_empty() {
            ""
        } else {
            "JOIN enterprises e USING (enterprise_id)"
        };
        wanted.insert(0, "t.enterprise_id <> ALL($3::text[])".to_owned());
        let (from, to, without) = (to_epoch_day(from), to_epoch_day(to), texts(without));
        let mut values: Vec<Value<'_>> = vec![&from, &to, &without];
        values.extend(words.iter().map(|word| word as Value<'_>));
        self.pool.read_at_one_instant(|tx| {
            let Some(live) = live(tx, LiveLock::None)? else {
                return Ok(Vec::new());
            };
            whole_tables(tx)?;
            let sql = format!(
                "WITH a AS (SELECT DISTINCT ON (enterprise_id) enterprise_id, tier, from_on FROM tier_history \
                     WHERE until_on > $1 ORDER BY enterprise_id, until_on), \
                 b AS (SELECT DISTINCT ON (enterprise_id) enterprise_id, tier, from_on FROM tier_history \
                     WHERE until_on > $2 ORDER BY enterprise_id, until_on) \
                 SELECT CASE WHEN coalesce(a.from_on, t.from_on) <= $1 THEN coalesce(a.tier, t.tier) END, \
                     CASE WHEN coalesce(b.from_on, t.from_on) <= $2 THEN coalesce(b.tier, t.tier) END, count(*) \
                 FROM {} t {join} LEFT JOIN a USING (enterprise_id) LEFT JOIN b USING (enterprise_id) \
                 WHERE {} GROUP BY 1, 2 ORDER BY 1 NULLS FIRST, 2 NULLS FIRST",
                table(live.slot),
                wanted.join(" AND ")
            );
            tx.query(&sql, &values)?
                .iter()
                .map(|row| {
                    Ok((
                        tier_rows::optional_tier(row, 0)?,
                        tier_rows::optional_tier(row, 1)?,
                        rows::number(row, 2, "count")?,
                    ))
                })
                .collect()
        })
    }

    fn tier_summary(
        &self,
        by: SummaryBy,
        day: Date,
        without: &[EnterpriseId],
    ) -> Result<Vec<Summed>, StoreError> {
        let (day, without) = (to_epoch_day(day), texts(without));
        self.pool.read_at_one_instant(|tx| {
            let Some(live) = live(tx, LiveLock::None)? else {
                return Ok(Vec::new());
            };
            whole_tables(tx)?;
            let (column, more) = match by {
                SummaryBy::Division => ("coalesce(e.division, '')", ""),
                SummaryBy::Industry => ("coalesce(e.industry, '')", ""),
                SummaryBy::Size => ("e.size::text", ""),
                SummaryBy::Kind => ("e.kind::text", ""),
                SummaryBy::Tag => (
                    "j.value",
                    " CROSS JOIN LATERAL json_array_elements_text(e.tags::json) AS j(value)",
                ),
            };
            let sql = format!(
                "SELECT {column} COLLATE \"C\", CASE WHEN t.revision = e.revision AND t.as_of <= $1 \
                     AND (t.next_change_on IS NULL OR t.next_change_on > $1) THEN t.tier END, count(*) \
                 FROM enterprises e LEFT JOIN {} t USING (enterprise_id){more} \
                 WHERE e.enterprise_id <> ALL($2::text[]) GROUP BY 1, 2 ORDER BY 1, 2 NULLS FIRST",
                table(live.slot)
            );
            tx.query(&sql, &[&day, &without])?
                .iter()
                .map(|row| {
                    Ok((
                        group_name(by, rows::text(row, 0, "summary")?),
                        tier_rows::optional_tier(row, 1)?,
                        rows::number(row, 2, "count")?,
                    ))
                })
                .collect()
        })
    }
}
