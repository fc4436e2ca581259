use hinomi_wire::flow::Volume;

use super::*;
use crate::detect::Code;
use crate::detect::watch::tests::flow;
use crate::sketch::spread;

fn visit(client: u64, remote: (u32, u16), at: i64) -> Flow<CncDetection> {
    let data = Volume { packets: 6, bytes: 700, tcp_flags: 27 };
    Flow { out: Some(data), back: Some(data), ..flow(client, remote, at) }
}

fn everyone(detection: &mut Detection) {
    for client in 0..400_u64 {
        for server in 0..5 {
            let at = (client as i64 * 37 + i64::from(server) * 991) % 80_000;
            detection.take(&visit(spread(client), (0x0800_0000 + server * 256, 443), at));
        }
    }
}

fn reasons(scoring: &Scoring, port: u16) -> Vec<Code> {
    let found = scoring.ranked.iter().find(|finding| finding.endpoint.port == port);
    found.map(|finding| finding.reasons.iter().map(|reason| reason.code).collect()).unwrap_or_default()
}

fn now() -> Timestamp {
    Timestamp::from_micros(86_400_000_000)
}

#[test]
fn a_server_of_the_infected_is_lifted_and_what_everyone_uses_is_not() {
    let mut detection = Detection::new(ServerConfig::default());
    everyone(&mut detection);
    for client in 0..10_u64 {
        let infected = |visit: Flow<CncDetection>| Flow { infected: true, ..visit };
        detection.take(&infected(visit(spread(client), (0x0900_0001, 55_650), client as i64 * 977)));
        detection.take(&infected(visit(spread(client), (0x0800_0000, 443), client as i64 * 31)));
    }
    let scoring = detection.score(now(), 0.0, |_, _, _| false);
    assert!(reasons(&scoring, 55_650).contains(&Code::LiftInfected));
    assert!(!reasons(&scoring, 443).contains(&Code::LiftInfected));
}

#[test]
fn without_the_switch_nothing_is_lifted() {
    let mut detection = Detection::new(ServerConfig::default());
    everyone(&mut detection);
    for client in 0..10_u64 {
        detection.take(&visit(spread(client), (0x0900_0001, 55_650), client as i64 * 977));
    }
    assert!(!reasons(&detection.score(now(), 0.0, |_, _, _| false), 55_650).contains(&Code::LiftInfected));
}

#[test]
fn servers_of_a_known_endpoints_clients_are_near() {
    let mut detection = Detection::new(ServerConfig::default());
    detection.read_seeds("list", Some(now()), "9.0.0.1:7173\n".as_bytes()).unwrap();
    everyone(&mut detection);
    for client in 0..8_u64 {
        detection.take(&visit(spread(client), (0x0900_0001, 7_173), client as i64 * 977));
        detection.take(&visit(spread(client), (0x0a00_0001, 40_001), client as i64 * 979));
    }
    let scoring = detection.score(now(), 0.0, |_, _, _| false);
    assert!(reasons(&scoring, 7_173).contains(&Code::SeedEndpoint));
    assert!(reasons(&scoring, 40_001).contains(&Code::GraphClients));
    assert!(!reasons(&scoring, 443).contains(&Code::GraphClients));
    let listed = scoring.ranked.iter().find(|finding| finding.endpoint.port == 7_173).unwrap();
    assert!(listed.is_named() && listed.fused.seeded);
}

#[test]
fn a_list_says_less_with_age_and_nothing_in_the_end() {
    let ratio = |told: &str| {
        let mut detection = Detection::new(ServerConfig::default());
        let list = format!("# Reference: https://blog.example/{told}/\n9.0.0.1:7000\n");
        detection.read_seeds("list", None, list.as_bytes()).unwrap();
        detection.take(&visit(1, (0x0900_0001, 7_000), 5));
        let scoring = detection.score("2026-11-22".parse().unwrap(), 0.0, |_, _, _| false);
        let finding = scoring.ranked.into_iter().next();
        finding.map_or(0.0, |finding| {
            finding
                .reasons
                .iter()
                .filter(|reason| reason.code == Code::SeedEndpoint)
                .map(|reason| reason.log_likelihood_ratio)
                .sum::<f64>()
        })
    };
    let (fresh, older, ancient) = (ratio("2026/11"), ratio("2026/05"), ratio("2016/05"));
    assert!(fresh > 9.0 && older < fresh - 1.0 && ancient < 0.01, "{fresh} {older} {ancient}");
}

#[test]
fn what_knowledge_vouches_for_is_counted_and_not_scored() {
    let mut detection = Detection::new(ServerConfig::default());
    everyone(&mut detection);
    let scoring = detection.score(now(), 0.0, |_, port, _| port == 443);
    assert_eq!((scoring.counts.suppressed, scoring.counts.scored), (scoring.counts.servers, 0));
}

#[test]
fn clients_that_attack_at_once_share_the_server_that_told_them_to() {
    let mut detection = Detection::new(ServerConfig::default());
    everyone(&mut detection);
    for client in 0..8_u64 {
        let name = spread(client);
        detection.take(&visit(name, (0x0b00_0001, 40_002), 500 + client as i64 * 13));
        for target in 0..25 {
            let at = 3_000 + i64::from(target) / 5;
            detection.take(&flow(name, (0x0c00_0000 + target * 7_919 + client as u32, 2_323), at));
        }
    }
    let scoring = detection.score(now(), 0.0, |_, _, _| false);
    assert_eq!(detection.watched().scans, 8);
    assert!(reasons(&scoring, 40_002).contains(&Code::SynchronyOnset));
    assert!(!reasons(&scoring, 443).contains(&Code::SynchronyOnset));
}
