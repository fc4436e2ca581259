//! The report of each month that has ended, by mail.
//!
//! A new channel gets that of the last month at once. At a hundred times the data: a report for each channel and month, one
//! after the other.

use std::collections::BTreeSet;

use hinomi_model::{Purpose, Timestamp};
use hinomi_state::Database;
use hinomi_state::alerts::NewMessage;
use hinomi_state::alerts::members::MemberChannel;
use hinomi_state::contacts::Language;

use super::members::viewer_of;
use super::{AlertError, Attached, words};
use crate::door::Door;
use crate::report::pdf::{self, Font};
use crate::report::{Around, Block, Document, Month, gather, tell};

/// Makes the reports that are due; tells how many. The font is asked for when there is one to be made.
///
/// # Errors
/// When the state or the lake cannot be read or written, or the font does not do.
pub fn plan(door: &Door, database: &Database, font: &dyn Fn() -> Font, now: Timestamp) -> Result<u64, AlertError> {
    let month = Month::of(now).before();
    let channels = database.member_channels(None)?;
    let due = |one: &&MemberChannel| one.channel.said.monthly && one.is_open() && one.reported < month.to_string();
    let quiet = |one: &&MemberChannel| one.channel.said.quiet.is_some_and(|quiet| quiet.is_at(now));
    let mut wanted = Vec::new();
    for channel in channels.iter().filter(due).filter(|one| !quiet(one)) {
        if database.is_still_shown(channel, now)? {
            wanted.push(channel);
        }
    }
    if wanted.is_empty() {
        return Ok(0);
    }
    let (font, mut made, mut failed) = (font(), 0, None);
    for channel in wanted {
        match message(door, database, (channel, &font), (month, now)) {
            Ok(message) => made += u64::from(database.plan_report(channel, &month.to_string(), &message, now)?),
            // What cannot be made for one holds up no other.
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(made), Err)
}

fn message(
    door: &Door,
    database: &Database,
    (channel, font): (&MemberChannel, &Font),
    (month, now): (Month, Timestamp),
) -> Result<NewMessage, AlertError> {
    let language = channel.channel.said.language;
    let reader = door.reader(&viewer_of(channel, Purpose::ExposureReduction))?;
    let report = gather(&reader, &channel.organisation, month, now)?;
    let around = Around::of(database, &channel.organisation, &report, language)?;
    let document = tell(&report, &around, language);
    let bytes = pdf::write(&document, font).map_err(|error| AlertError::Report(error.to_string()))?;
    let file = Attached::new(format!("hinomi-{}-{month}.pdf", channel.organisation), &bytes);
    let stop = words::stop_member(language, (&channel.organisation, &channel.channel.name));
    Ok(NewMessage {
        subject: format!("[Hinomi] {} {}", document.title, around.name.chars().take(80).collect::<String>()),
        body: format!("{}\n\n{stop}", summary(&document, language)),
        events: serde_json::to_string(&file).unwrap_or_default(),
        told: Vec::new(),
    })
}

/// What stands on the first page, as plain text.
fn summary(document: &Document, language: Language) -> String {
    let mut seen = BTreeSet::new();
    let first = document.blocks.iter().take_while(|block| **block != Block::Page);
    let mut lines: Vec<String> = Vec::new();
    for block in first {
        match block {
            Block::Text(text) | Block::Note(text) => lines.push(text.clone()),
            Block::Numbers(numbers) => {
                lines.extend(numbers.iter().map(|one| format!("{}: {} ({})", one.label, one.value, one.beside)));
            }
            Block::Steps(steps) => lines.extend((1..).zip(steps).map(|(number, step)| format!("{number}. {step}"))),
            _ => {}
        }
    }
    lines.retain(|line| seen.insert(line.clone()));
    lines.push(match language {
        Language::Ja => "詳しくは添付の PDF をご覧ください。".to_owned(),
        Language::En => "The whole report is attached.".to_owned(),
    });
    lines.join("\n\n")
}
