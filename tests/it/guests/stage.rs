//! One guest in a host of its own: compiled in the limited child, loaded, and asked for one turn after another.

use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;
use vestibule::domain::{
    ContactId, ConversationId, EventId, InboundContent, InstallationId, Occasion, TenantId,
    Timestamp, TurnId,
};
use vestibule::plugin_host::{
    About, ArtifactId, ArtifactKey, CallOutcome, CompileLimits, Compiler, ComponentDigest,
    ConfigJson, ConversationView, Effect, FaultKind, Grants, HostConfig, KvReader, KvUnavailable,
    Limits, LoadError, MessageView, NoHttp, NoReads, OccasionView, PluginBinding, PluginHost,
    ReadSource, TurnReport, TurnRequest, Weight, inspect,
};

/// A host that runs one guest.
pub(crate) struct Stage {
    host: Arc<PluginHost>,
    binding: PluginBinding,
    reads: Arc<dyn ReadSource>,
    conversation: ConversationView,
}

impl Stage {
    pub(crate) async fn of(component: &[u8], config: Value) -> Self {
        let code = compiler().compile(component.to_vec()).await;
        let loaded = Self::with_code(component, &code.expect("compiles"), config);
        loaded.expect("a fitting component")
    }

    /// With the machine code that the component was compiled to.
    pub(crate) fn with_code(
        component: &[u8],
        code: &[u8],
        config: Value,
    ) -> Result<Self, LoadError> {
        let threads = HostConfig::new(1, tokio::runtime::Handle::current());
        let host = PluginHost::start(threads).expect("a host");
        let manifest = inspect(component).expect("a fitting upload").manifest;
        let id = ArtifactId::current(ComponentDigest::of(component)).expect("an engine");
        let key = ArtifactKey::new([7; 32]);
        let sealed = key.seal(&id, &manifest, code);
        let artifact = key.open(&id, sealed).expect("authentic");
        let binding = PluginBinding {
            plugin: host.load(&artifact, &manifest)?,
            installation: InstallationId::from_raw(11),
            config: Arc::new(ConfigJson::parse(&config.to_string()).expect("an object")),
            grants: Grants {
                kv: true,
                ..Grants::default()
            },
            limits: Limits::default(),
            setup: Arc::default(),
        };
        Ok(Self {
            host,
            binding,
            reads: Arc::new(NoReads),
            conversation: conversation(),
        })
    }

    /// With these grants, and what there is to read.
    pub(crate) fn reading(mut self, grants: &[&str], reads: Arc<dyn ReadSource>) -> Self {
        self.binding.grants = Grants::from_names(grants.iter().copied());
        self.reads = reads;
        self
    }

    /// In a conversation of which more is known.
    pub(crate) fn knowing(mut self, more: impl FnOnce(&mut ConversationView)) -> Self {
        more(&mut self.conversation);
        self
    }

    /// A turn about that text, with nothing in the plugin's memory.
    pub(crate) async fn hears(&self, text: &str) -> TurnReport {
        let body = text.to_owned();
        self.receives(InboundContent::Text { body }).await
    }

    /// A turn about a message of any kind.
    pub(crate) async fn receives(&self, content: InboundContent) -> TurnReport {
        self.is_told(message(content)).await
    }

    /// A turn about an occasion.
    pub(crate) async fn meets(&self, occasion: Occasion) -> TurnReport {
        let at = Timestamp::from_millis(1_794_999_999_900);
        self.is_told(About::Occasion(OccasionView { occasion, at }))
            .await
    }

    async fn is_told(&self, about: About) -> TurnReport {
        let report = self.host.run_turn(self.turn(about)).await;
        report.expect("room for one turn")
    }

    fn turn(&self, about: About) -> TurnRequest {
        TurnRequest {
            turn: TurnId::from_raw(1),
            tenant: TenantId::from_raw(2),
            now: Timestamp::from_millis(1_795_000_000_000),
            seed: [5; 32],
            about: Arc::new(about),
            conversation: self.conversation.clone().into(),
            plugins: vec![self.binding.clone()],
            kv: Arc::new(Nothing),
            http: Arc::new(NoHttp),
            shadow: false,
            reads: self.reads.clone(),
            bot_owns: true,
            contact_kinds: Arc::default(),
            weight: Weight::Light,
        }
    }
}

fn conversation() -> ConversationView {
    ConversationView {
        id: ConversationId::from_raw(4),
        contact: ContactId::from_raw(5),
        display_name: Some("Ines".to_owned()),
        language: None,
        attributes: BTreeMap::new(),
        contact_attributes: BTreeMap::new(),
        tags: Default::default(),
        is_new: false,
    }
}

fn message(content: InboundContent) -> About {
    About::Message(Box::new(MessageView {
        id: EventId::from_raw(3),
        message: content.into(),
        sent_at: Timestamp::from_millis(1_794_999_999_900),
        token: "msg_3".to_owned(),
        raw: "{}".to_owned(),
    }))
}

fn compiler() -> Compiler {
    compiler_within(CompileLimits::default())
}

pub(crate) fn compiler_within(limits: CompileLimits) -> Compiler {
    let exe = PathBuf::from(env!("CARGO_BIN_EXE_vestibule-under-test"));
    Compiler::new(exe, limits)
}

/// A store without values.
struct Nothing;

type Answer = Result<Option<(Vec<u8>, i64)>, KvUnavailable>;

impl KvReader for Nothing {
    fn get<'a>(
        &'a self,
        _: TenantId,
        _: InstallationId,
        _: &'a str,
    ) -> Pin<Box<dyn Future<Output = Answer> + Send + 'a>> {
        Box::pin(ready(Ok(None)))
    }
}

/// The effects, without whose they are.
pub(crate) fn effects(report: &TurnReport) -> Vec<&Effect> {
    report.effects.iter().map(|e| &e.effect).collect()
}

/// Bodies of the text replies.
pub(crate) fn texts(report: &TurnReport) -> Vec<String> {
    use vestibule::domain::OutboundContent;
    let text = |effect: &&Effect| match effect {
        Effect::Reply { content, .. } => match &**content {
            OutboundContent::Text { body, .. } => Some(body.clone()),
            _ => None,
        },
        _ => None,
    };
    effects(report).iter().filter_map(text).collect()
}

/// The fault of the last call, if it ended in one.
pub(crate) fn fault(report: &TurnReport) -> Option<FaultKind> {
    match &report.calls.last()?.outcome {
        CallOutcome::Fault(fault) => Some(fault.kind),
        _ => None,
    }
}
