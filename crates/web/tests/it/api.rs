//! The API: what it answers, and that it answers what its description says.

use serde_json::Value;

use crate::client::ask;
use crate::schema::{description, faults};
use crate::world::World;

/// The schema of an answer in the description.
fn schema_of<'a>(document: &'a Value, path: &str, status: &str) -> &'a Value {
    let mut response = &document["paths"][path]["get"]["responses"][status];
    if let Some(reference) = response["$ref"].as_str() {
        response = document.pointer(reference.trim_start_matches('#')).expect("a target");
    }
    let content = response["content"].as_object().expect("content");
    let json = content.iter().find(|(name, _)| name.contains("json") && !name.contains("jsonl"));
    &json.unwrap_or_else(|| panic!("{path} {status} has a JSON answer")).1["schema"]
}

#[test]
fn every_path_is_described_and_every_described_path_exists() {
    let document = description();
    let mut described: Vec<_> = document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
    let mut served = hinomi_web::api::PATHS.to_vec();
    described.sort_unstable();
    served.sort_unstable();
    assert_eq!(described, served);
    assert_eq!(document["servers"][0]["url"], hinomi_web::api::BASE);
    let world = World::empty();
    assert_eq!(world.get("/api/v1/openapi.json").json(), document);
}

#[test]
fn answers_have_exactly_the_described_properties() {
    let world = World::surveyed();
    let document = description();
    let hash = world.evidence_of("192.0.2.20", "http");
    let asked = [
        ("/search", "200", "/search?q=&facets=product,port:20,tag,kind,country&limit=1000".to_owned()),
        ("/search", "200", "/search?limit=0".to_owned()),
        ("/search", "200", "/search?facets=port&distinct=ip&histograms=seen:day,port:100&sample=100&seed=2".to_owned()),
        ("/search", "200", "/search?distinct=ip&limit=0".to_owned()),
        ("/search", "400", "/search?budget=0".to_owned()),
        ("/search", "400", "/search?histograms=seen:10".to_owned()),
        ("/search", "400", "/search?q=text:/(/".to_owned()),
        ("/plan", "200", "/plan?q=port:80%20nginx".to_owned()),
        ("/plan", "400", "/plan?q=port:x".to_owned()),
        ("/as-of", "200", "/as-of?at=2026-11-05".to_owned()),
        ("/as-of", "200", "/as-of?q=has:closed&at=2026-11-22T12:00:00Z&limit=1&known=2026-11-22T12:00:00Z".to_owned()),
        ("/as-of", "400", "/as-of?q=port:22".to_owned()),
        ("/as-of", "400", "/as-of?at=yesterday".to_owned()),
        ("/as-of", "400", "/as-of?at=2026-11-05&known=99999".to_owned()),
        ("/as-of", "400", "/as-of?at=2026-11-05&limit=1001".to_owned()),
        ("/as-of", "400", "/as-of?at=2026-11-05&limit=0".to_owned()),
        ("/diff", "400", "/diff?from=2026-11-05&to=2026-11-22&limit=0".to_owned()),
        ("/diff", "200", "/diff?from=2026-11-05&to=2026-11-22T12:00:00Z&limit=1000".to_owned()),
        ("/diff", "200", "/diff?from=campaign:none&to=campaign:town-7&limit=1".to_owned()),
        ("/diff", "400", "/diff?from=2026-11-05&to=2026-11-01".to_owned()),
        ("/diff", "400", "/diff?from=2026-11-05&to=campaign:town-7".to_owned()),
        ("/diff", "400", "/diff?from=2026-11-05&to=campaign:".to_owned()),
        ("/changes", "200", "/changes?limit=1000".to_owned()),
        ("/changes", "200", "/changes?q=net:192.0.2.0/24&from=2026-11-05&until=2026-11-11&limit=1".to_owned()),
        ("/changes", "400", "/changes?limit=0".to_owned()),
        ("/changes", "400", "/changes?cursor=nonsense".to_owned()),
        ("/hosts/{address}/presence", "200", "/hosts/192.0.2.60/presence".to_owned()),
        ("/hosts/{address}/presence", "404", "/hosts/203.0.113.9/presence".to_owned()),
        ("/hosts/{address}/presence", "400", "/hosts/nowhere/presence".to_owned()),
        ("/search", "400", "/search?q=port:x".to_owned()),
        ("/search", "400", "/search?limit=9999".to_owned()),
        ("/hosts/{address}", "200", "/hosts/192.0.2.60".to_owned()),
        ("/hosts/{address}", "200", "/hosts/192.0.2.50".to_owned()),
        ("/hosts/{address}", "404", "/hosts/203.0.113.9".to_owned()),
        ("/hosts/{address}", "400", "/hosts/fe80::1%25eth0".to_owned()),
        ("/evidence/{hash}", "200", format!("/evidence/{hash}")),
        ("/evidence/{hash}", "404", format!("/evidence/{}", "0".repeat(64))),
        ("/evidence/{hash}", "400", "/evidence/xyz".to_owned()),
        ("/surveys", "200", "/surveys".to_owned()),
        ("/status", "200", "/status".to_owned()),
        ("/rollups", "200", "/rollups?by=port&from=2026-01-01".to_owned()),
        ("/rollups", "400", "/rollups?by=moon".to_owned()),
        ("/rollups", "400", "/rollups?from=yesterday".to_owned()),
        ("/watches", "200", "/watches".to_owned()),
        ("/watches/events", "200", "/watches/events?after=0&limit=10".to_owned()),
        ("/watches/events", "400", "/watches/events?limit=0".to_owned()),
        ("/flow/findings", "200", "/flow/findings".to_owned()),
        ("/flow/findings/{endpoint}", "200", "/flow/findings/203.0.113.9:1337-tcp".to_owned()),
        ("/flow/findings/{endpoint}", "200", "/flow/findings/203.0.113.77:23-tcp".to_owned()),
        ("/flow/findings/{endpoint}", "404", "/flow/findings/203.0.113.1:1-udp".to_owned()),
        ("/flow/findings/{endpoint}", "400", "/flow/findings/203.0.113.1".to_owned()),
        ("/flow/status", "200", "/flow/status".to_owned()),
        ("/export", "400", "/export?format=pdf".to_owned()),
        ("/export", "400", "/export?q=port:x".to_owned()),
    ];
    hold(&world, &document, asked.into_iter());
}

#[test]
fn answers_about_notices_have_exactly_the_described_properties() {
    let world = World::surveyed();
    crate::notices::register(&world);
    let notice = crate::notices::told(&world, "city-a", "192.0.2.20", "exposure-reduction");
    let asked = [
        ("/notices", "200", "/notices".to_owned()),
        ("/notices", "400", "/notices?limit=0".to_owned()),
        ("/notices/{notice}", "200", format!("/notices/{notice}")),
        ("/notices/{notice}", "404", "/notices/999999".to_owned()),
    ];
    hold(&world, &description(), asked.into_iter());
}

/// Holds answers against the description: its path, the status, and what is asked.
fn hold<'a>(world: &World, document: &Value, asked: impl Iterator<Item = (&'a str, &'a str, String)>) {
    for (path, status, target) in asked {
        let answer = world.get(&format!("/api/v1{target}"));
        assert_eq!(answer.status.to_string(), status, "{target}: {}", answer.text());
        let wrong = faults(document, schema_of(document, path, status), &answer.json(), "answer");
        assert!(wrong.is_empty(), "{target}: {wrong:#?}");
        let media_type = if status == "200" { "application/json" } else { "application/problem+json" };
        assert_eq!(answer.header("content-type"), media_type, "{target}");
        assert_eq!(answer.header("cache-control"), "no-store", "{target}");
    }
}

/// The same with its names in the order of the alphabet, whichever order the reader keeps.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<_> = fields.keys().collect();
            names.sort_unstable();
            names.into_iter().map(|name| (name.clone(), sorted(&fields[name]))).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

#[test]
fn search_answers_look_like_this() {
    let world = World::at_rest();
    let pretty = |value: &Value| serde_json::to_string_pretty(&sorted(value)).expect("json");
    let mut found = world.get("/api/v1/search?q=product:openssh&facets=version:2,port&limit=2").json();
    assert!(found["next"].is_string());
    found["next"] = "[cursor]".into();
    insta::assert_snapshot!("search", pretty(&found));
    insta::assert_snapshot!("host", pretty(&world.get("/api/v1/hosts/192.0.2.60").json()));
    insta::assert_snapshot!("surveys", pretty(&World::surveyed().get("/api/v1/surveys").json()));
}

#[test]
fn pages_follow_one_another_and_miss_nothing() {
    let world = World::at_rest();
    let everything = world.get("/api/v1/search?limit=1000").json();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.get(&format!("/api/v1/search?limit=3{cursor}")).json();
        assert_eq!(page["total"], everything["total"]);
        seen.extend(page["matches"].as_array().expect("matches").clone());
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={}", hinomi_web::link::encode(next));
    }
    assert_eq!(Value::Array(seen), everything["matches"]);
    let refused = world.get("/api/v1/search?cursor=nonsense");
    assert_eq!((refused.status, refused.json()["code"].as_str()), (400, Some("cursor")));
}

#[test]
fn problems_point_at_the_character_and_explain_themselves() {
    let world = World::at_rest();
    let answer = world.get("/api/v1/search?q=port:22%20protocl:ssh");
    let problem = answer.json();
    assert_eq!((answer.status, problem["code"].as_str(), problem["status"].as_u64()), (400, Some("query"), Some(400)));
    assert_eq!(problem["at"], 8, "{problem}");
    assert!(problem["detail"].as_str().expect("detail").contains("protocol"), "{problem}");
    assert_eq!(problem["instead"], "protocol", "{problem}");
    let about = world.page("/about", "en");
    let kind = problem["type"].as_str().expect("type");
    assert!(about.contains(&format!("id=\"{}\"", kind.trim_start_matches("/about#"))), "{kind}");
}

#[test]
fn slips_of_the_pen_are_refused() {
    let world = World::at_rest();
    for target in [
        "/search?querry=x",
        "/search?limit=-1",
        "/search?limit=1&limit=2",
        "/search?facets=port:0",
        "/search?facets=port:1001",
        "/search?facets=port,port,port,port,port,port,port,port,port,port,port,port,port,port,port,port,port",
        "/search?facets=nonsense",
        "/evidence/0000?rawr",
        "/export?format=xml",
    ] {
        let answer = world.get(&format!("/api/v1{target}"));
        assert_eq!(answer.status, 400, "{target}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json", "{target}");
    }
    let long = world.get(&format!("/api/v1/search?q={}", "x".repeat(5_000)));
    assert_eq!((long.status, long.json()["code"].as_str()), (400, Some("query-too-long")));
}

#[test]
fn more_than_one_answer_holds_is_refused_with_the_way_to_all() {
    let world = World::at_rest();
    for (target, asked) in [("/search?limit=5000", "5000"), ("/search?facets=port:5000", "port:5000")] {
        let answer = world.get(&format!("/api/v1{target}"));
        assert_eq!(answer.status, 400, "{target}");
        let detail = answer.json()["detail"].as_str().expect("detail").to_owned();
        assert!(detail.contains(asked) && detail.contains("1000") && detail.contains("export"), "{detail}");
    }
}

#[test]
fn evidence_comes_back_byte_for_byte_and_as_nothing_a_browser_would_show() {
    let world = World::at_rest();
    let hash = world.evidence_of("192.0.2.50", "http");
    let described = world.get(&format!("/api/v1/evidence/{hash}")).json();
    let raw = world.get(&format!("/api/v1/evidence/{hash}?raw"));
    let hex: String = raw.body.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(described["hex"], hex);
    assert_eq!(described["size"], raw.body.len());
    assert!(raw.text().starts_with("HTTP/1.1 200 OK\r\n"));
    assert_eq!(raw.header("content-type"), "application/octet-stream");
    assert_eq!(raw.header("x-content-type-options"), "nosniff");
    assert!(raw.header("content-disposition").starts_with("attachment; filename=\"hinomi-http-"));
}

#[test]
fn exports_hold_every_match() {
    let world = World::at_rest();
    let total = world.get("/api/v1/search?q=protocol:ssh&limit=0").json()["total"].as_u64().expect("a number");
    assert!(total >= 3, "{total}");
    let lines = world.get("/api/v1/export?q=protocol:ssh");
    assert!(lines.whole);
    assert_eq!(lines.text().lines().count() as u64, total);
    let csv = world.get("/api/v1/export?q=protocol:ssh&format=csv");
    assert_eq!(csv.text().lines().count() as u64, total + 1);
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"hinomi.csv\"");
    let parquet = world.get("/api/v1/export?format=parquet");
    assert!(parquet.body.starts_with(b"PAR1") && parquet.body.ends_with(b"PAR1"));
    let head = ask(world.address, "HEAD", "/api/v1/export?format=csv", "");
    assert_eq!((head.status, head.body.len()), (200, 0));
}
