//! `hinomi lake pass-share` and `hinomi lake pass-merge`: what executors of a cluster run.

use std::io::{BufWriter, stdin, stdout};
use std::sync::Arc;

use anyhow::Result;
use hinomi_lake::pass::executor;
use hinomi_model::{Clock, Identifier, SystemClock};

use crate::identifier;

pub(crate) fn share() -> Result<()> {
    let rules: &executor::Rules<'_> = &|state, others| {
        let engine = identifier::complete(state, others).map_err(|error| format!("{error:#}"))?;
        Ok(Arc::new(engine) as Arc<dyn Identifier>)
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let output = BufWriter::with_capacity(1 << 18, stdout().lock());
    Ok(executor::share(stdin().lock(), output, rules, &clock)?)
}

pub(crate) fn merge() -> Result<()> {
    Ok(executor::merge(stdin().lock(), BufWriter::with_capacity(1 << 18, stdout().lock()))?)
}
