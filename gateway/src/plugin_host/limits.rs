//! Every number that bounds a plugin, in one place, each with its reason. All are guesses until a plugin of a real
//! tenant meets them; what would change one is said with it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::manifest::LimitsAsked;

/// What one installation may use in one turn, over all its hooks. An installation can be given less or more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Wasm instructions, nearly one unit each; bulk operations cost a unit per byte, host calls what the host does
    /// ([`HOST_CALL_FUEL`], [`HOST_BYTE_FUEL`]).
    pub fuel: u64,
    /// Bytes of all linear memories and tables together.
    pub memory: usize,
    /// Calls from the guest into the host.
    pub host_calls: u32,
    /// Bytes that host calls carry, both ways together.
    pub host_bytes: usize,
    /// Effects of all hooks.
    pub effects: usize,
    /// Lines of the plugin's log; further lines are dropped and counted.
    pub log_lines: u32,
    /// Different keys of `kv` that are read or written.
    pub kv_keys: usize,
    /// Bytes of keys and values waiting to be written to `kv`.
    pub kv_bytes: usize,
    /// Bytes of keys and values that a plugin may keep in `kv` at one tenant, over all turns.
    pub kv_total_bytes: u64,
    /// Requests by the grant `http`.
    pub http_requests: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // About 5 ms of tight code, 10 ms of an interpreter: a hundred times what a menu needs. Short enough
            // that a tenant whose every turn loops costs the node one turn's worth, not its threads.
            fuel: 50_000_000,
            // A Rust guest needs 0.2 to 1.2 MiB, QuickJS 1.4; CPython's 16 would need an installation's own limit.
            memory: 16 << 20,
            // A menu makes 20. Calls cost fuel too, so that all limits together still mean milliseconds.
            host_calls: 10_000,
            // Ten full texts, a few values of kv and the log fit many times.
            host_bytes: 4 << 20,
            // Meta takes some 80 messages a second per number: 32 in one turn is already an abuse.
            effects: 32,
            // Promised by the WIT contract.
            log_lines: 100,
            // Each is a read in the turn's commit.
            kv_keys: 64,
            kv_bytes: 256 << 10,
            // A hundred bytes for each of some 600,000 customers.
            kv_total_bytes: 64 << 20,
            // A look-up or two, and their pages; each may take seconds of the customer's patience.
            http_requests: 8,
        }
    }
}

impl Limits {
    /// What a plugin gets that asks for less or more: never more than the operator gives.
    pub fn for_asked(&self, asked: LimitsAsked) -> Self {
        Self {
            fuel: asked.fuel.map_or(self.fuel, |fuel| fuel.min(self.fuel)),
            memory: asked
                .memory
                .map_or(self.memory, |memory| memory.min(self.memory)),
            ..self.clone()
        }
    }
}

/// The most that an operator may give one installation: what the pool has room for.
pub const MAX_MEMORY: usize = 64 << 20;
/// A log line's bytes (WIT contract); longer ones are cut at a character.
pub const LOG_LINE_BYTES: usize = 1 << 10;
/// Bytes of a `kv` key and value (WIT contract).
pub const KV_KEY_BYTES: usize = 256;
pub const KV_VALUE_BYTES: usize = 64 << 10;
/// Bytes that one call may hand to the host. Above a kv value, far below what could hurt.
pub const HOST_CALL_BYTES: usize = 256 << 10;
/// Live resource handles. A hook gets two.
pub const HANDLES: usize = 1_000;
/// Core instances, memories and tables of one component. A Rust component has 3, 1 and 2; componentize-py needs some 20
/// instances. The pool holds so many for every store, so that nobody can take a neighbour's share: more costs addresses.
pub const INSTANCES: usize = 32;
pub const MEMORIES: usize = 2;
pub const TABLES: usize = 4;
/// Elements of one table: CPython uses 5,700, SpiderMonkey 7,700.
pub const TABLE_ELEMENTS: usize = 20_000;
/// The guest's stack. Deep recursion of ordinary code ends well below; the limit is what a hostile one gets.
pub const WASM_STACK: usize = 256 << 10;
/// A fiber: the guest's stack and above it the host functions' (deep in debug builds).
pub const FIBER_STACK: usize = 1 << 20;
/// How long one host call may wait for the outside. Ours to answer for: the guest sees `unavailable`.
pub const HOST_CALL_WAIT: Duration = Duration::from_secs(2);
/// Plugins in one turn: each is an instance alive at the same time.
pub const PLUGINS_PER_TURN: usize = 8;
/// The longest `retry` a plugin may ask for.
pub const MAX_RETRY: Duration = Duration::from_secs(600);
/// Characters of a message that a plugin hands back (`reject`, `fault`) and of a fault's text.
pub const REASON_CHARS: usize = 500;
/// Bytes of host answers kept for replay; a turn beyond it says so.
pub const JOURNAL_BYTES: usize = 64 << 10;
/// Fuel for a host call, beside what it carries. A guess: leaving the guest, lifting, checking and coming back take
/// some 0.2 µs, as long as so many instructions. All the calls that are allowed come to less than half of the fuel.
pub const HOST_CALL_FUEL: u64 = 2_000;
/// Fuel for a byte that a host call carries. A guess: a byte is copied twice and looked at once or twice, some 0.4 ns.
pub const HOST_BYTE_FUEL: u64 = 4;
/// What an element of a list counts beside its texts: the host allocates for it, however empty it is.
pub const LIST_ELEMENT_BYTES: usize = 64;
/// Units of fuel after which a guest lets its neighbours run: some 10 µs of tight code, or of host calls.
pub const FUEL_SLICE: u64 = 100_000;
/// Attributes and tags of one conversation: they stand in its row, which every turn reads and writes.
pub const ATTRIBUTES: usize = 64;
pub const ATTRIBUTE_BYTES: usize = 32 << 10;
pub const TAGS: usize = 32;
/// Bytes of the fields of one event or timer.
pub const FIELDS_BYTES: usize = 8 << 10;
/// Keys that one list of `kv` may give, and lists of a turn (WIT contract).
pub const KV_LIST: u32 = 100;
pub const KV_LISTS: usize = 16;
/// What `conversation.recent` gives at most, entries and bytes of their words (WIT contract): what a model or a person
/// wants to know of a case, and half of what a journal keeps.
pub const HISTORY_ENTRIES: u32 = 50;
pub const HISTORY_BYTES: usize = 32 << 10;
/// Questions about templates in one turn, those that one search gives, and the bytes of their names (WIT contract): a menu
/// of what can be sent is a page, and a plugin that knows what it sends asks for one or two. Each may stand in the journal.
pub const TEMPLATE_QUESTIONS: u32 = 32;
pub const TEMPLATE_PAGE: u32 = 100;
pub const TEMPLATE_PAGE_BYTES: usize = 8 << 10;
/// Characters of a category that a search names by Meta's word, of which the longest today has 14 (WIT contract).
pub const TEMPLATE_CATEGORY_CHARS: usize = 64;
/// Characters of a template's name, Meta's limit, and of a language or a list of them.
pub const TEMPLATE_NAME_CHARS: usize = 512;
pub const TEMPLATE_LANGUAGE_CHARS: usize = 256;
/// Calls about timers in one turn (WIT contract): each may be a row.
pub const TIMERS_PER_TURN: usize = 16;
/// The earliest that a timer is due (WIT contract): else two timers that set each other would be a loop.
pub const TIMER_LEAST: Duration = Duration::from_secs(1);

/// A request by the grant `http` (WIT contract): characters of its URL, its headers and their bytes, bytes of its body,
/// texts that are put into it. Bytes are counted twice: as the plugin asks, and with everything written in.
pub const HTTP_URL_CHARS: usize = 2_000;
pub const HTTP_HEADERS: usize = 32;
pub const HTTP_HEADER_BYTES: usize = 8 << 10;
pub const HTTP_BODY_BYTES: usize = 64 << 10;
pub const HTTP_MEMBERS: usize = 32;
/// Pieces of which one header's value is joined, and of one text in a body. A piece may be a secret of some KiB, and costs
/// who asks a byte. A guess: a scheme, a secret and what stands between them are three, a letter to a customer some dozens.
pub const HTTP_HEADER_PARTS: usize = 16;
pub const HTTP_MEMBER_PARTS: usize = 64;
/// The longest answer that is taken (WIT contract): a page of a shop's JSON.
pub const HTTP_ANSWER_BYTES: usize = 256 << 10;
/// A net behind the sender's own time limit, which is the operator's and shorter.
pub const HTTP_WAIT: Duration = Duration::from_secs(60);

/// An upload (design.md §4): a component of SpiderMonkey is 12 MB.
pub const COMPONENT_BYTES: usize = 16 << 20;
/// Its manifest.
pub const MANIFEST_BYTES: usize = 64 << 10;
/// The settings of an installation, defaults included. A plugin reads them in every turn, and what it does with so many
/// takes most of a turn's fuel (`tests/it/guests/largest.rs`). A guess: two hundred questions and answers in five
/// languages fit.
pub const SETTINGS_BYTES: usize = 256 << 10;
/// Address space of the process that checks settings. The program itself and a deep stack are most of it.
pub const SETTINGS_CHECK_MEMORY: u64 = 512 << 20;
/// An ordinary check takes some 10 ms. The kernel counts whole seconds.
pub const SETTINGS_CHECK_CPU: Duration = Duration::from_secs(2);
/// From start to end: what its CPU time may take on a busy machine.
pub const SETTINGS_CHECK_WALL: Duration = Duration::from_secs(60);
/// Such processes at the same time, whoever asks.
pub const SETTINGS_CHECKS_AT_ONCE: usize = 2;

/// Address space of the process that reads a component's debug information: the component twice, and what it becomes.
pub const SOURCE_LINES_MEMORY: u64 = 1 << 30;
/// A megabyte of it takes some 10 ms. The kernel counts whole seconds.
pub const SOURCE_LINES_CPU: Duration = Duration::from_secs(5);
/// From start to end: what its CPU time may take on a busy machine.
pub const SOURCE_LINES_WALL: Duration = Duration::from_secs(60);
/// What it may say: names are cut.
pub const SOURCE_LINES_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_gets_what_it_asks_for_up_to_what_the_operator_gives() {
        let given = Limits::default();
        let asked = |fuel, memory| given.for_asked(LimitsAsked { fuel, memory });
        assert_eq!(asked(None, None), given);
        assert_eq!(asked(Some(u64::MAX), Some(usize::MAX)), given);
        let less = asked(Some(7), Some(65_536));
        assert_eq!((less.fuel, less.memory), (7, 65_536));
    }
}
