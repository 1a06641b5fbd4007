//! A request body as a blocking reader: chunks pass through a short channel, so memory stays bounded and a slow import
//! slows the sender down. Nothing touches a disk.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::web::{Buf, Bytes, Payload};
use futures_util::StreamExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Chunks that may wait between the connection and the import.
const WAITING_CHUNKS: usize = 8;
/// How long a body may pause.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Why a body ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Nothing arrived for too long.
    Paused,
    /// The connection broke.
    Broken(String),
}

/// Where the reader leaves word of a cut.
#[derive(Clone, Debug, Default)]
pub(super) struct CutNote(Arc<Mutex<Option<Cut>>>);

impl CutNote {
    fn leave(&self, cut: Cut) -> io::Error {
        let words = match &cut {
            Cut::Paused => "the body did not go on".to_owned(),
            Cut::Broken(cause) => cause.clone(),
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(cut);
        io::Error::other(words)
    }

    /// What was noted.
    pub(super) fn read(&self) -> Option<Cut> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

enum Message {
    Chunk(Bytes),
    End,
    Cut(Cut),
}

/// The sending half: passes the body on.
pub(super) struct Pump {
    sender: Sender<Message>,
    payload: Payload,
}

impl Pump {
    /// Passes the body on until it ends or nobody reads it any more.
    pub(super) async fn run(mut self) {
        loop {
            let message = match tokio::time::timeout(LONGEST_PAUSE, self.payload.next()).await {
                Ok(Some(Ok(chunk))) => Message::Chunk(chunk),
                Ok(Some(Err(error))) => Message::Cut(Cut::Broken(error.to_string())),
                Ok(None) => Message::End,
                Err(_) => Message::Cut(Cut::Paused),
            };
            let goes_on = matches!(message, Message::Chunk(_));
            if self.sender.send(message).await.is_err() || !goes_on {
                return;
            }
        }
    }
}

/// The reading half. Reads block: use it off the asynchronous threads.
pub(super) struct Upload {
    receiver: Receiver<Message>,
    rest: Bytes,
    ended: bool,
    note: CutNote,
}

/// Splits a body into the half that passes it on and the half that reads it.
pub(super) fn upload(payload: Payload) -> (Pump, Upload, CutNote) {
    let (sender, receiver) = channel(WAITING_CHUNKS);
    let note = CutNote::default();
    let upload = Upload {
        receiver,
        rest: Bytes::new(),
        ended: false,
        note: note.clone(),
    };
    (Pump { sender, payload }, upload, note)
}

impl Read for Upload {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() && !self.ended {
            match self.receiver.blocking_recv() {
                Some(Message::Chunk(chunk)) => self.rest = chunk,
                Some(Message::End) => self.ended = true,
                Some(Message::Cut(cut)) => return Err(self.note.leave(cut)),
                // The end was not announced: the connection went away in the middle.
                None => {
                    let cause = "the connection went away".to_owned();
                    return Err(self.note.leave(Cut::Broken(cause)));
                }
            }
        }
        let count = self.rest.as_ref().read(buffer)?;
        self.rest.advance(count);
        Ok(count)
    }
}
