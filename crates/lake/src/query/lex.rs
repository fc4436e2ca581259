//! From characters to words: brackets, operators, and clauses with their values still unread.

use hinomi_model::address::parse_prefix;

use super::{MAX_CHARS, QueryError};

/// What stands before characters or an expression to find in text.
const TEXT: &str = "text:";

/// A character of a value, and whether quotes or a backslash make it stand for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Char {
    pub(super) c: char,
    pub(super) quoted: bool,
}

/// One of the values of a clause.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) at: usize,
    pub(super) len: usize,
    pub(super) chars: Vec<Char>,
}

impl Raw {
    /// The characters as text, quotes removed.
    pub(super) fn text(&self) -> String {
        self.chars.iter().map(|each| each.c).collect()
    }

    /// An error about this value.
    pub(super) fn error(&self, message: impl Into<String>) -> QueryError {
        QueryError::new(self.at, self.len.max(1), message)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Open,
    Close,
    And,
    Or,
    Not,
    Minus,
    /// A clause of a named field and its values.
    Field(String, Vec<Raw>),
    /// A clause without a field.
    Bare(Raw),
}

/// A word of the query and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lexeme {
    pub(super) at: usize,
    pub(super) len: usize,
    pub(super) kind: Kind,
}

/// Cuts a query into words.
pub(super) fn lex(text: &str) -> Result<Vec<Lexeme>, QueryError> {
    let chars: Vec<char> = text.chars().take(MAX_CHARS + 1).collect();
    if chars.len() > MAX_CHARS {
        let message = format!("a query may have {MAX_CHARS} characters; narrow it with net: or a wildcard");
        let ja = format!("検索式は {MAX_CHARS} 文字までです。net: やワイルドカードでまとめてください");
        return Err(QueryError::new(MAX_CHARS, 1, message).ja(ja));
    }
    let mut lexer = Lexer { chars, at: 0 };
    let mut out = Vec::new();
    while let Some(lexeme) = lexer.next()? {
        out.push(lexeme);
    }
    Ok(out)
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
}

impl Lexer {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Result<Option<Lexeme>, QueryError> {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        let at = self.at;
        let Some(first) = self.peek() else { return Ok(None) };
        let followed = self.chars.get(at + 1).is_some_and(|c| !c.is_whitespace());
        let single = match first {
            '(' => Some(Kind::Open),
            ')' => Some(Kind::Close),
            '-' if followed => Some(Kind::Minus),
            _ => None,
        };
        if let Some(kind) = single {
            self.at += 1;
            return Ok(Some(Lexeme { at, len: 1, kind }));
        }
        let word = self.word()?;
        Ok(Some(Lexeme { at, len: self.at - at, kind: classify(word)? }))
    }

    /// Reads a regular expression up to its closing slash. The opening one is its mark; everything else stands for
    /// itself, and a slash within is written with a backslash.
    fn expression(&mut self, chars: &mut Vec<Char>) -> Result<(), QueryError> {
        let open = self.at - 1;
        chars.push(Char { c: '/', quoted: false });
        let mut escaped = false;
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '/' if !escaped => return self.expression_ends(open),
                '/' => {
                    chars.pop();
                    escaped = false;
                }
                '\\' => escaped = !escaped,
                _ => escaped = false,
            }
            chars.push(Char { c, quoted: true });
        }
        let error = QueryError::new(open, 1, "this regular expression is never closed; add / at its end");
        Err(error.ja("この正規表現が閉じていません。終わりに / を付けてください"))
    }

    /// Refuses what would otherwise run on behind an expression: a path, or flags.
    fn expression_ends(&self, open: usize) -> Result<(), QueryError> {
        if self.peek().is_none_or(|c| c.is_whitespace() || matches!(c, ',' | ')')) {
            return Ok(());
        }
        let message = "an expression ends with its second slash; for a path write text:\"/etc/passwd\"; \
                       there are no flags after the slash, use (?-i)";
        let ja = "正規表現は二つ目のスラッシュで終わります。パスなら text:\"/etc/passwd\" と書きます。\
                  スラッシュのあとにフラグは書けません。(?-i) を使ってください";
        Err(QueryError::new(open, self.at - open, message).ja(ja))
    }

    /// Reads up to the next space or bracket outside quotes.
    fn word(&mut self) -> Result<Raw, QueryError> {
        let start = self.at;
        let mut chars = Vec::new();
        let mut quote: Option<usize> = None;
        while let Some(c) = self.peek() {
            if quote.is_none() && (c.is_whitespace() || c == '(' || c == ')') {
                break;
            }
            self.at += 1;
            if c == '/' && quote.is_none() && begins_an_expression(&chars) {
                self.expression(&mut chars)?;
                continue;
            }
            match c {
                '"' => {
                    quote = if quote.is_some() { None } else { Some(self.at - 1) };
                    // An empty quoted text leaves a trace, so that "" is not the same as nothing.
                    chars.push(Char { c: '"', quoted: false });
                }
                '\\' => {
                    let message = "a backslash takes the meaning from the character after it, and there is none";
                    let ja = "\\ は次の文字の特別な意味を消しますが、次の文字がありません";
                    let escaped = self.peek().ok_or_else(|| QueryError::new(self.at - 1, 1, message).ja(ja))?;
                    self.at += 1;
                    chars.push(Char { c: escaped, quoted: true });
                }
                _ => chars.push(Char { c, quoted: quote.is_some() }),
            }
        }
        if let Some(open) = quote {
            let error = QueryError::new(open, 1, "this quote is never closed; add \" at the end");
            return Err(error.ja("引用符が閉じていません。終わりに \" を付けてください"));
        }
        Ok(Raw { at: start, len: self.at - start, chars })
    }
}

/// Whether a slash after this begins a regular expression: right behind `text:` or a comma of it.
fn begins_an_expression(chars: &[Char]) -> bool {
    let named = chars.len() >= TEXT.len()
        && TEXT.chars().zip(chars).all(|(wanted, each)| !each.quoted && each.c.eq_ignore_ascii_case(&wanted));
    let last = chars.last().is_some_and(|each| !each.quoted && each.c == ',');
    named && (chars.len() == TEXT.len() || last)
}

fn classify(word: Raw) -> Result<Kind, QueryError> {
    let bare: Option<String> =
        word.chars.iter().map(|each| (!each.quoted && each.c != '"').then_some(each.c)).collect();
    match bare.as_deref() {
        Some("AND") => return Ok(Kind::And),
        Some("OR") => return Ok(Kind::Or),
        Some("NOT") => return Ok(Kind::Not),
        Some(text) if looks_like_an_address(text) => return Ok(Kind::Bare(word)),
        _ => {}
    }
    let name_char = |each: &Char| !each.quoted && (each.c.is_ascii_alphanumeric() || matches!(each.c, '.' | '_' | '-'));
    let name: String = word.chars.iter().take_while(|each| name_char(each)).map(|each| each.c).collect();
    let colon = word.chars.get(name.len()).is_some_and(|each| each.c == ':' && !each.quoted);
    if name.is_empty() || !colon {
        return Ok(Kind::Bare(unquote(word)));
    }
    let value_at = word.at + name.len() + 1;
    let rest = word.chars.get(name.len() + 1..).unwrap_or_default();
    if rest.is_empty() {
        let message = format!("{name}: needs a value right after the colon; several are written {name}:a,b");
        let ja = format!("コロンのすぐ後に値が要ります。複数なら {name}:a,b と書きます");
        return Err(QueryError::new(word.at, word.len, message).ja(ja));
    }
    Ok(Kind::Field(name, split(rest, value_at, word.at + word.len)))
}

/// Whether a word without quotes is meant as an address. With a zone, too: the error that follows explains it.
fn looks_like_an_address(text: &str) -> bool {
    let without_zone = text.split('%').next().unwrap_or_default();
    let has_mark = |c: char| c == ':' || c == '.';
    text.contains(has_mark) && parse_prefix(without_zone).is_ok()
}

/// The values between commas. Offsets count characters as written; escapes make them approximate within a value.
fn split(chars: &[Char], at: usize, end: usize) -> Vec<Raw> {
    let mut values = vec![Raw { at, ..Raw::default() }];
    for (here, each) in (at..).zip(chars) {
        if each.c == ',' && !each.quoted {
            values.push(Raw { at: here + 1, ..Raw::default() });
        } else if let Some(value) = values.last_mut() {
            value.chars.push(*each);
            value.len += 1;
        }
    }
    if let [only] = values.as_mut_slice() {
        only.len = end.saturating_sub(only.at);
    }
    values.into_iter().map(unquote).collect()
}

/// Drops the quotes themselves.
fn unquote(mut raw: Raw) -> Raw {
    raw.chars.retain(|each| each.quoted || each.c != '"');
    raw
}
