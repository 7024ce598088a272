//! An upload: looked at, compiled and loaded for a trial in limited child processes, then kept. Nothing runs by it.

use bytes::Bytes;
use serde_json::{Map, json};

use super::super::plugin_keys::{self, Signature};
use super::super::{Result, SetupContext, SetupError, keep_tenant};
use super::{engine_name, read_manifest};
use crate::audit::OPERATOR;
use crate::domain::TenantId;
use crate::plugin_host::{
    ArtifactId, ArtifactKey, CompileError, CompileTurn, Compiler, ComponentDigest, InspectError,
    InspectErrors, Inspection, Manifest, SettingsError, TrialError, inspect, try_to_load,
};
use crate::storage::components::{self, Component};
use crate::storage::{compile_work, plugin_trust, tenants};
use crate::sync::blocking;

/// An upload that is kept.
#[derive(Debug, Clone)]
pub struct Uploaded {
    pub component: Component,
    pub manifest: Manifest,
}

/// Bytes that are to be kept.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// A tenant's, or the operator's for all tenants.
    pub realm: TenantId,
    pub wasm: Bytes,
    pub signature: Option<Signature>,
    pub authorship: Authorship,
}

/// What is said of the tenant that wrote an upload, which sees how all of its installations do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authorship {
    /// What was said stays; of a new upload nobody is named.
    #[default]
    Unsaid,
    Nobody,
    Of(TenantId),
}

impl Authorship {
    /// Who is named from now on, if anything is said of it.
    fn said(self) -> Option<Option<TenantId>> {
        match self {
            Self::Unsaid => None,
            Self::Nobody => Some(None),
            Self::Of(author) => Some(Some(author)),
        }
    }
}

/// Takes an upload in.
///
/// What is wrong with it is told all at once. Compiling may take long and holds no transaction, and waits for the tenant's
/// turn; the same bytes again are answered from what is kept.
pub async fn upload(
    setup: &SetupContext,
    compiler: &Compiler,
    new: &NewUpload,
) -> Result<Uploaded> {
    check_authorship(setup, new).await?;
    let looked = look(setup, compiler, &new.wasm, new.signature.as_ref()).await?;
    take_in(setup, compiler, new, looked).await
}

/// Only who gives an upload to everybody has installations of others to show, and only a tenant can look at them.
async fn check_authorship(setup: &SetupContext, new: &NewUpload) -> Result<()> {
    const AUTHOR: &str = "the author";
    if new.authorship != Authorship::Unsaid && new.realm != OPERATOR {
        return Err(SetupError::invalid(
            AUTHOR,
            "is named by the operator, of an upload for every tenant",
        ));
    }
    if let Authorship::Of(author) = new.authorship {
        let mut tx = setup.db.read().await?;
        if tenants::tenant(&mut tx, author).await?.is_none() {
            return Err(SetupError::invalid(AUTHOR, "must be a tenant"));
        }
    }
    Ok(())
}

/// What is seen of an upload before it is compiled.
#[derive(Debug)]
pub(super) struct Looked {
    digest: ComponentDigest,
    /// None where it does not read: then there are problems.
    pub manifest: Option<Manifest>,
    /// The name of a key, or none.
    signed_by: String,
    problems: Vec<String>,
}

impl Looked {
    /// Is there nothing wrong with it so far?
    pub(super) fn verdict(&self) -> Result<()> {
        match self.problems.is_empty() {
            true => Ok(()),
            false => Err(SetupError::Upload(self.problems.clone())),
        }
    }
}

/// Finds everything that is wrong with an upload without compiling it.
pub(super) async fn look(
    setup: &SetupContext,
    compiler: &Compiler,
    wasm: &Bytes,
    signature: Option<&Signature>,
) -> Result<Looked> {
    let (bytes, beside) = (wasm.clone(), signature.cloned());
    let look = blocking(move || Look::at(&bytes, beside)).await;
    let mut problems = Vec::new();
    let signed = look.signed.unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    let signed_by = signed.as_ref().map(|(signature, _)| signature.key.clone());
    problems.extend(not_believed(setup, &look.digest, signed).await?);
    let manifest = match look.inspected {
        Ok(inspection) => Some(inspection.manifest),
        Err(found) => {
            problems.extend(found.problems.iter().map(InspectError::to_string));
            found.manifest.map(|manifest| *manifest)
        }
    };
    if let Some(manifest) = &manifest {
        problems.extend(schema_problems(compiler, manifest).await?);
    }
    Ok(Looked {
        digest: look.digest,
        manifest,
        signed_by: signed_by.unwrap_or_default(),
        problems,
    })
}

/// Compiles and keeps what was looked at. Compiling is what an upload costs: not for one that is refused anyway.
pub(super) async fn take_in(
    setup: &SetupContext,
    compiler: &Compiler,
    new: &NewUpload,
    looked: Looked,
) -> Result<Uploaded> {
    looked.verdict()?;
    let (realm, wasm) = (new.realm, &new.wasm);
    let (digest, signed_by) = (looked.digest, looked.signed_by);
    let manifest = looked
        .manifest
        .ok_or_else(|| SetupError::Upload(Vec::new()))?;
    let id = ArtifactId::current(digest).map_err(|error| SetupError::Engine(error.to_string()))?;
    let component = Component {
        upload: setup.next_id(),
        tenant: realm,
        digest: id.component.to_string(),
        manifest: json!(manifest).to_string(),
        bytes: i64::try_from(wasm.len()).unwrap_or(i64::MAX),
        uploaded_by: setup.by.label(),
        signed_by,
        author: None,
        created_at: setup.clock.now(),
    };
    // Held until it is kept, so that the next of the tenant's finds it.
    let turn = match kept(setup, realm, &id).await? {
        Kept::Compiled => None,
        Kept::Source | Kept::Nothing => Some(compiler.turn_of(realm).await),
    };
    let sealed = match &turn {
        Some(turn) => seal(setup, turn, realm, &id, wasm, &manifest).await?,
        None => None,
    };
    let component = keep(setup, new, &component, sealed.as_deref(), &id).await?;
    drop(turn);
    Ok(Uploaded {
        component,
        manifest,
    })
}

/// What its bytes alone say of an upload.
struct Look {
    digest: ComponentDigest,
    /// By whom, and which bytes of it.
    signed: Result<Option<(Signature, Bytes)>, String>,
    inspected: Result<Inspection, InspectErrors>,
}

impl Look {
    /// Reads megabytes: not for a thread that serves others.
    fn at(wasm: &Bytes, beside: Option<Signature>) -> Self {
        Self {
            digest: ComponentDigest::of(wasm),
            // Who gives one beside it has signed all of its bytes.
            signed: match beside {
                Some(signature) => Ok(Some((signature, wasm.clone()))),
                None => plugin_keys::carried(wasm),
            },
            inspected: inspect(wasm),
        }
    }
}

/// Uploads that stand in no installation have an end: each takes its bytes and as much again of machine code.
async fn check_room(setup: &SetupContext, realm: TenantId) -> Result<()> {
    let most = setup.uploads_per_tenant;
    let mut tx = setup.db.read().await?;
    if realm == OPERATOR || components::count_unused(&mut tx, realm).await? < i64::from(most) {
        return Ok(());
    }
    Err(SetupError::state(format!(
        "the tenant has {most} uploads that stand in no installation, which is as many as are kept \
         (plugins.uploads_per_tenant): install what is needed; the others go when they are as old as retention.uploads says"
    )))
}

/// Answers it as it is kept: of bytes that were there before, who uploaded them first, and what was said of their author.
async fn keep(
    setup: &SetupContext,
    new: &NewUpload,
    component: &Component,
    sealed: Option<&[u8]>,
    id: &ArtifactId,
) -> Result<Component> {
    let realm = new.realm;
    let mut tx = setup.db.begin().await?;
    if let Authorship::Of(author) = new.authorship {
        keep_tenant(&mut tx, author).await?;
    }
    let is_new = components::insert_component(&mut tx, realm, component, &new.wasm).await?;
    let digest = &component.digest;
    let mut became = json!({"bytes": component.bytes, "signed_by": component.signed_by});
    if let Some(author) = new.authorship.said() {
        components::set_author_all_tenants(&mut tx, digest, author).await?;
        became["author"] = json!(author);
    }
    let engine = engine_name(id);
    if let Some(sealed) = sealed {
        let now = component.created_at;
        components::put_artifact(&mut tx, realm, digest, &engine, sealed, now).await?;
    }
    if is_new || sealed.is_some() {
        // Why others have no artifact of these bytes may be that they were altered.
        compile_work::forget_problem_all_tenants(&mut tx, digest, &engine).await?;
    }
    setup
        .record(&mut tx, realm, "plugin.upload", digest, None, Some(became))
        .await?;
    // Read within the change: where it waits for its answer, nothing that comes after sees it.
    let kept = components::component(&mut tx, realm, digest).await?;
    let kept = kept.ok_or_else(|| SetupError::not_found("digest", digest))?;
    setup.commit(tx).await?;
    Ok(kept)
}

/// Why nobody believes it, whatever it consists of.
async fn not_believed(
    setup: &SetupContext,
    digest: &ComponentDigest,
    signed: Option<(Signature, Bytes)>,
) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut tx = setup.db.read().await?;
    if let Some(stop) = plugin_trust::stop_of_all_tenants(&mut tx, &digest.to_string()).await? {
        problems.push(format!("the operator has stopped it: {}", stop.reason));
    }
    match signed {
        Some((signature, bytes)) => {
            let keys = plugin_trust::keys_all_tenants(&mut tx).await?;
            drop(tx);
            let wrong = move || plugin_keys::problem_with(&keys, &signature, &bytes);
            problems.extend(blocking(wrong).await);
        }
        None if setup.require_signature => {
            problems
                .push("it is not signed, and this gateway takes signed uploads only".to_owned());
        }
        None => {}
    }
    Ok(problems)
}

/// A schema that is none would refuse every installation.
async fn schema_problems(compiler: &Compiler, manifest: &Manifest) -> Result<Vec<String>> {
    match compiler.check_settings(manifest, Map::new()).await {
        Err(error @ SettingsError::Schema(_)) => Ok(vec![error.to_string()]),
        Err(error) if !error.is_refusal() => Err(error.into()),
        // Settings that it demands are given when it is installed.
        Ok(_) | Err(_) => Ok(Vec::new()),
    }
}

/// What the realm itself has of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Nothing,
    /// Its bytes, and nothing that was compiled of them for this engine.
    Source,
    Compiled,
}

async fn kept(setup: &SetupContext, realm: TenantId, id: &ArtifactId) -> Result<Kept> {
    let mut tx = setup.db.read().await?;
    let digest = id.component.to_string();
    let kept = components::component(&mut tx, realm, &digest).await?;
    if kept.is_none_or(|kept| kept.tenant != realm) {
        return Ok(Kept::Nothing);
    }
    let is_compiled = components::has_artifact(&mut tx, realm, &digest, &engine_name(id)).await?;
    Ok(match is_compiled {
        true => Kept::Compiled,
        false => Kept::Source,
    })
}

/// Its machine code; none when another request has brought it meanwhile.
async fn seal(
    setup: &SetupContext,
    turn: &CompileTurn<'_>,
    realm: TenantId,
    id: &ArtifactId,
    wasm: &[u8],
    manifest: &Manifest,
) -> Result<Option<Bytes>> {
    match kept(setup, realm, id).await? {
        Kept::Compiled => return Ok(None),
        Kept::Source => {}
        Kept::Nothing => check_room(setup, realm).await?,
    }
    let machine_code = turn.compile(wasm).await.map_err(refused)?;
    sealed(setup, id, machine_code, manifest).await.map(Some)
}

/// Seals machine code that is good for what it is meant for, with what the same bytes say of themselves: up to 128 MiB, so not
/// on a thread that serves others.
pub(super) async fn sealed(
    setup: &SetupContext,
    id: &ArtifactId,
    machine_code: Vec<u8>,
    manifest: &Manifest,
) -> Result<Bytes> {
    let key = ArtifactKey::new(*setup.keyring.artifact_mac_key());
    let (id, manifest) = (id.clone(), manifest.clone());
    blocking(move || {
        let sealed = Bytes::from(key.seal(&id, &manifest, &machine_code));
        drop(machine_code);
        try_out(&key, &id, &sealed, &manifest)?;
        Ok(sealed)
    })
    .await
}

fn refused(error: CompileError) -> SetupError {
    match SetupError::Compile(error) {
        error if error.is_refusal() => SetupError::Upload(vec![error.to_string()]),
        error => error,
    }
}

/// Opens what would be stored and loads it as a node will: what cannot run must not come into service.
fn try_out(key: &ArtifactKey, id: &ArtifactId, sealed: &Bytes, manifest: &Manifest) -> Result<()> {
    let artifact = key
        .open(id, sealed.clone())
        .map_err(|error| SetupError::Engine(error.to_string()))?;
    // A node reads it again.
    let read = artifact.manifest();
    read.map_err(|error| SetupError::Upload(vec![error.to_string()]))?;
    try_to_load(&artifact, manifest).map_err(|error| match error {
        TrialError::Load(error) => {
            let why = with_causes(&error);
            SetupError::Upload(vec![format!(
                "the component does not fit this gateway: {why}"
            )])
        }
        error @ TrialError::Engine(_) => SetupError::Engine(with_causes(&error)),
    })
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// An upload that a tenant may install, or that the operator gave to all.
pub async fn find(setup: &SetupContext, realm: TenantId, digest: &str) -> Result<Uploaded> {
    let mut tx = setup.db.read().await?;
    let found = components::component(&mut tx, realm, digest).await?;
    found.map_or_else(|| Err(SetupError::not_found("digest", digest)), read)
}

/// Uploads that a tenant may install, oldest first.
pub async fn page(
    setup: &SetupContext,
    realm: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<Uploaded>> {
    let mut tx = setup.db.read().await?;
    let rows = components::components_of(&mut tx, realm, after, most).await?;
    rows.into_iter().map(read).collect()
}

fn read(component: Component) -> Result<Uploaded> {
    let manifest = read_manifest(&component.manifest)?;
    Ok(Uploaded {
        component,
        manifest,
    })
}
