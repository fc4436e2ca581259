# 自組織
nav-organisation = 自組織
organisation-title = 自組織
organisation-lead = あなたの範囲が外からどう見えるか、何が変わったか。ほかの組織の記録はここでは数えません。
organisation-everything = この設備の運用者として、すべてが見えています。構成員にはこのページで自分の範囲だけが見えます。
organisation-acts-for = 代表する組織
organisation-none = この目的で読める組織がありません
organisation-purpose = 閲覧の目的
organisation-audiences = 共有先グループ
organisation-claims = 保有する範囲
organisation-no-claims = まだ何も証明されていません。管理者に依頼するか、hinomi claim ask でプレフィックスやドメインを証明してください。
organisation-subject = プレフィックス・AS・ドメイン
organisation-holder = 保有者
organisation-until = 証明の期限
organisation-more-claims = { $n ->
   *[other] ほか { $count } 件あります。
}
organisation-exposed = 公開されていて、先に見るべきもの
organisation-total = 応答するサービス:
organisation-what = 内容
organisation-count = サービス数
organisation-telnet = 暗号化されない遠隔ログイン（Telnet）
organisation-plant = 設備・建物・エネルギーの制御
organisation-camera = カメラと録画機
organisation-database = データベース
organisation-desktop = 遠隔操作とコンソール
organisation-files = 共有ファイル
organisation-resolver = オープンリゾルバー
organisation-anonymous = パスワードなしで誰でも使えるもの
organisation-expired = 期限切れの証明書
organisation-ending = 30 日以内に切れる証明書
organisation-changed = この 7 日間の変化
organisation-no-changes = 調べた範囲では変化がありません。
organisation-says = 今の内容
organisation-unknown = 感染、悪用が知られている脆弱性、ほかに誰が知らされたかは、まだこのページにありません。
