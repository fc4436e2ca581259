//! `hinomi flow export`: the list that may leave, in the form that its readers want, approved by somebody.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use clap::builder::PossibleValuesParser;
use hinomi_flow::export::{Batch, Day, Delisted, Form, Gate, Shared};
use hinomi_flow::ledger::{Event, Ledger, Sha256, Words};
use hinomi_lake::cnc::Journal;
use hinomi_model::cnc::{Endpoint, Listing, Message};
use hinomi_model::merkle::TreeHash;
use hinomi_model::{Clock, SystemClock, Timestamp, Transport};
use hinomi_share::{CncList, ToWithdraw};

use crate::cli::Common;
use crate::output;
use crate::witness;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// In which form.
    #[arg(long, default_value = "csv", value_parser = PossibleValuesParser::new(Form::ALL.map(Form::name)))]
    format: String,
    /// Who lets the list leave; goes into the ledger. Without a name it is only shown what would leave.
    #[arg(long, value_name = "NAME", requires = "out")]
    approve: Option<String>,
    /// Where to.
    #[arg(long, value_name = "FILE", requires = "approve")]
    out: Option<PathBuf>,
}

pub(crate) fn run(common: &Common, options: &Options) -> Result<()> {
    if let Some(out) = &options.out {
        refuse_folder(out)?;
    }
    let now = SystemClock.now();
    let state = common.state()?;
    let list = state.reader()?.cnc_list(now)?;
    let batch = batch(&list, now);
    if list.left_out.damaged_lines > 0 {
        let lines = list.left_out.damaged_lines;
        output::talk(&format!(
            "{lines} lines of the journal make no sense; one may have taken back what is listed here"
        ));
    }
    let form = Form::ALL.into_iter().find(|form| form.name() == options.format).context("no such form")?;
    let (Some(by), Some(out)) = (&options.approve, &options.out) else {
        return preview(common, &list, &batch, now);
    };
    let approver = Words::new(by).context("--approve")?;
    let text = form.write(&batch);
    let (new, ready) = write_beside(out, &text)?;
    let digest: String = Sha256::hash(&[text.as_bytes()]).iter().map(|byte| format!("{byte:02x}")).collect();
    let records = batch.endpoints().len() as u64;
    let event =
        Event::Exported { by: approver, format: Words::new(form.name())?, records, sha256: Words::new(&digest)? };
    // The ledger first and the file itself last: no list without its entry, whatever is killed when. A list that the
    // journal knows and nobody got loses no withdrawal: the next lists repeat it.
    let at = SystemClock.now();
    Ledger::open(&witness::ledger_path(state.dir()), at)?.append(at, event)?;
    // With the time of the list, not of this line: over midnight a withdrawal would name another day's list.
    Journal::of_state(state.dir()).append(&[Message::Listed(listing(&batch))], now)?;
    fs::rename(&new, out).with_context(|| format!("cannot write {}", out.display()))?;
    drop(ready);
    if common.json {
        let withdrawn = batch.withdrawn().len();
        return output::json(&serde_json::json!({
            "file": out, "format": form.name(), "records": records, "withdrawn": withdrawn, "sha256": digest,
        }));
    }
    output::line(&format!(
        "{}: {records} endpoints, {} withdrawn, SHA-256 {digest}",
        out.display(),
        batch.withdrawn().len()
    ))
}

/// The list of today: what passed the gate at its scoring and passes it again now.
fn batch(list: &CncList, now: Timestamp) -> Batch {
    let (gate, today) = (Gate::default(), Day::of(now));
    let pass = |(finding, verdict)| gate.pass_stored(finding, verdict, today).ok();
    let shared: Vec<Shared> = list.held.iter().map(|(finding, verdict)| (finding, verdict)).filter_map(pass).collect();
    let gone = |ToWithdraw { endpoint, listed, withdrawn, again }: &ToWithdraw| {
        let (transport, withdrawn) = (endpoint.transport()?, withdrawn.map_or(today, Day::of));
        let (Endpoint { address, port, .. }, listed) = (*endpoint, Day::of(*listed));
        Some(Delisted { address, port, transport, listed, withdrawn, again: *again })
    };
    let place = |endpoint: &Endpoint| Some((endpoint.address, endpoint.port, endpoint.transport()?));
    let again = list.listed_again.iter().filter_map(|(endpoint, again)| Some((place(endpoint)?, *again)));
    let withdrawn = list.to_withdraw.iter().filter_map(gone).collect();
    Batch::new(today, shared, withdrawn).named_again(again).numbered(list.lists_today.saturating_add(1))
}

/// A folder cannot become a list; this must be known before anything is written down.
fn refuse_folder(out: &Path) -> Result<()> {
    let ends_as_folder = out.as_os_str().as_encoded_bytes().ends_with(b"/");
    if ends_as_folder || out.is_dir() {
        bail!("{} is a folder: name a file in it with --out", out.display());
    }
    Ok(())
}

fn listing(batch: &Batch) -> Listing {
    let endpoint = |address, port, transport| {
        let protocol = if transport == Transport::Udp { 17 } else { 6 };
        Endpoint { address, port, protocol }
    };
    let named = batch.endpoints().iter().map(|shared| endpoint(shared.address(), shared.port(), shared.transport()));
    let gone = batch.withdrawn().iter().map(|gone| endpoint(gone.address, gone.port, gone.transport));
    Listing { endpoints: named.collect(), withdrawn: gone.collect() }
}

/// What would leave, and what stays inside and why.
fn preview(common: &Common, list: &CncList, batch: &Batch, now: Timestamp) -> Result<()> {
    if common.json {
        return output::json(batch);
    }
    for shared in batch.endpoints() {
        let socket = std::net::SocketAddr::new(shared.address(), shared.port());
        let (transport, until) = (shared.transport(), shared.valid_until());
        output::line(&format!("{socket}/{transport}  {}%  valid until {until}", shared.confidence_percent()))?;
    }
    for gone in batch.withdrawn() {
        let socket = std::net::SocketAddr::new(gone.address, gone.port);
        output::line(&format!("{socket}/{}  withdrawn, listed {}", gone.transport, gone.listed))?;
    }
    let stays = |(finding, verdict)| Gate::default().pass_stored(finding, verdict, Day::of(now)).is_err();
    let inside = list.held.iter().map(|(finding, verdict)| (finding, verdict)).filter(|held| stays(*held)).count();
    output::talk(&format!(
        "nothing has left; {inside} findings stay inside (hinomi flow findings tells why). \
         To write the list: --approve NAME --out FILE"
    ));
    Ok(())
}

/// Writes the text to a new file beside the one wanted, on disk when this returns.
fn write_beside(out: &Path, text: &str) -> Result<(PathBuf, Remove)> {
    let Some(name) = out.file_name() else { bail!("{} names no file", out.display()) };
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    let new = out.with_file_name(hidden);
    let wrong = || format!("cannot write {}", new.display());
    let mut file = File::create_new(&new).with_context(wrong)?;
    let ready = Remove(new.clone());
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(wrong)?;
    Ok((new, ready))
}

/// Removes the new file unless it was put in its place.
struct Remove(PathBuf);

impl Drop for Remove {
    fn drop(&mut self) {
        // It is gone where all went well.
        let _ = fs::remove_file(&self.0);
    }
}
