//! The pass `churn`: of each network, what appeared, went away and became something else.
//!
//! A network is a /24, or a /48 of IPv6. A service appears when it answers for the first time or after it was found
//! closed, goes away when it is found closed after it answered, and changes when one sensor sees other content than the
//! last time it answered that sensor. Shares cut networks, so what two of them count is added.
//!
//! At a hundred times the data rows follow networks, memory the services of one port of one address.

use std::collections::BTreeMap;

use hinomi_model::address::{from_u128, to_u128};
use hinomi_model::{ContentHash, Outcome, SensorId, Transport};

use super::output::Shown;
use super::presence::each_look;
use super::row::{self, Cell, KEY, Row, torn};
use super::{Emit, Pass, Share, Source};
use crate::error::LakeError;
use crate::looks::OneLook;
use crate::sightings::halves;
use crate::table::definition::{Column, Definition, Kind};

static PARTIAL: Definition = Definition {
    name: "churn",
    description: "Partial rows of the pass churn.",
    columns: &[&[
        Column::new(KEY, Kind::Bytes),
        Column::new("first", Kind::Long),
        Column::new("last", Kind::Long),
        Column::new("addresses", Kind::Long),
        Column::new("services", Kind::Long),
        Column::new("looks", Kind::Long),
        Column::new("opened", Kind::Long),
        Column::new("closed", Kind::Long),
        Column::new("changed", Kind::Long),
    ]],
    sorted_by: &[KEY],
    format: 1,
};

static RESULT: Definition = Definition {
    name: "churn",
    description: "Of each network what appeared, went away and changed. The result of the pass churn.",
    columns: &[&[
        Column::new("prefix", Kind::Text),
        Column::new("address_high", Kind::Long),
        Column::new("address_low", Kind::Long),
        Column::new("first_look", Kind::Time),
        Column::new("last_look", Kind::Time),
        Column::new("addresses", Kind::Long),
        Column::new("services", Kind::Long),
        Column::new("observations", Kind::Long),
        Column::new("opened", Kind::Long),
        Column::new("closed", Kind::Long),
        Column::new("changed", Kind::Long),
    ]],
    sorted_by: &["address_high", "address_low"],
    format: 1,
};

/// The places that are added; the two before are the first and the last look.
const SUMS: [usize; 6] = [2, 3, 4, 5, 6, 7];

/// The pass.
pub(super) struct Churn;

impl Pass for Churn {
    fn version(&self) -> u32 {
        1
    }

    fn partial(&self) -> &'static Definition {
        &PARTIAL
    }

    fn map(&self, share: &Share, source: &Source<'_>, emit: &mut Emit<'_>) -> Result<(), LakeError> {
        let mut here: Option<Network> = None;
        each_look(share, source, &mut |look, new_place| {
            let address = to_u128(look.run.first.subject.address);
            let key = network_of(address);
            if let Some(done) = here.take_if(|here| here.key != key) {
                emit(done.row())?;
            }
            here.get_or_insert_with(|| Network::new(key)).take(look, address, new_place);
            Ok(())
        })?;
        here.map_or(Ok(()), |last| emit(last.row()))
    }

    fn merge(&self, into: &mut Row, other: Row) -> Result<(), LakeError> {
        row::combine(into, &other, &[0], i64::min)?;
        row::combine(into, &other, &[1], i64::max)?;
        row::add(into, &other, &SUMS)
    }
}

impl Shown for Churn {
    fn result(&self) -> &'static Definition {
        &RESULT
    }

    fn shown(&self, row: &Row) -> Result<Vec<Cell>, LakeError> {
        let key: [u8; 16] = row.key.as_slice().try_into().map_err(|_| torn())?;
        let address = from_u128(u128::from_be_bytes(key));
        let length = if address.is_ipv4() { 24 } else { 48 };
        let mut cells = vec![
            Cell::Text(format!("{address}/{length}")),
            Cell::Long(halves(address).0),
            Cell::Long(halves(address).1),
        ];
        cells.extend(row.cells.iter().cloned());
        Ok(cells)
    }
}

/// The first address of the network of this one.
fn network_of(address: u128) -> u128 {
    let bits = if from_u128(address).is_ipv4() { 8 } else { 80 };
    address >> bits << bits
}

/// What the looks at one network come to.
struct Network {
    key: u128,
    first: i64,
    last: i64,
    sums: [i64; 6],
    address: Option<u128>,
    there: BTreeMap<Transport, bool>,
    contents: BTreeMap<(Transport, SensorId), ContentHash>,
}

impl Network {
    fn new(key: u128) -> Self {
        let (there, contents) = (BTreeMap::new(), BTreeMap::new());
        Self { key, first: i64::MAX, last: i64::MIN, sums: [0; 6], address: None, there, contents }
    }

    fn take(&mut self, look: &OneLook, address: u128, new_place: bool) {
        let [addresses, services, looks, opened, closed, changed] = &mut self.sums;
        if self.address.replace(address) != Some(address) {
            *addresses += 1;
        }
        if new_place {
            self.there.clear();
            self.contents.clear();
        }
        let (seen, micros) = (&look.run.first, look.time.as_micros());
        (self.first, self.last) = (self.first.min(micros), self.last.max(micros));
        *looks += 1;
        let transport = seen.subject.transport;
        *services += i64::from(!self.there.contains_key(&transport));
        let there = self.there.entry(transport).or_insert(false);
        match seen.outcome {
            Outcome::Open => {
                *opened += i64::from(!*there);
                *there = true;
                let before = self.contents.insert((transport, seen.sensor.clone()), look.run.content);
                *changed += i64::from(before.is_some_and(|before| before != look.run.content));
            }
            Outcome::Closed => {
                *closed += i64::from(*there);
                *there = false;
            }
            _ => {}
        }
    }

    fn row(self) -> Row {
        let cells = [self.first, self.last].into_iter().chain(self.sums).map(Cell::Long).collect();
        Row { key: self.key.to_be_bytes().to_vec(), cells }
    }
}
