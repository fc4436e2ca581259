//! A reading of sightings and queries without any index: slow, and plain enough to be seen right.

use std::collections::{BTreeMap, HashMap};

use hinomi_model::address::to_u128;
use hinomi_model::facts::version_key;
use hinomi_model::{Marking, Outcome, Service, ServiceKey, Timestamp, Transport};
use ipnet::IpNet;

use super::super::Update;
use crate::entitlement::{Entitlement, Seen};
use crate::query::eval::Subject;
use crate::query::words::{fold, words};
use crate::query::{Class, Clause, Field, Moment, Node, Pattern, Query, Range, Test, Trait};

/// The state of one service.
pub(super) struct Plain {
    pub(super) service: Service,
    newest: Update,
    closed: bool,
}

/// What all these sightings together say, by service.
pub(super) fn state_of(updates: &[Update]) -> Vec<Plain> {
    let mut by_key: BTreeMap<(u128, u16, Transport), Vec<&Update>> = BTreeMap::new();
    for update in updates {
        let ServiceKey { address, port, transport } = update.key;
        by_key.entry((to_u128(address), port, transport)).or_default().push(update);
    }
    by_key.into_values().filter_map(|updates| one(&updates)).collect()
}

/// The same as far as may be known by who holds this: each marking by itself, the newest of those that may be known.
pub(super) fn state_within(updates: &[Update], may: &Entitlement) -> Vec<Plain> {
    let mut by_key: BTreeMap<(u128, u16, Transport), Vec<&Update>> = BTreeMap::new();
    for update in updates {
        let ServiceKey { address, port, transport } = update.key;
        by_key.entry((to_u128(address), port, transport)).or_default().push(update);
    }
    by_key.into_values().filter_map(|updates| one_within(&updates, may)).collect()
}

fn one_within(updates: &[&Update], may: &Entitlement) -> Option<Plain> {
    let mut by_marking: Vec<(&Marking, Vec<&Update>)> = Vec::new();
    for update in updates {
        match by_marking.iter_mut().find(|(marking, _)| **marking == update.marking) {
            Some((_, some)) => some.push(update),
            None => by_marking.push((&update.marking, vec![update])),
        }
    }
    let seen = |marking, asn, time| Seen { address: updates[0].key.address, asn, time, marking };
    let mut shown: Vec<(Plain, Timestamp)> = Vec::new();
    for (marking, some) in &by_marking {
        let Some(plain) = one(some) else { continue };
        let stretch = may.stretch(&seen(marking, plain.newest.asn, plain.service.last_seen));
        shown.extend(stretch.map(|stretch| {
            let first = plain.service.first_seen.max(Timestamp::from_micros(stretch.from));
            (plain, first)
        }));
    }
    let first_seen = shown.iter().map(|(_, first)| *first).min()?;
    let rank = |one: &Plain, other: &Plain| {
        let open = |plain: &Plain| (plain.service.last_seen, plain.newest.outcome == Outcome::Open);
        open(one).cmp(&open(other)).then_with(|| one.newest.marking.by_strictness(&other.newest.marking))
    };
    let (mut newest, _) = shown.into_iter().max_by(|(one, _), (other, _)| rank(one, other))?;
    let closed = by_marking.iter().filter_map(|(marking, some)| {
        let found = some.iter().filter(|update| update.outcome == Outcome::Closed).map(|update| update.time).max()?;
        may.admits(&seen(marking, newest.newest.asn, found)).then_some(found)
    });
    newest.closed = closed.max().is_some_and(|closed| closed > newest.service.last_seen);
    newest.service.first_seen = first_seen;
    Some(newest)
}

fn one(updates: &[&Update]) -> Option<Plain> {
    let answered: Vec<&&Update> = updates.iter().filter(|update| update.outcome != Outcome::Closed).collect();
    let rank = |update: &Update| (update.time, update.outcome == Outcome::Open, update.content, update.sensor.clone());
    let order = |a: &Update, b: &Update| rank(a).cmp(&rank(b)).then_with(|| a.marking.by_strictness(&b.marking));
    let newest: &Update = answered.iter().max_by(|a, b| order(a, b))?;
    let closed = updates.iter().filter(|update| update.outcome == Outcome::Closed).map(|update| update.time).max();
    let times: Vec<Timestamp> = answered.iter().map(|update| update.time).collect();
    let last_seen = *times.iter().max()?;
    let service = Service {
        key: newest.key,
        first_seen: *times.iter().min()?,
        last_seen,
        sensor: newest.sensor.to_string(),
        asn: newest.asn,
        country: newest.country.clone(),
        facts: newest.facts.clone(),
        evidence: newest.evidence.clone(),
        terms: newest.marking.terms(),
    };
    let is_closed = closed.is_some_and(|closed| closed > last_seen);
    Some(Plain { service, newest: newest.clone(), closed: is_closed })
}

impl Plain {
    /// Whether a query that does not ask for such leaves it out.
    pub(super) fn is_hidden(&self) -> bool {
        self.closed || self.pseudo()
    }

    fn pseudo(&self) -> bool {
        self.newest.outcome == Outcome::Pseudo
    }

    /// The service as the evaluator of the product sees it.
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            key: self.service.key,
            facts: &self.service.facts,
            text: &self.newest.text,
            first_seen: self.service.first_seen,
            last_seen: self.service.last_seen,
            closed: self.closed,
            pseudo: self.pseudo(),
            around: self.newest.around(),
            sensor: &self.service.sensor,
            marking: &self.newest.marking,
            searched: std::cell::OnceCell::new(),
        }
    }

    /// Whether a query shows this service, worked out here once more, as plainly as can be.
    pub(super) fn answers(&self, query: &Query, now: Timestamp) -> bool {
        (!self.closed || query.mentions(Trait::Closed))
            && (!self.pseudo() || query.mentions(Trait::Pseudo))
            && query.filter.as_ref().is_none_or(|node| self.node(node, now))
    }

    fn node(&self, node: &Node, now: Timestamp) -> bool {
        match node {
            Node::All(parts) => parts.iter().all(|part| self.node(part, now)),
            Node::Any(parts) => parts.iter().any(|part| self.node(part, now)),
            Node::Not(part) => !self.node(part, now),
            Node::Clause(clause) => clause.tests.iter().any(|test| self.test(clause, test, now)),
        }
    }

    fn test(&self, clause: &Clause, test: &Test, now: Timestamp) -> bool {
        let field = clause.field;
        let values = self.values(field);
        match test {
            Test::Net(net) => net.contains(&self.service.key.address),
            Test::Address(address) => *address == self.service.key.address,
            Test::Span { low, high } => self.number(field).is_some_and(|number| (*low..=*high).contains(&number)),
            Test::Whole(text) => values.iter().any(|value| fold(value) == *text),
            Test::Like(pattern) if field == Field::Text => self.parts().iter().any(|part| has_words(part, pattern)),
            Test::Like(pattern) if field.info().class == Class::Text => values.iter().any(|v| has_words(v, pattern)),
            Test::Like(pattern) => values.iter().any(|value| like(&fold(value), pattern, field)),
            Test::Version(range) => values.iter().any(|value| version_in(value, range)),
            Test::Time(range) => self.time(field).is_some_and(|time| time_in(time, range, field, now)),
            Test::Contains(wanted) => self.parts().iter().any(|part| fold(part).contains(wanted.as_str())),
            Test::Matches(expression) => {
                let mut builder = regex::RegexBuilder::new(expression.as_str());
                let regex = builder.case_insensitive(true).multi_line(true).crlf(true).build();
                let regex = regex.expect("an expression");
                self.parts().iter().any(|part| regex.is_match(part))
            }
            Test::Has(Trait::Closed) => self.closed,
            Test::Has(Trait::Pseudo) => self.pseudo(),
            Test::Has(Trait::Tls) => self.service.facts.tls || self.service.facts.tls_version.is_some(),
            Test::Has(Trait::Certificate) => self.service.facts.certificate.is_some(),
            Test::Has(Trait::As) => self.service.asn.is_some(),
            Test::Has(known) => !self.values(Field::named(known.name()).expect("a field").field).is_empty(),
        }
    }

    /// The texts that free text searches.
    fn parts(&self) -> Vec<String> {
        let mut parts = self.searched();
        parts.push(self.newest.text.to_string());
        // What is not there is no part.
        parts.retain(|part| !part.is_empty());
        parts
    }

    /// The texts that free text searches besides the evidence.
    fn searched(&self) -> Vec<String> {
        let named = [Field::Vendor, Field::Product, Field::Version, Field::Model, Field::Firmware, Field::Os];
        let more = [Field::Title, Field::Protocol, Field::Kind, Field::CertSubject, Field::CertIssuer, Field::Tag];
        let mut all: Vec<String> = named.into_iter().chain(more).flat_map(|field| self.values(field)).collect();
        all.extend(self.service.facts.certificate.iter().flat_map(|certificate| certificate.names.clone()));
        all
    }

    /// The values of a text field.
    pub(super) fn values(&self, field: Field) -> Vec<String> {
        let facts = &self.service.facts;
        let certificate = facts.certificate.as_ref();
        let crypto = facts.crypto.clone().unwrap_or_default();
        let list = |value: Option<String>| value.into_iter().collect::<Vec<_>>();
        match field {
            Field::Transport => vec![self.service.key.transport.to_string()],
            Field::Protocol => list(facts.protocol.as_ref().map(ToString::to_string)),
            Field::Vendor => list(facts.vendor.clone()),
            Field::Product => list(facts.product.clone()),
            Field::Version => list(facts.version.clone()),
            Field::Model => list(facts.model.clone()),
            Field::Firmware => list(facts.firmware.clone()),
            Field::Kind => list(facts.kind.map(|kind| kind.to_string())),
            Field::Os => list(facts.os.clone()),
            Field::Cpe => facts.cpe.clone(),
            Field::Tag => facts.tags.clone(),
            Field::Title => list(facts.title.clone()),
            Field::Tls => list(facts.tls_version.clone()),
            Field::CertSubject => list(certificate.map(|certificate| certificate.subject.clone())),
            Field::CertIssuer => list(certificate.map(|certificate| certificate.issuer.clone())),
            Field::CertKey => list(certificate.map(|certificate| certificate.key.clone())),
            Field::CertSignature => list(certificate.map(|certificate| certificate.signature.clone())),
            Field::TlsVersion => crypto.versions,
            Field::TlsGroup => list(crypto.group),
            Field::TlsCipher => list(crypto.cipher),
            Field::SshKex => crypto.kex,
            Field::SshKey => list(crypto.host_key),
            Field::SshCipher => crypto.ciphers,
            Field::SshMac => crypto.macs,
            Field::Pq => list(crypto.post_quantum.map(|how| how.name().to_owned())),
            Field::Weak => crypto.weak,
            Field::Hassh => list(facts.hassh.clone()),
            Field::HostKey => list(facts.host_key.clone()),
            Field::Country => list(self.service.country.clone()),
            Field::Operator => list(self.newest.operator.clone()),
            Field::Prefecture => list(self.newest.prefecture.clone()),
            Field::Sensor => vec![self.service.sensor.clone()],
            Field::Tlp => vec![self.newest.marking.tlp.label()[4..].to_lowercase()],
            Field::Purpose => vec![self.newest.marking.purpose.to_string()],
            Field::Port => vec![self.service.key.port.to_string()],
            Field::As => list(self.service.asn.map(|asn| asn.to_string())),
            Field::Net => {
                let address = self.service.key.address;
                let bits = if address.is_ipv4() { 24 } else { 48 };
                vec![IpNet::new(address, bits).expect("a prefix").trunc().to_string()]
            }
            _ => Vec::new(),
        }
    }

    fn number(&self, field: Field) -> Option<u64> {
        match field {
            Field::Port => Some(u64::from(self.service.key.port)),
            Field::As => self.service.asn.map(u64::from),
            _ => Some(u64::from(self.service.facts.confidence.as_percent())),
        }
    }

    fn time(&self, field: Field) -> Option<i64> {
        match field {
            Field::Seen => Some(self.service.last_seen.as_micros()),
            Field::First => Some(self.service.first_seen.as_micros()),
            _ => self.service.facts.certificate.as_ref().map(|certificate| certificate.not_after.as_micros()),
        }
    }

    /// What a sort compares, as text and number; none comes last.
    pub(super) fn sort_value(&self, field: Field) -> Option<(i64, String)> {
        let text = |text: String| (0, text);
        match field {
            Field::Address => Some(text(String::new())),
            Field::Port | Field::As | Field::Confidence => self.number(field).map(|n| (n as i64, String::new())),
            Field::Seen | Field::First | Field::CertExpires => self.time(field).map(|time| (time, String::new())),
            Field::Version | Field::Firmware => self.values(field).pop().map(|version| text(version_key(&version))),
            // Values that differ only in case stand together; capital letters first.
            _ => self.values(field).pop().map(|value| {
                let folded = fold(&value);
                text(if folded == value { folded } else { format!("{folded}\0{value}") })
            }),
        }
    }

    /// The values a facet counts, each once whatever its case.
    pub(super) fn facet_values(&self, field: Field) -> HashMap<String, String> {
        let mut once = HashMap::new();
        for value in self.values(field) {
            once.entry(fold(&value)).or_insert(value);
        }
        once
    }
}

fn like(value: &str, pattern: &Pattern, field: Field) -> bool {
    let components = || {
        let mut longer = pattern.clone();
        longer.push(':');
        longer.push_any();
        longer.matches(value)
    };
    pattern.matches(value) || field == Field::Cpe && components()
}

fn has_words(text: &str, pattern: &Pattern) -> bool {
    let text: Vec<String> = words(text).into_iter().map(|word| word.text).collect();
    match pattern.as_literal() {
        None => text.iter().any(|word| pattern.matches(word)),
        Some(literal) => {
            let wanted: Vec<String> = words(literal).into_iter().map(|word| word.text).collect();
            text.windows(wanted.len()).any(|window| window == wanted)
        }
    }
}

fn version_in(value: &str, range: &Range<String>) -> bool {
    let (value, key) = (version_key(value), |end: &String| version_key(end));
    match range {
        Range::Less(end) => value < key(end),
        Range::AtMost(end) => value <= key(end),
        Range::More(end) => value > key(end),
        Range::AtLeast(end) => value >= key(end),
        Range::Between(low, high) => key(low) <= value && value <= key(high),
        Range::Is(only) => value == key(only),
    }
}

/// Compares ages with ages and points in time with points in time.
fn time_in(time: i64, range: &Range<Moment>, field: Field, now: Timestamp) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let age = field.info().class == Class::Age;
    let at = |moment: &Moment| match *moment {
        Moment::Date(day) if time < day.as_micros() => Less,
        Moment::Date(day) if time >= day.as_micros() + 24 * super::HOUR => Greater,
        Moment::Date(_) => Equal,
        Moment::Time(point) => time.cmp(&point.as_micros()),
        Moment::Away(amount, unit) if age => (now.as_micros() - time).cmp(&(i64::from(amount) * unit.as_micros())),
        Moment::Away(amount, unit) => (time - now.as_micros()).cmp(&(i64::from(amount) * unit.as_micros())),
    };
    let later_than = |moment: &Moment| match moment {
        Moment::Away(..) if age => at(moment) != Greater,
        _ => at(moment) != Less,
    };
    let earlier_than = |moment: &Moment| match moment {
        Moment::Away(..) if age => at(moment) != Less,
        _ => at(moment) != Greater,
    };
    match range {
        Range::Less(end) => at(end) == Less,
        Range::AtMost(end) => at(end) != Greater,
        Range::More(end) => at(end) == Greater,
        Range::AtLeast(end) => at(end) != Less,
        Range::Between(low @ Moment::Away(..), high @ Moment::Away(..)) => at(low) != Less && at(high) != Greater,
        Range::Between(low, high) => later_than(low) && earlier_than(high),
        Range::Is(only) => at(only) == Equal,
    }
}
