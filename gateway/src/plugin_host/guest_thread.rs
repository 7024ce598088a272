//! One OS thread that runs guests and nothing else.
//!
//! A small single-threaded executor holds many stores at once; a guest gives way to the others after
//! [`FUEL_SLICE`](super::limits::FUEL_SLICE) units of fuel, so a hog costs its neighbours microseconds.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::host::InFlight;
use super::report::TurnReport;
use super::request::TurnRequest;
use super::turn;

/// A turn on its way through a guest thread.
pub(super) struct Job {
    pub(super) request: TurnRequest,
    pub(super) asked: Instant,
    pub(super) reply: oneshot::Sender<TurnReport>,
    /// Held until the turn's instances are gone.
    pub(super) in_flight: InFlight,
}

/// Tasks polled before the thread looks for new jobs and elapsed timers. Small, because each poll of a guest may last
/// a whole slice of fuel: a new turn starts within this many slices.
const POLLS_BETWEEN_LOOKS: u32 = 4;

/// Starts a thread that runs jobs until the sender is dropped; at most `stores` instances live on it at a time.
pub(super) fn start(
    index: usize,
    stores: usize,
    io: Handle,
) -> std::io::Result<mpsc::UnboundedSender<Job>> {
    // Unbounded, because admission has counted every job before it is sent.
    let (sender, jobs) = mpsc::unbounded_channel();
    let runtime = Builder::new_current_thread()
        .enable_time()
        .event_interval(POLLS_BETWEEN_LOOKS)
        .global_queue_interval(POLLS_BETWEEN_LOOKS)
        .build()?;
    thread::Builder::new()
        .name(format!("guest-{index}"))
        .spawn(move || runtime.block_on(serve(jobs, stores, io)))?;
    Ok(sender)
}

async fn serve(mut jobs: mpsc::UnboundedReceiver<Job>, stores: usize, io: Handle) {
    let room = Arc::new(Semaphore::new(stores));
    while let Some(job) = jobs.recv().await {
        let weight = job.request.plugins.len().min(stores);
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        let Ok(place) = room.clone().acquire_many_owned(weight).await else {
            return;
        };
        tokio::spawn(run(job, place, io.clone()));
    }
}

/// A caller who has gone away ends the turn: its instances are dropped where they stand.
async fn run(job: Job, _place: OwnedSemaphorePermit, io: Handle) {
    let Job {
        request,
        asked,
        mut reply,
        in_flight: _in_flight,
    } = job;
    let report = tokio::select! {
        biased;
        () = reply.closed() => return,
        report = turn::run(Arc::new(request), asked, io) => report,
    };
    // The caller may have gone in this moment; nobody needs the report then.
    let _ = reply.send(report);
}
