//! Values and rows, the same for both engines.

use crate::error::StateError;

/// What stands in a column: whole numbers (`BIGINT`), text (`TEXT`), bytes (`{bytes}`), or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub(crate) Vec<Value>);

impl Row {
    /// The number in this column.
    ///
    /// # Errors
    /// When there is none.
    pub fn integer(&self, at: usize) -> Result<i64, StateError> {
        match self.0.get(at) {
            Some(Value::Integer(number)) => Ok(*number),
            other => Err(unlike(at, "a number", other)),
        }
    }

    /// The number in this column, or none.
    ///
    /// # Errors
    /// When something else stands there.
    pub fn optional_integer(&self, at: usize) -> Result<Option<i64>, StateError> {
        match self.0.get(at) {
            Some(Value::Null) => Ok(None),
            _ => self.integer(at).map(Some),
        }
    }

    /// The text in this column.
    ///
    /// # Errors
    /// When there is none.
    pub fn text(&self, at: usize) -> Result<&str, StateError> {
        match self.0.get(at) {
            Some(Value::Text(text)) => Ok(text),
            other => Err(unlike(at, "a text", other)),
        }
    }

    /// The text in this column, or none.
    ///
    /// # Errors
    /// When something else stands there.
    pub fn optional_text(&self, at: usize) -> Result<Option<&str>, StateError> {
        match self.0.get(at) {
            Some(Value::Null) => Ok(None),
            _ => self.text(at).map(Some),
        }
    }

    /// Whether nothing stands in this column.
    pub fn is_null(&self, at: usize) -> bool {
        matches!(self.0.get(at), Some(Value::Null))
    }

    /// The bytes in this column.
    ///
    /// # Errors
    /// When there are none.
    pub fn bytes(&self, at: usize) -> Result<&[u8], StateError> {
        match self.0.get(at) {
            Some(Value::Bytes(bytes)) => Ok(bytes),
            other => Err(unlike(at, "bytes", other)),
        }
    }
}

fn unlike(at: usize, wanted: &str, found: Option<&Value>) -> StateError {
    let found = match found {
        None => "no such column",
        Some(Value::Null) => "nothing",
        Some(Value::Integer(_)) => "a number",
        Some(Value::Text(_)) => "a text",
        Some(Value::Bytes(_)) => "bytes",
    };
    StateError::damaged(format!("column {at} should hold {wanted}, and holds {found}"))
}
