//! Claims from the question to the end. Each test runs on both engines.

use hinomi_state::Database;
use hinomi_state::claims::{Claim, ClaimsOf, Decision, MAX_CHECKS_A_DAY, Method, Settled, Standing, Subject};
use hinomi_state::organisations::EventsOf;

use crate::organisations::{at, deed, profile, refusal};
use crate::suite::on_both;

fn subject(text: &str) -> Subject {
    text.parse().unwrap()
}

fn with(target: &hinomi_state::Target, ids: &[&str]) -> Database {
    let database = Database::open(target).unwrap();
    for id in ids {
        database.add_organisation(deed("2026-01-01"), id, &profile(id)).unwrap();
    }
    database
}

fn token(claim: &Claim) -> String {
    claim.token.as_ref().unwrap().text.clone()
}

/// As a machine that saw the token.
fn prove(database: &Database, when: &str, claim: &Claim) -> Settled {
    let claim = database.begin_check(deed(when), claim.number, Method::Dns).unwrap();
    database.proof_seen(deed(when), claim.number, (Method::Dns, &token(&claim)), "in a TXT record").unwrap()
}

fn proved(settled: Settled) -> Claim {
    match settled {
        Settled::Proved(claim) => claim,
        other => panic!("not proved: {other:?}"),
    }
}

/// Asked for and proved at once.
fn held(database: &Database, when: &str, organisation: &str, what: &str) -> Claim {
    let claim = database.ask_claim(deed(when), organisation, &subject(what)).unwrap();
    proved(prove(database, when, &claim))
}

#[test]
fn a_claim_is_asked_proved_renewed_and_expires() {
    on_both(|target| {
        let database = with(target, &["city-a"]);
        let asked = database.ask_claim(deed("2026-01-01"), "city-a", &subject("192.0.2.0/24")).unwrap();
        assert_eq!((asked.standing, asked.from, token(&asked).len()), (Standing::Asked, None, 32));
        let again = database.ask_claim(deed("2026-01-02"), "city-a", &subject("::ffff:192.0.2.0/120")).unwrap();
        assert_eq!(again.number, asked.number, "the same in another spelling");
        assert_ne!(token(&again), token(&asked));
        let old = database.proof_seen(deed("2026-01-02"), asked.number, (Method::Dns, &token(&asked)), "");
        assert!(refusal(old).contains("not the one"), "the token before counts no more");
        assert!(refusal(database.begin_check(deed("2026-01-09"), asked.number, Method::Dns)).contains("ended"));
        let late = database.proof_seen(deed("2026-01-09"), asked.number, (Method::Dns, &token(&again)), "");
        assert!(refusal(late).contains("not the one"), "seven days are over");
        let claim = held(&database, "2026-01-10", "city-a", "192.0.2.0/24");
        assert_eq!(
            (claim.number, claim.from, claim.until),
            (asked.number, Some(at("2026-01-10")), Some(at("2027-01-10")))
        );
        assert_eq!((claim.token.is_none(), claim.word(at("2027-01-10"))), (true, "expired"));
        assert!(
            refusal(database.begin_check(deed("2026-02-01"), claim.number, Method::Dns)).contains("nothing is open")
        );
        // Renewed without a gap while it holds; a new claim when it is over.
        let renewed = held(&database, "2026-12-01", "city-a", "192.0.2.0/24");
        assert_eq!((renewed.number, renewed.from, renewed.until), (claim.number, claim.from, Some(at("2027-12-01"))));
        let next = held(&database, "2028-01-01", "city-a", "192.0.2.0/24");
        assert_ne!(next.number, claim.number);
        let ending = ClaimsOf { ending: Some((at("2027-11-15"), at("2027-12-15"))), ..ClaimsOf::default() };
        assert_eq!(database.claims(&ending).unwrap(), [database.claim(claim.number).unwrap()]);
        let of = EventsOf { claim: Some(claim.number), limit: 100, ..EventsOf::default() };
        let told: Vec<String> = database.register_events(&of).unwrap().into_iter().map(|event| event.action).collect();
        assert_eq!(
            told,
            [
                "claim asked",
                "claim asked again",
                "claim asked again",
                "proof looked for",
                "claim proved",
                "claim asked again",
                "proof looked for",
                "claim renewed"
            ]
        );
    });
}

#[test]
fn two_cannot_hold_the_same_at_once_and_a_person_decides() {
    on_both(|target| {
        let database = with(target, &["city-a", "city-b"]);
        for what in ["192.0.2.0/24", "AS64500", "example.org"] {
            let first = held(&database, "2026-01-10", "city-a", what);
            let second = database.ask_claim(deed("2026-02-01"), "city-b", &subject(what)).unwrap();
            let Settled::Contested { claim, by } = prove(&database, "2026-02-01", &second) else { panic!("{what}") };
            assert_eq!((claim.word(at("2026-02-01")), by.number), ("contested", first.number));
            assert_eq!((claim.from, claim.contested_by), (None, Some(first.number)));
            assert!(database.claim(first.number).unwrap().holds_at(at("2026-03-01")), "the first goes on");
            let of = ClaimsOf { contested: true, ..ClaimsOf::default() };
            assert_eq!(database.claims(&of).unwrap(), std::slice::from_ref(&claim));
            let decision = Decision { from: Some(at("2026-03-01")), ..Decision::default() };
            let said = refusal(database.approve_claim(deed("2026-03-05"), claim.number, &decision));
            assert!(said.contains("city-a holds") && said.contains("--instead"), "{said}");
            let decision = Decision { instead: true, note: "a transfer".into(), ..decision };
            let taken = database.approve_claim(deed("2026-03-05"), claim.number, &decision).unwrap();
            assert_eq!((taken.from, taken.method), (Some(at("2026-03-01")), Some(Method::Manual)));
            assert_eq!(database.claim(first.number).unwrap().until, Some(at("2026-03-01")), "history has no overlap");
            database.withdraw_claim(deed("2026-04-01"), taken.number, "moved").unwrap();
            // What is free again can be proved by a machine.
            held(&database, "2026-04-01", "city-a", what);
        }
    });
}

#[test]
fn nested_claims_are_usual() {
    on_both(|target| {
        let database = with(target, &["isp", "city-a"]);
        let wide = held(&database, "2026-01-10", "isp", "198.51.100.0/24");
        let narrow = held(&database, "2026-01-11", "city-a", "198.51.100.64/26");
        let whole = held(&database, "2026-01-11", "city-a", "2001:db8::/32");
        let moment = at("2026-02-01");
        assert!(wide.holds_at(moment) && narrow.holds_at(moment) && whole.holds_at(moment));
    });
}

#[test]
fn who_holds_what_lies_around_may_vouch() {
    on_both(|target| {
        let database = with(target, &["isp", "city-a", "other"]);
        held(&database, "2026-01-10", "isp", "198.51.0.0/16");
        held(&database, "2026-01-10", "isp", "AS64500");
        held(&database, "2026-01-10", "other", "198.51.100.0/25");
        let ask = |what: &str| database.ask_claim(deed("2026-06-01"), "city-a", &subject(what)).unwrap().number;
        let number = ask("198.51.100.0/24");
        let vouch = |number, by: &str, origin| database.vouch_claim(deed("2026-06-01"), number, by, origin);
        assert!(refusal(vouch(number, "other", None)).contains("nothing around"), "a part is not around");
        assert!(refusal(vouch(number, "city-a", None)).contains("their own"));
        let claim = proved(vouch(number, "isp", None).unwrap());
        assert_eq!(
            (claim.method, claim.until),
            (Some(Method::Vouched), Some(at("2027-01-10"))),
            "no longer than its ground"
        );
        let elsewhere = ask("203.0.113.0/24");
        assert!(refusal(vouch(elsewhere, "isp", Some(64_501))).contains("nothing around"));
        assert!(proved(vouch(elsewhere, "isp", Some(64_500)).unwrap()).holds_at(at("2026-07-01")));
        let name = ask("www.example.org");
        held(&database, "2026-01-10", "isp", "example.org");
        assert!(proved(vouch(name, "isp", None).unwrap()).holds_at(at("2026-07-01")));
        let late = ask("198.51.101.0/24");
        let said = refusal(database.vouch_claim(deed("2027-06-01"), late, "isp", Some(64_500)));
        assert!(said.contains("nothing around"), "what has expired gives no right: {said}");
    });
}

#[test]
fn what_is_wide_is_decided_by_a_person() {
    on_both(|target| {
        let database = with(target, &["nation"]);
        for what in ["10.0.0.0/7", "2001::/18", "jp"] {
            let claim = database.ask_claim(deed("2026-01-10"), "nation", &subject(what)).unwrap();
            let seen = database.proof_seen(deed("2026-01-10"), claim.number, (Method::Dns, &token(&claim)), "");
            assert!(refusal(seen).contains("so wide"), "{what}");
            let until = Some(at("2040-01-01"));
            let long = Decision { until, ..Decision::default() };
            assert!(refusal(database.approve_claim(deed("2026-01-10"), claim.number, &long)).contains("ten years"));
            let approved = database.approve_claim(deed("2026-01-10"), claim.number, &Decision::default()).unwrap();
            assert!(approved.holds_at(at("2026-12-31")));
        }
    });
}

#[test]
fn what_was_held_stays_and_what_was_false_never_was() {
    on_both(|target| {
        let database = with(target, &["city-a", "city-b"]);
        let claim = held(&database, "2026-01-10", "city-a", "192.0.2.0/24");
        let gone = database.withdraw_claim(deed("2026-05-01"), claim.number, "moved").unwrap();
        assert!(gone.holds_at(at("2026-04-30")) && !gone.holds_at(at("2026-05-01")));
        assert!(refusal(database.withdraw_claim(deed("2026-05-02"), claim.number, "")).contains("withdrawn already"));
        assert!(
            refusal(database.approve_claim(deed("2026-05-02"), claim.number, &Decision::default())).contains("anew")
        );
        let false_one = held(&database, "2026-05-01", "city-b", "192.0.2.0/24");
        let never = database.refuse_claim(deed("2026-06-01"), false_one.number, "forged").unwrap();
        assert!(!never.holds_at(at("2026-05-15")));
        let of = EventsOf { claim: Some(never.number), limit: 100, ..EventsOf::default() };
        let last = database.register_events(&of).unwrap().pop().unwrap();
        assert!(last.detail.contains("forged; it stood from 2026-05-01"), "{last:?}");
        assert_eq!(last.by, "a tester");
        // With the organisation everything that it holds ends.
        let other = held(&database, "2026-06-01", "city-b", "example.org");
        let open = database.ask_claim(deed("2026-06-01"), "city-b", &subject("AS64500")).unwrap();
        database.close_organisation(deed("2026-07-01"), "city-b").unwrap();
        let ended = database.claim(other.number).unwrap();
        assert!(ended.holds_at(at("2026-06-30")) && !ended.holds_at(at("2026-07-01")));
        assert_eq!(database.claim(open.number).unwrap().word(at("2026-07-01")), "withdrawn");
        assert!(refusal(database.ask_claim(deed("2026-07-02"), "city-b", &subject("AS64500"))).contains("closed"));
    });
}

#[test]
fn looking_for_a_proof_has_an_end() {
    on_both(|target| {
        let database = with(target, &["city-a"]);
        let claim = database.ask_claim(deed("2026-01-10"), "city-a", &subject("192.0.2.7")).unwrap();
        for _ in 0..MAX_CHECKS_A_DAY {
            database.begin_check(deed("2026-01-10"), claim.number, Method::Http).unwrap();
            database.proof_missing(deed("2026-01-10"), claim.number, "status 404").unwrap();
        }
        assert!(refusal(database.begin_check(deed("2026-01-10"), claim.number, Method::Http)).contains("tomorrow"));
        assert!(database.begin_check(deed("2026-01-11"), claim.number, Method::Http).is_ok());
    });
}
