//! Reading and adding at computed positions. A position outside counts as absent, so that no loop can panic.

/// The number at a position; 0 outside.
#[inline]
pub(super) fn at(values: &[f64], position: usize) -> f64 {
    values.get(position).copied().unwrap_or(0.0)
}

/// The code at a position; 0 outside.
#[inline]
pub(super) fn code(codes: &[u32], position: usize) -> usize {
    codes.get(position).map_or(0, |code| *code as usize)
}

/// Adds to the number at a position; nothing happens outside.
#[inline]
pub(super) fn add(values: &mut [f64], position: usize, amount: f64) {
    if let Some(value) = values.get_mut(position) {
        *value += amount;
    }
}

/// `part / whole`, where the whole is above zero.
#[inline]
pub(super) fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}
