//! The living keys, shared by receivers and the clock.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::epoch::{EpochLength, Keys};

/// [`Keys`] that receivers read and one clock moves on.
#[derive(Clone)]
pub struct SharedKeys(Arc<RwLock<Keys>>);

impl SharedKeys {
    /// No keys yet.
    pub fn new(length: EpochLength) -> Self {
        Self(Arc::new(RwLock::new(Keys::new(length))))
    }

    /// To name subscribers; held for one batch of datagrams, not for one record.
    pub fn read(&self) -> RwLockReadGuard<'_, Keys> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// To move time on.
    pub fn write(&self) -> RwLockWriteGuard<'_, Keys> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
