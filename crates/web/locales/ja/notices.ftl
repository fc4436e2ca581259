# お知らせ
nav-notices = お知らせ
notices-title = お知らせ
notices-one = お知らせ { $it }
notices-lead = あなたの組織に送ったお知らせです。直したかどうかなどを、ここから答えられます。
notices-lead-all = 見つけたことを、責任を持つ相手ごとに一通で知らせます。下書きを確かめ、送信を承認すると送られます。
notices-none = お知らせはありません。
notices-older = 古いお知らせ
notices-number = 番号
notices-state = 状態
notices-party = 知らせる相手
notices-findings = 見つかったこと
notices-label = 共有の範囲
notices-to = 宛先
notices-stale = この連絡先は長く確認されていません
notices-drafted = 下書き
notices-released-by = 送信を承認した人
notices-needs = { $it } 人が必要
notices-error = 送れなかった理由
notices-release = 送信の承認
notices-release-why = 下の文面と添付をそのまま送ります。多くの相手や多くの件数のときは、別の人の承認も必要です。
notices-release-button = 送信を承認する
notices-released = 承認しました。まもなく送られます。
notices-half-released = 記録しました。送るには、もう一人の承認が必要です。
notices-reason = やめる理由
notices-cancel-button = やめる
notices-cancelled = やめました。見つかったことは、ほかのお知らせで知らせられます。
notices-concern = 内容
notices-severity = 重さ
notices-severity-critical = 至急
notices-severity-high = 高
notices-severity-medium = 中
notices-severity-low = 低
notices-seen = 最後の応答
notices-outcome = 答え
notices-outcome-said = 「答え」は相手の申告です。見て確かめたことではありません。
notices-outcome-fixed = 直した
notices-outcome-will-fix = これから直す
notices-outcome-not-ours = 当方のものではない
notices-outcome-false-positive = 見立てが違う
notices-outcome-accepted-risk = 承知の上で残す
notices-outcome-no-answer = 返事がない
notices-more-findings = { $n ->
   *[other] ほか { $count } 件は添付の表にあります。
  }
notices-answer = 答える
notices-finding-number = 見つかったことの番号（空欄はすべて）
notices-note = ひとこと
notices-answer-button = 答えを残す
notices-answered = 答えを残しました。
notices-answers = これまでの答え
notices-mail = 送る文面と添付
notices-state-draft = 下書き
notices-state-released = 送信待ち
notices-state-sending = 送信中
notices-state-sent = 送信済み
notices-state-unsure = 届いたか不明
notices-state-given-up = 送れなかった
notices-state-void = 無効（状況が変わった）
notices-state-cancelled = やめた
notices-basis-holder = アドレスの保有者
notices-basis-network = 外側のネットワークの運用者
notices-basis-as = AS の運用者
notices-basis-csirt = 対応チーム
notices-others = ほかに知らせた相手
notices-others-why = あなたが保有する範囲で、あなたにも見える記録について、ほかの相手に知らせたものです。
notices-others-none = ありません。
notices-who = 相手
notices-somebody = 名前を明かせない組織
notices-draft-title = お知らせの下書きを作る
notices-draft-lead = 何を知らせるかを決めて、だれに何が送られるかを確かめます。下書きは、だれかが送信を許すまで送られません。
notices-draft-query = 知らせるもの
notices-draft-query-note = 検索と同じ書き方です。空なら、だれにでも開いていることをほとんどの人が望まないものです。
notices-draft-nets = このネットワークだけ
notices-draft-look = 確かめる
notices-draft-parties = { $n ->
    [0] 知らせる相手はありません
   *[other] { $count } の相手に知らせます
  }
notices-draft-more = { $n ->
   *[other] ほかに { $count } 件はここに示していません。
  }
notices-draft-two = 二人の承認が要ります
notices-draft-make = この下書きを作る
notices-draft-make-note = もう一度調べ直します。その間に変わったものは、除かれたり加わったりします。
notices-drafts-made = { $n ->
    [0] 下書きにするものはありませんでした。
   *[other] { $count } 件の下書きを作りました。それぞれ確かめてから送信を許してください。
  }
notices-left = だれにも知らせないもの
notices-left-no-party = 登録された組織のどれも担当していない
notices-left-not-entitled = 担当する組織が知ってよいものではない
notices-left-no-contact = 担当する組織に連絡先がない
notices-left-opted-out = 担当する組織がお知らせを望んでいない
notices-left-changed-hands = その後、アドレスの持ち主が変わった
notices-left-told = すでに知らせたか、ほかのお知らせで待っている
notices-left-too-many = 一件のお知らせには多すぎる
notices-left-refused = その間に、ほかの下書きに入った
