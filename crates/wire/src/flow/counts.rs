//! What became of every byte: bytes in are parts, refusals with a reason, or held until their template comes.
//!
//! [`Counts::unaccounted`] is zero at every moment; the property tests and the fuzz targets hold the decoder to it.

/// What a byte that was understood belonged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Headers of messages, sets and samples.
    Header,
    /// Templates.
    Template,
    /// Records about the exporter itself: samplers, interface names.
    Option,
    /// Flow records that were given out.
    Record,
    /// sFlow counter samples.
    Counter,
    /// Bytes that say nothing.
    Padding,
}

impl Part {
    /// All of them, in the order of [`Counts`].
    pub const ALL: [Self; 6] = [Self::Header, Self::Template, Self::Option, Self::Record, Self::Counter, Self::Padding];

    /// The name a metric shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Template => "template",
            Self::Option => "option",
            Self::Record => "record",
            Self::Counter => "counter",
            Self::Padding => "padding",
        }
    }
}

/// Why bytes became no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// None of NetFlow v5, v9, IPFIX and sFlow v5.
    UnknownVersion,
    /// The datagram ends within a header.
    TruncatedHeader,
    /// The header promises more than the datagram has.
    LengthMismatch,
    /// As many exporters are known as [`Limits`](super::Limits) allow.
    TooManyExporters,
    /// As many domains are known as [`Limits`](super::Limits) allow.
    TooManyDomains,
    /// A set that is shorter than its header, or longer than the message.
    BadSetLength,
    /// A set id that no specification has given a meaning.
    ReservedSet,
    /// A template that ends early or whose id is none.
    BadTemplate,
    /// A template whose records would have no bytes, or would be longer than a set.
    ImpossibleTemplate,
    /// More fields than [`Limits::fields_per_template`](super::Limits::fields_per_template).
    TooManyFields,
    /// As many templates are known as [`Limits`](super::Limits) allow.
    TooManyTemplates,
    /// Data whose template did not come in time, or for which there was no room to wait.
    MissingTemplate,
    /// A record of variable length that is longer than its set.
    TruncatedRecord,
    /// Bytes after the last record that are neither padding nor a record.
    Leftover,
    /// A record that names no source or no destination: not a flow between two hosts.
    NoAddresses,
    /// An sFlow sample that ends early.
    BadSample,
    /// An sFlow sample of a format that we do not read.
    UnknownSample,
    /// An sFlow packet sample without an IP packet: ARP, a header cut too short.
    UnreadablePacket,
}

impl Reason {
    /// All of them, in the order of [`Counts`].
    pub const ALL: [Self; 18] = [
        Self::UnknownVersion,
        Self::TruncatedHeader,
        Self::LengthMismatch,
        Self::TooManyExporters,
        Self::TooManyDomains,
        Self::BadSetLength,
        Self::ReservedSet,
        Self::BadTemplate,
        Self::ImpossibleTemplate,
        Self::TooManyFields,
        Self::TooManyTemplates,
        Self::MissingTemplate,
        Self::TruncatedRecord,
        Self::Leftover,
        Self::NoAddresses,
        Self::BadSample,
        Self::UnknownSample,
        Self::UnreadablePacket,
    ];

    /// The name a metric shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownVersion => "unknown_version",
            Self::TruncatedHeader => "truncated_header",
            Self::LengthMismatch => "length_mismatch",
            Self::TooManyExporters => "too_many_exporters",
            Self::TooManyDomains => "too_many_domains",
            Self::BadSetLength => "bad_set_length",
            Self::ReservedSet => "reserved_set",
            Self::BadTemplate => "bad_template",
            Self::ImpossibleTemplate => "impossible_template",
            Self::TooManyFields => "too_many_fields",
            Self::TooManyTemplates => "too_many_templates",
            Self::MissingTemplate => "missing_template",
            Self::TruncatedRecord => "truncated_record",
            Self::Leftover => "leftover",
            Self::NoAddresses => "no_addresses",
            Self::BadSample => "bad_sample",
            Self::UnknownSample => "unknown_sample",
            Self::UnreadablePacket => "unreadable_packet",
        }
    }
}

/// What was refused for one [`Reason`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Datagrams, sets, templates, records or samples, whatever the reason is about.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What happened to times that cannot be: the record was kept, its time was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clamped {
    /// Messages of a clock too far from ours: their flows were moved by the difference.
    pub skewed_messages: u64,
    /// Times too far after the export: the time of export was taken.
    pub future: u64,
    /// Times too long before the export: the longest age was taken.
    pub past: u64,
    /// Ends before their start: the start was taken.
    pub reversed: u64,
}

impl Clamped {
    /// Adds what another one counted.
    pub(super) const fn add(&mut self, other: &Self) {
        self.skewed_messages = self.skewed_messages.saturating_add(other.skewed_messages);
        self.future = self.future.saturating_add(other.future);
        self.past = self.past.saturating_add(other.past);
        self.reversed = self.reversed.saturating_add(other.reversed);
    }
}

/// Everything a [`Decoder`](super::Decoder) counts, of all exporters since it began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Datagrams, or messages of a stream.
    pub datagrams: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Flow records given out.
    pub records: u64,
    /// Records about exporters.
    pub option_records: u64,
    /// Templates learnt, changed or said again.
    pub templates: u64,
    /// Templates that said something else than before under the same id.
    pub templates_changed: u64,
    /// Templates taken back by their exporter.
    pub templates_withdrawn: u64,
    /// Templates and exporters forgotten after silence.
    pub forgotten: u64,
    /// Data sets that came before their template.
    pub sets_before_template: u64,
    /// Those of them that were decoded once it came.
    pub sets_replayed: u64,
    /// sFlow counter samples.
    pub counter_samples: u64,
    /// What samplers said that there was no room to remember.
    pub selectors_refused: u64,
    /// Times that cannot be.
    pub clamped: Clamped,
    /// Bytes that wait for their template now.
    pub held_bytes: u64,
    parts: [u64; Part::ALL.len()],
    refused: [Refused; Reason::ALL.len()],
}

impl Counts {
    /// Bytes of that part.
    pub fn part(&self, part: Part) -> u64 {
        self.parts.get(part as usize).copied().unwrap_or_default()
    }

    /// What was refused for that reason.
    pub fn refused(&self, reason: Reason) -> Refused {
        self.refused.get(reason as usize).copied().unwrap_or_default()
    }

    /// Items refused for any reason.
    pub fn refusals(&self) -> u64 {
        self.refused.iter().fold(0, |sum, each| sum.saturating_add(each.items))
    }

    /// Bytes in, less those of parts, refusals and what waits: always zero.
    pub fn unaccounted(&self) -> i128 {
        let parts = self.parts.iter().map(|&bytes| i128::from(bytes));
        let refused = self.refused.iter().map(|each| i128::from(each.bytes));
        i128::from(self.bytes) - parts.chain(refused).sum::<i128>() - i128::from(self.held_bytes)
    }

    pub(super) fn received(&mut self, bytes: usize) {
        self.datagrams = self.datagrams.saturating_add(1);
        self.bytes = self.bytes.saturating_add(wide(bytes));
    }

    pub(super) fn understood(&mut self, part: Part, bytes: usize) {
        if let Some(sum) = self.parts.get_mut(part as usize) {
            *sum = sum.saturating_add(wide(bytes));
        }
    }

    pub(super) fn refuse(&mut self, reason: Reason, bytes: usize) {
        self.refuse_many(reason, 1, bytes);
    }

    pub(super) fn refuse_many(&mut self, reason: Reason, items: u64, bytes: usize) {
        if let Some(sum) = self.refused.get_mut(reason as usize)
            && items > 0
        {
            sum.items = sum.items.saturating_add(items);
            sum.bytes = sum.bytes.saturating_add(wide(bytes));
        }
    }

    pub(super) fn projected(&mut self, records: u64, bytes: usize, clamped: &Clamped) {
        self.records = self.records.saturating_add(records);
        self.understood(Part::Record, bytes);
        self.clamped.add(clamped);
    }

    /// What follows the last whole thing: padding where it is too short to say anything or zero, else a refusal.
    pub(super) fn rest(&mut self, rest: &[u8], refusal: Reason) {
        if rest.len() < 4 || rest.iter().all(|&byte| byte == 0) {
            self.understood(Part::Padding, rest.len());
        } else {
            self.refuse(refusal, rest.len());
        }
    }
}

/// A length as a count.
pub(super) fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_and_reason_has_its_own_place_and_name() {
        let mut counts = Counts::default();
        for (at, part) in Part::ALL.into_iter().enumerate() {
            assert_eq!(part as usize, at);
            counts.understood(part, 1 + at);
        }
        for (at, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, at);
            counts.refuse(reason, 1);
        }
        assert_eq!(counts.part(Part::Padding), 6);
        assert_eq!(counts.refusals(), 18);
        assert_eq!(counts.unaccounted(), -(21 + 18));
        let names: std::collections::BTreeSet<_> = Reason::ALL.into_iter().map(Reason::name).collect();
        assert_eq!(names.len(), Reason::ALL.len());
    }
}
