"""Reads events of others with PyMISP. Arguments: the address of the server, keys by name as JSON. Prints what each is told."""

import json
import logging
import sys

from pymisp import PyMISP

logging.disable(logging.CRITICAL)
keys, told = json.loads(sys.argv[2]), {}
for name, key in keys.items():
    misp = PyMISP(sys.argv[1] + "/compat/misp/", key, ssl=False)
    everything = misp.search(pythonify=True)
    pages = [one for number in range(1, 13) for one in misp.search(limit=3, page=number, pythonify=True)]
    assert sorted(one.uuid for one in pages) == sorted(one.uuid for one in everything), (name, len(pages), len(everything))
    others = [one for one in everything if not one.info.startswith("Services at")]
    for one in others:
        for asked in (one.id, one.uuid):
            again = misp.get_event(asked, pythonify=True)
            assert (again.uuid, again.info) == (one.uuid, one.info), (name, asked)
    values = ["198.51.100.3|6667", "198.51.100.0/29", "evil.example", "EVIL.example", "192.0.2.77", "nothing.example"]
    told[name] = {
        "others": sorted(one.info for one in others),
        "by": {value: sorted(one.info for one in misp.search(value=value, pythonify=True) if one in others) for value in values},
        "domains": sorted(one.value for one in misp.search(controller="attributes", type_attribute="domain", pythonify=True)),
        "events of domains": sorted(one.info for one in misp.search(type_attribute="domain", pythonify=True)),
        "attributes": sorted(
            one.value
            for one in misp.search(controller="attributes", value="198.51.100.3|6667", pythonify=True)
            if one.value.endswith("6667")
        ),
    }
print(json.dumps(told))
