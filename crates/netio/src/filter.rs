//! What the kernel hands to a receiver: the answers to our probes and nothing else.
//!
//! A classic BPF program over an Ethernet frame or, on interfaces without one, over the IP packet. The kernel's own
//! parsing of the network header is used (`SKF_NET_OFF`), so link headers and VLAN tags need no cases.

use std::ops::RangeInclusive;

/// Which packets are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// TCP and UDP packets to these ports; besides them ICMP and ICMPv6.
    pub ports: RangeInclusive<u16>,
}

const LOAD_HALF: u16 = 0x28; // BPF_LD | BPF_H | BPF_ABS
const LOAD_BYTE: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
const LOAD_HALF_INDEXED: u16 = 0x48; // BPF_LD | BPF_H | BPF_IND
const HEADER_LENGTH: u16 = 0xb1; // BPF_LDX | BPF_B | BPF_MSH
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const IF_SET: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const IF_AT_LEAST: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const IF_ABOVE: u16 = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K
const NETWORK: u32 = (-0x10_0000_i32).cast_unsigned(); // SKF_NET_OFF

/// Longest part of a packet that is kept: the headers and the beginning of what a service says.
const KEPT_BYTES: u32 = 65_535;
/// An IPv6 answer behind extension headers is rare; it is handed on and looked at in user space.
const EXTENSIONS: [u32; 4] = [0, 43, 44, 60];

impl Wanted {
    /// The program, in the order the kernel runs it.
    pub(crate) fn program(&self) -> Vec<libc::sock_filter> {
        let mut code = Assembler::default();
        code.load(LOAD_BYTE, NETWORK);
        code.plain(AND, 0xf0);
        code.jump(IF_EQUAL, 0x40, "", "six");
        self.four(&mut code);
        code.label("six");
        code.jump(IF_EQUAL, 0x60, "", "drop");
        self.six(&mut code);
        code.label("keep");
        code.plain(RETURN, KEPT_BYTES);
        code.label("drop");
        code.plain(RETURN, 0);
        code.resolve()
    }

    fn four(&self, code: &mut Assembler) {
        code.load(LOAD_BYTE, NETWORK + 9);
        code.jump(IF_EQUAL, 1, "keep", "");
        code.jump(IF_EQUAL, 6, "fragment4", "");
        code.jump(IF_EQUAL, 17, "fragment4", "drop");
        code.label("fragment4");
        code.load(LOAD_HALF, NETWORK + 6);
        code.jump(IF_SET, 0x1fff, "drop", "");
        code.load(HEADER_LENGTH, NETWORK);
        code.load(LOAD_HALF_INDEXED, NETWORK + 2);
        self.port(code);
    }

    fn six(&self, code: &mut Assembler) {
        code.load(LOAD_BYTE, NETWORK + 6);
        code.jump(IF_EQUAL, 58, "keep", "");
        for extension in EXTENSIONS {
            code.jump(IF_EQUAL, extension, "keep", "");
        }
        code.jump(IF_EQUAL, 6, "port6", "");
        code.jump(IF_EQUAL, 17, "port6", "drop");
        code.label("port6");
        code.load(LOAD_HALF, NETWORK + 42);
        self.port(code);
    }

    fn port(&self, code: &mut Assembler) {
        code.jump(IF_AT_LEAST, u32::from(*self.ports.start()), "", "drop");
        code.jump(IF_ABOVE, u32::from(*self.ports.end()), "drop", "keep");
    }
}

/// Instructions with named places to jump to.
#[derive(Default)]
struct Assembler {
    code: Vec<(libc::sock_filter, &'static str, &'static str)>,
    labels: Vec<(&'static str, usize)>,
}

impl Assembler {
    fn load(&mut self, code: u16, k: u32) {
        self.plain(code, k);
    }

    fn plain(&mut self, code: u16, k: u32) {
        self.code.push((libc::sock_filter { code, jt: 0, jf: 0, k }, "", ""));
    }

    /// Goes to a label, or on where the label is empty.
    fn jump(&mut self, code: u16, k: u32, yes: &'static str, no: &'static str) {
        self.code.push((libc::sock_filter { code, jt: 0, jf: 0, k }, yes, no));
    }

    fn label(&mut self, name: &'static str) {
        self.labels.push((name, self.code.len()));
    }

    fn resolve(self) -> Vec<libc::sock_filter> {
        let place = |name: &str, at: usize| -> u8 {
            let label = self.labels.iter().find(|(label, _)| *label == name);
            let distance = label.map_or(0, |(_, target)| target.saturating_sub(at + 1));
            u8::try_from(distance).unwrap_or(u8::MAX)
        };
        let resolved = |(at, (one, yes, no)): (usize, &(libc::sock_filter, &str, &str))| libc::sock_filter {
            jt: if yes.is_empty() { 0 } else { place(yes, at) },
            jf: if no.is_empty() { 0 } else { place(no, at) },
            ..*one
        };
        self.code.iter().enumerate().map(resolved).collect()
    }
}
