//! The fields one can ask for: the one table that parser, index, help and pages are made from.

mod table;

pub use table::FIELDS;

/// A field of the query language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Free text: what stands in no field.
    Text,
    /// `text`: characters and expressions in the text.
    Raw,
    /// `net`
    Net,
    /// `ip`
    Ip,
    /// `port`
    Port,
    /// `transport`
    Transport,
    /// `protocol`
    Protocol,
    /// `vendor`
    Vendor,
    /// `product`
    Product,
    /// `version`
    Version,
    /// `model`
    Model,
    /// `firmware`
    Firmware,
    /// `kind`
    Kind,
    /// `os`
    Os,
    /// `cpe`
    Cpe,
    /// `tag`
    Tag,
    /// `title`
    Title,
    /// `tls`
    Tls,
    /// `cert.subject`
    CertSubject,
    /// `cert.issuer`
    CertIssuer,
    /// `cert.expires`
    CertExpires,
    /// `tls.version`
    TlsVersion,
    /// `tls.group`
    TlsGroup,
    /// `tls.cipher`
    TlsCipher,
    /// `cert.key`
    CertKey,
    /// `cert.signature`
    CertSignature,
    /// `ssh.kex`
    SshKex,
    /// `ssh.key`
    SshKey,
    /// `ssh.cipher`
    SshCipher,
    /// `ssh.mac`
    SshMac,
    /// `pq`
    Pq,
    /// `weak`
    Weak,
    /// `hassh`
    Hassh,
    /// `hostkey`
    HostKey,
    /// `seen`
    Seen,
    /// `first`
    First,
    /// `as`
    As,
    /// `operator`
    Operator,
    /// `country`
    Country,
    /// `prefecture`
    Prefecture,
    /// `sensor`
    Sensor,
    /// `tlp`
    Tlp,
    /// `purpose`
    Purpose,
    /// `confidence`
    Confidence,
    /// `has`
    Has,
    /// `address`: for sorting only.
    Address,
}

/// What values of a field look like, and how they are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Prefixes.
    Net,
    /// Addresses.
    Address,
    /// Whole numbers up to the greatest.
    Number(u64),
    /// Short texts, compared whole.
    Word,
    /// Running text, searched within.
    Text,
    /// Characters anywhere, or a regular expression.
    Raw,
    /// Versions: compared whole, or by order.
    Version,
    /// Times; a time span is an age.
    Age,
    /// Times; a time span is ahead of now.
    Ahead,
    /// Properties.
    Has,
    /// No values: the field only sorts.
    SortOnly,
}

/// One field as help shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldInfo {
    /// Which.
    pub field: Field,
    /// How it is written; empty for free text.
    pub name: &'static str,
    /// What its values are.
    pub class: Class,
    /// One clause that uses it.
    pub example: &'static str,
    /// One line of help in Japanese.
    pub ja: &'static str,
    /// One line of help in English.
    pub en: &'static str,
    /// Whether its values can be counted.
    pub facet: bool,
    /// Whether `sort:` takes it.
    pub sort: bool,
}

type Row = (Field, &'static str, Class, &'static str, &'static str, &'static str, (bool, bool));

const fn info(row: Row) -> FieldInfo {
    let (field, name, class, example, ja, en, (facet, sort)) = row;
    FieldInfo { field, name, class, example, ja, en, facet, sort }
}

impl Field {
    /// The table's line of this field.
    pub fn info(self) -> FieldInfo {
        let found = FIELDS.iter().find(|info| info.field == self);
        found.copied().unwrap_or(info((self, "", Class::SortOnly, "", "", "", (false, false))))
    }

    /// How it is written.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// The field of this name, in any case.
    pub fn named(name: &str) -> Option<FieldInfo> {
        FIELDS.iter().find(|info| !info.name.is_empty() && info.name.eq_ignore_ascii_case(name)).copied()
    }

    /// Names of the fields that can be asked for.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        let askable = |info: &&FieldInfo| !info.name.is_empty() && info.class != Class::SortOnly;
        FIELDS.iter().filter(askable).map(|info| info.name).chain(["sort"])
    }

    /// Names of the fields that sort.
    pub(super) fn sort_names() -> impl Iterator<Item = &'static str> {
        FIELDS.iter().filter(|info| info.sort).map(|info| info.name)
    }

    /// Names of the fields that can be counted.
    pub(crate) fn facet_names() -> impl Iterator<Item = &'static str> {
        FIELDS.iter().filter(|info| info.facet).map(|info| info.name)
    }
}

/// Names that people bring from elsewhere, and ours.
pub(super) const ELSEWHERE: &[(&str, &str)] = &[
    ("address", "ip"),
    ("addr", "ip"),
    ("asn", "as"),
    ("banner", "text"),
    ("body", "text"),
    ("cidr", "net"),
    ("device", "kind"),
    ("cipher", "tls.cipher"),
    ("expires", "cert.expires"),
    ("group", "tls.group"),
    ("host", "ip"),
    ("http.title", "title"),
    ("issuer", "cert.issuer"),
    ("kex", "ssh.kex"),
    ("key", "hostkey"),
    ("last", "seen"),
    ("name", "product"),
    ("network", "net"),
    ("postquantum", "pq"),
    ("prefix", "net"),
    ("proto", "protocol"),
    ("server", "product"),
    ("service", "protocol"),
    ("since", "first"),
    ("software", "product"),
    ("ssl", "tls"),
    ("subject", "cert.subject"),
    ("subnet", "net"),
    ("type", "kind"),
    ("ver", "version"),
];
