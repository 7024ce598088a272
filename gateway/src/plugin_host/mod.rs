//! The plugin host: runs tenants' components, whatever bytes they consist of (ARCHITECTURE.md, promises 6 and 7).
//!
//! Owns everything about Wasm: the engine, inspection and compilation of uploads, artifacts, guest threads, limits,
//! the host's side of every version of the WIT contract, and the order of stages within a turn. It is the only user of wasmtime.
//! It never touches a database or the network: what it needs of the outside comes through [`KvReader`], [`ReadSource`] and
//! [`HttpSender`], and what a plugin wants to change leaves as data in a [`TurnReport`], for the pipeline to apply or not.
//!
//! The way of a component: [`inspect`] (structure, no code generated) → [`Compiler`] (a limited child process) →
//! [`ArtifactKey::seal`] (by the caller, into its database) → [`ArtifactKey::open`] → [`PluginHost::load`] →
//! [`PluginHost::run_turn`], a fresh instance each turn.

mod abi;
mod artifact;
mod carried;
mod child;
mod child_process;
mod compile;
mod effect;
pub mod engine;
mod fault;
mod grant;
mod guest_state;
mod guest_thread;
mod hook;
mod host;
mod http;
mod inspect;
mod instance;
mod kv;
mod limits;
mod manifest;
mod memory_limiter;
mod plugin;
mod polite;
mod reads;
mod recorded;
mod report;
mod request;
mod seeds;
mod settings;
mod source_lines;
mod stages;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod trial;
mod turn;
mod waiting;
mod words;

pub use abi::Abi;
pub use artifact::{ArtifactError, ArtifactId, ArtifactKey, AuthenticArtifact, ComponentDigest};
pub use carried::{Carried, CarriedError, carried_signature, with_signature};
pub use child::{CHILD_VERB, child_main};
pub(crate) use child_process::cries_for_memory;
pub use compile::{CompileError, CompileLimits, CompileTurn, Compiler};
pub use effect::{Effect, EffectRefused};
pub use engine::WASMTIME_VERSION;
pub use fault::{Fault, FaultKind};
pub use grant::{Grant, asks_for, is_secret_name, problems_of_giving};
pub use hook::{Hook, HookSet};
pub use host::{HostConfig, Overload, PluginHost, StartError};
pub use http::{
    HostPattern, HttpAnswer, HttpAsked, HttpBody, HttpRecord, HttpRefused, HttpRequest,
    HttpResponse, HttpRule, HttpSender, Method, NoHttp, Part,
};
pub use inspect::{InspectError, InspectErrors, Inspection, inspect};
pub use kv::{
    HostAnswer, HostAnswers, KvAnswer, KvEffects, KvReader, KvUnavailable, KvWrite, ListAsked,
};
pub use limits::{
    COMPONENT_BYTES, HISTORY_BYTES, HISTORY_ENTRIES, HTTP_ANSWER_BYTES, HTTP_BODY_BYTES,
    HTTP_HEADER_BYTES, Limits, PLUGINS_PER_TURN, TEMPLATE_PAGE_BYTES,
};
pub use manifest::{LimitsAsked, Manifest, ManifestError};
pub use plugin::{LoadError, Plugin};
pub use reads::{
    LanguageAsked, ListedTemplate, NoReads, OwnershipView, PastAnswer, PersonView, PriceNow, Read,
    ReadAnswers, ReadSource, ReadUnavailable, Said, SearchAsked, Speaker, TemplateAnswers,
    TemplateKey, TemplatePage, TemplateView, WindowNow, WindowView,
};
pub use recorded::{Seen, SeenPlugin};
pub use report::{
    AttributedEffect, CallOutcome, CallTrace, Ending, LogLevel, LogLine, Route, TurnReport,
};
pub use request::{
    About, ConfigError, ConfigJson, ContactKinds, ConversationView, Grants, MessageView,
    OccasionView, PluginBinding, SetupUnreadable, StoredSetup, TurnRequest, Weight, message_token,
};
pub use seeds::Seeds;
pub use settings::{SettingsError, SettingsProblem};
pub use source_lines::{SourceLine, SourceLinesError};
pub use trial::{TrialError, try_to_load};
