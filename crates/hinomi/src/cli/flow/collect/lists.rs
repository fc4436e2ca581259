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
use super::rules::Rule;

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
    /// Let the carrier ask which of its own lines met a finding (`hinomi flow own`), on this legal basis; goes into the
    /// ledger. Off without it.
    #[arg(long, value_name = "TEXT", requires = "by", conflicts_with = "read")]
    own_view: Option<String>,
    /// Who answers for the rules and switches of this run; goes into the ledger.
    #[arg(long, value_name = "NAME")]
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
    /// Most servers that are kept at once; a full table keeps those that more clients met.
    #[arg(long, value_name = "NUMBER", default_value_t = ServerConfig::default().max_servers, value_parser = size)]
    max_servers: usize,
    /// Most subscribers that are watched for scans and floods at once; of more, a sample is. Some kilobytes each.
    #[arg(long, value_name = "NUMBER", default_value_t = ServerConfig::default().subscribers_watched, value_parser = size)]
    max_watched: usize,
    /// Make a model of the servers met and of the lists before each scoring.
    #[arg(long)]
    train: bool,
    #[command(flatten)]
    spread: Spread,
}

/// What was read of the lists, so that the very bytes that are used are those the ledger tells of.
pub(crate) struct Loaded {
    seeds: Vec<(String, Vec<u8>)>,
    knowledge: Vec<(String, String)>,
}

/// The own lines' switch, when it is on.
pub(crate) struct OwnView {
    pub(crate) basis: LegalBasis,
    pub(crate) words: Words,
    pub(crate) by: Words,
}

/// The infected lines' switch, when it is on.
pub(crate) struct Infected {
    path: PathBuf,
    pub(crate) basis: LegalBasis,
    pub(crate) words: Words,
    pub(crate) by: Words,
}

impl Lists {
    /// Reads the lists.
    pub(crate) fn load(&self) -> Result<Loaded> {
        let seeds = self.seeds.iter().map(|path| Ok((path.display().to_string(), bytes(path)?)));
        let knowledge = self.knowledge.iter().map(|path| Ok((path.display().to_string(), text(path)?)));
        Ok(Loaded { seeds: seeds.collect::<Result<_>>()?, knowledge: knowledge.collect::<Result<_>>()? })
    }

    /// The rules of this run that these options make.
    pub(crate) fn rules(&self, loaded: &Loaded, from_files: bool) -> Vec<Rule> {
        let config = self.config(from_files);
        let ServerConfig { clients_to_admit, contacts_timed, epochs_kept, max_servers, subscribers_watched, .. } =
            config;
        let or_default = |rate: Option<f64>| rate.map_or_else(|| "default".to_owned(), |rate| rate.to_string());
        let told = self.seeds_told.map_or_else(|| "as their entries say".to_owned(), |time| time.to_string());
        vec![
            Rule::of_lists("known endpoints", loaded.seeds.iter().map(|(_, bytes)| bytes.as_slice())),
            Rule::new("known endpoints told", told),
            Rule::of_lists("knowledge beside the built-in", loaded.knowledge.iter().map(|(_, text)| text.as_bytes())),
            Rule::new("clients to be looked at", clients_to_admit.to_string()),
            Rule::new("contacts kept of a client", contacts_timed.to_string()),
            Rule::new("epochs kept", epochs_kept.to_string()),
            Rule::new("most servers", max_servers.to_string()),
            Rule::new("most subscribers watched", subscribers_watched.to_string()),
            Rule::new("base rate", or_default(self.base_rate)),
            Rule::new("remote ends in private address space", if self.local_remotes { "taken" } else { "left out" }),
            Rule::new("model", if self.train { "made before each scoring" } else { "none" }),
            Rule::new("export gate", format!("{DEFAULT_K} clients in one epoch, or corroboration")),
        ]
    }

    fn config(&self, from_files: bool) -> ServerConfig {
        let clients = self.clients.unwrap_or(if from_files { 1 } else { CLIENTS_OF_A_CARRIER });
        let standard = ServerConfig::default();
        let contacts_timed = if from_files { CONTACTS_OF_A_FILE } else { standard.contacts_timed };
        let (max_servers, subscribers_watched) = (self.max_servers, self.max_watched);
        ServerConfig { clients_to_admit: clients, contacts_timed, max_servers, subscribers_watched, ..standard }
    }

    /// The second half of the job.
    pub(crate) fn analysis(&self, loaded: &Loaded, from_files: bool, held: Held) -> Result<AnalysisConfig> {
        let mut detection = Detection::new(self.config(from_files));
        if let Some(rate) = self.base_rate {
            ensure!(rate > 0.0 && rate < 1.0, "--base-rate is a share between 0 and 1");
            detection = detection.with_base_rate(rate);
        }
        for (name, bytes) in &loaded.seeds {
            detection.read_seeds(name, self.seeds_told, bytes.as_slice()).with_context(|| name.clone())?;
        }
        let mut knowledge = Knowledge::builtin()?;
        for (name, text) in &loaded.knowledge {
            knowledge.add(text).with_context(|| name.clone())?;
        }
        let gate = Gate::new(DEFAULT_K, Vec::new());
        let hub = self.spread.hub(&detection)?;
        Ok(AnalysisConfig { detection, knowledge, pairs: PairConfig::default(), gate, held, train: self.train, hub })
    }

    /// Who answers for this run, if somebody was named.
    pub(crate) fn by(&self) -> Result<Option<Words>> {
        self.by.as_deref().map(|by| Words::new(by).context("--by")).transpose()
    }

    /// The own lines' switch; none while it is off.
    pub(crate) fn own_view(&self) -> Result<Option<OwnView>> {
        let (Some(basis), Some(by)) = (&self.own_view, self.by()?) else { return Ok(None) };
        let words = Words::new(basis).context("--own-view")?;
        Ok(Some(OwnView { basis: LegalBasis::new(basis).context("--own-view")?, words, by }))
    }

    /// The infected lines' switch; none while it is off.
    pub(crate) fn infected(&self) -> Result<Option<Infected>> {
        let (Some(path), Some(basis), Some(by)) = (&self.infected, &self.legal_basis, self.by()?) else {
            return Ok(None);
        };
        let words = Words::new(basis).context("--legal-basis")?;
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

/// A size of a table.
fn size(text: &str) -> Result<usize, String> {
    let sizes = 1_024..=16_777_216;
    let size: usize = text.parse().map_err(|_| "not a number".to_owned())?;
    sizes.contains(&size).then_some(size).ok_or_else(|| format!("between {} and {}", sizes.start(), sizes.end()))
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
