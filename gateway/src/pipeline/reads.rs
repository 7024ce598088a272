//! What a turn's plugins may read beside its message, out of the database: asked when a plugin asks, by the turn's own
//! places only.
//!
//! Nothing is judged here: the window is policy's reading of the facts that decide on drafts, consent that of the row
//! that the turn began with.

mod said;
mod templates;

use std::future::ready;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::OnceCell;

use self::templates::TurnTemplates;
use super::turn::TurnInput;
use crate::domain::{
    ContactId, ConversationId, DraftClass, EventId, OutboundContent, Owner, TenantId, Timestamp,
};
use crate::plugin_host::{
    HISTORY_ENTRIES, LanguageAsked, NoReads, OwnershipView, PersonView, PluginBinding, PriceNow,
    Read, ReadSource, ReadUnavailable, Said, SearchAsked, TemplateKey, TemplatePage, TemplateView,
    WindowNow, WindowView,
};
use crate::policy::{BacklogFact, Facts, WindowFacts, WindowPrice, WindowState, stopped_by};
use crate::storage::{Db, Result, contacts, entry_points, history, outbox};

/// What these plugins may read. A turn of none that may costs nothing.
pub(super) fn of_turn(
    db: &Db,
    input: &TurnInput,
    now: Timestamp,
    plugins: &[PluginBinding],
) -> Arc<dyn ReadSource> {
    match plugins.iter().any(|plugin| plugin.grants.reads()) {
        true => Arc::new(TurnFacts::of(db, input, now)),
        false => Arc::new(NoReads),
    }
}

/// One turn's places, and what of them is known already.
struct TurnFacts {
    db: Db,
    tenant: TenantId,
    conversation: ConversationId,
    contact: ContactId,
    event: EventId,
    seq: i64,
    last_entry: i64,
    owner: Owner,
    window: WindowFacts,
    /// What consent does not cover, of what names no topic.
    refused: Vec<(DraftClass, String)>,
    now: Timestamp,
    templates: TurnTemplates,
    /// As much of it as may be given, so that whoever asks for more is told the same again.
    past: OnceCell<Read<Vec<Said>>>,
}

impl TurnFacts {
    fn of(db: &Db, input: &TurnInput, now: Timestamp) -> Self {
        let (event, conversation) = (&input.event, &input.conversation);
        let words = OutboundContent::Text {
            body: String::new(),
            preview_url: false,
        };
        let backlog = BacklogFact::default();
        let facts = input
            .entry
            .facts(conversation, input.consent, backlog, &words, now);
        Self {
            db: db.clone(),
            tenant: event.tenant,
            conversation: conversation.id,
            contact: conversation.contact,
            event: event.id,
            seq: event.seq,
            last_entry: conversation.last_entry,
            owner: conversation.owner.clone(),
            window: facts.window,
            refused: refused(&facts),
            templates: TurnTemplates::of(&input.entry, now),
            now,
            past: OnceCell::new(),
        }
    }

    async fn read_window(&self) -> Result<WindowView> {
        let mut tx = self.db.glance().await?;
        let asked = [self.conversation];
        let points = entry_points::of_conversations(&mut tx, self.tenant, &asked).await?;
        let free_until = points.get(&self.conversation).and_then(|p| p.free_until);
        Ok(WindowView {
            window: window(self.window.state(self.now)),
            price: price(self.window.price(free_until, self.now)),
        })
    }

    async fn read_person(&self) -> Result<PersonView> {
        let mut tx = self.db.glance().await?;
        let row = contacts::find(&mut tx, self.tenant, self.contact).await?;
        let key = row.map(|row| row.external_id);
        Ok(PersonView {
            external_key: key.filter(|key| !key.is_empty()),
            refused: self.refused.clone(),
        })
    }

    async fn read_ownership(&self) -> Result<OwnershipView> {
        let mut tx = self.db.glance().await?;
        let since = entry_points::owned_since(&mut tx, self.tenant, self.conversation).await?;
        Ok(OwnershipView {
            owner: self.owner.clone(),
            since,
        })
    }

    async fn read_past(&self) -> Result<Vec<Said>> {
        let mut tx = self.db.glance().await?;
        let (ids, _) = history::walk(&mut tx, self.tenant, self.last_entry, LOOKED_AT).await?;
        let heard = history::inbound(&mut tx, self.tenant, &ids).await?;
        let sent = outbox::by_ids(&mut tx, self.tenant, &ids).await?;
        // Of messages that wait for their own turn this one knows nothing.
        let before = |row: &history::InboundEntry| row.id != self.event && row.seq <= self.seq;
        let heard = heard.into_iter().filter(before).collect();
        Ok(said::newest_first(self.tenant, &ids, heard, sent))
    }
}

/// Entries of a history that are looked at: some of them are no words (ticks, receipts' turns, changes of owner). A
/// guess: more than half of a history that is none is a plugin that does nothing but act.
const LOOKED_AT: usize = 2 * HISTORY_ENTRIES as usize;

impl ReadSource for TurnFacts {
    fn window(&self) -> BoxFuture<'_, Read<WindowView>> {
        self.read_window().map(told).boxed()
    }

    fn person(&self) -> BoxFuture<'_, Read<PersonView>> {
        self.read_person().map(told).boxed()
    }

    fn past(&self, most: u32) -> BoxFuture<'_, Read<Vec<Said>>> {
        async move {
            let all = self.past.get_or_init(|| self.read_past().map(told)).await;
            let mut said = all.clone()?;
            said.truncate(most as usize);
            Ok(said)
        }
        .boxed()
    }

    fn ownership(&self) -> BoxFuture<'_, Read<OwnershipView>> {
        self.read_ownership().map(told).boxed()
    }

    fn templates<'a>(&'a self, asked: &'a SearchAsked) -> BoxFuture<'a, Read<TemplatePage>> {
        ready(self.templates.search(asked)).boxed()
    }

    fn template<'a>(&'a self, key: &'a TemplateKey) -> BoxFuture<'a, Read<Option<TemplateView>>> {
        ready(self.templates.find(key)).boxed()
    }

    fn template_language<'a>(
        &'a self,
        asked: &'a LanguageAsked,
    ) -> BoxFuture<'a, Read<Option<String>>> {
        ready(self.templates.language(asked)).boxed()
    }
}

fn told<T>(found: Result<T>) -> Read<T> {
    found.map_err(|error| {
        tracing::warn!(%error, "a turn's plugins could not be told what they asked for");
        ReadUnavailable("the database did not answer".to_owned())
    })
}

fn refused(facts: &Facts) -> Vec<(DraftClass, String)> {
    use DraftClass::{Authentication, Marketing, Reply, Utility};
    let classes = [Reply, Utility, Marketing, Authentication].into_iter();
    let why = |class| Some((class, stopped_by(facts, class)?.code().to_owned()));
    classes.filter_map(why).collect()
}

fn window(state: WindowState) -> WindowNow {
    match state {
        WindowState::Open { until } => WindowNow::Open { until },
        WindowState::Closed => WindowNow::Closed,
        WindowState::Unknown => WindowNow::Unknown,
    }
}

fn price(class: WindowPrice) -> PriceNow {
    match class {
        WindowPrice::FreeEntryPoint { until } => PriceNow::FreeEntryPoint { until },
        WindowPrice::Service => PriceNow::Service,
        WindowPrice::ByCategory => PriceNow::ByCategory,
        WindowPrice::Unknown => PriceNow::Unknown,
    }
}
