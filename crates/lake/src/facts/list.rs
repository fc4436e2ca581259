//! The facts of a service as columns: one list for the stored table, the Parquet export and the CSV export.
//!
//! A column is its name and where it stands in [`Facts`]; kind and presence follow from that, so that names, kinds and
//! values cannot part. Only ever added to, at the end. At a hundred times the data nothing changes here.

use arrow_array::ArrayRef;
use arrow_schema::ArrowError;
use hinomi_model::{CertificateFacts, Cryptography, DeviceKind, Facts, Protocol, Timestamp};

use crate::table::columns;
use crate::table::definition::{Column, Kind};

/// One fact as a column.
pub(crate) struct FactColumn {
    /// Its name, the same in every table and file.
    pub(crate) name: &'static str,
    get: Get,
}

/// Where a fact stands, by kind. Truths that are always known and lists are never null.
enum Get {
    Text(fn(&Facts) -> Option<&str>),
    Truth(fn(&Facts) -> bool),
    MaybeTruth(fn(&Facts) -> Option<bool>),
    Percent(fn(&Facts) -> u8),
    Time(fn(&Facts) -> Option<Timestamp>),
    Texts(fn(&Facts) -> &[String]),
}

/// Every fact that has a column, in order.
pub(crate) const FACT_COLUMNS: [FactColumn; 26] = [
    of("protocol", Get::Text(|facts| facts.protocol.as_ref().map(Protocol::as_str))),
    of("tls", Get::Truth(|facts| facts.tls)),
    of("tls_version", Get::Text(|facts| facts.tls_version.as_deref())),
    of("vendor", Get::Text(|facts| facts.vendor.as_deref())),
    of("product", Get::Text(|facts| facts.product.as_deref())),
    of("version", Get::Text(|facts| facts.version.as_deref())),
    of("model", Get::Text(|facts| facts.model.as_deref())),
    of("firmware", Get::Text(|facts| facts.firmware.as_deref())),
    of("kind", Get::Text(|facts| facts.kind.map(DeviceKind::name))),
    of("os", Get::Text(|facts| facts.os.as_deref())),
    of("cpe", Get::Texts(|facts| &facts.cpe)),
    of("confidence", Get::Percent(|facts| facts.confidence.as_percent())),
    of("title", Get::Text(|facts| facts.title.as_deref())),
    of("summary", Get::Text(|facts| facts.summary.as_deref())),
    of("certificate_subject", Get::Text(|facts| Some(&certificate(facts)?.subject))),
    of("certificate_issuer", Get::Text(|facts| Some(&certificate(facts)?.issuer))),
    of("certificate_names", Get::Texts(|facts| certificate(facts).map_or(&[], |one| &one.names))),
    of("certificate_not_before", Get::Time(|facts| Some(certificate(facts)?.not_before))),
    of("certificate_not_after", Get::Time(|facts| Some(certificate(facts)?.not_after))),
    of("certificate_self_signed", Get::MaybeTruth(|facts| Some(certificate(facts)?.self_signed))),
    of("certificate_key", Get::Text(|facts| Some(&certificate(facts)?.key))),
    of("certificate_signature", Get::Text(|facts| Some(&certificate(facts)?.signature))),
    of("certificate_sha256", Get::Text(|facts| Some(&certificate(facts)?.sha256))),
    of("hassh", Get::Text(|facts| facts.hassh.as_deref())),
    of("host_key", Get::Text(|facts| facts.host_key.as_deref())),
    of("tags", Get::Texts(|facts| &facts.tags)),
];

/// The cryptography of a service as columns of exports. The stored table keeps it with the rest of the facts (`json`).
pub(crate) const CRYPTO_COLUMNS: [FactColumn; 10] = [
    of("tls_versions", Get::Texts(|facts| crypto(facts).map_or(&[], |one| &one.versions))),
    of("tls_old_versions", Get::Text(|facts| Some(crypto(facts)?.old_versions()?.name()))),
    of("tls_group", Get::Text(|facts| crypto(facts)?.group.as_deref())),
    of("tls_cipher", Get::Text(|facts| crypto(facts)?.cipher.as_deref())),
    of("ssh_kex", Get::Texts(|facts| crypto(facts).map_or(&[], |one| &one.kex))),
    of("ssh_ciphers", Get::Texts(|facts| crypto(facts).map_or(&[], |one| &one.ciphers))),
    of("ssh_macs", Get::Texts(|facts| crypto(facts).map_or(&[], |one| &one.macs))),
    of("ssh_key", Get::Text(|facts| crypto(facts)?.host_key.as_deref())),
    of("post_quantum", Get::Text(|facts| Some(crypto(facts)?.post_quantum?.name()))),
    of("weak", Get::Texts(|facts| crypto(facts).map_or(&[], |one| &one.weak))),
];

/// The same as columns of a table.
pub(crate) const COLUMNS: [Column; FACT_COLUMNS.len()] = columns_of(&FACT_COLUMNS);

/// Those of [`CRYPTO_COLUMNS`].
pub(crate) const CRYPTO: [Column; CRYPTO_COLUMNS.len()] = columns_of(&CRYPTO_COLUMNS);

const fn columns_of<const N: usize>(facts: &[FactColumn; N]) -> [Column; N] {
    let mut all = [facts[0].column(); N];
    let mut at = 0;
    while at < N {
        all[at] = facts[at].column();
        at += 1;
    }
    all
}

const fn crypto(facts: &Facts) -> Option<&Cryptography> {
    facts.crypto.as_ref()
}

const fn of(name: &'static str, get: Get) -> FactColumn {
    FactColumn { name, get }
}

const fn certificate(facts: &Facts) -> Option<&CertificateFacts> {
    facts.certificate.as_ref()
}

impl FactColumn {
    const fn column(&self) -> Column {
        let (kind, nullable) = match self.get {
            Get::Text(_) => (Kind::Text, true),
            Get::Truth(_) => (Kind::Bool, false),
            Get::MaybeTruth(_) => (Kind::Bool, true),
            Get::Percent(_) => (Kind::Int, false),
            Get::Time(_) => (Kind::Time, true),
            Get::Texts(_) => (Kind::Texts, false),
        };
        let column = Column::new(self.name, kind);
        if nullable { column.optional() } else { column }
    }

    fn array<'a>(&self, facts: impl Iterator<Item = &'a Facts> + Clone) -> Result<ArrayRef, ArrowError> {
        Ok(match self.get {
            Get::Text(get) => columns::maybe_texts(facts.map(get)),
            Get::Truth(get) => columns::bools(facts.map(|one| Some(get(one)))),
            Get::MaybeTruth(get) => columns::bools(facts.map(get)),
            Get::Percent(get) => columns::ints(facts.map(|one| i32::from(get(one)))),
            Get::Time(get) => columns::times(facts.map(get)),
            Get::Texts(get) => columns::text_lists(facts.map(get))?,
        })
    }

    /// The fact as one cell of text: what is not known is empty, lists are joined with blanks.
    pub(crate) fn text(&self, facts: &Facts) -> String {
        match self.get {
            Get::Text(get) => get(facts).unwrap_or_default().to_owned(),
            Get::Truth(get) => get(facts).to_string(),
            Get::MaybeTruth(get) => get(facts).map(|truth| truth.to_string()).unwrap_or_default(),
            Get::Percent(get) => get(facts).to_string(),
            Get::Time(get) => get(facts).map(|time| time.to_string()).unwrap_or_default(),
            Get::Texts(get) => get(facts).join(" "),
        }
    }
}

/// The columns of these facts, in the order of [`COLUMNS`].
pub(crate) fn arrays<'a, I>(facts: impl Fn() -> I) -> Result<Vec<ArrayRef>, ArrowError>
where
    I: Iterator<Item = &'a Facts> + Clone,
{
    FACT_COLUMNS.iter().map(|column| column.array(facts())).collect()
}

/// Those of [`CRYPTO`].
pub(crate) fn crypto_arrays<'a, I>(facts: impl Fn() -> I) -> Result<Vec<ArrayRef>, ArrowError>
where
    I: Iterator<Item = &'a Facts> + Clone,
{
    CRYPTO_COLUMNS.iter().map(|column| column.array(facts())).collect()
}
