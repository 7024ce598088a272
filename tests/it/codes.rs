//! What facts §7 ask for when a send meets a code that concerns consent, the window or templates: one table, written from
//! the facts. `delivery/codes.rs` walks it by Graph's answers, `ingest/codes.rs` by failures that come later.

use std::collections::BTreeSet;

use vestibule::domain::template::Learnt;
use vestibule::domain::{
    ConsentScope, ConsentStatus, ContactId, ConversationId, DraftClass, IdGenerator, TenantId,
    Timestamp,
};
use vestibule::storage::claims::conversation_facts_all_tenants;
use vestibule::storage::holds::{Held, holds_all_tenants};
use vestibule::storage::{Db, consents, limits, people, templates};
use vestibule::templates::Words;
use vestibule::templates::keep::{Said, Spoken, keep};

/// A state that an error leaves behind, beside the end of its send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Left {
    /// Meta is the authority on the window (§6.1).
    WindowClosed,
    /// The person's stop of marketing, in their row and in the ledger (§10.2).
    MarketingStopped,
    /// No marketing to this person for a day.
    HeldOff,
    NumberHeld,
    TemplateHeld,
    TemplatesHeld,
    /// What we know of the template is asked for again.
    Refetched,
}

/// What becomes of the send when its POST is answered so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Fails,
    /// It goes again after so many seconds, a fifth more or less.
    Again(i64),
}

pub struct Code {
    pub code: i64,
    /// Of the send that meets it.
    pub class: DraftClass,
    pub fate: Fate,
    pub leaves: &'static [Left],
}

use DraftClass::{Authentication, Marketing, Reply, Utility};
use Fate::{Again, Fails};
use Left::{
    HeldOff, MarketingStopped, NumberHeld, Refetched, TemplateHeld, TemplatesHeld, WindowClosed,
};

const fn row(code: i64, class: DraftClass, fate: Fate, leaves: &'static [Left]) -> Code {
    Code {
        code,
        class,
        fate,
        leaves,
    }
}

pub const CODES: &[Code] = &[
    // Consent, and what people bear (§7.2, §7.3).
    row(131_050, Marketing, Fails, &[MarketingStopped]),
    row(131_049, Marketing, Fails, &[HeldOff]),
    row(131_048, Marketing, Fails, &[NumberHeld]),
    // None of these is an opt-out (§10.2).
    row(130_472, Marketing, Fails, &[]),
    row(131_026, Marketing, Fails, &[]),
    row(130_403, Reply, Fails, &[]),
    row(131_062, Authentication, Fails, &[]),
    // The window.
    row(131_047, Reply, Fails, &[WindowClosed]),
    // Templates and flows (§7.2, §7.4).
    row(131_064, Utility, Fails, &[TemplatesHeld]),
    row(132_000, Utility, Fails, &[Refetched]),
    row(132_001, Utility, Again(60), &[Refetched]),
    row(132_005, Utility, Fails, &[]),
    row(132_007, Utility, Fails, &[]),
    row(132_008, Utility, Fails, &[]),
    row(132_012, Utility, Fails, &[Refetched]),
    row(132_015, Utility, Fails, &[TemplateHeld, Refetched]),
    row(132_016, Utility, Fails, &[TemplateHeld, Refetched]),
    row(132_018, Utility, Fails, &[]),
    row(132_068, Utility, Fails, &[TemplateHeld, Refetched]),
    row(132_069, Utility, Again(360), &[]),
    row(139_000, Utility, Fails, &[TemplateHeld, Refetched]),
    // By which of Meta's endpoints a template goes (§4.6, §7.3).
    row(131_055, Utility, Fails, &[]),
    row(131_063, Marketing, Fails, &[]),
    row(134_100, Utility, Fails, &[]),
    row(134_101, Marketing, Again(600), &[]),
    row(134_102, Marketing, Fails, &[]),
];

/// Each code's send has a template of its own.
pub fn template_name(code: &Code) -> String {
    format!("t_{}", code.code)
}

/// The templates as a sync has just read them, nothing to be asked for again.
pub async fn read_templates(
    db: &Db,
    ids: &IdGenerator,
    (tenant, account): (TenantId, &str),
    status: &str,
    now: Timestamp,
) {
    let said = Said {
        ids,
        tenant,
        account,
        at: now,
        now,
        how: Learnt::Sync,
        heard: ids.next(now),
    };
    let category = |class| match class {
        Marketing => "MARKETING",
        Authentication => "AUTHENTICATION",
        _ => "UTILITY",
    };
    let spoken: Vec<Spoken> = CODES
        .iter()
        .map(|code| Spoken {
            name: template_name(code),
            language: "en".to_owned(),
            words: Words {
                status: Some(status.to_owned()),
                category: Some(category(code.class).to_owned()),
                components: Some(r#"[{"type":"BODY","text":"Hello."}]"#.to_owned()),
                ..Words::default()
            },
        })
        .collect();
    let mut tx = db.begin().await.expect("a transaction");
    keep(&mut tx, said, &spoken).await.expect("kept");
    tx.commit().await.expect("a commit");
}

/// Whose send met a code, and by what: an answer's is `delivery`, a later failure's `receipt`.
pub struct Met<'a> {
    pub by: &'a str,
    pub tenant: TenantId,
    pub contact: ContactId,
    pub conversation: ConversationId,
    pub account: &'a str,
}

/// What is left behind of it.
pub async fn left(db: &Db, code: &Code, met: &Met<'_>) -> BTreeSet<Left> {
    let mut tx = db.read().await.expect("a transaction");
    let (tenant, contact) = (met.tenant, met.contact);
    let mut left = BTreeSet::new();
    let facts = conversation_facts_all_tenants(&mut tx, &[met.conversation]).await;
    if facts.expect("facts")[0].closed_by_meta_at.is_some() {
        left.insert(WindowClosed);
    }
    let rows = people::read_consent_all_tenants(&mut tx, &[contact]).await;
    let state = rows.expect("consent").of(contact).expect("a row").state;
    let told = consents::latest(&mut tx, tenant, contact, &ConsentScope::MetaMarketing).await;
    let told = told.expect("readable").map(|record| record.status);
    let stopped = state.meta_stopped_at.is_some();
    assert_eq!(
        told,
        stopped.then_some(ConsentStatus::Withdrawn),
        "row and ledger say the same of {}",
        code.code
    );
    if stopped {
        left.insert(MarketingStopped);
    }
    let alone = limits::held_off_all_tenants(&mut tx, &[contact], Timestamp::ZERO).await;
    if !alone.expect("readable").is_empty() {
        left.insert(HeldOff);
    }
    let name = template_name(code);
    let languages = templates::languages(&mut tx, tenant, met.account, &name).await;
    if languages.expect("readable")[0].refetch {
        left.insert(Refetched);
    }
    let by = format!("{}: Meta's error {}", met.by, code.code);
    for hold in holds_all_tenants(&mut tx).await.expect("holds") {
        if hold.placed_by != by {
            continue;
        }
        assert_eq!(hold.until, None, "somebody lifts it: {hold:?}");
        left.insert(match &hold.held {
            Held::Number(..) => NumberHeld,
            Held::Template(_, held) if held.name == name => TemplateHeld,
            Held::Templates(_) => TemplatesHeld,
            other => panic!("{other:?} is held for {}", code.code),
        });
    }
    left
}

#[test]
fn the_table_names_each_code_once() {
    let once: BTreeSet<i64> = CODES.iter().map(|code| code.code).collect();
    assert_eq!(once.len(), CODES.len());
}
