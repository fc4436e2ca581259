#!/usr/bin/env python3
"""Pages of TAXII from `hinomi serve` and from medallion, OASIS's reference server, over the same objects.

    cargo build --release
    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install medallion==3.0.0 taxii2-client==2.3.0
    HINOMI=target/release/hinomi /tmp/venv/bin/python benches/taxii_vs_medallion.py [HOSTS]

2,000 hosts with one service each when nothing is said. Hinomi imports them and tells all of its objects; medallion is
given exactly those, in memory. Then each is walked once in pages of 100, over one connection each. medallion puts the
whole answer together for the first page and takes the later ones from what it kept, so a row is the mean of a page over
the walk, with the first page and the median beside it. The ratio is what counts: both run on the same machine.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import requests

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
HINOMI = os.environ.get("HINOMI", os.path.join(TARGET, "release", "hinomi"))
ACCEPT = {"Accept": "application/taxii+json;version=2.1"}
PAGE = 100

MEDALLION = """
import json, sys
from werkzeug.serving import make_server
from medallion import application_instance, register_blueprints, set_config
config = json.load(open(sys.argv[1]))
for part in ("users", "taxii", "backend"):
    set_config(application_instance, part, config)
register_blueprints(application_instance)
server = make_server("127.0.0.1", 0, application_instance)
print(server.port, flush=True)
server.serve_forever()
"""


def start(command):
    """A server that says its address on its first line."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return child, child.stdout.readline().strip()


def walk(session, url, params=None):
    """Objects and the seconds of each page."""
    objects, seconds, params = [], [], dict(params or {}, limit=PAGE)
    while True:
        begun = time.monotonic()
        answer = session.get(url, params=params, headers=ACCEPT)
        seconds.append(time.monotonic() - begun)
        answer.raise_for_status()
        body = answer.json()
        objects += body.get("objects", [])
        if not body.get("more"):
            return objects, seconds
        params["next"] = body["next"]


def write_medallion(folder, objects, dates):
    """Its data and its configuration, with every object once."""
    media_type = "application/stix+json;version=2.1"
    manifest = [
        {"id": one["id"], "date_added": date, "version": one.get("modified", one.get("created", date)), "media_type": media_type}
        for one, date in zip(objects, dates)
    ]
    # Its own field for objects that have no date of their own.
    given = [
        one if "created" in one else dict(one, _date_added=date) for one, date in zip(objects, dates)
    ]
    collection = {
        "id": "91a7b528-80eb-42ed-a74d-c6fbd5a26116", "title": "Services", "can_read": True, "can_write": False,
        "media_types": [media_type], "objects": given, "manifest": manifest,
    }
    information = {"title": "x", "versions": ["application/taxii+json;version=2.1"], "max_content_length": 9765625}
    data = {
        "/discovery": {"title": "x", "default": "/api/", "api_roots": ["/api/"]},
        "api": {"information": information, "status": [], "collections": [collection]},
    }
    paths = [os.path.join(folder, name) for name in ("data.json", "config.json")]
    backend = {"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend", "filename": paths[0]}
    for path, content in zip(paths, (data, {"backend": backend, "users": {"u": "p"}, "taxii": {"max_page_size": PAGE}})):
        with open(path, "w") as file:
            json.dump(content, file)
    return paths[1]


def main():
    hosts = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    children = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            scan, state = os.path.join(folder, "scan.list"), os.path.join(folder, "state")
            with open(scan, "w") as file:
                file.write("#masscan\n")
                for host in range(hosts):
                    file.write(f"open tcp 22 198.{18 + host // 65536}.{host // 256 % 256}.{host % 256} {1790000000 + host}\n")
                file.write("# end\n")
            imported = [HINOMI, "import", "--format", "masscan-list", scan, "--state", state]
            subprocess.run(imported, check=True, stdout=subprocess.DEVNULL)
            child, url = start([HINOMI, "serve", "--port", "0", "--state", state])
            children.append(child)
            ours = url + "/taxii2/default/collections/services/"
            session = requests.Session()
            told, _ = walk(session, ours + "objects/")
            dates = {record["id"]: record["date_added"] for record in walk(session, ours + "manifest/")[0]}
            objects = list({one["id"]: one for one in told}.values())
            config = write_medallion(folder, objects, [dates[one["id"]] for one in objects])
            child, port = start([sys.executable, "-c", MEDALLION, config])
            children.append(child)
            theirs = f"http://127.0.0.1:{port}/api/collections/91a7b528-80eb-42ed-a74d-c6fbd5a26116/objects/"
            peer = requests.Session()
            peer.auth = ("u", "p")
            rows = {}
            for name, where, with_ in (("hinomi", ours + "objects/", session), ("medallion", theirs, peer)):
                got, rows[name] = walk(with_, where)
                assert len({one["id"] for one in got}) == len(objects), (name, len(got), len(objects))
        finally:
            for child in children:
                child.kill()
                child.wait()
    print(f"{len(objects)} objects in pages of {PAGE}; {os.cpu_count()} cores; {HINOMI}")
    for name, seconds in rows.items():
        mean, first, median = statistics.mean(seconds), seconds[0], statistics.median(seconds)
        print(f"{name:10} {mean * 1000:9.1f} ms a page, the first {first * 1000:.1f} ms, median {median * 1000:.1f} ms")
    print(f"ratio {statistics.mean(rows['medallion']) / statistics.mean(rows['hinomi']):.1f}")


if __name__ == "__main__":
    main()
