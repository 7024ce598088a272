//! One OS thread that runs guests and nothing else.
//!
//! A small single-threaded executor holds many stores at once; a guest gives way to the others after
//! [`FUEL_SLICE`](super::limits::FUEL_SLICE) units of fuel, so a hog costs its neighbours microseconds.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use tokio::runtime::{Builder, Handle};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::sync::lock;

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
        .spawn(move || {
            stand_back();
            runtime.block_on(serve(jobs, stores, io));
        })?;
    Ok(sender)
}

/// Of a core that both want, a thread with this niceness gets a third of what another gets. A guess.
const NICE: i32 = 5;

/// Acknowledging, committing and sending are for everybody, a guest is for one tenant: where the machine is short of CPU, guests
/// wait first. On Linux a thread has a niceness of its own.
fn stand_back() {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "guest threads have the priority of all others");
    }
}

async fn serve(mut jobs: mpsc::UnboundedReceiver<Job>, stores: usize, io: Handle) {
    let room = Arc::new(Semaphore::new(stores));
    let ended = Arc::<Ended>::default();
    tokio::spawn(hand_over(ended.clone()));
    while let Some(job) = jobs.recv().await {
        let weight = job.request.plugins.len().min(stores);
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        let Ok(place) = room.clone().acquire_many_owned(weight).await else {
            return;
        };
        tokio::spawn(run(job, place, io.clone(), ended.clone()));
    }
}

/// A caller who has gone away ends the turn: its instances are dropped where they stand.
async fn run(job: Job, _place: OwnedSemaphorePermit, io: Handle, ended: Arc<Ended>) {
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
    ended.push(reply, report);
}

/// Turns that ended, until their callers are told of it: those of one round of the thread together. Waking a caller on
/// another thread is a system call and would be a sixth of a turn's CPU; of callers that are told together, the first is
/// woken, and finds the rest.
#[derive(Default)]
struct Ended {
    reports: Mutex<Vec<(oneshot::Sender<TurnReport>, TurnReport)>>,
    some: Notify,
}

/// Reports that wait for the end of a round; beyond it they are told at once.
const TOLD_TOGETHER: usize = 16;

impl Ended {
    fn push(&self, reply: oneshot::Sender<TurnReport>, report: TurnReport) {
        let mut reports = lock(&self.reports);
        reports.push((reply, report));
        let waiting = reports.len();
        drop(reports);
        match waiting {
            1 => self.some.notify_one(),
            TOLD_TOGETHER.. => self.tell(),
            _ => {}
        }
    }

    fn tell(&self) {
        // Only this thread comes here: nobody waits for the lock meanwhile.
        for (reply, report) in lock(&self.reports).drain(..) {
            // The caller may have gone in this moment; nobody needs the report then.
            let _ = reply.send(report);
        }
    }
}

/// Tells the callers once for each round of the thread: whoever is woken stands in line behind what is to run in this one.
async fn hand_over(ended: Arc<Ended>) {
    loop {
        ended.some.notified().await;
        ended.tell();
    }
}
