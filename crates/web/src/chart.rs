//! Our own pictures: plain SVG, coloured by the style sheet, each with title, description and a table beside it.
//!
//! A picture is a pure function of its data to geometry; the templates write it down. No script, no inline style.

pub mod axis;
pub mod balance;
pub mod classes;
pub mod days;
pub mod family;
pub mod hilbert;
pub mod map;
pub mod presence;
pub mod scale;
pub mod shares;
pub mod waterfall;

pub use family::Family;

#[cfg(test)]
mod tests {
    use hinomi_model::cnc::{Code, Endpoint, Evidence, Finding, Visibility, fuse};

    /// A finding with reasons of two groups, and one against it.
    pub(crate) fn finding(last: u8) -> Finding {
        let endpoint = Endpoint { address: [203, 0, 113, last].into(), port: 1_337, protocol: 6 };
        let reasons = vec![Evidence::new(Code::BeaconFailed, 5.0, &[]), Evidence::new(Code::GraphPort, 4.0, &[])];
        let counter_evidence = vec![Evidence::new(Code::ContextHours, -1.0, &[])];
        let all: Vec<Evidence> = reasons.iter().chain(&counter_evidence).cloned().collect();
        let fused = fuse(5e-4, &all);
        Finding {
            endpoint,
            time: "2026-11-20".parse().expect("a time"),
            confidence: fused.confidence(),
            refuted_by: Finding::refutations(&reasons),
            fused,
            reasons,
            counter_evidence,
            base_rate: 5e-4,
            epochs: 2,
            clients: 9,
            visibility: Visibility { sampling: 1, sampling_unknown: false, loss: 0.0, confidence_if_all_seen: 0.8 },
        }
    }
}
