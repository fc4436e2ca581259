//! Recog's own examples as a test.

use std::path::Path;

use super::{Database, Example, ExampleText, Fingerprint};
use crate::check::Report;
use crate::error::RuleError;
use crate::files;

/// The most bytes of an example that stands in a file of its own.
const MAX_EXAMPLE_BYTES: usize = 1024 * 1024;

/// Tests each example of every `*.xml` of a folder, or of one file: it must match its own fingerprint, and what the fingerprint asserts
/// must equal the example's attributes.
///
/// # Errors
/// As [`Database::from_dir`].
pub fn conformance(path: &Path) -> Result<Report, RuleError> {
    let database = Database::from_dir(path)?;
    let folder = if path.is_file() { path.parent().unwrap_or(path) } else { path };
    let mut report = Report { files: database.files.len(), rules: database.len(), ..Report::default() };
    for file in &database.files {
        for fingerprint in &file.fingerprints {
            if let Err(fault) = fingerprint.pattern.compile() {
                report.enter(&file.file, &fingerprint.description, b"", Err(fault.to_string()));
            }
            for example in &fingerprint.examples {
                let outcome = bytes(example, folder, &file.file);
                let shown = outcome.as_deref().unwrap_or_default().to_vec();
                let outcome = outcome.and_then(|bytes| test(fingerprint, example, &bytes));
                report.enter(&file.file, &fingerprint.description, &shown, outcome);
            }
        }
    }
    Ok(report)
}

fn test(fingerprint: &Fingerprint, example: &Example, bytes: &[u8]) -> Result<(), String> {
    let assertion = fingerprint.assert(bytes).ok_or("the fingerprint does not match its example")?;
    for (name, expected) in &example.attributes {
        match assertion.get(name) {
            Some(got) if got == expected => {}
            Some(got) => return Err(format!("{name} is {got:?}, the example states {expected:?}")),
            None => return Err(format!("{name} is not asserted, the example states {expected:?}")),
        }
    }
    Ok(())
}

/// The example's bytes. A file must lie in the folder named like its XML file, and nowhere else.
fn bytes(example: &Example, folder: &Path, file: &str) -> Result<Vec<u8>, String> {
    match &example.text {
        ExampleText::Inline(bytes) => Ok(bytes.clone()),
        ExampleText::Undecodable => Err("the text is not base64 as it says".to_owned()),
        ExampleText::File(name) => {
            let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', ':', '\0']);
            let place = folder.join(files::stem(file)).join(name);
            let read = plain.then(|| files::read_bytes(&place, MAX_EXAMPLE_BYTES).map_err(|error| error.to_string()));
            read.unwrap_or_else(|| Err(format!("{name:?} is not a plain file name")))
        }
    }
}
