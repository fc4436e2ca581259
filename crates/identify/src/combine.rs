//! Several rules speak of one service: whom to believe, facet by facet.
//!
//! Vendor, product and version come from one finding as a unit, never a vendor from here and a version from there. What
//! names a device goes before what names software that runs on many devices: a camera behind a common web server is a
//! camera. Model, firmware, kind and system may come from other findings if those do not contradict. Two devices of
//! different makers, about equally sure, make each other doubtful, and the confidence says so.

use std::cmp::Reverse;

use hinomi_model::{Confidence, Facts};

use crate::found::{Found, Origin};

/// A device rule less sure than this does not go before software.
const SURE_DEVICE: u8 = 50;

/// Findings less sure than this give no CPE and no system of their own.
const SURE_ENOUGH: u8 = 50;

/// Two devices of different makers contradict each other when their confidences differ by no more.
const RIVAL_MARGIN: u8 = 5;

/// What a contradiction leaves of confidence, at most.
const DOUBTFUL: u8 = 40;

/// The most CPE names and tags of one service.
const MAX_LIST: usize = 16;

/// The most proofs of one service.
const MAX_PROOFS: usize = 16;

/// Adds to `facts` what the findings say together.
pub(crate) fn combine(mut found: Vec<Found>, facts: &mut Facts) {
    found.sort_by_cached_key(rank);
    let best = found.iter().find(|one| one.vendor.is_some() || one.product.is_some());
    if let Some(best) = best {
        facts.vendor.clone_from(&best.vendor);
        facts.product.clone_from(&best.product);
        facts.version = best.version.clone().or_else(|| version_of_same(best, &found));
        let doubtful = found.iter().any(|other| contradicts(best, other));
        let percent = if doubtful { best.confidence.min(DOUBTFUL) } else { best.confidence };
        facts.confidence = Confidence::percent(percent);
    }
    let agreeing: Vec<&Found> = found.iter().filter(|one| agrees(one, facts, best)).collect();
    facts.model = agreeing.iter().find_map(|one| one.model.clone());
    facts.firmware = agreeing.iter().find_map(|one| one.firmware.clone());
    facts.kind = agreeing.iter().find_map(|one| one.kind);
    let sure = || agreeing.iter().filter(|one| one.confidence >= SURE_ENOUGH);
    facts.os = sure().find_map(|one| one.os.clone());
    push_new(&mut facts.cpe, sure().flat_map(|one| &one.cpe), MAX_LIST);
    push_new(&mut facts.tags, found.iter().flat_map(|one| &one.tags), MAX_LIST);
    if facts.protocol.as_ref().is_none_or(|protocol| protocol.as_str() == "tls") {
        facts.protocol = found.iter().find_map(|one| one.protocol.clone()).or_else(|| facts.protocol.take());
    }
    prove(&agreeing, facts);
}

/// The proofs of what was taken over, the first of each rule.
fn prove(agreeing: &[&Found], facts: &mut Facts) {
    for one in agreeing {
        let told = facts.proofs.iter().any(|proof| proof.rule == one.proof.rule);
        if !told && facts.proofs.len() < MAX_PROOFS {
            facts.proofs.push(one.proof.clone());
        }
    }
}

/// Best first; the name of the rule makes the order the same everywhere.
fn rank(found: &Found) -> impl Ord + use<> {
    let device = found.is_device() && found.confidence >= SURE_DEVICE;
    let told = [&found.vendor, &found.product, &found.version, &found.model, &found.firmware];
    let told = told.iter().filter(|value| value.is_some()).count();
    let sure = Reverse(found.confidence);
    (Reverse(device), found.origin.tier(), sure, found.origin, Reverse(told), found.proof.rule.clone())
}

/// The version that another finding gives for the same product of the same maker.
fn version_of_same(best: &Found, found: &[Found]) -> Option<String> {
    let same = |one: &&Found| one.product.is_some() && one.vendor == best.vendor && one.product == best.product;
    found.iter().filter(same).find_map(|one| one.version.clone())
}

/// Whether two findings name devices of different makers and neither is clearly surer. The user's rule settles what a
/// built-in one says otherwise: that is what it was written for.
fn contradicts(best: &Found, other: &Found) -> bool {
    let settled = best.origin == Origin::User && other.origin != Origin::User;
    let both = best.is_device() && other.is_device() && best.origin.tier() == other.origin.tier() && !settled;
    let differ = matches!((&best.vendor, &other.vendor), (Some(left), Some(right)) if left != right);
    both && differ && other.confidence.saturating_add(RIVAL_MARGIN) >= best.confidence
}

/// Whether a finding may add to the facts: it does not name another device than the one chosen.
fn agrees(one: &Found, facts: &Facts, best: Option<&Found>) -> bool {
    let same_vendor = one.vendor.is_none() || facts.vendor.is_none() || one.vendor == facts.vendor;
    same_vendor || !(one.is_device() && best.is_some_and(Found::is_device))
}

/// Appends what is not there yet, up to `limit`.
fn push_new<'t>(list: &mut Vec<String>, more: impl Iterator<Item = &'t String>, limit: usize) {
    for item in more {
        if list.len() < limit && !list.contains(item) {
            list.push(item.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use hinomi_model::{DeviceKind, EvidenceKind, Proof};

    use super::*;

    fn found(rule: &str, confidence: u8, vendor: &str, product: &str) -> Found {
        let proof = Proof { rule: rule.into(), field: "line".into(), evidence: EvidenceKind::Http, start: 0, end: 1 };
        let mut found = Found::new(Origin::Builtin, confidence, proof);
        (found.vendor, found.product) = (Some(vendor.into()), Some(product.into()));
        found
    }

    fn combined(found: Vec<Found>) -> Facts {
        let mut facts = Facts::default();
        combine(found, &mut facts);
        facts
    }

    #[test]
    fn a_device_goes_before_the_software_it_runs() {
        let mut server = found("web/boa", 95, "Boa", "Boa");
        server.version = Some("0.94".into());
        server.cpe = vec!["cpe:2.3:a:boa:boa:0.94:*:*:*:*:*:*:*".into()];
        let mut camera = found("camera/some", 80, "Maker", "C-1");
        (camera.kind, camera.model) = (Some(DeviceKind::Camera), Some("C-1".into()));
        let facts = combined(vec![server, camera]);
        assert_eq!(facts.vendor.as_deref(), Some("Maker"));
        assert_eq!(facts.version, None, "a version of the web server is no version of the camera");
        assert_eq!(facts.confidence.as_percent(), 80);
        assert_eq!(facts.cpe.len(), 1, "what it runs is still known");
        assert_eq!(facts.proofs.len(), 2);
    }

    #[test]
    fn rivals_make_each_other_doubtful() {
        let mut one = found("a/a", 80, "Maker", "C-1");
        one.kind = Some(DeviceKind::Camera);
        let mut other = found("b/b", 78, "Rival", "R-1");
        (other.kind, other.model) = (Some(DeviceKind::Router), Some("R-1".into()));
        let facts = combined(vec![other, one]);
        assert_eq!(facts.vendor.as_deref(), Some("Maker"));
        assert_eq!(facts.model, None, "a rival's model is not taken over");
        assert_eq!(facts.confidence.as_percent(), DOUBTFUL);
    }

    #[test]
    fn the_users_rule_wins_a_tie_and_only_that() {
        let device = |rule: &str, origin, confidence, vendor: &str| {
            let mut found = found(rule, confidence, vendor, "X-1");
            (found.kind, found.origin) = (Some(DeviceKind::Router), origin);
            found
        };
        let told = |list| {
            let facts = combined(list);
            (facts.vendor.unwrap_or_default(), facts.confidence.as_percent())
        };
        let builtin = device("a/a", Origin::Builtin, 90, "Builtin");
        let user = |confidence| device("user/z.toml: z", Origin::User, confidence, "User");
        assert_eq!(told(vec![builtin.clone(), user(90)]), ("User".to_owned(), 90));
        assert_eq!(told(vec![user(80), builtin.clone()]), ("Builtin".to_owned(), 90));
        assert_eq!(told(vec![user(88), builtin]), ("Builtin".to_owned(), DOUBTFUL));
        assert_eq!(told(vec![user(10), device("recog/x", Origin::Recog, 70, "Recog")]).0, "Recog", "an unsure device");
        assert_eq!(told(vec![user(60), device("recog/x", Origin::Recog, 70, "Recog")]).0, "User");
    }

    #[test]
    fn the_version_of_the_same_product_is_taken_from_where_it_stands() {
        let mut versioned = found("b/b", 60, "Maker", "Thing");
        versioned.version = Some("7".into());
        let facts = combined(vec![found("a/a", 90, "Maker", "Thing"), versioned]);
        assert_eq!(facts.version.as_deref(), Some("7"));
        assert_eq!(facts.confidence.as_percent(), 90);
    }
}
