//! What a perfect survey would find.

use std::net::IpAddr;

use hinomi_model::{DeviceKind, Protocol, Transport};
use serde::{Deserialize, Serialize};

use crate::host::Host;
use crate::persona::{Reveals, Service};
use crate::template::{Vars, render};

/// One service of the town, and what a perfect identification would say of it from the wire alone: what the service
/// does not give away is `None`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Truth {
    /// Where it is reached.
    pub address: IpAddr,
    /// The port it really listens on.
    pub port: u16,
    /// Over what.
    pub transport: Transport,
    /// What it speaks, inside TLS if [`Truth::tls`]. `None`: nothing that has a name (a tarpit, say).
    pub protocol: Option<Protocol>,
    /// Whether it speaks inside TLS.
    pub tls: bool,
    /// Maker of the device, or of the program where that names itself.
    pub vendor: Option<String>,
    /// Model of the device, or the program.
    pub product: Option<String>,
    /// Firmware of the device, or version of the program.
    pub version: Option<String>,
    /// Model of the device.
    pub model: Option<String>,
    /// Firmware of the device.
    pub firmware: Option<String>,
    /// Kind of device.
    pub kind: Option<DeviceKind>,
    /// Planted faults that excuse a difference.
    pub faults: Vec<String>,
    /// Which persona answers.
    pub persona: String,
    /// Which variant of it: the planted mistake, as `telnet-open`, or `ordinary`.
    pub variant: String,
}

impl Truth {
    /// What is true of this service of this host. `service` is `None` for a port of a host that has every port open.
    pub(crate) fn of(host: &Host, service: Option<&Service>, vars: &Vars, address: IpAddr, port: u16) -> Self {
        let mut truth = Self {
            address,
            port,
            transport: service.map_or(Transport::Tcp, |service| service.transport),
            protocol: None,
            tls: false,
            vendor: None,
            product: None,
            version: None,
            model: None,
            firmware: None,
            kind: None,
            faults: host.faults(),
            persona: host.persona.id.clone(),
            variant: host.variant.name.clone(),
        };
        if let Some(service) = service {
            truth.protocol = service.speech.protocol().and_then(|name| name.parse().ok());
            truth.tls = service.tls;
            truth.reveal(host, service, vars);
        }
        truth
    }

    fn reveal(&mut self, host: &Host, service: &Service, vars: &Vars) {
        for revealed in &service.says {
            match revealed {
                Reveals::Maker => self.vendor = Some(host.persona.maker.clone()),
                Reveals::Model => {
                    self.product = Some(host.persona.model.clone());
                    self.model = Some(host.persona.model.clone());
                    self.kind = Some(host.persona.kind);
                }
                Reveals::Firmware => {
                    self.version = Some(host.firmware.version.clone());
                    self.firmware = Some(host.firmware.version.clone());
                }
            }
        }
        if let Some(software) = &service.software {
            self.vendor = Some(render(&software.vendor, vars));
            self.product = Some(render(&software.product, vars));
            self.version = software.version.as_ref().map(|version| render(version, vars));
        }
    }
}
