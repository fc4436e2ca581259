//! The kernel's half of the town: a classic BPF program for each TCP port.
//!
//! A wildcard listener would make its port look open at every address. So each port has two sockets in one
//! `SO_REUSEPORT` group: the one that serves, and a sink that swallows every SYN (see [`crate::listen`]). The program
//! hashes the destination address as [`crate::population::Population::position`] does and chooses the socket that
//! serves only when the result lies in one of the port's intervals. To the rest of the world the port is silent, as
//! behind a home router's firewall. The IP header is reached by the ancillary offset `SKF_NET_OFF` (linux/filter.h).
//!
//! A filter that drops (`SO_ATTACH_FILTER`) would be simpler, but newer kernels keep it from TCP sockets of programs
//! without `CAP_NET_ADMIN`; choosing within a group of one's own needs no privilege.

use std::net::Ipv4Addr;

use crate::mix;

/// Longest program. The kernel would take 4,096 instructions, but also refuses programs that are larger than a socket's
/// option memory (20 KiB on older systems), which is the tighter bound.
pub(crate) const INSTRUCTIONS_MAX: usize = 1_100;

/// Offset of the destination in the IPv4 header, from the network header.
const DESTINATION: u32 = 0xfff0_0000 + 16;

const LOAD_WORD_ABSOLUTE: u16 = 0x20;
const SUBTRACT_CONSTANT: u16 = 0x14;
const MULTIPLY_CONSTANT: u16 = 0x24;
const SHIFT_RIGHT_CONSTANT: u16 = 0x74;
const XOR_CONSTANT: u16 = 0xa4;
const XOR_INDEX: u16 = 0xac;
const JUMP: u16 = 0x05;
const JUMP_IF_AT_LEAST: u16 = 0x35;
const RETURN: u16 = 0x06;
const TO_INDEX: u16 = 0x07;
const FROM_INDEX: u16 = 0x87;

/// Which socket of the group, in the order in which they began to listen.
const SERVE: u32 = 0;
const SINK: u32 = 1;

/// One instruction, laid out as `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) if_true: u8,
    pub(crate) if_false: u8,
    pub(crate) k: u32,
}

const fn plain(code: u16, k: u32) -> Instruction {
    Instruction { code, if_true: 0, if_false: 0, k }
}

/// The program that serves nobody.
pub(crate) fn nothing() -> Vec<Instruction> {
    vec![plain(RETURN, SINK)]
}

/// The program that serves destinations within `size` addresses from `base` whose hash lies in an interval.
pub(crate) fn program(base: Ipv4Addr, size: u32, key: u32, intervals: &[(u64, u64)]) -> Vec<Instruction> {
    let mut program = vec![
        plain(LOAD_WORD_ABSOLUTE, DESTINATION),
        plain(TO_INDEX, 0),
        plain(SUBTRACT_CONSTANT, u32::from(base)),
        Instruction { code: JUMP_IF_AT_LEAST, if_true: 0, if_false: 1, k: size },
        plain(RETURN, SINK),
        plain(FROM_INDEX, 0),
        plain(XOR_CONSTANT, key),
    ];
    fold(&mut program, 16);
    program.push(plain(MULTIPLY_CONSTANT, mix::MULTIPLIER_1));
    fold(&mut program, 15);
    program.push(plain(MULTIPLY_CONSTANT, mix::MULTIPLIER_2));
    fold(&mut program, 16);
    program.extend(search(&borders(intervals), false));
    program
}

/// `A ^= A >> bits`
fn fold(program: &mut Vec<Instruction>, bits: u32) {
    program.extend([plain(TO_INDEX, 0), plain(SHIFT_RIGHT_CONSTANT, bits), plain(XOR_INDEX, 0)]);
}

/// Where accepted and dropped positions meet. Before the first border positions are dropped, and so by turns; an
/// interval that begins at 0 has a border there, one that ends at 2^32 has none at its end.
fn borders(intervals: &[(u64, u64)]) -> Vec<u32> {
    intervals.iter().flat_map(|(start, end)| [*start, *end]).filter_map(|border| u32::try_from(border).ok()).collect()
}

/// Binary search over borders; `accepts` is the verdict below the first of them.
fn search(borders: &[u32], accepts: bool) -> Vec<Instruction> {
    let middle = borders.len() / 2;
    let Some(border) = borders.get(middle) else {
        return vec![plain(RETURN, if accepts { SERVE } else { SINK })];
    };
    let (below, from_border) = borders.split_at(middle);
    let left = search(below, accepts);
    let right = search(from_border.get(1..).unwrap_or_default(), accepts ^ (middle.is_multiple_of(2)));
    let mut program = Vec::with_capacity(left.len() + right.len() + 2);
    match u8::try_from(left.len()) {
        Ok(over) => program.push(Instruction { code: JUMP_IF_AT_LEAST, if_true: over, if_false: 0, k: *border }),
        Err(_) => {
            program.push(Instruction { code: JUMP_IF_AT_LEAST, if_true: 0, if_false: 1, k: *border });
            program.push(plain(JUMP, u32::try_from(left.len()).unwrap_or(u32::MAX)));
        }
    }
    program.extend(left);
    program.extend(right);
    program
}

#[cfg(test)]
mod tests;
