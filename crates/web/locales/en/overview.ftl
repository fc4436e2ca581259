# Overview
overview-title = The town from the tower
overview-headline = { $it } can be seen from the network right now.
overview-headline-more = More than { $it } can be seen from the network right now.
overview-starting = A survey has begun. Devices appear here as they answer.
overview-empty = Nothing has been seen yet. First decide where to look.
figure-hosts = hosts
figure-services = services
figure-sightings = sightings
figure-evidence = pieces of evidence
surveys-more = More about the surveys

begin-title = How to begin
begin-town = Try everything on a simulated town, in one step:
begin-scope = To survey a network of your own, first write down who permits it:
begin-import = Or bring in results of nmap, masscan, ZGrab2, Shodan, Censys or Shadowserver:

map-heading = Map of the town
map-title = Map of { $it }
map-range = Range { $it }
map-alarms = { $n ->
    [one] { $count } host wants attention
   *[other] { $count } hosts want attention
}
map-per-cell = { $n ->
    [one] one address a cell
   *[other] { $count } addresses a cell
}
map-partial = There are many: the map shows the first { $count } services by address.
map-table = The map as a table
map-explained = Addresses follow a Hilbert curve: neighbours stay neighbours, and every aligned block of addresses is a square.
map-caption = Hosts that answered
map-caption-more = (the first 256)

standing-heading = Look here first
charts-heading = What can be seen
chart-caption = Services by { $it }
bar = Bar
days-heading = Services by day
days-desc = One bar a day: services that stood at its end (UTC). A day with a short line below instead of a bar was not looked at. The numbers are in the table.
days-none = not looked at
days-table = The numbers
days-day = Day
days-addresses = Addresses
days-opened = Opened
days-closed = Closed
