//! Certificates that are the same at every start.
//!
//! Keys are Ed25519 from seed and address: signatures are deterministic, so the whole DER is. Made at the first
//! handshake, kept up to a bound. A host's certificate does not change from day to day unless the host becomes one
//! whose certificate has expired (or stops being one).

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, SanType, SerialNumber,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::version::{TLS12, TLS13};

use crate::host::Host;
use crate::limits::CERTIFICATES_KEPT;
use crate::mix;
use crate::persona::CertificateTemplate;
use crate::plan::Plan;
use crate::template::{Vars, render};

/// RFC 8410: the header of a PKCS#8 document with an Ed25519 seed.
const PKCS8_ED25519_HEADER: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const DAY: Duration = Duration::from_secs(86_400);
/// An expired certificate ran out at least so long before day 0, at most so many times as long.
const EXPIRED_STEP_DAYS: u64 = 20;
const EXPIRED_STEPS: u64 = 40;

/// What makes two handshakes use the same configuration.
type Key = (Ipv4Addr, bool, bool);

/// TLS configurations by host.
#[derive(Debug, Default)]
pub(crate) struct Certificates(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    configs: BTreeMap<Key, Arc<ServerConfig>>,
    oldest_first: VecDeque<Key>,
}

impl Certificates {
    /// The configuration of a host's TLS services. `made` is called when it was not kept.
    pub(crate) fn config(
        &self,
        plan: &Plan,
        host: &Host,
        tls12: bool,
        made: impl FnOnce(),
    ) -> Option<Arc<ServerConfig>> {
        let key = (host.address, host.variant.expired, tls12);
        if let Some(config) = self.lock().configs.get(&key) {
            return Some(Arc::clone(config));
        }
        let config = Arc::new(make_config(plan, host, tls12)?);
        made();
        let mut kept = self.lock();
        if kept.configs.insert(key, Arc::clone(&config)).is_none() {
            kept.oldest_first.push_back(key);
        }
        while kept.oldest_first.len() > CERTIFICATES_KEPT {
            if let Some(oldest) = kept.oldest_first.pop_front() {
                kept.configs.remove(&oldest);
            }
        }
        Some(config)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_config(plan: &Plan, host: &Host, tls12: bool) -> Option<ServerConfig> {
    let template = host.persona.certificate.as_ref()?;
    let vars = plan.vars(host);
    let key = pkcs8(&host.secret("tls-key"));
    let certificate = issue(plan, host, template, &vars, &key).ok()?;
    let versions: &[_] = if tls12 { &[&TLS12] } else { &[&TLS13, &TLS12] };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).ok()?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
    let mut config = builder.with_no_client_auth().with_single_cert(vec![certificate], key).ok()?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(config)
}

/// A PKCS#8 document of these 32 bytes.
pub(crate) fn pkcs8(secret: &[u8; 32]) -> Vec<u8> {
    [PKCS8_ED25519_HEADER.as_slice(), secret].concat()
}

fn key_pair(document: Vec<u8>) -> Result<KeyPair, rcgen::Error> {
    KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(document), &rcgen::PKCS_ED25519)
}

fn issue(
    plan: &Plan,
    host: &Host,
    template: &CertificateTemplate,
    vars: &Vars,
    key: &[u8],
) -> Result<CertificateDer<'static>, rcgen::Error> {
    let key = key_pair(key.to_vec())?;
    let params = params(plan, host, template, vars)?;
    if template.issuer.is_empty() {
        return Ok(params.self_signed(&key)?.into());
    }
    let issuer_key = key_pair(pkcs8(&mix::secret(host.seed, Ipv4Addr::UNSPECIFIED, &template.issuer)))?;
    let mut issuer = CertificateParams::default();
    issuer.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    issuer.distinguished_name = name(&render(&template.issuer, vars), &template.org);
    Ok(params.signed_by(&key, &Issuer::new(issuer, issuer_key))?.into())
}

fn params(
    plan: &Plan,
    host: &Host,
    template: &CertificateTemplate,
    vars: &Vars,
) -> Result<CertificateParams, rcgen::Error> {
    let draw = mix::number(&host.secret("certificate"));
    let validity = DAY * template.days;
    let start = if host.variant.expired {
        let expired_for = DAY * u32::try_from(EXPIRED_STEP_DAYS * (1 + draw % EXPIRED_STEPS)).unwrap_or(0);
        plan.config().today.minus(validity + expired_for)
    } else {
        plan.config().today.minus(DAY * u32::try_from(draw % u64::from(template.age.max(1))).unwrap_or(0))
    };
    let mut params = CertificateParams::default();
    params.not_before = start.to_utc();
    params.not_after = start.plus(validity).to_utc();
    // The first octet keeps the number positive and without a leading zero.
    let serial: Vec<u8> = std::iter::once(0x4e).chain(host.secret("certificate-serial").into_iter().take(15)).collect();
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name = name(&render(&template.cn, vars), &template.org);
    for wanted in &template.names {
        let wanted = render(wanted, vars);
        params.subject_alt_names.push(match wanted.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(wanted.as_str().try_into()?),
        });
    }
    Ok(params)
}

fn name(common: &str, organisation: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if !organisation.is_empty() {
        name.push(DnType::CountryName, "JP");
        name.push(DnType::OrganizationName, organisation);
    }
    name.push(DnType::CommonName, common);
    name
}

/// The certificate that a host shows, as DER; for tests.
#[cfg(test)]
pub(crate) fn der(plan: &Plan, host: &Host) -> Option<Vec<u8>> {
    let template = host.persona.certificate.as_ref()?;
    let issued = issue(plan, host, template, &plan.vars(host), &pkcs8(&host.secret("tls-key")));
    issued.ok().map(|certificate| certificate.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TownConfig;
    use x509_parser::prelude::*;

    #[test]
    fn certificates_are_the_same_at_every_start_and_expired_where_planted() {
        let plan = Plan::new(TownConfig { size: 4_096, ..TownConfig::default() }).expect("a plan");
        let again = plan.clone();
        let (mut expired, mut valid) = (0, 0);
        for host in plan.hosts().filter(|host| host.persona.certificate.is_some()).take(600) {
            let made = der(&plan, &host).unwrap_or_else(|| panic!("{} has no certificate", host.persona.id));
            assert_eq!(der(&again, &host), Some(made.clone()));
            let (_, parsed) = X509Certificate::from_der(&made).expect("DER");
            let now = ASN1Time::from_timestamp(plan.today().as_micros() / 1_000_000).expect("a time");
            let planted = host.variant.expired;
            assert_eq!(parsed.validity().is_valid_at(now), !planted, "{}", host.persona.id);
            if planted { expired += 1 } else { valid += 1 }
        }
        assert!(expired > 20 && valid > 200, "{expired} {valid}");
    }
}
