//! Who is next, by tenant, by share of the slots, and alone.

use super::super::give_way::USUAL_SQLITE;
use super::*;
use crate::domain::{ContactId, EventId, NumberId, Occasion, RawId, Timestamp};
use crate::storage::events::Subject;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

/// Conversation `tenant * 1000 + n` belongs to `tenant`.
fn event(conversation: i64, seq: i64) -> PendingEvent {
    let tenant = conversation / 1000;
    PendingEvent {
        id: EventId::from_raw(conversation * 1000 + seq),
        tenant: TenantId::from_raw(tenant),
        number: NumberId::from_raw(tenant),
        bucket: Bucket::of(NumberId::from_raw(tenant)),
        conversation: ConversationId::from_raw(conversation),
        contact: ContactId::from_raw(conversation),
        seq,
        raw: RawId::from_raw(1),
        ordinal: 0,
        at: Timestamp::from_millis(1),
        wamid: String::new(),
        subject: Subject::Occasion(Occasion::Event {
            id: String::new(),
            name: "tick".to_owned(),
            fields: BTreeMap::new(),
        }),
        word: 0,
        element: None,
        met: None,
    }
}

fn queue(slots: usize, conversations: impl IntoIterator<Item = i64>) -> Queue {
    let mut queue = Queue::new(slots, 1_000_000, 1, USUAL_SQLITE);
    for conversation in conversations {
        queue.add(event(conversation, 1));
    }
    queue
}

/// Begins all that may begin; answers the conversations.
fn begin(queue: &mut Queue) -> Vec<i64> {
    std::iter::from_fn(|| queue.next(NOW))
        .map(|event| event.conversation.raw())
        .collect()
}

fn of_tenant(begun: &[i64], tenant: i64) -> usize {
    begun.iter().filter(|id| **id / 1000 == tenant).count()
}

fn id(conversation: i64) -> ConversationId {
    ConversationId::from_raw(conversation)
}

fn took(fuel: u64) -> Took {
    Took {
        fuel,
        waited: Duration::ZERO,
    }
}

#[test]
fn tenants_take_turns_and_a_conversation_runs_one_message_at_a_time() {
    let mut queue = queue(16, [1000, 1001, 1002, 2000]);
    queue.add(event(1000, 2));
    assert_eq!(begin(&mut queue), [1000, 2000, 1001, 1002]);
    queue.done(id(1000), 1);
    let next = queue.next(NOW).expect("the second message");
    assert_eq!((next.conversation, next.seq), (id(1000), 2));
    assert_eq!((queue.running(), queue.len()), (4, 4));
}

#[test]
fn a_tenant_alone_uses_all_but_the_reserve_and_a_newcomer_begins_at_once() {
    let mut queue = queue(16, 1000..1100);
    assert_eq!(begin(&mut queue).len(), 14);
    queue.add(event(2000, 1));
    queue.add(event(2001, 1));
    queue.add(event(2002, 1));
    assert_eq!(begin(&mut queue), [2000, 2001]);
}

#[test]
fn a_hog_gives_slots_back_until_the_shares_are_equal() {
    let mut queue = queue(16, 1000..1100);
    let mut hog = begin(&mut queue);
    for n in 2000..2100 {
        queue.add(event(n, 1));
    }
    let mut quiet = begin(&mut queue);
    while let Some(done) = hog.pop() {
        queue.done(id(done), 1);
        let begun = begin(&mut queue);
        assert!(begun.len() <= 1, "one slot, one turn");
        quiet.extend(begun.iter().filter(|id| **id >= 2000));
        if quiet.len() >= 5 {
            break;
        }
        assert_eq!(
            of_tenant(&begun, 1),
            0,
            "above its share while others are below"
        );
    }
    // A third of 16 for each of two, and one who may come.
    assert_eq!(quiet.len(), 5);
}

#[test]
fn who_only_waits_for_ever_longer_turns_of_a_hog_is_never_shut_out() {
    // A hog that never ends a turn, and tenants that come one after another: each gets in.
    let mut queue = queue(8, 1000..1100);
    assert_eq!(begin(&mut queue).len(), 7);
    for tenant in 2..50 {
        queue.add(event(tenant * 1000, 1));
        assert_eq!(begin(&mut queue), [tenant * 1000]);
        queue.done(id(tenant * 1000), 1);
        assert_eq!(
            begin(&mut queue),
            Vec::<i64>::new(),
            "the reserve is not the hog's"
        );
    }
}

#[test]
fn one_slot_serves_everybody_in_turn() {
    let mut queue = queue(1, [1000, 1001, 2000]);
    for expected in [1000, 2000, 1001] {
        assert_eq!(begin(&mut queue), [expected]);
        queue.done(id(expected), 1);
    }
    assert_eq!(queue.len(), 0);
}

/// Loses as many races as it takes to run alone, and stands in line again.
fn lose(queue: &mut Queue, conversation: i64) {
    for lost in 1..=RACES {
        queue.lost_race(id(conversation));
        assert_eq!(queue.tries(id(conversation)).races, lost);
        if lost < RACES {
            assert_eq!(begin(queue), [conversation]);
        }
    }
}

#[test]
fn who_lost_three_races_runs_while_no_other_turn_of_its_tenant_does() {
    let mut queue = queue(16, [1000, 1001]);
    assert_eq!(begin(&mut queue), [1000, 1001]);
    lose(&mut queue, 1000);
    queue.add(event(1002, 1));
    queue.add(event(2000, 1));
    assert_eq!(
        begin(&mut queue),
        [2000],
        "another tenant goes on, its own waits for 1001"
    );
    queue.done(id(1001), 1);
    assert_eq!(begin(&mut queue), [1000], "alone");
    queue.add(event(2001, 1));
    assert_eq!(begin(&mut queue), [2001]);
    queue.done(id(1000), 1);
    assert_eq!(begin(&mut queue), [1002]);
    assert_eq!(queue.tries(id(1000)), Tries::default());
}

#[test]
fn several_that_run_alone_do_so_one_after_another() {
    let mut queue = queue(16, [1000, 1001]);
    assert_eq!(begin(&mut queue), [1000, 1001]);
    lose(&mut queue, 1000);
    lose_waiting(&mut queue, 1001);
    assert_eq!(begin(&mut queue), [1000]);
    assert_eq!(begin(&mut queue), Vec::<i64>::new());
    queue.done(id(1000), 1);
    assert_eq!(begin(&mut queue), [1001]);
}

/// As [`lose`], of one that cannot begin again meanwhile because another is to run alone.
fn lose_waiting(queue: &mut Queue, conversation: i64) {
    queue.note(id(conversation), |tries| tries.races = RACES - 1);
    queue.lost_race(id(conversation));
}

#[test]
fn who_is_to_run_alone_but_waits_for_its_time_holds_nobody_up() {
    let mut queue = queue(16, [1000, 1001]);
    assert_eq!(begin(&mut queue), [1000, 1001]);
    lose(&mut queue, 1000);
    queue.done(id(1001), 1);
    assert_eq!(begin(&mut queue), [1000]);
    queue.park(id(1000));
    queue.add(event(1002, 1));
    assert_eq!(begin(&mut queue), [1002]);
    queue.due(id(1000));
    assert_eq!(begin(&mut queue), Vec::<i64>::new());
    queue.done(id(1002), 1);
    assert_eq!(begin(&mut queue), [1000]);
}

#[test]
fn a_bucket_that_went_and_came_back_does_not_double_a_running_turn() {
    let mut queue = queue(16, [1000]);
    queue.keep_buckets(|_| false);
    assert_eq!(queue.len(), 0);
    queue.add(event(1000, 1));
    assert_eq!(
        begin(&mut queue),
        [1000],
        "though it stood in line from before"
    );
    // A pause that ends now was of its life before.
    queue.due(id(1000));
    assert_eq!(begin(&mut queue), Vec::<i64>::new());
    assert_eq!(queue.running(), 1);
    queue.done(id(1000), 1);
    assert_eq!((queue.running(), queue.len()), (0, 0));
    assert!(queue.tenants.is_empty() && queue.turn_of.is_empty());
}

#[test]
fn a_forgotten_conversation_comes_back_whole() {
    let mut queue = queue(16, []);
    queue.add(event(1000, 2));
    assert_eq!(begin(&mut queue), [1000]);
    queue.forget(id(1000));
    assert_eq!((queue.running(), queue.len()), (0, 0));
    assert!(queue.room().runs_low(), "a look is due");
    queue.offer(event(1000, 3));
    assert_eq!(queue.len(), 0, "its tenant is behind");
    queue.add(event(1000, 1));
    queue.add(event(1000, 2));
    let first = queue.next(NOW).expect("the first message");
    assert_eq!(first.seq, 1);
}

/// A queue for 64 messages, in which as many conversations of tenant 1 as are given wait for a plugin.
fn waiting_for_a_plugin(conversations: std::ops::Range<i64>) -> Queue {
    let mut queue = Queue::new(1_000, 64, 1, USUAL_SQLITE);
    for n in conversations {
        queue.offer(event(n, 1));
        assert_eq!(begin(&mut queue), [n]);
        queue.set_aside(id(n));
    }
    queue
}

#[test]
fn what_waits_for_a_plugin_keeps_nothing_else_of_its_tenant_out() {
    // All that fits: half of each room, and one more who may come has the rest.
    let mut queue = waiting_for_a_plugin(1000..1032);
    assert_eq!(queue.len(), 32);
    (1032..1064).for_each(|n| queue.offer(event(n, 1)));
    assert_eq!((queue.room().len(), queue.len()), (32, 64));
    assert!(
        !queue.room().runs_low(),
        "nobody is behind, so nobody looks"
    );
    (1000..1032).for_each(|n| queue.due(id(n)));
    let mut answered = 0;
    while let Some(event) = queue.next(NOW) {
        queue.done(event.conversation, event.seq);
        answered += 1;
    }
    assert_eq!((answered, queue.running(), queue.len()), (64, 0, 0));
}

#[test]
fn what_waits_for_a_plugin_is_bounded_too() {
    let mut queue = waiting_for_a_plugin(1000..1064);
    assert_eq!(queue.len(), 64, "the second half where it was");
    queue.offer(event(1064, 1));
    assert_eq!(queue.len(), 64);
    assert!(queue.room().full().contains(&TenantId::from_raw(1)));
}

#[test]
fn what_comes_behind_what_waits_for_a_plugin_is_counted_where_there_is_room() {
    let mut queue = waiting_for_a_plugin(1000..1001);
    for seq in 2..=64 {
        queue.offer(event(1000, seq));
    }
    // 31 found room beside the first; with the next one all of them were in its tenant's part.
    assert_eq!(queue.len(), 32);
    queue.due(id(1000));
    assert_eq!(begin(&mut queue), [1000]);
    queue.set_aside(id(1000));
    queue.offer(event(1001, 1));
    assert_eq!(queue.len(), 32, "its tenant is behind");
    assert!(queue.room().runs_low(), "a look finds it: there is room");
}

#[test]
fn a_conversation_longer_than_its_tenants_part_stays_where_it_is() {
    let mut queue = waiting_for_a_plugin(1000..1001);
    (2..=64).for_each(|seq| queue.offer(event(1000, seq)));
    queue.due(id(1000));
    assert_eq!(begin(&mut queue), [1000]);
    queue.set_aside(id(1000));
    // The look that this brings about reads what is known, and one more: now it is too long.
    (1..=32).for_each(|seq| queue.add(event(1000, seq)));
    assert_eq!((queue.room().len(), queue.len()), (0, 32));
    queue.add(event(1000, 33));
    assert_eq!((queue.room().len(), queue.len()), (33, 33));
    for _ in 0..3 {
        queue.due(id(1000));
        assert_eq!(begin(&mut queue), [1000]);
        queue.set_aside(id(1000));
        assert_eq!((queue.room().len(), queue.len()), (33, 33));
        assert!(!queue.room().runs_low(), "no look that finds nothing new");
    }
}

#[test]
fn a_conversation_that_goes_on_has_its_places_among_the_others_again() {
    let mut queue = waiting_for_a_plugin(1000..1001);
    queue.offer(event(1000, 2));
    queue.due(id(1000));
    assert_eq!(begin(&mut queue), [1000]);
    queue.done(id(1000), 1);
    assert_eq!((queue.room().len(), queue.len()), (1, 1));
    for seq in [2, 3] {
        queue.offer(event(1000, seq));
        assert_eq!(begin(&mut queue), [1000]);
        queue.set_aside(id(1000));
        assert_eq!((queue.room().len(), queue.len()), (0, 1));
        match seq {
            2 => queue.forget(id(1000)),
            _ => queue.keep_buckets(|_| false),
        }
        assert_eq!((queue.room().len(), queue.len()), (0, 0));
        queue.room().look_begins();
        queue.room().look_ended(Some(&[]));
    }
}

#[test]
fn a_known_event_keeps_what_it_carries() {
    let mut queue = queue(16, []);
    let mut carried = event(1000, 1);
    carried.element = Some("{}".to_owned());
    queue.add(carried);
    queue.add(event(1000, 1));
    assert_eq!(
        queue.next(NOW).and_then(|event| event.element).as_deref(),
        Some("{}")
    );
}

/// What a turn takes that uses all its fuel.
const LOOP: u64 = 50_000_000;

#[test]
fn a_tenant_whose_turns_burn_cpu_gets_few_slots_and_its_neighbour_all_it_wants() {
    let mut queue = queue(64, 1000..1100);
    let mut hog = begin(&mut queue);
    assert_eq!(hog.len(), 16, "nobody knows it yet");
    // They all loop; what comes after them is bounded, though nearly all slots are free.
    for n in hog.drain(..) {
        queue.measured(id(n), took(LOOP), NOW);
        queue.done(id(n), 1);
    }
    hog = begin(&mut queue);
    assert_eq!(hog.len(), 2);
    (2000..2040).for_each(|n| queue.add(event(n, 1)));
    let quiet = begin(&mut queue);
    assert_eq!(of_tenant(&quiet, 2), 16);
    queue.measured(id(quiet[0]), took(0), NOW);
    // Of 64 slots a third is its share; beyond it a reserve stays free.
    assert_eq!(of_tenant(&begin(&mut queue), 2), 24);
}

#[test]
fn heavy_tenants_take_turns_by_what_they_took() {
    let mut queue = queue(64, (1000..1100).chain(2000..2100));
    let costs = [LOOP, 5 * LOOP / 10];
    let mut had = [0_u64; 2];
    let mut running = begin(&mut queue);
    for _ in 0..120 {
        let Some(n) = running.pop() else { break };
        let tenant = usize::try_from(n / 1000 - 1).expect("small");
        had[tenant] += costs[tenant];
        queue.measured(id(n), took(costs[tenant]), NOW);
        queue.done(id(n), 1);
        running.extend(begin(&mut queue));
    }
    let ratio = had[0] as f64 / had[1] as f64;
    assert!((0.5..2.5).contains(&ratio), "{had:?}");
    let weights = [1, 3].map(|tenant| queue.weight(TenantId::from_raw(tenant)));
    assert_eq!(weights, [Weight::Heavy, Weight::Light]);
}

#[test]
fn a_turn_that_never_ran_gives_its_charge_back() {
    let mut queue = queue(4, [1000]);
    assert_eq!(begin(&mut queue), [1000]);
    queue.park(id(1000));
    queue.due(id(1000));
    assert_eq!(begin(&mut queue), [1000]);
    queue.done(id(1000), 1);
    assert!(queue.tenants.is_empty() && queue.turn_of.is_empty());
}

/// A flood of one tenant beside another with a turn now and then, both in commits that take so long; answers what the flood has
/// under way after each of these, and the share that is left to it at the end.
fn beside_a_flood(takes: Duration, commits: i64) -> (Vec<usize>, f64) {
    const FLOOD: std::ops::Range<i64> = 10_000..11_000;
    let mut queue = queue(256, FLOOD);
    let mut now = NOW;
    let mut under_way = Vec::new();
    let begin = |queue: &mut Queue, now| -> Vec<(i64, i64)> {
        let begun = std::iter::from_fn(|| queue.next(now));
        begun
            .map(|event| (event.conversation.raw(), event.seq))
            .collect()
    };
    for quiet in 0..commits {
        let flood = begin(&mut queue, now);
        under_way.push(flood.len());
        queue.add(event(2_000 + quiet, 1));
        let mut group = begin(&mut queue, now);
        group.extend(flood);
        let ran_at = now;
        now = now.plus(takes);
        for (conversation, seq) in group {
            queue.measured(id(conversation), took(0), ran_at);
            queue.committed(id(conversation), seq, now);
            if FLOOD.contains(&conversation) {
                queue.add(event(conversation, seq + 1));
            }
        }
    }
    let leeway = Leeway::default();
    queue.share(&leeway, now);
    (under_way, leeway.share())
}

#[test]
fn a_flood_has_less_under_way_while_others_wait_for_long() {
    let (short, share) = beside_a_flood(Duration::from_millis(4), 100);
    // As much as the others can bear, once that is known.
    assert_eq!(short[2..4], [LEAST; 2], "{short:?}");
    assert!(short[70..].iter().all(|flood| *flood >= 200), "{short:?}");
    assert_eq!(share, 1.0);
    let (long, share) = beside_a_flood(Duration::from_millis(50), 200);
    let least = long.iter().min();
    assert!(least.is_some_and(|flood| *flood <= 2 * LEAST), "{long:?}");
    assert!(share < 1.0, "{share}");
}

#[test]
fn who_begins_most_of_the_turns_is_above_its_share_though_few_of_them_are_under_way() {
    let mut queue = queue(256, []);
    let turn = |queue: &mut Queue, conversation: i64, now| {
        queue.add(event(conversation, 1));
        let begun = queue.next(now).map(|event| event.conversation);
        assert_eq!(begun, Some(id(conversation)));
        let above = queue.above;
        queue.measured(id(conversation), took(0), now);
        queue.committed(id(conversation), 1, now.plus(Duration::from_millis(2)));
        above
    };
    // Beside one whose turns take long, so that nobody is alone.
    queue.add(event(9_000, 1));
    assert_eq!(begin(&mut queue), [9_000]);
    let above: Vec<usize> = (0..40)
        .map(|n| {
            let now = NOW.plus(Duration::from_millis(n));
            assert_eq!(turn(&mut queue, 100_000 + n as i64 % 20 * 1_000, now), 0);
            turn(&mut queue, 10_000 + n as i64 % 1_000, now)
        })
        .collect();
    assert_eq!(above[16..18], [0, 1], "{above:?}");
    let leeway = Leeway::default();
    queue.share(&leeway, NOW.plus(Duration::from_millis(41)));
    assert_eq!(*leeway.ahead(), BTreeSet::from([TenantId::from_raw(10)]));
    assert!(leeway.share() < 0.1, "{}", leeway.share());
}
