"""Reads the static feed as MISP and PyMISP do. Arguments: the address of the server, keys by name as JSON, and what each sees.

Every file is read by PyMISP; from these files PyMISP makes its own manifest and hashes, which must be ours.
"""

import json
import logging
import pathlib
import sys
import tempfile

import requests
from pymisp import MISPEvent
from pymisp.tools.feed import feed_meta_generator

logging.disable(logging.CRITICAL)
base, keys = sys.argv[1] + "/compat/misp/feed/", json.loads(sys.argv[2])


def get(name, path):
    return requests.get(base + path, headers={"Authorization": keys[name]} if keys[name] else {})


def feed(name):
    """Every file of a feed, held against what PyMISP makes of them; events by id."""
    manifest = get(name, "manifest.json").json()
    events = {}
    with tempfile.TemporaryDirectory() as folder:
        for uuid in manifest:
            answer = get(name, uuid + ".json")
            assert answer.status_code == 200, (name, uuid, answer.text)
            path = pathlib.Path(folder) / (uuid + ".json")
            path.write_bytes(answer.content)
            events[uuid] = MISPEvent()
            events[uuid].load_file(str(path))
            assert events[uuid].uuid == uuid
        feed_meta_generator(pathlib.Path(folder))
        theirs = json.loads((pathlib.Path(folder) / "manifest.json").read_text())
        hashes = sorted((pathlib.Path(folder) / "hashes.csv").read_text().split())
    for uuid, entry in manifest.items():
        for member in ("info", "date"):
            assert entry[member] == theirs[uuid][member], (uuid, member)
        assert int(entry["timestamp"]) == int(theirs[uuid]["timestamp"]), uuid
        assert int(entry["analysis"]) == int(theirs[uuid]["analysis"]) and int(entry["threat_level_id"]) == int(theirs[uuid]["threat_level_id"])
        assert entry["Orgc"]["uuid"] == theirs[uuid]["Orgc"]["uuid"], uuid
        assert [tag["name"] for tag in entry["Tag"]] == [tag["name"] for tag in theirs[uuid]["Tag"]], uuid
    assert sorted(get(name, "hashes.csv").text.split()) == hashes, name
    return events


told = {}
for name in keys:
    events = feed(name)
    again = set(get(name, "manifest.json").json())
    assert again == set(events), "ids stay"
    told[name] = sorted(event.info for event in events.values())
    assert get(name, "00000000-0000-4000-8000-000000000000.json").status_code == 404
    assert get(name, "../manifest").status_code == 404
print(json.dumps(told))
