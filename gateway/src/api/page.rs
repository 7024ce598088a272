//! Pages: `limit`, an opaque `cursor`, and `next_cursor` while there is more.
//!
//! A cursor is the id after which the next page begins, so that what is added meanwhile neither repeats nor hides
//! anything. It is signed together with the question (path, filters, whose), so that it fits nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Query};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::guard::Caller;
use super::problem::Problem;

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MOST: i64 = 200;
/// Enough that nobody makes one up; it guards no secret.
const TAG_BYTES: usize = 12;

/// Which page is asked for.
#[derive(Debug)]
pub struct Page {
    pub limit: i64,
    /// The last id of the page before.
    pub after: Option<i64>,
    /// The same of a list whose items have no id: its own key of the last item.
    after_text: Option<String>,
    key: zeroize::Zeroizing<[u8; 32]>,
    question: String,
}

/// As the document shows it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageParams {
    /// Most items of the page: 1 to 200, 50 when it is left out.
    #[param(minimum = 1, maximum = 200)]
    #[allow(dead_code, reason = "read by the extractor")]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    #[allow(dead_code, reason = "read by the extractor")]
    cursor: Option<String>,
}

/// One page.
#[derive(Debug, Serialize, ToSchema)]
pub struct Paged<T> {
    pub items: Vec<T>,
    /// Where the next page begins; `null` on the last one.
    pub next_cursor: Option<String>,
}

impl Page {
    /// One more than fits: whether there is a next page shows by it.
    pub fn most(&self) -> i64 {
        self.limit + 1
    }

    /// The id after which to read, for lists whose oldest item comes first.
    pub fn after(&self) -> i64 {
        self.after.unwrap_or(0)
    }

    /// The id before which to read, for lists whose newest item comes first.
    pub fn before(&self) -> i64 {
        self.after.unwrap_or(i64::MAX)
    }

    /// Cuts off the row too many and says where the next page begins.
    pub fn of<R, T>(
        &self,
        mut rows: Vec<R>,
        id: impl Fn(&R) -> i64,
        show: impl FnMut(R) -> T,
    ) -> Paged<T> {
        let fits = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > fits;
        rows.truncate(fits);
        let last = rows.last().filter(|_| more).map(id);
        Paged {
            items: rows.into_iter().map(show).collect(),
            next_cursor: last.map(|last| self.cursor(last)),
        }
    }

    /// As [`Page::of`], for rows that are in the order of a key of several parts.
    pub fn of_keyed<R, K: Serialize, T>(
        &self,
        mut rows: Vec<R>,
        key: impl Fn(&R) -> K,
        show: impl FnMut(R) -> T,
    ) -> Paged<T> {
        let fits = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > fits;
        rows.truncate(fits);
        let last = rows.last().filter(|_| more).map(key);
        let cursor = |last| self.sealed(&serde_json::to_vec(&last).unwrap_or_default());
        Paged {
            items: rows.into_iter().map(show).collect(),
            next_cursor: last.map(cursor),
        }
    }

    /// The key after which to read, for such lists.
    pub fn after_key<K: DeserializeOwned + Default>(&self) -> K {
        let last = self.after_text.as_deref();
        last.and_then(|last| serde_json::from_str(last).ok())
            .unwrap_or_default()
    }

    /// A page of somebody else's list, and that list's own cursor to the next one.
    pub fn of_foreign<R, T>(
        &self,
        rows: Vec<R>,
        next: Option<String>,
        show: impl FnMut(R) -> T,
    ) -> Paged<T> {
        let cursor =
            |next| self.sealed(serde_json::json!({ "after": next }).to_string().as_bytes());
        Paged {
            items: rows.into_iter().map(show).collect(),
            next_cursor: next.map(cursor),
        }
    }

    /// The cursor of such a list.
    pub fn after_foreign(&self) -> Option<String> {
        let mut key: BTreeMap<String, String> = self.after_key();
        key.remove("after")
    }

    fn cursor(&self, last: i64) -> String {
        self.sealed(&last.to_be_bytes())
    }

    fn sealed(&self, last: &[u8]) -> String {
        let bytes = [last, &self.tag(last)[..TAG_BYTES]].concat();
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn read_cursor(&self, text: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (last, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_BYTES)?)?;
        (tag == &self.tag(last)[..TAG_BYTES]).then(|| last.to_vec())
    }

    /// Takes what a cursor says: an id, or the key of a list that has none.
    fn begin_after(&mut self, last: Vec<u8>) -> Option<()> {
        match <[u8; 8]>::try_from(last.as_slice()) {
            Ok(id) => self.after = Some(i64::from_be_bytes(id)),
            Err(_) => self.after_text = Some(String::from_utf8(last).ok()?),
        }
        Some(())
    }

    fn tag(&self, last: &[u8]) -> Vec<u8> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.key[..])
            .expect("HMAC takes keys of any length");
        mac.update(last);
        mac.update(self.question.as_bytes());
        mac.finalize().into_bytes().to_vec()
    }
}

impl FromRequestParts<Arc<Api>> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let query = Query::<BTreeMap<String, String>>::try_from_uri(&parts.uri);
        let Query(mut query) =
            query.map_err(|_| Problem::bad_parameter("the query", "cannot be read"))?;
        let (limit, cursor) = (query.remove("limit"), query.remove("cursor"));
        let caller = Caller::of(parts)?;
        let mut page = Self {
            limit: read_limit(limit.as_deref())?,
            after: None,
            after_text: None,
            key: api.setup.keyring.cursor_key(),
            question: format!("{} {} {query:?}", caller.principal.realm, parts.uri.path()),
        };
        if let Some(cursor) = cursor {
            let wrong = || Problem::bad_parameter("cursor", "is not one of this list");
            let last = page.read_cursor(&cursor).ok_or_else(wrong)?;
            page.begin_after(last).ok_or_else(wrong)?;
        }
        Ok(page)
    }
}

fn read_limit(text: Option<&str>) -> Result<i64, Problem> {
    let Some(text) = text else {
        return Ok(LIMIT_DEFAULT);
    };
    let limit = text.parse().ok();
    limit
        .filter(|limit| (1..=LIMIT_MOST).contains(limit))
        .ok_or_else(|| Problem::bad_parameter("limit", format!("must be 1 to {LIMIT_MOST}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(question: &str) -> Page {
        Page {
            limit: 2,
            after: None,
            after_text: None,
            key: zeroize::Zeroizing::new([7; 32]),
            question: question.to_owned(),
        }
    }

    #[test]
    fn a_page_says_where_the_next_one_begins_and_the_last_one_does_not() {
        let page = page("numbers");
        let full = page.of(vec![1, 2, 3], |id| *id, |id| id);
        assert_eq!(full.items, [1, 2]);
        let last = page.read_cursor(&full.next_cursor.expect("more"));
        assert_eq!(last, Some(2_i64.to_be_bytes().to_vec()));
        assert_eq!(page.of(vec![1, 2], |id| *id, |id| id).next_cursor, None);
    }

    #[test]
    fn a_cursor_fits_the_list_that_it_was_given_for() {
        let cursor = page("numbers").cursor(5);
        assert!(page("numbers").read_cursor(&cursor).is_some());
        assert_eq!(page("users").read_cursor(&cursor), None);
        assert_eq!(page("numbers").read_cursor("AAAA"), None);
    }

    #[test]
    fn a_key_of_several_parts_comes_back_as_it_was() {
        let mut page = page("facts");
        let rows = vec![("a", 1), ("b", 2), ("c", 3)];
        let full = page.of_keyed(rows, |row| (row.0.to_owned(), row.1), |row| row);
        let last = page.read_cursor(&full.next_cursor.expect("more"));
        page.begin_after(last.expect("it is of this list"))
            .expect("text");
        assert_eq!(page.after_key::<(String, i64)>(), ("b".to_owned(), 2));
    }

    #[test]
    fn a_foreign_cursor_comes_back_as_it_was() {
        let mut page = page("blocks");
        let full = page.of_foreign(vec![1], Some("QVFI".to_owned()), |row| row);
        let last = page.read_cursor(&full.next_cursor.expect("more"));
        page.begin_after(last.expect("it is of this list"))
            .expect("text");
        assert_eq!(page.after_foreign().as_deref(), Some("QVFI"));
        assert_eq!(page.of_foreign(vec![1], None, |row| row).next_cursor, None);
    }
}
