//! Analysts see what the operator sees, and are written down: one look for each request, by name and purpose.

use std::sync::atomic::Ordering;

use hinomi_share::Sight;

use crate::client::raw;
use crate::sign_in::{Browser, WORD, inhabited};
use crate::world::Looks;

/// Paths of the API that show no record.
const SILENT: [&str; 7] = [
    "/openapi.json",
    "/ledger",
    // What organisations ask for, and are told: their own look is written when it is made.
    "/organisation/watches",
    "/organisation/watches/ranges",
    "/organisation/channels",
    "/organisation/channels/confirm",
    "/organisation/channels/feed",
];

/// Every request for records, with real names filled in.
fn targets(hash: &str, notice: i64) -> Vec<String> {
    let of = |begin: &str, rest: &[&str]| rest.iter().map(|one| format!("{begin}{one}")).collect::<Vec<_>>();
    let api = [
        "/search?q=port:22",
        "/plan?q=port:22",
        "/as-of?at=2026-11-05",
        "/diff?from=2026-11-05&to=2026-11-20",
        "/changes",
        "/hosts/192.0.2.10",
        "/hosts/192.0.2.10/presence",
        "/surveys",
        "/status",
        "/export?q=port:22",
        "/flow/findings",
        "/flow/findings/203.0.113.9:1337-tcp",
        "/flow/status",
        "/rollups",
        "/entitlement",
        "/hosts/192.0.2.10/why",
        "/watches",
        "/watches/events",
        "/notices",
        "/objects?value=198.51.100.7",
    ];
    let pages = [
        "/",
        "/search?q=protocol:ssh",
        "/search?q=protocol:ssh&at=2026-11-05",
        "/hosts/192.0.2.40",
        "/crypto",
        "/organisation",
        "/entitlement?address=192.0.2.10",
        "/watch",
        "/surveys",
        "/notices",
        "/flow",
        "/flow/203.0.113.9:1337-tcp",
    ];
    let taxii = [
        "services/objects/",
        "services/manifest/",
        "exercise/objects/?match%5Btype%5D=ipv4-addr",
        "exercise/manifest/?limit=5",
    ];
    let shodan = [
        "/shodan/host/count?query=port:22",
        "/shodan/host/search?query=port:22",
        "/shodan/host/192.0.2.10",
        "/shodan/ports",
        "/shodan/alert/info",
        "/dns/domain/example.jp",
        "/labs/honeyscore/192.0.2.10",
    ];
    let mut all = of("/api/v1", &api);
    all.push(format!("/api/v1/evidence/{hash}"));
    all.push(format!("/api/v1/notices/{notice}"));
    let named = |path: &str| path.split(['{', '?']).next().unwrap_or_default().to_owned();
    for path in hinomi_web::api::PATHS.iter().filter(|path| !SILENT.contains(path)) {
        let begin = format!("/api/v1{}", named(path));
        assert!(all.iter().any(|one| one.starts_with(&begin)), "{path} is asked here, or is SILENT");
    }
    all.extend(of("", &pages));
    all.push(format!("/evidence/{hash}"));
    all.push(format!("/notices/{notice}"));
    all.extend(of("/taxii2/default/collections/", &taxii));
    all.extend(of("/compat/shodan", &shodan));
    all
}

#[test]
fn each_request_of_an_analyst_for_records_is_one_look_by_name() {
    let world = inhabited();
    let mut eve = Browser::new(&world);
    eve.sign_in("eve", WORD);
    let host = eve.get("/api/v1/hosts/192.0.2.10").json();
    let hash = host["services"][0]["evidence"][0]["hash"].as_str().expect("evidence").to_owned();
    crate::notices::register(&world);
    let notice = crate::notices::told(&world, "city-a", "192.0.2.20", "exposure-reduction");
    let targets = targets(&hash, notice);
    let taken = |looks: &Looks| {
        let names = std::mem::take(&mut *looks.names.lock().expect("free"));
        (std::mem::take(&mut *looks.sights.lock().expect("free")), names)
    };
    taken(&world.looks);
    let mut wrong = Vec::new();
    for target in &targets {
        let answer = eve.get(target);
        let (sights, names) = taken(&world.looks);
        if (answer.status, names.as_slice()) != (200, &["eve for exposure-reduction".to_owned()][..]) {
            wrong.push(format!("{target}: {} {names:?} {sights:?}", answer.status));
        }
        for sight in sights {
            if let Sight::Records(look) = sight {
                assert!(look.member.organisations.is_empty() && !look.what.is_empty(), "{target}: {look:?}");
            }
        }
    }
    // MISP asks by POST.
    let cookies = eve.cookies();
    let body = "{\"value\":\"192.0.2.10\"}";
    for target in ["events/restSearch", "attributes/restSearch"] {
        let head = format!(
            "POST /compat/misp/{target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nOrigin: http://localhost\r\n{cookies}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = raw(world.address, head.as_bytes());
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        assert_eq!(taken(&world.looks).1, ["eve for exposure-reduction"], "{target}");
    }
    // What cannot be written down is not shown.
    world.looks.refuses.store(true, Ordering::Relaxed);
    for target in &targets {
        let status = eve.get(target).status;
        if status < 500 {
            wrong.push(format!("{target}: {status} without a witness"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    // Pages that show no record need no witness.
    for target in ["/guide", "/about", "/account", "/api/v1/openapi.json", "/taxii2/default/collections/"] {
        assert_eq!(eve.get(target).status, 200, "{target}");
    }
    assert_eq!(taken(&world.looks).0, []);
}
