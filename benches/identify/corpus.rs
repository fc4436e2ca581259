//! Evidence to identify: every example of the built-in rules as a device would say it, in pages of the size that
//! devices have, and as many services that no rule knows.
//!
//! Made by a seeded generator: the same on every machine. Bodies are between half a kilobyte and 64 KB, as many of one
//! power of two as of the next, of the markup, style and script that management pages are made of. Some services speak
//! TLS: their handshakes and certificates are those that `crates/wire/testdata` keeps.

use std::fs;
use std::path::{Path, PathBuf};

use hinomi_model::{Evidence, EvidenceKind};
use toml::{Table, Value};

/// All services, and how many examples they hold.
pub(crate) struct Corpus {
    /// Pieces of evidence, service by service.
    pub(crate) services: Vec<Vec<Evidence>>,
    /// Examples that stand in them.
    pub(crate) used: usize,
    /// Examples of fields that only binary protocols have.
    pub(crate) unused: usize,
}

/// The whole corpus.
pub(crate) fn corpus() -> Corpus {
    let mut random = Random(0x5eed);
    let secured = [handshake("tls13.bin", "x509-rsa.der"), handshake("tls12-rsa.bin", "x509-ec.der")];
    let mut corpus = Corpus { services: Vec::new(), used: 0, unused: 0 };
    for example in examples() {
        let Some(mut service) = compose(&example, &mut random) else {
            corpus.unused += 1;
            continue;
        };
        if random.below(3) == 0 {
            service.extend(secured.get(random.below(secured.len())).cloned().unwrap_or_default());
        }
        corpus.used += 1;
        corpus.services.push(service);
        corpus.services.push(unknown(&mut random));
    }
    corpus
}

/// A service that no rule knows: a page, or a greeting.
fn unknown(random: &mut Random) -> Vec<Evidence> {
    let greetings = ["220 ready\r\n", "welcome\r\n\r\nuser: ", "SSH-2.0-server\r\n", "* OK ready\r\n", "\x15\x03\x01"];
    match random.below(4) {
        0 => {
            let text = greetings.get(random.below(greetings.len())).copied().unwrap_or_default();
            vec![Evidence::new(EvidenceKind::Banner, text)]
        }
        _ => {
            let page = Page { headers: vec!["Server: httpd".to_owned()], title: "Login", text: "" };
            vec![Evidence::new(EvidenceKind::Http, page.write(random))]
        }
    }
}

/// A name and the text of a field.
type Part = (String, String);

/// Every example of the built-in rules: its first field and those beside it.
fn examples() -> Vec<Vec<Part>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(root().join("crates/identify/rules"))
        .expect("the rules")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let file: Table = fs::read_to_string(path).expect("a rule file").parse().expect("TOML");
        for rule in file.get("rule").and_then(Value::as_array).into_iter().flatten() {
            let field = rule.get("field").and_then(|field| field.as_str().or_else(|| field.get(0)?.as_str()));
            let field = field.expect("a field");
            let examples = rule.get("examples").and_then(Value::as_array).into_iter().flatten();
            all.extend(examples.filter_map(|example| parts(field, example)));
        }
    }
    all
}

fn parts(field: &str, example: &Value) -> Option<Vec<Part>> {
    let text = example.get("text")?.as_str()?;
    let with = example.get("with").and_then(Value::as_table).into_iter().flatten();
    let with = with.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    Some(std::iter::once((field.to_owned(), text.to_owned())).chain(with).collect())
}

/// The evidence that has these fields; `None` for binary protocols.
fn compose(example: &[Part], random: &mut Random) -> Option<Vec<Evidence>> {
    let (first, text) = example.first()?;
    let evidence = match first.split_once('.').map_or(first.as_str(), |(family, _)| family) {
        "http" => Evidence::new(EvidenceKind::Http, web(example, random)),
        "rtsp" => Evidence::new(EvidenceKind::Rtsp, rtsp(example)),
        "upnp" => Evidence::new(EvidenceKind::UpnpDescription, upnp(example)),
        "ssdp" => Evidence::new(
            EvidenceKind::Ssdp,
            format!("HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nSERVER: {text}\r\nLOCATION: http://192.0.2.1/\r\n\r\n"),
        ),
        "ssh" => Evidence::new(EvidenceKind::Banner, format!("SSH-2.0-{text}\r\n")),
        "ftp" | "smtp" => Evidence::new(EvidenceKind::Banner, format!("220 {}\r\n", text.replace('\n', "\r\n220 "))),
        "pop3" => Evidence::new(EvidenceKind::Banner, format!("+OK {text}\r\n")),
        "imap" => Evidence::new(EvidenceKind::Banner, format!("* OK {text}\r\n")),
        "telnet" => {
            Evidence::new(EvidenceKind::Banner, [b"\xff\xfd\x18\xff\xfb\x01".as_slice(), text.as_bytes()].concat())
        }
        "banner" | "line" => Evidence::new(EvidenceKind::Banner, text.as_str()),
        "reply" => Evidence::new(EvidenceKind::Reply, text.as_str()),
        "redis" if first == "redis.version" => {
            let info = format!("# Server\r\nredis_version:{text}\r\nredis_mode:standalone\r\n");
            Evidence::new(EvidenceKind::Redis, format!("+PONG\r\n${}\r\n{info}\r\n", info.len()))
        }
        _ => return None,
    };
    Some(vec![evidence])
}

fn value<'e>(example: &'e [Part], name: &str) -> Option<&'e str> {
    example.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
}

fn web(example: &[Part], random: &mut Random) -> String {
    let mut headers = Vec::new();
    for (name, text) in example {
        let header = match name.strip_prefix("http.header.").or_else(|| name.strip_prefix("http.")) {
            Some("realm") => format!("WWW-Authenticate: Basic realm=\"{text}\""),
            Some("title" | "body" | "status" | "reason") | None => continue,
            Some(header) => format!("{header}: {text}"),
        };
        headers.push(header.replace(['\r', '\n'], " "));
    }
    let title = value(example, "http.title").unwrap_or("Login");
    Page { headers, title, text: value(example, "http.body").unwrap_or_default() }.write(random)
}

fn rtsp(example: &[Part]) -> String {
    let mut response = "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY\r\n".to_owned();
    let server = value(example, "rtsp.server").map(|server| format!("Server: {server}\r\n"));
    let realm = value(example, "rtsp.realm").map(|realm| format!("WWW-Authenticate: Basic realm=\"{realm}\"\r\n"));
    response.extend(server.into_iter().chain(realm));
    response + "\r\n"
}

fn upnp(example: &[Part]) -> String {
    let elements = [
        ("upnp.manufacturer", "manufacturer"),
        ("upnp.model", "modelName"),
        ("upnp.model-number", "modelNumber"),
        ("upnp.model-description", "modelDescription"),
        ("upnp.friendly-name", "friendlyName"),
    ];
    let told = elements.iter().filter_map(|(name, element)| {
        let text = value(example, name)?.replace('&', "&amp;").replace('<', "&lt;");
        Some(format!("<{element}>{text}</{element}>\n"))
    });
    let told: String = told.collect();
    format!(
        "<?xml version=\"1.0\"?>\n<root xmlns=\"urn:schemas-upnp-org:device-1-0\"><specVersion><major>1</major>\
         <minor>0</minor></specVersion><device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1\
         </deviceType>\n{told}<UDN>uuid:00000000-0000-0000-0000-000000000001</UDN></device></root>\n"
    )
}

fn handshake(hello: &str, certificate: &str) -> Vec<Evidence> {
    let read = |name: &str| fs::read(root().join("crates/wire/testdata").join(name)).expect("a recorded handshake");
    vec![Evidence::new(EvidenceKind::Tls, read(hello)), Evidence::new(EvidenceKind::Certificate, read(certificate))]
}

/// A page to be written.
struct Page<'p> {
    headers: Vec<String>,
    title: &'p str,
    /// Stands somewhere in the middle.
    text: &'p str,
}

/// What management pages are made of.
const PIECES: &[&str] = &[
    "<div class=\"row\"><label for=\"user\">User name</label><input id=\"user\" name=\"user\" maxlength=\"32\"></div>\n",
    "<tr><td class=\"head\">Connection</td><td><span id=\"wan_status\">---</span></td></tr>\n",
    "<script type=\"text/javascript\" src=\"/js/jquery.min.js?v=20230411\"></script>\n",
    "function check(form) { if (form.password.value == \"\") { alert(msg[12]); return false; } return true; }\n",
    "<link rel=\"stylesheet\" type=\"text/css\" href=\"/css/style.css\">\n",
    ".menu li a { display: block; padding: 4px 12px; color: #336699; text-decoration: none; }\n",
    "<!-- language: ja --><option value=\"ja\" selected>日本語</option><option value=\"en\">English</option>\n",
    "<p>設定を変更するには、管理者のユーザー名とパスワードを入力してください。</p>\n",
    "var table = [[0, 'LAN', 1], [1, 'WLAN', 0], [2, 'USB', 0]]; for (var i = 0; i < table.length; i++) draw(table[i]);\n",
    "<img src=\"data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7\" alt=\"\">\n",
    "<form method=\"post\" action=\"/cgi-bin/login.cgi\"><input type=\"hidden\" name=\"lang\" value=\"0\">\n",
    "<noscript>This page needs JavaScript. Please enable it in your browser and load the page again.</noscript>\n",
];

impl Page<'_> {
    fn write(&self, random: &mut Random) -> String {
        let size = random.size_bytes();
        let mut body = format!("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>{}</title>\n", self.title);
        let middle = size / 2;
        let mut told = self.text.is_empty();
        while body.len() < size || !told {
            if !told && body.len() >= middle {
                body.push_str(self.text);
                told = true;
            }
            body.push_str(PIECES.get(random.below(PIECES.len())).copied().unwrap_or_default());
        }
        body.push_str("</body></html>\n");
        let mut page = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n", body.len());
        self.headers.iter().for_each(|header| page.extend([header, "\r\n"]));
        page + "Connection: close\r\n\r\n" + &body
    }
}

/// The generator xorshift64* of Vigna: not for secrets.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap_or(0) % limit.max(1)
    }

    /// Half a kilobyte to 64 KB, each power of two as often.
    fn size_bytes(&mut self) -> usize {
        let power = 512 << self.below(7);
        power + self.below(power)
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
