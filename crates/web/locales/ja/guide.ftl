# 使い方
nav-guide = 使い方
simulated = デモ: このマシンの中の模擬の機器 { $it }です。パケットは外に出ません。
simulated-devices = { $count } 台
simulated-next = 自分のネットワークを調べる

guide-title = 使い方
guide-lead = ひととおり見てまわるのに 5 分、自分のネットワークを調べるのにさらに 10 分です。
guide-tour = 見てまわる
guide-tour-how = どれも検索です。押してみて、結果の横に並ぶ件数で絞り込んでください。
guide-tour-cameras = ネットワークから見えるカメラと録画機
guide-tour-open = 狙われやすいもの: 開いた Telnet、認証なしのサービス
guide-tour-certificates = 証明書の期限が 30 日以内のもの（期限切れも含む）
guide-tour-new = この一日に初めて見えたサービス
guide-tour-host = 次に、アドレスを押してください。「そう判断した理由」に、使ったルールと、根拠になったバイトそのものが示されています。リンクをたどると証拠の全体が見られます。

guide-own = 自分のネットワークを調べる
guide-own-how = 署名されたスコープがなければ、何も送られません。スコープは、誰が、何を、どこに、どの速さで、いつまで許すかを書いた文書です。端末で、192.0.2.0/24 を自分の範囲に置き換えて実行してください。
guide-step-new = スコープを書きます。できたファイルを開き、一行ずつ読んでください。責任を持つことになる内容です。
guide-step-key = 署名の鍵を作ります。ネットワークに責任を持つ人が一度だけ行います。公開鍵が表示されます。
guide-step-sign = その鍵でスコープに署名します。
guide-step-trust = 調査するマシンで一度だけ、その公開鍵を信頼します。office は専用のフォルダーで、デモの記録と混ざらないようにするためのものです。
guide-step-check = 署名、署名した人、期間を確かめます。
guide-step-survey = 調査します。Ctrl-C で止まり、同じコマンドで続きから再開します。
guide-step-look = 結果をブラウザーで見ます。調査の途中でも見られます。
guide-own-import = nmap、masscan、ZGrab2、Shodan、Censys、Shadowserver の結果も取り込んで、一緒に検索できます。

guide-questions = 調べる前に
guide-gentle = 機器に悪い影響はありませんか
guide-gentle-how = ふつうの接続を開き、読み取るだけの問い合わせをします。脆弱性を突かず、パスワードを試さず、壊れた入力も送りません。変えないかぎり、一つのホストには毎秒 10 パケットまで、接続は一度に一つまでです。それでも、病院や工場などには、予期しない通信にまったく耐えられない機器があります。そうした機器は先に除いてください。
guide-exclude = 一部の機器を除くには
guide-exclude-how = スコープを書くときに --exclude で指定します。--probe を使えば、許す問い合わせの種類を減らせます。あるアドレスがどの規則で決まるかは hinomi scope explain で分かります。
guide-hours = 夜間だけ動かせますか
guide-hours-how = はい。スコープを書くときに --hours "22:00-06:00 +09:00" のように指定します。その時間帯のほかには何も送りません。
guide-opt-out = 調べないでほしいと言われたら
guide-opt-out-how = そのアドレスかプレフィックスを、フォルダー office の opt-out.txt に書きます。これはつねに優先され、調査の途中でも 10 秒以内に効きます。
guide-sent = 調査のほかに、何かが外に送られますか
guide-sent-how = いいえ。何も送信せず、何も取得しません。このページも、このマシンからしか開けません。
guide-kept = 記録はどこにありますか
guide-kept-how = 状態フォルダーに、ほかのプログラムからも読める Parquet のテーブルとして置かれます。フォルダーを消せば何も残りません。
