//! `hinomi scope`: authorisations.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use hinomi_model::scope::{Authority, Contact, Hours, PortSet, Probe, Rate, Request, Scope, Verdict};
use hinomi_model::{Clock, SystemClock, Timestamp, Transport, parse_address};
use hinomi_survey::scope::document::{Document, FORMAT, Targets};
use hinomi_survey::scope::{Authorised, VerifyError, read_signed, sign, verify};
use hinomi_survey::{PrivateKey, PublicKey};
use serde_json::json;

use super::Common;
use crate::books::Shelf;
use crate::output;
use crate::state::{read_key, write_key};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Write a scope document to read, complete and sign.
    New(Box<New>),
    /// Sign a document, with a key file or with this installation's own key (loopback only).
    Sign {
        /// The document; the signature is written into it.
        file: PathBuf,
        /// A key file made with `hinomi scope key`.
        #[arg(long)]
        key: Option<PathBuf>,
    },
    /// Check signature, signer and dates. Exit code 3: all is right, but it is not valid yet.
    Verify {
        /// The signed document.
        file: PathBuf,
    },
    /// Show what a document permits.
    Show {
        /// The document.
        file: PathBuf,
    },
    /// Say whether an address may be probed, and which rule decides.
    Explain {
        /// The signed document.
        #[arg(long)]
        scope: PathBuf,
        /// The address.
        address: String,
        /// The port to ask about.
        #[arg(long, default_value_t = 443)]
        port: u16,
        /// Ask about the UDP port of that number.
        #[arg(long)]
        udp: bool,
        /// The probe to ask about.
        #[arg(long, default_value = "connect")]
        probe: String,
    },
    /// Make a signing key.
    Key {
        /// File to write the private key to.
        file: PathBuf,
    },
    /// Take a scope back: what runs under it stops within seconds, and nothing is sent under it again.
    Revoke {
        /// The signed document.
        file: PathBuf,
        /// Why, in a line.
        #[arg(long, default_value = "no reason given")]
        reason: String,
    },
    /// Believe a key no more: what runs under its scopes stops within seconds.
    Distrust {
        /// The public key, 64 hexadecimal digits.
        key: String,
    },
    /// Believe scopes that this key signs.
    Trust {
        /// The public key, 64 hexadecimal digits.
        key: String,
        /// Whose key it is.
        #[arg(long)]
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// Name of the scope.
    #[arg(long)]
    name: String,
    /// Prefix or address that may be probed; may be repeated.
    #[arg(long = "range", required = true)]
    ranges: Vec<String>,
    /// Prefix or address that may not; may be repeated.
    #[arg(long = "exclude")]
    exclude: Vec<String>,
    /// TCP ports.
    #[arg(long, default_value = "21-23,25,53,80,443,554,1883,2323,5000,6379,7547,8000,8080,8081,8443,8883,50080")]
    tcp_ports: PortSet,
    /// UDP ports.
    #[arg(long, default_value = "53,123,161,1900,3610,5683")]
    udp_ports: PortSet,
    /// Probe that may be sent, or `all`; may be repeated.
    #[arg(long = "probe", default_value = "all")]
    probes: Vec<String>,
    /// Who authorises.
    #[arg(long, default_value = "")]
    organisation: String,
    /// Which person decided.
    #[arg(long, default_value = "")]
    person: String,
    /// Contract, decision or law.
    #[arg(long, default_value = "")]
    reference: String,
    /// Mail address that is read while the survey runs.
    #[arg(long, default_value = "")]
    email: String,
    /// Telephone.
    #[arg(long, default_value = "")]
    phone: String,
    /// Page that says who surveys and how to stop it.
    #[arg(long, default_value = "")]
    page: String,
    /// Valid for so many days from now.
    #[arg(long, default_value_t = 30)]
    days: u64,
    /// Permitted hours.
    #[arg(long, default_value = "always")]
    hours: Hours,
    /// File to write [default: stdout].
    #[arg(long)]
    out: Option<PathBuf>,
}

pub(crate) fn run(common: &Common, verb: Verb) -> Result<()> {
    match verb {
        Verb::New(new) => write_new(common, *new),
        Verb::Sign { file, key } => write_signed(common, &file, key.as_deref()),
        Verb::Verify { file } => verify_file(common, &file),
        Verb::Show { file } => show(common, &file),
        Verb::Explain { scope, address, port, udp, probe } => {
            let transport = if udp { Transport::Udp } else { Transport::Tcp };
            explain(common, &scope, &address, (transport, port), &probe)
        }
        Verb::Key { file } => make_key(common, &file),
        Verb::Revoke { file, reason } => revoke(common, &file, &reason),
        Verb::Distrust { key } => distrust(common, &key),
        Verb::Trust { key, name } => trust(common, &key, &name),
    }
}

/// A scope with a good signature of somebody we believe, before its first day. A survey under it is refused too.
#[derive(Debug)]
pub(crate) struct NotYetValid {
    file: String,
    signer: String,
    from: Timestamp,
}

impl std::fmt::Display for NotYetValid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, signer, from } = self;
        write!(f, "{file}: signed by {signer}, valid from {from}, not yet valid; nothing is sent under it before then")
    }
}

impl std::error::Error for NotYetValid {}

fn verify_file(common: &Common, file: &Path) -> Result<()> {
    let authorised = load(common, file)?;
    let early = not_yet(&authorised, file);
    if common.json {
        output::json(&summary(authorised.scope(), Some(&authorised)))?;
    } else if early.is_none() {
        let until = authorised.scope().valid_until;
        output::line(&format!("{}: valid until {until}, signed by {}", file.display(), authorised.signer()))?;
    }
    early.map_or(Ok(()), |early| Err(early.into()))
}

fn not_yet(authorised: &Authorised, file: &Path) -> Option<NotYetValid> {
    let from = authorised.scope().valid_from;
    let early = || NotYetValid { file: file.display().to_string(), signer: authorised.signer().to_owned(), from };
    (SystemClock.now() < from).then(early)
}

fn revoke(common: &Common, file: &Path, reason: &str) -> Result<()> {
    let digest = read_signed(&read(file)?).with_context(|| format!("{}", file.display()))?.digest.to_string();
    let state = common.state()?;
    let added = state.revoke(&digest, reason)?;
    let running = Shelf::of(&state).running_under(&digest)?;
    let stopping: Vec<String> = running.iter().map(ToString::to_string).collect();
    if common.json {
        let folder = state.dir();
        return output::json(
            &json!({ "digest": digest, "reason": reason, "added": added, "state": folder, "stopping": stopping }),
        );
    }
    let word = if added { "taken back" } else { "was taken back already" };
    output::line(&format!("{}: {word} in {}", file.display(), state.dir().display()))?;
    match stopping.is_empty() {
        true => {
            output::line("no campaign of that folder runs under it; other folders and machines have lists of their own")
        }
        false => output::line(&format!("stops within seconds: {}", stopping.join(", "))),
    }
}

fn distrust(common: &Common, key: &str) -> Result<()> {
    let key = PublicKey::from_text(key)?;
    let removed = common.state()?.distrust(key)?;
    match (common.json, removed) {
        (true, _) => output::json(&json!({ "key": key.to_string(), "removed": removed })),
        (false, true) => output::line(&format!("{key}: scopes that it signs are believed no more")),
        (false, false) => output::line(&format!("{key}: was not trusted")),
    }
}

fn trust(common: &Common, key: &str, name: &str) -> Result<()> {
    let key = PublicKey::from_text(key)?;
    let added = common.state()?.add_trust(key, name)?;
    match (common.json, added) {
        (true, _) => output::json(&json!({ "key": key.to_string(), "name": name.trim(), "added": added })),
        (false, true) => output::line(&format!("{key}: scopes that it signs are believed from now on")),
        (false, false) => output::line(&format!("{key}: was trusted already")),
    }
}

/// Reads and verifies a scope file with the state folder's trust.
pub(crate) fn load(common: &Common, file: &Path) -> Result<Authorised> {
    load_signed(common, file).map(|(authorised, _)| authorised)
}

/// The same with the bytes of the file, for those who keep them.
pub(crate) fn load_signed(common: &Common, file: &Path) -> Result<(Authorised, Vec<u8>)> {
    let bytes = read(file)?;
    let trust = common.state()?.trust()?;
    let verified = verify(&bytes, &trust, SystemClock.now());
    if let (Err(VerifyError::Unknown { .. }), Some(state)) = (&verified, &common.state) {
        output::talk(&format!(
            "keys are trusted in a state folder: say --state {} with scope trust too",
            state.display()
        ));
    }
    let authorised = verified.with_context(|| format!("{}", file.display()))?;
    Ok((authorised, bytes))
}

fn read(file: &Path) -> Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Rates that weak devices bear; whoever knows better edits the document.
const GENTLE: Rate = Rate { total_pps: 1_000, per_prefix_pps: 100, per_host_pps: 10, per_host_connections: 1 };

/// Nobody signs for microseconds.
fn whole_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_micros(time.as_micros() - time.as_micros().rem_euclid(1_000_000))
}

fn write_new(common: &Common, new: New) -> Result<()> {
    let now = whole_seconds(SystemClock.now());
    let document = Document {
        format: FORMAT,
        name: new.name,
        hours: new.hours,
        valid_from: now,
        valid_until: now.plus(Duration::from_secs(new.days * 86_400)),
        authority: Authority { organisation: new.organisation, person: new.person, reference: new.reference },
        contact: Contact { email: new.email, phone: new.phone, page: new.page },
        targets: Targets {
            ranges: new.ranges,
            exclude: new.exclude,
            tcp_ports: new.tcp_ports,
            udp_ports: new.udp_ports,
            probes: new.probes,
        },
        rate: GENTLE,
    };
    let text = document.write()?;
    let missing = document.check().err().map(|problem| problem.to_string());
    if let Some(file) = &new.out {
        fs::write(file, &text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    match (&new.out, common.json) {
        (Some(file), true) => output::json(&json!({ "file": file, "missing": missing }))?,
        (None, true) => output::json(&json!({ "document": text, "missing": missing }))?,
        (Some(file), false) => output::talk(&format!("written to {}; read it before you sign it", file.display())),
        (None, false) => output::line(text.trim_end())?,
    }
    if let Some(missing) = &missing {
        output::talk(&format!("to be completed before it can be signed: {missing}"));
    }
    Ok(())
}

fn write_signed(common: &Common, file: &Path, key: Option<&Path>) -> Result<()> {
    let state = common.state()?;
    let key = match key {
        Some(path) => read_key(path)?,
        None => state.own_key()?,
    };
    let signed = sign(&read(file)?, &key).with_context(|| format!("{}", file.display()))?;
    let temporary = file.with_extension("signing");
    fs::write(&temporary, signed).with_context(|| format!("cannot write {}", temporary.display()))?;
    fs::rename(&temporary, file).with_context(|| format!("cannot write {}", file.display()))?;
    match common.json {
        true => output::json(&json!({ "file": file, "key": key.public().to_string() })),
        false => output::line(&format!("{}: signed by key {}", file.display(), key.public())),
    }
}

fn make_key(common: &Common, file: &Path) -> Result<()> {
    let key = PrivateKey::generate()?;
    write_key(file, &key)?;
    match common.json {
        true => output::json(&json!({ "file": file, "public_key": key.public().to_string() })),
        false => {
            output::talk(&format!(
                "the private key is in {}; keep it where only the signer can read it",
                file.display()
            ));
            output::line(&key.public().to_string())
        }
    }
}

fn show(common: &Common, file: &Path) -> Result<()> {
    let bytes = read(file)?;
    let document = Document::read(&bytes).with_context(|| format!("{}", file.display()))?;
    let scope = document.check().with_context(|| format!("{}", file.display()))?;
    let trust = common.state()?.trust()?;
    let verdict = verify(&bytes, &trust, SystemClock.now());
    if common.json {
        return output::json(&summary(&scope, verdict.as_ref().ok()));
    }
    output::line(document.write()?.trim_end())?;
    match verdict {
        Ok(authorised) => match not_yet(&authorised, file) {
            Some(early) => output::talk(&early.to_string()),
            None => output::talk(&format!("valid, signed by {}", authorised.signer())),
        },
        Err(reason) => output::talk(&format!("authorises nothing: {reason}")),
    }
    Ok(())
}

fn summary(scope: &Scope, authorised: Option<&Authorised>) -> serde_json::Value {
    let early = SystemClock.now() < scope.valid_from;
    json!({
        "name": scope.name,
        "valid": authorised.is_some() && !early,
        "not_yet_valid": early,
        "signer": authorised.map(Authorised::signer),
        "digest": authorised.map(|authorised| authorised.digest().to_string()),
        "authority": scope.authority,
        "contact": scope.contact,
        "ranges": scope.ranges,
        "exclude": scope.exclude,
        "tcp_ports": scope.tcp,
        "udp_ports": scope.udp,
        "probes": scope.probes,
        "probe_ports": scope.probe_ports.iter().map(|(probe, ports)| (probe.to_string(), json!(ports))).collect::<serde_json::Map<_, _>>(),
        "rate": scope.rate,
        "hours": scope.hours,
        "valid_from": scope.valid_from,
        "valid_until": scope.valid_until,
    })
}

fn explain(
    common: &Common,
    file: &Path,
    address: &str,
    (transport, port): (Transport, u16),
    probe: &str,
) -> Result<()> {
    let authorised = load(common, file)?;
    let probe: Probe = probe.parse()?;
    let time = SystemClock.now();
    let request = Request { address: parse_address(address)?, port, transport, probe, time };
    let opt_out = common.state()?.opt_out()?;
    let verdict = opt_out.with(|list| authorised.scope().decide(&request, list));
    let (allowed, why) = match &verdict {
        Verdict::Allowed { range } => (true, format!("range {range} of scope {} permits it", authorised.scope().name)),
        Verdict::Refused(rule) => (false, rule.to_string()),
    };
    if common.json {
        let rule = match &verdict {
            Verdict::Refused(rule) => serde_json::to_value(rule)?,
            Verdict::Allowed { .. } => serde_json::Value::Null,
        };
        output::json(&json!({ "address": request.address, "port": port, "transport": transport, "probe": probe,
            "allowed": allowed, "reason": why, "refusal": rule }))
    } else {
        let word = if allowed { "allowed" } else { "refused" };
        output::line(&format!("{} port {port}/{transport} probe {probe}: {word}: {why}", request.address))
    }
}
