//! What was seen of a part of the subscribers, as another process of the same job takes it in.

use std::collections::HashMap;
use std::net::IpAddr;

use super::{Attack, Onset, Watch, WatchCounts};
use crate::detect::chain::Chains;
use crate::node::portable::{Bytes, Portable, portable};
use crate::purpose::Remote;

/// What a part of the subscribers was seen doing, without what is still open.
pub(crate) struct Doings {
    onsets: Vec<Onset>,
    scanned: HashMap<(IpAddr, u16), u32>,
    flooded: HashMap<IpAddr, u32>,
    backscatter: HashMap<Remote, (u64, u32)>,
    chains: Chains,
    counts: WatchCounts,
}

impl Watch {
    /// What was seen so far, for another process of the same job.
    pub(crate) fn doings(&self) -> Doings {
        Doings {
            onsets: self.onsets.clone(),
            scanned: self.scanned.clone(),
            flooded: self.flooded.clone(),
            backscatter: self.backscatter.clone(),
            chains: self.chains.clone(),
            counts: self.counts,
        }
    }

    /// Takes in what another part of the subscribers was seen doing.
    pub(crate) fn absorb(&mut self, other: Doings) {
        self.onsets.extend(other.onsets);
        for (target, epoch) in other.scanned {
            let mine = self.scanned.entry(target).or_default();
            *mine = epoch.max(*mine);
        }
        for (address, epoch) in other.flooded {
            let mine = self.flooded.entry(address).or_default();
            *mine = epoch.max(*mine);
        }
        for (remote, (more, last)) in other.backscatter {
            let (count, epoch) = self.backscatter.entry(remote).or_default();
            *count = count.saturating_add(more);
            *epoch = last.max(*epoch);
        }
        self.chains.absorb(other.chains);
        self.counts.add(other.counts);
    }
}

impl From<Doings> for Watch {
    /// A watch for scorings: it knows what was done and watches nobody.
    fn from(Doings { onsets, scanned, flooded, backscatter, chains, counts }: Doings) -> Self {
        Self { onsets, scanned, flooded, backscatter, chains, counts, ..Self::new(0) }
    }
}

impl WatchCounts {
    fn add(&mut self, other: Self) {
        let plus = |mine: &mut u64, theirs: u64| *mine = mine.saturating_add(theirs);
        plus(&mut self.flows, other.flows);
        plus(&mut self.scans, other.scans);
        plus(&mut self.floods, other.floods);
        plus(&mut self.backscatter, other.backscatter);
        plus(&mut self.inbound, other.inbound);
        plus(&mut self.forgotten, other.forgotten);
        plus(&mut self.unwatched, other.unwatched);
        plus(&mut self.no_room, other.no_room);
    }
}

portable!(Doings { onsets, scanned, flooded, backscatter, chains, counts });
portable!(Onset { client, epoch, time, attack });
portable!(WatchCounts { flows, scans, floods, backscatter, inbound, forgotten, unwatched, no_room });

impl Portable for Attack {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Scan(port) => (Some(*port), None::<IpAddr>).put(out),
            Self::Flood(address) => (None::<u16>, Some(*address)).put(out),
        }
    }

    fn take(from: &mut Bytes<'_>) -> Option<Self> {
        match <(Option<u16>, Option<IpAddr>)>::take(from)? {
            (Some(port), None) => Some(Self::Scan(port)),
            (None, Some(address)) => Some(Self::Flood(address)),
            _ => None,
        }
    }
}
