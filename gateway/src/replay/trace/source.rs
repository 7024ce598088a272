//! The lines of the source that a trap's frames stand at, beside the frames in a trace. Looked up now, of the component that
//! ran: the journal knows where in its bytes each frame stood.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::source;
use super::Result;
use crate::domain::TenantId;
use crate::plugin_host::Compiler;
use crate::tenants::{SetupContext, SetupError};

pub(super) struct Source<'a> {
    pub setup: &'a SetupContext,
    pub compiler: &'a Compiler,
    pub tenant: TenantId,
    /// The components that ran: by installation, and by version where it was on trial.
    pub digests: BTreeMap<(String, Option<i64>), String>,
}

impl Source<'_> {
    /// Adds `lines` to every fault of a call that can have some: a list for each frame. Where they cannot be had,
    /// `lines_missing` says why.
    pub async fn tell(&self, journal: &mut Value) -> Result<()> {
        if let Some(calls) = journal.pointer_mut("/report/calls") {
            self.tell_calls(calls, None).await?;
        }
        let trials = journal.get_mut("trials").and_then(Value::as_array_mut);
        for trial in trials.into_iter().flatten() {
            let version = trial["seq"].as_i64();
            self.tell_calls(&mut trial["calls"], version).await?;
        }
        Ok(())
    }

    async fn tell_calls(&self, calls: &mut Value, version: Option<i64>) -> Result<()> {
        for call in calls.as_array_mut().into_iter().flatten() {
            let installation = call["installation"].as_str().unwrap_or_default();
            let ran = (installation.to_owned(), version);
            let digest = self.digests.get(&ran).cloned();
            let fault = call.pointer_mut("/outcome/fault");
            if let (Some(digest), Some(fault)) = (digest, fault) {
                self.tell_fault(&digest, fault).await?;
            }
        }
        Ok(())
    }

    async fn tell_fault(&self, digest: &str, fault: &mut Value) -> Result<()> {
        let offsets = fault["offsets"].as_array();
        let offsets: Vec<u64> = (offsets.into_iter().flatten())
            .map(|offset| offset.as_u64().unwrap_or(0))
            .collect();
        if offsets.is_empty() {
            return Ok(());
        }
        let mut tx = self.setup.db.read().await?;
        let wasm = source::component(&mut tx, self.tenant, digest).await;
        drop(tx);
        let lines = match wasm {
            Ok(Some(wasm)) => {
                let lines = self.compiler.source_lines(&wasm, &offsets).await;
                lines.map_err(|error| error.to_string())
            }
            Ok(None) => Err("the component is not kept any more".to_owned()),
            Err(SetupError::State(altered)) => Err(altered),
            Err(error) => return Err(error),
        };
        match lines {
            Ok(lines) => fault["lines"] = json!(lines),
            Err(why) => fault["lines_missing"] = json!(why),
        }
        Ok(())
    }
}
