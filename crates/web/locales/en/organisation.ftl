# My organisation
nav-organisation = My organisation
organisation-title = My organisation
organisation-lead = What the outside sees of the ranges that are yours, and what became different. Nobody else's records are counted here.
organisation-everything = You see everything: the operator of this installation. Members see their own ranges on this page.
organisation-acts-for = You act for
organisation-none = no organisation that may read for this purpose
organisation-purpose = Read for
organisation-audiences = Audiences
organisation-claims = What is held
organisation-no-claims = Nothing is proved yet. Ask an administrator, or prove a prefix or domain with hinomi claim ask.
organisation-subject = Prefix, AS or domain
organisation-holder = Held by
organisation-until = Proved until
organisation-more-claims = { $n ->
    [one] One more is held.
   *[other] { $count } more are held.
}
organisation-exposed = What is open, and should be looked at first
organisation-total = Services that answer:
organisation-what = What
organisation-count = Services
organisation-telnet = Remote login without encryption (Telnet)
organisation-plant = Control of plants, buildings, energy
organisation-camera = Cameras and recorders
organisation-database = Databases
organisation-desktop = Remote desktops and consoles
organisation-files = Shared files
organisation-resolver = Open resolvers
organisation-anonymous = Open to everybody without a password
organisation-expired = Expired certificates
organisation-ending = Certificates that end within 30 days
organisation-changed = Changed in the last 7 days
organisation-no-changes = Nothing changed that was looked at.
organisation-says = What it says now
organisation-unknown = Infections, vulnerabilities that are known to be exploited, and who else was told are not part of this page yet.
