//! Answers to questions over UDP: whose they are, and how much of them is believed.
//!
//! An answer says from where it came, and the port it came to in which pass that was asked; both fit together by the
//! cookie alone. Where it also repeats its question's mark it is told on with its bytes, and the grab takes it from
//! there. Where its protocol has no mark, it is in another language, too long to be kept, or a part of something larger,
//! it is told on as somebody who answers, and the grab asks again over a socket of its own.

use hinomi_model::scope::Probe;
use hinomi_model::{ServiceKey, Transport};
use hinomi_wire::packet::Packet;
use tokio::time::Instant;

use super::super::Opened;
use super::cookie::Asking;
use super::known::Answer;
use super::listener::Listener;
use crate::grab::marks::{self, Echo};

/// The longest answer that is kept until its grab. Once too many wait ([`super::shared::Shared::is_full`]) none is kept: together
/// they take 32 MiB at most.
const MAX_ANSWER: usize = 2_048;

/// A question that an answer or an error speaks of.
struct Asked {
    key: ServiceKey,
    probe: Probe,
    pass: u16,
    asking: Asking,
}

impl Listener {
    pub(super) fn hear_udp(&mut self, packet: &Packet, network: &[u8]) {
        let (address, port) = (packet.source, packet.source_port);
        let key = ServiceKey { address, port, transport: Transport::Udp };
        let Some(asked) = self.asked(key, packet.destination_port) else { return self.spoofed() };
        let answer = packet.payload(network);
        let echo = match packet.fragment {
            None => marks::echo(asked.probe, asked.asking.mark, answer),
            Some(_) => Echo::Faint,
        };
        if echo == Echo::Foreign {
            return self.spoofed();
        }
        if u32::from(asked.pass) >= self.leg.passes() {
            if self.parts.governor.answered_by(key, Instant::now()).is_none() {
                self.spoofed();
            }
            return;
        }
        let Some((position, target)) = self.place_of(key, asked.pass) else { return self.too_late() };
        self.parts.metrics.received(usize::try_from(packet.total_bytes).unwrap_or(0));
        let is_whole = echo == Echo::Clear && packet.cut.is_none() && answer.len() <= MAX_ANSWER;
        let is_kept = is_whole && !self.parts.shared.is_full();
        if self.answered(position, target, key) == Some(Answer::New) {
            let opened = match is_kept {
                true => Opened::Answered { probe: asked.probe, answer: answer.to_vec() },
                false => Opened::Known,
            };
            self.tell_found(position, key, opened);
        }
    }

    /// What was asked of a port from one of ours; none when nothing was.
    fn asked(&self, key: ServiceKey, source_port: u16) -> Option<Asked> {
        let probe = self.parts.questions.at(key.port)?;
        let (pass, asking) = self.parts.cookie.asked(key.address, key.port, source_port)?;
        Some(Asked { key, probe, pass, asking })
    }

    /// The position at which a target was asked in a pass, among those whose answers are waited for, and the target.
    fn place_of(&self, key: ServiceKey, pass: u16) -> Option<(u64, u64)> {
        let of_pass = self.leg.pass(u32::from(pass));
        let among = of_pass.start.max(self.waited_for)..of_pass.end.min(self.parts.shared.sent());
        let position = self.leg.position_of(key, among, self.logarithm.as_ref()?)?;
        self.target_of(position).map(|(target, _)| (position, target))
    }

    fn too_late(&self) {
        self.parts.metrics.reason("answers over UDP that came too late, or that nobody was asked for");
    }

    /// The position of the question that an error quotes; `Some(None)` for one that is no part of the walk, none when it is
    /// not ours.
    pub(super) fn quoted_question(&self, quoted: &Packet, bytes: &[u8]) -> Option<Option<u64>> {
        let (address, port) = (quoted.destination, quoted.destination_port);
        let key = ServiceKey { address, port, transport: Transport::Udp };
        let asked = self.asked(key, quoted.source_port)?;
        if !self.has_label(quoted, bytes, &asked) {
            return None;
        }
        if u32::from(asked.pass) >= self.leg.passes() {
            return Some(None);
        }
        self.place_of(asked.key, asked.pass).map(|(position, _)| Some(position))
    }

    /// Whether a quotation has what only our question had: in the header of IP, or, where somebody on the way writes
    /// those anew, the whole of a question that carries a mark.
    fn has_label(&self, quoted: &Packet, bytes: &[u8], asked: &Asked) -> bool {
        let label = asked.asking.label;
        let same = match bytes.first_chunk::<4>() {
            Some(first) if quoted.source.is_ipv6() => (u32::from_be_bytes(*first) ^ label) & 0x000f_ffff == 0,
            _ => quoted.ip_id == label & 0xffff,
        };
        let request = || self.parts.questions.request(asked.key.address, asked.key.port, &asked.asking);
        same || marks::has_mark(asked.probe) && request().is_some_and(|request| request == quoted.payload(bytes))
    }
}
