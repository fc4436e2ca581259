//! A flow template, compiled once: which bytes of its records are read, and what each of them means.
//!
//! Field types of NetFlow v9 (RFC 3954) and information elements of IPFIX (IANA) share their numbers; reverse elements
//! (RFC 5103) have the enterprise number 29305. Whatever is not named here is skipped without being looked at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::counts::{Clamped, Reason};
use super::field::{FieldSpec, Layout, Place, Slot, View};
use super::record::{FlowRecord, Volume};
use super::sampling::{OptionPlan, RateSlots, Rates, Selector};
use super::times::{Boot, Clock, Moment};

/// Enterprise number of the reverse elements of a biflow (RFC 5103).
const REVERSE: u32 = 29_305;
const TCP: u8 = 6;

/// What a template's records are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Flows.
    Flow(Box<Plan>),
    /// Something about the exporter.
    Option(OptionPlan),
}

/// A template: how long its records are, and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    /// Lengths.
    pub layout: Layout,
    /// Meaning.
    pub kind: Kind,
}

impl Template {
    /// Compiles a template of flows. `header_has_uptime` is NetFlow v9's.
    pub(super) fn of_flows(specs: &[FieldSpec], header_has_uptime: bool) -> Result<Self, Reason> {
        let mut plan = Box::<Plan>::default();
        let mut draft = Draft::default();
        let layout = Layout::new(specs, |spec, slot| draft.take(&mut plan, spec, slot, header_has_uptime))?;
        draft.finish(&mut plan);
        Ok(Self { layout, kind: Kind::Flow(plan) })
    }

    /// Compiles an options template.
    pub(super) fn of_options(specs: &[FieldSpec]) -> Result<Self, Reason> {
        let mut plan = OptionPlan::default();
        let layout = Layout::new(specs, |spec, slot| plan.take(spec, slot))?;
        Ok(Self { layout, kind: Kind::Option(plan) })
    }
}

/// Source and destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pair {
    source: Slot,
    destination: Slot,
}

impl Pair {
    const fn is_told(self) -> bool {
        self.source.is_told() && self.destination.is_told()
    }
}

/// What went in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    packets: Slot,
    bytes: Slot,
}

impl Amount {
    const fn is_told(self) -> bool {
        self.packets.is_told() || self.bytes.is_told()
    }

    #[inline]
    fn read<P: Place>(self, view: &View<'_, P>) -> Volume {
        Volume { packets: view.number(self.packets), bytes: view.number(self.bytes), tcp_flags: 0 }
    }
}

/// The reads that make a [`FlowRecord`] of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    v4: Pair,
    v6: Pair,
    ports: Pair,
    protocol: Slot,
    forward: Amount,
    /// As counted where the packets leave (fields 23, 24): taken where those of their arrival are zero.
    post: Amount,
    reverse: Amount,
    tcp_flags: Slot,
    reverse_tcp_flags: Slot,
    start: Moment,
    end: Moment,
    duration_ms: Slot,
    duration_us: Slot,
    boot: Slot,
    sampler: Slot,
    interfaces: Pair,
    rate: Option<RateSlots>,
}

impl Plan {
    /// Whether records say who talked to whom.
    pub(super) const fn names_hosts(&self) -> bool {
        self.v4.is_told() || self.v6.is_told()
    }

    /// Reads one record.
    #[inline]
    pub(super) fn project<P: Place>(
        &self,
        view: &View<'_, P>,
        clock: &mut Clock,
        rates: &mut Rates<'_>,
        clamped: &mut Clamped,
    ) -> FlowRecord {
        let (source, destination) = self.hosts(view);
        let protocol = view.byte(self.protocol);
        let (source_port, destination_port) = if has_ports(protocol) {
            (view.short(self.ports.source), view.short(self.ports.destination))
        } else {
            (0, 0)
        };
        let (start, end) = self.times(view, clock, clamped);
        let flags = |slot| if protocol == TCP { view.byte(slot) } else { 0 };
        FlowRecord {
            source,
            destination,
            source_port,
            destination_port,
            protocol,
            forward: Volume { tcp_flags: flags(self.tcp_flags), ..self.forward(view) },
            reverse: self
                .reverse
                .is_told()
                .then(|| Volume { tcp_flags: flags(self.reverse_tcp_flags), ..self.reverse.read(view) }),
            start,
            end,
            sampling: self.sampling(view, rates),
        }
    }

    #[inline]
    fn hosts<P: Place>(&self, view: &View<'_, P>) -> (IpAddr, IpAddr) {
        if self.v4.is_told() {
            let source = Ipv4Addr::from(view.array::<4>(self.v4.source));
            let destination = Ipv4Addr::from(view.array::<4>(self.v4.destination));
            // Some templates have both families and leave one of them zero.
            if !self.v6.is_told() || !source.is_unspecified() || !destination.is_unspecified() {
                return (source.into(), destination.into());
            }
        }
        let source = Ipv6Addr::from(view.array::<16>(self.v6.source));
        let destination = Ipv6Addr::from(view.array::<16>(self.v6.destination));
        (source.to_canonical(), destination.to_canonical())
    }

    #[inline]
    fn forward<P: Place>(&self, view: &View<'_, P>) -> Volume {
        let volume = self.forward.read(view);
        if self.post.is_told() && volume == Volume::default() {
            return self.post.read(view);
        }
        volume
    }

    #[inline]
    fn times<P: Place>(
        &self,
        view: &View<'_, P>,
        clock: &mut Clock,
        clamped: &mut Clamped,
    ) -> (hinomi_model::Timestamp, hinomi_model::Timestamp) {
        if self.boot.is_told() {
            clock.boot = told_boot(view.number(self.boot), clock.boot);
        }
        let end = self.end.read(view, clock, true);
        let start =
            if end.is_none() && self.start.is_zero_uptime(view) { None } else { self.start.read(view, clock, false) };
        let duration_us = match view.number(self.duration_us) {
            0 => view.number(self.duration_ms).saturating_mul(1_000),
            told => told,
        };
        clock.settle(start, end, i64::try_from(duration_us).unwrap_or(i64::MAX), clamped)
    }

    #[inline]
    fn sampling<P: Place>(&self, view: &View<'_, P>, rates: &mut Rates<'_>) -> u32 {
        let own = self.rate.map_or(0, |rate| rate.read(view));
        if own > 0 {
            return own;
        }
        if self.sampler.is_told() {
            return rates.of(Selector::Sampler(view.number(self.sampler)));
        }
        if rates.by_interface() {
            return self.sampling_of_interfaces(view, rates);
        }
        rates.of_everything()
    }

    #[cold]
    fn sampling_of_interfaces<P: Place>(&self, view: &View<'_, P>, rates: &mut Rates<'_>) -> u32 {
        let entered = rates.of(Selector::Interface(view.number(self.interfaces.source)));
        if entered > 0 || !self.interfaces.destination.is_told() {
            return entered;
        }
        rates.of(Selector::Interface(view.number(self.interfaces.destination)))
    }
}

/// A boot time as told; 0 tells nothing.
pub(super) fn told_boot(ms: u64, before: Boot) -> Boot {
    match i64::try_from(ms) {
        Ok(ms) if ms > 0 => Boot::Told(ms.saturating_mul(1_000)),
        _ => before,
    }
}

/// TCP, UDP, DCCP, SCTP, UDP-Lite, and where the exporter does not say. ICMP's type and code are no ports.
pub(super) const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, 0 | 6 | 17 | 33 | 132 | 136)
}

/// What stands in for a field that the template does not have.
#[derive(Clone, Copy, Debug, Default)]
struct Draft {
    total: Amount,
    initiator: Amount,
    responder: Amount,
    tcp_ports: Pair,
    udp_ports: Pair,
    reverse_total: Amount,
    observed: Moment,
}

impl Draft {
    fn take(&mut self, plan: &mut Plan, spec: &FieldSpec, slot: Slot, header_has_uptime: bool) {
        if !slot.is_told() {
            return;
        }
        match (spec.enterprise, slot.width()) {
            (0, 1..=8) => {
                let known = Self::number(plan, spec.id, slot) || Self::time(plan, spec.id, slot, header_has_uptime);
                if !known && !Self::rate(plan, spec, slot) {
                    self.fallback(spec.id, slot, header_has_uptime);
                }
            }
            (0, 16) => match spec.id {
                27 => first(&mut plan.v6.source, slot),
                28 => first(&mut plan.v6.destination, slot),
                _ => {}
            },
            (REVERSE, 1..=8) => self.reverse(plan, spec.id, slot),
            _ => {}
        }
    }

    fn number(plan: &mut Plan, id: u16, slot: Slot) -> bool {
        let place = match id {
            1 => &mut plan.forward.bytes,
            2 => &mut plan.forward.packets,
            4 => &mut plan.protocol,
            6 => &mut plan.tcp_flags,
            7 => &mut plan.ports.source,
            8 if slot.width() == 4 => &mut plan.v4.source,
            10 => &mut plan.interfaces.source,
            11 => &mut plan.ports.destination,
            12 if slot.width() == 4 => &mut plan.v4.destination,
            14 => &mut plan.interfaces.destination,
            23 => &mut plan.post.bytes,
            24 => &mut plan.post.packets,
            48 | 302 => &mut plan.sampler,
            160 => &mut plan.boot,
            161 => &mut plan.duration_ms,
            162 => &mut plan.duration_us,
            _ => return false,
        };
        first(place, slot);
        true
    }

    fn time(plan: &mut Plan, id: u16, slot: Slot, header_has_uptime: bool) -> bool {
        let (place, moment) = match id {
            21 => (&mut plan.end, Moment::Uptime(slot)),
            22 => (&mut plan.start, Moment::Uptime(slot)),
            150 => (&mut plan.start, Moment::Seconds(slot)),
            151 => (&mut plan.end, Moment::Seconds(slot)),
            152 => (&mut plan.start, Moment::Millis(slot)),
            153 => (&mut plan.end, Moment::Millis(slot)),
            154 | 156 if slot.width() == 8 => (&mut plan.start, Moment::Ntp(slot)),
            155 | 157 if slot.width() == 8 => (&mut plan.end, Moment::Ntp(slot)),
            158 => (&mut plan.start, Moment::MicrosBefore(slot)),
            159 => (&mut plan.end, Moment::MicrosBefore(slot)),
            _ => return false,
        };
        place.prefer(moment, header_has_uptime);
        true
    }

    fn fallback(&mut self, id: u16, slot: Slot, header_has_uptime: bool) {
        let place = match id {
            85 => &mut self.total.bytes,
            86 => &mut self.total.packets,
            180 => &mut self.udp_ports.source,
            181 => &mut self.udp_ports.destination,
            182 => &mut self.tcp_ports.source,
            183 => &mut self.tcp_ports.destination,
            231 => &mut self.initiator.bytes,
            232 => &mut self.responder.bytes,
            298 => &mut self.initiator.packets,
            299 => &mut self.responder.packets,
            322 => return self.observed.prefer(Moment::Seconds(slot), header_has_uptime),
            323 => return self.observed.prefer(Moment::Millis(slot), header_has_uptime),
            324 | 325 if slot.width() == 8 => return self.observed.prefer(Moment::Ntp(slot), header_has_uptime),
            _ => return,
        };
        first(place, slot);
    }

    fn rate(plan: &mut Plan, spec: &FieldSpec, slot: Slot) -> bool {
        let mut rate = plan.rate.unwrap_or_default();
        let taken = rate.take(spec, slot);
        if taken {
            plan.rate = Some(rate);
        }
        taken
    }

    fn reverse(&mut self, plan: &mut Plan, id: u16, slot: Slot) {
        match id {
            1 => first(&mut plan.reverse.bytes, slot),
            2 => first(&mut plan.reverse.packets, slot),
            6 => first(&mut plan.reverse_tcp_flags, slot),
            85 => first(&mut self.reverse_total.bytes, slot),
            86 => first(&mut self.reverse_total.packets, slot),
            _ => {}
        }
    }

    /// Fills what the template tells in another way.
    fn finish(self, plan: &mut Plan) {
        instead(&mut plan.forward, self.total);
        instead(&mut plan.forward, self.initiator);
        instead(&mut plan.reverse, self.reverse_total);
        // Some exporters send an empty field for the responder in records of one direction.
        if self.initiator.is_told() {
            instead(&mut plan.reverse, self.responder);
        }
        for pair in [self.tcp_ports, self.udp_ports] {
            if !plan.ports.is_told() && pair.is_told() {
                plan.ports = pair;
            }
        }
        if plan.end == Moment::Untold {
            plan.end = self.observed;
        }
    }
}

/// Of fields that stand twice in a template, the first is read.
fn first(place: &mut Slot, slot: Slot) {
    if !place.is_told() {
        *place = slot;
    }
}

fn instead(place: &mut Amount, other: Amount) {
    if !place.packets.is_told() {
        place.packets = other.packets;
    }
    if !place.bytes.is_told() {
        place.bytes = other.bytes;
    }
}
