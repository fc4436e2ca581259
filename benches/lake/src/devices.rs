//! What the simulated hosts are, and what they say.
//!
//! Assumptions, all of this file and none of them measured in the wild:
//!
//! - Eleven sorts of host, two services each on average. A sort has models, a model has versions of its firmware or
//!   software; both are skewed, so that a few are common.
//! - First words of SSH, FTP, mail and Telnet name software and version and nothing of the host: they repeat.
//! - Pages of devices repeat for model and firmware at six hosts in ten; the others carry a serial number. Pages of web
//!   servers are the default page at a third; the others are sites of their own. Dates, cookies and nonces are not in
//!   here: the survey blanks them before anything is stored (`hinomi_wire::http::mask`), entity tags it keeps.
//! - A certificate is its host's own at three TLS services in four, else its model's (key in the firmware). An SSH host
//!   key is its host's own at nine in ten.
//! - A twelfth of all web services are on an odd port.

use hinomi_model::{Evidence, EvidenceKind, Transport};

use crate::random::{Draw, mix};

const CERTIFICATE: &[u8] = include_bytes!("../../../crates/wire/testdata/x509-ec.der");
/// Where the 20 bytes of its serial number stand.
const SERIAL: std::ops::Range<usize> = 16..35;
const HOST_KEY: &[u8] = include_bytes!("../../../crates/wire/testdata/ssh-host-key.bin");
const HOST_KEY_POINT: std::ops::Range<usize> = 19..51;

/// One port of a sort of host.
#[derive(Clone, Copy)]
enum Offer {
    Web(u16),
    WebTls(u16),
    Ssh,
    Telnet,
    Ftp,
    Smtp,
    Pop3,
    Imap,
    Rtsp,
    Ssdp,
}

/// A sort of host.
struct Sort {
    /// So many of a thousand hosts.
    share: u64,
    /// Models and, in `{}`, where a number of the model goes.
    model: &'static str,
    models: u64,
    /// `Server` of its pages; `{v}` is a version.
    server: &'static str,
    /// Title of its pages; `{m}` is the model.
    title: &'static str,
    /// Whether the page asks for a password, with the model as realm.
    asks: bool,
    ssh: &'static str,
    /// Whether its pages are sites of their owners.
    site: bool,
    /// Each is there so many times in a hundred.
    offers: &'static [(Offer, u64)],
}

const SORTS: &[Sort] = &[
    sort(170, "WSR-{}DHP", 40, "", "{m}", (true, false), "", &[(Offer::Web(80), 90), (Offer::Ssdp, 35)]),
    sort(130, "Aterm WG{}HP", 30, "", "{m}", (true, false), "", &[(Offer::Web(80), 95), (Offer::Ssdp, 20)]),
    sort(
        120,
        "DS-2CD{}-I",
        60,
        "App-webs/",
        "{m}",
        (true, false),
        "dropbear_2018.{v}",
        &[(Offer::Web(80), 95), (Offer::Rtsp, 90), (Offer::Ssh, 10)],
    ),
    sort(40, "WV-SW{}", 25, "", "{m} Network Camera", (false, false), "", &[(Offer::Web(80), 95), (Offer::Rtsp, 60)]),
    sort(
        70,
        "TeraStation TS{}DN",
        20,
        "nginx/1.1{v}.3",
        "{m}",
        (false, false),
        "OpenSSH_7.{v}",
        &[(Offer::Web(80), 90), (Offer::WebTls(443), 70), (Offer::Ssh, 30), (Offer::Ftp, 40)],
    ),
    sort(
        160,
        "site",
        1,
        "nginx/1.2{v}.1",
        "Welcome to nginx!",
        (false, true),
        "OpenSSH_9.{v}p1 Debian-2+deb12u3",
        &[(Offer::Web(80), 95), (Offer::WebTls(443), 85), (Offer::Ssh, 60)],
    ),
    sort(
        110,
        "site",
        1,
        "Apache/2.4.5{v} (Debian)",
        "Apache2 Debian Default Page: It works",
        (false, true),
        "OpenSSH_8.{v}p1 Ubuntu-3ubuntu0.10",
        &[(Offer::Web(80), 95), (Offer::WebTls(443), 75), (Offer::Ssh, 60), (Offer::Ftp, 15)],
    ),
    sort(
        50,
        "OpenWrt {}",
        12,
        "uhttpd/1.{v}",
        "{m} - LuCI",
        (false, false),
        "dropbear_2022.{v}",
        &[(Offer::Web(80), 90), (Offer::Ssh, 80), (Offer::Telnet, 20)],
    ),
    sort(50, "modem {}", 30, "", "{m}", (true, false), "", &[(Offer::Telnet, 95), (Offer::Web(80), 40)]),
    sort(
        40,
        "mx{}",
        8,
        "nginx/1.2{v}.1",
        "webmail",
        (false, true),
        "OpenSSH_9.{v}p1 Debian-2+deb12u3",
        &[(Offer::Smtp, 95), (Offer::Imap, 60), (Offer::Pop3, 50), (Offer::WebTls(443), 60), (Offer::Ssh, 50)],
    ),
    sort(
        60,
        "DVR {}",
        20,
        "uc-httpd 1.{v}.0",
        "NETSurveillance WEB",
        (false, false),
        "",
        &[(Offer::Web(80), 95), (Offer::Rtsp, 70), (Offer::Telnet, 40)],
    ),
];

#[expect(clippy::too_many_arguments, reason = "a row of the table above")]
const fn sort(
    share: u64,
    model: &'static str,
    models: u64,
    server: &'static str,
    title: &'static str,
    (asks, site): (bool, bool),
    ssh: &'static str,
    offers: &'static [(Offer, u64)],
) -> Sort {
    Sort { share, model, models, server, title, asks, ssh, site, offers }
}

/// What one service says.
pub struct Said {
    pub port: u16,
    pub transport: Transport,
    /// Its words, as text.
    pub banner: String,
    pub kind: EvidenceKind,
    /// Certificate or host key.
    pub extra: Option<(EvidenceKind, Vec<u8>)>,
    /// Equal where nothing but the host's own numbers differs.
    pub form: u64,
}

impl Said {
    /// All of it as evidence.
    pub fn evidence(&self) -> Vec<Evidence> {
        let words = Evidence::new(self.kind, self.banner.as_bytes());
        let extra = self.extra.iter().map(|(kind, bytes)| Evidence::new(*kind, bytes.as_slice()));
        std::iter::once(words).chain(extra).collect()
    }
}

/// A host of this number.
pub struct Host {
    number: u64,
    sort: &'static Sort,
    model: String,
    version: u64,
    offers: Vec<(usize, Offer)>,
}

impl Host {
    /// The host of this seed.
    pub fn new(seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        let mut at = draw.below(SORTS.iter().map(|sort| sort.share).sum());
        let found = SORTS.iter().find(|sort| {
            let here = at < sort.share;
            at = at.saturating_sub(sort.share);
            here
        });
        let sort = found.unwrap_or(&SORTS[0]);
        let model = sort.model.replace("{}", &(100 + draw.skewed(sort.models) * 37).to_string());
        let version = draw.skewed(6);
        let there = sort.offers.iter().enumerate().filter(|(_, (_, percent))| draw.percent(*percent));
        let offers = there.map(|(at, (offer, _))| (at, *offer)).collect();
        Self { number: seed, sort, model, version, offers }
    }

    /// How many services it has.
    pub fn services(&self) -> usize {
        self.offers.len()
    }

    /// Which of its possible services the nth is.
    pub fn offer(&self, nth: usize) -> usize {
        self.offers.get(nth).map_or(0, |(at, _)| *at)
    }

    /// What its nth service says after so many changes.
    pub fn say(&self, nth: usize, changes: u64, extras: bool) -> Said {
        let (at, offer) = self.offers[nth];
        let version = self.version + changes;
        let form =
            mix(mix(at as u64, version), self.sort.share ^ mix(7, self.model.len() as u64 ^ text_number(&self.model)));
        let own = mix(self.number, mix(at as u64, changes));
        let mut draw = Draw::new(own);
        let (port, transport, kind, banner) = match offer {
            Offer::Web(port) => {
                (self.odd_port(port, at), Transport::Tcp, EvidenceKind::Http, self.page(version, form, &mut draw))
            }
            Offer::WebTls(port) => {
                (self.odd_port(port, at), Transport::Tcp, EvidenceKind::Http, self.page(version, form, &mut draw))
            }
            Offer::Ssdp => (1900, Transport::Udp, EvidenceKind::Ssdp, self.ssdp(version)),
            Offer::Rtsp => (554, Transport::Tcp, EvidenceKind::Rtsp, self.rtsp()),
            words => (first_words_port(words), Transport::Tcp, EvidenceKind::Banner, self.first_words(words, version)),
        };
        let extra = extras.then(|| self.extra(offer, form, &mut draw)).flatten();
        Said { port, transport, banner, kind, extra, form }
    }

    fn odd_port(&self, port: u16, at: usize) -> u16 {
        let mut draw = Draw::new(mix(self.number, 0x9047 + at as u64));
        let usual = if port == 443 { [8443, 4443, 10443, 9443] } else { [8080, 81, 8000, 8888] };
        match draw.below(100) {
            0..=4 => usual[draw.below(4) as usize],
            // No two services of a host have one port.
            5..=7 => 10_000 + draw.skewed(5_000) as u16 * 10 + at as u16,
            _ => port,
        }
    }

    fn page(&self, version: u64, form: u64, draw: &mut Draw) -> String {
        let own = draw.percent(if self.sort.site { 66 } else { 40 });
        let mut words = Draw::new(if own && self.sort.site { draw.next() } else { form });
        let mut text = String::with_capacity(400);
        text.push_str(if self.sort.asks { "HTTP/1.1 401 Unauthorized\r\n" } else { "HTTP/1.1 200 OK\r\n" });
        if !self.sort.server.is_empty() {
            text.push_str(&format!("Server: {}\r\n", self.sort.server.replace("{v}", &version.to_string())));
        }
        if self.sort.asks {
            text.push_str(&format!("WWW-Authenticate: Basic realm=\"{}\"\r\n", self.model));
        }
        if own && self.sort.site {
            text.push_str(&format!("ETag: \"{:x}-{:x}\"\r\n", draw.below(1 << 16), draw.next() >> 16));
        }
        text.push_str("Content-Type: text/html\r\n\r\n<html><head><title>");
        if own && self.sort.site {
            text.push_str(&format!("{} {}", word(words.skewed(WORDS)), word(words.skewed(WORDS))));
        } else {
            text.push_str(&self.sort.title.replace("{m}", &self.model));
        }
        text.push_str("</title></head><body>");
        for _ in 0..8 + words.below(8) {
            text.push_str(&word(words.skewed(WORDS)));
            text.push(' ');
        }
        if own && !self.sort.site {
            text.push_str(&format!("serial {:012x} ", draw.next() >> 16));
        }
        text.push_str("</body></html>");
        text
    }

    fn rtsp(&self) -> String {
        format!("RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm=\"{}\"\r\n\r\n", self.model)
    }

    fn ssdp(&self, version: u64) -> String {
        format!(
            "HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nSERVER: Linux/2.6 UPnP/1.0 MiniUPnPd/1.{version}\r\n\
             LOCATION: http://192.168.11.1:{}/rootDesc.xml\r\n\r\n",
            self.model.len() * 1_000
        )
    }

    fn first_words(&self, offer: Offer, version: u64) -> String {
        match offer {
            Offer::Ssh => format!("SSH-2.0-{}\r\n", self.sort.ssh.replace("{v}", &version.to_string())),
            Offer::Ftp => format!("220 ProFTPD 1.3.{version} Server (Debian)\r\n"),
            Offer::Smtp => format!("220 {} ESMTP Exim 4.9{version}\r\n", self.model),
            Offer::Pop3 => format!("+OK Dovecot {} ready.\r\n", self.model),
            Offer::Imap => format!("* OK [CAPABILITY IMAP4rev1 IDLE] Dovecot ready.{version}\r\n"),
            _ => format!("{} v{version}\r\nlogin: ", self.model),
        }
    }

    fn extra(&self, offer: Offer, form: u64, draw: &mut Draw) -> Option<(EvidenceKind, Vec<u8>)> {
        let (kind, bytes, range, own) = match offer {
            Offer::WebTls(_) => (EvidenceKind::Certificate, CERTIFICATE, SERIAL, 75),
            Offer::Ssh => (EvidenceKind::SshHostKey, HOST_KEY, HOST_KEY_POINT, 90),
            _ => return None,
        };
        let mut numbers = Draw::new(if draw.percent(own) { draw.next() } else { form });
        let mut bytes = bytes.to_vec();
        bytes[range].iter_mut().for_each(|byte| *byte = numbers.next() as u8);
        Some((kind, bytes))
    }
}

const fn first_words_port(offer: Offer) -> u16 {
    match offer {
        Offer::Ssh => 22,
        Offer::Ftp => 21,
        Offer::Smtp => 25,
        Offer::Pop3 => 110,
        Offer::Imap => 143,
        _ => 23,
    }
}

fn text_number(text: &str) -> u64 {
    text.bytes().fold(0, |sum, byte| mix(sum, u64::from(byte)))
}

/// How many different words pages are made of.
pub const WORDS: u64 = 20_000;

/// The word of this rank, small ranks being common.
pub fn word(rank: u64) -> String {
    const SOUNDS: [&str; 16] =
        ["ka", "ri", "to", "mu", "se", "no", "ha", "yu", "we", "lo", "bi", "da", "po", "gi", "ne", "zu"];
    let mut rest = mix(0x0773, rank);
    let mut text = String::with_capacity(12);
    for _ in 0..3 {
        text.push_str(SOUNDS[(rest % 16) as usize]);
        rest /= 16;
    }
    // The rank itself keeps words apart.
    let mut left = rank;
    loop {
        text.push(char::from(b'a' + (left % 26) as u8));
        left /= 26;
        if left == 0 {
            return text;
        }
    }
}
