//! Alerts at work: while the program serves, messages are made of what saved queries fired, and sent.
//!
//! Mail goes to the relay that `alerts.toml` names. Webhooks go to the addresses that people enter: those of networks that
//! are not public are refused when the name is resolved, by the connection that is then made and no other, redirects are
//! not followed, and answers are read to a bound.

mod settings;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use hinomi_model::{Clock, SystemClock};
use hinomi_share::alert::{self, Attached, Letter, Post, Refused, SIGNATURE_HEADER};
use hinomi_share::report::pdf::Font;
use hinomi_share::{Door, Viewer, WatchDesk};
use hinomi_state::Database;
use lettre::Transport;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp::SmtpTransport;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParametersBuilder};
use ureq::Agent;

use crate::far::{self, Asking};
use crate::rounds::Rounds;
use crate::servers;
pub(crate) use settings::{FILE, MailSettings, Security, Settings};

/// Messages sent in one go.
const MOST_AT_ONCE: u32 = 50;
/// How long a relay or web server may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most of an answer that is read.
const MAX_ANSWER_BYTES: u64 = 64 * 1024;

/// Starts to plan and send for the saved queries of a state folder, and for those of members through the door.
///
/// # Errors
/// When the settings cannot be read or do not do.
pub(crate) fn start(folder: &Path, database: Database, door: Door) -> Result<Rounds> {
    let server = servers::instance(folder)?;
    let (desk, postman) = (WatchDesk::of_state(folder, Viewer::Operator), Postman::new(&Settings::read(folder)?)?);
    let asked = hinomi_web::Settings::of_state(folder)?.font;
    Rounds::start("alerts", move |ended| {
        round((&desk, &server), (&database, &door, asked.as_deref()), &postman, ended);
    })
}

/// Plans and sends what is due; what fails is tried again in the next round.
fn round(
    (desk, server): (&WatchDesk, &str),
    (database, door, font): (&Database, &Door, Option<&Path>),
    post: &dyn Post,
    ended: &AtomicBool,
) {
    if let Err(error) = alert::plan(desk, server, database, SystemClock.now()) {
        tracing::warn!(%error, "alerts cannot be made");
    }
    if let Err(error) = alert::members::plan(door, database, SystemClock.now()) {
        tracing::warn!(%error, "alerts of members cannot be made");
    }
    if let Err(error) = alert::monthly::plan(door, database, &|| Font::of(font), SystemClock.now()) {
        tracing::warn!(%error, "monthly reports cannot be made");
    }
    let going = |tried| tried < MOST_AT_ONCE && !ended.load(Ordering::Relaxed);
    if let Err(error) = alert::deliver(database, server, post, (&|| SystemClock.now(), &going)) {
        tracing::warn!(%error, "alerts cannot be sent");
    }
}

/// Brings messages where they belong.
pub(crate) struct Postman {
    mail: Option<(SmtpTransport, Mailbox)>,
    web: Agent,
}

impl Postman {
    /// As the settings say.
    ///
    /// # Errors
    /// When the relay's settings do not do.
    pub(crate) fn new(settings: &Settings) -> Result<Self> {
        let mail = settings.mail.as_ref().map(relay).transpose()?;
        let (private, allowed_by) = (settings.web.allow_private, "web.allow_private in alerts.toml");
        let asking = Asking { patience: PATIENCE, private, allowed_by };
        Ok(Self { mail, web: far::agent(asking, None) })
    }

    fn mail(&self, to: &str, subject: &str, (body, attached): (&str, Option<&Attached>)) -> Result<(), Refused> {
        let none = || Refused::NotHere(format!("no mail relay: name one in {FILE}"));
        let (relay, from) = self.mail.as_ref().ok_or_else(none)?;
        let unfit = |error: &dyn std::fmt::Display| Refused::ForGood(error.to_string());
        let mail =
            Message::builder().from(from.clone()).to(to.parse().map_err(|error| unfit(&error))?).subject(subject);
        let mail = match attached {
            None => mail.header(ContentType::TEXT_PLAIN).body(body.to_owned()),
            Some(file) => {
                let bytes = file.bytes().ok_or_else(|| unfit(&"the file that goes with it is damaged"))?;
                let kind = ContentType::parse("application/pdf").map_err(|error| unfit(&error))?;
                let parts = MultiPart::mixed().singlepart(SinglePart::plain(body.to_owned()));
                mail.multipart(parts.singlepart(Attachment::new(file.name.clone()).body(bytes, kind)))
            }
        }
        .map_err(|error| unfit(&error))?;
        relay.send(&mail).map(drop).map_err(|error| {
            // That we may not sign in is no fault of the mail (RFC 4954, section 6).
            let status = error.status().map(|code| code.to_string()).unwrap_or_default();
            let is_ours = ["530", "534", "535", "538"].contains(&status.as_str());
            match error.is_permanent() && !is_ours {
                true => Refused::ForGood(error.to_string()),
                false => Refused::ForNow(error.to_string()),
            }
        })
    }

    fn web(&self, to: &str, body: &str, signature: Option<&str>) -> Result<(), Refused> {
        let mut request = self.web.post(to).header("Content-Type", "application/json");
        if let Some(signature) = signature {
            request = request.header(SIGNATURE_HEADER, signature);
        }
        let mut answer = request.send(body).map_err(|error| Refused::ForNow(error.to_string()))?;
        let status = answer.status().as_u16();
        // Read, so that the other side is done; what it says is not kept.
        drop(answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec());
        match status {
            200..=299 => Ok(()),
            404 | 410 => Err(Refused::ForGood(format!("the web server answered {status}"))),
            _ => Err(Refused::ForNow(format!("the web server answered {status}"))),
        }
    }
}

impl Post for Postman {
    fn send(&self, letter: &Letter<'_>) -> Result<(), Refused> {
        match letter {
            Letter::Mail { to, subject, body, attached } => self.mail(to, subject, (body, attached.as_ref())),
            Letter::Web { to, body, signature } => self.web(to, body, signature.as_deref()),
        }
    }
}

fn relay(settings: &MailSettings) -> Result<(SmtpTransport, Mailbox)> {
    let from: Mailbox = settings.from.parse().with_context(|| format!("mail.from in {FILE}"))?;
    let (host, port) = settings.place()?;
    let parameters = || -> Result<_> {
        let mut builder = TlsParametersBuilder::new(host.clone());
        if let Some(file) = &settings.root_file {
            let pem = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            builder = builder.add_root_certificate(Certificate::from_pem(&pem)?);
        }
        Ok(builder.build_rustls()?)
    };
    let tls = match settings.tls {
        Security::Starttls => Tls::Required(parameters()?),
        Security::Wrapped => Tls::Wrapper(parameters()?),
        Security::None => Tls::None,
    };
    let mut builder = SmtpTransport::builder_dangerous(&host).port(port).tls(tls).timeout(Some(PATIENCE));
    if let Some(user) = &settings.user {
        builder = builder.credentials(Credentials::new(user.clone(), settings.password()?));
    }
    Ok((builder.build(), from))
}
