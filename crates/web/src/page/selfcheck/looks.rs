//! The looks from outside that go on or have ended a short while ago: in memory alone, each for one browser at one address.
//!
//! A home (an IPv4 address, 64 bits of IPv6) has one in [`LOOK_EVERY`], counted from its consent, whatever came of it; so many
//! go on at one time ([`LOOKS_AT_ONCE`]). Who has a place gives it back when the look ends, or is lost. A look is told of and
//! ended by its number: one that was lost and still goes on says nothing into the next one of its browser.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hinomi_model::{Timestamp, Transport};

use crate::limits::{LOOK_EVERY, LOOK_LOST, LOOK_SHOWN, LOOKS_AT_ONCE, LOOKS_KEPT, LOOKS_KNOWN};
use crate::listener::source_of;
use crate::prober::{Ended, Met, NoLook, Terms, Told};

/// All of them.
#[derive(Default)]
pub(crate) struct Looks(Mutex<Held>);

#[derive(Default)]
struct Held {
    /// When a home was looked at last.
    homes: HashMap<IpAddr, Timestamp>,
    /// By what binds them to a browser.
    looks: HashMap<String, Look>,
    /// The number of the look that began last.
    last: u64,
}

/// One look.
#[derive(Clone)]
pub(super) struct Look {
    number: u64,
    pub(super) terms: Terms,
    pub(super) begun: Timestamp,
    pub(super) met: BTreeMap<(Transport, u16), Met>,
    pub(super) ended: Option<(Timestamp, Result<Ended, NoLook>)>,
}

/// Why no look begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotNow {
    /// This home was looked at; it may be again after so long.
    Again(Duration),
    /// As many as may be go on.
    Busy,
}

impl Look {
    /// Whether it still goes on.
    pub(super) const fn goes_on(&self) -> bool {
        self.ended.is_none()
    }

    /// Until when it is shown.
    pub(super) fn until(&self) -> Timestamp {
        self.ended.as_ref().map_or(self.begun, |(ended, _)| *ended).plus(LOOK_SHOWN)
    }
}

impl Held {
    /// Ends what is lost, forgets what is over.
    fn tidy(&mut self, now: Timestamp) {
        for look in self.looks.values_mut().filter(|look| look.goes_on()) {
            if now.since(look.begun) >= LOOK_LOST {
                look.ended = Some((now, Err(NoLook::Failed)));
            }
        }
        self.looks.retain(|_, look| look.goes_on() || now < look.until());
        self.homes.retain(|_, begun| now.since(*begun) < LOOK_EVERY);
    }

    /// The look of this browser and number, while it goes on.
    fn going(&mut self, browser: &str, number: u64) -> Option<&mut Look> {
        self.looks.get_mut(browser).filter(|look| look.number == number && look.goes_on())
    }
}

impl Looks {
    /// Takes a place for a look of this browser at the address of these terms. One step, so of two requests at once one
    /// is told to wait. Tells the number of the look.
    pub(super) fn begin(&self, browser: &str, terms: &Terms, now: Timestamp) -> Result<u64, NotNow> {
        let mut held = self.lock();
        held.tidy(now);
        let home = source_of(terms.address);
        if let Some(begun) = held.homes.get(&home) {
            return Err(NotNow::Again(LOOK_EVERY.saturating_sub(now.since(*begun))));
        }
        let running = held.looks.values().filter(|look| look.goes_on()).count();
        let own = held.looks.get(browser).is_some_and(Look::goes_on);
        if own || running >= LOOKS_AT_ONCE || held.looks.len() >= LOOKS_KEPT || held.homes.len() >= LOOKS_KNOWN {
            return Err(NotNow::Busy);
        }
        held.homes.insert(home, now);
        held.last += 1;
        let number = held.last;
        let look = Look { number, terms: terms.clone(), begun: now, met: BTreeMap::new(), ended: None };
        held.looks.insert(browser.to_owned(), look);
        Ok(number)
    }

    /// Notes what a port did.
    pub(super) fn tell(&self, browser: &str, number: u64, told: Told) {
        let mut held = self.lock();
        let Some(look) = held.going(browser, number) else { return };
        let Told { transport, port, met } = told;
        // Nothing is kept of a port that nobody agreed to.
        if look.terms.ports().any(|one| one == (transport, port)) {
            look.met.insert((transport, port), met);
        }
    }

    /// Notes how a look ended. Who was told that nothing was sent for want of a place may ask again at once.
    pub(super) fn end(&self, browser: &str, number: u64, ended: Result<Ended, NoLook>, now: Timestamp) {
        let mut held = self.lock();
        let Some(look) = held.going(browser, number) else { return };
        look.ended = Some((now, ended));
        let home = source_of(look.terms.address);
        if matches!(ended, Err(NoLook::Busy)) {
            held.homes.remove(&home);
        }
    }

    /// The look of this browser, if it has one.
    pub(super) fn of(&self, browser: &str, now: Timestamp) -> Option<Look> {
        let mut held = self.lock();
        held.tidy(now);
        held.looks.get(browser).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(address: &str) -> Terms {
        Terms {
            address: address.parse().expect("an address"),
            scope: String::new(),
            tcp: vec![22, 80],
            udp: vec![53],
            sources: Vec::new(),
            attempts: 12,
            at_once: 1,
            seconds: 60,
            authority: String::new(),
            email: String::new(),
            page: String::new(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    const DONE: Result<Ended, NoLook> = Ok(Ended { whole: true, sent: 3 });

    #[test]
    fn a_home_is_looked_at_once_in_a_while_whoever_asks() {
        let looks = Looks::default();
        assert_eq!(looks.begin("a", &terms("2001:db8:1:2::1"), at(0)), Ok(1));
        looks.end("a", 1, DONE, at(20));
        let same = terms("2001:db8:1:2:9::9");
        assert_eq!(looks.begin("b", &same, at(100)), Err(NotNow::Again(Duration::from_secs(500))));
        assert_eq!(looks.begin("b", &terms("2001:db8:1:3::1"), at(100)), Ok(2), "another home");
        assert_eq!(looks.begin("c", &same, at(600)), Ok(3));
        assert!(looks.of("a", at(600)).is_some() && looks.of("a", at(620)).is_none(), "gone");
    }

    #[test]
    fn few_go_on_at_one_time_and_places_come_back() {
        let looks = Looks::default();
        let address = |n: usize| terms(&format!("192.0.2.{n}"));
        for n in 0..LOOKS_AT_ONCE {
            assert!(looks.begin(&n.to_string(), &address(n), at(0)).is_ok());
        }
        assert_eq!(looks.begin("x", &address(99), at(1)), Err(NotNow::Busy));
        looks.end("0", 1, Err(NoLook::Busy), at(2));
        let next = looks.begin("x", &address(99), at(3)).expect("nobody was counted for being told to wait");
        assert_eq!(looks.begin("y", &address(0), at(3)), Err(NotNow::Busy));
        looks.end("x", next, DONE, at(4));
        assert!(looks.begin("y", &address(0), at(4)).is_ok(), "nothing was sent to it");
        // Those that never end are lost, and do not keep their places.
        let late = i64::try_from(LOOK_LOST.as_secs()).expect("seconds");
        assert!(looks.begin("z", &address(50), at(late + 5)).is_ok());
        assert!(matches!(looks.of("1", at(late + 5)).and_then(|look| look.ended), Some((_, Err(NoLook::Failed)))));
    }

    #[test]
    fn only_agreed_ports_of_the_browsers_own_look_are_told() {
        let looks = Looks::default();
        let number = looks.begin("a", &terms("192.0.2.1"), at(0)).expect("a place");
        let tell =
            |browser: &str, transport, port| looks.tell(browser, number, Told { transport, port, met: Met::Closed });
        tell("a", Transport::Tcp, 22);
        tell("a", Transport::Tcp, 53);
        tell("b", Transport::Tcp, 80);
        looks.end("a", number, DONE, at(1));
        tell("a", Transport::Tcp, 80);
        let met = looks.of("a", at(1)).expect("a look").met;
        assert_eq!(met.into_keys().collect::<Vec<_>>(), [(Transport::Tcp, 22)]);
        assert!(looks.of("b", at(1)).is_none());
    }

    #[test]
    fn one_browser_has_one_look_at_a_time() {
        let looks = Looks::default();
        let number = looks.begin("a", &terms("192.0.2.1"), at(0)).expect("a place");
        assert_eq!(looks.begin("a", &terms("192.0.2.2"), at(1)), Err(NotNow::Busy));
        looks.end("a", number, DONE, at(2));
        assert!(looks.begin("a", &terms("192.0.2.2"), at(3)).is_ok());
        assert_eq!(looks.of("a", at(3)).expect("a look").terms.address, terms("192.0.2.2").address);
    }

    #[test]
    fn a_lost_look_says_nothing_into_the_next_one() {
        let looks = Looks::default();
        let lost = looks.begin("a", &terms("192.0.2.1"), at(0)).expect("a place");
        let late = i64::try_from(LOOK_LOST.as_secs()).expect("seconds");
        let next = looks.begin("a", &terms("192.0.2.2"), at(late)).expect("the first was lost");
        let told = |met| Told { transport: Transport::Tcp, port: 22, met };
        looks.tell("a", lost, told(Met::Open(None)));
        looks.end("a", lost, Err(NoLook::Busy), at(late + 1));
        let look = looks.of("a", at(late + 1)).expect("a look");
        assert!(look.goes_on() && look.met.is_empty());
        looks.tell("a", next, told(Met::Closed));
        looks.end("a", next, DONE, at(late + 2));
        let look = looks.of("a", at(late + 2)).expect("a look");
        assert_eq!((look.goes_on(), look.met.into_values().collect::<Vec<_>>()), (false, vec![Met::Closed]));
    }
}
