//! Network infrastructure: management, file shares, telephony, chat, tunnels, power.

use super::{Daemon, hello, named, tcp, udp, unnamed, versioned};

pub(super) const DAEMONS: &[Daemon] = &[
    Daemon {
        hello: hello::SNMP,
        files: &[("snmpd.conf", SNMPD)],
        run: "export SNMP_PERSISTENT_DIR=/srv; exec snmpd -f -Lo -C -c snmpd.conf -I -smux udp:127.0.0.1:$PORT",
        ..udp("snmpd", "snmpd", "snmpd", named("snmp", "Net-SNMP", "Net-SNMP"))
    },
    Daemon {
        hello: hello::SMB,
        files: &[("smb.conf", SMB)],
        run: "mkdir -m 755 lock state cache private rpc
exec smbd --foreground --no-process-group --debug-stdout -s smb.conf",
        ..tcp("samba", "samba", "smbd", unnamed("smb", "Samba", "Samba"))
    },
    Daemon {
        hello: hello::SIP,
        files: &[("kamailio.cfg", KAMAILIO)],
        run: "exec kamailio -DD -E -m 16 -M 4 -w /srv -f kamailio.cfg -P /run/kamailio.pid -Y /srv",
        ..udp("kamailio", "kamailio", "kamailio", versioned("sip", "Kamailio", "Kamailio"))
    },
    Daemon {
        hello: hello::XMPP,
        files: &[("prosody.cfg.lua", PROSODY)],
        run: "mkdir -m 777 data; chown prosody data
exec setpriv --reuid=prosody --regid=prosody --init-groups prosody -F --config /srv/prosody.cfg.lua",
        ..tcp("prosody", "prosody", "prosody", unnamed("xmpp", "Prosody", "Prosody"))
    },
    Daemon {
        hello: hello::IRC,
        files: &[("ngircd.conf", NGIRCD)],
        run: "exec ngircd -n -f /srv/ngircd.conf",
        ..tcp("ngircd", "ngircd", "ngircd", versioned("irc", "Alexander Barton", "ngIRCd"))
    },
    Daemon {
        hello: hello::L2TP,
        files: &[("xl2tpd.conf", XL2TPD)],
        run: "exec xl2tpd -D -c xl2tpd.conf -p /run/xl2tpd.pid -C /run/xl2tpd.control -s /dev/null",
        ..udp("xl2tpd", "xl2tpd", "xl2tpd", named("l2tp", "Xelerance", "xl2tpd"))
    },
    Daemon {
        hello: hello::IKE,
        inside: Some("127.0.0.1:500"),
        files: &[("strongswan.conf", STRONGSWAN), ("ipsec.conf", IPSEC)],
        run: "export STRONGSWAN_CONF=/srv/strongswan.conf; exec /usr/lib/ipsec/starter --nofork --conf /srv/ipsec.conf",
        ..udp("strongswan", "strongswan-starter", "ipsec", named("ike", "strongSwan", "strongSwan"))
    },
    Daemon {
        // It answers on interfaces that know multicast, and loopback is none.
        hello: hello::WSD,
        inside: Some("10.77.0.1:3702"),
        run: "ip link add near type veth peer name far; ip address add 10.77.0.1/24 dev near; ip link set far up
ip link set near multicast on up; exec wsdd2 -4 -H yagura",
        ..udp("wsdd2", "wsdd2", "wsdd2", unnamed("ws-discovery", "NETGEAR", "wsdd2"))
    },
    Daemon {
        hello: hello::PPTP,
        inside: Some("127.0.0.1:1723"),
        files: &[("pptpd.conf", "localip 192.168.77.1\nremoteip 192.168.77.2\n"), ("options", "")],
        run: "exec pptpd -f -c pptpd.conf -o options -l 127.0.0.1 -p /run/pptpd.pid",
        ..tcp("pptpd", "pptpd", "pptpd", named("pptp", "Poptop", "pptpd"))
    },
    Daemon {
        hello: hello::OPENVPN,
        run: "certificate; exec openvpn --dev null --proto udp4 --local 127.0.0.1 --port $PORT --tls-server \
--ca cert.pem --cert cert.pem --key key.pem --dh none",
        ..udp("openvpn", "openvpn", "openvpn", unnamed("openvpn", "OpenVPN", "OpenVPN"))
    },
    Daemon {
        hello: hello::NUT,
        files: &[
            ("upsd.conf", "LISTEN 127.0.0.1 @PORT@\nSTATEPATH /srv\n"),
            ("ups.conf", "[demo]\ndriver = dummy-ups\nport = demo.dev\n"),
            ("upsd.users", ""),
        ],
        run: "export NUT_CONFPATH=/srv NUT_STATEPATH=/srv; exec /lib/nut/upsd -F -u root",
        ..tcp("nut", "nut-server", "/lib/nut/upsd", versioned("nut", "Network UPS Tools", "upsd"))
    },
    Daemon {
        run: "exec gpsd -N -S $PORT -F /run/gpsd.sock",
        ..tcp("gpsd", "gpsd", "gpsd", versioned("gpsd", "GPSd", "gpsd"))
    },
];

const STRONGSWAN: &str = "charon {
  load = random nonce x509 pubkey pkcs1 pem openssl aes sha1 sha2 hmac kdf gmp kernel-netlink socket-default stroke
  send_vendor_id = yes
}
starter { load_warning = no }
";

const IPSEC: &str = "config setup
conn any
  left=%any
  right=%any
  keyexchange=ike
  authby=secret
  auto=add
  ike=aes256-sha256-modp2048!
";

const SNMPD: &str = "rocommunity public 127.0.0.1
sysLocation yagura
sysServices 72
";

const SMB: &str = "[global]
server role = standalone server
smb ports = @PORT@
interfaces = 127.0.0.1
bind interfaces only = yes
disable netbios = yes
disable spoolss = yes
load printers = no
map to guest = never
lock directory = /srv/lock
state directory = /srv/state
cache directory = /srv/cache
private dir = /srv/private
pid directory = /run
ncalrpc dir = /srv/rpc
log file = /srv/smbd.log
";

const KAMAILIO: &str = "#!KAMAILIO
children=1
tcp_children=1
disable_tcp=yes
auto_aliases=no
listen=udp:127.0.0.1:@PORT@
loadmodule \"sl.so\"
request_route { sl_send_reply(\"200\", \"OK\"); exit; }
";

const PROSODY: &str = "pidfile = '/srv/data/pid'
data_path = '/srv/data'
interfaces = { '127.0.0.1' }
c2s_ports = { @PORT@ }
s2s_ports = {}
modules_enabled = { 'saslauth' }
modules_disabled = { 's2s', 'http' }
allow_unencrypted_plain_auth = true
c2s_require_encryption = false
log = { warn = '*console' }
VirtualHost 'localhost'
";

const NGIRCD: &str = "[Global]
Name = yagura.example
Info = hinomi
Listen = 127.0.0.1
Ports = @PORT@
ServerUID = nobody
ServerGID = nogroup
[Options]
DNS = no
Ident = no
PAM = no
";

const XL2TPD: &str = "[global]
listen-addr = 127.0.0.1
port = @PORT@
[lns default]
ip range = 192.168.77.10-192.168.77.20
local ip = 192.168.77.1
";
