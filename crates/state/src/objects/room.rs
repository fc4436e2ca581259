//! How much room there is for objects, in all and of one giver.

use std::collections::{BTreeMap, BTreeSet};

use super::{Keeping, MAX_NAMED_IN_ALL, MAX_OBJECTS, MAX_OF_GIVER, NewObject};
use crate::database::Transaction;
use crate::error::StateError;
use crate::value::Value;

/// What there is, counted once a step.
#[derive(Default)]
pub(super) struct Room {
    all: Option<i64>,
    of_giver: BTreeMap<String, Taken>,
}

/// What one giver has taken.
#[derive(Clone, Copy)]
struct Taken {
    objects: i64,
    named: i64,
}

impl Room {
    /// Takes a seat; or tells why there is none.
    pub(super) fn take(
        &mut self,
        transaction: &mut Transaction<'_>,
        new: &NewObject,
    ) -> Result<Option<Keeping>, StateError> {
        let giver = &new.facts.giver;
        let all = match self.all {
            Some(all) => all,
            None => transaction.one("SELECT COUNT(*) FROM objects", &[])?.integer(0)?,
        };
        let own = match self.of_giver.get(giver) {
            Some(own) => *own,
            None => taken(transaction, giver)?,
        };
        let named = own.named.saturating_add(names(new));
        let refused = match () {
            () if all >= MAX_OBJECTS || own.objects >= MAX_OF_GIVER => Some(Keeping::Full),
            () if named > MAX_NAMED_IN_ALL => Some(Keeping::Crowded { named: own.named }),
            () => None,
        };
        let (all, own) = match refused {
            Some(_) => (all, own),
            None => (all + 1, Taken { objects: own.objects + 1, named }),
        };
        self.all = Some(all);
        self.of_giver.insert(giver.clone(), own);
        Ok(refused)
    }

    /// Writes down what was taken.
    pub(super) fn note(&self, transaction: &mut Transaction<'_>) -> Result<(), StateError> {
        for (giver, taken) in &self.of_giver {
            let sql = "INSERT INTO object_givers (giver, named) VALUES ($1, $2) \
                       ON CONFLICT (giver) DO UPDATE SET named = excluded.named";
            transaction.execute(sql, &[giver.into(), taken.named.into()])?;
        }
        Ok(())
    }
}

fn taken(transaction: &mut Transaction<'_>, giver: &str) -> Result<Taken, StateError> {
    let objects = transaction.one("SELECT COUNT(*) FROM objects WHERE giver = $1", &[giver.into()])?.integer(0)?;
    let named = transaction.query("SELECT named FROM object_givers WHERE giver = $1", &[giver.into()])?;
    Ok(Taken { objects, named: named.first().map(|row| row.integer(0)).transpose()?.unwrap_or(0) })
}

/// How many rows an object has besides its own: each address and value counts once.
fn names(new: &NewObject) -> i64 {
    let places: BTreeSet<_> = new.places.iter().map(|place| (place.low, place.high)).collect();
    let values: BTreeSet<_> = new.values.iter().collect();
    i64::try_from(places.len() + values.len()).unwrap_or(i64::MAX)
}

/// Gives back what an object that goes names.
pub(super) fn give_back(transaction: &mut Transaction<'_>, object: &[Value]) -> Result<(), StateError> {
    let sql = "UPDATE object_givers SET named = named - (SELECT COUNT(*) FROM object_places WHERE object = $1) \
               - (SELECT COUNT(*) FROM object_values WHERE object = $1) \
               WHERE giver = (SELECT giver FROM objects WHERE added = $1)";
    transaction.execute(sql, object).map(drop)
}
