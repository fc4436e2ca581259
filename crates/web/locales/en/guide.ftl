# Guide
nav-guide = Guide
simulated = Demonstration: { $it } on this machine. No packet leaves it.
simulated-devices = { $n ->
    [one] one simulated device
   *[other] { $count } simulated devices
}
simulated-next = Survey a network of your own

guide-title = First steps
guide-lead = Five minutes to look around, ten more to a survey of your own network.
guide-tour = Look around
guide-tour-how = Each of these is a search. Press one, then narrow it with the counts beside the results.
guide-tour-cameras = cameras and recorders that can be reached
guide-tour-open = what invites trouble: open Telnet, or no authentication
guide-tour-certificates = certificates that end within 30 days, or have ended
guide-tour-new = services that were first seen within the last day
guide-tour-host = Then press an address. Under “Why we believe this” stand the rule and the very bytes that a claim rests on; follow them down to the evidence.

guide-own = Survey a network of your own
guide-own-how = A survey sends nothing without a signed scope, which says who permits what, where, how fast and until when. In a terminal, with your own range in place of 192.0.2.0/24:
guide-step-new = Write the scope. Then open the file and read every line: somebody answers for it.
guide-step-key = Make a signing key, once; the person who answers for the network does this. The public key is printed.
guide-step-sign = Sign the scope with it.
guide-step-trust = Trust the public key, once, on the machine that surveys. “office” is a folder of its own, so that this network does not mix with the demonstration.
guide-step-check = Check signature, signer and dates.
guide-step-survey = Survey. Ctrl-C stops it; the same command goes on where it stopped.
guide-step-look = See the results in a browser, also while the survey runs.
guide-own-import = What nmap, masscan, ZGrab2, Shodan, Censys or Shadowserver found can be searched beside your own results:

guide-questions = Before you survey
guide-gentle = Can it disturb a device?
guide-gentle-how = It opens ordinary connections and asks read-only questions: no exploits, no passwords, no malformed input. Unless you change it, a host gets at most 10 packets a second and one connection at a time. Still, some devices in hospitals and plants bear nothing unexpected at all: leave them out first.
guide-exclude = How do I leave devices out?
guide-exclude-how = Name them with --exclude when you write the scope. With --probe you permit fewer questions. “hinomi scope explain” tells which rule decides for an address.
guide-hours = Can it run at night only?
guide-hours-how = Yes: --hours "22:00-06:00 +09:00" when you write the scope. Nothing is sent outside these hours.
guide-opt-out = What if somebody asks not to be surveyed?
guide-opt-out-how = Write the address or prefix into opt-out.txt in the folder “office”. It always wins, and takes effect within ten seconds even while a survey runs.
guide-sent = Does anything else leave this machine?
guide-sent-how = No. Nothing is uploaded and nothing is fetched, but for what you set up yourself: alerts go where you say. While nobody has an account these pages can be opened from this machine only.
guide-kept = Where is everything kept?
guide-kept-how = In the state folder, as open Parquet tables that other programs can read. Delete the folder and nothing is left.
