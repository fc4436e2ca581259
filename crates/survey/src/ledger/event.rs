//! What is worth an entry.

use std::collections::BTreeMap;

use hinomi_model::scope::{Contact, Rate};
use hinomi_model::{CampaignId, Timestamp};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The most entries of an opt-out list that an entry names; the rest is a number.
pub const MAX_NAMED: usize = 100;

/// What a run is, written before its first packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Name of the scope.
    pub scope: String,
    /// Hash of the scope's signed bytes, in hex; the document lies beside the ledger under this name.
    pub digest: String,
    /// Under which name the key that signed it is trusted.
    pub signer: String,
    /// Who answers.
    pub contact: Contact,
    /// The scope's rates.
    pub rate: Rate,
    /// Identifies the job: another scope, other ports or another seed is another job.
    pub job: String,
    /// How many targets.
    pub targets: u64,
    /// What sends.
    pub engine: String,
    /// Who runs it, as the system knows.
    pub by: String,
    /// Version of the program.
    pub version: String,
    /// Entries of the opt-out list in force.
    pub opted_out: u64,
    /// Hash of that list, in hex.
    pub opt_out_digest: String,
    /// Seconds that may be sent after an entry before the next one must be on disk.
    pub lease_s: u64,
    /// Attempts that the store has of earlier runs of this campaign.
    pub stored_before: u64,
    /// What an earlier run of this campaign left in doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
}

/// A run was killed: what it sent after its last entry is not known, and this much at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Doubt {
    /// Number of that run.
    pub run: u64,
    /// When it last wrote.
    pub since: Timestamp,
    /// Attempts after that, at most: the lease at the scope's rate.
    pub at_most: u64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Every target is settled.
    Finished,
    /// `campaign pause` asked for it.
    Paused,
    /// Somebody stopped the program.
    Stopped,
    /// Its scope was taken back.
    Revoked,
    /// It could not go on.
    Failed,
}

/// How the opt-out list came to change, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// Somebody asked on the page for another address than the one they came from.
    Requested,
    /// Somebody asked on the page for the address they came from, and it was entered at once.
    Proved,
    /// The operator entered it.
    Added,
    /// The operator entered what had been requested.
    Approved,
    /// The operator declined what had been requested.
    Declined,
    /// The operator took it off.
    Removed,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Event {
    /// A run begins; nothing of it was sent yet.
    Started {
        /// Which campaign.
        campaign: CampaignId,
        /// Which run of it, from 1.
        run: u64,
        /// What it is.
        start: Box<Start>,
    },
    /// So much was sent, without saying where to.
    Beat {
        /// Which campaign.
        campaign: CampaignId,
        /// Which run of it.
        run: u64,
        /// Attempts of this run so far.
        packets: u64,
    },
    /// What was sent since the last tally of this run.
    Tally {
        /// Which campaign.
        campaign: CampaignId,
        /// Which run of it.
        run: u64,
        /// Since when.
        from: Timestamp,
        /// Until when.
        to: Timestamp,
        /// Attempts in this time.
        packets: u64,
        /// Of which to addresses outside the scope: 0.
        outside: u64,
        /// Of which the interface did not take: counted and not sent.
        #[serde(default, skip_serializing_if = "is_zero")]
        not_taken: u64,
        /// Attempts by prefix.
        prefixes: Vec<(IpNet, u64)>,
        /// Attempts by probe.
        probes: BTreeMap<String, u64>,
        /// What was not sent, by the rule that forbade it.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        refused: BTreeMap<String, u64>,
    },
    /// Another opt-out list is in force from here on.
    OptOut {
        /// Which campaign.
        campaign: CampaignId,
        /// Which run of it.
        run: u64,
        /// How many entries it has.
        entries: u64,
        /// Its hash, in hex.
        digest: String,
        /// What is new in it, at most [`MAX_NAMED`].
        added: Vec<IpNet>,
        /// How many new ones are not named.
        #[serde(default, skip_serializing_if = "is_zero")]
        more: u64,
        /// What is not in it any more, at most [`MAX_NAMED`]; all that an entry of this run had named.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        removed: Vec<IpNet>,
    },
    /// A run is over.
    Ended {
        /// Which campaign.
        campaign: CampaignId,
        /// Which run of it.
        run: u64,
        /// How.
        how: How,
        /// Attempts of this run: the sum of its tallies.
        packets: u64,
    },
    /// Somebody asked not to be surveyed, or the operator decided on that.
    Asked {
        /// What was done.
        what: Asked,
        /// For which addresses.
        prefix: IpNet,
        /// By whom: a user of this machine, or the page.
        by: String,
    },
    /// A crash had torn the last line; it was cut off.
    Mended {
        /// How long the torn piece was.
        torn_bytes: u64,
    },
}

impl Event {
    /// The campaign it speaks of, if it speaks of one.
    pub const fn campaign(&self) -> Option<&CampaignId> {
        match self {
            Self::Started { campaign, .. }
            | Self::Beat { campaign, .. }
            | Self::Tally { campaign, .. }
            | Self::OptOut { campaign, .. }
            | Self::Ended { campaign, .. } => Some(campaign),
            Self::Asked { .. } | Self::Mended { .. } => None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls it with")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}
