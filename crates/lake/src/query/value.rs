//! Values: what stands after the colon, by the class of the field.

use hinomi_model::address::{AddressError, parse_address, parse_prefix};
use hinomi_model::{DeviceKind, Timestamp};

use super::ast::{Clause, Moment, Pattern, Piece, Range, Test, Trait, Unit};
use super::field::{Class, Field, FieldInfo};
use super::lex::Raw;
use super::raw::Expression;
use super::suggest::{hint, hint_ja, nearest};
use super::words::{fold, stands_alone, words};
use super::{MAX_WILDCARDS, QueryError};

/// Reads the values of a field.
pub(super) fn read_values(info: FieldInfo, values: &[Raw]) -> Result<Vec<Test>, QueryError> {
    values.iter().map(|raw| read_value(info, raw)).collect()
}

/// Reads free text.
pub(super) fn read_bare(raw: &Raw) -> Result<Clause, QueryError> {
    Ok(Clause { field: Field::Text, tests: vec![text_test(raw)?] })
}

fn read_value(info: FieldInfo, raw: &Raw) -> Result<Test, QueryError> {
    if raw.chars.is_empty() && info.class != Class::Word {
        return Err(needs_a_value(info, raw));
    }
    match info.class {
        Class::Net => parse_prefix(&raw.text()).map(Test::Net).map_err(|e| bad_address(raw, &e)),
        Class::Address => address(raw),
        Class::Number(greatest) => number(info, raw, greatest),
        Class::Word => word(info, raw),
        Class::Text => text(info, raw),
        Class::Raw => characters(raw),
        Class::Version => version(info, raw),
        Class::Age | Class::Ahead => time(info, raw).map(Test::Time),
        Class::Has => has(raw),
        Class::SortOnly => {
            let error = raw.error(format!("{0} can only be sorted by: sort:{0}", info.name));
            Err(error.ja(format!("{0} は並べ替えにだけ使えます: sort:{0}", info.name)))
        }
    }
}

fn needs_a_value(info: FieldInfo, raw: &Raw) -> QueryError {
    let error = raw.error(format!("{}: needs a value, as {}", info.name, info.example));
    error.ja(format!("{}: には値が要ります。例: {}", info.name, info.example))
}

fn bad_address(raw: &Raw, error: &AddressError) -> QueryError {
    let text = raw.text();
    let advice = match error {
        AddressError::Zone { .. } => format!(": write {}", text.split('%').next().unwrap_or_default()),
        _ if text.contains('*') => "; a range is written with its length: 192.0.2.0/24".to_owned(),
        _ => String::new(),
    };
    let example = "例: 192.0.2.7、192.0.2.0/24、2001:db8::/32";
    raw.error(format!("{error}{advice}")).ja(format!("{text:?} はアドレスとして読めません。{example}"))
}

/// Characters, or an expression between slashes as the lexer marks it.
fn characters(raw: &Raw) -> Result<Test, QueryError> {
    match raw.chars.split_first() {
        Some((mark, rest)) if mark.c == '/' && !mark.quoted => {
            let text: String = rest.iter().map(|each| each.c).collect();
            let refuse = |reason: String| {
                let error = raw.error(format!("this regular expression cannot be used: {reason}"));
                error.ja(format!("この正規表現は使えません: {reason}"))
            };
            if text.is_empty() {
                let error = raw.error("there is nothing between the slashes");
                return Err(error.ja("スラッシュの間に何もありません"));
            }
            Expression::new(&text).map(Test::Matches).map_err(refuse)
        }
        _ => Ok(Test::Contains(fold(&raw.text()))),
    }
}

fn address(raw: &Raw) -> Result<Test, QueryError> {
    let text = raw.text();
    if text.contains('/') && parse_prefix(&text).is_ok() {
        let error = raw.error(format!("ip: takes one address; for a prefix write net:{text}"));
        return Err(error.ja(format!("ip: は一つのアドレスです。プレフィックスなら net:{text} と書きます")));
    }
    parse_address(&text).map(Test::Address).map_err(|e| bad_address(raw, &e))
}

fn number(info: FieldInfo, raw: &Raw, greatest: u64) -> Result<Test, QueryError> {
    let text = raw.text();
    let name = info.name;
    let read = |part: &str| -> Result<u64, QueryError> {
        let bare = part.trim();
        let marked = bare.get(..2).is_some_and(|mark| mark.eq_ignore_ascii_case("as"));
        let digits = if marked && info.field == Field::As { bare.get(2..).unwrap_or_default() } else { bare };
        let refuse = || {
            let error = raw.error(format!("{part:?} is no number from 0 to {greatest}; write it as {}", info.example));
            error.ja(format!("{part:?} は 0 から {greatest} までの数ではありません。例: {}", info.example))
        };
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let value: u64 = digits.parse().ok().filter(|_| plain).ok_or_else(refuse)?;
        (value <= greatest).then_some(value).ok_or_else(refuse)
    };
    let (op, rest) = operator(&text);
    let (low, high) = match op {
        Some("<") => {
            let refuse = || raw.error(format!("no {name} is below 0")).ja(format!("0 より小さい {name} はありません"));
            (0, read(rest)?.checked_sub(1).ok_or_else(refuse)?)
        }
        Some("<=") => (0, read(rest)?),
        Some(">") => {
            let above = read(rest)? + 1;
            if above > greatest {
                let error = raw.error(format!("no {name} is above {greatest}"));
                return Err(error.ja(format!("{greatest} より大きい {name} はありません")));
            }
            (above, greatest)
        }
        Some(">=") => (read(rest)?, greatest),
        _ => match rest.split_once("..").or_else(|| rest.split_once('-')) {
            Some((low, high)) => (read(low)?, read(high)?),
            None => (read(rest)?, read(rest)?),
        },
    };
    if low > high {
        let error = raw.error(format!("{low} is above {high}; write {name}:{high}-{low}"));
        let ja = format!("{low} は {high} より大きい値です。{name}:{high}-{low} と書いてください");
        return Err(error.ja(ja).instead(Some(format!("{high}-{low}"))));
    }
    Ok(Test::Span { low, high })
}

/// A comparison at the start of a text, and what follows it.
fn operator(text: &str) -> (Option<&'static str>, &str) {
    for op in ["<=", ">=", "<", ">", "="] {
        if let Some(rest) = text.strip_prefix(op) {
            return (Some(op), rest);
        }
    }
    (None, text)
}

/// The comparison a value starts with, and its characters after that. A quoted sign is no comparison.
fn raw_operator(raw: &Raw) -> (Option<&'static str>, Raw) {
    let lead: String = raw.chars.iter().take(2).take_while(|each| !each.quoted).map(|each| each.c).collect();
    let (op, _) = operator(&lead);
    let length = op.map_or(0, str::len);
    let chars = raw.chars.get(length..).unwrap_or_default().to_vec();
    (op, Raw { at: raw.at + length, len: raw.len.saturating_sub(length), chars })
}

fn pattern(raw: &Raw) -> Result<Pattern, QueryError> {
    let mut pattern = Pattern::default();
    for each in &raw.chars {
        if each.c == '*' && !each.quoted { pattern.push_any() } else { pattern.push(each.c) }
    }
    if pattern.wildcards() > MAX_WILDCARDS {
        let error = raw.error(format!("at most {MAX_WILDCARDS} * in one value"));
        return Err(error.ja(format!("一つの値に書ける * は {MAX_WILDCARDS} 個までです")));
    }
    Ok(pattern)
}

fn word(info: FieldInfo, raw: &Raw) -> Result<Test, QueryError> {
    let (op, rest) = raw_operator(raw);
    if matches!(op, Some("<" | "<=" | ">" | ">=")) {
        let message = format!("{} has no order; < and > go with version, firmware, tls, port and times", info.name);
        let ja =
            format!("{} は大小を比べられません。< と > は version、firmware、tls、port、日時に使えます", info.name);
        return Err(raw.error(message).ja(ja));
    }
    if rest.chars.is_empty() {
        return Err(needs_a_value(info, raw));
    }
    let pattern = pattern(&rest)?;
    if let Some(literal) = pattern.as_literal() {
        known_value(info, literal, raw)?;
    }
    Ok(Test::Like(pattern))
}

/// Fields with a closed list of values refuse others.
fn known_value(info: FieldInfo, literal: &str, raw: &Raw) -> Result<(), QueryError> {
    let all: Vec<&'static str> = match info.field {
        Field::Kind => DeviceKind::all().map(DeviceKind::name).collect(),
        Field::Transport => vec!["tcp", "udp"],
        _ => return Ok(()),
    };
    if all.contains(&literal) {
        return Ok(());
    }
    let (nearest, all) = (nearest(literal, all.iter().copied()), all.join(", "));
    let error = raw.error(format!("{literal:?} is no {}{}; there are {all}", info.name, hint(nearest)));
    let ja = format!("{} に {literal:?} はありません。{}あるのは次のとおりです: {all}", info.name, hint_ja(nearest));
    Err(error.ja(ja).instead(nearest))
}

fn text(info: FieldInfo, raw: &Raw) -> Result<Test, QueryError> {
    match raw_operator(raw) {
        (Some("="), rest) if !rest.chars.is_empty() => Ok(Test::Whole(fold(&rest.text()))),
        (Some(op), _) => {
            let error = raw.error(format!("{} does not take {op} here; write {}", info.name, info.example));
            Err(error.ja(format!("{} に {op} は使えません。例: {}", info.name, info.example)))
        }
        (None, _) => text_test(raw),
    }
}

/// Words of running text: a phrase, or one word with wildcards.
fn text_test(raw: &Raw) -> Result<Test, QueryError> {
    let pattern = pattern(raw)?;
    if let Some(literal) = pattern.as_literal() {
        if words(literal).is_empty() {
            let error = raw.error("there is no letter or digit in this to search for");
            return Err(error.ja("探せる文字や数字がありません"));
        }
        return Ok(Test::Like(pattern));
    }
    let literals = pattern.0.iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(text.as_str()),
        Piece::Any => None,
    });
    let all: String = literals.collect();
    if all.chars().any(stands_alone) {
        let error = raw.error("such text is found within words without a wildcard; remove the *");
        return Err(error.ja("漢字や仮名は * がなくても語の途中から見つかります。* を取り除いてください"));
    }
    if all.is_empty() || !all.chars().all(char::is_alphanumeric) {
        let message =
            "in running text * completes a single word of letters and digits; write the other words beside it";
        let ja = "本文では、* は英数字だけの一語を補います。ほかの語は並べて書いてください";
        return Err(raw.error(message).ja(ja));
    }
    Ok(Test::Like(pattern))
}

fn version(info: FieldInfo, raw: &Raw) -> Result<Test, QueryError> {
    let (op, rest) = raw_operator(raw);
    let value = fold(&rest.text());
    let switch = info.field == Field::Tls && matches!(value.as_str(), "yes" | "no" | "true" | "false" | "on" | "off");
    if switch {
        let error = raw.error("tls: takes a version as tls:1.3; for any of them write has:tls, for none -has:tls");
        return Err(error.ja("tls: には tls:1.3 のようにバージョンを書きます。有無は has:tls、-has:tls と書きます"));
    }
    if rest.chars.is_empty() {
        let error = raw.error(format!("{}: needs a version, as {}", info.name, info.example));
        return Err(error.ja(format!("{}: にはバージョンが要ります。例: {}", info.name, info.example)));
    }
    let range = match op {
        Some("<") => Range::Less(value),
        Some("<=") => Range::AtMost(value),
        Some(">") => Range::More(value),
        Some(">=") => Range::AtLeast(value),
        Some(_) => return Ok(Test::Like(Pattern::literal(&value))),
        None => match ends(&rest) {
            Some((low, high)) => between(&rest, fold(&low), fold(&high))?,
            None => return pattern(&rest).map(Test::Like),
        },
    };
    Ok(Test::Version(range))
}

/// The two ends of `a..b`, when it is one.
fn ends(raw: &Raw) -> Option<(String, String)> {
    let dots = |pair: &[super::lex::Char]| pair.iter().all(|each| each.c == '.' && !each.quoted);
    let at = raw.chars.windows(2).position(dots)?;
    let text = |part: Option<&[super::lex::Char]>| part.unwrap_or_default().iter().map(|each| each.c).collect();
    Some((text(raw.chars.get(..at)), text(raw.chars.get(at + 2..))))
}

fn between<T>(raw: &Raw, low: String, high: String) -> Result<Range<T>, QueryError>
where
    T: From<String>,
{
    match (low.is_empty(), high.is_empty()) {
        (true, true) => {
            let error = raw.error("a range needs at least one end, as 1.2..1.4 or 1.2..");
            Err(error.ja("範囲には少なくとも片方の端が要ります。例: 1.2..1.4、1.2.."))
        }
        (true, false) => Ok(Range::AtMost(high.into())),
        (false, true) => Ok(Range::AtLeast(low.into())),
        (false, false) => Ok(Range::Between(low.into(), high.into())),
    }
}

fn time(info: FieldInfo, raw: &Raw) -> Result<Range<Moment>, QueryError> {
    let text = raw.text();
    let read = |part: &str| moment(info, raw, part);
    let (op, rest) = operator(&text);
    match op {
        Some("<") => return read(rest).map(Range::Less),
        Some("<=") => return read(rest).map(Range::AtMost),
        Some(">") => return read(rest).map(Range::More),
        Some(">=") => return read(rest).map(Range::AtLeast),
        _ => {}
    }
    if let Some((low, high)) = rest.split_once("..") {
        return match between::<String>(raw, low.to_owned(), high.to_owned())? {
            Range::AtMost(high) => read(&high).map(Range::AtMost),
            Range::AtLeast(low) => read(&low).map(Range::AtLeast),
            _ => Ok(Range::Between(read(low)?, read(high)?)),
        };
    }
    let moment = read(rest)?;
    match moment {
        Moment::Date(_) | Moment::Time(_) => Ok(Range::Is(moment)),
        Moment::Away(..) if info.class == Class::Age => Ok(Range::AtMost(moment)),
        Moment::Away(..) => {
            let error = raw.error(format!("say on which side: {0}:<{rest} or {0}:>{rest}", info.name));
            Err(error.ja(format!("前か後かを示してください: {0}:<{rest} または {0}:>{rest}", info.name)))
        }
    }
}

fn moment(info: FieldInfo, raw: &Raw, text: &str) -> Result<Moment, QueryError> {
    if let Some(span) = away(raw, text)? {
        return Ok(span);
    }
    let refuse = |_| {
        let name = info.name;
        let error = raw.error(format!(
            "{text:?} is no time: write a span as {name}:<7d (min, h, d, w, y) or a date as {name}:>2026-11-01"
        ));
        error.ja(format!(
            "{text:?} は日時ではありません。長さなら {name}:<7d（min、h、d、w、y）、日付なら {name}:>2026-11-01 と書きます"
        ))
    };
    let time: Timestamp = text.to_ascii_uppercase().parse().map_err(refuse)?;
    let day = text.len() == "2026-11-01".len();
    Ok(if day { Moment::Date(time) } else { Moment::Time(time) })
}

/// A time span as `7d`, when it is one.
fn away(raw: &Raw, text: &str) -> Result<Option<Moment>, QueryError> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = unsigned.split_at(digits);
    let bare_unit = unit.chars().all(char::is_alphabetic);
    if number.is_empty() || !bare_unit {
        return Ok(None);
    }
    let Some((unit, _)) = Unit::ALL.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(unit)) else {
        let advice = match unit {
            "" => format!("{text:?} of what? write {text}d for days"),
            "m" | "mo" | "month" => format!("m may be minutes or months; write {number}min, or months in days as 30d"),
            _ => format!("{unit:?} is no unit of time; there are min, h, d, w, y"),
        };
        let ja = match unit {
            "" => format!("{text:?} に単位がありません。日数なら {text}d と書きます"),
            "m" | "mo" | "month" => {
                format!("m は分か月か決まりません。分は {number}min、月は 30d のように日数で書きます")
            }
            _ => format!("{unit:?} という時間の単位はありません。使えるのは min、h、d、w、y です"),
        };
        return Err(raw.error(advice).ja(ja));
    };
    let refuse = || raw.error("that is too long ago").ja("長すぎます");
    let amount: i32 = number.parse().ok().filter(|amount| *amount <= 1_000_000).ok_or_else(refuse)?;
    Ok(Some(Moment::Away(if unsigned.len() < text.len() { -amount } else { amount }, unit)))
}

fn has(raw: &Raw) -> Result<Test, QueryError> {
    let name = fold(&raw.text());
    let found = Trait::ALL.iter().find(|(_, known)| *known == name);
    let names = || Trait::ALL.iter().map(|(_, known)| *known);
    found.map(|(found, _)| Test::Has(*found)).ok_or_else(|| {
        let (nearest, all) = (nearest(&name, names()), names().collect::<Vec<_>>().join(", "));
        let error = raw.error(format!("has: does not know {name:?}{}; it knows {all}", hint(nearest)));
        let ja = format!("has: に {name:?} は使えません。{}使えるのは次のとおりです: {all}", hint_ja(nearest));
        error.ja(ja).instead(nearest)
    })
}
