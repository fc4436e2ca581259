//! The fields that rules may name. `hinomi_wire::fields` yields them; a rule that names another one is refused, because
//! it would wait for ever.

use crate::error::Fault;

/// Every field with a fixed name.
const FIELDS: &[&str] = &[
    "banner",
    "line",
    "ssh.banner",
    "ssh.protocol",
    "ftp.banner",
    "smtp.banner",
    "pop3.banner",
    "imap.banner",
    "nntp.banner",
    "irc.banner",
    "telnet.banner",
    "telnet.options",
    "mysql.version",
    "mysql.error",
    "vnc.version",
    "vnc.security",
    "vnc.refusal",
    "http.status",
    "http.reason",
    "http.server",
    "http.title",
    "http.www-authenticate",
    "http.realm",
    "http.location",
    "http.body",
    "favicon.mmh3",
    "favicon.sha256",
    "tls.version",
    "tls.cipher",
    "tls.alert",
    "tls.alpn",
    "tls.group",
    "cert.subject",
    "cert.issuer",
    "cert.cn",
    "cert.org",
    "cert.names",
    "cert.key",
    "cert.signature",
    "cert.serial",
    "ssh.kex",
    "ssh.host-key-algorithms",
    "ssh.ciphers",
    "ssh.macs",
    "ssh.compression",
    "ssh.hassh",
    "ssh.key.type",
    "ssh.key.sha256",
    "rtsp.status",
    "rtsp.server",
    "rtsp.public",
    "rtsp.realm",
    "mqtt.code",
    "mqtt.version",
    "redis.reply",
    "redis.version",
    "redis.mode",
    "redis.os",
    "redis.error",
    "dns.version",
    "dns.rcode",
    "dns.recursion",
    "ntp.version",
    "ntp.stratum",
    "ntp.refid",
    "ntp.mode",
    "snmp.engine-id",
    "snmp.enterprise",
    "snmp.engine-text",
    "snmp.engine-mac",
    "snmp.boots",
    "snmp.sysdescr",
    "ssdp.server",
    "ssdp.location",
    "ssdp.usn",
    "ssdp.st",
    "upnp.manufacturer",
    "upnp.manufacturer-url",
    "upnp.model",
    "upnp.model-number",
    "upnp.model-description",
    "upnp.model-url",
    "upnp.friendly-name",
    "upnp.serial",
    "upnp.device-type",
    "upnp.udn",
    "upnp.presentation-url",
    "coap.code",
    "coap.links",
    "coap.resource-types",
    "echonet.manufacturer",
    "echonet.version",
    "echonet.instances",
    "echonet.product-code",
    "echonet.id",
    "modbus.vendor",
    "modbus.product-code",
    "modbus.revision",
    "modbus.vendor-url",
    "modbus.product",
    "modbus.model",
    "modbus.application",
    "modbus.exception",
    "enip.vendor",
    "enip.device-type",
    "enip.product-code",
    "enip.revision",
    "enip.serial",
    "enip.product",
    "bacnet.vendor",
    "bacnet.model",
    "bacnet.firmware",
    "bacnet.software",
    "bacnet.name",
    "bacnet.vendor-id",
    "bacnet.refusal",
    "s7.order-number",
    "s7.firmware",
    "s7.system",
    "s7.module",
    "s7.serial",
    "s7.module-type",
    "s7.oem",
    "opcua.application-uri",
    "opcua.product-uri",
    "opcua.application-name",
    "opcua.security",
    "opcua.tokens",
    "iec104.confirmation",
    "dnp3.station",
    "fins.model",
    "fins.version",
    "fins.end-code",
    "slmp.model",
    "slmp.model-code",
    "slmp.end-code",
    "knx.address",
    "knx.serial",
    "knx.mac",
    "knx.name",
    "knx.manufacturer",
    "reply",
    "memcached.version",
    "postgresql.reply",
    "postgresql.code",
    "postgresql.message",
    "postgresql.file",
    "postgresql.line",
    "postgresql.routine",
    "ldap.reply",
    "ldap.object-class",
    "ldap.vendor-name",
    "ldap.vendor-version",
    "ldap.naming-context",
    "ldap.host-name",
    "smb.reply",
    "smb.dialect",
    "smb.guid",
    "smb.signing",
    "amqp.reply",
    "amqp.product",
    "amqp.platform",
    "amqp.version",
    "irc.server",
    "irc.version",
    "xmpp.reply",
    "xmpp.from",
    "xmpp.version",
    "sip.status",
    "sip.reason",
    "sip.server",
    "sip.allow",
    "beanstalkd.version",
    "nut.version",
    "rdp.security",
    "rdp.failure",
    "ipmi.version",
    "ipmi.authentication",
    "ipmi.anonymous",
    "ipmi.maker",
    "pptp.host",
    "pptp.vendor",
    "pptp.firmware",
    "pptp.result",
    "l2tp.host",
    "l2tp.vendor",
    "l2tp.firmware",
    "mdns.services",
    "irc.server",
    "irc.version",
    "xmpp.reply",
    "xmpp.from",
    "xmpp.version",
    "sip.status",
    "sip.reason",
    "sip.server",
    "sip.allow",
    "beanstalkd.version",
    "nut.version",
    "rsync.version",
    "mysql.plugin",
    "redis.server-name",
    "redis.valkey-version",
    "redis.dragonfly-version",
    "redis.build",
    "rtsp.reason",
    "snmp.engine-ip",
    "ssdp.cache-control",
    "claim.protocol",
    "claim.vendor",
    "claim.product",
    "claim.version",
    "claim.extra",
    "claim.os",
    "claim.device-type",
    "claim.cpe",
    "claim.banner",
    "claim.tunnel",
    "malformed",
];

/// Families of fields whose last part the service chooses.
const FAMILIES: &[&str] = &["http.header.", "rtsp.header."];

/// Whether some codec yields this field.
pub(crate) fn known(field: &str) -> Result<(), Fault> {
    let family = FAMILIES.iter().any(|family| field.len() > family.len() && field.starts_with(family));
    if (family && field.chars().all(|c| !c.is_ascii_uppercase())) || FIELDS.contains(&field) {
        return Ok(());
    }
    let nearest = FIELDS.iter().copied().min_by_key(|known| distance(known, field)).unwrap_or_default();
    Err(Fault::Field { field: field.chars().take(64).collect(), nearest })
}

/// Levenshtein distance, bounded by the first 64 bytes of each.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<u8> = right.bytes().take(64).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, byte) in left.bytes().take(64).enumerate() {
        let mut before = line + 1;
        let mut next = vec![before];
        for (other, pair) in right.iter().zip(row.windows(2)) {
            let [diagonal, above] = pair else { continue };
            before = (diagonal + usize::from(*other != byte)).min(above + 1).min(before + 1);
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_field_is_refused_with_the_right_one() {
        assert_eq!(known("http.server"), Ok(()));
        assert_eq!(known("http.header.x-powered-by"), Ok(()));
        assert!(known("http.header.").is_err());
        let fault = known("htp.sever").expect_err("no such field");
        assert!(fault.to_string().contains("the nearest one is http.server; all of them"), "{fault}");
        let fault = known("upnp.presentationURL").expect_err("no such field");
        assert!(fault.to_string().contains("upnp.presentation-url"), "{fault}");
    }
}
