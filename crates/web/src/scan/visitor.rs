//! Whose address a request comes from.
//!
//! The peer of the connection, and nothing that the request says of itself: who could choose the address could take
//! others off the survey. Behind a proxy the peer is the proxy, so one may be named, with the header in which it says
//! who asked. Then only requests by that proxy are answered, and only the last address of the header counts: that one
//! the proxy wrote, all before it the visitor may have.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};

/// The proxy in front of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Where it connects from.
    pub address: IpAddr,
    /// The header in which it says who asked, as `x-forwarded-for`.
    pub header: String,
}

/// The visitor of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visitor(pub(super) IpAddr);

/// Whose address it is; `None` when that cannot be said.
pub(crate) fn address(peer: IpAddr, headers: &HeaderMap, proxy: Option<&Proxy>) -> Option<IpAddr> {
    let Some(proxy) = proxy else { return Some(peer.to_canonical()) };
    if peer.to_canonical() != proxy.address.to_canonical() {
        return None;
    }
    let name: HeaderName = proxy.header.parse().ok()?;
    let last = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    let said = last.rsplit(',').next()?.trim();
    said.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn headers(values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (HeaderName::from_static("x-forwarded-for"), value.parse().expect("a value")))
            .collect()
    }

    #[test]
    fn without_a_proxy_the_connection_alone_counts() {
        let forged = headers(&["192.0.2.9"]);
        assert_eq!(address(ip("::ffff:192.0.2.1"), &forged, None), Some(ip("192.0.2.1")));
    }

    #[test]
    fn the_named_proxy_is_believed_and_nobody_else() {
        let proxy = Proxy { address: ip("127.0.0.1"), header: "x-forwarded-for".into() };
        let ask = |peer: &str, values: &[&str]| address(ip(peer), &headers(values), Some(&proxy));
        assert_eq!(ask("127.0.0.1", &["192.0.2.9, 198.51.100.7"]), Some(ip("198.51.100.7")), "what the proxy added");
        assert_eq!(ask("127.0.0.1", &["192.0.2.9", "198.51.100.7"]), Some(ip("198.51.100.7")));
        assert_eq!(ask("192.0.2.1", &["198.51.100.7"]), None, "past the proxy");
        assert_eq!(ask("127.0.0.1", &[]), None, "the proxy itself is no visitor");
        assert_eq!(ask("127.0.0.1", &["198.51.100.7, unknown"]), None);
    }
}
