//! One instance for one turn: made fresh, used by the stages of that turn, thrown away.

use wasmtime::Store;
use wasmtime::component::Instance;

use super::fault::{self, Fault, FaultKind};
use super::guest_state::GuestState;
use super::hook::{Hook, Returned};
use super::limits::{FUEL_SLICE, HANDLES, HOST_CALL_BYTES};
use super::plugin::Plugin;

pub(super) struct LiveInstance {
    store: Store<GuestState>,
    instance: Option<Instance>,
}

impl LiveInstance {
    /// A store with all its limits set; nothing of the guest has run yet.
    pub(super) fn new(plugin: &Plugin, state: GuestState) -> Self {
        let fuel = state.limits().fuel;
        let mut store = Store::new(plugin.pre.engine(), state);
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(HOST_CALL_BYTES);
        store.set_max_component_handles(HANDLES);
        store
            .set_fuel(fuel)
            .and_then(|()| store.fuel_async_yield_interval(Some(FUEL_SLICE)))
            .expect("the engine meters fuel");
        Self {
            store,
            instance: None,
        }
    }

    /// Calls one hook of the plugin that it is of. After a fault, or when the future is dropped, the instance must not be used
    /// again.
    pub(super) async fn call(&mut self, plugin: &Plugin, hook: Hook) -> Result<Returned, Fault> {
        let returned = self.try_call(plugin, hook).await;
        self.store.data_mut().end_lines();
        match returned {
            Ok(returned) => Ok(returned),
            Err(error) => Err(fault::of_error(&error, hook, self.store.data())),
        }
    }

    async fn try_call(&mut self, plugin: &Plugin, hook: Hook) -> wasmtime::Result<Returned> {
        let instance = match self.instance {
            Some(instance) => instance,
            None => {
                let instance = plugin.pre.instantiate_async(&mut self.store).await?;
                *self.instance.insert(instance)
            }
        };
        plugin.calls.call(&mut self.store, &instance, hook).await
    }

    pub(super) fn state(&self) -> &GuestState {
        self.store.data()
    }

    pub(super) fn state_mut(&mut self) -> &mut GuestState {
        self.store.data_mut()
    }

    pub(super) fn fuel_left(&self) -> u64 {
        self.store.get_fuel().expect("the engine meters fuel")
    }

    /// The end of the instance; what it did remains.
    pub(super) fn into_state(self) -> GuestState {
        self.store.into_data()
    }
}

/// A host function panicked: a bug of ours, which must cost this call only.
pub(super) fn panicked(hook: Hook) -> Fault {
    Fault::new(FaultKind::Internal, hook, "the host failed in this call")
}
