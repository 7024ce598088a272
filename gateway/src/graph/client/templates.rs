//! Templates at Graph (facts §6.5): list by pages, create, edit, delete.
//!
//! `paging.next` is absolute and names a host of Meta's choosing: only its cursor is taken, so that the token goes to our
//! Graph host alone.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;

use super::GraphClient;
use super::call::{CallError, ask};
use crate::graph::json::Object;

/// A page of templates with all their words. A carousel of ten cards has some 20 KB.
const PAGE_BYTES: usize = 8 << 20;
const ANSWER_BYTES: usize = 64 << 10;
const FIELDS: &str = "id,name,status,category,language,quality_score,components,parameter_format,rejected_reason,message_send_ttl_seconds";

/// A template as Graph lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTemplate {
    pub id: String,
    pub name: String,
    pub language: String,
    pub status: String,
    /// What Meta charges it as.
    pub category: String,
    /// `GREEN`, `YELLOW`, `RED`, `UNKNOWN`.
    pub quality: String,
    pub rejected_reason: String,
    /// JSON, as it came.
    pub components: String,
    pub ttl_seconds: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplatePage {
    pub templates: Vec<ListedTemplate>,
    /// Entries that do not read as templates.
    pub unread: usize,
    /// Where the next page begins; `None`: this was the last.
    pub next: Option<String>,
}

/// Which page.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    pub account: &'a str,
    /// Only of this name.
    pub name: Option<&'a str>,
    pub after: Option<&'a str>,
    pub limit: usize,
}

/// What became of a new template. Its category is Meta's word, whatever was asked for (facts §6.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedTemplate {
    pub id: String,
    pub status: String,
    pub category: String,
}

impl GraphClient {
    pub async fn list_templates(
        &self,
        token: &SecretString,
        wanted: Wanted<'_>,
        timeout: Duration,
    ) -> Result<TemplatePage, CallError> {
        let limit = wanted.limit.to_string();
        let query = query(&[
            ("fields", Some(FIELDS)),
            ("limit", Some(&limit)),
            ("name", wanted.name),
            ("after", wanted.after),
        ]);
        let url = format!("{}?{query}", self.of_account(wanted.account)?);
        let answer = ask(self.http.get(url), token, timeout, PAGE_BYTES).await?;
        page(&answer).ok_or(unreadable())
    }

    /// `body`: as facts §6.5 has it.
    pub async fn create_template(
        &self,
        token: &SecretString,
        account: &str,
        body: &Value,
        timeout: Duration,
    ) -> Result<CreatedTemplate, CallError> {
        let request = self.http.post(self.of_account(account)?).json(body);
        let answer = ask(request, token, timeout, ANSWER_BYTES).await?;
        created(&answer).ok_or(unreadable())
    }

    /// Replaces all components, and whatever else `body` names.
    pub async fn edit_template(
        &self,
        token: &SecretString,
        template: &str,
        body: &Value,
        timeout: Duration,
    ) -> Result<(), CallError> {
        let url = self.node(template, "the template's id")?;
        let request = self.http.post(url).json(body);
        succeeded(&ask(request, token, timeout, ANSWER_BYTES).await?)
    }

    /// One language of it by its id at Meta, or all of them.
    pub async fn delete_template(
        &self,
        token: &SecretString,
        account: &str,
        name: &str,
        id: Option<&str>,
        timeout: Duration,
    ) -> Result<(), CallError> {
        let query = query(&[("name", Some(name)), ("hsm_id", id)]);
        let url = format!("{}?{query}", self.of_account(account)?);
        succeeded(&ask(self.http.delete(url), token, timeout, ANSWER_BYTES).await?)
    }

    fn of_account(&self, account: &str) -> Result<String, CallError> {
        Ok(self.node(account, "the account's id")? + "/message_templates")
    }
}

pub(super) fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (key, value) in pairs {
        if let Some(value) = value {
            query.append_pair(key, value);
        }
    }
    query.finish()
}

fn unreadable() -> CallError {
    CallError::Unreadable {
        http_status: 200,
        retry_after: None,
    }
}

fn succeeded(answer: &str) -> Result<(), CallError> {
    let success = Object::parse(answer).is_some_and(|answer| answer.flag("success"));
    success.then_some(()).ok_or(unreadable())
}

fn created(answer: &str) -> Option<CreatedTemplate> {
    let answer = Object::parse(answer)?;
    Some(CreatedTemplate {
        id: answer.string("id")?,
        status: answer.string("status")?,
        category: answer.string("category").unwrap_or_default(),
    })
}

fn page(answer: &str) -> Option<TemplatePage> {
    let answer = Object::parse(answer)?;
    answer.get("data")?;
    let all = answer.array("data");
    let templates: Vec<ListedTemplate> = all
        .iter()
        .filter_map(|one| listed(&Object::parse(one.get())?))
        .collect();
    let paging = answer.object("paging").unwrap_or_default();
    let cursors = paging.object("cursors").unwrap_or_default();
    let more = paging.get("next").is_some();
    Some(TemplatePage {
        unread: all.len() - templates.len(),
        templates,
        next: cursors.string("after").filter(|_| more),
    })
}

fn listed(template: &Object<'_>) -> Option<ListedTemplate> {
    let quality = template.object("quality_score").unwrap_or_default();
    let components = template.get("components");
    Some(ListedTemplate {
        id: template.string("id")?,
        name: template.string("name")?,
        language: template.string("language")?,
        status: template.string("status")?,
        category: template.string("category")?,
        quality: quality.string("score").unwrap_or_default(),
        rejected_reason: template.string("rejected_reason").unwrap_or_default(),
        components: components.map_or_else(|| "[]".to_owned(), |raw| raw.get().to_owned()),
        ttl_seconds: template.integer("message_send_ttl_seconds"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_takes_the_cursor_and_leaves_metas_address() {
        let answer = r#"{"data":[{"id":"1","name":"a","language":"en","status":"APPROVED","category":"UTILITY",
            "quality_score":{"score":"GREEN"},"components":[{"type":"BODY","text":"Hi"}],"message_send_ttl_seconds":600},
            {"id":"2","name":"no language"}],
            "paging":{"cursors":{"before":"A","after":"B/c="},"next":"https://evil.example/x?after=B"}}"#;
        let page = page(answer).expect("a page");
        assert_eq!(page.next.as_deref(), Some("B/c="));
        assert_eq!((page.templates.len(), page.unread), (1, 1));
        assert_eq!(
            page.templates[0].components,
            r#"[{"type":"BODY","text":"Hi"}]"#
        );
    }

    #[test]
    fn the_last_page_has_a_cursor_and_no_next() {
        let last = r#"{"data":[],"paging":{"cursors":{"before":"A","after":"B"}}}"#;
        assert_eq!(page(last).expect("a page").next, None);
        assert_eq!(page(r#"{"data":[]}"#).expect("a page").next, None);
        assert_eq!(page("{}"), None);
    }
}
