//! Answers as real servers gave them (`testdata/README.md`) or laid out by hand after the specifications, requests byte
//! by byte, and round trips.

use proptest::prelude::*;

use super::*;
use crate::recognise::recognise;
use crate::reply::{fields, mask};
use crate::text::get;
use crate::{Malformed, Reader};

const IDENTITY: &[u8] = include_bytes!("../../testdata/enip-identity.bin");
const DEVICE: &[u8] = include_bytes!("../../testdata/bacnet-all.bin");
const ONE_BY_ONE: &[u8] = include_bytes!("../../testdata/bacnet-one.bin");
const LISTS: &[u8] = include_bytes!("../../testdata/s7-lists.bin");
const ENDPOINTS: &[u8] = include_bytes!("../../testdata/opcua-endpoints.bin");
const CHANNEL: &[u8] = include_bytes!("../../testdata/opcua-open.bin");
const STATION: &[u8] = b"\x05\x64\x05\x0b\x01\0\x0a\0\x6d\xed";
const CONTROLLER: &[u8] = b"\xc0\0\x02\0\xfd\0\0\x01\0\x07\x05\x01\0\0\
    CJ2M-CPU31          02.01               \
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x80\0\x17\x0a\0\0\x14\0\x01\0\0";
const TYPE_NAME: &[u8] = b"\xd0\0\0\xff\xff\x03\0\x14\0\0\0R04CPU          \x00\x48";
const ROUTER: &[u8] = b"\x06\x10\x02\x04\0\x44\x36\x01\x02\0\x11\x05\0\0\0\xc5\x01\x0a\x1b\x2c\xe0\0\x17\x0c\
    \x02\0\0\x0a\x1b\x2cyagura\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x08\x02\x02\x01\x03\x01\x04\x01";

const ALL: &[(&[u8], &str)] = &[
    (IDENTITY, "enip"),
    (DEVICE, "bacnet"),
    (ONE_BY_ONE, "bacnet"),
    (LISTS, "s7"),
    (ENDPOINTS, "opcua"),
    (b"\x68\x04\x83\0\0\0", "iec104"),
    (STATION, "dnp3"),
    (CONTROLLER, "fins"),
    (TYPE_NAME, "slmp"),
    (ROUTER, "knx"),
];

fn told(bytes: &[u8]) -> Vec<(String, String)> {
    let list = fields(bytes).into_iter().filter(|field| field.name != "reply");
    list.map(|field| (field.name.to_string(), field.text().into_owned())).collect()
}

fn assert_told(bytes: &[u8], expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!(told(bytes), expected);
}

fn assert_complete(complete: fn(&[u8]) -> bool, answer: &[u8]) {
    assert!(complete(answer) && complete(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    for end in 0..answer.len() {
        assert!(!complete(get(answer, 0..end)), "complete after {end} of {}", answer.len());
    }
}

#[test]
fn each_answer_is_known_by_its_language_and_no_other() {
    for (bytes, name) in ALL {
        assert_eq!(recognise(bytes), Some(*name));
        let speakers = LANGUAGES.iter().filter(|language| (language.speaks)(bytes)).count();
        assert_eq!(speakers, 1, "{name}");
        assert!(told(bytes).iter().all(|(field, _)| field.starts_with(&format!("{name}."))), "{:?}", told(bytes));
    }
}

#[test]
fn what_is_cut_is_no_wrong_answer() {
    for (bytes, name) in ALL {
        for end in 0..bytes.len() {
            let part = get(bytes, 0..end);
            assert!(language(part).is_none_or(|language| language == *name), "{name} cut at {end}");
            assert!(fields(part).iter().all(|field| field.span.end <= end), "{name} cut at {end}");
        }
    }
}

#[test]
fn two_looks_are_the_same_evidence() {
    for (bytes, name) in ALL {
        let (mut one, mut two) = (bytes.to_vec(), bytes.to_vec());
        for range in volatile(bytes, name).unwrap_or_default() {
            two.get_mut(range).unwrap_or_default().iter_mut().for_each(|byte| *byte ^= 0x15);
        }
        mask(&mut one);
        mask(&mut two);
        assert_eq!(one, two, "{name}");
        assert_eq!(told(&one), told(bytes), "{name}");
    }
}

#[test]
fn a_device_of_ethernet_ip_identifies_itself() {
    let request = b"\x63\0\0\0\0\0\0\0\0\0\0\0\x01\0\x34\x12\0\0\0\0\0\0\0\0";
    assert_eq!(enip::list_identity(0x1234), *request);
    assert_complete(enip::complete, IDENTITY);
    let expected = [
        ("enip.vendor", "1"),
        ("enip.device-type", "14"),
        ("enip.product-code", "54"),
        ("enip.revision", "20.11"),
        ("enip.serial", "006c061a"),
        ("enip.product", "1756-L61/B LOGIX5561"),
    ];
    assert_told(IDENTITY, &expected);
    let mut lying = IDENTITY.to_vec();
    lying.get_mut(62..63).unwrap_or_default().fill(200);
    assert!(matches!(enip::parse(&lying), Err(Malformed::Invalid { .. })), "a name longer than its item");
}

#[test]
fn a_device_of_bacnet_tells_its_names() {
    let all = b"\x81\x0a\0\x1d\x01\x04\0\x05\x07\x0e\x0c\x02\x3f\xff\xff\x1e\x09\x79\x09\x46\x09\x2c\x09\x0c\x09\x4d\x09\x78\x1f";
    assert_eq!(bacnet::read_all(7), all);
    let one = b"\x81\x0a\0\x11\x01\x04\0\x05\x08\x0c\x0c\x02\x3f\xff\xff\x19\x46";
    assert_eq!(bacnet::read_property(8, bacnet::Property::ModelName), one);
    let expected = [
        ("bacnet.vendor", "Hinomi"),
        ("bacnet.model", "Lookout 7"),
        ("bacnet.firmware", "1.2.3"),
        ("bacnet.software", "4.5"),
        ("bacnet.name", "yagura"),
        ("bacnet.vendor-id", "999"),
    ];
    assert_told(DEVICE, &expected);
    assert_told(ONE_BY_ONE, &[("bacnet.vendor", "Hinomi"), ("bacnet.model", "Lookout 7")]);
    for field in fields(DEVICE).iter().filter(|field| field.name != "reply" && field.name != "bacnet.vendor-id") {
        assert_eq!(get(DEVICE, field.span.clone()), field.value.as_ref(), "the span proves {}", field.name);
    }
}

#[test]
fn a_device_of_bacnet_refuses_in_its_own_language() {
    // What a server of bacpypes3 answered to an instance that it did not have, and a rejection by hand.
    for refusal in [&b"\x81\x0a\0\x0d\x01\0\x50\x01\x0e\x91\x01\x91\x1f"[..], b"\x81\x0a\0\x09\x01\0\x60\x07\x09"] {
        assert_eq!(recognise(refusal), Some("bacnet"));
        assert_eq!(told(refusal).first().map(|(name, _)| name.as_str()), Some("bacnet.refusal"));
        let message = bacnet::parse(&mut Reader::new(refusal)).map(|message| message.answer);
        assert_eq!(message, Ok(bacnet::Answer::Refusal));
    }
    // A device that answers, though with nothing that was asked for, does not refuse; neither does one that is cut.
    let nothing = b"\x81\x0a\0\x18\x01\0\x30\x04\x0e\x0c\x02\x3f\xff\xff\x1e\x29\x79\x5e\x91\x02\x91\x20\x5f\x1f";
    let rejection = b"\x81\x0a\0\x09\x01\0\x60\x07\x09";
    for bytes in [nothing.to_vec(), [&rejection[..], nothing].concat(), get(nothing, 0..20).to_vec()] {
        assert!(!told(&bytes).iter().any(|(name, _)| name == "bacnet.refusal"), "{bytes:?}");
    }
    // A property that is not there does not hide the others (answer of the same server).
    let partly = b"\x81\x0a\0\x35\x01\0\x30\x04\x0e\x0c\x02\x3f\xff\xff\x1e\x29\x79\x4e\x75\x07\0Hinomi\x4f\
        \x29\xc8\x5e\x91\x02\x91\x20\x5f\x29\x46\x4e\x75\x0a\0Lookout 7\x4f\x1f";
    assert_told(partly, &[("bacnet.vendor", "Hinomi"), ("bacnet.model", "Lookout 7")]);
}

#[test]
fn a_controller_of_s7_shows_two_lists() {
    assert!(s7::is_connected(include_bytes!("../../testdata/s7-connected.bin")));
    assert!(s7::is_set_up(include_bytes!("../../testdata/s7-set-up.bin")));
    assert!(!s7::is_connected(b"\x03\0\0\x0b\x06\xd0\0\0\x12\x34\x20") && !s7::is_set_up(LISTS));
    for request in [&s7::CONNECT[..], s7::SET_UP, s7::MODULES, s7::COMPONENTS] {
        assert_eq!(request.get(3).copied().map(usize::from), Some(request.len()));
    }
    let first = get(LISTS, 0..153);
    assert_complete(s7::complete, first);
    let expected = [
        ("s7.order-number", "6ES7 315-2EH14-0AB0"),
        ("s7.firmware", "3.2.6"),
        ("s7.system", "SNAP7-SERVER"),
        ("s7.module", "CPU 315-2 PN/DP"),
        ("s7.serial", "S C-C2UR28922012"),
        ("s7.module-type", "CPU 315-2 PN/DP"),
    ];
    assert_told(LISTS, &expected);
    assert_eq!(told(first).len(), 2, "the first list alone is evidence too");
}

#[test]
fn a_server_of_opc_ua_names_itself() {
    let url = "opc.tcp://127.0.0.1:4840";
    let hello = opcua::hello(url);
    assert!(hello.starts_with(b"HELF\x38\0\0\0\0\0\0\0\0\0\x01\0") && hello.len() == 0x38);
    assert!(opcua::is_acknowledged(b"ACKF\x1c\0\0\0\0\0\0\0\xff\xff\0\0\xff\xff\0\0\0\0\x01\0\x40\0\0\0"));
    assert!(!opcua::is_acknowledged(b"ERRF\x10\0\0\0\0\0\x82\x80\xff\xff\xff\xff"));
    let channel = opcua::Channel::parse(CHANNEL).expect("a channel");
    let ask = opcua::get_endpoints(channel, url);
    assert_eq!(get(&ask, 8..24), b"\x06\0\0\0\x0d\0\0\0\x02\0\0\0\x02\0\0\0", "channel, token, numbers");
    for request in [&ask, &opcua::open_channel(), &opcua::close_channel(channel)] {
        assert_eq!(get(request, 4..8), u32::try_from(request.len()).unwrap_or(0).to_le_bytes());
    }
    assert_complete(opcua::complete, ENDPOINTS);
    let expected = [
        ("opcua.application-uri", "urn:freeopcua:python:server"),
        ("opcua.product-uri", "urn:freeopcua.github.io:python:server"),
        ("opcua.application-name", "yagura"),
        ("opcua.security", "none:None"),
        ("opcua.tokens", "anonymous,certificate,user-name"),
    ];
    assert_told(ENDPOINTS, &expected);
}

#[test]
fn an_answer_of_opc_ua_in_chunks_is_one() {
    let (head, body) = (get(ENDPOINTS, 8..24), get(ENDPOINTS, 24..ENDPOINTS.len()));
    for cut in [1, 30, 60, 75, 300, body.len() - 1] {
        let chunk = |kind: &[u8], part: &[u8]| {
            let length = u32::try_from(part.len() + 24).unwrap_or(0).to_le_bytes();
            [kind, &length[..], head, part].concat()
        };
        let chunks = [chunk(b"MSGC", get(body, 0..cut)), chunk(b"MSGF", get(body, cut..body.len()))].concat();
        assert_complete(opcua::complete, &chunks);
        // Which language it is stands in the first chunk, if that is long enough to say it.
        assert_eq!(recognise(&chunks), (cut >= 4).then_some("opcua"));
        if cut >= 4 {
            assert_eq!(told(&chunks), told(ENDPOINTS));
        }
    }
}

#[test]
fn stations_confirm_that_they_are_there() {
    assert_complete(iec104::complete, b"\x68\x04\x83\0\0\0");
    assert_told(b"\x68\x04\x83\0\0\0", &[("iec104.confirmation", "680483000000")]);
    let asked_first = [&iec104::TEST[..], b"\x68\x04\x83\0\0\0"].concat();
    assert_complete(iec104::complete, &asked_first);
    assert_eq!(recognise(&asked_first), Some("iec104"));
    assert_eq!(recognise(iec104::TEST), None, "an echo confirms nothing");

    let request = dnp3::request_link_status();
    assert_eq!(get(&request, 0..10), b"\x05\x64\x05\xc9\xfc\xff\x01\0\x8c\x0e");
    assert_complete(dnp3::complete, STATION);
    assert_told(STATION, &[("dnp3.station", "10")]);
    assert_eq!(recognise(b"\x05\x64\x05\x0b\x01\0\x0a\0\x6d\xee"), None, "the check is wrong");
    assert_eq!(recognise(get(&request, 0..10)), None, "an echo is no answer");
}

#[test]
fn a_controller_of_omron_tells_its_model() {
    assert_eq!(fins::controller_data_read(7), *b"\x80\0\x02\0\0\0\0\xfd\0\x07\x05\x01\0");
    assert_told(CONTROLLER, &[("fins.model", "CJ2M-CPU31"), ("fins.version", "02.01")]);
    let given = b"FINS\0\0\0\x10\0\0\0\x01\0\0\0\0\0\0\0\x0b\0\0\0\x05";
    assert_complete(fins::complete, given);
    let request = fins::controller_data_read_over_tcp(given, 7).expect("nodes");
    let frame = b"FINS\0\0\0\x15\0\0\0\x02\0\0\0\0\x80\0\x02\0\x05\0\0\x0b\0\x07\x05\x01\0";
    assert_eq!(request, frame);
    let length = u32::try_from(CONTROLLER.len() + 8).unwrap_or(0).to_be_bytes();
    let framed = [b"FINS", &length[..], b"\0\0\0\x02\0\0\0\0", CONTROLLER].concat();
    assert_eq!(told(&framed), told(CONTROLLER));
    let refused = b"\xc0\0\x02\0\xfd\0\0\x01\0\x07\x05\x01\x04\x01";
    assert_told(refused, &[("fins.end-code", "0401")]);
    for not in [&b"FINS\0\0\0\x10\0\0\0\x01\0\0\0\x20\0\0\0\x0b\0\0\0\x05"[..], &framed, b""] {
        assert!(fins::controller_data_read_over_tcp(not, 7).is_err());
    }
}

#[test]
fn a_station_of_melsec_tells_its_type() {
    assert_complete(slmp::complete, TYPE_NAME);
    assert_told(TYPE_NAME, &[("slmp.model", "R04CPU"), ("slmp.model-code", "4800")]);
    let refused = b"\xd0\0\0\xff\xff\x03\0\x0b\0\x59\xc0\0\xff\xff\x03\0\x01\x01\0\0";
    assert_told(refused, &[("slmp.end-code", "c059")]);
}

#[test]
fn a_device_of_knx_describes_itself() {
    let expected = [
        ("knx.address", "1.1.5"),
        ("knx.serial", "00c5010a1b2c"),
        ("knx.mac", "02:00:00:0a:1b:2c"),
        ("knx.name", "yagura"),
    ];
    assert_told(ROUTER, &expected);
}

proptest! {
    #[test]
    fn identities_come_back(
        vendor: u16, device_type: u16, product_code: u16, revision: (u8, u8), serial: u32,
        name in prop::collection::vec(any::<u8>(), 0..=64),
    ) {
        let mut item = b"\x01\0\0\x02\xaf\x12\x7f\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
        for number in [vendor, device_type, product_code] {
            item.extend(number.to_le_bytes());
        }
        item.extend([revision.0, revision.1, 0x60, 0x31]);
        item.extend(serial.to_le_bytes());
        item.push(u8::try_from(name.len()).unwrap_or(0));
        item.extend(&name);
        item.push(3);
        let mut bytes = enip::list_identity(7).to_vec();
        let length = u16::try_from(item.len()).unwrap_or(0);
        bytes.get_mut(2..4).unwrap_or_default().copy_from_slice(&(length + 6).to_le_bytes());
        bytes.extend(b"\x01\0\x0c\0");
        bytes.extend(length.to_le_bytes());
        bytes.extend(item);
        let identity = enip::parse(&bytes).expect("an identity");
        let numbers = (identity.vendor, identity.device_type, identity.product_code);
        prop_assert_eq!(numbers, (vendor, device_type, product_code));
        prop_assert_eq!((identity.revision, identity.serial, identity.name), (revision, serial, name.as_slice()));
        prop_assert!(enip::complete(&bytes));
    }

    #[test]
    fn texts_of_bacnet_come_back(text in "[ -~]{5,200}", invoke: u8) {
        let mut service = b"\x30\0\x0c\x0c\x02\0\0\x4d\x19\x46\x3e\x75".to_vec();
        service.get_mut(1..2).unwrap_or_default().fill(invoke);
        service.push(u8::try_from(text.len() + 1).unwrap_or(0));
        service.push(0);
        service.extend(text.as_bytes());
        service.push(0x3f);
        let [high, low] = u16::try_from(service.len() + 6).unwrap_or(0).to_be_bytes();
        let bytes = [&[0x81, 0x0a, high, low, 1, 0][..], &service].concat();
        let message = bacnet::parse(&mut Reader::new(&bytes)).expect("a message");
        prop_assert_eq!(message.invoke, invoke);
        let bacnet::Answer::Values(values) = message.answer else { return Err(TestCaseError::fail("a refusal")) };
        let value = values.first().expect("a value");
        prop_assert_eq!((value.property, &value.text), (bacnet::Property::ModelName, &text));
    }

    #[test]
    fn stations_of_dnp3_come_back(station: u16, master: u16, busy: bool) {
        let mut bytes = vec![0x05, 0x64, 5, if busy { 0x1b } else { 0x0b }];
        bytes.extend(master.to_le_bytes());
        bytes.extend(station.to_le_bytes());
        let check = bytes.iter().fold(0u16, |rest, byte| {
            (0..8).fold(rest ^ u16::from(*byte), |rest, _| (rest >> 1) ^ ((rest & 1) * 0xA6BC))
        });
        bytes.extend((!check).to_le_bytes());
        prop_assert_eq!(dnp3::parse(&bytes), Ok(dnp3::Status { station, supported: true }));
    }

    #[test]
    fn noise_is_no_answer_and_does_no_harm(
        (bytes, name) in prop::sample::select(ALL),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut bytes = bytes.to_vec();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes.get_mut(at..=at).unwrap_or_default().fill(byte);
        }
        for language in LANGUAGES {
            for range in (language.volatile)(&bytes) {
                prop_assert!(range.end <= bytes.len(), "{name}");
            }
        }
        for complete in [enip::complete, s7::complete, opcua::complete, iec104::complete, dnp3::complete, fins::complete, slmp::complete] {
            let _ = complete(&bytes);
        }
        let _ = (opcua::Channel::parse(&bytes), fins::controller_data_read_over_tcp(&bytes, 1));
        let _ = (s7::is_connected(&bytes), s7::is_set_up(&bytes), knx::parse(&bytes));
        let before: Vec<_> = fields(&bytes).into_iter().map(|field| (field.name.into_owned(), field.span)).collect();
        let mut masked = bytes.clone();
        mask(&mut masked);
        let after: Vec<_> = fields(&masked).into_iter().map(|field| (field.name.into_owned(), field.span)).collect();
        prop_assert_eq!(before, after);
    }
}
