//! What holds for every kind of evidence and any bytes.

use proptest::prelude::*;

use super::*;

/// Bytes that look enough like each protocol to go deep into its codec.
const SEEDS: &[&[u8]] = &[
    b"HTTP/1.1 200 OK\r\nServer: x\r\nSet-Cookie: a=b; Expires=c\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<titl\r\n",
    b"HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"realm=\"\r\n\r\n<input name=token value=\"abcdefgh12\">",
    b"RTSP/1.0 200 OK\r\nPublic: OPTIONS\r\n folded\r\nDate: x\r\n\r\n",
    b"220 host ESMTP Sun, 22 Nov 2026 01:02:03 +0900\r\n",
    b"+OK <1.2@host>\r\n$5\r\nos:Li\r\nprocess_id:1\r\n",
    b"\xff\xfd\x01\xff\xfa\x18\xff\xf0login: ",
    b"\x30\0\0\0\x0a8.0.36\0\x01\x02\x03\x04saltsalt\0\xff\xff\x08\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0moresaltmore\0caching\0",
    b"<?xml version='1.0'?><root><device><modelName>x&amp;y</modelName></device></root>",
    b"<port><service name='http' method='probed'><cpe>cpe:/a:b:c</cpe></service></port>",
    b"{\"port\":80,\"proto\":\"tcp\",\"service\":{\"name\":\"http\",\"banner\":\"x\"}}",
    b"{\"status\":\"success\",\"protocol\":\"ssh\",\"result\":{\"banner\":\"SSH-2.0-x\"}}",
    b"\x16\x03\x03\0\x2e\x02\0\0\x2a\x03\x03",
    b"\x60\x44\x00\x01\xff{\"a\":1}",
    b"OK 44\r\n---\npid: 715\nversion: \"1.12\"\nuptime: 33\n\r\n",
    b":irc 003 a :started Sun Nov 22 2026 at 04:10:11\r\n:irc 004 a irc ngircd-26.1 ab cd\r\n",
    b"<?xml version='1.0'?><stream:stream id='a1' xmlns:stream='http://etherx.jabber.org/streams' from='x'>",
    b"SIP/2.0 200 OK\r\nVia: x;rport=4\r\nTo: <sip:x>;tag=a6\r\nServer: kamailio (5.6.3)\r\n\r\n",
    b"NE\0\0\0\x20SFATAL\0C0A000\0Mx\0Fpostmaster.c\0L2196\0\0",
    b"\x30\x24\x02\x01\x01\x64\x1f\x04\0\x30\x1b\x30\x19\x04\x0bobjectClass\x31\x0a\x04\x03top\x04\x03new",
    b"\0\0\0\x80\xfeSMB\x40\0\0\0\0\0\0\0\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
      \x41\0\x01\0\x11\x03\x01\0yagura\0\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x99\x88\x77\x66\x55\x44\x33\x22\0\0\0\0\0\0\0\0\
      \x80\0\0\0\x80\0\0\0\x01\0\x0a\0\0\0\0\0\x01\0\x04\0\x01\0salt",
    b"\x03\0\0\x13\x0e\xd0\0\0\x12\x34\0\x02\x01\x08\0\x01\0\0\0",
    b"RFB 003.008\n\x02\x01\x02",
    include_bytes!("../testdata/ipmi-sim.bin"),
    include_bytes!("../testdata/pptpd.bin"),
    include_bytes!("../testdata/xl2tpd.bin"),
    include_bytes!("../testdata/avahi.bin"),
    b"hnmi\0\0\0\x01\x05\x05\x05\x05\x05\x05\x05\x05\x29\x20\x22\x20\0\0\0\0\0\0\0\x26\0\0\0\x0a\0\0\0\x11\0\x13",
    b"\x39\0\0\0\x09\0\0\0hnmi\xdd\x07\0\0\0\0\0\0\0\x24\0\0\0\x02version\0\x05\0\0\x007.0a\0\x01ok\0\0\0\0\0\0\0\0\0\0",
    b"\x06!fatal\x1dsession terminated on request\0",
    b"<s:Envelope><a:MessageID>uuid:1</a:MessageID><d:AppSequence InstanceId=\"1\"/><d:ProbeMatches><d:ProbeMatch>\
      <d:Scopes>onvif://www.onvif.org/name/a%20b</d:Scopes></d:ProbeMatch></d:ProbeMatches></s:Envelope>",
    include_bytes!("../testdata/enip-identity.bin"),
    include_bytes!("../testdata/bacnet-all.bin"),
    include_bytes!("../testdata/bacnet-one.bin"),
    include_bytes!("../testdata/s7-lists.bin"),
    include_bytes!("../testdata/opcua-endpoints.bin"),
    b"\xc0\0\x02\0\xfd\0\0\x01\0\x07\x05\x01\0\0CJ2M-CPU31          02.01               ",
    b"\xd0\0\0\xff\xff\x03\0\x14\0\0\0R04CPU          \x00\x48",
];

fn evidence() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 0..200);
    let mutated =
        (prop::sample::select(SEEDS), prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6))
            .prop_map(|(seed, changes)| {
                let mut bytes = seed.to_vec();
                for (index, byte) in changes {
                    let at = index.index(bytes.len());
                    bytes.get_mut(at..=at).unwrap_or_default().fill(byte);
                }
                bytes
            });
    let cut = (prop::sample::select(SEEDS), any::<prop::sample::Index>())
        .prop_map(|(seed, index)| seed.get(..index.index(seed.len())).unwrap_or_default().to_vec());
    prop_oneof![1 => noise, 4 => mutated, 1 => cut]
}

fn kind() -> impl Strategy<Value = EvidenceKind> {
    prop::sample::select(EvidenceKind::all().collect::<Vec<_>>())
}

fn shape(list: &[Field<'_>]) -> Vec<(String, std::ops::Range<usize>)> {
    list.iter().map(|field| (field.name.to_string(), field.span.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn fields_are_bounded_and_their_spans_lie_inside(kind in kind(), bytes in evidence()) {
        let list = fields(kind, &bytes);
        prop_assert!(list.len() <= MAX_FIELDS);
        for field in &list {
            prop_assert!(field.span.start <= field.span.end && field.span.end <= bytes.len(), "{kind} {field:?}");
            prop_assert!(field.value.len() <= MAX_FIELD_BYTES);
        }
    }

    #[test]
    fn masking_keeps_length_and_fields_and_is_done_once(kind in kind(), bytes in evidence()) {
        let mut masked = bytes.clone();
        mask(kind, &mut masked);
        prop_assert_eq!(masked.len(), bytes.len());
        prop_assert_eq!(shape(&fields(kind, &masked)), shape(&fields(kind, &bytes)), "{} {:?}", kind,
            String::from_utf8_lossy(&masked));
        let mut twice = masked.clone();
        mask(kind, &mut twice);
        prop_assert_eq!(twice, masked);
    }

    #[test]
    fn what_is_recognised_stays_recognised_when_masked(bytes in evidence()) {
        let mut masked = bytes.clone();
        mask(EvidenceKind::Banner, &mut masked);
        prop_assert_eq!(recognise(&masked), recognise(&bytes));
    }
}

#[test]
fn malformed_evidence_says_so_and_never_fails() {
    for kind in [EvidenceKind::Http, EvidenceKind::Rtsp, EvidenceKind::Ssdp, EvidenceKind::UpnpDescription] {
        let list = fields(kind, b"\0\0\0");
        assert_eq!(list.last().map(|field| &*field.name), Some("malformed"), "{kind}");
    }
}
