//! How many of something each tenant has under way. Who has none is not remembered.

use std::collections::HashMap;

use super::TenantId;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct TenantCounts(HashMap<TenantId, usize>);

impl TenantCounts {
    pub fn of(&self, tenant: TenantId) -> usize {
        self.0.get(&tenant).copied().unwrap_or(0)
    }

    /// Tenants that have any.
    pub fn tenants(&self) -> usize {
        self.0.len()
    }

    pub fn add(&mut self, tenant: TenantId, more: usize) {
        *self.0.entry(tenant).or_default() += more;
    }

    /// So many of those that were added are over.
    pub fn take_away(&mut self, tenant: TenantId, over: usize) {
        if let Some(own) = self.0.get_mut(&tenant) {
            *own -= over;
            if *own == 0 {
                self.0.remove(&tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_none_left_is_not_remembered() {
        let (one, other) = (TenantId::from_raw(1), TenantId::from_raw(2));
        let mut counts = TenantCounts::default();
        counts.add(one, 2);
        counts.add(one, 3);
        counts.add(other, 1);
        assert_eq!(
            (counts.of(one), counts.of(other), counts.tenants()),
            (5, 1, 2)
        );
        counts.take_away(one, 4);
        counts.take_away(other, 1);
        assert_eq!(
            (counts.of(one), counts.of(other), counts.tenants()),
            (1, 0, 1)
        );
        counts.take_away(one, 1);
        assert_eq!(counts, TenantCounts::default());
    }
}
