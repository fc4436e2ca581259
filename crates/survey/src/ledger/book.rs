//! The runs that a ledger tells of, and the rules that its entries keep among themselves.
//!
//! - A run's entries stand between its start and its end; a run without an end was killed or still goes on.
//! - A tally's prefixes sum up to its packets, a run's tallies to what its end says; beats never fall.
//! - From the entry on that puts an address on the opt-out list, no tally has a packet to it, until an entry takes it off.

use std::collections::BTreeMap;

use hinomi_model::{CampaignId, Timestamp};
use ipnet::IpNet;

use super::Entry;
use super::event::{Doubt, Event, How, Start};

/// One run of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// From 1.
    pub number: u64,
    /// What it is.
    pub start: Start,
    /// When it began.
    pub started: Timestamp,
    /// Time of its last entry.
    pub last: Timestamp,
    /// Attempts that entries tell of, by tallies and beats.
    pub packets: u64,
    /// Attempts that tallies tell of.
    pub tallied: u64,
    /// Attempts to addresses outside the scope.
    pub outside: u64,
    /// Attempts that the interface did not take.
    pub not_taken: u64,
    /// Attempts by prefix.
    pub prefixes: BTreeMap<IpNet, u64>,
    /// Attempts by probe.
    pub probes: BTreeMap<String, u64>,
    /// What was not sent, by rule.
    pub refused: BTreeMap<String, u64>,
    /// How it ended, if it says.
    pub ended: Option<How>,
    /// Up to when tallies reach.
    tallied_until: Timestamp,
    /// Between when the packets that it tells of were sent, as closely as its entries tell.
    sent_between: Option<(Timestamp, Timestamp)>,
    /// Addresses that opted out while it ran.
    opted_out: Vec<IpNet>,
}

impl Run {
    /// What is in doubt if it was killed: everything its lease allowed after its last entry. A run that says how it
    /// ended leaves none.
    pub fn doubt(&self) -> Option<Doubt> {
        let pps = u64::from(self.start.rate.total_pps);
        // A bucket holds a tenth of a second's worth more.
        let at_most = pps.saturating_mul(self.start.lease_s).saturating_add(pps.div_ceil(10));
        self.ended.is_none().then_some(Doubt { run: self.number, since: self.last, at_most })
    }
}

/// Every run of every campaign.
#[derive(Clone, Debug, Default)]
pub struct Book {
    campaigns: BTreeMap<CampaignId, Vec<Run>>,
    begun: Option<Timestamp>,
}

impl Book {
    /// The runs of a campaign, oldest first.
    pub fn runs(&self, campaign: &CampaignId) -> &[Run] {
        self.campaigns.get(campaign).map_or(&[], Vec::as_slice)
    }

    /// Every campaign with its runs.
    pub fn campaigns(&self) -> impl Iterator<Item = (&CampaignId, &[Run])> {
        self.campaigns.iter().map(|(campaign, runs)| (campaign, runs.as_slice()))
    }

    /// When the log was begun.
    pub const fn begun(&self) -> Option<Timestamp> {
        self.begun
    }

    /// Whether an entry may stand next; says why if not.
    pub(super) fn check(&self, entry: &Entry) -> Result<(), String> {
        let Some(campaign) = entry.event.campaign() else { return Ok(()) };
        let runs = self.runs(campaign);
        if let Event::Started { run, .. } = entry.event {
            return check_number(campaign, run, runs.len());
        }
        let last = runs.last().into_iter().cloned().collect();
        Self { campaigns: BTreeMap::from([(campaign.clone(), last)]), begun: self.begun }.take(entry)
    }

    /// Takes an entry in; says why if it may not stand there.
    pub(super) fn take(&mut self, entry: &Entry) -> Result<(), String> {
        self.begun.get_or_insert(entry.time);
        match &entry.event {
            Event::Started { campaign, run, start } => self.begin(campaign, *run, start, entry.time),
            Event::Beat { campaign, run, packets } => {
                let open = self.open(campaign, *run, entry.time)?;
                if *packets < open.packets {
                    return Err(format!("{packets} packets were {} before", open.packets));
                }
                if *packets > open.packets {
                    open.sent(open.tallied_until, entry.time);
                }
                open.packets = *packets;
                Ok(())
            }
            Event::Tally { campaign, run, .. } => self.open(campaign, *run, entry.time)?.tally(&entry.event),
            Event::OptOut { campaign, run, added, removed, .. } => {
                let open = self.open(campaign, *run, entry.time)?;
                open.opted_out.retain(|out| !removed.contains(out));
                open.opted_out.extend(added);
                Ok(())
            }
            Event::Ended { campaign, run, how, packets } => {
                let open = self.open(campaign, *run, entry.time)?;
                if *packets != open.tallied {
                    return Err(format!("the run ended with {packets} packets, its tallies say {}", open.tallied));
                }
                open.ended = Some(*how);
                Ok(())
            }
            Event::Asked { .. } | Event::Mended { .. } => Ok(()),
        }
    }

    fn begin(&mut self, campaign: &CampaignId, number: u64, start: &Start, time: Timestamp) -> Result<(), String> {
        let runs = self.campaigns.entry(campaign.clone()).or_default();
        check_number(campaign, number, runs.len())?;
        runs.push(Run {
            number,
            start: start.clone(),
            started: time,
            last: time,
            packets: 0,
            tallied: 0,
            outside: 0,
            not_taken: 0,
            prefixes: BTreeMap::new(),
            probes: BTreeMap::new(),
            refused: BTreeMap::new(),
            ended: None,
            tallied_until: time,
            sent_between: None,
            opted_out: Vec::new(),
        });
        Ok(())
    }

    fn open(&mut self, campaign: &CampaignId, number: u64, time: Timestamp) -> Result<&mut Run, String> {
        let run = self.campaigns.get_mut(campaign).and_then(|runs| runs.last_mut());
        let run = run.filter(|run| run.number == number && run.ended.is_none());
        let run = run.ok_or_else(|| format!("run {number} of campaign {campaign} does not go on here"))?;
        run.last = time;
        Ok(run)
    }
}

fn check_number(campaign: &CampaignId, number: u64, runs: usize) -> Result<(), String> {
    match number == runs as u64 + 1 {
        true => Ok(()),
        false => Err(format!("run {number} of campaign {campaign} is not the next one")),
    }
}

impl Run {
    fn tally(&mut self, event: &Event) -> Result<(), String> {
        let Event::Tally { packets, outside, not_taken, prefixes, probes, refused, from, to, .. } = event else {
            return Ok(());
        };
        let placed = prefixes.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        if placed.saturating_add(*outside) != *packets {
            return Err(format!("{packets} packets, and {placed} by prefix"));
        }
        let silent = |(prefix, _): &&(IpNet, u64)| self.opted_out.iter().any(|out| out.contains(prefix));
        if let Some((prefix, count)) = prefixes.iter().find(silent) {
            return Err(format!("{count} packets to {prefix}, which had opted out"));
        }
        for (prefix, count) in prefixes {
            add(&mut self.prefixes, *prefix, *count);
        }
        probes.iter().for_each(|(probe, count)| add(&mut self.probes, probe.clone(), *count));
        refused.iter().for_each(|(rule, count)| add(&mut self.refused, rule.clone(), *count));
        self.tallied = self.tallied.saturating_add(*packets);
        self.outside = self.outside.saturating_add(*outside);
        self.not_taken = self.not_taken.saturating_add(*not_taken);
        self.packets = self.packets.max(self.tallied);
        self.tallied_until = *to;
        if *packets > 0 {
            self.sent(*from, *to);
        }
        Ok(())
    }

    fn sent(&mut self, from: Timestamp, to: Timestamp) {
        let (first, last) = self.sent_between.unwrap_or((from, to));
        self.sent_between = Some((first.min(from), last.max(to)));
    }

    /// Between when its packets were sent, as closely as its entries tell; none: it sent none.
    pub const fn sent_between(&self) -> Option<(Timestamp, Timestamp)> {
        self.sent_between
    }

    /// Addresses that opted out while it ran, as far as entries name them.
    pub(super) fn opted_out(&self) -> &[IpNet] {
        &self.opted_out
    }

    /// Up to when its tallies reach: what was sent later is known by number only.
    pub const fn tallied_until(&self) -> Timestamp {
        self.tallied_until
    }
}

fn add<K: Ord>(sums: &mut BTreeMap<K, u64>, key: K, count: u64) {
    let sum = sums.entry(key).or_default();
    *sum = sum.saturating_add(count);
}
