//! What an entitlement costs: `entitled_speed FOLDER [ORGANISATIONS] [WORD]`, a table in Markdown; with a word only of the
//! questions that have it in their name.
//!
//! The folder is one that `benches/lake` made (`ingest`), with its `places.csv`. The register is made up: so many
//! organisations (2,000) hold 25 prefixes each, of /22 to /28, anywhere in the networks of the places; a provider holds
//! every network around them, so that it may see everything but 50,000 holes; a citizen's group holds nothing; and where
//! the register knows nobody else, a provider alone sees every row, each by its place. Each question is put to the
//! operator, who is asked for no right, and to the others, by turns. Looks are not written down here: `ledger_speed`
//! tells what that costs.

#![expect(clippy::print_stdout, reason = "it is for people")]

use std::collections::BTreeSet;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hinomi_identify::Engine;
use hinomi_lake::{Lake, LakeOptions, Places};
use hinomi_model::{Clock, Purpose, SystemClock, Timestamp};
use hinomi_share::door::{Registers, Witnesses};
use hinomi_share::register::{Claim, Held, Organisation, Register};
use hinomi_share::rules::Rules;
use hinomi_share::witness::Departure;
use hinomi_share::{Door, FacetRequest, Member, ReadError, Reader, SearchRequest, Sight, Viewer, Witness};
use ipnet::{IpNet, Ipv4Net};

/// Prefixes of one organisation.
const PREFIXES: u64 = 25;
/// The least rounds of each question.
const ROUNDS: usize = 15;
/// The most, of quick ones.
const MAX_ROUNDS: usize = 2_001;
/// How long a question is asked again: what takes less than a millisecond is told apart by many rounds only.
const ASKED_FOR: Duration = Duration::from_secs(4);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("which folder?")?;
    let organisations = arguments.next().map_or(Ok(2_000), |text| text.parse())?;
    let word = arguments.next().unwrap_or_default();
    let folder = Path::new(&folder);
    let nets = networks(&folder.join("places.csv"))?;
    let register = register(&nets, organisations);
    println!("{} networks, {} organisations, {} claims\n", nets.len(), organisations, register.claims.len());
    let alone = self::register(&nets, 0);
    let identifier = Arc::new(Engine::builtin()?);
    let (dir, clock) = (folder.to_owned(), Arc::new(SystemClock));
    let lake = Lake::open(LakeOptions { dir, read_only: true, identifier, places: Places::default(), clock })?;
    let operator = Reader::new(Arc::new(lake), Viewer::Operator);
    let rules = Arc::new(Rules::built_in()?);
    let door_of =
        |register| Door::new(operator.clone()).for_members(Made(Arc::new(register)), Arc::clone(&rules), Unwritten);
    let (door, other) = (door_of(register), door_of(alone));
    let mut readers = vec![("operator", operator.clone()), ("provider alone", other.reader(&member("provider"))?)];
    for name in ["provider", "organisation-7", "group"] {
        let viewer = member(name);
        let begun = Instant::now();
        let reader = door.reader(&viewer)?;
        let first = begun.elapsed();
        let mut again = Vec::new();
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            drop(door.reader(&viewer)?);
            again.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        println!("{name}: rights worked out in {first:.1?}, found again in {:.0} µs (median)", median(&mut again));
        readers.push((name, reader));
    }
    let first = *nets.first().ok_or("no networks")?;
    table(&readers, questions(first).into_iter().filter(|(name, _)| name.contains(&word)))
}

fn table(
    readers: &[(&str, Reader)],
    questions: impl Iterator<Item = (&'static str, Question)>,
) -> Result<(), Box<dyn Error>> {
    println!(
        "\n| milliseconds, median of {ROUNDS} to {MAX_ROUNDS} | {} |",
        readers.iter().map(|one| one.0).collect::<Vec<_>>().join(" | ")
    );
    println!("|---|{}", "---|".repeat(readers.len()));
    for (name, request) in questions {
        let mut times = vec![Vec::new(); readers.len()];
        let mut found = vec![0; readers.len()];
        let begun = Instant::now();
        for round in 0..MAX_ROUNDS {
            if round >= ROUNDS && begun.elapsed() > ASKED_FOR {
                break;
            }
            for (at, (_, reader)) in readers.iter().enumerate() {
                let begun = Instant::now();
                let total = ask(reader, &request)?;
                if let (Some(times), Some(found)) = (times.get_mut(at), found.get_mut(at)) {
                    times.push(begun.elapsed().as_secs_f64() * 1e3);
                    *found = total;
                }
            }
        }
        let cells = times.iter_mut().zip(found).map(|(times, found)| format!("{:.2} ({found})", median(times)));
        println!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    Ok(())
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// What is asked.
enum Question {
    Search(SearchRequest),
    Host(IpAddr),
}

fn questions(net: Ipv4Net) -> Vec<(&'static str, Question)> {
    let now = SystemClock.now();
    let search =
        |query: &str, limit: usize| SearchRequest { query: query.to_owned(), limit, now, ..SearchRequest::default() };
    let facets = |field: &str| vec![FacetRequest { field: field.to_owned(), size: 20 }];
    let distinct = SearchRequest { facets: facets("port"), distinct: Some("ip".to_owned()), ..search("", 1) };
    let products = SearchRequest { facets: facets("product"), ..search("country:KR", 1) };
    let some = Ipv4Net::new(net.network(), 20).unwrap_or(net);
    let host = some.hosts().nth(9).unwrap_or(net.network());
    vec![
        ("one address", Question::Host(host.into())),
        ("a /20, first 100", Question::Search(search(&format!("net:{some}"), 100))),
        ("port, newest 100", Question::Search(search("port:443 sort:-seen", 100))),
        ("a rare protocol, newest 100", Question::Search(search("protocol:telnet sort:-seen", 100))),
        ("20 commonest products of a country", Question::Search(products)),
        ("seen lately, counted", Question::Search(search("seen:<1y", 1))),
        ("all, counted", Question::Search(search("", 1))),
        ("distinct addresses by port", Question::Search(distinct)),
        ("letters anywhere in the text", Question::Search(search("text:erve", 1))),
    ]
}

fn ask(reader: &Reader, question: &Question) -> Result<u64, ReadError> {
    match question {
        Question::Search(request) => reader.search(request).map(|page| page.total),
        Question::Host(address) => {
            let host = reader.host(*address)?;
            Ok(host.map_or(0, |host| u64::try_from(host.services.len()).unwrap_or(u64::MAX)))
        }
    }
}

/// The networks of a file of places.
fn networks(path: &Path) -> Result<Vec<Ipv4Net>, Box<dyn Error>> {
    let text = std::fs::read_to_string(path)?;
    let prefixes = text.lines().filter_map(|line| line.split(',').next()?.parse().ok());
    Ok(prefixes.collect())
}

fn register(nets: &[Ipv4Net], organisations: u64) -> Register {
    let mut register = Register::default();
    let mut random = 1_u64;
    for number in 0..organisations {
        let id = format!("organisation-{number}");
        register.organisations.insert(id.clone(), organisation(&id));
        for _ in 0..PREFIXES {
            let Some(net) = nets.get(usize::try_from(next(&mut random)).unwrap_or_default() % nets.len()) else {
                continue;
            };
            let inside = u32::try_from(next(&mut random) & 0xffff).unwrap_or_default();
            let length = 22 + u8::try_from(next(&mut random) % 7).unwrap_or_default();
            let address = Ipv4Addr::from(u32::from(net.network()) | inside);
            let Ok(prefix) = Ipv4Net::new(address, length) else { continue };
            register.claims.push(claim(&id, prefix.trunc()));
        }
    }
    for id in ["provider", "group"] {
        register.organisations.insert(id.to_owned(), organisation(id));
    }
    register.claims.extend(nets.iter().map(|net| claim("provider", *net)));
    register
}

/// Numerical Recipes' generator (Knuth's constants): nothing rests on its quality.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

fn organisation(id: &str) -> Organisation {
    Organisation { id: id.to_owned(), purposes: [Purpose::Exercise].into(), ..Organisation::default() }
}

fn claim(organisation: &str, prefix: Ipv4Net) -> Claim {
    let (from, until) = (Timestamp::default(), Timestamp::from_micros(i64::MAX));
    Claim { organisation: organisation.to_owned(), subject: Held::Prefix(IpNet::V4(prefix)), from, until }
}

fn member(name: &str) -> Viewer {
    let organisations = BTreeSet::from([name.to_owned()]);
    Viewer::Member(Member { name: name.to_owned(), organisations, purpose: Purpose::Exercise })
}

/// A register that stays as it is.
struct Made(Arc<Register>);

impl Registers for Made {
    fn current(&self) -> Result<(u64, Arc<Register>), String> {
        Ok((0, Arc::clone(&self.0)))
    }
}

/// Lets everybody look.
struct Unwritten;

impl Witness for Unwritten {
    fn looked(&self, _: Sight) -> Result<(), String> {
        Ok(())
    }

    fn left(&self, _: Departure) -> Result<(), String> {
        Ok(())
    }
}

impl Witnesses for Unwritten {
    fn of(&self, _: &Member) -> Arc<dyn Witness> {
        Arc::new(Self)
    }

    fn of_visitors(&self) -> Arc<dyn Witness> {
        Arc::new(Self)
    }
}
