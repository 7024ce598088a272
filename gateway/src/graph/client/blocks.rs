//! A number's block list at Graph (facts §6.10), one person a call: a mixed result cannot come of it.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;

use super::GraphClient;
use super::call::{CallError, ask, ask_plainly, whole_answer};
use super::templates::query;
use crate::domain::Recipient;
use crate::graph::json::Object;

/// A page of 1,000 people has some 120 KB.
const ANSWER_BYTES: usize = 1 << 20;

/// Somebody on the list.
#[derive(Clone, PartialEq, Eq)]
pub struct ListedPerson {
    /// Digits; absent for who hides it.
    pub wa_id: Option<String>,
    pub user_id: Option<String>,
}

/// Phones and user ids do not print.
impl std::fmt::Debug for ListedPerson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ListedPerson")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockPage {
    pub people: Vec<ListedPerson>,
    /// Where the next page begins; `None`: this was the last.
    pub next: Option<String>,
}

impl GraphClient {
    /// Puts somebody on the list. Only who wrote within 24 hours can be; who is there already stays.
    pub async fn block(
        &self,
        token: &SecretString,
        phone_number_id: &str,
        person: &Recipient,
        timeout: Duration,
    ) -> Result<(), CallError> {
        let request = self.http.post(self.block_list(phone_number_id)?);
        change(request, token, person, timeout).await
    }

    /// Takes somebody off the list.
    pub async fn unblock(
        &self,
        token: &SecretString,
        phone_number_id: &str,
        person: &Recipient,
        timeout: Duration,
    ) -> Result<(), CallError> {
        let request = self.http.delete(self.block_list(phone_number_id)?);
        change(request, token, person, timeout).await
    }

    pub async fn blocked(
        &self,
        token: &SecretString,
        phone_number_id: &str,
        after: Option<&str>,
        limit: usize,
        timeout: Duration,
    ) -> Result<BlockPage, CallError> {
        let limit = limit.to_string();
        let query = query(&[("limit", Some(&limit)), ("after", after)]);
        let url = format!("{}?{query}", self.block_list(phone_number_id)?);
        let answer = ask(self.http.get(url), token, timeout, ANSWER_BYTES).await?;
        page(&answer).ok_or(CallError::Unreadable {
            http_status: 200,
            retry_after: None,
        })
    }

    fn block_list(&self, phone_number_id: &str) -> Result<String, CallError> {
        Ok(self.node(phone_number_id, "the phone number id")? + "/block_users")
    }
}

async fn change(
    request: reqwest::RequestBuilder,
    token: &SecretString,
    person: &Recipient,
    timeout: Duration,
) -> Result<(), CallError> {
    let user = match person {
        Recipient::Phone(phone) => json!({"user": phone.digits()}),
        Recipient::Bsuid(id) => json!({"user_id": id.as_str()}),
    };
    let body = json!({"messaging_product": "whatsapp", "block_users": [user]});
    let answer = ask_plainly(request.json(&body), token, timeout, ANSWER_BYTES).await?;
    let why = why_failed(&answer.text);
    whole_answer(answer)
        .map(drop)
        .map_err(|error| match (error, why) {
            (CallError::Refused(mut refused), Some(why)) => {
                refused.error.details = Some(why);
                CallError::Refused(refused)
            }
            (error, _) => error,
        })
}

/// What Meta has against this person: it stands beside the error, which says no more than "some failed".
fn why_failed(answer: &str) -> Option<String> {
    let failed = Object::parse(answer)?
        .object("block_users")?
        .first("failed_users")?;
    let error = failed.first("errors")?;
    let details = error
        .object("error_data")
        .and_then(|data| data.string("details"));
    details.or_else(|| error.string("message"))
}

fn page(answer: &str) -> Option<BlockPage> {
    let answer = Object::parse(answer)?;
    answer.get("data")?;
    let person = |one: &Object<'_>| ListedPerson {
        wa_id: one.string("wa_id"),
        user_id: one.string("user_id"),
    };
    let all = answer.array("data");
    let people = all.iter().filter_map(|one| Object::parse(one.get()));
    let paging = answer.object("paging").unwrap_or_default();
    let cursors = paging.object("cursors").unwrap_or_default();
    // Meta ends a list by an empty cursor here, elsewhere by the lack of `next`.
    let after = cursors.string("after").filter(|after| !after.is_empty());
    Some(BlockPage {
        next: after.filter(|_| paging.get("next").is_some()),
        people: people.map(|one| person(&one)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_people_and_the_next_one() {
        let answer = r#"{"data":[{"messaging_product":"whatsapp","wa_id":"447700900123","user_id":"GB.44"},
            {"messaging_product":"whatsapp","user_id":"GB.45"}],
            "paging":{"cursors":{"before":"A","after":"B"},"next":"https://graph.example/x"}}"#;
        let read = page(answer).expect("a page");
        assert_eq!(read.next.as_deref(), Some("B"));
        assert_eq!(read.people[0].wa_id.as_deref(), Some("447700900123"));
        assert_eq!(read.people[1].wa_id, None);
        let last = r#"{"data":[],"paging":{"cursors":{"before":"","after":""}}}"#;
        assert_eq!(page(last).expect("a page").next, None);
        assert_eq!(page("{}"), None);
    }

    #[test]
    fn the_reason_of_a_failure_is_the_persons_own() {
        let answer = r#"{"block_users":{"added_users":[],"failed_users":[{"input":"1","errors":[{"message":"(#139100) no",
            "error_data":{"details":"The person has not written within 24 hours"}}]}]},
            "error":{"code":139100,"message":"Failed to block some of the users"}}"#;
        assert_eq!(
            why_failed(answer).as_deref(),
            Some("The person has not written within 24 hours")
        );
        assert_eq!(why_failed(r#"{"error":{"code":190}}"#), None);
    }
}
