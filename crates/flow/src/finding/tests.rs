use std::time::Duration;

use super::*;

fn finding(reasons: &[(Code, f64)]) -> Finding {
    let all: Vec<Evidence> = reasons.iter().map(|(code, ratio)| Evidence::new(*code, *ratio, &[])).collect();
    let fused = fuse(5e-4, &all);
    let (reasons, counter_evidence): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|reason| reason.log_likelihood_ratio > 0.0);
    let visibility = Visibility { sampling: 1, sampling_unknown: false, loss: 0.0, confidence_if_all_seen: 1.0 };
    Finding {
        endpoint: Endpoint { address: "203.0.113.9".parse().unwrap(), port: 1337, protocol: 6 },
        time: "2026-11-01".parse().unwrap(),
        confidence: fused.confidence(),
        refuted_by: Finding::refutations(&reasons),
        fused,
        reasons,
        counter_evidence,
        base_rate: 5e-4,
        epochs: 2,
        clients: 9,
        visibility,
    }
}

fn passes(_: &Finding) -> ExportVerdict {
    ExportVerdict::Passes { corroboration: BTreeSet::new() }
}

const LOUD: [(Code, f64); 2] = [(Code::BeaconFailed, 5.0), (Code::GraphPort, 5.0)];

fn after(days: u64) -> Timestamp {
    Timestamp::plus("2026-11-01".parse().unwrap(), Duration::from_secs(days * 86_400))
}

#[test]
fn it_fades_until_it_is_retracted() {
    let mut held = Held::default();
    assert!(matches!(held.update(vec![finding(&LOUD)], after(0), |_| false, passes)[..], [Message::Found { .. }]));
    assert!(held.update(Vec::new(), after(1), |_| false, passes).is_empty());
    assert!(finding(&LOUD).faded(after(3)).confidence < finding(&LOUD).confidence);
    let told = held.update(Vec::new(), after(60), |_| false, passes);
    let faded = Retraction { endpoint: finding(&LOUD).endpoint, reason: Withdrawn::Faded };
    assert_eq!(told, [Message::Retracted(faded)]);
    assert_eq!(held.findings().count(), 0);
}

#[test]
fn counter_evidence_and_knowledge_and_people_retract_it() {
    let start = || {
        let mut held = Held::default();
        held.update(vec![finding(&LOUD)], after(0), |_| false, passes);
        held
    };
    let reason = |messages: &[Message]| match messages {
        [Message::Retracted(retraction)] => Some(retraction.reason),
        _ => None,
    };
    let weaker = finding(&[LOUD[0], LOUD[1], (Code::ContextPopular, -4.0)]);
    let young = Finding { epochs: 1, ..weaker.clone() };
    assert_eq!(reason(&start().update(vec![young], after(0), |_| false, passes)), None, "a job that began anew");
    assert_eq!(reason(&start().update(vec![weaker], after(0), |_| false, passes)), Some(Withdrawn::Outweighed));
    assert_eq!(reason(&start().update(vec![finding(&LOUD)], after(0), |_| true, passes)), Some(Withdrawn::Suppressed));
    let refuted = start().refute(&finding(&LOUD).endpoint).unwrap();
    assert_eq!(reason(&[refuted]), Some(Withdrawn::Refuted));
}

#[test]
fn the_same_finding_again_is_no_news() {
    let mut held = Held::default();
    held.update(vec![finding(&LOUD)], after(0), |_| false, passes);
    assert!(held.update(vec![finding(&LOUD)], after(1), |_| false, passes).is_empty());
}

#[test]
fn news_are_other_reasons_another_verdict_and_time() {
    let mut held = Held::default();
    let at = |reasons: &[(Code, f64)], seconds: u64| {
        let start = finding(reasons);
        Finding { time: start.time.plus(Duration::from_secs(seconds)), ..start }
    };
    let kept = |_: &Finding| ExportVerdict::KeptBack { reason: hinomi_model::cnc::KeptBack::OneEpoch };
    let mut told = |finding: Finding, verdict: &dyn Fn(&Finding) -> ExportVerdict| {
        let now = finding.time;
        held.update(vec![finding], now, |_| false, verdict).len()
    };
    let more = [LOUD[0], LOUD[1], (Code::SeedHost, 0.2)];
    assert_eq!(told(at(&LOUD, 0), &passes), 1);
    assert_eq!(told(at(&more, 60), &passes), 0, "other reasons, too soon");
    assert_eq!(told(at(&more, 600), &passes), 1, "other reasons");
    assert_eq!(told(at(&more, 660), &kept), 1, "it may no longer leave");
    assert_eq!(told(at(&more, 700), &kept), 0);
    assert_eq!(told(at(&more, 660 + 6 * 3_600), &kept), 1, "it still holds");
}

#[test]
fn what_an_earlier_run_held_is_held_on() {
    let told = (finding(&LOUD), passes(&finding(&LOUD)));
    let mut held = Held::resume([told]);
    assert!(held.update(vec![finding(&LOUD)], after(0), |_| false, passes).is_empty());
    assert_eq!(held.update(Vec::new(), after(60), |_| false, passes).len(), 1);
}

#[test]
fn it_survives_json_and_says_what_would_refute_it() {
    let found = finding(&LOUD);
    assert_eq!(found.refuted_by, [Refutation::LawfulService, Refutation::KnownProduct, Refutation::KnownProtocol]);
    let again: Finding = serde_json::from_str(&serde_json::to_string(&found).unwrap()).unwrap();
    assert_eq!(again.endpoint, found.endpoint);
    assert_eq!(found.endpoint.to_string(), "203.0.113.9:1337/tcp");
}
