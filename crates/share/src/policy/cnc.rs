//! Findings of C&C servers, for the operator and analysts alone and before a witness.
//!
//! To a member they do not exist: he is answered as where none were ever made.

use std::collections::BTreeMap;

use hinomi_lake::LakeError;
use hinomi_lake::cnc::{Book, HeldFinding, Journal, LeftOut, Story, Taken, ToWithdraw};
use hinomi_model::Timestamp;
use hinomi_model::cnc::status::CollectorStatus;
use hinomi_model::cnc::{Endpoint, ExportVerdict, Finding};
use serde::Serialize;

use super::{ReadError, Reader};
use crate::witness::Sight;

/// Findings of C&C servers at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CncFindings {
    /// What is held, the surest first.
    pub held: Vec<HeldFinding>,
    /// What was taken back or has faded, the newest first.
    pub withdrawn: Vec<Taken>,
    /// What of the journal could not be read.
    pub left_out: LeftOut,
}

/// What a list that leaves may be made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CncList {
    /// Held findings with what the export gate said of them, the surest first.
    pub held: Vec<(Finding, ExportVerdict)>,
    /// Endpoints that an earlier list named and that are not held any more.
    pub to_withdraw: Vec<ToWithdraw>,
    /// How often lists took an endpoint back before; those never taken back are missing.
    pub listed_again: BTreeMap<Endpoint, u32>,
    /// Lists of any form that were shared on the day of the moment asked for.
    pub lists_today: u64,
    /// What of the journal could not be read.
    pub left_out: LeftOut,
}

impl Reader {
    /// Findings of C&C servers as they stood, or will have faded, at this moment: what is held, what was taken back.
    ///
    /// # Errors
    /// When the look cannot be written down, or the journal cannot be read.
    pub fn cnc_findings(&self, now: Timestamp) -> Result<CncFindings, ReadError> {
        let Some(book) = self.cnc_book(Sight::Findings, |journal| journal.read_until(now))? else {
            return Ok(CncFindings::default());
        };
        Ok(CncFindings { held: book.held(now), withdrawn: book.taken(now), left_out: book.left_out })
    }

    /// Everything told of one endpoint until this moment; `None` when nothing was.
    ///
    /// # Errors
    /// When the look cannot be written down, or the journal cannot be read.
    pub fn cnc_finding(&self, endpoint: &Endpoint, now: Timestamp) -> Result<Option<Story>, ReadError> {
        let book = self.cnc_book(Sight::Finding, |journal| journal.read_until(now))?;
        Ok(book.and_then(|book| book.story(endpoint, now)))
    }

    /// What a list that leaves may be made of; who lets it leave asks the export gate for each.
    ///
    /// # Errors
    /// When the look cannot be written down, or the journal cannot be read.
    pub fn cnc_list(&self, now: Timestamp) -> Result<CncList, ReadError> {
        let Some(book) = self.cnc_book(Sight::List, Journal::read)? else { return Ok(CncList::default()) };
        let held = book.held(now).into_iter().map(|held| (held.finding, held.export)).collect();
        let (to_withdraw, lists_today) = (book.to_withdraw(now), book.lists_on(now));
        let listed_again = book.listed_again();
        Ok(CncList { held, to_withdraw, listed_again, lists_today, left_out: book.left_out })
    }

    /// What the collector of flows last said of itself: sums and exporters, no finding; `None` when none ever ran.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn collector_status(&self) -> Result<Option<CollectorStatus>, ReadError> {
        if self.may().is_some() {
            return Ok(None);
        }
        self.look("collector", "")?;
        Ok(self.lake().collector_status()?)
    }

    /// The journal, after the look was written down; `None` where there is none, and so nothing to look at.
    fn cnc_book(
        &self,
        sight: Sight,
        read: impl FnOnce(&Journal) -> Result<Book, LakeError>,
    ) -> Result<Option<Book>, ReadError> {
        let journal = self.lake().cnc();
        if self.may().is_some() || !journal.exists() {
            return Ok(None);
        }
        self.see(sight)?;
        Ok(Some(read(&journal)?))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hinomi_identify::Engine;
    use hinomi_lake::{Lake, LakeOptions, Places};
    use hinomi_model::SystemClock;
    use hinomi_model::cnc::{Listing, Message};

    use super::*;
    use std::sync::Arc;

    use crate::policy::Viewer;
    use crate::witness::Witness;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Witness for Counting {
        fn looked(&self, _sight: Sight) -> Result<(), String> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }

        fn left(&self, _: crate::witness::Departure) -> Result<(), String> {
            Err("nothing leaves here".to_owned())
        }
    }

    #[test]
    fn findings_are_shown_before_a_witness_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let identifier = Arc::new(Engine::builtin().expect("rules"));
        let (dir, clock) = (folder.path().to_owned(), Arc::new(SystemClock));
        let options = LakeOptions { dir, read_only: false, identifier, places: Places::default(), clock };
        let lake = Arc::new(Lake::open(options).expect("a lake"));
        let alone = Reader::new(Arc::clone(&lake), Viewer::Operator);
        let now = Timestamp::default();
        assert!(alone.cnc_findings(now).is_ok_and(|findings| findings == CncFindings::default()), "nothing is there");
        lake.cnc().append(&[Message::Listed(Listing::default())], now).expect("written");
        let endpoint = "203.0.113.9:1/tcp".parse().expect("an endpoint");
        assert!(matches!(alone.cnc_findings(now), Err(ReadError::Unwitnessed(_))));
        assert!(matches!(alone.cnc_finding(&endpoint, now), Err(ReadError::Unwitnessed(_))));
        assert!(matches!(alone.cnc_list(now), Err(ReadError::Unwitnessed(_))));
        let witness = Arc::new(Counting::default());
        let seen = alone.before(Arc::clone(&witness) as Arc<dyn Witness>);
        assert!(
            seen.cnc_findings(now).is_ok() && seen.cnc_finding(&endpoint, now).is_ok() && seen.cnc_list(now).is_ok()
        );
        assert_eq!(witness.0.load(Ordering::Relaxed), 3);
    }
}
