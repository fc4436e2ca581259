//! Those who asked not to be surveyed: the list that every campaign goes by, and requests that wait for the operator.
//!
//! The list is `opt-out.txt`, which may be edited by hand too; comments in it stay. Requests are
//! `opt-out-requests.json`. Both are changed under one lock and replaced whole; every change is an entry of the ledger
//! of campaigns, written before it takes effect.

use std::fs::{self, File, OpenOptions};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use hinomi_model::address::parse_prefix;
use hinomi_model::{Clock, SystemClock, Timestamp};
use hinomi_survey::ledger::event::Asked;
use hinomi_survey::ledger::{Event, Ledger};
use hinomi_survey::scope::opt_out::{MAX_ENTRIES, read};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::books::{Shelf, write_whole};
use crate::state::State;

/// The most requests that wait at one time.
pub(crate) const MAX_REQUESTS: usize = 1_000;

/// The most of them that came from one network: an IPv4 /24 or an IPv6 /48.
pub(crate) const MAX_OF_NETWORK: usize = 10;

/// Version of the form of requests.
const FORMAT: u32 = 1;

/// Somebody asks for addresses that are not the one they came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// By which the operator names it.
    pub(crate) number: u64,
    pub(crate) prefix: IpNet,
    pub(crate) time: Timestamp,
    /// How to reach who asked, in their own words.
    pub(crate) contact: String,
    /// The network that it came from: one network may not fill the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<IpNet>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Requests {
    format: u32,
    next: u64,
    waiting: Vec<Request>,
}

/// The list and the requests of a state folder.
pub(crate) struct OptOuts {
    dir: PathBuf,
    list: PathBuf,
    shelf: Shelf,
    /// Kept open, so that a change reads what is new of it and not all.
    ledger: Mutex<Option<Ledger>>,
}

/// Held while the list or the requests change.
struct Held {
    _file: File,
}

impl OptOuts {
    pub(crate) fn of(state: &State) -> Self {
        Self {
            dir: state.dir().to_path_buf(),
            list: state.opt_out_path(),
            shelf: Shelf::of(state),
            ledger: Mutex::default(),
        }
    }

    /// Enters addresses; says whether they were not covered already.
    pub(crate) fn enter(&self, prefix: IpNet, what: Asked, by: &str) -> Result<bool> {
        let _held = self.hold()?;
        self.enter_held(prefix, what, by)
    }

    fn enter_held(&self, prefix: IpNet, what: Asked, by: &str) -> Result<bool> {
        let text = self.text()?;
        // A campaign that runs cannot read it either then, and would not know of this entry.
        let entries = read(&text)?;
        if entries.iter().any(|entry| entry.contains(&prefix)) {
            return Ok(false);
        }
        if entries.len() >= MAX_ENTRIES {
            bail!("the opt-out list is full ({MAX_ENTRIES} entries): join entries of neighbours to prefixes");
        }
        self.note(what, prefix, by)?;
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        write_whole(&self.list, format!("{text}{end}{prefix}\n").as_bytes())?;
        Ok(true)
    }

    /// Takes an entry off.
    pub(crate) fn remove(&self, prefix: IpNet, by: &str) -> Result<()> {
        let _held = self.hold()?;
        let text = self.text()?;
        let is_it = |line: &&str| parse_prefix(line.trim()).is_ok_and(|entry| entry == prefix);
        if !text.lines().any(|line| is_it(&line)) {
            bail!("{prefix} is not an entry of the opt-out list; hinomi optout list shows them");
        }
        self.note(Asked::Removed, prefix, by)?;
        let kept: String = text.lines().filter(|line| !is_it(line)).map(|line| format!("{line}\n")).collect();
        write_whole(&self.list, kept.as_bytes())
    }

    /// Takes a request that the operator is to decide on. Says its number; none if the same waits already.
    pub(crate) fn request(&self, prefix: IpNet, contact: &str, visitor: IpAddr, by: &str) -> Result<Option<u64>> {
        let _held = self.hold()?;
        let mut requests = self.requests()?;
        if requests.waiting.iter().any(|waiting| waiting.prefix == prefix) {
            return Ok(None);
        }
        if requests.waiting.len() >= MAX_REQUESTS {
            bail!("{MAX_REQUESTS} requests wait already");
        }
        let from = network(visitor);
        if requests.waiting.iter().filter(|waiting| waiting.from == from).count() >= MAX_OF_NETWORK {
            bail!("{MAX_OF_NETWORK} requests from one network wait already");
        }
        self.note(Asked::Requested, prefix, by)?;
        let number = requests.next + 1;
        requests.next = number;
        let (time, contact) = (SystemClock.now(), contact.to_owned());
        requests.waiting.push(Request { number, prefix, time, contact, from });
        self.store(&requests)?;
        Ok(Some(number))
    }

    /// Enters what was requested, or declines it.
    pub(crate) fn decide(&self, number: u64, approve: bool, by: &str) -> Result<Request> {
        let _held = self.hold()?;
        let mut requests = self.requests()?;
        let place = requests.waiting.iter().position(|waiting| waiting.number == number);
        let Some(place) = place else { bail!("no request {number} waits; hinomi optout list shows those that do") };
        let request = requests.waiting.remove(place);
        if approve {
            self.enter_held(request.prefix, Asked::Approved, by)?;
        } else {
            self.note(Asked::Declined, request.prefix, by)?;
        }
        self.store(&requests)?;
        Ok(request)
    }

    /// The entries of the list.
    pub(crate) fn listed(&self) -> Result<Vec<IpNet>> {
        Ok(read(&self.text()?)?)
    }

    /// The requests that wait, oldest first.
    pub(crate) fn waiting(&self) -> Result<Vec<Request>> {
        Ok(self.requests()?.waiting)
    }

    fn note(&self, what: Asked, prefix: IpNet, by: &str) -> Result<()> {
        let event = Event::Asked { what, prefix, by: by.to_owned() };
        let mut kept = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ledger = match kept.take() {
            Some(ledger) => ledger,
            None => self.shelf.open_ledger()?,
        };
        ledger.append(SystemClock.now(), event)?;
        // One that failed is opened anew: it may be another file by now.
        *kept = Some(ledger);
        Ok(())
    }

    fn hold(&self) -> Result<Held> {
        fs::create_dir_all(&self.dir)
            .with_context(|| format!("cannot make the state folder {}", self.dir.display()))?;
        let path = self.dir.join("opt-out.lock");
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = open.with_context(|| format!("{}", path.display()))?;
        file.lock().with_context(|| format!("{}", path.display()))?;
        Ok(Held { _file: file })
    }

    fn text(&self) -> Result<String> {
        match fs::read_to_string(&self.list) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", self.list.display())),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.join("opt-out-requests.json")
    }

    fn requests(&self) -> Result<Requests> {
        let path = self.path();
        if !path.exists() {
            return Ok(Requests { format: FORMAT, ..Requests::default() });
        }
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let requests: Requests = serde_json::from_slice(&text).with_context(|| format!("{}", path.display()))?;
        if requests.format > FORMAT {
            bail!("{} has format {}; use a newer hinomi", path.display(), requests.format);
        }
        Ok(requests)
    }

    fn store(&self, requests: &Requests) -> Result<()> {
        write_whole(&self.path(), serde_json::to_string_pretty(requests)?.as_bytes())
    }
}

fn network(visitor: IpAddr) -> Option<IpNet> {
    let bits = if visitor.is_ipv4() { 24 } else { 48 };
    IpNet::new(visitor, bits).ok().map(|network| network.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        parse_prefix(text).expect("a prefix")
    }

    #[test]
    fn the_list_keeps_comments_and_covers_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = State::locate(Some(folder.path().join("state"))).expect("a folder");
        let outs = OptOuts::of(&state);
        assert!(outs.enter(net("192.0.2.0/24"), Asked::Added, "me").expect("entered"));
        fs::write(state.opt_out_path(), "# by letter\n192.0.2.0/24").expect("written");
        assert!(!outs.enter(net("192.0.2.7"), Asked::Proved, "page").expect("covered"));
        assert!(outs.enter(net("2001:db8::1"), Asked::Proved, "page").expect("entered"));
        assert_eq!(outs.listed().expect("a list"), [net("192.0.2.0/24"), net("2001:db8::1")]);
        let text = fs::read_to_string(state.opt_out_path()).expect("a list");
        fs::write(state.opt_out_path(), format!("{text}192.0.2.300\n")).expect("written");
        let refused = outs.enter(net("198.51.100.1"), Asked::Proved, "page").expect_err("no campaign could read it");
        assert!(refused.to_string().contains("line 4"), "{refused}");
        fs::write(state.opt_out_path(), text).expect("written");
        outs.remove(net("192.0.2.0/24"), "me").expect("removed");
        assert!(outs.remove(net("192.0.2.0/24"), "me").is_err());
        assert_eq!(fs::read_to_string(state.opt_out_path()).expect("a list"), "# by letter\n2001:db8::1/128\n");
    }

    #[test]
    fn requests_wait_for_a_decision() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = State::locate(Some(folder.path().to_path_buf())).expect("a folder");
        let outs = OptOuts::of(&state);
        let from = |visitor: &str, text: &str| {
            outs.request(net(text), "a@example.org", visitor.parse().expect("an address"), "page")
        };
        let ask = |text: &str| from("2001:db8::1", text).expect("taken");
        assert_eq!((ask("192.0.2.0/24"), ask("192.0.2.0/24"), ask("198.51.100.0/24")), (Some(1), None, Some(2)));
        assert_eq!(outs.listed().expect("a list"), []);
        assert_eq!(outs.decide(1, true, "me").expect("decided").prefix, net("192.0.2.0/24"));
        assert!(outs.decide(1, true, "me").is_err(), "decided already");
        outs.decide(2, false, "me").expect("decided");
        assert_eq!(
            (outs.listed().expect("a list"), outs.waiting().expect("none")),
            (vec![net("192.0.2.0/24")], vec![])
        );
        for n in 0..MAX_OF_NETWORK {
            assert!(from(&format!("2001:db8:0:{n}::1"), &format!("198.51.100.{n}")).is_ok(), "{n}");
        }
        assert!(from("2001:db8:0:99::1", "203.0.113.0/24").is_err(), "one network");
        assert!(from("2001:db8:1::1", "203.0.113.0/24").is_ok(), "another one");
        let ledger = Shelf::of(&state).ledger();
        let entries = hinomi_survey::ledger::newest(&ledger, 100, |_| true).expect("holds");
        let whats: Vec<Asked> = entries
            .into_iter()
            .filter_map(|entry| match entry.event {
                Event::Asked { what, .. } => Some(what),
                _ => None,
            })
            .collect();
        assert_eq!(
            whats.get(..4).expect("four"),
            [Asked::Requested, Asked::Requested, Asked::Approved, Asked::Declined]
        );
    }
}
