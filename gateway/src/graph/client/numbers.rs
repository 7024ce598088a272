//! What Meta shows of a number when asked (facts §6.10).

use std::time::Duration;

use secrecy::SecretString;

use super::GraphClient;
use super::call::{CallError, ask};
use crate::graph::json::Object;

const ANSWER_BYTES: usize = 64 << 10;

impl GraphClient {
    /// The quality of a number, from the last seven days of what people say of it: `GREEN`, `YELLOW`, `RED`, `UNKNOWN`.
    pub async fn quality(
        &self,
        token: &SecretString,
        phone_number_id: &str,
        timeout: Duration,
    ) -> Result<String, CallError> {
        let url = self.node(phone_number_id, "the phone number id")? + "?fields=quality_rating";
        let answer = ask(self.http.get(url), token, timeout, ANSWER_BYTES).await?;
        quality(&answer).ok_or(CallError::Unreadable {
            http_status: 200,
            retry_after: None,
        })
    }
}

fn quality(answer: &str) -> Option<String> {
    Object::parse(answer)?.string("quality_rating")
}

#[cfg(test)]
mod tests {
    use super::quality;

    #[test]
    fn a_number_shows_its_quality() {
        let answer = r#"{"quality_rating":"RED","id":"1"}"#;
        assert_eq!(quality(answer).as_deref(), Some("RED"));
        assert_eq!(quality(r#"{"id":"1"}"#), None);
    }
}
