//! The files of `personas/` and `pages/`, embedded.

use std::sync::LazyLock;

use crate::error::TownError;
use crate::persona::Persona;

/// Name and text of each persona file.
const FILES: &[(&str, &str)] = &[
    ("chochin-ps4.toml", include_str!("../personas/chochin-ps4.toml")),
    ("engawa-ms3.toml", include_str!("../personas/engawa-ms3.toml")),
    ("fault-endless.toml", include_str!("../personas/fault-endless.toml")),
    ("fault-every-port.toml", include_str!("../personas/fault-every-port.toml")),
    ("fault-hostile-words.toml", include_str!("../personas/fault-hostile-words.toml")),
    ("fault-pointing-away.toml", include_str!("../personas/fault-pointing-away.toml")),
    ("fault-tarpit.toml", include_str!("../personas/fault-tarpit.toml")),
    ("fault-tls.toml", include_str!("../personas/fault-tls.toml")),
    ("fukurou-dk2.toml", include_str!("../personas/fukurou-dk2.toml")),
    ("hakari-dc1.toml", include_str!("../personas/hakari-dc1.toml")),
    ("hashigo-pd8.toml", include_str!("../personas/hashigo-pd8.toml")),
    ("hinata-sl4.toml", include_str!("../personas/hinata-sl4.toml")),
    ("hoshimi-dome5.toml", include_str!("../personas/hoshimi-dome5.toml")),
    ("hoshimi-nc2.toml", include_str!("../personas/hoshimi-nc2.toml")),
    ("ienomon-hg2.toml", include_str!("../personas/ienomon-hg2.toml")),
    ("inazuma-up1.toml", include_str!("../personas/inazuma-up1.toml")),
    ("itomaki-sw24.toml", include_str!("../personas/itomaki-sw24.toml")),
    ("kagaribi-ax30.toml", include_str!("../personas/kagaribi-ax30.toml")),
    ("karakuri-fx3.toml", include_str!("../personas/karakuri-fx3.toml")),
    ("kazaguruma-ac1.toml", include_str!("../personas/kazaguruma-ac1.toml")),
    ("komorebi-ap6.toml", include_str!("../personas/komorebi-ap6.toml")),
    ("kurabako-ns4.toml", include_str!("../personas/kurabako-ns4.toml")),
    ("maneki-tv9.toml", include_str!("../personas/maneki-tv9.toml")),
    ("midorikawa-mg1.toml", include_str!("../personas/midorikawa-mg1.toml")),
    ("mimamori-hb1.toml", include_str!("../personas/mimamori-hb1.toml")),
    ("mizutori-wr7.toml", include_str!("../personas/mizutori-wr7.toml")),
    ("noboru-lc3.toml", include_str!("../personas/noboru-lc3.toml")),
    ("noren-ds1.toml", include_str!("../personas/noren-ds1.toml")),
    ("sazanami-lte5.toml", include_str!("../personas/sazanami-lte5.toml")),
    ("server-broker.toml", include_str!("../personas/server-broker.toml")),
    ("server-debian-web.toml", include_str!("../personas/server-debian-web.toml")),
    ("server-mail.toml", include_str!("../personas/server-mail.toml")),
    ("server-name-time.toml", include_str!("../personas/server-name-time.toml")),
    ("server-openwrt.toml", include_str!("../personas/server-openwrt.toml")),
    ("server-ubuntu-app.toml", include_str!("../personas/server-ubuntu-app.toml")),
    ("suzukaze-hv2.toml", include_str!("../personas/suzukaze-hv2.toml")),
    ("suzuri-lp2.toml", include_str!("../personas/suzuri-lp2.toml")),
    ("suzuri-mf70.toml", include_str!("../personas/suzuri-mf70.toml")),
    ("tanada-gh3.toml", include_str!("../personas/tanada-gh3.toml")),
    ("tobiume-vx5.toml", include_str!("../personas/tobiume-vx5.toml")),
    ("tokinokane-ts1.toml", include_str!("../personas/tokinokane-ts1.toml")),
    ("tsutae-mq1.toml", include_str!("../personas/tsutae-mq1.toml")),
    ("watari-pb3.toml", include_str!("../personas/watari-pb3.toml")),
    ("yagura-bm2.toml", include_str!("../personas/yagura-bm2.toml")),
    ("yobiko-va2.toml", include_str!("../personas/yobiko-va2.toml")),
    ("yoimachi-rec8.toml", include_str!("../personas/yoimachi-rec8.toml")),
];

/// Name and bytes of each page. Bytes, because one is not UTF-8.
const PAGES: &[(&str, &[u8])] = &[
    ("app", include_bytes!("../pages/app.html")),
    ("bare", include_bytes!("../pages/bare.json")),
    ("empty", include_bytes!("../pages/empty.html")),
    ("frames", include_bytes!("../pages/frames.html")),
    ("nginx", include_bytes!("../pages/nginx.html")),
    ("plain", include_bytes!("../pages/plain.html")),
    ("recorder-sjis", include_bytes!("../pages/recorder-sjis.html")),
    ("status", include_bytes!("../pages/status.html")),
    ("table", include_bytes!("../pages/table.html")),
    ("upnp", include_bytes!("../pages/upnp.xml")),
];

static CATALOG: LazyLock<Result<Vec<Persona>, (String, String)>> = LazyLock::new(|| {
    let parsed: Result<Vec<_>, _> = FILES.iter().map(|(file, text)| Persona::parse(file, text)).collect();
    parsed.map_err(|error| match error {
        TownError::Persona { file, reason } => (file, reason),
        other => (String::new(), other.to_string()),
    })
});

/// Every persona, in the order of the files' names.
pub(crate) fn personas() -> Result<&'static [Persona], TownError> {
    match &*CATALOG {
        Ok(personas) => Ok(personas),
        Err((file, reason)) => Err(TownError::Persona { file: file.clone(), reason: reason.clone() }),
    }
}

/// The page of that name; empty when there is none.
pub(crate) fn page(name: &str) -> &'static [u8] {
    PAGES.iter().find(|(known, _)| *known == name).map_or(b"", |(_, bytes)| *bytes)
}

#[cfg(test)]
mod tests;
