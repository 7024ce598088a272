//! `window`: may anything be said now, and what decides its price. Policy's reading; nothing is judged here.

use futures::FutureExt;
use wasmtime::component::LinkerInstance;

use super::bindings::vestibule::plugin::reads::ReadError;
use super::bindings::vestibule::plugin::window as wit;
use super::values::moment;
use crate::plugin_host::abi::charge::waiting_function;
use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::reads::{PriceNow, ReadRefused, WindowNow, WindowView};

pub(super) fn wire(to: &mut LinkerInstance<'_, GuestState>) -> wasmtime::Result<()> {
    waiting_function(to, "now", |state, ()| {
        async move {
            let view = view(state).await;
            let now = view.map(|view| wit::State::from(view.window));
            Ok((now.map_err(ReadError::from),))
        }
        .boxed()
    })?;
    waiting_function(to, "price", |state, ()| {
        async move {
            let view = view(state).await;
            let price = view.map(|view| wit::PriceClass::from(view.price));
            Ok((price.map_err(ReadError::from),))
        }
        .boxed()
    })
}

async fn view(state: &mut GuestState) -> Result<WindowView, ReadRefused> {
    state.reads(|grants| grants.window)?.window().await
}

impl From<WindowNow> for wit::State {
    fn from(window: WindowNow) -> Self {
        match window {
            WindowNow::Open { until } => Self::Open(moment(until)),
            WindowNow::Closed => Self::Closed,
            WindowNow::Unknown => Self::Unknown,
        }
    }
}

impl From<PriceNow> for wit::PriceClass {
    fn from(price: PriceNow) -> Self {
        match price {
            PriceNow::FreeEntryPoint { until } => Self::FreeEntryPoint(moment(until)),
            PriceNow::Service => Self::Service,
            PriceNow::ByCategory => Self::ByCategory,
            PriceNow::Unknown => Self::Unknown,
        }
    }
}
