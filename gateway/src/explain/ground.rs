//! How things stand between a person and a number: what policy would decide by now.

use super::chain::{Again, at};
use super::{Result, Teller};
use crate::directory::NumberEntry;
use crate::domain::outbound::TemplateContent;
use crate::domain::{
    ContactId, ConversationId, Draft, DraftClass, NumberId, OutboundContent, OutboxId, Phone,
    Recipient, Sender, Timestamp,
};
use crate::policy::{
    BacklogFact, ConsentState, Decision, Facts, Reason, Rule, Ruling, TemplateFact, WindowState,
    decide, recheck,
};
use crate::storage::conversations::{self, Conversation};
use crate::storage::{people, raw};

/// What a decision is made from, as it is now.
pub(super) struct Ground {
    entry: NumberEntry,
    pub conversation: Conversation,
    pub consent: ConsentState,
    backlog: BacklogFact,
}

impl Ground {
    /// `None`: the number is gone, and nothing is sent from it any more.
    pub(super) async fn load(
        teller: &mut Teller,
        number: NumberId,
        conversation: Option<ConversationId>,
        contact: ContactId,
    ) -> Result<Option<Self>> {
        let (tenant, now) = (teller.tenant, teller.now);
        let tx = &mut teller.tx;
        let Some(entry) = NumberEntry::read(&teller.db, tx, tenant, number, now).await? else {
            return Ok(None);
        };
        let ids: Vec<ConversationId> = conversation.into_iter().collect();
        let rows = conversations::load_all_tenants(tx, &ids).await?;
        let row = rows.into_iter().find(|row| row.tenant == tenant);
        let consent = people::read_consent_all_tenants(tx, &[contact]).await?;
        let oldest = raw::oldest_unattached_of_all_tenants(tx, number).await?;
        Ok(Some(Self {
            conversation: row.unwrap_or_else(|| {
                let none = ConversationId::from_raw(0);
                Conversation::begun(none, tenant, number, contact)
            }),
            consent: consent.of(contact).map(|row| row.state).unwrap_or_default(),
            entry,
            backlog: BacklogFact {
                oldest_unsplit_raw_at: oldest,
            },
        }))
    }

    pub(super) fn entry(&self) -> &NumberEntry {
        &self.entry
    }

    /// The window as it is.
    pub(super) fn window(&self, now: Timestamp) -> WindowState {
        self.facts(&text(), now).window.state(now)
    }

    /// Facts for this content.
    pub(super) fn facts(&self, content: &OutboundContent, now: Timestamp) -> Facts {
        let (conversation, backlog) = (&self.conversation, self.backlog);
        self.entry
            .facts(conversation, self.consent, backlog, content, now)
    }

    /// What would be decided about a draft that is there, by the second gate.
    pub(super) fn claims(&self, draft: &Draft, now: Timestamp) -> (Decision, Facts) {
        let facts = self.facts(&draft.content, now);
        (recheck(&facts, draft, now), facts)
    }

    /// What would be decided about something like a draft that was refused. Its content is not kept: something that fits
    /// stands in for it, so nothing is said where the content was what was wrong. Of a template its state is known today.
    pub(super) fn again(&self, ruling: &Ruling, now: Timestamp) -> Option<Again> {
        let reason = Reason::from_code(&ruling.reason)?;
        let class = match reason {
            // Meta may call it marketing, whatever its sender does.
            Reason::OptedOutMarketing | Reason::MetaMarketingStopped => DraftClass::Marketing,
            _ => ruling.class,
        };
        let judged = match reason.rule() {
            Rule::Content => false,
            Rule::Template => is_of_state(reason),
            _ => true,
        };
        let (sender, template) = (ruling.sender.clone(), ruling.template.clone());
        judged.then(|| self.decided(class, sender, template, now, |facts| facts))
    }

    /// The decision about something of that kind. A template stands for one that Meta takes.
    pub(super) fn probe(
        &self,
        class: DraftClass,
        sender: Sender,
        template: Option<(String, String)>,
        now: Timestamp,
    ) -> Again {
        let any = |facts: Facts| match facts.template {
            TemplateFact::NotATemplate => facts,
            _ => Facts {
                template: TemplateFact::Unknown,
                ..facts
            },
        };
        self.decided(class, sender, template, now, any)
    }

    fn decided(
        &self,
        class: DraftClass,
        sender: Sender,
        template: Option<(String, String)>,
        now: Timestamp,
        with: impl Fn(Facts) -> Facts,
    ) -> Again {
        let content = match template {
            Some((name, language)) => {
                OutboundContent::Template(Box::new(TemplateContent::new(name, language)))
            }
            None => text(),
        };
        let draft = self.draft(content, class, sender, now);
        let facts = with(self.facts(&draft.content, now));
        told(&decide(&facts, &draft, now))
    }

    fn draft(
        &self,
        content: OutboundContent,
        class: DraftClass,
        sender: Sender,
        now: Timestamp,
    ) -> Draft {
        let row = &self.conversation;
        Draft {
            id: OutboxId::from_raw(0),
            tenant: row.tenant,
            number: row.number,
            conversation: row.id,
            contact: row.contact,
            recipient: row.recipient().unwrap_or_else(nobody),
            content,
            reply_to: None,
            class,
            sender,
            owner_version: row.owner_version,
            created_at: now,
        }
    }
}

/// Is it the template's state that was wrong, not what the send made of it?
fn is_of_state(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::TemplateNotApproved
            | Reason::TemplateInReview
            | Reason::TemplateRejected
            | Reason::TemplatePaused
            | Reason::TemplateDisabled
            | Reason::TemplateLocked
            | Reason::TemplateDeleted
    )
}

/// Free-form content with nothing wrong with it.
fn text() -> OutboundContent {
    OutboundContent::Text {
        body: "…".to_owned(),
        preview_url: false,
    }
}

/// No rule looks at the digits but the one about addresses, which are asked for in India only.
fn nobody() -> Recipient {
    Recipient::Phone(Phone::parse("10000000000").expect("digits"))
}

pub(super) fn told(decision: &Decision) -> Again {
    let (word, reason, from) = match decision {
        Decision::Cleared(_) => ("cleared", None, None),
        Decision::Refused(refusal) => ("refused", Some(refusal.reason), refusal.from),
        Decision::Deferred { until, reason } => ("deferred", Some(*reason), Some(*until)),
    };
    Again {
        decision: word.to_owned(),
        reason: reason.map(|reason| reason.code().to_owned()),
        from: from.and_then(at),
    }
}
