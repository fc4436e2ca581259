//! Personas as their files write them. The keys are explained in `personas/README.md`.
//!
//! [`Persona::parse`] is the door: what comes out of it is consistent (every name that a variant uses exists, every
//! service speaks exactly one protocol, shares add up to at most one).

mod service;
mod speech;

use std::collections::BTreeMap;

use hinomi_model::DeviceKind;
use serde::Deserialize;

pub(crate) use service::{Reveals, Service};
pub(crate) use speech::{
    Authentication, CoapSpeech, DnsSpeech, EchonetSpeech, EngineForm, FtpSpeech, HttpSpeech, ModbusSpeech, MqttSpeech,
    NtpSpeech, RedisSpeech, RtspSpeech, SmtpSpeech, SnmpSpeech, Speech, SsdpSpeech, SshFlavour, SshSpeech,
    TelnetSpeech,
};

use crate::error::TownError;

/// One sort of device.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Persona {
    pub(crate) id: String,
    pub(crate) maker: String,
    pub(crate) model: String,
    pub(crate) kind: DeviceKind,
    pub(crate) weight: u32,
    pub(crate) serial: String,
    pub(crate) mac: String,
    pub(crate) firmware: Vec<Firmware>,
    pub(crate) certificate: Option<CertificateTemplate>,
    #[serde(rename = "service")]
    pub(crate) services: Vec<Service>,
    /// After [`Persona::parse`] the first is the ordinary one, with whatever share the others leave.
    #[serde(rename = "variant", default)]
    pub(crate) variants: Vec<Variant>,
}

/// One release of a device's firmware, with the variables that go with it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Firmware {
    pub(crate) version: String,
    #[serde(flatten)]
    pub(crate) vars: BTreeMap<String, String>,
}

/// How a device's certificate looks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CertificateTemplate {
    pub(crate) cn: String,
    #[serde(default)]
    pub(crate) org: String,
    #[serde(default)]
    pub(crate) names: Vec<String>,
    /// Validity.
    pub(crate) days: u32,
    /// Issued at most so many days before day 0.
    pub(crate) age: u32,
    /// Common name of the issuer; self-signed when empty.
    #[serde(default)]
    pub(crate) issuer: String,
}

/// A way in which some of a persona's hosts differ from the others.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) share: f64,
    #[serde(default)]
    pub(crate) add: Vec<String>,
    #[serde(default)]
    pub(crate) drop: Vec<String>,
    #[serde(default)]
    pub(crate) ports: BTreeMap<String, u16>,
    #[serde(default)]
    pub(crate) expired: bool,
    pub(crate) fault: Option<Fault>,
    #[serde(default)]
    pub(crate) faults: Vec<String>,
}

/// What a host does instead of serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// One byte every few seconds.
    Tarpit,
    /// A banner without end.
    Endless,
    /// Every TCP port of the town is open: silent, or the same nonsense everywhere.
    EveryPort,
    /// Garbage after the ClientHello.
    TlsGarbage,
    /// A ServerHello that breaks off.
    TlsTruncated,
    /// A reset right after the connection.
    Reset,
}

impl Fault {
    /// As the truth writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tarpit => "tarpit",
            Self::Endless => "endless",
            Self::EveryPort => "every-port",
            Self::TlsGarbage => "tls-garbage",
            Self::TlsTruncated => "tls-truncated",
            Self::Reset => "reset",
        }
    }
}

impl Persona {
    /// Reads and checks one file.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, TownError> {
        let refuse = |reason: String| TownError::Persona { file: file.to_owned(), reason };
        let mut persona: Self = toml::from_str(text).map_err(|error| refuse(error.to_string()))?;
        persona.check().map_err(refuse)?;
        persona.add_ordinary_variant();
        Ok(persona)
    }

    fn check(&self) -> Result<(), String> {
        if self.weight == 0 || self.firmware.is_empty() {
            return Err("weight and firmware must not be empty".into());
        }
        if self.mac_prefix().is_none() {
            return Err(format!("mac {:?} is not three octets as 0a:4b:61", self.mac));
        }
        let shares: f64 = self.variants.iter().map(|variant| variant.share).sum();
        if !(0.0..=1.000_001).contains(&shares) {
            return Err(format!("the shares of its variants add up to {shares}"));
        }
        for service in &self.services {
            service.check(self.certificate.is_some())?;
        }
        self.variants.iter().try_for_each(|variant| self.check_variant(variant))
    }

    fn check_variant(&self, variant: &Variant) -> Result<(), String> {
        let named = variant.add.iter().chain(&variant.drop).chain(variant.ports.keys());
        match named.into_iter().find(|name| self.service(name).is_none()) {
            Some(name) => Err(format!("variant {} names {name:?}, which is no service", variant.name)),
            None => Ok(()),
        }
    }

    fn add_ordinary_variant(&mut self) {
        let taken: f64 = self.variants.iter().map(|variant| variant.share).sum();
        let ordinary = Variant { name: "ordinary".into(), share: (1.0 - taken).max(0.0), ..Variant::default() };
        self.variants.insert(0, ordinary);
    }

    pub(crate) fn service(&self, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.name == name)
    }

    /// The first three octets of its hardware addresses.
    pub(crate) fn mac_prefix(&self) -> Option<Vec<u8>> {
        let octets: Option<Vec<u8>> = self.mac.split(':').map(|part| u8::from_str_radix(part, 16).ok()).collect();
        octets.filter(|octets| octets.len() == 3)
    }

    /// The services that hosts of this variant have, with their natural ports.
    pub(crate) fn active<'a>(&'a self, variant: &'a Variant) -> impl Iterator<Item = (&'a Service, u16)> {
        let on = move |service: &&Service| match service.off {
            true => variant.add.contains(&service.name),
            false => !variant.drop.contains(&service.name),
        };
        self.services.iter().filter(on).map(|service| {
            let moved = variant.ports.get(&service.name).copied();
            (service, moved.unwrap_or(service.port))
        })
    }
}
