//! IPFIX messages (RFC 7011) of one observation domain: templates, an option about sampling, flows.
//!
//! Written here anew, not with `hinomi-wire`: two readings of a specification find each other's faults. Biflows use the
//! reverse elements of RFC 5103. Sequence numbers count data records of the domain, those of options too, and each
//! message carries the count before it. Templates are told again as RFC 7011 section 8.4 asks for over UDP.

use std::net::IpAddr;

use hinomi_model::Timestamp;

use super::sampling::Sampling;
use super::session::{Amount, Flow};

/// What fits in one datagram without fragments on any path of today.
const MESSAGE_MAX_BYTES: usize = 1_400;
const HEADER_BYTES: usize = 16;
const SET_HEADER_BYTES: usize = 4;
const TEMPLATE_SET: u16 = 2;
const OPTIONS_TEMPLATE_SET: u16 = 3;
const OPTIONS_TEMPLATE: u16 = 260;
/// Enterprise number of reverse elements.
const REVERSE: u32 = 29_305;
/// The one selector of the router.
const SELECTOR: u8 = 1;
/// Systematic count-based sampling (RFC 5477, PSAMP selectorAlgorithm 1).
const COUNT_BASED: u16 = 1;

/// Number and length of an element.
type Element = (u16, u16);

const SOURCE_V4: Element = (8, 4);
const DESTINATION_V4: Element = (12, 4);
const SOURCE_V6: Element = (27, 16);
const DESTINATION_V6: Element = (28, 16);
/// Ports, protocol, flags, packets, bytes, start and end in milliseconds, selector. Some in fewer octets than their type
/// has, as RFC 7011 section 6.2 allows.
const COMMON: [Element; 9] = [(7, 2), (11, 2), (4, 1), (6, 1), (2, 4), (1, 5), (152, 8), (153, 8), (302, 1)];
/// Flags, packets and bytes of the other direction.
const BACK: [Element; 3] = [(6, 1), (2, 4), (1, 5)];

/// The templates of flows: number, whether IPv6, whether both directions.
const TEMPLATES: [(u16, bool, bool); 4] =
    [(256, false, true), (257, false, false), (258, true, true), (259, true, false)];

/// A message as it goes into a datagram or a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// When it is sent; its header says so to the second.
    pub time: Timestamp,
    /// The observation domain.
    pub domain: u32,
    /// How many flows it tells.
    pub flows: u32,
    /// The message.
    pub bytes: Vec<u8>,
}

/// Collects records of one domain and writes messages.
#[derive(Clone, Debug)]
pub(super) struct Exporter {
    domain: u32,
    sampling: Sampling,
    /// Data records that were sent.
    sequence: u32,
    /// Records of each template that wait.
    waiting: [(Vec<u8>, u32); TEMPLATES.len()],
}

impl Exporter {
    pub(super) fn new(domain: u32, sampling: Sampling) -> Self {
        Self { domain, sampling, sequence: 0, waiting: Default::default() }
    }

    /// Takes a flow; a message when one is full, which then waits no longer.
    pub(super) fn take(&mut self, time: Timestamp, flow: &Flow) -> Option<Message> {
        let mut record = Vec::with_capacity(96);
        write_flow(&mut record, flow);
        let full = self.length() + record.len() + SET_HEADER_BYTES > MESSAGE_MAX_BYTES;
        let message = if full { self.flush(time) } else { None };
        let (is_v6, both) = (flow.source.is_ipv6(), flow.reverse.is_some());
        let place = TEMPLATES.iter().position(|(_, v6, biflow)| (*v6, *biflow) == (is_v6, both));
        if let Some((bytes, count)) = place.and_then(|place| self.waiting.get_mut(place)) {
            bytes.extend_from_slice(&record);
            *count += 1;
        }
        message
    }

    /// What waits, as a message; none where nothing does.
    pub(super) fn flush(&mut self, time: Timestamp) -> Option<Message> {
        let flows = self.waiting.iter().map(|(_, count)| count).sum();
        if flows == 0 {
            return None;
        }
        let mut sets = Vec::with_capacity(MESSAGE_MAX_BYTES);
        for ((template, ..), (bytes, count)) in TEMPLATES.iter().zip(&mut self.waiting) {
            if *count > 0 {
                write_set(&mut sets, *template, bytes);
            }
            bytes.clear();
            *count = 0;
        }
        Some(self.message(time, &sets, flows, flows))
    }

    /// Templates, and what is to be known of sampling.
    pub(super) fn introduce(&mut self, time: Timestamp) -> Message {
        let (mut templates, mut option, mut sampling, mut sets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (number, is_v6, both) in TEMPLATES {
            write_template(&mut templates, number, is_v6, both);
        }
        // Scope: the selector. Then how it selects: one packet is taken, so many are left out (samplingPacketInterval and
        // samplingPacketSpace, RFC 5477 section 8.2).
        for number in [OPTIONS_TEMPLATE, 4, 1] {
            option.extend_from_slice(&number.to_be_bytes());
        }
        for element in [(302, 1), (304, 2), (305, 4), (306, 4)] {
            write_element(&mut option, element, 0);
        }
        sampling.push(SELECTOR);
        sampling.extend_from_slice(&COUNT_BASED.to_be_bytes());
        sampling.extend_from_slice(&1_u32.to_be_bytes());
        sampling.extend_from_slice(&self.sampling.packets().saturating_sub(1).to_be_bytes());
        write_set(&mut sets, TEMPLATE_SET, &templates);
        write_set(&mut sets, OPTIONS_TEMPLATE_SET, &option);
        write_set(&mut sets, OPTIONS_TEMPLATE, &sampling);
        self.message(time, &sets, 1, 0)
    }

    fn length(&self) -> usize {
        let waiting = self.waiting.iter().filter(|(_, count)| *count > 0);
        HEADER_BYTES + waiting.map(|(bytes, _)| bytes.len() + SET_HEADER_BYTES).sum::<usize>()
    }

    fn message(&mut self, time: Timestamp, sets: &[u8], records: u32, flows: u32) -> Message {
        let length = u16::try_from(HEADER_BYTES + sets.len()).unwrap_or(u16::MAX);
        let seconds = u32::try_from(time.as_micros() / 1_000_000).unwrap_or(0);
        let mut bytes = Vec::with_capacity(usize::from(length));
        bytes.extend_from_slice(&10_u16.to_be_bytes());
        bytes.extend_from_slice(&length.to_be_bytes());
        for word in [seconds, self.sequence, self.domain] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        bytes.extend_from_slice(sets);
        self.sequence = self.sequence.wrapping_add(records);
        Message { time, domain: self.domain, flows, bytes }
    }
}

fn write_set(sets: &mut Vec<u8>, number: u16, body: &[u8]) {
    let length = u16::try_from(SET_HEADER_BYTES + body.len()).unwrap_or(u16::MAX);
    sets.extend_from_slice(&number.to_be_bytes());
    sets.extend_from_slice(&length.to_be_bytes());
    sets.extend_from_slice(body);
}

fn write_template(bytes: &mut Vec<u8>, number: u16, is_v6: bool, both: bool) {
    let ends = if is_v6 { [SOURCE_V6, DESTINATION_V6] } else { [SOURCE_V4, DESTINATION_V4] };
    let back: &[Element] = if both { &BACK } else { &[] };
    let count = u16::try_from(ends.len() + COMMON.len() + back.len()).unwrap_or(0);
    bytes.extend_from_slice(&number.to_be_bytes());
    bytes.extend_from_slice(&count.to_be_bytes());
    ends.into_iter().chain(COMMON).for_each(|element| write_element(bytes, element, 0));
    back.iter().for_each(|element| write_element(bytes, *element, REVERSE));
}

fn write_element(bytes: &mut Vec<u8>, (number, length): Element, enterprise: u32) {
    let marked = if enterprise == 0 { number } else { number | 0x8000 };
    bytes.extend_from_slice(&marked.to_be_bytes());
    bytes.extend_from_slice(&length.to_be_bytes());
    if enterprise != 0 {
        bytes.extend_from_slice(&enterprise.to_be_bytes());
    }
}

fn write_flow(bytes: &mut Vec<u8>, flow: &Flow) {
    for address in [flow.source, flow.destination] {
        match address {
            IpAddr::V4(four) => bytes.extend_from_slice(&four.octets()),
            IpAddr::V6(six) => bytes.extend_from_slice(&six.octets()),
        }
    }
    bytes.extend_from_slice(&flow.source_port.to_be_bytes());
    bytes.extend_from_slice(&flow.destination_port.to_be_bytes());
    bytes.push(flow.protocol);
    write_amount(bytes, flow.forward);
    for time in [flow.start, flow.end] {
        let milliseconds = u64::try_from(time.as_micros() / 1_000).unwrap_or(0);
        bytes.extend_from_slice(&milliseconds.to_be_bytes());
    }
    bytes.push(SELECTOR);
    if let Some(reverse) = flow.reverse {
        write_amount(bytes, reverse);
    }
}

/// Flags in one octet, packets in four, bytes in five.
fn write_amount(bytes: &mut Vec<u8>, amount: Amount) {
    let packets = u32::try_from(amount.packets).unwrap_or(u32::MAX);
    let [_, _, _, octets @ ..] = amount.bytes.min((1 << 40) - 1).to_be_bytes();
    bytes.push(amount.tcp_flags);
    bytes.extend_from_slice(&packets.to_be_bytes());
    bytes.extend_from_slice(&octets);
}
