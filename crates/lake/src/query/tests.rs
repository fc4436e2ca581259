use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hinomi_model::{DeviceKind, Timestamp};
use ipnet::IpNet;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// The error's place and text, or what was understood.
fn told(text: &str) -> String {
    match parse(text) {
        Ok(query) => format!("ok: {query}"),
        Err(error) => format!("{}+{}: {}", error.at, error.len, error.message),
    }
}

#[test]
fn queries_read_as_people_write_them() {
    let canonical = [
        ("", ""),
        ("  nginx ", "nginx"),
        ("Product:NGINX*  port:80,443", "product:nginx* port:80,443"),
        ("port:8000..8100 port:>65000", "port:8000-8100 port:65001-65535"),
        ("a b OR c", "(a b) OR c"),
        ("a (b c) (d OR (e OR f))", "a b c (d OR e OR f)"),
        ("-tls:<1.2 NOT has:title", "NOT tls:<1.2 NOT has:title"),
        ("192.0.2.7 OR 2001:db8::/32", "ip:192.0.2.7 OR net:2001:db8::/32"),
        ("net:192.0.2.77/24", "net:192.0.2.0/24"),
        ("\"192.0.2.7\"", "\"192.0.2.7\""),
        ("seen:7d first:2026-11-01 cert.expires:<0d", "seen:<=7d first:2026-11-01 cert.expires:<0d"),
        ("seen:>2026-11-01T10:00:00Z sort:-seen", "seen:>2026-11-01T10:00:00Z sort:-seen"),
        ("sort:port a", "a sort:port"),
        ("a OR b sort:port", "a OR b sort:port"),
        ("as:AS64500", "as:64500"),
        ("version:1.2..1.4,<1 firmware:..2.0", "version:1.2..1.4,<1 firmware:<=2.0"),
        ("cpe:cpe:2.3:a:openbsd:*", "cpe:\"cpe:2.3:a:openbsd:\"*"),
        ("title:\"a \\\"b\\\"\" title:=\"Login Page\"", "title:\"a \\\"b\\\"\" title:=\"login page\""),
        ("title:ログイン", "title:ログイン"),
        ("TEXT:OpenSSH_8,\"a b\" x", "text:openssh_8,\"a b\" x"),
        ("text:/a (b|c),\\/d\\.\"/,e (f)", "text:/a (b|c),\\/d\\.\"/,e f"),
        ("text:\"/a/\" -text:/x/", "text:\"/a/\" NOT text:/x/"),
        ("and not", "and not"),
        ("\"AND\"", "and"),
        ("confidence:>=80 kind:camera", "confidence:80-100 kind:camera"),
    ];
    for (written, expected) in canonical {
        assert_eq!(told(written), format!("ok: {expected}"), "{written}");
    }
}

#[test]
fn errors_point_at_the_character_and_say_what_to_write() {
    let lines: Vec<String> = [
        "prot:80",
        "a http://x",
        "asn:1",
        "port:abc",
        "port:80,99999",
        "port:90-80",
        "port: 80",
        "(a OR b",
        "a OR b)",
        "()",
        "a AND",
        "a OR",
        "NOT",
        "OR a",
        "net:192.0.2.0/33",
        "net:192.0.2.*",
        "ip:192.0.2.0/24",
        "ip:fe80::1%eth0",
        "fe80::1%eth0",
        "kind:camra",
        "transport:tpc",
        "tls:yes",
        "product:<1",
        "seen:30m",
        "seen:7",
        "seen:yesterday",
        "cert.expires:30d",
        "has:certifcate",
        "sort:prot",
        "(a sort:port)",
        "-sort:port",
        "sort:port sort:ip",
        "\"open",
        "x\\",
        "***",
        "a.b*",
        "ログ*",
        "confidence:101",
        "version:..",
        "address:1",
    ]
    .into_iter()
    .map(|query| format!("{query:<20} {}", told(query)))
    .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_slip_of_the_finger_gets_the_word_that_was_meant() {
    let meant = |text: &str| parse(text).expect_err("refused").instead;
    assert_eq!(meant("prodct:nginx").as_deref(), Some("product"));
    assert_eq!(meant("kind:camra").as_deref(), Some("camera"));
    assert_eq!(meant("has:certificat").as_deref(), Some("certificate"));
    assert_eq!(meant("port:90-80").as_deref(), Some("80-90"));
    assert_eq!((meant("port:x"), meant("zzz:x")), (None, None), "nothing is near");
}

#[test]
fn what_is_too_long_too_deep_or_too_much_is_refused() {
    let refused = |text: &str| parse(text).expect_err("refused").message;
    assert!(refused(&"a".repeat(MAX_CHARS + 1)).contains("characters"));
    assert!(refused(&"(".repeat(MAX_DEPTH + 1)).contains("nest"));
    assert!(refused(&"NOT ".repeat(MAX_DEPTH + 1)).contains("nest"));
    assert!(refused(&"a ".repeat(MAX_CLAUSES + 1)).contains("values"));
    assert!(refused(&"a*b".repeat(MAX_WILDCARDS + 1)).contains("at most"));
}

#[test]
fn every_field_has_help_and_an_example_that_parses() {
    for info in FIELDS {
        assert!(!info.ja.is_empty() && !info.en.is_empty(), "{}", info.name);
        let query = parse(info.example).expect(info.example);
        match query.filter {
            Some(Node::Clause(clause)) => assert_eq!(clause.field, info.field, "{}", info.example),
            _ => assert_eq!(query.sort.map(|sort| sort.field), Some(info.field), "{}", info.example),
        }
        assert_eq!(FIELDS.iter().filter(|other| other.name == info.name).count(), 1, "{}", info.name);
    }
}

#[test]
fn a_facet_value_becomes_a_clause() {
    assert_eq!(exact("product", "Apache httpd").as_deref(), Some("product:\"Apache httpd\""));
    assert_eq!(exact("title", "Login*").as_deref(), Some("title:=\"Login*\""));
    assert_eq!(exact("net", "192.0.2.0/24").as_deref(), Some("net:192.0.2.0/24"));
    assert_eq!(exact("seen", "x"), None);
}

fn net() -> impl Strategy<Value = IpNet> {
    let v4 = (0u32..1024, 20u8..=32).prop_map(|(low, length)| (IpAddr::V4(Ipv4Addr::from(0xc000_0200 + low)), length));
    let v6 = (0u128..64, 112u8..=128)
        .prop_map(|(low, length)| (IpAddr::V6(Ipv6Addr::from((0x2001_0db8 << 96) + low)), length));
    prop_oneof![4 => v4, 1 => v6].prop_map(|(address, length)| IpNet::new(address, length).expect("a prefix").trunc())
}

/// Words that the test data also uses, and some that mean something to the parser.
pub(crate) const VOCABULARY: &[&str] = &[
    "nginx",
    "Apache httpd",
    "OpenSSH",
    "login page",
    "camera",
    "ログイン画面",
    "9.6p1",
    "1.4",
    "1.10",
    "v2.0-rc1",
    "deadbeef01234567",
    "12345678",
    "Let's Encrypt",
    "tcp",
    "AND",
    "a,b(c)",
    "-x",
    "=y",
    "a\"b\\c",
    "..",
    "192.0.2.7",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![4 => select(VOCABULARY).prop_map(str::to_owned), 1 => "[a-zA-Z0-9 .:*é-]{1,8}"]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let literal = word().prop_map(|text| Pattern::literal(&text));
    let wild = (word(), 0usize..4).prop_map(|(text, how)| {
        let mut pattern = Pattern::default();
        let middle = text.chars().count() / 2;
        if how == 0 {
            pattern.push_any();
        }
        for (number, c) in text.chars().enumerate() {
            if how == 1 && number == middle {
                pattern.push_any();
            }
            pattern.push(c);
        }
        if how != 0 {
            pattern.push_any();
        }
        pattern
    });
    prop_oneof![3 => literal, 1 => wild]
}

fn words_test(whole: bool) -> impl Strategy<Value = Test> {
    let phrase = word().prop_filter_map("no words", |text| {
        (!words::words(&text).is_empty()).then(|| Test::Like(Pattern::literal(&text)))
    });
    let prefix = select(&["ngin", "open", "log", "dead", "1", "zz"][..]).prop_map(|text| {
        let mut pattern = Pattern::literal(text);
        pattern.push_any();
        Test::Like(pattern)
    });
    let exact =
        word().prop_map(
            move |text| if whole { Test::Whole(words::fold(&text)) } else { Test::Like(Pattern::literal("nginx")) },
        );
    prop_oneof![3 => phrase, 1 => prefix, 1 => exact]
}

fn range<T: Clone + std::fmt::Debug + 'static>(
    end: impl Strategy<Value = T> + Clone + 'static,
) -> BoxedStrategy<Range<T>> {
    prop_oneof![
        end.clone().prop_map(Range::Less),
        end.clone().prop_map(Range::AtMost),
        end.clone().prop_map(Range::More),
        end.clone().prop_map(Range::AtLeast),
        (end.clone(), end).prop_map(|(low, high)| Range::Between(low, high)),
    ]
    .boxed()
}

fn version_test() -> impl Strategy<Value = Test> {
    let version = select(&["1.4", "1.10", "9.6p1", "v2.0-rc1", "1.2.", "0"][..]).prop_map(str::to_owned);
    let literal = select(VOCABULARY).prop_map(|text| Test::Like(Pattern::literal(text)));
    prop_oneof![range(version).prop_map(Test::Version), literal]
}

fn moment() -> impl Strategy<Value = Moment> + Clone {
    let day = (0i64..60).prop_map(|days| Moment::Date(Timestamp::from_micros((20_700 + days) * Unit::Day.as_micros())));
    let time = (0i64..60)
        .prop_map(|hours| Moment::Time(Timestamp::from_micros(20_730 * Unit::Day.as_micros() + hours * 3_600_000_001)));
    let away = (-40i32..40, select(&Unit::ALL[..])).prop_map(|(amount, (unit, _))| Moment::Away(amount, unit));
    prop_oneof![day, time, away]
}

fn time_test() -> impl Strategy<Value = Test> {
    let is = moment().prop_filter_map("a span is no point", |moment| match moment {
        Moment::Away(..) => None,
        _ => Some(Range::Is(moment)),
    });
    prop_oneof![4 => range(moment()), 1 => is].prop_map(Test::Time)
}

fn number(greatest: u64, usual: &'static [u64]) -> impl Strategy<Value = Test> {
    let end = prop_oneof![4 => select(usual), 1 => 0..=greatest];
    (end.clone(), end).prop_map(|(a, b)| Test::Span { low: a.min(b), high: a.max(b) })
}

fn tests_of(info: FieldInfo) -> BoxedStrategy<Vec<Test>> {
    let one: BoxedStrategy<Test> = match (info.class, info.field) {
        (Class::Net, _) => net().prop_map(Test::Net).boxed(),
        (Class::Address, _) => net().prop_map(|net| Test::Address(net.addr())).boxed(),
        (Class::Number(greatest), _) => number(greatest, &[0, 22, 80, 100]).boxed(),
        (Class::Word, Field::Kind) => {
            let kinds: Vec<DeviceKind> = DeviceKind::all().collect();
            select(kinds).prop_map(|kind| Test::Like(Pattern::literal(kind.name()))).boxed()
        }
        (Class::Word, Field::Transport) => {
            select(&["tcp", "udp"][..]).prop_map(|t| Test::Like(Pattern::literal(t))).boxed()
        }
        (Class::Text, _) => words_test(true).boxed(),
        (Class::Raw, _) => raw_test().boxed(),
        (Class::Version, _) => version_test().boxed(),
        (Class::Age | Class::Ahead, _) => time_test().boxed(),
        (Class::Has, _) => select(Trait::ALL).prop_map(|(wanted, _)| Test::Has(wanted)).boxed(),
        _ => pattern().prop_map(Test::Like).boxed(),
    };
    prop::collection::vec(one, 1..3).boxed()
}

fn raw_test() -> impl Strategy<Value = Test> {
    const TEXTS: [&str; 16] = [
        "nginx",
        "ssh_9.6",
        "gin",
        "n",
        "/1.1",
        "LOGIN",
        "イン画",
        "a,b(",
        "r: ng",
        "deadbeef01",
        "\"",
        "*",
        "zz",
        "345678",
        "ef012345 z",
        "d deadbeef01234567",
    ];
    const EXPRESSIONS: [&str; 10] = [
        "openssh_[5-9]",
        "^server: \\S+$",
        "(nginx|apache) ?h?",
        "ログ.+そ",
        ".",
        "http/1\\.[01] 200",
        "(?-i)Nginx",
        "[0-9]{8}",
        "a, b|c d",
        "zz+",
    ];
    prop_oneof![
        select(&TEXTS[..]).prop_map(|text| Test::Contains(words::fold(text))).boxed(),
        select(&EXPRESSIONS[..]).prop_map(|text| Test::Matches(Expression::new(text).expect("one"))).boxed(),
    ]
}

fn clause() -> impl Strategy<Value = Node> {
    let fields: Vec<FieldInfo> = FIELDS.iter().filter(|info| info.class != Class::SortOnly).copied().collect();
    select(fields).prop_flat_map(|info| {
        let tests: BoxedStrategy<Vec<Test>> = if info.field == Field::Text {
            words_test(false).prop_map(|test| vec![test]).boxed()
        } else {
            tests_of(info)
        };
        tests.prop_map(move |tests| Node::Clause(Clause { field: info.field, tests }))
    })
}

fn flat(parts: Vec<Node>, all: bool) -> Node {
    let open = |part: Node| match part {
        Node::All(inner) if all => inner,
        Node::Any(inner) if !all => inner,
        other => vec![other],
    };
    let flat: Vec<Node> = parts.into_iter().flat_map(open).collect();
    if all { Node::All(flat) } else { Node::Any(flat) }
}

/// Any query.
pub(crate) fn any_query() -> impl Strategy<Value = Query> {
    let filter = clause().prop_recursive(3, 12, 3, |inner| {
        let parts = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            parts.clone().prop_map(|parts| flat(parts, true)),
            parts.prop_map(|parts| flat(parts, false)),
            inner.prop_map(|part| Node::Not(Box::new(part))),
        ]
    });
    let sorts: Vec<Field> = FIELDS.iter().filter(|info| info.sort).map(|info| info.field).collect();
    let sort = (select(sorts), any::<bool>()).prop_map(|(field, descending)| Sort { field, descending });
    (prop::option::weighted(0.95, filter), prop::option::of(sort)).prop_map(|(filter, sort)| Query { filter, sort })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn canonical_text_parses_to_the_same_query(query in any_query()) {
        let text = query.to_string();
        prop_assert_eq!(parse(&text), Ok(query), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused_within_its_length(text in "\\PC{0,60}|[a-z:()\"\\\\ *,<>=.%-]{0,40}") {
        match parse(&text) {
            Ok(query) => prop_assert_eq!(parse(&query.to_string()), Ok(query)),
            Err(error) => {
                prop_assert!(error.at <= text.chars().count(), "{:?} in {:?}", error, text);
                prop_assert!(!error.message.is_empty() && !error.message_ja.is_empty());
            }
        }
    }
}

#[test]
fn what_runs_on_behind_an_expression_is_refused() {
    for query in ["text:/etc/passwd", "text:/abc/i", "text:/a/\"b\"", "text:x,/a/b"] {
        let error = parse(query).expect_err(query);
        assert!(error.message.contains("second slash"), "{query}: {error}");
        assert_eq!(query.chars().nth(error.at), Some('/'), "{query}");
    }
    for query in ["text:/a/,/b/", "(text:/a/)", "text:/a/ text:/b/", "text:\"/etc/passwd\"", "text:/a\\/b/"] {
        parse(query).expect(query);
    }
}
