//! What Shadowserver claims about a service, from its row.

use hinomi_model::evidence::MAX_BYTES;

use super::csv::{Csv, Got};
use super::infection::{self, Means};
use super::report;
use crate::field::Field;
use crate::fields::Fields;
use crate::malformed::Malformed;
use crate::scans::words::push_claim;

/// Columns about the device, where the report tells of one.
const DEVICE: &[(&str, &str)] = &[
    ("device_vendor", "claim.vendor"),
    ("device_model", "claim.product"),
    ("device_version", "claim.version"),
    ("device_type", "claim.device-type"),
];

/// Columns about the program, by report without its IPv6 mark. In other reports columns of these names may mean
/// something else.
const PROGRAM: &[(&str, &str, &str)] = &[
    ("scan_amqp", "product", "claim.product"),
    ("scan_amqp", "product_version", "claim.version"),
    ("scan_couchdb", "couchdb_version", "claim.version"),
    ("scan_docker", "version", "claim.version"),
    ("scan_elasticsearch", "version", "claim.version"),
    ("scan_ipp", "printer_make_and_model", "claim.product"),
    ("scan_memcached", "version", "claim.version"),
    ("scan_mongodb", "version", "claim.version"),
    ("scan_mysql", "server_version", "claim.version"),
    ("scan_redis", "version", "claim.version"),
    ("scan_redis", "os", "claim.os"),
    ("scan_vnc", "product", "claim.product"),
];

/// Columns with what the server said, the most telling first.
const SAID: &[&str] = &["banner", "serverid_raw", "sysdesc", "server", "server_type", "header"];

/// The claims in a row.
pub fn fields(input: &[u8]) -> Vec<Field<'_>> {
    let mut list = Fields::new(input);
    match read(input) {
        Ok(row) => push_row(&mut list, input, &row),
        Err(reason) => list.malformed(&reason),
    }
    list.finish()
}

/// Names and values.
fn read(input: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let mut csv = Csv::new(input.get(..MAX_BYTES).unwrap_or(input));
    let mut line = || match csv.next() {
        Ok(Got::Row) => Ok(csv.cells().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect::<Vec<_>>()),
        Ok(Got::End) => Err(Malformed::Truncated { what: "Shadowserver row", at: input.len() }),
        Ok(Got::Refused(_)) | Err(_) => Err(Malformed::Invalid { what: "Shadowserver row", at: 0 }),
    };
    let (names, values) = (line()?, line()?);
    if names.len() != values.len() {
        return Err(Malformed::Invalid { what: "Shadowserver row", at: 0 });
    }
    Ok(names.into_iter().zip(values).collect())
}

fn push_row(list: &mut Fields<'_>, input: &[u8], row: &[(String, String)]) {
    let value = |name: &str| row.iter().find(|(column, _)| column == name).map_or("", |(_, value)| value.as_str());
    let name = value("report");
    if let Some(means) = infection::means(name) {
        return push_infection(list, input, means, row);
    }
    let protocol = report::named(name).and_then(|report| report.protocol).unwrap_or_default();
    push_claim(list, input, "claim.protocol", protocol);
    if protocol == "https" {
        push_claim(list, input, "claim.tunnel", "ssl");
    }
    let stem = name.replacen("scan6_", "scan_", 1);
    let program: Vec<_> =
        PROGRAM.iter().filter(|(report, ..)| *report == stem).map(|(_, column, field)| (*column, *field)).collect();
    // Versions of a device and of a program on it are told apart: one of them is told.
    let tells_device = !value("device_vendor").is_empty() || !value("device_model").is_empty();
    for (column, field) in if tells_device { DEVICE } else { program.as_slice() } {
        push_claim(list, input, field, value(column));
    }
    let said = SAID.iter().map(|column| value(column)).find(|said| !said.is_empty());
    push_claim(list, input, "claim.banner", said.unwrap_or_default());
}

/// What is claimed of a host: that it is infected, by what, from which port it came and who met it.
fn push_infection(list: &mut Fields<'_>, input: &[u8], means: Means, row: &[(String, String)]) {
    let value = |name: &str| row.iter().find(|(column, _)| column == name).map_or("", |(_, value)| value.as_str());
    let first =
        |names: &[&'static str]| names.iter().map(|name| value(name)).find(|text| !text.is_empty()).unwrap_or("");
    let state = if means == Means::Compromised { "compromised" } else { "infected" };
    let family = Some(infection::family(value)).filter(|family| !family.is_empty());
    push_claim(list, input, "claim.protocol", "infection");
    push_claim(list, input, "claim.infection", state);
    push_claim(list, input, "claim.family", family.unwrap_or_else(|| first(&["infection", "category"])));
    push_claim(list, input, "claim.source-port", value("src_port"));
    push_claim(list, input, "claim.sinkhole", first(means.met_by()));
    for (column, field) in DEVICE {
        push_claim(list, input, field, value(column));
    }
}
