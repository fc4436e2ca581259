//! What alerts say, in both languages, as plain text.

use hinomi_model::{ServiceKey, Timestamp};
use hinomi_state::contacts::Language;

/// Names of saved queries on one line.
pub(super) const MAX_NAMES: usize = 3;
/// Longest text of others on a line, in characters.
const MAX_CHARS: usize = 80;

/// One change.
pub(super) struct Line<'a> {
    pub(super) seen: Timestamp,
    pub(super) what: &'a str,
    pub(super) service: ServiceKey,
    /// Which facts are others now.
    pub(super) facts: &'a [String],
    /// What it says now, where that is told.
    pub(super) now: Option<&'a str>,
    /// Names of the saved queries that it fits.
    pub(super) queries: Vec<String>,
}

/// One line: how many changes, and the first.
pub(super) fn subject(language: Language, count: usize, first: Option<&Line<'_>>) -> String {
    let first = first.map(|line| format!("{} {}", what(language, line.what), line.service)).unwrap_or_default();
    match (language, count) {
        (_, 0 | 1) => format!("[Hinomi] {first}"),
        (Language::Ja, many) => format!("[Hinomi] 変化 {many} 件: {first} ほか"),
        (Language::En, many) => format!("[Hinomi] {many} changes: {first} and more"),
    }
}

/// The text for people: changes, how many more there are, and what is to be said at the end.
pub(super) fn body<const N: usize>(
    language: Language,
    (lines, more): (&[Line<'_>], usize),
    ends: [Option<String>; N],
) -> String {
    let mut text = vec![
        match language {
            Language::Ja => "保存した検索に合う変化がありました（時刻は UTC）。",
            Language::En => "Changes that fit saved queries (times are UTC):",
        }
        .to_owned(),
        String::new(),
    ];
    text.extend(lines.iter().map(|line| one(language, line)));
    if more > 0 {
        text.push(match language {
            Language::Ja => format!("ほか {more} 件"),
            Language::En => format!("and {more} more"),
        });
    }
    let mut ends = ends.into_iter().flatten();
    if let Some(last) = ends.next_back() {
        text.extend(ends);
        text.extend([String::new(), last]);
    }
    text.join("\n")
}

/// That some are not kept any more.
pub(super) fn missed(language: Language, missed: u64) -> Option<String> {
    (missed > 0).then(|| match language {
        Language::Ja => format!("これより前の {missed} 件は保存期間を過ぎたため含まれません。"),
        Language::En => format!("{missed} before these are not kept any more and are not listed."),
    })
}

/// That there may be more which can not be told any more.
pub(super) fn gap(language: Language) -> String {
    match language {
        Language::Ja => "しばらく知らせることができなかったため、これより前の変化が抜けているかもしれません。",
        Language::En => "Nothing could be told for a while: changes before these may be missing.",
    }
    .to_owned()
}

/// How it is stopped by the operator.
pub(super) fn stop(language: Language, channel: &str) -> String {
    match language {
        Language::Ja => {
            format!("送信先「{channel}」の設定による自動送信です。止めるには: hinomi alert remove {channel}")
        }
        Language::En => format!("Sent for the channel {channel}. To stop: hinomi alert remove {channel}"),
    }
}

/// How it is stopped by members.
pub(super) fn stop_member(language: Language, (organisation, channel): (&str, &str)) -> String {
    match language {
        Language::Ja => format!(
            "組織 {organisation} の送信先「{channel}」の設定による自動送信です。止めるには、Hinomi の「自組織」→「通知の設定」で\
             この送信先を取り除いてください。"
        ),
        Language::En => format!(
            "Sent for the channel {channel} of {organisation}. To stop, remove it in Hinomi under My organisation, Alerts."
        ),
    }
}

/// What is mailed to an address of which nobody knows yet whether it wants any: a subject and a text.
pub(super) fn code(language: Language, organisation: &str, code: &str) -> (String, String) {
    match language {
        Language::Ja => (
            "[Hinomi] 通知先の確認".to_owned(),
            format!(
                "組織 {organisation} の担当者が、このメールアドレスを Hinomi の通知の送信先に登録しました。\n\n\
                 受け取ってよい場合は、次の確認コードを担当者に伝えてください。\n\n    {code}\n\n\
                 心当たりがなければ何もしないでください。コードが入力されない限り、通知は送られません。"
            ),
        ),
        Language::En => (
            "[Hinomi] May alerts be sent here?".to_owned(),
            format!(
                "Somebody who acts for {organisation} named this mail address as a channel for alerts of Hinomi.\n\n\
                 If you want them, give this code to that person:\n\n    {code}\n\n\
                 If you do not know of it, do nothing: without the code nothing is sent."
            ),
        ),
    }
}

fn one(language: Language, line: &Line<'_>) -> String {
    let names: Vec<String> = line.queries.iter().map(|name| plain(name)).collect();
    let facts = if line.facts.is_empty() { String::new() } else { format!(" ({})", line.facts.join(", ")) };
    let now = line.now.map(|now| format!("  {}", plain(now))).unwrap_or_default();
    format!("{}  {} {}{facts}{now}  [{}]", line.seen, what(language, line.what), line.service, names.join(", "))
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

/// A text of others on one line, without what would act.
fn plain(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|c| !c.is_control() && !turns(*c)).take(MAX_CHARS).collect()
}

/// Text as Slack shows it: three characters act there.
pub(super) fn slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
