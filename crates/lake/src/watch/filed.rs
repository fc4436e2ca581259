//! Saved queries by what they need: which of them could hold for a change.
//!
//! A look costs the terms of the service (its values, its words, its networks), not the number of queries; what it
//! finds is then held against the whole query, so that the outcome is that of asking every query. What evidence says
//! is looked up once for each distinct content of a step.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use hinomi_model::address::{bounds, to_u128};
use hinomi_model::{ContentHash, Timestamp};
use ipnet::IpNet;

use super::need::{MAX_NEEDS, Need, Of, Term, needs, net, rarest};
use super::observed::Observed;
use super::saved::Saved;
use crate::query::eval::{Matcher, Subject, folded};
use crate::query::{AddressRanges, Field, Trait, parse};

/// One saved query, ready.
#[derive(Debug)]
struct Ready {
    saved: Saved,
    matcher: Matcher,
    within: Option<Arc<AddressRanges>>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Filed {
    ready: Vec<Ready>,
    places: Places,
    /// Names of those that cannot be understood.
    pub(super) broken: Vec<String>,
}

/// Where each is filed, by its place in the list.
#[derive(Debug, Default)]
struct Places {
    named: HashMap<u64, Vec<u32>>,
    nets: BTreeMap<u8, HashMap<u128, Vec<u32>>>,
    /// Those that need nothing.
    always: Vec<u32>,
    /// What has to be looked at because some query is filed there: of the content, and of the service itself.
    of_content: BTreeSet<Of>,
    of_service: BTreeSet<Of>,
}

/// Contents of one step and the queries filed under what they say.
pub(super) type Contents = HashMap<ContentHash, Vec<u32>>;

impl Places {
    fn file(&mut self, number: u32, needed: Option<Vec<Need>>) {
        let Some(needed) = needed else { return self.always.push(number) };
        for need in needed {
            match need.term {
                Term::Named(hash) => self.named.entry(hash).or_default().push(number),
                Term::Net { bits, low } => self.nets.entry(bits).or_default().entry(low).or_default().push(number),
            }
            if need.of != Of::Net {
                let set = if is_of_content(need.of) { &mut self.of_content } else { &mut self.of_service };
                set.insert(need.of);
            }
        }
    }

    fn look(&self, places: &BTreeSet<Of>, subject: &Subject<'_>, found: &mut Vec<u32>) {
        for of in places {
            each_term(subject, *of, &mut |term| {
                if let Term::Named(hash) = term {
                    found.extend(self.named.get(&hash).into_iter().flatten());
                }
            });
        }
    }

    fn look_at_address(&self, subject: &Subject<'_>, found: &mut Vec<u32>) {
        let address = to_u128(subject.key.address);
        for (bits, nets) in &self.nets {
            found.extend(nets.get(&first_of(address, *bits)).into_iter().flatten());
        }
    }
}

impl Filed {
    /// Takes up this list in place of the one before. A query that stood there as it stands now is not compiled again.
    pub(super) fn follow(&mut self, list: Vec<Saved>, observed: &Observed) {
        let mut before: HashMap<u64, Ready> = self.ready.drain(..).map(|ready| (ready.saved.id, ready)).collect();
        let mut sets: HashMap<Vec<IpNet>, Arc<AddressRanges>> = HashMap::new();
        self.broken.clear();
        for saved in list {
            if let Some(ready) = before.remove(&saved.id).filter(|ready| ready.saved == saved) {
                self.ready.push(ready);
                continue;
            }
            let Ok(query) = parse(&saved.query) else {
                self.broken.push(saved.name);
                continue;
            };
            let within = saved.within.clone().map(|nets| {
                let make = |nets: &Vec<IpNet>| Arc::new(AddressRanges::new(nets.iter().copied()));
                Arc::clone(sets.entry(nets).or_insert_with_key(make))
            });
            self.ready.push(Ready { matcher: Matcher::new(&query), saved, within });
        }
        self.file(observed);
    }

    /// Files all of them, each where it is found least often by what was observed.
    pub(super) fn file(&mut self, observed: &Observed) {
        self.places = Places::default();
        for (number, ready) in (0..).zip(&self.ready) {
            let nets = ready.saved.within.as_deref();
            self.places.file(number, needed(&ready.matcher, nets, &|need| observed.weigh(need)));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ready.len()
    }

    /// How many are asked for every change.
    pub(super) fn always(&self) -> usize {
        self.places.always.len()
    }

    /// The queries that hold, by id ascending, and how many were asked.
    pub(super) fn holding(
        &self,
        subject: &Subject<'_>,
        content: Option<&ContentHash>,
        now: Timestamp,
        contents: &mut Contents,
    ) -> (Vec<u64>, usize) {
        let places = &self.places;
        let mut candidates = places.always.clone();
        match content {
            None => places.look(&places.of_content, subject, &mut candidates),
            Some(content) => candidates.extend_from_slice(contents.entry(*content).or_insert_with(|| {
                let mut found = Vec::new();
                places.look(&places.of_content, subject, &mut found);
                found
            })),
        }
        places.look(&places.of_service, subject, &mut candidates);
        places.look_at_address(subject, &mut candidates);
        candidates.sort_unstable();
        candidates.dedup();
        let asked = candidates.len();
        let ready = candidates.into_iter().filter_map(|number| self.ready.get(usize::try_from(number).ok()?));
        let holds = ready.filter(|ready| {
            let shown = |matcher: &Matcher| match subject.closed {
                // It was shown until now, and that it is no more is the news.
                true => matcher.fits(subject, now),
                false => matcher.matches(subject, now),
            };
            ready.within.as_ref().is_none_or(|within| within.contains(subject.key.address)) && shown(&ready.matcher)
        });
        let mut ids: Vec<u64> = holds.map(|ready| ready.saved.id).collect();
        ids.sort_unstable();
        (ids, asked)
    }
}

/// Terms of which a service has at least one where the query holds; none when nothing is needed.
pub(super) fn needed(matcher: &Matcher, within: Option<&[IpNet]>, weigh: &dyn Fn(&Need) -> f64) -> Option<Vec<Need>> {
    let nets = within.filter(|nets| nets.len() <= MAX_NEEDS).map(|nets| {
        let needs: Vec<Need> = nets.iter().map(|prefix| bounds(*prefix)).map(|(low, high)| net(low, high)).collect();
        let often = needs.iter().map(weigh).sum();
        (needs, often)
    });
    let asked = matcher.filter().and_then(|part| needs(part, weigh));
    rarest(nets.into_iter().chain(asked)).map(|(needs, _)| needs)
}

/// Every term of one kind that a service has.
pub(super) fn each_term(subject: &Subject<'_>, of: Of, each: &mut dyn FnMut(Term)) {
    match of {
        Of::Value(field) => {
            subject.any(field, &mut |value| {
                each(of.term(&folded(value)));
                false
            });
        }
        Of::Word(Field::Text) => subject.words().iter().for_each(|word| each(of.term(word))),
        Of::Word(field) => {
            subject.any(field, &mut |value| {
                crate::query::eval::Cut::new(value).iter().for_each(|word| each(of.term(word)));
                false
            });
        }
        Of::Known(field) => {
            if subject.any(field, &mut |_| true) {
                each(of.term(""));
            }
        }
        Of::Number(field) => subject.number(field).into_iter().for_each(|number| each(of.number(number))),
        Of::Trait(place) => {
            if Trait::ALL.get(place).is_some_and(|(wanted, _)| subject.has(*wanted)) {
                each(of.term(""));
            }
        }
        Of::Net => {
            // Every prefix that it is in: of IPv4 there are those of the last 32 bits.
            let address = to_u128(subject.key.address);
            let widest = if subject.key.address.is_ipv4() { 96 } else { 0 };
            (widest..=128).for_each(|bits| each(Term::Net { bits, low: first_of(address, bits) }));
        }
    }
}

/// The first address of the prefix that holds an address.
fn first_of(address: u128, bits: u8) -> u128 {
    address & u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)
}

/// Whether what evidence says decides it, and not where or by whom it was seen.
fn is_of_content(of: Of) -> bool {
    match of {
        Of::Value(field) | Of::Word(field) | Of::Known(field) => is_from_evidence(field),
        Of::Number(_) | Of::Net => false,
        Of::Trait(place) => {
            let wanted = Trait::ALL.get(place).map(|(wanted, _)| *wanted);
            matches!(wanted, Some(Trait::Tls | Trait::Certificate))
        }
    }
}

/// Whether a field is what evidence says: two services of the same content have the same. Every field is named, so that
/// a new one is decided upon.
const fn is_from_evidence(field: Field) -> bool {
    match field {
        Field::Text
        | Field::Raw
        | Field::Protocol
        | Field::Vendor
        | Field::Product
        | Field::Version
        | Field::Model
        | Field::Firmware
        | Field::Kind
        | Field::Os
        | Field::Cpe
        | Field::Tag
        | Field::Title
        | Field::Tls
        | Field::CertSubject
        | Field::CertIssuer
        | Field::CertExpires
        | Field::TlsVersion
        | Field::TlsGroup
        | Field::TlsCipher
        | Field::CertKey
        | Field::CertSignature
        | Field::SshKex
        | Field::SshKey
        | Field::SshCipher
        | Field::SshMac
        | Field::Pq
        | Field::Weak
        | Field::Hassh
        | Field::HostKey => true,
        Field::Net
        | Field::Ip
        | Field::Port
        | Field::Transport
        | Field::Seen
        | Field::First
        | Field::As
        | Field::Operator
        | Field::Country
        | Field::Prefecture
        | Field::Sensor
        | Field::Tlp
        | Field::Purpose
        | Field::Confidence
        | Field::Has
        | Field::Address => false,
    }
}
