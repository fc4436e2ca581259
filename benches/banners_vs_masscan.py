#!/usr/bin/env python3
"""The simulated town over a pair of virtual devices, surveyed by Hinomi, by `masscan --banners` and, a sample of it, by `nmap -sV`.

    cargo build --release && sudo python3 benches/banners_vs_masscan.py [HOSTS] [SAMPLE]

Needs root (network namespaces of its own, nothing leaves the machine), masscan and nmap (Debian packages). Every tool
may send 200,000 probes a second. Services stand on usual and on odd ports alike. Counted are services of the town's truth
without planted faults: found at all, with the language right, and with the product named (masscan names none itself: the
product counts as named when its name stands anywhere in the banner).
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as xml

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
HINOMI = os.path.join(TARGET, "release", "hinomi")
RATE, SEED, BASE, RANGE = 200_000, "11", "198.19.0.0", "198.19.0.0/16"


def run(*words, **options):
    return subprocess.run(words, check=True, text=True, capture_output=True, **options)


def line():
    """A pair of devices; the other end has every address of the range."""
    far = subprocess.Popen(["unshare", "-n", "sleep", "100000"])
    time.sleep(0.3)
    enter = ["nsenter", "-t", str(far.pid), "-n"]
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "left", "type", "veth", "peer", "name", "right")
    run("ip", "link", "set", "right", "netns", str(far.pid))
    run("ip", "addr", "add", "198.18.0.1/24", "dev", "left")
    run("ip", "link", "set", "left", "up")
    for words in ("link set lo up", "addr add 198.18.0.2/24 dev right", "link set right up", f"route add local {RANGE} dev lo"):
        run(*enter, "ip", *words.split())
    run("ip", "route", "add", RANGE, "via", "198.18.0.2", "dev", "left")
    gateway = run(*enter, "ip", "-o", "link", "show", "dev", "right").stdout.split("link/ether ")[1].split()[0]
    return far, enter, gateway


def scope(state, town):
    path, key = os.path.join(state, "scope.toml"), os.path.join(state, "key")
    hinomi = lambda *words: run(HINOMI, *words, "--state", state)
    public = hinomi("scope", "key", key).stdout.split()[0]
    hinomi("scope", "trust", public, "--name", "bench")
    ranges = [word for prefix in town["addresses"] for word in ("--range", prefix)]
    hinomi("scope", "new", "--name", "bench", *ranges, "--tcp-ports", town["tcp_ports"], "--udp-ports", "", "--probe", "all",
           "--organisation", "bench", "--person", "bench", "--email", "bench@localhost", "--out", path)
    text = open(path).read()
    for name, value in (("total_pps", RATE), ("per_prefix_pps", RATE), ("per_host_pps", 2_000), ("per_host_connections", 8)):
        text = "\n".join(f"{name} = {value}" if line.startswith(name + " ") else line for line in text.splitlines()) + "\n"
    open(path, "w").write(text)
    hinomi("scope", "sign", path, "--key", key)
    return path


def by_hinomi(state, path):
    start = time.monotonic()
    report = json.loads(run(HINOMI, "--state", state, "--json", "survey", "--scope", path, "--engine", "frames", "--once").stdout)
    seconds = time.monotonic() - start
    print(report["counts"])
    found = {}
    for text in run(HINOMI, "export", "--format", "jsonl", "--state", state).stdout.splitlines():
        service = json.loads(text)
        found[service["address"], service["port"]] = (service.get("protocol") or "", service.get("product") or "")
    return seconds, found


def by_masscan(folder, town, gateway):
    out = os.path.join(folder, "masscan.json")
    command = ["masscan", "--banners", "--interface", "left", "--router-mac", gateway.replace(":", "-"), "--source-ip",
               "198.18.0.77", "--source-port", "40000", "-p", town["tcp_ports"], "--rate", str(RATE), "--wait", "10", "-oD", out, *town["addresses"]]
    start = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.monotonic() - start
    found = {}
    for text in open(out, encoding="utf-8", errors="replace"):
        record = json.loads(text)
        key = record["ip"], record["port"]
        protocol, words = found.get(key, ("", ""))
        if record.get("rec_type") == "banner":
            data = record["data"]
            protocol, words = data.get("service_name") or protocol, words + " " + str(data.get("banner", ""))
        found[key] = (protocol, words)
    return seconds, found


def by_nmap(folder, town, sample):
    out = os.path.join(folder, "nmap.xml")
    start = time.monotonic()
    subprocess.run(["nmap", "-sV", "-Pn", "-n", "-T5", "-p", town["tcp_ports"], "-oX", out, *sample], check=True, capture_output=True)
    seconds = time.monotonic() - start
    found = {}
    for host in xml.parse(out).getroot().iter("host"):
        for port in host.iter("port"):
            service = port.find("service")
            if port.find("state").get("state") == "open":
                names = (service.get("name") or "", service.get("product") or "") if service is not None else ("", "")
                found[host.find("address").get("addr"), int(port.get("portid"))] = names
    return seconds, found


def judge(truth, found):
    of = [(service, found.get((service["address"], service["port"]))) for service in truth]
    language = lambda service, name: (service["protocol"] or "?").split("-")[0] in name.lower() or name.lower() in (service["protocol"] or "?")
    return {
        "open": sum(got is not None for _, got in of),
        "language right": sum(bool(got and got[0]) and language(service, got[0]) for service, got in of),
        "product named": sum(bool(got and service["product"]) and service["product"].lower() in got[1].lower() for service, got in of),
    }


def main():
    hosts = sys.argv[1] if len(sys.argv) > 1 else "65536"
    sampled = int(sys.argv[2]) if len(sys.argv) > 2 else 64
    if os.environ.get("HINOMI_BENCH_INSIDE") is None:
        os.execvpe("unshare", ["unshare", "-n", sys.executable, *sys.argv], {**os.environ, "HINOMI_BENCH_INSIDE": "1"})
    folder, town_state = tempfile.mkdtemp(), tempfile.mkdtemp()
    far, enter, gateway = line()
    same = ["--size", hosts, "--seed", SEED, "--base", BASE, "--interface", "right"]
    town = subprocess.Popen([*enter, HINOMI, "town", "up", "--json", "--state", town_state, *same], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        up = json.loads(town.stdout.readline())
        truth = [json.loads(text) for text in run(*enter, HINOMI, "town", "truth", "--json", "--state", town_state, *same).stdout.splitlines()]
        truth = [service for service in truth if service["transport"] == "tcp" and not service["faults"]]
        print(f"{hosts} hosts, {len(truth)} TCP services without faults, {os.cpu_count()} cores", flush=True)
        for name, (seconds, found) in (("hinomi", by_hinomi(folder, scope(folder, up))), ("masscan", by_masscan(folder, up, gateway))):
            print(f"{name:10} {seconds:8.1f} s  {judge(truth, found)}", flush=True)
        sample = sorted({service["address"] for service in truth})[:sampled]
        of_sample = [service for service in truth if service["address"] in sample]
        seconds, found = by_nmap(folder, up, sample)
        print(f"nmap -sV   {seconds:8.1f} s for {len(sample)} hosts: {judge(of_sample, found)} of {len(of_sample)}")
    finally:
        town.terminate()
        town.wait()
        far.kill()
        for path in (folder, town_state):
            shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    main()
