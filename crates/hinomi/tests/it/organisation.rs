//! Organisations and their claims, with the real program; proofs at a real name server and real web servers, in a network
//! namespace of the test's own.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::daemons;
use crate::program::{HINOMI, Installation, finish, stand_aside};

/// How long a whole run may take.
const PATIENCE: Duration = Duration::from_secs(300);

const NAMESPACE: [&str; 4] = ["-n", "--pid", "--fork", "--kill-child"];

/// Web servers on public addresses 9.9.9.1 to 9.9.9.4, on 10.9.9.1 and on loopback; a name server for one domain and one
/// reverse zone, in which the tokens stand that were asked for.
const WITHIN: &str = r#"
set -eu
ip link set lo up
for host in 9.9.9.1 9.9.9.2 9.9.9.3 9.9.9.4 10.9.9.1; do ip addr add "$host/32" dev lo; done
hinomi() { "$HINOMI" "$@" --state "$STATE"; }
ask() { hinomi claim ask city-a "$1" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["token"]["text"])'; }
hinomi organisation add city-a --name-ja 甲市 --kind municipality --purpose exposure-reduction
domain=$(ask example.org); prefix=$(ask 9.9.9.0/24); part=$(ask 9.9.9.128/26)
for host in 9.9.9.1 9.9.9.2 9.9.9.3 9.9.9.4 10.9.9.1 www.example.org inside.example.org; do ask "$host" >"$DIR/token-$host"; done
printf '$ORIGIN example.org.\n$TTL 60\n@ SOA ns t 1 60 60 60 60\n@ NS ns\nns A 127.0.0.1\nwww A 9.9.9.1\ninside A 127.0.0.1\n_hinomi-challenge TXT "v=other"\n_hinomi-challenge TXT "%s"\n' "$domain" >"$DIR/example.zone"
printf '$ORIGIN 9.9.9.in-addr.arpa.\n$TTL 60\n@ SOA ns.example.org. t 1 60 60 60 60\n@ NS ns.example.org.\n_hinomi-challenge TXT "%s"\n' "$prefix" >"$DIR/reverse.zone"
nsd -d -c "$DIR/nsd.conf" >"$DIR/nsd.log" 2>&1 &
until ss -Hlun | grep -q :5301; do kill -0 $!; done
python3 -c "$SERVER" "$DIR" &
until ss -Hltn | grep -q :80; do kill -0 $!; done
number() { hinomi claim list --subject "$1" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["claims"][0]["number"])'; }
prove() {
    name="$1-$(echo "$2" | tr / _)"; shift
    hinomi claim prove "$(number "$1")" --resolver 127.0.0.1:5301 "$2" $3 >"$DIR/out-$name" 2>&1 && echo yes >"$DIR/said-$name" || echo no >"$DIR/said-$name"
}
prove dns example.org --dns ""
prove dns 9.9.9.0/24 --dns ""
prove dns 9.9.9.128/26 --dns ""
prove http 9.9.9.1 --http ""
prove http 9.9.9.2 --http ""
prove http 9.9.9.4 --http ""
hinomi optout add 9.9.9.3 >&2
prove http 9.9.9.3 --http ""
prove http 10.9.9.1 --http ""
prove http www.example.org --http ""
prove http inside.example.org --http ""
prove allowed 10.9.9.1 --http --beyond-public
hinomi claim history "$(number 9.9.9.1)" >"$DIR/history"
"#;

/// 9.9.9.2 leads on to 9.9.9.1, 9.9.9.4 never ends, the others serve the tokens of every host.
const SERVER: &str = r#"
import glob, http.server, sys
tokens = {open(path).read().strip() for path in glob.glob(sys.argv[1] + "/token-*")}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        here = self.connection.getsockname()[0]
        with open(sys.argv[1] + "/asked", "a") as log:
            print(here, self.headers["Host"], self.path, file=log)
        if here == "9.9.9.2":
            self.send_response(302)
            self.send_header("Location", "http://9.9.9.1" + self.path)
            return self.end_headers()
        token = self.path.rsplit("/", 1)[-1]
        self.send_response(200 if token in tokens else 404)
        self.end_headers()
        while here == "9.9.9.4":
            self.wfile.write(b"x" * 4096)
        self.wfile.write(token.encode() + b"\n")
    def log_message(self, *what):
        pass
http.server.ThreadingHTTPServer(("", 80), Handler).serve_forever()
"#;

/// What the namespace takes.
fn possible() -> bool {
    let found = ["ip", "ss", "python3"].iter().all(|tool| {
        let found = Command::new("sh").args(["-c", "command -v \"$0\""]).arg(tool).output();
        found.is_ok_and(|output| output.status.success())
    });
    let tried = Command::new("unshare").args(NAMESPACE).args(["ip", "link", "set", "lo", "up"]).output();
    found && !daemons::missing("nsd") && tried.is_ok_and(|output| output.status.success())
}

#[test]
fn claims_are_proved_by_real_name_and_web_servers() {
    if !possible() {
        stand_aside("needs ip, ss, python3, nsd, and root to make a network namespace");
        return;
    }
    let here = Installation::new();
    let folder = here.path("").display().to_string();
    let config = format!(
        "server:\n ip-address: 127.0.0.1@5301\n username: \"\"\n zonesdir: \"{folder}\"\n pidfile: \"\"\n \
         zonelistfile: \"{folder}/zone.list\"\n xfrdfile: \"\"\n database: \"\"\nremote-control:\n control-enable: no\n\
         zone:\n name: \"example.org\"\n zonefile: \"example.zone\"\n\
         zone:\n name: \"9.9.9.in-addr.arpa\"\n zonefile: \"reverse.zone\"\n"
    );
    std::fs::write(here.path("nsd.conf"), config).expect("written");
    let mut command = Command::new("unshare");
    command.args(NAMESPACE).args(["sh", "-c", WITHIN]).env("HINOMI", HINOMI).env("SERVER", SERVER);
    command.env("STATE", here.state()).env("DIR", here.path(""));
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    let output = finish(command, PATIENCE);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |name: &str| std::fs::read_to_string(here.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let expect = |name: &str, said: &str, why: &str| {
        let out = read(&format!("out-{name}"));
        assert_eq!(read(&format!("said-{name}")).trim(), said, "{name}: {out}");
        assert!(out.contains(why), "{name}: {out}");
    };
    expect("dns-example.org", "yes", "proved, dns");
    expect("dns-9.9.9.0_24", "yes", "proved, dns");
    expect("dns-9.9.9.128_26", "no", "_hinomi-challenge.9.9.9.in-addr.arpa has other TXT records");
    expect("http-9.9.9.1", "yes", "proved, http");
    expect("http-9.9.9.2", "no", "redirects are not followed");
    expect("http-9.9.9.3", "no", "opt-out list");
    expect("http-9.9.9.4", "no", "serves something else");
    expect("http-10.9.9.1", "no", "not a public address");
    expect("http-www.example.org", "yes", "proved, http");
    expect("http-inside.example.org", "no", "not a public address");
    expect("allowed-10.9.9.1", "yes", "proved, http");
    // Who must not be asked was not.
    let asked = read("asked");
    assert!(!asked.contains("127.0.0.1 ") && !asked.contains("9.9.9.3"), "{asked}");
    let at = |address: &str| asked.lines().filter(|line| line.starts_with(address)).count();
    assert_eq!((at("9.9.9.1 "), at("9.9.9.2 ")), (2, 1), "the redirect led nobody on: {asked}");
    assert!(read("history").contains("proof looked for: 9.9.9.1/32 by http"));
    let who = here.json(&["claim", "who", "9.9.9.77"]);
    assert_eq!((&who["holder"]["organisation"], &who["holder"]["subject"]), (&"city-a".into(), &"9.9.9.0/24".into()));
}

/// A table of one vendor's customers.
fn table(customers: usize) -> String {
    let row = |number: usize| {
        let [.., high, low] = number.to_be_bytes();
        format!(
            "shop-{number},company,\"店 {number}, 本店\",exposure-reduction,vendor,10.{high}.{low}.0/28 shop-{number}.example,s{number}@example.org\n"
        )
    };
    let rows: String = (0..customers).map(row).collect();
    format!(
        "id,kind,name_ja,purposes,acted_for_by,claims,contact_mail\nvendor,vendor,保守,,,,noc@vendor.example\n{rows}"
    )
}

#[test]
fn one_vendor_enters_two_thousand_organisations() {
    one_vendor(&Installation::new(), 2_000);
}

/// So many customers of one vendor, entered at once.
pub(crate) fn one_vendor(here: &Installation, customers: usize) {
    let file = here.path("customers.csv");
    std::fs::write(&file, table(customers)).expect("written");
    let file = file.to_str().expect("a path");
    let imported = here.json(&["organisation", "import", file]);
    assert_eq!((&imported["organisations"], &imported["claims"]), (&(customers + 1).into(), &(2 * customers).into()));
    let again = here.json(&["organisation", "import", file]);
    assert_eq!(again["organisations"], 0, "{again}");
    assert_eq!(again["claims"], 0, "{again}");
    assert_eq!(here.json(&["organisation", "list"])["organisations"].as_array().map(Vec::len), Some(customers + 1));
    let who = here.json(&["claim", "who", "10.0.77.9"]);
    assert_eq!(who["holder"]["organisation"], "shop-77");
    assert_eq!(here.json(&["claim", "who", "mail.shop-5.example"])["holder"]["organisation"], "shop-5");
    let shown = here.json(&["organisation", "show", "shop-5"]);
    assert_eq!(shown["acted_for_by"][0]["organisation"], "vendor");
    assert_eq!(shown["contacts"][0]["mail"], "s5@example.org");
    // What is written out is taken in elsewhere, and nothing is new then.
    let document = here.path("register.toml");
    std::fs::write(&document, here.succeed(&["organisation", "export"])).expect("written");
    let other = Installation::new();
    let document = document.to_str().expect("a path");
    assert_eq!(other.json(&["organisation", "import", document])["claims"], 2 * customers);
    assert_eq!(other.succeed(&["organisation", "export"]), here.succeed(&["organisation", "export"]));
}

#[test]
fn people_decide_and_the_past_stays() {
    people_decide(&Installation::new());
}

/// The same text on a file and on PostgreSQL.
pub(crate) fn people_decide(here: &Installation) {
    for id in ["city-a", "city-b", "isp"] {
        here.succeed(&["organisation", "add", id, "--name-en", id, "--kind", "company"]);
    }
    let ask = |organisation: &str, subject: &str| {
        here.json(&["claim", "ask", organisation, subject])["number"].as_i64().expect("a number").to_string()
    };
    let asked = here.succeed(&["claim", "ask", "city-a", "192.0.2.0/24"]);
    assert!(asked.contains("_hinomi-challenge.2.0.192.in-addr.arpa. TXT"), "{asked}");
    let first = ask("city-a", "192.0.2.0/24");
    let dates = ["--from", "2026-05-01", "--until", "2027-05-01", "--note", "contract"];
    here.succeed(&[&["claim", "approve", &first], &dates[..]].concat());
    let second = ask("city-b", "192.0.2.0/24");
    let said = here.fail(&["claim", "approve", &second, "--from", "2026-06-01"]);
    assert!(said.contains("city-a holds 192.0.2.0/24") && said.contains("--instead"), "{said}");
    here.succeed(&["claim", "approve", &second, "--from", "2026-06-01", "--instead"]);
    let holder = |at: &str| here.json(&["claim", "who", "192.0.2.9", "--at", at])["holder"]["organisation"].clone();
    assert_eq!([holder("2026-05-15"), holder("2026-06-01")], [Value::from("city-a"), Value::from("city-b")]);
    assert!(holder("2026-04-30").is_null());
    // Who runs the AS that announces a prefix vouches, where the table of places says so.
    std::fs::write(here.state().join("places.csv"), "198.51.100.0/24,64500,ISP,JP,\n").expect("written");
    let system = ask("isp", "AS64500");
    here.succeed(&["claim", "approve", &system]);
    let part = ask("city-a", "198.51.100.0/25");
    assert!(here.fail(&["claim", "vouch", &part, "--by", "city-b"]).contains("cannot vouch"));
    assert_eq!(here.json(&["claim", "vouch", &part, "--by", "isp"])["now"], "proved");
    assert!(here.fail(&["claim", "vouch", &ask("city-a", "203.0.113.0/25"), "--by", "isp"]).contains("cannot vouch"));
    let wide = here.succeed(&["claim", "ask", "isp", "16.0.0.0/6"]);
    assert!(wide.contains("a person of this installation decides"), "{wide}");
    assert!(here.fail(&["claim", "prove", &part, "--dns"]).contains("nothing is open"));
    // Audiences that hide their members; contacts; what needs a person.
    here.succeed(&["audience", "add", "isac", "--name-en", "ISAC", "--hidden"]);
    for id in ["city-a", "city-b"] {
        here.succeed(&["audience", "join", "isac", id]);
    }
    assert_eq!(here.succeed(&["audience", "show", "isac", "--seen-by", "city-a"]).trim(), "city-a");
    here.succeed(&["contact", "add", "city-a", "--mail", "csirt@city-a.example", "--phone", "+81 3 0000 0000"]);
    assert!(here.fail(&["contact", "add", "city-a", "--mail", "a b"]).contains("no mail address"));
    let check = here.json(&["organisation", "check"]);
    assert_eq!(check["without_contact"], serde_json::json!(["city-b", "isp"]));
    here.succeed(&["organisation", "close", "city-b"]);
    assert_eq!(holder("2026-06-01"), "city-b", "its past stays its own");
    let now = here.json(&["claim", "who", "192.0.2.9"])["holder"].clone();
    assert!(now.is_null(), "{now}");
    // The ledger was told of every change, and holds.
    let entries = here.json_lines(&["ledger", "show", "--last", "1000"]);
    let told = |change: &str| entries.iter().filter(|entry| entry["entry"]["change"] == change).count();
    assert_eq!((told("claim proved"), told("organisation closed")), (4, 1), "{entries:?}");
    here.succeed(&["ledger", "check"]);
    let history = here.succeed(&["organisation", "history", "city-b"]);
    for what in ["organisation added", "claim asked", "claim proved", "relation begun", "organisation closed"] {
        assert!(history.contains(what), "{what}: {history}");
    }
}
