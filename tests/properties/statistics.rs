//! Frozen statistics: who is a peer of whom, and shares that stand on the right side of an edge.

use risktier::domain::EnterpriseSize;
use risktier::indicators::{
    ComplaintShare, LinkKey, PeerCell, PeerCircle, RegisterFacts, Statistics, StatisticsBuilder,
};

use crate::register::{TODAY, label};

fn facts(industry: Option<&str>, size: EnterpriseSize, complaints: u32) -> RegisterFacts {
    RegisterFacts {
        is_counted: true,
        cell: PeerCell {
            industry: industry.map(label),
            size,
        },
        complaints,
        addresses: Vec::new(),
        persons: Vec::new(),
        links: Vec::new(),
        owner: None,
        is_listed: false,
        cancelled_on: None,
    }
}

fn frozen(all: impl IntoIterator<Item = RegisterFacts>) -> Statistics {
    let mut builder = StatisticsBuilder::new(TODAY);
    all.into_iter().for_each(|facts| builder.add(&facts));
    builder.freeze()
}

#[test]
fn the_circle_of_peers_widens_until_it_is_large_enough() {
    use EnterpriseSize::{Large, Small};
    // 3 of one class and size, 5 of the section and size, 7 of the section, 9 in all.
    let statistics = frozen([
        facts(Some("C1411"), Small, 0),
        facts(Some("C1411"), Small, 1),
        facts(Some("C1411"), Small, 4),
        facts(Some("C1499"), Small, 0),
        facts(Some("C1499"), Small, 2),
        facts(Some("C1411"), Large, 9),
        facts(Some("C3000"), Large, 0),
        facts(Some("ward-7"), Small, 0),
        facts(None, Small, 0),
        RegisterFacts {
            is_counted: false,
            ..facts(Some("C1411"), Small, 0)
        },
    ]);
    let cell = facts(Some("C1411"), Small, 0).cell;
    let share = |least| statistics.complaint_share(&cell, 2, least).unwrap();
    let expected = |below, peers, circle| ComplaintShare {
        below,
        peers,
        circle,
    };
    assert_eq!(share(3), expected(2, 3, PeerCircle::IndustryAndSize));
    assert_eq!(share(4), expected(3, 5, PeerCircle::SectionAndSize));
    assert_eq!(share(6), expected(4, 7, PeerCircle::Section));
    assert_eq!(share(8), expected(6, 9, PeerCircle::All));
    assert_eq!(share(1_000), expected(6, 9, PeerCircle::All));

    // A label of another system is its own section; an unknown industry has the whole register for peers.
    let ward = facts(Some("ward-7"), Large, 0).cell;
    let found = statistics.complaint_share(&ward, 1, 1).unwrap();
    assert_eq!(found, expected(1, 1, PeerCircle::Section));
    let unknown = facts(None, Small, 0).cell;
    let found = statistics.complaint_share(&unknown, 1, 1).unwrap();
    assert_eq!(found, expected(5, 9, PeerCircle::All));
    assert_eq!(frozen([]).complaint_share(&cell, 1, 2), None);
}

#[test]
fn a_share_stands_on_the_right_side_of_every_edge() {
    let edges = [
        (0.9, 900),
        (0.97, 970),
        (0.995, 995),
        (0.7, 700),
        (0.333, 333),
    ];
    for peers in (1..=1_500_u64).chain([4_999_999, 5_000_000]) {
        for (edge, thousandths) in edges {
            // The counts just below, at and above the edge.
            let near = peers * thousandths / 1_000;
            for below in near.saturating_sub(1)..=(near + 1).min(peers) {
                let share = ComplaintShare {
                    below,
                    peers,
                    circle: PeerCircle::All,
                };
                let reaches = below * 1_000 >= thousandths * peers;
                assert_eq!(share.value() >= edge, reaches, "{below} of {peers}");
            }
        }
    }
}

#[test]
fn damaged_statistics_are_refused() {
    let statistics = frozen((0..40).map(|number| RegisterFacts {
        addresses: vec![LinkKey::address(&(number % 7).to_string())],
        ..facts(Some("C1411"), EnterpriseSize::Small, number % 3)
    }));
    let bytes = statistics.to_bytes();
    assert_eq!(Statistics::from_bytes(&bytes).unwrap(), statistics);
    for length in 0..bytes.len() {
        assert!(
            Statistics::from_bytes(&bytes[..length]).is_err(),
            "{length}"
        );
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(Statistics::from_bytes(&longer).is_err());
    // Whatever else a changed byte does, it is refused or gives other statistics under another digest.
    for position in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[position] ^= 1;
        if let Ok(other) = Statistics::from_bytes(&changed) {
            assert!(other != statistics && other.digest() != statistics.digest());
            assert_eq!(other.to_bytes(), changed);
        }
    }
}
