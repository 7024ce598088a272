//! The words of the field, as types: ids, time, people, messages, conversations, drafts.
//!
//! Pure: nothing here waits, reads a clock, draws randomness or knows a database. Everybody may import it;
//! it imports nobody.

pub mod account;
pub mod attribute;
pub mod breaker;
pub mod bucket;
pub mod consent;
pub mod contact;
pub mod conversation;
pub mod draft;
pub mod id;
pub mod inbound;
pub mod leeway;
pub mod number;
pub mod occasion;
pub mod open_word;
pub mod outbound;
pub mod outbox;
pub mod receipt;
pub mod rollout;
pub mod stream;
pub mod template;
pub mod tenant_counts;
pub mod tenant_places;
pub mod time;

pub use bucket::Bucket;
pub use consent::{ConsentChannel, ConsentScope, ConsentStatus, Topics};
pub use contact::{Bsuid, IdentityChange, IdentityKind, PersonRef, Phone, Recipient};
pub use conversation::{HANDED_BACK, Owner, OwnerChange};
pub use draft::{Draft, DraftClass, Sender};
pub use id::{
    ApiKeyId, AppId, AuditId, ConsentId, ContactId, ConversationId, CredentialId, EventId, HoldId,
    HookId, IdGenerator, InstallationId, JobId, NumberId, OutboxId, RawId, TemplateId, TenantId,
    TurnId, UserId,
};
pub use inbound::{InboundContent, InboundMessage, Source};
pub use leeway::Leeway;
pub use occasion::Occasion;
pub use open_word::OpenWord;
pub use outbound::OutboundContent;
pub use outbox::OutboxState;
pub use receipt::{Receipt, ReceiptStatus};
pub use stream::{Numbered, StreamEvent, StreamKind};
pub use tenant_counts::TenantCounts;
pub use tenant_places::{NoRoom, TenantPlaces};
pub use time::{Clock, Timestamp};
