//! The built-in list: what operators publish of their services, each with where they do. Entries expire; check them then.
//!
//! Ports are from the IANA service name and port number registry unless a maker's page is named. Addresses of public
//! resolvers are those their operators publish. Where a maker asks to go by names, because its addresses change (push of
//! Windows, of ESET's products), no prefix stands here: ports explain, they vouch for nobody.

/// The list, in the form that operators write.
pub(super) const LIST: &str = r#"
[[known]]
name = "time servers"
owner = "Hinomi"
reason = "NTP polls by the clock (RFC 5905, port udp/123 by IANA; NTS key establishment tcp/4460, RFC 8915)"
expires = "2027-12-31"
services = ["udp/123", "tcp/4460"]
weight = "explains"

[[known]]
name = "name resolution"
owner = "Hinomi"
reason = "DNS (RFC 1035), over TLS (RFC 7858) and QUIC (RFC 9250), port 853; mDNS and LLMNR stay local"
expires = "2027-12-31"
services = ["udp/53", "tcp/53", "tcp/853", "udp/853"]
weight = "explains"

[[known]]
name = "public resolvers"
owner = "Hinomi"
reason = "addresses published by Google (8.8.8.8), Cloudflare (1.1.1.1), Quad9 (9.9.9.9), OpenDNS (208.67.222.222)"
expires = "2027-12-31"
prefixes = [
  "8.8.8.8/32", "8.8.4.4/32", "2001:4860:4860::8888/128", "2001:4860:4860::8844/128",
  "1.1.1.1/32", "1.0.0.1/32", "2606:4700:4700::1111/128", "2606:4700:4700::1001/128",
  "9.9.9.9/32", "149.112.112.112/32", "2620:fe::fe/128", "2620:fe::9/128",
  "208.67.222.222/32", "208.67.220.220/32",
]
services = ["udp/53", "tcp/53", "tcp/853", "udp/853", "tcp/443", "udp/443"]
weight = "harmless"

[[known]]
name = "push of Apple devices"
owner = "Hinomi"
reason = "APNs keeps tcp/5223 open, falls back to 443 and 2197, within 17.0.0.0/8 (Apple, enterprise network page)"
expires = "2027-06-30"
prefixes = ["17.0.0.0/8", "2620:149:a44::/48", "2403:300:a42::/48", "2403:300:a51::/48", "2a01:b740:a42::/48"]
services = ["tcp/5223", "tcp/443", "tcp/2195-2197"]
weight = "harmless"

[[known]]
name = "push ports"
owner = "Hinomi"
reason = "APNs tcp/5223 (also XMPP over TLS), Firebase messaging tcp/5228-5230 (makers' firewall pages)"
expires = "2027-06-30"
services = ["tcp/5223", "tcp/5228-5230", "tcp/5222"]
weight = "explains"

[[known]]
name = "web and content delivery"
owner = "Hinomi"
reason = "tcp/80 and 443, QUIC on udp/443 (RFC 9110, RFC 9000): most of what polls over them is lawful, push of Windows (WNS, tcp/443 by Microsoft's page on firewalls) and the other way of ESET's push among it"
expires = "2027-12-31"
services = ["tcp/80", "tcp/443", "udp/443"]
weight = "explains"

[[known]]
name = "telemetry of message brokers"
owner = "Hinomi"
reason = "MQTT over TLS tcp/8883 (IANA secure-mqtt): clouds of device makers keep it open and ping by the clock, as does ESET's push service (ESET, help page on EPNS: 8883, otherwise 443)"
expires = "2027-12-31"
services = ["tcp/8883"]
weight = "explains"

[[known]]
name = "virtual private networks"
owner = "Hinomi"
reason = "IKE udp/500 and 4500 (RFC 7296, keep-alives of RFC 3948), OpenVPN 1194 (IANA), WireGuard's usual 51820"
expires = "2027-12-31"
services = ["udp/500", "udp/4500", "udp/1194", "tcp/1194", "udp/51820"]
weight = "explains"

[[known]]
name = "mail"
owner = "Hinomi"
reason = "mail programs ask every few minutes: IMAP, POP, submission (RFC 8314)"
expires = "2027-12-31"
services = ["tcp/993", "tcp/995", "tcp/465", "tcp/587", "tcp/143", "tcp/110"]
weight = "explains"

[[known]]
name = "calls and meetings"
owner = "Hinomi"
reason = "STUN, TURN 3478 and 5349 (RFC 8489, 8656), SIP 5060 and 5061 (RFC 3261) refresh bindings by the clock"
expires = "2027-12-31"
services = ["udp/3478-3481", "tcp/3478", "tcp/5349", "udp/5060", "tcp/5060-5061"]
weight = "explains"
"#;
