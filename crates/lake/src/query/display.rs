//! The canonical text of a query: it parses to an equal query.

use std::fmt;

use hinomi_model::Timestamp;
use hinomi_model::address::parse_prefix;

use super::ast::{Clause, Moment, Node, Pattern, Piece, Query, Range, Sort, Test, Unit};
use super::field::{Class, Field};

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(filter) = &self.filter {
            write!(f, "{filter}")?;
        }
        match (&self.filter, &self.sort) {
            (Some(_), Some(sort)) => write!(f, " {sort}"),
            (None, Some(sort)) => write!(f, "{sort}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sort:{}{}", if self.descending { "-" } else { "" }, self.field.name())
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => list(f, parts, " "),
            Self::Any(parts) => list(f, parts, " OR "),
            Self::Not(part) => {
                f.write_str("NOT ")?;
                nested(f, part)
            }
            Self::Clause(clause) => write!(f, "{clause}"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, parts: &[Node], between: &str) -> fmt::Result {
    for (number, part) in parts.iter().enumerate() {
        if number > 0 {
            f.write_str(between)?;
        }
        nested(f, part)?;
    }
    Ok(())
}

fn nested(f: &mut fmt::Formatter<'_>, part: &Node) -> fmt::Result {
    match part {
        Node::All(_) | Node::Any(_) => write!(f, "({part})"),
        _ => write!(f, "{part}"),
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field != Field::Text {
            write!(f, "{}:", self.field.name())?;
        }
        for (number, test) in self.tests.iter().enumerate() {
            if number > 0 {
                f.write_str(",")?;
            }
            write!(f, "{test}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) => write!(f, "{net}"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Span { low, high } if low == high => write!(f, "{low}"),
            Self::Span { low, high } => write!(f, "{low}-{high}"),
            Self::Like(pattern) => write!(f, "{pattern}"),
            Self::Whole(text) => write!(f, "={}", Quoted(text)),
            Self::Version(range) => write_range(f, range, &|version| Quoted(version).to_string()),
            Self::Time(range) => write_range(f, range, &Moment::to_string),
            Self::Has(wanted) => f.write_str(wanted.name()),
            // A slash in front would begin an expression.
            Self::Contains(text) if text.starts_with('/') && is_plain(text) => write!(f, "\"{text}\""),
            Self::Contains(text) => write!(f, "{}", Quoted(text)),
            Self::Matches(expression) => write!(f, "/{}/", expression.as_str().replace('/', "\\/")),
        }
    }
}

fn write_range<T>(f: &mut fmt::Formatter<'_>, range: &Range<T>, text: &dyn Fn(&T) -> String) -> fmt::Result {
    match range {
        Range::Less(end) => write!(f, "<{}", text(end)),
        Range::AtMost(end) => write!(f, "<={}", text(end)),
        Range::More(end) => write!(f, ">{}", text(end)),
        Range::AtLeast(end) => write!(f, ">={}", text(end)),
        Range::Between(low, high) => write!(f, "{}..{}", text(low), text(high)),
        Range::Is(only) => f.write_str(&text(only)),
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Date(day) => f.write_str(day.to_string().get(..10).unwrap_or_default()),
            Self::Time(time) => Timestamp::fmt(time, f),
            Self::Away(amount, unit) => write!(f, "{amount}{unit}"),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = Self::ALL.iter().find(|(unit, _)| unit == self);
        f.write_str(found.map_or("", |(_, name)| name))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.0 {
            match piece {
                Piece::Any => f.write_str("*")?,
                Piece::Text(text) => write!(f, "{}", Quoted(text))?,
            }
        }
        Ok(())
    }
}

/// A text, in quotes where it would mean something else without.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_plain(self.0) {
            return f.write_str(self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}

/// Whether a text means itself without quotes, wherever it stands.
fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    let operator = matches!(text, "AND" | "OR" | "NOT");
    !text.is_empty()
        && text.chars().all(plain)
        && !text.starts_with(['-', '.'])
        && !text.ends_with('.')
        && !text.contains("..")
        && !operator
        && parse_prefix(text).is_err()
}

/// The clause that asks for exactly this value of a field, as a facet gives it; none when the field has no values.
pub fn exact(field: &str, value: &str) -> Option<String> {
    let info = Field::named(field)?;
    let plain = matches!(info.class, Class::Net | Class::Address | Class::Number(_) | Class::Has);
    match info.class {
        Class::SortOnly | Class::Age | Class::Ahead | Class::Raw => None,
        Class::Text => Some(format!("{}:={}", info.name, Quoted(value))),
        _ if plain => Some(format!("{}:{value}", info.name)),
        _ => Some(format!("{}:{}", info.name, Quoted(value))),
    }
}
