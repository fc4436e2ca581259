//! What alerts say, in both languages, as plain text.

use hinomi_lake::watch::{Event, Saved};
use hinomi_state::alerts::Channel;
use hinomi_state::contacts::Language;

/// Names of saved queries on one line.
const MAX_NAMES: usize = 3;

/// One line: how many changes, and the first.
pub(super) fn subject(channel: &Channel, events: &[&Event]) -> String {
    let first = events.first().map(|event| format!("{} {}", what(channel.said.language, &event.what), event.service));
    let first = first.unwrap_or_default();
    match (channel.said.language, events.len()) {
        (Language::Ja, 0 | 1) => format!("[Hinomi] {first}"),
        (Language::En, 0 | 1) => format!("[Hinomi] {first}"),
        (Language::Ja, many) => format!("[Hinomi] 変化 {many} 件: {first} ほか"),
        (Language::En, many) => format!("[Hinomi] {many} changes: {first} and more"),
    }
}

/// The text for people.
pub(super) fn body(channel: &Channel, saved: &[Saved], told: (&[&Event], usize), missed: u64) -> String {
    let (language, (events, more)) = (channel.said.language, told);
    let mut lines = vec![
        match language {
            Language::Ja => "保存した検索に合う変化がありました（時刻は UTC）。",
            Language::En => "Changes that fit saved queries (times are UTC):",
        }
        .to_owned(),
        String::new(),
    ];
    lines.extend(events.iter().map(|event| line(language, saved, event)));
    if more > 0 {
        lines.push(match language {
            Language::Ja => format!("ほか {more} 件"),
            Language::En => format!("and {more} more"),
        });
    }
    if missed > 0 {
        lines.push(match language {
            Language::Ja => format!("これより前の {missed} 件は保存期間を過ぎたため含まれません。"),
            Language::En => format!("{missed} before these are not kept any more and are not listed."),
        });
    }
    lines.push(String::new());
    lines.push(match language {
        Language::Ja => format!(
            "送信先「{}」の設定による自動送信です。止めるには: hinomi alert remove {}",
            channel.name, channel.name
        ),
        Language::En => format!("Sent for the channel {}. To stop: hinomi alert remove {}", channel.name, channel.name),
    });
    lines.join("\n")
}

fn line(language: Language, saved: &[Saved], event: &Event) -> String {
    let name =
        |id: &u64| saved.iter().find(|one| one.id == *id).map_or_else(|| format!("#{id}"), |one| plain(&one.name));
    let names: Vec<String> = event.watches.iter().take(MAX_NAMES).map(name).collect();
    let facts = if event.facts.is_empty() { String::new() } else { format!(" ({})", event.facts.join(", ")) };
    format!("{}  {} {}{facts}  [{}]", event.seen, what(language, &event.what), event.service, names.join(", "))
}

fn what(language: Language, what: &str) -> &str {
    match (language, what) {
        (Language::Ja, "opened") => "公開",
        (Language::Ja, "changed") => "変更",
        (Language::Ja, "closed") => "停止",
        (Language::Ja, "reopened") => "再開",
        (_, other) => other,
    }
}

/// A name on one line, without what would act.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(80).collect()
}

/// Text as Slack shows it: three characters act there.
pub(super) fn slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
