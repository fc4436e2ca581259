//! From numbers to words: the report in Japanese or English.

use hinomi_model::Timestamp;
use hinomi_state::contacts::{FRESH_DAYS, Language};

use super::around::Around;
use super::document::{Bar, Block, Document, Number, Table, clean};
use super::gather::{ByConcern, Listed, Report};
use super::{MAX_LISTED, advice};

/// The most steps to be taken now.
const MAX_STEPS: usize = 5;
/// The most rows of claims, contacts and channels.
const MAX_ROWS: usize = 60;
/// A claim that ends within so many days is to be renewed.
const SOON_DAYS: u64 = 30;

/// Words of one language.
struct Say<'a> {
    language: Language,
    report: &'a Report,
    around: &'a Around,
}

/// The report in a language.
pub fn tell(report: &Report, around: &Around, language: Language) -> Document {
    let say = Say { language, report, around };
    let month = report.month.name(language);
    let name = clean(&around.name);
    let blocks = [say.summary(), say.pictures(), say.details(), say.services(), say.coverage(), say.register()];
    let made = report.made.to_string();
    let made = format!("{} UTC", made.get(..16).unwrap_or(&made).replacen('T', " ", 1));
    Document {
        title: say.of(&format!("{month}の外部公開状況"), &format!("Exposure in {month}")),
        subtitle: say.of(&format!("{name}　作成 {made}"), &format!("{name}, made {made}")),
        language: language.name(),
        foot: format!("Hinomi · {name} · {}", report.month),
        blocks: blocks.into_iter().flatten().collect(),
    }
}

fn date(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

fn texts<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(ToOwned::to_owned).into()
}

impl Say<'_> {
    fn of(&self, ja: &str, en: &str) -> String {
        if self.language == Language::En { en } else { ja }.to_owned()
    }

    fn heading(&self, ja: &str, en: &str) -> Block {
        Block::Heading(self.of(ja, en))
    }

    fn text(&self, ja: &str, en: &str) -> Block {
        Block::Text(self.of(ja, en))
    }

    /// For who has one minute.
    fn summary(&self) -> Vec<Block> {
        let report = self.report;
        let ([open, open_before], [urgent, urgent_before]) = (report.open, report.urgent);
        let [opened, opened_before] = report.opened;
        let looked = report.days.iter().filter(|day| day.looked_at > 0).count();
        let days = report.days.len();
        let trend_ja = match open.cmp(&open_before) {
            std::cmp::Ordering::Less => format!("前月より {} 件減りました", open_before - open),
            std::cmp::Ordering::Equal => "前月と同じ数です".to_owned(),
            std::cmp::Ordering::Greater => format!("前月より {} 件増えました", open - open_before),
        };
        let trend_en = match open.cmp(&open_before) {
            std::cmp::Ordering::Less => format!("{} fewer than a month before", open_before - open),
            std::cmp::Ordering::Equal => "as many as a month before".to_owned(),
            std::cmp::Ordering::Greater => format!("{} more than a month before", open - open_before),
        };
        let ja = format!(
            "{} の時点で、外から応答するサービスは {open} 件あり、{trend_ja}。このうち {urgent} 件は先に手を打つべきものです。\
             {days} 日のうち {looked} 日に調べた記録があります。",
            date(Timestamp::from_micros(report.until.as_micros() - 1)),
        );
        let en = format!(
            "At the end of {}, {open} services answered from the outside, {trend_en}. {urgent} of them should be dealt with \
             first. There are records of looks from {looked} of {days} days.",
            date(Timestamp::from_micros(report.until.as_micros() - 1)),
        );
        let number = |ja: &str, en: &str, value: u64, before: u64| Number {
            label: self.of(ja, en),
            value: value.to_string(),
            beside: self.of(&format!("前月 {before}"), &format!("{before} a month before")),
        };
        vec![
            self.heading("要点", "In short"),
            self.text(&ja, &en),
            Block::Numbers(vec![
                number("応答するサービス", "Services that answer", open, open_before),
                number("先に手を打つべきもの", "To be dealt with first", urgent, urgent_before),
                number("新しく現れたもの", "New", opened, opened_before),
            ]),
            self.heading("今すること", "What to do now"),
            self.steps(),
        ]
    }

    fn steps(&self) -> Block {
        let urgent = self.report.by_concern.iter().filter(|one| one.open > 0);
        let urgent =
            urgent.filter_map(|one| one.concern.filter(|concern| concern.is_urgent()).map(|it| (it, one.open)));
        let steps: Vec<String> = urgent
            .take(MAX_STEPS)
            .map(|(concern, count)| {
                let (name, step) = (advice::name(concern, self.language), advice::step(concern, self.language));
                self.of(&format!("{name} {count} 件: {step}"), &format!("{name}: {count}. {step}"))
            })
            .chain(self.housekeeping())
            .collect();
        match steps.is_empty() {
            true => self.text("急いですることはありません。", "There is nothing that must be done at once."),
            false => Block::Steps(steps),
        }
    }

    /// Claims that end and contacts that nobody made sure of.
    fn housekeeping(&self) -> Vec<String> {
        let now = self.report.made;
        let soon = now.plus(std::time::Duration::from_secs(SOON_DAYS * 86_400));
        let ending = self.around.claims.iter().filter(|one| one.holds_at(now) && !one.holds_at(soon)).count();
        let stale = self.around.contacts.iter().filter(|one| one.is_stale(now, FRESH_DAYS)).count();
        let claims = (ending > 0).then(|| {
            self.of(
                &format!("{SOON_DAYS} 日以内に切れる範囲の証明が {ending} 件あります。証明し直してください。"),
                &format!("Proofs of {ending} ranges end within {SOON_DAYS} days: prove them again."),
            )
        });
        let contacts = (stale > 0).then(|| {
            self.of(
                &format!("長く確認されていない連絡先が {stale} 件あります。今も届くか確かめてください。"),
                &format!("Nobody made sure of {stale} contacts for long: see whether they are still right."),
            )
        });
        claims.into_iter().chain(contacts).collect()
    }

    fn pictures(&self) -> Vec<Block> {
        let days = self.report.days.iter().map(|day| Bar {
            label: date(Timestamp::from_micros(day.day * 86_400_000_000)),
            value: day.open,
            before: None,
            looked: day.looked_at > 0,
        });
        let by_concern = self.report.by_concern.iter().filter_map(|one| {
            let label = advice::name(one.concern?, self.language).to_owned();
            Some(Bar { label, value: one.open, before: Some(one.before), looked: true })
        });
        vec![
            Block::Page,
            self.heading("日ごとの推移", "Day by day"),
            Block::Bars {
                title: self.of(
                    "その日の終わりに公開されていたサービスの数",
                    "Services that stood open at the end of each day",
                ),
                lying: false,
                bars: days.collect(),
                absent: Some(self.of(
                    "薄い棒は、その日に調べた記録がなく、最後に調べた結果が続いているものとして数えた日です。",
                    "Pale bars are days without a record of a look: what the last looks found is taken to stand.",
                )),
            },
            self.heading("種類ごとの数", "By what it is"),
            Block::Bars {
                title: self
                    .of("月末の数と、前月末の数（細い線）", "At the end of the month, and a month before (thin line)"),
                lying: true,
                bars: by_concern.collect(),
                absent: None,
            },
        ]
    }

    fn details(&self) -> Vec<Block> {
        let report = self.report;
        let row = |ja: &str, en: &str, count: u64| vec![self.of(ja, en), count.to_string()];
        let moves = Table {
            head: vec![self.of("この月の動き", "During this month"), self.of("件数", "Services")],
            widths: vec![80, -20],
            rows: vec![
                row("新しく現れた、または再び応答した", "New, or answers again", report.opened[0]),
                row("調べて、閉じていることを確かめた", "Looked at, and found closed", report.closed[0]),
                row("前月から公開されたまま", "Still open since the month before", report.still_open),
                row(
                    "前月に公開されていて、今月は誰も調べていない（直ったとは言えない）",
                    "Open a month before, and not looked at since (that is not closed)",
                    report.not_looked_at,
                ),
            ],
        };
        let concern = |one: &ByConcern| {
            let name = advice::name(one.concern?, self.language).to_owned();
            Some([one.before, one.opened, one.closed, one.open].iter().map(u64::to_string).fold(
                vec![name],
                |mut row, count| {
                    row.push(count);
                    row
                },
            ))
        };
        let by_concern = Table {
            head: vec![
                self.of("種類", "What"),
                self.of("前月末", "Before"),
                self.of("新規", "New"),
                self.of("閉鎖確認", "Closed"),
                self.of("月末", "Now"),
            ],
            widths: vec![52, -12, -12, -12, -12],
            rows: report.by_concern.iter().filter_map(concern).collect(),
        };
        let mut blocks = vec![
            Block::Page,
            self.heading("動きの内訳", "What changed"),
            Block::Table(moves),
            self.heading("種類ごとの内訳", "What changed, by what it is"),
            Block::Table(by_concern),
        ];
        if report.cut {
            blocks.push(Block::Note(self.of(
                "サービスが多いため、一部は種類を分けずに「その他」に数えています。",
                "There are too many services to tell all apart: some are counted as other.",
            )));
        }
        blocks
    }

    fn services(&self) -> Vec<Block> {
        let row = |one: &Listed| {
            let mark = if one.is_new { self.of("新 ", "new ") } else { String::new() };
            vec![
                one.service.to_string(),
                advice::name(one.concern, self.language).to_owned(),
                format!("{mark}{}", clean(&one.says)),
                date(one.first_seen),
                date(one.last_seen),
            ]
        };
        let table = Table {
            head: vec![
                self.of("サービス", "Service"),
                self.of("種類", "What"),
                self.of("応答の内容", "What it says"),
                self.of("初めて見た日", "First seen"),
                self.of("最後に見た日", "Last seen"),
            ],
            widths: vec![25, 24, 27, 12, 12],
            rows: self.report.services.iter().map(row).collect(),
        };
        let more = self.report.open[0].saturating_sub(u64::try_from(self.report.services.len()).unwrap_or(0));
        let mut blocks = vec![self.heading("月末のサービス", "Services at the end of the month")];
        match table.rows.is_empty() {
            true => blocks.push(self.text("応答するサービスはありません。", "No service answers.")),
            false => blocks.push(Block::Table(table)),
        }
        if more > 0 {
            blocks.push(Block::Note(self.of(
                &format!("ほか {more} 件（一覧は {MAX_LISTED} 件まで。すべては検索の画面から書き出せます）。"),
                &format!("And {more} more: {MAX_LISTED} are listed at most, all of them are had from the search page."),
            )));
        }
        blocks
    }

    fn coverage(&self) -> Vec<Block> {
        let none: Vec<String> = self.report.days.iter().filter(|day| day.looked_at == 0).map(day_of_month).collect();
        let looked = self.report.days.len() - none.len();
        let (ja, en) = match none.is_empty() {
            true => (
                "すべての日に調べた記録があります。".to_owned(),
                "There are records of looks from every day.".to_owned(),
            ),
            false => (
                format!("調べた記録のある日は {looked} 日です。記録のない日: {}。", none.join("、")),
                format!("There are records of looks from {looked} days. Days without: {}.", none.join(", ")),
            ),
        };
        vec![
            self.heading("調べた範囲", "What was looked at"),
            self.text(&ja, &en),
            Block::Note(self.of(
                "応答のなかった宛先は記録に残りません。「調べた」は、あなたの範囲で何かが応答したか、閉じていると分かった日を言います。",
                "What stays silent leaves no record: a day counts as looked at when something in your ranges answered or was \
                 found closed.",
            )),
        ]
    }

    fn register(&self) -> Vec<Block> {
        let now = self.report.made;
        let claims = self
            .around
            .claims
            .iter()
            .filter(|one| one.holds_at(now))
            .take(MAX_ROWS)
            .map(|one| vec![clean(&one.subject.to_string()), one.until.map(date).unwrap_or_default()]);
        let contacts = self.around.contacts.iter().take(MAX_ROWS).map(|one| {
            let stale = if one.is_stale(now, FRESH_DAYS) { self.of("要確認", "make sure") } else { String::new() };
            vec![clean(&one.said.role), clean(&one.said.name), date(one.confirmed), stale]
        });
        let told = self.around.told.iter().take(MAX_ROWS);
        let told = told.map(|one| vec![clean(&one.name), one.sent.to_string(), one.lost.to_string()]);
        let table = |head: Vec<String>, widths: &[i8], rows: Vec<Vec<String>>| match rows.is_empty() {
            true => self.text("ありません。", "None."),
            false => Block::Table(Table { head, widths: widths.to_vec(), rows }),
        };
        let head = |ja: [&str; 4], en: [&str; 4]| if self.language == Language::En { texts(en) } else { texts(ja) };
        vec![
            self.heading("証明された範囲", "What is held"),
            table(vec![self.of("範囲", "Range"), self.of("期限", "Until")], &[70, 30], claims.collect()),
            self.heading("連絡先", "Contacts"),
            table(
                head(["役割", "名前", "最後の確認", ""], ["For", "Name", "Last confirmed", ""]),
                &[20, 40, 20, 20],
                contacts.collect(),
            ),
            self.heading("通知先", "Who was told"),
            table(
                vec![
                    self.of("送信先", "Channel"),
                    self.of("届いた通知", "Arrived"),
                    self.of("届かなかった通知", "Did not"),
                ],
                &[50, -25, -25],
                told.collect(),
            ),
        ]
    }
}

fn day_of_month(day: &super::DayCount) -> String {
    let text = date(Timestamp::from_micros(day.day * 86_400_000_000));
    text.rsplit('-').next().unwrap_or_default().trim_start_matches('0').to_owned()
}
