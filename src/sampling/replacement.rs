//! Who takes the place of a drawn object that cannot be visited: the next of its stratum's reserve, in order
//! (`risktier-draw/1` section 7).
//!
//! Pure: the same draw, the same earlier replacements and the same object give the same answer, so a stranger can check
//! every replacement against the replayed order. Why an object is replaced, by whom and when is for the layer above. An
//! object that was drawn otherwise never takes a place: the draw leaves it out of the reserve.

use std::collections::BTreeMap;

use super::draw::{DrawOutcome, ReserveObject, SampleKey, SampleLine};

/// One object out, and who came in for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// The object that is not visited: drawn, or taken from the reserve before.
    pub object: u32,
    /// The key under which it was drawn, or for which it was taken.
    pub key: SampleKey,
    /// Who takes its place; nobody where the reserve is used up, and for exploration and method `order`, which have no
    /// reserve.
    pub taken: Option<ReserveObject>,
}

/// Why an object cannot be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplaceError {
    /// It is neither drawn nor taken from the reserve.
    #[error(
        "the object is not in the sample: only who is drawn, or has taken a place, can be replaced"
    )]
    NotInSample,
    /// It is replaced or skipped already.
    #[error("the object is replaced already: replace who has taken its place")]
    Already,
}

/// The sample of a draw as it stands after replacements.
#[derive(Debug)]
pub struct Standing<'a> {
    /// The reserve of each stratum, in order.
    reserves: Vec<&'a [ReserveObject]>,
    /// Everybody who is or was in the sample, with the key, and whether it was replaced.
    members: BTreeMap<u32, (SampleKey, bool)>,
    /// How many of each stratum's reserve have taken a place, by index.
    used: Vec<usize>,
}

impl<'a> Standing<'a> {
    /// The sample as it was drawn.
    #[must_use]
    pub fn new(outcome: &'a DrawOutcome) -> Self {
        let reserves = outcome.strata.iter();
        let reserves = reserves.map(|stratum| stratum.reserve.as_slice());
        Self::of(&outcome.lines, reserves.collect())
    }

    /// The sample of these lines, with the reserve of each stratum that they name.
    #[must_use]
    pub fn of(lines: &[SampleLine], reserves: Vec<&'a [ReserveObject]>) -> Self {
        let members = lines.iter();
        Self {
            members: members
                .map(|line| (line.object, (line.key, false)))
                .collect(),
            used: vec![0; reserves.len()],
            reserves,
        }
    }

    /// Whether an object is in the sample now: drawn or taken, and not replaced.
    #[must_use]
    pub fn has(&self, object: u32) -> bool {
        self.members
            .get(&object)
            .is_some_and(|(_, is_replaced)| !is_replaced)
    }

    /// Takes an object out of the sample; the next of its stratum's reserve comes in.
    ///
    /// # Errors
    ///
    /// [`ReplaceError`] when the object is not in the sample now.
    pub fn replace(&mut self, object: u32) -> Result<Replaced, ReplaceError> {
        let (key, is_replaced) = self
            .members
            .get_mut(&object)
            .ok_or(ReplaceError::NotInSample)?;
        if *is_replaced {
            return Err(ReplaceError::Already);
        }
        *is_replaced = true;
        let key = *key;
        let taken = match key {
            SampleKey::Stratum(index) => self.next(index as usize),
            SampleKey::Explore | SampleKey::All => None,
        };
        if let Some(taken) = taken {
            self.members.insert(taken.object, (key, false));
        }
        Ok(Replaced { object, key, taken })
    }

    fn next(&mut self, stratum: usize) -> Option<ReserveObject> {
        let used = self.used.get_mut(stratum)?;
        let taken = self.reserves.get(stratum)?.get(*used).copied()?;
        *used += 1;
        Some(taken)
    }
}

/// Replaces everybody in the sample for whom `cannot` says so, in the order of the sample file; who comes in is asked
/// about too, and replaced in turn. `earlier` are the objects that were replaced before, in their order.
///
/// # Errors
///
/// [`ReplaceError`] when an earlier replacement does not fit the draw.
pub fn replace_all(
    outcome: &DrawOutcome,
    earlier: &[u32],
    mut cannot: impl FnMut(u32) -> bool,
) -> Result<Vec<Replaced>, ReplaceError> {
    let mut standing = Standing::new(outcome);
    let mut came_in = Vec::new();
    for object in earlier {
        came_in.extend(standing.replace(*object)?.taken.map(|taken| taken.object));
    }
    let mut asking: Vec<u32> = outcome.lines.iter().map(|line| line.object).collect();
    asking.extend(came_in);
    let mut all = Vec::new();
    for object in asking {
        let mut asked = Some(object);
        while let Some(object) = asked.filter(|object| standing.has(*object)) {
            if !cannot(object) {
                break;
            }
            let replaced = standing.replace(object)?;
            asked = replaced.taken.map(|taken| taken.object);
            all.push(replaced);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::digest::Digest;
    use crate::sampling::draw::{DrawnStratum, SampleLine};
    use crate::sampling::pool::StratumKey;
    use crate::sampling::seed::Seed;

    /// Stratum 0 draws 1 and 2 with the reserve 3, 5 (4 is drawn by exploration); stratum 1 draws 7 without a reserve.
    fn outcome() -> DrawOutcome {
        let line = |object, key, order| SampleLine { object, key, order };
        let stratum = |key: &str, n, reserve: &[(u32, u64)]| DrawnStratum {
            key: StratumKey::new(key).unwrap(),
            n,
            certain: 0,
            reserve: reserve
                .iter()
                .map(|(object, order)| ReserveObject {
                    object: *object,
                    order: *order,
                })
                .collect(),
        };
        DrawOutcome {
            plan_digest: Digest::from_bytes([0; 32]),
            seed: Seed::new(Digest::from_bytes([0; 32])),
            rounding_v: None,
            strata: vec![stratum("A", 2, &[(3, 3), (5, 5)]), stratum("B", 1, &[])],
            exploration: vec![4],
            explore_drawn: 1,
            lines: vec![
                line(1, SampleKey::Stratum(0), 1),
                line(2, SampleKey::Stratum(0), 2),
                line(7, SampleKey::Stratum(1), 1),
                line(4, SampleKey::Explore, 1),
            ],
            sample_tsv: Vec::new(),
            sample_digest: Digest::from_bytes([0; 32]),
        }
    }

    fn pairs(all: &[Replaced]) -> Vec<(u32, Option<u32>)> {
        all.iter()
            .map(|one| (one.object, one.taken.map(|taken| taken.object)))
            .collect()
    }

    #[test]
    fn the_reserve_is_taken_in_order_and_never_twice() {
        let outcome = outcome();
        let mut standing = Standing::new(&outcome);

        assert_eq!(standing.replace(2).unwrap().taken.unwrap().object, 3);
        assert_eq!(standing.replace(2), Err(ReplaceError::Already));
        assert_eq!(standing.replace(5), Err(ReplaceError::NotInSample));
        // Who took a place can be replaced in turn.
        let next = standing.replace(3).unwrap();
        assert_eq!(
            next.taken.unwrap(),
            ReserveObject {
                object: 5,
                order: 5
            }
        );
        assert_eq!(next.key, SampleKey::Stratum(0));
        assert_eq!(standing.replace(1).unwrap().taken, None);
        assert!(standing.has(5) && !standing.has(1) && !standing.has(3));
    }

    #[test]
    fn exploration_and_empty_reserves_leave_the_place_open() {
        let outcome = outcome();
        let mut standing = Standing::new(&outcome);

        assert_eq!(standing.replace(4).unwrap().taken, None);
        assert_eq!(standing.replace(7).unwrap().taken, None);
        assert_eq!(standing.replace(9), Err(ReplaceError::NotInSample));
    }

    #[test]
    fn who_comes_in_is_asked_about_too() {
        let outcome = outcome();
        let cannot = |object: u32| [2, 3, 7].contains(&object);

        let all = replace_all(&outcome, &[], cannot).unwrap();
        let later = replace_all(&outcome, &[1], cannot).unwrap();

        assert_eq!(pairs(&all), [(2, Some(3)), (3, Some(5)), (7, None)]);
        assert_eq!(pairs(&later), [(2, Some(5)), (7, None), (3, None)]);
        assert_eq!(
            replace_all(&outcome, &[9], cannot),
            Err(ReplaceError::NotInSample)
        );
        assert!(replace_all(&outcome, &[], |_| false).unwrap().is_empty());
    }
}
