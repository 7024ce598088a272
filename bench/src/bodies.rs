//! The webhooks of a run, made and signed before it: what the generator does during a run is write and read bytes.

use std::ops::Range;

use clap::ValueEnum;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::deployment::Send;

pub const PATH: &str = "/webhooks/whatsapp";
/// Length of a webhook's body in the budgets (design: 500 bytes).
const BODY: usize = 500;

/// The businesses and customers that take part.
#[derive(Debug, Clone)]
pub struct Cast {
    pub secret: String,
    /// Phone-number ids and WABA ids.
    pub numbers: Vec<Number>,
    /// Customers of each number; each is one conversation.
    pub customers: usize,
}

#[derive(Debug, Clone)]
pub struct Number {
    pub phone_number_id: String,
    pub waba_id: String,
    pub display_number: String,
}

/// The casts there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Casting {
    /// 64 numbers with 2,000 customers each, 128,000 conversations; tenants have four numbers each.
    #[default]
    Standard,
    /// One tenant with 10,000 numbers, each with an installation of its own. Nobody writes to them.
    Many,
    /// Two hundred tenants with a number each, and behind them those of [`Noise`].
    Neighbours,
}

/// Tenants that nobody would like to live beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noise {
    /// Its plugin loops until it is stopped.
    Loops,
    /// Its plugin takes memory until it is stopped.
    Allocates,
    /// Its plugin calls the host until it is stopped.
    FloodsHostCalls,
    /// Its plugin answers, and a hundred thousand write to it.
    IsWrittenTo,
}

impl Noise {
    pub const ALL: [Self; 4] = [
        Self::Loops,
        Self::Allocates,
        Self::FloodsHostCalls,
        Self::IsWrittenTo,
    ];

    pub fn words(self) -> &'static str {
        match self {
            Self::Loops => "loops",
            Self::Allocates => "allocates",
            Self::FloodsHostCalls => "floods host calls",
            Self::IsWrittenTo => "is written to",
        }
    }
}

/// Quiet tenants beside the noisy ones.
const QUIET: usize = 200;

impl Cast {
    pub fn of(casting: Casting) -> Self {
        match casting {
            Casting::Standard => Self::new(64, 2_000),
            Casting::Many => Self::new(10_000, 0),
            Casting::Neighbours => Self::new(QUIET + Noise::ALL.len(), 2_000),
        }
    }

    /// Of [`Casting::Neighbours`]: the quiet ones.
    pub fn quiet() -> Self {
        let mut cast = Self::of(Casting::Neighbours);
        cast.numbers.truncate(QUIET);
        cast
    }

    /// Of [`Casting::Neighbours`]: a noisy one, whose customers write once each.
    pub fn noisy(noise: Noise) -> Self {
        let mut cast = Self::of(Casting::Neighbours);
        cast.numbers = vec![cast.numbers.swap_remove(QUIET + noise as usize)];
        cast.customers = usize::MAX;
        cast
    }

    pub fn new(numbers: usize, customers: usize) -> Self {
        let number = |n: usize| Number {
            phone_number_id: format!("{}", 100_000_000_000_000 + n),
            waba_id: format!("{}", 200_000_000_000_000 + n),
            display_number: format!("{}", 15_550_000_000_u64 + n as u64),
        };
        Self {
            secret: "bench-app-secret".to_owned(),
            numbers: (0..numbers).map(number).collect(),
            customers,
        }
    }

    /// The customer and the number of message `index`: neighbours in time are strangers, and one customer's messages
    /// are as far apart as they can be (Meta allows one message every 6 s to a pair).
    pub fn pair(&self, index: usize) -> (&Number, String) {
        let number = &self.numbers[index % self.numbers.len()];
        let customer = index / self.numbers.len() % self.customers;
        (
            number,
            format!("{}", 4_915_000_000_000_u64 + customer as u64),
        )
    }
}

/// Whole HTTP requests, one behind the other.
#[derive(Debug, Default)]
pub struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Requests {
    /// Messages `range` of the cast. The same index is the same message (wamid) in every call.
    pub fn messages(cast: &Cast, range: Range<usize>, sent_at_secs: u64) -> Self {
        let key =
            Hmac::<Sha256>::new_from_slice(cast.secret.as_bytes()).expect("HMAC takes any key");
        let mut requests = Self::default();
        for index in range {
            let body = message(cast, index, sent_at_secs);
            requests.push(&key, body.as_bytes());
        }
        requests
    }

    /// A `delivered` for each of these sends, one a POST.
    pub fn receipts(cast: &Cast, sends: &[Send], at_secs: u64) -> Self {
        let key =
            Hmac::<Sha256>::new_from_slice(cast.secret.as_bytes()).expect("HMAC takes any key");
        let mut requests = Self::default();
        for send in sends {
            requests.push(&key, receipt(cast, send, at_secs).as_bytes());
        }
        requests
    }

    fn push(&mut self, key: &Hmac<Sha256>, body: &[u8]) {
        let mut mac = key.clone();
        mac.update(body);
        let signature = hex::encode(mac.finalize().into_bytes());
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n\
             X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(body);
        self.ends.push(self.bytes.len());
    }

    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.bytes[start..end])
    }
}

/// A text message as Meta sends it (facts §2.1), padded to [`BODY`].
fn message(cast: &Cast, index: usize, sent_at_secs: u64) -> String {
    let (number, customer) = cast.pair(index);
    let start = format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"{}","changes":[{{"value":{{"messaging_product":"whatsapp","metadata":{{"display_phone_number":"{}","phone_number_id":"{}"}},"contacts":[{{"profile":{{"name":"Customer"}},"wa_id":"{customer}"}}],"messages":[{{"from":"{customer}","id":"wamid.{index:032X}","timestamp":"{sent_at_secs}","type":"text","text":{{"body":"hello"#,
        number.waba_id, number.display_number, number.phone_number_id
    );
    let end = r#""}}]},"field":"messages"}]}]}"#;
    let padding = BODY.saturating_sub(start.len() + end.len());
    format!("{start}{}{end}", " ".repeat(padding))
}

/// A status as Meta sends it (facts §3), with its price.
fn receipt(cast: &Cast, send: &Send, at_secs: u64) -> String {
    let number = cast
        .numbers
        .iter()
        .find(|number| number.phone_number_id == send.phone_number_id);
    let number = number.expect("sends come from the cast's numbers");
    format!(
        r#"{{"object":"whatsapp_business_account","entry":[{{"id":"{}","changes":[{{"value":{{"messaging_product":"whatsapp","metadata":{{"display_phone_number":"{}","phone_number_id":"{}"}},"statuses":[{{"id":"{}","status":"delivered","timestamp":"{at_secs}","recipient_id":"{}","biz_opaque_callback_data":"{}","pricing":{{"billable":false,"pricing_model":"PMP","type":"free_customer_service","category":"service"}}}}]}},"field":"messages"}}]}}]}}"#,
        number.waba_id,
        number.display_number,
        number.phone_number_id,
        send.wamid(),
        send.recipient,
        send.opaque,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_json_of_the_agreed_length() {
        let body = message(&Cast::new(64, 1_000), 123_456, 1_790_000_000);
        assert_eq!(body.len(), BODY);
        serde_json::from_str::<serde_json::Value>(&body).expect("JSON");
    }

    #[test]
    fn requests_are_found_again_by_index() {
        let cast = Cast::new(2, 2);
        let requests = Requests::messages(&cast, 5..8, 0);
        assert_eq!(requests.ends.len(), 3);
        for (index, message) in (5..8).enumerate() {
            let request = String::from_utf8_lossy(requests.get(index).expect("a request"));
            assert!(
                request.starts_with("POST ") && request.contains(&format!("wamid.{message:032X}"))
            );
        }
        assert!(requests.get(3).is_none());
    }
}
