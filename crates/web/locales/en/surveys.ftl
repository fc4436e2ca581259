# Surveys
surveys-title = Surveys
surveys-lead = A survey keeps to what a signed scope permits. Nothing else is sent a single packet.
surveys-none = No survey yet
surveys-none-how = Start one in a terminal on this machine. It appears here as soon as its first results are stored.
surveys-left-out = { $n ->
    [one] One older survey is not listed; the lake keeps it.
   *[other] { $count } older surveys are not listed; the lake keeps them.
}
survey-running = running
survey-finished = finished
survey-stopped = stopped
survey-stopped-how = It stopped before the end. Start it again with the same command and it goes on from there.
survey-updated = Last heard of
survey-progress = Progress of the survey
survey-done = Settled
survey-open = Answered
survey-rate = Rate
survey-remaining = Remaining
survey-refused = Not sent: outside the scope
survey-started = Started
survey-scope = Scope
survey-authority = Authorised by
survey-contact = Contact
survey-errors = Refused, failed or malformed
survey-reason = Reason
survey-count = Times
