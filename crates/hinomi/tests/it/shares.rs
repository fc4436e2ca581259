//! What others share: pulled from medallion, the reference server of OASIS, and from our own; taken from files; written
//! out with the bytes as they came. Everything on loopback.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::program::{Background, Installation, samples, stand_aside};

/// Serves what stands in a file, for `u` with the password `p`, in pages of two.
const MEDALLION: &str = r#"
import json, sys
from werkzeug.serving import make_server
from medallion import application_instance, register_blueprints, set_config
config = json.load(open(sys.argv[1]))
for part in ("users", "taxii", "backend"):
    set_config(application_instance, part, config)
register_blueprints(application_instance)
server = make_server("127.0.0.1", 0, application_instance)
print(server.port, flush=True)
server.serve_forever()
"#;

/// Gives medallion one object more.
const GIVE: &str = r#"
import json, sys
from taxii2client.v21 import Collection
status = Collection(sys.argv[1], user="u", password="p").add_objects(json.loads(sys.argv[2]), wait_for_completion=True)
assert status.success_count == 1, status._raw
"#;

/// Servers that want something else.
const HOSTILE: &str = r#"
import http.server, json
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.split("?")[0]
        body, status = {"title": "x", "versions": ["application/taxii+json;version=2.1"]}, 200
        if path == "/away/": status = 302
        elif path == "/elsewhere/": body = {"title": "x", "api_roots": ["http://192.0.2.1/api/"], "default": "http://192.0.2.1/api/"}
        elif path == "/text/": body = "no server"
        elif path == "/huge/": body = {"title": "x" * (17 << 20), "versions": []}
        elif path == "/odd/collections/": body = {"collections": [{"id": "../../x", "title": "x", "can_read": True, "can_write": False}]}
        elif path.endswith("/collections/"): body = {"collections": [{"id": "a", "title": "A", "can_read": True, "can_write": False}]}
        elif path == "/endless/collections/a/objects/": body = {"more": True, "next": "same", "objects": []}
        elif path == "/dateless/collections/a/objects/": body = {"more": True, "objects": []}
        elif path == "/bomb/collections/a/objects/": body = {"objects": [1] * 6000}
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Location", "/endless/")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *said): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// Starts a server that says its port on its first line.
fn start(python: &Path, arguments: &[&str]) -> (Background, String) {
    let mut command = Command::new(python);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("Python starts");
    let mut port = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut port).expect("a port");
    assert!(!port.trim().is_empty(), "the server did not start");
    (Background::of(child), format!("http://127.0.0.1:{}", port.trim()))
}

fn indicator(number: u32, modified: &str) -> Value {
    json!({
        "type": "indicator", "spec_version": "2.1", "id": format!("indicator--00000000-0000-4000-8000-{number:012}"),
        "created": "2026-01-01T00:00:00.000Z", "modified": modified, "name": format!("No. {number}"),
        "indicator_types": ["malicious-activity"], "pattern_type": "stix",
        "pattern": format!("[ipv4-addr:value = '198.51.100.{number}']"), "valid_from": "2026-01-01T00:00:00Z",
        "object_marking_refs": ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],
    })
}

/// What medallion is given to serve.
fn medallion(here: &Installation, python: &Path) -> (Background, String) {
    let mut objects = Vec::new();
    for number in 1..=6 {
        objects.push(indicator(number, "2026-01-01T00:00:00.000Z"));
    }
    objects.push(indicator(1, "2026-02-01T00:00:00.000Z"));
    let manifest: Vec<Value> = (1..).zip(&objects).map(|(second, one)| json!({
        "id": one["id"], "version": one["modified"], "date_added": format!("2026-03-01T00:00:{second:02}.000000Z"),
        "media_type": "application/stix+json;version=2.1",
    })).collect();
    let collection = |id: &str, title: &str, objects: &[Value], manifest: &[Value]| {
        json!({
            "id": id, "title": title, "can_read": true, "can_write": true, "objects": objects, "manifest": manifest,
            "media_types": ["application/stix+json;version=2.1"],
        })
    };
    let data = json!({
        "/discovery": { "title": "x", "default": "/api/", "api_roots": ["/api/"] },
        "api": {
            "information": { "title": "x", "versions": ["application/taxii+json;version=2.1"], "max_content_length": 9_765_625 },
            "status": [],
            "collections": [
                collection("91a7b528-80eb-42ed-a74d-c6fbd5a26116", "Indicators", &objects, &manifest),
                collection("52892447-4d7e-4f70-b94d-d7f22742ff63", "Other", &[], &[]),
            ],
        },
    });
    let file = here.path("data.json");
    std::fs::write(&file, data.to_string()).expect("written");
    let config = json!({
        "backend": { "module": "medallion.backends.memory_backend", "module_class": "MemoryBackend", "filename": file },
        "users": { "u": "p" },
        "taxii": { "max_page_size": 2 },
    });
    let path = here.path("config.json");
    std::fs::write(&path, config.to_string()).expect("written");
    start(python, &["-c", MEDALLION, path.to_str().expect("a path")])
}

/// Objects of a bundle, by id and version.
fn exported(here: &Installation) -> BTreeMap<(String, String), Value> {
    let bundle: Value = serde_json::from_str(&here.succeed(&["objects", "export"])).expect("a bundle");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let objects = bundle["objects"].as_array().cloned().unwrap_or_default();
    objects.into_iter().map(|one| ((text(&one["id"]), text(&one["modified"])), one)).collect()
}

#[test]
fn a_collection_of_medallion_is_pulled_and_the_next_pull_goes_on() {
    let Some(python) = std::env::var_os("HINOMI_TAXII_PYTHON") else {
        return stand_aside("HINOMI_TAXII_PYTHON names no Python with medallion and taxii2-client");
    };
    let (python, here) = (Path::new(&python), Installation::new());
    let (_server, url) = medallion(&here, python);
    let (url, password) = (format!("{url}/taxii2/"), here.path("password"));
    std::fs::write(&password, "p\n").expect("written");
    let base = ["objects", "pull", &url, "--user", "u", "--password-file", password.to_str().expect("a path")];
    let asked = |more: &[&str]| -> Vec<String> { base.iter().chain(more).map(|one| (*one).to_owned()).collect() };
    let run = |more: &[&str]| here.json(&asked(more).iter().map(String::as_str).collect::<Vec<_>>())["report"].clone();
    let fails = |more: &[&str]| here.fail(&asked(more).iter().map(String::as_str).collect::<Vec<_>>());
    assert!(fails(&[]).contains("https"), "a password goes over TLS");
    assert!(fails(&["--allow-private"]).contains("--collection"), "there are two");
    assert!(fails(&["--allow-private", "--collection", "none"]).contains("no such collection"));
    std::fs::write(&password, "wrong").expect("written");
    assert!(fails(&["--allow-private", "--collection", "Indicators"]).contains("401"));
    std::fs::write(&password, "p").expect("written");
    let first = run(&["--allow-private", "--collection", "Indicators"]);
    assert_eq!((&first["total"], first["successes"].as_array().map(Vec::len)), (&7.into(), Some(7)), "{first}");
    let again = run(&["--allow-private", "--collection", "Indicators"]);
    assert_eq!(again["total"], 0, "from where the first ended: {again}");
    let envelope = json!({ "objects": [indicator(7, "2026-01-01T00:00:00.000Z")] }).to_string();
    let place = url.replace("/taxii2/", "/api/collections/91a7b528-80eb-42ed-a74d-c6fbd5a26116/");
    let given = Command::new(python).args(["-c", GIVE, &place, &envelope]).output().expect("Python runs");
    assert!(given.status.success(), "{}", String::from_utf8_lossy(&given.stderr));
    let next = run(&["--allow-private", "--collection", "91a7b528-80eb-42ed-a74d-c6fbd5a26116"]);
    assert_eq!((&next["total"], &next["known"]), (&1.into(), &0.into()), "{next}");
    let whole = run(&["--allow-private", "--collection", "Indicators", "--again"]);
    assert_eq!((&whole["total"], &whole["known"]), (&8.into(), &8.into()), "nothing is taken twice: {whole}");
    // The last version of each, as it was there.
    let kept = exported(&here);
    assert_eq!(kept.len(), 7);
    let newest = ("indicator--00000000-0000-4000-8000-000000000001".to_owned(), "2026-02-01T00:00:00.000Z".to_owned());
    assert_eq!(kept[&newest], indicator(1, "2026-02-01T00:00:00.000Z"));
    let said = here.json(&["objects", "list", "--address", "198.51.100.1"]);
    assert_eq!(
        (&said["objects"][0]["label"], said["objects"].as_array().map(Vec::len)),
        (&"TLP:GREEN".into(), Some(1))
    );
}

#[test]
fn servers_that_want_something_else_get_nothing() {
    let Some(python) = std::env::var_os("HINOMI_TAXII_PYTHON") else {
        return stand_aside("HINOMI_TAXII_PYTHON names no Python");
    };
    let here = Installation::new();
    let (_server, url) = start(Path::new(&python), &["-c", HOSTILE]);
    assert!(here.fail(&["objects", "pull", &format!("{url}/endless/")]).contains("not a public one"));
    for (path, why) in [
        ("away", "not followed"),
        ("elsewhere", "elsewhere"),
        ("text", "not answer as TAXII"),
        ("huge", "at most"),
        ("odd", "the id"),
        ("endless", "same place"),
        ("dateless", "not say where"),
        ("bomb", "at most"),
    ] {
        let said = here.fail(&["objects", "pull", &format!("{url}/{path}/"), "--allow-private"]);
        assert!(said.contains(why), "{path}: {said}");
    }
    assert!(exported(&here).is_empty());
}

#[test]
fn bytes_go_from_file_to_server_to_another_installation_unchanged() {
    let (here, there) = (Installation::new(), Installation::new());
    let id = "indicator--00000000-0000-4000-8000-000000000001";
    let odd = format!(
        "{{ \"type\":\"indicator\",\n\t\"spec_version\" : \"2.1\",\"id\":\"{id}\",\"name\":\"\\u65e5\\/x\", \"x_n\": 1.50e1,\
         \"created\":\"2026-11-01T00:00:00.000Z\",\"modified\":\"2026-11-01T00:00:00.000Z\",\"pattern_type\":\"stix\",\
         \"pattern\":\"[domain-name:value = 'Evil.example']\",\"valid_from\":\"2026-11-01T00:00:00.0Z\"}}"
    );
    let file = here.path("bundle.json");
    let bundle = format!(
        "{{\"type\":\"bundle\",\"id\":\"bundle--00000000-0000-4000-8000-000000000009\",\"objects\":[{odd},{{}}]}}"
    );
    std::fs::write(&file, bundle).expect("written");
    let file = file.to_str().expect("a path");
    let report = here.json(&["objects", "import", file, "--tlp", "green"])["report"].clone();
    assert_eq!((&report["total"], report["failures"].as_array().map(Vec::len)), (&2.into(), Some(1)), "{report}");
    assert_eq!(here.json(&["objects", "import", file, "--tlp", "green"])["report"]["known"], 1);
    let scan = here.path("scan.list");
    std::fs::write(&scan, "#masscan\nopen tcp 22 198.51.100.1 1790000000\n# end\n").expect("written");
    here.succeed(&["import", "--format", "masscan-list", scan.to_str().expect("a path")]);
    let (_server, url) = here.start(&["serve", "--port", "0"]);
    let url = url.split_whitespace().find(|word| word.starts_with("http")).expect("an address").to_owned();
    let url = format!("{}/taxii2/", url.trim_end_matches('/'));
    let pull = ["objects", "pull", &url, "--collection", "shared", "--allow-private", "--tlp", "clear"];
    assert_eq!(there.json(&pull)["report"]["total"], 1);
    assert_eq!(there.json(&pull)["report"]["total"], 0);
    let out = there.path("out.json");
    there.succeed(&["objects", "export", "--out", out.to_str().expect("a path")]);
    assert!(std::fs::read_to_string(&out).expect("a bundle").contains(&odd));
    let shown = there.json(&["objects", "show", id]);
    assert_eq!(
        (&shown["versions"][0]["bytes"], &shown["versions"][0]["about"]["label"]),
        (&odd.as_str().into(), &"TLP:CLEAR".into())
    );
    assert_eq!(
        there.json(&["objects", "list", "--value", "EVIL.example"])["objects"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(there.json(&["objects", "delete", id])["deleted"], 1);
    there.fail(&["objects", "delete", id]);
    there.fail(&["objects", "show", id]);
    // An audience that is not there is a slip.
    assert!(there.fail(&["objects", "import", file, "--audience", "nobody"]).contains("no audience"));
    assert!(there.fail(&["objects", "import", file, "--tlp", "puce"]).contains("amber"));
}

#[test]
fn samples_of_others_keep_ids_and_bytes() {
    let Some(samples) = samples().map(|folder| folder.join("stix")).filter(|folder| folder.is_dir()) else {
        return stand_aside("no folder of samples with stix in it");
    };
    let here = Installation::new();
    let mut files: Vec<_> =
        std::fs::read_dir(samples).expect("a folder").map(|file| file.expect("a file").path()).collect();
    files.sort();
    let texts: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).expect("text")).collect();
    let names: Vec<&str> = files.iter().map(|file| file.to_str().expect("a path")).collect();
    let reports = here.json_lines(&[&["objects", "import"], names.as_slice()].concat());
    let (mut total, mut taken) = (0, 0);
    for report in &reports {
        total += report["report"]["total"].as_u64().expect("a number");
        taken += report["report"]["successes"].as_array().map_or(0, Vec::len);
        assert_eq!(report["report"]["failures"], json!([]), "{report}");
    }
    assert!(total > 10 && taken as u64 == total, "{total} {taken}");
    let bundle = here.succeed(&["objects", "export"]);
    // Whatever stands between the braces of an object is as it was.
    for name in ["indicator--33fe3b22-0201-47cf-85d0-97c02164528d", "campaign--0c7b5b88-8ff7-4a4d-aa9d-feb398cd0061"] {
        let shown = here.json(&["objects", "show", name]);
        let bytes = shown["versions"][0]["bytes"].as_str().expect("bytes");
        assert!(texts.iter().any(|text| text.contains(bytes)) && bundle.contains(bytes), "{name}");
        assert_eq!(shown["versions"][0]["about"]["label"], "TLP:RED", "{name}");
    }
}

#[test]
fn events_of_misp_are_taken_and_found() {
    let here = Installation::new();
    let event = json!({ "Event": {
        "uuid": "5a0c2f3e-0000-4000-8000-000000000001", "info": "Botnet", "timestamp": "1790000000", "distribution": "3",
        "date": "2026-09-21", "analysis": "2", "threat_level_id": "2", "Orgc": { "name": "X", "uuid": "5a0c2f3e-0000-4000-8000-000000000009" },
        "Tag": [{ "name": "tlp:green", "colour": "#33ff00" }],
        "Attribute": [
            { "type": "ip-dst|port", "category": "Network activity", "value": "198.51.100.9|6667", "to_ids": true, "distribution": "5" },
            { "type": "domain", "category": "Network activity", "value": "c2.example", "to_ids": true, "distribution": "5" },
        ],
    }});
    let file = here.path("event.json");
    std::fs::write(&file, event.to_string()).expect("written");
    let report = here.json(&["objects", "import", file.to_str().expect("a path")]);
    assert_eq!(report["report"]["successes"].as_array().map(Vec::len), Some(1), "{report}");
    for (flag, value) in [("--address", "198.51.100.9"), ("--value", "c2.example")] {
        let found = here.json(&["objects", "list", flag, value]);
        assert_eq!(
            (&found["objects"][0]["kind"], &found["objects"][0]["label"]),
            (&"misp-event".into(), &"TLP:GREEN".into())
        );
    }
    let shown = here.json(&["objects", "show", "5a0c2f3e-0000-4000-8000-000000000001"]);
    assert_eq!(shown["versions"][0]["bytes"], event.to_string());
}
