//! From what remains of rules to grants.
//!
//! ```text
//!   residual -> Condition (what it says of markings, holders, operators; or that it is not understood)
//!   (any permit) and not (any forbid) -> a few conjunctions -> grants, and whether they say exactly the same
//! ```
//!
//! What is not understood counts as true once "not" stands before single conditions only: grants may then let through
//! more than the rules, never less, and the rules are asked of each record besides ([`Compiled::exact`]).

use std::collections::BTreeSet;

use cedar_policy::pst::{BinaryOp, Expr, Literal, UnaryOp, Var};
use hinomi_lake::entitlement::Marks;
use hinomi_model::{Purpose, Tlp};

use crate::rules::{Residual, number_of};

/// The most conjunctions; of more, everything is judged record by record.
const MAX_CONJUNCTIONS: usize = 256;
/// How deep a condition is followed.
const MAX_DEPTH: usize = 64;

const LABELS: [Tlp; 5] = [Tlp::Clear, Tlp::Green, Tlp::Amber, Tlp::AmberStrict, Tlp::Red];
const PURPOSES: [Purpose; 5] =
    [Purpose::ExposureReduction, Purpose::CncDetection, Purpose::Notification, Purpose::Research, Purpose::Exercise];

/// Which part these organisations must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// One of them held the address.
    Holder,
    /// One of them ran its network.
    Operator,
}

/// Where something must have been seen.
pub(super) type Place = (Part, BTreeSet<String>);

/// One way to be entitled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conjunction {
    pub(super) marks: Vec<Marks>,
    pub(super) place: Option<Place>,
}

/// What rules come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Compiled {
    pub(super) any: Vec<Conjunction>,
    /// Whether this is what the rules say, not only nothing less.
    pub(super) exact: bool,
}

/// A condition on a record.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Constant(bool),
    Marked(Marks),
    Placed(Place),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// Not understood.
    Unknown,
}

/// What rules come to for whom they were asked.
pub(super) fn compile(residuals: &[Residual]) -> Compiled {
    let all = |one: &Residual| Condition::All(one.conditions.iter().map(|expr| condition(expr, 0)).collect());
    let permits = residuals.iter().filter(|one| !one.forbids).map(all).collect();
    let forbids = residuals.iter().filter(|one| one.forbids).map(all).collect();
    let whole = Condition::All(vec![Condition::Any(permits), Condition::Not(Box::new(Condition::Any(forbids)))]);
    let mut exact = true;
    let plain = without_not(whole, false, &mut exact);
    match conjunctions(plain, &mut exact) {
        Some(any) => Compiled { any, exact },
        None => Compiled { any: vec![Conjunction::default()], exact: false },
    }
}

/// What a condition says, as far as it is understood.
fn condition(expr: &Expr, depth: usize) -> Condition {
    if depth > MAX_DEPTH {
        return Condition::Unknown;
    }
    let of = |expr: &Expr| condition(expr, depth + 1);
    match expr {
        Expr::Literal(Literal::Bool(holds)) => Condition::Constant(*holds),
        Expr::UnaryOp { op: UnaryOp::Not, expr } => Condition::Not(Box::new(of(expr))),
        Expr::UnaryOp { op: UnaryOp::IsEmpty, expr } => match attribute(expr) {
            Some("audiences") => Condition::Marked(Marks::Unnamed),
            _ => Condition::Unknown,
        },
        Expr::BinaryOp { op: BinaryOp::And, left, right } => Condition::All(vec![of(left), of(right)]),
        Expr::BinaryOp { op: BinaryOp::Or, left, right } => Condition::Any(vec![of(left), of(right)]),
        Expr::BinaryOp { op, left, right } => test(*op, left, right),
        Expr::IfThenElse { cond, then_expr, else_expr } => {
            let asked = of(cond);
            let not = Condition::Not(Box::new(asked.clone()));
            Condition::Any(vec![Condition::All(vec![asked, of(then_expr)]), Condition::All(vec![not, of(else_expr)])])
        }
        Expr::Is { expr, entity_type, in_expr: None } if matches!(**expr, Expr::Var(Var::Resource)) => {
            Condition::Constant(entity_type.to_string() == "Record")
        }
        _ => Condition::Unknown,
    }
}

/// A comparison.
fn test(op: BinaryOp, left: &Expr, right: &Expr) -> Condition {
    match op {
        BinaryOp::Eq
        | BinaryOp::NotEq
        | BinaryOp::Less
        | BinaryOp::LessEq
        | BinaryOp::Greater
        | BinaryOp::GreaterEq => compared(op, left, right),
        BinaryOp::Contains => contains(left, right),
        BinaryOp::ContainsAny => match (attribute(left), attribute(right)) {
            (Some(name), None) => meets(name, right),
            (None, Some(name)) => meets(name, left),
            _ => Condition::Unknown,
        },
        _ => Condition::Unknown,
    }
}

fn compared(op: BinaryOp, left: &Expr, right: &Expr) -> Condition {
    let (name, value, turned) = match (attribute(left), attribute(right)) {
        (Some(name), None) => (name, right, false),
        (None, Some(name)) => (name, left, true),
        _ => return Condition::Unknown,
    };
    match (name, value) {
        ("tlp", Expr::Literal(Literal::Long(number))) => {
            let fits = |label: &Tlp| {
                let (a, b) = (number_of(*label), *number);
                let (a, b) = if turned { (b, a) } else { (a, b) };
                holds(op, a.cmp(&b))
            };
            Condition::Marked(Marks::Tlp(LABELS.into_iter().filter(fits).collect()))
        }
        ("purpose", Expr::Literal(Literal::String(text))) if matches!(op, BinaryOp::Eq | BinaryOp::NotEq) => {
            let fits = |purpose: &Purpose| (purpose.name() == text.as_str()) == (op == BinaryOp::Eq);
            Condition::Marked(Marks::Purpose(PURPOSES.into_iter().filter(fits).collect()))
        }
        _ => Condition::Unknown,
    }
}

const fn holds(op: BinaryOp, order: std::cmp::Ordering) -> bool {
    match op {
        BinaryOp::Eq => order.is_eq(),
        BinaryOp::NotEq => order.is_ne(),
        BinaryOp::Less => order.is_lt(),
        BinaryOp::LessEq => order.is_le(),
        BinaryOp::Greater => order.is_gt(),
        BinaryOp::GreaterEq => order.is_ge(),
        _ => false,
    }
}

/// A set that contains a value: either may be the record's.
fn contains(set: &Expr, value: &Expr) -> Condition {
    match (attribute(set), attribute(value), set) {
        (Some(name), None, _) => meets(name, &Expr::Set(vec![std::sync::Arc::new(value.clone())])),
        (None, Some("purpose"), Expr::Set(each)) => {
            let texts: Option<BTreeSet<&str>> = each.iter().map(|one| text(one)).collect();
            let Some(texts) = texts else { return Condition::Unknown };
            let named = PURPOSES.into_iter().filter(|purpose| texts.contains(purpose.name()));
            Condition::Marked(Marks::Purpose(named.collect()))
        }
        (None, Some("tlp"), Expr::Set(each)) => {
            let number = |one: &Expr| if let Expr::Literal(Literal::Long(number)) = one { Some(*number) } else { None };
            let numbers: Option<BTreeSet<i64>> = each.iter().map(|one| number(one)).collect();
            let Some(numbers) = numbers else { return Condition::Unknown };
            Condition::Marked(Marks::Tlp(LABELS.into_iter().filter(|tlp| numbers.contains(&number_of(*tlp))).collect()))
        }
        _ => Condition::Unknown,
    }
}

/// A set of the record's that has something in common with a known one.
fn meets(name: &str, known: &Expr) -> Condition {
    let Expr::Set(each) = known else { return Condition::Unknown };
    let ids: Option<BTreeSet<String>> = each.iter().map(|one| entity(one)).collect();
    match (name, ids) {
        (_, None) => Condition::Unknown,
        ("audiences" | "holders" | "operators", Some(ids)) if ids.is_empty() => Condition::Constant(false),
        ("audiences", Some(ids)) => Condition::Marked(Marks::Audience(ids)),
        ("holders", Some(ids)) => Condition::Placed((Part::Holder, ids)),
        ("operators", Some(ids)) => Condition::Placed((Part::Operator, ids)),
        _ => Condition::Unknown,
    }
}

/// The name of an attribute of the record.
fn attribute(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::GetAttr { expr, attr } if matches!(**expr, Expr::Var(Var::Resource)) => Some(attr.as_str()),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<&str> {
    if let Expr::Literal(Literal::String(text)) = expr { Some(text.as_str()) } else { None }
}

fn entity(expr: &Expr) -> Option<String> {
    if let Expr::Literal(Literal::EntityUID(uid)) = expr { Some(uid.eid.to_string()) } else { None }
}

/// The same with "not" before markings only; what cannot be said so, or is not understood, is true.
fn without_not(condition: Condition, not: bool, exact: &mut bool) -> Condition {
    match condition {
        Condition::Constant(holds) => Condition::Constant(holds != not),
        Condition::Marked(marks) if not => Condition::Marked(Marks::Not(Box::new(marks))),
        Condition::Placed(_) if not => without_not(Condition::Unknown, not, exact),
        Condition::Marked(_) | Condition::Placed(_) => condition,
        Condition::Not(inner) => without_not(*inner, !not, exact),
        Condition::All(parts) => {
            let parts = parts.into_iter().map(|part| without_not(part, not, exact)).collect();
            if not { Condition::Any(parts) } else { Condition::All(parts) }
        }
        Condition::Any(parts) => {
            let parts = parts.into_iter().map(|part| without_not(part, not, exact)).collect();
            if not { Condition::All(parts) } else { Condition::Any(parts) }
        }
        Condition::Unknown => {
            *exact = false;
            Condition::Constant(true)
        }
    }
}

/// The ways in which a condition without "not" holds; none when there are too many.
fn conjunctions(condition: Condition, exact: &mut bool) -> Option<Vec<Conjunction>> {
    let ways = match condition {
        Condition::Constant(holds) => {
            if holds {
                vec![Conjunction::default()]
            } else {
                Vec::new()
            }
        }
        Condition::Marked(marks) => vec![Conjunction { marks: vec![marks], place: None }],
        Condition::Placed(place) => vec![Conjunction { marks: Vec::new(), place: Some(place) }],
        Condition::Any(parts) => {
            let mut ways = Vec::new();
            for part in parts {
                ways.extend(conjunctions(part, exact)?);
            }
            ways
        }
        Condition::All(parts) => {
            let mut ways = vec![Conjunction::default()];
            for part in parts {
                let more = conjunctions(part, exact)?;
                if ways.len().saturating_mul(more.len()) > MAX_CONJUNCTIONS {
                    return None;
                }
                let pairs = ways.iter().flat_map(|one| more.iter().map(move |other| (one, other)));
                ways = pairs.map(|(one, other)| together(one, other, exact)).collect();
            }
            ways
        }
        // There is no "not" here, and nothing that is not understood.
        Condition::Not(_) | Condition::Unknown => return None,
    };
    (ways.len() <= MAX_CONJUNCTIONS).then_some(ways)
}

/// Both at once. Two places at once are not told: one of them is, and the rules are asked for the other.
fn together(one: &Conjunction, other: &Conjunction, exact: &mut bool) -> Conjunction {
    let place = match (&one.place, &other.place) {
        (Some(mine), Some(theirs)) if mine != theirs => {
            *exact = false;
            Some(mine.clone())
        }
        (mine, theirs) => mine.clone().or_else(|| theirs.clone()),
    };
    Conjunction { marks: one.marks.iter().chain(&other.marks).cloned().collect(), place }
}
