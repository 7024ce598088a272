//! Timers: they fire once, survive the process, and end when somebody else has the conversation.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use vestibule::desk::{Asked, Change};
use vestibule::domain::rollout::Stage;
use vestibule::domain::{ConversationId, InstallationId, Owner, TenantId, Timestamp};
use vestibule::plugin_host::ComponentDigest;
use vestibule::tenants::SetupContext;
use vestibule::tenants::installations::{self, NewInstallation, Source};
use vestibule_tests::{TestDatabase, for_each_database, guests, wait};

use super::ground::Ground;

const TIMERS: &str = "SELECT name FROM timer";
const FIRED: &str = "SELECT CAST(COUNT(*) AS TEXT) FROM inbound_event WHERE kind = 5 AND state = 1
    AND content LIKE '%\"occasion\":\"timer\"%'";

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_fires_once_with_what_it_was_given() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::new(&database).await;
        ground.says("remind 1", "I will.").await;
        ground.reads("You said: remind 1").await;
        ground.until(FIRED, &["1"]).await;
        ground.all_done().await;
        assert_eq!(ground.heard("You said: remind 1"), 1);
        assert_eq!(database.texts(TIMERS).await, Vec::<String>::new());
        // Nobody answered a person: what a timer says is business-initiated.
        let class = "SELECT CAST(class AS TEXT) FROM outbox WHERE draft LIKE '%You said%'";
        assert_eq!(database.texts(class).await, ["2"]);
        ground.node.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_outlives_its_node_and_setting_it_again_replaces_it() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::new(&database).await;
        ground.says("remind 3600", "I will.").await;
        ground.customer.text("remind 2").expect("sent");
        let due = "SELECT name FROM timer WHERE due_at - set_at = 2000";
        ground.until(due, &["remind"]).await;
        let ground = ground.goes_on_with("node", async || {}).await;
        ground.reads("You said: remind 2").await;
        ground.until(FIRED, &["1"]).await;
        ground.node.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_end_when_they_are_cancelled_handed_over_closed_or_taken_over() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::new(&database).await;
        let set = async || {
            ground.customer.text("remind 3600").expect("sent");
            ground.until(TIMERS, &["remind"]).await;
        };
        set().await;
        ground.customer.text("forget it").expect("sent");
        ground.until(TIMERS, &[]).await;
        set().await;
        ground.customer.text("close").expect("sent");
        ground.until(TIMERS, &[]).await;
        set().await;
        ground.all_done().await;
        let (tenant, _) = ground.place().await;
        let ids = database
            .texts("SELECT CAST(id AS TEXT) FROM conversation")
            .await;
        let asked = Asked {
            tenant,
            conversation: ConversationId::from_raw(ids[0].parse().expect("an id")),
            by: "ana".into(),
            actor: None,
            owner_version: None,
            ending: Default::default(),
        };
        let to = Owner::Agent("ana".into());
        let desk = &ground.node.followers.desk;
        let give = Change::Give { to, note: None };
        desk.change(&asked, give).await.expect("taken over");
        assert_eq!(database.texts(TIMERS).await, Vec::<String>::new());
        ground.node.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_has_at_most_32_timers_and_the_journal_says_which_were_refused() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::new(&database).await;
        for _ in 0..3 {
            ground.customer.text("timers 16").expect("sent");
            ground.all_done().await;
        }
        let count = database.count("SELECT COUNT(*) FROM timer").await;
        assert_eq!(count, 32);
        let refused =
            "SELECT CAST(COUNT(*) AS TEXT) FROM turn WHERE journal LIKE '%timers_refused%'";
        assert_eq!(database.texts(refused).await, ["1"]);
        ground.node.end().await;
    })
    .await;
}

/// Every timer should have fired a second after it was set.
const DUE: &str = "UPDATE timer SET due_at = set_at";
/// Those that are held, and how many there are.
const HELD: &str =
    "SELECT CAST(COUNT(*) AS TEXT) FROM timer WHERE held_from = set_at AND due_at > held_from";

/// Undoes what [`Ground::loads_nothing`] did.
const MENDED: &str = "UPDATE artifact SET engine = SUBSTR(engine, 9)";

impl Ground<'_> {
    fn setup(&self) -> &SetupContext {
        &self.node.context.setup
    }

    /// The node ends, and this one begins after what happens meanwhile.
    async fn goes_on_with(self, node: &str, meanwhile: impl AsyncFnOnce()) -> Self {
        self.node.end().await;
        meanwhile().await;
        let node = self.town.node(node).await;
        Self { node, ..self }
    }

    /// Goes on with a node that has nothing on its disk, and finds no machine code of its engine. The program of this test
    /// compiles nothing: that is known soon, or with `refused` from the beginning.
    async fn loads_nothing(self, refused: bool) -> Self {
        let database = self.database;
        let ground = self.goes_on_with("another", async || {
            if refused {
                let known = "INSERT INTO compile_work (digest, engine, holder, claimed_until, tries, problem)
                    SELECT DISTINCT digest, engine, 'nobody', 9000000000000000, 8, 'refused' FROM artifact";
                database.execute(known).await;
            }
            let altered = "UPDATE artifact SET engine = 'another ' || engine";
            database.execute(altered).await;
            if !refused {
                // What ran lately is tried as a node begins, if the one before had come to write that it ran.
                database.execute("DELETE FROM plugin_health").await;
            }
        });
        ground.await
    }

    /// A timer is set. The tenant and the installation whose it is.
    async fn reminder(&self) -> (TenantId, InstallationId) {
        self.says("remind 3600", "I will.").await;
        self.all_done().await;
        self.installation().await
    }

    async fn installation(&self) -> (TenantId, InstallationId) {
        let (tenant, _) = self.place().await;
        let all = installations::page(self.setup(), tenant, 0, 10).await;
        (tenant, all.expect("read")[0].id)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_of_a_paused_plugin_wait_and_fire_when_it_runs_again() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::new(&database).await;
        let (tenant, id) = ground.reminder().await;
        let pause = installations::pause(ground.setup(), tenant, id, false);
        pause.await.expect("paused");
        database.execute(DUE).await;
        ground.until(HELD, &["1"]).await;
        ground.all_done().await;
        assert_eq!(ground.heard("You said: remind 3600"), 0);
        let resume = installations::resume(ground.setup(), tenant, id);
        resume.await.expect("resumed");
        ground.reads("You said: remind 3600").await;
        ground.all_done().await;
        assert_eq!(ground.heard("You said: remind 3600"), 1);
        assert_eq!(database.texts(TIMERS).await, Vec::<String>::new());
        ground.node.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_whose_plugin_is_gone_ends_and_its_turn_says_so() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::new(&database).await;
        let (tenant, id) = ground.reminder().await;
        let remove = installations::remove(ground.setup(), tenant, id);
        remove.await.expect("removed");
        database.execute(DUE).await;
        let outcome = "SELECT outcome FROM turn WHERE outcome LIKE 'timer%'";
        ground.until(outcome, &["timer_dropped"]).await;
        assert_eq!(database.texts(TIMERS).await, Vec::<String>::new());
        ground.node.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_runs_again_at_one_number_lets_timers_of_another_wait() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::new(&database).await;
        let (tenant, tenants) = ground.reminder().await;
        let numbers = &ground.town.business.numbers;
        let other = (ground.town.meta).customer(&numbers[1].phone_number_id, "4915122222222");
        other
            .expect("a customer")
            .text("remind 3600")
            .expect("sent");
        ground.all_done().await;
        let own = NewInstallation {
            tenant: tenant.to_string(),
            number: Some(numbers[0].phone_number_id.clone()),
            source: Source::Digest(ComponentDigest::of(guests::CLOCKWORK).to_string()),
            config: None,
            grants: Some(["kv".to_owned()].into()),
            position: None,
            bounds: None,
            stage: Stage::Active,
            percent: 0,
            state_is_safe: false,
        };
        let compiler = &ground.node.context.compiler;
        let own = installations::install(ground.setup(), compiler, &own).await;
        let own = own.expect("installed").id;
        for id in [own, tenants] {
            let pause = installations::pause(ground.setup(), tenant, id, false);
            pause.await.expect("paused");
        }
        database.execute(DUE).await;
        ground.until(HELD, &["2"]).await;
        ground.all_done().await;
        let until = "SELECT CAST(conversation AS TEXT) || ' ' || CAST(due_at AS TEXT) FROM timer";
        let before = database.texts(until).await;
        let resume = installations::resume(ground.setup(), tenant, own);
        resume.await.expect("resumed");
        ground.reads("You said: remind 3600").await;
        ground.all_done().await;
        let after = database.texts(until).await;
        assert_eq!(after.len(), 1, "the other number's plugin is paused");
        assert!(
            before.contains(&after[0]),
            "{after:?} were let go: {before:?}"
        );
        ground.node.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_of_a_plugin_that_a_node_cannot_load_wait_and_fire_when_it_can() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::new(&database).await;
        ground.reminder().await;
        let ground = ground.loads_nothing(false).await;
        database.execute(DUE).await;
        ground.until(HELD, &["1"]).await;
        ground.all_done().await;
        let outcome = "SELECT outcome FROM turn WHERE outcome LIKE 'timer%'";
        assert_eq!(database.texts(outcome).await, ["timer_held"]);
        database.execute(MENDED).await;
        // Whoever has it loaded; the timer itself would try it in half a minute. Somebody new each time: Meta lets only so many
        // messages through to one person.
        let phone = &ground.town.business.numbers[0].phone_number_id;
        let others = AtomicUsize::new(0);
        wait::until("the plugin is loaded", async || {
            let other = format!("4915133{:06}", others.fetch_add(1, Ordering::Relaxed));
            let other = ground.town.meta.customer(phone, &other);
            let other = other.expect("a customer");
            other.text("hello").expect("sent");
            ground.all_done().await;
            let heard = other.chat().texts().contains(&"hello");
            heard.then_some(())
        })
        .await;
        ground.reads("You said: remind 3600").await;
        ground.all_done().await;
        assert_eq!(ground.heard("You said: remind 3600"), 1);
        assert_eq!(database.texts(TIMERS).await, Vec::<String>::new());
        ground.node.end().await;
    })
    .await;
}

const OUTCOMES: &str = "SELECT outcome FROM turn WHERE journal LIKE '%\"event\"%'";

#[tokio::test(flavor = "multi_thread")]
async fn an_event_waits_for_a_plugin_that_cannot_be_loaded_until_it_can() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::new(&database).await;
        ground.says("hello", "hello").await;
        ground.all_done().await;
        let ground = ground.loads_nothing(true).await;
        let (tenant, number) = ground.place().await;
        let paid = Ground::event(number, "1", "payment.succeeded", &json!({}));
        assert!(!ground.tell(tenant, paid).await);
        let unloadable = ground.node.followers.desk.directory.unloadable();
        let (_, id) = ground.installation().await;
        let tried = async || unloadable.since(id);
        wait::until("the plugin was tried", tried).await;
        // Somebody else is answered meanwhile: in the tenant's own words, for there is no plugin.
        let phone = &ground.town.business.numbers[0].phone_number_id;
        let other = ground.town.meta.customer(phone, "4915122222222");
        other.expect("a customer").text("hi").expect("sent");
        let answered = "SELECT outcome FROM turn WHERE outcome = 'fallback'";
        ground.until(answered, &["fallback"]).await;
        assert_eq!(database.texts(OUTCOMES).await, Vec::<String>::new());
        database.execute(MENDED).await;
        ground.reads("payment.succeeded").await;
        ground.until(OUTCOMES, &["answered"]).await;
        ground.node.end().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_ends_untold_where_a_plugin_cannot_be_loaded_for_long_and_its_turn_says_so() {
    for_each_database(async |database: TestDatabase| {
        let ground = Ground::new(&database).await;
        ground.says("hello", "hello").await;
        ground.all_done().await;
        let ground = ground.loads_nothing(true).await;
        let (tenant, number) = ground.place().await;
        let (_, id) = ground.installation().await;
        let directory = &ground.node.followers.desk.directory;
        let long_ago = Timestamp::from_millis(1);
        // The node has tried it already, perhaps.
        directory.unloadable().tried((id, 1), true, long_ago);
        directory.unloadable().tried((id, 1), false, long_ago);
        let paid = Ground::event(number, "1", "payment.succeeded", &json!({}));
        assert!(!ground.tell(tenant, paid).await);
        ground.until(OUTCOMES, &["not_told"]).await;
        ground.node.end().await;
    })
    .await;
}
