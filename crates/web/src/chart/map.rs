//! The map of the surveyed range: every address a cell on a Hilbert curve.
//!
//! Hosts are gathered into [`Panel`]s, each one prefix drawn as a square of at most [`MAX_SIDE`] cells a side. A cell is
//! one address where the prefix is small enough, else a block of addresses that takes the colour of the family it has
//! most of. With few cells each is a link; with many, blocks of cells are.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use hinomi_model::DeviceKind;

use super::Family;
use super::hilbert;
use crate::link;

/// The most cells along one side of a panel.
pub const MAX_SIDE: u32 = 64;

/// The most links along one side of a panel.
pub const MAX_LINK_SIDE: u32 = 16;

/// The most panels of one map.
pub const MAX_PANELS: usize = 6;

/// Units of the drawing for one cell, and how many of them are ink.
const CELL: u32 = 10;

/// One host on the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Where.
    pub address: Ipv4Addr,
    /// What it seems to be.
    pub kind: Option<DeviceKind>,
    /// Whether something about it wants attention.
    pub alarm: bool,
}

/// One square of the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Panel {
    /// First address of the prefix.
    pub network: Ipv4Addr,
    /// Length of the prefix.
    pub prefix_len: u8,
    /// Cells along one side.
    pub side: u32,
    /// Addresses in one cell.
    pub per_cell: u64,
    /// Hosts in it.
    pub hosts: usize,
    /// Hosts in it that want attention.
    pub alarms: usize,
    /// The ink: one path for each family that occurs.
    pub layers: Vec<Layer>,
    /// Marks on the cells that want attention.
    pub marks: Vec<Mark>,
    /// What can be clicked.
    pub links: Vec<Link>,
}

/// All cells of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Which family.
    pub family: Family,
    /// Path data.
    pub path: String,
}

/// The centre of a cell that wants attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// From the left.
    pub x: u32,
    /// From the top.
    pub y: u32,
}

/// A square that leads somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// From the left.
    pub x: u32,
    /// From the top.
    pub y: u32,
    /// Length of a side.
    pub size: u32,
    /// Where to.
    pub href: String,
    /// The address or prefix.
    pub label: String,
    /// How many hosts.
    pub hosts: usize,
    /// The kind, when it is one host of known kind.
    pub kind: Option<DeviceKind>,
    /// Whether something in it wants attention.
    pub alarm: bool,
}

impl Panel {
    /// The prefix as text.
    pub fn prefix(&self) -> String {
        format!("{}/{}", self.network, self.prefix_len)
    }

    /// Length of a side in units of the drawing.
    pub const fn extent(&self) -> u32 {
        self.side * CELL
    }

    /// The middle, where the quarters of the prefix meet.
    pub const fn middle(&self) -> u32 {
        self.side * CELL / 2
    }
}

/// What one cell holds.
#[derive(Default)]
struct Cell {
    families: BTreeMap<Family, usize>,
    alarms: usize,
    hosts: usize,
    only: Option<(Ipv4Addr, Option<DeviceKind>)>,
}

impl Cell {
    fn add(&mut self, spot: &Spot) {
        *self.families.entry(Family::of(spot.kind)).or_default() += 1;
        self.alarms += usize::from(spot.alarm);
        self.hosts += 1;
        self.only = (self.hosts == 1).then_some((spot.address, spot.kind));
    }

    fn family(&self) -> Family {
        let most = self.families.iter().max_by_key(|(family, count)| (**count, std::cmp::Reverse(**family)));
        most.map_or(Family::Unknown, |(family, _)| *family)
    }
}

/// The panels for these hosts, by address. Hosts far apart get panels of their own; when there are more neighbourhoods
/// than panels, the most populous are drawn.
pub fn panels(spots: &[Spot]) -> Vec<Panel> {
    let mut groups = neighbourhoods(spots);
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups.truncate(MAX_PANELS);
    groups.sort_by_key(|group| group.first().map(|spot| spot.address));
    groups.iter().map(|group| panel(group)).collect()
}

/// One group when a prefix of 16 bits or more covers all, else one for each /16.
fn neighbourhoods(spots: &[Spot]) -> Vec<Vec<&Spot>> {
    let mut by_sixteen: BTreeMap<u32, Vec<&Spot>> = BTreeMap::new();
    for spot in spots {
        by_sixteen.entry(u32::from(spot.address) >> 16).or_default().push(spot);
    }
    for group in by_sixteen.values_mut() {
        group.sort_by_key(|spot| spot.address);
    }
    by_sixteen.into_values().collect()
}

/// The smallest prefix of even length, at most /24, that covers all; whole squares need even lengths.
fn cover(group: &[&Spot]) -> (u32, u8) {
    let first = group.first().map_or(0, |spot| u32::from(spot.address));
    let last = group.last().map_or(0, |spot| u32::from(spot.address));
    let common = (first ^ last).leading_zeros().min(24);
    let length = common - common % 2;
    let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
    (first & mask, u8::try_from(length).unwrap_or(0))
}

fn panel(group: &[&Spot]) -> Panel {
    let (network, prefix_len) = cover(group);
    let host_bits = 32 - u32::from(prefix_len);
    let side = (1 << (host_bits / 2)).min(MAX_SIDE);
    let cell_bits = host_bits - 2 * side.ilog2();
    let cells = fill(group, network, cell_bits);
    Panel {
        network: network.into(),
        prefix_len,
        side,
        per_cell: 1 << cell_bits,
        hosts: group.len(),
        alarms: group.iter().filter(|spot| spot.alarm).count(),
        layers: layers(&cells, side),
        marks: marks(&cells, side),
        links: links(group, network, side, host_bits),
    }
}

fn fill(group: &[&Spot], network: u32, cell_bits: u32) -> BTreeMap<u32, Cell> {
    let mut cells: BTreeMap<u32, Cell> = BTreeMap::new();
    for spot in group {
        let offset = u32::from(spot.address).wrapping_sub(network);
        cells.entry(offset.checked_shr(cell_bits).unwrap_or(0)).or_default().add(spot);
    }
    cells
}

fn layers(cells: &BTreeMap<u32, Cell>, side: u32) -> Vec<Layer> {
    let mut paths: BTreeMap<Family, String> = BTreeMap::new();
    for (index, cell) in cells {
        let (column, row) = hilbert::place(side, *index);
        let square = format!("M{} {}h8v8h-8z", column * CELL + 1, row * CELL + 1);
        paths.entry(cell.family()).or_default().push_str(&square);
    }
    paths.into_iter().map(|(family, path)| Layer { family, path }).collect()
}

fn marks(cells: &BTreeMap<u32, Cell>, side: u32) -> Vec<Mark> {
    let alarmed = cells.iter().filter(|(_, cell)| cell.alarms > 0);
    let centre = |index: u32| {
        let (column, row) = hilbert::place(side, index);
        Mark { x: column * CELL + CELL / 2, y: row * CELL + CELL / 2 }
    };
    alarmed.map(|(index, _)| centre(*index)).collect()
}

fn links(group: &[&Spot], network: u32, side: u32, host_bits: u32) -> Vec<Link> {
    let link_side = side.min(MAX_LINK_SIDE);
    let block_bits = host_bits - 2 * link_side.ilog2();
    let size = side / link_side * CELL;
    let blocks = fill(group, network, block_bits);
    blocks.iter().map(|(index, block)| link_to(block, *index, network, block_bits, link_side, size)).collect()
}

fn link_to(block: &Cell, index: u32, network: u32, block_bits: u32, link_side: u32, size: u32) -> Link {
    let (column, row) = hilbert::place(link_side, index);
    let (href, label, kind) = match block.only {
        Some((address, kind)) => (link::host(IpAddr::V4(address)), address.to_string(), kind),
        None => {
            let first = Ipv4Addr::from(network | index.checked_shl(block_bits).unwrap_or(0));
            let prefix = format!("{first}/{}", 32 - block_bits);
            (link::search(&link::term("net", &prefix)), prefix, None)
        }
    };
    Link { x: column * size, y: row * size, size, href, label, hosts: block.hosts, kind, alarm: block.alarms > 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(address: [u8; 4], kind: DeviceKind, alarm: bool) -> Spot {
        Spot { address: address.into(), kind: Some(kind), alarm }
    }

    #[test]
    fn a_small_range_links_each_host() {
        let spots = [spot([192, 0, 2, 1], DeviceKind::Camera, true), spot([192, 0, 2, 200], DeviceKind::Router, false)];
        let panels = panels(&spots);
        let [panel] = panels.as_slice() else { panic!("one panel: {panels:?}") };
        assert_eq!((panel.prefix().as_str(), panel.side, panel.per_cell), ("192.0.2.0/24", 16, 1));
        assert_eq!((panel.hosts, panel.alarms, panel.marks.len()), (2, 1, 1));
        let hrefs: Vec<_> = panel.links.iter().map(|link| link.href.as_str()).collect();
        assert_eq!(hrefs, ["/hosts/192.0.2.1", "/hosts/192.0.2.200"]);
    }

    #[test]
    fn a_large_range_links_blocks_and_keeps_every_host() {
        let spots: Vec<_> = (0..=65_535u32)
            .map(|host| Spot { address: Ipv4Addr::from(0x7f4d_0000 | host), kind: None, alarm: host == 300 })
            .collect();
        let panels = panels(&spots);
        let [panel] = panels.as_slice() else { panic!("one panel") };
        assert_eq!((panel.side, panel.per_cell, panel.links.len()), (64, 16, 256));
        assert_eq!(panel.links.iter().map(|link| link.hosts).sum::<usize>(), 65_536);
        assert_eq!(panel.links.iter().filter(|link| link.alarm).count(), 1);
        assert_eq!(panel.links[0].href, "/search?q=net%3A127.77.0.0%2F24");
    }

    #[test]
    fn hosts_far_apart_get_panels_of_their_own() {
        let spots: Vec<_> = (0..9).map(|second| spot([10, second, 0, 1], DeviceKind::Nas, false)).collect();
        assert_eq!(panels(&spots).len(), MAX_PANELS);
        assert!(panels(&[]).is_empty());
    }
}
