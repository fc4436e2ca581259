//! What the crate promises, over its real parts together.

#[cfg(test)]
mod town;
