//! The cryptography of services as a bill of materials: CycloneDX 1.6 (ECMA-424), JSON.
//!
//! Assets are algorithms, protocols and certificates; where each was met are its occurrences, as `address:port`. Names are
//! those that the services gave; what is said of them beyond that stands in [`algorithm`]. The same services give the
//! same bytes but for the moment. Gathered in memory: at a hundred times the data [`MAX_OCCURRENCES`] and [`MAX_ASSETS`]
//! hold, and what they leave out is counted in the file.

mod algorithm;
mod document;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use hinomi_model::crypto::OldVersions;
use hinomi_model::{CertificateFacts, Cryptography, Service, ServiceKey, Timestamp};

use algorithm::Algorithm;

/// The most places that are listed, over all assets. Each takes some 50 bytes until it is written.
const MAX_OCCURRENCES: usize = 2_000_000;

/// The most assets, nearly all of them certificates.
const MAX_ASSETS: usize = 500_000;

/// The cryptography of services, gathered.
#[derive(Default)]
pub(super) struct Inventory {
    assets: BTreeMap<Name, Asset>,
    services: u64,
    /// By what is known of old versions of TLS.
    old: BTreeMap<OldVersions, u64>,
    occurrences: usize,
    /// Occurrences and assets beyond what is listed.
    left_out: (u64, u64),
}

/// What an asset is called in the document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    /// By the name that services give it.
    Algorithm(String),
    /// By its SHA-256.
    Certificate(String),
    /// `tls` or `ssh`, and the version.
    Protocol(&'static str, String),
}

impl Name {
    /// Its `bom-ref`.
    fn reference(&self) -> String {
        match self {
            Self::Algorithm(name) => format!("algorithm/{name}"),
            Self::Certificate(sum) => format!("certificate/{sum}"),
            Self::Protocol(kind, version) => format!("protocol/{kind}/{version}"),
        }
    }
}

/// One asset.
struct Asset {
    is: Is,
    seen: Vec<Place>,
    /// What it rests on.
    on: BTreeSet<Name>,
}

/// What there is to say of it.
enum Is {
    Algorithm(Algorithm),
    Certificate(Box<CertificateFacts>),
    /// The suites that were chosen, with their algorithms.
    Protocol(BTreeMap<String, Vec<Name>>),
}

/// Where it was met.
#[derive(Clone, Copy)]
struct Place {
    key: ServiceKey,
    last_seen: Timestamp,
    old: Option<OldVersions>,
}

impl Inventory {
    /// Services with cryptography.
    pub(super) const fn services(&self) -> u64 {
        self.services
    }

    /// Takes the cryptography of one service.
    pub(super) fn take(&mut self, service: &Service) {
        let (crypto, certificate) = (service.facts.crypto.as_ref(), service.facts.certificate.as_ref());
        if crypto.is_none() && certificate.is_none() {
            return;
        }
        let old = crypto.and_then(Cryptography::old_versions);
        let place = Place { key: service.key, last_seen: service.last_seen, old };
        self.services += 1;
        if let Some(old) = old {
            *self.old.entry(old).or_default() += 1;
        }
        if let Some(certificate) = certificate {
            self.take_certificate(certificate, place);
        }
        if let Some(crypto) = crypto {
            self.take_tls(crypto, place);
            self.take_ssh(crypto, place);
        }
    }

    fn take_certificate(&mut self, certificate: &CertificateFacts, place: Place) {
        let on = [
            (&certificate.signature, algorithm::signature(&certificate.signature)),
            (&certificate.key, algorithm::key(&certificate.key)),
        ];
        let on = on.into_iter().filter(|(name, _)| !name.is_empty()).map(|(name, is)| self.algorithm(name, is, place));
        let on: BTreeSet<Name> = on.collect();
        let name = Name::Certificate(certificate.sha256.clone());
        self.met(name, || Is::Certificate(Box::new(certificate.clone())), place, on);
    }

    /// The suite and the group belong to the version that was chosen of everything; of older ones it is only known that
    /// they are taken.
    fn take_tls(&mut self, crypto: &Cryptography, place: Place) {
        for (number, version) in crypto.versions.iter().enumerate() {
            let (mut on, mut suite) = (BTreeSet::new(), None);
            if number == 0 {
                on.extend(crypto.group.iter().map(|group| self.algorithm(group, algorithm::exchange(group), place)));
                suite = crypto.cipher.as_ref().map(|cipher| {
                    let parts = algorithm::suite(cipher);
                    let parts = parts.into_iter().map(|(name, is)| self.algorithm(&name, is, place));
                    (cipher.clone(), parts.collect::<Vec<_>>())
                });
            }
            on.extend(suite.iter().flat_map(|(_, parts)| parts.iter().cloned()));
            let name = Name::Protocol("tls", version.clone());
            self.met(name.clone(), || Is::Protocol(BTreeMap::new()), place, on);
            if let Some(Asset { is: Is::Protocol(suites), .. }) = self.assets.get_mut(&name) {
                suites.extend(suite);
            }
        }
    }

    fn take_ssh(&mut self, crypto: &Cryptography, place: Place) {
        let lists = [
            (&crypto.kex[..], algorithm::exchange as fn(&str) -> Algorithm),
            (&crypto.ciphers, algorithm::cipher),
            (&crypto.macs, algorithm::mac),
            (crypto.host_key.as_slice(), algorithm::key),
        ];
        let mut on = BTreeSet::new();
        for (names, is) in lists {
            on.extend(names.iter().map(|name| self.algorithm(name, is(name), place)));
        }
        if !on.is_empty() {
            let name = Name::Protocol("ssh", "2.0".to_owned());
            self.met(name, || Is::Protocol(BTreeMap::new()), place, on);
        }
    }

    fn algorithm(&mut self, name: &str, is: Algorithm, place: Place) -> Name {
        let name = Name::Algorithm(name.to_owned());
        self.met(name.clone(), || Is::Algorithm(is), place, BTreeSet::new());
        name
    }

    /// Notes that an asset was met.
    fn met(&mut self, name: Name, is: impl FnOnce() -> Is, place: Place, on: BTreeSet<Name>) {
        if self.assets.len() >= MAX_ASSETS && !self.assets.contains_key(&name) {
            self.left_out.1 += 1;
            return;
        }
        let asset =
            self.assets.entry(name).or_insert_with(|| Asset { is: is(), seen: Vec::new(), on: BTreeSet::new() });
        asset.on.extend(on);
        match asset.seen.last() {
            // Two uses at one service are one place.
            Some(last) if last.key == place.key => {}
            _ if self.occurrences >= MAX_OCCURRENCES => self.left_out.0 += 1,
            _ => {
                self.occurrences += 1;
                asset.seen.push(place);
            }
        }
    }

    /// Writes the document.
    pub(super) fn write(&self, query: &str, now: Timestamp, out: &mut (dyn Write + Send)) -> io::Result<()> {
        document::write(self, query, now, out)
    }
}
