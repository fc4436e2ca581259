//! What is seen of a look without asking the program: by who is looked at, and by the system calls.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// UDP ports that are asked.
pub(super) const UDP: [u16; 2] = [3702, 5353];

/// A home: a page of a router at 52869 that leads on to a neighbour, Telnet at 9200, mDNS at UDP 5353. Counts who comes.
pub(super) struct Host {
    visits: Arc<AtomicU64>,
}

impl Host {
    pub(super) fn start(address: &str) -> Self {
        let bind =
            |port: u16| TcpListener::bind((address, port)).unwrap_or_else(|error| panic!("{address}:{port}: {error}"));
        let host = Self::of(bind(52869));
        host.listen(bind(9200), |mut stream| {
            // WILL ECHO, WILL SUPPRESS GO AHEAD (RFC 854, 857, 858), and who it is.
            let _gone_is_fine = stream.write_all(b"\xff\xfb\x01\xff\xfb\x03\r\nBroadband Router\r\nlogin: ");
            let _until_it_ends = stream.read(&mut [0; 64]);
        });
        host.answer(UdpSocket::bind((address, 5353)).expect("bound"));
        host
    }

    /// A host with a page alone.
    pub(super) fn of(page: TcpListener) -> Self {
        let host = Self { visits: Arc::default() };
        host.listen(page, |mut stream| {
            let mut head = [0; 4096];
            if !stream.read(&mut head).is_ok_and(|count| head[..count].starts_with(b"GET ")) {
                return;
            }
            let body = "<title>router</title><link rel=icon href=http://127.40.0.2:52869/icon>";
            let answer = format!(
                "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nLocation: http://127.40.0.2:52869/\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            let _gone_is_fine = stream.write_all(answer.as_bytes());
        });
        host
    }

    /// How often somebody came.
    pub(super) fn visits(&self) -> u64 {
        self.visits.load(Ordering::SeqCst)
    }

    fn listen(&self, listener: TcpListener, serve: impl Fn(TcpStream) + Send + Sync + 'static) {
        let (visits, serve) = (Arc::clone(&self.visits), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                visits.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(stream));
            }
        });
    }

    /// Answers what is asked over multicast DNS with the question itself, as an answer (RFC 6762, section 18.2).
    #[expect(clippy::disallowed_methods, reason = "the test's own host answers who asked it")]
    fn answer(&self, socket: UdpSocket) {
        let visits = Arc::clone(&self.visits);
        std::thread::spawn(move || {
            let mut asked = [0; 2048];
            while let Ok((count, from)) = socket.recv_from(&mut asked) {
                visits.fetch_add(1, Ordering::SeqCst);
                asked[2] |= 0x84;
                let _gone_is_fine = socket.send_to(&asked[..count], from);
            }
        });
    }
}

/// Where a trace of system calls (`strace -f -yy`) leads to, and how many connections and datagrams it shows. A datagram
/// socket that is only connected asks for the route and sends nothing: that to port 9 is how the form knows from where.
pub(super) fn traced(trace: &Path) -> (BTreeSet<(String, u16)>, u64) {
    let text = std::fs::read_to_string(trace).expect("a trace");
    let (mut to, mut count) = (BTreeSet::new(), 0);
    for line in text.lines() {
        let Some((call, rest)) = line.split_whitespace().nth(1).and_then(|call| call.split_once('(')) else { continue };
        let is_udp = rest.split(',').next().is_some_and(|socket| socket.contains("<UDP"));
        let place = || Some((after(line, "inet_addr(\"")?, after(line, "htons(")?.parse::<u16>().ok()?));
        match (call, place()) {
            ("connect", Some((_, 9))) if is_udp => {}
            ("connect", Some(there)) => {
                to.insert(there);
                count += u64::from(!is_udp);
            }
            ("connect", None) => {}
            (_, there) if is_udp => {
                let peer = after(line, "->").and_then(|peer| {
                    let (address, port) = peer.split_once(']')?.0.rsplit_once(':')?;
                    Some((address.to_owned(), port.parse().ok()?))
                });
                to.extend(there.or(peer));
                count += 1;
            }
            _ => {}
        }
    }
    (to, count)
}

fn after(line: &str, mark: &str) -> Option<String> {
    line.split(mark).nth(1)?.split(['"', ')']).next().map(str::to_owned)
}
