//! What an audit says, in both languages and for programs.

use anyhow::Result;
use hinomi_flow::audit::{Report, Verdict};
use serde_json::{Value, json};

use super::inside::EPOCHS;
use super::{Control, Life, Place, Searched, Shown, Sought, When};
use crate::output;

/// Places with a trace that are listed.
const MAX_LISTED: usize = 20;

pub(super) fn tell(as_json: bool, japanese: bool, canaries: u64, shown: &Shown) -> Result<()> {
    if as_json {
        return output::json(&value(canaries, shown));
    }
    let words = Words { japanese };
    output::line(&words.begin(canaries))?;
    for control in &shown.controls {
        output::line(&words.control(control))?;
    }
    for searched in &shown.searched {
        output::line(&words.searched(searched))?;
        let report = &searched.report;
        for hit in report.hits.iter().filter(|_| report.verdict() == Verdict::Found).take(MAX_LISTED) {
            let place = output::clean_line(&hit.place, 200);
            output::line(&format!("  canary {} as {:?} at {place}, {}", hit.canary, hit.form, hit.offset))?;
        }
        for place in report.unread.iter().take(MAX_LISTED) {
            output::talk(&format!("not read: {}", output::clean_line(place, 200)));
        }
    }
    shown.life.as_ref().map_or(Ok(()), |life| output::line(&words.life(life)))
}

fn value(canaries: u64, shown: &Shown) -> Value {
    let controls = shown.controls.iter().map(|control| {
        let sought = if control.what == Sought::Canaries { "canaries" } else { "servers" };
        json!({ "where": control.place.name(), "sought": sought, "found": control.found })
    });
    let life = shown.life.as_ref().map(|life| {
        let Life { flows, epochs, seconds, core_dumps } = life;
        json!({ "flows": flows, "epochs": epochs, "keys_destroyed": true, "seconds": seconds, "core_dumps": core_dumps })
    });
    json!({
        "canaries": canaries,
        "kept_on_purpose": shown.kept,
        "clean": shown.is_clean(),
        "controls": controls.collect::<Vec<_>>(),
        "searched": shown.searched.iter().map(searched).collect::<Vec<_>>(),
        "collector": life,
    })
}

fn searched(searched: &Searched) -> Value {
    let report = &searched.report;
    json!({
        "where": searched.place.name(),
        "when": format!("{:?}", searched.when).to_lowercase(),
        "verdict": format!("{:?}", report.verdict()).to_lowercase(),
        "places": report.places,
        "bytes": report.bytes,
        "hits": report.hits.len() as u64 + report.more_hits,
        "bare_v4_planted": report.planted_v4_met,
        "bare_v4_control": report.control_v4_met,
        "unread": report.unread,
    })
}

impl Place {
    /// Its name for programs.
    fn name(&self) -> String {
        match self {
            Self::Own => "memory".to_owned(),
            Self::Disk => "disk".to_owned(),
            Self::Collector => "collector-memory".to_owned(),
            Self::CollectorDisk => "collector-disk".to_owned(),
            Self::Worker(partition) => format!("worker-{partition}-memory"),
            Self::Bus => "bus".to_owned(),
            Self::BusStore => "bus-store".to_owned(),
        }
    }
}

struct Words {
    japanese: bool,
}

impl Words {
    const fn of<'a>(&self, english: &'a str, japanese: &'a str) -> &'a str {
        if self.japanese { japanese } else { english }
    }

    fn begin(&self, canaries: u64) -> String {
        if self.japanese {
            return format!(
                "架空の加入者 {canaries} 人を通しました。プロセス内の経路では {EPOCHS} 期間後に探しています。"
            );
        }
        format!("{canaries} planted subscribers passed through; within this process {EPOCHS} epochs passed:")
    }

    fn place(&self, place: &Place) -> String {
        let plain = match place {
            Place::Own => self.of("memory", "メモリー"),
            Place::Disk => self.of("disk", "ディスク"),
            Place::Collector => self.of("memory of a running collector", "動作中のコレクターのメモリー"),
            Place::CollectorDisk => self.of("folder of that collector", "そのコレクターのフォルダー"),
            Place::Bus => self.of("streams of the bus", "バスのストリーム"),
            Place::BusStore => self.of("folder of the bus", "バスのフォルダー"),
            Place::Worker(partition) => {
                return format!("{} {partition}", self.of("memory of worker", "ワーカーのメモリー"));
            }
        };
        plain.to_owned()
    }

    fn control(&self, control: &Control) -> String {
        let what = match control.what {
            Sought::Canaries => self.of("living canaries", "生存中の架空の加入者"),
            Sought::Servers => self.of("servers they met", "その通信先のサーバー"),
        };
        let found = match control.found {
            true => self.of("found, as they must be", "見つかりました (見つかるのが正しい)"),
            false => self.of("NOT FOUND: this search shows nothing", "見つかりません: この探索では何も示せません"),
        };
        format!("{}: {what} {found}", self.place(&control.place))
    }

    fn searched(&self, searched: &Searched) -> String {
        let Searched { place, when, report } = searched;
        let verdict = match report.verdict() {
            Verdict::Clean => self.of("no trace", "痕跡なし"),
            Verdict::Incomplete => {
                self.of("no trace, but not everything could be read", "痕跡なし。ただし読めない場所がありました")
            }
            Verdict::Found => self.of("TRACES", "痕跡あり"),
        };
        let when = match when {
            When::Alive => self.of(" while their key lived", " (鍵の生存中)"),
            When::Over => "",
            When::Ended => self.of(" after the end", " (終了後)"),
        };
        format!("{}{when}: {verdict} {}", self.place(place), self.size(report))
    }

    fn size(&self, report: &Report) -> String {
        let Report { places, bytes, planted_v4_met: planted, control_v4_met: chance, .. } = report;
        if self.japanese {
            return format!("{places} か所、{bytes} バイト (4 バイトだけの一致 {planted} 件、偶然では {chance} 件)");
        }
        format!("in {places} places, {bytes} bytes (four bare bytes met {planted} times, {chance} by pure chance)")
    }

    fn life(&self, life: &Life) -> String {
        let Life { flows, epochs, seconds, core_dumps } = life;
        let epochs: Vec<String> = epochs.iter().map(ToString::to_string).collect();
        let epochs = epochs.join(", ");
        let dumps = match core_dumps {
            true => self.of("core dumps are ON", "コアダンプは「有効」です"),
            false => self.of("core dumps are off", "コアダンプは無効です"),
        };
        if self.japanese {
            return format!(
                "コレクターは {flows} フローを作りました。架空の加入者の期間 {epochs} の鍵は台帳のとおり破棄され、送信から \
                 {seconds} 秒で終わりました。{dumps}。"
            );
        }
        format!(
            "the collector made {flows} flows; keys of the canaries' epochs {epochs} are destroyed by its ledger, {seconds} s \
             after they were sent; {dumps}"
        )
    }
}
