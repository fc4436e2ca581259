//! From what remains of rules to grants.
//!
//! ```text
//!   residual -> Condition (what it says of markings, holders, operators; or that it is not understood)
//!   (any permit) and not (any forbid) -> one condition on markings for each set of places -> grants, and whether they say
//!   exactly the same
//! ```
//!
//! Conditions on markings stay together, however many there are: only places make ways of their own. What is not understood
//! counts as true once "not" stands before single conditions only: grants may then let through more than the rules, never
//! less, and the rules are asked of each record besides ([`Compiled::exact`]).

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::pst::{BinaryOp, Expr, Literal, UnaryOp, Var};
use hinomi_lake::entitlement::Marks;
use hinomi_model::{Purpose, Tlp};

use crate::rules::{Residual, number_of};

/// The most sets of places; of more, everything is judged record by record.
const MAX_WAYS: usize = 256;
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

/// Where something must have been seen, and where not.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Where {
    /// All of these.
    pub(super) at: BTreeSet<Place>,
    /// None of these.
    pub(super) not_at: BTreeSet<Place>,
}

/// How something must be marked that was seen there.
type Ways = BTreeMap<Where, Marks>;

/// What rules come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Compiled {
    pub(super) any: Ways,
    /// Whether this is what the rules say, not only nothing less.
    pub(super) exact: bool,
}

/// A condition on a record.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Constant(bool),
    Marked(Marks),
    Placed(Place),
    NotPlaced(Place),
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
    match ways(plain) {
        Some(any) => Compiled { any, exact },
        None => Compiled { any: Ways::from([(Where::default(), Marks::Always(true))]), exact: false },
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
            Some("handling") => Condition::Marked(Marks::Unhandled),
            _ => Condition::Unknown,
        },
        Expr::GetAttr { .. } if attribute(expr) == Some("embargo") => Condition::Marked(Marks::Embargoed),
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
        BinaryOp::ContainsAll => match (attribute(left), right) {
            (Some(name), Expr::Set(each)) => {
                let one = |value: &std::sync::Arc<Expr>| meets(name, &Expr::Set(vec![std::sync::Arc::clone(value)]));
                Condition::All(each.iter().map(one).collect())
            }
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
        ("licence", Expr::Literal(Literal::String(text))) if matches!(op, BinaryOp::Eq | BinaryOp::NotEq) => {
            let marks = Marks::Licence([text.as_str().to_owned()].into());
            Condition::Marked(if op == BinaryOp::Eq { marks } else { Marks::Not(Box::new(marks)) })
        }
        ("embargo", Expr::Literal(Literal::Bool(wanted))) if matches!(op, BinaryOp::Eq | BinaryOp::NotEq) => {
            let marks = Marks::Embargoed;
            Condition::Marked(if *wanted == (op == BinaryOp::Eq) { marks } else { Marks::Not(Box::new(marks)) })
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
        (None, Some("licence"), Expr::Set(each)) => {
            match each.iter().map(|one| text(one)).collect::<Option<Vec<_>>>() {
                Some(texts) => Condition::Marked(Marks::Licence(texts.into_iter().map(ToOwned::to_owned).collect())),
                None => Condition::Unknown,
            }
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
    if name == "handling" {
        let words: Option<BTreeSet<String>> = each.iter().map(|one| text(one).map(ToOwned::to_owned)).collect();
        return words.map_or(Condition::Unknown, |words| Condition::Marked(Marks::Handling(words)));
    }
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

/// The same with "not" before single conditions only; what is not understood is true.
fn without_not(condition: Condition, not: bool, exact: &mut bool) -> Condition {
    match condition {
        Condition::Constant(holds) => Condition::Constant(holds != not),
        Condition::Marked(marks) if not => Condition::Marked(Marks::Not(Box::new(marks))),
        Condition::Placed(place) if not => Condition::NotPlaced(place),
        Condition::NotPlaced(place) if not => Condition::Placed(place),
        Condition::Marked(_) | Condition::Placed(_) | Condition::NotPlaced(_) => condition,
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

/// The places for which a condition without "not" holds, with how it must be marked there; none when there are too many.
fn ways(condition: Condition) -> Option<Ways> {
    let at = |at, not_at, marks| Ways::from([(Where { at, not_at }, marks)]);
    let none = BTreeSet::new;
    let found = match condition {
        Condition::Constant(true) => at(none(), none(), Marks::Always(true)),
        Condition::Constant(false) => Ways::new(),
        Condition::Marked(marks) => at(none(), none(), marks),
        Condition::Placed(place) => at([place].into(), none(), Marks::Always(true)),
        Condition::NotPlaced(place) => at(none(), [place].into(), Marks::Always(true)),
        Condition::Any(parts) => {
            let mut found = Ways::new();
            for part in parts {
                ways(part)?.into_iter().for_each(|(place, marks)| add(&mut found, place, marks));
            }
            found
        }
        Condition::All(parts) => {
            let mut found = at(none(), none(), Marks::Always(true));
            for part in parts {
                found = both(&found, &ways(part)?)?;
            }
            found
        }
        // There is no "not" here, and nothing that is not understood.
        Condition::Not(_) | Condition::Unknown => return None,
    };
    (found.len() <= MAX_WAYS).then_some(found)
}

/// What holds where either does.
fn add(ways: &mut Ways, place: Where, marks: Marks) {
    match ways.get_mut(&place) {
        Some(Marks::Any(all)) => all.push(marks),
        Some(known) => {
            let before = std::mem::replace(known, Marks::Always(false));
            *known = if before == marks { marks } else { Marks::Any(vec![before, marks]) };
        }
        None => {
            ways.insert(place, marks);
        }
    }
}

/// Both at once; what would have to be seen where it must not be is never.
fn both(one: &Ways, other: &Ways) -> Option<Ways> {
    let mut found = Ways::new();
    for (here, marks) in one {
        for (there, more) in other {
            let at: BTreeSet<Place> = here.at.union(&there.at).cloned().collect();
            let not_at: BTreeSet<Place> = here.not_at.union(&there.not_at).cloned().collect();
            if !at.is_disjoint(&not_at) {
                continue;
            }
            let marks = match (marks, more) {
                (Marks::Always(true), only) | (only, Marks::Always(true)) => only.clone(),
                (marks, more) => Marks::All(vec![marks.clone(), more.clone()]),
            };
            add(&mut found, Where { at, not_at }, marks);
            if found.len() > MAX_WAYS {
                return None;
            }
        }
    }
    Some(found)
}
