//! From reasons to a finding, or to none.
//!
//! Log-likelihood ratios add up where they are independent. Families of one [`Group`] look at overlapping facts:
//! within a group the strongest reason counts whole, each further one half of the one before, and the sum is capped.
//! Groups are added to the base rate. The sum is monotone: more evidence for never lowers the result, more evidence
//! against never raises it.
//!
//! A finding needs two groups that each say something ([`MATERIAL`]), or a list that names the endpoint; and it needs
//! to be likelier than not. One group alone, however loud, is a lead, not a finding: regular times alone name every
//! push service.

use serde::{Deserialize, Serialize};

use super::{Code, Evidence, Group};

/// What a group must say to count as one of two: three times likelier.
pub const MATERIAL: f64 = 1.1;
/// What each further reason of a group counts of its own.
const FURTHER: f64 = 0.5;
/// Named from this chance on.
pub const THRESHOLD: f64 = 0.5;
/// What all that speaks against may take away.
const AGAINST: f64 = -6.0;

/// Most that a group may add.
const fn cap(group: Group) -> f64 {
    match group {
        Group::Knowledge => 11.0,
        Group::Rhythm => 6.5,
        Group::Crowd => 8.0,
        Group::Shape => 3.5,
        Group::Context => 0.0,
    }
}

/// What one group adds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// The group.
    pub group: Group,
    /// What it adds to the log-odds, after the cap.
    pub log_odds: f64,
    /// Whether the cap held something back.
    pub capped: bool,
}

/// The sum, and how it came to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fused {
    /// Before anything was seen.
    pub base_log_odds: f64,
    /// What each group adds, those that add nothing left out.
    pub contributions: Vec<Contribution>,
    /// Base and contributions.
    pub log_odds: f64,
    /// Groups that say something for it.
    pub material_groups: usize,
    /// Whether a list names this very endpoint, and not so long ago that it says nothing any more.
    pub seeded: bool,
}

impl Fused {
    /// As a chance, 0 to 1.
    pub fn confidence(&self) -> f64 {
        1.0 / (1.0 + (-self.log_odds).exp())
    }

    /// Whether it is a finding.
    pub fn is_finding(&self) -> bool {
        (self.seeded || self.material_groups >= 2) && self.confidence() >= THRESHOLD
    }
}

/// Adds reasons to a base rate.
pub fn fuse(base_rate: f64, evidence: &[Evidence]) -> Fused {
    let base = base_rate.clamp(1e-9, 0.5);
    let base_log_odds = (base / (1.0 - base)).ln();
    let against: f64 = evidence.iter().map(|reason| reason.log_likelihood_ratio.min(0.0)).sum();
    let mut contributions: Vec<Contribution> = Group::ALL.into_iter().filter_map(|group| of(group, evidence)).collect();
    let material_groups = contributions.iter().filter(|part| part.log_odds >= MATERIAL).count();
    if against < 0.0 {
        contributions.push(Contribution {
            group: Group::Context,
            log_odds: against.max(AGAINST),
            capped: against < AGAINST,
        });
    }
    let log_odds = base_log_odds + contributions.iter().map(|part| part.log_odds).sum::<f64>();
    let lists = evidence.iter().filter(|reason| reason.code == Code::SeedEndpoint);
    let seeded = lists.map(|reason| reason.log_likelihood_ratio).any(|ratio| ratio >= MATERIAL);
    Fused { base_log_odds, contributions, log_odds, material_groups, seeded }
}

/// What the reasons of a group add together.
fn of(group: Group, evidence: &[Evidence]) -> Option<Contribution> {
    let inside = evidence.iter().filter(|reason| reason.code.family().group() == group);
    let mut ratios: Vec<f64> = inside.map(|reason| reason.log_likelihood_ratio).filter(|ratio| *ratio > 0.0).collect();
    ratios.sort_by(|one, other| other.total_cmp(one));
    let sum = ratios.iter().rev().fold(0.0, |further, ratio| (ratio + FURTHER * further).max(further));
    let most = cap(group);
    (sum > 0.0 && most > 0.0).then_some(Contribution { group, log_odds: sum.min(most), capped: sum > most })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reason(code: Code, ratio: f64) -> Evidence {
        Evidence::new(code, ratio, &[])
    }

    #[test]
    fn one_group_alone_is_no_finding_however_loud() {
        let rhythm = [Code::BeaconRegular, Code::BeaconFailed, Code::BeaconPeriod, Code::ChainOrder];
        let loud: Vec<Evidence> = rhythm.into_iter().map(|code| reason(code, 30.0)).collect();
        let fused = fuse(5e-4, &loud);
        assert!(!fused.is_finding());
        assert!(fused.contributions.iter().all(|part| part.capped && part.log_odds <= 6.5));
    }

    #[test]
    fn two_groups_or_a_list_are() {
        assert!(fuse(1e-4, &[reason(Code::BeaconFailed, 4.8), reason(Code::GraphPort, 4.5)]).is_finding());
        assert!(fuse(1e-4, &[reason(Code::SeedEndpoint, 9.5)]).is_finding());
        assert!(!fuse(1e-4, &[reason(Code::SeedHost, 9.5)]).is_finding());
        assert!(!fuse(1e-4, &[reason(Code::BeaconFailed, 4.8), reason(Code::GraphPort, 0.5)]).is_finding());
    }

    fn any_evidence() -> impl Strategy<Value = Vec<Evidence>> {
        let one = (0..Code::ALL.len(), -8.0..8.0_f64).prop_map(|(code, ratio)| reason(Code::ALL[code], ratio));
        proptest::collection::vec(one, 0..12)
    }

    proptest! {
        #[test]
        fn more_for_never_lowers_and_more_against_never_raises(
            evidence in any_evidence(), code in 0..Code::ALL.len(), more in 0.0..8.0_f64,
        ) {
            let before = fuse(1e-4, &evidence);
            let with = |ratio: f64| {
                let mut longer = evidence.clone();
                longer.push(reason(Code::ALL[code], ratio));
                fuse(1e-4, &longer)
            };
            prop_assert!(with(more).log_odds >= before.log_odds - 1e-9);
            prop_assert!(!before.is_finding() || with(more).is_finding());
            prop_assert!(with(-more).log_odds <= before.log_odds + 1e-9);
        }

        #[test]
        fn a_louder_reason_is_never_worse(evidence in any_evidence(), which: usize, more in 0.0..4.0_f64) {
            let before = fuse(1e-4, &evidence).log_odds;
            let mut louder = evidence;
            if let Some(count) = (!louder.is_empty()).then_some(louder.len()) {
                louder[which % count].log_likelihood_ratio += more;
            }
            prop_assert!(fuse(1e-4, &louder).log_odds >= before - 1e-9);
        }

        #[test]
        fn the_order_of_reasons_does_not_matter(evidence in any_evidence()) {
            let mut turned = evidence.clone();
            turned.reverse();
            prop_assert!((fuse(1e-4, &turned).log_odds - fuse(1e-4, &evidence).log_odds).abs() < 1e-9);
        }
    }
}
