# Reasons of a C&C finding. One message a code, without selectors: numbers come formatted.
flow-seed-endpoint = lists of known C&C servers that name this endpoint: { $lists }; age of the newest entry in days: { $age_days }
flow-seed-endpoint-undated = lists of known C&C servers that name this endpoint: { $lists }; none of them says since when
flow-seed-host = lists of known C&C servers that name this host, without this port: { $lists }; age of the newest entry in days: { $age_days }
flow-seed-host-undated = lists of known C&C servers that name this host, without this port: { $lists }; none of them says since when
flow-graph-port = port { $port } is { $ratio } times commoner among known C&C servers (in the lists loaded: { $seeds }) than among all servers
flow-graph-network = known C&C endpoints in the same /24 or /48: { $seeds }
flow-graph-clients = the clients of known C&C servers meet here { $rank } times more than anywhere; shared part of clients { $jaccard }
flow-beacon-regular = clients come every { $gap_seconds } s; gaps of that length: { $sessions }, clients: { $clients }, beacon score { $score }
flow-beacon-period = visits repeat every { $period_seconds } s, strength { $strength } of 1, clients: { $clients }
flow-beacon-failed = { $run } connections in vain in a row, every { $gap_seconds } s, clients: { $clients }; a program goes on asking for a server that is gone
flow-beacon-keep-alive = lines stay open for { $duration_seconds } s, bytes a second: { $bytes_per_second }, clients: { $clients }
flow-chain-order = clients that met this server between their infection and their first attack: { $clients }; steps in order: { $stages } of 4
flow-lift-infected = clients known to be infected: { $infected } of { $clients }, { $lift } times more than chance (log10 p { $log10_p })
flow-synchrony-onset = clients that began the same attack within { $seconds } s: { $onsets } of { $clients } (log10 p { $log10_p })
flow-model-score = sizes and durations look like those of known C&C servers met here (so many: { $positives }; log-likelihood ratio { $score }, held-out families told apart with chance { $precision })
flow-context-popular = against: { $share } of all subscribers reach it
flow-context-port = against: on port { $port } nearly all servers are harmless (ratio { $ratio })
flow-context-hours = against: it is used in only { $hours_of_day } of 24 hours of the day, as people use things
flow-context-download = against: clients fetch much from it ({ $bytes_back } bytes a visit, { $ratio } times what they send)

flow-refute-lawful-service = The operator of the address shows that a lawful service runs there.
flow-refute-address-moved = The address was given to somebody else after the list was made.
flow-refute-known-product = The clients are of one product, and its maker names this endpoint.
flow-refute-shared-otherwise = The infected clients share something else: a household service, a maker's cloud.
flow-refute-no-attacks = Its clients reach it over several days without ever attacking anything.
flow-refute-known-protocol = Asked with permission, the port speaks a known, harmless protocol.

# The same in a word or two, for pictures and tables.
flow-short-seed-endpoint = listed endpoint
flow-short-seed-host = listed host
flow-short-graph-port = odd port
flow-short-graph-network = near known ones
flow-short-graph-clients = shared clients
flow-short-beacon-regular = regular visits
flow-short-beacon-period = hidden period
flow-short-beacon-failed = vain attempts
flow-short-beacon-keep-alive = lines kept open
flow-short-chain-order = infection chain
flow-short-lift-infected = infected clients
flow-short-synchrony-onset = attacks at once
flow-short-model-score = trained model
flow-short-context-popular = popular
flow-short-context-port = common port
flow-short-context-hours = hours of people
flow-short-context-download = downloads

# Groups of reasons that look at overlapping facts.
flow-group-knowledge = lists and neighbours
flow-group-rhythm = rhythm
flow-group-crowd = crowd of clients
flow-group-shape = sizes and durations
flow-group-context = against

# Why a finding was taken back.
flow-withdrawn-faded = nothing new was seen, and what was seen has grown old
flow-withdrawn-outweighed = a newer scoring does not bear it out
flow-withdrawn-suppressed = maintained knowledge vouches for the endpoint now
flow-withdrawn-refuted = somebody showed that it is wrong

# What the export gate said.
flow-passes = may be shared: enough distinct clients in one epoch, and seen in two epochs or more
flow-passes-corroborated = may be shared: named independently of the flows by { $by }
flow-corroboration-seed = a list of known servers
flow-corroboration-decoy = a decoy
flow-corroboration-telescope = a telescope
flow-kept-too-few-clients = stays inside: distinct clients in one epoch: at most { $had }, asked for: { $k }; and nothing else names it
flow-kept-one-epoch = stays inside: seen in one epoch only, two are asked for, and nothing else names it
flow-kept-unsure = stays inside: it is not sure enough
flow-kept-no-transport = stays inside: it is neither TCP nor UDP, and lists name only those
flow-kept-member-only = stays inside: it lies in the range of { $member }, who alone is told
