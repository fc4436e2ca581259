//! One service of a persona: where it listens, what it says, what that gives away.

use hinomi_model::Transport;
use serde::Deserialize;

use super::speech::{
    CoapSpeech, DnsSpeech, EchonetSpeech, FtpSpeech, HttpSpeech, ModbusSpeech, MqttSpeech, NtpSpeech, RawSpeech,
    RedisSpeech, RtspSpeech, SmtpSpeech, SnmpSpeech, Speech, SsdpSpeech, SshSpeech, TelnetSpeech,
};

/// A service as its table writes it, one protocol table checked out into [`Speech`].
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "ServiceTable")]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) transport: Transport,
    pub(crate) tls: bool,
    /// Nothing newer than TLS 1.2.
    pub(crate) tls12: bool,
    /// Only where a variant adds it.
    pub(crate) off: bool,
    pub(crate) says: Vec<Reveals>,
    pub(crate) software: Option<Software>,
    pub(crate) speech: Speech,
}

/// What of the device a service gives away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reveals {
    /// Vendor.
    Maker,
    /// Product, model and kind.
    Model,
    /// Version and firmware.
    Firmware,
}

/// A program that names itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Software {
    pub(crate) vendor: String,
    pub(crate) product: String,
    pub(crate) version: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceTable {
    name: String,
    port: u16,
    transport: Option<Transport>,
    #[serde(default)]
    tls: bool,
    #[serde(default)]
    tls12: bool,
    #[serde(default)]
    off: bool,
    #[serde(default)]
    says: Vec<Reveals>,
    software: Option<Software>,
    http: Option<Box<HttpSpeech>>,
    ssh: Option<SshSpeech>,
    telnet: Option<TelnetSpeech>,
    ftp: Option<FtpSpeech>,
    smtp: Option<SmtpSpeech>,
    rtsp: Option<RtspSpeech>,
    mqtt: Option<MqttSpeech>,
    redis: Option<RedisSpeech>,
    modbus: Option<ModbusSpeech>,
    dns: Option<DnsSpeech>,
    ntp: Option<NtpSpeech>,
    snmp: Option<SnmpSpeech>,
    ssdp: Option<SsdpSpeech>,
    coap: Option<CoapSpeech>,
    echonet: Option<EchonetSpeech>,
    raw: Option<RawSpeech>,
}

impl TryFrom<ServiceTable> for Service {
    type Error = String;

    fn try_from(table: ServiceTable) -> Result<Self, String> {
        let speeches = [
            table.http.map(Speech::Http),
            table.ssh.map(Speech::Ssh),
            table.telnet.map(Speech::Telnet),
            table.ftp.map(Speech::Ftp),
            table.smtp.map(Speech::Smtp),
            table.rtsp.map(Speech::Rtsp),
            table.mqtt.map(Speech::Mqtt),
            table.redis.map(Speech::Redis),
            table.modbus.map(Speech::Modbus),
            table.dns.map(Speech::Dns),
            table.ntp.map(Speech::Ntp),
            table.snmp.map(Speech::Snmp),
            table.ssdp.map(Speech::Ssdp),
            table.coap.map(Speech::Coap),
            table.echonet.map(Speech::Echonet),
            table.raw.map(Speech::Raw),
        ];
        let mut spoken = speeches.into_iter().flatten();
        let (Some(speech), None) = (spoken.next(), spoken.next()) else {
            return Err(format!("service {:?} must speak exactly one protocol", table.name));
        };
        Ok(Self {
            name: table.name,
            port: table.port,
            transport: table.transport.unwrap_or(Transport::Tcp),
            tls: table.tls,
            tls12: table.tls12,
            off: table.off,
            says: table.says,
            software: table.software,
            speech,
        })
    }
}

impl Service {
    /// What [`super::Persona::parse`] asks of each service.
    pub(crate) fn check(&self, has_certificate: bool) -> Result<(), String> {
        if self.tls && !has_certificate {
            return Err(format!("service {:?} speaks TLS, but there is no [certificate]", self.name));
        }
        if self.speech.transport() != self.transport && !matches!(self.speech, Speech::Raw(_)) {
            return Err(format!("service {:?} speaks over {}", self.name, self.speech.transport()));
        }
        Ok(())
    }
}
