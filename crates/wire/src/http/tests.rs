//! Answers as devices send them.

use proptest::prelude::*;

use super::*;

const CAMERA: &[u8] = b"HTTP/1.1 401 Unauthorized\r\nDate: Sun, 22 Nov 2026 01:02:03 GMT\r\nServer: App-webs/\r\n\
    WWW-Authenticate: Digest qop=\"auth\", realm=\"DS-2CD\", nonce=\"4e:5a\", opaque=\"x\"\r\n\
    Set-Cookie: SID=0123abc; Path=/; Expires=Mon, 23 Nov 2026 00:00:00 GMT\r\nETag: \"5f\"\r\n\
    Content-Type: text/html\r\nContent-Length: 31\r\n\r\n<title>Document Error</title>\r\n";

fn value(list: &[Field<'_>], name: &str) -> Option<String> {
    list.iter().find(|field| field.name == name).map(|field| field.text().into_owned())
}

#[test]
fn a_camera_gives_its_parts() {
    let list = fields(CAMERA);
    let expected = [
        ("http.status", "401"),
        ("http.reason", "Unauthorized"),
        ("http.server", "App-webs/"),
        ("http.realm", "DS-2CD"),
        ("http.title", "Document Error"),
        ("http.header.etag", "\"5f\""),
        ("http.body", "<title>Document Error</title>\r\n"),
    ];
    for (name, text) in expected {
        assert_eq!(value(&list, name).as_deref(), Some(text), "{name}");
    }
    assert_eq!(value(&list, "malformed"), None);
    for field in list.iter().filter(|field| matches!(field.value, Cow::Borrowed(_))) {
        assert_eq!(CAMERA.get(field.span.clone()), Some(&*field.value), "{}", field.name);
    }
    assert!(list.iter().all(|field| matches!(field.value, Cow::Borrowed(_))), "nothing of this needs a copy");
}

#[test]
fn two_looks_at_one_camera_are_the_same_evidence() {
    let later = String::from_utf8(CAMERA.to_vec()).expect("text").replace("01:02:03", "09:59:00");
    let later = later.replace("0123abc", "9999zzz").replace("4e:5a", "ffff0").replace("23 Nov", "24 Dec");
    let (mut one, mut two) = (CAMERA.to_vec(), later.into_bytes());
    assert_ne!(one, two);
    mask(&mut one);
    mask(&mut two);
    assert_eq!(String::from_utf8_lossy(&one), String::from_utf8_lossy(&two));
    assert!(String::from_utf8_lossy(&one).contains("SID=*******; Path=/; Expires=**** ** *** **** ******** ***\r\n"));
}

#[test]
fn careless_servers_are_read() {
    let list = fields(b"\r\nHTTP/1.0  200\nServer :  thttpd/2.25b \nX-Long: a\n\tb\nno colon here\n\nbody");
    assert_eq!(value(&list, "http.status").as_deref(), Some("200"));
    assert_eq!(value(&list, "http.server").as_deref(), Some("thttpd/2.25b"));
    assert_eq!(value(&list, "http.header.x-long").as_deref(), Some("a b"));
    assert_eq!(value(&list, "http.body").as_deref(), Some("body"));
    assert!(value(&list, "malformed").is_some_and(|text| text.contains("header line without a colon at byte 53")));
}

#[test]
fn half_a_header_is_not_given() {
    let list = fields(b"HTTP/1.1 200 OK\r\nServer: nginx/1.1");
    assert_eq!(value(&list, "http.server"), None);
    assert!(value(&list, "malformed").is_some_and(|text| text.starts_with("truncated")));
}

#[test]
fn what_is_no_http_is_refused() {
    for bytes in [&b"<html>hello"[..], b"HTTPX", b"HTTP/1.1 20 OK\r\n", b"HTTP/1.1 2000 OK\r\n", b"ICY 200 OK\r\n", b""]
    {
        assert!(matches!(parse(bytes), Err(Malformed::Invalid { what: "status line", .. })));
    }
}

#[test]
fn a_reader_knows_when_to_stop() {
    assert!(complete(CAMERA));
    assert!(!complete(CAMERA.get(..CAMERA.len() - 1).expect("a part")));
    assert!(complete(b"HTTP/1.1 304 Not Modified\r\n\r\n"));
    assert!(!complete(b"HTTP/1.0 200 OK\r\n\r\nuntil the end"));
    assert!(!complete(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello"));
    assert!(complete(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
    assert!(complete(b"SSH-2.0-dropbear\r\n"));
    assert!(!complete(b"HTT") && !complete(b""));
    let endless = [b"HTTP/1.1 200 OK\r\nno colon\r\n".to_vec(), b"X: y\r\n".repeat(20_000)].concat();
    assert!(complete(&endless));
}

#[test]
fn a_connection_stays_open_where_both_say_so() {
    assert!(keeps_open(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"));
    assert!(keeps_open(b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 0\r\n\r\n"));
    for ends in [
        &b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"[..],
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"SSH-2.0-x\r\n",
    ] {
        assert!(!keeps_open(ends), "{}", String::from_utf8_lossy(ends));
    }
}

#[test]
fn floods_of_headers_are_bounded_and_said() {
    let flood = [b"HTTP/1.1 200 OK\r\n".to_vec(), b"X: y\r\n".repeat(1000), b"\r\n".to_vec()].concat();
    let list = fields(&flood);
    assert!(list.len() <= crate::MAX_FIELDS);
    assert!(value(&list, "malformed").is_some_and(|text| text.contains("more than the 200")));
}

#[test]
fn a_request_names_who_asks() {
    let bytes = request("/index.html?x=1", "[2001:db8::1]:8080", "https://survey.example/", Afterwards::Close)
        .expect("a request");
    let text = String::from_utf8(bytes).expect("text");
    assert!(text.starts_with("GET /index.html?x=1 HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\nUser-Agent: Mozilla/5.0 ("));
    assert!(text.contains("+https://survey.example/") && text.ends_with("\r\nConnection: close\r\n\r\n"), "{text}");
    for (path, host) in [("/a b", "h"), ("/\r\nX: y", "h"), ("a", "h"), ("/", ""), ("/", "h\n")] {
        assert!(request(path, host, "c", Afterwards::Keep).is_err(), "{path:?} {host:?}");
    }
}

#[test]
fn icons_lie_beside_the_page() {
    let response = parse(b"HTTP/1.1 200 OK\r\n\r\n<link rel=icon href=img/a.png>").expect("a response");
    assert_eq!(response.icon_path("/ui/").as_deref(), Some("/ui/img/a.png"));
}

proptest! {
    #[test]
    fn requests_are_one_head(path in "/[!-~]{0,40}", host in "[!-~]{1,40}") {
        let bytes = request(&path, &host, "https://c.example/", Afterwards::Keep).expect("a request");
        let text = String::from_utf8(bytes).expect("text");
        prop_assert_eq!(text.matches("\r\n").count(), 6);
        prop_assert_eq!(text.find("\r\n\r\n"), Some(text.len() - 4));
    }

    #[test]
    fn headers_round_trip(pairs in prop::collection::vec(("[a-z][a-z0-9-]{0,20}", "[!-~][ -~]{0,30}[!-~]"), 0..20)) {
        let mut text = "HTTP/1.1 200 OK\r\n".to_owned();
        pairs.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
        text.push_str("\r\n");
        let response = parse(text.as_bytes()).expect("a response");
        let read: Vec<_> = response.headers.iter().map(|header| (header.name.to_vec(), header.value.to_vec())).collect();
        let sent: Vec<_> = pairs.iter().map(|(name, value)| (name.clone().into_bytes(), value.clone().into_bytes())).collect();
        prop_assert_eq!(read, sent);
        prop_assert_eq!(response.trouble, None);
    }
}
