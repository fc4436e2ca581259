//! How much commoner a port is among C&C endpoints than among all endpoints.
//!
//! Among C&C endpoints: the user's seeds where there are enough, otherwise the built-in shares, counted over 46,000
//! endpoints of device malware in maltrail's static trails (MIT licence; commit 8adace1, files elf_*.txt). Among all
//! endpoints: the user's own servers, each counted once, with the built-in shares as a prior worth [`PRIOR`] servers.

use super::World;
use super::statistics::as_f64;
use crate::purpose::Remote;

/// Endpoints per ten thousand on that port among known C&C endpoints of device malware.
const AMONG_CNC: [(u16, f64); 26] = [
    (7173, 193.0),
    (23, 133.0),
    (1311, 126.0),
    (1337, 103.0),
    (3778, 80.0),
    (666, 79.0),
    (5555, 52.0),
    (1312, 49.0),
    (38241, 45.0),
    (56999, 43.0),
    (8080, 43.0),
    (1520, 37.0),
    (2222, 36.0),
    (6969, 33.0),
    (61616, 32.0),
    (4444, 32.0),
    (9999, 30.0),
    (8443, 30.0),
    (37215, 27.0),
    (4258, 25.0),
    (2323, 21.0),
    (839, 20.0),
    (606, 20.0),
    (443, 18.0),
    (80, 15.0),
    (53, 3.0),
];
/// Share of all endpoints on that port in traffic of subscribers, per ten thousand: rough, and outweighed by the user's
/// own servers soon. The rest of the ports share what is left.
const AMONG_ALL: [(u16, f64); 40] = [
    (443, 6200.0),
    (80, 1300.0),
    (53, 250.0),
    (123, 150.0),
    (8080, 60.0),
    (993, 60.0),
    (5223, 60.0),
    (5228, 40.0),
    (8883, 40.0),
    (22, 30.0),
    (25, 20.0),
    (587, 20.0),
    (853, 30.0),
    (3478, 60.0),
    (8443, 40.0),
    (4500, 30.0),
    (500, 20.0),
    (1194, 20.0),
    (51820, 20.0),
    (6881, 60.0),
    (3074, 40.0),
    (995, 20.0),
    (5222, 40.0),
    (5060, 20.0),
    (5061, 10.0),
    (1935, 10.0),
    (1883, 10.0),
    (8000, 10.0),
    (9000, 5.0),
    (8081, 5.0),
    (8888, 5.0),
    (5000, 5.0),
    (81, 5.0),
    (3000, 3.0),
    (6969, 3.0),
    (9999, 1.0),
    (2222, 1.0),
    (4444, 0.5),
    (5555, 0.5),
    (23, 0.5),
];
/// Any other port below 10,000, per ten thousand; and above, where peers meet on ports of their own.
const OTHER_LOW: f64 = 0.05;
const OTHER_HIGH: f64 = 0.05;
/// A port that hardly any C&C endpoint has: a third of them share such ports.
const OTHER_CNC: f64 = 0.05;
/// Fewer seeds on a port are what any port has by chance.
const MIN_ON_PORT: u32 = 5;
/// How many servers the built-in shares are worth.
const PRIOR: f64 = 300.0;
/// A port that is expected on so many of the servers met and is on none is rarer here than elsewhere (e^-3: one chance in
/// twenty).
const EXPECTED_TO_MISS: f64 = 3.0;
/// With fewer seeds, the built-in shares are used.
const MIN_SEEDS: u32 = 500;
/// A port says no more than this, for it is easily changed.
pub const MOST: f64 = 5.5;
/// As above over UDP: lists do not tell the transport, and nearly all of what they name is TCP.
pub const MOST_UDP: f64 = 1.0;
const TCP: u8 = 6;
/// Nor less than this.
pub const LEAST: f64 = -2.0;

/// ln(share among C&C / share among all), within [`LEAST`] and [`MOST`].
pub(crate) fn log_likelihood_ratio(remote: Remote, world: &World) -> f64 {
    let most = if remote.protocol == TCP { MOST } else { MOST_UDP };
    (among_cnc(remote.port, world) / among_all(remote.port, world)).ln().clamp(LEAST, most)
}

fn among_cnc(port: u16, world: &World) -> f64 {
    let built_in = listed(&AMONG_CNC, port).unwrap_or(OTHER_CNC) / 1e4;
    let all = world.seeds.with_port();
    if all < MIN_SEEDS {
        return built_in;
    }
    let on_port = world.seeds.on_port(port);
    if on_port < MIN_ON_PORT {
        return built_in.min(OTHER_CNC / 1e4);
    }
    (f64::from(on_port) + PRIOR * built_in) / (f64::from(all) + PRIOR)
}

fn among_all(port: u16, world: &World) -> f64 {
    let other = if port < 10_000 { OTHER_LOW } else { OTHER_HIGH };
    let built_in = listed(&AMONG_ALL, port).unwrap_or(other) / 1e4;
    // The server that is judged is no reference for itself.
    let met = as_f64(world.ports.get(&port).copied().unwrap_or(0).saturating_sub(1));
    let share = (met + PRIOR * built_in) / (as_f64(world.servers) + PRIOR);
    // That a rare port was not met elsewhere is no news: there are more rare ports than servers. What is expected less
    // than so many times among the servers met cannot be missed there either; peers with a port each swell their number.
    let expected = built_in * as_f64(world.servers);
    if expected < EXPECTED_TO_MISS { share.max(built_in) } else { share }
}

fn listed(table: &[(u16, f64)], port: u16) -> Option<f64> {
    table.iter().find(|(known, _)| *known == port).map(|(_, share)| *share)
}
