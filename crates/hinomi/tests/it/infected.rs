//! Infected hosts of Shadowserver's reports, from the file to where people are told.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use hinomi_model::{Clock, SystemClock, Timestamp};

use crate::ports;
use crate::program::Installation;

/// The columns that the schema gives `event4_sinkhole` and that matter here, with some that must not be kept.
const HEAD: &str = "timestamp,protocol,src_ip,src_port,src_asn,src_hostname,device_vendor,device_type,device_model,\
    severity,dst_ip,dst_port,dst_hostname,public_source,infection,family,tag,event_id,http_host,http_url\n";

/// A row: when, who, from which port, and what with.
fn row(time: Timestamp, address: &str, port: &str, infection: &str, family: &str) -> String {
    let time = time.to_string();
    let time = time.get(..19).unwrap_or_default().replace('T', " ");
    format!(
        "{time},tcp,{address},{port},64500,line.example,Example,router,,critical,198.51.100.9,80,sinkhole.example,,\
         {infection},{family},,9,called.example,/secret\n"
    )
}

fn days_ago(days: u64) -> Timestamp {
    SystemClock.now().minus(Duration::from_secs(days * 86_400))
}

/// One request to a server on this machine, by hand; the whole answer.
fn ask(origin: &str, head: &str) -> String {
    let address = origin.strip_prefix("http://").expect("an origin");
    #[expect(clippy::disallowed_methods, reason = "the test is a client of the server that it started")]
    let mut stream = TcpStream::connect(address).expect("the server answers");
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let rest = format!("Host: {address}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    write!(stream, "{head} HTTP/1.1\r\n{rest}").expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    assert!(text.starts_with("HTTP/1.1 200"), "{head}: {text}");
    text
}

/// A report of yesterday and of long ago, imported as open to everybody; and an ordinary service.
fn scene() -> Installation {
    let here = Installation::new();
    let rows = [
        row(days_ago(1), "127.0.0.1", "40123", "avalanche-andromeda", "andromeda"),
        row(days_ago(2), "192.0.2.7", "50001", "mirai", ""),
        row(days_ago(1), "192.0.2.7", "50002", "mirai", ""),
        row(days_ago(100), "192.0.2.8", "50003", "necurs", ""),
        row(days_ago(1), "192.0.2.999", "1", "x", ""),
    ];
    let file = here.path("2026-11-01-event4_sinkhole-example.csv");
    std::fs::write(&file, format!("{HEAD}{}", rows.concat())).expect("written");
    let told = here.json(&["import", file.to_str().expect("a path"), "--tlp", "clear"]);
    let report = &told["report"];
    let counts = ["records", "infected", "stored", "unreadable", "other"].map(|name| report[name].as_u64());
    assert_eq!(counts, [Some(4), Some(4), Some(4), Some(1), Some(0)], "{told}");
    assert!(report["complaints"][0].as_str().is_some_and(|why| why.contains("192.0.2.999")), "{told}");
    let again = here.json(&["import", file.to_str().expect("a path"), "--tlp", "clear"]);
    assert_eq!((&again["report"]["stored"], &again["report"]["repeated"]), (&0.into(), &4.into()), "{again}");
    let list = here.path("scan.txt");
    std::fs::write(&list, format!("#masscan\nopen tcp 22 192.0.2.7 {}\n# end\n", days_ago(1).as_micros() / 1_000_000))
        .expect("written");
    here.succeed(&["import", "--format", "masscan-list", list.to_str().expect("a path")]);
    here
}

fn total(here: &Installation, query: &str) -> u64 {
    here.json(&["search", "--limit", "0", query])["total"].as_u64().expect("a number")
}

#[test]
fn an_infected_host_is_told_where_people_look_and_is_no_service() {
    let here = scene();
    for (query, count) in [
        ("tag:infected", 3),
        ("tag:infected seen:<30d", 2),
        ("tag:mirai", 1),
        ("tag:andromeda protocol:infection", 1),
        ("tlp:clear", 0),
        ("tlp:amber sensor:import:shadowserver", 3),
        ("NOT protocol:infection", 1),
    ] {
        assert_eq!(total(&here, query), count, "{query}");
    }
    let host = here.json(&["host", "192.0.2.7"]);
    let events = host["history"].as_array().expect("a history").iter().filter(|entry| entry["port"] == 0);
    assert_eq!(events.count(), 2, "each event stands in the history: {host}");
    let text = host.to_string();
    assert!(text.contains("50002") && text.contains("sinkhole.example"), "{text}");
    for private in ["called.example", "secret", "line.example"] {
        assert!(!text.contains(private), "{private}: {text}");
    }

    let port = ports::fresh().to_string();
    let (_server, origin) = here.start(&["serve", "--port", &port]);
    let page = ask(&origin, "GET /organisation?lang=en");
    assert!(page.contains("in the last 30 days") && page.contains(">2</a></strong>"), "{page}");
    let own = ask(&origin, "POST /self-check?lang=en");
    assert!(own.contains("A device that is infected") && own.contains("infected andromeda 40123"), "{own}");
    assert!(!own.contains("mirai") && !own.contains("0/tcp"), "{own}");
    let page = ask(&origin, "GET /hosts/192.0.2.7?lang=ja");
    assert!(page.contains("感染") && page.contains("22/tcp") && !page.contains("0/tcp"), "{page}");
}

#[test]
fn the_name_of_who_was_attacked_is_kept_nowhere() {
    let here = Installation::new();
    for (report, address, infected, other) in
        [("event4_honeypot_brute_force", "192.0.2.7", 1, 0), ("event4_ddos_participant", "192.0.2.8", 0, 1)]
    {
        let row = row(days_ago(1), address, "50009", "mirai", "").replace("sinkhole.example", "victim.example");
        let file = here.path(&format!("2026-11-01-{report}-example.csv"));
        std::fs::write(&file, format!("{HEAD}{row}")).expect("written");
        let told = here.json(&["import", file.to_str().expect("a path")]);
        let counts = ["infected", "records", "other", "unreadable"].map(|name| told["report"][name].as_u64());
        assert_eq!(counts, [Some(infected), Some(infected), Some(other), Some(0)], "{report}: {told}");
    }
    assert_eq!(total(&here, "tag:infected"), 1, "who took part in an attack need not be infected");
    let host = here.json(&["host", "192.0.2.7"]).to_string();
    assert!(host.contains("50009") && !host.contains("victim"), "{host}");
}

#[test]
fn a_report_of_a_month_tells_of_infections_first() {
    let here = scene();
    let file = here.path("register.toml");
    let register = "format = 1\n[[organisation]]\nid = \"city\"\nname_ja = \"甲市\"\nname_en = \"Ko\"\nkind = \
                    \"municipality\"\npurposes = [\"exposure-reduction\"]\n[[organisation.claim]]\nsubject = \
                    \"192.0.2.0/24\"\nfrom = \"2020-01-01T00:00:00Z\"\n";
    std::fs::write(&file, register).expect("written");
    here.succeed(&["organisation", "import", file.to_str().expect("a path")]);
    let month = days_ago(1).to_string();
    let month = month.get(..7).expect("a month");
    let html = here.succeed(&["report", "--organisation", "city", "--month", month, "--language", "en"]);
    assert!(html.contains("Infected or misused devices") && html.contains("Take it off the network"), "{html}");
    let told = here.json(&["report", "--organisation", "city", "--month", month]);
    assert_eq!(told["services"][0]["service"]["address"], "192.0.2.7", "the most pressing first: {told}");
    assert_eq!(told["services"][0]["service"]["port"], 0, "{told}");
}
