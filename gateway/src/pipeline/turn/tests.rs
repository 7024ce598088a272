//! What a turn waits for, and for how long.

use super::*;
use crate::domain::rollout::Stage;
use crate::domain::{
    Bucket, ContactId, ConversationId, EventId, InboundContent, NumberId, OutboxId, RawId,
    ReceiptStatus, TenantId,
};
use crate::plugin_host::{CallTrace, Fault, FaultKind, Hook};

fn event(subject: Subject) -> PendingEvent {
    let number = NumberId::from_raw(1);
    PendingEvent {
        id: EventId::from_raw(1_000_000_000_000_000_000),
        tenant: TenantId::from_raw(1),
        number,
        bucket: Bucket::of(number),
        conversation: ConversationId::from_raw(1),
        contact: ContactId::from_raw(1),
        seq: 1,
        raw: RawId::from_raw(1),
        ordinal: 0,
        // Its teller's, long ago.
        at: Timestamp::from_millis(1),
        wamid: String::new(),
        subject,
        word: 0,
        element: None,
        met: None,
    }
}

fn told() -> Subject {
    Subject::Occasion(Occasion::Event {
        id: "1".to_owned(),
        name: "paid".to_owned(),
        fields: Fields::new(),
    })
}

#[test]
fn what_nobody_else_answers_waits_for_what_a_stopped_plugin_goes_on_with() {
    let mut stopped = Installation::blank(1, None, &[Stage::Active]);
    stopped.cut_out(|_| true);
    let standing = Installation::blank(2, None, &[Stage::Active]);
    let installed = [standing, stopped.clone()];
    let came = made_at(event(told()).id.raw());
    let waits = |subject, now| awaits_successor(&event(subject), &installed, now);
    let receipt = Occasion::Receipt {
        send: OutboxId::from_raw(1),
        status: ReceiptStatus::Read.into(),
        error: None,
    };
    let timer = Occasion::Timer {
        plugin: "menu".to_owned(),
        name: "later".to_owned(),
        set_at: came,
        due_at: came,
        fields: Fields::new(),
    };
    let text = InboundContent::Text { body: "hi".into() };
    assert!(waits(told(), came));
    assert!(waits(Subject::Occasion(receipt), came));
    assert!(!waits(Subject::Occasion(timer), came), "it is held");
    let message = Subject::Message(Box::new(text.into()));
    assert!(!waits(message, came), "the tenant's fallback answers it");
    let long = Duration::from_millis(1);
    assert!(waits(told(), came.plus(MOVED_ON).minus(long)));
    assert!(!waits(told(), came.plus(MOVED_ON)), "something is wrong");
    let none = |installed| !awaits_successor(&event(told()), installed, came);
    assert!(none(&installed[..1]), "nothing was stopped");
    let paused = Installation {
        paused: true,
        ..stopped
    };
    assert!(none(&[paused]), "until somebody resumes it");
}

#[test]
fn what_nobody_else_answers_waits_a_while_for_a_plugin_that_cannot_be_loaded() {
    let since = Timestamp::from_millis(1_000);
    let unloaded = |hears_receipts| Unloaded {
        plugin: "menu".to_owned(),
        hears_receipts,
        since,
    };
    let waits = |subject, one, now| awaits_load(&event(subject), &[one], now);
    let receipt = || {
        Subject::Occasion(Occasion::Receipt {
            send: OutboxId::from_raw(1),
            status: ReceiptStatus::Read.into(),
            error: None,
        })
    };
    assert!(waits(told(), unloaded(false), since));
    assert!(!awaits_load(&event(told()), &[], since), "all play");
    assert!(waits(receipt(), unloaded(true), since));
    assert!(!waits(receipt(), unloaded(false), since), "it never hears");
    let text = InboundContent::Text { body: "hi".into() };
    let message = Subject::Message(Box::new(text.into()));
    assert!(!waits(message, unloaded(true), since), "the fallback does");
    let over = since.plus(LOADED_SOON);
    let last = over.minus(Duration::from_millis(1));
    assert!(waits(told(), unloaded(false), last));
    assert!(!waits(told(), unloaded(false), over), "it is broken");
}

/// A turn that is to run again because its last call ended so.
fn ended(outcome: CallOutcome) -> TurnReport {
    TurnReport {
        calls: vec![CallTrace::blank(InstallationId::from_raw(1), outcome)],
        retry_after: Some(Duration::from_millis(70)),
        ..TurnReport::blank(Ending::Retry)
    }
}

fn no_room() -> TurnReport {
    ended(CallOutcome::Fault(Fault {
        kind: FaultKind::Overload,
        hook: Hook::AutoReply,
        message: "no room".to_owned(),
        frames: Vec::new(),
        offsets: Vec::new(),
    }))
}

#[test]
fn a_plugin_may_ask_for_another_try_until_the_turn_falls_back() {
    let asks = ended(CallOutcome::Retry { after_ms: 70 });
    for retries in 0..RETRIES {
        assert!(matches!(
            later(&asks, retries),
            Some(Ran::Later {
                why: Wait::Asked,
                ..
            })
        ));
    }
    assert!(later(&asks, RETRIES).is_none());
}

#[test]
fn room_that_the_host_did_not_have_is_not_what_the_plugin_asked_for() {
    for retries in [0, RETRIES] {
        let Some(Ran::Later { after, why }) = later(&no_room(), retries) else {
            panic!("a turn that found no room has no other end");
        };
        assert_eq!((after, why), (Duration::from_millis(70), Wait::Room));
    }
}

#[test]
fn what_waits_for_a_plugin_is_told_from_what_waits_for_room() {
    let why = |error| pause(error).map(|(_, why)| why);
    for error in [Overload::NotCompiled, Overload::NotLoaded] {
        assert_eq!(why(error), Some(Wait::Plugin), "{error}");
    }
    for error in [Overload::Full, Overload::TenantShare, Overload::Components] {
        assert_eq!(why(error), Some(Wait::Room), "{error}");
    }
    assert_eq!(why(Overload::TooManyPlugins), None);
}
