"""Gives objects over TAXII with OASIS's own client, and looks at them through the eyes of each organisation.

Arguments: the address of the server, keys by name as JSON, and where to write what was seen as a bundle.
"""

import json
import sys
import uuid

import requests
from taxii2client.v21 import Server, as_pages

base, keys, out = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
TYPE = "application/taxii+json;version=2.1"
MARKS = {
    "clear": "94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "red": "e828b379-4e03-4974-9ac4-e53a884c97c1",
}


def collections(name):
    root = Server(base + "/taxii2/", user="u", password=keys[name]).default
    return {one._raw["alias"]: one for one in root.collections}


of = {name: collections(name) for name in keys}
assert set(of["ward"]) == {"services", "exercise", "shared", "shared-exercise"}, set(of["ward"])
assert set(of["city"]) == set(of["port"]) == set(of["ward"]) | {"audience-isac"}
writable = {name: {alias for alias, one in found.items() if one.can_write} for name, found in of.items()}
assert writable["city"] == {"shared", "audience-isac"} and writable["ward"] == {"shared"}, writable
assert writable["reader"] == set()


def indicator(number, label, address, modified="2026-11-01T00:00:00.000Z", **more):
    marked = {"object_marking_refs": [f"marking-definition--{MARKS[label]}"]} if label else {}
    return {
        "type": "indicator", "spec_version": "2.1", "id": f"indicator--00000000-0000-4000-8000-{number:012d}",
        "created": "2026-11-01T00:00:00.000Z", "modified": modified, "indicator_types": ["malicious-activity"],
        "name": f"No. {number}", "pattern_type": "stix", "pattern": f"[ipv4-addr:value = '{address}']",
        "valid_from": "2026-11-01T00:00:00Z", **marked, **more,
    }


HERS, HIS = "198.51.100.7", "203.0.113.7"  # of the city, of the port
given = [
    indicator(1, "clear", HIS), indicator(2, "green", HIS), indicator(3, "amber", HIS), indicator(4, "amber", HERS),
    indicator(5, "red", HIS), indicator(6, None, HIS), indicator(7, "green", HIS, object_marking_refs=["marking-definition--" + str(uuid.uuid4())]),
    indicator(8, "amber", HIS, pattern=f"[ipv4-addr:value IN ('{HIS}', '{HERS}')]"),
    indicator(9, "clear", HIS, granular_markings=[{"selectors": ["name"], "marking_ref": "marking-definition--" + MARKS["red"]}]),
    {"type": "identity", "spec_version": "2.1", "id": "identity--" + str(uuid.uuid4()), "created": "2026-11-01T00:00:00.000Z",
     "modified": "2026-11-01T00:00:00.000Z", "name": "x", "identity_class": "group", "object_marking_refs": ["marking-definition--" + MARKS["amber"]]},
]
status = of["city"]["shared"].add_objects({"objects": given + [{"type": "indicator", "id": "no"}]}, wait_for_completion=True)
assert (status.status, status.total_count, status.success_count, status.failure_count) == ("complete", 11, 10, 1), status._raw
assert {one["id"] for one in status.successes} == {one["id"] for one in given}
assert status.failures[0]["id"] == "no" and status.failures[0]["message"], status.failures
place = f"{base}/taxii2/default/status/{status.id}/"
assert requests.get(place, auth=("u", keys["city"])).json() == status._raw
for other in ("reader", "port", "ward"):
    assert requests.get(place, auth=("u", keys[other])).status_code == 404, other


def numbers(name, alias="shared", size=3, **filters):
    told = []
    for page in as_pages(of[name][alias].get_objects, per_request=size, **filters):
        assert len(page.get("objects", [])) <= size
        told += page.get("objects", [])
    return [int(one["id"][-12:]) if one["type"] == "indicator" else one["type"] for one in told]


everything = [1, 2, 3, 4, 5, 6, 7, 8, 9, "identity"]
for size in (1, 2, 3, 100):
    assert numbers("city", size=size) == everything, (size, numbers("city", size=size))
    # AMBER for who holds every address; RED, unmarked and what nobody knows for who gave it.
    assert numbers("port", size=size) == [1, 2, 3], numbers("port", size=size)
    assert numbers("ward", size=size) == [1, 2], numbers("ward", size=size)
assert numbers("reader") == everything
for name, seen in (("city", everything), ("port", [1, 2, 3]), ("ward", [1, 2])):
    records = [one for page in as_pages(of[name]["shared"].get_manifest, per_request=2) for one in page.get("objects", [])]
    assert len(records) == len(seen), name
    dates = [one["date_added"] for one in records]
    assert dates == sorted(set(dates)), dates
    after = numbers(name, added_after=dates[0])
    assert after == seen[1:], (after, seen)
    answer = requests.get(of[name]["shared"].objects_url, auth=("u", keys[name]), headers={"Accept": TYPE}, params={"limit": 2})
    assert (answer.headers["X-TAXII-Date-Added-First"], answer.headers["X-TAXII-Date-Added-Last"]) == tuple(dates[:2])
hidden = f"indicator--00000000-0000-4000-8000-{5:012d}"
for path in ("objects/" + hidden + "/", "objects/" + hidden + "/versions/"):
    missing = requests.get(of["port"]["shared"].url + path, auth=("u", keys["port"]), headers={"Accept": TYPE})
    never = requests.get(of["port"]["shared"].url + path.replace("5/", "999/").replace("05/", "99/"), auth=("u", keys["port"]), headers={"Accept": TYPE})
    assert missing.status_code == never.status_code == 404 and missing.json() == never.json(), path
assert numbers("port", id=hidden) == []

# The bytes as they came, whatever is odd about them.
odd = '{ "type":"indicator",\n "spec_version" : "2.1", "id":"indicator--00000000-0000-4000-8000-000000000020",\t"name":"\\u65e5\\/x",'
odd += '"created":"2026-11-01T00:00:00.000Z","modified":"2026-11-01T00:00:00.000Z","pattern":"[ipv4-addr:value = \'198.51.100.7\']",'
odd += f'"pattern_type":"stix","valid_from":"2026-11-01T00:00:00.0Z","object_marking_refs":["marking-definition--{MARKS["green"]}"], "x_n": 1.50e1 }}'
post = requests.post(of["port"]["shared"].objects_url, data='{"objects":[' + odd + "]}", auth=("u", keys["port"]),
                     headers={"Accept": TYPE, "Content-Type": TYPE})
assert post.status_code == 202 and post.headers["Content-Type"] == TYPE and post.json()["success_count"] == 1, post.text
answer = requests.get(of["ward"]["shared"].objects_url + "indicator--00000000-0000-4000-8000-000000000020/", auth=("u", keys["ward"]), headers={"Accept": TYPE})
assert odd in answer.text, answer.text

# Versions: the last by default; each giver has his own; who may not see the last has an older last.
second = indicator(2, "red", HIS, modified="2026-11-02T00:00:00.000Z")
assert of["city"]["shared"].add_objects({"objects": [second]}, wait_for_completion=False).success_count == 1
changed = indicator(2, "green", HIS, name="another")
assert of["city"]["shared"].add_objects({"objects": [changed]}, wait_for_completion=False).failure_count == 1
ours = of["city"]["shared"]
told = [one["modified"] for one in ours.get_object(second["id"])["objects"]]
assert told == ["2026-11-02T00:00:00.000Z"], told
assert [one["modified"] for one in of["port"]["shared"].get_object(second["id"])["objects"]] == ["2026-11-01T00:00:00.000Z"]
assert ours.object_versions(second["id"])["versions"] == ["2026-11-01T00:00:00.000Z", "2026-11-02T00:00:00.000Z"]
assert of["port"]["shared"].object_versions(second["id"])["versions"] == ["2026-11-01T00:00:00.000Z"]
assert numbers("city", id=second["id"], version="all") == [2, 2]
assert numbers("city", id=second["id"], version="first") == [2]
assert numbers("city", type="identity") == ["identity"] and numbers("city", spec_version="2.0") == []

# An audience: for its members, who do not learn who gave it; the others have no such collection.
theirs = of["port"]["audience-isac"]
assert theirs.add_objects({"objects": [indicator(30, "amber", "192.0.2.1"), indicator(31, None, "192.0.2.1"), indicator(32, "green", "192.0.2.1")]}).success_count == 3
assert numbers("city", "audience-isac") == numbers("port", "audience-isac") == [30, 31, 32]
assert 30 not in numbers("city"), "not what is shared with everybody"
for way in (requests.get, requests.post, requests.delete):
    for path in ("", "objects/", "manifest/", f"objects/{hidden}/"):
        answer = way(theirs.url + path, auth=("u", keys["ward"]), headers={"Accept": TYPE, "Content-Type": TYPE}, data=b'{"objects":[]}' if way is requests.post else None)
        assert answer.status_code in (404, 405, 413), (way, path, answer.status_code, answer.text)
        if answer.status_code == 404:
            assert "There is no such collection" in answer.text, answer.text

# Own objects can be taken back, others' not.
try:
    of["port"]["shared"].delete_object(given[0]["id"])
    raise AssertionError("another gave it")
except requests.exceptions.HTTPError as error:
    assert error.response.status_code == 403, error
try:
    of["port"]["shared"].delete_object(hidden)
    raise AssertionError("he does not see it")
except requests.exceptions.HTTPError as error:
    assert error.response.status_code == 404, error
ours.delete_object(second["id"])
assert ours.object_versions(second["id"])["versions"] == ["2026-11-01T00:00:00.000Z"], "the last version"
ours.delete_object(given[0]["id"], version="all")
assert numbers("ward") == [2, 20], numbers("ward")

# What was of an exercise is apart.
drill = indicator(40, "clear", HIS, labels=["exercise"])
assert ours.add_objects({"objects": [drill]}).success_count == 1
assert 40 not in numbers("city") and 40 not in numbers("ward", "shared-exercise")
assert numbers("city", "shared-exercise") == [40], "who gave it sees it"

with open(out, "w") as file:
    objects = list({one["id"]: one for one in ours.get_objects()["objects"]}.values())
    json.dump({"type": "bundle", "id": f"bundle--{uuid.uuid4()}", "objects": [one for one in objects if one["id"][-3:] not in ("020", "007")]}, file)
print(json.dumps({"seen": len(objects)}))
