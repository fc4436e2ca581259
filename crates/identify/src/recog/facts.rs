//! Recog's parameters in our words.

use hinomi_model::Proof;

use super::Assertion;
use crate::basics::device_kind;
use crate::clean::{MAX_VALUE_CHARS, clean};
use crate::cpe;
use crate::found::{Found, Origin};

/// How sure a fingerprint makes us. Recog tells a certainty for few; the rest are good but not ours to vouch for.
const CONFIDENCE: u8 = 70;

/// How sure a fingerprint makes us that doubts itself.
const DOUBTFUL_CONFIDENCE: u8 = 40;

/// What an assertion says; `None` when it says nothing, which is what some fingerprints are for.
pub(crate) fn found(assertion: &Assertion, certainty: Option<f32>, proof: Proof) -> Option<Found> {
    let sure = certainty.is_none_or(|certainty| certainty >= 0.5);
    let confidence = if sure { CONFIDENCE } else { DOUBTFUL_CONFIDENCE };
    let mut found = Found::new(Origin::Recog, confidence, proof);
    let certain = |part: &str| assertion.get(&format!("{part}.certainty")).is_none_or(|text| text != "0.0");
    let value = |name: &str| {
        let part = name.split('.').next().unwrap_or_default();
        let text = assertion.get(name).filter(|_| certain(part))?;
        Some(clean(text.as_bytes(), MAX_VALUE_CHARS)).filter(|text| !text.is_empty())
    };
    let hardware = value("hw.vendor").is_some() && (value("hw.product").is_some() || value("hw.device").is_some());
    let part = if hardware {
        "hw"
    } else if value("service.vendor").or_else(|| value("service.product")).is_some() {
        "service"
    } else {
        "os"
    };
    let of_part = |key: &str| value(&format!("{part}.{key}"));
    found.vendor = of_part("vendor");
    found.product = of_part("product").or_else(|| of_part("family"));
    found.version = of_part("version");
    found.kind = value("hw.device").or_else(|| value("os.device")).and_then(|device| device_kind(&device));
    found.model = value("hw.model").or_else(|| value("hw.product"));
    found.os = system(&value);
    let names = ["service.cpe23", "service.component.cpe23", "os.cpe23", "hw.cpe23"];
    found.cpe = names.iter().filter_map(|name| value(name).and_then(|text| cpe::formatted(&text))).collect();
    let says = found.vendor.is_some() || found.product.is_some() || found.os.is_some() || found.kind.is_some();
    says.then_some(found)
}

/// The operating system with its version.
fn system(value: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let name = value("os.product").or_else(|| value("os.family"))?;
    match value("os.version") {
        Some(version) if !name.contains(&version) => Some(format!("{name} {version}")),
        _ => Some(name),
    }
}
