//! Lists of a plugin's memory, as both databases answer them: of one space, by pages, in the order of their bytes. And what
//! goes with a space when it is erased.

use vestibule::domain::{TenantId, Timestamp};
use vestibule::storage::Tx;
use vestibule::storage::kv::{self, KvKey, KvValue};
use vestibule::storage::person::{self, Person};
use vestibule_tests::{TestDatabase, for_each_database};

const TENANT: TenantId = TenantId::from_raw(1);
const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
/// More keys of other spaces than a list may give.
const FOREIGN: usize = 250;

fn row(plugin: &str, item: &str, expires_at: i64) -> (KvKey, KvValue) {
    let key = KvKey {
        tenant: TENANT,
        plugin: plugin.to_owned(),
        item: item.to_owned(),
    };
    let value = KvValue {
        value: b"v".to_vec(),
        version: 1,
        expires_at,
    };
    (key, value)
}

async fn put(tx: &mut Tx, mut rows: Vec<(KvKey, KvValue)>) {
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    kv::put_all_tenants(tx, &rows).await.expect("written");
}

async fn list(tx: &mut Tx, prefix: &str, after: &str, most: i64) -> Vec<String> {
    let listed = kv::list(tx, TENANT, "p", (prefix, after), most, NOW).await;
    listed.expect("a list")
}

/// What is asked (prefix, after, how many) and what is answered.
type List<'a> = ((&'a str, &'a str, i64), &'a [&'a str]);

/// The lists of a memory of these keys, each followed by what must come of it.
async fn check(database: &TestDatabase, keys: &[&str], lists: &[List<'_>]) {
    let db = database.open().await;
    let mut tx = db.begin().await.expect("a transaction");
    put(&mut tx, keys.iter().map(|key| row("p", key, 0)).collect()).await;
    for ((prefix, after, most), wanted) in lists {
        let listed = list(&mut tx, prefix, after, *most).await;
        assert_eq!(listed, *wanted, "{prefix:?} after {after:?}, {most}");
    }
    tx.commit().await.expect("a commit");
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_other_spaces_take_no_place_in_a_list_of_the_tenants() {
    for_each_database(async |database| {
        let db = database.open().await;
        let mut tx = db.begin().await.expect("a transaction");
        let foreign = (0..FOREIGN).flat_map(|n| {
            let (contact, conversation) = (format!("\u{1}p{n:x}/k"), format!("\u{1}c{n:x}/k"));
            [row("p", &contact, 0), row("p", &conversation, 0)]
        });
        let own = ["\u{2}", "a", "b", "\u{10ffff}"].map(|key| row("p", key, 0));
        put(&mut tx, foreign.chain(own).collect()).await;
        assert_eq!(
            list(&mut tx, "", "", 101).await,
            ["\u{2}", "a", "b", "\u{10ffff}"]
        );
        assert_eq!(list(&mut tx, "", "", 2).await, ["\u{2}", "a"]);
        assert_eq!(list(&mut tx, "", "a", 2).await, ["b", "\u{10ffff}"]);
        // Another space is one prefix.
        let space = "\u{1}c1/";
        assert_eq!(list(&mut tx, space, "", 101).await, ["\u{1}c1/k"]);
        tx.commit().await.expect("a commit");
        db.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_has_exact_edges_and_pages_go_on_by_bytes() {
    // In the order of their bytes, which is not that of any language.
    let keys = [
        "B",
        "a",
        "a/",
        "a/1",
        "a/10",
        "a/2",
        "a/\u{e9}",
        "a/\u{10ffff}",
        "a/\u{10ffff}x",
        "a0",
        "b",
        "\u{e9}",
    ];
    let below: &[&str] = &keys[2..9];
    let lists: &[List<'_>] = &[
        (("", "", 100), &keys),
        (("a/", "", 100), below),
        (("a/", "", 3), &below[..3]),
        (("a/", "a/10", 3), &below[3..6]),
        (("a/", "a/\u{10ffff}", 3), &below[6..]),
        (("a/", "a/\u{10ffff}x", 3), &[]),
        (("a/", "", 0), &[]),
        // `after` need not be a key, nor begin like the prefix.
        (("a/", "B", 1), &below[..1]),
        (("a/", "a/15", 1), &["a/2"]),
        (("a/", "b", 100), &[]),
        (("a%", "", 100), &[]),
        (("A", "", 100), &[]),
        (("\u{e9}", "", 100), &["\u{e9}"]),
    ];
    for_each_database(async |database| check(&database, &keys, lists).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_and_what_is_others_is_in_no_list() {
    for_each_database(async |database| {
        let db = database.open().await;
        let mut tx = db.begin().await.expect("a transaction");
        let mut neighbour = row("p", "neighbour's", 0);
        neighbour.0.tenant = TenantId::from_raw(2);
        let rows = vec![
            row("p", "lives", NOW.millis() + 1),
            row("p", "ends now", NOW.millis()),
            row("p", "ended", NOW.millis() - 1),
            row("p", "stays", 0),
            row("another", "plugin's", 0),
            neighbour,
        ];
        put(&mut tx, rows).await;
        assert_eq!(list(&mut tx, "", "", 100).await, ["lives", "stays"]);
        // What has ended takes no place.
        assert_eq!(list(&mut tx, "e", "", 1).await, [""; 0]);
        assert_eq!(list(&mut tx, "", "", 1).await, ["lives"]);
        tx.commit().await.expect("a commit");
        db.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_erased_leaves_the_quota_by_the_byte() {
    for_each_database(async |database| {
        let db = database.open().await;
        let mut tx = db.begin().await.expect("a transaction");
        // Characters of one to four bytes, of which none is as long as its key's or value's count of characters.
        let rows = vec![
            row("p", "\u{1}c2a/gr\u{f6}\u{df}e", 0),
            row("p", "\u{1}p2a/\u{4f60}\u{597d}", 0),
            row("p", "\u{1}p2a/\u{1f600}", 0),
            row("p", "k\u{e4}se", 0),
        ];
        let bytes = |rows: &[(KvKey, KvValue)]| -> i64 {
            let sizes = rows.iter().map(|(key, value)| key.bytes(&value.value));
            sizes.sum()
        };
        let owner = rows[0].0.owner();
        let (all, left) = (bytes(&rows), bytes(&rows[3..]));
        put(&mut tx, rows).await;
        kv::set_usage_all_tenants(&mut tx, &[(owner.clone(), all)])
            .await
            .expect("counted");
        let whom = Person {
            contacts: vec![0x2a],
            conversations: vec![0x2a],
            ..Person::default()
        };
        let erased = person::forget_memory(&mut tx, TENANT, &whom).await;
        erased.expect("erased");
        assert_eq!(list(&mut tx, "", "", 100).await, ["k\u{e4}se"]);
        let used = kv::usage_all_tenants(&mut tx, std::slice::from_ref(&owner)).await;
        assert_eq!(used.expect("counted"), [(owner, left)]);
        tx.commit().await.expect("a commit");
        db.close().await;
    })
    .await;
}
