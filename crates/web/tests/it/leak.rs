//! What others hold is not there: every route is asked by members of three organisations and by who is of none, in a lake
//! with everybody's records and in one that never had those of others. The answers are the same, byte by byte.
//!
//! A new route stands in [`ROUTES`], or [`every_route_is_named`] fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hinomi_model::{Batch, Clock, Marking, Purpose, Sink, Tlp};
use hinomi_share::register::{Claim, Held, Organisation, Register};
use hinomi_state::organisations::{Deed, Kind, Profile};
use hinomi_state::{NewKey, NewPerson, Person, Role};

use crate::client::{Answer, ask, raw};
use crate::world::{NOW, World, banner, open, time, web};

/// What a route is asked.
enum Asks {
    /// These targets, by GET. In them stand `{address}`, `{hash}`, `{object}`, `{event}` and `{file}` for every one there is.
    Get(&'static [&'static str]),
    /// These bodies, by POST.
    Post(&'static str, &'static [&'static str]),
    /// Nothing, because it reads no record.
    Nothing(&'static str),
    /// Something that goes on: [`streams_tell_nothing_of_others`].
    Stream,
}
use Asks::{Get, Nothing, Post, Stream};

/// Of accounts and sessions, not of records.
const OF_ACCOUNTS: Asks = Nothing("accounts");

/// Every route as its router has it, with what is asked. Those of the API as they are in its description.
const ROUTES: &[(&str, Asks)] = &[
    // Pages.
    ("\"/\"", Get(&["/", "/?lang=en"])),
    ("\"/search\"", Get(&SEARCHES)),
    ("\"/hosts/{address}\"", Get(&["/hosts/{address}", "/hosts/{address}?lang=en"])),
    ("\"/evidence/{hash}\"", Get(&["/evidence/{hash}", "/evidence/{hash}?start=0&end=4"])),
    ("\"/crypto\"", Get(&["/crypto"])),
    ("\"/organisation\"", Get(&["/organisation", "/organisation?lang=en"])),
    (
        "&format!(\"{}/{{month}}\", report::PATH)",
        Get(&[
            "/organisation/report/2026-11",
            "/organisation/report/2026-11?lang=en",
            "/organisation/report/2026-11.pdf",
            "/organisation/report/2026-10?organisation=city-b",
        ]),
    ),
    ("organisation::alerts::PATH", Get(&["/organisation/alerts", "/organisation/alerts?organisation=city-b"])),
    ("crate::guard::FORMS", Get(&["/watch", "/watch?name=w"])),
    ("\"/surveys\"", Get(&["/surveys"])),
    ("\"/flow\"", Get(&["/flow"])),
    ("\"/flow/{endpoint}\"", Get(&["/flow/203.0.113.9:1337-tcp", "/flow/203.0.113.200:1-tcp"])),
    ("selfcheck::PATH", Get(&["/self-check"])),
    ("selfcheck::outside::PATH", Nothing("what it shows was seen for who asks, and is in no lake")),
    ("\"/guide\"", Get(&["/guide"])),
    ("\"/about\"", Get(&["/about"])),
    ("admit::SIGN_IN", OF_ACCOUNTS),
    ("admit::FIRST", OF_ACCOUNTS),
    ("account::ACCOUNT", OF_ACCOUNTS),
    ("account::people::PEOPLE", OF_ACCOUNTS),
    ("again::AGAIN", OF_ACCOUNTS),
    ("notices::NOTICES", Get(&["/notices", "/notices?lang=en"])),
    ("notices::draft::PATH", Get(&["/notices/draft", "/notices/draft?look=1&q=port:1-65535"])),
    ("\"/notices/{notice}\"", Get(&["/notices/1"])),
    ("entitlement::PATH", Get(&["/entitlement", "/entitlement?lang=en", "/entitlement?address={address}"])),
    ("\"/sign-in/invited\"", OF_ACCOUNTS),
    ("\"/sign-in/passkey\"", OF_ACCOUNTS),
    ("\"/sign-in/passkey/end\"", OF_ACCOUNTS),
    ("\"/sign-in/with/{provider}\"", OF_ACCOUNTS),
    ("\"/sign-in/back/{provider}\"", OF_ACCOUNTS),
    ("\"/account/sign-out\"", OF_ACCOUNTS),
    ("\"/account/passkeys\"", OF_ACCOUNTS),
    ("\"/account/passkeys/end\"", OF_ACCOUNTS),
    ("\"/account/with/{provider}\"", OF_ACCOUNTS),
    ("\"/account/again/passkey\"", OF_ACCOUNTS),
    ("\"/account/again/passkey/end\"", OF_ACCOUNTS),
    ("\"/assets/{name}\"", Nothing("files of the program")),
    ("\"/favicon.ico\"", Nothing("files of the program")),
    // The API.
    ("&format!(\"{BASE}{path}\")", Nothing("those of the description, one by one below")),
    ("/search", Get(&API_SEARCHES)),
    ("/plan", Get(&["/api/v1/plan", "/api/v1/plan?q=port:23", "/api/v1/plan?q=ip:198.51.100.74"])),
    (
        "/as-of",
        Get(&[
            "/api/v1/as-of?at=2026-11-21",
            "/api/v1/as-of?at=2026-11-21&q=port:23",
            "/api/v1/as-of?at=2026-11-22T12:00:00Z&known=2026-11-30",
        ]),
    ),
    (
        "/diff",
        Get(&["/api/v1/diff?from=2026-11-05&to=2026-11-22", "/api/v1/diff?from=2026-11-05&to=2026-11-22&q=port:23"]),
    ),
    ("/changes", Get(&["/api/v1/changes", "/api/v1/changes?from=2026-11-01&limit=1", "/api/v1/changes?q=port:23"])),
    ("/hosts/{address}", Get(&["/api/v1/hosts/{address}"])),
    ("/hosts/{address}/presence", Get(&["/api/v1/hosts/{address}/presence"])),
    ("/evidence/{hash}", Get(&["/api/v1/evidence/{hash}", "/api/v1/evidence/{hash}?raw=1"])),
    ("/surveys", Get(&["/api/v1/surveys"])),
    ("/status", Get(&["/api/v1/status"])),
    (
        "/export",
        Get(&[
            "/api/v1/export?format=csv",
            "/api/v1/export?format=jsonl",
            "/api/v1/export?format=parquet",
            "/api/v1/export?format=cyclonedx",
            "/api/v1/export?format=jsonl&q=port:23",
            "/api/v1/export",
        ]),
    ),
    ("/flow/findings", Get(&["/api/v1/flow/findings"])),
    ("/flow/findings/{endpoint}", Get(&["/api/v1/flow/findings/203.0.113.9:1337-tcp"])),
    ("/flow/status", Get(&["/api/v1/flow/status"])),
    ("/rollups", Get(&["/api/v1/rollups", "/api/v1/rollups?by=port&from=2026-11-01&until=2026-11-23"])),
    ("/watches", Get(&["/api/v1/watches"])),
    ("/watches/events", Get(&["/api/v1/watches/events"])),
    (
        "/organisation/watches",
        Get(&["/api/v1/organisation/watches", "/api/v1/organisation/watches?organisation=city-b"]),
    ),
    ("/organisation/watches/ranges", Nothing("writes, and is refused to keys that read")),
    (
        "/organisation/channels",
        Get(&["/api/v1/organisation/channels", "/api/v1/organisation/channels?organisation=city-b"]),
    ),
    ("/organisation/channels/confirm", Nothing("writes, and is refused to keys that read")),
    ("/organisation/channels/feed", Get(&["/api/v1/organisation/channels/feed?name=own"])),
    ("/notices", Get(&["/api/v1/notices", "/api/v1/notices?limit=1"])),
    ("/notices/{notice}", Get(&["/api/v1/notices/1"])),
    ("/objects", Get(&["/api/v1/objects?address={address}", "/api/v1/objects?value=198.51.100.74"])),
    ("/entitlement", Get(&["/api/v1/entitlement"])),
    ("/hosts/{address}/why", Get(&["/api/v1/hosts/{address}/why"])),
    ("/ledger", Nothing("what one did oneself, at moments of its own: leaving.rs")),
    ("/openapi.json", Nothing("a file of the program")),
    // TAXII.
    ("BASE", Get(&["/taxii2/"])),
    ("ROOT", Get(&["/taxii2/default/"])),
    ("&of(\"collections/\")", Get(&["/taxii2/default/collections/"])),
    ("&of(\"collections/{collection}/\")", Get(&["/taxii2/default/collections/services/"])),
    (
        "&of(\"collections/{collection}/manifest/\")",
        Get(&[
            "/taxii2/default/collections/services/manifest/",
            "/taxii2/default/collections/services/manifest/?limit=1",
        ]),
    ),
    (
        "&of(\"collections/{collection}/objects/\")",
        Get(&[
            "/taxii2/default/collections/services/objects/",
            "/taxii2/default/collections/services/objects/?limit=3",
            "/taxii2/default/collections/services/objects/?match%5Btype%5D=observed-data",
        ]),
    ),
    (
        "&of(\"collections/{collection}/objects/{object}/\")",
        Get(&["/taxii2/default/collections/services/objects/{object}/"]),
    ),
    (
        "&of(\"collections/{collection}/objects/{object}/versions/\")",
        Get(&["/taxii2/default/collections/services/objects/{object}/versions/"]),
    ),
    ("&of(\"status/{status}/\")", Get(&["/taxii2/default/status/1/"])),
    // What is like Shodan.
    ("\"/api-info\"", Get(&["/compat/shodan/api-info"])),
    ("\"/account/profile\"", Get(&["/compat/shodan/account/profile"])),
    (
        "\"/shodan/host/count\"",
        Get(&[
            "/compat/shodan/shodan/host/count?query=port:23",
            "/compat/shodan/shodan/host/count?query=&facets=port:100,product:100,tag:100",
        ]),
    ),
    (
        "\"/shodan/host/search\"",
        Get(&[
            "/compat/shodan/shodan/host/search?query=port:23",
            "/compat/shodan/shodan/host/search?query=&facets=port:100,device:100",
            "/compat/shodan/shodan/host/search?query=net:198.51.100.0/24&minify=true",
        ]),
    ),
    ("\"/shodan/host/search/facets\"", Get(&["/compat/shodan/shodan/host/search/facets"])),
    ("\"/shodan/host/search/filters\"", Get(&["/compat/shodan/shodan/host/search/filters"])),
    ("\"/shodan/host/search/tokens\"", Get(&["/compat/shodan/shodan/host/search/tokens?query=port:23"])),
    (
        "\"/shodan/host/{addresses}\"",
        Get(&["/compat/shodan/shodan/host/{address}", "/compat/shodan/shodan/host/{address}?history=true"]),
    ),
    ("\"/shodan/ports\"", Get(&["/compat/shodan/shodan/ports"])),
    ("\"/shodan/protocols\"", Get(&["/compat/shodan/shodan/protocols"])),
    ("\"/shodan/services\"", Get(&["/compat/shodan/shodan/services"])),
    ("\"/shodan/alert\"", Stream),
    ("\"/shodan/alert/info\"", Get(&["/compat/shodan/shodan/alert/info"])),
    ("\"/shodan/alert/triggers\"", Get(&["/compat/shodan/shodan/alert/triggers"])),
    ("\"/shodan/alert/{alert}\"", Stream),
    ("\"/shodan/alert/{alert}/info\"", Get(&["/compat/shodan/shodan/alert/1/info"])),
    ("\"/shodan/alert/{alert}/trigger/{trigger}\"", Nothing("says that triggers are not told apart")),
    ("\"/shodan/scan\"", Nothing("refuses")),
    ("\"/shodan/scan/internet\"", Nothing("refuses")),
    ("\"/shodan/scan/{scan}\"", Get(&["/compat/shodan/shodan/scan/1"])),
    ("\"/shodan/scans\"", Get(&["/compat/shodan/shodan/scans"])),
    ("\"/shodan/query\"", Get(&["/compat/shodan/shodan/query"])),
    ("\"/shodan/query/search\"", Get(&["/compat/shodan/shodan/query/search"])),
    ("\"/shodan/query/tags\"", Get(&["/compat/shodan/shodan/query/tags"])),
    ("\"/shodan/data\"", Get(&["/compat/shodan/shodan/data"])),
    ("\"/notifier\"", Get(&["/compat/shodan/notifier"])),
    ("\"/notifier/provider\"", Get(&["/compat/shodan/notifier/provider"])),
    ("\"/dns/domain/{domain}\"", Get(&["/compat/shodan/dns/domain/hidden.example"])),
    ("\"/tools/myip\"", Get(&["/compat/shodan/tools/myip"])),
    ("\"/labs/honeyscore/{address}\"", Get(&["/compat/shodan/labs/honeyscore/{address}"])),
    ("\"/shodan/banners\"", Stream),
    ("\"/shodan/{filter}/{values}\"", Stream),
    ("\"/shodan/custom\"", Stream),
    // What is like MISP.
    ("&of(\"servers/getPyMISPVersion.json\")", Get(&["/compat/misp/servers/getPyMISPVersion.json"])),
    ("&of(\"servers/getVersion\")", Get(&["/compat/misp/servers/getVersion"])),
    ("&of(\"users/view/me\")", Get(&["/compat/misp/users/view/me"])),
    ("&of(\"attributes/describeTypes.json\")", Get(&["/compat/misp/attributes/describeTypes.json"])),
    ("&of(\"events/restSearch\")", Post("/compat/misp/events/restSearch", &MISP_BODIES)),
    ("&of(\"attributes/restSearch\")", Post("/compat/misp/attributes/restSearch", &MISP_BODIES)),
    ("&of(\"events/add\")", Nothing("refuses")),
    ("&of(\"manifest.json\")", Get(&["/compat/misp/feed/manifest.json"])),
    ("&of(\"hashes.csv\")", Get(&["/compat/misp/feed/hashes.csv"])),
    ("&of(\"{file}\")", Get(&["/compat/misp/feed/{file}.json"])),
    ("&of(\"events/view/{event}\")", Get(&["/compat/misp/events/view/{event}"])),
];

const SEARCHES: [&str; 7] = [
    "/search?lang=en",
    "/search?q=port:23",
    "/search?q=port:22,23,80,5901&lang=en",
    "/search?q=ip:198.51.100.74",
    "/search?q=net:198.51.100.0/24",
    "/search?q=secretword",
    "/search?q=port:23&at=2026-11-21",
];

const API_SEARCHES: [&str; 14] = [
    "/api/v1/search",
    "/api/v1/search?limit=1",
    "/api/v1/search?q=port:23",
    "/api/v1/search?q=-port:22",
    "/api/v1/search?q=ip:198.51.100.74",
    "/api/v1/search?q=net:198.51.100.0/24",
    "/api/v1/search?q=secretword",
    "/api/v1/search?q=tlp:red",
    "/api/v1/search?q=sort:port",
    "/api/v1/search?facets=port,net,product,tag,tlp,kind,protocol&limit=1",
    "/api/v1/search?distinct=ip&facets=port",
    "/api/v1/search?histograms=seen:day,port:10",
    "/api/v1/search?sample=2&seed=7",
    "/api/v1/search?budget=1",
];

const MISP_BODIES: [&str; 4] = [
    "{}",
    "{\"value\":\"198.51.100.74\",\"returnFormat\":\"json\"}",
    "{\"value\":[\"198.51.100.0/24\",\"203.0.113.0/24\"],\"limit\":2,\"page\":1}",
    "{\"eventid\":[3325256778]}",
];

/// One record, and who may know of it.
#[derive(Clone, Copy)]
struct Record {
    address: &'static str,
    port: u16,
    at: &'static str,
    tlp: Tlp,
    audience: &'static [&'static str],
    embargo: bool,
    word: &'static str,
    /// Letters of those who may: organisations `a`, `b`, `c`; `n`, who is of none.
    known_to: &'static str,
}

const fn record(
    address: &'static str,
    port: u16,
    at: &'static str,
    tlp: Tlp,
    word: &'static str,
    known_to: &'static str,
) -> Record {
    Record { address, port, at, tlp, audience: &[], embargo: false, word, known_to }
}

const fn named(record: Record, audience: &'static [&'static str]) -> Record {
    Record { audience, ..record }
}

const fn sealed(record: Record) -> Record {
    Record { embargo: true, ..record }
}

/// One of each, several of them at one address, one service that grew stricter.
const RECORDS: [Record; 13] = [
    record("203.0.113.30", 22, "2026-11-02T09:00:00Z", Tlp::Clear, "clearword", "abcn"),
    record("198.51.100.10", 22, "2026-11-03T09:00:00Z", Tlp::Amber, "secretword of a", "a"),
    record("198.51.100.74", 23, "2026-11-04T09:00:00Z", Tlp::Amber, "secretword of b", "b"),
    record("198.51.100.138", 80, "2026-11-06T09:00:00Z", Tlp::AmberStrict, "secretword of c", "c"),
    record("203.0.113.5", 80, "2026-11-07T09:00:00Z", Tlp::Green, "greenword", "abc"),
    named(record("203.0.113.9", 21, "2026-11-08T09:00:00Z", Tlp::Green, "secretword of the circle", "a"), &["circle"]),
    named(record("203.0.113.13", 5900, "2026-11-09T09:00:00Z", Tlp::Red, "secretword of the board", "c"), &["board"]),
    named(record("198.51.100.10", 5901, "2026-11-10T09:00:00Z", Tlp::Red, "secretword beside a", "c"), &["board"]),
    record("198.51.100.74", 2323, "2026-11-11T09:00:00Z", Tlp::Red, "secretword of nobody", ""),
    record("203.0.113.30", 23, "2026-11-12T09:00:00Z", Tlp::AmberStrict, "secretword of another purpose", ""),
    record("203.0.113.5", 443, "2026-11-20T09:00:00Z", Tlp::Red, "secretword that came late", ""),
    sealed(record("203.0.113.30", 8080, "2026-11-20T10:00:00Z", Tlp::Clear, "secretword under embargo", "")),
    sealed(record("198.51.100.11", 8080, "2026-11-20T11:00:00Z", Tlp::Amber, "secretword of a under embargo", "a")),
];

/// The same services, seen again by others, who may know of that look alone.
const AGAIN: [Record; 3] = [
    named(record("198.51.100.10", 22, "2026-11-15T09:00:00Z", Tlp::Red, "secretword seen again", "c"), &["board"]),
    record("203.0.113.30", 22, "2026-11-16T09:00:00Z", Tlp::Red, "secretword seen again by nobody", ""),
    named(record("203.0.113.5", 80, "2026-11-17T09:00:00Z", Tlp::Green, "secretword in the circle", "a"), &["circle"]),
];

/// Who asks, by letter, and of which organisation.
const ASKERS: [(char, Option<&str>); 4] =
    [('a', Some("city-a")), ('b', Some("city-b")), ('c', Some("city-c")), ('n', None)];

fn batch_of(record: &Record) -> Batch {
    let evidence = match record.port {
        80 | 443 => web("nginx/1.22.1", record.word),
        _ => banner(&format!("SSH-2.0-OpenSSH_9.2p1 {}\r\n", record.word)),
    };
    let mut batch = crate::world::batch(vec![open(record.address, record.port, record.at, vec![evidence])]);
    let purpose = if record.word.ends_with("purpose") { Purpose::Research } else { Purpose::ExposureReduction };
    for sighting in &mut batch.sightings {
        let audience = record.audience.iter().map(|name| (*name).to_owned()).collect();
        let embargo = record.embargo.then(|| time("2027-01-01T00:00:00Z"));
        sighting.marking = Marking { tlp: record.tlp, audience, embargo, ..Marking::own(purpose) };
    }
    batch
}

fn register() -> Register {
    let of = |id: &str, net: &str, audience: &str| {
        let organisation = Organisation {
            id: id.to_owned(),
            audiences: [audience.to_owned()].into(),
            purposes: [Purpose::ExposureReduction].into(),
            ..Organisation::default()
        };
        let (from, until) = (time("2026-01-01T00:00:00Z"), time("2027-01-01T00:00:00Z"));
        let subject = Held::Prefix(net.parse().expect("a prefix"));
        (organisation, Claim { organisation: id.to_owned(), subject, from, until })
    };
    let all = [
        of("city-a", "198.51.100.0/26", "circle"),
        of("city-b", "198.51.100.64/26", "ring"),
        of("city-c", "198.51.100.128/26", "board"),
    ];
    let claims = all.iter().map(|(_, claim)| claim.clone()).collect();
    Register { organisations: all.into_iter().map(|(one, _)| (one.id.clone(), one)).collect(), claims }
}

/// What somebody asks with.
struct Asker {
    key: String,
    session: String,
}

/// A lake with what these may know, and everybody's accounts.
struct Town {
    world: World,
    askers: BTreeMap<char, Asker>,
}

impl Town {
    fn with(records: &[&Record]) -> Self {
        let batches = records.iter().map(|record| batch_of(record)).collect();
        let world = World::shared(batches, register());
        let now = world.clock.now();
        let add = |name: &str, analyst: bool| -> Person {
            let new = NewPerson {
                name: name.into(),
                full_name: String::new(),
                administrator: name == "root",
                analyst,
                password: None,
            };
            world.accounts.add(&new, now).expect("an account")
        };
        add("root", false);
        let database = world.accounts.database().expect("a database");
        let mut askers = BTreeMap::new();
        for (letter, organisation) in ASKERS.into_iter().chain([('o', None)]) {
            let person = add(&format!("asker-{letter}"), letter == 'o');
            if let Some(id) = organisation {
                let profile = Profile {
                    name_ja: String::new(),
                    name_en: id.to_owned(),
                    sector: None,
                    kind: Kind::Municipality,
                    own: false,
                };
                database.add_organisation(Deed { by: "test", now }, id, &profile).expect("an organisation");
                world.accounts.set_role(&person.name, id, Some(Role::Reader)).expect("a member");
            }
            let new = NewKey {
                label: "test".into(),
                organisation: None,
                purpose: Purpose::ExposureReduction,
                writes: false,
                kinds: Vec::new(),
                expires: now.plus(Duration::from_secs(86_400)),
            };
            let key = world.accounts.add_key(&person.id, &new, now).expect("a key").0.reveal();
            let entry = hinomi_state::Entry { way: "password", source: "127.0.0.1", agent: "test" };
            let session = world.accounts.begin_session(&person.id, &entry, now).expect("a session");
            askers.insert(letter, Asker { key, session });
        }
        Self { world, askers }
    }

    fn headers(&self, letter: char, target: &str) -> String {
        let asker = &self.askers[&letter];
        let for_programs = ["/api/", "/taxii2/", "/compat/"].iter().any(|begin| target.starts_with(begin));
        match for_programs {
            true => format!("Authorization: Bearer {}\r\nAccept: */*\r\n", asker.key),
            false => format!("Cookie: hinomi_session={}\r\n", asker.session),
        }
    }

    fn get(&self, letter: char, target: &str) -> Answer {
        not_busy(|| ask(self.world.address, "GET", target, &self.headers(letter, target)))
    }

    fn post(&self, letter: char, target: &str, body: &str) -> Answer {
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.headers(letter, target),
            body.len()
        );
        not_busy(|| raw(self.world.address, head.as_bytes()))
    }
}

/// Asks again while others hold every seat, which says nothing of records.
fn not_busy(ask: impl Fn() -> Answer) -> Answer {
    (0..100).map(|_| ask()).find(|answer| answer.status != 503).unwrap_or_else(&ask)
}

/// A row of the ledger without its moment: two worlds are not made within the same minute.
fn timeless(line: &str) -> String {
    let row = line.starts_with("<tr><th scope=\"row\">") && line.contains(", register: ");
    let cut = line.split_once("</th><td>").filter(|_| row).and_then(|(number, rest)| {
        let (_, said) = rest.split_once("</td>")?;
        Some(format!("{number}</th>{said}"))
    });
    cut.unwrap_or_else(|| line.to_owned())
}

/// An answer as it is compared: without the moment and the marks of a session's own forms.
fn told(answer: &Answer) -> (u16, BTreeMap<String, String>, Vec<u8>) {
    let mut headers = answer.headers.clone();
    headers.remove("date");
    let body = match String::from_utf8(answer.body.clone()) {
        Ok(text) => {
            // What was done to one's own account was done at a moment of its own, with a key of its own.
            let lines = text.lines().filter(|line| !(line.starts_with("<tr>") && line.contains("asker-")));
            let text = lines.map(timeless).collect::<Vec<_>>().join("\n");
            let mut parts = text.split("name=\"token\" value=\"");
            let first = parts.next().unwrap_or_default().to_owned();
            let rest = parts.map(|part| part.split_once('"').map_or(part, |(_, rest)| rest));
            [first].into_iter().chain(rest.map(str::to_owned)).collect::<Vec<_>>().join("TOKEN").into_bytes()
        }
        Err(error) => error.into_bytes(),
    };
    headers.remove("content-length");
    (answer.status, headers, body)
}

/// What targets name, as the operator's analyst knows it.
struct Names {
    addresses: BTreeSet<String>,
    hashes: BTreeSet<String>,
    objects: BTreeSet<String>,
    events: BTreeSet<String>,
    files: BTreeSet<String>,
}

impl Names {
    fn of(town: &Town) -> Self {
        let addresses: BTreeSet<_> =
            RECORDS.iter().map(|record| record.address.to_owned()).chain(["198.51.100.99".to_owned()]).collect();
        let mut hashes: BTreeSet<String> = ["00".repeat(32)].into();
        for address in &addresses {
            let found = town.get('o', &format!("/api/v1/hosts/{address}"));
            let services = if found.status == 200 { found.json()["services"].clone() } else { serde_json::Value::Null };
            for service in services.as_array().into_iter().flatten() {
                let each = service["evidence"].as_array().into_iter().flatten();
                hashes.extend(each.filter_map(|one| one["hash"].as_str()).map(str::to_owned));
            }
        }
        let all = town.get('o', "/taxii2/default/collections/services/objects/?limit=1000").json();
        let objects = all["objects"].as_array().expect("objects").iter().filter_map(|one| one["id"].as_str());
        let feed = town.get('o', "/compat/misp/feed/manifest.json").json();
        let files: BTreeSet<_> = feed.as_object().expect("a manifest").keys().cloned().collect();
        let event = |address: &String| address.parse::<std::net::Ipv4Addr>().ok().map(|one| u32::from(one).to_string());
        let objects: BTreeSet<_> = objects.map(str::to_owned).collect();
        assert!(hashes.len() > RECORDS.len() && objects.len() > RECORDS.len(), "the analyst sees all");
        assert!(files.len() > 5, "{files:?}");
        Self { hashes, objects, files, events: addresses.iter().filter_map(event).collect(), addresses }
    }

    /// A target with every name put in.
    fn fill(&self, target: &str) -> Vec<String> {
        let all = [
            ("{address}", &self.addresses),
            ("{hash}", &self.hashes),
            ("{object}", &self.objects),
            ("{event}", &self.events),
            ("{file}", &self.files),
        ];
        match all.into_iter().find(|(place, _)| target.contains(place)) {
            Some((place, names)) => names.iter().map(|name| target.replace(place, name)).collect(),
            None => vec![target.to_owned()],
        }
    }
}

/// What nobody is told anything by, whoever asks.
const EMPTY: [&str; 10] = [
    "/api/v1/search?budget=1",
    "/notices/draft",
    "/notices/draft?look=1&q=port:1-65535",
    "/notices/1",
    "/api/v1/notices/1",
    "/flow/203.0.113.200:1-tcp",
    "/taxii2/default/status/1/",
    "/compat/shodan/shodan/scan/1",
    "/compat/shodan/shodan/alert/1/info",
    "/api/v1/organisation/channels/feed?name=own",
];

/// That every target is understood, and that the analyst is told more than who is of no organisation: what is equal
/// because it is refused shows nothing.
fn understood(town: &Town, names: &Names) {
    let (mut more, mut asked) = (0, 0);
    for (_, asks) in ROUTES {
        let Get(targets) = asks else { continue };
        for target in targets.iter().filter(|target| !EMPTY.contains(target)) {
            let told = names.fill(target).into_iter().map(|target| (town.get('o', &target), town.get('n', &target)));
            let told: Vec<_> = told.collect();
            assert!(told.iter().any(|(all, _)| all.status == 200), "{target}: {}", told[0].0.text());
            asked += 1;
            more += usize::from(told.iter().any(|(all, none)| all.status == 200 && all.body != none.body));
        }
    }
    assert!(2 * more > asked, "{more} of {asked}");
}

/// Where the answers of a lake with these records differ from those of one without what others hold.
fn leaks(records: &[&Record]) -> Vec<String> {
    let whole = Town::with(records);
    let names = Names::of(&whole);
    understood(&whole, &names);
    let mut leaks = Vec::new();
    for (letter, _) in ASKERS {
        let (own, foreign): (Vec<&Record>, Vec<&Record>) =
            records.iter().copied().partition(|record| record.known_to.contains(letter));
        let alone = Town::with(&own);
        let mut hold = |target: &str, here: &Answer, there: &Answer| {
            let (here, there) = (told(here), told(there));
            let text = String::from_utf8_lossy(&here.2).into_owned();
            let word = foreign.iter().find(|record| text.contains(record.word));
            if here != there || word.is_some() {
                let other = String::from_utf8_lossy(&there.2).into_owned();
                let at = text.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
                let near = |text: &str| text.chars().skip(at.saturating_sub(80)).take(200).collect::<String>();
                let (of, without) = (near(&text), near(&other));
                leaks.push(format!(
                    "{letter} {target}: {} {}\n  with others':    {of}\n  without others': {without}",
                    here.0, there.0
                ));
            }
        };
        for (_, asks) in ROUTES {
            match asks {
                Get(targets) => {
                    for target in targets.iter().flat_map(|target| names.fill(target)) {
                        hold(&target, &whole.get(letter, &target), &alone.get(letter, &target));
                    }
                }
                Post(target, bodies) => {
                    for body in *bodies {
                        hold(
                            &format!("{target} {body}"),
                            &whole.post(letter, target, body),
                            &alone.post(letter, target, body),
                        );
                    }
                }
                Nothing(_) | Stream => {}
            }
        }
        let services: BTreeSet<_> = own.iter().map(|record| (record.address, record.port)).collect();
        let total = alone.get(letter, "/api/v1/search").json()["total"].clone();
        assert_eq!(total, services.len(), "{letter} sees what is theirs");
    }
    leaks
}

#[test]
fn what_others_hold_is_not_there() {
    let leaks = leaks(&RECORDS.iter().collect::<Vec<_>>());
    assert!(leaks.is_empty(), "{} answers tell of others:\n{}", leaks.len(), leaks.join("\n"));
}

#[test]
fn what_others_saw_of_the_same_service_is_not_there() {
    let leaks = leaks(&RECORDS.iter().chain(&AGAIN).collect::<Vec<_>>());
    assert!(leaks.is_empty(), "{} answers tell of others:\n{}", leaks.len(), leaks.join("\n"));
}

/// What a stream tells until a word comes.
fn stream_until(address: SocketAddr, target: &str, headers: &str, begun: impl FnOnce(), word: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the test's own server on loopback")]
    let mut stream = TcpStream::connect(address).expect("the server listens");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    write!(stream, "GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").expect("taken");
    let (mut told, mut begun) = (Vec::new(), Some(begun));
    loop {
        let mut some = [0; 4096];
        let count = stream
            .read(&mut some)
            .unwrap_or_else(|error| panic!("{target}: {error}: {}", String::from_utf8_lossy(&told)));
        assert!(count > 0, "{target}: {}", String::from_utf8_lossy(&told));
        told.extend_from_slice(&some[..count]);
        let text = String::from_utf8_lossy(&told);
        // The head and a first piece: from now on it tells what comes.
        if text.split_once("\r\n\r\n").is_some_and(|(_, body)| !body.is_empty())
            && let Some(begun) = begun.take()
        {
            begun();
        }
        if text.contains(word) {
            return text.into_owned();
        }
    }
}

#[test]
fn streams_tell_nothing_of_others() {
    let town = Town::with(&RECORDS.iter().collect::<Vec<_>>());
    let sse = "Accept: text/event-stream\r\n";
    for (number, (target, accept)) in [
        ("/api/v1/changes", sse),
        ("/api/v1/changes?q=port:23", sse),
        ("/compat/shodan/shodan/banners", ""),
        ("/compat/shodan/shodan/ports/23", ""),
        ("/compat/shodan/shodan/custom?query=port:23", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let (foreign, own) = (format!("198.51.100.{}", 80 + number), format!("198.51.100.{}", 20 + number));
        let append = || {
            // What others hold comes first, then what is one's own: where that is told, the other was passed over.
            for (address, word) in [(&foreign, "secretword in a stream"), (&own, "ownword")] {
                let mut batch = batch_of(&record("198.51.100.1", 23, NOW, Tlp::Amber, word, ""));
                for sighting in &mut batch.sightings {
                    sighting.subject.address = address.parse().expect("an address");
                }
                town.world.lake.append(batch).expect("room");
            }
        };
        let headers = format!("Authorization: Bearer {}\r\n{accept}", town.askers[&'a'].key);
        let text = stream_until(town.world.address, target, &headers, append, &own);
        assert!(!text.contains(&foreign) && !text.contains("secretword"), "{target}: {text}");
    }
}

/// Every `.route(` of the program's own sources: its first argument as it stands.
fn routes_of(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path: PathBuf = entry.path();
        // Another server, which has no lake.
        if path.file_stem().is_some_and(|name| name == "scan") {
            continue;
        }
        if path.is_dir() {
            routes_of(&path, into);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        for rest in text.split(".route(").skip(1) {
            let mut depth = 0;
            let end = rest.find(|c: char| {
                match c {
                    '(' => depth += 1,
                    ')' => depth -= 1,
                    _ => {}
                }
                c == ',' && depth == 0
            });
            into.insert(rest.get(..end.unwrap_or(0)).unwrap_or_default().trim().to_owned());
        }
    }
}

#[test]
fn every_route_is_named() {
    let mut there = BTreeSet::new();
    routes_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut there);
    assert!(there.len() > 70, "{there:?}");
    let described: serde_json::Value = serde_json::from_str(hinomi_web::api::DESCRIPTION).expect("JSON");
    there.extend(described["paths"].as_object().expect("paths").keys().cloned());
    there.extend(hinomi_web::api::PATHS.map(str::to_owned));
    let named: BTreeSet<_> = ROUTES.iter().map(|(route, _)| (*route).to_owned()).collect();
    let missing: Vec<_> = there.difference(&named).collect();
    assert!(missing.is_empty(), "routes without a line in leak.rs: {missing:?}");
    let gone: Vec<_> = named.difference(&there).collect();
    assert!(gone.is_empty(), "lines in leak.rs without a route: {gone:?}");
    assert_eq!(named.len(), ROUTES.len(), "each stands once");
    for (route, asks) in ROUTES {
        assert!(!matches!(asks, Nothing(why) if why.is_empty()), "{route}: why does it read no record?");
    }
}
