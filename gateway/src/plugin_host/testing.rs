//! Guests for tests, written in WAT: core modules over the contract's lowered imports, made into components here.
//!
//! A body is code of a hook's function with `$m` and `$c`, the handles of message and conversation; it falls through to
//! returning ok. Text in double braces, `{{like this}}`, stands for its pointer and length.

pub(super) mod arguments;
pub(super) mod compose;
pub(super) mod imports;
pub(super) mod wasi;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use serde_json::json;

use crate::domain::{
    ContactId, ConversationId, EventId, InboundContent, InstallationId, TenantId, Timestamp, TurnId,
};

pub(super) use self::compose::IMPORTS;
use self::compose::{MANIFEST, componentise, componentise_for};
pub(super) use self::compose::{append_custom_section, append_instances, append_section};
use super::*;

/// Hands out memory from `$top` on and never takes any back.
const REALLOC: &str = "
    (global.set $top (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
    (global.get $top)
    (global.set $top (i32.add (global.get $top) (local.get 3)))";

/// A result that has never been written to: ok.
const OK: u32 = 2048;

#[derive(Default)]
pub(super) struct Guest {
    hooks: Vec<(Hook, String)>,
    module_parts: String,
    grants: Vec<&'static str>,
    claimed: Option<Vec<&'static str>>,
    /// Of its world.
    exports: String,
    /// WIT beside the contract's, that its world names.
    packages: Option<String>,
    module_imports: String,
    realloc: Option<String>,
}

impl Guest {
    pub(super) fn replying(body: &str) -> Self {
        Self::default().hook(Hook::AutoReply, body)
    }

    pub(super) fn hook(mut self, hook: Hook, body: &str) -> Self {
        self.hooks.push((hook, body.to_owned()));
        self
    }

    /// Further fields of the core module: functions, globals, tables.
    pub(super) fn with(mut self, parts: &str) -> Self {
        self.module_parts.push_str(parts);
        self
    }

    /// More of its world than hooks.
    pub(super) fn exporting(mut self, exports: &str) -> Self {
        self.exports.push_str(exports);
        self
    }

    /// Further imports of the core module.
    pub(super) fn importing(mut self, imports: &str) -> Self {
        self.module_imports.push_str(imports);
        self
    }

    /// With everything of WASI, at this version, imported: `$cli/exit.exit` and so on.
    pub(super) fn wasi(mut self, version: &str) -> Self {
        let wasi = wasi::Wasi::at(version);
        self.exports.push_str(&wasi.world);
        self.module_imports.push_str(&wasi.imports);
        self.packages = Some(wasi.packages);
        self
    }

    /// Another body of its `realloc` than the one that hands out memory from `$top` on.
    pub(super) fn reallocating(mut self, body: &str) -> Self {
        self.realloc = Some(body.to_owned());
        self
    }

    pub(super) fn claiming(mut self, hooks: &[&'static str]) -> Self {
        self.claimed = Some(hooks.to_vec());
        self
    }

    pub(super) fn component(&self) -> Vec<u8> {
        let names = || self.hooks.iter().map(|(hook, _)| hook.name());
        let claimed = self.claimed.clone().unwrap_or_else(|| names().collect());
        let manifest = json!({
            "name": "test", "version": "1.2.3", "abi": "0.1.0", "interfaces": claimed, "grants": self.grants,
        });
        let mut component = self.without_manifest();
        append_custom_section(&mut component, MANIFEST, manifest.to_string().as_bytes());
        component
    }

    pub(super) fn without_manifest(&self) -> Vec<u8> {
        let module = wat::parse_str(self.module()).expect("valid WAT");
        let hooks = self.hooks.iter().map(|(hook, _)| hook.name());
        componentise(module, hooks, &self.exports, self.packages.as_deref()).expect("a component")
    }

    /// Compiles in this process: what is tested here is ours, not the child.
    pub(super) fn load(&self, host: &PluginHost) -> Arc<Plugin> {
        load(host, &self.component()).expect("a fitting component")
    }

    fn module(&self) -> String {
        let mut data = Texts::default();
        let functions: String = self
            .hooks
            .iter()
            .map(|(hook, body)| {
                let body = data.place(body);
                let (name, function) = (hook.name(), hook.function());
                format!(
                    r#"(func (export "vestibule:plugin/{name}@0.1.0#{function}")
                         (param $m i32) (param $c i32) (result i32) (local $i i32) (local $n i64)
                         {body}
                         (call $drop-message (local.get $m)) (call $drop-conversation (local.get $c))
                         (i32.const {OK}))"#
                )
            })
            .collect();
        let parts = data.place(&self.module_parts);
        let segments = data.segments;
        let imports = &self.module_imports;
        let realloc = self.realloc.as_deref().unwrap_or(REALLOC);
        format!(
            r#"(module {IMPORTS} {imports}
                 (memory (export "memory") 2)
                 (global $top (mut i32) (i32.const 65536))
                 (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                   {realloc})
                 {parts} {functions} {segments})"#
        )
    }
}

/// The newest release of the contract.
pub(super) fn newest_contract() -> imports::Contract {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    imports::Contract::read(&imports::newest_release(&wit))
}

/// A core module over the newest contract's imports, made a plugin of these hooks.
pub(super) fn newest_plugin(host: &PluginHost, module: &str, hooks: &[Hook]) -> Arc<Plugin> {
    let version = Abi::NEWEST.version();
    let module = wat::parse_str(module).expect("valid WAT");
    let names: Vec<&str> = hooks.iter().map(|hook| hook.name()).collect();
    let component = componentise_for(version, module, names.iter().copied(), "", None);
    let mut component = component.expect("a component");
    let manifest = json!({"name": "test", "version": "1.2.3", "abi": version, "interfaces": names});
    append_custom_section(&mut component, MANIFEST, manifest.to_string().as_bytes());
    load(host, &component).expect("a fitting component")
}

/// Text in a body becomes data of the module.
#[derive(Default)]
struct Texts {
    segments: String,
    used: usize,
}

impl Texts {
    fn place(&mut self, body: &str) -> String {
        let mut placed = String::new();
        let mut rest = body;
        while let Some((before, after)) = rest.split_once("{{") {
            let (text, after) = after.split_once("}}").expect("closed braces");
            let at = 4096 + self.used;
            self.used += text.len();
            let bytes: String = text.bytes().map(|b| format!("\\{b:02x}")).collect();
            self.segments
                .push_str(&format!("(data (i32.const {at}) \"{bytes}\")"));
            placed.push_str(before);
            placed.push_str(&format!("(i32.const {at}) (i32.const {})", text.len()));
            rest = after;
        }
        placed + rest
    }
}

pub(super) fn load(host: &PluginHost, component: &[u8]) -> Result<Arc<Plugin>, LoadError> {
    let manifest = inspect(component).expect("a fitting upload").manifest;
    let id = ArtifactId::current(ComponentDigest::of(component)).expect("an engine");
    let key = ArtifactKey::new([7; 32]);
    let code = child::compile(component).expect("compiles");
    let sealed = key.seal(&id, &manifest, &code);
    let artifact = key.open(&id, sealed).expect("authentic");
    host.load(&artifact, &manifest)
}

/// A plugin that does nothing: its manifest as JSON, and its machine code.
pub(crate) fn idle_plugin() -> (String, Vec<u8>) {
    let component = Guest::replying("").component();
    let manifest = inspect(&component).expect("a fitting upload").manifest;
    let code = child::compile(&component).expect("compiles");
    (json!(manifest).to_string(), code)
}

/// A host with one guest thread, on the test's runtime.
pub(crate) fn host() -> Arc<PluginHost> {
    host_with(|_| {})
}

pub(super) fn host_with(change: impl FnOnce(&mut HostConfig)) -> Arc<PluginHost> {
    let mut config = HostConfig::new(1, tokio::runtime::Handle::current());
    config.stores_per_thread = 16;
    change(&mut config);
    PluginHost::start(config).expect("a host")
}

pub(super) fn binding(plugin: &Arc<Plugin>) -> PluginBinding {
    PluginBinding {
        plugin: plugin.clone(),
        installation: InstallationId::from_raw(11),
        config: Arc::new(ConfigJson::parse(r#"{"greeting":"hi"}"#).expect("an object")),
        grants: Grants {
            kv: true,
            ..Grants::default()
        },
        limits: Limits::default(),
        setup: Arc::default(),
    }
}

pub(super) fn turn(plugins: Vec<PluginBinding>) -> TurnRequest {
    TurnRequest {
        turn: TurnId::from_raw(1),
        tenant: TenantId::from_raw(2),
        now: Timestamp::from_millis(1_795_000_000_000),
        seed: [5; 32],
        about: Arc::new(About::Message(Box::new(hears("hello")))),
        conversation: conversation().into(),
        plugins,
        kv: Arc::new(MemoryKv::default()),
        http: Arc::new(NoHttp),
        shadow: false,
        reads: Arc::new(NoReads),
        bot_owns: true,
        contact_kinds: Arc::default(),
        weight: Weight::Light,
    }
}

/// A message of these words.
pub(super) fn hears(body: &str) -> MessageView {
    let body = body.to_owned();
    MessageView {
        id: EventId::from_raw(3),
        message: InboundContent::Text { body }.into(),
        sent_at: Timestamp::from_millis(1_794_999_999_000),
        token: message_token(TenantId::from_raw(2), "wamid.3"),
        raw: "{}".to_owned(),
    }
}

pub(super) fn conversation() -> ConversationView {
    ConversationView {
        id: ConversationId::from_raw(4),
        contact: ContactId::from_raw(5),
        display_name: Some("Ines".to_owned()),
        language: None,
        attributes: BTreeMap::new(),
        contact_attributes: BTreeMap::new(),
        tags: Default::default(),
        is_new: true,
    }
}

/// A store of values that a test fills.
pub(super) struct MemoryKv {
    pub(super) values: Mutex<BTreeMap<String, (Vec<u8>, i64)>>,
    pub(super) asked: Mutex<Vec<String>>,
    pub(super) broken: bool,
    /// Bytes in use in all.
    pub(super) used: Result<u64, KvUnavailable>,
}

impl Default for MemoryKv {
    fn default() -> Self {
        Self {
            values: Mutex::default(),
            asked: Mutex::default(),
            broken: false,
            used: Ok(0),
        }
    }
}

impl MemoryKv {
    pub(super) fn holding(key: &str, value: &[u8], version: i64) -> Self {
        let kv = Self::default();
        let values = [(key.to_owned(), (value.to_vec(), version))];
        *kv.values.lock().expect("not poisoned") = values.into();
        kv
    }
}

impl KvReader for MemoryKv {
    fn get<'a>(
        &'a self,
        _tenant: TenantId,
        _installation: InstallationId,
        key: &'a str,
    ) -> BoxFuture<'a, Result<Option<(Vec<u8>, i64)>, KvUnavailable>> {
        Box::pin(async move {
            self.asked
                .lock()
                .expect("not poisoned")
                .push(key.to_owned());
            if self.broken {
                return Err(KvUnavailable("broken".to_owned()));
            }
            Ok(self.values.lock().expect("not poisoned").get(key).cloned())
        })
    }

    fn list<'a>(
        &'a self,
        _tenant: TenantId,
        _installation: InstallationId,
        asked: &'a ListAsked,
    ) -> BoxFuture<'a, Result<Vec<String>, KvUnavailable>> {
        let values = self.values.lock().expect("not poisoned");
        let keys = values.keys();
        // As the store: without a prefix, of the tenant's space only.
        let foreign = |key: &str| asked.prefix.is_empty() && key.starts_with('\u{1}');
        let fits =
            |key: &&String| key.starts_with(&asked.prefix) && **key > asked.after && !foreign(key);
        let most = asked.most as usize;
        let keys = keys.filter(fits).take(most).cloned().collect();
        Box::pin(std::future::ready(Ok(keys)))
    }

    fn used(
        &self,
        _tenant: TenantId,
        _installation: InstallationId,
    ) -> BoxFuture<'_, Result<u64, KvUnavailable>> {
        Box::pin(std::future::ready(self.used.clone()))
    }
}
