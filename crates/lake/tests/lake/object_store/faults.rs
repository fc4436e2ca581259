//! A proxy before an object store that does to requests and answers what networks and stores do.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What may happen to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fault {
    Throttled,
    FailedAfterTheWork,
    SilentAfterTheWork,
    Stalled,
    CutShort,
    FlippedInTheAnswer,
    FlippedInTheRequest,
    ShortListing,
    OldListing,
}

const ALL: [Fault; 9] = [
    Fault::Throttled,
    Fault::FailedAfterTheWork,
    Fault::SilentAfterTheWork,
    Fault::Stalled,
    Fault::CutShort,
    Fault::FlippedInTheAnswer,
    Fault::FlippedInTheRequest,
    Fault::ShortListing,
    Fault::OldListing,
];

/// The proxy, until the test ends.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    to: u16,
    chance: AtomicU64,
    /// Of a hundred requests, so many meet a fault.
    percent: AtomicU64,
    done: Mutex<Vec<Fault>>,
    listing: Mutex<Option<Vec<u8>>>,
    /// Whether nobody may list versions.
    refuse_versions: AtomicBool,
}

impl Proxy {
    /// Stands before this port; what happens follows from the seed and the order of requests.
    pub(crate) fn start(to: u16, seed: u64, percent: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (chance, percent) = (AtomicU64::new(seed), AtomicU64::new(percent));
        let (done, listing, refuse_versions) = Default::default();
        let shared = Arc::new(Shared { to, chance, percent, done, listing, refuse_versions });
        let serving = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = serving.clone();
                std::thread::spawn(move || shared.serve(client));
            }
        });
        Self { port, shared }
    }

    /// From now on so many of a hundred.
    pub(crate) fn set(&self, percent: u64) {
        self.shared.percent.store(percent, Ordering::SeqCst);
    }

    /// From now on nobody may list versions, or everybody.
    pub(crate) fn refuse_versions(&self, refuse: bool) {
        self.shared.refuse_versions.store(refuse, Ordering::SeqCst);
    }

    /// What happened so far.
    pub(crate) fn done(&self) -> Vec<Fault> {
        self.shared.done.lock().unwrap().clone()
    }
}

impl Shared {
    /// `SplitMix64`.
    fn draw(&self) -> u64 {
        let mut z = self.chance.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn fault(&self, request: &Message) -> Option<Fault> {
        if self.draw() % 100 >= self.percent.load(Ordering::SeqCst) {
            return None;
        }
        let fault = ALL[usize::try_from(self.draw() % 9).unwrap()];
        let fits = match fault {
            Fault::ShortListing | Fault::OldListing => request.is_listing(),
            Fault::FlippedInTheRequest => !request.body.is_empty(),
            _ => true,
        };
        fits.then(|| self.done.lock().unwrap().push(fault))?;
        Some(fault)
    }

    fn serve(&self, mut client: TcpStream) -> Option<()> {
        let mut request = Message::read(&mut client)?;
        if self.refuse_versions.load(Ordering::SeqCst) && request.head.windows(9).any(|part| part == b"&versions") {
            let body = "<Error><Code>AccessDenied</Code></Error>";
            let length = body.len();
            let refused = format!("HTTP/1.1 403 No\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            return client.write_all(refused.as_bytes()).ok();
        }
        let fault = self.fault(&request);
        match fault {
            Some(Fault::Throttled) => {
                let busy = b"HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                return client.write_all(busy).ok();
            }
            Some(Fault::Stalled) => return wait_for_the_end(&mut client),
            Some(Fault::FlippedInTheRequest) => self.flip(&mut request.body),
            _ => {}
        }
        let mut answer = self.forward(&request)?;
        let empty = answer.body.is_empty();
        match fault {
            Some(Fault::FailedAfterTheWork) => {
                let failed = b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                return client.write_all(failed).ok();
            }
            Some(Fault::SilentAfterTheWork) => return None,
            Some(Fault::CutShort) => {
                let all = [answer.head.as_slice(), &answer.body].concat();
                return client.write_all(&all[..all.len() / 2]).ok();
            }
            Some(Fault::FlippedInTheAnswer) if !empty => self.flip(&mut answer.body),
            Some(Fault::ShortListing) => shorten(&mut answer.body),
            Some(Fault::OldListing) => {
                if let Some(old) = self.listing.lock().unwrap().clone() {
                    answer.body = old;
                }
            }
            None if request.is_listing() => *self.listing.lock().unwrap() = Some(answer.body.clone()),
            _ => {}
        }
        answer.write(&mut client)
    }

    fn flip(&self, body: &mut [u8]) {
        let at = usize::try_from(self.draw()).unwrap() % body.len();
        body[at] ^= 1 << (self.draw() % 8);
    }

    #[expect(clippy::disallowed_methods, reason = "to the test's own server on loopback")]
    fn forward(&self, request: &Message) -> Option<Message> {
        let mut server = TcpStream::connect(("127.0.0.1", self.to)).ok()?;
        request.write(&mut server)?;
        let mut all = Vec::new();
        server.read_to_end(&mut all).ok()?;
        let end = head_end(&all)?;
        let body = all.split_off(end);
        Some(Message { head: all, body })
    }
}

fn wait_for_the_end(client: &mut TcpStream) -> Option<()> {
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).ok().map(|_| ())
}

/// Leaves out the last object.
fn shorten(body: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(body).into_owned();
    if let (Some(from), Some(to)) = (text.rfind("<Contents>"), text.rfind("</Contents>")) {
        *body = format!("{}{}", &text[..from], &text[to + "</Contents>".len()..]).into_bytes();
    }
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

struct Message {
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Message {
    fn read(from: &mut TcpStream) -> Option<Self> {
        let mut all = Vec::new();
        let mut buffer = [0; 16_384];
        let end = loop {
            if let Some(end) = head_end(&all) {
                break end;
            }
            let read = from.read(&mut buffer).ok().filter(|read| *read > 0)?;
            all.extend_from_slice(&buffer[..read]);
        };
        let mut body = all.split_off(end);
        let head = String::from_utf8_lossy(&all).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        while body.len() < length.unwrap_or(0_usize) {
            let read = from.read(&mut buffer).ok().filter(|read| *read > 0)?;
            body.extend_from_slice(&buffer[..read]);
        }
        Some(Self { head: all, body })
    }

    fn is_listing(&self) -> bool {
        self.head.windows(9).any(|part| part == b"list-type")
    }

    /// With the length that the body has now, and one message a connection.
    fn write(&self, to: &mut TcpStream) -> Option<()> {
        let text = String::from_utf8_lossy(&self.head).into_owned();
        let kept = |line: &&str| {
            let line = line.to_lowercase();
            !line.is_empty() && !line.starts_with("content-length:") && !line.starts_with("connection:")
        };
        let head = text.lines().filter(kept).collect::<Vec<_>>().join("\r\n");
        let head = format!("{head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", self.body.len());
        to.write_all(head.as_bytes()).and_then(|()| to.write_all(&self.body)).ok()
    }
}
