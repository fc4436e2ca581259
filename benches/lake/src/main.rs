//! Makes the services that the lake is measured with, and asks the lake. `run.py` beside this folder drives it.
//!
//! ```text
//! generate --services N --weeks W --out DIR [--by-address true]   parameters.json, places.csv, rows/week-*.parquet
//! ingest   --services N --week W --state DIR                      a week of looks into the lake of that folder
//! compact  --state DIR                                            merges files until nothing is due
//! ask      --state DIR                                            questions on standard input, answers on output
//! ```
//!
//! `--seed`, `--evidence full|banner` and `--rules real|plain` must be the same for all three.

mod ask;
mod devices;
mod ingest;
mod parameters;
mod random;
mod rows;
mod rules;
mod world;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hinomi_lake::CompactOptions;
use serde_json::json;

use crate::rows::Rows;
use crate::rules::Told;
use crate::world::World;

/// What the command line says, by name.
struct Options(HashMap<String, String>);

impl Options {
    fn read(mut words: impl Iterator<Item = String>) -> Self {
        let mut options = HashMap::new();
        while let Some(name) = words.next() {
            let name = name.strip_prefix("--").expect("options begin with --").to_owned();
            options.insert(name, words.next().expect("a value behind each option"));
        }
        Self(options)
    }

    fn text<'a>(&'a self, name: &str, usual: &'a str) -> &'a str {
        self.0.get(name).map_or(usual, String::as_str)
    }

    fn number(&self, name: &str, usual: u64) -> u64 {
        self.0.get(name).map_or(usual, |text| text.parse().expect("a number"))
    }

    fn folder(&self, name: &str) -> PathBuf {
        PathBuf::from(self.0.get(name).unwrap_or_else(|| panic!("--{name} is needed")))
    }

    fn world(&self) -> World {
        World::new(self.number("seed", 1), self.number("services", 200_000), self.text("evidence", "full") == "full")
    }
}

fn main() {
    let mut words = std::env::args().skip(1);
    let what = words.next().unwrap_or_default();
    let options = Options::read(words);
    match what.as_str() {
        "generate" => generate(&options),
        "ingest" => take_in(&options),
        "compact" => compact(&options),
        "ask" => {
            ask::answer_all(&ingest::open(&options.folder("state"), rules::rules(options.text("rules", "real")), true))
        }
        other => panic!("generate, ingest, compact or ask, not {other:?}"),
    }
}

fn generate(options: &Options) {
    let (world, weeks, out) = (options.world(), options.number("weeks", 3) as u32, options.folder("out"));
    fs::create_dir_all(out.join("rows")).expect("the folder made");
    write_places(&world, &out.join("places.csv"));
    let parameters = parameters::parameters(&world, weeks);
    fs::write(out.join("parameters.json"), parameters.to_string()).expect("parameters written");
    if options.text("rows", "true") == "true" {
        (0..=weeks).for_each(|week| write_week(options, &world, week, &out));
    }
    println!("{parameters}");
}

fn write_places(world: &World, path: &Path) {
    let line = |net: u64| {
        let place = world.place(net);
        let prefecture = place.prefecture.map(|number| format!("prefecture-{number}")).unwrap_or_default();
        format!("{},{},AS{},{},{prefecture}\n", world::prefix(net), place.asn, place.asn, place.country)
    };
    fs::write(path, (0..world.nets()).map(line).collect::<String>()).expect("places written");
}

/// A week in the order of the survey; by address, in as many files as there are hundreds of /16s.
fn write_week(options: &Options, world: &World, week: u32, out: &Path) {
    let told = || Told::new(rules::rules(options.text("rules", "real")));
    if options.text("by-address", "false") == "false" {
        let mut rows = Rows::new(world, told(), &out.join(format!("rows/week-{week:02}.parquet")));
        (0..world.hosts()).for_each(|turn| world.looks(turn, week).iter().for_each(|look| rows.put(look)));
        rows.finish();
        return;
    }
    let (part, parts) = (options.number("part", 0), options.number("parts", 1));
    let places = world.nets() << 16;
    let mut rows = Rows::new(world, told(), &out.join(format!("rows/part-{part:04}.parquet")));
    let mut put = |place: u64| {
        let mut looks = world.looks_at(place, week);
        looks.sort_unstable_by_key(|look| look.said.port);
        looks.iter().for_each(|look| rows.put(look));
    };
    (places * part / parts..places * (part + 1) / parts).for_each(&mut put);
    rows.finish();
}

fn take_in(options: &Options) {
    let (world, state) = (options.world(), options.folder("state"));
    let start = Instant::now();
    let lake = ingest::open(&state, rules::rules(options.text("rules", "real")), false);
    let opening = start.elapsed().as_secs_f64();
    let (week, size) = (options.number("week", 0) as u32, options.number("batch", 100_000) as usize);
    let mut told = ingest::ingest(&lake, &world, week, size);
    let start = Instant::now();
    drop(lake);
    told["opening_seconds"] = json!(opening);
    told["closing_seconds"] = json!(start.elapsed().as_secs_f64());
    println!("{told}");
}

fn compact(options: &Options) {
    let lake = ingest::open(&options.folder("state"), rules::rules(options.text("rules", "real")), false);
    let start = Instant::now();
    let mut how = CompactOptions::default();
    how.grace = Duration::ZERO;
    // As the other two, which are put in order once everything is there.
    how.all = true;
    let told = lake.compact(&how, &mut |_, _| {}).expect("compacted");
    println!(
        "{}",
        json!({
            "seconds": start.elapsed().as_secs_f64(), "rows_before": told.rows_before, "rows_after": told.rows_after,
            "bytes_before": told.bytes_before, "bytes_after": told.bytes_after, "peak_memory_mb": ingest::peak_memory_mb(),
        })
    );
}
