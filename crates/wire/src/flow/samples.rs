//! Real samples for tests.

use std::path::PathBuf;

/// A file below `flow/` in the folder of samples; none when the folder is not there. `HINOMI_DATA` names the folder.
pub(crate) fn sample(name: &str) -> Option<Vec<u8>> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data"));
    let folder = std::env::var_os("HINOMI_DATA").map_or_else(beside, PathBuf::from);
    let path = folder.join("flow").join(name);
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        stand_aside(&format!("no sample {}; set HINOMI_DATA to the folder that holds flow/", path.display()));
    }
    bytes
}

/// The same, unpacked with the system's gzip.
pub(crate) fn unpacked_sample(name: &str) -> Option<Vec<u8>> {
    let packed = sample(name)?;
    let folder = std::env::temp_dir().join(format!("hinomi-wire-{}-{}", std::process::id(), name.replace('/', "-")));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("packed.gz");
    std::fs::write(&path, packed).unwrap();
    let output = std::process::Command::new("gzip").arg("-dc").arg(&path).output();
    std::fs::remove_dir_all(&folder).unwrap();
    let Ok(output) = output else {
        stand_aside("gzip is not installed");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

/// Says why a test does nothing; a failure where tests may not.
pub(crate) fn stand_aside(why: &str) {
    assert!(std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "may not stand aside here: {why}");
    println!("stands aside: {why}");
}
