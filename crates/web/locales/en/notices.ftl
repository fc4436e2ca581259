# Notices
nav-notices = Notices
notices-title = Notices
notices-one = Notice { $it }
notices-lead = What your organisations were told. Say here what became of it.
notices-lead-all = One message to each party that answers for what was found. Look at a draft; once released it is sent.
notices-none = There are no notices.
notices-older = Older ones
notices-number = Number
notices-state = State
notices-party = Party
notices-findings = Findings
notices-label = Who may know
notices-to = To
notices-stale = nobody confirmed this contact for long
notices-drafted = Drafted
notices-released-by = Released by
notices-needs = it takes { $it }
notices-error = Why it did not leave
notices-release = Release
notices-release-why = Text and files below are sent as they are. Many parties or many findings take a second person.
notices-release-button = Release it
notices-released = Released; it is sent in a moment.
notices-half-released = Written down; it takes one more person before it is sent.
notices-reason = Why not
notices-cancel-button = Do not send it
notices-cancelled = It is not sent; what it would have told may be told by another notice.
notices-concern = What is open
notices-severity = Severity
notices-severity-critical = critical
notices-severity-high = high
notices-severity-medium = medium
notices-severity-low = low
notices-seen = Last answered
notices-outcome = Answer
notices-outcome-said = An answer is what the party says, not what was seen.
notices-outcome-fixed = fixed
notices-outcome-will-fix = will fix
notices-outcome-not-ours = not ours
notices-outcome-false-positive = not as we say
notices-outcome-accepted-risk = known and accepted
notices-outcome-no-answer = no answer
notices-more-findings = { $n ->
    [one] One more is in the table that goes with it.
   *[other] { $count } more are in the table that goes with it.
  }
notices-answer = Answer
notices-finding-number = Number of the finding (empty for all)
notices-note = In your words
notices-answer-button = Answer
notices-answered = Your answer is kept.
notices-answers = Answers so far
notices-mail = Text and files
notices-state-draft = draft
notices-state-released = waits to be sent
notices-state-sending = being sent
notices-state-sent = sent
notices-state-unsure = may have arrived
notices-state-given-up = not accepted
notices-state-void = void, things changed
notices-state-cancelled = not sent
notices-basis-holder = holds the address
notices-basis-network = runs the network around it
notices-basis-as = runs the AS
notices-basis-csirt = response team
notices-others = Who else was told
notices-others-why = What others were told of services that you may see, at addresses that you hold.
notices-others-none = Nobody.
notices-who = Who
notices-somebody = an organisation whose name is not told
notices-draft-title = Draft notices
notices-draft-lead = Say what is to be told, and look at what would be sent to whom. A draft leaves only when somebody releases it.
notices-draft-query = What is to be told
notices-draft-query-note = As for a search. Empty: what hardly anybody wants open to everybody.
notices-draft-nets = Only these networks
notices-draft-look = Look
notices-draft-parties = { $n ->
    [0] There is nothing to tell anybody
    [one] One party would be told
   *[other] { $count } parties would be told
  }
notices-draft-more = { $n ->
    [one] One more is not shown here.
   *[other] { $count } more are not shown here.
  }
notices-draft-two = takes two persons
notices-draft-make = Make these drafts
notices-draft-make-note = It is worked out anew: what changed meanwhile is left out or added.
notices-drafts-made = { $n ->
    [0] There was nothing to draft.
    [one] One draft is made. Look at it and release it.
   *[other] { $count } drafts are made. Look at each and release it.
  }
notices-left = What nobody is told
notices-left-no-party = nobody of the register answers for it
notices-left-not-entitled = who answers for it may not know it
notices-left-no-contact = who answers for it has no contact
notices-left-opted-out = who answers for it wants no notices
notices-left-changed-hands = the address changed hands since
notices-left-told = it was told, or waits in another notice
notices-left-too-many = too many for one notice
notices-left-refused = another draft took it meanwhile
