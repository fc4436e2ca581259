//! The list for those who block: DNS policy zone, flow specifications, packet filter.
//!
//! Each begins with a comment that says what it is and until when it holds. A DNS zone knows no ports: it refuses every
//! answer with the address, which hits neighbours on shared hosts.
//!
//! What is withdrawn ends with the next list: a zone replaces the last one, sets are emptied before they are filled, and
//! flow specifications are withdrawn one by one.

use std::net::{IpAddr, Ipv6Addr};

use hinomi_model::Transport;

use super::{Batch, Shared};

/// Seconds that resolvers may keep what they asked.
const TTL_S: u32 = 3_600;

fn head(batch: &Batch, sign: &str, what: &str) -> String {
    let until = batch.endpoints().iter().map(Shared::valid_until).max().unwrap_or(batch.listed());
    format!(
        "{sign} C&C servers as {what}; list of {}, holds until {until} at the latest; for blocking C&C traffic only\n",
        batch.listed()
    )
}

/// A response policy zone with IP triggers (draft-vixie-dnsop-dns-rpz, section 4.2): answers with these addresses
/// become NXDOMAIN.
pub fn rpz(batch: &Batch) -> String {
    let mut out = head(batch, ";", "a response policy zone (whole addresses: a zone knows no ports)");
    out.push_str(&format!("$TTL {TTL_S}\n@ SOA localhost. root.localhost. {} 3600 600 604800 60\n", serial(batch)));
    out.push_str("@ NS localhost.\n");
    let mut names: Vec<String> = batch.endpoints().iter().map(|shared| rpz_ip(shared.address())).collect();
    names.dedup();
    for name in names {
        out.push_str(&format!("{name} CNAME .\n"));
    }
    out
}

/// Year, month, day and the number of the list on that day: a later list has a greater serial, or no secondary fetches it.
fn serial(batch: &Batch) -> String {
    format!("{}{:02}", batch.listed().to_string().replace('-', ""), batch.number())
}

/// The owner name of an address trigger: prefix length, then the address backwards, the longest run of zeroes as `zz`.
fn rpz_ip(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("32.{d}.{c}.{b}.{a}.rpz-ip")
        }
        IpAddr::V6(v6) => format!("128.{}.rpz-ip", words_backwards(v6)),
    }
}

fn words_backwards(address: Ipv6Addr) -> String {
    let segments = address.segments();
    let (start, length) = longest_zeroes(&segments);
    let mut words: Vec<String> = Vec::with_capacity(segments.len());
    for (place, segment) in segments.iter().enumerate() {
        if length > 1 && place == start {
            words.push("zz".to_owned());
        } else if length <= 1 || !(start..start + length).contains(&place) {
            words.push(format!("{segment:x}"));
        }
    }
    words.reverse();
    words.join(".")
}

/// Where the longest run of zeroes begins, the first of equals, and how long it is.
fn longest_zeroes(segments: &[u16; 8]) -> (usize, usize) {
    let runs = (0..segments.len()).map(|start| {
        let length = segments.iter().skip(start).take_while(|segment| **segment == 0).count();
        (start, length)
    });
    runs.fold((0, 0), |best, run| if run.1 > best.1 { run } else { best })
}

/// `announce flow` lines as `ExaBGP` takes them on its command pipe, one a server: discard what goes there. What is
/// withdrawn comes first, in the words in which it was announced.
pub fn flowspec(batch: &Batch) -> String {
    let mut out = head(batch, "#", "flow specifications (RFC 8955, RFC 8956) for ExaBGP");
    for gone in batch.withdrawn() {
        out.push_str(&format!("withdraw {}\n", flow_route(gone.address, gone.transport, gone.port)));
    }
    for shared in batch.endpoints() {
        out.push_str(&format!("announce {}\n", flow_route(shared.address(), shared.transport(), shared.port())));
    }
    out
}

fn flow_route(address: IpAddr, transport: Transport, port: u16) -> String {
    let (destination, protocol) = match address {
        IpAddr::V4(v4) => (format!("{v4}/32"), "protocol"),
        IpAddr::V6(v6) => (format!("{v6}/128/0"), "next-header"),
    };
    format!(
        "flow route {{ match {{ destination {destination}; {protocol} ={transport}; destination-port ={port}; }} \
         then {{ discard; }} }}"
    )
}

/// The sets with the kind of their addresses, and whether they are for IPv4.
const SETS: [(&str, &str, bool); 2] = [("cnc_v4", "ipv4_addr", true), ("cnc_v6", "ipv6_addr", false)];

/// Two sets of a table of their own; how they are used is the operator's rule. Loading it (`nft -f`, one transaction)
/// makes them where they are missing, empties and fills them, and leaves the operator's rules in the table alone.
pub fn nftables(batch: &Batch) -> String {
    let mut out = head(batch, "#", "nftables sets; use: ip daddr . meta l4proto . th dport @cnc_v4 drop");
    out.push_str("table inet hinomi {\n");
    for (name, kind, _) in SETS {
        out.push_str(&format!("  set {name} {{\n    type {kind} . inet_proto . inet_service\n  }}\n"));
    }
    out.push_str("}\n");
    for (name, ..) in SETS {
        out.push_str(&format!("flush set inet hinomi {name}\n"));
    }
    for (name, _, v4) in SETS {
        let of_set = batch.endpoints().iter().filter(|shared| shared.address().is_ipv4() == v4);
        let elements: Vec<String> =
            of_set.map(|shared| format!("{} . {} . {}", shared.address(), shared.transport(), shared.port())).collect();
        if !elements.is_empty() {
            out.push_str(&format!("add element inet hinomi {name} {{\n  {}\n}}\n", elements.join(",\n  ")));
        }
    }
    out
}
