//! Objects of others: a page is what single objects may be read, for random members, markings, claims and addresses.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use hinomi_lake::entitlement::Seen;
use hinomi_model::{Purpose, Tlp};
use hinomi_share::entitle::{decide, facts_of};
use hinomi_share::objects::{Giver, Shelf, Sight, Terms};
use hinomi_share::policy::Member;
use hinomi_share::register::{Holders, Register};
use hinomi_share::rules::{RecordFacts, Rules};
use hinomi_share::taxii::Ask;
use hinomi_state::{Database, Target};
use proptest::prelude::*;
use proptest::sample::select;

use crate::world::{DAYS, World, address, asn_of, day, marking, member, places, register};

const GIVERS: &[&str] = &["", "city", "port", "ward", "nobody"];

/// An object to be given.
#[derive(Clone, Debug)]
struct Gift {
    giver: &'static str,
    tlp: Option<Tlp>,
    purpose: Purpose,
    /// Addresses, or a prefix of some bits.
    named: Vec<(IpAddr, u8)>,
    day: i64,
}

fn gift() -> impl Strategy<Value = Gift> {
    let bits = prop_oneof![4 => Just(32u8), 1 => 26u8..32];
    let named = prop::collection::vec((address(), bits), 0..3);
    (select(GIVERS), marking(), prop::bool::weighted(0.8), named, 0..DAYS).prop_map(
        |(giver, marking, marked, named, day)| Gift {
            giver,
            tlp: marked.then_some(marking.tlp),
            purpose: marking.purpose,
            named,
            day,
        },
    )
}

impl Gift {
    fn id(number: usize) -> String {
        format!("indicator--00000000-0000-4000-8000-{number:012x}")
    }

    fn text(&self, number: usize) -> String {
        let each: Vec<String> = self
            .named
            .iter()
            .map(|(address, bits)| match bits {
                32 => format!("'{address}'"),
                bits => format!("'{address}/{bits}'"),
            })
            .collect();
        let pattern =
            if each.is_empty() { "x = 'y'".to_owned() } else { format!("ipv4-addr:value IN ({})", each.join(",")) };
        let marked =
            self.tlp.map(|tlp| format!(",\"object_marking_refs\":[\"{}\"]", hinomi_share::stix::marking_id(tlp)));
        let time = hinomi_share::stix::moment(day(self.day));
        format!(
            "{{\"type\":\"indicator\",\"spec_version\":\"2.1\",\"id\":\"{}\",\"created\":\"{time}\",\"modified\":\"{time}\",\
             \"pattern_type\":\"stix\",\"valid_from\":\"{time}\",\"pattern\":\"[{pattern}]\"{}}}",
            Self::id(number),
            marked.unwrap_or_default()
        )
    }

    /// Every address that it names.
    fn addresses(&self) -> Vec<(IpAddr, Option<u32>)> {
        let mut all = Vec::new();
        for (address, bits) in &self.named {
            let net = ipnet::IpNet::new(*address, *bits).expect("a prefix").trunc();
            // An AS is known of single addresses alone.
            let asn = |one| (*bits == 32).then(|| asn_of(one)).flatten();
            let ipnet::IpNet::V4(net) = net else { continue };
            let (low, high) = (u32::from(net.network()), u32::from(net.broadcast()));
            all.extend((low..=high).map(|number| IpAddr::from(Ipv4Addr::from(number))).map(|one| (one, asn(one))));
        }
        all
    }
}

/// What rules say of an object, asked as plainly as can be.
fn plainly(gift: &Gift, rules: &Rules, member: &Member, register: &Arc<Register>, audience: Option<&str>) -> bool {
    if member.organisations.contains(gift.giver) && register.organisations.contains_key(gift.giver) {
        return true;
    }
    let facts = facts_of(member, register);
    let (label, audience) = (gift.tlp.unwrap_or(Tlp::Red), audience.map(str::to_owned));
    let tlp = if audience.is_some() && label > Tlp::Green { Tlp::Red } else { label };
    let marking = hinomi_model::Marking {
        tlp,
        audience: audience.into_iter().collect(),
        ..hinomi_model::Marking::own(gift.purpose)
    };
    let addresses = gift.addresses();
    if addresses.is_empty() {
        let record = RecordFacts { marking, embargo: false, holders: BTreeSet::new(), operators: BTreeSet::new() };
        return rules.decide(&facts, &record).expect("a decision").allowed;
    }
    let holders = Holders::new(register);
    let time = day(gift.day);
    addresses.into_iter().all(|(address, asn)| {
        let seen = Seen { address, asn, time, marking: &marking };
        decide(rules, &facts, &holders, &seen, day(DAYS)).expect("a decision").allowed
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_page_is_what_single_objects_may_be_read(
        register in register(),
        member in member(),
        gifts in prop::collection::vec(gift(), 1..25),
        own_rule in any::<bool>(),
        limit in 1usize..8,
    ) {
        // One rule that grants cannot say, so that a judge is asked too.
        let own = "@id(\"own\") @says(\"s\") permit (principal, action, resource) when \
                   { resource.holders.containsAll(principal.organisations) && resource.holders.contains(Organisation::\"port\") };";
        let rules = Arc::new(if own_rule { Rules::with_text(own) } else { Rules::built_in() }.expect("rules"));
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::open(&Target::Sqlite(folder.path().join("state.sqlite"))).expect("a state");
        let shelf = Shelf::new(database);
        let known = places();
        let asn = |address, _| known.find(address).and_then(|place| place.asn);
        for (number, gift) in gifts.iter().enumerate() {
            let giver = Giver { organisation: gift.giver.to_owned(), name: "t".to_owned(), purpose: gift.purpose };
            let terms = Terms { giver: &giver, audience: None, unmarked: Tlp::Red, origin: "", asn: &asn };
            let report = shelf.give_each(&terms, &[&gift.text(number)], day(DAYS)).expect("taken");
            prop_assert_eq!(report.successes.len(), 1, "{:?}", report);
        }
        let world = World::of(&[]);
        let (reader, looks) = world.member(&register, &rules, &member);
        let sight = Sight::of(&reader);
        let shared = shelf.collection(&sight, None, "shared").expect("a collection");
        let (mut ask, mut told) = (Ask { limit, ..Ask::default() }, Vec::new());
        loop {
            let page = shelf.page(&reader, &shared, &ask, true).expect("a page");
            prop_assert!(page.objects.len() <= limit);
            told.extend(page.objects.into_iter().map(|one| (one.id, one.body)));
            match page.next {
                Some(next) => ask.next = Some(next),
                None => break,
            }
        }
        let register = Arc::new(register);
        let wanted: Vec<(String, String)> = gifts.iter().enumerate()
            .filter(|(_, gift)| plainly(gift, &rules, &member, &register, None))
            .map(|(number, gift)| (Gift::id(number), gift.text(number)))
            .collect();
        prop_assert_eq!(&told, &wanted);
        prop_assert!(!looks.0.lock().expect("alone").is_empty(), "looks are written down");

        // What is said about an address is of the same objects.
        for last in [0u8, 7, 16, 31] {
            let address: IpAddr = Ipv4Addr::new(192, 0, 2, last).into();
            let said = shelf.about(&reader, address, day(DAYS)).expect("an answer");
            let said: BTreeSet<String> = said.into_iter().map(|one| one.id).collect();
            let about = |gift: &Gift| gift.addresses().iter().any(|(one, _)| *one == address);
            let expected: BTreeSet<String> = gifts.iter().enumerate()
                .filter(|(_, gift)| about(gift) && plainly(gift, &rules, &member, &register, None))
                .map(|(number, _)| Gift::id(number))
                .collect();
            prop_assert_eq!(said, expected, "{}", address);
        }
    }
}
