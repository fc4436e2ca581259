//! Looking at notices, and what came of them.

use anyhow::Result;
use hinomi_model::Timestamp;
use hinomi_share::notice::deliver::{Outgoing, Relay};
use hinomi_share::notice::{Became, Measured, NoticeFormat, formatted, measure};
use hinomi_state::notices::{NewReply, Notice, NoticesOf, Party};
use serde_json::json;

use super::{List, Office, Reply, ready};
use crate::alerts;
use crate::notices::Courier;
use crate::output::{self, clean, clean_line};

/// Notices and entries of one list.
const A_LIST: u32 = 1_000;
/// Longest line.
const MAX_CHARS: usize = 400;

/// A notice in a line.
pub(super) fn one_line(notice: &Notice) -> String {
    let Party { organisation, mail, stale, .. } = &notice.party;
    let stale = if *stale { " (stale contact)" } else { "" };
    let why = if notice.error.is_empty() { String::new() } else { format!(": {}", notice.error) };
    let line = format!(
        "{:>6}  {:<10} {organisation} <{mail}>{stale}  {} findings, {}, drafted {}{why}",
        notice.number, notice.state, notice.findings, notice.label, notice.drafted
    );
    clean_line(&line, MAX_CHARS)
}

pub(super) fn list(office: &Office<'_>, list: &List) -> Result<()> {
    let of = NoticesOf {
        organisations: list.organisation.clone().map(|id| [id].into()),
        run: list.run,
        state: list.state,
        before: list.before,
        limit: A_LIST,
    };
    let notices = office.database.notices(&of)?;
    match office.common.json {
        true => output::json(&json!({ "notices": notices })),
        false => notices.iter().try_for_each(|one| output::line(&one_line(one))),
    }
}

pub(super) fn show(office: &Office<'_>, named: &str, raw: bool) -> Result<()> {
    let number = office.number(named)?;
    let notice = office.database.notice(number)?;
    let files = office.database.notice_files(number)?;
    if raw {
        return show_raw(office, &notice, &files);
    }
    let (said, replies) = (office.database.notice_findings(number)?, office.database.notice_replies(number)?);
    if office.common.json {
        return output::json(&json!({
            "notice": notice, "body": notice.body, "findings": said, "files": files, "replies": replies,
            "events": office.database.notice_events(Some(number), 0, A_LIST)?,
        }));
    }
    output::line(&one_line(&notice))?;
    let missing = notice.needs - i64::try_from(notice.released_by.len()).unwrap_or(0);
    output::line(&clean_line(
        &format!("released by: {} ({} more)", notice.released_by.join(", "), missing.max(0)),
        MAX_CHARS,
    ))?;
    output::line(&clean_line(&format!("To: {} <{}>", notice.party.name, notice.party.mail), MAX_CHARS))?;
    output::line(&clean_line(&format!("Reply-To: {}", office.settings.reply_to), MAX_CHARS))?;
    output::line(&clean_line(&format!("Subject: {}", notice.subject), MAX_CHARS))?;
    output::line("")?;
    output::line(&clean(&notice.body))?;
    for file in &files {
        output::line(&format!("-- {} ({}, {} bytes)", file.name, file.media, file.content.len()))?;
        output::line(&clean(&file.content))?;
    }
    for reply in &replies {
        let of = if reply.place == 0 { "all".to_owned() } else { reply.place.to_string() };
        output::line(&clean_line(
            &format!("answer of {of}: {} {} ({}, {})", reply.outcome, reply.note, reply.by, reply.time),
            MAX_CHARS,
        ))?;
    }
    Ok(())
}

/// The mail as it goes to the relay; of a draft, as it would be released now.
fn show_raw(office: &Office<'_>, notice: &Notice, files: &[hinomi_state::notices::NoticeFile]) -> Result<()> {
    ready(office)?;
    let mail = alerts::Settings::read(&office.folder)?.mail;
    let mail = mail.ok_or_else(|| anyhow::anyhow!("no mail relay: name one in {}", alerts::FILE))?;
    let courier = Courier::new(&mail, &office.settings)?;
    let outgoing = Outgoing { notice, files, date: notice.released.unwrap_or(office.now) };
    let bytes = courier.write(&outgoing).map_err(anyhow::Error::msg)?;
    output::line(&String::from_utf8_lossy(&bytes))
}

pub(super) fn reply(office: &Office<'_>, reply: &Reply) -> Result<()> {
    let number = office.number(&reply.notice)?;
    let new = NewReply { places: reply.finding.clone(), outcome: reply.outcome, note: reply.note.clone() };
    let all = office.database.reply_to_notice(office.deed(), number, &new)?;
    match office.common.json {
        true => output::json(&json!({ "replies": all })),
        false => output::line(&format!("written down: {} of notice {number}", reply.outcome)),
    }
}

pub(super) fn measured(office: &Office<'_>, named: &str) -> Result<()> {
    ready(office)?;
    let door = office.door()?;
    let notice = office.database.notice(office.number(named)?)?;
    let all = measure(&office.desk(&door), &notice, office.now)?;
    let count = |became: Became| all.iter().filter(|one| one.became == became).count();
    if office.common.json {
        let counts: serde_json::Map<_, _> =
            Became::ALL.iter().map(|one| (one.name().to_owned(), json!(count(*one)))).collect();
        return output::json(&json!({ "notice": notice.number, "now": office.now, "counts": counts, "findings": all }));
    }
    all.iter().try_for_each(|one| output::line(&of_finding(one)))?;
    let counts: Vec<String> = Became::ALL.iter().map(|one| format!("{} {}", count(*one), one.name())).collect();
    output::talk(&counts.join(", "));
    Ok(())
}

fn of_finding(one: &Measured) -> String {
    let when = |time: Option<Timestamp>| time.map_or_else(String::new, |time| format!(" {time}"));
    let said = one.reply.as_ref().map_or_else(String::new, |reply| format!("; they say {}", reply.outcome));
    let product = if one.product.is_empty() { String::new() } else { format!(" ({})", one.product) };
    let host = one.host.map_or_else(String::new, |host| format!("; the host answered elsewhere {host}"));
    let line = format!(
        "{:>4}  {} {}: {}{}{product}; last answered {}{host}{said}",
        one.place,
        one.service,
        one.concern,
        one.became.name(),
        when(one.when),
        one.answered
    );
    clean_line(&line, MAX_CHARS)
}

pub(super) fn export(office: &Office<'_>, named: &str, format: NoticeFormat) -> Result<()> {
    ready(office)?;
    let number = office.number(named)?;
    let notice = office.database.notice(number)?;
    let said = office.database.notice_findings(number)?;
    let text = formatted(format, &office.settings, &notice.token, &said, notice.drafted);
    match office.common.json {
        true => output::json(&json!({ "notice": number, "content": text })),
        false => output::line(text.trim_end()),
    }
}

pub(super) fn opt_out(office: &Office<'_>, organisation: Option<&str>, reason: &str, again: bool) -> Result<()> {
    if let Some(id) = organisation {
        office.database.opt_out_of_notices(office.deed(), id, (!again).then_some(reason))?;
    }
    let all = office.database.notice_opt_outs()?;
    if office.common.json {
        return output::json(&json!({ "opt_outs": all }));
    }
    let line = |one: &hinomi_state::notices::OptOut| {
        format!("{} since {} ({}): {}", one.organisation, one.since, one.by, one.reason)
    };
    all.iter().try_for_each(|one| output::line(&clean_line(&line(one), MAX_CHARS)))
}

pub(super) fn history(office: &Office<'_>, named: Option<&str>, after: i64) -> Result<()> {
    let number = named.map(|named| office.number(named)).transpose()?;
    let events = office.database.notice_events(number, after, A_LIST)?;
    if office.common.json {
        return output::json(&json!({ "events": events }));
    }
    for event in &events {
        let of = event.notice.map_or_else(String::new, |number| format!(" notice {number}"));
        let line = format!("{} {} {}:{of} {}: {}", event.number, event.time, event.by, event.action, event.detail);
        output::line(&clean_line(&line, MAX_CHARS))?;
    }
    Ok(())
}
