//! Asks this machine's resolver, the server of a page, and who claims an address. No packet goes to a target.
//!
//! The only sockets of the workspace besides the scope door's that reach out: what is sent is a question for a name, one
//! GET of the page that a signed scope names before anything else is sent, or one GET of the token that a claimant put
//! up and asked to have looked at ([`super::token`]). Every wait and every answer has a bound.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hinomi_wire::dns::{self, KIND_A, KIND_AAAA, KIND_PTR, KIND_TXT};
use hinomi_wire::http::{self, Afterwards};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::Outside;

/// Where the system says which resolvers it uses.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The most resolvers that are tried (resolv.conf(5), MAXNS).
const MAX_RESOLVERS: usize = 3;

/// Longest file of resolvers that is read.
const MAX_RESOLV_BYTES: usize = 64 * 1024;

/// How long one resolver may take.
const RESOLVER_WAIT: Duration = Duration::from_secs(3);

/// How often each is asked.
const ROUNDS: usize = 2;

/// Longest answer without EDNS (RFC 1035 section 4.2.1), and room for servers that forget that.
const MAX_ANSWER_BYTES: usize = 4 * 1024;

/// How long a page's server may take to accept, and between two pieces of its answer.
const PAGE_WAIT: Duration = Duration::from_secs(10);

/// The most that is read of a page: its head is enough.
const MAX_PAGE_BYTES: u64 = 64 * 1024;

/// How often a page may lead on to another.
const MAX_REDIRECTS: usize = 3;

/// Where systems keep the certificates of authorities, if `SSL_CERT_FILE` does not say.
const ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Name servers to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolver {
    servers: Vec<SocketAddr>,
}

impl Resolver {
    /// The system's own.
    pub fn of_system() -> Self {
        let text = fs::read(Path::new(RESOLV_CONF)).unwrap_or_default();
        let text = String::from_utf8_lossy(text.get(..MAX_RESOLV_BYTES).unwrap_or(&text)).into_owned();
        Self { servers: servers_of(&text) }
    }

    /// This one.
    pub fn at(server: SocketAddr) -> Self {
        Self { servers: vec![server] }
    }

    /// The addresses of a name of one kind, [`KIND_A`] or [`KIND_AAAA`]; none where there is no such name.
    ///
    /// # Errors
    /// When no server answers, with the reason.
    pub(crate) fn addresses(&self, name: &str, kind: u16) -> Result<Vec<IpAddr>, String> {
        self.ask(name, kind, |response, _| response.addresses())
    }

    /// The texts under a name; none where there is no such name.
    ///
    /// # Errors
    /// When no server answers, with the reason.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        let texts = self.ask(name, KIND_TXT, |response, _| response.texts())?;
        Ok(texts.into_iter().map(|text| String::from_utf8_lossy(&text).into_owned()).collect())
    }

    /// Whether there is such a name or one below it, and whether it has records of a kind.
    ///
    /// # Errors
    /// When no server answers, with the reason.
    pub(crate) fn exists(&self, name: &str, kind: u16) -> Result<(bool, bool), String> {
        self.ask(name, kind, |response, _| (response.code == 0, response.has(kind)))
    }

    /// Asks one server after the other for records of a type.
    fn ask<T>(&self, name: &str, kind: u16, read: impl Fn(&dns::Response<'_>, &[u8]) -> T) -> Result<T, String> {
        let mut why = "no resolver is known".to_owned();
        for server in self.servers.iter().cycle().take(self.servers.len() * ROUNDS) {
            let message = match exchange(*server, name, kind) {
                Ok(message) => message,
                Err(error) => {
                    why = format!("{server}: {error}");
                    continue;
                }
            };
            let response = dns::Response::parse(&message).map_err(|error| format!("{server}: {error}"))?;
            match response.code {
                // No such name is an answer too, and has no records.
                0 | 3 => return Ok(read(&response, &message)),
                code => why = format!("{server} answers with code {code}"),
            }
        }
        Err(why)
    }
}

fn servers_of(text: &str) -> Vec<SocketAddr> {
    let addresses = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let addresses = addresses.filter_map(|rest| rest.trim().parse::<IpAddr>().ok());
    let servers: Vec<_> = addresses.map(|address| SocketAddr::new(address, 53)).take(MAX_RESOLVERS).collect();
    // What resolv.conf(5) says of a file that names none.
    if servers.is_empty() { vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 53))] } else { servers }
}

/// One question, and the answer that belongs to it.
#[expect(clippy::disallowed_methods, reason = "a question to this machine's resolver, not to a target")]
fn exchange(server: SocketAddr, name: &str, kind: u16) -> io::Result<Vec<u8>> {
    let mut id = [0; 2];
    SystemRandom::new().fill(&mut id).map_err(|_| io::Error::other("the system has no randomness"))?;
    let id = u16::from_be_bytes(id);
    let question = dns::question(id, name, kind).map_err(|error| io::Error::other(error.to_string()))?;
    let socket = UdpSocket::bind((unspecified(server.ip()), 0))?;
    socket.set_read_timeout(Some(RESOLVER_WAIT))?;
    socket.connect(server)?;
    socket.send(&question)?;
    let mut buffer = vec![0; MAX_ANSWER_BYTES];
    for _ in 0..ROUNDS {
        let length = socket.recv(&mut buffer)?;
        let message = buffer.get(..length).unwrap_or_default();
        let belongs = dns::Response::parse(message).is_ok_and(|response| {
            let asked = response.questions.first();
            response.id == id
                && asked
                    .is_some_and(|(asked, of, _)| *of == kind && asked.eq_ignore_ascii_case(name.trim_end_matches('.')))
        });
        if belongs {
            return Ok(message.to_vec());
        }
    }
    Err(io::Error::other("its answers belong to other questions"))
}

const fn unspecified(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// Asks through sockets of this machine.
#[derive(Clone, Debug)]
pub struct Sockets {
    /// Whom to ask for names.
    pub resolver: Resolver,
    /// Stands in the request for the page.
    pub contact: String,
}

impl Outside for Sockets {
    #[expect(clippy::disallowed_methods, reason = "connecting a datagram socket asks for the route and sends nothing")]
    fn source_towards(&self, target: IpAddr) -> Result<IpAddr, String> {
        let route = || {
            let socket = UdpSocket::bind((unspecified(target), 0))?;
            socket.connect((target, 9))?;
            socket.local_addr()
        };
        route().map(|local| local.ip()).map_err(|error: io::Error| error.to_string())
    }

    fn page(&self, address: &str) -> Result<u16, String> {
        let mut place = Place::read(address)?;
        for _ in 0..=MAX_REDIRECTS {
            let answer = get(&place, &self.contact).map_err(|error| error.to_string())?;
            let response = http::parse(&answer).map_err(|_| "it does not answer in HTTP".to_owned())?;
            let onward = response.header("location").filter(|_| (300..400).contains(&response.status));
            match onward {
                None => return Ok(response.status),
                Some(location) => place = place.onward(&String::from_utf8_lossy(location))?,
            }
        }
        Err(format!("it leads on more than {MAX_REDIRECTS} times"))
    }

    fn names_of(&self, address: IpAddr) -> Result<Vec<String>, String> {
        self.resolver.ask(&dns::reverse_name(address), KIND_PTR, |response, message| response.names(message))
    }

    fn addresses_of(&self, name: &str, like: IpAddr) -> Result<Vec<IpAddr>, String> {
        let kind = if like.is_ipv4() { KIND_A } else { KIND_AAAA };
        self.resolver.addresses(name, kind)
    }
}

/// Where a page is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    secure: bool,
    /// Host as in a URL: an IPv6 address stands in brackets.
    authority: String,
    path: String,
}

impl Place {
    fn read(address: &str) -> Result<Self, String> {
        let (secure, rest) = match (address.strip_prefix("https://"), address.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err("its address does not begin with http:// or https://".to_owned()),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let cut = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(cut);
        if authority.is_empty() || authority.contains('@') {
            return Err("its address names no host".to_owned());
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { secure, authority: authority.to_owned(), path })
    }

    fn onward(&self, location: &str) -> Result<Self, String> {
        match location.starts_with('/') && !location.starts_with("//") {
            true => Ok(Self { path: location.to_owned(), ..self.clone() }),
            false => Self::read(location),
        }
    }

    fn host_and_port(&self) -> Result<(String, u16), String> {
        let usual = if self.secure { 443 } else { 80 };
        let bracketed = self.authority.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (host, port) = match bracketed {
            Some((host, after)) => (host, after.strip_prefix(':')),
            None => self
                .authority
                .split_once(':')
                .map_or((self.authority.as_str(), None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Ok(usual), str::parse).map_err(|_| "its address has no usable port".to_owned())?;
        Ok((host.to_owned(), port))
    }
}

/// The beginning of the answer to a GET.
fn get(place: &Place, contact: &str) -> io::Result<Vec<u8>> {
    let (host, port) = place.host_and_port().map_err(io::Error::other)?;
    let contact = if contact.is_empty() { "-" } else { contact };
    let request = http::request(&place.path, &place.authority, contact, Afterwards::Close);
    let request = request.map_err(|error| io::Error::other(error.to_string()))?;
    let stream = connect(&host, port)?;
    stream.set_read_timeout(Some(PAGE_WAIT))?;
    stream.set_write_timeout(Some(PAGE_WAIT))?;
    if !place.secure {
        return ask(stream, &request);
    }
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    let session = ClientConnection::new(trusting()?, name).map_err(io::Error::other)?;
    ask(StreamOwned::new(session, stream), &request)
}

/// The answer to one request, from this address and no other, within a time for all of it.
#[expect(clippy::disallowed_methods, reason = "a connection to who claims this address and asked for it")]
pub(super) fn exchange_once(address: SocketAddr, request: &[u8], within: Duration, most: usize) -> io::Result<Vec<u8>> {
    let ends = Instant::now() + within;
    let left = || Some(ends.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero());
    let over = || io::Error::new(io::ErrorKind::TimedOut, "it takes too long");
    let mut stream = TcpStream::connect_timeout(&address, within)?;
    stream.set_write_timeout(Some(left().ok_or_else(over)?))?;
    stream.write_all(request)?;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    while answer.len() < most {
        stream.set_read_timeout(Some(left().ok_or_else(over)?))?;
        let count = stream.read(&mut piece)?;
        answer.extend(piece.iter().take(count));
        if count == 0 || http::complete(&answer) {
            break;
        }
    }
    answer.truncate(most);
    Ok(answer)
}

fn ask(mut stream: impl Read + Write, request: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(request)?;
    let mut answer = Vec::new();
    match stream.take(MAX_PAGE_BYTES).read_to_end(&mut answer) {
        // Some end TLS without saying so, or keep the connection: the head is what matters.
        Err(error) if answer.is_empty() => Err(error),
        _ => Ok(answer),
    }
}

#[expect(clippy::disallowed_methods, reason = "a connection to the page that the scope names, not to a target")]
fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::other("its name has no address");
    for address in (host, port).to_socket_addrs()?.take(4) {
        match TcpStream::connect_timeout(&address, PAGE_WAIT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// What this system's users trust.
fn trusting() -> io::Result<Arc<ClientConfig>> {
    let named = std::env::var("SSL_CERT_FILE").ok();
    let files = named.as_deref().into_iter().chain(ROOTS);
    let file = files.into_iter().find(|file| Path::new(file).is_file());
    let file =
        file.ok_or_else(|| io::Error::other("no file with certificates of authorities; name one as SSL_CERT_FILE"))?;
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file).map_err(io::Error::other)?;
    roots.add_parsable_certificates(certificates.filter_map(Result::ok));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = builder.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_are_those_of_the_file() {
        let text = "# a comment\nsearch example.org\nnameserver 192.0.2.1\nnameserver  2001:db8::1\nnameserver x\n";
        assert_eq!(servers_of(text), ["192.0.2.1:53".parse().expect("one"), "[2001:db8::1]:53".parse().expect("one")]);
        assert_eq!(servers_of(""), ["127.0.0.1:53".parse().expect("one")]);
    }

    #[test]
    fn addresses_of_pages_are_read() {
        let place = |text: &str| Place::read(text).expect("a page");
        let page = place("https://scan.example.org:8443/a?b#c");
        assert_eq!((page.secure, page.authority.as_str(), page.path.as_str()), (true, "scan.example.org:8443", "/a?b"));
        assert_eq!(page.host_and_port(), Ok(("scan.example.org".to_owned(), 8443)));
        assert_eq!(place("http://[2001:db8::1]").host_and_port(), Ok(("2001:db8::1".to_owned(), 80)));
        assert_eq!(page.onward("/d").map(|next| next.path), Ok("/d".to_owned()));
        assert_eq!(page.onward("http://other.example/").map(|next| next.secure), Ok(false));
        for wrong in ["ftp://a/", "http:///", "http://a@b/", "//a"] {
            assert!(Place::read(wrong).is_err(), "{wrong}");
        }
    }

    /// A server that sends a byte whenever it likes and never ends.
    #[test]
    fn who_never_ends_is_left() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        let address = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                while stream.write_all(b"x").is_ok() {
                    std::thread::park_timeout(Duration::from_millis(20));
                }
            }
        });
        let slow = exchange_once(address, b"GET / HTTP/1.1\r\n\r\n", Duration::from_millis(300), 1 << 20);
        assert!(slow.is_err(), "{slow:?}");
        let much = exchange_once(address, b"GET / HTTP/1.1\r\n\r\n", Duration::from_secs(60), 5);
        assert_eq!(much.expect("the first of it"), b"xxxxx");
    }

    #[test]
    fn the_route_to_this_machine_starts_here() {
        let sockets = Sockets { resolver: Resolver::of_system(), contact: String::new() };
        assert_eq!(sockets.source_towards(Ipv4Addr::LOCALHOST.into()), Ok(Ipv4Addr::LOCALHOST.into()));
    }
}
