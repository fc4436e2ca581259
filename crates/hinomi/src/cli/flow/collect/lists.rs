//! What a collector knows beforehand: seeds, knowledge, infected lines, and how careful it is.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use hinomi_flow::detect::detection::Detection;
use hinomi_flow::epoch::{LegalBasis, MAX_INFECTED};
use hinomi_flow::export::gate::{DEFAULT_K, Gate};
use hinomi_flow::finding::Held;
use hinomi_flow::ledger::Words;
use hinomi_flow::live::{AnalysisConfig, scrub_stack};
use hinomi_flow::pair::PairConfig;
use hinomi_flow::server::ServerConfig;
use hinomi_flow::suppress::Knowledge;
use hinomi_model::Timestamp;

use super::super::bus::Spread;

/// The longest list that is read, in bytes.
const MAX_LIST_BYTES: u64 = 256 << 20;
/// Distinct clients that an endpoint of a carrier must have to be looked at.
const CLIENTS_OF_A_CARRIER: u32 = 3;
/// Contacts kept of a client where one capture is all there is.
const CONTACTS_OF_A_FILE: usize = 512;

#[derive(Debug, Args)]
pub(crate) struct Lists {
    /// Lists of known C&C endpoints, one a line (address:port).
    #[arg(long, value_name = "FILE", num_args = 1..)]
    seeds: Vec<PathBuf>,
    /// When the lists were made, where their entries do not say.
    #[arg(long, value_name = "TIME")]
    seeds_told: Option<Timestamp>,
    /// Lists of what is known to be harmless, besides the built-in one (TOML).
    #[arg(long, value_name = "FILE", num_args = 1..)]
    knowledge: Vec<PathBuf>,
    /// Lines known to be infected, one address a line: joined with the flows. Off without it, and without a legal basis.
    #[arg(long, value_name = "FILE", requires_all = ["legal_basis", "by"])]
    infected: Option<PathBuf>,
    /// On what legal basis infected lines are joined with flows; goes into the ledger.
    #[arg(long, value_name = "TEXT", requires = "infected")]
    legal_basis: Option<String>,
    /// Who answers for it; goes into the ledger.
    #[arg(long, value_name = "NAME", requires = "infected")]
    by: Option<String>,
    /// Take remote ends in private address space for what they say (laboratories, the town).
    #[arg(long)]
    pub(crate) local_remotes: bool,
    /// Distinct clients that an endpoint must have to be looked at [default: 3, and 1 for files].
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=64))]
    clients: Option<u32>,
    /// Share of servers that are C&C servers before anything is seen.
    #[arg(long, value_name = "SHARE")]
    base_rate: Option<f64>,
    /// Make a model of the servers met and of the lists before each scoring.
    #[arg(long)]
    train: bool,
    #[command(flatten)]
    spread: Spread,
}

/// The infected lines' switch, when it is on.
pub(crate) struct Infected {
    path: PathBuf,
    pub(crate) basis: LegalBasis,
    pub(crate) words: Words,
    pub(crate) by: Words,
}

impl Lists {
    /// The second half of the job.
    pub(crate) fn analysis(&self, from_files: bool, held: Held) -> Result<AnalysisConfig> {
        let clients = self.clients.unwrap_or(if from_files { 1 } else { CLIENTS_OF_A_CARRIER });
        let standard = ServerConfig::default();
        let contacts_timed = if from_files { CONTACTS_OF_A_FILE } else { standard.contacts_timed };
        let mut detection = Detection::new(ServerConfig { clients_to_admit: clients, contacts_timed, ..standard });
        if let Some(rate) = self.base_rate {
            ensure!(rate > 0.0 && rate < 1.0, "--base-rate is a share between 0 and 1");
            detection = detection.with_base_rate(rate);
        }
        for path in &self.seeds {
            let text = bytes(path)?;
            let name = path.display().to_string();
            detection.read_seeds(&name, self.seeds_told, text.as_slice()).context(name)?;
        }
        let mut knowledge = Knowledge::builtin()?;
        for path in &self.knowledge {
            knowledge.add(&text(path)?).with_context(|| path.display().to_string())?;
        }
        let gate = Gate::new(DEFAULT_K, Vec::new());
        let hub = self.spread.hub(&detection)?;
        Ok(AnalysisConfig { detection, knowledge, pairs: PairConfig::default(), gate, held, train: self.train, hub })
    }

    /// How many lists of known endpoints there are.
    pub(crate) fn seed_lists(&self) -> usize {
        self.seeds.len()
    }

    /// The infected lines' switch; none while it is off.
    pub(crate) fn infected(&self) -> Result<Option<Infected>> {
        let (Some(path), Some(basis), Some(by)) = (&self.infected, &self.legal_basis, &self.by) else {
            return Ok(None);
        };
        let words = Words::new(basis).context("--legal-basis")?;
        let by = Words::new(by).context("--by")?;
        let infected = Infected { path: path.clone(), basis: LegalBasis::new(basis)?, words, by };
        // Wrong lists are told now, not at midnight.
        forget(infected.lines()?);
        Ok(Some(infected))
    }
}

impl Infected {
    /// The lines, read anew for every key: the process keeps no list of them, and no text.
    pub(crate) fn lines(&self) -> Result<Vec<IpAddr>> {
        let mut bytes = bytes(&self.path)?;
        let lines = self.parsed(&bytes);
        bytes.fill(0);
        std::hint::black_box(&mut bytes);
        scrub_stack();
        lines
    }

    #[inline(never)]
    fn parsed(&self, bytes: &[u8]) -> Result<Vec<IpAddr>> {
        let path = self.path.display();
        let text = std::str::from_utf8(bytes).map_err(|_| anyhow::anyhow!("{path}: is no text in UTF-8"))?;
        // At once: a list that grows leaves copies behind.
        let mut lines = Vec::with_capacity(text.lines().count().min(MAX_INFECTED + 1));
        for (number, line) in text.lines().enumerate() {
            let bare = line.split('#').next().unwrap_or_default().trim();
            if bare.is_empty() {
                continue;
            }
            ensure!(lines.len() < MAX_INFECTED, "{path}: more than {MAX_INFECTED} lines");
            // Not the text itself: it may be a subscriber, and errors end up in logs.
            let address = bare.parse::<IpAddr>().ok();
            lines.push(address.with_context(|| format!("{path}, line {}: not an address", number + 1))?);
        }
        Ok(lines)
    }
}

/// Subscribers' addresses do not stay where they were.
fn forget(mut lines: Vec<IpAddr>) {
    lines.fill(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    std::hint::black_box(&mut lines);
}

/// A list as text.
pub(crate) fn text(path: &Path) -> Result<String> {
    String::from_utf8(bytes(path)?).map_err(|_| anyhow::anyhow!("{}: is no text in UTF-8", path.display()))
}

fn bytes(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).with_context(|| format!("{}: cannot be opened", path.display()))?;
    // A byte more, so that its end is met without growing: a list that grows leaves copies behind.
    let length = file.metadata().map_or(0, |about| about.len()).min(MAX_LIST_BYTES);
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
    let read = file.take(MAX_LIST_BYTES + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("{}: cannot be read", path.display()))?;
    ensure!(bytes.len() as u64 <= MAX_LIST_BYTES, "{}: longer than {MAX_LIST_BYTES} bytes", path.display());
    Ok(bytes)
}
