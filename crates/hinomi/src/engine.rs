//! Which engines visit the targets of a survey: what is asked for, or the best that the machine allows.

use std::sync::Arc;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use hinomi_survey::{Config, ConnectEngine, Door, Engine, Pace, Share};
use serde::{Deserialize, Serialize};

use crate::state::State;

/// How targets are visited, as options say it. What is not said is as the campaign's plan has it.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct EngineOptions {
    /// What sends to targets [default: auto]. Frames need the right to open packet sockets (root, or CAP_NET_RAW and
    /// CAP_NET_ADMIN) and ranges behind a gateway.
    #[arg(long, value_enum)]
    engine: Option<Choice>,
    /// Visit each target once instead of twice: half the packets, and no estimate of how many hosts were missed.
    #[arg(long)]
    once: bool,
    /// Only find out which targets answer, without asking what they are.
    #[arg(long)]
    no_grab: bool,
    /// Which part of the job is this machine's, as 2/3; the others do theirs without talking [default: 1/1].
    #[arg(long)]
    share: Option<Share>,
}

/// How targets are visited, as far as it is settled: all that changes what is sent or how, and that neither the scope nor
/// the targets say. Kept with the plan, so that whoever resumes sends what was begun.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Means {
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    once: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_grab: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none", with = "as_text")]
    share: Option<Share>,
}

/// A share as people write it.
mod as_text {
    use hinomi_survey::Share;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(share: &Option<Share>, to: S) -> Result<S::Ok, S::Error> {
        match share {
            Some(share) => to.collect_str(share),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Share>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
    }
}

/// See [`EngineOptions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Choice {
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
    /// What they say on top of what is settled.
    ///
    /// # Errors
    /// When they say something else.
    pub(crate) fn over(&self, settled: &Means) -> Result<Means> {
        let said = self.means();
        if let Some((option, was)) = settled.contradicted(&said) {
            bail!(
                "the campaign was begun {was}: leave {option} out, for it goes on as it was begun; with other options it \
                 would be another campaign"
            );
        }
        Ok(Means {
            // "auto" leaves it to what was found to go the first time.
            engine: said.engine.filter(|engine| *engine != Choice::Auto).or(settled.engine).or(said.engine),
            once: said.once.or(settled.once),
            no_grab: said.no_grab.or(settled.no_grab),
            share: said.share.or(settled.share),
        })
    }

    /// What they say, and nothing else.
    pub(crate) fn means(&self) -> Means {
        let (once, no_grab) = (self.once.then_some(true), self.no_grab.then_some(true));
        Means { engine: self.engine, once, no_grab, share: self.share }
    }
}

impl Means {
    /// Whether both can be the same campaign.
    pub(crate) fn agrees(&self, said: &Self) -> bool {
        self.contradicted(said).is_none()
    }

    /// The first option that says something else than what is settled, and how it is settled.
    fn contradicted(&self, said: &Self) -> Option<(&'static str, String)> {
        let decided = |engine: Option<Choice>| engine.filter(|engine| *engine != Choice::Auto);
        let name = |engine: Choice| engine.to_possible_value().map(|value| value.get_name().to_owned());
        let flag = |name: &str, given: bool| if given { format!("with {name}") } else { format!("without {name}") };
        let (engine, once, no_grab, share) = (
            other(decided(self.engine), decided(said.engine)),
            other(self.once, said.once),
            other(self.no_grab, said.no_grab),
            other(self.share, said.share),
        );
        let engine = engine.map(|was| ("--engine", format!("with --engine {}", name(was).unwrap_or_default())));
        engine
            .or_else(|| once.map(|was| ("--once", flag("--once", was))))
            .or_else(|| no_grab.map(|was| ("--no-grab", flag("--no-grab", was))))
            .or_else(|| share.map(|was| ("--share", format!("with --share {was}"))))
    }

    /// The same with nothing left open; `engines` are those that it came to.
    pub(crate) fn settled(&self, engines: &[Arc<dyn Engine>]) -> Self {
        let came_to = if engines.len() > 1 { Choice::Frames } else { Choice::Connect };
        let decided = self.engine.filter(|engine| *engine != Choice::Auto);
        Self { engine: decided.or(Some(came_to)), ..self.by_default() }
    }

    /// The same where what is not said is as usual; the engine stays open.
    pub(crate) fn by_default(&self) -> Self {
        Self {
            engine: self.engine,
            once: self.once.or(Some(false)),
            no_grab: self.no_grab.or(Some(false)),
            share: Some(self.share()),
        }
    }

    /// Which part of the job is this machine's.
    pub(crate) fn share(&self) -> Share {
        self.share.unwrap_or(Share::WHOLE)
    }

    /// Adds what the options say to a survey's configuration.
    pub(crate) fn configured(&self, config: Config) -> Config {
        Config { grab: !self.no_grab.unwrap_or(false), ..config }
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

        let asked = self.engine.unwrap_or(Choice::Auto);
        let only = match asked {
            Choice::Connect => return Ok(None),
            Choice::Auto | Choice::Frames => None,
            Choice::XdpZeroCopy => Some(Backend::XdpZeroCopy),
            Choice::XdpCopy => Some(Backend::XdpCopy),
            Choice::Packet => Some(Backend::Packet),
            Choice::RawIp => Some(Backend::RawIp),
        };
        // A scope for this machine only has nothing for frames.
        let ranges = &door.scope().ranges;
        if asked == Choice::Auto && ranges.iter().all(|range| range.network().is_loopback()) {
            return Ok(None);
        }
        let notes = state.make()?.join("campaigns");
        let frames = Frames { only, passes: if self.once == Some(true) { 1 } else { 2 }, notes };
        match FrameEngine::open(Arc::clone(door), Arc::clone(pace), config, frames) {
            Ok(engine) => {
                crate::output::talk(&format!("engine: {}", engine.name()));
                engine.remarks().iter().for_each(|remark| crate::output::talk(&format!("  {remark}")));
                Ok(Some(Arc::new(engine)))
            }
            Err(why) if asked == Choice::Auto => {
                crate::output::talk(&format!("engine: connections, for frames cannot be sent: {why}"));
                Ok(None)
            }
            Err(why) => Err(why).context("frames cannot be sent; a campaign with --engine connect needs nothing"),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn frames(&self, _: &State, _: &Arc<Door>, _: &Arc<Pace>, _: &Config) -> Result<Option<Arc<dyn Engine>>> {
        anyhow::ensure!(
            matches!(self.engine, None | Some(Choice::Auto | Choice::Connect)),
            "frames are sent on Linux only"
        );
        Ok(None)
    }
}

/// What was settled, where something else is said.
fn other<T: PartialEq + Copy>(settled: Option<T>, said: Option<T>) -> Option<T> {
    settled.zip(said).filter(|(settled, said)| settled != said).map(|(settled, _)| settled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(engine: Option<Choice>, once: bool, share: &str) -> EngineOptions {
        EngineOptions { engine, once, no_grab: false, share: share.parse().ok() }
    }

    #[test]
    fn what_is_settled_stays_and_another_word_is_refused() {
        let nothing = said(None, false, "");
        let begun = said(Some(Choice::Packet), true, "2/3").over(&Means::default()).expect("nothing was settled");
        let begun = begun.settled(&[]);
        assert_eq!(nothing.over(&begun).expect("no option"), begun);
        assert_eq!(said(Some(Choice::Packet), true, "2/3").over(&begun).expect("the same"), begun);
        assert_eq!(said(Some(Choice::Auto), false, "").over(&begun).expect("whatever goes"), begun);
        for (other, option) in [
            (said(Some(Choice::Connect), false, ""), "--engine packet"),
            (said(None, false, "1/3"), "--share 2/3"),
            (EngineOptions { no_grab: true, ..nothing }, "without --no-grab"),
        ] {
            let told = other.over(&begun).expect_err("another").to_string();
            assert!(told.contains(option), "{told}");
        }
        let plain = nothing.over(&Means::default()).expect("nothing").settled(&[]);
        assert_eq!((plain.engine, plain.once), (Some(Choice::Connect), Some(false)));
        assert!(!plain.agrees(&said(None, true, "").means()));
        let text = serde_json::to_string(&begun).expect("written");
        assert_eq!(text, r#"{"engine":"packet","once":true,"no_grab":false,"share":"2/3"}"#);
        assert_eq!(serde_json::from_str::<Means>(&text).expect("read"), begun);
        assert_eq!(serde_json::from_str::<Means>("{}").expect("read"), Means::default());
    }
}
