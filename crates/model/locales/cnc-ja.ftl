# C&C とみなす理由。コードごとに一文、選択子なし。数値は整形済みで渡される。
flow-seed-endpoint = 既知の C&C サーバーの一覧 { $lists } 件に、この宛先が載っています。最新の掲載は { $age_days } 日前です
flow-seed-endpoint-undated = 既知の C&C サーバーの一覧 { $lists } 件に、この宛先が載っています。掲載の日付は分かりません
flow-seed-host = 既知の C&C サーバーの一覧 { $lists } 件に、このホストが別のポートまたはポートなしで載っています。最新の掲載は { $age_days } 日前です
flow-seed-host-undated = 既知の C&C サーバーの一覧 { $lists } 件に、このホストが別のポートまたはポートなしで載っています。掲載の日付は分かりません
flow-graph-port = ポート { $port } は、既知の C&C サーバー（読み込んだ一覧に { $seeds } 件）では、サーバー全体に比べて { $ratio } 倍多く使われています
flow-graph-network = 同じ /24 または /48 に、既知の C&C の宛先が { $seeds } 件あります
flow-graph-clients = 既知の C&C サーバーにつながる加入者が、ほかより { $rank } 倍多くここに集まっています（共通する加入者の割合 { $jaccard }）
flow-beacon-regular = 加入者が { $gap_seconds } 秒ごとに接続しています。同じ間隔が { $sessions } 回、加入者 { $clients } 件、ビーコンの点数 { $score }
flow-beacon-period = 接続が { $period_seconds } 秒の周期で繰り返されています。強さは 1 を最大として { $strength }、加入者 { $clients } 件
flow-beacon-failed = 失敗した接続が { $gap_seconds } 秒ごとに { $run } 回続いています（加入者 { $clients } 件）。いなくなったサーバーを、プログラムが呼び続けている形です
flow-beacon-keep-alive = 接続が { $duration_seconds } 秒にわたって開いたままで、流れるのは毎秒 { $bytes_per_second } バイトだけです（加入者 { $clients } 件）
flow-chain-order = 加入者 { $clients } 件が、感染してから最初に攻撃を始めるまでの間に、このサーバーに初めて接続しました。4 段階のうち { $stages } 段階が順に見えています
flow-lift-infected = 加入者 { $clients } 件のうち { $infected } 件が感染済みと分かっており、偶然の { $lift } 倍です（log10 p { $log10_p }）
flow-synchrony-onset = 加入者 { $clients } 件のうち { $onsets } 件が、{ $seconds } 秒以内に同じ攻撃を始めました（log10 p { $log10_p }）
flow-model-score = 通信量と継続時間が、ここで見えている既知の C&C サーバー { $positives } 件に似ています（対数尤度比 { $score }、学習に使わなかった種類を見分けた確率 { $precision }）
flow-context-popular = 反証：全加入者の { $share } がここに接続しています
flow-context-port = 反証：ポート { $port } のサーバーは、ほとんどが無害です（比 { $ratio }）
flow-context-hours = 反証：使われるのは一日のうち { $hours_of_day } 時間だけで、人の生活に沿っています
flow-context-download = 反証：加入者はここから多くを受け取っています（一回 { $bytes_back } バイト、送る量の { $ratio } 倍）

flow-refute-lawful-service = この宛先の運用者が、正当なサービスであることを示した場合。
flow-refute-address-moved = 一覧に載った後で、アドレスの持ち主が変わっていた場合。
flow-refute-known-product = 接続元がすべて一つの製品で、その製造者がこの宛先を自分のものと認めた場合。
flow-refute-shared-otherwise = 感染した加入者に、ほかの共通点（家庭向けサービスや製造者のクラウドなど）があった場合。
flow-refute-no-attacks = 接続している加入者が、何日たっても攻撃を一度も行わない場合。
flow-refute-known-protocol = 許可を得て調べたところ、ポートが既知の無害なプロトコルで応答した場合。

# 図や表のための短い言い方。
flow-short-seed-endpoint = 一覧に記載
flow-short-seed-host = ホストが記載
flow-short-graph-port = 珍しいポート
flow-short-graph-network = 既知の近く
flow-short-graph-clients = 共通の加入者
flow-short-beacon-regular = 規則的な接続
flow-short-beacon-period = 隠れた周期
flow-short-beacon-failed = 失敗の繰り返し
flow-short-beacon-keep-alive = 開いたままの接続
flow-short-chain-order = 感染の順序
flow-short-lift-infected = 感染済みの加入者
flow-short-synchrony-onset = 一斉の攻撃
flow-short-model-score = 学習モデル
flow-short-context-popular = 利用者が多い
flow-short-context-port = 一般的なポート
flow-short-context-hours = 人の生活時間
flow-short-context-download = 受信が主

# 重なり合う事実を見ている理由のまとまり。
flow-group-knowledge = 一覧とその近く
flow-group-rhythm = 間隔と順序
flow-group-crowd = 加入者の集まり
flow-group-shape = 通信量と継続時間
flow-group-context = 反証

# 取り下げた理由。
flow-withdrawn-faded = 新しい証拠がなく、これまでの証拠が古くなったため
flow-withdrawn-outweighed = 新しい採点では裏づけられなかったため
flow-withdrawn-suppressed = 管理された知識が、この宛先は無害だと示すようになったため
flow-withdrawn-refuted = 誤りであることが示されたため

# 共有の関門の判断。
flow-passes = 共有できます。一つの期間に十分な数の加入者が接続し、二つ以上の期間で見えています
flow-passes-corroborated = 共有できます。フローとは別に、{ $by }にも現れています
flow-corroboration-seed = 既知のサーバーの一覧
flow-corroboration-decoy = おとり
flow-corroboration-telescope = ダークネットの観測
flow-kept-too-few-clients = 外には出しません。一つの期間の加入者は多くて { $had } 件で、必要な { $k } 件に足りず、ほかに裏づけもありません
flow-kept-one-epoch = 外には出しません。見えたのは一つの期間だけで、必要な二つに足りず、ほかに裏づけもありません
flow-kept-unsure = 外には出しません。確からしさが足りません
flow-kept-no-transport = 外には出しません。TCP でも UDP でもなく、一覧に載せられません
flow-kept-member-only = 外には出しません。{ $member } の範囲にあり、その組織だけに伝えます
