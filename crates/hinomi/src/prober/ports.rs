//! What a look from outside asks: a fixed list, so that what people agree to is the same for everybody.
//!
//! Ports that matter at home: remote login, file shares, cameras, databases, desktops, printers, management of routers,
//! their providers' door, UPnP, and what answers more over UDP than it is asked. Of each scope what it permits of them.

use hinomi_model::scope::Probe;
use hinomi_survey::scope::Wanted;

/// TCP ports.
const TCP: [u16; 29] = [
    21, 22, 23, 80, 443, 445, 554, 631, 1723, 1883, 2323, 3306, 3389, 5000, 5432, 5555, 5900, 6379, 7547, 8000, 8080,
    8081, 8443, 8728, 9100, 9200, 11211, 27017, 52869,
];

/// UDP ports.
const UDP: [u16; 8] = [53, 123, 161, 1900, 3610, 3702, 5353, 5683];

/// First words of the survey: none needs a password, none changes anything, none is of plants.
const PROBES: [Probe; 26] = [
    Probe::Connect,
    Probe::Tls,
    Probe::Http,
    Probe::Ssh,
    Probe::Rtsp,
    Probe::Mqtt,
    Probe::Redis,
    Probe::Line,
    Probe::Dns,
    Probe::Ntp,
    Probe::Snmp,
    Probe::Ssdp,
    Probe::Coap,
    Probe::EchonetLite,
    Probe::Memcached,
    Probe::Postgresql,
    Probe::Ldap,
    Probe::Smb,
    Probe::Rdp,
    Probe::Vnc,
    Probe::Pptp,
    Probe::Mdns,
    Probe::Adb,
    Probe::WsDiscovery,
    Probe::Mongodb,
    Probe::Routeros,
];

/// The list.
pub(super) fn wanted() -> Wanted {
    Wanted { tcp: TCP.into_iter().collect(), udp: UDP.into_iter().collect(), probes: PROBES.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_plants_is_asked_at_home() {
        let wanted = wanted();
        assert_eq!((wanted.tcp.len(), wanted.udp.len()), (TCP.len(), UDP.len()), "each once");
        assert!(PROBES.iter().all(|probe| probe.home_ports().is_none()));
        let homes = Probe::all().filter_map(Probe::home_ports).flatten();
        assert!(homes.into_iter().all(|port| !wanted.tcp.contains(*port) && !wanted.udp.contains(*port)));
    }
}
