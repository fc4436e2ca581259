//! What each concern is called, and what to do about it, in both languages.

use hinomi_state::contacts::Language;

use crate::advice::Concern;

/// Its name, and what to do: in Japanese, in English.
type Words = [(&'static str, &'static str); 2];

/// Told of a host, not of a service.
const INFECTED: Words = [
    (
        "感染または悪用されている機器（外部の報告による）",
        "ネットワークから切り離し、駆除または交換し、設定していたパスワードを変えてください。",
    ),
    (
        "Infected or misused devices, as others report",
        "Take it off the network, clean or replace it, and change the passwords that it knew.",
    ),
];

const fn words(concern: Concern) -> Words {
    match concern {
        Concern::Infected => INFECTED,
        Concern::Telnet => [
            ("暗号化されない遠隔ログイン（Telnet）", "Telnet を止め、必要なら SSH か VPN 経由に替えてください。"),
            ("Remote login without encryption (Telnet)", "Switch Telnet off; where it is needed, use SSH or a VPN."),
        ],
        Concern::Plant => [
            ("設備・建物・エネルギーの制御", "インターネットから切り離し、保守は VPN を通してください。"),
            ("Control of plants, buildings, energy", "Take it off the Internet; let maintenance come through a VPN."),
        ],
        Concern::Database => [
            ("データベース", "社内からだけ届くようにし、パスワードなしの利用を止めてください。"),
            ("Databases", "Let only your own network reach it, and nobody without a password."),
        ],
        Concern::Desktop => [
            ("遠隔操作とコンソール", "VPN の内側に移し、二要素認証を使ってください。"),
            ("Remote desktops and consoles", "Move it behind a VPN and ask for a second factor."),
        ],
        Concern::Camera => [
            ("カメラと録画機", "外からの接続を止め、ファームウェアを更新し、初期パスワードを変えてください。"),
            ("Cameras and recorders", "Close it to the outside, update its firmware, change the preset password."),
        ],
        Concern::Files => [
            ("共有ファイル", "外へ公開しない設定にし、受け渡しは認証のある手段に替えてください。"),
            ("Shared files", "Close it to the outside; hand files over by a way that asks who comes."),
        ],
        Concern::Admin => [
            ("機器の設定画面", "外からの管理を止め、更新を当て、初期パスワードを変えてください。"),
            ("Pages by which devices are set up", "Switch off management from outside, update, change the password."),
        ],
        Concern::Resolver => [
            ("オープンリゾルバー", "自分の利用者にだけ答えるよう設定してください。攻撃の踏み台になります。"),
            ("Open resolvers", "Let it answer your own users only: others aim it at third parties."),
        ],
        Concern::Reflector => [
            ("増幅に使われうるサービス", "外からの問い合わせに答えないようにしてください。"),
            ("Services that can be aimed at others", "Do not answer questions from outside."),
        ],
        Concern::Messages => [
            ("センサーや機器のメッセージ", "認証と暗号化を使い、外から届かないようにしてください。"),
            ("Messages of sensors and devices", "Ask for a password, encrypt, and keep it inside."),
        ],
        Concern::Login => [
            ("遠隔ログイン（SSH）", "鍵による認証だけにし、接続元を絞ってください。"),
            ("Remote login (SSH)", "Allow keys only, and only from where it is needed."),
        ],
        Concern::Printer => {
            [("プリンター", "外から届かないようにしてください。"), ("Printers", "Keep it out of reach from outside.")]
        }
        Concern::Voice => [
            ("電話設備", "通信事業者からだけ届くようにしてください。"),
            ("Telephone systems", "Let only your carrier reach it."),
        ],
        Concern::Provider => [
            ("通信事業者の保守用の口", "事業者に、外から閉じられるか尋ねてください。"),
            ("Maintenance doors of providers", "Ask the provider whether it can be closed to others."),
        ],
        Concern::Vpn => [
            ("VPN の入口", "更新を欠かさず、二要素認証を使ってください。"),
            ("Ways into private networks (VPN)", "Keep it up to date and ask for a second factor."),
        ],
        Concern::Public => [
            ("公開のウェブとメール", "公開が意図どおりか確かめ、更新を続けてください。"),
            ("Web and mail for everybody", "Make sure that it is meant to be public, and keep it up to date."),
        ],
        Concern::Other => [
            ("その他", "何のためのものか確かめ、要らなければ閉じてください。"),
            ("Other", "Find out what it is for, and close it if nobody needs it."),
        ],
    }
}

fn in_language(concern: Concern, language: Language) -> (&'static str, &'static str) {
    let [ja, en] = words(concern);
    if language == Language::En { en } else { ja }
}

/// What it is called.
pub(super) fn name(concern: Concern, language: Language) -> &'static str {
    in_language(concern, language).0
}

/// What to do about it.
pub(super) fn step(concern: Concern, language: Language) -> &'static str {
    in_language(concern, language).1
}
