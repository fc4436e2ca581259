//! The pages in a real browser: the policy lets our own style and script run, and nothing is reported.

use std::process::Command;

use tempfile::TempDir;

use crate::world::World;

/// The page after its script ran, and what the browser had to say.
fn visit(world: &World, target: &str) -> Option<(String, String)> {
    let profile = TempDir::new().expect("a folder");
    let flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--enable-logging=stderr",
        "--virtual-time-budget=2000",
        "--dump-dom",
    ];
    let url = format!("http://{}{target}", world.address);
    let ran = Command::new("chromium")
        .args(flags)
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .output();
    let Ok(ran) = ran else {
        assert!(std::env::var_os("HINOMI_NO_STAND_ASIDE").is_none(), "may not stand aside here: chromium is missing");
        println!("stands aside: chromium is not installed");
        return None;
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some((text(&ran.stdout), text(&ran.stderr)))
}

#[test]
fn the_script_runs_under_the_policy() {
    let world = World::surveyed();
    for target in ["/?lang=en", "/surveys?lang=en"] {
        let Some((page, log)) = visit(&world, target) else { return };
        assert!(page.contains("live-switch") && page.contains("Pause updates"), "{target}: the script ran\n{log}");
        let complaints: Vec<_> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
        assert!(complaints.is_empty(), "{target}: {complaints:#?}");
    }
}
