//! The door through which own lines are asked for: a socket in the state folder that its owner alone can open.
//!
//! A thread of its own hears one asker at a time, notes who it is by what the system says of the other end, and hands the
//! request to the desk in the collector's thread. What passes here is counts; lines go into the file that was named.

use std::path::{Path, PathBuf};

#[cfg(not(unix))]
use anyhow::Result;

/// Folder of the socket, in that of the flow module: nobody else may enter it.
const FOLDER: &str = "own";
const NAME: &str = "ask.sock";
/// Longest request, in bytes.
#[cfg(unix)]
const MAX_REQUEST_BYTES: u64 = 64 << 10;

/// Where the socket is.
fn path(flow: &Path) -> PathBuf {
    flow.join(FOLDER).join(NAME)
}

/// An open door; gone with the collector.
pub(crate) struct Door {
    path: PathBuf,
}

impl Drop for Door {
    fn drop(&mut self) {
        // A socket that stays is taken for that of a collector that was killed.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(not(unix))]
impl Door {
    pub(crate) fn open(_flow: &Path, _asks: std::sync::mpsc::SyncSender<hinomi_flow::own::Ask>) -> Result<Self> {
        anyhow::bail!("--own-view needs a system with Unix sockets")
    }
}

#[cfg(unix)]
pub(crate) use unix::{PATIENCE, knock};

#[cfg(unix)]
mod unix {
    use std::fs::{self, DirBuilder, Permissions};
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
    use std::time::Duration;

    use anyhow::{Context as _, Result, anyhow, ensure};
    use hinomi_flow::FlowError;
    use hinomi_flow::ledger::Words;
    use hinomi_flow::own::{Answer, Ask, Reply, Request};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, Interest};

    use super::{Door, MAX_REQUEST_BYTES};

    /// How long an asker may take to say what is asked, and to hear the answer.
    const TALK: Duration = Duration::from_secs(10);
    /// How long the collector may be busy with other things before it answers.
    pub(crate) const PATIENCE: Duration = Duration::from_mins(3);
    /// Between two tries, and two looks whether the answer is there.
    const PAUSE: Duration = Duration::from_millis(100);

    impl Door {
        /// Opens it, for requests to this desk.
        pub(crate) fn open(flow: &Path, asks: SyncSender<Ask>) -> Result<Self> {
            let path = super::path(flow);
            let folder = flow.join(super::FOLDER);
            let wrong = || format!("the folder {}", folder.display());
            DirBuilder::new().recursive(true).mode(0o700).create(&folder).with_context(wrong)?;
            fs::set_permissions(&folder, Permissions::from_mode(0o700)).with_context(wrong)?;
            if path.exists() {
                ensure!(knock(flow).is_none(), "another collector with --own-view runs in this state folder");
                fs::remove_file(&path).with_context(|| path.display().to_string())?;
            }
            let listener = UnixListener::bind(&path).with_context(|| {
                format!("the socket {} (its path may have about 100 letters; see --state)", path.display())
            })?;
            let door = Self { path };
            fs::set_permissions(&door.path, Permissions::from_mode(0o600))?;
            listener.set_nonblocking(true)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let serve = move || runtime.block_on(serve(listener, &asks));
            std::thread::Builder::new().name("own-lines".to_owned()).spawn(serve)?;
            Ok(door)
        }
    }

    /// A connection to the collector behind the door, if there is one.
    pub(crate) fn knock(flow: &Path) -> Option<UnixStream> {
        UnixStream::connect(super::path(flow)).ok()
    }

    /// One asker after another, as long as the process lives.
    async fn serve(listener: UnixListener, asks: &SyncSender<Ask>) {
        let Ok(listener) = tokio::net::UnixListener::from_std(listener) else { return };
        loop {
            match listener.accept().await {
                // Who talks no sense, or goes away, is no concern of the next one.
                Ok((mut stream, _)) => drop(talk(&mut stream, asks).await),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn talk(stream: &mut tokio::net::UnixStream, asks: &SyncSender<Ask>) -> Result<()> {
        let who = stream.peer_cred()?.uid();
        let mut text = Vec::new();
        tokio::time::timeout(TALK, (&mut *stream).take(MAX_REQUEST_BYTES).read_to_end(&mut text)).await??;
        let reply = answer(stream, &text, who, asks).await.unwrap_or_else(|error| Reply::Refused(format!("{error:#}")));
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        Ok(tokio::time::timeout(TALK, stream.write_all(&line)).await??)
    }

    /// Set when it goes: whatever ends the wait, nothing more is done for it.
    struct Waits(Arc<AtomicBool>);

    impl Drop for Waits {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }

    /// Asks the desk, and waits as long as the asker does: this thread has nothing else to do.
    async fn answer(stream: &tokio::net::UnixStream, text: &[u8], who: u32, asks: &SyncSender<Ask>) -> Result<Reply> {
        let mut request: Request = serde_json::from_slice(text).context("not a request")?;
        // Whatever name was said, the number is the system's own.
        request.by = Words::new(&format!("{} (uid {who})", request.by)).context("who asks")?;
        let (reply, answer) = sync_channel(1);
        let waits = Waits(Arc::default());
        asks.try_send(Ask { request, reply, cancelled: Arc::clone(&waits.0) }).map_err(|error| match error {
            TrySendError::Full(_) => anyhow!("the collector is busy with other requests; ask again"),
            TrySendError::Disconnected(_) => anyhow!("the collector is ending, and its keys with it"),
        })?;
        let late = "the collector did not answer in time, or has ended; the ledger tells whether it still did";
        let answer = tokio::time::timeout(PATIENCE, heard(stream, &answer)).await.context(late)??;
        Ok(answer.map_or_else(|error| Reply::Refused(error.to_string()), Reply::Answer))
    }

    /// The desk's answer, as long as the other end of the stream is there to hear it.
    async fn heard(
        stream: &tokio::net::UnixStream,
        answer: &Receiver<Result<Answer, FlowError>>,
    ) -> Result<Result<Answer, FlowError>> {
        loop {
            match answer.try_recv() {
                Ok(answer) => return Ok(answer),
                Err(TryRecvError::Disconnected) => anyhow::bail!("the collector is ending, and its keys with it"),
                Err(TryRecvError::Empty) => tokio::time::sleep(PAUSE).await,
            }
            // An asker has said all and closes that half; one that closes the other half has gone.
            ensure!(!stream.ready(Interest::WRITABLE).await?.is_write_closed(), "who asked has gone");
        }
    }

    #[cfg(test)]
    mod tests {
        use std::io::Write as _;
        use std::net::Shutdown;

        use super::*;

        #[test]
        fn a_request_is_cancelled_when_its_asker_goes_before_a_slow_desk_comes_to_it() {
            let flow = tempfile::tempdir().expect("a folder");
            let (asks, desk) = sync_channel(1);
            let _door = Door::open(flow.path(), asks).expect("a door");
            let mut asker = knock(flow.path()).expect("open");
            asker.write_all(br#"{"by":"T. Ester","reason":"a reason in words","ask":"counts"}"#).expect("said");
            asker.shutdown(Shutdown::Write).expect("all said");
            let ask = desk.recv_timeout(Duration::from_mins(1)).expect("a request");
            assert!(!ask.cancelled.load(Ordering::Acquire), "it waits: only its half is closed");
            drop(asker);
            // The next one is heard when the door has done with the first.
            let mut next = knock(flow.path()).expect("open");
            next.write_all(br#"{"by":"N. Ext","reason":"a reason in words","ask":"counts"}"#).expect("said");
            next.shutdown(Shutdown::Write).expect("all said");
            let second = desk.recv_timeout(Duration::from_mins(1)).expect("a request");
            assert!(ask.cancelled.load(Ordering::Acquire) && !second.cancelled.load(Ordering::Acquire));
        }
    }
}
