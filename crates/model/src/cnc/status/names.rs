//! Names in a status that people are shown, so that pages have a text for each.
//!
//! Writers are held to these lists by tests of theirs, pages by the tests of their catalogues. Whoever counts something
//! new adds its name here and a text in each language.

/// Names of sums, of what was refused, and of what exporters count. Pages write `-` for `_`.
pub const SUMS: [&str; 57] = [
    // Pairs, servers, what subscribers do, scoring.
    "flows",
    "whole",
    "joined",
    "alone",
    "crowded_out",
    "waiting",
    "remote_is_client",
    "counted",
    "not_admitted",
    "admitted",
    "evicted",
    "expired",
    "servers",
    "scans",
    "floods",
    "backscatter",
    "inbound",
    "forgotten",
    "unwatched",
    "no_room",
    "scored",
    "scanned",
    "flooded",
    "suppressed",
    // Between a collector and its workers.
    "parcels",
    "missed",
    "begun_anew",
    "stray",
    // Refused where addresses become pseudonyms.
    "no-subscriber",
    "both-subscribers",
    "not-unicast",
    "local-remote",
    "no-ports",
    "empty",
    "outside-epoch",
    // Refused by the decoder.
    "unknown_version",
    "truncated_header",
    "length_mismatch",
    "too_many_exporters",
    "too_many_domains",
    "bad_set_length",
    "reserved_set",
    "bad_template",
    "impossible_template",
    "too_many_fields",
    "too_many_templates",
    "missing_template",
    "truncated_record",
    "leftover",
    "no_addresses",
    "bad_sample",
    "unknown_sample",
    "unreadable_packet",
    // What exporters count; flows stand above.
    "packets",
    "records",
    "datagrams",
    "samples",
];

/// Why something in a file gave no record: the name of the text, and the sentence in the status, where `{}` stands for
/// what it is about.
pub const FILE_REASONS: [(&str, &str); 31] = [
    ("unreadable", "not readable"),
    ("no-header", "no line before it names the columns"),
    ("missing-column", "there is no column {}"),
    ("other-log", "it is a log of something else than connections"),
    ("missing-value", "there is no value for {}"),
    ("bad-value", "{} is not what that column holds"),
    ("named-port", "{} is a name: have it written as a number (ra -n)"),
    ("not-ip", "not an IP flow"),
    ("management", "not a flow but a record of the tool about itself"),
    ("event", "an event without packets or bytes"),
    ("too-long", "longer than we read"),
    ("json", "not a JSON object of a connection"),
    ("gzip", "it is packed with gzip: unpack it first (gzip -d FILE)"),
    ("not-nfdump", "it is not a file of nfdump on a little-endian machine"),
    ("layout", "its layout {} is not one we read: convert it with nfdump -r FILE -w NEW"),
    ("compression", "it is compressed with {}: convert it with nfdump -r FILE -y -w NEW"),
    ("footer", "its end is not that of a Parquet file: was it cut off?"),
    ("wrong-type", "the column {} is not of a type that the schema allows"),
    ("column-compression", "the column {} is compressed with something else than zstd: write the file again with zstd"),
    ("undecodable", "the column {} cannot be decoded"),
    ("too-large", "{} is larger than we read"),
    ("encrypted", "it is encrypted"),
    ("decompress", "a block cannot be decompressed"),
    ("truncated", "the file ends within {}"),
    ("invalid", "{} contradicts the rest of the file"),
    ("future", "it ends in the future: is a clock wrong?"),
    ("link", "a kind of link that is not read"),
    ("frame-not-ip", "not an IP packet: it says {}"),
    ("frame-truncated", "the snapshot ends before the IP header does"),
    ("frame-too-many-tags", "more VLAN tags or MPLS labels than the {} we read"),
    ("frame-malformed", "an IP header that contradicts itself"),
];

/// What reasons of files are about where that is no name of a column, of a tool or a number: the name of the text, and the
/// words in the sentence.
pub const FILE_ABOUTS: [(&str, &str); 25] = [
    ("several-methods", "several methods at once"),
    ("unknown-method", "a method that we do not know"),
    ("header", "its header"),
    ("block", "a block"),
    ("block-header", "a block's header"),
    ("block-records", "a block's number of records"),
    ("record", "a record"),
    ("record-length", "a record's length"),
    ("element", "a record's element"),
    ("element-length", "the length of a record's element"),
    ("extension-map", "an extension map"),
    ("message", "a message"),
    ("message-header", "the header of a message"),
    ("message-set", "a set of the message"),
    ("row-group", "a row group"),
    ("rows", "a number of rows"),
    ("column-values", "a column's number of values"),
    ("footer", "the footer"),
    ("column", "a column of a row group"),
    ("page", "a page of a column"),
    ("piped-table", "a Parquet file from a pipe"),
    ("schema", "the schema"),
    ("row-groups", "the number of row groups"),
    ("dictionary", "the dictionary of a column"),
    ("dictionary-values", "a dictionary's number of values"),
];

/// The name of the text for what a reason is about, if it has one.
pub fn file_about(words: &str) -> Option<&'static str> {
    FILE_ABOUTS.iter().find(|(_, known)| *known == words).map(|(name, _)| *name)
}

/// The name of a reason that a status gives as a sentence, and what it is about, empty where it is about nothing.
pub fn file_reason(sentence: &str) -> Option<(&'static str, &str)> {
    FILE_REASONS.iter().find_map(|(name, pattern)| match pattern.split_once("{}") {
        None => (*pattern == sentence).then_some((*name, "")),
        Some((before, after)) => Some((*name, sentence.strip_prefix(before)?.strip_suffix(after)?)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_gives_back_its_name_and_what_it_is_about() {
        for (name, pattern) in FILE_REASONS {
            let about = if pattern.contains("{}") { "id.orig_h" } else { "" };
            assert_eq!(file_reason(&pattern.replace("{}", "id.orig_h")), Some((name, about)));
        }
        assert_eq!(file_about("a block"), Some("block"));
        assert_eq!(file_about("id.orig_h"), None, "a column has its name in every language");
        assert_eq!(file_reason("something else"), None);
        assert_eq!(file_reason(""), None);
    }
}
