//! What a campaign is to do: the targets of a scope, or what of a list lies in it, dealt out to engines.

use std::sync::Arc;

use hinomi_model::scope::{Probe, Rule, Scope};
use hinomi_model::{CampaignId, ServiceKey, Transport};
use ipnet::{IpNet, Ipv6Net};

use super::leg::{Leg, Share};
use crate::engine::Engine;
use crate::error::SurveyError;
use crate::scope::Door;
use crate::six::alias::Prelude;
use crate::sweep::{List, SweepError, Targets};

/// What is to be done: the targets that the scope leaves of what was asked.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its name.
    pub id: CampaignId,
    /// Identifies the job: another scope, other ports or another seed is another job.
    pub job: String,
    /// Targets of its list that the scope does not permit: they are no part of it.
    pub(super) outside: u64,
    /// Comes before the legs of a list in which prefixes of IPv6 are crowded.
    pub(super) prelude: Option<Arc<Prelude>>,
    /// One for each engine that has something to do, with the engine's number.
    pub(super) legs: Vec<(usize, Arc<Leg>)>,
}

/// What is asked of a campaign.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Ports, or all that the scope permits. A list has its own.
    pub ports: Option<&'a [(Transport, u16)]>,
    /// Targets one by one, in the place of all addresses of the scope.
    pub list: Option<&'a List>,
    /// Gives the order of targets.
    pub seed: u64,
    /// Which part of the job.
    pub share: Share,
}

impl Campaign {
    /// Every address of the scope that may be probed at all, with the ports asked for; or what of a list lies in the
    /// scope. Each is visited by the first of the engines that takes its port.
    ///
    /// # Errors
    /// When nothing is left or it is too much.
    pub fn new(
        id: CampaignId,
        door: &Door,
        order: &Order<'_>,
        engines: &[Arc<dyn Engine>],
    ) -> Result<Self, SurveyError> {
        let Order { seed, share, .. } = *order;
        let (wanted, outside) = Wanted::of(door.scope(), order)?;
        let mut job = format!("{}:{seed:x}:{}", door.authorised().digest(), wanted.name());
        let mut prelude = wanted.prelude(door.scope(), seed);
        let (mut legs, mut first) = (Vec::new(), prelude.as_ref().map_or(0, |prelude| prelude.len()));
        if first > 0 {
            job += &format!(":after {first}");
        }
        for (number, engine) in engines.iter().enumerate() {
            let is_first = |(transport, port): (Transport, u16)| {
                engines.iter().position(|engine| engine.takes(transport, port)) == Some(number)
            };
            let Some(targets) = wanted.targets(&door.scope().ranges, is_first)? else { continue };
            let leg = match Leg::new(first, targets, seed, share, engine.passes()) {
                // Of few targets a share may have none.
                Err(SweepError::Empty) if share != Share::WHOLE => continue,
                leg => leg?.without(prelude.as_ref()),
            };
            job += &name_of_leg(&leg, share, engine.is_plain());
            first = leg.positions().end;
            legs.push((number, Arc::new(leg)));
        }
        if let Some(prelude) = prelude.as_mut().filter(|_| share != Share::WHOLE) {
            prelude.keep_to(legs.iter().flat_map(|(_, leg)| leg.own_addresses()));
        }
        let start = legs.first().and_then(|(_, leg)| leg.target(0));
        refuse_if_nothing_is_permitted(door, start.ok_or(SweepError::Empty)?)?;
        let job = hinomi_model::ContentHash::of(job.as_bytes()).to_string();
        Ok(Self { id, job, outside, prelude: prelude.map(Arc::new), legs })
    }

    /// The same job under another name.
    #[must_use]
    pub fn named(&self, id: CampaignId) -> Self {
        Self { id, ..self.clone() }
    }

    /// Targets of its list that the scope does not permit. Nothing is sent there.
    pub const fn outside(&self) -> u64 {
        self.outside
    }

    /// Prefixes in which every address was found to answer until now; of each one address stands for all.
    pub fn aliased(&self) -> Vec<Ipv6Net> {
        self.prelude.as_ref().map_or_else(Vec::new, |prelude| prelude.aliased())
    }

    /// How many prefixes are tested for that before anything is visited.
    pub fn prefixes_tested(&self) -> u64 {
        self.prelude.as_ref().map_or(0, |prelude| prelude.tests())
    }

    /// Targets of its share that are left out because their prefix is aliased.
    pub(super) fn shunned(&self) -> u64 {
        self.legs.iter().map(|(_, leg)| leg.shunned()).sum()
    }

    /// How many targets.
    pub fn targets(&self) -> u64 {
        self.legs.iter().map(|(_, leg)| leg.targets()).sum()
    }

    /// How many addresses.
    pub fn addresses(&self) -> u64 {
        self.legs.iter().map(|(_, leg)| leg.addresses()).max().unwrap_or(0)
    }

    /// How many positions.
    pub(crate) fn positions(&self) -> u64 {
        self.legs.last().map_or(0, |(_, leg)| leg.positions().end)
    }

    /// How often the targets of a position are visited.
    pub(crate) fn passes_at(&self, position: u64) -> u64 {
        let leg = self.legs.iter().find(|(_, leg)| leg.positions().contains(&position));
        leg.map_or(1, |(_, leg)| u64::from(leg.passes()))
    }

    /// How many targets are done when so many positions are: about, for a few positions have no target.
    pub(crate) fn targets_done(&self, positions: u64) -> u64 {
        let done = self.legs.iter().map(|(_, leg)| {
            let all = leg.positions();
            let here = positions.clamp(all.start, all.end) - all.start;
            let share = u128::from(leg.targets()) * u128::from(here) / u128::from((all.end - all.start).max(1));
            u64::try_from(share).unwrap_or(u64::MAX)
        });
        done.sum()
    }
}

/// A leg's part of the name of a job. Where a leg begins and what it holds differs with the engines: then it is another
/// job. One leg of ordinary connections is named by what was ordered.
fn name_of_leg(leg: &Leg, share: Share, is_plain: bool) -> String {
    let kind = match (is_plain, leg.passes(), share, leg.positions().start) {
        (true, 1, Share::WHOLE, 0) => return String::new(),
        (false, 1, Share::WHOLE, 0) => "frames ",
        _ => "",
    };
    format!(":{kind}{}x{}:{share}", leg.passes(), leg.targets())
}

/// What an order comes to under a scope.
enum Wanted {
    Ports(Vec<(Transport, u16)>),
    List(List),
}

impl Wanted {
    /// And how many targets of its list are left out.
    fn of(scope: &Scope, order: &Order<'_>) -> Result<(Self, u64), SweepError> {
        if let Some(list) = order.list {
            let (list, outside) = list.within_or_refused(scope)?;
            return Ok((Self::List(list), outside));
        }
        let permitted = || {
            let tcp = scope.tcp.iter().map(|port| (Transport::Tcp, port));
            tcp.chain(scope.udp.iter().map(|port| (Transport::Udp, port))).collect()
        };
        Ok((Self::Ports(order.ports.map_or_else(permitted, <[_]>::to_vec)), 0))
    }

    /// The tests that a list calls for.
    fn prelude(&self, scope: &Scope, seed: u64) -> Option<Prelude> {
        match self {
            Self::Ports(_) => None,
            Self::List(list) => Prelude::of(list, scope, seed),
        }
    }

    /// Its part of the name of a job.
    fn name(&self) -> String {
        match self {
            Self::Ports(ports) => format!("{ports:?}"),
            Self::List(list) => format!("list {}", list.digest()),
        }
    }

    /// What of it an engine visits that takes these ports.
    fn targets(
        &self,
        ranges: &[IpNet],
        takes: impl Fn((Transport, u16)) -> bool,
    ) -> Result<Option<Targets>, SweepError> {
        match self {
            Self::Ports(ports) => {
                let ports: Vec<_> = ports.iter().copied().filter(|port| takes(*port)).collect();
                (!ports.is_empty()).then(|| Targets::new(ranges, ports)).transpose()
            }
            Self::List(list) => {
                let list = list.only(takes);
                (!list.is_empty()).then(|| Targets::listed(list)).transpose()
            }
        }
    }
}

/// A job of which the very first target is refused for a reason that concerns them all should say so at once.
fn refuse_if_nothing_is_permitted(door: &Door, first: ServiceKey) -> Result<(), SurveyError> {
    match door.ask(first, Probe::Connect) {
        Err(refused) if matches!(refused.rule, Rule::NotYetValid | Rule::Expired | Rule::Hours) => {
            Err(SurveyError::NothingPermitted(refused))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_named_by_what_its_legs_hold() {
        let ranges = ["192.0.2.0/26".parse().expect("a prefix")];
        let leg = |first: u64, ports: &[(Transport, u16)], passes: u32| {
            let targets = Targets::new(&ranges, ports.to_vec()).expect("targets");
            Leg::new(first, targets, 1, Share::WHOLE, passes).expect("a leg")
        };
        let (tcp, both) = ([(Transport::Tcp, 80)], [(Transport::Tcp, 80), (Transport::Udp, 53)]);
        let frames = |ports: &[_], passes| name_of_leg(&leg(0, ports, passes), Share::WHOLE, false);
        assert_eq!(name_of_leg(&leg(0, &both, 1), Share::WHOLE, true), "", "connections alone keep their name");
        assert_eq!(frames(&tcp, 1), ":frames 1x64:1/1");
        assert_eq!(frames(&both, 1), ":frames 1x128:1/1", "frames that take UDP too walk another way");
        assert_eq!(frames(&both, 2), ":2x128:1/1");
        assert_eq!(name_of_leg(&leg(64, &tcp, 1), Share::WHOLE, true), ":1x64:1/1");
        let share = Share::new(1, 2).expect("a share");
        assert_eq!(name_of_leg(&leg(0, &tcp, 1), share, true), ":1x64:1/2");
    }
}
