#!/usr/bin/env python3
"""What a survey costs that hardly does anything: start-up, memory of a /8 with ten ports, processor at ten packets a second.

    cargo build --release
    sudo python3 benches/survey_costs.py [ROUNDS]

Needs root (network namespaces of its own, nothing leaves the machine). Start-up is from the start of the process to the first
frame on the device, gateway and sockets found on the way; memory is the most that the process ever held (VmHWM), at full rate after
five seconds; processor time is that of the process over twenty seconds at ten packets a second. What arrives at the other end is dropped.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import sweep_vs_zmap as line

RANGE = "10.0.0.0/8"
PORTS = "21-23,80,443,554,1883,7547,8080,8443"


def scope(folder, name, rate):
    state, path = os.path.join(folder, f"state-{name}"), os.path.join(folder, f"{name}.toml")
    text = (line.SCOPE % (RANGE, PORTS)).replace("4000000000", str(rate))
    open(path, "w").write(text)
    key = os.path.join(folder, f"key-{name}")
    public = line.run(line.HINOMI, "--state", state, "scope", "key", key).stdout.split()[0]
    line.run(line.HINOMI, "--state", state, "scope", "trust", public, "--name", "bench")
    line.run(line.HINOMI, "--state", state, "scope", "sign", path, "--key", key)
    return [line.HINOMI, "--state", state, "survey", "--scope", path, "--no-grab", "--new", "--engine", "xdp-copy"]


def children(pid):
    """The process and those below it."""
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        below = open(f"/proc/{pid}/task/{task}/children").read().split()
        found += [one for child in below for one in children(int(child))]
    return found


def first_frame(command):
    before, start = line.sent(), time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while line.sent() == before:
        if process.poll() is not None or time.monotonic() - start > 60:
            raise RuntimeError("does not send")
        time.sleep(0.001)
    return process, time.monotonic() - start


def memory(pid):
    fields = [open(f"/proc/{one}/status").read() for one in children(pid)]
    return sum(int(text.split("VmHWM:")[1].split()[0]) for text in fields if "VmHWM:" in text) / 1024


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    if os.environ.get("HINOMI_BENCH_INSIDE") is None:
        os.execvpe("unshare", ["unshare", "-n", "-m", sys.executable, *sys.argv], {**os.environ, "HINOMI_BENCH_INSIDE": "1"})
    line.RANGE = RANGE
    other, _ = line.inside()
    folder = tempfile.mkdtemp()
    try:
        slow, fast = scope(folder, "slow", 10), scope(folder, "fast", 4_000_000_000)
        starts, peaks, shares = [], [], []
        for number in range(rounds):
            process, took = first_frame(fast)
            time.sleep(5)
            starts.append(took)
            peaks.append(memory(process.pid))
            process.kill()
            process.wait()
            process, _ = first_frame(slow)
            time.sleep(2)
            before, packets, start = line.spent(process.pid), line.sent(), time.monotonic()
            time.sleep(20)
            span = time.monotonic() - start
            shares.append((line.spent(process.pid) - before) / span * 100)
            sent = (line.sent() - packets) / span
            process.kill()
            process.wait()
            print(f"round {number + 1}: first frame after {took:.3f} s, {peaks[-1]:.0f} MB, {shares[-1]:.2f}% of one core at {sent:.1f} packets/s", flush=True)
        print(f"\n{RANGE}, ten ports, two visits: first frame after {statistics.median(starts):.3f} s; "
              f"{max(peaks):.0f} MB; {statistics.median(shares):.2f}% of one core at ten packets a second")
    finally:
        other.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
