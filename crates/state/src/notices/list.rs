//! Questions about notices.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hinomi_model::Timestamp;
use serde::Serialize;

use super::{COLUMNS, Notice, NoticeEvent, NoticeFile, NoticeState, Party, Said, bytes, find, read};
use crate::database::Database;
use crate::error::StateError;
use crate::organisations::book::{moment, optional_moment};
use crate::value::{Row, Value};

/// The most notices of one answer.
const MAX_LISTED: u32 = 1_000;

/// Which notices one asks for.
#[derive(Clone, Debug, Default)]
pub struct NoticesOf {
    /// To these alone; none named is all, an empty set is none.
    pub organisations: Option<BTreeSet<String>>,
    /// Drafted together.
    pub run: Option<i64>,
    /// This far.
    pub state: Option<NoticeState>,
    /// Before this number.
    pub before: Option<i64>,
    /// So many, at most a thousand.
    pub limit: u32,
}

/// That somebody was told of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Elsewhere {
    /// Of which notice.
    pub notice: i64,
    /// Who was told.
    pub party: Party,
    /// When.
    pub sent: Timestamp,
    /// What.
    pub said: Said,
}

fn said(row: &Row, at: usize) -> Result<Said, StateError> {
    let read = serde_json::from_str(row.text(at)?);
    read.map_err(|error| StateError::damaged(format!("a finding of a notice: {error}")))
}

/// By service and concern: the notice, when it was taken, and how far that is.
pub type ToldSoFar = BTreeMap<(String, String), (i64, Timestamp, NoticeState)>;

impl Database {
    /// One notice.
    ///
    /// # Errors
    /// When it is not there, or the database cannot be read.
    pub fn notice(&self, number: i64) -> Result<Notice, StateError> {
        self.transact(|transaction| find(transaction, number))
    }

    /// The notice that an answer names by its token.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn notice_by_token(&self, token: &str) -> Result<Option<i64>, StateError> {
        let sql = "SELECT number FROM notices WHERE token = $1";
        let rows = self.transact(|transaction| transaction.query(sql, &[token.into()]))?;
        rows.first().map(|row| row.integer(0)).transpose()
    }

    /// Notices, the newest first. Who released each is told by [`Self::notice`].
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn notices(&self, of: &NoticesOf) -> Result<Vec<Notice>, StateError> {
        let (mut wanted, mut values) = (vec!["1 = 1".to_owned()], Vec::<Value>::new());
        let place = |values: &mut Vec<Value>, value: Value| {
            values.push(value);
            format!("${}", values.len())
        };
        if let Some(organisations) = &of.organisations {
            if organisations.is_empty() {
                return Ok(Vec::new());
            }
            let named: Vec<String> = organisations.iter().map(|id| place(&mut values, id.into())).collect();
            wanted.push(format!("n.organisation IN ({})", named.join(", ")));
        }
        if let Some(run) = of.run {
            wanted.push(format!("n.run = {}", place(&mut values, run.into())));
        }
        if let Some(state) = of.state {
            wanted.push(format!("n.state = {}", place(&mut values, state.name().into())));
        }
        if let Some(before) = of.before {
            wanted.push(format!("n.number < {}", place(&mut values, before.into())));
        }
        let limit = place(&mut values, i64::from(of.limit.clamp(1, MAX_LISTED)).into());
        let sql = format!(
            "SELECT {COLUMNS} FROM notices n WHERE {} ORDER BY n.number DESC LIMIT {limit}",
            wanted.join(" AND ")
        );
        self.transact(|transaction| transaction.query(&sql, &values)?.iter().map(read).collect())
    }

    /// What a notice tells, by place from 1.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn notice_findings(&self, number: i64) -> Result<Vec<Said>, StateError> {
        let sql = "SELECT said FROM notice_findings WHERE notice = $1 ORDER BY place";
        let rows = self.transact(|transaction| transaction.query(sql, &[number.into()]))?;
        rows.iter().map(|row| said(row, 0)).collect()
    }

    /// The files that go with a notice.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn notice_files(&self, number: i64) -> Result<Vec<NoticeFile>, StateError> {
        let sql = "SELECT name, media, content FROM notice_files WHERE notice = $1 ORDER BY name";
        let rows = self.transact(|transaction| transaction.query(sql, &[number.into()]))?;
        let file = |row: &Row| {
            let (name, media, content) = (row.text(0)?.to_owned(), row.text(1)?.to_owned(), row.text(2)?.to_owned());
            Ok(NoticeFile { name, media, content })
        };
        rows.iter().map(file).collect()
    }

    /// What a party was told, or is about to be: where and what, with the notice and when.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn told_by_notices(&self, organisation: &str) -> Result<ToldSoFar, StateError> {
        let sql = "SELECT t.service, t.concern, t.notice, t.told, n.state FROM notice_told t \
                   JOIN notices n ON n.number = t.notice WHERE t.organisation = $1";
        let rows = self.transact(|transaction| transaction.query(sql, &[organisation.into()]))?;
        let read = |row: &Row| {
            let key = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
            let state = row.text(4)?.parse().map_err(|_| StateError::damaged("a notice is in no known state"))?;
            Ok((key, (row.integer(2)?, moment(row, 3)?, state)))
        };
        rows.iter().map(read).collect()
    }

    /// What others were told of services between two addresses, both included, the newest first. Not what these
    /// organisations were told.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn told_elsewhere(
        &self,
        (low, high): (IpAddr, IpAddr),
        but: &BTreeSet<String>,
        limit: u32,
    ) -> Result<Vec<Elsewhere>, StateError> {
        let mut values: Vec<Value> = [low, high].map(|one| Value::Bytes(bytes(one).to_vec())).into();
        values.push(i64::from(limit.min(MAX_LISTED)).into());
        values.extend(but.iter().map(Value::from));
        let others: Vec<String> = (4..4 + but.len()).map(|at| format!(" AND n.organisation <> ${at}")).collect();
        let sql = format!(
            "SELECT n.number, n.party, n.sent, f.said FROM notice_findings f JOIN notices n ON n.number = f.notice \
             WHERE f.address >= $1 AND f.address <= $2 AND n.state = 'sent'{} ORDER BY n.number DESC, f.place LIMIT $3",
            others.concat()
        );
        let rows = self.transact(|transaction| transaction.query(&sql, &values))?;
        let read = |row: &Row| {
            let party = serde_json::from_str(row.text(1)?);
            Ok(Elsewhere {
                notice: row.integer(0)?,
                party: party.map_err(|error| StateError::damaged(format!("the party of a notice: {error}")))?,
                sent: optional_moment(row, 2)?.unwrap_or_default(),
                said: said(row, 3)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// What was done with one notice, or with all, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn notice_events(&self, notice: Option<i64>, after: i64, limit: u32) -> Result<Vec<NoticeEvent>, StateError> {
        let mut values: Vec<Value> = vec![after.into(), i64::from(limit).into()];
        values.extend(notice.map(Value::from));
        let of = if notice.is_some() { "AND notice = $3" } else { "" };
        let sql = format!(
            "SELECT number, notice, happened, actor, action, detail FROM notice_events \
             WHERE number > $1 {of} ORDER BY number LIMIT $2"
        );
        let rows = self.transact(|transaction| transaction.query(&sql, &values))?;
        let event = |row: &Row| {
            Ok(NoticeEvent {
                number: row.integer(0)?,
                notice: row.optional_integer(1)?,
                time: moment(row, 2)?,
                by: row.text(3)?.to_owned(),
                action: row.text(4)?.to_owned(),
                detail: row.text(5)?.to_owned(),
            })
        };
        rows.iter().map(event).collect()
    }
}
