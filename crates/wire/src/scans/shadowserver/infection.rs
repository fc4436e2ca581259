//! Reports that tell of an infected or misused host: what sinkholes, honeypots and others met.
//!
//! A row becomes a record of the host, not of a service: its port is 0. Of what the host sent nothing is kept: no page that
//! it asked for, no name of a server that it called, no password that it tried, no address behind it. Kept are the
//! family, the port that it came from, which the one who runs the network needs to find the line behind a shared
//! address, the time, who met it, and what device it was taken for.
//!
//! Who took part in an attack (`event4_ddos_participant`) is not among them: its address may be forged or that of an open
//! reflector, and the row names who was attacked.
//!
//! Source: `reports.json` of Shadowserver's report schema (September 2024 and later): `src_ip`, `src_port`, `infection`,
//! `family`, `tag` of events; `ip`, `port`, `category`, `family` of what was taken over.

use super::{Report, Row};

/// What a report's name says of its rows, without the mark of its family of addresses.
const REPORTS: &[(&str, Means)] = &[
    ("compromised_iot", Means::Compromised),
    ("compromised_website", Means::Compromised),
    ("event_honeypot_adb_scan", Means::InfectedIfNamed),
    ("event_honeypot_brute_force", Means::Infected),
    ("event_honeypot_darknet", Means::InfectedIfNamed),
    ("event_honeypot_http_scan", Means::InfectedIfNamed),
    ("event_honeypot_ics_scan", Means::InfectedIfNamed),
    ("event_honeypot_ikev2_scan", Means::InfectedIfNamed),
    ("event_honeypot_rdp_scan", Means::InfectedIfNamed),
    ("event_honeypot_rocketmq_scan", Means::InfectedIfNamed),
    ("event_honeypot_smb_scan", Means::InfectedIfNamed),
    ("event_honeypot_snmp_scan", Means::InfectedIfNamed),
    ("event_microsoft_sinkhole", Means::Sinkholed),
    ("event_microsoft_sinkhole_http", Means::Sinkholed),
    ("event_sinkhole", Means::Sinkholed),
    ("event_sinkhole_http", Means::Sinkholed),
];

/// Columns that are kept, beside those of [`Means::met_by`].
const KEPT: &[&str] = &[
    "severity",
    "protocol",
    "src_port",
    "port",
    "dst_port",
    "infection",
    "family",
    "tag",
    "category",
    "status",
    "detected_since",
    "device_vendor",
    "device_type",
    "device_model",
];

/// Why a row of a scan is left out that names no family.
pub(super) const ONLY_SCANS: &str = "the row names no malware: who scans need not be infected";

/// What a row of a report means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// Its host runs malware that called a sinkhole.
    Sinkholed,
    /// Its host runs malware, or somebody misuses it.
    Infected,
    /// It does where malware is named; else it only scans.
    InfectedIfNamed,
    /// Somebody took the host over.
    Compromised,
}

impl Means {
    /// The columns of address and port.
    pub(super) const fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::Compromised => ("ip", "port"),
            Self::Sinkholed | Self::Infected | Self::InfectedIfNamed => ("src_ip", "src_port"),
        }
    }

    /// The columns that say who met it. Only of a sinkhole is `dst_hostname` its own name: elsewhere it may be the name of
    /// somebody who was attacked.
    pub(super) const fn met_by(self) -> &'static [&'static str] {
        match self {
            Self::Sinkholed => &["dst_hostname", "public_source"],
            Self::Infected | Self::InfectedIfNamed | Self::Compromised => &["public_source"],
        }
    }
}

/// What rows of a report of this name mean; none where they tell of no infected host.
pub(super) fn means(report: &str) -> Option<Means> {
    let name = report.replacen("event4_", "event_", 1).replacen("event6_", "event_", 1);
    let name = name.strip_suffix('6').unwrap_or(&name);
    REPORTS.iter().find(|(known, _)| *known == name).map(|(_, means)| *means)
}

/// The malware that a row names: `family`, else `infection` where it is more than the word for how it was met.
pub(super) fn family<'a>(value: impl Fn(&str) -> &'a str) -> &'a str {
    let of = |name: &str| Some(value(name).trim()).filter(|text| !text.is_empty());
    let named = of("infection").filter(|text| !text.contains("scan") && !text.contains("brute-force"));
    of("family").or(named).unwrap_or_default()
}

/// The row in words, as far as it is kept.
pub(super) fn words(row: &Row<'_>, report: &Report) -> Vec<u8> {
    let met_by = means(report.name).map(Means::met_by).unwrap_or_default();
    let is_kept = |name: &str| KEPT.iter().chain(met_by).any(|kept| *kept == name);
    let out: Vec<&str> = row.header.iter().map(String::as_str).filter(|name| !is_kept(name)).collect();
    row.words(report, &out)
}
