//! The `export!` macro: turns types with hooks into what the gateway calls, with an allocator and a panic hook.

/// Exports hooks: `export!(Type as hook, …)`, where a hook is `enrichment`, `routing`, `auto_reply`,
/// `on_event`, `on_timer` or `on_receipt`. Once per plugin.
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
    (on_event, $plugin:ident) => {
        $crate::__export_hook!(@ on_event, OnEvent, $plugin);
    };
    (on_timer, $plugin:ident) => {
        $crate::__export_hook!(@ on_timer, OnTimer, $plugin);
    };
    (on_receipt, $plugin:ident) => {
        $crate::__export_hook!(@ on_receipt, OnReceipt, $plugin);
    };
    ($other:ident, $plugin:ident) => {
        ::std::compile_error!(
            "no such hook: use enrichment, routing, auto_reply, on_event, on_timer or on_receipt"
        );
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
    use crate::bindings::host::vestibule::plugin::occasions::{Event, Receipt, Timer};
    use crate::bindings::host::vestibule::plugin::types;
    use crate::bindings::{auto_reply, enrichment, on_event, on_receipt, on_timer, routing};
    use crate::log::{Level, write};
    use crate::{AutoReply, Enrichment, OnEvent, OnReceipt, OnTimer, Route, Routing, Turn};

    use auto_reply::exports::vestibule::plugin::auto_reply as auto_reply_abi;
    use enrichment::exports::vestibule::plugin::enrichment as enrichment_abi;
    use on_event::exports::vestibule::plugin::on_event as on_event_abi;
    use on_receipt::exports::vestibule::plugin::on_receipt as on_receipt_abi;
    use on_timer::exports::vestibule::plugin::on_timer as on_timer_abi;
    use routing::exports::vestibule::plugin::routing as routing_abi;

    type Done = Result<(), types::Failure>;

    fn message<'a>(message: &'a Message, conversation: &'a Conversation) -> Turn<'a> {
        report_panics();
        Turn::about(crate::Message::new(message), conversation)
    }

    impl<T: AutoReply> auto_reply_abi::Guest for T {
        fn reply(about: &Message, conversation: &Conversation) -> Done {
            Ok(T::reply(&mut message(about, conversation))?)
        }
    }

    impl<T: Enrichment> enrichment_abi::Guest for T {
        fn enrich(about: &Message, conversation: &Conversation) -> Done {
            Ok(T::enrich(&mut message(about, conversation))?)
        }
    }

    impl<T: Routing> routing_abi::Guest for T {
        fn route(
            about: &Message,
            conversation: &Conversation,
        ) -> Result<routing_abi::Destination, types::Failure> {
            let route = T::route(&mut message(about, conversation))?;
            Ok(match route {
                Route::Bot => routing_abi::Destination::Bot,
                Route::Queue(name) => routing_abi::Destination::Queue(name),
                Route::Agent(name) => routing_abi::Destination::Agent(name),
                Route::Silence => routing_abi::Destination::Silence,
                Route::Pass => routing_abi::Destination::Pass,
                Route::AsAsked => routing_abi::Destination::AsAsked,
            })
        }
    }

    impl<T: OnEvent> on_event_abi::Guest for T {
        fn handle(event: &Event, conversation: &Conversation) -> Done {
            report_panics();
            let event = crate::Event::new(event);
            Ok(T::handle(&mut Turn::about(event, conversation))?)
        }
    }

    impl<T: OnTimer> on_timer_abi::Guest for T {
        fn fire(timer: &Timer, conversation: &Conversation) -> Done {
            report_panics();
            let timer = crate::Timer::new(timer);
            Ok(T::fire(&mut Turn::about(timer, conversation))?)
        }
    }

    impl<T: OnReceipt> on_receipt_abi::Guest for T {
        fn receive(receipt: &Receipt, conversation: &Conversation) -> Done {
            report_panics();
            let receipt = crate::Receipt::new(receipt);
            Ok(T::receive(&mut Turn::about(receipt, conversation))?)
        }
    }

    /// A panic is a trap without words; this writes them into the plugin's log first.
    fn report_panics() {
        std::panic::set_hook(Box::new(|panic| write(Level::Error, &panic.to_string())));
    }
}
