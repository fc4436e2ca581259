"""Walks a TAXII server with OASIS's own client and holds what it tells against itself.

Arguments: the address of the discovery, and where to write the bundle. Prints counts as JSON.
"""

import json
import sys
import uuid

import requests
from taxii2client.v21 import Collection, Server, as_pages

base, out = sys.argv[1:]
server = Server(base + "/taxii2/", user="u", password="p")
root = server.default
assert root.versions == ["application/taxii+json;version=2.1"], root.versions
services, exercise = root.collections[:2]
assert (services.title, services.can_read, services.can_write) == ("Services", True, False)


def walk(collection, size, **filters):
    """Every object by pages of this size."""
    objects = []
    for page in as_pages(collection.get_objects, per_request=size, **filters):
        told = page.get("objects", [])
        assert len(told) <= size, (len(told), size)
        objects += told
    return objects


def name(one):
    return (one["id"], one.get("modified", one.get("created", "")))


everything = walk(services, 1000)
assert len({one["id"] for one in everything}) == len(everything), "each object once"
for size in (1, 3, 4, 7, 20):
    assert [name(one) for one in walk(services, size)] == [name(one) for one in everything], size

# Identifiers of observable objects, worked out by somebody else.
space = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
contributing = {
    "ipv4-addr": ["value"],
    "ipv6-addr": ["value"],
    "network-traffic": ["dst_port", "dst_ref", "protocols"],
    "software": ["cpe", "name", "vendor", "version"],
}
by_id = {one["id"]: one for one in everything}
for one in everything:
    if one["type"] in contributing:
        parts = {key: one[key] for key in contributing[one["type"]] if key in one}
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert one["id"] == f"{one['type']}--{uuid.uuid5(space, text)}", one
    for reference in one.get("object_refs", []) + one.get("object_marking_refs", []):
        assert reference in by_id, (one["id"], reference)

observed = [one for one in everything if one["type"] == "observed-data"]
assert walk(services, 2, type="observed-data") == observed
assert {one["type"] for one in walk(services, 20, type=["identity", "ipv4-addr"])} == {"identity", "ipv4-addr"}

# What several services share is told once by a walk; by itself as the newest of them tells it.
shared = [one for one in everything if one["type"] == "software"]
assert 0 < len(shared) < len(observed), (len(shared), len(observed))
assert [one["id"] for one in walk(services, 3, type="software")] == [one["id"] for one in shared]
(alone,) = services.get_object(shared[0]["id"])["objects"]
assert alone["id"] == shared[0]["id"]

# One object, its versions, and one that is not there.
wanted = observed[-1]
assert services.get_object(wanted["id"])["objects"] == [wanted]
assert services.object_versions(wanted["id"])["versions"] == [wanted["modified"]]
assert walk(services, 5, id=wanted["id"], version=wanted["modified"]) == [wanted]
assert walk(services, 5, id=wanted["id"], version="2001-01-01T00:00:00.000Z") == []
try:
    services.get_object("observed-data--00000000-0000-5000-8000-000000000000")
    raise AssertionError("there is no such object")
except requests.exceptions.HTTPError as error:
    assert error.response.status_code == 404, error
    told = error.response.json()
    assert told["http_status"] == "404" and told["title"], told

# Who goes on after the last date misses nothing and gets nothing twice.
manifest = [record for page in as_pages(services.get_manifest, per_request=6) for record in page["objects"]]
assert [record["id"] for record in manifest] == [one["id"] for one in everything]
dates = [record["date_added"] for record in manifest]
middle = sorted(set(dates))[len(set(dates)) // 2]
after = walk(services, 4, added_after=middle)
seen_after = lambda records: [one["id"] for one in records if one["id"].startswith(("observed-data", "network-traffic"))]
assert seen_after(after) == seen_after(record for record in manifest if record["date_added"] > middle)
assert walk(services, 4, added_after=dates[-1]) == []

answer = requests.get(services.objects_url, params={"limit": 3})
assert answer.headers["Content-Type"] == "application/taxii+json;version=2.1", answer.headers
first, last = (answer.headers[f"X-TAXII-Date-Added-{end}"] for end in ("First", "Last"))
assert first <= last and answer.json()["more"] is True, answer.headers
refused = {
    406: {"headers": {"Accept": "text/html"}},
    400: {"params": {"limit": "0"}},
}
for status, asked in refused.items():
    answer = requests.get(services.objects_url, **asked)
    assert answer.status_code == status, (status, answer.status_code, answer.text)
    assert answer.json()["http_status"] == str(status), answer.text
for bad in ({"match[kind]": "x"}, {"next": "nonsense"}, {"added_after": "yesterday"}, {"q": "tlp:red"}):
    assert requests.get(services.objects_url, params=bad).status_code == 400, bad
assert requests.get(base + "/taxii2/default/collections/none/objects/").status_code == 404
assert requests.get(base + "/taxii2/default/status/none/").status_code == 404
post = requests.post(services.objects_url, data="")
assert post.status_code == 403, post.status_code

with open(out, "w") as file:
    bundle = {"type": "bundle", "id": f"bundle--{uuid.uuid4()}", "objects": list(by_id.values())}
    json.dump(bundle, file)
markings = {ref for one in observed for ref in one["object_marking_refs"]}
addresses = sorted(one["value"] for one in everything if one["type"].endswith("-addr"))
drills = [one for one in walk(exercise, 50) if one["type"] == "observed-data"]
print(json.dumps({"observed": len(observed), "markings": len(markings), "addresses": addresses, "drills": len(drills)}))
