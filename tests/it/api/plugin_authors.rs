//! The author of an upload that the operator gave to all sees how all of its installations do, and not whose they are.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use vestibule::access::Role;
use vestibule::audit::OPERATOR;
use vestibule::domain::rollout::{Stage, Tally};
use vestibule::domain::{InstallationId, TenantId};
use vestibule::storage::components;
use vestibule::storage::plugin_health::{self, Part};
use vestibule_tests::{TestDatabase, for_each_database};

use super::ground::{Answer, answer};
use super::{Ground, plugin_rows};

/// Two uploads of the same author, and one of somebody else, which has the same name.
const FIRST: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222222222222222222222222222";
const STRANGE: &str = "3333333333333333333333333333333333333333333333333333333333333333";

struct Published {
    ground: Ground,
    author: TenantId,
    /// Two that have both uploads, and one that has uploaded the first itself.
    others: Vec<TenantId>,
    /// Of the first upload, the author's own first.
    installed: Vec<InstallationId>,
}

async fn named(ground: &Ground, digest: &str, author: TenantId) {
    let mut tx = ground.setup().db.begin().await.expect("a transaction");
    let named = components::set_author_all_tenants(&mut tx, digest, Some(author));
    named.await.expect("a row");
    tx.commit().await.expect("a commit");
}

impl Published {
    async fn on(database: &TestDatabase) -> Self {
        let ground = Ground::on(database).await;
        let author = ground.tenant("workshop").await;
        let mut others = Vec::new();
        for name in ["acme", "globex", "copycat"] {
            others.push(ground.tenant(name).await);
        }
        for digest in [FIRST, SECOND, STRANGE] {
            plugin_rows::upload(&ground, OPERATOR, digest, &json!({})).await;
        }
        named(&ground, FIRST, author).await;
        named(&ground, SECOND, author).await;
        named(&ground, STRANGE, others[0]).await;
        plugin_rows::upload(&ground, others[2], FIRST, &json!({})).await;
        let mut published = Self {
            ground,
            author,
            others,
            installed: Vec::new(),
        };
        published.install().await;
        published
    }

    async fn install(&mut self) {
        for tenant in [vec![self.author], self.others.clone()].concat() {
            let id = self.ran(tenant, FIRST, 10).await;
            self.installed.push(id);
        }
        for tenant in &self.others[..2] {
            self.ran(*tenant, SECOND, 3).await;
        }
        self.ran(self.others[1], STRANGE, 1).await;
    }

    /// It is installed and had so many turns.
    async fn ran(&self, tenant: TenantId, digest: &str, turns: u64) -> InstallationId {
        let place = (digest, Stage::Active);
        let id = plugin_rows::installation(&self.ground, tenant, place).await;
        let part = Part {
            tenant,
            installation: id,
            seq: 1,
            stage: Stage::Active,
        };
        self.did(part, turns).await;
        id
    }

    async fn did(&self, part: Part, turns: u64) {
        let tally = Tally {
            turns,
            faults: [("trap".to_owned(), 1)].into(),
            ..Tally::default()
        };
        let setup = self.ground.setup();
        let mut tx = setup.db.begin().await.expect("a transaction");
        let now = setup.clock.now();
        plugin_health::add_all_tenants(&mut tx, 1, &[(part, tally)], now)
            .await
            .expect("rows");
        tx.commit().await.expect("a commit");
    }

    async fn key(&self, tenant: TenantId, role: Role) -> String {
        self.ground.key(tenant, role).await
    }

    async fn health(&self, key: &str, digest: &str, query: &str) -> Answer {
        let path = format!("/plugins/{digest}/health{query}");
        self.ground.get(key, &path).await
    }

    /// Nothing that another tenant is known by stands in it, in a cursor neither.
    fn assert_anonymous(&self, answer: &Answer) {
        let cursor = answer.body["next_cursor"].as_str().unwrap_or_default();
        let cursor = URL_SAFE_NO_PAD.decode(cursor).expect("base64");
        let text = answer.body.to_string() + &String::from_utf8_lossy(&cursor);
        let ids = self.others.iter().map(|id| (id.to_string(), id.raw()));
        let installed = self.installed[1..]
            .iter()
            .map(|id| (id.to_string(), id.raw()));
        for (shown, raw) in ids.chain(installed) {
            assert!(!text.contains(&shown), "{shown}: {text}");
            assert!(!text.contains(&raw.to_string()), "{raw}: {text}");
            let bytes = raw.to_be_bytes();
            assert!(!cursor.windows(8).any(|part| part == bytes), "{raw}");
        }
        for name in ["acme", "globex", "copycat"] {
            assert!(!text.contains(name), "{name}: {text}");
        }
    }
}

fn parts(answer: &Answer) -> &Vec<Value> {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["installations"].as_array().expect("a list")
}

fn shown<'a>(answer: &'a Answer, field: &str) -> BTreeSet<&'a str> {
    let fields = parts(answer).iter();
    fields
        .map(|part| part[field].as_str().expect("text"))
        .collect()
}

#[tokio::test]
async fn an_author_sees_how_every_installation_does_and_not_whose_it_is() {
    for_each_database(async |database| {
        let published = Published::on(&database).await;
        let author = published.author.to_string();
        for role in [Role::PluginAuthor, Role::TenantAdmin] {
            let key = published.key(published.author, role).await;
            let seen = published.health(&key, FIRST, "").await;
            published.assert_anonymous(&seen);
            assert_eq!(seen.body["as_author"], true);
            // Its own, and two others; what somebody runs of an upload of their own is theirs.
            assert_eq!(parts(&seen).len(), 3);
            assert_eq!(seen.body["all"]["turns"], 30, "{seen:?}");
            assert_eq!(seen.body["all"]["faults"], json!({"trap": 3}));
            assert!(shown(&seen, "tenant").contains(author.as_str()));
            let own = published.installed[0].to_string();
            assert!(shown(&seen, "installation").contains(own.as_str()));
            let again = published.health(&key, FIRST, "").await;
            assert_eq!(again.body, seen.body, "one can be followed");

            // Of the other upload the same tenants are somebody else.
            let other = published.health(&key, SECOND, "").await;
            published.assert_anonymous(&other);
            assert_eq!(parts(&other).len(), 2);
            for field in ["tenant", "installation"] {
                assert!(shown(&seen, field).is_disjoint(&shown(&other, field)));
            }
            // The versions of its plugin, not those of another author's that is called so too.
            let in_use = json!([
                {"digest": FIRST, "version": "1.0.0", "stage": "active", "installations": 3},
                {"digest": SECOND, "version": "1.0.0", "stage": "active", "installations": 2},
            ]);
            assert_eq!(seen.body["in_use"], in_use);
            let upload = published
                .ground
                .get(&key, &format!("/plugins/{FIRST}"))
                .await;
            assert_eq!(upload.body["author"], author, "{upload:?}");
        }
        published.ground.end().await;
    })
    .await;
}

/// Page by page is what one long page shows.
async fn assert_pages_add_up(published: &Published, key: &str, each: impl Fn(&Answer)) {
    let whole = published.health(key, FIRST, "").await;
    let mut paged = Vec::new();
    let mut query = "?limit=1".to_owned();
    loop {
        let page = published.health(key, FIRST, &query).await;
        each(&page);
        assert_eq!(page.body["all"], whole.body["all"]);
        assert_eq!(parts(&page).len(), 1);
        paged.extend(parts(&page).clone());
        let Some(cursor) = page.body["next_cursor"].as_str() else {
            break;
        };
        query = format!("?limit=1&cursor={cursor}");
    }
    assert_eq!(&paged, parts(&whole));
}

#[tokio::test]
async fn the_operators_pages_are_in_the_order_of_ids_and_add_up() {
    for_each_database(async |database| {
        let published = Published::on(&database).await;
        // One of them has it a second time, and had it in two stages.
        let (tenant, installation) = (published.author, published.installed[0]);
        let ground = &published.ground;
        plugin_rows::another(ground, tenant, installation, (2, FIRST)).await;
        for stage in [Stage::Canary, Stage::Active] {
            let part = Part {
                tenant,
                installation,
                seq: 2,
                stage,
            };
            published.did(part, 1).await;
        }
        let operator = published.ground.operator.clone();
        assert_pages_add_up(&published, &operator, |_| {}).await;
        let seen = published.health(&operator, FIRST, "").await;
        let key = |part: &Value| {
            let text = |field: &str| part[field].as_str().expect("text").to_owned();
            (text("installation"), part["seq"].as_i64(), text("stage"))
        };
        let keys: Vec<_> = parts(&seen).iter().map(key).collect();
        assert_eq!(keys.len(), 6);
        assert!(keys.is_sorted(), "{keys:?}");
        published.ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn an_authors_pages_add_up_and_each_has_the_tally_of_all() {
    for_each_database(async |database| {
        let published = Published::on(&database).await;
        let key = published.key(published.author, Role::PluginAuthor).await;
        let anonymous = |page: &Answer| published.assert_anonymous(page);
        assert_pages_add_up(&published, &key, anonymous).await;
        // A cursor is good for whom it was given.
        let other = published.key(published.others[0], Role::PluginAuthor).await;
        let cursor = published.health(&key, FIRST, "?limit=1").await;
        let cursor = cursor.body["next_cursor"].as_str().expect("more");
        let theirs = published
            .health(&other, FIRST, &format!("?cursor={cursor}"))
            .await;
        assert_eq!(theirs.status, 400, "{theirs:?}");
        published.ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn who_is_not_the_author_sees_what_they_saw_before() {
    for_each_database(async |database| {
        let published = Published::on(&database).await;
        let none = published.health("", FIRST, "").await;
        assert_eq!((none.status, none.problem()), (401, "unauthenticated"));
        let author = published.author;
        for role in [Role::Agent, Role::Analyst] {
            let weak = published.key(author, role).await;
            let weak = published.health(&weak, FIRST, "").await;
            assert_eq!((weak.status, weak.problem()), (403, "forbidden"));
        }
        // Who works for the author on other things sees the tenant's own; so does who is no author at all.
        let developer = published.key(author, Role::Developer).await;
        let auditor = published.key(author, Role::Auditor).await;
        let customer = published.others[0];
        let theirs = published.key(customer, Role::PluginAuthor).await;
        for (key, tenant) in [
            (&developer, author),
            (&auditor, author),
            (&theirs, customer),
        ] {
            let seen = published.health(key, FIRST, "").await;
            assert_eq!(seen.body["as_author"], false);
            assert_eq!(parts(&seen).len(), 1, "{seen:?}");
            assert_eq!(shown(&seen, "tenant"), [tenant.to_string().as_str()].into());
            assert_eq!(seen.body["all"]["turns"], 10);
        }
        let upload = format!("/plugins/{FIRST}");
        let upload = published.ground.get(&theirs, &upload).await;
        assert_eq!(upload.body["author"], Value::Null, "{upload:?}");
        let aside = format!("?tenant={author}");
        let aside = published.health(&theirs, FIRST, &aside).await;
        assert_eq!(aside.status, 404, "{aside:?}");

        // The operator sees all of them by their names, and what the author sees.
        let operator = &published.ground.operator;
        let all = published.health(operator, FIRST, "").await;
        assert_eq!(parts(&all).len(), 4);
        let copycat = published.others[2].to_string();
        assert!(shown(&all, "tenant").contains(copycat.as_str()));
        let key = published.key(author, Role::PluginAuthor).await;
        let seen = published.health(&key, FIRST, "").await;
        let as_author = format!("?tenant={author}");
        let as_author = published.health(operator, FIRST, &as_author).await;
        assert_eq!(as_author.body, seen.body);
        published.ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn only_the_operator_names_an_author_of_what_is_for_all() {
    for_each_database(async |database| {
        let ground = Ground::on(&database).await;
        let tenant = ground.tenant("acme").await;
        let admin = ground.key(tenant, Role::TenantAdmin).await;
        let nobody = "author=ten_0000000000007".to_owned();
        for (key, query, status, says) in [
            (
                &admin,
                format!("author={tenant}"),
                422,
                "is named by the operator",
            ),
            (
                &admin,
                "author=none".to_owned(),
                422,
                "is named by the operator",
            ),
            (
                &ground.operator,
                format!("tenant={tenant}&author={tenant}"),
                422,
                "is named by the operator",
            ),
            (&ground.operator, nobody, 422, "must be a tenant"),
            (
                &ground.operator,
                "author=acme".to_owned(),
                400,
                "must be ten_",
            ),
        ] {
            let request = ground.request("POST", &format!("/api/v1/plugins?{query}"), key);
            let request = request.header("content-type", "application/wasm");
            let refused = answer(request.body(b"no component".to_vec())).await;
            assert_eq!(refused.status, status, "{query}: {refused:?}");
            assert!(refused.wrong()[0].contains(says), "{query}: {refused:?}");
        }
        ground.end().await;
    })
    .await;
}
