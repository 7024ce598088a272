//! Ids: time-ordered 63-bit integers, made by the gateway, shown to people as prefixed text.
//!
//! Layout: 41 bits of milliseconds since 2025-01-01, 10 bits of node, 12 bits of counter. Rows written one after
//! the other have ids one after the other, so a table's primary key is its append order (design.md §6, measured).

use std::fmt;
use std::str::FromStr;
use std::sync::Mutex;

use super::time::Timestamp;

use crate::sync::lock;

/// 2025-01-01T00:00:00Z.
const EPOCH_MS: i64 = 1_735_689_600_000;
const NODE_BITS: u32 = 10;
const COUNTER_BITS: u32 = 12;
const COUNTER_MAX: i64 = (1 << COUNTER_BITS) - 1;

/// Highest node number that fits into an id.
pub const MAX_NODE: u16 = (1 << NODE_BITS) - 1;

/// The smallest id that can be made at `at`: where a range partition begins. Of a moment that ids do not reach (the year 2094) it
/// is one that none has.
pub fn first_id_at(at: Timestamp) -> i64 {
    let since = at.millis().saturating_sub(EPOCH_MS).max(0);
    since.saturating_mul(1 << (NODE_BITS + COUNTER_BITS))
}

/// When an id was made (millisecond precision).
pub fn made_at(raw: i64) -> Timestamp {
    Timestamp::from_millis((raw >> (NODE_BITS + COUNTER_BITS)) + EPOCH_MS)
}

/// Makes ids that only ever grow, on this node.
///
/// Two live generators must never have the same node number (storage leases them). When the clock stands behind the
/// last id, ids go on from the last id's millisecond; they never go back.
#[derive(Debug)]
pub struct IdGenerator {
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    node: i64,
    ms: i64,
    counter: i64,
}

impl IdGenerator {
    /// `floor`: no id of this generator is made for an earlier time than this.
    pub fn new(node: u16, floor: Timestamp) -> Self {
        Self {
            state: Mutex::new(State::new(node, floor)),
        }
    }

    pub fn next(&self, now: Timestamp) -> i64 {
        let mut state = self.state();
        let now = (now.millis() - EPOCH_MS).max(0);
        if now > state.ms {
            (state.ms, state.counter) = (now, 0);
        } else if state.counter < COUNTER_MAX {
            state.counter += 1;
        } else {
            (state.ms, state.counter) = (state.ms + 1, 0);
        }
        (state.ms << (NODE_BITS + COUNTER_BITS)) | (state.node << COUNTER_BITS) | state.counter
    }

    /// Goes on as another node, after the old number was lost.
    pub fn rebase(&self, node: u16, floor: Timestamp) {
        let floor = floor.max(self.high_water());
        *self.state() = State::new(node, floor);
    }

    /// The node number of the ids that it makes now.
    pub fn node(&self) -> u16 {
        u16::try_from(self.state().node).unwrap_or(0)
    }

    /// The time of the newest id: the floor for whoever gets this node number next.
    pub fn high_water(&self) -> Timestamp {
        Timestamp::from_millis(self.state().ms + EPOCH_MS)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn new(node: u16, floor: Timestamp) -> Self {
        assert!(
            node <= MAX_NODE,
            "node number {node} does not fit into an id"
        );
        Self {
            node: i64::from(node),
            ms: (floor.millis() - EPOCH_MS).max(0),
            counter: 0,
        }
    }
}

/// Crockford's base 32, lower case: no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TEXT_LEN: usize = 13;

fn encode(raw: i64) -> String {
    let raw = raw.cast_unsigned();
    (0..TEXT_LEN)
        .rev()
        .map(|i| char::from(ALPHABET[((raw >> (5 * i)) & 31) as usize]))
        .collect()
}

fn decode(text: &str) -> Option<i64> {
    if text.len() != TEXT_LEN {
        return None;
    }
    let raw = text.bytes().try_fold(0_u64, |raw, byte| {
        let digit = ALPHABET.iter().position(|&letter| letter == byte)? as u64;
        raw.checked_mul(32).map(|raw| raw | digit)
    })?;
    i64::try_from(raw).ok()
}

/// The text was not an id of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {kind} id: expected `{prefix}_` and 13 letters or digits")]
pub struct IdError {
    kind: &'static str,
    prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            pub const PREFIX: &'static str = $prefix;

            pub const fn from_raw(raw: i64) -> Self {
                Self(raw)
            }

            /// The integer that the database holds.
            pub const fn raw(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(decode)
                    .map(Self)
                    .ok_or(IdError { kind: stringify!($name), prefix: $prefix })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        /// As the management API's document shows it; request bodies are checked against the format.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::Type::String)
                    .format(Some(utoipa::openapi::SchemaFormat::Custom(concat!($prefix, "-id").to_owned())))
                    .pattern(Some(concat!("^", $prefix, "_[0-9a-hjkmnp-tv-z]{13}$")))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// A business on this deployment.
    TenantId = "ten";
    /// A Meta app: it owns a callback URL, a verify token and app secrets.
    AppId = "app";
    /// An access token that many numbers may reference.
    CredentialId = "crd";
    /// A business phone number.
    NumberId = "num";
    /// A person, within one tenant.
    ContactId = "con";
    /// One contact's conversation with one number.
    ConversationId = "cnv";
    /// A webhook body as it arrived.
    RawId = "raw";
    /// An inbound event: one message, status or field change.
    EventId = "evt";
    /// One run of a tenant's plugins over pending events of one conversation.
    TurnId = "trn";
    /// A send, from draft to receipt. Travels to Meta in `biz_opaque_callback_data`.
    OutboxId = "out";
    /// A plugin's place at a tenant, whatever version runs there.
    InstallationId = "ins";
    /// A stop put on some scope by an operator or by the gateway itself.
    HoldId = "hld";
    /// An API key.
    ApiKeyId = "key";
    /// A person who works with the gateway: who a key belongs to, or who an agent is.
    UserId = "usr";
    /// One entry of the audit log.
    AuditId = "aud";
    /// One record of the consent ledger.
    ConsentId = "cns";
    /// Long work with progress.
    JobId = "job";
    /// An endpoint that follows a tenant's events.
    HookId = "hok";
    /// One language version of a message template.
    TemplateId = "tpl";
}

/// Is this text an id with this prefix? For whoever checks a text before it is read as one.
pub fn is_id(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .is_some_and(|rest| decode(rest).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_even_when_the_clock_goes_back() {
        let ids = IdGenerator::new(3, Timestamp::ZERO);
        let mut last = 0;
        for now in [5_000, 5_000, 4_000, 5_001, 1].map(|ms| Timestamp::from_millis(EPOCH_MS + ms)) {
            for _ in 0..5_000 {
                let id = ids.next(now);
                assert!(id > last);
                last = id;
            }
        }
    }

    #[test]
    fn an_id_survives_its_text() {
        let id = OutboxId::from_raw(
            IdGenerator::new(7, Timestamp::ZERO).next(Timestamp::from_millis(EPOCH_MS + 99)),
        );
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().parse::<TurnId>().is_err());
        assert!("out_".parse::<OutboxId>().is_err());
        assert!("out_zzzzzzzzzzzzz".parse::<OutboxId>().is_err());
    }

    #[test]
    fn a_range_of_ids_is_a_range_of_time() {
        let at = Timestamp::from_millis(EPOCH_MS + 123_456);
        let id = IdGenerator::new(1, Timestamp::ZERO).next(at);
        assert!(id >= first_id_at(at));
        assert!(id < first_id_at(at.plus(std::time::Duration::from_millis(1))));
        assert_eq!(made_at(id), at);
        let far = Timestamp::from_millis(EPOCH_MS * 3);
        assert_eq!(first_id_at(far), i64::MAX, "it does not begin anew");
    }
}
