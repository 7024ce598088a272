//! A business whose plugin hears of everything, a node that serves it, and a customer who has written.

use std::time::Duration;

use serde_json::{Map, Value};
use vestibule::audit::Actor;
use vestibule::domain::{NumberId, TenantId};
use vestibule::occasions::{NewOccasion, Who};
use vestibule::simulator::{Chat, Customer};
use vestibule_tests::town::Town;
use vestibule_tests::{InProcessNode, TestDatabase, guests, settle, wait};

pub(super) const CUSTOMER: &str = "4915111111111";

pub(super) struct Ground<'a> {
    pub town: Town,
    pub node: InProcessNode,
    pub customer: Customer,
    pub database: &'a TestDatabase,
}

impl<'a> Ground<'a> {
    pub(super) async fn new(database: &'a TestDatabase) -> Self {
        let town = Town::with_plugin(database, guests::CLOCKWORK, &["kv"]).await;
        let node = town.node("node").await;
        let number = &town.business.numbers[0].phone_number_id;
        let customer = town.meta.customer(number, CUSTOMER).expect("a customer");
        Self {
            town,
            node,
            customer,
            database,
        }
    }

    /// The customer writes, and reads an answer with these words.
    pub(super) async fn says(&self, text: &str, answer: &str) {
        self.customer.text(text).expect("sent");
        self.reads(answer).await;
    }

    pub(super) async fn reads(&self, words: &str) {
        let has = |chat: &Chat| chat.texts().iter().any(|text| text.contains(words));
        let waited = self.customer.wait_for(Duration::from_secs(60), has).await;
        waited.unwrap_or_else(|_| panic!("no `{words}` in {:?}", self.customer.chat().texts()));
    }

    pub(super) fn heard(&self, words: &str) -> usize {
        let chat = self.customer.chat();
        chat.texts().iter().filter(|text| **text == words).count()
    }

    /// Waits until everything has happened that was caused so far.
    pub(super) async fn all_done(&self) {
        self.town.meta.webhooks_idle().await;
        let db = self.database.open().await;
        settle(&db).await;
        self.town.meta.webhooks_idle().await;
        settle(&db).await;
        db.close().await;
    }

    /// Waits until a question has this answer.
    pub(super) async fn until(&self, question: &'static str, answer: &[&str]) {
        wait::until(question, async || {
            let found = self.database.texts(question).await;
            (found == answer).then_some(())
        })
        .await;
    }

    /// The tenant and number of the customer's conversation.
    pub(super) async fn place(&self) -> (TenantId, NumberId) {
        let sql = "SELECT CAST(tenant AS TEXT) || ' ' || CAST(number AS TEXT) FROM conversation";
        let rows = self.database.texts(sql).await;
        let (tenant, number) = rows[0].split_once(' ').expect("two numbers");
        let raw = |text: &str| text.parse().expect("a number");
        (
            TenantId::from_raw(raw(tenant)),
            NumberId::from_raw(raw(number)),
        )
    }

    /// An event about the customer.
    pub(super) fn event(number: NumberId, id: &str, name: &str, fields: &Value) -> NewOccasion {
        NewOccasion {
            id: id.to_owned(),
            name: name.to_owned(),
            number,
            who: Who::Phone(format!("+{CUSTOMER}")),
            at: None,
            fields: fields.as_object().cloned().unwrap_or_else(Map::new),
        }
    }

    pub(super) async fn tell(&self, tenant: TenantId, event: NewOccasion) -> bool {
        let occasions = &self.node.followers.occasions;
        let told = occasions
            .tell(tenant, event, &Actor::gateway(), &Default::default())
            .await;
        told.expect("told").again
    }
}
