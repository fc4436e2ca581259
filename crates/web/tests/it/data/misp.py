"""Reads with PyMISP. Argument: the address of the server. Prints what it found as JSON."""

import json
import logging
import sys

from pymisp import MISPEvent, PyMISP

logging.disable(logging.CRITICAL)
misp = PyMISP(sys.argv[1] + "/compat/misp/", "K" * 40, ssl=False)
(event,) = misp.search(value="198.51.100.3", pythonify=True)
assert event.info == "Services at 198.51.100.3", event.info
assert [tag.name for tag in event.tags] == ["tlp:amber"], event.tags
values = sorted(attribute.value for attribute in event.attributes)
assert values == ["198.51.100.3|80", "198.51.100.3|8080"], values
assert misp.get_event(event.id, pythonify=True).uuid == event.uuid
found = misp.search(controller="attributes", value="198.51.100.0/29", type_attribute="ip-dst|port", pythonify=True)
everything = misp.search(pythonify=True)
pages, number = [], 1
while True:
    page = misp.search(limit=3, page=number, pythonify=True)
    pages += page
    number += 1
    if number > 20:
        break
assert sorted(one.uuid for one in pages) == sorted(one.uuid for one in everything), (len(pages), len(everything))
assert all(len(one.attributes) == 2 for one in pages + everything)
assert misp.search(value="example.jp") == []
refused = misp.search(tags="tlp:red")
assert "errors" in refused, refused
event = MISPEvent()
event.info = "x"
refused = misp.add_event(event)
assert "hinomi objects import" in str(refused.get("errors")), refused
print(json.dumps({"events": len(everything), "attributes": len(found)}))
