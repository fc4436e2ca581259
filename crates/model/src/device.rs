//! The product behind services: maker, model, firmware, kind.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What sort of thing answers. The text form is stored and searched (`kind:camera`): never rename, only add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DeviceKind {
    /// Home or office router, modem, gateway.
    Router,
    /// Switch, access point, wireless bridge.
    Network,
    /// Firewall or VPN gateway.
    Firewall,
    /// Network camera.
    Camera,
    /// Digital or network video recorder.
    Recorder,
    /// Network storage.
    Nas,
    /// Printer or multi-function printer.
    Printer,
    /// Programmable controller, remote terminal unit and other plant control.
    Controller,
    /// Building automation: air, light, meters, ECHONET Lite gateways.
    Building,
    /// Solar and power loggers, inverters.
    Energy,
    /// Broker or hub that speaks for sensors.
    Gateway,
    /// Telephone, PBX, session border controller.
    Voice,
    /// Television, set-top box, media server.
    Media,
    /// Board management controller, KVM, power strip.
    Management,
    /// A general-purpose server.
    Server,
    /// Something made to look like a device.
    Decoy,
}

/// Every kind with its stored name.
const KINDS: &[(DeviceKind, &str)] = &[
    (DeviceKind::Router, "router"),
    (DeviceKind::Network, "network"),
    (DeviceKind::Firewall, "firewall"),
    (DeviceKind::Camera, "camera"),
    (DeviceKind::Recorder, "recorder"),
    (DeviceKind::Nas, "nas"),
    (DeviceKind::Printer, "printer"),
    (DeviceKind::Controller, "controller"),
    (DeviceKind::Building, "building"),
    (DeviceKind::Energy, "energy"),
    (DeviceKind::Gateway, "gateway"),
    (DeviceKind::Voice, "voice"),
    (DeviceKind::Media, "media"),
    (DeviceKind::Management, "management"),
    (DeviceKind::Server, "server"),
    (DeviceKind::Decoy, "decoy"),
];

impl DeviceKind {
    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        KINDS.iter().map(|(kind, _)| *kind)
    }

    /// The stored name.
    pub fn name(self) -> &'static str {
        KINDS.iter().find(|(kind, _)| *kind == self).map_or("server", |(_, name)| name)
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no kind of device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is no kind of device; kinds are router, camera, recorder, nas, printer, controller and so on")]
pub struct UnknownDeviceKind {
    /// What was given.
    pub name: String,
}

impl FromStr for DeviceKind {
    type Err = UnknownDeviceKind;

    fn from_str(text: &str) -> Result<Self, UnknownDeviceKind> {
        let found = KINDS.iter().find(|(_, name)| *name == text);
        found.map(|(kind, _)| *kind).ok_or_else(|| UnknownDeviceKind { name: text.chars().take(64).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_name_that_reads_back() {
        for kind in DeviceKind::all() {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).expect("a string"), format!("\"{}\"", kind.name()));
        }
    }
}
