//! One look: decided anew, written down in both ledgers, sent, and ended in time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hinomi_model::scope::PortSet;
use hinomi_model::{CampaignId, Marking, Purpose, Sink, SystemClock, Transport};
use hinomi_share::ledger::{Actor, Event};
use hinomi_survey::ledger::How;
use hinomi_survey::scope::Tally;
use hinomi_survey::{Authorised, Campaign, Config, ConnectEngine, Door, Engine, Metrics, Order, Report, Share, Survey};
use hinomi_web::prober::{Ended, NoLook, Offer, Tell, Terms};
use tokio::sync::watch;

use super::catch::{Catch, Telling};
use super::{FromOutside, PLACES, Standing, ports};
use crate::books::{Books, Shelf};
use crate::door::VISITOR;

/// Connections to one service, at most, to find out what it speaks.
pub(super) const HANDSHAKES: u32 = 4;
/// Connections to a visitor's address at one time, at most, whatever the scope says.
pub(super) const AT_ONCE: u16 = 4;
/// After so long nothing new is begun.
const BEGINS: Duration = Duration::from_secs(45);
/// After so long everything is ended.
pub(super) const AT_MOST: Duration = Duration::from_secs(60);
/// How long ending may take.
const ENDING: Duration = Duration::from_secs(2);
/// What these campaigns are called, with a colon and the number of the place. No scope has a colon in its name, so no
/// survey's campaign gets one of these from its scope.
const CAMPAIGN: &str = "self-check";

/// What is ready to be sent, and nothing of it was.
struct Ready {
    survey: Survey,
    campaign: Campaign,
    books: Books,
}

/// Looks at the address of these terms, which somebody agreed to at this moment.
///
/// # Errors
/// Why nothing was sent.
pub(super) fn look(of: &Arc<FromOutside>, (terms, when): (&Terms, Instant), tell: &Tell) -> Result<Ended, NoLook> {
    let place = of.place()?;
    let failed = |error: anyhow::Error| {
        tracing::error!("a look from outside failed: {error:#}");
        NoLook::Failed
    };
    let standing = of.read().map_err(|error| {
        tracing::warn!("a look from outside was not made: {error:#}");
        NoLook::Changed
    })?;
    // What is in force now must be what was agreed to, word for word.
    match of.decide(&standing, terms.address) {
        Offer::Terms(now) if *now == *terms => {}
        _ => return Err(NoLook::Changed),
    }
    of.clear(&standing.authorised).map_err(failed)?;
    let less = standing.authorised.only(terms.address, &ports::wanted()).map_err(|_| NoLook::Changed)?;
    let id = free(of, place.number)?;
    let ready = ready(of, &standing, less, id, tell).map_err(failed)?;
    let unwritten = |why: &dyn std::fmt::Display| {
        tracing::error!(%why, "a look from outside could not be written down: nothing is sent");
        NoLook::Unwritten
    };
    // Who agreed long ago has gone on: asking whether the scope is clear may take long.
    let is_late = || when.elapsed() > AT_MOST;
    if is_late() {
        return Err(failed(anyhow::anyhow!("it was not ready to be sent in time: nothing is sent")));
    }
    of.log.append(agreed(terms, &ready.campaign.id)).map_err(|error| unwritten(&error))?;
    let (stopping, stop) = watch::channel(false);
    let stopping = Arc::new(stopping);
    let Ready { survey, campaign, books } = ready;
    let kept =
        books.open(&survey, &campaign, Arc::clone(&stopping)).map_err(|error| unwritten(&format!("{error:#}")))?;
    let door = Arc::clone(&survey.door);
    // Writing may take long too.
    let ran = if is_late() { Ok(None) } else { send(survey, campaign, (&stopping, stop)) };
    let how = match &ran {
        Ok(Some(report)) if report.finished => How::Finished,
        Ok(_) => How::Stopped,
        Err(_) => How::Failed,
    };
    if let Err(error) = kept.end(how) {
        tracing::error!("the last entries of a look from outside are missing: {error:#}");
    }
    let whole = ran.map_err(failed)?.is_some_and(|report| report.finished);
    Ok(Ended { whole, sent: door.metrics().counts().packets_sent })
}

/// The campaign of this place, or of one that no process of this state folder holds.
fn free(of: &FromOutside, number: usize) -> Result<CampaignId, NoLook> {
    let shelf = Shelf::of(&of.state);
    let names = (0..PLACES).map(|step| format!("{CAMPAIGN}:{}", (number + step) % PLACES + 1).parse::<CampaignId>());
    let mut free = names.flatten().filter(|id| shelf.running(id).is_ok_and(|running| running.is_none()));
    free.next().ok_or(NoLook::Busy)
}

/// The survey of one address.
fn ready(of: &FromOutside, standing: &Standing, less: Authorised, id: CampaignId, tell: &Tell) -> Result<Ready> {
    let config = config(&less);
    let pace = of.pace(&standing.authorised);
    let tally = Arc::new(Tally::new(&less.scope().ranges));
    let ports: Vec<(Transport, u16)> =
        ports_of(&less.scope().tcp, Transport::Tcp).chain(ports_of(&less.scope().udp, Transport::Udp)).collect();
    let opt_out = Arc::clone(&standing.opt_out);
    let door = Door::new(less, Arc::clone(&opt_out), Arc::new(SystemClock), Arc::new(Metrics::default()));
    let door = Arc::new(door.with_tally(tally).with_pace(Arc::clone(&pace)));
    let connect = Arc::new(ConnectEngine::new(Arc::clone(&door), Arc::clone(&pace), &config));
    let engines: Vec<Arc<dyn Engine>> = vec![Arc::new(Telling { engine: connect, tell: Arc::clone(tell) })];
    let order = Order { ports: Some(&ports), list: None, seed: 1, share: Share::WHOLE };
    let campaign = Campaign::new(id, &door, &order, &engines)?;
    let sink: Arc<dyn Sink> =
        Arc::new(Catch { rules: Arc::clone(&of.rules), tell: Arc::clone(tell), evidence: Mutex::new(HashMap::new()) });
    let survey = Survey {
        door,
        engines,
        pace,
        sink,
        clock: Arc::new(SystemClock),
        sensor: CAMPAIGN.parse()?,
        marking: Marking::own(Purpose::ExposureReduction),
        config,
    };
    Ok(Ready { survey, campaign, books: Books::new(&of.state, opt_out, &standing.signed, None) })
}

fn ports_of(ports: &PortSet, transport: Transport) -> impl Iterator<Item = (Transport, u16)> {
    ports.iter().map(move |port| (transport, port))
}

/// Little patience, since somebody waits: each port is tried once.
fn config(less: &Authorised) -> Config {
    let scope = less.scope();
    let contact = if scope.contact.page.is_empty() { &scope.contact.email } else { &scope.contact.page };
    Config {
        // Those that only wait for their turn would be begun after the time is over.
        concurrency: usize::from(scope.rate.per_host_connections.min(AT_ONCE)).max(1),
        attempts: 1,
        // All of the list unanswered, over one connection at a time, and there is still time to end.
        connect_timeout: Duration::from_millis(900),
        banner_wait: Duration::from_millis(1_500),
        reply_wait: Duration::from_secs(2),
        connection_time: Duration::from_secs(5),
        handshakes: HANDSHAKES,
        batch_time: Duration::from_millis(300),
        contact: contact.clone(),
        ..Config::default()
    }
}

/// Sends until every port is tried or the time is over; none when it was.
fn send(
    survey: Survey,
    campaign: Campaign,
    (stopping, stop): (&watch::Sender<bool>, watch::Receiver<bool>),
) -> Result<Option<Report>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("a runtime")?;
    let ran = runtime.block_on(async {
        let running = survey.run(campaign, stop);
        let stopped = async {
            tokio::time::sleep(BEGINS).await;
            stopping.send_replace(true);
        };
        let ending = async {
            let mut running = std::pin::pin!(running);
            tokio::select! {
                ran = &mut running => return ran,
                () = stopped => {}
            }
            running.await
        };
        tokio::time::timeout(AT_MOST, ending).await.ok()
    });
    // With the runtime ends every task, and every socket that a task holds.
    runtime.shutdown_timeout(ENDING);
    Ok(ran.transpose()?)
}

/// The entry that somebody agreed.
fn agreed(terms: &Terms, campaign: &CampaignId) -> Event {
    let list = |ports: &[u16]| ports.iter().copied().collect::<PortSet>().to_string();
    let of = [(&terms.tcp, "tcp"), (&terms.udp, "udp")];
    let ports = of.iter().filter(|(ports, _)| !ports.is_empty()).map(|(ports, over)| format!("{}/{over}", list(ports)));
    Event::Consent {
        by: Actor { name: VISITOR.to_owned(), ..Actor::default() },
        address: terms.address,
        ports: ports.collect::<Vec<_>>().join(" "),
        scope: terms.scope.clone(),
        campaign: campaign.to_string(),
    }
}
