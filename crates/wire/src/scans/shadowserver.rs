//! Shadowserver's reports: CSV files whose first row names the columns.
//!
//! What a report tells is known by its name, which stands in the file's name (`2026-11-01-scan_mqtt-example-asn.csv`);
//! the names and what is known of them are the table in [`report`]. Reports of scans tell of services: each row becomes
//! a record. Reports of sinkholes, of honeypots that met malware and of what was taken over tell of infected hosts
//! ([`infection`]). Lists and the like tell of something else: their rows are counted as left out, with the reason. The header of the file decides which columns there are; the table is only asked for the
//! report's name where none was given, and answers only when one report alone has just these columns.
//!
//! The evidence of a service is its row in CSV: a line of column names and a line of values, with the report's name
//! first, without empty columns, address and time. An HTTP answer is put together again from its columns; greetings
//! and certificates become evidence of their own kind. Times carry no zone: they are UTC.
//!
//! Sources: the schema that Shadowserver publishes (The-Shadowserver-Foundation/report_schema on GitHub: `reports.json`
//! and `intelmq.json` of September 2024, `types.md` of 2025 or later), and IntelMQ 3.2.1 (2023) for which report speaks
//! which protocol. Columns are in the table only where the schema at hand gave them whole.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::BufRead;

use hinomi_model::address::{Transport, parse_address};
use hinomi_model::evidence::{Evidence, EvidenceKind};

use super::error::ScanError;
use super::lines::{Item, Step, Steps};
use super::{Record, State, seen, told_time};

pub mod report;

mod claims;
pub(super) mod csv;
mod infection;

pub use claims::fields;
pub use report::Report;

use csv::{Csv, Got};
use infection::Means;

/// Columns that are parts of the sighting, or are about the address and not the service.
const LEFT_OUT: &[&str] =
    &["timestamp", "ip", "hostname", "hostname_source", "asn", "geo", "region", "city", "naics", "sic", "sector"];

/// Columns with certificates, which are evidence of their own.
const CERTIFICATES: &[&str] = &["raw_cert", "raw_cert_chain"];

/// Reads records from a file; see [`super`].
#[derive(Debug)]
pub struct Records<R>(Steps<Reader<R>>);

#[derive(Debug)]
struct Reader<R> {
    csv: Csv<R>,
    header: Vec<String>,
    report: Option<&'static Report>,
    /// The report of the other family, where only the columns say which report it is.
    twin: Option<&'static Report>,
}

impl<R: BufRead> Records<R> {
    /// Starts reading. `report` is which one it is, where the name of the file says it.
    pub const fn new(source: R, report: Option<&'static Report>) -> Self {
        Self(Steps::new(Reader { csv: Csv::new(source), header: Vec::new(), report, twin: None }))
    }
}

impl<R: BufRead> Iterator for Records<R> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        self.0.next()
    }
}

impl<R: BufRead> Step for Reader<R> {
    fn step(&mut self, ready: &mut VecDeque<Item>) -> Result<bool, ScanError> {
        match self.csv.next()? {
            Got::End => return Ok(false),
            Got::Refused(reason) if self.header.is_empty() => return Err(self.csv.file_error(reason)),
            Got::Refused(reason) => ready.push_back(Err(self.csv.refuse(reason))),
            Got::Row if self.header.is_empty() => self.read_header()?,
            Got::Row => ready.push_back(self.read_row()?),
        }
        Ok(true)
    }
}

impl<R: BufRead> Reader<R> {
    fn read_header(&mut self) -> Result<(), ScanError> {
        let names = self.csv.cells().map(|cell| String::from_utf8_lossy(cell).trim().to_ascii_lowercase());
        self.header = names.collect();
        if !self.header.iter().any(|name| name == "timestamp") {
            return Err(self.csv.file_error("its first row names no column timestamp: it is no Shadowserver report"));
        }
        if self.report.is_none() {
            self.report = report::with_columns(&self.header);
            self.twin = self.report.and_then(Report::twin);
        }
        Ok(())
    }

    /// A row; an error outside it when what the file tells is not known.
    fn read_row(&self) -> Result<Item, ScanError> {
        let Some(report) = self.report else {
            return Err(self.csv.file_error(
                "which report it is cannot be told from its columns: name the file as Shadowserver does \
                 (DATE-REPORT-NAME.csv), or say it with --format shadowserver:REPORT",
            ));
        };
        if let Some(means) = infection::means(report.name) {
            return Ok(match self.host(report, means) {
                Ok(Some(record)) => Ok(record),
                Ok(None) => Err(self.csv.leave_out(infection::ONLY_SCANS)),
                Err(reason) => Err(self.csv.refuse(reason)),
            });
        }
        if let Some(reason) = report.tells.instead() {
            return Ok(Err(self.csv.leave_out(reason)));
        }
        Ok(self.record(report).map_err(|reason| self.csv.refuse(reason)))
    }

    /// The row, if it is whole.
    fn row(&self) -> Result<Row<'_>, String> {
        let row = Row { header: &self.header, cells: self.csv.cells().collect() };
        match row.cells.len() == row.header.len() {
            true => Ok(row),
            false => Err(format!("it has {} columns where the first row names {}", row.cells.len(), row.header.len())),
        }
    }

    /// A host that is infected; none where the row does not say so.
    fn host(&self, report: &Report, means: Means) -> Result<Option<Record>, String> {
        let row = self.row()?;
        let (address, port) = means.columns();
        let address = parse_address(&row.text(address)).map_err(|error| error.to_string())?;
        let port = row.text(port);
        if !port.is_empty() && port.parse::<u16>().is_err() {
            return Err(format!("{:?} is no port number", port.get(..40).unwrap_or(&port)));
        }
        let protocol = row.text("protocol");
        if !protocol.is_empty() {
            transport(report, &protocol)?;
        }
        let time = told_time(&row.text("timestamp"))?;
        let cells: Vec<(String, String)> =
            ["infection", "family"].into_iter().map(|name| (name.to_owned(), row.text(name).into_owned())).collect();
        let value = |name: &str| cells.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.as_str());
        if means == Means::InfectedIfNamed && infection::family(value).is_empty() {
            return Ok(None);
        }
        let evidence = vec![Evidence::new(EvidenceKind::ShadowserverRecord, infection::words(&row, report))];
        // One key for each host: the port that it came from is another at every connection, and is in the words.
        Ok(Some(Record { address, port: 0, transport: Transport::Tcp, state: State::Open, time, evidence }))
    }

    fn record(&self, report: &Report) -> Result<Record, String> {
        let row = self.row()?;
        let address = parse_address(&row.text("ip")).map_err(|error| error.to_string())?;
        let report = self.twin.filter(|twin| twin.is_ipv6() == address.is_ipv6()).unwrap_or(report);
        let port = row.text("port");
        let number = port.parse().map_err(|_| format!("{:?} is no port number", port.get(..40).unwrap_or(&port)))?;
        let transport = transport(report, &row.text("protocol"))?;
        let time = told_time(&row.text("timestamp"))?;
        let chain = row.chain();
        let words = row.words(report, if chain.is_empty() { &[] } else { CERTIFICATES });
        let mut evidence = vec![Evidence::new(EvidenceKind::ShadowserverRecord, words)];
        let greeting = seen::greeting(row.cell("serverid_raw"));
        evidence.extend(row.answer().into_iter().chain(greeting).chain(chain));
        Ok(Record { address, port: number, transport, state: State::Open, time, evidence })
    }
}

/// As the row says, else as the report always has it.
fn transport(report: &Report, said: &str) -> Result<Transport, String> {
    match report.transport {
        _ if !said.is_empty() => said.to_ascii_lowercase().parse().map_err(|error| format!("{error}")),
        Some(always) => Ok(always),
        None => Err("it has no protocol, tcp or udp".to_owned()),
    }
}

/// A row with the names of its columns.
struct Row<'a> {
    header: &'a [String],
    cells: Vec<&'a [u8]>,
}

impl<'a> Row<'a> {
    fn cell(&self, name: &str) -> &'a [u8] {
        let at = self.header.iter().position(|column| column == name);
        at.and_then(|at| self.cells.get(at)).copied().unwrap_or_default()
    }

    fn text(&self, name: &str) -> Cow<'a, str> {
        String::from_utf8_lossy(self.cell(name).trim_ascii())
    }

    /// The row as evidence, without what is stored as such.
    fn words(&self, report: &Report, stored: &[&str]) -> Vec<u8> {
        let said = self.header.iter().map(String::as_str).zip(self.cells.iter().copied());
        let mut kept: Vec<(&str, &[u8])> = vec![("report", report.name.as_bytes())];
        let out = |name: &str| name.is_empty() || LEFT_OUT.contains(&name) || stored.contains(&name);
        kept.extend(said.filter(|(name, value)| !value.is_empty() && !out(name)));
        let mut bytes = Vec::new();
        csv::write(&mut bytes, kept.iter().map(|(name, _)| name.as_bytes()));
        csv::write(&mut bytes, kept.iter().map(|(_, value)| *value));
        bytes
    }

    /// Certificates; none when one of them cannot be read.
    fn chain(&self) -> Vec<Evidence> {
        let texts: Vec<_> = CERTIFICATES.iter().map(|column| self.text(column)).collect();
        seen::certificates(texts.iter().flat_map(|text| pieces(text))).unwrap_or_default()
    }

    /// The parts of an HTTP header, in the order of the columns.
    fn answer(&self) -> Option<Evidence> {
        let status = [self.text("http"), self.text("http_code"), self.text("http_reason")];
        let mut head = one_line(&status.join(" "));
        for (column, name) in HEADERS {
            let value = self.text(column);
            if !value.is_empty() {
                head.push_str(&format!("\r\n{name}: {}", one_line(&value)));
            }
        }
        seen::answer((head + "\r\n\r\n").as_bytes(), "")
    }
}

/// Columns of an HTTP header. `http_date` changes at every look and is left out.
const HEADERS: &[(&str, &str)] = &[
    ("server", "Server"),
    ("content_type", "Content-Type"),
    ("content_length", "Content-Length"),
    ("www_authenticate", "WWW-Authenticate"),
    ("set_cookie", "Set-Cookie"),
    ("connection", "Connection"),
];

/// A line break in a part would make another header: it becomes a blank.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ").trim().to_owned()
}

/// One certificate, or several one behind the other in PEM.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    const END: &str = "-----END CERTIFICATE-----";
    text.split_inclusive(END).map(str::trim).filter(|piece| !piece.is_empty())
}

#[cfg(test)]
mod tests;
