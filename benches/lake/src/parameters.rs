//! What is asked: three parameters for each question, chosen from what is there.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::devices::word;
use crate::rows::around;
use crate::world::World;

/// Parameters by question.
pub fn parameters(world: &World, weeks: u32) -> Value {
    let hosts: Vec<Ipv4Addr> = busy_hosts(world);
    let addresses: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let prefixes: Vec<String> = hosts.iter().map(|host| around(*host, 20)).collect();
    let words: Vec<String> = [3, 60, 1_200].map(word).to_vec();
    let within: Vec<String> = [5, 200, 4_000].map(|rank| middle(&word(rank))).to_vec();
    json!({
        "services": world.services(), "hosts": world.hosts(), "nets": world.nets(), "weeks": weeks,
        "address": addresses, "prefix": prefixes, "word": words, "facet": ["KR", "TW", "DE"],
        "distinct": ["", "", ""], "history": addresses, "substring": within,
    })
}

/// The first hosts with three services or more, well apart.
fn busy_hosts(world: &World) -> Vec<Ipv4Addr> {
    let step = world.hosts() / 3;
    let busy = |from: u64| {
        let mut looks = (from..world.hosts()).map(|turn| world.looks(turn, 0));
        looks.find(|looks| looks.len() >= 3).and_then(|looks| Some(looks.first()?.address))
    };
    (0..3).filter_map(|nth| busy(nth * step)).collect()
}

/// A word without its first and last letter.
fn middle(word: &str) -> String {
    word.chars().skip(1).take(word.len().saturating_sub(2)).collect()
}
