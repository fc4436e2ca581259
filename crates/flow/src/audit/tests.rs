use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::subscribers::Subscribers;

const NOW: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);

fn drill(first: u8) -> Drill {
    Drill::new([first; 32])
}

fn state(content: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("below")).expect("made");
    fs::write(folder.path().join("below/state"), content).expect("written");
    folder
}

fn forms(address: IpAddr) -> Vec<(Form, Vec<u8>)> {
    match address {
        IpAddr::V4(v4) => {
            vec![(Form::V4Mapped, v4.to_ipv6_mapped().octets().to_vec()), (Form::V4Text, v4.to_string().into_bytes())]
        }
        IpAddr::V6(v6) => vec![
            (Form::V6Bytes, v6.octets().to_vec()),
            (Form::V6Backwards, u128::from(v6).to_le_bytes().to_vec()),
            (Form::V6Pairs, v6.segments().iter().flat_map(|segment| segment.to_le_bytes()).collect()),
            (Form::V6Text, v6.to_string().into_bytes()),
        ],
    }
}

#[test]
fn canaries_are_subscribers_of_reserved_ranges_and_no_two_are_equal() {
    let subscribers = Subscribers::read(&PREFIXES.join("\n")).expect("a list");
    let drill = drill(1);
    let planted: std::collections::HashSet<IpAddr> =
        (0..2 * CANARIES).map(|number| drill.planted(number, NOW).source).collect();
    assert!(planted.iter().all(|address| subscribers.contains(*address)));
    assert!(planted.len() > 120, "{}: IPv4 ones may meet in so small a range", planted.len());
    assert!(!planted.contains(&drill.ordinary(1, NOW).source));
}

#[test]
fn every_form_left_in_a_file_is_found_and_where() {
    let drill = drill(2);
    for number in [6_u16, 7] {
        for (form, bytes) in forms(drill.planted(number, NOW).source) {
            let folder = state(&[&[b'x'; 999][..], &bytes, b"tail"].concat());
            let report = drill.folder(folder.path()).expect("read");
            assert_eq!(report.verdict(), Verdict::Found, "{form:?}");
            let hit = report.hits.iter().find(|hit| hit.form == form).expect("in this form");
            assert_eq!((hit.offset, hit.canary), (999, number / 2));
            assert!(hit.place.ends_with("below/state"));
        }
    }
    let folder = state(b"nothing of that kind");
    assert_eq!(drill.folder(folder.path()).expect("read").verdict(), Verdict::Clean);
}

#[test]
fn bare_ipv4_addresses_are_judged_against_the_control() {
    let drill = drill(3);
    let table = |count: u16| -> Vec<u8> {
        let addresses = (0..count).map(|number| drill.planted(2 * number, NOW).source);
        addresses
            .flat_map(|address| match address {
                IpAddr::V4(v4) => [0, 0, 0, 0].into_iter().chain(u32::from(v4).to_le_bytes()).collect::<Vec<u8>>(),
                IpAddr::V6(_) => Vec::new(),
            })
            .collect()
    };
    let by_chance = drill.folder(state(&table(2)).path()).expect("read");
    assert_eq!((by_chance.planted_v4_met, by_chance.control_v4_met), (2, 0));
    assert_eq!(by_chance.verdict(), Verdict::Clean);
    assert_eq!(drill.folder(state(&table(40)).path()).expect("read").verdict(), Verdict::Found);
}

#[test]
fn a_copy_kept_in_memory_is_found_and_gone_when_it_is_wiped() {
    let drill = drill(4);
    let own = Path::new("/proc/self");
    let mut kept = Box::new(drill.planted(11, NOW));
    let found = drill.memory(own).expect("read");
    assert_eq!(found.verdict(), Verdict::Found);
    let address = std::ptr::from_ref(kept.as_ref()) as u64;
    let inside = address..address + std::mem::size_of::<FlowRecord>() as u64;
    assert!(found.hits.iter().any(|hit| inside.contains(&hit.offset)), "{:?}", found.hits);
    *kept = drill.ordinary(1, NOW);
    let wiped = drill.memory(own).expect("read");
    assert!(!wiped.hits.iter().any(|hit| inside.contains(&hit.offset)));
    assert!(std::hint::black_box(kept).source.is_ipv6());
}

#[test]
fn making_a_drill_leaves_nothing_behind() {
    let drill = std::thread::spawn(|| drill(5)).join().expect("made");
    let report = drill.memory(Path::new("/proc/self")).expect("read");
    assert_eq!(report.verdict(), Verdict::Clean, "{:?} {:?}", report.hits, report.unread);
    assert!(report.bytes > 100_000);
}

#[test]
fn what_cannot_be_read_is_said() {
    let drill = drill(6);
    assert!(drill.memory(Path::new("/proc/none")).is_err());
    let folder = state(b"x");
    std::os::unix::fs::symlink("/dev/null", folder.path().join("odd")).expect("made");
    assert_eq!(drill.folder(folder.path()).expect("read").verdict(), Verdict::Incomplete);
}

#[test]
fn a_socket_has_no_bytes_and_a_pipe_may_have() {
    let drill = drill(10);
    let folder = state(b"x");
    let _listener = std::os::unix::net::UnixListener::bind(folder.path().join("ask.sock")).expect("bound");
    let report = drill.folder(folder.path()).expect("read");
    assert_eq!((report.verdict(), report.places), (Verdict::Clean, 2), "{:?}", report.unread);
    let made = std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status().expect("coreutils");
    assert!(made.success());
    assert_eq!(drill.folder(folder.path()).expect("read").verdict(), Verdict::Incomplete);
}

#[test]
fn pieces_of_elsewhere_are_searched_and_none_is_no_trace() {
    let drill = drill(8);
    let message = |text: String| ("a message".to_owned(), Ok(text.into_bytes()));
    assert_eq!(drill.canaries().pieces([]).verdict(), Verdict::Clean, "an empty stream");
    let found =
        drill.canaries().pieces([message("nothing".into()), message(format!("x {}", drill.planted(3, NOW).source))]);
    assert_eq!((found.verdict(), found.places, found.hits.len()), (Verdict::Found, 2, 1));
    let unread = [("gone".to_owned(), Err(io::Error::other("the bus is away")))];
    assert_eq!(drill.canaries().pieces(unread).verdict(), Verdict::Incomplete);
    let empty = tempfile::tempdir().expect("a folder");
    assert_eq!(drill.folder(empty.path()).expect("read").verdict(), Verdict::Clean);
}

#[test]
fn remote_ends_are_found_and_are_no_subscribers() {
    let subscribers = Subscribers::read(&PREFIXES.join("\n")).expect("a list");
    let drill = drill(9);
    let remote = drill.planted(5, NOW).destination;
    assert!(remote.is_ipv6() && !subscribers.contains(remote));
    let IpAddr::V6(v6) = remote else { panic!("IPv6") };
    let folder = state(&v6.octets());
    assert!(drill.servers().folder(folder.path()).expect("read").is_unmistakable());
    assert_eq!(drill.folder(folder.path()).expect("read").verdict(), Verdict::Clean);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_pattern_is_found_wherever_the_chunks_part(before in 262_000_usize..262_300) {
        let drill = drill(7);
        let (form, bytes) = forms(drill.planted(9, NOW).source).remove(0);
        let folder = state(&[&vec![7; before][..], &bytes, &[7; 50]].concat());
        let report = drill.folder(folder.path()).expect("read");
        prop_assert_eq!(report.hits.len(), 1);
        prop_assert!(report.hits.iter().all(|hit| hit.offset == before as u64 && hit.form == form));
    }
}
