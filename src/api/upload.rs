//! A request body as a blocking reader: chunks pass through a short channel, so memory stays bounded and a slow import
//! slows the sender down. Nothing touches a disk.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::web::{Buf, Bytes, Payload};
use flate2::bufread::MultiGzDecoder;
use futures_util::StreamExt;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Chunks that may wait between the connection and the import.
const WAITING_CHUNKS: usize = 8;
/// How long a body may pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Why a body ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It has more bytes than allowed.
    TooLarge,
    /// Nothing arrived for too long.
    Paused,
    /// The connection or the compression broke.
    Broken(String),
}

/// Where the reader leaves word of a cut.
#[derive(Clone, Debug, Default)]
pub(super) struct CutNote(Arc<Mutex<Option<Cut>>>);

impl CutNote {
    fn leave(&self, cut: Cut) -> io::Error {
        let words = match &cut {
            Cut::TooLarge => "the body is larger than allowed".to_owned(),
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

/// The reading half; `limit` bounds the bytes after decompression. Reads block: use it off the asynchronous threads.
pub(super) struct Upload {
    chunks: Chunks,
    note: CutNote,
    limit: u64,
}

/// Splits a body into the half that passes it on and the half that reads it.
pub(super) fn upload(payload: Payload, limit: u64) -> (Pump, Upload, CutNote) {
    let (sender, receiver) = channel(WAITING_CHUNKS);
    let note = CutNote::default();
    let chunks = Chunks {
        receiver,
        rest: Bytes::new(),
        ended: false,
        note: note.clone(),
    };
    let upload = Upload {
        chunks,
        note: note.clone(),
        limit,
    };
    (Pump { sender, payload }, upload, note)
}

impl Upload {
    /// The bytes, unpacked if they are gzip, whatever the headers say.
    pub(super) fn into_reader(self) -> io::Result<impl Read + Send + 'static> {
        let mut raw = BufReader::new(self.chunks);
        let is_gzip = raw.fill_buf()?.first() == Some(&0x1f);
        let inner: Box<dyn Read + Send> = if is_gzip {
            Box::new(MultiGzDecoder::new(raw))
        } else {
            Box::new(raw)
        };
        Ok(Bounded {
            inner,
            left: self.limit,
            note: self.note,
        })
    }
}

struct Chunks {
    receiver: Receiver<Message>,
    rest: Bytes,
    ended: bool,
    note: CutNote,
}

impl Read for Chunks {
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

/// Ends with an error once more than the allowed bytes were read.
struct Bounded {
    inner: Box<dyn Read + Send>,
    left: u64,
    note: CutNote,
}

impl Read for Bounded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.inner.read(buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(self.note.leave(Cut::Broken(error.to_string()))),
        };
        match self.left.checked_sub(count as u64) {
            Some(left) => {
                self.left = left;
                Ok(count)
            }
            None => Err(self.note.leave(Cut::TooLarge)),
        }
    }
}
