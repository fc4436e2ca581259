//! The list as CSV and as JSON.

use super::Batch;

/// Columns: address, port, transport, confidence, validity, purpose, status.
///
/// Every cell is an address, a number, a day or a word of ours, and none begins with a sign that a spreadsheet takes
/// for a formula (`=`, `+`, `-`, `@`, tab). An IPv6 address that begins with a colon is written out.
pub fn csv(batch: &Batch) -> String {
    let mut out = String::from("address,port,transport,confidence_percent,valid_until,purpose,status\r\n");
    for shared in batch.endpoints() {
        out.push_str(&format!(
            "{},{},{},{},{},{},listed\r\n",
            cell(shared.address()),
            shared.port(),
            shared.transport(),
            shared.confidence_percent(),
            shared.valid_until(),
            shared.purpose(),
        ));
    }
    for gone in batch.withdrawn() {
        let address = cell(gone.address);
        out.push_str(&format!("{address},{},{},,,cnc-detection,withdrawn\r\n", gone.port, gone.transport));
    }
    out
}

fn cell(address: std::net::IpAddr) -> String {
    let text = address.to_string();
    if text.starts_with(':') { format!("0{text}") } else { text }
}

/// One object: format, day of the list, endpoints, what is withdrawn.
pub fn json(batch: &Batch) -> String {
    let value = serde_json::json!({
        "format": "hinomi-cnc-list-1",
        "listed": batch.listed(),
        "endpoints": batch.endpoints(),
        "withdrawn": batch.withdrawn(),
    });
    format!("{value:#}\n")
}
