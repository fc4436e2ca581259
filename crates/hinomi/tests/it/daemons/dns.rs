//! Name servers and time servers.

use super::{Daemon, hello, udp, unnamed, versioned};

pub(super) const DAEMONS: &[Daemon] = &[
    Daemon {
        hello: hello::DNS,
        files: &[("named.conf", NAMED)],
        run: "chmod 777 .; exec named -g -4 -n 1 -u bind -c /srv/named.conf",
        ..udp("bind", "bind9", "named", versioned("dns", "ISC", "BIND"))
    },
    Daemon {
        hello: hello::DNS,
        run: "exec dnsmasq --keep-in-foreground --conf-file=/dev/null --port=$PORT --listen-address=127.0.0.1 \
--bind-interfaces --no-resolv --no-hosts --user=nobody --pid-file= --log-facility=-",
        ..udp("dnsmasq", "dnsmasq-base", "dnsmasq", versioned("dns", "Simon Kelley", "dnsmasq"))
    },
    Daemon {
        hello: hello::DNS,
        files: &[("unbound.conf", UNBOUND)],
        run: "exec unbound -d -c /srv/unbound.conf",
        ..udp("unbound", "unbound", "unbound", versioned("dns", "NLnet Labs", "Unbound"))
    },
    Daemon {
        hello: hello::DNS,
        files: &[("nsd.conf", NSD)],
        run: "mkdir -m 777 zones; exec nsd -d -c /srv/nsd.conf",
        ..udp("nsd", "nsd", "nsd", versioned("dns", "NLnet Labs", "NSD"))
    },
    Daemon {
        hello: hello::DNS,
        files: &[("knot.conf", KNOT)],
        run: "mkdir data; exec knotd -c /srv/knot.conf",
        ..udp("knot", "knot", "knotd", versioned("dns", "CZ.NIC", "Knot DNS"))
    },
    Daemon {
        hello: hello::NTP,
        files: &[("chrony.conf", CHRONY)],
        // -x: it must never touch the machine's clock.
        run: "exec chronyd -x -d -u root -f /srv/chrony.conf",
        ..udp("chrony", "chrony", "chronyd", unnamed("ntp", "chrony", "chrony"))
    },
    Daemon {
        hello: hello::NTP,
        inside: Some("127.0.0.1:123"),
        files: &[("ntp.conf", NTPSEC)],
        run: "exec ntpd --nofork --config /srv/ntp.conf --pidfile /run/ntpd.pid",
        // The version comes in answer to a control message (mode 6, readvar), not to a client's packet.
        ..udp("ntpsec", "ntpsec", "ntpd", versioned("ntp", "NTPsec", "ntpd"))
    },
];

const NAMED: &str = "options {
  directory \"/srv\";
  listen-on port @PORT@ { 127.0.0.1; };
  listen-on-v6 { none; };
  recursion no;
  notify no;
  empty-zones-enable no;
  dnssec-validation no;
  pid-file none;
  session-keyfile none;
};
controls { };
";

const UNBOUND: &str = "server:
  interface: 127.0.0.1@@PORT@
  do-daemonize: no
  chroot: \"\"
  directory: /srv
  pidfile: \"\"
  username: nobody
  use-syslog: no
  # A survey may ask it to resolve something: it must not take that to the root servers.
  local-zone: \".\" always_nxdomain
remote-control:
  control-enable: no
";

const NSD: &str = "server:
  ip-address: 127.0.0.1@@PORT@
  server-count: 1
  username: nobody
  chroot: \"\"
  database: \"\"
  zonesdir: /srv/zones
  zonelistfile: /srv/zones/list
  xfrdfile: /srv/zones/xfrd
  xfrdir: /srv/zones
  cookie-secret-file: /srv/zones/cookies
  pidfile: \"\"
remote-control:
  control-enable: no
";

const KNOT: &str = "server:
  rundir: /run
  listen: 127.0.0.1@@PORT@
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
database:
  storage: /srv/data
log:
  - target: stderr
    any: warning
";

const CHRONY: &str = "port @PORT@
pidfile /run/chronyd.pid
bindaddress 127.0.0.1
allow 127.0.0.1
cmdport 0
bindcmdaddress /
local stratum 10
";

const NTPSEC: &str = "interface ignore wildcard
interface listen 127.0.0.1
disable ntp
refclock local stratum 10
restrict default
restrict 127.0.0.1
";
