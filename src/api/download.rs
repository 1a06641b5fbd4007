//! A blocking writer as a response body: chunks pass through a short channel, so memory stays bounded and a slow reader
//! slows the writer down. What fails in the middle breaks the connection off, so that no half file looks whole.

use std::io::{self, Write};

use actix_web::web::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Chunks that may wait for the connection.
const WAITING_CHUNKS: usize = 8;

/// The writing half. Writes block: use it off the asynchronous threads.
pub(super) struct Download(Sender<io::Result<Bytes>>);

impl Download {
    /// Breaks the body off.
    pub(super) fn fail(&self, cause: &str) {
        // A reader that has gone away needs no word.
        let _ = self
            .0
            .blocking_send(Err(io::Error::other(cause.to_owned())));
    }

    /// Another writer to the same body.
    pub(super) fn another(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Write for Download {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer and the body that it fills.
pub(super) fn download() -> (Download, impl Stream<Item = io::Result<Bytes>> + 'static) {
    let (sender, receiver) = channel(WAITING_CHUNKS);
    let body = unfold(
        receiver,
        |mut receiver: Receiver<io::Result<Bytes>>| async {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        },
    );
    (Download(sender), body)
}
