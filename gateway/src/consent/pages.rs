//! Opt-in pages: a text that names what is agreed to, and a code that the person sends from their own WhatsApp.
//!
//! The page asks for no number: whoever sends the code is who has agreed, so nobody can agree for somebody else. What was
//! shown is kept for every version, and a code remembers which one it was.

use std::time::Duration;

use serde_json::json;

use super::opt_in::CODE_CHARS;
use super::record::{Evidence, digest_of};
use super::tell::{Shown, WORDING_MOST, topics};
use crate::domain::{ConsentScope, NumberId, TenantId};
use crate::policy::Purpose;
use crate::secrets::{Entropy, SystemEntropy};
use crate::storage::consent_pages::{self, PageRow};
use crate::storage::consents::{self, Pending, Wording};
use crate::storage::{Db, StorageError, numbers, races, tenants};
use crate::tenants::{SetupContext, SetupError, check_text};

/// How long a code waits.
const WAITS: Duration = Duration::from_secs(86_400);
/// Codes of one tenant that wait at once: what a flood can leave behind. A guess.
const WAITING_MOST: i64 = 100_000;
/// Letters and digits that are not taken for one another.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A page as it is put.
#[derive(Debug, Clone)]
pub struct NewPage {
    /// Stands in its address.
    pub name: String,
    pub scope: ConsentScope,
    pub number: NumberId,
    pub title: String,
    pub text: String,
    pub language: String,
    pub enabled: bool,
}

/// A version of a page with what it says.
#[derive(Debug, Clone)]
pub struct Page {
    pub row: PageRow,
    pub wording: Shown,
}

/// Puts a page. What is shown changes with a new version only; the same again changes nothing.
pub async fn put(
    setup: &SetupContext,
    tenant: TenantId,
    new: &NewPage,
) -> Result<Page, SetupError> {
    if !ConsentScope::is_topic_name(&new.name) {
        let what = "must be 1 to 40 of a-z, 0-9, _ and -";
        return Err(SetupError::invalid("the page's name", what));
    }
    check_text("the page's title", &new.title, 100)?;
    if new.text.trim().is_empty() || new.text.chars().count() > WORDING_MOST {
        let what = format!("must have 1 to {WORDING_MOST} characters");
        return Err(SetupError::invalid("the page's text", what));
    }
    // Somebody else may put the same page at this moment: theirs is the version before.
    races::again(SetupError::is_lost_race, || put_once(setup, tenant, new)).await
}

async fn put_once(
    setup: &SetupContext,
    tenant: TenantId,
    new: &NewPage,
) -> Result<Page, SetupError> {
    let now = setup.clock.now();
    let mut tx = setup.db.begin().await?;
    if Purpose::of(&new.scope, &topics(&mut tx, tenant).await?).is_none() {
        let what = "must be all, marketing, utility or topic:NAME of a topic of the tenant";
        return Err(SetupError::invalid("the page's scope", what));
    }
    let own = numbers::number(&mut tx, tenant, new.number).await?;
    own.ok_or_else(|| SetupError::not_found("number", &new.number.to_string()))?;
    let old = consent_pages::latest(&mut tx, tenant, &new.name).await?;
    let seq = old.as_ref().map_or(0, |old| old.seq) + 1;
    let wording = Shown {
        text: new.text.clone(),
        version: format!("page {} version {seq}", new.name),
        language: new.language.clone(),
    };
    if let Some(old) = old {
        let shown = of(&mut tx, tenant, old.clone()).await?;
        if is_same(&shown, new) {
            return Ok(shown);
        }
    }
    let digest = digest_of(&wording.version, &wording.language, &wording.text);
    let kept = Wording {
        digest: digest.clone(),
        version: wording.version.clone(),
        language: wording.language.clone(),
        body: wording.text.clone(),
        created_at: now.millis(),
    };
    consents::keep_wording(&mut tx, tenant, &kept).await?;
    let row = PageRow {
        name: new.name.clone(),
        seq,
        scope: new.scope.to_string(),
        number: new.number.raw(),
        title: new.title.clone(),
        wording: digest,
        enabled: i64::from(new.enabled),
        created_at: now.millis(),
    };
    if !consent_pages::add(&mut tx, tenant, &row).await? {
        return Err(StorageError::Raced.into());
    }
    let became = Some(json!({
        "version": seq, "scope": row.scope, "number": new.number, "title": new.title, "text": new.text,
        "enabled": new.enabled,
    }));
    setup
        .record(&mut tx, tenant, "consent_page.put", &new.name, None, became)
        .await?;
    setup.commit(tx).await?;
    Ok(Page { row, wording })
}

fn is_same(old: &Page, new: &NewPage) -> bool {
    let row = &old.row;
    row.scope == new.scope.to_string()
        && row.number == new.number.raw()
        && row.title == new.title
        && (row.enabled != 0) == new.enabled
        && old.wording.text == new.text
        && old.wording.language == new.language
}

/// A tenant's pages, each in its latest version.
pub async fn list(setup: &SetupContext, tenant: TenantId) -> Result<Vec<Page>, SetupError> {
    let mut tx = setup.db.read().await?;
    let mut pages = Vec::new();
    for row in consent_pages::pages(&mut tx, tenant).await? {
        pages.push(of(&mut tx, tenant, row).await?);
    }
    Ok(pages)
}

/// Who asks for an opt-in, as people know them (facts §6.9: the business must be named).
#[derive(Debug, Clone)]
pub struct Business {
    pub name: String,
    /// With its country code, as it is displayed.
    pub number: String,
}

/// The page that people see. `None`: there is none, it is not shown, or its number is gone.
pub async fn shown(
    db: &Db,
    tenant: TenantId,
    name: &str,
) -> Result<Option<(Page, Business)>, StorageError> {
    let mut tx = db.read().await?;
    let row = consent_pages::latest(&mut tx, tenant, name).await?;
    let Some(row) = row.filter(|row| row.enabled != 0) else {
        return Ok(None);
    };
    let number = numbers::number(&mut tx, tenant, NumberId::from_raw(row.number)).await?;
    let owner = tenants::tenant(&mut tx, tenant).await?;
    let (Some(number), Some(owner)) = (number, owner) else {
        return Ok(None);
    };
    let business = Business {
        name: owner.name,
        number: number.display_number,
    };
    Ok(Some((of(&mut tx, tenant, row).await?, business)))
}

async fn of(
    tx: &mut crate::storage::Tx,
    tenant: TenantId,
    row: PageRow,
) -> Result<Page, StorageError> {
    let wording = consents::wording(tx, tenant, &row.wording).await?;
    let wording = wording
        .ok_or_else(|| StorageError::Corrupt(format!("the wording of the page {}", row.name)))?;
    Ok(Page {
        wording: Shown {
            text: wording.body,
            version: wording.version,
            language: wording.language,
        },
        row,
    })
}

/// Somebody has pressed the button under this version. Answers the code that they are to send; `None`: too many wait.
pub async fn agree(
    setup: &SetupContext,
    tenant: TenantId,
    page: &Page,
    (path, address, agent): (&str, &str, &str),
) -> Result<Option<String>, StorageError> {
    let now = setup.clock.now();
    let mut bytes = [0; CODE_CHARS];
    let unmade = |error| StorageError::Unmade(format!("no randomness for a code: {error}"));
    SystemEntropy.fill(&mut bytes).map_err(unmade)?;
    let code: String = bytes
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
        .collect();
    let evidence = Evidence {
        subject: String::new(),
        source: path.to_owned(),
        address: address.to_owned(),
        proof: json!({
            "page": page.row.name, "page_version": page.row.seq, "agreed_at": now.to_string(), "user_agent": agent,
        }),
    };
    let pending = Pending {
        id: setup.next_id(),
        contact: 0,
        code: code.clone(),
        scope: page.row.scope.clone(),
        wording: page.row.wording.clone(),
        value: serde_json::to_string(&evidence)
            .map_err(|error| StorageError::Unmade(error.to_string()))?,
        expires_at: now.plus(WAITS).millis(),
    };
    let mut tx = setup.db.begin().await?;
    consents::drop_over_all_tenants(&mut tx, now, 100).await?;
    let full = consent_pages::codes_waiting(&mut tx, tenant).await? >= WAITING_MOST;
    let kept = !full && consents::add_pending(&mut tx, tenant, &pending).await?;
    tx.commit().await?;
    Ok(kept.then_some(code))
}
