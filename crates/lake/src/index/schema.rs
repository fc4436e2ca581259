//! Which columns and terms a row has.
//!
//! tantivy stores no documents here: a row is its terms and its columns. Every text field of the query language has
//! terms of the whole value (folded), a column of the value as shown, for versions a key that sorts, and for running
//! text the words within.

use std::collections::BTreeMap;

use tantivy::schema::{
    BytesOptions, FAST, Field as Column, IndexRecordOption, IpAddrOptions, NumericOptions, Schema, SchemaBuilder,
    TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{Token, TokenStream, Tokenizer, TokenizerManager};

use crate::query::words::{Cutter, LeftOut};
use crate::query::{Class, FIELDS, Field};

const ALL_WORDS: &str = "hinomi-words";
const LEAN_WORDS: &str = "hinomi-lean";

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A service that answered.
    Open = 0,
    /// Something that pretends.
    Pseudo = 1,
    /// Only ever found closed; kept so that an older sighting that arrives late is known to be over.
    Nothing = 2,
}

/// Who is shown a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Whoever may see it.
    All = 0,
    /// Who may not see all: it is a lane ([`super::lanes`]).
    Narrow = 3,
    /// Who may see all: its service has lanes.
    Wide = 6,
}

impl State {
    /// The number that the column of states has.
    pub(super) const fn number(self, shown: Shown) -> u64 {
        self as u64 + shown as u64
    }

    /// What a number means.
    pub(super) const fn read(number: u64) -> (Self, Shown) {
        let shown = match number {
            0..=2 => Shown::All,
            3..=5 => Shown::Narrow,
            _ => Shown::Wide,
        };
        let state = match number - shown as u64 {
            0 => Self::Open,
            1 => Self::Pseudo,
            _ => Self::Nothing,
        };
        (state, shown)
    }

    /// What a row is to who may see all, or to who may not: nothing when it is not for him.
    pub(super) fn seen_by(number: u64, narrow: bool) -> Self {
        let (state, shown) = Self::read(number);
        let hidden = if narrow { Shown::Wide } else { Shown::Narrow };
        if shown == hidden { Self::Nothing } else { state }
    }
}

/// Names of columns that are read row by row.
pub(super) mod column {
    pub(in crate::index) const ADDRESS: &str = "address";
    pub(in crate::index) const PLACE: &str = "place";
    pub(in crate::index) const PORT: &str = "port";
    pub(in crate::index) const ROW: &str = "row";
    pub(in crate::index) const FACTS: &str = "facts";
    pub(in crate::index) const STATE: &str = "state";
    pub(in crate::index) const SAID: &str = "said";
    pub(in crate::index) const ASN: &str = "as";
    pub(in crate::index) const AS_THEN: &str = "as_then";
    pub(in crate::index) const CONFIDENCE: &str = "confidence";
    pub(in crate::index) const EXPIRES: &str = "expires";
    pub(in crate::index) const MARKING: &str = "marking";
}

/// The columns and terms of one text field.
#[derive(Clone, Debug)]
pub(super) struct TextColumns {
    /// Terms: the whole value, folded.
    pub(super) whole: Column,
    /// Column: the value as shown ([`super::document::column_text`]).
    pub(super) shown: Column,
    /// Its name.
    pub(super) shown_name: String,
    /// Terms and column of the key that sorts, of versions.
    pub(super) key: Option<Column>,
    /// Its name.
    pub(super) key_name: String,
    /// Terms: words within, of running text.
    pub(super) within: Option<Column>,
}

/// Every column.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub(super) schema: Schema,
    /// The /24 or /48 of the address ([`super::standing::network_bytes`]).
    pub(super) network: Column,
    pub(super) address: Column,
    /// Port and transport as one number: twice the port, and one more for UDP.
    pub(super) place: Column,
    pub(super) port: Column,
    pub(super) row: Column,
    pub(super) facts: Column,
    /// First eight bytes of the content hash, to find a record that is there already.
    pub(super) content: Column,
    pub(super) state: Column,
    /// What the row says, in one number ([`super::directory::Said`]).
    pub(super) said: Column,
    pub(super) asn: Column,
    /// The AS number when it was last seen, where it was another than now; 0 is none.
    pub(super) as_then: Column,
    pub(super) confidence: Column,
    pub(super) expires: Column,
    pub(super) has: Column,
    pub(super) audience: Column,
    /// The marking whole, as JSON: what entitlements are held against.
    pub(super) marking: Column,
    /// First eight bytes of the hash of each piece of evidence, where they are several.
    pub(super) evidence: Column,
    /// Words of the evidence's text.
    pub(super) text: Column,
    /// Which sorts of words of the text were left out.
    pub(super) left_out: Column,
    pub(super) texts: BTreeMap<Field, TextColumns>,
}

impl Columns {
    /// The columns of this version. What is on disk must equal them; otherwise the index is built again.
    pub(super) fn new() -> Self {
        let mut builder = Schema::builder();
        let fields = FIELDS.iter().filter(|info| matches!(info.class, Class::Word | Class::Text | Class::Version));
        let named = fields.filter(|info| info.field != Field::Text);
        let texts = named.map(|info| (info.field, text_columns(&mut builder, info.name, info.class))).collect();
        // `INDEXED` would have a byte a row of a length that is always one.
        let (terms_only, number) =
            (NumericOptions::default().set_indexed(), NumericOptions::default().set_indexed().set_fast());
        Self {
            network: builder.add_bytes_field("network", BytesOptions::default().set_indexed()),
            address: builder.add_ip_addr_field(column::ADDRESS, IpAddrOptions::default().set_fast()),
            place: builder.add_u64_field(column::PLACE, FAST),
            port: builder.add_u64_field(column::PORT, number.clone()),
            row: builder.add_u64_field(column::ROW, FAST),
            facts: builder.add_u64_field(column::FACTS, FAST),
            content: builder.add_u64_field("content", terms_only.clone()),
            state: builder.add_u64_field(column::STATE, number.clone()),
            said: builder.add_u64_field(column::SAID, FAST),
            asn: builder.add_u64_field(column::ASN, number.clone()),
            as_then: builder.add_u64_field(column::AS_THEN, number),
            confidence: builder.add_u64_field(column::CONFIDENCE, FAST),
            expires: builder.add_i64_field(column::EXPIRES, FAST),
            has: builder.add_text_field("has", terms()),
            audience: builder.add_text_field("audience", terms()),
            marking: builder.add_text_field(column::MARKING, terms().set_fast("raw")),
            evidence: builder.add_u64_field("evidence", terms_only),
            text: builder.add_text_field("text", text_of(LEAN_WORDS)),
            left_out: builder.add_text_field("left_out", terms()),
            texts,
            schema: builder.build(),
        }
    }

    /// The columns of a text field.
    pub(super) fn text_of(&self, field: Field) -> Option<&TextColumns> {
        self.texts.get(&field)
    }
}

fn text_columns(builder: &mut SchemaBuilder, name: &str, class: Class) -> TextColumns {
    let base = name.replace('.', "_");
    let (shown_name, key_name) = (format!("{base}_shown"), format!("{base}_key"));
    TextColumns {
        whole: builder.add_text_field(&format!("{base}_whole"), terms()),
        shown: builder.add_text_field(&shown_name, TextOptions::default().set_fast("raw")),
        key: (class == Class::Version).then(|| builder.add_text_field(&key_name, terms().set_fast("raw"))),
        within: (class == Class::Text).then(|| builder.add_text_field(&format!("{base}_words"), text_of(ALL_WORDS))),
        shown_name,
        key_name,
    }
}

fn terms() -> TextOptions {
    let indexing = TextFieldIndexing::default().set_tokenizer("raw").set_fieldnorms(false);
    TextOptions::default().set_indexing_options(indexing.set_index_option(IndexRecordOption::Basic))
}

fn text_of(tokenizer: &str) -> TextOptions {
    let indexing = TextFieldIndexing::default().set_tokenizer(tokenizer).set_fieldnorms(false);
    TextOptions::default().set_indexing_options(indexing.set_index_option(IndexRecordOption::WithFreqsAndPositions))
}

/// Makes our way of cutting text known to an index.
pub(super) fn register(tokenizers: &TokenizerManager) {
    tokenizers.register(ALL_WORDS, Words { lean: false });
    tokenizers.register(LEAN_WORDS, Words { lean: true });
}

/// [`Cutter`] as tantivy takes it.
#[derive(Clone)]
struct Words {
    /// Leaves out what [`LeftOut`] says; the others keep their places.
    lean: bool,
}

struct Cut<'a> {
    lean: bool,
    cutter: Cutter<'a>,
    token: Token,
}

impl Tokenizer for Words {
    type TokenStream<'a> = Cut<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Cut<'a> {
        Cut { lean: self.lean, cutter: Cutter::new(text), token: Token::default() }
    }
}

impl TokenStream for Cut<'_> {
    fn advance(&mut self) -> bool {
        while let Some(position) = self.cutter.next_into(&mut self.token.text) {
            if !self.lean || LeftOut::of(&self.token.text).is_none() {
                self.token.position = position;
                return true;
            }
        }
        false
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}
