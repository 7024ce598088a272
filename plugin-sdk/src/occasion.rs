//! What hooks without a message are called for: business events, timers, receipts.

use crate::{Field, Value, host};

pub use crate::bindings::host::vestibule::plugin::occasions::ReceiptStatus;

/// Something that happened at the business.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    inner: &'a host::Event,
}

impl<'a> Event<'a> {
    pub(crate) fn new(inner: &'a host::Event) -> Self {
        Self { inner }
    }

    /// The sender's own id.
    pub fn id(&self) -> String {
        self.inner.id()
    }

    /// What happened: `payment.succeeded`.
    pub fn name(&self) -> String {
        self.inner.name()
    }

    /// When, Unix milliseconds.
    pub fn at(&self) -> u64 {
        self.inner.at()
    }

    pub fn field(&self, name: &str) -> Option<Value> {
        self.inner.field(name)
    }

    pub fn fields(&self) -> Vec<Field> {
        self.inner.fields()
    }
}

/// A timer of this plugin that is due.
#[derive(Clone, Copy)]
pub struct Timer<'a> {
    inner: &'a host::Timer,
}

impl<'a> Timer<'a> {
    pub(crate) fn new(inner: &'a host::Timer) -> Self {
        Self { inner }
    }

    /// The name it was set under.
    pub fn name(&self) -> String {
        self.inner.name()
    }

    pub fn set_at(&self) -> u64 {
        self.inner.set_at()
    }

    /// When it was due; the clock may be later.
    pub fn due_at(&self) -> u64 {
        self.inner.due_at()
    }

    pub fn field(&self, name: &str) -> Option<Value> {
        self.inner.field(name)
    }

    pub fn fields(&self) -> Vec<Field> {
        self.inner.fields()
    }
}

/// What became of a message of ours.
#[derive(Clone, Copy)]
pub struct Receipt<'a> {
    inner: &'a host::Receipt,
}

impl<'a> Receipt<'a> {
    pub(crate) fn new(inner: &'a host::Receipt) -> Self {
        Self { inner }
    }

    /// Our id of the send (`out_…`).
    pub fn send(&self) -> String {
        self.inner.send()
    }

    pub fn status(&self) -> ReceiptStatus {
        self.inner.status()
    }

    /// Meta's time, Unix milliseconds.
    pub fn at(&self) -> u64 {
        self.inner.at()
    }

    /// Meta's error code of a failure.
    pub fn error(&self) -> Option<i64> {
        self.inner.error()
    }
}
