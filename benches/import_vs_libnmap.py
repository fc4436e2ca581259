#!/usr/bin/env python3
"""A large nmap XML file read by lxml alone, by python-libnmap, by our parser alone and by the whole `hinomi import`.

    cargo build --release && cargo build --release -p hinomi-wire --example read_scan
    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install python-libnmap lxml
    /tmp/venv/bin/python benches/import_vs_libnmap.py [HOSTS]

20,000 hosts with five ports each when nothing is said: 163 MB, made by benches/nmap_xml.py. Each runs in a process of its
own, after the file was read once; time is that of the process, memory its largest resident set. Where
the processors' time is much less than it should be, other processes disturbed the run. The import goes into a
fresh state folder and is on disk when it ends; the second import finds everything there already.
"""

import os
import subprocess
import sys
import tempfile
import time

import nmap_xml

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
HINOMI = os.path.join(TARGET, "release", "hinomi")
READER = os.path.join(TARGET, "release", "examples", "read_scan")
PORTS = 5

LXML = """
import sys
from lxml import etree
ports = 0
for _, port in etree.iterparse(sys.argv[1], tag="port"):
    ports += 1
    port.clear()
    while port.getprevious() is not None:
        del port.getparent()[0]
print(ports)
"""

LIBNMAP = """
import sys
from libnmap.parser import NmapParser
print(sum(len(host.services) for host in NmapParser.parse_fromfile(sys.argv[1]).hosts))
"""


def measured(command, ports):
    """Seconds, seconds of processor and megabytes of a process that says how many ports it read."""
    with tempfile.TemporaryFile() as out:
        start = time.monotonic()
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        told = out.read().decode()
    if child.returncode or str(ports) not in told:
        sys.exit(f"{command[0]} ended with {child.returncode} and said {told!r}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    hosts = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    ports = hosts * PORTS
    with tempfile.TemporaryDirectory() as folder:
        scan, state = os.path.join(folder, "scan.xml"), os.path.join(folder, "state")
        megabytes = nmap_xml.write(hosts, scan) / 1e6
        with open(scan, "rb") as file:
            while file.read(1 << 24):
                pass
        lake = [HINOMI, "import", scan, "--state", state]
        rows = [
            ("lxml iterparse alone", measured([sys.executable, "-c", LXML, scan], ports)),
            ("python-libnmap", measured([sys.executable, "-c", LIBNMAP, scan], ports)),
            ("our parser alone", measured([READER, scan], ports)),
            ("hinomi import", measured(lake, ports)),
            ("hinomi import again", measured(lake, ports)),
        ]
    libnmap = dict(rows)["python-libnmap"][0]
    print(f"{hosts} hosts, {ports} ports, {megabytes:.0f} MB; {os.cpu_count()} cores")
    for name, (seconds, processor, memory) in rows:
        print(f"{name:22} {seconds:6.1f} s {processor:6.1f} s of processor {megabytes / seconds:6.0f} MB/s "
              f"{ports / seconds:8.0f} ports/s {memory:6.0f} MB memory {libnmap / seconds:5.1f} x libnmap's speed")


main()
