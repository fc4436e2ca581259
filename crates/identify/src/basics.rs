//! What needs no rules: protocol, TLS, certificate, keys, title, summary, plain tags, and what others claim.

use hinomi_model::{DeviceKind, EvidenceKind, Facts, Protocol};
use hinomi_wire::Field;

use crate::clean::{MAX_LINE_CHARS, MAX_VALUE_CHARS, clean};
use crate::crypto;
use crate::found::{Found, Origin, View, proof};

/// How sure somebody else's scan makes us.
const CLAIM_CONFIDENCE: u8 = 60;

/// Kinds of evidence that are themselves the proof of the protocol they are named after.
const OWN_PROTOCOLS: &[EvidenceKind] = &[
    EvidenceKind::Rtsp,
    EvidenceKind::Mqtt,
    EvidenceKind::Redis,
    EvidenceKind::Dns,
    EvidenceKind::Ntp,
    EvidenceKind::Snmp,
    EvidenceKind::Ssdp,
    EvidenceKind::Coap,
    EvidenceKind::EchonetLite,
    EvidenceKind::Modbus,
    EvidenceKind::Http,
];

/// Kinds that prove the protocol they are a part of.
const PARTS: &[(EvidenceKind, &str)] = &[
    (EvidenceKind::SshKex, "ssh"),
    (EvidenceKind::SshHostKey, "ssh"),
    (EvidenceKind::UpnpDescription, "http"),
    (EvidenceKind::Favicon, "http"),
];

/// Which fields make the one line that people read, by kind of evidence; the first kind that yields something wins.
const SUMMARIES: &[(EvidenceKind, &[&str])] = &[
    (EvidenceKind::Http, &["http.status", "http.reason", "http.server"]),
    (EvidenceKind::Rtsp, &["rtsp.status", "rtsp.server", "rtsp.realm"]),
    (EvidenceKind::Banner, &["vnc.version", "vnc.security", "vnc.refusal"]),
    (EvidenceKind::Banner, &["line"]),
    (EvidenceKind::Banner, &["telnet.options"]),
    (EvidenceKind::Mqtt, &["mqtt.version", "mqtt.code"]),
    (EvidenceKind::Redis, &["redis.reply", "redis.version", "redis.error"]),
    (EvidenceKind::Dns, &["dns.version", "dns.rcode"]),
    (EvidenceKind::Ntp, &["ntp.version", "ntp.stratum", "ntp.refid"]),
    (EvidenceKind::Snmp, &["snmp.sysdescr", "snmp.engine-text", "snmp.engine-mac", "snmp.engine-id"]),
    (EvidenceKind::Ssdp, &["ssdp.server", "ssdp.st"]),
    (EvidenceKind::UpnpDescription, &["upnp.manufacturer", "upnp.model", "upnp.friendly-name"]),
    (EvidenceKind::Coap, &["coap.code", "coap.links"]),
    (EvidenceKind::EchonetLite, &["echonet.manufacturer", "echonet.product-code", "echonet.instances"]),
    (EvidenceKind::Modbus, &["modbus.vendor", "modbus.product-code", "modbus.revision", "modbus.exception"]),
    (EvidenceKind::Reply, &["memcached.version", "postgresql.message", "ldap.object-class", "ldap.vendor-version"]),
    (EvidenceKind::Reply, &["smb.dialect", "smb.guid", "irc.version", "xmpp.from", "sip.status", "sip.server"]),
    (EvidenceKind::Reply, &["beanstalkd.version", "nut.version", "amqp.product", "amqp.version"]),
    (EvidenceKind::Reply, &["enip.product", "enip.revision", "s7.order-number", "s7.firmware", "s7.module-type"]),
    (EvidenceKind::Reply, &["bacnet.vendor", "bacnet.model", "bacnet.firmware", "opcua.application-name"]),
    (
        EvidenceKind::Reply,
        &["opcua.product-uri", "fins.model", "fins.version", "slmp.model", "knx.name", "knx.address"],
    ),
    (EvidenceKind::Reply, &["dnp3.station", "iec104.confirmation", "fins.end-code", "slmp.end-code"]),
    (EvidenceKind::Reply, &["rdp.security", "rdp.failure", "ipmi.version", "ipmi.authentication", "mdns.services"]),
    (EvidenceKind::Reply, &["pptp.host", "pptp.vendor", "l2tp.host", "l2tp.vendor", "adb.access", "adb.model"]),
    (EvidenceKind::Reply, &["onvif.name", "onvif.hardware", "wsd.types", "mongodb.version", "mongodb.wire-version"]),
    (EvidenceKind::Reply, &["ike.version", "ike.encryption", "ike.group", "ike.notify", "routeros.message"]),
    (EvidenceKind::Reply, &["reply"]),
    (EvidenceKind::NmapService, &["claim.product", "claim.version", "claim.extra"]),
    (EvidenceKind::MasscanRecord, &["claim.banner"]),
    (EvidenceKind::ZgrabRecord, &["claim.banner", "claim.product", "claim.version"]),
    (EvidenceKind::ShodanRecord, &["claim.banner", "claim.product", "claim.version"]),
    (EvidenceKind::CensysRecord, &["claim.banner", "claim.product", "claim.version"]),
    (EvidenceKind::ShadowserverRecord, &["claim.infection", "claim.family", "claim.source-port", "claim.sinkhole"]),
    (EvidenceKind::ShadowserverRecord, &["claim.vendor", "claim.product", "claim.version"]),
    (EvidenceKind::ShadowserverRecord, &["claim.banner"]),
    (EvidenceKind::Tls, &["tls.version", "tls.cipher"]),
];

/// Facts that follow from the evidence itself.
pub(crate) fn facts(views: &[View<'_>]) -> Facts {
    let mut facts = Facts {
        tls: views.iter().any(|view| view.kind == EvidenceKind::Tls) || claims_tls(views),
        tls_version: text(views, "tls.version", MAX_VALUE_CHARS),
        title: text(views, "http.title", MAX_LINE_CHARS),
        hassh: text(views, "ssh.hassh", MAX_VALUE_CHARS),
        host_key: text(views, "ssh.key.sha256", MAX_VALUE_CHARS),
        summary: summary(views),
        ..Facts::default()
    };
    let certificate = views.iter().find(|view| view.kind == EvidenceKind::Certificate);
    facts.certificate = certificate.and_then(|view| hinomi_wire::x509::certificate_facts(view.bytes).ok());
    facts.tls = facts.tls || certificate.is_some();
    facts.protocol = protocol(views, facts.tls);
    facts.crypto = crypto::cryptography(views, &facts);
    tag(views, &mut facts);
    facts
}

/// What other people's scans say, as findings of modest confidence.
pub(crate) fn claims(views: &[View<'_>]) -> Vec<Found> {
    views.iter().filter_map(claim).collect()
}

fn claim(view: &View<'_>) -> Option<Found> {
    let value = |name: &str| view.field(name).and_then(|field| some_text(field, MAX_VALUE_CHARS));
    let told = ["claim.product", "claim.vendor", "claim.os", "claim.device-type", "claim.protocol"];
    let field = told.iter().find_map(|name| view.field(name))?;
    let rule = format!("claim/{}", view.kind.name());
    let proof = proof(&rule, view, field, 0, field.value.len());
    let mut found = Found::new(Origin::Claim, CLAIM_CONFIDENCE, proof);
    (found.vendor, found.product, found.version) =
        (value("claim.vendor"), value("claim.product"), value("claim.version"));
    found.os = value("claim.os");
    found.kind = value("claim.device-type").and_then(|device| device_kind(&device));
    let names = view.fields.iter().filter(|field| field.name == "claim.cpe");
    found.cpe = names.filter_map(|field| crate::cpe::formatted(&field.text())).take(8).collect();
    found.protocol = value("claim.protocol").and_then(|name| protocol_name(&name));
    Some(found)
}

/// What nmap, Recog and others call a device, in our words; `None` where they mean too much or nothing.
pub(crate) fn device_kind(text: &str) -> Option<DeviceKind> {
    let kind = match text.to_ascii_lowercase().as_str() {
        "router" | "broadband router" | "cable modem" | "dsl modem" | "modem" | "cpe" => DeviceKind::Router,
        "switch" | "wap" | "bridge" | "hub" | "wireless controller" | "load balancer" | "network appliance" => {
            DeviceKind::Network
        }
        "firewall" | "vpn" | "security appliance" | "security-misc" => DeviceKind::Firewall,
        "webcam" | "ip camera" | "web cam" | "camera" | "video encoder" => DeviceKind::Camera,
        "dvr" | "nvr" => DeviceKind::Recorder,
        "storage-misc" | "storage" | "nas" => DeviceKind::Nas,
        "printer" | "print server" | "multifunction device" => DeviceKind::Printer,
        "plc" | "specialized controller" => DeviceKind::Controller,
        "building automation" | "access control" | "hvac" => DeviceKind::Building,
        "power-device" | "power device" | "ups" => DeviceKind::Energy,
        "voip phone" | "voip adapter" | "pbx" | "voip" | "voip gateway" | "phone" => DeviceKind::Voice,
        "media device" | "media server" | "network audio" | "set top box" | "tv" => DeviceKind::Media,
        "remote management" | "lights out management" | "kvm" | "terminal server" => DeviceKind::Management,
        _ => return None,
    };
    Some(kind)
}

/// The protocol: what the kind of evidence proves, else what the bytes look like, else what others claim.
fn protocol(views: &[View<'_>], tls: bool) -> Option<Protocol> {
    let is_there = |kind: EvidenceKind| views.iter().any(|view| view.kind == kind);
    let own = || OWN_PROTOCOLS.iter().find(|kind| is_there(**kind)).map(|kind| kind.name());
    let part = || PARTS.iter().find(|(kind, _)| is_there(*kind)).map(|(_, name)| *name);
    let spoken = || {
        let bytes = views.iter().filter(|view| matches!(view.kind, EvidenceKind::Banner | EvidenceKind::Reply));
        bytes.into_iter().find_map(by_bytes)
    };
    let claimed = || text(views, "claim.protocol", MAX_VALUE_CHARS).and_then(|name| protocol_name(&name));
    let name = own().or_else(part).or_else(spoken);
    name.and_then(|name| name.parse().ok()).or_else(claimed).or_else(|| tls.then(|| "tls".parse().ok()).flatten())
}

/// The protocol of bytes that came of themselves or as an answer to a request without a kind of its own.
fn by_bytes(view: &View<'_>) -> Option<&'static str> {
    let named = [
        ("memcached.version", "memcached"),
        ("postgresql.reply", "postgresql"),
        ("ldap.reply", "ldap"),
        ("smb.reply", "smb"),
    ];
    let by_field = named.iter().find(|(field, _)| view.field(field).is_some()).map(|(_, name)| *name);
    by_field.or_else(|| hinomi_wire::recognise(view.bytes))
}

/// Another tool's name of a protocol in ours; `None` for names that mean TLS around something unknown.
fn protocol_name(name: &str) -> Option<Protocol> {
    let name = name.to_ascii_lowercase();
    let name = name.trim_end_matches('?');
    let known = match name {
        "https" | "http-proxy" | "http-alt" | "https-alt" => "http",
        "ssl" | "tls" | "unknown" | "tcpwrapped" | "title" | "x509" | "vuln" => return None,
        "domain" => "dns",
        "rpcbind" | "portmapper" => "sunrpc",
        "netbios-ssn" | "microsoft-ds" => "smb",
        "imaps" => "imap",
        "pop3s" => "pop3",
        "smtps" => "smtp",
        "upnp" => "ssdp",
        "ms-wbt-server" => "rdp",
        other => other,
    };
    known.parse().ok()
}

fn claims_tls(views: &[View<'_>]) -> bool {
    let tunnel = views.iter().find_map(|view| view.field("claim.tunnel"));
    tunnel.is_some_and(|field| matches!(field.value.as_ref(), b"ssl" | b"tls"))
}

fn summary(views: &[View<'_>]) -> Option<String> {
    SUMMARIES.iter().find_map(|(kind, names)| {
        let view = views.iter().find(|view| view.kind == *kind)?;
        let told = names.iter().filter_map(|name| some_text(view.field(name)?, MAX_LINE_CHARS));
        let line = told.collect::<Vec<_>>().join(" ");
        Some(clean(line.as_bytes(), MAX_LINE_CHARS)).filter(|line| !line.is_empty())
    })
}

/// Versions of TLS that are told by a tag.
const OLD_TLS: [&str; 3] = ["ssl3", "1.0", "1.1"];

/// Words that say what stands out and depend on no clock: whether a certificate has expired is asked at query time.
fn tag(views: &[View<'_>], facts: &mut Facts) {
    let is = |name: &str, value: &[u8]| field(views, name).is_some_and(|field| field.value.as_ref() == value);
    let spoken = facts.protocol.as_ref().map_or("", Protocol::as_str);
    let old_tls =
        facts.crypto.iter().flat_map(|crypto| &crypto.versions).any(|version| OLD_TLS.contains(&version.as_str()));
    let open_screen =
        field(views, "vnc.security").is_some_and(|field| field.text().split(',').any(|kind| kind == "none"));
    let anonymous = is("mqtt.code", b"0")
        || field(views, "redis.version").is_some()
        || open_screen
        || is("ipmi.anonymous", b"yes")
        || is("adb.access", b"open");
    let tags = [
        ("telnet-open", spoken == "telnet"),
        ("anonymous", anonymous),
        ("self-signed", facts.certificate.as_ref().is_some_and(|certificate| certificate.self_signed)),
        ("old-tls", old_tls),
        ("recursion", is("dns.recursion", b"yes")),
        ("malformed", field(views, "malformed").is_some()),
        ("infected", is("claim.infection", b"infected")),
        ("compromised", is("claim.infection", b"compromised")),
    ];
    facts.tags.extend(tags.iter().filter(|(_, applies)| *applies).map(|(tag, _)| (*tag).to_owned()));
    facts.tags.extend(family(views));
}

/// The longest name of malware that becomes a tag, in characters.
const MAX_FAMILY_CHARS: usize = 40;

/// The malware that others name, as a tag: `avalanche-andromeda`.
fn family(views: &[View<'_>]) -> Option<String> {
    let told = text(views, "claim.family", MAX_VALUE_CHARS)?.to_ascii_lowercase();
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = told.chars().take(MAX_FAMILY_CHARS).map(letter).collect();
    let name = name.trim_matches('-');
    (!name.is_empty() && !["infected", "compromised"].contains(&name)).then(|| name.to_owned())
}

fn field<'v, 'a>(views: &'v [View<'a>], name: &str) -> Option<&'v Field<'a>> {
    views.iter().find_map(|view| view.field(name))
}

fn text(views: &[View<'_>], name: &str, limit: usize) -> Option<String> {
    field(views, name).and_then(|field| some_text(field, limit))
}

fn some_text(field: &Field<'_>, limit: usize) -> Option<String> {
    Some(clean(&field.value, limit)).filter(|text| !text.is_empty())
}
