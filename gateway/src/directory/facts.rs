//! Policy's facts, gathered: what the directory knows of a number, and what the database says of a conversation.

use super::{NumberEntry, TenantEntry};
use crate::domain::{OutboundContent, Timestamp};
use crate::policy::limits::{LimitFacts, QuietFact};
use crate::policy::{
    BacklogFact, ConsentState, Facts, LoopBrake, SpendFact, TemplateFact, TopicFact, WindowFacts,
};
use crate::storage::conversations::Conversation;

/// How long the bot's replies are counted for the loop brake.
const HOUR_MS: i64 = 3_600_000;

impl NumberEntry {
    /// The window of this conversation. The caller answers for `conversation` being current.
    pub fn window(&self, conversation: &Conversation) -> WindowFacts {
        WindowFacts {
            last_inbound_at: conversation.last_inbound_at,
            number_connected_at: self.number.connected_at,
            ingest_gap_until: self.ingest_gap_until,
            closed_by_meta_at: conversation.closed_by_meta_at,
        }
    }

    /// What is known of the template that content names.
    pub fn template(&self, content: &OutboundContent, now: Timestamp) -> TemplateFact {
        let number = &self.number;
        let templates = &self.templates;
        templates.fact(number.tenant, &number.waba_id, content, now)
    }

    /// Settles which language a template goes out in, where its send leaves that to us. `person`: the language that the
    /// conversation is held in.
    pub fn settle_language(&self, content: &mut OutboundContent, person: Option<&str>) {
        let OutboundContent::Template(template) = content else {
            return;
        };
        let (number, settings) = (&self.number, &self.tenant.settings);
        let default = settings
            .template_language(&template.name)
            .map(str::to_owned);
        let templates = &self.templates;
        let (tenant, account) = (number.tenant, number.waba_id.as_str());
        templates.settle(tenant, account, template, person, default.as_deref());
    }

    /// Facts for drafts to this conversation. The caller answers for `conversation` and `consent` being current.
    pub fn facts(
        &self,
        conversation: &Conversation,
        consent: ConsentState,
        backlog: BacklogFact,
        content: &OutboundContent,
        now: Timestamp,
    ) -> Facts {
        Facts {
            holds: self.holds.clone(),
            owner: conversation.owner.clone(),
            owner_version: conversation.owner_version,
            consent,
            blocked_at: conversation.blocked_at,
            basis: self.tenant.settings.consent_basis,
            topic: self.tenant.topic(content),
            window: self.window(conversation),
            template: self.template(content, now),
            backlog,
            spend: SpendFact::Unknown,
            brake: LoopBrake {
                bot_replies_last_hour: replies_this_hour(conversation, now),
                limit: self.tenant.settings.replies_per_hour,
            },
            limits: LimitFacts {
                quiet: self.quiet(conversation),
                ..LimitFacts::default()
            },
        }
    }
}

impl NumberEntry {
    /// The night of who the conversation is with. What is counted, the claim alone knows.
    pub(super) fn quiet(&self, conversation: &Conversation) -> QuietFact {
        let attributes = &conversation.contact_attributes;
        let recipient = || conversation.recipient();
        let zone = &self.number.time_zone;
        self.tenant.limits.quiet(attributes, recipient, zone)
    }
}

impl TenantEntry {
    /// What the gateway knows of the topic that a template names.
    pub fn topic(&self, content: &OutboundContent) -> TopicFact {
        let OutboundContent::Template(template) = content else {
            return TopicFact::None;
        };
        match &template.topic {
            None => TopicFact::None,
            Some(name) => self
                .topics
                .bit(name)
                .map_or(TopicFact::Unknown, TopicFact::Known),
        }
    }
}

/// The bot's replies in the hour that is counted; a new hour begins at the first reply after the old one ended.
pub fn replies_this_hour(conversation: &Conversation, now: Timestamp) -> i64 {
    if now.millis() - conversation.bot_hour_at.millis() < HOUR_MS {
        conversation.bot_hour_count
    } else {
        0
    }
}

/// Counts `replies` more, in a new hour if the old one is over.
pub fn count_replies(conversation: &mut Conversation, replies: i64, now: Timestamp) {
    if replies == 0 {
        return;
    }
    let before = replies_this_hour(conversation, now);
    if before == 0 {
        conversation.bot_hour_at = now;
    }
    conversation.bot_hour_count = before + replies;
}
