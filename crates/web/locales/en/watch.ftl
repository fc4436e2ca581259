# Saved queries
nav-watch = Watch
watch-title = Watch
watch-lead = A saved query is told of every change that it fits: a service that opens, says something else, closes, or answers again. Seeing the same again is no change.
watch-save = Save a query
watch-name = Name
watch-query = Query
watch-owner = Owner
watch-save-button = Save
watch-saved = Saved queries
watch-none = No query is saved yet.
watch-unread = The saved queries cannot be read: the log says why. A survey or import that runs goes on with those it read last; one that starts anew tells nothing until watch/queries.json is mended or put back from a backup.
watch-created = Saved
watch-remove = Remove
watch-more = { $n ->
    [one] One more is saved; the command line lists it.
   *[other] { $count } more are saved; the command line lists them.
}
watch-within = { $n ->
    [one] in one prefix
   *[other] in { $count } prefixes
}
watch-events = Latest events
watch-no-events = Nothing was told yet. Events begin with the first change after a query was saved.
watch-number = Number
watch-what = Change
watch-service = Service
watch-what-opened = opened
watch-what-changed = changed
watch-what-closed = closed
watch-what-reopened = reopened
watch-damaged = Lines of the journal are damaged and are left out here.
watch-command = Every event as it comes, on the command line:
problem-watch = The saved query cannot be kept
problem-watch-not-saved = No saved query has this name
