//! What is known of Shadowserver's reports: a table of facts, written anew by `cargo xtask shadowserver SCHEMA...`.
//!
//! A line of `reports.tsv` is a report: its name, what it tells of, its transport where its rows need not say it, the
//! protocol that it speaks, and its columns beyond those that all have; `-` is what is not known, `=` is no more of them.

use std::sync::LazyLock;

use hinomi_model::address::Transport;

const TABLE: &str = include_str!("reports.tsv");

/// Columns that every report of a scan has; the table does not repeat them.
const COMMON: &[&str] = &[
    "timestamp",
    "severity",
    "ip",
    "protocol",
    "port",
    "hostname",
    "tag",
    "asn",
    "geo",
    "region",
    "city",
    "naics",
    "hostname_source",
    "sector",
];

static REPORTS: LazyLock<Vec<Report>> = LazyLock::new(|| TABLE.lines().filter_map(Report::read).collect());

/// A report of a scan that is newer than the table.
static NEWER: Report = Report { name: "scan", tells: Tells::Service, transport: None, protocol: None, columns: None };

/// What a report tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// A service that a scan reached.
    Service,
    /// A box on the way that answers in place of addresses behind it.
    Middlebox,
    /// Traffic that sinkholes, honeypots or the darknet met.
    Event,
    /// A device or site that somebody took over.
    Compromise,
    /// What others say of an address, an account or a victim.
    List,
    /// Where malware, phishing or spam lies, or whom it called in a sandbox.
    Sample,
}

/// Names of what reports tell, as the table has them, and why rows of others than scans are left out.
const TELLS: &[(&str, Tells, &str)] = &[
    ("service", Tells::Service, ""),
    ("middlebox", Tells::Middlebox, "the report tells of boxes on the way that answer for others, not of services"),
    ("event", Tells::Event, "the report tells of traffic that sensors met, not of services"),
    ("compromise", Tells::Compromise, "the report tells of what was taken over, not of what a scan saw"),
    ("list", Tells::List, "the report tells what others say of addresses or accounts, not of services"),
    ("sample", Tells::Sample, "the report tells where harmful content lies or what it called, not of services"),
];

impl Tells {
    /// Why there is no service in it; none where there is one.
    pub(super) fn instead(self) -> Option<&'static str> {
        TELLS
            .iter()
            .find(|(_, tells, _)| *tells == self)
            .map(|(.., reason)| *reason)
            .filter(|reason| !reason.is_empty())
    }
}

/// One kind of report.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// Its name, as in names of files.
    pub name: &'static str,
    /// What it tells of.
    pub tells: Tells,
    /// The transport, where it is always the same.
    pub transport: Option<Transport>,
    /// The protocol that answered, in the schema's word.
    pub protocol: Option<&'static str>,
    /// Columns beyond the common ones.
    columns: Option<Vec<&'static str>>,
}

impl Report {
    fn read(line: &'static str) -> Option<Self> {
        let mut parts = line.split('\t');
        let mut part = || parts.next().filter(|part| !part.starts_with('#'));
        let (name, tells) = (part()?, part()?);
        let tells = TELLS.iter().find(|(word, ..)| *word == tells).map(|(_, tells, _)| *tells)?;
        let (transport, protocol, columns) = (part()?.parse().ok(), part()?, part()?);
        let known = |word: &&str| *word != "-";
        let columns = Some(columns).filter(known).map(|columns| columns.split(' ').filter(|name| *name != "="));
        Some(Self {
            name,
            tells,
            transport,
            protocol: Some(protocol).filter(known),
            columns: columns.map(Iterator::collect),
        })
    }

    /// Whether its rows have IPv6 addresses.
    pub(super) fn is_ipv6(&self) -> bool {
        stem(self.name).1
    }

    /// The report of the same services at addresses of the other family. Their columns are alike, so a file's columns
    /// do not say which of the two it is.
    pub(super) fn twin(&self) -> Option<&'static Self> {
        REPORTS.iter().find(|other| self.is_twin(other))
    }

    fn is_twin(&self, other: &Self) -> bool {
        let ((own, own_ipv6), (others, others_ipv6)) = (stem(self.name), stem(other.name));
        own == others
            && own_ipv6 != others_ipv6
            && (other.tells, other.transport, other.protocol) == (self.tells, self.transport, self.protocol)
    }

    /// Whether these are its columns, in whatever order.
    fn has_just(&self, header: &[String]) -> bool {
        let Some(columns) = &self.columns else { return false };
        let mut own: Vec<&str> = COMMON.iter().chain(columns).copied().collect();
        let mut there: Vec<&str> = header.iter().map(String::as_str).collect();
        own.sort_unstable();
        there.sort_unstable();
        own == there
    }
}

/// What a report's name says but its family (`scan6_vnc`, `device_id6`), and whether that is IPv6.
fn stem(name: &str) -> ((&str, &str), bool) {
    let six = name.split_once("6_").filter(|(word, _)| !word.contains('_'));
    match (six, name.strip_suffix('6')) {
        (Some(parts), _) => (parts, true),
        (None, Some(whole)) => (whole.split_once('_').unwrap_or((whole, "")), true),
        (None, None) => (name.split_once('_').unwrap_or((name, "")), false),
    }
}

/// The report of that name. Reports of scans that are newer than the table are read by what their rows say.
pub fn named(name: &str) -> Option<&'static Report> {
    let newer = || ["scan_", "scan6_"].iter().any(|start| name.starts_with(start)).then_some(&NEWER);
    known(name).or_else(newer)
}

fn known(name: &str) -> Option<&'static Report> {
    REPORTS.iter().find(|report| report.name == name)
}

/// The report in a file of that name: behind the date, or at the beginning.
pub fn of_file(name: &str) -> Option<&'static Report> {
    let (date, rest) = name.split_at_checked(11).unwrap_or_default();
    let is_date =
        date.bytes().zip(*b"dddd-dd-dd-").all(|(byte, form)| byte == form || form == b'd' && byte.is_ascii_digit());
    let after = if is_date && !date.is_empty() { rest } else { name };
    let word = after.split(['-', '.']).next().unwrap_or_default();
    if is_date { named(word) } else { known(word) }
}

/// The only report that has just these columns, or one of two twins that both have them.
pub(super) fn with_columns(header: &[String]) -> Option<&'static Report> {
    let mut found = REPORTS.iter().filter(|report| report.has_just(header));
    let first = found.next()?;
    found.all(|other| first.is_twin(other)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_a_report() {
        let lines: Vec<_> = TABLE.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len(), REPORTS.len());
        assert!(lines.len() > 150, "{}", lines.len());
        assert!(lines.is_sorted(), "sorted");
        for report in REPORTS.iter() {
            assert_eq!(named(report.name).map(|found| found.name), Some(report.name), "no name twice");
            if report.tells == Tells::Service {
                let scan = ["scan_", "scan6_", "population_", "population6_", "device_id"];
                assert!(scan.iter().any(|start| report.name.starts_with(start)), "{}", report.name);
                assert_eq!(report.tells.instead(), None);
            } else {
                assert!(report.tells.instead().is_some(), "{}", report.name);
            }
        }
        assert!(!COMMON.is_empty() && REPORTS.iter().filter(|report| report.columns.is_some()).count() > 10);
    }

    #[test]
    fn names_of_files_say_the_report() {
        let name = |file: &str| of_file(file).map(|report| report.name);
        assert_eq!(name("2026-11-01-scan_mqtt-example-asn.csv"), Some("scan_mqtt"));
        assert_eq!(name("2026-11-01-blocklist-example.csv.zst"), Some("blocklist"));
        assert_eq!(name("scan6_ssh.csv"), Some("scan6_ssh"));
        assert_eq!(name("2026-11-01-scan_of_tomorrow-x.csv"), Some("scan"));
        assert_eq!(name("2026-11-01-event4_of_tomorrow-x.csv"), None);
        assert_eq!(name("scan_of_mine.csv"), None);
        assert_eq!((name("x"), name("")), (None, None));
    }

    #[test]
    fn columns_say_the_report_where_only_one_has_them() {
        let header =
            |names: &[&str]| -> Vec<String> { COMMON.iter().chain(names).map(|name| (*name).to_owned()).collect() };
        let found = |names: &[&str]| with_columns(&header(names)).map(|report| report.name);
        assert_eq!(found(&["product", "banner"]), Some("scan6_vnc"));
        assert_eq!(found(&["product", "banner", "more"]), None);
        assert_eq!(found(&["packets", "response_size", "amplification"]), Some("scan6_ntpmonitor"));
        let twin = |name| known(name).and_then(Report::twin).map(|report| report.name);
        assert_eq!((twin("scan6_vnc"), twin("scan_vnc")), (Some("scan_vnc"), Some("scan6_vnc")));
        assert_eq!((twin("device_id"), twin("device_id6")), (Some("device_id6"), Some("device_id")));
    }
}
