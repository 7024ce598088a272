//! The queue's rules, one by one, with time in hand.

use std::time::Duration;

use super::*;
use crate::delivery::fixture::{now, row, row_of};
use crate::domain::{DraftClass, OutboundContent};

const NUMBER: NumberId = NumberId::from_raw(7);

fn queue() -> Queue {
    Queue::new(100, 100)
}

fn add(queue: &mut Queue, row: OutboxRow) -> Added {
    queue.know(&row, || 1_000, now());
    queue.add_fresh(row, now())
}

fn picked(queue: &mut Queue, at: Timestamp) -> Vec<i64> {
    queue
        .pick(at, 50)
        .iter()
        .map(|row| row.draft.id.raw())
        .collect()
}

fn secs(n: u64) -> Timestamp {
    now().plus(Duration::from_secs(n))
}

/// A row that was tried and goes again at `due_at`.
fn tried(id: i64, conversation: i64, due_at: Timestamp) -> OutboxRow {
    OutboxRow {
        attempts: 1,
        due_at,
        ..row(id, conversation)
    }
}

#[test]
fn one_send_of_a_conversation_is_under_way_at_a_time_and_in_order() {
    let mut queue = queue();
    for id in [3, 1, 2] {
        add(&mut queue, row(id, 1));
    }
    add(&mut queue, row(9, 2));
    assert_eq!(picked(&mut queue, now()), [1, 9]);
    assert_eq!(picked(&mut queue, now()), [0_i64; 0]);
    queue.forget(&row(1, 1), now());
    assert_eq!(picked(&mut queue, now()), [2]);
}

#[test]
fn what_goes_at_once_overtakes_nothing_and_is_under_way() {
    let mut queue = queue();
    queue.know(&row(1, 1), || 1_000, now());
    assert!(queue.reserve(&row(1, 1), now()));
    // One of a conversation at a time, by either way.
    assert!(!queue.reserve(&row(2, 1), now()));
    add(&mut queue, row(3, 1));
    assert_eq!(picked(&mut queue, now()), [0_i64; 0]);
    queue.forget(&row(1, 1), now());
    // Now the third waits: neither its conversation's next nor another of the number goes before it.
    assert!(!queue.reserve(&row(4, 1), now()) && !queue.reserve(&row(5, 2), now()));
    assert_eq!(picked(&mut queue, now()), [3]);
    assert!(queue.reserve(&row(5, 2), now()));
    // Not written after all, and again.
    queue.unspend(&row(5, 2));
    queue.forget(&row(5, 2), now());
    assert!(queue.reserve(&row(6, 2), now()));
}

#[test]
fn nothing_goes_at_once_where_its_number_or_conversation_has_to_wait() {
    let mut queue = Queue::new(100, 2);
    queue.know(&row(1, 1), || 1_000, now());
    queue.block(NUMBER, secs(5), now());
    assert!(!queue.reserve(&row(1, 1), secs(4)));
    assert!(queue.reserve(&row(1, 1), secs(5)));
    queue.doubt(&row(1, 1), secs(30), secs(5));
    assert!(!queue.reserve(&row(2, 1), secs(29)));
    assert!(queue.reserve(&row(2, 1), secs(30)));
    // As many as may be under way with Meta at once.
    assert!(queue.reserve(&row(3, 2), secs(30)));
    assert!(!queue.reserve(&row(4, 3), secs(30)));
    queue.forget(&row(3, 2), secs(30));
    // Older rows of the number are in the database only.
    queue.miss(NUMBER);
    assert!(!queue.reserve(&row(4, 3), secs(30)));
}

#[test]
fn what_goes_at_once_goes_no_faster_than_its_number() {
    let mut queue = queue();
    queue.know(&row(1, 1), || 8, now());
    let went = (1..10).filter(|id| queue.reserve(&row(*id, *id), now()));
    assert_eq!(went.count(), 1, "an eighth of a second's messages");
}

#[test]
fn a_row_that_was_tried_keeps_its_followers_waiting() {
    let mut queue = queue();
    add(&mut queue, row(1, 1));
    add(&mut queue, row(2, 1));
    assert_eq!(picked(&mut queue, now()), [1]);
    queue.put_back(tried(1, 1, secs(8)), now());
    assert_eq!(picked(&mut queue, secs(7)), [0_i64; 0]);
    assert_eq!(queue.next_at(), Some(secs(8)));
    assert_eq!(picked(&mut queue, secs(8)), [1]);
}

#[test]
fn a_row_that_is_put_off_untried_lets_its_followers_pass() {
    let mut queue = queue();
    add(
        &mut queue,
        OutboxRow {
            due_at: secs(60),
            ..row(1, 1)
        },
    );
    add(&mut queue, row(2, 1));
    assert_eq!(picked(&mut queue, now()), [2]);
    queue.forget(&row(2, 1), now());
    assert_eq!(picked(&mut queue, secs(60)), [1]);
}

#[test]
fn a_doubt_holds_its_conversation_for_its_time_and_no_longer() {
    let mut queue = queue();
    add(&mut queue, row(1, 1));
    add(&mut queue, row(2, 1));
    assert_eq!(picked(&mut queue, now()), [1]);
    queue.doubt(&row(1, 1), secs(30), now());
    assert_eq!(picked(&mut queue, secs(29)), [0_i64; 0]);
    assert_eq!(picked(&mut queue, secs(30)), [2]);
}

#[test]
fn a_doubt_that_is_settled_frees_its_conversation_at_once() {
    let mut queue = queue();
    add(&mut queue, row(1, 1));
    add(&mut queue, row(2, 1));
    assert_eq!(picked(&mut queue, now()), [1]);
    queue.doubt(&row(1, 1), secs(30), now());
    queue.forget(&row(1, 1), secs(2));
    assert_eq!(picked(&mut queue, secs(2)), [2]);
}

#[test]
fn a_number_with_many_rows_leaves_the_others_their_turn() {
    let mut queue = queue();
    for id in 0..60 {
        add(&mut queue, row_of(7, id, id));
    }
    for id in 100..105 {
        add(&mut queue, row_of(8, id, id));
    }
    let rows = queue.pick(now(), 10);
    let of_the_small = rows.iter().filter(|row| row.draft.number != NUMBER).count();
    assert_eq!(of_the_small, 5);
}

#[test]
fn a_number_sends_no_faster_than_its_throughput() {
    let mut queue = Queue::new(1_000, 1_000);
    for id in 0..500 {
        let row = row(id, id);
        queue.know(&row, || 80, now());
        queue.add_fresh(row, now());
    }
    let sent: usize = (0..1_000)
        .map(|ms| queue.pick(now().plus(Duration::from_millis(ms)), 50).len())
        .sum();
    assert!((80..=91).contains(&sent), "{sent}");
}

#[test]
fn a_number_has_no_more_under_way_than_it_may() {
    let mut queue = Queue::new(100, 3);
    for id in 0..9 {
        add(&mut queue, row(id, id));
    }
    assert_eq!(picked(&mut queue, now()).len(), 3);
    assert_eq!(queue.next_at(), None);
    queue.forget(&row(0, 0), now());
    assert_eq!(picked(&mut queue, now()).len(), 1);
}

#[test]
fn rows_beyond_the_cap_are_left_until_there_is_room_and_none_overtakes() {
    let mut queue = Queue::new(4, 100);
    for id in 0..4 {
        assert_eq!(add(&mut queue, row(id, 1)), Added::Yes);
    }
    assert_eq!(add(&mut queue, row(4, 1)), Added::Left);
    assert_eq!(queue.behind(), [NUMBER]);
    assert!(queue.begin_refill().is_none(), "there is no room yet");
    for id in 0..2 {
        assert_eq!(picked(&mut queue, now()), [id]);
        queue.forget(&row(id, 1), now());
    }
    assert_eq!(
        add(&mut queue, row(5, 1)),
        Added::Left,
        "it would overtake row 4"
    );
    let refill = queue.begin_refill().expect("there is room");
    let left = (2..6).any(|id| queue.add_refilled(row(id, 1), now()) == Added::Left);
    queue.end_refill(refill, 4, left);
    assert!(queue.behind().is_empty());
    assert_eq!(picked(&mut queue, now()), [2]);
}

#[test]
fn a_row_that_comes_during_a_refill_is_not_lost() {
    let mut queue = queue();
    add(&mut queue, row(1, 1));
    queue.miss(NUMBER);
    let refill = queue.begin_refill().expect("it is behind");
    assert_eq!(add(&mut queue, row(2, 1)), Added::Left);
    queue.end_refill(refill, 1, false);
    assert_eq!(
        queue.behind(),
        [NUMBER],
        "the refill may not have seen row 2"
    );
}

#[test]
fn a_row_is_known_once_however_often_it_is_found() {
    let mut queue = queue();
    assert_eq!(add(&mut queue, row(1, 1)), Added::Yes);
    assert_eq!(queue.add_found(row(1, 1), now()), Added::Known);
    assert_eq!(picked(&mut queue, now()), [1]);
    assert_eq!(
        queue.add_found(row(1, 1), now()),
        Added::Known,
        "it is under way"
    );
}

#[test]
fn a_blocked_number_rests() {
    let mut queue = queue();
    add(&mut queue, row(1, 1));
    queue.block(NUMBER, secs(5), now());
    assert_eq!(picked(&mut queue, secs(4)), [0_i64; 0]);
    assert_eq!(picked(&mut queue, secs(5)), [1]);
}

#[test]
fn a_lost_bucket_leaves_nothing_behind() {
    let mut queue = queue();
    add(&mut queue, row(1, 1));
    queue.drop_buckets(&BTreeSet::from([Bucket::of(NUMBER)]));
    assert_eq!(picked(&mut queue, now()), [0_i64; 0]);
    queue.put_back(row(2, 2), now());
    assert_eq!(queue.next_at(), None);
}

/// A row of what the business begins.
fn begun(id: i64, conversation: i64) -> OutboxRow {
    let mut row = row(id, conversation);
    row.draft.class = DraftClass::Utility;
    row
}

#[test]
fn what_the_business_began_and_has_to_repeat_holds_its_own_kind_and_no_answer() {
    let mut queue = queue();
    add(&mut queue, begun(1, 1));
    assert_eq!(picked(&mut queue, now()), [1]);
    queue.put_back(
        OutboxRow {
            attempts: 1,
            due_at: secs(600),
            ..begun(1, 1)
        },
        now(),
    );
    add(&mut queue, begun(2, 1));
    add(&mut queue, row(3, 1));
    assert_eq!(picked(&mut queue, now()), [3]);
    queue.put_back(tried(3, 1, secs(8)), now());
    add(&mut queue, row(4, 1));
    assert_eq!(picked(&mut queue, secs(7)), [0_i64; 0]);
    assert_eq!(queue.next_at(), Some(secs(8)));
}

#[test]
fn a_person_who_has_had_enough_keeps_the_whole_conversation_waiting_in_order() {
    let mut queue = queue();
    for id in 1..=3 {
        add(&mut queue, row(id, 1));
    }
    assert_eq!(picked(&mut queue, now()), [1]);
    queue.pace(row(1, 1), secs(6), now());
    assert_eq!(picked(&mut queue, secs(5)), [0_i64; 0]);
    assert_eq!(queue.next_at(), Some(secs(6)));
    assert_eq!(picked(&mut queue, secs(6)), [1]);
}

#[test]
fn a_backlog_keeps_all_that_the_business_begins_waiting_after_one_try() {
    let mut queue = queue();
    for id in 1..=9 {
        add(&mut queue, begun(id, id));
    }
    add(&mut queue, row(20, 20));
    let first = queue.pick(now(), 1).remove(0);
    queue.hold_begins(NUMBER, secs(1));
    queue.put_back(
        OutboxRow {
            due_at: secs(1),
            ..first
        },
        now(),
    );
    assert_eq!(picked(&mut queue, now()), [20]);
    assert_eq!(queue.next_at(), Some(secs(1)));
    assert_eq!(picked(&mut queue, secs(1)).len(), 9);
}

#[test]
fn what_is_picked_and_not_sent_costs_its_number_nothing() {
    let mut queue = queue();
    let slow = row(1, 1);
    queue.know(&slow, || 8, now());
    queue.add_fresh(slow, now());
    for _ in 0..100 {
        let picked = queue.pick(now(), 1).remove(0);
        queue.unspend(&picked);
        queue.put_back(picked, now());
    }
}

#[test]
fn what_comes_in_slows_down_what_goes_out() {
    let mut queue = queue();
    let slow = row(1, 1);
    queue.know(&slow, || 8, now());
    queue.add_fresh(slow, now());
    queue.charge(NUMBER, 8, now());
    assert!(picked(&mut queue, now().plus(Duration::from_millis(900))).is_empty());
    assert_eq!(picked(&mut queue, secs(1)), [1]);
}

#[test]
fn a_tick_in_doubt_holds_nobody() {
    let mut queue = queue();
    let mut tick = row(1, 1);
    tick.draft.content = OutboundContent::MarkRead {
        message_id: "wamid.IN".into(),
        typing: true,
    };
    add(&mut queue, tick.clone());
    add(&mut queue, row(2, 1));
    assert_eq!(picked(&mut queue, now()), [1]);
    queue.doubt(&tick, secs(30), now());
    assert_eq!(picked(&mut queue, now()), [2]);
}
