//! PyMISP, as it is installed from PyPI, reads from our server.

use std::process::Command;
use std::sync::Arc;

use hinomi_web::NoSurveys;

use crate::taxii::marked;
use crate::world::{World, stand_aside};

#[test]
fn their_library_reads_events_and_attributes() {
    let Some(python) = std::env::var_os("HINOMI_MISP_PYTHON") else {
        return stand_aside("HINOMI_MISP_PYTHON names no Python with pymisp");
    };
    let world = World::with(marked(), Arc::new(NoSurveys));
    let mut command = Command::new(python);
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/data/misp.py"));
    let output = command.arg(format!("http://{}", world.address)).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((&told["events"], &told["attributes"]), (&12.into(), &14.into()), "{told}");
}
