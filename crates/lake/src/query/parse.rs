//! From words to a [`Query`]. `NOT` binds tightest, then clauses side by side, then `OR`.

use hinomi_model::address::parse_prefix;

use super::ast::{Clause, Node, Query, Sort, Test};
use super::field::{Class, ELSEWHERE, Field};
use super::lex::{Kind, Lexeme, Raw, lex};
use super::suggest::{hint, hint_ja, nearest};
use super::value::{read_bare, read_values};
use super::{MAX_CLAUSES, MAX_DEPTH, QueryError};

/// Reads a query.
///
/// # Errors
/// When it cannot be understood; the error points at the character and says what to write instead.
pub fn parse(text: &str) -> Result<Query, QueryError> {
    let lexemes = lex(text)?;
    let end = text.chars().count();
    let (lexemes, sort) = take_sort(lexemes)?;
    if lexemes.is_empty() {
        return Ok(Query { filter: None, sort });
    }
    let mut parser = Parser { lexemes: lexemes.into_iter().peekable(), end, clauses: 0, last: None };
    let filter = parser.any_of(0)?;
    match parser.lexemes.next() {
        Some(extra) => {
            let error = QueryError::new(extra.at, extra.len, "this ) closes nothing; remove it, or add ( before");
            Err(error.ja("この ) に対応する ( がありません。取り除くか、前に ( を付けてください"))
        }
        None => Ok(Query { filter: Some(filter), sort }),
    }
}

/// Takes out `sort:`, which speaks of the whole answer and so may stand anywhere outside brackets.
fn take_sort(lexemes: Vec<Lexeme>) -> Result<(Vec<Lexeme>, Option<Sort>), QueryError> {
    let mut kept: Vec<Lexeme> = Vec::with_capacity(lexemes.len());
    let mut sort = None;
    let mut depth = 0_usize;
    for lexeme in lexemes {
        match &lexeme.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Field(name, values) if name.eq_ignore_ascii_case("sort") => {
                let refuse = |message, ja| Err(QueryError::new(lexeme.at, lexeme.len, message).ja(ja));
                if depth > 0 || matches!(kept.last().map(|last| &last.kind), Some(Kind::Not | Kind::Minus)) {
                    return refuse(
                        "sort: orders the whole answer; write it once, outside brackets and without NOT",
                        "sort: は結果全体の並べ方です。括弧の外に、NOT を付けずに一度だけ書いてください",
                    );
                }
                if sort.is_some() {
                    return refuse(
                        "there is a sort: already; one is enough",
                        "sort: はすでにあります。一つだけ書いてください",
                    );
                }
                sort = Some(read_sort(values, &lexeme)?);
                continue;
            }
            _ => {}
        }
        kept.push(lexeme);
    }
    Ok((kept, sort))
}

fn read_sort(values: &[Raw], lexeme: &Lexeme) -> Result<Sort, QueryError> {
    let [value] = values else {
        let error = QueryError::new(lexeme.at, lexeme.len, "sort: takes one field; equal ones follow by address");
        return Err(error.ja("sort: に書ける項目は一つです。同じ値どうしはアドレス順に並びます"));
    };
    let written = value.text();
    let name = written.strip_prefix('-').unwrap_or(&written);
    let found = Field::named(name).filter(|info| info.sort);
    let field = found.ok_or_else(|| {
        let all: Vec<&str> = Field::sort_names().collect();
        let (nearest, all) = (nearest(name, Field::sort_names()), all.join(", "));
        let error = value.error(format!("cannot sort by {name:?}{}; fields that sort: {all}", hint(nearest)));
        error.ja(format!("{name:?} では並べられません。{}並べられる項目: {all}", hint_ja(nearest)))
    })?;
    Ok(Sort { field: field.field, descending: written.starts_with('-') })
}

struct Parser {
    lexemes: std::iter::Peekable<std::vec::IntoIter<Lexeme>>,
    end: usize,
    clauses: usize,
    /// The word before, to point at when the query ends too early.
    last: Option<(usize, usize, &'static str)>,
}

impl Parser {
    fn any_of(&mut self, depth: usize) -> Result<Node, QueryError> {
        let mut parts = vec![self.all_of(depth)?];
        while self.next_is(&Kind::Or) {
            self.operator("OR");
            parts.push(self.all_of(depth)?);
        }
        Ok(join(parts, Node::Any))
    }

    fn all_of(&mut self, depth: usize) -> Result<Node, QueryError> {
        let mut parts = vec![self.one(depth)?];
        loop {
            match self.lexemes.peek().map(|lexeme| &lexeme.kind) {
                None | Some(Kind::Or | Kind::Close) => return Ok(join(parts, Node::All)),
                Some(Kind::And) => self.operator("AND"),
                Some(_) => {}
            }
            parts.push(self.one(depth)?);
        }
    }

    fn one(&mut self, depth: usize) -> Result<Node, QueryError> {
        let Some(lexeme) = self.lexemes.next() else { return Err(self.ended()) };
        if depth >= MAX_DEPTH {
            let message = format!("brackets and NOT may nest {MAX_DEPTH} deep; write it flatter");
            let ja = format!("括弧と NOT は {MAX_DEPTH} 段までです。浅く書き直してください");
            return Err(QueryError::new(lexeme.at, lexeme.len, message).ja(ja));
        }
        match lexeme.kind {
            Kind::Open => self.group(depth, lexeme.at),
            Kind::Not | Kind::Minus => {
                self.last = Some((lexeme.at, lexeme.len, "NOT"));
                Ok(Node::Not(Box::new(self.one(depth + 1)?)))
            }
            Kind::Field(name, values) => self.field(&name, &values, lexeme.at),
            Kind::Bare(raw) => self.clause(read_bare_word(&raw)?, lexeme.at),
            Kind::Close => {
                let error = QueryError::new(lexeme.at, 1, "there is nothing before this ); remove it");
                Err(error.ja("この ) の前に何もありません。取り除いてください"))
            }
            Kind::And | Kind::Or => {
                let message = "AND and OR stand between two clauses; for the word itself write it in quotes";
                let ja = "AND と OR は二つの条件の間に書きます。語そのものを探すなら引用符で囲んでください";
                Err(QueryError::new(lexeme.at, lexeme.len, message).ja(ja))
            }
        }
    }

    fn group(&mut self, depth: usize, at: usize) -> Result<Node, QueryError> {
        self.last = Some((at, 1, "("));
        if self.next_is(&Kind::Close) {
            let error = QueryError::new(at, 2, "there is nothing between these brackets; remove them");
            return Err(error.ja("括弧の中に何もありません。取り除いてください"));
        }
        let inner = self.any_of(depth + 1)?;
        match self.lexemes.next() {
            Some(_) => Ok(inner),
            None => Err(never_closed(at)),
        }
    }

    fn field(&mut self, name: &str, values: &[Raw], at: usize) -> Result<Node, QueryError> {
        let found = Field::named(name).filter(|info| info.class != Class::SortOnly);
        let info = found.ok_or_else(|| unknown_field(name, at))?;
        let tests = read_values(info, values)?;
        self.clause(Clause { field: info.field, tests }, at)
    }

    fn clause(&mut self, clause: Clause, at: usize) -> Result<Node, QueryError> {
        self.clauses += clause.tests.len();
        self.last = None;
        if self.clauses > MAX_CLAUSES {
            let message = format!("a query may ask for {MAX_CLAUSES} values; use net: or a wildcard for many");
            let ja = format!("一度に尋ねられる値は {MAX_CLAUSES} 個までです。net: やワイルドカードでまとめてください");
            return Err(QueryError::new(at, 1, message).ja(ja));
        }
        Ok(Node::Clause(clause))
    }

    fn next_is(&mut self, kind: &Kind) -> bool {
        self.lexemes.peek().is_some_and(|lexeme| lexeme.kind == *kind)
    }

    fn operator(&mut self, name: &'static str) {
        self.last = self.lexemes.next().map(|lexeme| (lexeme.at, lexeme.len, name));
    }

    fn ended(&self) -> QueryError {
        match self.last {
            Some((at, _, "(")) => never_closed(at),
            Some((at, len, name)) => {
                let error =
                    QueryError::new(at, len, format!("something must follow {name}; remove it or add a clause"));
                error.ja(format!("{name} の後に条件がありません。取り除くか、条件を書き足してください"))
            }
            None => QueryError::new(self.end, 1, "the query ends too early").ja("検索式が途中で終わっています"),
        }
    }
}

fn never_closed(at: usize) -> QueryError {
    let error = QueryError::new(at, 1, "this ( is never closed; add ) at the end");
    error.ja("この ( が閉じていません。終わりに ) を付けてください")
}

/// One part stays itself; parts of the same kind become parts of the whole.
fn join(parts: Vec<Node>, make: fn(Vec<Node>) -> Node) -> Node {
    let wanted = std::mem::discriminant(&make(Vec::new()));
    let mut flat = Vec::with_capacity(parts.len());
    for part in parts {
        let same = std::mem::discriminant(&part) == wanted;
        match part {
            Node::All(inner) | Node::Any(inner) if same => flat.extend(inner),
            other => flat.push(other),
        }
    }
    match flat.pop() {
        Some(only) if flat.is_empty() => only,
        last => {
            flat.extend(last);
            make(flat)
        }
    }
}

fn read_bare_word(raw: &Raw) -> Result<Clause, QueryError> {
    let plain = raw.chars.iter().all(|each| !each.quoted);
    let text = raw.text();
    if plain && text.contains(['.', ':']) {
        if let Ok(net) = parse_prefix(&text) {
            let lone = net.prefix_len() == net.max_prefix_len() && !text.contains('/');
            let (field, test) =
                if lone { (Field::Ip, Test::Address(net.addr())) } else { (Field::Net, Test::Net(net)) };
            return Ok(Clause { field, tests: vec![test] });
        }
        let without_zone = text.split('%').next().unwrap_or_default();
        if text.contains('%') && parse_prefix(without_zone).is_ok() {
            let error = raw.error(format!("an address has no zone here: write {without_zone}"));
            let ja = format!("アドレスにゾーンは付けられません。{without_zone} と書いてください");
            return Err(error.ja(ja).instead(Some(without_zone)));
        }
    }
    read_bare(raw)
}

fn unknown_field(name: &str, at: usize) -> QueryError {
    let known = ELSEWHERE.iter().find(|(theirs, _)| theirs.eq_ignore_ascii_case(name));
    let meant = known.map(|(_, ours)| *ours).or_else(|| nearest(name, Field::names()));
    let advice = match meant {
        Some(meant) if meant.contains(' ') => format!("write {meant}"),
        Some(meant) => format!("did you mean {meant}:?"),
        None => "to search the text for it, put it in quotes".to_owned(),
    };
    let advice_ja = match meant {
        Some(meant) if meant.contains(' ') => format!("{meant} と書いてください"),
        Some(meant) => format!("{meant}: のことでしょうか"),
        None => "本文から探すなら引用符で囲んでください".to_owned(),
    };
    let error = QueryError::new(at, name.chars().count(), format!("there is no field {name:?}; {advice}"));
    error
        .ja(format!("{name:?} という項目はありません。{advice_ja}"))
        .instead(meant.filter(|meant| !meant.contains(' ')))
}
