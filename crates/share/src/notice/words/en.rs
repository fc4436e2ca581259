//! English.

use hinomi_state::contacts::Language;
use hinomi_state::notices::Said;

use super::{Letter, MAX_LISTED, Words, concerns, jst, line, terms, utc, words};

const fn say(name: &'static str, what: &'static str, act: &'static str) -> Words {
    Words { name, what, act }
}

/// By name of the concern; the last one is for all others.
pub(super) const CONCERNS: &[(&str, Words)] = &[
    (
        "infected",
        say(
            "a device that is infected or used by others",
            "It was seen to do what malware makes devices do.",
            "Take it off the network, then clean or replace it, and change the passwords that it knew.",
        ),
    ),
    (
        "telnet",
        say(
            "remote login without encryption (Telnet)",
            "Passwords travel in the clear. It is the way in that malware for devices uses most.",
            "Turn Telnet off. Where remote control is needed use SSH or a VPN, and block the port from outside.",
        ),
    ),
    (
        "plant",
        say(
            "control of a plant, a building or a meter",
            "Most of these take commands without asking who sends them.",
            "Let nobody reach it from the internet; use a VPN or a private line. Look into its records for commands that nobody gave.",
        ),
    ),
    (
        "database",
        say(
            "a database",
            "Data can be read or written from where everybody can reach it.",
            "Let only your own addresses connect, and require authentication. Look into the records for data that was taken.",
        ),
    ),
    (
        "desktop",
        say(
            "remote control of a screen",
            "Passwords are guessed and flaws are tried there all day.",
            "Let it be reached through a VPN alone, and install updates.",
        ),
    ),
    (
        "camera",
        say(
            "a camera or recorder",
            "Its pictures or its settings can be reached from outside.",
            "Close it to the outside or put it behind a VPN. Change the password it came with, and update its firmware.",
        ),
    ),
    (
        "files",
        say(
            "file sharing or transfer",
            "Files can be reached from outside.",
            "Close it unless it is meant to be open. If it is, require authentication and use an encrypted protocol.",
        ),
    ),
    (
        "admin",
        say(
            "the settings of a device",
            "The pages by which it is set up can be reached from outside.",
            "Turn off remote management on the internet side, change the password it came with, and update its firmware.",
        ),
    ),
    (
        "resolver",
        say(
            "a DNS server that answers everybody",
            "It can be used to attack others (DNS reflection).",
            "Answer your own users alone. On a home router, turn off DNS on the internet side.",
        ),
    ),
    (
        "reflector",
        say(
            "a service that answers more than it is asked",
            "With forged questions it can be used to attack others.",
            "Turn it off, or restrict whom it answers.",
        ),
    ),
    (
        "messages",
        say(
            "messages of sensors",
            "Values of sensors and appliances can be reached from outside.",
            "Turn on authentication and encryption (TLS), and restrict who may connect.",
        ),
    ),
    (
        "login",
        say(
            "remote login (SSH)",
            "It can be reached from outside; it may be meant to be.",
            "Restrict it to the addresses that need it, and let people sign in with keys instead of passwords.",
        ),
    ),
    ("printer", say("a printer", "Others can print, change settings or read documents.", "Close it to the outside.")),
    (
        "voice",
        say(
            "a telephone system",
            "It can be abused for calls at your expense.",
            "Let only your provider connect, and give extensions strong passwords.",
        ),
    ),
    (
        "provider",
        say(
            "the maintenance door of a provider",
            "Everybody can reach what only your provider should.",
            "Ask your provider to let its own systems alone reach it.",
        ),
    ),
    (
        "vpn",
        say(
            "a way into a private network",
            "It is often meant to be there.",
            "Make sure that it is, and use the newest updates and a second factor.",
        ),
    ),
    (
        "public",
        say(
            "a public service",
            "It may be meant for everybody.",
            "Make sure that it is; otherwise close it to the outside.",
        ),
    ),
    (
        "anonymous",
        say(
            "contents for everybody who asks",
            "What it holds could be read without saying who one is.",
            "Require authentication, and close it to the outside unless it is meant to be open. Look into the records for data that was taken.",
        ),
    ),
    (
        "other",
        say(
            "a service that can be reached",
            "It can be reached from outside; it may be meant to be.",
            "Close it to the outside unless that is meant.",
        ),
    ),
];

pub(super) fn body(letter: &Letter<'_>) -> String {
    let Letter { settings, party, organisation, token, said, .. } = letter;
    let who = settings.name(Language::En);
    let to = if party.name.is_empty() { String::new() } else { format!(", {}", party.name) };
    let mut text = vec![
        format!("To {organisation}{to}"),
        String::new(),
        format!("This is {who}."),
        format!(
            "At addresses {}, devices or services can be reached from the internet: {} in all.",
            basis(&party.basis),
            said.len()
        ),
        "Unless they are meant to be open, please close or protect them.".to_owned(),
        String::new(),
        "== What was seen (UTC; in brackets the time in Japan)".to_owned(),
    ];
    for (number, one) in said.iter().take(MAX_LISTED).enumerate() {
        text.extend(finding(number + 1, one));
    }
    if said.len() > MAX_LISTED {
        text.push(format!("   {} more are in findings.csv, which goes with this mail.", said.len() - MAX_LISTED));
    }
    text.extend([String::new(), "== What to do".to_owned()]);
    for concern in concerns(said) {
        let words = words(Language::En, concern);
        text.extend([format!("* {}", words.name), format!("  {}", words.what), format!("  {}", words.act)]);
    }
    text.extend([
        String::new(),
        "== How sure this is".to_owned(),
        "  We connected and read what was answered. Nobody tried to sign in, and nothing was attacked.".to_owned(),
        "  \"Sure\" is how sure the product is; that something answered at that time is a fact.".to_owned(),
        "  The address may have become somebody else's since. The files that go with this mail name the evidence by its hash.".to_owned(),
        String::new(),
        "== How to answer".to_owned(),
        format!("  Reply to this mail (it goes to {}; keep [Hinomi {token}] in the subject).", settings.reply_to),
        "  For each number, please say one of these:".to_owned(),
        "  fixed / will fix / not ours / not as you say / known and accepted".to_owned(),
        String::new(),
        "== Who may know".to_owned(),
        format!("  {} (TLP 2.0). {}", letter.label, handling(letter.label)),
        String::new(),
    ]);
    text.extend(foot(letter, who));
    text.join("\n")
}

fn basis(basis: &str) -> &'static str {
    match basis {
        "holder" => "that you hold",
        "network" => "in networks that you run",
        "as" => "in the AS that you run",
        _ => "that you coordinate for",
    }
}

fn finding(number: usize, one: &Said) -> Vec<String> {
    let words = words(Language::En, &one.concern);
    let service = one.service;
    let mut lines = vec![format!(
        "{number}. {}  port {}/{}  {} (severity: {})",
        service.address, service.port, service.transport, words.name, one.severity
    )];
    if !one.product.is_empty() {
        lines.push(format!("   what it seems to be: \"{}\" ({}% sure)", one.product, one.confidence));
    }
    if !one.summary.is_empty() {
        lines.push(format!("   its answer begins: \"{}\"", one.summary));
    }
    lines.push(format!(
        "   last answered {} ({}), first answered {} ({})",
        utc(one.seen),
        jst(one.seen),
        utc(one.first),
        jst(one.first)
    ));
    lines
}

fn handling(label: &str) -> &'static str {
    match label {
        "TLP:CLEAR" => "Everybody may know.",
        "TLP:GREEN" => "Your community may know; do not publish it.",
        "TLP:AMBER" => "Your organisation may know, and those of its clients who need to.",
        "TLP:AMBER+STRICT" => "Your organisation alone may know.",
        _ => "Whoever received it alone may know.",
    }
}

fn foot(letter: &Letter<'_>, who: &str) -> Vec<String> {
    let Letter { settings, party, .. } = letter;
    let mut text = vec!["== About this notice".to_owned(), format!("  From: {who}")];
    let mut more = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push(format!("  {name}: {}", line(value, 600)));
        }
    };
    more("By which right we look", settings.authority(Language::En));
    more("Campaign and scope", letter.scope);
    more("Page", &settings.page);
    more("Telephone", &settings.phone);
    more("Terms", &terms(letter.said));
    more("Notice", letter.token);
    more("Written", &format!("{} ({})", utc(letter.now), jst(letter.now)));
    more("To your contact", &format!("{} (last confirmed {})", party.role, utc(party.confirmed)));
    if party.stale {
        text.push(
            "  Nobody confirmed this contact for long. If it has changed, please tell us the new one.".to_owned(),
        );
    }
    text.push("  If you want no more notices, say so in a reply and none will be sent.".to_owned());
    text.push(String::new());
    text
}
