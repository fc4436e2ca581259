use std::io::Cursor;

use proptest::prelude::*;

use super::*;

fn read(text: &[u8]) -> Vec<Result<Entry, String>> {
    Lines::new(Cursor::new(text)).map(|item| item.map_err(|error| error.to_string())).collect()
}

fn endpoint(address: &str, port: u16) -> Entry {
    Entry::Endpoint { address: address.parse().unwrap(), port }
}

#[test]
fn entries_of_every_form() {
    assert_eq!(entry(b"203.0.113.9:1337"), Ok(endpoint("203.0.113.9", 1337)));
    assert_eq!(entry(b" 203.0.113.9:1337 \r"), Ok(endpoint("203.0.113.9", 1337)));
    assert_eq!(entry(b"203.0.113.9:23 # telnet"), Ok(endpoint("203.0.113.9", 23)));
    assert_eq!(entry(b"[2001:db8::1]:666"), Ok(endpoint("2001:db8::1", 666)));
    assert_eq!(entry(b"2001:db8::1"), Ok(Entry::Host("2001:db8::1".parse().unwrap())));
    assert_eq!(entry(b"http://203.0.113.9"), Ok(Entry::Host("203.0.113.9".parse().unwrap())));
    assert_eq!(entry(b"http://203.0.113.9:81/bin.sh"), Ok(endpoint("203.0.113.9", 81)));
    assert_eq!(entry(b"bad.example:81"), Ok(Entry::Name));
    assert_eq!(entry(b"/bins.sh"), Ok(Entry::Name));
    assert_eq!(entry(b"# a remark"), Ok(Entry::Nothing));
    assert_eq!(entry(b""), Ok(Entry::Nothing));
}

#[test]
fn what_no_server_has_is_refused_with_its_reason() {
    assert_eq!(entry(b"203.0.113.9:0"), Err(Refusal::Port));
    assert_eq!(entry(b"203.0.113.9:65536"), Err(Refusal::Port));
    assert_eq!(entry(b"192.168.1.1:80"), Err(Refusal::NotPublic));
    assert_eq!(entry(b"::ffff:10.0.0.1"), Err(Refusal::NotPublic));
    assert_eq!(entry(b"\xff\xfe"), Err(Refusal::NotText));
}

#[test]
fn a_source_tells_its_month_where_its_address_does() {
    let told = |line: &[u8]| entry(line).unwrap();
    let may = Some(Month { year: 2018, month: 5 });
    assert_eq!(told(b"# Reference: https://blog.example/2018/05/remcos.html"), Entry::Source(may));
    assert_eq!(told(b"# Reference: https://blog.example/2018-05-03/remcos"), Entry::Source(may));
    assert_eq!(told(b"# Reference: https://x.example/status/1828882835102449714"), Entry::Source(None));
    assert_eq!(told(b"# Reference: https://x.example/2018/99/"), Entry::Source(None));
}

#[test]
fn a_line_too_long_is_one_error_and_the_next_is_read() {
    let mut text = vec![b'1'; MAX_LINE_BYTES + 1];
    text.extend_from_slice(b"\n203.0.113.9:1\n10.0.0.1\nlast.example");
    let got = read(&text);
    let [Err(too_long), second, Err(private), last] = got.as_slice() else { panic!("{got:?}") };
    assert!(too_long.contains("line 1 is longer") && private.starts_with("line 3"));
    assert_eq!((second, last), (&Ok(endpoint("203.0.113.9", 1)), &Ok(Entry::Name)));
}

proptest! {
    #[test]
    fn any_bytes_give_one_item_a_line(bytes: Vec<u8>) {
        let lines = bytes.split(|&byte| byte == b'\n').count();
        let unfinished = usize::from(bytes.is_empty() || bytes.ends_with(b"\n"));
        prop_assert_eq!(read(&bytes).len(), lines - unfinished);
    }

    #[test]
    fn what_is_written_is_read(a in 1u8..=9, b: u8, c: u8, d: u8, port in 1u16..) {
        let text = format!("{a}.{b}.{c}.{d}:{port}");
        let address = IpAddr::from([a, b, c, d]);
        prop_assert_eq!(entry(text.as_bytes()), Ok(Entry::Endpoint { address, port }));
    }
}
