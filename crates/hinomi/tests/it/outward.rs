//! Public addresses, in a network namespace of the test's own: a campaign starts when page and reverse names answer, and
//! not before. With a real name server and the real scan page; nothing leaves the namespace.

use std::process::Command;
use std::time::Duration;

use crate::daemons;
use crate::program::{HINOMI, Installation, finish, stand_aside};

/// How long a whole run may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// A network of its own, which ends with everything in it. Without a user namespace: dnsmasq gives up groups, which one forbids.
const NAMESPACE: [&str; 4] = ["-n", "--pid", "--fork", "--kill-child"];

/// A namespace in which 9.9.9.0/24 is this machine. Each attempt to start the campaign leaves what it said in a file.
const WITHIN: &str = r#"
set -eu
ip link set lo up
ip address add 9.9.9.1/32 dev lo
ip route add local 9.9.9.0/24 dev lo src 9.9.9.1
attempt() { if "$HINOMI" campaign start "${2:-public}" --resolver 127.0.0.1:5300 --state "$STATE" >"$DIR/$1" 2>&1
    then echo started >>"$DIR/$1"; else echo refused >>"$DIR/$1"; fi; }
names() {
    dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --port=5300 --listen-address=127.0.0.1 \
        --bind-interfaces --user=root --group=root --pid-file= --log-facility=- "$@" >>"$DIR/dns" 2>&1 &
    dns=$!
    until ss -Hlun | grep -q :5300; do kill -0 "$dns"; done
}
forget() { kill "$dns"; wait "$dns" || true; }
attempt nothing
"$HINOMI" campaign page --address 9.9.9.1 --port 8421 --email noc@example.org --source 9.9.9.1 --state "$STATE" >"$DIR/url" &
page=$!
until grep -q http "$DIR/url"; do kill -0 "$page"; done
names; attempt unnamed; forget
names --ptr-record=1.9.9.9.in-addr.arpa,scan.example.test --host-record=scan.example.test,9.9.9.2; attempt elsewhere; forget
python3 -c "$VISIT" >"$DIR/visits"
names --host-record=scan.example.test,9.9.9.1; attempt named
python3 -c "$SECURE" "$DIR" &
secure=$!
until ss -Hltn | grep -q :8443; do kill -0 "$secure"; done
attempt untrusted secure
SSL_CERT_FILE="$DIR/cert.pem" attempt trusted secure
kill "$secure"
forget
kill -INT "$page"
wait "$page"
"#;

/// Serves a page over TLS, with a certificate that nobody trusts who was not told to.
const SECURE: &str = r#"
import base64, http.server, ssl, sys
folder = sys.argv[1]
for name, what in (("cert", "CERTIFICATE"), ("key", "PRIVATE KEY")):
    text = base64.encodebytes(open(f"{folder}/{name}.der", "rb").read()).decode()
    open(f"{folder}/{name}.pem", "w").write(f"-----BEGIN {what}-----\n{text}-----END {what}-----\n")
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/who" else 302)
        self.send_header("Location", "/who")
        self.end_headers()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
server = http.server.HTTPServer(("9.9.9.1", 8443), Page)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

/// Visits the page from three addresses: looks, opts out twice, asks for others, and asks too much.
const VISIT: &str = r#"
import http.client, json, re, sys
def ask(source, method, path, body=None, headers={}):
    talk = http.client.HTTPConnection("9.9.9.1", 8421, 20, source_address=(source, 0))
    talk.request(method, path, body, {"Content-Type": "application/x-www-form-urlencoded", **headers})
    answer = talk.getresponse()
    return answer.status, answer.read().decode(), dict(answer.getheaders())
def mark(source):
    return "mark=" + re.search('name="mark" value="([0-9a-f]+)"', ask(source, "GET", "/scan")[1]).group(1)
def tell(name, answer):
    print(json.dumps({"name": name, "status": answer[0], "text": answer[1], "headers": answer[2]}))
tell("en", ask("9.9.9.7", "GET", "/scan", None, {"Accept-Language": "en"}))
tell("ja", ask("9.9.9.7", "GET", "/scan?lang=ja"))
forged = {"Accept-Language": "en", "X-Forwarded-For": "9.9.9.66", "Forwarded": "for=9.9.9.66"}
tell("out", ask("9.9.9.7", "POST", "/scan/opt-out", mark("9.9.9.7"), forged))
tell("again", ask("9.9.9.7", "POST", "/scan/opt-out", mark("9.9.9.7"), forged))
led = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
tell("other-site", ask("9.9.9.8", "POST", "/scan/opt-out", mark("9.9.9.8"), led))
tell("unmarked", ask("9.9.9.8", "POST", "/scan/opt-out", "", forged))
tell("others-mark", ask("9.9.9.8", "POST", "/scan/opt-out", mark("9.9.9.7"), forged))
tell("request", ask("9.9.9.9", "POST", "/scan/request", mark("9.9.9.9") + "&prefix=9.9.9.32%2F28&contact=%3Cb%3E%40example.org", forged))
tell("hostile", ask("9.9.9.9", "POST", "/scan/request", mark("9.9.9.9") + "&prefix=%3Cscript%3E&contact=x", forged))
tell("long", ask("9.9.9.9", "POST", "/scan/request", "prefix=" + "x" * 9000))
for _ in range(8):
    last = ask("9.9.9.10", "POST", "/scan/opt-out", mark("9.9.9.10"), forged)
tell("often", last)
tell("elsewhere", ask("9.9.9.7", "GET", "/api/v1/services"))
"#;

/// What the namespace takes.
fn possible() -> bool {
    let tools = ["ip", "ss", "python3"];
    let found = tools.iter().all(|tool| {
        let found = Command::new("sh").args(["-c", "command -v \"$0\""]).arg(tool).output();
        found.is_ok_and(|output| output.status.success())
    });
    let tried = Command::new("unshare").args(NAMESPACE).args(["ip", "link", "set", "lo", "up"]).output();
    found && !daemons::missing("dnsmasq") && tried.is_ok_and(|output| output.status.success())
}

#[test]
fn public_addresses_wait_for_page_and_reverse_name() {
    if !possible() {
        stand_aside(
            "needs ip, ss, python3, dnsmasq (Debian package dnsmasq-base), and root to make a network namespace",
        );
        return;
    }
    let here = Installation::new();
    plan(&here, "public", "http://9.9.9.1:8421/scan");
    plan(&here, "secure", "https://9.9.9.1:8443/");
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::new(vec!["9.9.9.1".to_owned()]).expect("names").self_signed(&key);
    std::fs::write(here.path("cert.der"), certificate.expect("a certificate").der()).expect("written");
    std::fs::write(here.path("key.der"), key.serialize_der()).expect("written");
    let mut command = Command::new("unshare");
    command.args(NAMESPACE).args(["sh", "-c", WITHIN]).env("HINOMI", HINOMI).env("VISIT", VISIT).env("SECURE", SECURE);
    command.env("STATE", here.state()).env("DIR", here.path(""));
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    let output = finish(command, PATIENCE);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = |name: &str| std::fs::read_to_string(here.path(name)).expect("an attempt");

    let nothing = said("nothing");
    assert!(nothing.ends_with("refused\n") && nothing.contains("2 things must be put right"), "{nothing}");
    assert!(nothing.contains("http://9.9.9.1:8421/scan does not answer with status 200"), "{nothing}");
    let unnamed = said("unnamed");
    assert!(unnamed.ends_with("refused\n") && unnamed.contains("9.9.9.1 has no reverse name"), "{unnamed}");
    assert!(!unnamed.contains("status 200"), "the page answers by now: {unnamed}");
    let elsewhere = said("elsewhere");
    assert!(elsewhere.ends_with("refused\n") && elsewhere.contains("it leads to 9.9.9.2"), "{elsewhere}");
    let named = said("named");
    assert!(named.ends_with("started\n") && named.contains("finished"), "{named}");

    let untrusted = said("untrusted");
    assert!(untrusted.ends_with("refused\n") && untrusted.contains("certificate"), "{untrusted}");
    assert!(said("trusted").ends_with("started\n"), "{}", said("trusted"));

    // What was refused has left no run in the ledger, and the one that ran left out who had opted out.
    let ledger = here.json(&["campaign", "ledger", "public"]);
    let events: Vec<_> = ledger.as_array().expect("a list").iter().map(|entry| &entry["event"]).collect();
    let of = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
    assert_eq!((of("started"), of("ended")), (1, 1), "{ledger}");
    assert_eq!(here.json(&["campaign", "ledger", "--verify"])["holds"], true);
    let refused = events.iter().filter_map(|event| event["refused"]["opted out"].as_u64()).sum::<u64>();
    assert_eq!(refused, 4, "two addresses with two ports each: {ledger}");
    what_visitors_were_told(&here, &said("visits"));
}

/// A plan for a public range, signed by a key that is trusted for all ranges.
fn plan(here: &Installation, name: &str, page: &str) {
    let file = here.path(&format!("{name}.toml"));
    let (file, key) = (file.to_str().expect("a path"), here.path(&format!("{name}.key")));
    let key = key.to_str().expect("a path");
    let public = here.succeed(&["scope", "key", key]);
    here.succeed(&["scope", "trust", public.trim(), "--name", "the signer"]);
    let new = ["scope", "new", "--name", name, "--range", "9.9.9.0/28", "--tcp-ports", "9,10", "--udp-ports", ""];
    let by = ["--organisation", "T", "--person", "T", "--email", "noc@example.org", "--reference", "a test"];
    let page = ["--page", page, "--out", file];
    here.succeed(&[&new[..], &by, &page].concat());
    here.succeed(&["scope", "sign", file, "--key", key]);
    here.succeed(&["campaign", "new", "--scope", file, "--name", name]);
}

fn what_visitors_were_told(here: &Installation, visits: &str) {
    let visits: Vec<serde_json::Value> =
        visits.lines().map(|line| serde_json::from_str(line).expect("a visit")).collect();
    let visit = |name: &str| visits.iter().find(|visit| visit["name"] == name).expect("a visit");
    let status = |name: &str| visit(name)["status"].as_u64().expect("a status");
    let text = |name: &str| visit(name)["text"].as_str().expect("a page").to_owned();
    assert!(text("en").contains("Do not survey 9.9.9.7 any more") && text("en").contains("lang=\"en\""));
    assert!(text("ja").contains("9.9.9.7 を調査の対象から外す"));
    let policy = visit("en")["headers"]["content-security-policy"].as_str().expect("a policy");
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(text("out").contains("9.9.9.7 is not surveyed any more"), "{}", text("out"));
    assert!(text("again").contains("9.9.9.7 was on the opt-out list already"));
    assert_eq!((status("other-site"), status("request"), status("hostile"), status("long")), (403, 202, 400, 413));
    assert_eq!((status("unmarked"), status("others-mark")), (403, 403));
    assert!(text("unmarked").contains("send it again from here"), "{}", text("unmarked"));
    assert!(!text("hostile").contains("<script>"));
    assert_eq!((status("often"), status("elsewhere")), (429, 404));
    let told = here.json(&["optout", "list"]);
    assert_eq!(told["listed"], serde_json::json!(["9.9.9.7/32", "9.9.9.10/32"]), "forged headers count for nothing");
    assert_eq!((&told["waiting"][0]["prefix"], &told["waiting"][0]["number"]), (&"9.9.9.32/28".into(), &1.into()));
    here.succeed(&["optout", "approve", "1"]);
    let told = here.json(&["optout", "list"]);
    assert_eq!((told["listed"].as_array().map(Vec::len), told["waiting"].as_array().map(Vec::len)), (Some(3), Some(0)));
    here.fail(&["optout", "approve", "1"]);
}
