//! A recording: both sides in one file, written as the call goes on.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tokio::sync::{mpsc, oneshot};
use trunkline_audio::wav::DualWriter;
use trunkline_audio::{FRAME_SAMPLES, g711};

/// Recordings of one call that are kept.
const MAX_PARTS: u32 = 100;

type Frame = [u8; FRAME_SAMPLES];

/// Moments that may wait to be written, of 20 ms each: a disk that is slower than that for 2 s loses the rest.
const MAX_WAITING: usize = 100;

/// Records one call. The caller is on the left.
pub(super) struct Recording {
    moments: mpsc::Sender<(Frame, Frame)>,
    /// What was sent and not played yet: it belongs to later moments.
    ahead: VecDeque<Frame>,
    lost: u64,
    done: oneshot::Receiver<io::Result<()>>,
    name: String,
}

impl Recording {
    /// Begins to write `{call}.wav` in `folder`.
    pub(super) fn begin(folder: &Path, call: &str) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let (file, name) = new_file(folder, call)?;
        let writer = DualWriter::new(BufWriter::new(file))?;
        let (moments, waiting) = mpsc::channel(MAX_WAITING);
        let (tell, done) = oneshot::channel();
        std::thread::Builder::new().name("recording".to_owned()).spawn(move || {
            // Nobody waits for a call that was dropped.
            drop(tell.send(write(writer, waiting)));
        })?;
        Ok(Self { moments, ahead: VecDeque::new(), lost: 0, done, name })
    }

    /// We sent a frame.
    pub(super) fn sent(&mut self, frame: &Frame) {
        self.ahead.push_back(*frame);
    }

    /// The far end was told to forget what it has not played.
    pub(super) fn cleared(&mut self) {
        self.ahead.clear();
    }

    /// 20 ms went by, in which the person was heard.
    pub(super) fn heard(&mut self, frame: &Frame) {
        let ours = self.ahead.pop_front().unwrap_or([g711::SILENCE; FRAME_SAMPLES]);
        if self.moments.try_send((*frame, ours)).is_err() {
            self.lost += 1;
        }
    }

    /// Writes the rest. Returns the file's name if there is one.
    pub(super) async fn finish(self) -> Option<String> {
        drop(self.moments);
        if self.lost > 0 {
            tracing::warn!(frames = self.lost, "the disk was too slow for a recording");
        }
        match self.done.await {
            Ok(Ok(())) => Some(self.name),
            Ok(Err(error)) => {
                tracing::error!(%error, "a recording could not be written");
                None
            }
            Err(_) => None,
        }
    }
}

/// A file of its own for each part of a call: one that comes back from hold keeps what was recorded before.
fn new_file(folder: &Path, call: &str) -> io::Result<(File, String)> {
    let mut name = format!("{call}.wav");
    for part in 2..=MAX_PARTS {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(&name));
        match file {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => name = format!("{call}.{part}.wav"),
            file => return file.map(|file| (file, name)),
        }
    }
    Err(io::Error::other("this call has as many recordings as are kept"))
}

fn write(mut writer: DualWriter<BufWriter<File>>, mut moments: mpsc::Receiver<(Frame, Frame)>) -> io::Result<()> {
    let mut sides = ([0_i16; FRAME_SAMPLES], [0_i16; FRAME_SAMPLES]);
    while let Some((person, ours)) = moments.blocking_recv() {
        g711::decode_into(&person, &mut sides.0);
        g711::decode_into(&ours, &mut sides.1);
        writer.write(&sides.0, &sides.1)?;
    }
    writer.finish()?;
    Ok(())
}

/// Where the recording of a call is.
pub(crate) fn path(folder: &Path, name: &str) -> Option<PathBuf> {
    // A name from the store; none of ours has a separator.
    let is_plain = !name.contains(['/', '\\']) && !name.starts_with('.');
    is_plain.then(|| folder.join(name))
}
