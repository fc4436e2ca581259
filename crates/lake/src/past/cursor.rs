//! Where a page about the past ended.
//!
//! A text of the question's sum, the total and the last service. At a hundred times the data nothing changes here.

use std::net::IpAddr;

use hinomi_model::address::to_u128;
use hinomi_model::{ContentHash, ServiceKey};

use crate::error::LakeError;

/// Digits of the question's sum.
const SUM_DIGITS: usize = 16;

/// The end of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// The last service of the page.
    pub(super) last: ServiceKey,
    /// How many matched in all.
    pub(super) total: u64,
}

impl Cursor {
    /// As text, bound to the question.
    pub(super) fn text(&self, question: &str) -> String {
        let ServiceKey { address, port, transport } = self.last;
        format!("{}_{}_{port}_{transport}_{address}", sum(question), self.total)
    }

    /// Out of a text that [`Cursor::text`] made for the same question; none without one.
    pub(super) fn read(text: Option<&str>, question: &str) -> Result<Option<Self>, LakeError> {
        let Some(text) = text else { return Ok(None) };
        Self::parse(text, question).map(Some).ok_or(LakeError::Cursor)
    }

    fn parse(text: &str, question: &str) -> Option<Self> {
        let mut parts = text.splitn(5, '_');
        if parts.next()? != sum(question) {
            return None;
        }
        let total = parts.next()?.parse().ok()?;
        let (port, transport) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let address: IpAddr = parts.next()?.parse().ok()?;
        Some(Self { last: ServiceKey { address, port, transport }, total })
    }

    /// Whether a service stands after the page.
    pub(super) fn is_before(&self, key: &ServiceKey) -> bool {
        let place = |key: &ServiceKey| (to_u128(key.address), key.port, key.transport);
        place(&self.last) < place(key)
    }

    /// The last address as a number.
    pub(super) fn address(&self) -> u128 {
        to_u128(self.last.address)
    }
}

fn sum(question: &str) -> String {
    ContentHash::of(question.as_bytes()).to_string().chars().take(SUM_DIGITS).collect()
}
