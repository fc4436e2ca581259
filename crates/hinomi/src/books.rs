//! What is kept of campaigns beside the lake: plans, the scopes they stand on, the ledger, and who runs right now.
//!
//! ```text
//!   campaigns/ledger.jsonl       what was sent, over all campaigns
//!   campaigns/scopes/DIGEST.toml the signed scopes that the ledger names
//!   campaigns/targets/DIGEST.txt lists of targets that plans name
//!   campaigns/ID.plan.json       a plan
//!   campaigns/ID.run             locked while ID runs; names the run
//!   campaigns/ID.pause           asks the run that it names to pause
//! ```
//!
//! A request to pause names one run. One that is left behind names a run that is over, and nobody obeys it.

mod run;

use std::fs::{self, File, TryLockError};
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hinomi_model::scope::PortSet;
use hinomi_model::{CampaignId, Clock, Marking, Purpose, SystemClock, Timestamp};
use hinomi_survey::ledger::{self, Ledger};
use hinomi_survey::scope::read_signed;
use hinomi_survey::sweep::List;
use serde::{Deserialize, Serialize};

use crate::engine::Means;
use crate::state::State;
use crate::witness;
pub(crate) use run::{Books, Running};

/// Folder of lists of targets.
const LISTS: &str = "targets";

/// Version of a plan's form. Since 2 it says how targets are visited and how sightings are marked.
const FORMAT: u32 = 2;

/// Longest file of a plan, run or request that is read.
const MAX_BYTES: u64 = 1024 * 1024;

/// A campaign as planned.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanFile {
    format: u32,
    pub(crate) campaign: CampaignId,
    /// Name of the scope.
    pub(crate) scope: String,
    /// Hash of its signed bytes, in hex.
    pub(crate) digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tcp_ports: Option<PortSet>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) udp_ports: Option<PortSet>,
    /// Digest of its list of targets, in hex; without one, all addresses of the scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) targets: Option<String>,
    /// Digest of the part of that list that was drawn at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) explored: Option<String>,
    pub(crate) seed: u64,
    /// How targets are visited: what was said with the plan, and all of it from the first run on. None in plans of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) means: Option<Means>,
    /// How sightings are marked; without it, as a sensor's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) marking: Option<Marking>,
    pub(crate) created: Timestamp,
    pub(crate) by: String,
}

/// The folder `campaigns/` of a state folder.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    pub(crate) fn of(state: &State) -> Self {
        Self { dir: state.dir().join("campaigns") }
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.dir.join(ledger::FILE_NAME)
    }

    fn make(&self) -> Result<()> {
        let scopes = self.dir.join(ledger::SCOPES);
        fs::create_dir_all(&scopes).with_context(|| format!("cannot make the folder {}", scopes.display()))
    }

    /// Opens the ledger; begins one if there is none.
    pub(crate) fn open_ledger(&self) -> Result<Ledger> {
        self.make()?;
        Ok(Ledger::open(&self.ledger(), SystemClock.now())?)
    }

    /// Keeps a signed scope under its digest. What lies there is not replaced unless it is no longer what it should be.
    pub(crate) fn keep_scope(&self, signed: &[u8]) -> Result<String> {
        self.make()?;
        let digest = read_signed(signed)?.digest.to_string();
        let file = self.scope(&digest);
        let whole = fs::read(&file).ok().and_then(|bytes| read_signed(&bytes).ok());
        if whole.is_none_or(|kept| kept.digest.to_string() != digest) {
            write_whole(&file, signed)?;
        }
        Ok(digest)
    }

    pub(crate) fn scope(&self, digest: &str) -> PathBuf {
        self.dir.join(ledger::SCOPES).join(format!("{digest}.toml"))
    }

    /// Keeps a list of targets under its digest, so that whoever resumes has the same one.
    pub(crate) fn keep_list(&self, list: &List) -> Result<String> {
        let digest = list.digest().to_string();
        let file = self.list_file(&digest);
        if self.list(&digest).is_err() {
            let folder = self.dir.join(LISTS);
            fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
            write_whole_by(&file, |out| {
                let mut out = BufWriter::new(out);
                list.write(&mut out)?;
                out.flush()
            })?;
        }
        Ok(digest)
    }

    /// A list that was kept.
    pub(crate) fn list(&self, digest: &str) -> Result<List> {
        let path = self.list_file(digest);
        let context = || format!("the list of targets {}", path.display());
        let file = File::open(&path).with_context(context)?;
        let list = List::read(BufReader::new(file), &[]).with_context(context)?;
        if list.digest().to_string() != digest {
            bail!("{} is not the list that the campaign was planned with", path.display());
        }
        Ok(list)
    }

    fn list_file(&self, digest: &str) -> PathBuf {
        self.dir.join(LISTS).join(format!("{digest}.txt"))
    }

    fn of_campaign(&self, campaign: &CampaignId, kind: &str) -> PathBuf {
        self.dir.join(format!("{campaign}.{kind}"))
    }

    /// Stores a new plan.
    pub(crate) fn add_plan(&self, plan: &PlanFile) -> Result<PathBuf> {
        self.make()?;
        let path = self.of_campaign(&plan.campaign, "plan.json");
        if path.exists() {
            bail!("there is a campaign {} already; choose another --name", plan.campaign);
        }
        let text = serde_json::to_string_pretty(plan)?;
        write_whole(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Stores a plan unless it is there already, and gives what is there; refuses when another one has its name.
    pub(crate) fn have_plan(&self, plan: &PlanFile) -> Result<PlanFile> {
        if !self.of_campaign(&plan.campaign, "plan.json").exists() {
            self.add_plan(plan)?;
            return Ok(plan.clone());
        }
        let there = self.plan(&plan.campaign)?;
        if !there.is_same(plan) {
            bail!("campaign {} was planned with other targets, engine or marking; choose another name", plan.campaign);
        }
        Ok(there)
    }

    /// Writes into a plan what its first run settled. Only the run that holds the campaign may.
    fn settle(&self, plan: &PlanFile) -> Result<()> {
        let plan = PlanFile { format: FORMAT, ..plan.clone() };
        write_whole(&self.of_campaign(&plan.campaign, "plan.json"), serde_json::to_string_pretty(&plan)?.as_bytes())
    }

    /// Whether a plan of this name asks for something else.
    pub(crate) fn planned_otherwise(&self, plan: &PlanFile) -> bool {
        self.of_campaign(&plan.campaign, "plan.json").exists()
            && !self.plan(&plan.campaign).is_ok_and(|other| other.is_same(plan))
    }

    /// A plan by its name.
    pub(crate) fn plan(&self, campaign: &CampaignId) -> Result<PlanFile> {
        let path = self.of_campaign(campaign, "plan.json");
        if !path.exists() {
            bail!(
                "no campaign {campaign} is planned here; hinomi campaign new plans one, hinomi campaign status lists them"
            );
        }
        let read = || -> Result<PlanFile> { Ok(serde_json::from_slice(&read_short(&path)?)?) };
        let plan = read().with_context(|| format!("the plan {} cannot be read", path.display()))?;
        if plan.format > FORMAT {
            bail!("the plan {} has format {}; use a newer hinomi", path.display(), plan.format);
        }
        Ok(plan)
    }

    /// How targets of a campaign are visited, as far as its plan settles it; nothing where there is none.
    pub(crate) fn settled(&self, campaign: &CampaignId) -> Result<Means> {
        match self.of_campaign(campaign, "plan.json").exists() {
            true => Ok(self.plan(campaign)?.means.unwrap_or_default()),
            false => Ok(Means::default()),
        }
    }

    /// Every campaign that is planned.
    pub(crate) fn planned(&self) -> Result<Vec<CampaignId>> {
        self.named(".plan.json")
    }

    /// Every run that goes on right now.
    pub(crate) fn all_running(&self) -> Result<Vec<Running>> {
        let campaigns = self.named(".run")?;
        let running = campaigns.iter().map(|campaign| self.running(campaign));
        Ok(running.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    /// The campaigns that run right now under the scope of this digest.
    pub(crate) fn running_under(&self, digest: &str) -> Result<Vec<CampaignId>> {
        let mut under = Vec::new();
        for campaign in self.named(".run")? {
            if self.running(&campaign)?.is_some_and(|running| running.digest == digest) {
                under.push(campaign);
            }
        }
        Ok(under)
    }

    /// The campaigns of which there is a file of this kind.
    fn named(&self, suffix: &str) -> Result<Vec<CampaignId>> {
        let Ok(entries) = fs::read_dir(&self.dir) else { return Ok(Vec::new()) };
        let mut named: Vec<CampaignId> = Vec::new();
        for entry in entries.take(MAX_PLANS) {
            let name = entry?.file_name();
            named.extend(name.to_str().and_then(|name| name.strip_suffix(suffix)).and_then(|id| id.parse().ok()));
        }
        named.sort();
        Ok(named)
    }

    /// Which run of this campaign goes on right now, if one does.
    pub(crate) fn running(&self, campaign: &CampaignId) -> Result<Option<Running>> {
        let path = self.of_campaign(campaign, "run");
        let Ok(file) = File::open(&path) else { return Ok(None) };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {}
            // Nobody holds it: the run that wrote it is over.
            _ => return Ok(None),
        }
        let told = read_short(&path)?;
        Ok(serde_json::from_slice(&told).ok())
    }

    /// Asks a run to pause.
    pub(crate) fn ask_to_pause(&self, campaign: &CampaignId, running: &Running) -> Result<()> {
        write_whole(&self.of_campaign(campaign, "pause"), serde_json::to_string(running)?.as_bytes())
    }
}

/// The most files of the folder that are looked at.
const MAX_PLANS: usize = 100_000;

fn read_short(path: &Path) -> Result<Vec<u8>> {
    let length = fs::metadata(path)?.len();
    if length > MAX_BYTES {
        bail!("{} is longer than {MAX_BYTES} bytes", path.display());
    }
    Ok(fs::read(path)?)
}

/// Writes a file that others see whole or not at all, and that a crash does not tear.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole_by(path, |file| file.write_all(bytes))
}

/// The same, when it is written bit by bit.
fn write_whole_by(path: &Path, contents: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let temporary = path.with_file_name(name);
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&temporary)?;
        contents(&mut file)?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        // The name is on disk only when the folder is.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

impl PlanFile {
    pub(crate) fn new(campaign: CampaignId, scope: &str, digest: String, seed: u64) -> Self {
        Self {
            format: FORMAT,
            campaign,
            scope: scope.to_owned(),
            digest,
            tcp_ports: None,
            udp_ports: None,
            targets: None,
            explored: None,
            seed,
            means: None,
            marking: None,
            created: SystemClock.now(),
            by: witness::user(),
        }
    }
}

impl PlanFile {
    /// Whether what is asked for is this plan. Who says nothing of the marking takes the plan's.
    fn is_same(&self, asked: &Self) -> bool {
        let targets = |plan: &Self| {
            (plan.digest.clone(), plan.tcp_ports.clone(), plan.udp_ports.clone(), plan.targets.clone(), plan.seed)
        };
        let means = |plan: &Self| plan.means.clone().unwrap_or_default();
        targets(self) == targets(asked)
            && means(self).agrees(&means(asked))
            && asked.marking.as_ref().is_none_or(|marking| *marking == self.marked())
    }

    /// The same under another name.
    pub(crate) fn named(&self, campaign: CampaignId) -> Self {
        Self { campaign, ..self.clone() }
    }

    /// The same with this settled.
    pub(crate) fn with(self, means: Means) -> Self {
        Self { means: Some(means), ..self }
    }

    /// How sightings are marked.
    pub(crate) fn marked(&self) -> Marking {
        self.marking.clone().unwrap_or_else(|| Marking::own(Purpose::ExposureReduction))
    }
}
