//! How what is stored is marked, as options of a command that stores.

use std::collections::BTreeSet;

use anyhow::Result;
use clap::Args;
use hinomi_model::{Marking, Purpose, Terms, Timestamp, Tlp};

#[derive(Debug, Args)]
#[group(id = "marking")]
pub(crate) struct Options {
    /// How far it may travel: clear, green, amber, amber+strict or red [default: amber+strict].
    #[arg(long, value_parser = label)]
    tlp: Option<Tlp>,
    /// An audience that it is for; nobody else may know. May be given several times.
    #[arg(long, value_name = "NAME")]
    audience: Vec<String>,
    /// What it may be read for: exposure-reduction, cnc-detection, notification, research or exercise
    /// [default: exposure-reduction].
    #[arg(long)]
    purpose: Option<Purpose>,
    /// Before this moment nobody but the holder of the address may know.
    #[arg(long, value_name = "TIME")]
    embargo: Option<Timestamp>,
    /// What it may be used under: an SPDX id, as CC-BY-4.0, or a short text.
    #[arg(long, value_name = "TEXT")]
    licence: Option<String>,
    /// How whoever has it is to handle it, as pap:amber or no-forward. May be given several times.
    #[arg(long, value_name = "WORD")]
    handling: Vec<String>,
}

impl Options {
    /// The marking that they say, where they say anything.
    pub(crate) fn given(&self) -> Result<Option<Marking>> {
        let silent = self.tlp.is_none()
            && self.audience.is_empty()
            && self.purpose.is_none()
            && self.embargo.is_none()
            && self.licence.is_none()
            && self.handling.is_empty();
        if silent { Ok(None) } else { self.marking().map(Some) }
    }

    /// The marking that they say.
    pub(crate) fn marking(&self) -> Result<Marking> {
        let handling: BTreeSet<String> = self.handling.iter().cloned().collect();
        let terms = Terms { embargo: self.embargo, licence: self.licence.clone(), handling };
        terms.check()?;
        let own = Marking::own(self.purpose.unwrap_or(Purpose::ExposureReduction));
        let audience: BTreeSet<String> = self.audience.iter().cloned().collect();
        let tlp = self.tlp.unwrap_or(own.tlp);
        Ok(Marking { tlp, audience: audience.into_iter().collect(), ..own }.under(terms))
    }
}

/// A label; a word that is none is refused here, where somebody can mend it.
fn label(text: &str) -> Result<Tlp, String> {
    let read = Tlp::read(text);
    let bare = text.trim().to_ascii_lowercase();
    match (read, bare.trim_start_matches("tlp:")) {
        (Tlp::Red, word) if word != "red" => Err("clear, green, amber, amber+strict or red".to_owned()),
        (label, _) => Ok(label),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_is_none_is_refused() {
        assert_eq!(label("TLP:amber+strict"), Ok(Tlp::AmberStrict));
        assert_eq!(label("red"), Ok(Tlp::Red));
        assert!(label("puce").is_err() && label("").is_err());
    }
}
