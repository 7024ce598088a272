//! Plugins that ask other servers (`docs/plugins-grants.md`), in a running gateway: what the server sees, what the plugin
//! sees, and what is kept of it.

mod candidates;
mod ceiling;
mod lookup;
mod meanwhile;
mod shop;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use vestibule::simulator::Chat;
use vestibule_tests::manifest::saying;
use vestibule_tests::town::Town;
use vestibule_tests::{TestDatabase, for_each_database, guests, settle};

use shop::Shop;

const SECRET: &str = "sk-live/4f9+Zq8k=77";

/// A town whose plugins may ask this machine.
async fn town(database: &TestDatabase) -> Town {
    let mut town = Town::without_plugin(database).await;
    town.deployment = town
        .deployment
        .with("hooks.allow_private_addresses", "true")
        .with("plugins.http_timeout", "30s");
    town
}

fn file(town: &Town, name: &str, content: &[u8]) -> String {
    let file: PathBuf = town.deployment.data_dir(name).with_extension("bin");
    std::fs::write(&file, content).expect("the file is written");
    file.to_str().expect("a path in UTF-8").to_owned()
}

/// Gives the tenant a secret by the command line, bound to a host.
async fn has_secret(town: &Town, tenant: usize, name: &str, host: &str) {
    has_secret_of(town, tenant, (name, SECRET), host).await;
}

async fn has_secret_of(town: &Town, tenant: usize, (name, value): (&str, &str), host: &str) {
    let tenant = town.business.tenants[tenant].as_str();
    let value = file(town, "secret", value.as_bytes());
    let set = [
        "secret",
        "set",
        name,
        "--tenant",
        tenant,
        "--value-file",
        &value,
        "--host",
        host,
    ];
    let said = town.deployment.run("node", &set, &[]).await;
    assert!(!said.contains(SECRET), "{said}");
    let list = ["secret", "list", "--tenant", tenant, "--json"];
    let said = town.deployment.run("node", &list, &[]).await;
    assert!(said.contains(name) && !said.contains(SECRET), "{said}");
}

async fn install(town: &Town, tenant: usize, component: &[u8], settings: &Value, more: &[&str]) {
    let component = file(town, "component", component);
    let (tenant, settings) = (town.business.tenants[tenant].as_str(), settings.to_string());
    let mut arguments = vec!["plugin", "install", &component, "--tenant", tenant];
    arguments.extend(["--settings", settings.as_str()]);
    arguments.extend(more);
    town.deployment.run("node", &arguments, &[]).await;
}

fn write(town: &Town, tenant: usize, phone: &str, text: &str) {
    let mut numbers = town.business.numbers.iter();
    let number = numbers.find(|number| number.tenant == tenant);
    let number = &number.expect("a number of the tenant").phone_number_id;
    let customer = town.meta.customer(number, phone).expect("a customer");
    customer.text(text).expect("sent");
}

async fn all_done(town: &Town, database: &TestDatabase) {
    town.meta.webhooks_idle().await;
    let db = database.open().await;
    settle(&db).await;
    db.close().await;
}

/// The tenant's first customer says something; answers what the bot said to that.
async fn says(town: &Town, database: &TestDatabase, tenant: usize, text: &str) -> String {
    write(town, tenant, PHONE, text);
    all_done(town, database).await;
    let drafts = database.texts("SELECT draft FROM outbox ORDER BY id").await;
    let draft: Value = drafts
        .last()
        .map(|draft| serde_json::from_str(draft).expect("a draft is JSON"))
        .unwrap_or_default();
    draft["content"].to_string()
}

const PHONE: &str = "4915112345678";

/// Nothing of what was written in stands in it.
fn assert_clean(text: &str) {
    for hidden in [SECRET, "4915112345678", "c2stbGl2ZS80ZjkrWnE4az03N"] {
        assert!(!text.contains(hidden), "{hidden} stands in {text}");
    }
}

async fn journals(database: &TestDatabase) -> Vec<Value> {
    let journals = database.texts("SELECT journal FROM turn ORDER BY id").await;
    journals.iter().for_each(|journal| assert_clean(journal));
    let read = |journal: &String| serde_json::from_str(journal).expect("a journal is JSON");
    journals.iter().map(read).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_looked_up_with_what_the_plugin_never_sees() {
    for_each_database(async |database| {
        let shop = Shop::start().await;
        let town = town(&database).await;
        has_secret(&town, 0, "shop-token", "127.0.0.1").await;
        let settings = json!({"shop": shop.url("")});
        let hosts = format!("http POST {}", shop.url("/orders/"));
        let grants = [
            "--grant",
            &hosts,
            "--grant",
            "secret shop-token",
            "--grant",
            "personal-data phone",
        ];
        install(&town, 0, guests::ORDER_STATUS, &settings, &grants).await;
        let other = saying(guests::ORDER_STATUS, &json!({"version": "0.2.0"}));
        let shadow = [grants.as_slice(), &["--stage", "shadow"]].concat();
        install(&town, 0, &other, &settings, &shadow).await;
        let node = town.node("node").await;
        let said = says(&town, &database, 0, "where is order 4711?").await;
        assert!(said.contains("Your order 4711: on its way."), "{said}");
        let asked = shop.asked();
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].line, "POST /orders/find");
        assert_eq!(asked[0].header("authorization"), format!("Bearer {SECRET}"));
        assert_eq!(asked[0].header("content-type"), "application/json");
        assert!(asked[0].header("idempotency-key").starts_with("evt_"));
        let body: Value = serde_json::from_str(&asked[0].body).expect("JSON");
        assert_eq!(body, json!({"order": "4711", "phone": format!("+{PHONE}")}));
        let journal = &journals(&database).await[0];
        let record = &journal["report"]["host_answers"]["http"][0];
        let kept = record["answer"]["response"]["text"].as_str().expect("text");
        assert!(kept.contains("Bearer [masked]"), "{record}");
        assert!(journal["report"]["calls"][0]["waited_us"].as_u64() > Some(0));
        // The version in shadow was told the same, and asked nobody.
        assert_eq!(journal["trials"][0]["same"], true, "{journal}");
        node.end().await;
        // The journal answers.
        let told = replayed(&town, &database, guests::ORDER_STATUS).await;
        let counts = (&told["same"], &told["different"]);
        assert_eq!(counts, (&json!(1), &json!(0)), "{told}");
        assert_eq!((shop.asked().len(), shop.connections()), (1, 1));
    })
    .await;
}

/// What a replay of the first tenant's turns with this candidate tells.
async fn replayed(town: &Town, database: &TestDatabase, candidate: &[u8]) -> Value {
    let query = "SELECT CAST(id AS TEXT) FROM installation ORDER BY tenant LIMIT 1";
    let id = database.texts(query).await.remove(0);
    let id = vestibule::domain::InstallationId::from_raw(id.parse().expect("a number"));
    let (id, tenant) = (id.to_string(), town.business.tenants[0].as_str());
    let candidate = file(town, "candidate", candidate);
    let arguments = [
        "plugin", "replay", "--tenant", tenant, "--since", "1h", "--json",
    ];
    let arguments = [
        arguments.as_slice(),
        &["--installation", &id, "--candidate", &candidate],
    ]
    .concat();
    let said = town.deployment.run("node", &arguments, &[]).await;
    serde_json::from_str(&said).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_out_and_nothing_goes_elsewhere() {
    for_each_database(async |database| {
        let shop = Shop::start().await;
        let town = town(&database).await;
        has_secret(&town, 1, "token", "127.0.0.1").await;
        has_secret(&town, 1, "elsewhere", "*.shop.example").await;
        let hosts = [
            format!("http {}", shop.url("/echo")),
            format!("http GET {}", shop.url("/moved")),
            format!("http GET {}", shop.url("/together")),
            "http http://127.0.0.1:1/".to_owned(),
            "http https://localhost/".to_owned(),
        ];
        let mut grants = vec![
            "--grant",
            "kv",
            "--grant",
            "secret token",
            "--grant",
            "secret elsewhere",
        ];
        grants.extend(["--grant", "secret none", "--grant", "personal-data phone"]);
        grants.extend(["--grant", "personal-data bsuid"]);
        grants.extend(hosts.iter().flat_map(|host| ["--grant", host.as_str()]));
        install(&town, 1, guests::ASKER, &json!({}), &grants).await;
        let node = town.node("node").await;
        let ask = async |wish: Value| {
            let said = says(&town, &database, 1, &wish.to_string()).await;
            assert_clean(&said);
            said
        };
        let with =
            |secret: &str| json!([["authorization", [{"text": "Bearer "}, {"secret": secret}]]]);
        let echo = shop.url("/echo");
        let said = ask(json!({"url": echo, "headers": with("token")})).await;
        assert!(said.contains("x-you-sent=Bearer [masked]"), "{said}");
        let members = json!([["/a/phone", ["phone"]], ["/token", [{"secret": "token"}]]]);
        let said =
            ask(json!({"url": echo, "method": "post", "body": r#"{"a":{}}"#, "members": members}))
                .await;
        assert!(said.contains("[masked]"), "{said}");
        let last = shop.asked().pop().expect("asked");
        let body: Value = serde_json::from_str(&last.body).expect("JSON");
        assert_eq!(
            body,
            json!({"a": {"phone": format!("+{PHONE}")}, "token": SECRET})
        );
        let said = ask(json!({"url": echo, "headers": [["x-id", ["bsuid"]]]})).await;
        let last = shop.asked().pop().expect("asked");
        assert!(last.header("x-id").contains('.'), "{last:?}");
        assert!(said.contains(r#"\"x-id\":\"[masked]\""#), "{said}");
        let before = shop.asked().len();
        for (wish, expected) in [
            (
                json!({"url": echo, "headers": with("elsewhere")}),
                "bound to other hosts",
            ),
            (
                json!({"url": echo, "headers": with("none")}),
                "no secret `none`",
            ),
            (json!({"url": echo, "headers": with("unasked")}), "Denied: "),
            (json!({"url": shop.url("/orders/find")}), "Denied: "),
            (json!({"url": shop.url("/echoes")}), "Denied: "),
            (
                json!({"url": shop.url("/moved"), "method": "post"}),
                "Denied: ",
            ),
            (
                json!({"url": "http://127.0.0.1:1/", "headers": with("token")}),
                "Unreachable: ",
            ),
            (
                json!({"url": echo, "headers": [["host", [{"text": "evil.example"}]]]}),
                "Invalid: ",
            ),
            (
                json!({"url": echo, "headers": [["x-a", [{"text": "a\r\nb: c"}]]]}),
                "Invalid: ",
            ),
        ] {
            let said = ask(wish.clone()).await;
            assert!(said.contains(expected), "{wish}: {said}");
        }
        assert_eq!(shop.asked().len(), before, "nothing of that was sent");
        let said = ask(json!({"url": shop.url("/moved"), "headers": with("token")})).await;
        assert!(
            said.contains("302 [location=http://127.0.0.1:1/private"),
            "{said}"
        );
        let said = ask(json!({"url": echo, "times": 50})).await;
        assert!(said.contains("Quota: "), "{said}");
        assert_eq!(shop.asked().len(), before + 1 + 8, "so many a turn");
        a_lost_race_asks_nobody_again(&town, &database, &shop).await;
        journals(&database).await;
        node.end().await;
    })
    .await;
}

/// Two turns read the same number, ask, and write it: one loses, and runs again.
async fn a_lost_race_asks_nobody_again(town: &Town, database: &TestDatabase, shop: &Shop) {
    let before = shop.asked().len();
    let wish = json!({"url": shop.url("/together"), "counts": "n"}).to_string();
    for phone in [PHONE, "4915112345679"] {
        write(town, 1, phone, &wish);
    }
    all_done(town, database).await;
    let keys: BTreeSet<String> = shop.asked()[before..]
        .iter()
        .map(|asked| asked.header("idempotency-key").to_owned())
        .collect();
    assert_eq!((shop.asked().len() - before, keys.len()), (2, 2));
    let journals = journals(database).await;
    let lost = journals
        .iter()
        .filter_map(|journal| journal["lost_races"].as_u64());
    assert_eq!(lost.sum::<u64>(), 1, "one of them ran again");
    let drafts = database.texts("SELECT draft FROM outbox").await;
    let told = drafts.iter().filter(|draft| draft.contains("both"));
    assert_eq!(told.count(), 2, "both were told the answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_keeps_nobody_elses_turns_waiting() {
    for_each_database(async |database| {
        let shop = Shop::start().await;
        let mut town = town(&database).await;
        // As many as a tenant's 16 requests with 8 plugins each would fill.
        town.deployment = town.deployment.with("plugins.guest_threads", "2");
        let hosts = format!("http GET {}", shop.url("/held"));
        install(&town, 0, guests::ASKER, &json!({}), &["--grant", &hosts]).await;
        // A turn that waits keeps the instances of all of the tenant's plugins.
        for n in 1..8 {
            let other = saying(guests::ECHO, &json!({"name": format!("other-{n}")}));
            install(&town, 0, &other, &json!({}), &[]).await;
        }
        install(&town, 1, guests::ECHO, &json!({}), &[]).await;
        let node = town.node("node").await;
        let wish = json!({"url": shop.url("/held")}).to_string();
        for n in 10..42 {
            write(&town, 0, &format!("49151123456{n}"), &wish);
        }
        let number = (town.business.numbers.iter()).find(|number| number.tenant == 1);
        let number = &number.expect("a number of the tenant").phone_number_id;
        let quiet = town.meta.customer(number, PHONE).expect("a customer");
        for n in 1..=20 {
            quiet.text(format!("hello {n}")).expect("sent");
            let answered = |chat: &Chat| chat.texts().len() == n;
            let answer = quiet.wait_for(Duration::from_secs(20), answered).await;
            answer.expect("an answer, though the other's server gives none");
        }
        shop.release();
        all_done(&town, &database).await;
        // Who found no place among those that wait was told so at once, and nobody was left without a word.
        let answers = database.texts("SELECT journal FROM turn").await;
        let has = |words: &str| {
            answers
                .iter()
                .filter(|journal| journal.contains(words))
                .count()
        };
        assert_eq!(
            has("as many of the tenant's turns wait"),
            32 - shop.asked().len()
        );
        assert_eq!(database.count("SELECT COUNT(*) FROM outbox").await, 32 + 20);
        node.end().await;
    })
    .await;
}

/// The longest secret, which its name makes of a byte or two.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_written_in_as_often_as_a_request_has_room() {
    for_each_database(async |database| {
        let shop = Shop::start().await;
        let town = town(&database).await;
        let big = "s".repeat(4_096);
        has_secret_of(&town, 1, ("big", &big), "127.0.0.1").await;
        let host = format!("http POST {}", shop.url("/none"));
        let grants = ["--grant", "kv", "--grant", "secret big", "--grant", &host];
        install(&town, 1, guests::ASKER, &json!({}), &grants).await;
        let node = town.node("node").await;
        let times = |n| vec![json!({"secret": "big"}); n];
        let ask = async |headers: Value, members: Value| {
            let url = shop.url("/none");
            let wish =
                json!({"url": url, "method": "post", "headers": headers, "members": members});
            let said = says(&town, &database, 1, &wish.to_string()).await;
            assert!(!said.contains(&big), "{said}");
            (said, shop.asked().len())
        };
        let (said, asked) = ask(json!([["x-a", times(1)]]), json!([["/a", times(15)]])).await;
        assert!(said.contains("404 ") && asked == 1, "{said}");
        let sent = shop.asked().remove(0);
        assert_eq!(sent.header("x-a"), big);
        assert_eq!(sent.body, json!({"a": big.repeat(15)}).to_string());
        for (headers, members, expected) in [
            (
                json!([["x-a", times(2)]]),
                json!([]),
                "headers: at most 8192 bytes, with",
            ),
            (json!([["x-a", times(17)]]), json!([]), "more than 16 parts"),
            (
                json!([]),
                json!([["/a", times(16)]]),
                "body: at most 65536 bytes, with",
            ),
            (
                json!([]),
                json!([["/a", times(9)], ["/b", times(9)]]),
                "body: at most 65536 bytes, with",
            ),
            (json!([]), json!([["/a", times(65)]]), "more than 64 parts"),
        ] {
            let (said, asked) = ask(headers, members).await;
            assert!(said.contains("Invalid: "), "{expected}: {said}");
            assert!(said.contains(expected) && asked == 1, "{expected}: {said}");
        }
        node.end().await;
    })
    .await;
}
