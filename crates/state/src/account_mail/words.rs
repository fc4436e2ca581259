//! What messages about one's own account say. No link, no secret, nothing of what an account may see.

use hinomi_model::Timestamp;

use super::agent;
use crate::contacts::Language;

/// What is told, and how it is called, in Japanese and in English.
const CHANGES: [(&str, &str, &str); 14] = [
    ("password-set", "パスワードが設定されました", "The password was set"),
    ("passkey-added", "パスキーが登録されました", "A passkey was added"),
    ("passkey-removed", "パスキーが取り消されました", "A passkey was removed"),
    ("key-made", "プログラム用の鍵が作られました", "A key for programs was made"),
    ("key-revoked", "プログラム用の鍵が取り消されました", "A key for programs was revoked"),
    ("identity-linked", "外部のアカウントが結び付けられました", "An account elsewhere was linked"),
    ("identity-unlinked", "外部のアカウントとの結び付きが解かれました", "An account elsewhere was unlinked"),
    ("rights-set", "権限が変わりました", "Its rights were changed"),
    ("role-set", "組織での役割が変わりました", "Its role for an organisation was changed"),
    ("invited", "新しいパスワードを決めるための招待が作られました", "An invitation to choose a new password was made"),
    ("closed", "アカウントが閉じられました", "The account was closed"),
    ("mail-set", "お知らせの送り先が変わりました", "The address for these messages was changed"),
    ("mail-removed", "お知らせの送り先が消されました", "The address for these messages was taken away"),
    ("signed-in", "これまでにないブラウザでサインインがありました", "Somebody signed in with a new browser"),
];

/// Whether somebody is told of this.
pub(super) fn is_told(action: &str) -> bool {
    CHANGES.iter().any(|(each, ..)| *each == action)
}

/// Subject and text about a change.
pub(super) fn change(
    language: Language,
    (account, action): (&str, &str),
    (by, source, agent): (&str, &str, &str),
    now: Timestamp,
) -> (String, String) {
    let found = CHANGES.iter().find(|(each, ..)| *each == action);
    let (ja, en) = found.map_or((action, action), |(_, ja, en)| (*ja, *en));
    let when: String = now.to_string().chars().take("2026-11-22T12:00".len()).collect::<String>().replace('T', " ");
    let signed_in = action == "signed-in";
    let (browser, system) = agent::named(agent);
    let or = |unknown| (browser.unwrap_or(unknown), system.unwrap_or(unknown));
    match language {
        Language::Ja => {
            let (browser, system) = or("不明");
            let from = format!("接続元: {source}\nブラウザ: {browser}\nシステム: {system}");
            let who = if signed_in { from } else { format!("行った人: {by}") };
            let body = format!(
                "{ja}。\n\nアカウント: {account}\n日時: {when}（UTC）\n{who}\n\n\
                 心当たりがあれば、何もする必要はありません。心当たりがなければ、いつもの方法でサインインしてパスワードを変え、\
                 この見張り台を運用している担当者に連絡してください。\n\n\
                 このメールにリンクはありません。パスワードや確認コードをメールでお尋ねすることもありません。\n"
            );
            (format!("[Hinomi] アカウント {account}: {ja}"), body)
        }
        Language::En => {
            let (browser, system) = or("unknown");
            let from = format!("From: {source}\nBrowser: {browser}\nSystem: {system}");
            let who = if signed_in { from } else { format!("By: {by}") };
            let body = format!(
                "{en}.\n\nAccount: {account}\nWhen: {when} UTC\n{who}\n\n\
                 If you know of it, there is nothing to do. If you do not, sign in the way you always do, change your \
                 password, and tell the people who run this watchtower.\n\n\
                 This mail has no link, and nobody asks you by mail for a password or a code.\n"
            );
            (format!("[Hinomi] Account {account}: {}", lower(en)), body)
        }
    }
}

/// Subject and text that take a code to an address.
pub(super) fn code(language: Language, account: &str, code: &str) -> (String, String) {
    match language {
        Language::Ja => (
            format!("[Hinomi] アカウント {account} のお知らせの送り先"),
            format!(
                "アカウント {account} に変更があったとき、このアドレスに知らせるよう求められました。\n\
                 あなたが求めたのであれば、次の確認コードを「自分のアカウント」に入れてください。\n\n    {code}\n\n\
                 心当たりがなければ、何もしないでください。コードが入れられるまで、ほかに何も送りません。\n"
            ),
        ),
        Language::En => (
            format!("[Hinomi] Messages about the account {account}"),
            format!(
                "Somebody asked that this address is told when the account {account} changes.\n\
                 If that was you, enter this code under \"My account\":\n\n    {code}\n\n\
                 If you do not know of it, do nothing: without the code nothing else is sent.\n"
            ),
        ),
    }
}

/// The first letter small: it stands within a line.
fn lower(text: &str) -> String {
    let mut left = text.chars();
    left.next().map(|first| first.to_lowercase().chain(left).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_plain_in_both_languages_and_leads_nowhere() {
        let now = "2026-11-22T12:34:56Z".parse().unwrap();
        for (action, ja, en) in CHANGES {
            for (language, says) in [(Language::Ja, ja), (Language::En, en)] {
                let by = ("operator", "192.0.2.1", "see https://evil.example/x Firefox/140.0");
                let (subject, body) = change(language, ("ann", action), by, now);
                assert!(body.starts_with(says) && body.contains("ann") && body.contains("2026-11-22 12:34"), "{body}");
                assert!(!body.contains("://") && subject.contains("ann") && !subject.contains('\n'), "{subject}");
                let is_sign_in = action == "signed-in";
                assert_eq!((body.contains("192.0.2.1"), body.contains("Firefox")), (is_sign_in, is_sign_in), "{body}");
                assert_eq!(body.contains("unknown") || body.contains("不明"), is_sign_in, "{body}");
                assert!(!body.contains("evil"), "{body}");
            }
        }
        assert!(!is_told("session-ended") && !is_told("added"));
    }
}
