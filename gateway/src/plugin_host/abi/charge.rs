//! What a host call costs its guest: counted against its limits, paid in fuel, and now and then a pause for others.
//!
//! Every host function is wired up through here, so that none can forget to count what it carries. Wasm's own fuel
//! does not see the host's work and a host call begins a new slice of it: without this, a flood of calls would hold a
//! guest thread as long as its limits last.

use futures::future::BoxFuture;
use wasmtime::component::{ComponentNamedList, Lift, LinkerInstance, Lower, Resource};
use wasmtime::{StoreContextMut, Trap};

use crate::plugin_host::guest_state::GuestState;
use crate::plugin_host::limits::{HOST_BYTE_FUEL, HOST_CALL_FUEL, LIST_ELEMENT_BYTES};

type Store<'a> = StoreContextMut<'a, GuestState>;

/// Wires up a host function that never waits.
pub(in crate::plugin_host::abi) fn function<P, R>(
    interface: &mut LinkerInstance<'_, GuestState>,
    name: &str,
    call: fn(&mut GuestState, P) -> wasmtime::Result<R>,
) -> wasmtime::Result<()>
where
    P: ComponentNamedList + Lift + Carried + Send + 'static,
    R: ComponentNamedList + Lower + Carried + Send + 'static,
{
    interface.func_wrap_async(name, move |mut store: Store<'_>, arguments: P| {
        Box::new(async move {
            begin(&mut store, &arguments).await?;
            let returned = call(store.data_mut(), arguments)?;
            end(&mut store, returned).await
        })
    })
}

/// Wires up a host function that waits for the outside.
pub(in crate::plugin_host::abi) fn waiting_function<P, R>(
    interface: &mut LinkerInstance<'_, GuestState>,
    name: &str,
    call: for<'a> fn(&'a mut GuestState, P) -> BoxFuture<'a, wasmtime::Result<R>>,
) -> wasmtime::Result<()>
where
    P: ComponentNamedList + Lift + Carried + Send + 'static,
    R: ComponentNamedList + Lower + Carried + Send + 'static,
{
    interface.func_wrap_async(name, move |mut store: Store<'_>, arguments: P| {
        Box::new(async move {
            begin(&mut store, &arguments).await?;
            let returned = call(store.data_mut(), arguments).await?;
            end(&mut store, returned).await
        })
    })
}

async fn begin(store: &mut Store<'_>, arguments: &(impl Carried + Sync)) -> wasmtime::Result<()> {
    let bytes = arguments.carried();
    let state = store.data_mut();
    state.count_call()?;
    state.count_bytes(bytes)?;
    pay(store, HOST_CALL_FUEL.saturating_add(fuel_of(bytes))).await
}

async fn end<R: Carried>(store: &mut Store<'_>, returned: R) -> wasmtime::Result<R> {
    let bytes = returned.carried();
    store.data_mut().count_bytes(bytes)?;
    pay(store, fuel_of(bytes)).await?;
    Ok(returned)
}

fn fuel_of(bytes: usize) -> u64 {
    HOST_BYTE_FUEL.saturating_mul(bytes as u64)
}

async fn pay(store: &mut Store<'_>, cost: u64) -> wasmtime::Result<()> {
    let left = store.get_fuel()?.checked_sub(cost);
    store.set_fuel(left.unwrap_or(0))?;
    let left = left.ok_or(Trap::OutOfFuel)?;
    if store.data_mut().slice_is_over(left) {
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Bytes that a value carries between guest and host.
pub(in crate::plugin_host::abi) trait Carried {
    fn carried(&self) -> usize;
}

/// What lists are made of. Each costs [`LIST_ELEMENT_BYTES`], however empty it is.
pub(in crate::plugin_host::abi) trait Element: Carried {}

impl<T: Element> Carried for Vec<T> {
    fn carried(&self) -> usize {
        self.iter()
            .map(|element| LIST_ELEMENT_BYTES + element.carried())
            .sum()
    }
}

impl Carried for Vec<u8> {
    fn carried(&self) -> usize {
        self.len()
    }
}

impl Carried for String {
    fn carried(&self) -> usize {
        self.len()
    }
}

impl Element for String {}

impl<T: Carried> Carried for Option<T> {
    fn carried(&self) -> usize {
        self.as_ref().map_or(0, Carried::carried)
    }
}

impl<T: Carried, E: Carried> Carried for Result<T, E> {
    fn carried(&self) -> usize {
        match self {
            Ok(value) => value.carried(),
            Err(error) => error.carried(),
        }
    }
}

impl<T: 'static> Carried for Resource<T> {
    fn carried(&self) -> usize {
        0
    }
}

/// Values of one size.
macro_rules! flat {
    ($($type:ty),*) => {
        $(impl $crate::plugin_host::abi::charge::Carried for $type {
            fn carried(&self) -> usize {
                size_of::<Self>()
            }
        })*
    };
}
pub(in crate::plugin_host::abi) use flat;

flat!((), bool, u8, u32, u64, i64, f64);

/// Variants whose cases have no text, or one that counts: `Type { Plain | WithText }`.
macro_rules! carries {
    ($($type:ident { $($plain:ident)* | $($text:ident)* })*) => {
        $(impl $crate::plugin_host::abi::charge::Carried for $type {
            fn carried(&self) -> usize {
                match self {
                    $(Self::$plain => 1,)*
                    $(Self::$text(text) => text.len(),)*
                }
            }
        })*
    };
}
pub(in crate::plugin_host::abi) use carries;

macro_rules! tuple {
    ($($part:ident),*) => {
        impl<$($part: Carried),*> Carried for ($($part,)*) {
            fn carried(&self) -> usize {
                #[allow(non_snake_case, reason = "a part is named like its type")]
                let ($($part,)*) = self;
                0 $(+ $part.carried())*
            }
        }
    };
}

tuple!(A);
tuple!(A, B);
tuple!(A, B, C);
tuple!(A, B, C, D);
tuple!(A, B, C, D, E);
