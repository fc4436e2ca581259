//! Which engines visit the targets of a survey: what is asked for, or the best that the machine allows.

use std::sync::Arc;

use anyhow::Result;
use clap::{Args, ValueEnum};
use hinomi_survey::{Config, ConnectEngine, Door, Engine, Pace, Share};

use crate::state::State;

/// How targets are visited.
#[derive(Clone, Debug, Args)]
pub(crate) struct EngineOptions {
    /// What sends to targets. Frames need the right to open packet sockets (root, or CAP_NET_RAW and CAP_NET_ADMIN) and
    /// ranges behind a gateway.
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    engine: Choice,
    /// Visit each target once instead of twice: half the packets, and no estimate of how many hosts were missed.
    #[arg(long)]
    once: bool,
    /// Only find out which targets answer, without asking what they are.
    #[arg(long)]
    no_grab: bool,
    /// Which part of the job is this machine's, as 2/3; the others do theirs without talking.
    #[arg(long, default_value_t = Share::WHOLE)]
    pub(crate) share: Share,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { engine: Choice::Auto, once: false, no_grab: false, share: Share::WHOLE }
    }
}

/// See [`EngineOptions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// Frames where the machine and the scope allow them, else connections.
    Auto,
    /// Ordinary connections; needs no privilege.
    Connect,
    /// Frames, the best way that the machine allows.
    Frames,
    /// Frames through AF_XDP, the card reading our memory.
    XdpZeroCopy,
    /// Frames through AF_XDP, copied by the kernel.
    XdpCopy,
    /// Frames through AF_PACKET.
    Packet,
    /// Raw IP sockets; the kernel finds the way, also to ranges on the link itself.
    RawIp,
}

impl EngineOptions {
    /// Adds what the options say to a survey's configuration.
    pub(crate) fn configured(&self, config: Config) -> Config {
        Config { grab: !self.no_grab, ..config }
    }

    /// The engines, in the order in which they may take targets.
    pub(crate) fn engines(
        &self,
        state: &State,
        door: &Arc<Door>,
        pace: &Arc<Pace>,
        config: &Config,
    ) -> Result<Vec<Arc<dyn Engine>>> {
        let connect = Arc::new(ConnectEngine::new(Arc::clone(door), Arc::clone(pace), config));
        let frames = self.frames(state, door, pace, config)?;
        Ok(frames.into_iter().chain([connect as Arc<dyn Engine>]).collect())
    }

    #[cfg(target_os = "linux")]
    fn frames(
        &self,
        state: &State,
        door: &Arc<Door>,
        pace: &Arc<Pace>,
        config: &Config,
    ) -> Result<Option<Arc<dyn Engine>>> {
        use anyhow::Context;
        use hinomi_survey::{Backend, FrameEngine, Frames};

        let only = match self.engine {
            Choice::Connect => return Ok(None),
            Choice::Auto | Choice::Frames => None,
            Choice::XdpZeroCopy => Some(Backend::XdpZeroCopy),
            Choice::XdpCopy => Some(Backend::XdpCopy),
            Choice::Packet => Some(Backend::Packet),
            Choice::RawIp => Some(Backend::RawIp),
        };
        // A scope for this machine only has nothing for frames.
        let ranges = &door.scope().ranges;
        if self.engine == Choice::Auto && ranges.iter().all(|range| range.network().is_loopback()) {
            return Ok(None);
        }
        let notes = state.make()?.join("campaigns");
        let frames = Frames { only, passes: if self.once { 1 } else { 2 }, notes };
        match FrameEngine::open(Arc::clone(door), Arc::clone(pace), config, frames) {
            Ok(engine) => {
                crate::output::talk(&format!("engine: {}", engine.name()));
                engine.remarks().iter().for_each(|remark| crate::output::talk(&format!("  {remark}")));
                Ok(Some(Arc::new(engine)))
            }
            Err(why) if self.engine == Choice::Auto => {
                crate::output::talk(&format!("engine: connections, for frames cannot be sent: {why}"));
                Ok(None)
            }
            Err(why) => Err(why).context("frames cannot be sent; --engine connect needs nothing"),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn frames(&self, _: &State, _: &Arc<Door>, _: &Arc<Pace>, _: &Config) -> Result<Option<Arc<dyn Engine>>> {
        anyhow::ensure!(matches!(self.engine, Choice::Auto | Choice::Connect), "frames are sent on Linux only");
        Ok(None)
    }
}
