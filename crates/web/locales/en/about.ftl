# About
about-title = About Hinomi
about-lead = Hinomi is a fire-lookout tower for connected devices.
about-loop = In the towns of Edo one person looked for smoke from a height, rang the bell in a code that everyone knew, and the fire brigade of that quarter ran. Hinomi looks over routers, cameras, recorders and controllers, keeps what it sees together with the evidence, tells those who must know, and checks whether it was mended: the whole loop in one program.
promises-heading = Three promises
promise-packet = Nothing is sent without permission
promise-packet-how = A packet leaves only through a signed scope that says who permits what, where, how fast and until when.
promise-record = Nothing is shown without need
promise-record-how = Every record carries who may know it and what for; search, API and exports all pass the same one door.
promise-bytes = Every number leads to its evidence
promise-bytes-how = From a number on a page to the services, to the reasons, down to the bytes that were seen. What a stranger's device says is never run and never rendered.
about-here = This server
about-here-how = While nobody has an account it can be opened from this machine only. With accounts and TLS, or through an SSH tunnel, it is reached from elsewhere; everybody then signs in and sees what they may know.
about-api = Programs read the same records; every property is described in
about-query = Command line, API and pages share one query language:
problems-heading = Problems
problems-lead = Errors of the API follow RFC 9457. A code never changes.
