//! Which server of a Redis Cluster holds which key.

use redis::Value;

/// Slots of a Redis Cluster.
pub(super) const SLOTS: usize = 16_384;

/// The slot of a key: CRC-16 (XMODEM) of what stands between its first braces, or of all of it, modulo [`SLOTS`].
pub(super) fn slot_of(key: &str) -> u16 {
    let tag = key
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'))
        .map(|(tag, _)| tag)
        .filter(|tag| !tag.is_empty())
        .unwrap_or(key);
    crc16(tag.as_bytes()) & 0x3FFF
}

/// The slot of a bucket, whose number in decimal is the hash tag of its key.
pub(super) fn slot_of_bucket(bucket: u16) -> u16 {
    let mut digits = [0; 5];
    let mut rest = bucket;
    let mut count = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    crc16(digits.get(5 - count..).unwrap_or_default()) & 0x3FFF
}

/// CRC-16/XMODEM, as the Cluster specification names it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0_u16, |mut crc, byte| {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            let carries = crc & 0x8000 != 0;
            crc <<= 1;
            if carries {
                crc ^= 0x1021;
            }
        }
        crc
    })
}

/// A range of slots and the master that holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SlotRange {
    pub(super) first: u16,
    pub(super) last: u16,
    /// Empty where the server does not know its own name: the one under which it was asked.
    pub(super) host: String,
    pub(super) port: u16,
}

/// Reads the answer to `CLUSTER SLOTS`; nothing when it is no such answer.
pub(super) fn slot_ranges(answer: &Value) -> Option<Vec<SlotRange>> {
    let Value::Array(ranges) = answer else {
        return None;
    };
    ranges.iter().map(slot_range).collect()
}

fn slot_range(range: &Value) -> Option<SlotRange> {
    let Value::Array(parts) = range else {
        return None;
    };
    let [
        Value::Int(first),
        Value::Int(last),
        Value::Array(master),
        ..,
    ] = parts.as_slice()
    else {
        return None;
    };
    let [host, Value::Int(port), ..] = master.as_slice() else {
        return None;
    };
    let host = match host {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok()?,
        Value::SimpleString(text) => text.clone(),
        Value::Nil => String::new(),
        _ => return None,
    };
    let within = |slot: &i64| {
        u16::try_from(*slot)
            .ok()
            .filter(|slot| usize::from(*slot) < SLOTS)
    };
    Some(SlotRange {
        first: within(first)?,
        last: within(last)?,
        // A server that does not know its name says `?`.
        host: if host == "?" { String::new() } else { host },
        port: u16::try_from(*port).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_cluster_specification() {
        // `CLUSTER KEYSLOT` of Redis 7.0 gives these.
        assert_eq!(slot_of("123456789"), 0x31C3);
        assert_eq!(slot_of("foo{123456789}bar"), 0x31C3);
        assert_eq!(slot_of("{}123456789"), crc16(b"{}123456789") & 0x3FFF);
        for bucket in [0, 7, 42, 999, 16_383] {
            assert_eq!(
                slot_of_bucket(bucket),
                slot_of(&format!("rt:x:{{{bucket}}}"))
            );
        }
    }

    #[test]
    fn buckets_spread_evenly_over_three_masters() {
        let mut counts = [0; 3];
        for bucket in 0..crate::cache::BUCKETS {
            counts[usize::from(slot_of_bucket(bucket)) * 3 / SLOTS] += 1;
        }
        for count in counts {
            assert!((5_200..=5_700).contains(&count), "{counts:?}");
        }
    }

    #[test]
    fn what_is_no_list_of_slots_is_nothing() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let master = Value::Array(vec![text("127.0.0.1"), Value::Int(7_000), text("id")]);
        let range = |last| {
            Value::Array(vec![Value::Array(vec![
                Value::Int(0),
                Value::Int(last),
                master.clone(),
            ])])
        };
        let read = slot_ranges(&range(5_460)).unwrap();
        assert_eq!((read[0].last, read[0].port), (5_460, 7_000));
        assert_eq!(slot_ranges(&range(16_384)), None);
        assert_eq!(slot_ranges(&Value::Array(vec![Value::Int(1)])), None);
        assert_eq!(slot_ranges(&text("OK")), None);
    }
}
