#!/usr/bin/env python3
"""Probes a second and core beside ZMap, masscan and a bare AF_XDP sender, over one pair of virtual devices, in one run.

    cargo build --release && cargo build --release -p hinomi-netio --example flood
    sudo python3 benches/sweep_vs_zmap.py [ROUNDS] [SECONDS]

Needs root (network namespaces of its own, nothing leaves the machine), zmap and masscan (Debian packages) and nft. What
arrives at the other end is dropped as early as the kernel can. Rates are read from the device's own counter over the
middle of each sender's run; processor time is that of the sender's process over the same span, the kernel's work on its
behalf included. Senders take turns, so that what else the machine does falls on all of them alike.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
HINOMI = os.path.join(TARGET, "release", "hinomi")
FLOOD = os.path.join(TARGET, "release", "examples", "flood")
RANGE = "198.19.0.0/16"
PORTS = "1-20000"
TICK = os.sysconf("SC_CLK_TCK")
SCOPE = """format = 1
name = "sweep"
hours = "always"
valid_from = "2020-01-01T00:00:00Z"
valid_until = "2099-01-01T00:00:00Z"
[authority]
organisation = "bench"
person = "bench"
[contact]
email = "bench@localhost"
[targets]
ranges = ["%s"]
exclude = []
tcp_ports = "%s"
udp_ports = ""
probes = ["connect"]
[rate]
total_pps = 4000000000
per_prefix_pps = 4000000000
per_host_pps = 4000000000
per_host_connections = 1
"""


def run(*words, **options):
    return subprocess.run(words, check=True, text=True, capture_output=True, **options)


def inside():
    """Devices `left` (ours) and `right` (the other end, in a namespace of its own that drops everything)."""
    other = subprocess.Popen(["unshare", "-n", "sleep", "100000"])
    time.sleep(0.3)
    enter = ["nsenter", "-t", str(other.pid), "-n"]
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "left", "type", "veth", "peer", "name", "right")
    run("ip", "link", "set", "right", "netns", str(other.pid))
    run("ip", "addr", "add", "198.18.0.1/24", "dev", "left")
    run("ip", "link", "set", "left", "up")
    run(*enter, "ip", "addr", "add", "198.18.0.2/24", "dev", "right")
    run(*enter, "ip", "link", "set", "right", "up")
    run(*enter, "nft", "table netdev t { chain c { type filter hook ingress device right priority 0; "
        "ip daddr 198.19.0.0/16 drop; ether daddr ff:ff:ff:ff:ff:ff ip daddr != 198.18.0.0/24 drop; }; }")
    run("ip", "route", "add", RANGE, "via", "198.18.0.2", "dev", "left")
    gateway = run(*enter, "ip", "-o", "link", "show", "dev", "right").stdout.split("link/ether ")[1].split()[0]
    run("ip", "neigh", "replace", "198.18.0.2", "dev", "left", "lladdr", gateway, "nud", "permanent")
    return other, gateway


def sent():
    for line in open("/proc/net/dev"):
        if line.strip().startswith("left:"):
            return int(line.split()[10])
    raise RuntimeError("no device")


def spent(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        fields = open(f"/proc/{pid}/task/{task}/stat").read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def measure(command, seconds, env=None):
    """Packets a second by the wall and nanoseconds of processor a packet, over `seconds` in the middle of a run."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
    try:
        before, deadline = sent(), time.monotonic() + 30
        while sent() - before < 50_000:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"does not send: {' '.join(command)}")
            time.sleep(0.02)
        time.sleep(0.5)
        start, packets, processor = time.monotonic(), sent(), spent(process.pid)
        time.sleep(seconds)
        span, packets, processor = time.monotonic() - start, sent() - packets, spent(process.pid) - processor
        if process.poll() is not None:
            raise RuntimeError(f"ended too early: {' '.join(command)}")
        return packets / span, processor * 1e9 / packets
    finally:
        process.kill()
        process.wait()


def prepared(folder):
    state, scope = os.path.join(folder, "state"), os.path.join(folder, "scope.toml")
    open(scope, "w").write(SCOPE % (RANGE, PORTS))
    key = os.path.join(folder, "key")
    public = run(HINOMI, "--state", state, "scope", "key", key).stdout.split()[0]
    run(HINOMI, "--state", state, "scope", "trust", public, "--name", "bench")
    run(HINOMI, "--state", state, "scope", "sign", scope, "--key", key)
    return state, scope


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 4
    if os.environ.get("HINOMI_BENCH_INSIDE") is None:
        os.execvpe("unshare", ["unshare", "-n", sys.executable, *sys.argv], {**os.environ, "HINOMI_BENCH_INSIDE": "1"})
    other, gateway = inside()
    folder = tempfile.mkdtemp()
    try:
        state, scope = prepared(folder)
        hinomi = [HINOMI, "--state", state, "survey", "--scope", scope, "--no-grab", "--once", "--new", "--engine"]
        rate = "4000000"
        senders = {
            "bare AF_XDP": [FLOOD, "left", "AF_XDP copy", "4000000000"],
            "bare AF_PACKET": [FLOOD, "left", "AF_PACKET", "4000000000"],
            "hinomi AF_XDP": [*hinomi, "xdp-copy"],
            "hinomi AF_PACKET": [*hinomi, "packet"],
            "zmap -T1": ["zmap", "-p", "80", "-i", "left", "-G", gateway, "-S", "198.18.0.1", "-T", "1", "-R", rate,
                         "-r", rate, "-P", "100000", "-b", "/dev/null", "-o", "/dev/null", "-q", RANGE],
            "masscan": ["masscan", "--interface", "left", "--router-mac", gateway.replace(":", "-"), "--source-ip",
                        "198.18.0.1", "-p", PORTS, "--rate", rate, "--wait", "0", "-oL", "/dev/null", RANGE],
        }
        figures = {name: [] for name in senders}
        for number in range(rounds):
            for name, command in senders.items():
                figures[name].append(measure(command, seconds))
                pps, cost = figures[name][-1]
                print(f"round {number + 1}  {name:18} {pps / 1000:9.0f} kpps {cost:8.0f} ns of processor a packet", flush=True)
        print("\nmedian of rounds, and cost beside hinomi AF_XDP")
        middle = {name: [statistics.median(values) for values in zip(*of)] for name, of in figures.items()}
        best = middle["hinomi AF_XDP"]
        for name, (pps, cost) in middle.items():
            print(f"{name:18} {pps / 1000:9.0f} kpps {cost:8.0f} ns   rate x{best[0] / pps:5.2f}   processor x{cost / best[1]:5.2f}")
    finally:
        other.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
