//! Who may give which grants to a plugin, who gave what it has, and how far the operator lets a tenant's plugins go.

use serde_json::{Value, json};
use vestibule::access::Role;
use vestibule::domain::rollout::Stage;
use vestibule::domain::{InstallationId, TenantId};
use vestibule::storage::plugin_versions::{self, Version};
use vestibule_tests::{TestDatabase, for_each_database};

use super::ground::Answer;
use super::{Ground, plugin_rows};

const FIRST: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222222222222222222222222222";
const SECRET: &str = "secret shop-token";
const SHOP: &str = "http GET https://eu.shop.example/orders";

/// A tenant with two versions of a plugin that asks for all there is.
struct Givers {
    ground: Ground,
    tenant: TenantId,
    admin: String,
    developer: String,
    author: String,
}

impl Givers {
    async fn on(database: &TestDatabase) -> Self {
        let ground = Ground::on(database).await;
        let tenant = ground.tenant("acme").await;
        for (digest, version) in [(FIRST, "1.0.0"), (SECOND, "2.0.0")] {
            let fields = json!({"version": version, "grants": asked()});
            plugin_rows::upload(&ground, tenant, digest, &fields).await;
        }
        Self {
            admin: ground.key(tenant, Role::TenantAdmin).await,
            developer: ground.key(tenant, Role::Developer).await,
            author: ground.key(tenant, Role::PluginAuthor).await,
            tenant,
            ground,
        }
    }

    async fn install(&self, key: &str, digest: &str, grants: Option<Value>) -> Answer {
        let mut new = json!({"digest": digest, "stage": "waiting"});
        if let Some(grants) = grants {
            new["grants"] = grants;
        }
        self.ground.post(key, "/installations", &new).await
    }

    async fn give(&self, key: &str, installation: &str, grants: Value) -> Answer {
        let path = format!("/installations/{installation}");
        let change = json!({ "grants": grants });
        self.ground.patch(key, &path, "*", &change).await
    }

    async fn set(&self, key: &str, settings: Value) -> Answer {
        let path = format!("/tenants/{}", self.tenant);
        let change = json!({ "settings": settings });
        self.ground.patch(key, &path, "*", &change).await
    }

    async fn lets_have(&self, ceiling: Value) {
        let set = self.set(&self.ground.operator, json!({ "grant_ceiling": ceiling }));
        assert_eq!(set.await.status, 200);
    }

    async fn ceiling(&self) -> Value {
        let path = format!("/tenants/{}", self.tenant);
        let tenant = self.ground.get(&self.admin, &path).await;
        tenant.body["settings"]["grant_ceiling"].clone()
    }

    /// An installation whose version before had [`SECRET`], and the one in service has these.
    async fn went_on_with(&self, grants: Value) -> InstallationId {
        let (ground, tenant) = (&self.ground, self.tenant);
        let id = plugin_rows::installation(ground, tenant, (FIRST, Stage::Active)).await;
        let earlier = Version {
            good: true,
            grants: json!(["kv", SECRET]).to_string(),
            asked: asked().to_string(),
            ..plugin_rows::version(ground, 2, SECOND, Stage::Retired)
        };
        let now = Version {
            asked: asked().to_string(),
            grants: grants.to_string(),
            ..plugin_rows::version(ground, 3, FIRST, Stage::Active)
        };
        let mut tx = ground.setup().db.begin().await.expect("a transaction");
        plugin_versions::forget(&mut tx, tenant, id, 1)
            .await
            .expect("gone");
        for version in [&earlier, &now] {
            plugin_versions::insert(&mut tx, tenant, id, version)
                .await
                .expect("a row");
        }
        tx.commit().await.expect("a commit");
        id
    }

    /// As the API names whoever has this key.
    async fn label(&self, key: &str) -> String {
        let me = self.ground.get(key, "/me").await;
        me.body["key"].as_str().expect("an id").to_owned()
    }
}

fn asked() -> Value {
    json!([
        "contacts",
        "conversation",
        "http *",
        "kv",
        "personal-data phone",
        "secret *",
        "window"
    ])
}

fn grants(answer: &Answer) -> &Value {
    assert!([200, 201].contains(&answer.status), "{answer:?}");
    &answer.body["candidate"]["grants"]
}

fn refused(answer: &Answer, says: &[&str]) {
    assert_eq!(answer.status, 422, "{answer:?}");
    let told = answer.wrong().join("\n");
    assert!(told.starts_with("/grants: "), "{told}");
    for part in says {
        assert!(told.contains(part), "{part}: {told}");
    }
}

fn is_by(given: &Value, key: &str) {
    let by = given["given_by"].as_str().expect("a label");
    assert!(by.starts_with(key), "{given}");
}

#[tokio::test]
async fn a_plugin_author_gives_nothing_that_reads_people_or_asks_others() {
    for_each_database(async |database| {
        let givers = Givers::on(&database).await;
        let (author, developer) = (&givers.author, &givers.developer);
        for grant in [
            "contacts",
            "conversation",
            SHOP,
            "personal-data phone",
            SECRET,
        ] {
            let given = Some(json!(["kv", grant]));
            let named = format!("`{grant}` is not a plugin author's to give");
            let who = "tenant_admin or developer, or the operator";
            refused(&givers.install(author, FIRST, given).await, &[&named, who]);
        }
        let installed = givers
            .install(author, FIRST, Some(json!(["kv", "window"])))
            .await;
        assert_eq!(grants(&installed)["given"], json!(["kv", "window"]));
        let id = installed.id();
        let more = json!(["kv", "window", SECRET, SHOP]);
        refused(
            &givers.give(author, &id, more.clone()).await,
            &[SECRET, SHOP],
        );

        // Others may, and each grant is shown with who gave it.
        let given = givers.give(developer, &id, more.clone()).await;
        let (of_author, of_developer) = (givers.label(author).await, givers.label(developer).await);
        is_by(grants(&given), &of_developer);
        let inherited = grants(&given)["inherited"].as_array().expect("a list");
        let names: Vec<&Value> = inherited.iter().map(|one| &one["grant"]).collect();
        assert_eq!(names, ["kv", "window"]);
        is_by(&inherited[0], &of_author);

        // A new version goes on with what the one before has, given by whoever gave it.
        let next = givers.install(author, SECOND, None).await;
        assert_eq!(grants(&next), grants(&given));
        let said_again = givers.install(author, FIRST, Some(more)).await;
        assert_eq!(grants(&said_again), grants(&given));
        let less = givers
            .install(author, SECOND, Some(json!(["kv", SECRET])))
            .await;
        is_by(grants(&less), &of_developer);
        assert_eq!(grants(&less)["inherited"].as_array().map(Vec::len), Some(1));

        // What was taken away stays away.
        let taken = givers.give(&givers.admin, &id, json!(["kv"])).await;
        is_by(grants(&taken), &of_developer);
        is_by(&grants(&taken)["inherited"][0], &of_author);
        refused(
            &givers.give(author, &id, json!(["kv", SECRET])).await,
            &[SECRET],
        );
        let next = givers.install(author, FIRST, None).await;
        assert_eq!(grants(&next)["given"], json!(["kv"]));
        givers.ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn an_author_who_narrows_a_grant_gives_nothing_and_others_give_in_their_name() {
    for_each_database(async |database| {
        let givers = Givers::on(&database).await;
        let (author, developer) = (&givers.author, &givers.developer);
        let wide = "http https://*.shop.example/";
        let of_developer = givers.label(developer).await;
        let first = Some(json!(["kv", wide]));
        let first = givers.install(developer, FIRST, first).await;
        is_by(grants(&first), &of_developer);
        let narrower = givers.install(author, SECOND, Some(json!([SHOP]))).await;
        assert_eq!(grants(&narrower)["given"], json!([SHOP]));
        is_by(grants(&narrower), &of_developer);
        assert_eq!(grants(&narrower)["inherited"], json!([]));
        // With something of their own beside it.
        let more = Some(json!([SHOP, "window"]));
        let more = givers.install(author, FIRST, more).await;
        is_by(grants(&more), &givers.label(author).await);
        let inherited = &grants(&more)["inherited"];
        assert_eq!(inherited.as_array().map(Vec::len), Some(1), "{inherited}");
        assert_eq!(inherited[0]["grant"], SHOP);
        is_by(&inherited[0], &of_developer);
        let narrowest = "http GET https://eu.shop.example/orders/new";
        let narrowed = givers
            .give(&givers.admin, &more.id(), json!([narrowest]))
            .await;
        is_by(grants(&narrowed), &givers.label(&givers.admin).await);
        givers.ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_plugin_author_does_not_go_back_to_what_was_taken_away() {
    for_each_database(async |database| {
        let givers = Givers::on(&database).await;
        let ground = &givers.ground;
        let id = givers.went_on_with(json!(["kv"])).await;
        let path = format!("/installations/{id}/rollback");
        for body in [json!({}), json!({"to": 2})] {
            let refused = ground.post(&givers.author, &path, &body).await;
            assert_eq!((refused.status, refused.problem()), (409, "state"));
            let told = refused.body["detail"].as_str().expect("why");
            assert!(
                told.contains("would bring `secret shop-token` back"),
                "{told}"
            );
        }
        let back = ground.post(&givers.developer, &path, &json!({})).await;
        assert_eq!(back.status, 200, "{back:?}");
        let given = &back.body["active"]["grants"]["given"];
        assert_eq!(given, &json!(["kv", SECRET]));
        givers.ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_taken_from_the_version_in_service_comes_back_by_nobodys_rollback() {
    for_each_database(async |database| {
        let givers = Givers::on(&database).await;
        let id = givers.went_on_with(json!(["kv", SECRET])).await;
        let taken = givers
            .give(&givers.admin, &id.to_string(), json!(["window"]))
            .await;
        assert_eq!(taken.status, 200, "{taken:?}");
        let path = format!("/installations/{id}/rollback");
        let back = givers.ground.post(&givers.author, &path, &json!({})).await;
        assert_eq!(back.status, 200, "{back:?}");
        let given = &back.body["active"]["grants"]["given"];
        assert_eq!(given, &json!(["kv"]), "what reads nobody is the version's");
        givers.ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn nobody_gives_more_than_the_operator_lets_a_tenants_plugins_have() {
    for_each_database(async |database| {
        let givers = Givers::on(&database).await;
        assert_eq!(givers.ceiling().await, json!("all"));
        let ceiling = json!(["http GET https://*.shop.example/", "kv"]);
        givers.lets_have(ceiling.clone()).await;
        let who = "only the operator can widen it (`grant_ceiling` of the tenant's settings)";
        for grant in [SECRET, "window", "http https://eu.shop.example/orders"] {
            let named =
                format!("`{grant}` is more than the operator lets plugins of this tenant have");
            let given = Some(json!(["kv", grant]));
            refused(
                &givers.install(&givers.admin, FIRST, given).await,
                &[&named, who],
            );
        }
        let own = format!("/installations?tenant={}", givers.tenant);
        let new = json!({"digest": FIRST, "stage": "waiting", "grants": [SECRET]});
        let operator = &givers.ground.operator;
        refused(
            &givers.ground.post(operator, &own, &new).await,
            &[SECRET, who],
        );

        let installed = givers
            .install(&givers.admin, FIRST, Some(json!(["kv", SHOP])))
            .await;
        assert_eq!(grants(&installed)["withheld"], json!([]));
        let id = installed.id();
        refused(
            &givers.give(&givers.admin, &id, json!([SHOP, SECRET])).await,
            &[SECRET],
        );

        // Lowered: it is shown, it is not used, and it cannot be given again. Who has not read that changes nothing.
        let path = format!("/installations/{id}");
        let read = givers.ground.get(&givers.admin, &path).await;
        givers.lets_have(json!(["kv"])).await;
        let moved = json!({"position": 3});
        let tag = read.header("etag");
        let stale = givers.ground.patch(&givers.admin, &path, tag, &moved).await;
        assert_eq!(stale.status, 412, "{stale:?}");
        let seen = givers.ground.get(&givers.admin, &path).await;
        assert_eq!(grants(&seen)["given"], json!([SHOP, "kv"]));
        assert_eq!(grants(&seen)["withheld"], json!([SHOP]));
        let listed = givers.ground.get(&givers.admin, "/installations").await;
        assert_eq!(listed.body["items"], json!([seen.body]));
        let versions = format!("{path}/versions");
        let versions = givers.ground.get(&givers.admin, &versions).await;
        assert_eq!(
            versions.body["items"][0]["grants"]["withheld"],
            json!([SHOP])
        );
        refused(
            &givers.give(&givers.admin, &id, json!(["kv", SHOP])).await,
            &[SHOP, who],
        );
        let next = givers.install(&givers.admin, SECOND, None).await;
        assert_eq!(
            grants(&next)["withheld"],
            json!([SHOP]),
            "what is left out is not given"
        );
        let seen = givers.ground.get(&givers.admin, &path).await;
        let tag = seen.header("etag");
        let fresh = givers.ground.patch(&givers.admin, &path, tag, &moved).await;
        assert_eq!(fresh.status, 200, "{fresh:?}");

        givers.lets_have(json!("all")).await;
        let seen = givers.ground.get(&givers.admin, &path).await;
        assert_eq!(grants(&seen)["withheld"], json!([]));
        givers.ground.end().await;
    })
    .await;
}

#[tokio::test]
async fn a_ceiling_is_the_operators_to_move() {
    for_each_database(async |database| {
        let givers = Givers::on(&database).await;
        let ceiling = json!(["kv"]);
        givers.lets_have(ceiling.clone()).await;
        let admin = &givers.admin;
        for other in [json!("all"), json!(["kv", "secret *"]), json!([])] {
            let moved = givers.set(admin, json!({ "grant_ceiling": other })).await;
            assert_eq!(moved.status, 422, "{moved:?}");
            assert!(
                moved.wrong()[0].contains("it is the operator's"),
                "{moved:?}"
            );
        }
        // Left out, or as it is: it stays.
        for settings in [
            json!({}),
            json!({"human_queue": "desk", "grant_ceiling": ceiling}),
        ] {
            assert_eq!(givers.set(admin, settings).await.status, 200);
            assert_eq!(givers.ceiling().await, ceiling);
        }
        let left_out = givers.set(&givers.ground.operator, json!({})).await;
        assert_eq!(left_out.body["settings"]["grant_ceiling"], ceiling);
        for key in [&givers.author, &givers.developer] {
            assert_eq!(givers.set(key, json!({})).await.status, 403);
        }
        assert_eq!(givers.set("", json!({})).await.status, 401);
        let stranger = givers.ground.tenant("globex").await;
        let stranger = givers.ground.key(stranger, Role::TenantAdmin).await;
        assert_eq!(givers.set(&stranger, json!({})).await.status, 404);
        for wrong in [json!("most"), json!(["moon"]), json!({"kv": true})] {
            let set = json!({ "grant_ceiling": wrong });
            let set = givers.set(&givers.ground.operator, set).await;
            assert_eq!(set.status, 422, "{set:?}");
            assert!(
                set.wrong()[0].starts_with("/settings/grant_ceiling: "),
                "{set:?}"
            );
        }
        givers.ground.end().await;
    })
    .await;
}
