//! A small town at rest: a lake with a handful of hosts, some of them hostile, and a server on it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use hinomi_identify::Engine;
use hinomi_lake::{Lake, LakeOptions, Places};
use hinomi_model::{
    Batch, Clock, Evidence, EvidenceKind, Marking, Outcome, Purpose, ServiceKey, Sighting, Sink, Timestamp, Transport,
};
use hinomi_share::register::Register;
use hinomi_share::rules::Rules;
use hinomi_share::{Door, ReadError, Reader, Viewer};
use hinomi_state::{Accounts, NewPerson, Target};
use hinomi_web::{NoSurveys, Progress, Server, Settings, Simulated, SurveyState, SurveyStatus, Surveys};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::client::{Answer, ask};
pub(crate) use crate::looks::Looks;
use crate::looks::{Books, Of};

/// What the hostile host says wherever it can say something.
pub(crate) const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}\u{202e}fdp\u{200b}";

/// The time on every page.
pub(crate) const NOW: &str = "2026-11-22T12:00:00Z";

/// A server with its lake. Ends when dropped.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) looks: Arc<Looks>,
    pub(crate) lake: Arc<Lake>,
    pub(crate) accounts: Accounts,
    pub(crate) clock: Arc<Moved>,
    /// Where the first administrator is made.
    pub(crate) first: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    runtime: Option<Runtime>,
    pub(crate) folder: TempDir,
}

/// A clock that stands until it is moved.
#[derive(Debug)]
pub(crate) struct Moved(AtomicI64);

impl Moved {
    pub(crate) fn by(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

impl World {
    /// The town at rest, no survey running.
    pub(crate) fn at_rest() -> Self {
        Self::with(batches(), Arc::new(NoSurveys))
    }

    /// The town while it is being surveyed.
    pub(crate) fn surveyed() -> Self {
        Self::with(batches(), Arc::new(SomeSurveys))
    }

    /// A lake without a record.
    pub(crate) fn empty() -> Self {
        Self::with(Vec::new(), Arc::new(NoSurveys))
    }

    /// A server over these batches.
    pub(crate) fn with(batches: Vec<Batch>, progress: Arc<dyn Progress>) -> Self {
        Self::new(batches, progress, None, Settings::default())
    }

    /// The town of a demonstration.
    pub(crate) fn simulated() -> Self {
        Self::new(batches(), Arc::new(NoSurveys), Some(Simulated { devices: 1_024 }), Settings::default())
    }

    /// The same where an administrator, `ann`, has an account before the server starts.
    pub(crate) fn inhabited(settings: Settings) -> Self {
        Self::begun(batches(), Arc::new(NoSurveys), None, settings, Register::default(), |accounts| {
            let (name, full_name) = ("ann".to_owned(), String::new());
            let new = NewPerson { name, full_name, administrator: true, analyst: false, password: None };
            accounts.add(&new, time(NOW)).expect("an account");
        })
    }

    /// These batches, where this is done to the state before the server starts.
    pub(crate) fn organised(batches: Vec<Batch>, before: impl FnOnce(&Accounts)) -> Self {
        Self::begun(batches, Arc::new(NoSurveys), None, Settings::default(), Register::default(), before)
    }

    /// The town at rest, reached as these settings say.
    pub(crate) fn reached(settings: Settings) -> Self {
        Self::new(batches(), Arc::new(NoSurveys), None, settings)
    }

    fn new(batches: Vec<Batch>, progress: Arc<dyn Progress>, simulated: Option<Simulated>, settings: Settings) -> Self {
        Self::begun(batches, progress, simulated, settings, Register::default(), |_| {})
    }

    /// A lake of several organisations.
    pub(crate) fn shared(batches: Vec<Batch>, register: Register) -> Self {
        Self::begun(batches, Arc::new(NoSurveys), None, Settings::default(), register, |_| {})
    }

    fn begun(
        batches: Vec<Batch>,
        progress: Arc<dyn Progress>,
        simulated: Option<Simulated>,
        settings: Settings,
        register: Register,
        before: impl FnOnce(&Accounts),
    ) -> Self {
        let folder = TempDir::new().expect("a folder");
        let clock = Arc::new(Moved(AtomicI64::new(time(NOW).as_micros())));
        let options = LakeOptions {
            dir: folder.path().to_owned(),
            read_only: false,
            identifier: Arc::new(Engine::builtin().expect("rules")),
            places: Places::read(b"192.0.2.0/25,64500,Example,JP,Tokyo\n".as_slice()).expect("places"),
            clock: Arc::clone(&clock) as Arc<_>,
        };
        let lake = Lake::open(options).expect("a lake");
        let has_flows = !batches.is_empty();
        for batch in batches {
            lake.append(batch).expect("room");
        }
        if has_flows {
            crate::flow::write(folder.path());
        }
        let looks = Arc::new(Looks::default());
        let lake = Arc::new(lake);
        let reader = Reader::new(Arc::clone(&lake), Viewer::Operator).before(Arc::clone(&looks) as Arc<_>);
        let rules = Arc::new(Rules::built_in().expect("rules"));
        let accounts = Accounts::of(Target::Sqlite(folder.path().join("state.sqlite")));
        let own = Some(register).filter(|register| *register != Register::default());
        let books = Books(own, accounts.clone(), Arc::clone(&clock));
        let of = Of(Arc::clone(&looks), accounts.clone(), folder.path().to_owned());
        let door = Door::new(reader).for_members(books, rules, of);
        let bind = SocketAddr::from(([127, 0, 0, 1], 0));
        let runtime = Runtime::new().expect("a runtime");
        before(&accounts);
        let (time, people) = (Arc::clone(&clock) as Arc<_>, accounts.clone());
        let server = Server {
            door,
            progress,
            clock: time,
            bind,
            installation: "town".to_owned(),
            simulated,
            accounts: people,
            settings,
            outward: Arc::new(crate::providers::Near),
            prober: None,
        };
        let bound = runtime.block_on(server.bind()).expect("a free port");
        let (address, first) = (bound.address(), bound.first_start());
        let (stop, stopped) = oneshot::channel();
        runtime.spawn(bound.run(async {
            let _ = stopped.await;
        }));
        Self { address, looks, lake, accounts, clock, first, stop: Some(stop), runtime: Some(runtime), folder }
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        ask(self.address, "GET", target, "")
    }

    /// A page in a language, which must be there.
    pub(crate) fn page(&self, target: &str, language: &str) -> String {
        let answer = ask(self.address, "GET", target, &format!("Accept-Language: {language}\r\n"));
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        answer.text()
    }

    /// The hash of the first evidence of a service.
    pub(crate) fn evidence_of(&self, host: &str, kind: &str) -> String {
        let found = self.get(&format!("/api/v1/hosts/{host}")).json();
        let services = found["services"].as_array().expect("services").clone();
        let mut references = services.iter().flat_map(|service| service["evidence"].as_array().expect("a list"));
        let found = references.find(|reference| reference["kind"] == kind);
        found.unwrap_or_else(|| panic!("{host} has {kind}"))["hash"].as_str().expect("text").to_owned()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(std::time::Duration::from_secs(5));
        }
    }
}

/// One that runs, one that was stopped yesterday, and more than are told of.
struct SomeSurveys;

impl Progress for SomeSurveys {
    fn surveys(&self, _reader: &Reader, _now: Timestamp) -> Result<Surveys, ReadError> {
        let stopped = SurveyStatus {
            campaign: "town-6".into(),
            state: SurveyState::Stopped,
            updated: time("2026-11-21T10:00:00Z"),
            started: time("2026-11-21T09:00:00Z"),
            remaining_s: None,
            ..running()
        };
        Ok(Surveys { total: 9, surveys: vec![running(), stopped] })
    }
}

fn running() -> SurveyStatus {
    SurveyStatus {
        campaign: "town-7".into(),
        state: SurveyState::Running,
        scope_name: format!("scope {HOSTILE}"),
        authority: format!("City of Example {HOSTILE}"),
        contact: "noc@example.jp".into(),
        targets: 12_000,
        done: 3_000,
        open: 321,
        refused: 4,
        rate_pps: 812.4,
        started: time("2026-11-22T11:58:00Z"),
        updated: time("2026-11-22T11:59:59Z"),
        remaining_s: Some(75),
        finished: false,
        note: Some(format!("a note {HOSTILE}")),
        errors: vec![(format!("timeout {HOSTILE}"), 17)],
    }
}

/// Says why a test stands aside; fails where standing aside is a failure.
pub(crate) fn stand_aside(reason: &str) {
    println!("stands aside: {reason}");
    assert!(std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "may not stand aside here: {reason}");
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// One sighting with its evidence.
pub(crate) struct Look<'a> {
    pub(crate) address: &'a str,
    pub(crate) port: u16,
    pub(crate) time: &'a str,
    pub(crate) outcome: Outcome,
    pub(crate) evidence: Vec<Evidence>,
}

pub(crate) fn batch(looks: Vec<Look<'_>>) -> Batch {
    let mut batch = Batch::default();
    for look in looks {
        batch.sightings.push(Sighting {
            sensor: "survey".parse().expect("a name"),
            campaign: "town-7".parse().ok(),
            time: time(look.time),
            subject: ServiceKey {
                address: look.address.parse().expect("an address"),
                port: look.port,
                transport: Transport::Tcp,
            },
            outcome: look.outcome,
            remark: (look.outcome == Outcome::Pseudo).then(|| format!("tarpit {HOSTILE}")),
            evidence: look.evidence.iter().map(Evidence::reference).collect(),
            marking: Marking::own(Purpose::Exercise),
        });
        batch.evidence.extend(look.evidence);
    }
    batch
}

pub(crate) fn banner(text: &str) -> Evidence {
    Evidence::new(EvidenceKind::Banner, text.as_bytes())
}

pub(crate) fn web(server: &str, title: &str) -> Evidence {
    let body = format!("<html><head><title>{title}</title></head><body>{title}</body></html>");
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\nServer: {server}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n");
    Evidence::new(EvidenceKind::Http, head + &body)
}

pub(crate) fn open<'a>(address: &'a str, port: u16, time: &'a str, evidence: Vec<Evidence>) -> Look<'a> {
    Look { address, port, time, outcome: Outcome::Open, evidence }
}

pub(crate) fn batches() -> Vec<Batch> {
    let certificate = Evidence::new(EvidenceKind::Certificate, include_bytes!("data/expired.der").as_slice());
    let first = vec![
        open("192.0.2.10", 22, "2026-11-01T09:00:00Z", vec![banner("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")]),
        open("192.0.2.10", 80, "2026-11-01T09:00:01Z", vec![web("nginx/1.22.1", "Welcome to nginx!")]),
        open("192.0.2.60", 22, "2026-11-01T09:10:00Z", vec![banner("SSH-2.0-OpenSSH_8.4p1 Debian-5\r\n")]),
        open("192.0.2.60", 2222, "2026-11-01T09:11:00Z", vec![banner("SSH-2.0-dropbear_2019.78\r\n")]),
    ];
    let second = vec![
        open("192.0.2.60", 22, "2026-11-10T09:10:00Z", vec![banner("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")]),
        Look {
            address: "192.0.2.60",
            port: 2222,
            time: "2026-11-10T09:11:00Z",
            outcome: Outcome::Closed,
            evidence: vec![],
        },
        open("192.0.2.20", 80, "2026-11-22T11:00:00Z", vec![web("HoshimiCam httpd", "PD-500 dome")]),
        open("192.0.2.20", 23, "2026-11-22T11:00:05Z", vec![banner("\u{ff}\u{fd}\u{1}\r\nlogin: ")]),
        open(
            "192.0.2.30",
            1883,
            "2026-11-22T11:01:00Z",
            vec![Evidence::new(EvidenceKind::Mqtt, b"\x20\x02\x00\x00".as_slice())],
        ),
        open("192.0.2.40", 8443, "2026-11-22T11:02:00Z", vec![web("lighttpd/1.4.69", "カメラ"), certificate]),
        open("192.0.2.50", 80, "2026-11-22T11:03:00Z", vec![web(HOSTILE, HOSTILE)]),
        open("192.0.2.50", 21, "2026-11-22T11:03:00Z", vec![banner(&format!("220 {HOSTILE}\r\n"))]),
        Look {
            address: "192.0.2.50",
            port: 9,
            time: "2026-11-22T11:04:00Z",
            outcome: Outcome::Pseudo,
            evidence: vec![banner("\u{1b}]0;owned\u{7}")],
        },
        open("2001:db8::7", 22, "2026-11-22T11:05:00Z", vec![banner("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")]),
    ];
    vec![batch(first), batch(second)]
}

/// Every page there is, with real names filled in.
pub(crate) fn every_page(world: &World) -> Vec<String> {
    let hash = world.evidence_of("192.0.2.50", "http");
    [
        "/",
        "/search",
        "/search?q=protocol:ssh",
        "/search?q=ip:192.0.2.50",
        "/search?q=ip:203.0.113.1",
        "/search?q=protocol:ssh&at=2026-11-05",
        "/hosts/192.0.2.10",
        "/hosts/192.0.2.20",
        "/hosts/192.0.2.40",
        "/hosts/192.0.2.50",
        "/hosts/192.0.2.60",
        "/hosts/2001:db8::7",
        "/crypto",
        "/organisation",
        "/organisation/report/2026-11",
        "/watch",
        "/surveys",
        "/flow",
        "/flow/203.0.113.9:1337-tcp",
        "/flow/[2001:db8:b07::9]:443-tcp",
        "/flow/203.0.113.77:23-tcp",
        "/guide",
        "/about",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([format!("/evidence/{hash}"), format!("/evidence/{hash}?start=17&end=60")])
    .collect()
}
