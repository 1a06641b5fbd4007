//! Whole numbers as text, for files of millions of lines.

/// Appends a number in decimal digits, without leading zeros.
pub(crate) fn push_number(text: &mut Vec<u8>, number: u32) {
    // The largest number has ten digits; the last comes first.
    let mut digits = [b'0'; 10];
    let (mut rest, mut count) = (number, 0);
    for digit in digits.iter_mut().rev() {
        // Below ten, so it fits.
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    let start = digits.len() - count;
    text.extend_from_slice(digits.get(start..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_they_are_displayed() {
        for number in [0, 1, 9, 10, 99, 100, 12_345, 1_000_000_000, u32::MAX] {
            let mut text = b"x".to_vec();
            push_number(&mut text, number);
            assert_eq!(text, format!("x{number}").into_bytes());
        }
    }
}
