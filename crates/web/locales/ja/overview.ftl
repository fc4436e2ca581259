# 見晴らし
overview-title = やぐらから見た町
overview-headline = いま { $it }の機器が、ネットワークから見えています。
overview-headline-more = いま { $it }以上の機器が、ネットワークから見えています。
overview-starting = 調査が始まりました。応答した機器から順に、ここに現れます。
overview-empty = まだ何も観測していません。はじめに、見渡す場所を決めましょう。
figure-hosts = 機器
figure-services = サービス
figure-sightings = 観測
figure-evidence = 証拠
surveys-more = 調査の様子を詳しく見る

begin-title = はじめ方
begin-town = 模擬の町を立てて、調査まで一度に試すには:
begin-scope = 自分のネットワークを調べるには、まずスコープ（調査の許可書）を書きます:
begin-import = nmap、masscan、ZGrab2、Shodan、Censys、Shadowserver の結果を取り込むこともできます:

map-heading = 町の地図
map-title = { $it } の地図
map-range = 範囲 { $it }
map-alarms = 注意が要るもの { $count } 台
map-per-cell = ひと枡は { $count } アドレス
map-partial = 数が多いため、アドレス順に { $count } サービスまでを描いています。
map-table = 地図を表で見る
map-explained = 地図はアドレスをヒルベルト曲線に沿って並べたものです。近いアドレスは近くに、同じまとまりのアドレスは四角に集まります。
map-caption = 応答した機器
map-caption-more = （最初の 256 台）

standing-heading = まず見るところ
charts-heading = 何が見えているか
chart-caption = { $it }ごとのサービス数
bar = 棒グラフ
days-heading = 日ごとのサービスの数
days-desc = 一日に一本の棒で、その日（UTC）の終わりにあったサービスの数を示します。棒がなく下に短い線がある日は、見ていません。数は表にあります。
days-none = 見ていない
days-table = 数の表
days-day = 日
days-addresses = アドレス
days-opened = 現れた
days-closed = 閉じた
