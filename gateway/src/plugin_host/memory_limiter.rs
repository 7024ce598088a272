//! One budget of bytes for everything a component allocates.
//!
//! wasmtime's own `StoreLimits` bounds each memory by itself: a component with 32 memories gets 32 times the limit
//! (plugin-hosts.md, finding 10). This one adds up all memories and tables, and remembers that it refused, because the
//! guest turns a refusal into a panic that looks like its own.

use wasmtime::ResourceLimiter;

use super::limits::{INSTANCES, MEMORIES, TABLE_ELEMENTS, TABLES};

/// What a table costs per element: a pointer.
const ELEMENT_BYTES: usize = 8;

pub(super) struct MemoryLimiter {
    limit: usize,
    used: usize,
    peak: usize,
    /// What growth was permitted last, to be taken back when it fails all the same.
    last_growth: usize,
    denied: Option<String>,
}

impl MemoryLimiter {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            used: 0,
            peak: 0,
            last_growth: 0,
            denied: None,
        }
    }

    pub(super) fn peak(&self) -> usize {
        self.peak
    }

    /// What was refused, if anything was.
    pub(super) fn denied(&self) -> Option<&str> {
        self.denied.as_deref()
    }

    /// The guest lived with what it was refused: what goes wrong later has another cause.
    pub(super) fn forgive(&mut self) {
        self.denied = None;
    }

    fn grow(&mut self, growth: usize) -> bool {
        let Some(used) = self.used.checked_add(growth).filter(|&u| u <= self.limit) else {
            let limit = self.limit;
            self.denied = Some(format!("asked for more than its {limit} bytes of memory"));
            return false;
        };
        self.used = used;
        self.peak = self.peak.max(used);
        self.last_growth = growth;
        true
    }

    fn take_back(&mut self) {
        self.used -= std::mem::take(&mut self.last_growth);
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            self.denied = Some("asked for more than a memory's own maximum".to_owned());
            return Ok(false);
        }
        Ok(self.grow(desired.saturating_sub(current)))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.take_back();
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let most = maximum.map_or(TABLE_ELEMENTS, |maximum| maximum.min(TABLE_ELEMENTS));
        if desired > most {
            self.denied = Some(format!("asked for a table of {desired} elements"));
            return Ok(false);
        }
        Ok(self.grow(
            desired
                .saturating_sub(current)
                .saturating_mul(ELEMENT_BYTES),
        ))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.take_back();
        Ok(())
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_and_tables_share_one_budget() {
        let mut limiter = MemoryLimiter::new(1_000);
        assert!(limiter.memory_growing(0, 600, None).expect("no error"));
        assert!(limiter.table_growing(0, 50, None).expect("no error"));
        assert!(!limiter.memory_growing(0, 1, None).expect("no error"));
        assert!(limiter.denied().expect("remembered").contains("1000 bytes"));
        assert_eq!(limiter.peak(), 1_000);
    }

    #[test]
    fn a_growth_that_failed_is_given_back() {
        let mut limiter = MemoryLimiter::new(1_000);
        assert!(limiter.memory_growing(0, 1_000, None).expect("no error"));
        limiter
            .memory_grow_failed(wasmtime::Error::msg("no room"))
            .expect("no error");
        assert!(limiter.memory_growing(0, 1_000, None).expect("no error"));
    }
}
