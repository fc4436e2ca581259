//! What homes, buildings and factories have: UPnP, media, CoAP, Modbus, KNX, IPMI, AirPlay, mDNS.

use super::{Daemon, hello, named, tcp, udp, unnamed, versioned};

pub(super) const DAEMONS: &[Daemon] = &[
    Daemon {
        hello: hello::COAP,
        run: "exec coap-server-notls -A 127.0.0.1 -p $PORT",
        ..udp("libcoap", "libcoap3-bin", "coap-server-notls", named("coap", "libcoap", "libcoap"))
    },
    Daemon {
        // It listens on its LAN interface and on the port that UPnP fixes.
        hello: hello::SSDP,
        inside: Some("192.168.77.1:1900"),
        files: &[("miniupnpd.conf", MINIUPNPD)],
        run: MINIUPNPD_RUN,
        ..udp("miniupnpd-ssdp", "miniupnpd", "miniupnpd", versioned("ssdp", "MiniUPnP", "MiniUPnPd"))
    },
    Daemon {
        hello: hello::HTTP,
        inside: Some("192.168.77.1:5000"),
        files: &[("miniupnpd.conf", MINIUPNPD)],
        run: MINIUPNPD_RUN,
        ..tcp("miniupnpd-http", "miniupnpd", "miniupnpd", versioned("http", "MiniUPnP", "MiniUPnPd"))
    },
    Daemon {
        // It listens on all addresses. Its UPnP search port hears multicast alone, so a survey cannot ask it there.
        hello: hello::HTTP,
        inside: Some("192.168.77.1:8200"),
        files: &[("minidlna.conf", MINIDLNA)],
        run: MINIDLNA_RUN,
        ..tcp("minidlna-http", "minidlna", "minidlnad", versioned("http", "NETGEAR", "MiniDLNA"))
    },
    Daemon {
        // It listens on all addresses, and not before it has announced itself through Avahi. It calls itself AirTunes.
        hello: hello::RTSP,
        inside: Some("127.0.0.1:5000"),
        run: SHAIRPORT_RUN,
        files: &[("avahi.conf", AVAHI)],
        ..tcp("shairport-sync", "shairport-sync", "shairport-sync", unnamed("rtsp", "Mike Brady", "Shairport Sync"))
    },
    Daemon {
        hello: hello::MODBUS,
        files: &[("modbus.py", MODBUS)],
        run: "exec /usr/bin/python3 modbus.py $PORT",
        ..tcp(
            "pymodbus",
            "python3-pymodbus",
            "/usr/lib/python3/dist-packages/pymodbus/__init__.py",
            versioned("modbus", "Pymodbus", "PM"),
        )
    },
    Daemon {
        // KNXnet/IP routing joins a multicast group.
        hello: hello::KNX,
        inside: Some("192.168.77.1:3671"),
        run: "lan; exec knxd -e 0.0.1 -E 0.0.2:8 -n yagura -D -T -R -I lan0 -S 224.0.23.12:3671 -b dummy:",
        ..udp("knxd", "knxd", "knxd", unnamed("knx", "knxd", "knxd"))
    },
    Daemon {
        hello: hello::IPMI,
        files: &[("lan.conf", IPMI), ("bmc.emu", IPMI_EMULATOR)],
        run: "mkdir state; exec ipmi_sim -n -c /srv/lan.conf -f /srv/bmc.emu -s /srv/state",
        ..udp("ipmi-sim", "openipmi", "ipmi_sim", unnamed("ipmi", "OpenIPMI", "ipmi_sim"))
    },
    Daemon {
        hello: hello::MDNS,
        inside: Some("192.168.77.1:5353"),
        files: &[("avahi.conf", AVAHI), ("workstation.service", AVAHI_SERVICE)],
        run: "lan; mount -t tmpfs tmpfs /etc/avahi; mkdir /etc/avahi/services; cp *.service /etc/avahi/services
exec avahi-daemon --no-drop-root --no-rlimits --no-chroot -f /srv/avahi.conf",
        ..udp("avahi", "avahi-daemon", "avahi-daemon", unnamed("mdns", "Avahi", "Avahi"))
    },
];

const MINIUPNPD_RUN: &str = "lan
ip link add wan0 type veth peer name wan1
ip address add 203.0.113.7/24 dev wan0
ip link set wan0 up
exec miniupnpd -d -f miniupnpd.conf -P /run/miniupnpd.pid";

const MINIUPNPD: &str = "ext_ifname=wan0
listening_ip=lan0
port=5000
enable_natpmp=no
enable_upnp=yes
ipv6_disable=yes
friendly_name=yagura
manufacturer_name=Hinomi
manufacturer_url=https://example.invalid/
model_name=Lookout router
model_description=A router for tests
model_url=https://example.invalid/
model_number=1
serial=20250001
uuid=68696e6f-6d69-4000-8000-000000000001
secure_mode=yes
";

const MINIDLNA_RUN: &str = "lan; mkdir media db
exec minidlnad -S -f /srv/minidlna.conf -P /run/minidlna.pid";

const MINIDLNA: &str = "port=8200
network_interface=lan0
media_dir=/srv/media
db_dir=/srv/db
log_dir=/srv/db
friendly_name=yagura
inotify=no
notify_interval=900
minissdpdsocket=/run/none
";

const SHAIRPORT_RUN: &str = "lan; mkdir /run/dbus; sed -i s/enable-dbus=no/enable-dbus=yes/ avahi.conf
dbus-daemon --system --nofork --nopidfile &
until [ -S /run/dbus/system_bus_socket ]; do sleep 0.02; done
avahi-daemon --no-drop-root --no-rlimits --no-chroot -f /srv/avahi.conf &
until [ -e /run/avahi-daemon/pid ]; do sleep 0.02; done
exec shairport-sync --use-stderr -p 5000 -a yagura -o alsa";

const MODBUS: &str = r#"import sys
import pymodbus
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.datastore import ModbusServerContext, ModbusSlaveContext
from pymodbus.server import StartTcpServer

identity = ModbusDeviceIdentification()
identity.VendorName = "Pymodbus"
identity.ProductCode = "PM"
identity.MajorMinorRevision = ".".join(pymodbus.__version__.split(".")[:3])
context = ModbusServerContext(slaves=ModbusSlaveContext(), single=True)
StartTcpServer(context=context, identity=identity, address=("127.0.0.1", int(sys.argv[1])))
"#;

const IPMI: &str = r#"name "yagura"
set_working_mc 0x20
startlan 1
  addr 127.0.0.1 @PORT@
  priv_limit admin
  allowed_auths_admin md5
  guid 68696e6f6d6940008000000000000001
endlan
user 1 true "" "" user 10 none md2 md5 straight
"#;

const IPMI_EMULATOR: &str = "mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
";

const AVAHI: &str = "[server]
host-name=yagura
use-ipv6=no
enable-dbus=no
allow-interfaces=lo,lan0
[publish]
publish-workstation=no
[rlimits]
";

const AVAHI_SERVICE: &str = "<?xml version='1.0'?>
<!DOCTYPE service-group SYSTEM 'avahi-service.dtd'>
<service-group><name>yagura</name><service><type>_http._tcp</type><port>80</port></service></service-group>
";
