//! What makes a server speak: the shortest harmless question of each protocol.
//!
//! Used to see that a daemon is ready, and to show what it says. It tries no name and no password, writes nothing,
//! and is well formed. [`SERVER_FIRST`] is for the protocols in which the server speaks unasked.

/// The server sends its greeting on connection.
pub(crate) const SERVER_FIRST: &[u8] = b"";

/// HTTP/1.1, RFC 9112. The host is an address because UPnP servers refuse names (DNS rebinding).
pub(crate) const HTTP: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";

/// RTSP `OPTIONS`, RFC 2326 section 10.1.
pub(crate) const RTSP: &[u8] = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n";

/// SIP `OPTIONS`, RFC 3261 section 11; `rport` because the server must answer to where it came from.
pub(crate) const SIP: &[u8] = b"OPTIONS sip:localhost SIP/2.0\r\n\
    Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKhinomi;rport\r\nMax-Forwards: 0\r\nFrom: <sip:survey@localhost>;tag=1\r\n\
    To: <sip:localhost>\r\nCall-ID: hinomi\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

/// UPnP search, UPnP Device Architecture 1.1 section 1.3.2.
pub(crate) const SSDP: &[u8] = b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\n\
    MX: 1\r\nST: upnp:rootdevice\r\n\r\n";

/// XMPP stream opening, RFC 6120 section 4.2.
pub(crate) const XMPP: &[u8] = b"<?xml version='1.0'?><stream:stream to='localhost' xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

/// IRC registration, RFC 2812 section 3.1: the greeting is what follows it.
pub(crate) const IRC: &[u8] = b"NICK hinomi\r\nUSER hinomi 0 * :survey\r\n";

/// Redis `PING`; without a password it is answered, with one it is refused, and both tell.
pub(crate) const REDIS: &[u8] = b"PING\r\n";

/// memcached `version`.
pub(crate) const MEMCACHED: &[u8] = b"version\r\n";

/// beanstalkd `stats`.
pub(crate) const BEANSTALK: &[u8] = b"stats\r\n";

/// Network UPS Tools `VER`, RFC 9271 section 4.2.
pub(crate) const NUT: &[u8] = b"VER\n";

/// TLS 1.2 ClientHello, RFC 5246: with that version the certificate comes in clear.
pub(crate) const TLS: &[u8] = b"\x16\x03\x01\x00\x6b\x01\x00\x00\x67\x03\x03hinomi hinomi hinomi hinomi 1234\x00\
    \x00\x12\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\xc0\x09\xc0\x13\x00\x9c\x00\x2f\x00\x35\x01\x00\x00\x2c\
    \x00\x0a\x00\x06\x00\x04\x00\x17\x00\x18\x00\x0b\x00\x02\x01\x00\
    \x00\x0d\x00\x18\x00\x16\x04\x03\x04\x01\x05\x03\x05\x01\x06\x03\x06\x01\x08\x04\x08\x05\x08\x06\x02\x03\x02\x01";

/// DNS `version.bind CH TXT`.
pub(crate) const DNS: &[u8] =
    b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07version\x04bind\x00\x00\x10\x00\x03";

/// mDNS question for the service types, RFC 6763 section 9.
pub(crate) const MDNS: &[u8] =
    b"\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x09_services\x07_dns-sd\x04_udp\x05local\x00\x00\x0c\x00\x01";

/// NTP version 4 client packet, RFC 5905.
pub(crate) const NTP: &[u8] = b"\x23\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    hinomi\0\0";

/// SNMPv3 engine discovery, RFC 3414 section 4.
pub(crate) const SNMP: &[u8] = b"\x30\x38\x02\x01\x03\x30\x0e\x02\x01\x01\x02\x03\x00\xff\xe3\x04\x01\x04\x02\x01\x03\
    \x04\x10\x30\x0e\x04\x00\x02\x01\x00\x02\x01\x00\x04\x00\x04\x00\x04\x00\
    \x30\x11\x04\x00\x04\x00\xa0\x0b\x02\x01\x01\x02\x01\x00\x02\x01\x00\x30\x00";

/// CoAP `GET /.well-known/core`, RFC 7252 and RFC 6690.
pub(crate) const COAP: &[u8] = b"\x40\x01\x12\x34\xbb.well-known\x04core";

/// MQTT 3.1.1 CONNECT with a clean session.
pub(crate) const MQTT: &[u8] = b"\x10\x12\x00\x04MQTT\x04\x02\x00\x3c\x00\x06hinomi";

/// LDAP search of the root DSE, RFC 4512 section 5.1.
pub(crate) const LDAP: &[u8] = b"\x30\x25\x02\x01\x01\x63\x20\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x00\x02\x01\x00\
    \x01\x01\x00\x87\x0bobjectClass\x30\x00";

/// PostgreSQL `SSLRequest`: one letter comes back.
pub(crate) const POSTGRESQL: &[u8] = b"\x00\x00\x00\x08\x04\xd2\x16\x2f";

/// SMB2 NEGOTIATE with the dialects 2.0.2, 2.1, 3.0 and 3.0.2, MS-SMB2 section 2.2.3.
pub(crate) const SMB: &[u8] = b"\x00\x00\x00\x6c\xfeSMB\x40\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \x24\0\x04\0\x01\0\0\0\0\0\0\0hinomi-survey-01\0\0\0\0\0\0\0\0\x02\x02\x10\x02\x00\x03\x02\x03";

/// X.224 connection request for RDP with TLS and network-level authentication, MS-RDPBCGR section 2.2.1.1.
pub(crate) const RDP: &[u8] = b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00";

/// TFTP read request for a file that is not there, RFC 1350: the refusal tells.
pub(crate) const TFTP: &[u8] = b"\x00\x01hinomi-absent\0octet\0";

/// Modbus Read Device Identification, function 43/14, basic objects.
pub(crate) const MODBUS: &[u8] = b"\x00\x01\x00\x00\x00\x05\x01\x2b\x0e\x01\x00";

/// KNXnet/IP DESCRIPTION_REQUEST; the all-zero address means "answer where this came from".
pub(crate) const KNX: &[u8] = b"\x06\x10\x02\x03\x00\x0e\x08\x01\0\0\0\0\0\0";

/// IPMI Get Channel Authentication Capabilities, IPMI 2.0 section 22.13.
pub(crate) const IPMI: &[u8] = b"\x06\x00\xff\x07\0\0\0\0\0\0\0\0\0\x09\x20\x18\xc8\x81\x00\x38\x8e\x04\xb5";

/// OpenVPN hard reset without key direction or tls-auth.
pub(crate) const OPENVPN: &[u8] = b"\x38hinomi-1\0\0\0\0\0";

/// L2TP Start-Control-Connection-Request, RFC 2661 section 6.1.
pub(crate) const L2TP: &[u8] = b"\xc8\x02\x00\x42\0\0\0\0\0\0\0\0\x80\x08\0\0\0\0\x00\x01\x80\x08\0\0\0\x02\x01\x00\
    \x80\x0a\0\0\0\x03\0\0\0\x03\x80\x0c\0\0\0\x07hinomi\x80\x08\0\0\0\x09\x00\x01\x80\x08\0\0\0\x0a\x00\x04";

/// A header of IKE in a version that there is not, RFC 7296 section 2.5: the answer names the version that there is.
pub(crate) const IKE: &[u8] = b"hinomi-0\0\0\0\0\0\0\0\0\0\x30\x22\x08\0\0\0\0\0\0\0\x1c";

/// WS-Discovery Probe, WS-Discovery of 2005 section 5.2.
pub(crate) const WSD: &[u8] = b"<?xml version=\"1.0\"?><soap:Envelope \
    xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:wsa=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" \
    xmlns:wsd=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\"><soap:Header>\
    <wsa:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</wsa:To>\
    <wsa:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</wsa:Action>\
    <wsa:MessageID>urn:uuid:68696e6f-6d69-4000-8000-000000000001</wsa:MessageID></soap:Header>\
    <soap:Body><wsd:Probe/></soap:Body></soap:Envelope>";

/// PPTP Start-Control-Connection-Request, RFC 2637 section 2.1, with empty host and vendor names.
pub(crate) const PPTP: &[u8] = &pptp();

const fn pptp() -> [u8; 156] {
    let head = *b"\x00\x9c\x00\x01\x1a\x2b\x3c\x4d\x00\x01\0\0\x01\x00\0\0\0\0\0\x03\0\0\0\x03\0\0\0\x01";
    let mut packet = [0; 156];
    let mut at = 0;
    while at < head.len() {
        packet[at] = head[at];
        at += 1;
    }
    packet
}
