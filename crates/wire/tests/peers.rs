//! The SSH and TLS handshakes against the servers themselves: OpenSSH, Dropbear and OpenSSL. Where one is not
//! installed, its test says so and stands aside. All over loopback.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says when it stands aside"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hinomi_wire::{ssh, tls, x509};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether the program is there; says so if not.
fn installed(program: &str) -> bool {
    let found = Path::new(program).exists();
    if !found {
        println!("stands aside: {program} is not installed");
    }
    found
}

/// A folder that goes away with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("hinomi-wire-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server that ends with its owner.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(program: &str, arguments: &[&str]) {
    let done = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(done.expect("the program starts").success(), "{program} {arguments:?}");
}

/// Both ends of a connection over loopback.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("its address");
    #[expect(clippy::disallowed_methods, reason = "a test's own server on loopback")]
    let client = TcpStream::connect(address).expect("connected");
    client.set_read_timeout(Some(PATIENCE)).expect("a bound");
    (client, listener.accept().expect("accepted").0)
}

/// Shakes hands up to the host key, the server started as inetd would; what it agreed to, and the key's fingerprint.
fn ssh_handshake(mut ours: Command) -> (String, String) {
    let (client, accepted) = connection();
    let copy = accepted.try_clone().expect("a copy");
    let command = ours.stdin(OwnedFd::from(accepted)).stdout(OwnedFd::from(copy)).stderr(Stdio::null());
    let _server = Server(command.spawn().expect("the server starts"));
    drop(ours);
    let (mut input, mut output) = (&client, &client);
    let mut stream = Vec::new();
    let mut at = 0;

    input.write_all(&ssh::client_identification("0.1.0")).expect("written");
    while at == 0 {
        more(&mut output, &mut stream);
        at = ssh::read_identification(&stream).expect("sound").map_or(0, |found| found.consumed);
    }
    input.write_all(&ssh::kexinit_packet([7; 16])).expect("written");
    let payload = packet(&mut output, &mut stream, &mut at);
    let agreed = ssh::negotiate(&ssh::KexInit::parse(&payload).expect("an offer")).expect("common ground");
    input.write_all(&ssh::exchange_packet(agreed.method)).expect("written");
    let reply = packet(&mut output, &mut stream, &mut at);
    let key = ssh::parse_exchange_reply(&reply).expect("a reply").to_vec();
    input.write_all(&ssh::disconnect_packet()).expect("written");
    (agreed.kex.to_owned(), ssh::fingerprint(&key))
}

fn more(output: &mut impl Read, stream: &mut Vec<u8>) {
    let mut buffer = [0; 4096];
    let count = output.read(&mut buffer).expect("read");
    assert!(count > 0, "the server hung up after {:?}", String::from_utf8_lossy(stream));
    stream.extend(buffer.iter().take(count));
}

fn packet(output: &mut impl Read, stream: &mut Vec<u8>, at: &mut usize) -> Vec<u8> {
    loop {
        let rest = stream.get(*at..).unwrap_or_default();
        if let Some(packet) = ssh::next_packet(rest).expect("sound") {
            let payload = packet.payload.to_vec();
            *at += packet.consumed;
            return payload;
        }
        more(output, stream);
    }
}

fn fingerprint_of(key: &str) -> String {
    let printed = Command::new("ssh-keygen").args(["-lf", key]).output().expect("ssh-keygen");
    let text = String::from_utf8_lossy(&printed.stdout).into_owned();
    text.split(' ').nth(1).expect("a fingerprint").to_owned()
}

#[test]
fn openssh_answers_every_exchange_we_offer() {
    if !installed("/usr/sbin/sshd") || !installed("/usr/bin/ssh-keygen") {
        return;
    }
    // The privilege separation folder that the service's start script makes.
    let _ = std::fs::create_dir_all("/run/sshd");
    let folder = Folder::new("sshd");
    let keys = [("ed25519", "ssh-ed25519"), ("ecdsa", "ecdsa-sha2-nistp256"), ("rsa", "rsa-sha2-512,ssh-rsa")];
    let exchanges = [
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "diffie-hellman-group14-sha256",
        "diffie-hellman-group14-sha1",
        "diffie-hellman-group1-sha1",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group18-sha512",
    ];
    for (kind, algorithms) in keys {
        let key = folder.file(kind);
        run("ssh-keygen", &["-q", "-t", kind, "-N", "", "-f", &key]);
        for exchange in exchanges {
            let mut sshd = Command::new("/usr/sbin/sshd");
            sshd.args(["-i", "-e", "-f", "/dev/null", "-h", &key]);
            sshd.arg(format!("-oKexAlgorithms={exchange}")).arg(format!("-oHostKeyAlgorithms={algorithms}"));
            assert_eq!(ssh_handshake(sshd), (exchange.to_owned(), fingerprint_of(&key)), "{kind}");
        }
    }
}

#[test]
fn dropbear_tells_its_host_key() {
    if !installed("/usr/sbin/dropbear") || !installed("/usr/bin/dropbearkey") {
        return;
    }
    let folder = Folder::new("dropbear");
    let key = folder.file("ed25519");
    run("dropbearkey", &["-t", "ed25519", "-f", &key]);
    let public = Command::new("dropbearkey").args(["-y", "-f", &key]).output().expect("dropbearkey");
    let mut dropbear = Command::new("/usr/sbin/dropbear");
    dropbear.args(["-i", "-r", &key]);
    let (_, fingerprint) = ssh_handshake(dropbear);
    assert!(String::from_utf8_lossy(&public.stdout).contains(&fingerprint), "{fingerprint}");
}

/// Everything a fresh `openssl s_server` answers to our hello.
fn tls_answer(key: &str, certificate: &str, arguments: &[&str], offer: tls::Offer) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(["s_server", "-accept", "127.0.0.1:0", "-key", key, "-cert", certificate]).args(arguments);
    // Its standard input stays open: at its end it would leave.
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = Server(command.stderr(Stdio::null()).spawn().expect("openssl starts"));
    // Kept to the end: the server writes on, and would die of a closed pipe.
    let mut lines = BufReader::new(server.0.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let accepting = lines.find(|line| line.starts_with("ACCEPT")).expect("it listens");
    let port: u16 = accepting.rsplit(':').next().and_then(|port| port.trim().parse().ok()).expect("a port");

    #[expect(clippy::disallowed_methods, reason = "a test's own server on loopback")]
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a bound");
    let options = tls::ClientHelloOptions {
        random: [7; 32],
        key_share: [9; 32],
        server_name: Some("router.example"),
        offer,
        ..Default::default()
    };
    stream.write_all(&tls::client_hello(&options)).expect("written");
    let mut answer = Vec::new();
    while !tls::complete(&answer) {
        more(&mut stream, &mut answer);
    }
    answer
}

#[test]
fn openssl_answers_our_hello_of_each_version() {
    if !installed("/usr/bin/openssl") {
        return;
    }
    let folder = Folder::new("openssl");
    let (key, certificate, der) = (folder.file("key"), folder.file("cert"), folder.file("der"));
    let subject = ["-subj", "/CN=router.example", "-keyout", &key, "-out", &certificate];
    run("openssl", &[&["req", "-x509", "-newkey", "rsa:2048", "-nodes"][..], &subject].concat());
    run("openssl", &["x509", "-in", &certificate, "-outform", "DER", "-out", &der]);
    let expected = std::fs::read(&der).expect("a certificate");

    let old = ["-cipher", "ALL:@SECLEVEL=0"];
    for (arguments, version) in [(["-tls1"].as_slice(), 0x0301), (&["-tls1_1"], 0x0302), (&["-tls1_2"], 0x0303)] {
        let answer = tls_answer(&key, &certificate, &[arguments, &old].concat(), tls::Offer::Tls12);
        let flight = tls::ServerFlight::parse(&answer).expect("a flight");
        assert_eq!((flight.version, &flight.problem), (Some(version), &None));
        assert_eq!(flight.certificates, [expected.as_slice()]);
        assert!(x509::certificate_facts(&expected).is_ok_and(|facts| facts.subject == "CN=router.example"));
    }
    let modern = tls_answer(&key, &certificate, &[], tls::Offer::Everything);
    let flight = tls::ServerFlight::parse(&modern).expect("a flight");
    assert_eq!((flight.version, flight.group), (Some(0x0304), Some(0x001D)));
    let retry = tls_answer(&key, &certificate, &["-groups", "P-521"], tls::Offer::Everything);
    assert!(tls::ServerFlight::parse(&retry).expect("a flight").hello_retry);
    let refused = tls_answer(&key, &certificate, &["-tls1_3"], tls::Offer::Tls12);
    assert!(tls::ServerFlight::parse(&refused).expect("a flight").alert.is_some());
}
