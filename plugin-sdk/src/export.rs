//! The `export!` macro: turns types with hooks into what the gateway calls, with an allocator and a panic hook.

/// Exports hooks: `export!(Type as hook, …)`, where a hook is `enrichment`, `routing` or `auto_reply`. Once per plugin.
///
/// The plugin's memory is an arena of 256 KiB inside its image, so that an ordinary turn never asks the host to grow
/// memory. A plugin that handles more says so; what does not fit still works, more slowly:
///
/// ```
/// # use vestibule_plugin::{AutoReply, Outcome, Turn};
/// # struct Echo;
/// # impl AutoReply for Echo { fn reply(_: &mut Turn) -> Outcome { Ok(()) } }
/// vestibule_plugin::export!(Echo as auto_reply; arena = 1024 * 1024);
/// ```
#[macro_export]
macro_rules! export {
    ($($plugin:ident as $hook:ident),+ $(,)?) => {
        $crate::export!($($plugin as $hook),+; arena = $crate::DEFAULT_ARENA_BYTES);
    };
    ($($plugin:ident as $hook:ident),+; arena = $bytes:expr) => {
        #[cfg(target_arch = "wasm32")]
        #[global_allocator]
        static VESTIBULE_ARENA: $crate::Arena<{ $bytes }> = $crate::Arena::new();

        $( $crate::__export_hook!($hook, $plugin); )+
    };
}

/// One hook: checked in every build, exported in Wasm.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_hook {
    (enrichment, $plugin:ident) => {
        $crate::__export_hook!(@ enrichment, Enrichment, $plugin);
    };
    (routing, $plugin:ident) => {
        $crate::__export_hook!(@ routing, Routing, $plugin);
    };
    (auto_reply, $plugin:ident) => {
        $crate::__export_hook!(@ auto_reply, AutoReply, $plugin);
    };
    ($other:ident, $plugin:ident) => {
        ::std::compile_error!("no such hook: use enrichment, routing or auto_reply");
    };
    (@ $module:ident, $hook:ident, $plugin:ident) => {
        const _: () = {
            const fn implements<T: $crate::$hook>() {}
            implements::<$plugin>()
        };
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::$module::export!($plugin with_types_in $crate::bindings::$module);
    };
}

#[cfg(target_arch = "wasm32")]
mod guest {
    //! The contract's exports, given to every type that implements the hook.

    use crate::bindings::host::vestibule::plugin::inbound::{Conversation, Message};
    use crate::bindings::host::vestibule::plugin::outcome;
    use crate::bindings::{auto_reply, enrichment, routing};
    use crate::log::{Level, write};
    use crate::{AutoReply, Enrichment, Route, Routing, Turn};

    use auto_reply::exports::vestibule::plugin::auto_reply as auto_reply_abi;
    use enrichment::exports::vestibule::plugin::enrichment as enrichment_abi;
    use routing::exports::vestibule::plugin::routing as routing_abi;

    impl<T: AutoReply> auto_reply_abi::Guest for T {
        fn reply(message: &Message, conversation: &Conversation) -> Result<(), outcome::Failure> {
            report_panics();
            Ok(T::reply(&mut Turn::new(message, conversation))?)
        }
    }

    impl<T: Enrichment> enrichment_abi::Guest for T {
        fn enrich(message: &Message, conversation: &Conversation) -> Result<(), outcome::Failure> {
            report_panics();
            Ok(T::enrich(&mut Turn::new(message, conversation))?)
        }
    }

    impl<T: Routing> routing_abi::Guest for T {
        fn route(
            message: &Message,
            conversation: &Conversation,
        ) -> Result<routing_abi::Destination, outcome::Failure> {
            report_panics();
            let route = T::route(&mut Turn::new(message, conversation))?;
            Ok(match route {
                Route::Bot => routing_abi::Destination::Bot,
                Route::Queue(name) => routing_abi::Destination::Queue(name),
                Route::Silence => routing_abi::Destination::Silence,
                Route::Pass => routing_abi::Destination::Pass,
            })
        }
    }

    /// A panic is a trap without words; this writes them into the plugin's log first.
    fn report_panics() {
        std::panic::set_hook(Box::new(|panic| write(Level::Error, &panic.to_string())));
    }
}
