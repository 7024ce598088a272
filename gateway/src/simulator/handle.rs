//! The simulator as Rust sees it: start, steer, look, wait, stop.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::action::{Action, CustomerMessage};
use super::chat::Chat;
use super::config::SimulatorConfig;
use super::counters::CountersNow;
use super::faults::Fault;
use super::identity::Profile;
use super::number::Number;
use super::requests::RequestRecord;
use super::server::Server;
use super::violation::Violation;
use super::webhook::{Flush, PostError, Signature};
use super::world::{Unknown, World};

/// The simulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    #[error("the simulator cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
    #[error(transparent)]
    Webhook(#[from] PostError),
}

/// Nothing came in time. The chat as it was then.
#[derive(Debug, thiserror::Error)]
#[error("waited {waited:?} for a chat that now reads {:?}", chat.texts())]
pub struct NotInTime {
    pub waited: Duration,
    pub chat: Box<Chat>,
}

/// A local WhatsApp.
#[derive(Debug)]
pub struct Simulator;

impl Simulator {
    /// Starts it inside the current tokio runtime.
    ///
    /// # Errors
    /// The address is taken, or the webhook URL is not plain HTTP.
    pub async fn start(config: SimulatorConfig) -> Result<SimulatorHandle, SimulatorError> {
        let server = Server::bind(config.listen)
            .await
            .map_err(|error| SimulatorError::Listen(config.listen, error))?;
        let stop = CancellationToken::new();
        let address = server.address;
        let world = Arc::new(World::new(config, stop.clone())?);
        world.listens_at(format!("http://{address}"));
        let serving = tokio::spawn(server.run(Arc::clone(&world), stop.clone()));
        Ok(SimulatorHandle {
            world,
            address,
            stop,
            serving: Some(serving),
        })
    }
}

/// Runs the simulator as a process of its own until `shutdown`.
///
/// # Errors
/// It could not start.
pub async fn serve(
    config: SimulatorConfig,
    shutdown: impl Future<Output = ()>,
) -> Result<(), SimulatorError> {
    let handle = Simulator::start(config).await?;
    tracing::info!(address = %handle.address(), "simulator listens");
    shutdown.await;
    handle.stop().await;
    Ok(())
}

/// A running simulator; stops when dropped. What [`World`] can do it can, too.
#[derive(Debug)]
pub struct SimulatorHandle {
    world: Arc<World>,
    address: SocketAddr,
    stop: CancellationToken,
    serving: Option<JoinHandle<()>>,
}

impl Deref for SimulatorHandle {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Drop for SimulatorHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl SimulatorHandle {
    /// The simulator itself, for those who outlive this handle's borrow.
    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.world)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What `graph.base_url` of a gateway is set to.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops listening, lets running requests finish, drops what is not delivered yet.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(serving) = self.serving.take()
            && let Err(error) = serving.await
        {
            tracing::error!(%error, "simulator ended badly");
        }
    }

    /// One customer in a chat with one number.
    ///
    /// # Errors
    /// There is no such number, or `who` is nobody's identifier.
    pub fn customer(&self, phone_number_id: &str, who: &str) -> Result<Customer, Unknown> {
        let (number, key) = self.world.chat_of(phone_number_id, who)?;
        Ok(Customer {
            world: Arc::clone(&self.world),
            number,
            key,
        })
    }
}

impl World {
    /// Adds a line to the script of faults.
    pub fn fault(&self, fault: Fault) {
        self.faults.add(fault);
    }

    pub fn clear_faults(&self) {
        self.faults.clear();
    }

    pub fn counters(&self) -> CountersNow {
        self.counters.now()
    }

    /// Breaches of Meta's rules so far.
    pub fn violations(&self) -> Vec<Violation> {
        self.violations.all()
    }

    pub fn clear_violations(&self) {
        self.violations.clear();
    }

    /// Every recorded request to `/messages`, oldest first.
    pub fn requests(&self) -> Vec<Arc<RequestRecord>> {
        self.requests.matching(|_| true)
    }

    /// Waits until `holds` is true of all recorded requests; notified, not polling.
    pub async fn wait_for_requests(&self, holds: impl Fn(&[Arc<RequestRecord>]) -> bool) {
        self.requests.wait_for(holds).await;
    }

    /// From now on updates pile up instead of going out.
    pub fn hold_webhooks(&self) {
        self.outlet.hold();
    }

    /// Lets what piled up go as one POST.
    ///
    /// # Errors
    /// A POST had no answer.
    pub async fn flush_webhooks(&self, flush: Flush) -> Result<Vec<StatusCode>, PostError> {
        self.outlet.flush(flush).await
    }

    /// Posts exactly these bytes, `times` times one after the other, and says what was answered.
    ///
    /// # Errors
    /// A POST had no answer.
    pub async fn deliver_body(
        &self,
        body: impl Into<Bytes>,
        signature: Signature,
        times: u32,
    ) -> Result<Vec<StatusCode>, PostError> {
        self.outlet.deliver(body.into(), signature, times).await
    }

    /// Meta's GET when a callback URL is saved: was the challenge echoed?
    ///
    /// # Errors
    /// No answer came.
    pub async fn handshake(&self, verify_token: &str) -> Result<bool, PostError> {
        self.outlet.handshake(verify_token).await
    }

    /// Waits until every webhook is accepted or given up. Held ones do not count.
    pub async fn webhooks_idle(&self) {
        self.outlet.idle().await;
    }
}

/// One customer's phone, open at the chat with one number.
#[derive(Debug, Clone)]
pub struct Customer {
    world: Arc<World>,
    number: Arc<Number>,
    key: String,
}

impl Customer {
    /// Sends a text; the result is the wamid.
    pub fn text(&self, body: impl Into<String>) -> Result<String, Unknown> {
        self.send(Action::Text(body.into()))
    }

    /// Taps a button or row, by id or title, of the newest message that has any.
    ///
    /// # Errors
    /// There is no such choice.
    pub fn tap(&self, choice: impl Into<String>) -> Result<String, Unknown> {
        self.send(Action::Tap(choice.into()))
    }

    pub fn react(&self, message_id: &str, emoji: &str) -> Result<String, Unknown> {
        self.send(Action::Reaction {
            message_id: message_id.to_owned(),
            emoji: Some(emoji.to_owned()),
        })
    }

    /// Anything else.
    ///
    /// # Errors
    /// A choice is unknown.
    pub fn send(&self, message: impl Into<CustomerMessage>) -> Result<String, Unknown> {
        self.world
            .customer_sends(self.number.id(), &self.key, message.into())
    }

    /// Any `messages[]` element; what every element has is added.
    ///
    /// # Errors
    /// Never for a number that exists.
    pub fn raw(&self, element: Value) -> Result<String, Unknown> {
        match element {
            Value::Object(fields) => self.send(Action::Raw(fields)),
            other => self.text(other.to_string()),
        }
    }

    pub fn set_profile(&self, profile: Profile) {
        self.number.set_profile(&self.key, profile);
    }

    /// The chat as it stands.
    pub fn chat(&self) -> Chat {
        self.number.with_chat(&self.key, Clone::clone)
    }

    /// Waits until `holds` is true of the chat, at most `timeout` of real time; notified, not polling.
    ///
    /// # Errors
    /// It did not come true in time.
    pub async fn wait_for(
        &self,
        timeout: Duration,
        holds: impl Fn(&Chat) -> bool,
    ) -> Result<Chat, NotInTime> {
        let waiting = self.number.wait_for(&self.key, holds);
        match tokio::time::timeout(timeout, waiting).await {
            Ok(chat) => Ok(chat),
            Err(_) => Err(NotInTime {
                waited: timeout,
                chat: Box::new(self.chat()),
            }),
        }
    }
}
