//! Looks from outside at visitors who ask for it: the survey's own engine, at one address, behind a door that knows no
//! other (`docs/decisions/0024-probe-from-outside.md`).
//!
//! ```text
//!   web: consent --> look --> scope, trust, opt-out, shared ranges read anew --> Authorised::only(address)
//!                                                                                   |
//!   ledger of looks: consent <-- before --+                                         v
//!   ledger of what is sent: run begins <--+--> Survey (connections alone) --> ports, facts --> the page
//! ```
//!
//! Everything is decided here again, whatever the page believes: the scope file is read and verified at each look, the door is
//! made for one address, at most [`PLACES`] looks go on, in all processes of a state folder, and both ledgers have their
//! entries before the first packet. What was seen is told to the page and stored nowhere.

mod catch;
mod ports;
mod run;

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hinomi_identify::Engine as Rules;
use hinomi_model::scope::Rule;
use hinomi_model::{Clock, ContentHash, SystemClock};
use hinomi_share::Door;
use hinomi_share::ledger::Log;
use hinomi_survey::outward::{self, Cleared, Outside, Resolver, Sockets};
use hinomi_survey::scope::verify;
use hinomi_survey::{Authorised, OptOut, Pace};
use hinomi_web::prober::{Looking, NoLook, Offer, Prober, Tell, Terms};
use hinomi_web::settings::OutsideProbe;
use ipnet::IpNet;

use crate::identifier;
use crate::output::{clean_line, talk};
use crate::state::State;

/// Looks that go on at one time, over all processes of a state folder.
pub(crate) const PLACES: usize = 4;
/// How long what scope and lists say is believed while pages are only shown.
const STANDS: Duration = Duration::from_secs(5);
/// How long page, contact and reverse names of a public scope count as answering; how often they are asked where they do,
/// and where they do not.
const CLEARED: Duration = Duration::from_secs(3_600);
const CLEAR_AGAIN: Duration = Duration::from_secs(1_200);
const CLEAR_SOON: Duration = Duration::from_secs(60);
/// Addresses that providers share among their customers (RFC 6598), whatever a scope says.
const SHARED: &str = "100.64.0.0/10";

/// Looks at visitors under one scope.
pub(crate) struct FromOutside {
    state: State,
    scope: PathBuf,
    shared: Vec<IpNet>,
    sources: Vec<IpAddr>,
    log: Arc<Log>,
    rules: Arc<Rules>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    standing: Option<(Instant, Option<Standing>)>,
    cleared: Option<(Instant, Cleared)>,
    /// One pace for all looks under a scope: its rates hold for them together.
    pace: Option<(ContentHash, Arc<Pace>)>,
    taken: [bool; PLACES],
}

/// What is in force.
#[derive(Clone)]
struct Standing {
    authorised: Authorised,
    signed: Arc<[u8]>,
    opt_out: Arc<OptOut>,
}

/// A place among those that look; given back when dropped.
struct Place {
    of: Arc<FromOutside>,
    number: usize,
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(taken) = self.of.kept().taken.get_mut(self.number) {
            *taken = false;
        }
    }
}

/// Looks under what the settings name; tells the operator what stands against it now.
///
/// # Errors
/// When there is no ledger, or the rules cannot be read.
pub(crate) fn open(state: &State, told: &OutsideProbe, door: &Door) -> Result<Arc<FromOutside>> {
    let log = door.ledger().context("looks from outside need the ledger of the state")?;
    let mut shared = told.shared.clone();
    shared.push(SHARED.parse()?);
    let prober = Arc::new(FromOutside {
        state: state.clone(),
        scope: told.scope.clone(),
        shared,
        sources: told.sources.clone(),
        log,
        rules: Arc::new(identifier::to_read(state.dir())?),
        kept: Mutex::default(),
    });
    let of = Arc::downgrade(&prober);
    // Page and names of a public scope are asked over the network: no visitor waits for them.
    std::thread::Builder::new().name("clear".to_owned()).spawn(move || keep_clear(&of))?;
    Ok(prober)
}

/// Asks again and again whether the scope is clear, and tells the operator when that changes, for as long as anybody may
/// be looked at.
fn keep_clear(of: &Weak<FromOutside>) {
    let mut told = String::new();
    while let Some(prober) = of.upgrade() {
        let (text, wait) = prober.ask_anew();
        drop(prober);
        if text != told {
            talk(&format!("hinomi: {}", clean_line(&text, 1_000)));
            told = text;
        }
        std::thread::park_timeout(wait);
    }
}

impl FromOutside {
    /// Asks whether the scope is clear; how it stands, in words, and when to ask again.
    fn ask_anew(&self) -> (String, Duration) {
        let asked = self.read().and_then(|standing| {
            self.clear_anew(&standing.authorised)?;
            Ok(standing.authorised.scope().name.clone())
        });
        match asked {
            Ok(name) => {
                (format!("visitors from inside scope {name} may have their own address looked at"), CLEAR_AGAIN)
            }
            Err(error) => (format!("nobody is looked at from outside: {error:#}"), CLEAR_SOON),
        }
    }

    /// Scope, trust and opt-out list as they are now.
    fn read(&self) -> Result<Standing> {
        let context = || format!("the scope {}", self.scope.display());
        let signed = fs::read(&self.scope).with_context(context)?;
        let authorised = verify(&signed, &self.state.trust()?, SystemClock.now()).with_context(context)?;
        Ok(Standing { authorised, signed: signed.into(), opt_out: self.state.opt_out()? })
    }

    /// The same, at most [`STANDS`] old; none where nothing is in force.
    fn standing(&self) -> Option<Standing> {
        if let Some((read, standing)) = &self.kept().standing
            && read.elapsed() < STANDS
        {
            return standing.clone();
        }
        let read = self.read().inspect_err(|error| tracing::warn!("nobody is looked at from outside: {error:#}")).ok();
        self.kept().standing = Some((Instant::now(), read.clone()));
        read
    }

    /// What may be sent to this address, by what is in force.
    fn decide(&self, standing: &Standing, asked: IpAddr) -> Offer {
        let address = asked.to_canonical();
        if self.shared.iter().any(|range| range.contains(&address)) {
            // What is said of an address that nothing would be sent to anyway would tell what the scope holds.
            return if standing.authorised.only(address, &ports::wanted()).is_ok() {
                Offer::Shared
            } else {
                Offer::None
            };
        }
        match standing.opt_out.with(|list| standing.authorised.scope().permits_address(address, list)) {
            Err(Rule::OptOut { .. }) if standing.authorised.only(address, &ports::wanted()).is_ok() => {
                return Offer::OptedOut;
            }
            Err(_) => return Offer::None,
            Ok(_) => {}
        }
        let scope = standing.authorised.scope();
        if scope.valid_from > SystemClock.now() || !scope.hours.contains(SystemClock.now()) {
            return Offer::Later;
        }
        self.terms(&standing.authorised, address).map_or(Offer::None, |terms| Offer::Terms(Box::new(terms)))
    }

    /// What would be sent; none where nothing would, or it is not known where it would come from.
    fn terms(&self, authorised: &Authorised, address: IpAddr) -> Option<Terms> {
        let less = authorised.only(address, &ports::wanted()).ok()?;
        let scope = less.scope();
        let sources = match self.sources.as_slice() {
            [] => vec![sockets(authorised).source_towards(address).ok()?],
            named => named.to_vec(),
        };
        let (tcp, udp): (Vec<u16>, Vec<u16>) = (scope.tcp.iter().collect(), scope.udp.iter().collect());
        let ports = u32::try_from(tcp.len() + udp.len()).unwrap_or(u32::MAX);
        if ports == 0 || !scope.probes.contains(&hinomi_model::scope::Probe::Connect) {
            return None;
        }
        Some(Terms {
            address,
            scope: authorised.digest().to_string(),
            tcp,
            udp,
            sources,
            attempts: ports.saturating_mul(run::HANDSHAKES),
            at_once: scope.rate.per_host_connections.min(run::AT_ONCE),
            seconds: run::AT_MOST.as_secs(),
            authority: format!("{}, {}", scope.authority.organisation, scope.authority.person),
            email: scope.contact.email.clone(),
            page: scope.contact.page.clone(),
        })
    }

    /// Leave to send under this scope: at once where no range is public, else when page, contact and names answer.
    fn clear(&self, authorised: &Authorised) -> Result<Cleared> {
        self.cleared(authorised).map_or_else(|| self.clear_anew(authorised), Ok)
    }

    /// The same, where that is known.
    fn cleared(&self, authorised: &Authorised) -> Option<Cleared> {
        let (when, cleared) = self.kept().cleared?;
        (when.elapsed() < CLEARED && cleared.is_for(authorised)).then_some(cleared)
    }

    /// The same, asked now.
    fn clear_anew(&self, authorised: &Authorised) -> Result<Cleared> {
        match outward::clear(authorised, &self.sources, &sockets(authorised)) {
            Ok(cleared) => {
                self.kept().cleared = Some((Instant::now(), cleared));
                Ok(cleared)
            }
            Err(objections) => {
                let all: Vec<String> = objections.iter().map(ToString::to_string).collect();
                bail!("the scope reaches public addresses: {}", all.join("; "))
            }
        }
    }

    /// The pace of all looks under this scope.
    fn pace(&self, authorised: &Authorised) -> Arc<Pace> {
        let mut kept = self.kept();
        if let Some((_, pace)) = kept.pace.as_ref().filter(|(digest, _)| *digest == authorised.digest()) {
            pace.sweep();
            return Arc::clone(pace);
        }
        let rate = authorised.scope().rate;
        let at_once = rate.per_host_connections.min(run::AT_ONCE);
        let pace = Arc::new(Pace::new(hinomi_model::scope::Rate { per_host_connections: at_once, ..rate }));
        kept.pace = Some((authorised.digest(), Arc::clone(&pace)));
        pace
    }

    /// Takes a place.
    fn place(self: &Arc<Self>) -> Result<Place, NoLook> {
        let mut kept = self.kept();
        let number = kept.taken.iter().position(|taken| !taken).ok_or(NoLook::Busy)?;
        if let Some(taken) = kept.taken.get_mut(number) {
            *taken = true;
        }
        Ok(Place { of: Arc::clone(self), number })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who asks for names and the page, and for the way to an address.
fn sockets(authorised: &Authorised) -> Sockets {
    Sockets { resolver: Resolver::of_system(), contact: authorised.scope().contact.email.clone() }
}

impl Prober for FromOutside {
    fn offer(&self, address: IpAddr) -> Offer {
        let Some(standing) = self.standing() else { return Offer::None };
        let authorised = &standing.authorised;
        // Nobody is asked to agree to what would not be sent.
        let is_clear = self.cleared(authorised).is_some()
            || (outward::public_ranges(authorised.scope()).is_empty() && self.clear_anew(authorised).is_ok());
        if is_clear { self.decide(&standing, address) } else { Offer::None }
    }

    /// In a thread with a runtime of its own: when the time is over, ending that ends everything that could send, and what
    /// strangers say keeps no page from being shown.
    fn look(self: Arc<Self>, terms: Terms, tell: Tell) -> Looking {
        let agreed = Instant::now();
        Box::pin(async move {
            let (done, ended) = tokio::sync::oneshot::channel();
            let work = move || {
                // Nobody waits for it any more only when the server ends.
                let _ = done.send(run::look(&self, (&terms, agreed), &tell));
            };
            if let Err(error) = std::thread::Builder::new().name("look".to_owned()).spawn(work) {
                tracing::error!(%error, "a look from outside could not begin");
                return Err(NoLook::Failed);
            }
            ended.await.unwrap_or(Err(NoLook::Failed))
        })
    }
}
