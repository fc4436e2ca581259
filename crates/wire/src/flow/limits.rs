//! What an exporter, true or forged, may make the decoder keep.

use std::time::Duration;

/// How much is kept, by one exporter or by all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Observation domains, source ids, engines and agents.
    pub domains: usize,
    /// Templates.
    pub templates: usize,
    /// Samplers, interfaces and data sources about which something is remembered.
    pub selectors: usize,
    /// Bytes that wait for their template, with what it takes to keep them.
    pub held_bytes: usize,
}

/// The bounds of a [`Decoder`](super::Decoder). Whatever one of them refuses is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Exporters known at a time.
    pub exporters: usize,
    /// What one exporter may make us keep.
    pub per_exporter: Kept,
    /// What all exporters together may.
    pub total: Kept,
    /// Fields of one template.
    pub fields_per_template: usize,
    /// How long data wait for their template.
    pub held_age: Duration,
    /// After how long without a word a template or an exporter is forgotten.
    pub idle: Duration,
    /// How far an exporter's clock may be from ours before ours is taken.
    pub clock_skew: Duration,
    /// How far after its export a flow may claim to have ended.
    pub future: Duration,
    /// How long before its export a flow may claim to have begun.
    pub past: Duration,
}

impl Default for Limits {
    /// For a carrier's collector; what is kept stays near 128 MiB at worst.
    fn default() -> Self {
        Self {
            exporters: 4_096,
            per_exporter: Kept { domains: 256, templates: 4_096, selectors: 4_096, held_bytes: 1 << 20 },
            total: Kept { domains: 16_384, templates: 65_536, selectors: 65_536, held_bytes: 64 << 20 },
            fields_per_template: 512,
            // Routers repeat their templates every 10 to 30 minutes.
            held_age: Duration::from_mins(31),
            idle: Duration::from_hours(2),
            clock_skew: Duration::from_hours(1),
            future: Duration::from_mins(2),
            past: Duration::from_hours(30 * 24),
        }
    }
}
