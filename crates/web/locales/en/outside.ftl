# Look from outside
outside-title = Look at my address from outside
outside-offer = On your request this watchtower can knock at your own address, now, and tell you what answers. Nothing is sent before you have read what happens and agreed.
outside-read = Read what would happen
outside-shared = A look from outside is not offered at your address: several homes share it, and what answers may belong to somebody else. Nothing is sent.
outside-opted-out = A look from outside is not offered at your address: it is on the list of addresses to which nothing is sent.
outside-later = A look from outside is not permitted at this hour. Nothing is sent. Please come back later.
outside-lead = If you agree, this watchtower knocks once at the address that you come from and tells you what answers. Please read first.
outside-what = What is sent
outside-from = From: { $it }
outside-to = To: { $it }, and to no other address
outside-tcp = TCP ports: { $it }
outside-udp = UDP ports: { $it }
outside-how = Each port is asked whether it answers. What answers is asked what it is, with the first words of its own language. No password is tried, no weakness is used, nothing is changed.
outside-attempts = { $n ->
    [one] At most one connection or packet in all.
   *[other] At most { $count } connections and packets in all, few at a time; mostly far fewer.
}
outside-time = It takes { $it } at most, and then ends by itself.
outside-who = Authorised by: { $it }.
outside-ask = Questions: { $it }
outside-meets = What it may meet
outside-meets-router = It meets the device that has your address on the internet: mostly your router, and behind it only what the router lets through.
outside-meets-shared = With a shared address (mobile networks, many flats and offices, some providers) or a VPN it meets your provider's equipment or a neighbour's device instead, and we cannot see that from here. If yours may be such a connection, please do not agree.
outside-meets-log = Your router or a security program may report it as an attempt to connect, or as a scan.
outside-inside = Your address is one inside a local network: what is seen is what this server reaches there. The internet sees you under another address.
outside-keeps = What is kept
outside-keeps-result = The result is kept in memory for 10 minutes and shown to this browser alone, as long as it comes from the same address. Then it is gone. It is not added to what this watchtower knows.
outside-keeps-ledger = Two logs that cannot be changed unnoticed keep that you agreed: the time, your address, the ports, under which authorisation, and how much was sent. They prove that nothing else was sent. The log of what was sent keeps its entries, with your address. What the entry about your agreement says may later be deleted by those who run this watchtower; its checksum stays, and the log tells that it was deleted.
outside-keeps-cookie = A cookie ties this form and the result to this browser. It ends after an hour.
outside-agree = This is my connection, or I may decide about it. I agree that this is sent to { $it } now.
outside-go = Look at my address now
outside-back = Back to the self check
outside-again = Read the terms and agree again
outside-trouble-tick = Nothing was sent: please tick the box if you agree.
outside-trouble-changed = Nothing was sent: this form was not made for this browser and your present address, or what would be sent has changed. Please read it again. Cookies must be allowed for it.
outside-trouble-often = Nothing was sent: your address was looked at a short while ago. It can be looked at again in { $it }.
outside-kept = Show what was met then
outside-trouble-busy = Nothing was sent: other addresses are being looked at right now. Please come back in a minute.
outside-moved = A look was made for this browser, at another address than you have now. Its result is not shown here.
outside-no-busy = Nothing was sent: other addresses are being looked at right now. Please come back in a minute.
outside-no-changed = Nothing was sent: what may be sent has changed since you agreed.
outside-no-unwritten = Nothing was sent: it could not be written down that you agreed, and without that nothing is sent.
outside-no-failed = The look failed. Whatever was sent stands in the log of what was sent. Please tell who runs this watchtower.
outside-going = Looking at { $it }
outside-progress = Ports that are settled: { $it }
outside-renews = This page renews itself every few seconds until the look has ended. You may also renew it yourself.
outside-answer = What was met at { $it }
outside-nothing = Nothing answered at the ports that were tried
outside-found = { $n ->
    [one] One thing answered from outside.
   *[other] { $count } things answered from outside.
}
outside-no-proof = This is what one look from one place met at one moment, at the ports below and no others.
outside-nothing-why = That nothing answers is good news, and no proof that all is well.
outside-cut = The look ended before every port was tried: its time was over, or it may not go on.
outside-ports = Port by port
outside-port = Port, and what is usual there
outside-met = What it did
outside-met-open = answers
outside-met-odd = answers, but not like a service
outside-met-closed = closed: your side says that nothing is there
outside-met-silent = no answer
outside-met-not = not tried
outside-silent-why = "No answer" does not mean safe: a filter may have swallowed the question, it may have been lost, or the device answers others only. Over UDP many services never say that they are there.
outside-odd-why = "Not like a service" is mostly a filter or a box of the network that answers in the place of others.
outside-sent = { $n ->
    [one] One connection or packet was sent.
   *[other] { $count } connections and packets were sent.
}
outside-gone = This result is gone at { $it }, or earlier if the server is started anew. If you want to keep it, print this page or save it.
