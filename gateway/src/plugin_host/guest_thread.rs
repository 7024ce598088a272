//! One OS thread that runs guests and nothing else.
//!
//! A small single-threaded executor holds many stores at once; a guest gives way to the others after
//! [`FUEL_SLICE`](super::limits::FUEL_SLICE) units of fuel, so a hog costs its neighbours microseconds.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::domain::Leeway;
use crate::sync::lock;

use super::host::{InFlight, Overload};
use super::http::Places;
use super::report::TurnReport;
use super::request::{TurnRequest, Weight};
use super::turn;

/// A turn on its way through a guest thread.
pub(super) struct Job {
    pub(super) request: Arc<TurnRequest>,
    pub(super) asked: Instant,
    pub(super) reply: oneshot::Sender<Ran>,
    /// Held until the turn's instances are gone.
    pub(super) in_flight: InFlight,
}

/// A report, and the place of its turn. The caller gives that back: it takes a lock, which a thread that gets no core would keep.
pub(super) type Ran = (TurnReport, InFlight);

/// Tasks polled before the thread looks for new jobs and elapsed timers. Small, because each poll of a guest may last
/// a whole slice of fuel: a new turn starts within this many slices.
const POLLS_BETWEEN_LOOKS: u32 = 4;

/// The way to a thread.
pub(super) struct GuestThread {
    jobs: mpsc::UnboundedSender<Job>,
    /// Instances that the turns waiting or running here have or will have.
    pub(super) in_flight: Arc<AtomicUsize>,
    places: Arc<Places>,
    unread: Arc<Unread>,
}

impl GuestThread {
    /// A turn as it runs here: one that may ask other servers keeps its places meanwhile.
    pub(super) fn with_places(&self, mut request: TurnRequest) -> TurnRequest {
        if request.asks_others() {
            let places = request.plugins.len();
            request.http = self.places.sender(request.http, places);
        }
        request
    }

    pub(super) fn send(&self, job: Job) -> Result<(), Overload> {
        self.unread.sent();
        self.jobs.send(job).map_err(|_| Overload::Lost)
    }

    /// It has not come to look at a job for long: there is no core for it.
    pub(super) fn starves(&self) -> bool {
        self.unread.waits() > STARVED
    }
}

/// Starts a thread that runs jobs until the handle is dropped; at most `stores` instances live on it at a time.
pub(super) fn start(
    weight: Weight,
    index: usize,
    stores: usize,
    io: Handle,
    leeway: Arc<Leeway>,
) -> std::io::Result<GuestThread> {
    // Unbounded, because admission has counted every job before it is sent.
    let (sender, jobs) = mpsc::unbounded_channel();
    let unread = Arc::<Unread>::default();
    let seen = unread.clone();
    let runtime = Builder::new_current_thread()
        .enable_time()
        .event_interval(POLLS_BETWEEN_LOOKS)
        .global_queue_interval(POLLS_BETWEEN_LOOKS)
        .build()?;
    let name = match weight {
        Weight::Light => format!("guest-{index}"),
        Weight::Heavy => format!("heavy-guest-{index}"),
    };
    thread::Builder::new().name(name).spawn(move || {
        let pauses = match weight {
            Weight::Light => None,
            Weight::Heavy => {
                stand_back();
                Some(Arc::new(Pauses::new(seen.clone(), leeway)))
            }
        };
        // Each turn counts owners of it in several places: in here no other thread counts with it.
        let io = Arc::new(io);
        runtime.block_on(serve(jobs, seen, stores, io, pauses));
    })?;
    Ok(GuestThread {
        jobs: sender,
        in_flight: Arc::default(),
        places: Places::among(stores),
        unread,
    })
}

/// From now on the thread runs on a core that no other thread of this process (or of its control group) wants, and whoever
/// comes to want it has it at once (SCHED_IDLE). A lower priority alone would not do: on its way to a reply a message wakes
/// a thread a dozen times, and each would wait for the end of a slice. Whoever wants a lock that such a thread holds waits
/// with it, so it takes none that others need, but for those of wasmtime's pool, of tokio and of the kernel.
fn stand_back() {
    let none = libc::sched_param { sched_priority: 0 };
    // SAFETY: 0 is the calling thread, the parameters live until the call returns, and nothing else is read or written.
    let refused = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const none) } != 0;
    if refused {
        let error = std::io::Error::last_os_error();
        tracing::warn!(%error, "threads of heavy plugins have the priority of all others");
    }
}

/// A heavy turn has waited so long for its thread to look at it: the machine is full, and the next ones run among the light
/// ones. A guess.
const STARVED: Duration = Duration::from_millis(500);

/// Jobs that the thread has not come to look at. No mutex: a thread that gets no core would keep it from others.
#[derive(Debug, Default)]
struct Unread {
    count: AtomicUsize,
    /// When it looked at one last, or the first of these came: by [`since_start`].
    looked_at: AtomicI64,
    /// The next waits for a store, not for a core.
    is_full: AtomicBool,
}

impl Unread {
    fn sent(&self) {
        if self.count.fetch_add(1, Ordering::AcqRel) == 0 {
            self.looked_at.store(since_start(), Ordering::Release);
        }
    }

    /// The thread looks at a job, which then waits for its place.
    async fn read<T>(&self, place: impl Future<Output = T>) -> T {
        self.is_full.store(true, Ordering::Release);
        self.count.fetch_sub(1, Ordering::AcqRel);
        let place = place.await;
        self.looked_at.store(since_start(), Ordering::Release);
        self.is_full.store(false, Ordering::Release);
        place
    }

    /// The thread has slept for so long by its own will: that was no want of a core.
    fn slept(&self, length: Duration) {
        let micros = i64::try_from(length.as_micros()).unwrap_or(0);
        self.looked_at.fetch_add(micros, Ordering::AcqRel);
    }

    fn waits(&self) -> Duration {
        let waits = self.count.load(Ordering::Acquire) > 0 && !self.is_full.load(Ordering::Acquire);
        let waited = since_start() - self.looked_at.load(Ordering::Acquire);
        let waited = u64::try_from(waited).unwrap_or(0);
        Duration::from_micros(if waits { waited } else { 0 })
    }
}

/// How long after one sleep of a heavy thread the next comes, and how long it sleeps at least. Threads that stand back leave no
/// core idle, and a core that becomes idle is where the kernel looks for threads that wait behind each other on another.
/// Guesses (docs/performance.md).
const RUNS: Duration = Duration::from_micros(500);
const SLEEPS: Duration = Duration::from_micros(100);
/// While others wait, it sleeps up to so many times as long as it ran: a tenth of a core is left. Standing back does not keep
/// others from waiting for caches, the kernel's memory and the balance between cores.
const TIMES: f64 = 9.0;
/// Never for longer, whatever it ran: shorter by far than what counts as [`STARVED`].
const SLEEPS_AT_MOST: Duration = Duration::from_millis(100);

/// How long a heavy thread that has run for so long sleeps, where those who want much have this share of the node.
fn sleeps(ran: Duration, share: f64) -> Duration {
    let times = (1.0 / share - 1.0).clamp(0.0, TIMES);
    ran.mul_f64(times).clamp(SLEEPS, SLEEPS_AT_MOST)
}

thread_local! {
    static SLEPT: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// How long this thread has slept by its own will. Turns that run on it have waited for so long.
pub(super) fn slept() -> Duration {
    SLEPT.get()
}

/// The pauses of a heavy thread.
#[derive(Debug)]
struct Pauses {
    /// When the last one ended: by [`since_start`].
    ended_at: AtomicI64,
    /// By [`cpu_of_thread`], as it began.
    cpu_at: AtomicI64,
    unread: Arc<Unread>,
    leeway: Arc<Leeway>,
}

impl Pauses {
    /// Of the thread that asks.
    fn new(unread: Arc<Unread>, leeway: Arc<Leeway>) -> Self {
        Self {
            ended_at: AtomicI64::default(),
            cpu_at: AtomicI64::new(cpu_of_thread()),
            unread,
            leeway,
        }
    }

    fn is_due(&self, now: i64) -> bool {
        let ran = now - self.ended_at.load(Ordering::Relaxed);
        u64::try_from(ran).is_ok_and(|ran| Duration::from_micros(ran) >= RUNS)
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "the thread runs heavy guests and nothing else, and is to stop"
    )]
    fn pause(&self) {
        let cpu = cpu_of_thread();
        let ran = cpu - self.cpu_at.swap(cpu, Ordering::Relaxed);
        let ran = Duration::from_micros(u64::try_from(ran).unwrap_or(0));
        let length = sleeps(ran, self.leeway.share());
        thread::sleep(length);
        self.unread.slept(length);
        SLEPT.set(slept() + length);
        self.ended_at.store(since_start(), Ordering::Relaxed);
    }

    /// Runs a turn, and pauses between its slices when it is time. Those that have ended are told of before.
    async fn between<T>(&self, turn: impl Future<Output = T>, ended: &Ended) -> T {
        let mut turn = pin!(turn);
        poll_fn(|context| {
            if self.is_due(since_start()) {
                ended.tell();
                self.pause();
            }
            turn.as_mut().poll(context)
        })
        .await
    }
}

/// In microseconds.
#[allow(
    clippy::disallowed_methods,
    reason = "where and when a turn runs decides nothing that is stored"
)]
fn since_start() -> i64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    i64::try_from(START.elapsed().as_micros()).unwrap_or(i64::MAX)
}

/// What this thread has had of a core, in microseconds.
fn cpu_of_thread() -> i64 {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    spent.tv_sec * 1_000_000 + spent.tv_nsec / 1_000
}

async fn serve(
    mut jobs: mpsc::UnboundedReceiver<Job>,
    unread: Arc<Unread>,
    stores: usize,
    io: Arc<Handle>,
    pauses: Option<Arc<Pauses>>,
) {
    let room = Arc::new(Semaphore::new(stores));
    let ended = Arc::<Ended>::default();
    tokio::spawn(hand_over(ended.clone()));
    while let Some(job) = jobs.recv().await {
        let weight = job.request.plugins.len().min(stores);
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        let place = room.clone().acquire_many_owned(weight);
        let Ok(place) = unread.read(place).await else {
            return;
        };
        let turn = run(job, place, io.clone(), ended.clone(), pauses.clone());
        // Boxed at once: on its way into a task it would be copied from hand to hand.
        tokio::spawn(Box::pin(turn));
    }
}

/// A caller who has gone away ends the turn: its instances are dropped where they stand.
async fn run(
    job: Job,
    _place: OwnedSemaphorePermit,
    io: Arc<Handle>,
    ended: Arc<Ended>,
    pauses: Option<Arc<Pauses>>,
) {
    let Job {
        request,
        asked,
        mut reply,
        in_flight,
    } = job;
    let report = {
        // Pinned where it is made: it is kilobytes, and whoever takes it by value has room for another and copies it.
        let mut turn = pin!(turn::run(request, asked, io.clone()));
        let turn = async {
            match &pauses {
                Some(pauses) => pauses.between(turn.as_mut(), &ended).await,
                None => turn.as_mut().await,
            }
        };
        tokio::select! {
            biased;
            () = reply.closed() => None,
            report = turn => Some(report),
        }
    };
    let Some(report) = report else {
        // Giving the place back takes a lock.
        io.spawn(async move { drop(in_flight) });
        return;
    };
    ended.push(reply, (report, in_flight));
}

/// Turns that ended, until their callers are told of it: those of one round of the thread together. Waking a caller on
/// another thread is a system call and would be a sixth of a turn's CPU; of callers that are told together, the first is
/// woken, and finds the rest.
#[derive(Default)]
struct Ended {
    reports: Mutex<Vec<(oneshot::Sender<Ran>, Ran)>>,
    some: Notify,
}

/// Reports that wait for the end of a round; beyond it they are told at once.
const TOLD_TOGETHER: usize = 16;

impl Ended {
    fn push(&self, reply: oneshot::Sender<Ran>, report: Ran) {
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

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures::FutureExt as _;

    use super::*;

    impl GuestThread {
        /// One that nobody runs, with a job that it has not looked at for so long.
        pub(in super::super) fn that_has_waited(waited: Duration) -> Self {
            let (jobs, _) = mpsc::unbounded_channel();
            Self {
                jobs,
                in_flight: Arc::default(),
                places: Places::among(1),
                unread: Arc::new(unread(1, waited)),
            }
        }
    }

    fn unread(count: usize, looked: Duration) -> Unread {
        let ago = i64::try_from(looked.as_micros()).expect("short");
        Unread {
            count: AtomicUsize::new(count),
            looked_at: AtomicI64::new(since_start() - ago),
            is_full: AtomicBool::new(false),
        }
    }

    #[test]
    fn a_thread_that_looks_at_a_job_has_waited_for_none_but_the_next() {
        let long = 100 * STARVED;
        let unread = unread(2, long);
        let read = || unread.read(async {}).now_or_never().expect("a place");
        assert!(unread.waits() >= long);
        read();
        assert!(unread.waits() < long);
        read();
        assert_eq!(unread.waits(), Duration::ZERO);
        unread.sent();
        assert!(unread.waits() < long);
    }

    #[test]
    fn a_heavy_thread_pauses_when_it_has_run_for_a_while() {
        let runs = i64::try_from(RUNS.as_micros()).expect("short");
        let pauses = Pauses {
            ended_at: AtomicI64::new(-runs),
            ..Pauses::new(Arc::default(), Arc::default())
        };
        assert!(!pauses.is_due(-1));
        assert!(pauses.is_due(0));
        assert!(!pauses.is_due(-2 * runs), "clocks of two cores");
        // Pending once: each slice of a guest is a poll.
        let mut slices = 0;
        let turn = poll_fn(|_| {
            slices += 1;
            match slices {
                2 => Poll::Ready(5),
                _ => Poll::Pending,
            }
        });
        let ended = Ended::default();
        let mut turn = pin!(pauses.between(turn, &ended));
        assert_eq!(turn.as_mut().now_or_never(), None);
        let paused = pauses.ended_at.load(Ordering::Relaxed);
        assert!(paused >= 0);
        assert_eq!(slept(), SLEEPS);
        assert_eq!(turn.now_or_never(), Some(5));
    }

    #[test]
    fn a_thread_that_sleeps_does_not_want_a_core() {
        let long = 100 * STARVED;
        let unread = unread(1, long);
        assert!(unread.waits() >= long);
        unread.slept(long);
        assert!(unread.waits() < long);
        unread.slept(long);
        assert_eq!(unread.waits(), Duration::ZERO, "it is just awake");
    }

    #[test]
    fn while_others_wait_it_sleeps_for_longer_than_it_runs() {
        let ran = Duration::from_millis(1);
        for (share, slept) in [(1.0, SLEEPS), (0.5, ran), (0.25, 3 * ran), (0.03, 9 * ran)] {
            assert_eq!(sleeps(ran, share), slept, "{share}");
        }
        assert_eq!(sleeps(ran, 0.0), 9 * ran);
        assert_eq!(sleeps(Duration::ZERO, 0.03), SLEEPS);
        assert_eq!(sleeps(100 * ran, 0.03), SLEEPS_AT_MOST);
        assert!(2 * SLEEPS_AT_MOST < STARVED);
    }

    #[test]
    fn who_waits_for_a_store_does_not_wait_for_a_core() {
        let unread = unread(2, 100 * STARVED);
        let mut waiting = pin!(unread.read(std::future::pending::<()>()));
        assert!(waiting.as_mut().now_or_never().is_none());
        assert_eq!(unread.waits(), Duration::ZERO);
    }
}
