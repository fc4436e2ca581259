//! An authorisation for less: one address, some ports, some probes.
//!
//! Who looks at one host on request needs a door that knows no other host. What is left out can be left out of any scope
//! without its signer: nothing is permitted that was not. The digest stays that of the signed bytes.

use std::net::IpAddr;

use hinomi_model::scope::{PortSet, Probe, Rule, Scope};
use ipnet::IpNet;

use super::Authorised;

/// What is wanted of an authorisation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// TCP ports.
    pub tcp: PortSet,
    /// UDP ports.
    pub udp: PortSet,
    /// Probes.
    pub probes: Vec<Probe>,
}

impl Authorised {
    /// The same authorisation for this address alone, and of ports and probes for those that are wanted as well.
    ///
    /// # Errors
    /// The rule that forbids the address. Who opted out is the door's business.
    pub fn only(&self, address: IpAddr, wanted: &Wanted) -> Result<Self, Rule> {
        // Asked of the whole scope: a block that only a range inside it permits is no range of one address.
        self.scope.permits_address(address, &[])?;
        let both = |ours: &PortSet, wanted: &PortSet| ours.iter().filter(|port| wanted.contains(*port)).collect();
        let is_wanted = |probe: &Probe| wanted.probes.contains(probe);
        let scope = Scope {
            ranges: vec![IpNet::from(address.to_canonical())],
            tcp: both(&self.scope.tcp, &wanted.tcp),
            udp: both(&self.scope.udp, &wanted.udp),
            probes: self.scope.probes.iter().copied().filter(is_wanted).collect(),
            probe_ports: self.scope.probe_ports.iter().filter(|(probe, _)| is_wanted(probe)).cloned().collect(),
            ..self.scope.clone()
        };
        Ok(Self { scope, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use hinomi_model::scope::{Request, Verdict};
    use hinomi_model::{ContentHash, Transport};
    use proptest::prelude::*;

    use super::*;
    use crate::scope::tests::scope_of;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn authorised(ranges: &[&str], exclude: &[&str]) -> Authorised {
        let nets = |texts: &[&str]| texts.iter().map(|text| net(text)).collect();
        let scope = scope_of(nets(ranges), nets(exclude));
        Authorised { scope, signer: "N.".to_owned(), digest: ContentHash::of(b"scope") }
    }

    fn everything() -> Wanted {
        let ports: PortSet = "1-65535".parse().expect("ports");
        Wanted { tcp: ports.clone(), udp: ports, probes: Probe::all().collect() }
    }

    #[test]
    fn what_the_scope_forbids_is_not_had_by_asking_for_less() {
        let wide = authorised(&["127.5.0.0/16", "0.0.0.0/0", "::/0"], &["9.9.0.0/16"]);
        let refused = |address: &str| wide.only(ip(address), &everything()).expect_err("refused");
        for reserved in ["10.1.2.3", "127.0.0.1", "::ffff:192.168.0.1", "100.64.0.1", "::1", "64:ff9b::909:909"] {
            assert!(matches!(refused(reserved), Rule::Reserved { .. }), "{reserved}");
        }
        assert!(matches!(refused("9.9.1.1"), Rule::Excluded { .. }));
        let beside = authorised(&["9.0.0.0/24"], &[]).only(ip("9.0.1.0"), &everything());
        assert_eq!(beside.map(|_| ()), Err(Rule::OutsideRanges));
        assert!(wide.only(ip("127.5.0.1"), &everything()).is_ok());
        let mapped = wide.only(ip("::ffff:9.1.1.1"), &everything()).expect("permitted");
        assert_eq!(mapped.scope().ranges, [net("9.1.1.1/32")]);
        assert_eq!((mapped.digest(), mapped.signer()), (wide.digest(), "N."));
    }

    proptest! {
        #[test]
        fn nothing_is_permitted_that_was_not(
            own in 0_u8..8, asked in 0_u8..8, port in 79_u16..82, wanted in 79_u16..82, udp in any::<bool>(),
        ) {
            let whole = authorised(&["9.0.0.0/30", "9.0.0.6/31"], &["9.0.0.1/32"]);
            let ports: PortSet = [wanted].into_iter().collect();
            let wish = Wanted { tcp: ports.clone(), udp: ports, probes: vec![Probe::Connect] };
            let address = IpAddr::from([9, 0, 0, own]);
            let Ok(less) = whole.only(address, &wish) else { return Ok(()) };
            for probe in [Probe::Connect, Probe::Http] {
                let transport = if udp { Transport::Udp } else { Transport::Tcp };
                let time = whole.scope().valid_from;
                let request = Request { address: IpAddr::from([9, 0, 0, asked]), port, transport, probe, time };
                let may = |of: &Authorised| matches!(of.scope().decide(&request, &[]), Verdict::Allowed { .. });
                let is_it = own == asked && port == wanted && probe == Probe::Connect;
                prop_assert_eq!(may(&less), may(&whole) && is_it);
            }
        }
    }
}
