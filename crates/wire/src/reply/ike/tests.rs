//! Messages laid out by hand; a real gateway is asked by the survey of real servers.

use super::*;

const MARK: [u8; 8] = *b"hinomi-1";

fn value(bytes: &[u8], name: &str) -> Option<String> {
    let list = crate::reply::fields(bytes);
    list.iter().find(|field| field.name == name).map(|field| field.text().into_owned())
}

#[test]
fn questions_have_the_lengths_they_claim_and_are_no_answers() {
    for question in [start(MARK, "https://example.org"), start_version_1(MARK, &"あ".repeat(99))] {
        let length = u32::try_from(question.len()).expect("short").to_be_bytes();
        assert_eq!(get(&question, 24..28), length);
        assert!(!is_answer(&question) && question.len() < 1_200, "{}", question.len());
    }
    assert!(start(MARK, "").len() > 900, "longer than what it brings");
}

#[test]
fn a_choice_is_told_and_what_is_random_is_not_kept() {
    let transforms = [(1, 12, Some(256)), (2, 5, None), (3, 12, None), (4, 31, None)];
    let mut body = vec![1, 1, 0, 4];
    for (at, (kind, id, bits)) in transforms.into_iter().enumerate() {
        let mut transform = vec![kind, 0, 0, id];
        transform.extend(bits.map(|bits: u16| [[0x80, 14], bits.to_be_bytes()].concat()).unwrap_or_default());
        body.extend(substructure(if at < 3 { 3 } else { 0 }, &transform));
    }
    let cookie = [&[0, 0, 0x40, 0x06][..], &[0xE9; 20]].concat();
    let parts = [
        (SA, substructure(0, &body)),
        (KEY_EXCHANGE, [&[0, 31, 0, 0][..], &[0xE7; 32]].concat()),
        (NONCE, vec![0xE8; 32]),
        (NOTIFY, cookie),
        (VENDOR, b"OE-Gateway 4".to_vec()),
        (VENDOR, vec![0xaf, 0xca]),
    ];
    let answer = message(MARK, VERSION_2, SA_INIT, RESPONSE, &parts);
    assert_eq!(crate::recognise(&answer), Some("ike"));
    for (name, told) in [
        ("ike.version", "2.0"),
        ("ike.encryption", "aes-cbc-256"),
        ("ike.prf", "hmac-sha2-256"),
        ("ike.integrity", "hmac-sha2-256-128"),
        ("ike.group", "x25519"),
        ("ike.notify", "COOKIE"),
        ("ike.vendor", "OE-Gateway 4"),
    ] {
        assert_eq!(value(&answer, name).as_deref(), Some(told), "{name}");
    }
    let mut masked = answer.clone();
    crate::reply::mask(&mut masked);
    assert!([0xE7, 0xE8, 0xE9].iter().all(|random| !masked.contains(random)), "{masked:?}");
    assert!(!wants_version_1(&answer));
    assert!((0..answer.len()).all(|end| !is_answer(get(&answer, 0..end))), "cut");
}

#[test]
fn refusals_tell_the_group_or_the_version_that_is_wanted() {
    let group = message(MARK, VERSION_2, SA_INIT, RESPONSE, &[(NOTIFY, vec![0, 0, 0, 17, 0, 19])]);
    assert_eq!(value(&group, "ike.group").as_deref(), Some("ecp256"));
    let old = message(MARK, VERSION_1, INFORMATIONAL, 0, &[(NOTIFY_1, vec![0, 0, 0, 1, 1, 0, 0, 5])]);
    assert!(wants_version_1(&old));
    assert_eq!(value(&old, "ike.notify").as_deref(), Some("INVALID-MAJOR-VERSION"));
    let new = message(MARK, VERSION_2, SA_INIT, RESPONSE, &[(NOTIFY, vec![0, 0, 0, 5])]);
    assert!(wants_version_1(&new));
}

#[test]
fn version_1_tells_its_transform_and_vendors() {
    // What a gateway answers of our own proposals: the fourth, 3DES and SHA-1 with group 2.
    let transform = [&[4, 1, 0, 0][..], &[0x80, 1, 0, 5, 0x80, 2, 0, 2, 0x80, 3, 0, 1, 0x80, 4, 0, 2]].concat();
    let proposal = [&[1, 1, 0, 1][..], &substructure(0, &transform)].concat();
    let body = [&[0, 0, 0, 1, 0, 0, 0, 1][..], &substructure(0, &proposal)].concat();
    let mut answer = message(MARK, VERSION_1, MAIN_MODE, 0, &[(SA_1, body), (VENDOR_1, vec![0xaf; 16])]);
    assert!(!is_answer(&answer), "an echo has no number of the responder's");
    answer.splice(8..16, [5; 8]);
    for (name, told) in [("ike.encryption", "3des"), ("ike.prf", "sha1"), ("ike.group", "modp1024")] {
        assert_eq!(value(&answer, name).as_deref(), Some(told), "{name}");
    }
    assert_eq!(value(&answer, "ike.vendor"), Some("af".repeat(16)));
    let mut masked = answer.clone();
    crate::reply::mask(&mut masked);
    assert_ne!(masked, answer);
    assert_eq!(value(&masked, "ike.group").as_deref(), Some("modp1024"));
}

#[test]
fn answers_that_differ_in_what_is_random_are_one() {
    // A refusal of version 1 with both numbers in its notification, a choice of version 1, one of version 2.
    let refusal = |random: u8| {
        let notification = [&[0, 0, 0, 1, 1, 16, 0, 14][..], &MARK, &[random; 8]].concat();
        let mut answer = message(MARK, VERSION_1, INFORMATIONAL, 0, &[(NOTIFY_1, notification)]);
        answer.splice(8..16, [random; 8]);
        answer.splice(20..24, [random; 4]);
        answer
    };
    let choice = |random: u8| {
        let mut answer = message(MARK, VERSION_1, MAIN_MODE, 0, &[(VENDOR_1, b"OE-Gateway 4".to_vec())]);
        answer.splice(8..16, [random; 8]);
        answer
    };
    let newer = |random: u8| {
        let mut answer = message(MARK, VERSION_2, SA_INIT, RESPONSE, &[(NONCE, vec![random; 32])]);
        answer.splice(8..16, [random; 8]);
        answer
    };
    let made = |random| [("refusal", refusal(random)), ("choice", choice(random)), ("version 2", newer(random))];
    for ((name, one), (_, other)) in made(0xA3).into_iter().zip(made(0x5C)) {
        let [one, other] = [one, other].map(|mut answer| {
            crate::reply::mask(&mut answer);
            answer
        });
        assert_eq!(one, other, "{name}");
        assert_eq!(crate::recognise(&one), Some("ike"), "{name}");
    }
    let mut masked = refusal(0xA3);
    crate::reply::mask(&mut masked);
    assert_eq!(value(&masked, "ike.notify").as_deref(), Some("NO-PROPOSAL-CHOSEN"));
    // A length that is not there is left alone.
    let short = message(MARK, VERSION_1, INFORMATIONAL, 0, &[(NOTIFY_1, vec![0, 0, 0, 1, 1, 255, 0, 14, 9])]);
    let mut masked = short.clone();
    crate::reply::mask(&mut masked);
    assert!(masked.ends_with(&[255, 0, 14, 9]), "{masked:?}");
}
