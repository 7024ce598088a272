//! What the tests of the rules share: an afternoon on which everything is allowed, and drafts to spoil it with.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::outbound::TemplateContent;
use crate::domain::template::{TemplateCategory, TemplateShape, TemplateStatus};
use crate::domain::{
    ContactId, ConversationId, Draft, DraftClass, InstallationId, NumberId, OutboundContent,
    OutboxId, Owner, Phone, Recipient, Sender, TenantId, Timestamp,
};

use super::{
    BacklogFact, ConsentBasis, ConsentState, Decision, Facts, KnownTemplate, LoopBrake, SpendFact,
    TemplateFact, TopicFact, WindowFacts,
};

pub fn now() -> Timestamp {
    Timestamp::from_millis(1_795_000_000_750)
}

/// An open window, the bot as owner, nothing said and nothing held.
pub fn facts() -> Facts {
    Facts {
        holds: vec![],
        owner: Owner::Bot,
        owner_version: 4,
        consent: ConsentState::default(),
        blocked_at: None,
        basis: ConsentBasis::Attested,
        topic: TopicFact::None,
        window: WindowFacts {
            last_inbound_at: Some(Timestamp::from_secs(1_795_000_000 - 60)),
            number_connected_at: now().minus(Duration::from_secs(90 * 86_400)),
            ingest_gap_until: None,
            closed_by_meta_at: None,
        },
        template: TemplateFact::Unknown,
        backlog: BacklogFact::default(),
        spend: SpendFact::Unknown,
        brake: LoopBrake::default(),
        limits: super::limits::LimitFacts::default(),
    }
}

pub fn plugin_reply(body: &str) -> Draft {
    Draft {
        id: OutboxId::from_raw(1),
        tenant: TenantId::from_raw(2),
        number: NumberId::from_raw(3),
        conversation: ConversationId::from_raw(4),
        contact: ContactId::from_raw(5),
        recipient: Recipient::Phone(Phone::parse("447700900123").expect("a phone")),
        content: OutboundContent::Text {
            body: body.into(),
            preview_url: false,
        },
        reply_to: None,
        class: DraftClass::Reply,
        sender: Sender::Plugin {
            installation: InstallationId::from_raw(6),
            name: "menu".into(),
            version: "1.0.0".into(),
            farewell: false,
        },
        owner_version: 4,
        created_at: now(),
    }
}

/// A utility template from an API client.
pub fn template(name: &str, language: &str) -> Draft {
    Draft {
        content: OutboundContent::Template(Box::new(TemplateContent::new(name, language))),
        class: DraftClass::Utility,
        sender: Sender::ApiKey {
            name: "shop".into(),
        },
        ..plugin_reply("")
    }
}

/// A template of so many positional variables and nothing else.
pub fn known(status: TemplateStatus, category: TemplateCategory, variables: usize) -> TemplateFact {
    let shape = TemplateShape {
        body: (1..=variables).map(|n| n.to_string()).collect(),
        ..TemplateShape::default()
    };
    TemplateFact::Known(KnownTemplate {
        status,
        category,
        shape: Some(Arc::new(shape)),
    })
}

/// `cleared`, or the code of the reason.
pub fn code_of(decision: &Decision) -> &'static str {
    match decision {
        Decision::Cleared(_) => "cleared",
        Decision::Refused(refusal) => refusal.reason.code(),
        Decision::Deferred { reason, .. } => reason.code(),
    }
}
