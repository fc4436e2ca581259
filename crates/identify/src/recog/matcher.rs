//! A database ready to be asked.

use hinomi_wire::Field;

use super::{Database, Fingerprint, facts};
use crate::engine::Search;
use crate::found::{Found, View, proof};
use crate::index::Index;

/// Which of our fields Recog means. What is not here we do not collect.
const FIELDS: &[(&str, &str)] = &[
    ("ssh.banner", "ssh.banner"),
    ("ftp.banner", "ftp.banner"),
    ("smtp.banner", "smtp.banner"),
    ("pop3.banner", "pop3.banner"),
    ("imap4.banner", "imap.banner"),
    ("nntp.banner", "nntp.banner"),
    ("telnet.banner", "telnet.banner"),
    ("telnet_banners", "telnet.banner"),
    ("mysql.banners", "mysql.version"),
    ("mysql.error", "mysql.error"),
    ("http_header.server", "http.server"),
    ("http_header.wwwauth", "http.www-authenticate"),
    ("http_header.cookie", "http.header.set-cookie"),
    ("html_title", "http.title"),
    ("rtsp_header.server", "rtsp.server"),
    ("snmp.sys_description", "snmp.sysdescr"),
    ("x509.subject", "cert.subject"),
    ("x509.issuer", "cert.issuer"),
    ("dns.versionbind", "dns.version"),
];

/// Our field for what Recog calls `matches`.
pub(super) fn field_of(matches: &str) -> Option<&'static str> {
    FIELDS.iter().find(|(theirs, _)| *theirs == matches).map(|(_, ours)| *ours)
}

/// Fingerprints by the fields they look at, in the order in which they speak.
#[derive(Debug)]
pub(crate) struct Matcher {
    index: Index,
    /// File name and fingerprint.
    entries: Vec<(String, Fingerprint)>,
}

impl Matcher {
    /// Enters every file whose field we have, preferred files first.
    pub(crate) fn new(database: Database, search: Search) -> Self {
        let mut files = database.files;
        files.sort_by(|left, right| right.preference.total_cmp(&left.preference));
        let mut matcher = Self { index: Index::new(search), entries: Vec::new() };
        for file in files {
            let Some(field) = field_of(&file.matches) else { continue };
            for fingerprint in file.fingerprints {
                matcher.index.insert(field, &fingerprint.pattern, matcher.entries.len());
                matcher.entries.push((file.file.clone(), fingerprint));
            }
        }
        matcher
    }

    /// What the first fingerprint that matches says, if it says anything.
    pub(crate) fn apply(&self, view: &View<'_>, field: &Field<'_>, candidates: &mut Vec<usize>) -> Option<Found> {
        self.index.candidates(&field.name, &field.value, candidates);
        for number in candidates.iter() {
            let Some((file, fingerprint)) = self.entries.get(*number) else { continue };
            let Some(assertion) = fingerprint.assert(&field.value) else { continue };
            let rule = format!("recog/{file}: {}", fingerprint.description);
            let rule: String = rule.chars().take(160).collect();
            let proof = proof(&rule, view, field, assertion.start, assertion.end);
            return facts::found(&assertion, fingerprint.certainty, proof);
        }
        None
    }
}
