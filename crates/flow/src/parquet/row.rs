//! A row of cells as a flow.

use std::net::IpAddr;

use hinomi_model::Timestamp;

use super::cells::Cell;
use super::schema::WIDTH;
use hinomi_wire::flow::file::Reason;
use hinomi_wire::flow::{FlowRecord, Volume};

/// The flow of a row, whose cells stand in the order of [`super::COLUMNS`].
pub(super) fn flow(row: [Cell; WIDTH]) -> Result<FlowRecord, Reason> {
    let [start, source, destination, source_port, destination_port, protocol, packets, bytes, rest @ ..] = row;
    let [end, flags, packets_back, bytes_back, flags_back, sampling] = rest;
    let start = needed(time(start, "start")?, "start")?;
    let end = time(end, "end")?.unwrap_or(start);
    if end < start {
        return Err(Reason::BadValue("end"));
    }
    let there = [needed(number(packets, "packets")?, "packets")?, needed(number(bytes, "bytes")?, "bytes")?];
    let back = [number(packets_back, "packets_back")?, number(bytes_back, "bytes_back")?];
    let flags_back: Option<u8> = number(flags_back, "tcp_flags_back")?;
    let tells_back = back != [None, None] || flags_back.is_some();
    Ok(FlowRecord {
        source: address(source, "src")?,
        destination: address(destination, "dst")?,
        // Protocols without ports have none to tell.
        source_port: number(source_port, "src_port")?.unwrap_or(0),
        destination_port: number(destination_port, "dst_port")?.unwrap_or(0),
        protocol: needed(number(protocol, "protocol")?, "protocol")?,
        forward: volume(there.map(Some), number(flags, "tcp_flags")?),
        reverse: tells_back.then(|| volume(back, flags_back)),
        start,
        end,
        sampling: number(sampling, "sampling")?.unwrap_or(0),
    })
}

fn volume([packets, bytes]: [Option<u64>; 2], tcp_flags: Option<u8>) -> Volume {
    Volume { packets: packets.unwrap_or(0), bytes: bytes.unwrap_or(0), tcp_flags: tcp_flags.unwrap_or(0) }
}

fn number<T: TryFrom<u64>>(cell: Cell, name: &'static str) -> Result<Option<T>, Reason> {
    match cell {
        Cell::Null => Ok(None),
        Cell::Number(number) => T::try_from(number).map(Some).map_err(|_| Reason::BadValue(name)),
        _ => Err(Reason::BadValue(name)),
    }
}

fn time(cell: Cell, name: &'static str) -> Result<Option<Timestamp>, Reason> {
    match cell {
        Cell::Null => Ok(None),
        Cell::Time(micros) => Ok(Some(Timestamp::from_micros(micros))),
        _ => Err(Reason::BadValue(name)),
    }
}

fn address(cell: Cell, name: &'static str) -> Result<IpAddr, Reason> {
    match cell {
        Cell::Null => Err(Reason::MissingValue(name)),
        Cell::Address(address) => Ok(address),
        _ => Err(Reason::BadValue(name)),
    }
}

fn needed<T>(value: Option<T>, name: &'static str) -> Result<T, Reason> {
    value.ok_or(Reason::MissingValue(name))
}
