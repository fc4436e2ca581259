//! The fields one can ask for: the one table that parser, index, help and pages are made from.

/// A field of the query language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Free text: what stands in no field.
    Text,
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
    /// `country`
    Country,
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

const NO: (bool, bool) = (false, false);
const FACET: (bool, bool) = (true, false);
const SORT: (bool, bool) = (false, true);
const BOTH: (bool, bool) = (true, true);

type Row = (Field, &'static str, Class, &'static str, &'static str, &'static str, (bool, bool));

const fn info(row: Row) -> FieldInfo {
    let (field, name, class, example, ja, en, (facet, sort)) = row;
    FieldInfo { field, name, class, example, ja, en, facet, sort }
}

/// Every field.
pub const FIELDS: &[FieldInfo] = &[
    info((
        Field::Text,
        "",
        Class::Text,
        "\"login page\"",
        "証拠の文字列にある語句",
        "words or a phrase in the evidence",
        NO,
    )),
    info((
        Field::Net,
        "net",
        Class::Net,
        "net:192.0.2.0/24",
        "アドレスの範囲（集計は /24、/48 ごと）",
        "addresses in a prefix (counted by /24 and /48)",
        FACET,
    )),
    info((Field::Ip, "ip", Class::Address, "ip:192.0.2.7", "ひとつのアドレス", "one address", NO)),
    info((Field::Port, "port", Class::Number(65_535), "port:80,8000-8100", "ポート番号", "port number", BOTH)),
    info((Field::Transport, "transport", Class::Word, "transport:udp", "tcp または udp", "tcp or udp", FACET)),
    info((
        Field::Protocol,
        "protocol",
        Class::Word,
        "protocol:http",
        "アプリケーションのプロトコル",
        "application protocol, whatever the port",
        BOTH,
    )),
    info((Field::Vendor, "vendor", Class::Word, "vendor:buffalo", "製造者・開発元", "maker", BOTH)),
    info((Field::Product, "product", Class::Word, "product:nginx*", "製品・ソフトウェア", "product or software", BOTH)),
    info((
        Field::Version,
        "version",
        Class::Version,
        "version:<1.4",
        "製品のバージョン（順序で比較できる）",
        "version of the product, compared by order",
        BOTH,
    )),
    info((Field::Model, "model", Class::Word, "model:WSR-1166*", "機器の型番", "model of the device", BOTH)),
    info((
        Field::Firmware,
        "firmware",
        Class::Version,
        "firmware:1.0..1.9",
        "ファームウェアのバージョン",
        "firmware of the device, compared by order",
        BOTH,
    )),
    info((Field::Kind, "kind", Class::Word, "kind:camera,recorder", "機器の種類", "kind of device", BOTH)),
    info((Field::Os, "os", Class::Word, "os:linux*", "オペレーティングシステム", "operating system", BOTH)),
    info((
        Field::Cpe,
        "cpe",
        Class::Word,
        "cpe:cpe:2.3:a:openbsd:openssh",
        "CPE 2.3 名、またはその先頭の要素",
        "CPE 2.3 name, or its leading components",
        FACET,
    )),
    info((
        Field::Tag,
        "tag",
        Class::Word,
        "tag:telnet-open",
        "目立つ点を示す短い語",
        "short words for what stands out",
        FACET,
    )),
    info((
        Field::Title,
        "title",
        Class::Text,
        "title:login",
        "ページの題名にある語句",
        "words in the title of its page",
        FACET,
    )),
    info((
        Field::Tls,
        "tls",
        Class::Version,
        "tls:<1.2",
        "合意した TLS のバージョン",
        "newest TLS version agreed",
        FACET,
    )),
    info((
        Field::CertSubject,
        "cert.subject",
        Class::Text,
        "cert.subject:example.jp",
        "証明書の主体者にある語句",
        "words in the subject of the certificate",
        FACET,
    )),
    info((
        Field::CertIssuer,
        "cert.issuer",
        Class::Text,
        "cert.issuer:\"let's encrypt\"",
        "証明書の発行者にある語句",
        "words in the issuer of the certificate",
        FACET,
    )),
    info((
        Field::CertExpires,
        "cert.expires",
        Class::Ahead,
        "cert.expires:<30d",
        "証明書の期限（<0d は期限切れ）",
        "end of the certificate's validity (<0d has ended)",
        SORT,
    )),
    info((
        Field::TlsVersion,
        "tls.version",
        Class::Version,
        "tls.version:<1.2",
        "受け入れることが分かっている TLS のバージョン（複数）",
        "a TLS version that it is known to take; it may have several",
        FACET,
    )),
    info((
        Field::TlsGroup,
        "tls.group",
        Class::Word,
        "tls.group:X25519MLKEM768",
        "TLS の鍵交換で選んだグループ",
        "group that it chose for the TLS key exchange",
        FACET,
    )),
    info((
        Field::TlsCipher,
        "tls.cipher",
        Class::Word,
        "tls.cipher:*_3des_*",
        "TLS で選んだ暗号スイート",
        "TLS cipher suite that it chose",
        FACET,
    )),
    info((
        Field::CertKey,
        "cert.key",
        Class::Word,
        "cert.key:rsa-1024",
        "証明書の鍵の方式と長さ",
        "algorithm and size of the certificate's key",
        FACET,
    )),
    info((
        Field::CertSignature,
        "cert.signature",
        Class::Word,
        "cert.signature:sha1*",
        "証明書の署名方式",
        "signature algorithm of the certificate",
        FACET,
    )),
    info((
        Field::SshKex,
        "ssh.kex",
        Class::Word,
        "ssh.kex:mlkem768x25519*",
        "SSH サーバーが提示した鍵交換方式",
        "key exchange that an SSH server offers",
        FACET,
    )),
    info((
        Field::SshKey,
        "ssh.key",
        Class::Word,
        "ssh.key:rsa-*",
        "SSH ホスト鍵の方式と長さ",
        "algorithm and size of the SSH host key",
        FACET,
    )),
    info((
        Field::SshCipher,
        "ssh.cipher",
        Class::Word,
        "ssh.cipher:3des-cbc",
        "SSH サーバーが提示した暗号",
        "cipher that an SSH server offers",
        FACET,
    )),
    info((
        Field::SshMac,
        "ssh.mac",
        Class::Word,
        "ssh.mac:hmac-md5",
        "SSH サーバーが提示した MAC",
        "message authentication code that an SSH server offers",
        FACET,
    )),
    info((
        Field::Pq,
        "pq",
        Class::Word,
        "pq:hybrid*",
        "鍵交換の耐量子計算機暗号への対応",
        "how far its key exchange is on the way to post-quantum",
        FACET,
    )),
    info((
        Field::Weak,
        "weak",
        Class::Word,
        "weak:tls-1.0,rsa-short",
        "暗号の弱い点",
        "what is weak about its cryptography",
        FACET,
    )),
    info((
        Field::Hassh,
        "hassh",
        Class::Word,
        "hassh:ec7378c1a92f5a8dde7e8b7a1ddf33d1",
        "SSH サーバーの HASSH",
        "HASSH of an SSH server",
        FACET,
    )),
    info((
        Field::HostKey,
        "hostkey",
        Class::Word,
        "hostkey:SHA256*",
        "SSH ホスト鍵のハッシュ値",
        "hash of the SSH host key",
        FACET,
    )),
    info((Field::Seen, "seen", Class::Age, "seen:<7d", "最後に応答した時", "when it last answered", SORT)),
    info((Field::First, "first", Class::Age, "first:>2026-11-01", "最初に応答した時", "when it first answered", SORT)),
    info((Field::As, "as", Class::Number(u32::MAX as u64), "as:AS64500", "AS 番号", "AS number", BOTH)),
    info((Field::Country, "country", Class::Word, "country:jp", "国", "country", BOTH)),
    info((
        Field::Sensor,
        "sensor",
        Class::Word,
        "sensor:import*",
        "最後に観測したセンサー",
        "sensor that saw it last",
        FACET,
    )),
    info((
        Field::Tlp,
        "tlp",
        Class::Word,
        "tlp:amber",
        "共有範囲（TLP 2.0）",
        "how far it may travel (TLP 2.0)",
        FACET,
    )),
    info((Field::Purpose, "purpose", Class::Word, "purpose:exercise", "利用目的", "what it may be read for", FACET)),
    info((
        Field::Confidence,
        "confidence",
        Class::Number(100),
        "confidence:>=80",
        "識別の確かさ（％）",
        "how sure the identification is, in percent",
        SORT,
    )),
    info((
        Field::Has,
        "has",
        Class::Has,
        "has:certificate",
        "その項目が分かっている・当てはまる",
        "this is known, or true",
        NO,
    )),
    info((
        Field::Address,
        "address",
        Class::SortOnly,
        "sort:address",
        "アドレス順（並べ替えのみ）",
        "by address (for sorting)",
        SORT,
    )),
];

impl Field {
    /// The table's line of this field.
    pub fn info(self) -> FieldInfo {
        let found = FIELDS.iter().find(|info| info.field == self);
        found.copied().unwrap_or(info((self, "", Class::SortOnly, "", "", "", NO)))
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
    ("banner", "free text in quotes"),
    ("body", "free text in quotes"),
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
    ("text", "free text in quotes"),
    ("type", "kind"),
    ("ver", "version"),
];
