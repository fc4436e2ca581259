//! Grants say what the rules say, record by record.

use std::sync::Arc;

use hinomi_lake::entitlement::Seen;
use hinomi_model::{Marking, Purpose, Tlp};
use hinomi_share::entitle::{decide, entitlement, facts_of};
use hinomi_share::policy::Member;
use hinomi_share::register::{Holders, Register};
use hinomi_share::rules::Rules;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use crate::world::{DAY, DAYS, address, asn_of, marking, member, register};

/// Rules that an installation might add; the first [`SAID`] are said by grants alone.
const OWN: &[&str] = &[
    r#"permit (principal, action, resource) when { principal.sectors.contains("water") && resource.tlp <= 2 };"#,
    r#"forbid (principal, action, resource) when { resource.tlp == 1 && resource.audiences.contains(Audience::"isac") };"#,
    r#"permit (principal, action, resource) when { ["research", "exercise"].contains(resource.purpose) };"#,
    r#"permit (principal, action, resource) when { if resource.tlp > 2 then resource.holders.contains(Organisation::"city") else resource.operators.containsAny([Organisation::"port"]) };"#,
    r#"forbid (principal, action, resource) when { resource.holders.containsAny([Organisation::"city"]) && resource.tlp != 0 };"#,
    r#"permit (principal, action, resource) when { resource.holders.containsAll(principal.organisations) && resource.holders.contains(Organisation::"port") };"#,
    r#"forbid (principal, action, resource) when { resource.licence == "internal" && resource.tlp >= 1 };"#,
    r#"forbid (principal, action, resource) when { resource.handling.contains("no-forward") && !principal.sectors.contains("water") };"#,
    r#"permit (principal, action, resource) when { resource.handling.containsAll(["pap:amber"]) && ["CC-BY-4.0", ""].contains(resource.licence) };"#,
    r#"permit (principal, action, resource) when { resource.embargo && resource.operators.containsAny(principal.organisations) };"#,
    r#"forbid (principal, action, resource) when { resource.embargo == true && resource.handling.isEmpty() };"#,
    r#"forbid (principal, action, resource) when { resource.tlp == 2 && resource.audiences.contains(Audience::"csirt") };"#,
    r#"forbid (principal, action, resource) when { resource.tlp == 3 && resource.licence != "" };"#,
    r#"permit (principal, action, resource) unless { resource.operators.contains(Organisation::"ward") || resource.tlp > 1 };"#,
    r#"permit (principal, action, resource) when { resource.holders.containsAny(principal.organisations) && resource.operators.containsAny(principal.organisations) };"#,
    r#"forbid (principal, action, resource) unless { [Audience::"isac"].containsAll(resource.audiences) };"#,
    r#"permit (principal, action, resource) when { resource.purpose like "ex*" && !(resource.tlp < 1) };"#,
];

/// How many of them are said by grants alone.
const SAID: usize = 15;

fn rules(chosen: &[usize]) -> Arc<Rules> {
    let named = |at: &usize| format!("@id(\"own-{at}\") @says(\"a rule of its own\")\n{}\n", OWN[*at]);
    Arc::new(Rules::with_text(&chosen.iter().map(named).collect::<String>()).expect("rules"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn grants_admit_what_rules_permit(
        register in register(),
        member in member(),
        chosen in prop_oneof![1 => Just(Vec::new()), 2 => subsequence((0..OWN.len()).collect::<Vec<_>>(), 1..9)],
        probes in prop::collection::vec((address(), 0..DAYS * 2, marking(), any::<bool>(), 0..DAYS * 4), 40),
    ) {
        let (register, rules) = (Arc::new(register), rules(&chosen));
        let facts = facts_of(&member, &register);
        let may = entitlement(&rules, &facts, &register).expect("an entitlement");
        let holders = Holders::new(&register);
        let said = chosen.iter().all(|at| *at < SAID);
        prop_assert!(!said || format!("{may:?}").contains("judged: false"), "{:?}", chosen);
        for (address, half_days, marking, with_asn, now) in probes {
            let now = hinomi_model::Timestamp::from_micros(now * DAY / 2);
            // Claims begin and end at midnight: noon and midnight are asked about.
            let time = hinomi_model::Timestamp::from_micros(half_days * DAY / 2);
            let asn = asn_of(address).filter(|_| with_asn);
            let seen = Seen { address, asn, time, marking: &marking };
            let decided = decide(&rules, &facts, &holders, &seen, now).expect("a decision");
            prop_assert_eq!(may.at(now).admits(&seen), decided.allowed, "{:?} {:?} {:?} {:?}", seen, decided, facts, chosen);
        }
    }

    #[test]
    fn who_is_in_no_register_sees_what_is_clear_and_nothing_else(
        register in register(),
        probes in prop::collection::vec((address(), 0..DAYS, marking()), 20),
    ) {
        let stranger = Member {
            name: "stranger".to_owned(),
            organisations: ["nobody".to_owned()].into(),
            purpose: Purpose::ExposureReduction,
        };
        let (register, rules) = (Arc::new(register), rules(&[]));
        let may = entitlement(&rules, &facts_of(&stranger, &register), &register).expect("an entitlement");
        for (address, at, marking) in probes {
            let seen = Seen { address, asn: None, time: crate::world::day(at), marking: &marking };
            let clear = marking.tlp == Tlp::Clear && marking.audience.is_empty() && marking.purpose == stranger.purpose;
            let now = crate::world::day(DAYS);
            prop_assert_eq!(may.at(now).admits(&seen), clear && !marking.is_embargoed(now));
        }
    }

    #[test]
    fn any_built_in_label_is_read_for_its_own_purpose_alone(register in register(), member in member(), tlp in select(&[Tlp::Clear, Tlp::Green][..])) {
        let (register, rules) = (Arc::new(register), rules(&[]));
        let facts = facts_of(&member, &register);
        let other = Marking { tlp, ..Marking::own(Purpose::Notification) };
        let may = entitlement(&rules, &facts, &register).expect("an entitlement");
        let seen = Seen { address: [192, 0, 2, 1].into(), asn: None, time: crate::world::day(1), marking: &other };
        prop_assert!(!may.admits(&seen));
    }
}

#[test]
fn the_built_in_rules_are_said_by_grants_alone() {
    let (register, rules) = (Arc::new(Register::default()), rules(&[]));
    let member = Member { name: "m".into(), organisations: ["city".into()].into(), purpose: Purpose::Research };
    let may = entitlement(&rules, &facts_of(&member, &register), &register).expect("an entitlement");
    assert!(format!("{may:?}").contains("judged: false"), "{may:?}");
}

#[test]
fn texts_that_are_no_rules_are_refused_with_their_fault() {
    for (text, wanted) in [
        ("permit (principal, action, resource);", "no @id"),
        ("@id(\"x\") permit (principal, action, resource);", "no sentence"),
        ("@id(\"X Y\") @says(\"s\") permit (principal, action, resource);", "names no rule"),
        ("@id(\"holder\") @says(\"s\") permit (principal, action, resource);", "two rules named"),
        ("@id(\"x\") @says(\"s\") permit (principal, action, resource) when { resource.owner == 1 };", "owner"),
        ("@id(\"x\") @says(\"s\") permit (principal, action, resource) when { resource.tlp == \"red\" };", "own.cedar"),
        ("@id(\"x\") @says(\"s\") permit (principal == ?principal, action, resource);", "gap"),
        ("permit everything", "own.cedar"),
    ] {
        let error = Rules::with_text(text).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains(wanted), "{text}: {error}");
    }
    assert_ne!(rules(&[]).sum(), rules(&[0]).sum());
}
