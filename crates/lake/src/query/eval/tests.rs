use proptest::prelude::*;

use super::super::parse;
use super::super::words::has_phrase;
use super::*;
use crate::index::directory::Around;

fn holds(query: &str, text: &str) -> bool {
    let facts = hinomi_model::Facts { product: Some("Nginx".into()), ..hinomi_model::Facts::default() };
    let marking = hinomi_model::Marking::own(hinomi_model::Purpose::Exercise);
    let key =
        hinomi_model::ServiceKey { address: [192, 0, 2, 1].into(), port: 80, transport: hinomi_model::Transport::Tcp };
    let now = Timestamp::from_micros(1_000_000);
    let subject = Subject {
        key,
        facts: &facts,
        text,
        first_seen: now,
        last_seen: now,
        closed: false,
        pseudo: false,
        around: Around { country: Some("JP"), ..Around::default() },
        sensor: "survey",
        marking: &marking,
        searched: std::cell::OnceCell::new(),
    };
    matches(&parse(query).expect(query), &subject, now)
}

#[test]
fn values_are_compared_as_in_the_index() {
    for query in
        ["product:NGINX", "country:jp purpose:EXERCISE", "net:::/0", "port:>=80 \"b c\"", "has:product -has:as"]
    {
        assert!(holds(query, "a b c"), "{query}");
    }
    assert!(!holds("\"a c\"", "a b c") && !holds("\"a b\"", "a\u{1f}b"));
}

#[test]
fn leading_components_of_a_cpe_name_are_enough() {
    let all: Pattern = Pattern::literal("cpe:2.3:a");
    assert!(like_cpe("cpe:2.3:a:f5:nginx", &all) && like_cpe("cpe:2.3:a", &all));
    assert!(!like_cpe("cpe:2.3:ab:f5", &all));
}

proptest! {
    #[test]
    fn phrases_are_found_as_by_their_words(text in "([ab] |[ab]\u{1f}|ア){0,12}", phrase in "([ab] |ア){0,4}") {
        let (text_words, phrase) = (words(&text), words(&phrase));
        let cut = Cut::new(&text);
        prop_assert_eq!(cut.has_phrase(&phrase), has_phrase(&text_words, &phrase));
        let all: Vec<&str> = text_words.iter().map(|word| word.text.as_str()).collect();
        prop_assert_eq!(cut.iter().collect::<Vec<_>>(), all);
    }
}
