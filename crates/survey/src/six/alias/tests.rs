//! Shares of a job: which tests each makes.

use std::collections::BTreeSet;

use hinomi_model::ServiceKey;

use super::*;
use crate::campaign::{Leg, Share};
use crate::six::tests::scope_of;
use crate::sweep::Targets;

/// So many crowded prefixes, each with as many targets as make a crowd.
const PREFIXES: u16 = 40;

#[test]
fn a_share_tests_where_its_own_targets_lie() {
    let key = |prefix: u16, host: u16| ServiceKey {
        address: format!("fd00:0:{prefix:x}::{host:x}:1").parse().expect("an address"),
        port: 443,
        transport: Transport::Tcp,
    };
    let keys = (0..PREFIXES).flat_map(|prefix| (1..=3).map(move |host| key(prefix, host * 0x100)));
    let list = List::new(keys).expect("a list");
    let scope = scope_of(&["fd00::/16"], &[]);
    let (shares, seed) = (4, 7);
    let mut asked = 0;
    for number in 1..=shares {
        let mut prelude = Prelude::of(&list, &scope, seed).expect("a crowd");
        let (all, aliased) = (prelude.len(), prelude.shunned());
        assert!(all >= u64::from(PREFIXES) && aliased.get().is_none());
        assert_eq!(prelude.tests(), all, "all of them where nothing is shared");
        let share = Share::new(number, shares).expect("a share");
        let leg = Leg::new(all, Targets::listed(list.clone()).expect("targets"), seed, share, 1).expect("a leg");
        let own: BTreeSet<IpAddr> = leg.own_addresses().collect();
        prelude.keep_to(own.iter().copied());
        assert_eq!(prelude.len(), all, "positions stay, so that what was begun before goes on");
        for (position, suspect) in (0..).zip(&prelude.suspects) {
            let holds = own.iter().any(|address| IpNet::V6(suspect.prefix).contains(address));
            assert_eq!(prelude.is_own(position), holds, "{}", suspect.prefix);
        }
        asked += prelude.tests();
    }
    let each = u64::from(shares) * u64::from(PREFIXES);
    println!("{asked} tests by {shares} shares in {PREFIXES} prefixes");
    assert!((u64::from(PREFIXES)..each).contains(&asked), "each at least once, and fewer than all by all: {asked}");
}
