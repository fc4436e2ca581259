//! The report of a month: what other programs read in its PDF.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::program::{Installation, stand_aside};

/// Whether poppler's tools are here.
fn tools() -> bool {
    let found = Command::new("pdftotext").arg("-v").output().is_ok();
    if !found {
        stand_aside("pdftotext is not installed (Debian package poppler-utils)");
    }
    found
}

fn said(tool: &str, arguments: &[&str], file: &Path) -> String {
    let output = Command::new(tool).args(arguments).arg(file).output().expect("it runs");
    assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn text(file: &Path) -> String {
    let output = Command::new("pdftotext").arg("-layout").arg(file).arg("-").output().expect("it runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Ports of addresses of a /24 that were open on days of 2026.
fn saw(home: &Installation, services: &[(u8, u16)], day: u32) {
    let line = |(last, port): &(u8, u16)| format!("open tcp {port} 192.0.2.{last} {}\n", 1_767_225_600 + day * 86_400);
    let lines: String = services.iter().map(line).collect();
    let file = home.path(&format!("scan-{day}.txt"));
    fs::write(&file, format!("#masscan\n{lines}# end\n")).expect("written");
    home.succeed(&["import", "--format", "masscan-list", file.to_str().expect("a path")]);
}

fn scene() -> Installation {
    let home = Installation::new();
    let file = home.path("register.toml");
    let register = "format = 1\n[[organisation]]\nid = \"city\"\nname_ja = \"甲市 <b>役所</b>\"\nname_en = \"Town of \
                    Ko\"\nkind = \"municipality\"\npurposes = [\"exposure-reduction\"]\n[[organisation.claim]]\nsubject = \
                    \"192.0.2.0/24\"\nfrom = \"2025-01-01T00:00:00Z\"\n";
    fs::write(&file, register).expect("written");
    home.succeed(&["organisation", "import", file.to_str().expect("a path")]);
    saw(&home, &[(1, 22), (2, 22), (3, 80)], 3);
    saw(&home, &[(1, 22), (2, 22), (4, 443), (5, 8080)], 34);
    home
}

#[test]
fn the_numbers_of_a_month_are_those_of_its_looks() {
    let home = scene();
    let report = home.json(&["report", "--organisation", "city", "--month", "2026-02"]);
    let pair = |name: &str| (report[name][0].as_u64(), report[name][1].as_u64());
    assert_eq!(pair("open"), (Some(4), Some(3)), "{report}");
    assert_eq!(pair("opened"), (Some(2), Some(3)), "{report}");
    assert_eq!(pair("closed"), (Some(0), Some(0)), "nobody found anything closed");
    assert_eq!((report["still_open"].as_u64(), report["not_looked_at"].as_u64()), (Some(2), Some(1)), "{report}");
    let days = report["days"].as_array().expect("days");
    let looked: Vec<_> = days.iter().filter(|day| day["looked_at"].as_u64() > Some(0)).collect();
    assert_eq!((days.len(), looked.len(), looked[0]["looked_at"].as_u64()), (28, 1, Some(4)));
    assert_eq!(report["services"].as_array().map(Vec::len), Some(4));
    assert!(home.fail(&["report", "--organisation", "city", "--month", "2099-01"]).contains("not begun"));
    assert!(home.fail(&["report", "--organisation", "nobody"]).contains("no organisation"));
    let looks = home.succeed(&["ledger", "show", "--json"]);
    assert_eq!(looks.matches("\"report\"").count(), 1, "one look for each report that was made: {looks}");
}

#[test]
fn its_pdf_is_text_with_its_font_within() {
    if !tools() {
        return;
    }
    let home = scene();
    for (language, words) in [
        ("ja", ["公開状況", "要点", "新しく現れたもの", "甲市 <b>役所</b>"]),
        ("en", ["Exposure in", "In short", "New", "Town of Ko"]),
    ] {
        let out = home.path(&format!("report-{language}.pdf"));
        let path = out.to_str().expect("a path");
        let arguments =
            ["report", "--organisation", "city", "--month", "2026-02", "--format", "pdf", "--language", language];
        let told = home.json(&[&arguments[..], &["--out", path]].concat());
        assert_eq!(told["embedded_font"].as_bool(), Some(true), "this machine has a font: {told}");
        let read = text(&out);
        // How wide a blank is drawn decides whether it is read back as one.
        let page = read.replace(' ', "");
        assert!(page.contains("1/3"), "{page}");
        for word in words.iter().chain(&["192.0.2.5:8080/tcp"]) {
            assert!(read.contains(word), "{word} in {read}");
        }
        let fonts = said("pdffonts", &[], &out);
        let line = fonts.lines().nth(2).unwrap_or_default();
        assert!(line.starts_with("HINOMI+") && line.contains("Identity-H") && line.contains("yes yes yes"), "{fonts}");
        let about = said("pdfinfo", &[], &out);
        assert!(about.contains("Title:") && about.contains("2026"), "{about}");
        let drawn = Command::new("pdftoppm").args(["-r", "50", "-png", path]).arg(home.path("page")).output();
        let drawn = drawn.expect("it runs");
        assert!(drawn.status.success() && drawn.stderr.is_empty(), "{}", String::from_utf8_lossy(&drawn.stderr));
    }
    let html = home.succeed(&["report", "--organisation", "city", "--month", "2026-02"]);
    assert!(html.contains("甲市 &lt;b&gt;役所") && !html.contains("<b>役所"), "texts of others do not act");
    assert!(home.fail(&["report", "--format", "pdf", "--font", "/dev/null"]).contains("does not do"));
}
