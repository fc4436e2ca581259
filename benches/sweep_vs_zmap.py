#!/usr/bin/env python3
"""Probes a second and core beside ZMap, masscan and a bare AF_XDP sender, over one pair of virtual devices, in one run.

    cargo build --release && cargo build --release -p hinomi-netio --example flood
    sudo python3 benches/sweep_vs_zmap.py [ROUNDS] [SECONDS] [rates]

Needs root (network namespaces of its own, nothing leaves the machine), zmap and masscan (Debian packages). Every sender has
one processor, with all its threads. As on a wire, the other end is no work of the sender: a thread of the kernel on another
processor takes what arrives and drops it at once (XDP by the device's driver); a machine with one processor has only that
one for both, and says so. Rates are read from the device's own counter over the middle of each sender's run; processor time
is that of the sender's process over the same span, the kernel's work on its behalf included. What the other end had no
room for was sent too, and is counted. Senders take turns, so that what else the machine does falls on all of them alike. With
`rates` it ends there; otherwise hosts that answer are looked for.
"""

import ctypes
import json
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
HINOMI = os.path.join(TARGET, "release", "hinomi")
FLOOD = os.path.join(TARGET, "release", "examples", "flood")
NEAR, FAR = 0, 1
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
    gateway = connect(other)
    folder = tempfile.mkdtemp()
    run("mount", "-t", "bpf", "bpf", folder)
    run(*enter, "ip", "link", "set", "dev", "right", "xdpdrv", "pinned", drop_everything(folder))
    if os.cpu_count() > 1:
        run(*enter, "unshare", "-m", "bash", "-c", "mount -t sysfs sysfs /sys && echo 1 > /sys/class/net/right/threaded")
        for thread in takers():
            os.sched_setaffinity(thread, {FAR})
    else:
        print("one processor: the other end's work is counted with the sender's")
    return other, gateway


def takers():
    """The kernel's threads that take what arrives at the other end."""
    names = ((entry, f"/proc/{entry}/comm") for entry in os.listdir("/proc") if entry.isdigit())
    found = [int(entry) for entry, path in names if os.path.exists(path) and open(path).read().startswith("napi/right-")]
    if not found:
        raise RuntimeError("no thread takes what arrives at the other end")
    return found


def drop_everything(folder):
    """A program of two instructions that drops what arrives before the kernel looks at it; gives where it is pinned."""
    load, pin, bpf, xdp = 5, 6, 321, 6
    libc = ctypes.CDLL(None, use_errno=True)

    def call(command, attributes):
        buffer = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
        result = libc.syscall(bpf, command, buffer, 128)
        if result < 0:
            raise OSError(ctypes.get_errno(), "bpf")
        return result

    program = ctypes.create_string_buffer(struct.pack("<BBhiBBhi", 0xB7, 0, 0, 1, 0x95, 0, 0, 0))
    licence = ctypes.create_string_buffer(b"GPL")
    handle = call(load, struct.pack("<IIQQ", xdp, 2, ctypes.addressof(program), ctypes.addressof(licence)))
    path = os.path.join(folder, "drop")
    name = ctypes.create_string_buffer(path.encode())
    call(pin, struct.pack("<QI", ctypes.addressof(name), handle))
    return path


def answering(folder):
    """The same, but every one of the 65,536 hosts answers on port 80: the kernel's own TCP, by AnyIP."""
    code = ("import socket; s = socket.socket(); s.bind(('0.0.0.0', 80)); s.listen(65535); print('up', flush=True)\n"
            "while True: s.accept()[0].close()")
    server = subprocess.Popen(["unshare", "-n", "bash", "-c", "ip link set lo up; ip route add local 198.19.0.0/16 dev lo; "
                               "sysctl -qw net.core.somaxconn=65535 net.ipv4.tcp_max_syn_backlog=65535; exec python3 -c \"$0\"", code],
                              stdout=subprocess.PIPE, text=True)
    server.stdout.readline()
    return server


def connect(other):
    enter = ["nsenter", "-t", str(other.pid), "-n"]
    run("ip", "link", "add", "left", "type", "veth", "peer", "name", "right")
    run("ip", "link", "set", "right", "netns", str(other.pid))
    run("ip", "addr", "add", "198.18.0.1/24", "dev", "left")
    run("ip", "link", "set", "left", "up")
    run(*enter, "ip", "addr", "add", "198.18.0.2/24", "dev", "right")
    run(*enter, "ip", "link", "set", "right", "up")
    run("ip", "route", "add", RANGE, "via", "198.18.0.2", "dev", "left")
    gateway = run(*enter, "ip", "-o", "link", "show", "dev", "right").stdout.split("link/ether ")[1].split()[0]
    run("ip", "neigh", "replace", "198.18.0.2", "dev", "left", "lladdr", gateway, "nud", "permanent")
    return gateway


def lines(path):
    return len({line for line in open(path) if line.strip() and not line.startswith("#")}) if os.path.exists(path) else 0


def coverage(state, scope, folder, rounds):
    """How many of 65,536 hosts that all answer each tool finds, as fast as it goes."""
    print("\nopen hosts found, of 65,536 that all answer, without a limit of rate")
    for number in range(rounds):
        other = answering(folder)
        gateway = connect(other)
        for name, extra in (("hinomi, one visit", ["--once"]), ("hinomi, two visits", [])):
            start = time.monotonic()
            said = run(HINOMI, "--state", state, "--json", "survey", "--scope", scope, "--ports", "80", "--no-grab", "--new", *extra)
            report = json.loads(said.stdout)
            print(f"round {number + 1}  {name:18} {report['counts']['open']:6} {time.monotonic() - start:6.1f} s  "
                  f"{report['coverage'] or ''} {report['counts']['by_reason'] or ''}", flush=True)
        out = os.path.join(folder, "zmap")
        start = time.monotonic()
        subprocess.run(["zmap", "-p", "80", "-i", "left", "-G", gateway, "-S", "198.18.0.1", "-r", "4000000", "-b", "/dev/null",
                        "-o", out, "-q", RANGE], check=True, capture_output=True)
        print(f"round {number + 1}  {'zmap':18} {lines(out):6} {time.monotonic() - start:6.1f} s", flush=True)
        os.remove(out)
        out = os.path.join(folder, "masscan")
        start = time.monotonic()
        subprocess.run(["masscan", "--interface", "left", "--router-mac", gateway.replace(":", "-"), "--source-ip", "198.18.0.1",
                        "-p", "80", "--rate", "4000000", "-oL", out, RANGE], check=True, capture_output=True)
        print(f"round {number + 1}  {'masscan':18} {lines(out):6} {time.monotonic() - start:6.1f} s", flush=True)
        if os.path.exists(out):
            os.remove(out)
        run("ip", "link", "del", "left")
        other.kill()
        other.wait()


def sent():
    for line in open("/proc/net/dev"):
        if line.strip().startswith("left:"):
            # Sent, and dropped because the other end had no room.
            return int(line.split()[10]) + int(line.split()[12])
    raise RuntimeError("no device")


def spent(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        fields = open(f"/proc/{pid}/task/{task}/stat").read().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def measure(command, seconds, env=None):
    """Packets a second by the wall and nanoseconds of processor a packet, over `seconds` in the middle of a run."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env,
                               preexec_fn=lambda: os.sched_setaffinity(0, {NEAR}))
    try:
        before, deadline = sent(), time.monotonic() + 30
        while sent() - before < 50_000:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"does not send: {' '.join(command)}")
            time.sleep(0.02)
        time.sleep(0.5)
        elsewhere = [task for task in os.listdir(f"/proc/{process.pid}/task") if os.sched_getaffinity(int(task)) != {NEAR}]
        if elsewhere:
            raise RuntimeError(f"uses another processor: {' '.join(command)}")
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
        os.execvpe("unshare", ["unshare", "-n", "-m", sys.executable, *sys.argv], {**os.environ, "HINOMI_BENCH_INSIDE": "1"})
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
            "zmap -T1": ["zmap", "-p", "80", "-i", "left", "-G", gateway, "-S", "198.18.0.1", "-T", "1",
                         "-r", rate, "-P", "1000", "--cores", str(NEAR), "-b", "/dev/null", "-o", "/dev/null", "-q", RANGE],
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
        run("ip", "link", "del", "left")
        if "rates" not in sys.argv[3:]:
            coverage(state, scope, folder, rounds)
    finally:
        other.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
