//! Reads from the store that are under way, so that a thousand misses of one enterprise cost one computation.
//!
//! A read joins another only if that began a moment ago and nothing is known to have changed since: whoever wrote a record
//! and then asks must not get an answer that was begun before the record. A change on another replica is not known here,
//! so what is joined is at most [`JOINABLE`] old, within the bound that every cached tier has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::TierAnswer;
use crate::domain::{EnterpriseId, Epoch};

/// How long after its beginning a read may be joined.
const JOINABLE: Duration = Duration::from_millis(250);

/// What came of a read: an answer for each of its enterprises, or nothing when another epoch is in force.
pub(super) type Landing = Option<Arc<Vec<Option<TierAnswer>>>>;

/// The reads under way.
#[derive(Default)]
pub(super) struct Flights {
    seats: Mutex<Seats>,
}

#[derive(Default)]
struct Seats {
    by_id: HashMap<EnterpriseId, Seat>,
    last: u64,
}

#[derive(Clone)]
struct Seat {
    epoch: Epoch,
    flight: u64,
    began: Instant,
    place: usize,
    landing: watch::Receiver<Option<Landing>>,
}

/// How the ids of one request are to be read.
pub(super) struct Boarding<'a> {
    /// To be read by the caller, which lands the flight.
    pub(super) own: Vec<EnterpriseId>,
    /// The flight of `own`.
    pub(super) flight: Flight<'a>,
    /// By the place in the request.
    pub(super) joined: Vec<(usize, Joined)>,
    /// The places in the request of `own`.
    pub(super) places: Vec<usize>,
}

/// A read that the caller makes. Dropped without a landing, those who joined it read for themselves.
pub(super) struct Flight<'a> {
    flights: &'a Flights,
    number: u64,
    ids: Vec<EnterpriseId>,
    landing: watch::Sender<Option<Landing>>,
}

/// A place in a read that another caller makes.
pub(super) struct Joined(Seat);

impl Flights {
    /// Divides the ids of a request among those that another request is reading and those that the caller reads.
    pub(super) fn board(&self, epoch: &Epoch, ids: Vec<EnterpriseId>) -> Boarding<'_> {
        let now = Instant::now();
        let (landing, watched) = watch::channel(None);
        let mut seats = self.lock();
        seats.last += 1;
        let number = seats.last;
        let (mut own, mut joined, mut places) =
            (Vec::with_capacity(ids.len()), Vec::new(), Vec::new());
        for (at, id) in ids.into_iter().enumerate() {
            match seats.by_id.get(&id) {
                Some(seat) if seat.epoch == *epoch && now.duration_since(seat.began) < JOINABLE => {
                    joined.push((at, Joined(seat.clone())));
                }
                _ => {
                    let seat = Seat {
                        epoch: *epoch,
                        flight: number,
                        began: now,
                        place: own.len(),
                        landing: watched.clone(),
                    };
                    seats.by_id.insert(id.clone(), seat);
                    own.push(id);
                    places.push(at);
                }
            }
        }
        drop(seats);
        Boarding {
            flight: Flight {
                flights: self,
                number,
                ids: own.clone(),
                landing,
            },
            own,
            joined,
            places,
        }
    }

    /// Lets nobody join reads of enterprises that have changed.
    pub(super) fn forget<'a>(&self, ids: impl Iterator<Item = &'a EnterpriseId>) {
        let mut seats = self.lock();
        for id in ids {
            seats.by_id.remove(id);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        // Nothing under this lock leaves the map half-changed, so a poisoned lock is as good as a whole one.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight<'_> {
    /// Gives the answers to those who joined.
    pub(super) fn land(self, landing: Landing) {
        self.landing.send_replace(Some(landing));
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut seats = self.flights.lock();
        for id in &self.ids {
            if seats
                .by_id
                .get(id)
                .is_some_and(|seat| seat.flight == self.number)
            {
                seats.by_id.remove(id);
            }
        }
    }
}

impl Joined {
    /// The answer of the flight: `Err` if it did not land, `Ok(None)` if another epoch is in force.
    pub(super) async fn answer(self) -> Result<Option<Option<TierAnswer>>, NotLanded> {
        let Self(Seat {
            place, mut landing, ..
        }) = self;
        let landed = landing
            .wait_for(Option::is_some)
            .await
            .map_err(|_| NotLanded)?;
        let answers = landed.as_ref().ok_or(NotLanded)?;
        match answers {
            None => Ok(None),
            Some(answers) => Ok(Some(answers.get(place).ok_or(NotLanded)?.clone())),
        }
    }
}

/// The read that was joined came to nothing.
pub(super) struct NotLanded;

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> EnterpriseId {
        EnterpriseId::parse(text).unwrap()
    }

    fn epoch() -> Epoch {
        "0123456789abcdef".parse().unwrap()
    }

    #[tokio::test]
    async fn whoever_asks_while_a_read_is_under_way_gets_its_answer() {
        let flights = Flights::default();
        let first = flights.board(&epoch(), vec![id("a"), id("b")]);
        let second = flights.board(&epoch(), vec![id("c"), id("b")]);
        assert_eq!(first.own, [id("a"), id("b")]);
        assert_eq!((second.own, second.places), (vec![id("c")], vec![0]));

        first.flight.land(Some(Arc::new(vec![None, None])));

        let (at, joined) = second.joined.into_iter().next().unwrap();
        assert_eq!(at, 1);
        assert!(matches!(joined.answer().await, Ok(Some(None))));
        assert_eq!(
            flights.board(&epoch(), vec![id("b")]).own,
            [id("b")],
            "it is over"
        );
    }

    #[tokio::test]
    async fn a_read_that_comes_to_nothing_lets_the_others_go() {
        let flights = Flights::default();
        let first = flights.board(&epoch(), vec![id("a")]);
        let second = flights.board(&epoch(), vec![id("a")]);
        drop(first);
        for (_, joined) in second.joined {
            assert!(joined.answer().await.is_err());
        }
    }

    #[test]
    fn after_a_change_or_under_another_epoch_nobody_joins() {
        let flights = Flights::default();
        let _first = flights.board(&epoch(), vec![id("a")]);
        let other = "fedcba9876543210".parse().unwrap();
        assert_eq!(flights.board(&other, vec![id("a")]).own, [id("a")]);

        let _again = flights.board(&epoch(), vec![id("a")]);
        flights.forget([id("a")].iter());
        assert_eq!(flights.board(&epoch(), vec![id("a")]).own, [id("a")]);
    }
}
