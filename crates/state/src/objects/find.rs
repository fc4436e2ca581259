//! Finding objects: by page, id, address or value, as far as somebody may see them.

use std::collections::BTreeMap;

use hinomi_model::Timestamp;

use super::{COLUMNS, ObjectPlace, ObjectRow, Saying, facts};
use crate::database::{Database, Transaction};
use crate::error::StateError;
use crate::value::{Row, Value};

/// Values that one statement carries.
const MAX_VALUES: usize = 20_000;
/// Objects whose places or bodies are asked for at once.
const AT_ONCE: usize = 500;

/// Ranges of addresses as numbers, both ends included, and AS numbers.
pub type Places = (Vec<(u128, u128)>, Vec<u32>);

/// What somebody may see at most: a filter that may let through more than the rules, never less.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectSight {
    /// Everything.
    pub all: bool,
    /// Whatever these organisations gave.
    pub givers: Vec<String>,
    /// Whatever bears one of these markings.
    pub free: Vec<String>,
    /// What bears one of these markings and names addresses.
    pub placed: Vec<String>,
    /// Of those, what names one of these addresses or is in one of these AS; none: any.
    pub places: Option<Places>,
}

/// Which objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// All.
    #[default]
    All,
    /// Of these ids.
    Ids(Vec<String>),
    /// That say something about an address, or a prefix around it; its number.
    Address(u128),
    /// That say something about this name, page or hash.
    Value(String),
    /// That name addresses within one of these ranges, both ends included, or say something about one of these values.
    Naming(Vec<(u128, u128)>, Vec<String>),
}

/// A question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectQuery {
    /// In these collections; none: in all.
    pub collections: Vec<String>,
    /// Of this form, if any.
    pub form: Option<String>,
    /// Which.
    pub which: Which,
    /// Of these types; none: of all.
    pub kinds: Vec<String>,
    /// Added after this moment.
    pub after: i64,
    /// The last added first.
    pub newest: bool,
    /// The most.
    pub limit: u32,
}

/// A statement being written.
#[derive(Default)]
struct Words {
    sql: String,
    values: Vec<Value>,
}

impl Words {
    fn value(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// `column IN (…)`, or what is never true.
    fn among(&mut self, column: &str, texts: &[String]) -> String {
        if texts.is_empty() {
            return "1 = 0".to_owned();
        }
        let each: Vec<String> = texts.iter().map(|text| self.value(text)).collect();
        format!("{column} IN ({})", each.join(", "))
    }

    fn and(&mut self, condition: &str) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
    }
}

impl Database {
    /// Objects by when they were added.
    ///
    /// # Errors
    /// When more is named than one statement carries, or the database cannot be asked.
    pub fn object_rows(&self, asked: &ObjectQuery, sight: &ObjectSight) -> Result<Vec<ObjectRow>, StateError> {
        let words = statement(asked, sight);
        if words.values.len() > MAX_VALUES {
            return Err(StateError::refused("this names too many objects at once"));
        }
        self.transact(|transaction| {
            let rows = transaction.query(&words.sql, &words.values)?;
            let found: Vec<_> = rows.iter().map(facts).collect::<Result<_, _>>()?;
            let mut places = places(transaction, &found.iter().map(|(added, _)| *added).collect::<Vec<_>>())?;
            let row = |(added, facts)| ObjectRow { added, facts, places: places.remove(&added).unwrap_or_default() };
            Ok(found.into_iter().map(row).collect())
        })
    }

    /// The bytes of objects, by when they were added.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn object_bodies(&self, added: &[Timestamp]) -> Result<BTreeMap<Timestamp, Vec<u8>>, StateError> {
        self.transact(|transaction| {
            let mut bodies = BTreeMap::new();
            for some in added.chunks(AT_ONCE) {
                for row in of_moments(transaction, "SELECT added, body FROM objects WHERE added IN", some)? {
                    bodies.insert(Timestamp::from_micros(row.integer(0)?), row.bytes(1)?.to_vec());
                }
            }
            Ok(bodies)
        })
    }

    /// Every marking that an object bears.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub fn object_markings(&self) -> Result<Vec<String>, StateError> {
        // From one to the next by the index: they are few, objects are many.
        let sql = "WITH RECURSIVE m (marking) AS (SELECT MIN(marking) FROM objects UNION ALL SELECT (SELECT MIN(o.marking) \
                   FROM objects AS o WHERE o.marking > m.marking) FROM m WHERE m.marking IS NOT NULL) \
                   SELECT marking FROM m WHERE marking IS NOT NULL";
        let rows = self.transact(|transaction| transaction.query(sql, &[]))?;
        rows.iter().map(|row| row.text(0).map(ToOwned::to_owned)).collect()
    }
}

fn of_moments(transaction: &mut Transaction<'_>, sql: &str, some: &[Timestamp]) -> Result<Vec<Row>, StateError> {
    let mut words = Words::default();
    let each: Vec<String> = some.iter().map(|moment| words.value(moment.as_micros())).collect();
    transaction.query(&format!("{sql} ({})", each.join(", ")), &words.values)
}

fn places(
    transaction: &mut Transaction<'_>,
    added: &[Timestamp],
) -> Result<BTreeMap<Timestamp, Vec<ObjectPlace>>, StateError> {
    let mut places: BTreeMap<Timestamp, Vec<ObjectPlace>> = BTreeMap::new();
    for some in added.chunks(AT_ONCE) {
        let sql = "SELECT object, low, high, asn, searched FROM object_places WHERE object IN";
        for row in of_moments(transaction, sql, some)? {
            let asn = row.optional_integer(3)?.and_then(|asn| u32::try_from(asn).ok());
            let (low, high) = (number(&row, 1)?, number(&row, 2)?);
            let place = ObjectPlace { low, high, asn, saying: Saying::read(row.integer(4)?) };
            places.entry(Timestamp::from_micros(row.integer(0)?)).or_default().push(place);
        }
    }
    Ok(places)
}

fn number(row: &Row, at: usize) -> Result<u128, StateError> {
    let bytes = row.bytes(at)?.try_into().map_err(|_| StateError::damaged("an address has not 16 bytes"))?;
    Ok(u128::from_be_bytes(bytes))
}

fn statement(asked: &ObjectQuery, sight: &ObjectSight) -> Words {
    let mut words = Words::default();
    let after = words.value(asked.after);
    words.sql = format!("SELECT {COLUMNS} FROM objects AS o WHERE added > {after}");
    if !asked.collections.is_empty() {
        let among = words.among("collection", &asked.collections);
        words.and(&among);
    }
    if !asked.kinds.is_empty() {
        let among = words.among("kind", &asked.kinds);
        words.and(&among);
    }
    if let Some(form) = &asked.form {
        let form = words.value(form);
        words.and(&format!("form = {form}"));
    }
    let which = match &asked.which {
        Which::All => None,
        Which::Ids(ids) => Some(words.among("id", ids)),
        Which::Address(address) => Some(around(&mut words, *address)),
        Which::Value(value) => {
            let value = words.value(value);
            Some(format!("added IN (SELECT object FROM object_values WHERE value = {value})"))
        }
        Which::Naming(spans, values) => Some(naming(&mut words, spans, values)),
    };
    which.iter().for_each(|which| words.and(which));
    if !sight.all {
        let seen = seen(&mut words, sight);
        words.and(&seen);
    }
    let limit = words.value(i64::from(asked.limit));
    let order = if asked.newest { "DESC" } else { "ASC" };
    words.sql.push_str(&format!(" ORDER BY added {order} LIMIT {limit}"));
    words
}

/// Objects that say something about an address: each prefix that there can be around it is looked up.
fn around(words: &mut Words, address: u128) -> String {
    let each: Vec<String> = (0..=128_u32)
        .map(|free| {
            let mask = 1_u128.checked_shl(free).map_or(u128::MAX, |bit| bit - 1);
            span(words, address & !mask, address | mask)
        })
        .collect();
    let of = "SELECT object FROM object_places WHERE searched > 0 AND (low, high) IN";
    format!("added IN ({of} (VALUES {}))", each.join(", "))
}

/// Objects that name an address of these ranges, or say something about one of these values.
fn naming(words: &mut Words, spans: &[(u128, u128)], values: &[String]) -> String {
    let among = words.among("v.value", values);
    let mut either = vec![format!("added IN (SELECT v.object FROM object_values AS v WHERE {among})")];
    for (low, high) in spans {
        let [low, high] = [low, high].map(|number| words.value(number.to_be_bytes().as_slice()));
        either.push(format!("added IN (SELECT object FROM object_places WHERE low <= {high} AND high >= {low})"));
    }
    format!("({})", either.join(" OR "))
}

/// Two addresses as a row of a list.
fn span(words: &mut Words, low: u128, high: u128) -> String {
    let [low, high] = [low, high].map(|number| words.value(number.to_be_bytes().as_slice()));
    // In a list of values PostgreSQL does not see what they are compared with.
    format!("(CAST({low} AS {{bytes}}), CAST({high} AS {{bytes}}))")
}

fn seen(words: &mut Words, sight: &ObjectSight) -> String {
    let mut ways = vec![words.among("giver", &sight.givers), words.among("marking", &sight.free)];
    if !sight.placed.is_empty() {
        let marked = words.among("marking", &sight.placed);
        let mut place = "SELECT 1 FROM object_places AS p WHERE p.object = o.added".to_owned();
        if let Some((spans, asns)) = &sight.places {
            let mut near = Vec::new();
            for (low, high) in spans {
                near.push(span(words, *low, *high));
            }
            let mut either = Vec::new();
            if !near.is_empty() {
                let own = "EXISTS (SELECT 1 FROM own WHERE own.low <= p.high AND p.low <= own.high)";
                words.sql = format!("WITH own (low, high) AS (VALUES {}) {}", near.join(", "), words.sql);
                either.push(own.to_owned());
            }
            let numbers: Vec<String> = asns.iter().map(|asn| words.value(i64::from(*asn))).collect();
            if !numbers.is_empty() {
                either.push(format!("p.asn IN ({})", numbers.join(", ")));
            }
            let either = if either.is_empty() { "1 = 0".to_owned() } else { either.join(" OR ") };
            place.push_str(&format!(" AND ({either})"));
        }
        ways.push(format!("({marked} AND EXISTS ({place}))"));
    }
    format!("({})", ways.join(" OR "))
}
