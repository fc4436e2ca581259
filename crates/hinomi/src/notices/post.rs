//! A notice as a mail (RFC 5322), and its way to the relay.
//!
//! The relay is spoken to step by step, so that it is known what a failure means: before the message was written to the
//! end it surely did not arrive; after that, until the relay answers, nobody knows.

use std::fs;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use hinomi_share::notice::Settings;
use hinomi_share::notice::deliver::{Outgoing, Passed, Relay};
use hinomi_state::contacts::Language;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{Certificate, SmtpConnection, TlsParameters, TlsParametersBuilder};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, transport::smtp};

use crate::alerts::{FILE, MailSettings, Security};

/// How long a relay may take for each step; all of them are well within the time for which a notice is held.
const PATIENCE: Duration = Duration::from_secs(30);
/// Answers that are about us and not about the mail: we may not sign in (RFC 4954, section 6).
const OURS: [&str; 4] = ["530", "534", "535", "538"];

/// Writes mails and hands them to a relay.
pub(crate) struct Courier {
    from: Mailbox,
    reply_to: Mailbox,
    host: String,
    port: u16,
    security: Security,
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    domain: String,
}

/// Why a step failed.
enum Failed {
    /// Another time.
    NotYet(String),
    /// Never.
    Refused(String),
}

impl Failed {
    fn of(error: &smtp::Error) -> Self {
        let status = error.status().map(|code| code.to_string()).unwrap_or_default();
        match error.is_permanent() && !OURS.contains(&status.as_str()) {
            true => Self::Refused(error.to_string()),
            false => Self::NotYet(error.to_string()),
        }
    }

    fn passed(self) -> Passed {
        match self {
            Self::NotYet(why) => Passed::NotYet(why),
            Self::Refused(why) => Passed::Refused(why),
        }
    }
}

impl Courier {
    /// By this relay, for this installation.
    ///
    /// # Errors
    /// When the relay's settings do not do.
    pub(crate) fn new(mail: &MailSettings, settings: &Settings) -> Result<Self> {
        let from: Mailbox = mail.from.parse().with_context(|| format!("mail.from in {FILE}"))?;
        let reply_to: Address = settings.reply_to.parse().context("reply_to in notices.toml")?;
        let (host, port) = mail.place()?;
        let tls = match mail.tls {
            Security::None => None,
            Security::Starttls | Security::Wrapped => {
                let mut builder = TlsParametersBuilder::new(host.clone());
                if let Some(file) = &mail.root_file {
                    let pem = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
                    builder = builder.add_root_certificate(Certificate::from_pem(&pem)?);
                }
                Some(builder.build_rustls()?)
            }
        };
        let credentials = match &mail.user {
            Some(user) => Some(Credentials::new(user.clone(), mail.password()?)),
            None => None,
        };
        let domain = from.email.domain().to_owned();
        Ok(Self {
            from,
            reply_to: Mailbox::new(None, reply_to),
            host,
            port,
            security: mail.tls,
            tls,
            credentials,
            domain,
        })
    }

    /// A connection that is ready for a mail.
    fn connect(&self) -> Result<SmtpConnection, smtp::Error> {
        let hello = ClientId::default();
        let wrapped = self.tls.as_ref().filter(|_| self.security == Security::Wrapped);
        let place = (self.host.as_str(), self.port);
        let mut connection = SmtpConnection::connect(place, Some(PATIENCE), &hello, wrapped, None)?;
        if self.security == Security::Starttls
            && let Some(tls) = &self.tls
        {
            connection.starttls(tls, &hello)?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials)?;
        }
        Ok(connection)
    }

    /// Everything before the message.
    fn begin(&self, to: &Address) -> Result<SmtpConnection, Failed> {
        let mut connection = self.connect().map_err(|error| Failed::of(&error))?;
        let say = |done: Result<_, smtp::Error>| done.map(drop).map_err(|error| Failed::of(&error));
        say(connection.command(Mail::new(Some(self.from.email.clone()), Vec::new())))?;
        say(connection.command(Rcpt::new(to.clone(), Vec::new())))?;
        say(connection.command(Data))?;
        Ok(connection)
    }
}

impl Relay for Courier {
    fn write(&self, outgoing: &Outgoing<'_>) -> Result<Vec<u8>, String> {
        mail(self, outgoing).map_err(|error| format!("{error:#}"))
    }

    fn pass(&self, to: &str, message: &[u8]) -> Passed {
        let to: Address = match to.parse() {
            Ok(to) => to,
            Err(error) => return Passed::Refused(format!("{to:?}: {error}")),
        };
        let mut connection = match self.begin(&to) {
            Ok(connection) => connection,
            Err(failed) => return failed.passed(),
        };
        match connection.message(message) {
            Ok(_) => {
                // It has the mail; what it says to a farewell changes nothing.
                drop(connection.quit());
                Passed::Taken
            }
            // It answered, and the answer is no.
            Err(error) if error.status().is_some() => Failed::of(&error).passed(),
            Err(error) => Passed::Unknown(format!("the relay was told all and did not answer: {error}")),
        }
    }
}

/// The mail: plain text first, then the files; the same bytes at every try.
fn mail(courier: &Courier, Outgoing { notice, files, date }: &Outgoing<'_>) -> Result<Vec<u8>> {
    let to: Address = notice.party.mail.parse().context("the contact's address")?;
    let name = Some(notice.party.name.clone()).filter(|name| !name.is_empty());
    let sent = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(date.as_micros()).unwrap_or(0));
    let (token, domain) = (&notice.token, &courier.domain);
    let message_id = format!("<{token}@{domain}>");
    // All notices of one party are one conversation in their mailbox.
    let thread = format!("<notices.{}@{domain}>", notice.party.organisation);
    let mut parts =
        MultiPart::mixed().boundary(format!("notice-{token}")).singlepart(SinglePart::plain(notice.body.clone()));
    for file in *files {
        let media = ContentType::parse(&format!("{}; charset=utf-8", file.media))?;
        parts = parts.singlepart(Attachment::new(file.name.clone()).body(file.content.clone(), media));
    }
    let raw = |name: &'static str, value: &str| -> Result<HeaderValue> {
        Ok(HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned()))
    };
    let language = match notice.party.language {
        Language::Ja => "ja",
        Language::En => "en",
    };
    let message = Message::builder()
        .from(courier.from.clone())
        .reply_to(courier.reply_to.clone())
        .to(Mailbox::new(name, to))
        .subject(notice.subject.clone())
        .date(sent)
        .message_id(Some(message_id))
        .references(thread)
        .raw_header(raw("Auto-Submitted", "auto-generated")?)
        .raw_header(raw("Content-Language", language)?)
        .raw_header(raw("X-Hinomi-Notice", token)?)
        .multipart(parts)?;
    Ok(message.formatted())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hinomi_model::Timestamp;
    use hinomi_state::notices::{Notice, NoticeFile, NoticeState, Party};

    use super::*;

    fn courier() -> Courier {
        let mail: crate::alerts::Settings = toml::from_str(
            "[mail]\nserver = \"localhost:25\"\nfrom = \"Hinomi <hinomi@example.org>\"\ntls = \"none\"\n",
        )
        .expect("settings");
        let settings = Settings { name_en: "W".into(), reply_to: "notices@example.org".into(), ..Settings::default() };
        Courier::new(&mail.mail.expect("mail"), &settings).expect("a courier")
    }

    fn notice() -> Notice {
        let party = Party {
            organisation: "city-a".into(),
            name: "課".into(),
            mail: "csirt@city-a.example".into(),
            ..Party::default()
        };
        Notice {
            number: 7,
            run: 1,
            token: "0123456789abcdef".into(),
            party,
            label: "TLP:AMBER".into(),
            purposes: BTreeSet::new(),
            subject: "[Hinomi 0123456789abcdef] 機器\r\nBcc: evil@example.org".into(),
            body: "本文\n.\nend".into(),
            findings: 1,
            needs: 1,
            drafted: Timestamp::default(),
            drafted_by: String::new(),
            state: NoticeState::Released,
            released: None,
            released_by: Vec::new(),
            due: Timestamp::default(),
            tries: 1,
            error: String::new(),
            sent: None,
            sha256: None,
        }
    }

    #[test]
    fn a_mail_is_the_same_each_time_and_no_text_becomes_a_header() {
        let (courier, notice) = (courier(), notice());
        let files = [NoticeFile { name: "a.csv".into(), media: "text/csv".into(), content: "a,b".into() }];
        let date = "2026-11-22T00:30:00Z".parse().expect("a time");
        let outgoing = Outgoing { notice: &notice, files: &files, date };
        let first = courier.write(&outgoing).expect("written");
        assert_eq!(first, courier.write(&outgoing).expect("written"));
        let text = String::from_utf8(first).expect("text");
        let head = text.split("\r\n\r\n").next().expect("a head");
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        for wanted in [
            "Message-ID: <0123456789abcdef@example.org>",
            "References: <notices.city-a@example.org>",
            "Reply-To: notices@example.org",
            "Date: Sun, 22 Nov 2026 00:30:00 +0000",
            "Auto-Submitted: auto-generated",
        ] {
            assert!(head.contains(wanted), "{wanted}: {head}");
        }
        assert!(text.is_ascii(), "no relay has to know more than ASCII");
    }
}
