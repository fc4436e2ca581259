//! From who asks to what is read: the one place where readers for others than the operator are made. Analysts see what he
//! sees, and are written down.
//!
//! ```text
//!   Viewer::Member -> facts (register) -> residual of the rules -> Entitlement -> Reader -> every question
//! ```
//!
//! What a member may see is worked out once for each set of facts, register and rules, and kept: [`MAX_KEPT`] of them. A
//! register with another number is asked for at every reader, so that a claim that ended and an audience that was left
//! count at once; so do rules that their folder says anew ([`crate::rulebook`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hinomi_lake::entitlement::Entitlement;
use hinomi_model::ContentHash;

use crate::entitle::{entitlement, facts_of};
use crate::ledger::Log;
use crate::policy::{Ground, Member, ReadError, Reader, Viewer};
use crate::register::Register;
use crate::rulebook::{RuleBook, Standing};
use crate::rules::{MemberFacts, Rules};
use crate::witness::Witness;

/// The most entitlements kept; of one register and one set of rules.
const MAX_KEPT: usize = 4_096;

/// The register as it stands.
pub trait Registers: Send + Sync {
    /// Its number, which another register does not have, and itself.
    ///
    /// # Errors
    /// Why it cannot be read; then no member is let in.
    fn current(&self) -> Result<(u64, Arc<Register>), String>;
}

impl Registers for Register {
    fn current(&self) -> Result<(u64, Arc<Register>), String> {
        Ok((0, Arc::new(self.clone())))
    }
}

/// Names who writes down the looks of a member.
pub trait Witnesses: Send + Sync {
    /// The witness of this member; an analyst comes as one who acts for nobody.
    fn of(&self, member: &Member) -> Arc<dyn Witness>;

    /// The ledger itself, for who asks what of it concerns him; none where there is none.
    fn ledger(&self) -> Option<Arc<Log>> {
        None
    }

    /// The witness of visitors, which writes down that they looked and not who.
    fn of_visitors(&self) -> Arc<dyn Witness>;
}

/// Makes readers. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    operator: Reader,
    members: Option<Arc<Members>>,
}

/// What readers of members are made with.
struct Members {
    registers: Box<dyn Registers>,
    rules: RuleBook,
    witnesses: Box<dyn Witnesses>,
    kept: Mutex<Kept>,
}

/// Entitlements of one register and one set of rules.
#[derive(Default)]
struct Kept {
    of: Option<(u64, ContentHash)>,
    entitlements: HashMap<MemberKey, Arc<Entitlement>>,
}

/// Facts, as a key: of who acts for thousands they are long.
type MemberKey = ContentHash;

impl Door {
    /// The door of an installation, from the operator's own reader. Members are not let in.
    pub const fn new(operator: Reader) -> Self {
        Self { operator, members: None }
    }

    /// The same for members too: who they are the register says, what they may see the rules, and their looks are
    /// written down.
    #[must_use]
    pub fn for_members(
        self,
        registers: impl Registers + 'static,
        rules: impl Into<RuleBook>,
        witnesses: impl Witnesses + 'static,
    ) -> Self {
        let (registers, witnesses) = (Box::new(registers), Box::new(witnesses));
        let members = Members { registers, rules: rules.into(), witnesses, kept: Mutex::default() };
        Self { members: Some(Arc::new(members)), ..self }
    }

    /// The ledger; none where there is none.
    pub fn ledger(&self) -> Option<Arc<Log>> {
        self.members.as_ref()?.witnesses.ledger()
    }

    /// How the rules stand; none where members are not let in.
    pub fn rules(&self) -> Option<Standing> {
        Some(self.members.as_ref()?.rules.standing())
    }

    /// The lake as this viewer may see it, as the register and the rules stand now.
    ///
    /// # Errors
    /// When members are not let in here, or it cannot be found out what this one may see.
    pub fn reader(&self, viewer: &Viewer) -> Result<Reader, ReadError> {
        let refuse = || ReadError::Refused("nobody but the operator is let in here".to_owned());
        let members = || self.members.as_ref().ok_or_else(refuse);
        let member = match viewer {
            Viewer::Operator => return Ok(self.operator.clone()),
            Viewer::Analyst { name, purpose } => {
                let witness = viewer.named().map(|named| Ok::<_, ReadError>(members()?.witnesses.of(&named)));
                return Ok(self.operator.of_analyst(name, *purpose, witness.ok_or_else(refuse)??));
            }
            Viewer::Visitor { address, since } => {
                return Ok(self.operator.of_visitor(*address, *since).before(members()?.witnesses.of_visitors()));
            }
            Viewer::Member(member) => member,
        };
        let members = members()?;
        let sight = members.sight(member)?;
        Ok(self.operator.of_member(member.clone(), sight).before(members.witnesses.of(member)))
    }
}

impl Members {
    fn sight(&self, member: &Member) -> Result<(Arc<Entitlement>, Arc<Ground>), ReadError> {
        let (number, register) = self.registers.current().map_err(ReadError::Failed)?;
        let (facts, rules) = (facts_of(member, &register), self.rules.current());
        let may = self.entitlement(number, &facts, &register, &rules)?;
        Ok((may, Arc::new(Ground { rules, register, facts })))
    }

    fn entitlement(
        &self,
        number: u64,
        facts: &MemberFacts,
        register: &Arc<Register>,
        rules: &Arc<Rules>,
    ) -> Result<Arc<Entitlement>, ReadError> {
        let (of, key) = (Some((number, *rules.sum())), ContentHash::of(format!("{facts:?}").as_bytes()));
        if let Some(known) = self.kept(of).entitlements.get(&key) {
            return Ok(Arc::clone(known));
        }
        let made = entitlement(rules, facts, register).map_err(|error| ReadError::Failed(error.to_string()))?;
        let made = Arc::new(made);
        let mut kept = self.kept(of);
        if kept.entitlements.len() >= MAX_KEPT {
            kept.entitlements.clear();
        }
        kept.entitlements.insert(key, Arc::clone(&made));
        Ok(made)
    }

    /// What is kept of this register and these rules; that of others is let go.
    fn kept(&self, of: Option<(u64, ContentHash)>) -> std::sync::MutexGuard<'_, Kept> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.of != of {
            *kept = Kept { of, entitlements: HashMap::new() };
        }
        kept
    }
}
