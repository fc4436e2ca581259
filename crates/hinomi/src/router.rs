//! The town's router at work: its messages go out at their time, to a collector on this machine.

use std::future::Future;
use std::pin::pin;

use anyhow::Result;
use hinomi_model::{Clock, SystemClock, Timestamp};
use hinomi_town::flows::{LoopbackSender, Router};

/// What was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) messages: u64,
    pub(crate) flows: u64,
}

impl Sent {
    pub(crate) fn add(&mut self, flows: u32) {
        self.messages = self.messages.saturating_add(1);
        self.flows = self.flows.saturating_add(u64::from(flows));
    }
}

/// Sends what the router tells from one moment up to another, each message at its own time, until that future is done.
pub(crate) async fn tell(
    router: &Router,
    (from, until): (Timestamp, Option<Timestamp>),
    sender: &LoopbackSender,
    stop: impl Future<Output = ()>,
) -> Result<Sent> {
    let mut stop = pin!(stop);
    let mut sent = Sent::default();
    let in_time = |time: Timestamp| until.is_none_or(|until| time < until);
    for message in router.messages(from).take_while(|message| in_time(message.time)) {
        let wait = message.time.since(SystemClock.now());
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = &mut stop => break,
        }
        sender.send(&message).await?;
        sent.add(message.flows);
    }
    Ok(sent)
}
