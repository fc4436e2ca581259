//! How fast the lake answers, on this machine: `cargo run --release -p hinomi-lake --example search_speed FOLDER
//! [SERVICES]`. The folder is filled when it is empty; each line is the median of nine warm runs.
//!
//! Ports, products and banners repeat as they do in the field: a few are most of it, and one banner in fifty is new.
//! Absolute figures mean little on a shared machine.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement: it prints, and stops when it cannot go on"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use hinomi_lake::entitlement::Entitlement;
use hinomi_lake::query::AddressRanges;
use hinomi_lake::search::{HistogramRequest, SampleRequest, Step};
use hinomi_lake::{FacetRequest, Lake, LakeOptions, Place, Places, SearchRequest};
use hinomi_model::time::FixedClock;
use hinomi_model::{
    Batch, Evidence, EvidenceKind, Facts, Identifier, Marking, Outcome, Purpose, ServiceKey, Sighting, Sink, Timestamp,
    Transport,
};

const BATCH: u32 = 50_000;
const START: i64 = 1_790_000_000;
const RUNS: usize = 9;
const PORTS: [u16; 12] = [443, 80, 22, 443, 80, 7547, 8080, 25, 21, 23, 554, 8443];

struct FirstWords;

impl Identifier for FirstWords {
    fn identify(&self, evidence: &[Evidence]) -> Facts {
        let text = evidence.first().map(|piece| String::from_utf8_lossy(&piece.bytes).into_owned()).unwrap_or_default();
        let mut words = text.split_whitespace();
        Facts {
            protocol: words.next().and_then(|word| word.parse().ok()),
            product: words.next().map(ToOwned::to_owned),
            version: words.next().map(ToOwned::to_owned),
            summary: Some(text.clone()),
            ..Facts::default()
        }
    }

    fn revision(&self) -> &str {
        "search-speed"
    }
}

fn scattered(n: u32) -> u32 {
    let n = (n ^ (n >> 16)).wrapping_mul(0x7feb_352d);
    let n = (n ^ (n >> 15)).wrapping_mul(0x846c_a68b);
    n ^ (n >> 16)
}

fn batch(from: u32, count: u32) -> Batch {
    let mut told = Batch::default();
    for n in from..from + count {
        let lot = scattered(n);
        // Few banners are most of what is there.
        let content = lot % (1 + scattered(lot) % (1 + from / 50 + 2_000));
        let (product, version) = (content % 60, content % 97);
        let banner = format!(
            "http server{product} 1.{version} HTTP/1.1 200 OK\r\nServer: server{product}/1.{version}\r\nX-Unit: \
             unit{content:x}\r\nContent-Type: text/html\r\n\r\nwelcome to the login page"
        );
        let evidence = Evidence::new(EvidenceKind::Banner, banner);
        let address = IpAddr::V4(Ipv4Addr::from((10 << 24) + n / 3 * 2 + (lot & 1)));
        let port =
            PORTS.get((n as usize + lot as usize % 4) % 12).copied().unwrap_or(1) + u16::from(lot.is_multiple_of(500));
        told.sightings.push(Sighting {
            sensor: "survey".parse().expect("a name"),
            campaign: Some("bench".parse().expect("a name")),
            time: Timestamp::from_micros(START * 1_000_000 + i64::from(lot % 5_000_000) * 1_000_000),
            subject: ServiceKey { address, port, transport: Transport::Tcp },
            outcome: Outcome::Open,
            remark: None,
            evidence: vec![evidence.reference()],
            marking: Marking::own(Purpose::Exercise),
        });
        told.evidence.push(evidence);
    }
    told
}

fn places() -> Places {
    let mut places = Places::default();
    for n in 0..256_u32 {
        let net = format!("10.{n}.0.0/16").parse().expect("a prefix");
        let prefecture = Some(format!("Prefecture {}", n % 47));
        let name = Some(format!("Operator {}", n % 90));
        places.insert(net, Place { asn: Some(64_500 + n % 90), name, country: Some("JP".into()), prefecture });
    }
    places
}

fn open(folder: &Path) -> Lake {
    let identifier = Arc::new(FirstWords);
    let clock = Arc::new(FixedClock(Timestamp::from_micros((START + 5_000_000) * 1_000_000)));
    Lake::open(LakeOptions { dir: folder.to_owned(), read_only: false, identifier, clock, places: places() })
        .expect("a lake")
}

fn measure(lake: &Lake, name: &str, request: &SearchRequest) {
    let mut times = Vec::new();
    let mut told = String::new();
    for _ in 0..=RUNS {
        let start = Instant::now();
        let page = lake.search(request).expect("an answer");
        times.push(start.elapsed().as_secs_f64() * 1_000.0);
        let first = page.facets.values().next().and_then(|counts| counts.first());
        told = format!("{} in all, {} shown, {first:?}", page.total, page.matches.len());
    }
    times.sort_by(f64::total_cmp);
    println!("{name:<34} {:>9.2} ms   {told}", times.get(RUNS / 2).copied().unwrap_or(0.0));
}

fn ask(query: &str) -> SearchRequest {
    let now = Timestamp::from_micros((START + 5_000_000) * 1_000_000);
    SearchRequest { query: query.to_owned(), now, limit: 100, ..SearchRequest::default() }
}

fn facet(field: &str) -> Vec<FacetRequest> {
    vec![FacetRequest { field: field.to_owned(), size: 20 }]
}

fn main() {
    let mut words = std::env::args().skip(1);
    let folder = words.next().expect("a folder");
    let services: u32 = words.next().map_or(1_000_000, |word| word.parse().expect("a number"));
    let lake = open(Path::new(&folder));
    let there = u32::try_from(lake.status().expect("a status").sightings.rows).unwrap_or(u32::MAX);
    let start = Instant::now();
    for from in (there..services).step_by(BATCH as usize) {
        lake.append(batch(from, BATCH.min(services - from))).expect("appended");
    }
    println!("{services} services, filled in {:.1} s", start.elapsed().as_secs_f64());
    let middle = format!("10.{}.16", services / 3 * 2 / 65_536 / 2);
    measure(&lake, "one address", &ask(&format!("ip:{middle}.7")));
    let page = SearchRequest { limit: 1_000, ..ask(&format!("net:{middle}.0/20")) };
    measure(&lake, "a /20, a page of 1000", &page);
    measure(&lake, "word and port, newest 100", &ask("server7 port:443 sort:-seen"));
    measure(&lake, "common words and port, newest 100", &ask("\"login page\" port:443 sort:-seen"));
    let none = SearchRequest { limit: 0, ..ask("") };
    measure(&lake, "products of one country", &SearchRequest { facets: facet("product"), ..none.clone() });
    let one_as = SearchRequest { query: "as:64503".into(), facets: facet("product"), ..none.clone() };
    measure(&lake, "products of one AS", &one_as);
    let by_port = SearchRequest { facets: facet("port"), distinct: Some("ip".into()), ..none.clone() };
    measure(&lake, "distinct addresses by port", &by_port);
    measure(&lake, "everything by address, first 100", &ask(""));
    measure(&lake, "everything, newest 100", &ask("sort:-seen"));
    measure(&lake, "everything, counted", &none);
    let days = vec![HistogramRequest { field: "seen".into(), step: Step::Day }];
    measure(&lake, "last seen by day", &SearchRequest { histograms: days, ..none.clone() });
    let sample = Some(SampleRequest { size: 10_000, seed: 1 });
    let sampled = SearchRequest { sample, facets: facet("product"), ..none.clone() };
    measure(&lake, "products of a sample of 10000", &sampled);
    let nets = (0..5_000_u32).map(|n| Ipv4Addr::from((10 << 24) + scattered(n) % services));
    let within = AddressRanges::new(nets.map(|at| ipnet::IpNet::new(at.into(), 26).expect("a prefix").trunc()));
    let fenced = SearchRequest { within: Some(Arc::new(Entitlement::of_addresses(&within))), ..none };
    measure(&lake, "counted, within 5000 prefixes", &fenced);
    let fenced = SearchRequest { limit: 100, query: "server7 port:443 sort:-seen".into(), ..fenced };
    measure(&lake, "word and port, within the same", &fenced);
}
