#!/usr/bin/env python3
"""The same town and ports by Hinomi and by `nmap -sV`, in one run: time, right answers, ratio.

    cargo build --release && python3 benches/survey_vs_nmap.py [HOSTS]

Needs nmap (Debian package) and loopback only. An answer is right when the product of the town's own truth is named and,
where the service announces a version, that version too. Services with planted faults are left out of the count. The
town's devices are simulated: makers that do not exist are known to our rules and to no one else's. Time is the fair
comparison; what to make of the answers is in the handbook.
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
SEED, BASE = "11", "127.96.0.0"
NMAP_LIMIT_S = 3600


def hinomi(state, *arguments, **options):
    return subprocess.run([HINOMI, *arguments, "--state", state], check=True, text=True, capture_output=True, **options)


def signed_scope(state, town):
    path = os.path.join(state, "scope.toml")
    ranges = [word for prefix in town["addresses"] for word in ("--range", prefix)]
    hinomi(state, "scope", "new", "--name", "bench", *ranges, "--tcp-ports", town["tcp_ports"], "--udp-ports", "",
           "--organisation", "bench", "--person", "bench", "--email", "bench@localhost", "--out", path)
    text = open(path).read()
    for key, value in (("total_pps", 60000), ("per_prefix_pps", 60000), ("per_host_pps", 2000), ("per_host_connections", 8)):
        text = "\n".join(f"{key} = {value}" if line.startswith(key + " ") else line for line in text.splitlines()) + "\n"
    open(path, "w").write(text)
    hinomi(state, "scope", "sign", path)
    return path


def by_nmap(town, folder):
    out = os.path.join(folder, "nmap.xml")
    command = ["nmap", "-sV", "-Pn", "-n", "-T5", "-p", town["tcp_ports"], "-oX", out, *town["addresses"]]
    start = time.monotonic()
    subprocess.run(command, check=True, capture_output=True, timeout=NMAP_LIMIT_S)
    seconds = time.monotonic() - start
    found = {}
    for host in xml.parse(out).getroot().iter("host"):
        address = host.find("address").get("addr")
        for port in host.iter("port"):
            service = port.find("service")
            if port.find("state").get("state") == "open" and service is not None:
                found[address, int(port.get("portid"))] = (service.get("product"), service.get("version"))
    return seconds, found


def by_hinomi(state, scope):
    start = time.monotonic()
    hinomi(state, "survey", "--scope", scope)
    seconds = time.monotonic() - start
    lines = hinomi(state, "export", "--format", "jsonl").stdout.splitlines()
    services = [json.loads(line) for line in lines]
    return seconds, {(s["address"], s["port"]): (s.get("product"), s.get("version")) for s in services}


def judge(truth, found):
    right = wrong = silent = 0
    for service in truth:
        product, version = found.get((service["address"], service["port"]), (None, None))
        if not product:
            silent += 1
            continue
        same = service["product"].lower() in product.lower() or product.lower() in service["product"].lower()
        right += same and (not service["version"] or service["version"] == version)
        wrong += not (same and (not service["version"] or service["version"] == version))
    return {"right": right, "wrong": wrong, "not named": silent}


def side_by_side(truth, ours, theirs):
    """One line for each product of the town: what is true, what either says."""
    seen = set()
    print(f"\n{'true':36} {'hinomi':36} nmap -sV")
    for service in sorted(truth, key=lambda service: service["product"]):
        if service["product"] in seen:
            continue
        seen.add(service["product"])
        key = service["address"], service["port"]
        words = [" ".join(filter(None, pair)) or "-" for pair in
                 ((service["product"], service["version"]), ours.get(key, ()), theirs.get(key, ()))]
        print(f"{words[0]:36} {words[1]:36} {words[2]}")


def main():
    hosts = sys.argv[1] if len(sys.argv) > 1 else "64"
    if not shutil.which("nmap"):
        sys.exit("nmap is not installed (Debian package nmap)")
    with tempfile.TemporaryDirectory() as state:
        same = ["--size", hosts, "--seed", SEED, "--base", BASE]
        town = subprocess.Popen([HINOMI, "town", "up", "--json", "--state", state, *same], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            up = json.loads(town.stdout.readline())
            truth = [json.loads(line) for line in hinomi(state, "town", "truth", "--json", *same).stdout.splitlines()]
            truth = [s for s in truth if s["transport"] == "tcp" and s["product"] and not s["faults"]]
            ours_s, ours = by_hinomi(state, signed_scope(state, up))
            theirs_s, theirs = by_nmap(up, state)
        finally:
            town.terminate()
            town.wait()
    version = subprocess.run(["nmap", "--version"], text=True, capture_output=True).stdout.split("\n")[0]
    print(f"{hosts} hosts, {len(truth)} named TCP services without faults, {os.cpu_count()} cores; {version}")
    print(f"hinomi   {ours_s:8.1f} s  {judge(truth, ours)}")
    print(f"nmap -sV {theirs_s:8.1f} s  {judge(truth, theirs)}")
    print(f"ratio    {theirs_s / ours_s:8.1f} x")
    side_by_side(truth, ours, theirs)


main()
