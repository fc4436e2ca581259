# Words of every page
skip = Skip to the content
nav-label = Main
nav-overview = Overview
nav-search = Search
nav-surveys = Surveys
nav-flow = Flows
nav-about = About
language-label = Language
crumbs = You are here
foot = These pages load nothing from anywhere else.

services-count = { $n ->
    [one] { $count } service
   *[other] { $count } services
}
hosts-count = { $n ->
    [one] { $count } host
   *[other] { $count } hosts
}
bytes-count = { $n ->
    [one] { $count } byte
   *[other] { $count } bytes
}
more-services = { $n ->
    [one] { $count } more service; search shows it
   *[other] { $count } more services; search shows them
}
services = Services
address = Address
yes = yes
reload = Show the latest
live-pause = Pause updates
live-resume = Resume updates
time = Time
port = Port
sensor = Seen by
first-seen = First seen
last-seen = Last seen
firmware = Firmware
os = System
network = Network
size = Size
truncated = there was more; it was cut
evidence = Evidence
stands-out = Wants attention
rate = { $it } a second
paging-label = Pages

ago-second = { $n ->
    [one] { $count } second ago
   *[other] { $count } seconds ago
}
ago-minute = { $n ->
    [one] { $count } minute ago
   *[other] { $count } minutes ago
}
ago-hour = { $n ->
    [one] { $count } hour ago
   *[other] { $count } hours ago
}
ago-day = { $n ->
    [one] { $count } day ago
   *[other] { $count } days ago
}
ago-year = { $n ->
    [one] { $count } year ago
   *[other] { $count } years ago
}
ahead-second = { $n ->
    [one] in { $count } second
   *[other] in { $count } seconds
}
ahead-minute = { $n ->
    [one] in { $count } minute
   *[other] in { $count } minutes
}
ahead-hour = { $n ->
    [one] in { $count } hour
   *[other] in { $count } hours
}
ahead-day = { $n ->
    [one] in { $count } day
   *[other] in { $count } days
}
ahead-year = { $n ->
    [one] in { $count } year
   *[other] in { $count } years
}
span-second = { $n ->
    [one] { $count } second
   *[other] { $count } seconds
}
span-minute = { $n ->
    [one] { $count } minute
   *[other] { $count } minutes
}
span-hour = { $n ->
    [one] { $count } hour
   *[other] { $count } hours
}
span-day = { $n ->
    [one] { $count } day
   *[other] { $count } days
}
span-year = { $n ->
    [one] { $count } year
   *[other] { $count } years
}

fault-next = Start again from the overview, or search for what you are after.
problem-query = The query cannot be understood
problem-query-too-long = The query is too long
problem-cursor = This continuation is no longer valid; search again from the first page
problem-forgotten = What was known then is no longer kept
problem-parameter = Something in the request is missing, unknown or malformed
problem-address = Not an IPv4 or IPv6 address
problem-hash = Not the name of a piece of evidence (64 hexadecimal digits)
problem-host-not-seen = Nothing has been seen at this address yet
problem-evidence-not-stored = This evidence is not stored
problem-endpoint = Not an endpoint as 203.0.113.9:1337-tcp
problem-endpoint-not-told = Nothing was ever told of this endpoint
problem-collector-account = The collector's account cannot be read; the server's log says why
problem-unwitnessed = This look could not be written into the ledger, so nothing is shown; the server's log says why
problem-not-found = There is nothing here
problem-method = This can only be read (GET, HEAD)
problem-wrong-host = This server answers only to the names localhost, 127.0.0.1 and [::1]
problem-other-site = Pages of other sites may open pages of this server and load nothing else from it
problem-body-not-accepted = This server takes no request bodies
problem-target-too-long = The address is too long
problem-busy = Many are reading at this moment; please try again shortly
problem-timeout = The answer took too long
problem-internal = The stored records could not be read; the server's log says why
