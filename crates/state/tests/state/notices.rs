//! Notices from draft to outcome. Each test runs on both engines.

use std::collections::BTreeSet;
use std::time::Duration;

use hinomi_model::{ServiceKey, Transport};
use hinomi_state::notices::{
    NewNotice, NewReply, Notice, NoticeFile, NoticeOutcome, NoticeState, NoticesOf, Party, Resolved, Said, Went,
    new_token,
};
use hinomi_state::organisations::{Deed, Kind, Profile};
use hinomi_state::{Database, StateError};

use crate::organisations::{at, deed, refusal};
use crate::suite::on_both;

const HOLD: Duration = Duration::from_secs(300);

fn finding(last: u8, concern: &str) -> Said {
    let service = ServiceKey { address: [192, 0, 2, last].into(), port: 23, transport: Transport::Tcp };
    Said {
        service,
        concern: concern.to_owned(),
        severity: "high".to_owned(),
        confidence: 90,
        seen: at("2026-01-01"),
        first: at("2025-12-01"),
        asn: None,
        country: None,
        protocol: "telnet".to_owned(),
        product: String::new(),
        summary: String::new(),
        tags: Vec::new(),
        evidence: Vec::new(),
        purpose: "exposure-reduction".to_owned(),
        label: "TLP:AMBER+STRICT".to_owned(),
        terms: Vec::new(),
        by: "192.0.2.0/24".to_owned(),
    }
}

fn to(organisation: &str, findings: Vec<Said>) -> NewNotice {
    NewNotice {
        token: new_token().unwrap(),
        party: Party {
            organisation: organisation.to_owned(),
            mail: "csirt@example.org".to_owned(),
            ..Party::default()
        },
        label: "TLP:AMBER+STRICT".to_owned(),
        subject: "about an open service".to_owned(),
        body: "text".to_owned(),
        needs: 1,
        alone: 100,
        findings,
        files: vec![NoticeFile { name: "a.csv".into(), media: "text/csv".into(), content: "a,b".into() }],
    }
}

fn draft(database: &Database, new: &NewNotice, when: &str) -> Result<Notice, StateError> {
    let since = at(when).minus(Duration::from_secs(30 * 86_400));
    database.draft_notice(deed(when), 1, new, &BTreeSet::new(), since)
}

fn opened(target: &hinomi_state::Target) -> Database {
    let database = Database::open(target).unwrap();
    for id in ["city-a", "city-b"] {
        let profile = Profile { name_en: id.to_owned(), kind: Kind::Municipality, ..Profile::default() };
        database.add_organisation(deed("2025-01-01"), id, &profile).unwrap();
    }
    database
}

#[test]
fn a_finding_is_told_once_to_each_party_until_it_is_old_or_came_back() {
    on_both(|target| {
        let database = opened(target);
        let first =
            draft(&database, &to("city-a", vec![finding(1, "telnet"), finding(2, "telnet")]), "2026-01-02").unwrap();
        assert_eq!((first.state, first.findings, first.purposes.len()), (NoticeState::Draft, 2, 1));
        let again = to("city-a", vec![finding(3, "telnet"), finding(2, "telnet")]);
        assert!(refusal(draft(&database, &again, "2026-01-02")).contains("192.0.2.2:23/tcp"));
        assert_eq!(
            database.notices(&NoticesOf { limit: 9, ..NoticesOf::default() }).unwrap().len(),
            1,
            "nothing of it stays"
        );
        draft(&database, &to("city-b", vec![finding(2, "telnet")]), "2026-01-02").unwrap();
        draft(&database, &to("city-a", vec![finding(2, "admin")]), "2026-01-02").unwrap();
        // What is cancelled may be told by another.
        database.cancel_notice(deed("2026-01-03"), first.number, "wrong").unwrap();
        assert!(refusal(database.cancel_notice(deed("2026-01-03"), first.number, "")).contains("too late"));
        let second = draft(&database, &again, "2026-01-04").unwrap();
        database.release_notice(deed("2026-01-04"), "ann", second.number).unwrap();
        let taken = database.take_notice(deed("2026-01-04"), HOLD).unwrap().unwrap();
        assert_eq!(taken.notice.number, second.number);
        assert!(database.settle_notice(deed("2026-01-04"), second.number, &Went::Sent, Some("sum")).unwrap());
        let told = database.told_by_notices("city-a").unwrap();
        let key = finding(2, "telnet").key();
        assert_eq!(told.get(&key), Some(&(second.number, at("2026-01-04"), NoticeState::Sent)));
        let one = to("city-a", vec![finding(2, "telnet")]);
        assert!(refusal(draft(&database, &one, "2026-01-20")).contains("another notice"), "16 days");
        let back = [key].into();
        let since = at("2026-01-01");
        let third = database.draft_notice(deed("2026-01-20"), 2, &one, &back, since).unwrap();
        assert!(
            refusal(database.draft_notice(deed("2026-01-21"), 3, &to("city-a", one.findings), &back, since))
                .contains("another notice"),
            "it waits in {}",
            third.number
        );
        assert!(draft(&database, &to("city-a", vec![finding(3, "telnet")]), "2026-03-01").is_ok(), "that was long ago");
    });
}

#[test]
fn a_large_one_takes_two_persons_and_the_same_twice_is_one() {
    on_both(|target| {
        let database = opened(target);
        let large = NewNotice { needs: 2, ..to("city-a", vec![finding(1, "telnet")]) };
        let number = draft(&database, &large, "2026-01-02").unwrap().number;
        let day = deed("2026-01-02");
        let half = database.release_notice(day, "ann", number).unwrap();
        assert_eq!((half.missing, half.notice.state), (1, NoticeState::Draft));
        assert!(refusal(database.release_notice(day, "ann", number)).contains("another person"));
        assert_eq!(database.take_notice(day, HOLD).unwrap(), None, "half is not enough");
        // Many at once, under two names: each name counts once.
        let done: usize = std::thread::scope(|scope| {
            let try_it = |name: &'static str| {
                let database = &database;
                scope.spawn(move || usize::from(database.release_notice(day, name, number).is_ok()))
            };
            let all: Vec<_> = ["ann", "bob", "ann", "bob"].map(try_it).into_iter().collect();
            all.into_iter().map(|one| one.join().unwrap()).sum()
        });
        assert_eq!(done, 1);
        let now = database.notice(number).unwrap();
        assert_eq!((now.state, now.released_by), (NoticeState::Released, vec!["ann".to_owned(), "bob".to_owned()]));
    });
}

#[test]
fn many_small_ones_are_a_large_one() {
    on_both(|target| {
        let database = opened(target);
        let number = |last: u8| {
            let new = NewNotice { alone: 2, ..to("city-a", vec![finding(last, "telnet")]) };
            draft(&database, &new, "2026-01-02").unwrap().number
        };
        let (first, second, third, fourth) = (number(1), number(2), number(3), number(4));
        let release = |person, number, when| database.release_notice(deed(when), person, number).unwrap().missing;
        assert_eq!((release("ann", first, "2026-01-02"), release("ann", second, "2026-01-02")), (0, 0));
        assert_eq!(release("ann", third, "2026-01-02"), 1, "two of a day are what one person may");
        assert_eq!(release("bob", third, "2026-01-02"), 0);
        assert_eq!(release("ann", fourth, "2026-01-04"), 0, "another day");
    });
}

#[test]
fn it_leaves_once_and_what_is_not_known_is_for_a_person() {
    on_both(|target| {
        let database = opened(target);
        let other = Database::open(target).unwrap();
        let number = draft(&database, &to("city-a", vec![finding(1, "telnet")]), "2026-01-02").unwrap().number;
        database.release_notice(deed("2026-01-02"), "ann", number).unwrap();
        let now = |seconds: u64| Deed { by: "server", now: at("2026-01-02").plus(Duration::from_secs(seconds)) };
        // Of two servers one has it.
        let both = std::thread::scope(|scope| {
            let tries =
                [&database, &other].map(|one| scope.spawn(move || one.take_notice(now(1), HOLD).unwrap().is_some()));
            tries.map(|one| usize::from(one.join().unwrap())).into_iter().sum::<usize>()
        });
        assert_eq!(both, 1);
        let refused = Went::Again(Duration::from_secs(600), "451 later".to_owned());
        assert!(database.settle_notice(now(2), number, &refused, None).unwrap());
        assert!(!database.settle_notice(now(2), number, &Went::Sent, None).unwrap(), "it is in nobody's hand");
        assert_eq!(database.take_notice(now(601), HOLD).unwrap(), None);
        let taken = database.take_notice(now(602), HOLD).unwrap().unwrap();
        assert_eq!((taken.notice.tries, taken.notice.error.as_str()), (2, "451 later"));
        // Whoever had it is gone.
        assert_eq!(other.unsure_notices(now(901)).unwrap(), 0);
        assert_eq!(other.unsure_notices(now(902)).unwrap(), 1);
        assert_eq!(other.take_notice(now(1_000_000), HOLD).unwrap(), None, "not again by itself");
        assert!(!database.settle_notice(now(903), number, &Went::Sent, None).unwrap(), "too late");
        assert!(
            database.reply_to_notice(now(903), number, &said(NoticeOutcome::NotOurs, &[])).is_ok(),
            "they may have it"
        );
        let again = database.resolve_notice(now(904), number, Resolved::Again).unwrap();
        assert_eq!(again.state, NoticeState::Released);
        assert!(refusal(database.resolve_notice(now(904), number, Resolved::Arrived)).contains("not unsure"));
        database.take_notice(now(905), HOLD).unwrap().unwrap();
        database.settle_notice(now(905), number, &Went::GivenUp("550 no such user".to_owned()), None).unwrap();
        assert!(database.told_by_notices("city-a").unwrap().is_empty(), "nobody was told");
        let did: Vec<String> =
            database.notice_events(Some(number), 0, 99).unwrap().into_iter().map(|one| one.action).collect();
        let expected = ["drafted", "released", "released", "unsure", "replied", "released", "given-up"];
        assert_eq!(did, expected);
    });
}

fn said(outcome: NoticeOutcome, places: &[i64]) -> NewReply {
    NewReply { places: places.to_vec(), outcome, note: "a\r\nnote".to_owned() }
}

#[test]
fn answers_are_kept_and_others_are_told_apart() {
    on_both(|target| {
        let database = opened(target);
        let new = to("city-a", vec![finding(1, "telnet"), finding(9, "telnet")]);
        let number = draft(&database, &new, "2026-01-02").unwrap().number;
        let day = deed("2026-01-02");
        assert!(refusal(database.reply_to_notice(day, number, &said(NoticeOutcome::Fixed, &[]))).contains("draft"));
        database.release_notice(day, "ann", number).unwrap();
        database.take_notice(day, HOLD).unwrap().unwrap();
        database.settle_notice(day, number, &Went::Sent, None).unwrap();
        assert!(
            refusal(database.reply_to_notice(day, number, &said(NoticeOutcome::Fixed, &[3]))).contains("no finding 3")
        );
        let all = database.reply_to_notice(day, number, &said(NoticeOutcome::Fixed, &[2])).unwrap();
        assert_eq!((all.len(), all[0].place, all[0].note.as_str()), (1, 2, "a  note"));
        let range = |low: u8, high: u8| ([192, 0, 2, low].into(), [192, 0, 2, high].into());
        let but = |id: &str| [id.to_owned()].into();
        assert_eq!(database.told_elsewhere(range(8, 10), &but("city-b"), 9).unwrap().len(), 1);
        assert_eq!(database.told_elsewhere(range(0, 255), &but("city-b"), 9).unwrap().len(), 2);
        assert!(database.told_elsewhere(range(0, 255), &but("city-a"), 9).unwrap().is_empty(), "that was us");
        assert!(database.told_elsewhere(range(10, 255), &but("city-b"), 9).unwrap().is_empty());
        let of = |ids: &[&str]| NoticesOf {
            organisations: Some(ids.iter().map(|id| (*id).to_owned()).collect()),
            limit: 10,
            ..NoticesOf::default()
        };
        assert_eq!(database.notices(&of(&["city-a"])).unwrap().len(), 1);
        assert!(
            database.notices(&of(&["city-b"])).unwrap().is_empty() && database.notices(&of(&[])).unwrap().is_empty()
        );
        assert_eq!(database.notice_files(number).unwrap()[0].content, "a,b");
        assert_eq!(database.notice_findings(number).unwrap(), new.findings);
        assert_eq!(database.notice_by_token(&new.token).unwrap(), Some(number));
        database.opt_out_of_notices(day, "city-a", Some("by mail")).unwrap();
        assert_eq!(database.notice_opt_outs().unwrap()[0].organisation, "city-a");
        database.opt_out_of_notices(day, "city-a", None).unwrap();
        assert!(database.notice_opt_outs().unwrap().is_empty());
        assert!(refusal(database.opt_out_of_notices(day, "nobody", None)).contains("no organisation"));
    });
}
