//! Exports as a router would send them: a template, then datagrams of about 1,400 bytes.

/// Seconds of every export.
pub const SECONDS: u32 = 1_700_000_000;
const UPTIME_MS: u32 = 500_000_000;
const DATAGRAM_BYTES: usize = 1_400;

/// Field type and length of a template.
pub type Field = (u16, u16);

/// What routers send about IPv4: addresses, next hop, interfaces, counters, times, ports, systems, masks and flags.
const IPV4: [Field; 20] = [
    (8, 4),
    (12, 4),
    (15, 4),
    (10, 4),
    (14, 4),
    (2, 8),
    (1, 8),
    (152, 8),
    (153, 8),
    (7, 2),
    (11, 2),
    (16, 4),
    (17, 4),
    (9, 1),
    (13, 1),
    (4, 1),
    (5, 1),
    (6, 1),
    (61, 1),
    (136, 1),
];
const IPV6: [Field; 12] =
    [(27, 16), (28, 16), (10, 4), (14, 4), (2, 8), (1, 8), (152, 8), (153, 8), (7, 2), (11, 2), (4, 1), (6, 1)];
/// The same with a name of an interface in between, which says its own length.
const VARIABLE: [Field; 12] =
    [(8, 4), (12, 4), (10, 4), (82, u16::MAX), (2, 8), (1, 8), (152, 8), (153, 8), (7, 2), (11, 2), (4, 1), (6, 1)];
/// NetFlow v9 tells times as uptime.
const V9: [Field; 16] = [
    (8, 4),
    (12, 4),
    (15, 4),
    (10, 4),
    (14, 4),
    (2, 4),
    (1, 4),
    (22, 4),
    (21, 4),
    (7, 2),
    (11, 2),
    (16, 4),
    (17, 4),
    (4, 1),
    (5, 1),
    (6, 1),
];

/// A protocol and a template.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Ipfix,
    IpfixIpv6,
    IpfixVariable,
    NetFlow9,
    NetFlow5,
}

impl Format {
    pub const ALL: [Self; 5] = [Self::Ipfix, Self::IpfixIpv6, Self::IpfixVariable, Self::NetFlow9, Self::NetFlow5];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ipfix => "IPFIX, 20 fields, IPv4",
            Self::IpfixIpv6 => "IPFIX, 12 fields, IPv6",
            Self::IpfixVariable => "IPFIX, variable length",
            Self::NetFlow9 => "NetFlow v9, 16 fields",
            Self::NetFlow5 => "NetFlow v5",
        }
    }

    pub fn fields(self) -> &'static [Field] {
        match self {
            Self::Ipfix => &IPV4,
            Self::IpfixIpv6 => &IPV6,
            Self::IpfixVariable => &VARIABLE,
            Self::NetFlow9 => &V9,
            Self::NetFlow5 => &[],
        }
    }
}

/// Datagrams in order, the template in the first.
pub struct Export {
    pub format: Format,
    pub records: usize,
    pub datagrams: Vec<Vec<u8>>,
}

impl Export {
    pub fn generate(format: Format, records: usize) -> Self {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut datagrams = vec![];
        if format != Format::NetFlow5 {
            datagrams.push(datagram(format, 0, &template(format), 1));
        }
        let mut sent = 0;
        while sent < records {
            let mut body = Vec::new();
            let mut count = 0;
            while sent + count < records && count < 30 && body.len() < DATAGRAM_BYTES - 100 {
                body.extend(record(format, &mut random));
                count += 1;
            }
            datagrams.push(datagram(format, sent, &set(format, body), count));
            sent += count;
        }
        Self { format, records, datagrams }
    }
}

fn set(format: Format, body: Vec<u8>) -> Vec<u8> {
    match format {
        Format::NetFlow5 => body,
        _ => [&[1, 0], &length(body.len() + 4)[..], &body].concat(),
    }
}

fn template(format: Format) -> Vec<u8> {
    let fields = format.fields();
    let id = if format == Format::NetFlow9 { 0 } else { 2 };
    let list = fields.iter().flat_map(|(field, length)| [field.to_be_bytes(), length.to_be_bytes()].concat());
    let record = [&[1, 0][..], &length(fields.len()), &list.collect::<Vec<u8>>()].concat();
    [&[0, id][..], &length(record.len() + 4), &record].concat()
}

fn datagram(format: Format, before: usize, sets: &[u8], count: usize) -> Vec<u8> {
    let number = u32::try_from(before).expect("few records");
    let head = match format {
        Format::NetFlow5 => words(&[UPTIME_MS, SECONDS, 0, number, 0]),
        Format::NetFlow9 => words(&[UPTIME_MS, SECONDS, number, 7]),
        _ => words(&[SECONDS, number, 7]),
    };
    let (version, second) = match format {
        Format::NetFlow5 => (5, count),
        Format::NetFlow9 => (9, count),
        _ => (10, 16 + sets.len()),
    };
    [&[0, version][..], &length(second), &head, sets].concat()
}

fn words(list: &[u32]) -> Vec<u8> {
    list.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).expect("a short datagram").to_be_bytes()
}

fn record(format: Format, random: &mut Random) -> Vec<u8> {
    if format == Format::NetFlow5 {
        let mut bytes: Vec<u8> = (0..48).map(|_| random.below(256) as u8).collect();
        bytes[24..32].copy_from_slice(&words(&[UPTIME_MS - 9_000, UPTIME_MS - random.below(8_000) as u32]));
        bytes[38] = 6;
        return bytes;
    }
    format.fields().iter().flat_map(|&field| value(field, random)).collect()
}

fn value((field, width): Field, random: &mut Random) -> Vec<u8> {
    let number = match field {
        4 => 6,
        1 => 40 + random.below(90_000),
        2 => 1 + random.below(60),
        152 => u64::from(SECONDS) * 1_000 - 9_000,
        153 => u64::from(SECONDS) * 1_000 - random.below(8_000),
        22 => u64::from(UPTIME_MS) - 9_000,
        21 => u64::from(UPTIME_MS) - random.below(8_000),
        82 => {
            let name = b"GigabitEthernet0/0/1";
            // Never empty: netflow_parser 1.0.6 stops reading a set at an empty one, and says nothing.
            let name = &name[..1 + random.below(20) as usize];
            return [&[name.len() as u8], name].concat();
        }
        _ => random.next(),
    };
    match width {
        16 => [number.to_be_bytes(), random.next().to_be_bytes()].concat(),
        width => number.to_be_bytes()[8 - usize::from(width)..].to_vec(),
    }
}

/// SplitMix64: the same records in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
