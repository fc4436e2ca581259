# C&C servers found in flows
flow-title = C&C servers in flows
flow-lead = Servers that command infected devices, recognised in flow records by how their clients behave. Who the clients are is not kept.
flow-none = No flows yet
flow-none-how = A collector reads NetFlow, IPFIX or sFlow, or captures. Say whose lines the flows are of; their addresses become pseudonyms that die with the day.
flow-begin-lines = Write down your own prefixes, one a line:
flow-begin-collect = Listen to your routers (name an address of this machine instead of 127.0.0.1 to hear others):
flow-begin-files = Or read captures that you have:
flow-figure-held = findings held
flow-figure-pass = may be shared
flow-figure-inside = stay inside
flow-figure-withdrawn = taken back or faded
flow-held = Held findings
flow-held-none = Nothing is held at this moment. What one kind of reason alone speaks for is no finding, however loudly it does.
flow-held-caption = Surest first; a finding fades by half in 14 days without new evidence
flow-more = { $n ->
    [one] { $count } more finding; the API lists it
   *[other] { $count } more findings; the API lists them
}
flow-balance-title = What speaks for each finding, by kind of reason
flow-balance-desc = Each bar is made of what groups of reasons add; the upright mark is where it becomes likelier than not; the dot is where the finding stands after what speaks against it. The table below has the same findings.
flow-even = as likely as not
flow-stands = where it stands
flow-endpoint = Endpoint
flow-confidence = Confidence
flow-reasons = Reasons
flow-clients-column = Clients in one epoch
flow-may-leave = Sharing
flow-last-told = Last confirmed
flow-first-told = First found
flow-told-confidence = Confidence then
flow-listed = Last on a shared list of
flow-collector = Collector
flow-account-unread = The collector's account cannot be read; the server's log says why. The findings are not touched by that.
flow-collector-state = State
flow-state-running = running
flow-state-silent = silent: it has said nothing for two minutes
flow-state-stopped = stopped
flow-started = Started
flow-updated = Last account
flow-listening = Listening on
flow-loss = Lost on the way
flow-kernel-drops = Dropped by the system
flow-key-dies = Pseudonyms die at
flow-infected-switch = Joined with infected lines
flow-own-switch = Own lines may be asked for
flow-on = yes
flow-off = no
flow-stage-received = Received
flow-stage-decoded = Decoded
flow-stage-inlet = Addresses become pseudonyms
flow-stage-pairs = Sessions
flow-stage-servers = Servers
flow-stage-watched = Seen subscribers do
flow-stage-scoring = Last scoring
flow-stage-spread = Between collector and workers
flow-stage-files = Files
flow-datagrams = datagrams
flow-frames = frames of interfaces
flow-bytes = bytes
flow-records = records
flow-option-records = about exporters
flow-templates = templates
flow-flows = flows
flow-files = Files that were read, interfaces that are watched
flow-file = File
flow-file-kind = Kind
flow-refused = Refused
flow-refused-caption = What did not become a flow, and why
flow-stage = Stage
flow-reason = Reason
flow-count = Times
flow-exporters = Exporters
flow-exporters-caption = Those that lost most first; loss by the numbers that each protocol counts
flow-exporter = Exporter
flow-exporter-inside = within the subscribers' range
flow-refused-short = Refused
flow-lost-share = Lost
flow-lost-what = What was lost
flow-heard = Last heard
flow-more-exporters = { $n ->
    [one] { $count } more exporter is not listed
   *[other] { $count } more exporters are not listed
}
flow-withdrawn = Taken back or faded
flow-withdrawn-caption = Newest first
flow-why = Why
flow-privacy = No subscriber's address and no pseudonym is on this page or behind it. That you looked is an entry of the ledger.
flow-damaged = { $n ->
    [one] { $count } line of the journal makes no sense and was left out.
   *[other] { $count } lines of the journal make no sense and were left out.
}
flow-too-old = { $n ->
    [one] { $count } byte of the journal is too old to be read here.
   *[other] { $count } bytes of the journal are too old to be read here.
}
flow-torn = { $n ->
    [one] The last line of the journal is unfinished ({ $count } byte): being written, or torn by a crash.
   *[other] The last line of the journal is unfinished ({ $count } bytes): being written, or torn by a crash.
}

flow-is-held = Held to be a C&C server
flow-is-not-held = Not held at this moment
flow-sum = How the confidence came to be
flow-sum-note = Natural log-odds. Reasons of one group look at overlapping facts, so each group is capped (≤). Right of the mark it is likelier than not.
flow-waterfall-title = From the base rate to the confidence, group by group
flow-waterfall-desc = Each bar begins where the one above it ends; the last one is the sum. The table of reasons below has the numbers.
flow-step-base = base rate
flow-step-result = sum
flow-reasons-heading = Every reason
flow-reasons-caption = Log-likelihood ratios as scored at
flow-weight = Weight
flow-nothing-against = Nothing was found that speaks against it.
flow-compared = What it was compared with, and what could be seen
flow-base = { $n ->
    [one] Before anything is seen, every scored endpoint is taken for a C&C server.
   *[other] Before anything is seen, one of { $count } scored endpoints is taken to be a C&C server.
}
flow-clients = { $n ->
    [one] At most { $count } distinct client in one epoch,
   *[other] At most { $count } distinct clients in one epoch,
}
flow-epochs = { $n ->
    [one] { " " }seen in { $count } epoch.
   *[other] { " " }seen in { $count } epochs.
}
flow-unsampled = Every packet was looked at by the exporters.
flow-sampled = { $n ->
    [one] Every packet was looked at.
   *[other] Exporters looked at one of { $count } packets.
}
flow-sampling-unknown = Some exporter does not tell its sampling.
flow-lost = { $it } of the records were lost on the way.
flow-nothing-lost = No record was lost on the way.
flow-if-all-seen = With every packet seen, the same evidence would give { $it }.
flow-refute = What would refute it
flow-refute-how = Somebody who can show it takes the finding back; name and reason go into the ledger:
flow-scorings = Evidence over time
flow-classes-title = Confidence and kinds of evidence, scoring by scoring
flow-classes-desc = Above, the confidence of each scoring, with a mark at one half. Below, a row for each kind of evidence; larger dots weigh more. The table below has the same scorings.
flow-speaks-for = speaks for it
flow-speaks-against = speaks against it
flow-taken-back = taken back
flow-scorings-table = The scorings as a table
flow-scorings-caption = Newest first
flow-scorings-more = (the newest 60; the API has the rest)
flow-surveyed = What surveys saw at this address

flow-sum-flows = flows
flow-sum-whole = whole
flow-sum-joined = joined from two halves
flow-sum-alone = half only
flow-sum-crowded-out = crowded out
flow-sum-waiting = waiting
flow-sum-remote-is-client = far end is the client
flow-sum-counted = counted
flow-sum-not-admitted = too few clients so far
flow-sum-servers = servers
flow-sum-scans = scans
flow-sum-floods = floods
flow-sum-backscatter = backscatter
flow-sum-inbound = probes from outside
flow-sum-scored = scored
flow-sum-scanned = left out: scanned
flow-sum-flooded = left out: flooded
flow-sum-suppressed = left out: known harmless
flow-sum-parcels = parcels
flow-sum-missed = parcels missed by workers
flow-sum-begun-anew = workers begun anew
flow-sum-stray = stray replies
flow-sum-no-subscriber = neither side is a subscriber
flow-sum-both-subscribers = both sides are subscribers
flow-sum-not-unicast = far end is a group or nobody
flow-sum-local-remote = far end is in private address space
flow-sum-no-ports = no ports
flow-sum-empty = no packet counted
flow-sum-outside-epoch = no key for its time
flow-sum-packets = packets
flow-sum-records = records
flow-sum-datagrams = datagrams
flow-sum-samples = samples
flow-sum-admitted = admitted
flow-sum-evicted = dropped: the table was full
flow-sum-expired = forgotten after silence
flow-sum-forgotten = no longer followed after silence
flow-sum-unwatched = beyond those followed at once
flow-sum-no-room = no room to remember
flow-sum-unknown-version = none of NetFlow v5, v9, IPFIX and sFlow v5
flow-sum-truncated-header = ends within a header
flow-sum-length-mismatch = the header promises more than there is
flow-sum-too-many-exporters = too many exporters
flow-sum-too-many-domains = too many domains of exporters
flow-sum-bad-set-length = a set of impossible length
flow-sum-reserved-set = a set that no specification knows
flow-sum-bad-template = a damaged template
flow-sum-impossible-template = a template of impossible records
flow-sum-too-many-fields = a template of too many fields
flow-sum-too-many-templates = too many templates
flow-sum-missing-template = its template did not come in time
flow-sum-truncated-record = a record longer than its set
flow-sum-leftover = bytes after the last record
flow-sum-no-addresses = a record without source or destination
flow-sum-bad-sample = a damaged sample
flow-sum-unknown-sample = a sample of a kind that is not read
flow-sum-unreadable-packet = a sample without an IP packet

flow-file-unreadable = not readable
flow-file-no-header = no line before it names the columns
flow-file-missing-column = there is no column { $it }
flow-file-other-log = a log of something else than connections
flow-file-missing-value = there is no value for { $it }
flow-file-bad-value = { $it } is not what that column holds
flow-file-named-port = { $it } is a name: have it written as a number (ra -n)
flow-file-not-ip = not an IP flow
flow-file-management = a record of the tool about itself
flow-file-event = an event without packets or bytes
flow-file-too-long = longer than we read
flow-file-json = not a JSON object of a connection
flow-file-gzip = packed with gzip: unpack it first (gzip -d FILE)
flow-file-not-nfdump = not a file of nfdump on a little-endian machine
flow-file-layout = its layout { $it } is not one we read: convert it with nfdump -r FILE -w NEW
flow-file-compression = compressed with { $it }: convert it with nfdump -r FILE -y -w NEW
flow-file-footer = its end is not that of a Parquet file: was it cut off?
flow-file-wrong-type = the column { $it } is not of a type that the schema allows
flow-file-column-compression = the column { $it } is compressed with something else than zstd: write the file again with zstd
flow-file-undecodable = the column { $it } cannot be decoded
flow-file-too-large = { $it } is larger than we read
flow-file-encrypted = it is encrypted
flow-file-decompress = a block cannot be decompressed
flow-file-truncated = the file ends within { $it }
flow-file-invalid = { $it } contradicts the rest of the file
flow-file-future = it ends in the future: is a clock wrong?
flow-file-link = a kind of link that is not read
flow-file-frame-not-ip = not an IP packet: it says { $it }
flow-file-frame-truncated = the snapshot ends before the IP header does
flow-file-frame-too-many-tags = more VLAN tags or MPLS labels than the { $it } we read
flow-file-frame-malformed = an IP header that contradicts itself

flow-about-several-methods = several methods at once
flow-about-unknown-method = a method that is not known
flow-about-header = its header
flow-about-block = a block
flow-about-block-header = a block's header
flow-about-block-records = a block's number of records
flow-about-record = a record
flow-about-record-length = a record's length
flow-about-element = a record's element
flow-about-element-length = the length of a record's element
flow-about-extension-map = an extension map
flow-about-message = a message
flow-about-message-header = the header of a message
flow-about-message-set = a set of the message
flow-about-row-group = a row group
flow-about-rows = a number of rows
flow-about-column-values = a column's number of values
flow-about-footer = the footer
flow-about-column = a column of a row group
flow-about-page = a page of a column
flow-about-piped-table = a Parquet file from a pipe
flow-about-schema = the schema
flow-about-row-groups = the number of row groups
flow-about-dictionary = the dictionary of a column
flow-about-dictionary-values = a dictionary's number of values
