//! `hinomi notice`: tell those who answer for it, once, and keep what came of it.

mod tell;
mod told;

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use hinomi_model::{CampaignId, Clock, SystemClock, Timestamp};
use hinomi_share::notice::{Desk, NoticeFormat, Settings};
use hinomi_share::{Door, Reader};
use hinomi_state::notices::{NoticeOutcome, NoticeState};
use hinomi_state::organisations::Deed;
use hinomi_state::{Accounts, Database};
use ipnet::IpNet;

use super::Common;
use super::account::Word;
use crate::notices::{FILE, settings};
use crate::{door, witness};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  hinomi notice draft --net 192.0.2.0/24
  hinomi notice draft --query 'product:\"Example Router\" version:<2.1'
  hinomi notice show 12
  hinomi notice release 12
  hinomi notice send
  hinomi notice reply 12 --finding 1 --outcome will-fix --note 'next maintenance'
  hinomi notice measure 12
  hinomi notice export 12 --format intelmq > events.jsonl")]
pub(crate) enum Verb {
    /// Draft a notice to each party that answers for something that should be acted on. Nothing leaves yet.
    Draft(Draft),
    /// Notices, the newest first.
    List(List),
    /// A notice as it leaves: mail, files, who released it, answers.
    Show {
        /// Its number or token.
        notice: String,
        /// The mail as it goes to the relay.
        #[arg(long)]
        raw: bool,
    },
    /// Let notices leave. A large send takes a second person.
    Release(Release),
    /// Decide against a notice that has not left; its findings may be told by another.
    Cancel {
        /// Its number or token.
        notice: String,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Send what is released, once; `hinomi serve` does so all the time.
    Send,
    /// Say what became of a notice of which nobody knows whether it arrived: look for its Message-ID in the relay's log.
    Resolve(Resolve),
    /// Write down what a party answered.
    Reply(Reply),
    /// What became of its findings, as far as anybody looked.
    Measure {
        /// Its number or token.
        notice: String,
    },
    /// Its findings for programs, or for an ISP's look-up of lines.
    Export {
        /// Its number or token.
        notice: String,
        /// csv (as Shadowserver's reports), intelmq, idea, xarf, subscribers.
        #[arg(long, default_value = "csv", value_parser = form)]
        format: NoticeFormat,
    },
    /// Who wants no notices: list them, add one, or take one back.
    OptOut {
        /// The organisation [default: list them].
        organisation: Option<String>,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
        /// They want them again.
        #[arg(long)]
        again: bool,
    },
    /// Who did what with one notice, or with all.
    History {
        /// Its number or token [default: all].
        notice: Option<String>,
        /// After this entry.
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: i64,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Draft {
    /// What is to be told, as for `hinomi search` [default: what hardly anybody wants open to everybody].
    #[arg(long)]
    query: Option<String>,
    /// Only what this campaign saw; the notice names its scope.
    #[arg(long, value_name = "ID")]
    campaign: Option<CampaignId>,
    /// Only addresses of this prefix; may be repeated.
    #[arg(long, value_name = "PREFIX")]
    net: Vec<IpNet>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// To this organisation.
    #[arg(long, value_name = "ID")]
    organisation: Option<String>,
    /// draft, released, sending, sent, unsure, given-up, void, cancelled.
    #[arg(long)]
    state: Option<NoticeState>,
    /// Drafted together.
    #[arg(long, value_name = "NUMBER")]
    run: Option<i64>,
    /// Before this number.
    #[arg(long, value_name = "NUMBER")]
    before: Option<i64>,
}

#[derive(Debug, Args)]
pub(crate) struct Release {
    /// Their numbers or tokens.
    #[arg(required_unless_present = "run")]
    notices: Vec<String>,
    /// All drafts that were made together.
    #[arg(long, value_name = "NUMBER", conflicts_with = "notices")]
    run: Option<i64>,
    /// As this account, with its password; without, as the user of this machine.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    #[command(flatten)]
    word: Word,
}

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Resolve {
    /// Its number or token.
    notice: String,
    /// It arrived.
    #[arg(long, conflicts_with_all = ["again", "dropped"], required_unless_present_any = ["again", "dropped"])]
    arrived: bool,
    /// It did not: send it again.
    #[arg(long, conflicts_with = "dropped")]
    again: bool,
    /// It did not, and is not sent again.
    #[arg(long)]
    dropped: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Reply {
    /// Its number or token.
    notice: String,
    /// The number of a finding, as the mail has it; may be repeated [default: all].
    #[arg(long, value_name = "NUMBER")]
    finding: Vec<i64>,
    /// fixed, will-fix, not-ours, false-positive, accepted-risk, no-answer.
    #[arg(long)]
    outcome: NoticeOutcome,
    /// In their words.
    #[arg(long, default_value = "")]
    note: String,
}

fn form(text: &str) -> Result<NoticeFormat, String> {
    match text {
        "csv" => Ok(NoticeFormat::Csv),
        "intelmq" => Ok(NoticeFormat::IntelMq),
        "idea" => Ok(NoticeFormat::Idea),
        "xarf" => Ok(NoticeFormat::Xarf),
        "subscribers" => Ok(NoticeFormat::Subscribers),
        _ => Err("csv, intelmq, idea, xarf or subscribers".to_owned()),
    }
}

/// The state, and who works with it.
struct Office<'a> {
    common: &'a Common,
    folder: PathBuf,
    database: Database,
    settings: Settings,
    by: String,
    now: Timestamp,
}

impl<'a> Office<'a> {
    fn open(common: &'a Common) -> Result<Self> {
        let state = common.state()?;
        let folder = state.make()?.to_owned();
        let database = Database::open(&hinomi_state::Settings::of_state(&folder)?.target)?;
        let settings = settings(&folder)?;
        Ok(Self { common, folder, database, settings, by: witness::user(), now: SystemClock.now() })
    }

    fn deed(&self) -> Deed<'_> {
        Deed { by: &self.by, now: self.now }
    }

    fn reader(&self) -> Result<Reader> {
        self.common.state()?.reader()
    }

    fn door(&self) -> Result<Door> {
        door::open(&self.folder, self.reader()?)
    }

    fn desk<'b>(&'b self, door: &'b Door) -> Desk<'b> {
        Desk { door, database: &self.database, settings: &self.settings, by: &self.by }
    }

    /// The number of a notice that is named by number or token.
    fn number(&self, named: &str) -> Result<i64> {
        if let Ok(number) = named.parse::<i64>()
            && self.database.notice(number).is_ok()
        {
            return Ok(number);
        }
        let found = self.database.notice_by_token(named)?;
        found.with_context(|| format!("there is no notice {named}; hinomi notice list tells the numbers"))
    }

    /// Who releases: an account that shows its password, or the user of this machine by the system's own number.
    fn person(&self, release: &Release) -> Result<String> {
        let Some(name) = &release.account else { return Ok(machine_user()) };
        let accounts = self.accounts()?;
        let word = super::account::password(&release.word)?;
        let (person, kept) = match accounts.password_of(name)? {
            Some(found) => found,
            None => bail!("name and password do not belong together"),
        };
        ensure!(kept.is(&word), "name and password do not belong together");
        ensure!(person.disabled.is_none(), "{} does not sign in any more", person.name);
        ensure!(person.analyst, "{} may not release notices: that is for analysts", person.name);
        Ok(person.name)
    }

    fn accounts(&self) -> Result<Accounts> {
        Ok(Accounts::of(hinomi_state::Settings::of_state(&self.folder)?.target))
    }
}

/// The user of this machine; the name may be anything, so the number counts.
fn machine_user() -> String {
    #[cfg(unix)]
    return format!("uid {}", rustix::process::getuid().as_raw());
    #[cfg(not(unix))]
    witness::name()
}

pub(crate) fn run(common: &Common, verb: &Verb) -> Result<()> {
    let office = Office::open(common)?;
    match verb {
        Verb::Draft(draft) => tell::draft(&office, draft),
        Verb::List(list) => told::list(&office, list),
        Verb::Show { notice, raw } => told::show(&office, notice, *raw),
        Verb::Release(release) => tell::release(&office, release),
        Verb::Cancel { notice, reason } => tell::cancel(&office, notice, reason),
        Verb::Send => tell::send(&office),
        Verb::Resolve(resolve) => tell::resolve(&office, resolve),
        Verb::Reply(reply) => told::reply(&office, reply),
        Verb::Measure { notice } => told::measured(&office, notice),
        Verb::Export { notice, format } => told::export(&office, notice, *format),
        Verb::OptOut { organisation, reason, again } => told::opt_out(&office, organisation.as_deref(), reason, *again),
        Verb::History { notice, after } => told::history(&office, notice.as_deref(), *after),
    }
}

/// What is missing before anything can be drafted.
fn ready(office: &Office<'_>) -> Result<()> {
    office.settings.check().with_context(|| format!("say who you are in {FILE} of the state folder"))
}
