//! What services speak, protocol by protocol: one struct for each table of a persona's file.

use std::collections::BTreeMap;

use hinomi_model::Transport;
use serde::Deserialize;

/// What a service speaks.
#[derive(Clone, Debug)]
pub(crate) enum Speech {
    Http(Box<HttpSpeech>),
    Ssh(SshSpeech),
    Telnet(TelnetSpeech),
    Ftp(FtpSpeech),
    Smtp(SmtpSpeech),
    Rtsp(RtspSpeech),
    Mqtt(MqttSpeech),
    Redis(RedisSpeech),
    Modbus(ModbusSpeech),
    Dns(DnsSpeech),
    Ntp(NtpSpeech),
    Snmp(SnmpSpeech),
    Ssdp(SsdpSpeech),
    Coap(CoapSpeech),
    Echonet(EchonetSpeech),
    Raw(RawSpeech),
}

impl Speech {
    /// The protocol's name, where it is one.
    pub(crate) const fn protocol(&self) -> Option<&'static str> {
        Some(match self {
            Self::Http(_) => "http",
            Self::Ssh(_) => "ssh",
            Self::Telnet(_) => "telnet",
            Self::Ftp(_) => "ftp",
            Self::Smtp(_) => "smtp",
            Self::Rtsp(_) => "rtsp",
            Self::Mqtt(_) => "mqtt",
            Self::Redis(_) => "redis",
            Self::Modbus(_) => "modbus",
            Self::Dns(_) => "dns",
            Self::Ntp(_) => "ntp",
            Self::Snmp(_) => "snmp",
            Self::Ssdp(_) => "ssdp",
            Self::Coap(_) => "coap",
            Self::Echonet(_) => "echonet-lite",
            Self::Raw(_) => return None,
        })
    }

    /// Over what it is spoken.
    pub(super) const fn transport(&self) -> Transport {
        match self {
            Self::Dns(_) | Self::Ntp(_) | Self::Snmp(_) | Self::Ssdp(_) | Self::Coap(_) | Self::Echonet(_) => {
                Transport::Udp
            }
            _ => Transport::Tcp,
        }
    }
}

/// `[service.http]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HttpSpeech {
    pub(crate) server: Option<String>,
    /// Asks for a password everywhere.
    pub(crate) realm: Option<String>,
    pub(crate) auth: Authentication,
    pub(crate) status: Option<u16>,
    pub(crate) location: Option<String>,
    #[serde(rename = "type")]
    pub(crate) media_type: Option<String>,
    pub(crate) headers: Vec<String>,
    pub(crate) long_header_bytes: usize,
    /// The body as bytes, instead of a page.
    pub(crate) body_hex: Option<String>,
    pub(crate) favicon: bool,
    pub(crate) page: String,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) footer: String,
    pub(crate) pages: Vec<Page>,
}

/// How a page asks for a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Authentication {
    /// RFC 7617.
    #[default]
    Basic,
    /// RFC 7616.
    Digest,
}

/// A further page of a web server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    pub(crate) path: String,
    #[serde(rename = "type")]
    pub(crate) media_type: String,
    pub(crate) page: String,
    #[serde(default)]
    pub(crate) title: String,
    #[serde(default)]
    pub(crate) text: String,
    #[serde(default)]
    pub(crate) footer: String,
    #[serde(default)]
    pub(crate) extra: BTreeMap<String, String>,
}

/// `[service.ssh]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SshSpeech {
    pub(crate) banner: String,
    pub(crate) flavour: SshFlavour,
}

/// Which program's lists of algorithms, and manner, an SSH server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SshFlavour {
    /// As OpenSSH: waits for the client's version.
    Openssh,
    /// As OpenSSH since 9.9: with hybrid exchanges first. Who chooses one is refused: this server cannot hold it.
    OpensshHybrid,
    /// As Dropbear: sends its lists at once.
    Dropbear,
    /// As an old Dropbear, with what has become weak since.
    DropbearOld,
    /// A maker's own: one algorithm each.
    Plain,
}

impl SshFlavour {
    /// Whether the lists of algorithms go out before the client has said its version.
    pub(crate) const fn sends_lists_at_once(self) -> bool {
        matches!(self, Self::Dropbear | Self::DropbearOld)
    }
}

/// `[service.telnet]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TelnetSpeech {
    pub(crate) banner: String,
    /// Negotiation sent first, as bytes.
    pub(crate) options: Option<Vec<u8>>,
}

/// `[service.ftp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FtpSpeech {
    pub(crate) greeting: String,
    pub(crate) system: String,
}

/// `[service.smtp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SmtpSpeech {
    pub(crate) greeting: String,
    #[serde(default)]
    pub(crate) extensions: Vec<String>,
}

/// `[service.rtsp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RtspSpeech {
    pub(crate) server: String,
    pub(crate) realm: String,
    pub(crate) public: String,
    /// 401: challenges OPTIONS too.
    pub(crate) status: Option<u16>,
}

/// `[service.mqtt]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MqttSpeech {
    /// 0 lets anyone connect, 5 refuses.
    pub(crate) code: u8,
}

/// `[service.redis]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedisSpeech {
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) os: String,
    /// Answers `-NOAUTH`.
    #[serde(default)]
    pub(crate) locked: bool,
}

/// `[service.modbus]`: objects of the device identification, in the order of their numbers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModbusSpeech {
    pub(crate) vendor: Option<String>,
    pub(crate) code: Option<String>,
    pub(crate) revision: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) product: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) application: Option<String>,
    /// Answers every request with this exception.
    pub(crate) exception: Option<u8>,
}

/// `[service.dns]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DnsSpeech {
    /// What `version.bind` says; refused when absent.
    pub(crate) version: Option<String>,
    /// Resolves for anyone.
    pub(crate) recursion: bool,
}

/// `[service.ntp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NtpSpeech {
    pub(crate) stratum: u8,
    /// Four letters, or an address.
    pub(crate) refid: String,
}

/// `[service.snmp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SnmpSpeech {
    pub(crate) enterprise: u32,
    pub(crate) engine: EngineForm,
    #[serde(default)]
    pub(crate) text: String,
}

/// What follows the enterprise in an engine's identifier (RFC 3411, SnmpEngineID).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum EngineForm {
    /// Hardware address, format 3.
    Mac,
    /// Text, format 4.
    Text,
    /// Net-SNMP's own format 128: random octets and a time.
    Octets,
}

/// `[service.ssdp]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SsdpSpeech {
    pub(crate) server: String,
    pub(crate) st: String,
    pub(crate) location: String,
}

/// `[service.coap]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CoapSpeech {
    /// Body of `/.well-known/core`, RFC 6690.
    pub(crate) links: String,
}

/// `[service.echonet]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EchonetSpeech {
    /// Six hexadecimal digits.
    pub(crate) manufacturer: String,
    /// At most twelve ASCII letters.
    pub(crate) product_code: String,
    /// Objects, six hexadecimal digits each.
    pub(crate) instances: Vec<String>,
}

/// `[service.raw]`: a greeting of no protocol; faults stand on it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSpeech {
    pub(crate) text: String,
}
