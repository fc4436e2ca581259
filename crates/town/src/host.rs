//! One host on one day: everything that follows from its address.

use std::net::Ipv4Addr;

use hinomi_model::Transport;

use crate::mix;
use crate::persona::{Fault, Firmware, Persona, Service, Variant};
use crate::template::Vars;

/// Days between releases that a diligent owner installs, at least.
const UPGRADE_PERIOD_MIN_DAYS: u64 = 30;
/// The spread of that period.
const UPGRADE_PERIOD_SPREAD_DAYS: u64 = 120;
/// Of ten owners, how many never upgrade.
const NEVER_UPGRADE_OF_TEN: u64 = 4;

/// A host that is at home on the day it was made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host {
    pub(crate) seed: u64,
    pub(crate) day: u32,
    /// Its own address. In [`crate::Layout::Single`] it is reached by another, but is still made from this one.
    pub(crate) address: Ipv4Addr,
    pub(crate) persona: &'static Persona,
    pub(crate) variant: &'static Variant,
    pub(crate) firmware: &'static Firmware,
}

impl Host {
    /// The host of this persona and variant. `None` only for a persona without firmware, which its parser refuses.
    pub(crate) fn new(
        seed: u64,
        day: u32,
        address: Ipv4Addr,
        persona: &'static Persona,
        variant: &'static Variant,
    ) -> Option<Self> {
        let firmware = persona.firmware.get(firmware_index(seed, day, address, persona.firmware.len()))?;
        Some(Self { seed, day, address, persona, variant, firmware })
    }

    /// 32 bytes of its own for this purpose.
    pub(crate) fn secret(&self, purpose: &str) -> [u8; 32] {
        mix::secret(self.seed, self.address, purpose)
    }

    /// Its fault, if it has one.
    pub(crate) const fn fault(&self) -> Option<Fault> {
        self.variant.fault
    }

    /// Whether it answers on every TCP port of the town.
    pub(crate) fn is_every_port(&self) -> bool {
        self.fault() == Some(Fault::EveryPort)
    }

    /// Its services with their natural ports. Empty for a host with every port open.
    pub(crate) fn services(&self) -> impl Iterator<Item = (&'static Service, u16)> + use<> {
        self.persona.active(self.variant)
    }

    /// The service at a natural port.
    pub(crate) fn service_at(&self, transport: Transport, natural: u16) -> Option<&'static Service> {
        let mut services = self.services();
        services.find(|(service, port)| service.transport == transport && *port == natural).map(|(service, _)| service)
    }

    /// The planted faults, as the truth lists them.
    pub(crate) fn faults(&self) -> Vec<String> {
        let own = self.fault().map(|fault| fault.name().to_owned());
        own.into_iter().chain(self.variant.faults.iter().cloned()).collect()
    }

    /// Hardware address.
    pub(crate) fn mac(&self) -> Vec<u8> {
        let mut mac = self.persona.mac_prefix().unwrap_or_default();
        mac.extend(self.secret("mac").into_iter().take(3));
        mac
    }

    /// What its texts may name, without the ports, which [`crate::plan::Plan::vars`] adds.
    pub(crate) fn vars(&self) -> Vars {
        let mac = self.mac();
        let bare = mix::hex(&mac);
        let tail = bare.get(6..).unwrap_or_default();
        let mut vars = Vars::new();
        let mut set = |name: &str, value: String| vars.insert(name.to_owned(), value);
        set("maker", self.persona.maker.clone());
        set("model", self.persona.model.clone());
        set("kind", self.persona.kind.name().to_owned());
        set("firmware", self.firmware.version.clone());
        set("serial", self.serial());
        set("mac", mac.iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(":"));
        set("host", format!("{}-{tail}", self.persona.id));
        set("uuid", uuid(&self.secret("uuid"), &bare));
        set("mac_bare", bare.clone());
        for (name, value) in &self.firmware.vars {
            set(name, value.clone());
        }
        vars
    }

    /// `#` becomes a digit, `@` a letter.
    fn serial(&self) -> String {
        let mut bytes = self.secret("serial").into_iter();
        let mut next = || bytes.next().unwrap_or(0);
        let letter = |pattern: char, byte: u8| match pattern {
            '#' => char::from(b'0' + byte % 10),
            _ => char::from(b'A' + byte % 26),
        };
        let pattern = self.persona.serial.chars();
        pattern.map(|c| if matches!(c, '#' | '@') { letter(c, next()) } else { c }).collect()
    }
}

fn uuid(secret: &[u8; 32], node: &str) -> String {
    let hex = mix::hex(secret);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    format!("{}-{}-1{}-8{}-{node}", part(0, 8), part(8, 12), part(12, 15), part(15, 18))
}

/// Which release a host runs: it starts somewhere and, unless its owner never upgrades, moves on now and then.
fn firmware_index(seed: u64, day: u32, address: Ipv4Addr, releases: usize) -> usize {
    let draw = mix::number(&mix::secret(seed, address, "firmware"));
    let releases = releases as u64;
    let start = (draw & 0xffff) % releases.max(1);
    if (draw >> 16) % 10 < NEVER_UPGRADE_OF_TEN {
        return start as usize;
    }
    let period = UPGRADE_PERIOD_MIN_DAYS + (draw >> 24) % UPGRADE_PERIOD_SPREAD_DAYS;
    let phase = (draw >> 40) % period;
    let upgrades = (u64::from(day) + phase) / period;
    (start + upgrades).min(releases.saturating_sub(1)) as usize
}
