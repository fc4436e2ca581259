//! Recog's own examples, where the samples are.

use std::env;
use std::path::{Path, PathBuf};

use hinomi_identify::{Engine, UserRules, recog, test_dir};
use hinomi_model::{Evidence, EvidenceKind, Identifier};

/// The folder with Recog's files: under `HINOMI_DATA`, or beside the repository.
fn folder() -> Option<PathBuf> {
    let data = env::var_os("HINOMI_DATA").map(PathBuf::from);
    let data = data.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"));
    let folder = data.join("recog");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("stands aside: no Recog samples at {} (set HINOMI_DATA)", folder.display());
    None
}

#[test]
fn every_example_matches_its_own_fingerprint() {
    let Some(folder) = folder() else { return };
    let report = recog::conformance(&folder).expect("fingerprint files");
    println!("{} files, {} fingerprints, {} examples", report.files, report.rules, report.examples);
    let failures: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), report.examples, failures.join("\n"));
    assert!(report.files >= 11 && report.examples >= 3000);
    assert_eq!(test_dir(&folder).expect("the same folder"), report);
}

#[test]
fn recog_speaks_where_our_own_rules_are_silent() {
    let Some(folder) = folder() else { return };
    let own = Engine::builtin().expect("built-in rules");
    let user = UserRules::default().with(&folder).expect("fingerprint files");
    assert_eq!(user.rules(), 0);
    assert!(user.fingerprints() > 1000);
    let both = Engine::with(user).expect("an engine");
    assert_ne!(own.revision(), both.revision());

    let banner = |text: &str| [Evidence::new(EvidenceKind::Banner, text.as_bytes())];
    let unknown = banner("SSH-2.0-WeOnlyDo 2.1.3\r\n");
    assert_eq!(own.identify(&unknown).vendor, None);
    let facts = both.identify(&unknown);
    assert!(facts.vendor.is_some() || facts.product.is_some(), "{facts:?}");
    assert!(facts.proofs.iter().any(|proof| proof.rule.starts_with("recog/ssh_banners.xml: ")));

    let known = banner("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n");
    let (one, two) = (own.identify(&known), both.identify(&known));
    assert_eq!(
        (one.vendor, one.product, one.version),
        (two.vendor, two.product, two.version),
        "our own rules go first"
    );
}
