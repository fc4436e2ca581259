//! Kinds of device in few enough families that their colours can be told apart.

use hinomi_model::DeviceKind;

/// A family of kinds; one colour on every picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Routers, switches, firewalls.
    Network,
    /// Cameras and recorders.
    Eye,
    /// Plant, building and energy control.
    Plant,
    /// Hubs and brokers of sensors.
    Hub,
    /// Storage, printers, telephones, media.
    Office,
    /// Servers and their management.
    Server,
    /// Made to look like a device.
    Decoy,
    /// Something answers; what it is, is not known.
    Unknown,
}

impl Family {
    /// Every family, in the order of the legend.
    pub const ALL: [Self; 8] =
        [Self::Network, Self::Eye, Self::Plant, Self::Hub, Self::Office, Self::Server, Self::Decoy, Self::Unknown];

    /// The family of a kind of device.
    pub const fn of(kind: Option<DeviceKind>) -> Self {
        match kind {
            Some(DeviceKind::Router | DeviceKind::Network | DeviceKind::Firewall) => Self::Network,
            Some(DeviceKind::Camera | DeviceKind::Recorder) => Self::Eye,
            Some(DeviceKind::Controller | DeviceKind::Building | DeviceKind::Energy) => Self::Plant,
            Some(DeviceKind::Gateway) => Self::Hub,
            Some(DeviceKind::Nas | DeviceKind::Printer | DeviceKind::Voice | DeviceKind::Media) => Self::Office,
            Some(DeviceKind::Server | DeviceKind::Management) => Self::Server,
            Some(DeviceKind::Decoy) => Self::Decoy,
            _ => Self::Unknown,
        }
    }

    /// Its name in style sheets and catalogues.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Eye => "eye",
            Self::Plant => "plant",
            Self::Hub => "hub",
            Self::Office => "office",
            Self::Server => "server",
            Self::Decoy => "decoy",
            Self::Unknown => "unknown",
        }
    }
}
