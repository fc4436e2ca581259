//! The rules: Cedar policies, checked when they are read, asked of single records and of all at once.
//!
//! - The built-in ones (`policies/built-in.cedar`) hold everywhere; an installation may add files of its own. Every rule
//!   has an `@id` of its own and a sentence `@says`, and fits the schema (`policies/schema.cedarschema`) strictly.
//! - Nothing is permitted unless a rule permits it, and a rule that forbids has the last word.
//! - [`Rules::decide`] is asked of one record; [`Rules::residuals`] says what remains of each rule for one member when the
//!   record is unknown, for [`crate::entitle`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use cedar_policy::pst::{Expr, Policy as Syntax};
use cedar_policy::{
    Authorizer, Context, Decision, Effect, Entities, Entity, EntityId, EntityTypeName, EntityUid, PartialEntities,
    PartialEntityUid, PartialRequest, Policy, PolicyId, PolicySet, Request, RestrictedExpression, Schema,
    ValidationMode, Validator,
};
use hinomi_model::{ContentHash, Marking, Purpose, Tlp};

use crate::ledger::sha256_hex;

const SCHEMA: &str = include_str!("../policies/schema.cedarschema");
const BUILT_IN: &str = include_str!("../policies/built-in.cedar");

/// The most files of its own that an installation may have.
const MAX_FILES: usize = 64;
/// The largest of them, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// The most rules in all.
const MAX_RULES: usize = 1_024;
/// The longest name of a rule, in characters.
const MAX_ID_CHARS: usize = 64;

/// Why rules are not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RulesError {
    /// A file cannot be read.
    #[error("{file}: {source}")]
    File {
        /// Which one.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A text does not say rules.
    #[error("{file}: {detail}")]
    Text {
        /// Which one.
        file: String,
        /// What is wrong.
        detail: String,
    },
    /// Cedar refused a question: a mistake of this program.
    #[error("the rules could not be asked: {0}")]
    Asked(String),
}

/// What is known of who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberFacts {
    /// Ids of the organisations acted for that may read for this purpose.
    pub organisations: BTreeSet<String>,
    /// Their audiences.
    pub audiences: BTreeSet<String>,
    /// Their sectors.
    pub sectors: BTreeSet<String>,
    /// What is read for; none closes everything that asks for one.
    pub purpose: Option<Purpose>,
}

/// What rules look at of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordFacts {
    /// How it is marked.
    pub marking: Marking,
    /// Whether it is under an embargo that has not ended.
    pub embargo: bool,
    /// Who held the address.
    pub holders: BTreeSet<String>,
    /// Who ran its network.
    pub operators: BTreeSet<String>,
}

/// What rules say of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Whether it may be read.
    pub allowed: bool,
    /// Which rules decided, by name.
    pub rules: Vec<String>,
}

/// What remains of a rule when the record is unknown.
#[derive(Clone, Debug)]
pub(crate) struct Residual {
    pub(crate) id: String,
    pub(crate) forbids: bool,
    /// All of them must hold; none at all holds always.
    pub(crate) conditions: Vec<Expr>,
}

/// One rule, for people.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// What it says, as the rule's own text has it.
    pub says: String,
    /// Whether it forbids.
    pub forbids: bool,
}

/// A set of rules.
pub struct Rules {
    schema: Schema,
    set: PolicySet,
    /// Names the text of all of them.
    sum: ContentHash,
    sha256: String,
}

impl Rules {
    /// The built-in rules.
    ///
    /// # Errors
    /// Never, if this program was tested.
    pub fn built_in() -> Result<Self, RulesError> {
        Self::of_texts(&[("built-in.cedar".to_owned(), BUILT_IN.to_owned())])
    }

    /// The built-in rules and those in a folder, which need not be there.
    ///
    /// # Errors
    /// When a file cannot be read, is no set of rules, or does not fit the schema.
    pub fn with_folder(folder: &Path) -> Result<Self, RulesError> {
        let mut texts = vec![("built-in.cedar".to_owned(), BUILT_IN.to_owned())];
        texts.extend(own_texts(folder)?);
        Self::of_texts(&texts)
    }

    /// The built-in rules and one text more.
    ///
    /// # Errors
    /// When it is no set of rules, or does not fit the schema.
    pub fn with_text(text: &str) -> Result<Self, RulesError> {
        Self::of_texts(&[("built-in.cedar".to_owned(), BUILT_IN.to_owned()), ("own.cedar".to_owned(), text.to_owned())])
    }

    fn of_texts(texts: &[(String, String)]) -> Result<Self, RulesError> {
        let refuse = |file: &str, detail: String| RulesError::Text { file: file.to_owned(), detail };
        let (schema, _) =
            Schema::from_cedarschema_str(SCHEMA).map_err(|error| refuse("schema.cedarschema", error.to_string()))?;
        let (mut set, mut all) = (PolicySet::new(), String::new());
        let mut names = BTreeMap::new();
        for (file, text) in texts {
            let read: PolicySet = text.parse().map_err(|error| refuse(file, format!("{error}")))?;
            if read.templates().next().is_some() {
                return Err(refuse(file, "a rule with a gap (?principal, ?resource) decides nothing".to_owned()));
            }
            for policy in read.policies() {
                let id = name_of(policy).map_err(|detail| refuse(file, detail))?;
                if names.insert(id.clone(), ()).is_some() || names.len() > MAX_RULES {
                    return Err(refuse(file, format!("there are two rules named {id:?}, or more than {MAX_RULES}")));
                }
                set.add(policy.new_id(PolicyId::new(&id))).map_err(|error| refuse(file, error.to_string()))?;
            }
            let checked = Validator::new(schema.clone()).validate(&set, ValidationMode::Strict);
            if let Some(error) = checked.validation_errors().next() {
                return Err(refuse(file, error.to_string()));
            }
            all.push_str(text);
            all.push('\0');
        }
        Ok(Self { schema, set, sum: ContentHash::of(all.as_bytes()), sha256: sha256_hex(all.as_bytes()) })
    }

    /// Names this set: another text has another name.
    pub const fn sum(&self) -> &ContentHash {
        &self.sum
    }

    /// SHA-256 of the same text, in hex: as the ledger names it.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Every rule, by name.
    pub fn list(&self) -> Vec<Rule> {
        let rule = |policy: &Policy| Rule {
            id: policy.id().to_string(),
            says: policy.annotation("says").unwrap_or_default().to_owned(),
            forbids: policy.effect() == Effect::Forbid,
        };
        let mut rules: Vec<Rule> = self.set.policies().map(rule).collect();
        rules.sort_by(|one, other| one.id.cmp(&other.id));
        rules
    }

    /// What the rules say of one record.
    ///
    /// # Errors
    /// When Cedar refuses the question.
    pub fn decide(&self, member: &MemberFacts, record: &RecordFacts) -> Result<Decided, RulesError> {
        let (who, what) = (uid("Member", "asking")?, uid("Record", "asked")?);
        let entities = [member_entity(who.clone(), member)?, record_entity(what.clone(), record)?];
        let entities = Entities::from_entities(entities, Some(&self.schema)).map_err(asked)?;
        let request =
            Request::new(who, uid("Action", "read")?, what, Context::empty(), Some(&self.schema)).map_err(asked)?;
        let response = Authorizer::new().is_authorized(&request, &self.set, &entities);
        let mut rules: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
        rules.sort();
        // A rule that could not be worked out might have forbidden it.
        let sound = response.diagnostics().errors().next().is_none();
        Ok(Decided { allowed: sound && response.decision() == Decision::Allow, rules })
    }

    /// What remains of each rule for a member, whatever the record.
    pub(crate) fn residuals(&self, member: &MemberFacts) -> Result<Vec<Residual>, RulesError> {
        let who = uid("Member", "asking")?;
        let entities = Entities::from_entities([member_entity(who.clone(), member)?], Some(&self.schema));
        let entities = PartialEntities::from_concrete(entities.map_err(asked)?, &self.schema).map_err(asked)?;
        let any = PartialEntityUid::new(type_name("Record")?, None);
        let who = PartialEntityUid::from_concrete(who);
        let request = PartialRequest::new(who, uid("Action", "read")?, any, Some(Context::empty()), &self.schema);
        let request = request.map_err(asked)?;
        let response = self.set.tpe(&request, &entities, &self.schema).map_err(asked)?;
        response.policies().map(|policy| residual(&policy)).collect()
    }
}

fn residual(policy: &Policy) -> Result<Residual, RulesError> {
    let syntax: Syntax = policy.to_pst().map_err(asked)?;
    let conditions = syntax.body().clauses().iter().map(|clause| match clause {
        cedar_policy::pst::Clause::When(expr) => Expr::clone(expr),
        cedar_policy::pst::Clause::Unless(expr) => {
            Expr::UnaryOp { op: cedar_policy::pst::UnaryOp::Not, expr: std::sync::Arc::clone(expr) }
        }
    });
    Ok(Residual {
        id: policy.id().to_string(),
        forbids: policy.effect() == Effect::Forbid,
        conditions: conditions.collect(),
    })
}

/// The name that a rule gives itself.
fn name_of(policy: &Policy) -> Result<String, String> {
    let id = policy.annotation("id").ok_or("a rule has no @id")?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if id.is_empty() || id.len() > MAX_ID_CHARS || !id.chars().all(plain) {
        return Err(format!("{id:?} names no rule: small letters, digits and hyphens, at most {MAX_ID_CHARS}"));
    }
    if policy.annotation("says").is_none_or(str::is_empty) {
        return Err(format!("the rule {id:?} has no sentence: give it @says(\"...\")"));
    }
    Ok(id.to_owned())
}

/// The rules of an installation's own, by name of the file.
fn own_texts(folder: &Path) -> Result<Vec<(String, String)>, RulesError> {
    let told = |path: &Path| {
        let file = path.display().to_string();
        move |source| RulesError::File { file, source }
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(told(folder))?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let mut paths = paths.map_err(told(folder))?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "cedar"));
    paths.sort();
    let refuse = |path: &Path, detail: String| RulesError::Text { file: path.display().to_string(), detail };
    if paths.len() > MAX_FILES {
        return Err(refuse(folder, format!("at most {MAX_FILES} files of rules are read")));
    }
    let read = |path: &std::path::PathBuf| {
        if fs::metadata(path).map_err(told(path))?.len() > MAX_FILE_BYTES {
            return Err(refuse(path, format!("a file of rules has at most {MAX_FILE_BYTES} bytes")));
        }
        Ok((path.display().to_string(), fs::read_to_string(path).map_err(told(path))?))
    };
    paths.iter().map(read).collect()
}

/// A label as rules compare it.
pub(crate) const fn number_of(tlp: Tlp) -> i64 {
    match tlp {
        Tlp::Clear => 0,
        Tlp::Green => 1,
        Tlp::Amber => 2,
        Tlp::AmberStrict => 3,
        Tlp::Red => 4,
    }
}

fn asked(error: impl std::fmt::Display) -> RulesError {
    RulesError::Asked(error.to_string())
}

fn type_name(name: &str) -> Result<EntityTypeName, RulesError> {
    name.parse().map_err(asked)
}

fn uid(kind: &str, id: &str) -> Result<EntityUid, RulesError> {
    Ok(EntityUid::from_type_name_and_id(type_name(kind)?, EntityId::new(id)))
}

fn entities_of<'a>(kind: &str, ids: impl IntoIterator<Item = &'a String>) -> Result<RestrictedExpression, RulesError> {
    let each = ids.into_iter().map(|id| Ok(RestrictedExpression::new_entity_uid(uid(kind, id)?)));
    Ok(RestrictedExpression::new_set(each.collect::<Result<Vec<_>, RulesError>>()?))
}

fn member_entity(who: EntityUid, member: &MemberFacts) -> Result<Entity, RulesError> {
    let sectors = member.sectors.iter().map(|sector| RestrictedExpression::new_string(sector.clone()));
    let purpose = member.purpose.map_or("", Purpose::name);
    let attributes = HashMap::from([
        ("organisations".to_owned(), entities_of("Organisation", &member.organisations)?),
        ("audiences".to_owned(), entities_of("Audience", &member.audiences)?),
        ("sectors".to_owned(), RestrictedExpression::new_set(sectors)),
        ("purpose".to_owned(), RestrictedExpression::new_string(purpose.to_owned())),
    ]);
    Entity::new(who, attributes, std::collections::HashSet::new()).map_err(asked)
}

fn record_entity(what: EntityUid, record: &RecordFacts) -> Result<Entity, RulesError> {
    let marking = &record.marking;
    let handling = marking.handling.iter().map(|word| RestrictedExpression::new_string(word.clone()));
    let attributes = HashMap::from([
        ("tlp".to_owned(), RestrictedExpression::new_long(number_of(marking.tlp))),
        ("audiences".to_owned(), entities_of("Audience", &marking.audience)?),
        ("purpose".to_owned(), RestrictedExpression::new_string(marking.purpose.name().to_owned())),
        ("embargo".to_owned(), RestrictedExpression::new_bool(record.embargo)),
        ("licence".to_owned(), RestrictedExpression::new_string(marking.licence.clone().unwrap_or_default())),
        ("handling".to_owned(), RestrictedExpression::new_set(handling)),
        ("holders".to_owned(), entities_of("Organisation", &record.holders)?),
        ("operators".to_owned(), entities_of("Organisation", &record.operators)?),
    ]);
    Entity::new(what, attributes, std::collections::HashSet::new()).map_err(asked)
}
