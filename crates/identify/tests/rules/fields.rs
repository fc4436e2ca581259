//! The handbook's table of fields against what rules may name.

use std::path::Path;

use hinomi_identify::Rules;

/// Every field that the handbook's page on evidence names. A name that begins with a point goes on from the family of
/// the one before it.
fn documented(language: &str) -> Vec<String> {
    let page = format!("../../docs/{language}/src/reference/evidence.md");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = std::fs::read_to_string(page).expect("the handbook");
    let mut fields: Vec<String> = Vec::new();
    for row in text.lines().filter(|line| line.starts_with("| `")) {
        let cell = row.split('|').nth(4).expect("the column of fields");
        for name in cell.split('`').skip(1).step_by(2) {
            let family = fields.last().and_then(|last| last.split_once('.')).map_or("", |(family, _)| family);
            let name = if name.starts_with('.') { format!("{family}{name}") } else { name.to_owned() };
            fields.push(name.replace("NAME", "x-name"));
        }
    }
    // What is no name of a field: values, kinds of evidence.
    let is_name = |name: &str| name.contains('.') && name.starts_with(|c: char| c.is_ascii_lowercase());
    fields.retain(|name| is_name(name) && name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c)));
    fields
}

#[test]
fn every_field_in_the_handbook_can_be_named() {
    let english = documented("en");
    assert!(english.len() > 100 && english.contains(&"upnp.presentation-url".to_owned()), "{english:?}");
    for field in english.iter().chain(&documented("ja")) {
        let rule = format!(
            "[[rule]]\nname = \"web/x\"\nfield = \"{field}\"\nequals = \"x\"\nsource = \"test\"\n\
             vendor = \"X\"\nconfidence = 90\nexamples = [{{ text = \"x\" }}]\n"
        );
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("web.toml"), rule).expect("a file");
        Rules::from_dir(folder.path()).expect("a field that rules may name");
    }
}
