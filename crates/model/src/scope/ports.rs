//! A set of ports, written `22,80-90,8443`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Ports 1 to 65535, as sorted ranges that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortSet(Vec<(u16, u16)>);

/// A text that is no set of ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part:?} is not a port or a range of ports between 1 and 65535, as 443 or 8000-8100")]
pub struct PortsError {
    /// The part that could not be read.
    pub part: String,
}

impl PortSet {
    /// Whether the port is in the set.
    pub fn contains(&self, port: u16) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= port);
        after > 0 && self.0.get(after - 1).is_some_and(|(_, last)| port <= *last)
    }

    /// Every port, rising.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        self.0.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// How many ports.
    pub fn len(&self) -> usize {
        self.0.iter().map(|(first, last)| usize::from(last - first) + 1).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<u16> for PortSet {
    fn from_iter<I: IntoIterator<Item = u16>>(ports: I) -> Self {
        merge(ports.into_iter().filter(|port| *port > 0).map(|port| (port, port)).collect())
    }
}

fn merge(mut ranges: Vec<(u16, u16)>) -> PortSet {
    ranges.sort_unstable();
    let mut merged: Vec<(u16, u16)> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(previous) if u32::from(first) <= u32::from(previous.1) + 1 => previous.1 = previous.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    PortSet(merged)
}

impl FromStr for PortSet {
    type Err = PortsError;

    fn from_str(text: &str) -> Result<Self, PortsError> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(read_range).collect::<Result<_, _>>().map(merge)
    }
}

fn read_range(part: &str) -> Result<(u16, u16), PortsError> {
    let refuse = || PortsError { part: part.chars().take(32).collect() };
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let first: u16 = first.trim().parse().map_err(|_| refuse())?;
    let last: u16 = last.trim().parse().map_err(|_| refuse())?;
    if first == 0 || first > last {
        return Err(refuse());
    }
    Ok((first, last))
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (first, last)) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            match first == last {
                true => write!(f, "{comma}{first}")?,
                false => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl Serialize for PortSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PortSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
