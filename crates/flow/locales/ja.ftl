# C&C とみなす理由。コードごとに一文、選択子なし。数値は整形済みで渡される。
flow-seed-endpoint = 既知の C&C サーバーの一覧 { $lists } 件に、この宛先が載っています。最新の掲載は { $age_days } 日前です（-1 は日付不明）
flow-seed-host = 既知の C&C サーバーの一覧 { $lists } 件に、このホストが別のポートまたはポートなしで載っています。掲載は { $age_days } 日前です（-1 は日付不明）
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
flow-context-popular = 反証：全加入者のうち { $share } の割合がここに接続しています
flow-context-port = 反証：ポート { $port } のサーバーは、ほとんどが無害です（比 { $ratio }）
flow-context-hours = 反証：使われるのは一日のうち { $hours_of_day } 時間だけで、人の生活に沿っています
flow-context-download = 反証：加入者はここから多くを受け取っています（一回 { $bytes_back } バイト、送る量の { $ratio } 倍）

flow-refute-lawful-service = この宛先の運用者が、正当なサービスであることを示した場合。
flow-refute-address-moved = 一覧に載った後で、アドレスの持ち主が変わっていた場合。
flow-refute-known-product = 接続元がすべて一つの製品で、その製造者がこの宛先を自分のものと認めた場合。
flow-refute-shared-otherwise = 感染した加入者に、ほかの共通点（家庭向けサービスや製造者のクラウドなど）があった場合。
flow-refute-no-attacks = 接続している加入者が、何日たっても攻撃を一度も行わない場合。
flow-refute-known-protocol = 許可を得て調べたところ、ポートが既知の無害なプロトコルで応答した場合。
