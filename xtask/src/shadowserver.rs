//! Writes the table of Shadowserver's reports anew from the schema that Shadowserver publishes.
//!
//! `cargo xtask shadowserver FILE...` reads files that the user downloaded, of either form: `reports.json` (a report's
//! `fields`) and `intelmq.json` (its `constant_fields`, `required_fields` and `optional_fields`). What they say replaces
//! what the table said; what they do not say stays, and no report goes, since old files of it stay too. The same files
//! give the same table.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

const TABLE: &str = "crates/wire/src/scans/shadowserver/reports.tsv";

const HEAD: &str = "# What is known of Shadowserver's reports; written by `cargo xtask shadowserver SCHEMA...`.\n\
    # report, what it tells of, its transport (- : its rows say it), protocol, columns beyond the common ones (= : none)\n";

/// The largest schema that is read.
const MAX_SCHEMA_BYTES: u64 = 64 << 20;

/// Columns that every report of a scan has.
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

/// What reports tell of, by how their names begin and end; the first that fits.
const TELLS: &[(&str, &str, &str)] = &[
    ("scan_ddos_middlebox", "", "middlebox"),
    ("scan6_ddos_middlebox", "", "middlebox"),
    ("scan_", "", "service"),
    ("scan6_", "", "service"),
    ("population_", "", "service"),
    ("population6_", "", "service"),
    ("device_id", "", "service"),
    ("event", "", "event"),
    ("compromised_account", "", "list"),
    ("compromised_", "", "compromise"),
    ("sandbox_", "", "sample"),
    ("", "_url", "sample"),
    ("", "", "list"),
];

/// Names of protocols in the schema, and ours.
const WORDS: &[(&str, &str)] = &[
    ("erlang port mapper daemon", "epmd"),
    ("ipsec", "isakmp"),
    ("natpmp", "nat-pmp"),
    ("netbios-nameservice", "netbios"),
    ("postgres", "postgresql"),
    ("session traversal utilities for nat", "stun"),
];

/// Protocols of reports for which the schema names none; the name of the report does.
const NAMED: &[(&str, &str)] = &[
    ("population_bgp", "bgp"),
    ("population_isakmp", "isakmp"),
    ("population_msmq", "msmq"),
    ("population_ntrip", "ntrip"),
    ("scan_ard", "ard"),
    ("scan_bgp", "bgp"),
    ("scan_gtp", "gtp"),
    ("scan_imap", "imap"),
    ("scan_imap_vulnerable", "imap"),
    ("scan_isakmp", "isakmp"),
    ("scan_msrpc", "msrpc"),
    ("scan_pop3", "pop3"),
    ("scan_pop3_vulnerable", "pop3"),
    ("scan_quic", "quic"),
    ("scan_radmin", "radmin"),
    ("scan_socks", "socks"),
    ("scan_ssh", "ssh"),
];

/// What is known of a report; empty is not known.
#[derive(Clone, Debug, Default)]
struct Report {
    transport: String,
    protocol: String,
    columns: String,
}

pub(crate) fn write(root: &Path, files: &[String]) -> Result<()> {
    ensure!(!files.is_empty(), "usage: cargo xtask shadowserver SCHEMA.json...");
    let path = root.join(TABLE);
    let before = fs::read_to_string(&path).unwrap_or_default();
    let schemas: Vec<Value> =
        files.iter().map(|file| read(Path::new(file)).with_context(|| file.clone())).collect::<Result<_>>()?;
    fs::write(&path, table(&before, &schemas)?).with_context(|| TABLE.to_owned())
}

fn read(file: &Path) -> Result<Value> {
    let length = fs::metadata(file).context("cannot be opened")?.len();
    ensure!(length <= MAX_SCHEMA_BYTES, "is larger than any schema");
    serde_json::from_slice(&fs::read(file)?).context("is no JSON")
}

/// The table with what the schemas say.
fn table(before: &str, schemas: &[Value]) -> Result<String> {
    let mut reports: BTreeMap<String, Report> = before.lines().filter_map(known).collect();
    for schema in schemas {
        for (name, said) in schema.as_object().context("a schema is an object of reports")? {
            // `_meta` says when the schema was made.
            if !name.starts_with('_') {
                ensure!(is_name(name), "{name:?} is no name of a report");
                learn(reports.entry(name.clone()).or_default(), said).with_context(|| name.clone())?;
            }
        }
    }
    let twins = reports.clone();
    for (name, report) in reports.iter_mut().filter(|(_, report)| report.protocol.is_empty()) {
        report.protocol = protocol_elsewhere(name, &twins);
    }
    let lines = reports.iter().map(|(name, report)| line(name, report));
    Ok(HEAD.to_owned() + &lines.collect::<String>())
}

/// A line of the table that was there.
fn known(line: &str) -> Option<(String, Report)> {
    let [name, _, transport, protocol, columns] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
    let known = |part: &str| if part == "-" { String::new() } else { part.to_owned() };
    let report = Report { transport: known(transport), protocol: known(protocol), columns: known(columns) };
    Some((name.to_owned(), report))
}

fn learn(report: &mut Report, said: &Value) -> Result<()> {
    let constant = |name: &str| said.pointer("/constant_fields")?.get(name)?.as_str().map(str::to_ascii_lowercase);
    if let Some(transport) = constant("protocol.transport") {
        ensure!(matches!(transport.as_str(), "tcp" | "udp"), "{transport:?} is no transport");
        report.transport = transport;
    }
    if let Some(word) = constant("protocol.application") {
        let ours = WORDS.iter().find(|(theirs, _)| *theirs == word).map_or(word.as_str(), |(_, ours)| ours);
        let plain = !ours.is_empty() && ours.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        ensure!(plain, "{word:?} is no name of a protocol");
        ours.clone_into(&mut report.protocol);
    }
    let columns = columns(said)?;
    // A report without one of the common columns could not be known by its columns.
    if COMMON.iter().all(|column| columns.iter().any(|there| there == column)) {
        let own: Vec<&str> = columns.iter().map(String::as_str).filter(|name| !COMMON.contains(name)).collect();
        report.columns = if own.is_empty() { "=".to_owned() } else { own.join(" ") };
    }
    Ok(())
}

/// Every column once, in the order of the schema.
fn columns(said: &Value) -> Result<Vec<String>> {
    let list = |name: &str| said.get(name).and_then(Value::as_array).into_iter().flatten();
    let mapped = ["required_fields", "optional_fields"].into_iter().flat_map(list).map(|field| field.get(1));
    let mut columns: Vec<String> = Vec::new();
    for column in list("fields").map(Some).chain(mapped) {
        let column = column.and_then(Value::as_str).context("a column has no name")?.to_ascii_lowercase();
        ensure!(is_name(&column), "{column:?} is no name of a column");
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    Ok(columns)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 100 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// What the other report of the pair for IPv4 and IPv6 speaks, or what the name says.
fn protocol_elsewhere(name: &str, twins: &BTreeMap<String, Report>) -> String {
    let (of_4, of_6) = (name.replacen("6_", "_", 1), name.replacen('_', "6_", 1));
    let twin = [&of_4, &of_6].into_iter().filter_map(|twin| twins.get(twin)).find(|twin| !twin.protocol.is_empty());
    let named = || NAMED.iter().find(|(report, _)| *report == of_4).map(|(_, protocol)| (*protocol).to_owned());
    twin.map(|twin| twin.protocol.clone()).or_else(named).unwrap_or_default()
}

fn line(name: &str, report: &Report) -> String {
    let fits = |(start, end, _): &&(&str, &str, &str)| name.starts_with(start) && name.ends_with(end);
    let tells = TELLS.iter().find(fits).map_or("list", |(.., tells)| tells);
    let [transport, protocol, columns] =
        [&report.transport, &report.protocol, &report.columns].map(|part| if part.is_empty() { "-" } else { part });
    format!("{name}\t{tells}\t{transport}\t{protocol}\t{columns}\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(more: &[&str]) -> Vec<String> {
        COMMON.iter().chain(more).map(|name| (*name).to_owned()).collect()
    }

    fn schemas() -> Vec<Value> {
        let optional: Vec<Value> = COMMON.iter().map(|name| json!(["extra.", name, "validate_to_none"])).collect();
        vec![
            json!({
                "scan_x": {"name": "Open-X", "fields": fields(&["banner", "Cert"]), "url": "https://x.example"},
                "scan6_x": {"fields": fields(&[])},
                "event4_y": {"fields": ["timestamp", "src_ip"], "classification.type": "scanner"},
                "z_url": {"fields": ["timestamp", "url"]},
                "blocklist": {"fields": ["timestamp", "ip"]},
            }),
            json!({
                "_meta": {"date_created": "2026-01-01T00:00:00Z", "change_log": []},
                "scan_x": {"constant_fields": {"protocol.application": "Postgres", "protocol.transport": "tcp"},
                    "required_fields": [["time.source", "timestamp", "add_UTC_to_timestamp"]], "optional_fields": []},
                "scan_ssh": {"constant_fields": {}, "required_fields": [], "optional_fields": optional},
                "scan_ddos_middlebox": {"constant_fields": {"classification.type": "x"}},
            }),
        ]
    }

    #[test]
    fn the_table_says_what_the_schemas_say() {
        let written = table("", &schemas()).expect("a table");
        let lines: Vec<_> = written.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                "blocklist\tlist\t-\t-\t-",
                "event4_y\tevent\t-\t-\t-",
                "scan6_x\tservice\t-\tpostgresql\t=",
                "scan_ddos_middlebox\tmiddlebox\t-\t-\t-",
                "scan_ssh\tservice\t-\tssh\t=",
                "scan_x\tservice\ttcp\tpostgresql\tbanner cert",
                "z_url\tsample\t-\t-\t-",
            ]
        );
    }

    #[test]
    fn writing_again_changes_nothing_and_no_report_goes() {
        let written = table("", &schemas()).expect("a table");
        assert_eq!(table(&written, &schemas()).expect("a table"), written);
        assert_eq!(table(&written, &[json!({})]).expect("a table"), written);
        let reversed: Vec<_> = schemas().into_iter().rev().collect();
        assert_eq!(table("", &reversed).expect("a table"), written);
        let newer = json!({"scan_x": {"fields": fields(&["banner"])}, "scan_new": {"fields": []}});
        let after = table(&written, &[newer]).expect("a table");
        assert!(
            after.contains("scan_x\tservice\ttcp\tpostgresql\tbanner\n") && after.contains("\nscan_new\t"),
            "{after}"
        );
        assert!(after.contains("\nblocklist\t"), "{after}");
    }

    #[test]
    fn a_schema_that_would_write_something_else_is_refused() {
        for (schema, part) in [
            (json!([]), "object of reports"),
            (json!({"scan_x\tservice": {}}), "no name of a report"),
            (json!({"scan_x": {"fields": ["a b"]}}), "no name of a column"),
            (json!({"scan_x": {"fields": [1]}}), "no name"),
            (json!({"scan_x": {"constant_fields": {"protocol.transport": "gre"}}}), "no transport"),
            (json!({"scan_x": {"constant_fields": {"protocol.application": "x\ty"}}}), "no name of a protocol"),
        ] {
            let error = format!("{:#}", table("", &[schema]).expect_err("refused"));
            assert!(error.contains(part), "{error}");
        }
    }
}
