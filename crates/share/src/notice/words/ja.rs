//! Japanese.

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
            "感染している、または悪用されている機器",
            "マルウェアに感染した機器がする通信が見つかりました。",
            "ネットワークから切り離し、駆除または交換してください。その機器に設定していたパスワードも変えてください。",
        ),
    ),
    (
        "telnet",
        say(
            "暗号化しない遠隔ログイン（Telnet）",
            "パスワードが暗号化されずに流れます。機器をねらうマルウェアが最もよく使う入口です。",
            "Telnet を止めてください。遠隔での操作が必要なら SSH や VPN に替え、外からの 23 番などをふさいでください。",
        ),
    ),
    (
        "plant",
        say(
            "設備や制御機器の通信",
            "工場・ビル・計器などの制御に使う通信です。多くは相手を確かめずに指示を受け付けます。",
            "インターネットから直接届かないようにし、必要な接続は VPN や専用線に限ってください。操作の記録に覚えのない指示がないか確かめてください。",
        ),
    ),
    (
        "database",
        say(
            "データベース",
            "データを読み書きする口が、だれからでも届く所にあります。",
            "接続できる相手を社内や特定のアドレスに限り、認証を必ず有効にしてください。中身が持ち出されていないか記録を確かめてください。",
        ),
    ),
    (
        "desktop",
        say(
            "画面の遠隔操作",
            "機器や PC の画面を遠くから操作する口です。パスワードの総当たりや弱点をねらわれやすい所です。",
            "外から直接届かないようにし、VPN の内側からだけ使ってください。更新を最新にしてください。",
        ),
    ),
    (
        "camera",
        say(
            "カメラ・録画機",
            "映像や設定の画面に外から届きます。のぞき見や乗っ取りにあいやすい所です。",
            "外からの接続を止めるか、VPN の内側に置いてください。初期パスワードを変え、ファームウェアを最新にしてください。",
        ),
    ),
    (
        "files",
        say(
            "ファイルの共有・転送",
            "ファイルを置く所や転送の口に外から届きます。",
            "公開する必要がなければ外からの接続を止めてください。必要なら認証を必須にし、暗号化する方式に替えてください。",
        ),
    ),
    (
        "admin",
        say(
            "機器の設定画面",
            "ルーターなどの設定画面に外から届きます。",
            "「WAN 側からの設定」「リモート管理」を無効にし、初期パスワードを変え、ファームウェアを最新にしてください。",
        ),
    ),
    (
        "resolver",
        say(
            "だれにでも答える DNS",
            "他人への攻撃（DNS リフレクション）の踏み台に使われることがあります。",
            "自分の利用者にだけ答えるよう制限してください。家庭用ルーターなら WAN 側の DNS 応答を止めてください。",
        ),
    ),
    (
        "reflector",
        say(
            "問いより大きく答えるサービス",
            "差出人をいつわった問いに大きく答えるため、他人への攻撃の踏み台に使われることがあります。",
            "外から使う必要がなければ止めるか、答える相手を限ってください。",
        ),
    ),
    (
        "messages",
        say(
            "センサーなどのメッセージ",
            "センサーや家電の値をやり取りする口に外から届きます。",
            "認証と暗号化（TLS）を有効にし、つながる相手を限ってください。",
        ),
    ),
    (
        "login",
        say(
            "遠隔ログイン（SSH）",
            "遠隔ログインの口に外から届きます。意図したものかどうかを確かめてください。",
            "必要なアドレスからに限り、パスワードではなく鍵でのログインにしてください。",
        ),
    ),
    (
        "printer",
        say(
            "プリンター",
            "印刷の口に外から届きます。印刷や設定の変更、文書の盗み見に使われることがあります。",
            "外からの接続を止めてください。",
        ),
    ),
    (
        "voice",
        say(
            "電話のシステム",
            "IP 電話の口に外から届きます。不正な通話に使われることがあります。",
            "つながる相手を事業者などに限り、内線のパスワードを強くしてください。",
        ),
    ),
    (
        "provider",
        say(
            "事業者の保守用の口",
            "通信事業者が機器を保守するための口に、だれからでも届きます。",
            "事業者に連絡し、事業者の設備からだけ届くようにしてもらってください。",
        ),
    ),
    (
        "vpn",
        say(
            "VPN の入口",
            "社内などへの入口です。意図して開いていることも多いものです。",
            "意図したものか確かめ、最新の更新と多要素認証を使ってください。",
        ),
    ),
    (
        "public",
        say(
            "公開向けのサービス",
            "公開を意図したものかもしれません。",
            "意図したものか確かめ、そうでなければ外からの接続を止めてください。",
        ),
    ),
    (
        "anonymous",
        say(
            "だれか確かめずに中身を渡すサービス",
            "名乗らずに接続しても中身を読める状態でした。",
            "認証を必須にし、外から使う必要がなければ止めてください。中身が持ち出されていないか記録を確かめてください。",
        ),
    ),
    (
        "other",
        say(
            "外から使えるサービス",
            "外から接続できる状態です。意図したものかどうかを確かめてください。",
            "意図したものでなければ外からの接続を止めてください。",
        ),
    ),
];

fn severity(name: &str) -> &'static str {
    match name {
        "critical" => "至急",
        "high" => "高",
        "medium" => "中",
        _ => "低",
    }
}

pub(super) fn body(letter: &Letter<'_>) -> String {
    let Letter { settings, party, organisation, token, said, .. } = letter;
    let who = settings.name(Language::Ja);
    let to = if party.name.is_empty() { String::new() } else { format!(" {}", party.name) };
    let mut text = vec![
        format!("{organisation}{to} 御中"),
        String::new(),
        format!("{who} です。"),
        format!(
            "貴組織が{}アドレスで、インターネットから使える状態の機器やサービスを {} 件確認しました。",
            basis(&party.basis),
            said.len()
        ),
        "意図して開いているものでなければ、閉じるか守りを固めてくださいますようお願いします。".to_owned(),
        String::new(),
        "■ 見えたもの（時刻は協定世界時。かっこ内は日本時間）".to_owned(),
    ];
    for (number, one) in said.iter().take(MAX_LISTED).enumerate() {
        text.extend(finding(number + 1, one));
    }
    if said.len() > MAX_LISTED {
        text.push(format!("　ほか {} 件は添付の findings.csv にあります。", said.len() - MAX_LISTED));
    }
    text.extend([String::new(), "■ していただきたいこと".to_owned()]);
    for concern in concerns(said) {
        let words = words(Language::Ja, concern);
        text.extend([format!("・{}", words.name), format!("　{}", words.what), format!("　{}", words.act)]);
    }
    text.extend([
        String::new(),
        "■ どこまで確かか".to_owned(),
        "　接続して返ってきた応答だけを見ています。ログインの試行や攻撃はしていません。".to_owned(),
        "　「確かさ」は製品名などの見立ての確かさで、応答があったこと自体はその時刻の事実です。".to_owned(),
        "　アドレスはその後ほかの利用者に移っていることがあります。添付には、応答を確かめられるよう証拠のハッシュ値があります。".to_owned(),
        String::new(),
        "■ お返事のしかた".to_owned(),
        format!("　このメールに返信してください（{} に届きます。件名の [Hinomi {token}] は残してください）。", settings.reply_to),
        "　番号ごとに、次のどれかをお知らせいただけると助かります:".to_owned(),
        "　直した／これから直す／当方のものではない／見立てが違う／承知の上で残す".to_owned(),
        String::new(),
        "■ この情報の扱い".to_owned(),
        format!("　{}（TLP 2.0）。{}", letter.label, handling(letter.label)),
        String::new(),
    ]);
    text.extend(foot(letter, who));
    text.join("\n")
}

fn basis(basis: &str) -> &'static str {
    match basis {
        "holder" => "管理する",
        "network" => "運用するネットワークの",
        "as" => "運用する AS の",
        _ => "対応を調整する範囲の",
    }
}

fn finding(number: usize, one: &Said) -> Vec<String> {
    let words = words(Language::Ja, &one.concern);
    let service = one.service;
    let mut lines = vec![format!(
        "{number}. {}  ポート {}/{}  {}（重さ: {}）",
        service.address,
        service.port,
        service.transport,
        words.name,
        severity(&one.severity)
    )];
    if !one.product.is_empty() {
        lines.push(format!("　 機器・製品の見立て: 「{}」（確かさ {}%）", one.product, one.confidence));
    }
    if !one.summary.is_empty() {
        lines.push(format!("　 応答の初め: 「{}」", one.summary));
    }
    lines.push(format!(
        "　 最後に応答: {}（{}）、最初に応答: {}（{}）",
        utc(one.seen),
        jst(one.seen),
        utc(one.first),
        jst(one.first)
    ));
    lines
}

fn handling(label: &str) -> &'static str {
    match label {
        "TLP:CLEAR" => "公開してかまいません。",
        "TLP:GREEN" => "関係するコミュニティの中に限って共有できます。公開しないでください。",
        "TLP:AMBER" => "貴組織と、対応に必要な顧客の中に限って共有できます。",
        "TLP:AMBER+STRICT" => "貴組織の中に限って共有できます。",
        _ => "受け取った方に限ります。",
    }
}

fn foot(letter: &Letter<'_>, who: &str) -> Vec<String> {
    let Letter { settings, party, .. } = letter;
    let mut text = vec!["■ このお知らせについて".to_owned(), format!("　送信: {who}")];
    let mut more = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push(format!("　{name}: {}", line(value, 600)));
        }
    };
    more("調査の根拠", settings.authority(Language::Ja));
    more("調査と範囲", letter.scope);
    more("説明のページ", &settings.page);
    more("電話", &settings.phone);
    more("取り扱いの条件", &terms(letter.said));
    more("お知らせの番号", letter.token);
    more("作成", &format!("{}（{}）", utc(letter.now), jst(letter.now)));
    more("宛先", &format!("{}（最後の確認 {}）", party.role, utc(party.confirmed)));
    if party.stale {
        text.push(
            "　※この宛先は長く確認されていません。担当が替わっていましたら、新しい宛先をお知らせください。".to_owned(),
        );
    }
    text.push("　お知らせが不要な場合は、その旨をご返信ください。以後お送りしません。".to_owned());
    text.push(String::new());
    text
}
