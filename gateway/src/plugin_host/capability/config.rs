//! `config`: the tenant's settings of this installation.

use crate::plugin_host::bindings::vestibule::plugin::config;
use crate::plugin_host::guest_state::GuestState;

impl config::Host for GuestState {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        let setting = self.binding.config.get(&key).map(str::to_owned);
        self.enter(key.len() + setting.as_ref().map_or(0, String::len))?;
        Ok(setting)
    }

    fn all(&mut self) -> wasmtime::Result<String> {
        self.enter(self.binding.config.all().len())?;
        Ok(self.binding.config.all().to_owned())
    }
}
