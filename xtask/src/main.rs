//! `cargo xtask`: checks that keep the house in order, and tables written from others' schemas. See CONTRIBUTING.md.

mod doors;
mod layers;
mod licences;
mod shadowserver;
mod words;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Cargo says at run time which checkout it runs in; a build folder may be shared by several.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&here).parent().unwrap_or(Path::new("."));
    let task = std::env::args().nth(1).unwrap_or_default();
    let result = match task.as_str() {
        "layers" => layers::check(root),
        "doors" => doors::check(root),
        "licences" => licences::check(root),
        "words" => words::check(root),
        "shadowserver" => shadowserver::write(root, &std::env::args().skip(2).collect::<Vec<_>>()),
        "all" => [layers::check, doors::check, words::check, licences::check].iter().try_for_each(|check| check(root)),
        _ => Err(anyhow::anyhow!(
            "usage: cargo xtask layers | doors | words | licences | all | shadowserver SCHEMA.json..."
        )),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody to tell when stderr is gone.
            let _ = writeln!(std::io::stderr(), "xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
