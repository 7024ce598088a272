//! What an open page is told, as server-sent events: the world once, then chats, stories and the wire as they change.
//!
//! A page that lost its connection begins anew and finds what it knows by id, so nothing here is remembered for it.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::{Body, Frame};
use serde::Serialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio_util::sync::CancellationToken;

use super::super::identity::Profile;
use super::super::number::Number;
use super::super::world::World;

/// Who the page is when nobody is known yet.
const SOMEBODY: &str = "447700900123";
/// Changes come in bursts (a message and its statuses): they are told together, and a load test cannot keep a page busy.
const BURST: Duration = Duration::from_millis(15);
/// Nobody chooses among more people than that.
const PEOPLE: usize = 300;
/// A line that says nothing: finds out whether the page is still there.
const HEARTBEAT: Duration = Duration::from_secs(15);

#[derive(Serialize, PartialEq)]
struct Scene {
    numbers: Vec<NumberOnPhone>,
    customers: Vec<Person>,
    customer: String,
    has_gateway: bool,
}

#[derive(Serialize, PartialEq)]
struct NumberOnPhone {
    id: String,
    waba_id: String,
    display_number: String,
    name: String,
}

#[derive(Serialize, PartialEq)]
struct Person {
    key: String,
    name: String,
    username: Option<String>,
    shows_phone: bool,
}

/// The body of the answer: events until the page goes away or `stop`.
pub(crate) fn feed(
    world: Arc<World>,
    customer: Option<String>,
    stop: CancellationToken,
) -> impl Body<Data = Bytes, Error = Infallible> + Send {
    let (events, received) = channel(64);
    tokio::spawn(async move {
        let mut page = Page::of(&world, customer, events);
        tokio::select! {
            () = stop.cancelled() => {}
            // Ends when nobody reads any more.
            _gone = page.follow(&world) => {}
        }
    });
    StreamBody::new(futures::stream::unfold(received, next))
}

async fn next(
    mut received: Receiver<Bytes>,
) -> Option<(Result<Frame<Bytes>, Infallible>, Receiver<Bytes>)> {
    let event = received.recv().await?;
    Some((Ok(Frame::data(event)), received))
}

/// Nobody reads the events any more.
struct Gone;

/// One open page and what it has been told.
struct Page {
    customer: String,
    events: Sender<Bytes>,
    scene: Option<Scene>,
    chats: HashMap<String, u64>,
    last_story: u64,
    last_exchange: u64,
}

impl Page {
    fn of(world: &World, customer: Option<String>, events: Sender<Bytes>) -> Self {
        let known = || world.people().keys().next().cloned();
        let customer = customer.or_else(known);
        Self {
            customer: customer.unwrap_or_else(|| SOMEBODY.to_owned()),
            events,
            scene: None,
            chats: HashMap::new(),
            last_story: 0,
            last_exchange: 0,
        }
    }

    async fn follow(&mut self, world: &World) -> Result<Infallible, Gone> {
        let watching = world.watch.open();
        loop {
            let changed = watching.changed();
            tokio::pin!(changed);
            // Listen before looking: a change in between must not be missed.
            changed.as_mut().enable();
            self.tell(world).await?;
            tokio::select! {
                () = changed => tokio::time::sleep(BURST).await,
                () = tokio::time::sleep(HEARTBEAT) => self.say(Bytes::from_static(b":\n\n")).await?,
            }
        }
    }

    async fn tell(&mut self, world: &World) -> Result<(), Gone> {
        let scene = world.scene(&self.customer);
        if self.scene.as_ref() != Some(&scene) {
            self.event("world", &scene).await?;
            self.scene = Some(scene);
        }
        for number in world.all_numbers() {
            self.chat(&number).await?;
        }
        for story in world.stories.after(self.last_story) {
            self.last_story = story.id;
            self.event("story", &story).await?;
        }
        for exchange in world.wire.after(self.last_exchange) {
            self.last_exchange = exchange.id;
            self.event("wire", &exchange.shown()).await?;
        }
        Ok(())
    }

    async fn chat(&mut self, number: &Number) -> Result<(), Gone> {
        let told = self.chats.entry(number.id().to_owned()).or_default();
        let Some(change) = number.changed_since(&self.customer, *told) else {
            return Ok(());
        };
        *told = change.version;
        self.event("chat", &change).await
    }

    async fn event(&self, name: &str, value: &impl Serialize) -> Result<(), Gone> {
        // JSON has no line breaks outside of strings, and inside they are escaped: one line, one event.
        let data = serde_json::to_string(value).map_err(|_| Gone)?;
        self.say(Bytes::from(format!("event: {name}\ndata: {data}\n\n")))
            .await
    }

    async fn say(&self, bytes: Bytes) -> Result<(), Gone> {
        self.events.send(bytes).await.map_err(|_| Gone)
    }
}

impl World {
    /// Those whom numbers have met or who have a profile.
    fn people(&self) -> BTreeMap<String, Profile> {
        let mut people = BTreeMap::new();
        for number in self.all_numbers() {
            for key in number.customer_keys().into_iter().take(PEOPLE) {
                let profile = number.profile(&key);
                people.entry(key).or_insert(profile);
            }
        }
        people
    }

    fn scene(&self, customer: &str) -> Scene {
        let mut people = self.people();
        people.entry(customer.to_owned()).or_default();
        let numbers = self.all_numbers();
        Scene {
            numbers: numbers.iter().map(|number| on_phone(number)).collect(),
            customers: people.into_iter().map(person).collect(),
            customer: customer.to_owned(),
            has_gateway: self.stories.expected(),
        }
    }
}

fn on_phone(number: &Number) -> NumberOnPhone {
    let spec = number.spec();
    let name = number.display_name();
    NumberOnPhone {
        id: spec.phone_number_id.clone(),
        waba_id: spec.waba_id.clone(),
        display_number: spec.display_number.clone(),
        name,
    }
}

fn person((key, profile): (String, Profile)) -> Person {
    Person {
        key,
        name: profile.name,
        username: profile.username,
        shows_phone: profile.shows_phone,
    }
}
