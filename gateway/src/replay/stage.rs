//! Where recorded turns run again: the same plugins over the same input, or the candidate in one's place.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::judge::{Cost, Done, Verdict};
use super::read::Setup;
use super::recorded::{Left, Recorded, Said, faulted, fuel};
use crate::domain::{InstallationId, TenantId};
use crate::plugin_host::{
    About, ArtifactError, ArtifactId, ArtifactKey, CompileError, Compiler, ComponentDigest,
    ConfigError, ContactKinds, HostAnswers, HostConfig, HttpAnswer, HttpAsked, HttpRefused,
    HttpSender, InspectErrors, KvReader, KvUnavailable, LanguageAsked, Limits, ListAsked,
    LoadError, Manifest, MessageView, OccasionView, Overload, OwnershipView, PLUGINS_PER_TURN,
    PersonView, PluginBinding, PluginHost, Read, ReadSource, ReadUnavailable, Said as SaidBefore,
    SearchAsked, SettingsError, SetupUnreadable, StartError, StoredSetup, TemplateKey,
    TemplatePage, TemplateView, TurnReport, TurnRequest, Weight, WindowView, asks_for, inspect,
};
use crate::secrets::{Entropy, SystemEntropy};

/// Why nothing can be replayed.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    #[error("not a plugin")]
    Component(#[from] InspectErrors),
    #[error("the candidate is the plugin `{candidate}`, the installation is one of `{installed}`")]
    OtherPlugin {
        candidate: String,
        installed: String,
    },
    #[error("the candidate does not take the installation's settings")]
    Settings(#[from] SettingsError),
    #[error("the settings do not read")]
    Config(#[from] ConfigError),
    #[error("it does not compile")]
    Compile(#[from] CompileError),
    #[error("it does not load")]
    Load(#[from] LoadError),
    #[error("its machine code cannot be used")]
    Artifact(#[from] ArtifactError),
    #[error("the engine of plugins cannot be described: {0}")]
    Engine(String),
    #[error("the grants of the installation do not read")]
    Grants(#[source] serde_json::Error),
    #[error("the engine of plugins does not start")]
    Start(#[from] StartError),
    #[error("a turn was not run")]
    Host(#[from] Overload),
    #[error("a turn's seed does not read")]
    Seed,
}

impl From<SetupUnreadable> for StageError {
    fn from(error: SetupUnreadable) -> Self {
        match error {
            SetupUnreadable::Config(error) => Self::Config(error),
            SetupUnreadable::Grants(error) => Self::Grants(error),
        }
    }
}

/// An installation and the number of its version.
pub type PartKey = (InstallationId, i64);

/// Threads that run guests.
const THREADS_MOST: usize = 16;
/// Plugins alive on one of them. A replay's turns wait for nobody: this is two turns of the most plugins.
const STORES_PER_THREAD: usize = 2 * PLUGINS_PER_TURN;
/// Bytes that are mapped for a store whether or not it is used: its stack and its tables.
const STORE_BYTES: u64 = 2 << 20;
/// Bytes for everything else: turns as they are read (their text is `job`'s to bound), components, the report.
const ELSE_BYTES: u64 = 2 << 30;

fn threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.min(THREADS_MOST)
}

/// Bytes that a whole replay may write to, every guest as large as it may be. A guest must never meet this bound: it would do
/// something else than it did.
pub(super) fn memory(limits: &Limits) -> u64 {
    let memory = u64::try_from(limits.memory).unwrap_or(u64::MAX);
    // Light turns and heavy ones have stores of their own.
    let stores = 2 * (STORES_PER_THREAD * threads()) as u64;
    let guests = memory.saturating_add(STORE_BYTES).saturating_mul(stores);
    guests.saturating_add(ELSE_BYTES)
}

/// Makes uploads run in this process.
pub struct Workshop {
    pub host: Arc<PluginHost>,
    pub compiler: Compiler,
    /// What is compiled here is loaded here alone.
    pub key: ArtifactKey,
    /// The operator's.
    pub limits: Limits,
}

impl Workshop {
    /// On the cores of this process, some sixteen at most.
    pub fn open(compiler: Compiler, limits: Limits) -> Result<Self, StageError> {
        let config = HostConfig {
            stores_per_thread: STORES_PER_THREAD,
            ..HostConfig::new(threads(), tokio::runtime::Handle::current())
        };
        let mut secret = [0; 32];
        SystemEntropy
            .fill(&mut secret)
            .map_err(StageError::Engine)?;
        Ok(Self {
            host: PluginHost::start(config)?,
            compiler,
            key: ArtifactKey::new(secret),
            limits,
        })
    }

    /// What the installation runs, or ran.
    pub async fn original(
        &self,
        installation: InstallationId,
        setup: &Setup,
        wasm: &[u8],
    ) -> Result<PluginBinding, StageError> {
        let manifest = inspect(wasm)?.manifest;
        let stored = StoredSetup {
            digest: &setup.digest,
            config: &setup.config,
            grants: &setup.grants,
        };
        self.load(installation, &manifest, stored, wasm).await
    }

    /// The candidate in the installation's place: its settings, with what the candidate's schema adds, and those of its
    /// grants that the candidate asks for.
    pub async fn candidate(
        &self,
        installation: InstallationId,
        setup: &Setup,
        wasm: &[u8],
    ) -> Result<PluginBinding, StageError> {
        let manifest = inspect(wasm)?.manifest;
        if manifest.name != setup.plugin {
            return Err(StageError::OtherPlugin {
                candidate: manifest.name,
                installed: setup.plugin.clone(),
            });
        }
        let config = serde_json::from_str(&setup.config).map_err(ConfigError::NotAnObject)?;
        let config = self.compiler.check_settings(&manifest, config).await?;
        let mut grants: Vec<String> =
            serde_json::from_str(&setup.grants).map_err(StageError::Grants)?;
        grants.retain(|grant| asks_for(&manifest.grants, grant));
        let stored = StoredSetup {
            digest: &ComponentDigest::of(wasm).to_string(),
            config: &Value::Object(config).to_string(),
            grants: &json!(grants).to_string(),
        };
        self.load(installation, &manifest, stored, wasm).await
    }

    async fn load(
        &self,
        installation: InstallationId,
        manifest: &Manifest,
        stored: StoredSetup<'_>,
        wasm: &[u8],
    ) -> Result<PluginBinding, StageError> {
        let code = self.compiler.compile(wasm).await?;
        let id = ArtifactId::current(ComponentDigest::of(wasm))
            .map_err(|error| StageError::Engine(error.to_string()))?;
        let sealed = self.key.seal(&id, manifest, &code);
        let artifact = self.key.open(&id, sealed)?;
        let plugin = self.host.load(&artifact, manifest)?;
        Ok(PluginBinding::of(
            plugin,
            installation,
            stored,
            &self.limits,
        )?)
    }
}

/// All that turns need to run again.
pub struct Stage {
    pub host: Arc<PluginHost>,
    pub tenant: TenantId,
    pub contact_kinds: Arc<ContactKinds>,
    /// What ran.
    pub parts: HashMap<PartKey, PluginBinding>,
    pub candidate: PluginBinding,
}

impl Stage {
    /// Runs a turn with the candidate and, when it did not do what was done then, with what ran then: only what that does
    /// again is a difference of the candidate's.
    pub async fn judge(&self, recorded: &Recorded) -> Result<Verdict, StageError> {
        let mut plugins = recorded.seen.plugins.iter();
        if !plugins.all(|seen| self.parts.contains_key(&seen.key())) {
            return Ok(Verdict::Left(Left::PluginGone));
        }
        let of = self.candidate.installation;
        let (after, missed) = self.play(recorded, true).await?;
        let cost = Cost {
            fuel: (fuel(&recorded.calls, of), fuel(&after.calls, of)),
            faulted: (faulted(&recorded.calls, of), faulted(&after.calls, of)),
        };
        if missed {
            return Ok(Verdict::Unknown(cost));
        }
        if after.mark() == recorded.mark {
            return Ok(Verdict::Same(cost));
        }
        let (before, _) = self.play(recorded, false).await?;
        if before.mark() != recorded.mark {
            // A fault that what ran then has today too is none of the candidate's.
            let faulted_before = cost.faulted.0 || faulted(&before.calls, of);
            return Ok(Verdict::NotReproduced {
                setup: self.setup_changed(recorded),
                cost: Cost {
                    faulted: (faulted_before, cost.faulted.1),
                    ..cost
                },
            });
        }
        Ok(Verdict::Different {
            cost,
            before: Done::of(&before),
            after: Done::of(&after),
        })
    }

    fn setup_changed(&self, recorded: &Recorded) -> bool {
        let mut plugins = recorded.seen.plugins.iter();
        plugins.any(|seen| {
            let now = self.parts.get(&seen.key());
            now.is_none_or(|part| *part.setup != *seen.setup)
        })
    }

    /// Answers also whether memory was asked for what the journal does not know.
    async fn play(
        &self,
        recorded: &Recorded,
        candidate: bool,
    ) -> Result<(TurnReport, bool), StageError> {
        let kv = Arc::new(Memory {
            answers: recorded.host_answers.clone(),
            missed: AtomicBool::new(false),
        });
        let request = self.request(recorded, candidate, kv.clone())?;
        let report = self.host.run_turn(request).await?;
        Ok((report, kv.missed.load(Ordering::Relaxed)))
    }

    fn request(
        &self,
        recorded: &Recorded,
        candidate: bool,
        kv: Arc<Memory>,
    ) -> Result<TurnRequest, StageError> {
        let seed = hex::decode(&recorded.seed).map_err(|_| StageError::Seed)?;
        let of = self.candidate.installation;
        let plugins = recorded.seen.plugins.iter().filter_map(|seen| {
            match candidate && seen.installation == of {
                true => Some(self.candidate.clone()),
                false => self.parts.get(&seen.key()).cloned(),
            }
        });
        Ok(TurnRequest {
            turn: recorded.turn,
            tenant: self.tenant,
            now: recorded.at,
            seed: seed.try_into().map_err(|_| StageError::Seed)?,
            about: Arc::new(about(recorded)),
            conversation: Arc::new(recorded.seen.view(recorded.conversation, recorded.contact)),
            plugins: plugins.collect(),
            http: kv.clone(),
            reads: kv.clone(),
            kv,
            shadow: false,
            bot_owns: recorded.seen.bot,
            contact_kinds: self.contact_kinds.clone(),
            weight: Weight::Light,
        })
    }
}

fn about(recorded: &Recorded) -> About {
    match &recorded.said {
        Said::Message {
            message,
            token,
            raw,
        } => About::Message(Box::new(MessageView {
            id: recorded.event,
            message: (**message).clone(),
            sent_at: recorded.sent_at,
            token: token.clone(),
            raw: raw.clone(),
        })),
        Said::Occasion(occasion) => About::Occasion(OccasionView {
            occasion: occasion.clone(),
            at: recorded.sent_at,
        }),
    }
}

/// The journal in the place of the store and of everybody that plugins ask. It notes when it is asked for what it does not know.
struct Memory {
    answers: HostAnswers,
    missed: AtomicBool,
}

impl Memory {
    fn note(&self, known: bool) {
        self.missed.fetch_or(!known, Ordering::Relaxed);
    }

    fn known<T: Send + 'static>(&self, known: Option<Read<T>>) -> BoxFuture<'static, Read<T>> {
        self.note(known.is_some());
        let unknown = || Err(ReadUnavailable("not in the journal".to_owned()));
        Box::pin(std::future::ready(known.unwrap_or_else(unknown)))
    }
}

impl ReadSource for Memory {
    fn window(&self) -> BoxFuture<'_, Read<WindowView>> {
        self.known(self.answers.reads.window.clone())
    }

    fn person(&self) -> BoxFuture<'_, Read<PersonView>> {
        self.known(self.answers.reads.person.clone())
    }

    fn past(&self, most: u32) -> BoxFuture<'_, Read<Vec<SaidBefore>>> {
        let past = self.answers.reads.past.as_ref();
        self.known(past.and_then(|past| past.of(most)))
    }

    fn ownership(&self) -> BoxFuture<'_, Read<OwnershipView>> {
        self.known(self.answers.reads.ownership.clone())
    }

    fn templates<'a>(&'a self, asked: &'a SearchAsked) -> BoxFuture<'a, Read<TemplatePage>> {
        self.known(self.answers.reads.templates.search(asked))
    }

    fn template<'a>(&'a self, key: &'a TemplateKey) -> BoxFuture<'a, Read<Option<TemplateView>>> {
        self.known(self.answers.reads.templates.find(key))
    }

    fn template_language<'a>(
        &'a self,
        asked: &'a LanguageAsked,
    ) -> BoxFuture<'a, Read<Option<String>>> {
        self.known(self.answers.reads.templates.language(asked))
    }
}

/// What was not asked then is not asked now: the candidate is told so, and the difference is its own.
impl HttpSender for Memory {
    fn recall(&self, asked: &HttpAsked) -> Option<HttpAnswer> {
        let mut known = self.answers.http.iter();
        let known = known.find(|record| record.is_of(asked))?;
        Some(known.answer.clone())
    }

    fn send<'a>(&'a self, _: &'a HttpAsked) -> BoxFuture<'a, HttpAnswer> {
        let why = "a replay sends nothing, and this was not asked then".to_owned();
        Box::pin(std::future::ready(Err(HttpRefused::Unavailable(why))))
    }
}

impl KvReader for Memory {
    fn get<'a>(
        &'a self,
        tenant: TenantId,
        installation: InstallationId,
        key: &'a str,
    ) -> BoxFuture<'a, crate::plugin_host::KvAnswer> {
        let mut answers = self.answers.answers.iter();
        self.note(answers.any(|known| known.installation == installation && known.key == key));
        self.answers.get(tenant, installation, key)
    }

    fn list<'a>(
        &'a self,
        tenant: TenantId,
        installation: InstallationId,
        asked: &'a ListAsked,
    ) -> BoxFuture<'a, Result<Vec<String>, KvUnavailable>> {
        let mut lists = self.answers.lists.iter();
        self.note(lists.any(|known| known.installation == installation && known.asked == *asked));
        self.answers.list(tenant, installation, asked)
    }

    fn used(
        &self,
        tenant: TenantId,
        installation: InstallationId,
    ) -> BoxFuture<'_, Result<u64, KvUnavailable>> {
        self.answers.used(tenant, installation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin_host::{HttpRecord, HttpRequest, HttpResponse, Method};

    fn asked(ordinal: u32, mark: &str) -> HttpAsked {
        HttpAsked {
            tenant: TenantId::from_raw(1),
            installation: InstallationId::from_raw(2),
            ordinal,
            mark: mark.to_owned(),
            request: Arc::new(HttpRequest {
                method: Method::Get,
                url: "https://shop.example/".to_owned(),
                headers: Vec::new(),
                body: None,
                timeout: None,
            }),
        }
    }

    #[tokio::test]
    async fn the_journal_answers_what_was_asked_then_and_nothing_else() {
        let answer = Ok(HttpResponse {
            status: 404,
            headers: Vec::new(),
            body: b"none".to_vec(),
        });
        let record = HttpRecord {
            installation: InstallationId::from_raw(2),
            ordinal: 0,
            mark: "a".to_owned(),
            asked: "GET https://shop.example/".to_owned(),
            answer: answer.clone(),
        };
        let memory = Memory {
            answers: HostAnswers {
                http: vec![record],
                ..HostAnswers::default()
            },
            missed: AtomicBool::new(false),
        };
        assert_eq!(memory.recall(&asked(0, "a")), Some(answer));
        for other in [asked(0, "b"), asked(1, "a")] {
            assert_eq!(memory.recall(&other), None);
            let sent = memory.send(&other).await;
            assert!(matches!(sent, Err(HttpRefused::Unavailable(_))), "{sent:?}");
        }
        assert!(
            !memory.missed.load(Ordering::Relaxed),
            "the difference is the candidate's"
        );
    }
}
