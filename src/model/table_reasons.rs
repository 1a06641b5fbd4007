//! The weightiest reasons of many rows at once.
//!
//! Points and position of an indicator become one number, the points above and an earlier position greater, so that the
//! four greatest numbers of a row are its reasons in their order. They are kept sorted by maximum and minimum alone.

use std::ops::{Add, Mul};

use pulp::{Arch, Simd, WithSimd};

use super::table_score::BLOCK;

/// How many reasons a row gets.
pub const REASON_COUNT: usize = 4;

/// Rows ranked at once.
const LANES: usize = 8;

/// Whole numbers below it are exact in binary32.
const EXACT: i64 = 1 << 24;

/// One reason of a row: what an indicator or a pair of them adds to the least it can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableReason {
    /// Position among [`TableScorer::reason_codes`](super::TableScorer::reason_codes).
    pub code: u16,
    /// Points above the best bin.
    pub points: i32,
}

/// Ranks what the indicators and pair terms of a card give.
pub(super) struct Ranks {
    /// The least points of each.
    least: Vec<i32>,
    /// Bits of a position.
    bits: u32,
    /// Whether every number fits binary32.
    is_small: bool,
}

impl Ranks {
    /// `range` holds the least and most points of each indicator and pair term.
    pub(super) fn new(range: impl Iterator<Item = (i32, i32)>) -> Self {
        let (least, most): (Vec<i32>, Vec<i32>) = range.unzip();
        let bits = usize::BITS - least.len().leading_zeros();
        let widest = least
            .iter()
            .zip(&most)
            .map(|(least, most)| i64::from(most - least));
        Self {
            is_small: (widest.max().unwrap_or(0) + 1) << bits < EXACT,
            least,
            bits,
        }
    }

    /// Appends the reasons of `length` rows; `parts` holds the points of each indicator and pair term.
    pub(super) fn push(
        &self,
        parts: &[[i32; BLOCK]],
        length: usize,
        reasons: &mut Vec<[Option<TableReason>; REASON_COUNT]>,
    ) {
        // Ranking by binary32 is twice as quick as by 64-bit numbers, and exact for any card a person would print.
        if self.is_small {
            self.rank(
                parts,
                length,
                reasons,
                |number| number as f32,
                |key| key as i64,
            );
        } else {
            self.rank(parts, length, reasons, i64::from, |key| key);
        }
    }

    fn rank<K: Key>(
        &self,
        parts: &[[i32; BLOCK]],
        length: usize,
        reasons: &mut Vec<[Option<TableReason>; REASON_COUNT]>,
        key_of: impl Fn(i32) -> K,
        number_of: impl Fn(K) -> i64,
    ) {
        Arch::new().dispatch(Ranking {
            ranks: self,
            parts,
            length,
            reasons,
            key_of,
            number_of,
        });
    }

    fn reason(&self, key: i64, count: i32) -> Option<TableReason> {
        if key == 0 {
            return None;
        }
        let rank = key & ((1 << self.bits) - 1);
        Some(TableReason {
            code: u16::try_from(i64::from(count) - rank).ok()?,
            points: i32::try_from(key >> self.bits).ok()?,
        })
    }
}

/// A number by which reasons are ranked.
trait Key: Copy + Default + PartialOrd + Add<Output = Self> + Mul<Output = Self> {}

impl Key for f32 {}
impl Key for i64 {}

/// The work of [`Ranks::push`] for one sort of key.
struct Ranking<'a, KeyOf, NumberOf> {
    ranks: &'a Ranks,
    parts: &'a [[i32; BLOCK]],
    length: usize,
    reasons: &'a mut Vec<[Option<TableReason>; REASON_COUNT]>,
    key_of: KeyOf,
    number_of: NumberOf,
}

impl<K: Key, KeyOf: Fn(i32) -> K, NumberOf: Fn(K) -> i64> WithSimd
    for Ranking<'_, KeyOf, NumberOf>
{
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self {
            ranks,
            parts,
            length,
            reasons,
            key_of,
            number_of,
        } = self;
        let scale = key_of(1 << ranks.bits);
        let count = i32::try_from(parts.len()).unwrap_or(i32::MAX);
        for start in (0..length).step_by(LANES) {
            let mut best = [[K::default(); LANES]; REASON_COUNT];
            let mut rank = count;
            for (part, least) in parts.iter().zip(&ranks.least) {
                let position = key_of(rank);
                rank -= 1;
                let Some(part) = part.get(start..).and_then(<[i32]>::first_chunk::<LANES>) else {
                    continue;
                };
                let mut keys = part.map(|points| {
                    let above = points - least;
                    let key = key_of(above) * scale + position;
                    if above > 0 { key } else { K::default() }
                });
                for best in &mut best {
                    for (best, key) in best.iter_mut().zip(&mut keys) {
                        let (high, low) = (greater(*key, *best), lesser(*best, *key));
                        (*best, *key) = (high, low);
                    }
                }
            }
            for lane in 0..LANES.min(length - start) {
                reasons.push(best.each_ref().map(|best| {
                    let key = best.get(lane).copied().map_or(0, &number_of);
                    ranks.reason(key, count)
                }));
            }
        }
    }
}

#[inline(always)]
fn greater<K: Copy + PartialOrd>(one: K, other: K) -> K {
    if one > other { one } else { other }
}

#[inline(always)]
fn lesser<K: Copy + PartialOrd>(one: K, other: K) -> K {
    if one < other { one } else { other }
}
