//! Lists that come page by page, read to their end.

/// Rows asked for at once.
const PAGE: usize = 1_000;

/// All rows of a list. `page` gives the rows behind the last one so far, at most so many; fewer are the last ones.
pub(super) fn every<T, E>(
    page: impl Fn(Option<&T>, usize) -> Result<Vec<T>, E>,
) -> Result<Vec<T>, E> {
    let mut all = Vec::new();
    loop {
        let rows = page(all.last(), PAGE)?;
        let is_last = rows.len() < PAGE;
        all.extend(rows);
        if is_last {
            return Ok(all);
        }
    }
}
