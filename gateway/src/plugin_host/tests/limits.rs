//! Limits from both sides, where no guest is needed to meet them: so much passes, and one more is the refusal of that name.
//! ([`super::hostile`] has those that guests meet.)

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::super::effect::Asker;
use super::super::http::{Asking, AskingBody, HttpSession};
use super::super::kv::{KvSession, Space};
use super::super::limits::{
    FIELDS_BYTES, HISTORY_ENTRIES, HTTP_BODY_BYTES, HTTP_HEADER_BYTES, HTTP_HEADERS, HTTP_MEMBERS,
    HTTP_URL_CHARS, KV_KEY_BYTES, KV_LIST, KV_LISTS, KV_VALUE_BYTES, MAX_RETRY, PLUGINS_PER_TURN,
    REASON_CHARS, SETTINGS_BYTES, TEMPLATE_CATEGORY_CHARS, TEMPLATE_LANGUAGE_CHARS,
    TEMPLATE_NAME_CHARS, TEMPLATE_PAGE, TEMPLATE_QUESTIONS, TIMER_LEAST, TIMERS_PER_TURN,
    WASM_STACK,
};
use super::super::reads::{TemplatesSession, TurnReads};
use super::super::settings::check_size;
use super::*;
use crate::domain::attribute::{FIELDS_MOST, Fields};
use crate::domain::{OpenWord, Owner, Timestamp};

/// Answers the refusal's word, if so much is refused.
type Attempt = fn(usize) -> BoxFuture<'static, Option<String>>;

/// A limit, the word of what is beyond it, and what takes so much.
type Row = (&'static str, usize, &'static str, Attempt);

/// The name of an error's case.
fn word<T>(result: Result<T, impl std::fmt::Debug>) -> Option<String> {
    let error = result.err()?;
    let text = format!("{error:?}");
    text.split('(').next().map(str::to_owned)
}

async fn each_holds(rows: &[Row]) {
    for (name, most, refusal, attempt) in rows {
        assert_eq!(attempt(*most).await, None, "{name}: {most}");
        let more = attempt(most + 1).await;
        assert_eq!(more.as_deref(), Some(*refusal), "{name}: {most} and one");
    }
}

/// Answers everything with nothing.
struct Everything;

impl HttpSender for Everything {
    fn recall(&self, _: &HttpAsked) -> Option<HttpAnswer> {
        None
    }

    fn send<'a>(&'a self, _: &'a HttpAsked) -> BoxFuture<'a, HttpAnswer> {
        let nothing = HttpResponse {
            status: 204,
            headers: Vec::new(),
            body: Vec::new(),
        };
        std::future::ready(Ok(nothing)).boxed()
    }
}

fn http_session() -> HttpSession {
    HttpSession::new(
        (
            Arc::new(Everything),
            tokio::runtime::Handle::current().into(),
        ),
        (TenantId::from_raw(1), InstallationId::from_raw(2)),
        Grants::from_names(["http https://shop.example/"]),
        false,
        Limits::default().http_requests,
    )
}

const SHOP: &str = "https://shop.example/";

fn get(path: &str) -> Asking {
    Asking {
        method: Method::Get,
        url: format!("{SHOP}{path}"),
        headers: Vec::new(),
        body: None,
        timeout: None,
    }
}

fn post(body: AskingBody) -> Asking {
    Asking {
        method: Method::Post,
        body: Some(body),
        ..get("")
    }
}

fn text(length: usize) -> Part {
    Part::Text("a".repeat(length))
}

/// Sends it, once.
fn sent(asking: Asking) -> BoxFuture<'static, Option<String>> {
    async move { word(http_session().send(asking).await) }.boxed()
}

fn headers(count: usize) -> Asking {
    let header = |n: usize| (format!("x-{n}"), vec![text(1)]);
    Asking {
        headers: (0..count).map(header).collect(),
        ..get("")
    }
}

/// A header of so many bytes: its name's, its text's, and one for its piece.
fn header_of(bytes: usize) -> Asking {
    Asking {
        headers: vec![("x-a".to_owned(), vec![text(bytes - 4)])],
        ..get("")
    }
}

fn members(count: usize) -> AskingBody {
    let member = |n: usize| (format!("/{n}"), vec![text(1)]);
    AskingBody::Json("{}".to_owned(), (0..count).map(member).collect())
}

/// JSON of so many bytes: its own two, the pointer's two, one for the piece, and its text.
fn json_of(bytes: usize) -> AskingBody {
    AskingBody::Json(
        "{}".to_owned(),
        vec![("/a".to_owned(), vec![text(bytes - 5)])],
    )
}

async fn requests(count: usize) -> Option<String> {
    let mut session = http_session();
    for _ in 1..count {
        assert_eq!(word(session.send(get("a")).await), None);
    }
    word(session.send(get("a")).await)
}

#[tokio::test]
async fn requests_to_the_byte_and_the_piece() {
    each_holds(&[
        ("a URL", HTTP_URL_CHARS, "Invalid", |chars| {
            sent(get(&"a".repeat(chars - SHOP.len())))
        }),
        ("headers", HTTP_HEADERS, "Invalid", |count| {
            sent(headers(count))
        }),
        ("bytes of headers", HTTP_HEADER_BYTES, "Invalid", |bytes| {
            sent(header_of(bytes))
        }),
        ("a body", HTTP_BODY_BYTES, "Invalid", |bytes| {
            sent(post(AskingBody::Bytes(vec![0; bytes])))
        }),
        ("JSON with members", HTTP_BODY_BYTES, "Invalid", |bytes| {
            sent(post(json_of(bytes)))
        }),
        ("members", HTTP_MEMBERS, "Invalid", |count| {
            sent(post(members(count)))
        }),
        (
            "requests of a turn",
            Limits::default().http_requests as usize,
            "Quota",
            |count| requests(count).boxed(),
        ),
    ])
    .await;
}

fn memory() -> KvSession {
    let io = Arc::new(tokio::runtime::Handle::current());
    let (tenant, installation) = (TenantId::from_raw(1), InstallationId::from_raw(2));
    let store = Arc::new(MemoryKv::default());
    KvSession::new(store, io, tenant, installation, true, &Limits::default())
}

async fn set(memory: &mut KvSession, key: &str, value: usize) -> Option<String> {
    let value = vec![0; value];
    word(memory.set(Space::Tenant, key, value, None).await)
}

/// Has so many bytes of keys and values wait to be written.
async fn waiting(bytes: usize) -> Option<String> {
    let mut memory = memory();
    let (mut left, mut n) = (bytes, 10);
    while left > KV_VALUE_BYTES {
        assert_eq!(
            set(&mut memory, &n.to_string(), KV_VALUE_BYTES - 2).await,
            None
        );
        (left, n) = (left - KV_VALUE_BYTES, n + 1);
    }
    set(&mut memory, "x", left - 1).await
}

async fn keys(count: usize) -> Option<String> {
    let mut memory = memory();
    for n in 1..count {
        assert_eq!(set(&mut memory, &n.to_string(), 0).await, None);
    }
    // A key that is read is one as well.
    word(memory.get(Space::Tenant, "last").await)
}

async fn lists(count: usize) -> Option<String> {
    let mut memory = memory();
    for _ in 1..count {
        let listed = memory.list(Space::Contact(conversation().contact), "", None, 1);
        assert_eq!(word(listed.await), None);
    }
    word(memory.list(Space::Tenant, "", None, 1).await)
}

#[tokio::test]
async fn memory_to_the_byte_and_the_key() {
    let limits = Limits::default();
    each_holds(&[
        ("a key", KV_KEY_BYTES, "Quota", |bytes| {
            async move { set(&mut memory(), &"k".repeat(bytes), 1).await }.boxed()
        }),
        ("a value", KV_VALUE_BYTES, "Quota", |bytes| {
            async move { set(&mut memory(), "k", bytes).await }.boxed()
        }),
        ("what waits", limits.kv_bytes, "Quota", |bytes| {
            waiting(bytes).boxed()
        }),
        ("keys", limits.kv_keys, "Quota", |count| keys(count).boxed()),
        ("a list", KV_LIST as usize, "Invalid", |most| {
            async move {
                let mut memory = memory();
                let listed = memory.list(Space::Tenant, "", None, most as u32);
                word(listed.await)
            }
            .boxed()
        }),
        ("a list's prefix", KV_KEY_BYTES, "Quota", |bytes| {
            async move {
                let (mut memory, prefix) = (memory(), "k".repeat(bytes));
                let listed = memory.list(Space::Tenant, &prefix, None, 1);
                word(listed.await)
            }
            .boxed()
        }),
        ("lists", KV_LISTS, "Quota", |count| lists(count).boxed()),
    ])
    .await;
}

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn asked(effect: &Effect) -> BoxFuture<'static, Option<String>> {
    let checked = effect.check(&Asker {
        routes: true,
        hook: Hook::AutoReply,
        bot_owns: true,
        becoming: &conversation(),
        contact_kinds: &ContactKinds::default(),
        heard: "",
        now: NOW,
    });
    std::future::ready(word(checked)).boxed()
}

fn timer(name: &str, due_at: Timestamp, fields: Fields) -> Effect {
    Effect::SetTimer {
        name: name.to_owned(),
        due_at,
        fields,
    }
}

fn named(length: usize) -> String {
    "n".repeat(length)
}

fn emit(fields: Fields) -> Effect {
    Effect::Emit {
        name: "order.placed".to_owned(),
        fields,
    }
}

/// Fields whose names and values have so many bytes.
fn fields_of(bytes: usize) -> Fields {
    let value = |bytes: usize| "x".repeat(bytes).into();
    let full = (bytes - 1) / 1_024;
    let mut fields: Fields = (0..full)
        .map(|n| (format!("{n:02}"), value(1_022)))
        .collect();
    fields.insert("l".to_owned(), value(bytes - full * 1_024 - 1));
    fields
}

/// The furthest, in milliseconds.
const AHEAD: usize = 366 * 86_400_000;

#[tokio::test]
async fn effects_to_the_character_and_the_field() {
    each_holds(&[
        ("fields", FIELDS_MOST, "Invalid", |count| {
            let field = |n: usize| (n.to_string(), true.to_string().into());
            asked(&emit((0..count).map(field).collect()))
        }),
        ("bytes of fields", FIELDS_BYTES, "Invalid", |bytes| {
            asked(&emit(fields_of(bytes)))
        }),
        (
            "a timer's bytes of fields",
            FIELDS_BYTES,
            "Invalid",
            |bytes| asked(&timer("t", NOW, fields_of(bytes))),
        ),
        ("a timer's name", 64, "Invalid", |chars| {
            asked(&timer(&named(chars), NOW, Fields::new()))
        }),
        ("how far a timer lies ahead", AHEAD, "Invalid", |millis| {
            let due_at = NOW.plus(Duration::from_millis(millis as u64));
            asked(&timer("t", due_at, Fields::new()))
        }),
        ("an event's name", 64, "Invalid", |chars| {
            let (name, fields) = (named(chars), Fields::new());
            asked(&Effect::Emit { name, fields })
        }),
        ("a note", 1_024, "Invalid", |chars| {
            asked(&Effect::Note { text: named(chars) })
        }),
        ("a summary", 1_024, "Invalid", |chars| {
            asked(&Effect::HandOver {
                to: Owner::Queue("billing".to_owned()),
                note: Some(named(chars)),
            })
        }),
        ("a queue's name", 64, "Invalid", |chars| {
            asked(&Effect::HandOver {
                to: Owner::Queue(named(chars)),
                note: None,
            })
        }),
        ("a language", 35, "Invalid", |chars| {
            let language = named(chars);
            asked(&Effect::SetLanguage { language })
        }),
    ])
    .await;
}

fn turn_reads() -> TurnReads {
    TurnReads::new(Arc::new(NoReads), tokio::runtime::Handle::current().into())
}

/// Answered otherwise than by its shape: there is nothing to read here.
fn shape(word: Option<String>) -> Option<String> {
    word.filter(|word| word != "Unavailable")
}

fn found(name: usize, language: usize) -> BoxFuture<'static, Option<String>> {
    let key = TemplateKey {
        name: named(name),
        language: named(language),
    };
    async move { shape(word(turn_reads().find(key).await)) }.boxed()
}

fn anything() -> SearchAsked {
    SearchAsked {
        begins_with: String::new(),
        category: None,
        language: None,
        after: None,
        most: 1,
    }
}

fn searched(begins_with: usize, most: usize) -> BoxFuture<'static, Option<String>> {
    let asked = SearchAsked {
        begins_with: named(begins_with),
        most: most as u32,
        ..anything()
    };
    async move { shape(word(turn_reads().search(asked).await)) }.boxed()
}

#[tokio::test]
async fn reads_to_the_entry_and_the_character() {
    each_holds(&[
        ("a history", HISTORY_ENTRIES as usize, "Invalid", |most| {
            async move { shape(word(turn_reads().past(most as u32).await)) }.boxed()
        }),
        (
            "a template's name",
            TEMPLATE_NAME_CHARS,
            "Invalid",
            |chars| found(chars, 2),
        ),
        (
            "a template's language",
            TEMPLATE_LANGUAGE_CHARS,
            "Invalid",
            |chars| found(2, chars),
        ),
        ("a category", TEMPLATE_CATEGORY_CHARS, "Invalid", |chars| {
            let asked = SearchAsked {
                category: Some(OpenWord::Other(named(chars))),
                ..anything()
            };
            async move { shape(word(turn_reads().search(asked).await)) }.boxed()
        }),
        (
            "a name's beginning",
            TEMPLATE_NAME_CHARS,
            "Invalid",
            |chars| searched(chars, 1),
        ),
        ("a page", TEMPLATE_PAGE as usize, "Invalid", |most| {
            searched(0, most)
        }),
        (
            "questions",
            TEMPLATE_QUESTIONS as usize,
            "Quota",
            |questions| {
                let mut session = TemplatesSession::default();
                let last = (0..questions).map(|_| session.count()).last();
                std::future::ready(word(last.expect("one question"))).boxed()
            },
        ),
    ])
    .await;
}

/// Settings whose JSON, `{"a":"…"}`, has so many bytes.
#[tokio::test]
async fn settings_to_the_byte() {
    each_holds(&[("settings", SETTINGS_BYTES, "TooLarge", |bytes| {
        let settings = serde_json::Map::from_iter([("a".to_owned(), named(bytes - 8).into())]);
        std::future::ready(word(check_size(&settings))).boxed()
    })])
    .await;
}

/// A reply that fails as `case` of `failure` does, with this number or text behind it.
fn failing(case: u32, behind: &str) -> Guest {
    Guest::replying(&format!(
        "(drop (memory.grow (i32.const 1))) (memory.fill (i32.const 65536) (i32.const 97) (i32.const 1000))
         (i32.store8 (i32.const 2048) (i32.const 1)) (i32.store8 (i32.const 2052) (i32.const {case})) {behind}"
    ))
}

#[tokio::test]
async fn a_retry_is_not_before_what_it_asks_for_up_to_the_longest() {
    let host = host();
    let longest = MAX_RETRY.as_millis() as u64;
    for (asked, given) in [
        (longest - 1, longest - 1),
        (longest, longest),
        (longest + 1, longest),
        (u64::from(u32::MAX), longest),
    ] {
        let behind = format!("(i32.store (i32.const 2056) (i32.const {asked}))");
        let report = run(&host, failing(1, &behind)).await;
        assert_eq!(report.retry_after, Some(Duration::from_millis(given)));
    }
}

#[tokio::test]
async fn a_reason_is_whole_up_to_its_longest() {
    let host = host();
    for chars in [REASON_CHARS - 1, REASON_CHARS, REASON_CHARS + 1] {
        let behind = format!(
            "(i32.store (i32.const 2056) (i32.const 65536)) (i32.store (i32.const 2060) (i32.const {chars}))"
        );
        let report = run(&host, failing(0, &behind)).await;
        let kept = "a".repeat(chars.min(REASON_CHARS));
        assert_eq!(report.calls[0].outcome, CallOutcome::Rejected(kept));
    }
}

#[tokio::test]
async fn so_many_plugins_run_in_one_turn_and_one_more_is_refused_before_any_runs() {
    let host = host();
    let bound = binding(&well_behaved().load(&host));
    let plugins = |count: usize| {
        let each = (1..=count).map(|n| PluginBinding {
            installation: InstallationId::from_raw(n as i64),
            ..bound.clone()
        });
        turn(each.collect())
    };
    let report = host.run_turn(plugins(PLUGINS_PER_TURN)).await;
    assert_eq!(texts(&report.expect("room")), ["hi"]);
    let refused = host.run_turn(plugins(PLUGINS_PER_TURN + 1)).await;
    assert!(matches!(refused, Err(Overload::TooManyPlugins)));
    assert_eq!(texts(&run(&host, well_behaved()).await), ["hi"]);
}

/// Sets timers: one for each moment, then until there are so many calls, and one more.
#[tokio::test]
async fn timers_are_due_in_a_second_at_the_earliest_and_are_set_so_often() {
    let due_at: [(u32, i64, i64); 5] = [
        // Case of `due` (at, after), what it says, when it is.
        (1, 0, 1_000),
        (1, 999, 1_000),
        (1, 1_000, 1_000),
        (1, 1_001, 1_001),
        (0, NOW.millis() - 1, 1_000),
    ];
    let host = host();
    let calls: String = (0..=TIMERS_PER_TURN)
        .map(|n| {
            let (case, says, _) = due_at[n % due_at.len()];
            // The last one is refused, all others are taken.
            let expected = u32::from(n == TIMERS_PER_TURN);
            format!(
                "(call $effects/set-timer (i32.const {n}) (i32.const 1) (i32.const {case}) (i64.const {says})
                   (i32.const 0) (i32.const 0) {RET})
                 (if (i32.ne (i32.load8_u {RET}) (i32.const {expected})) (then unreachable))"
            )
        })
        .collect();
    let imports = newest_contract().imports_in_wat();
    let version = Abi::NEWEST.version();
    let module = format!(
        r#"(module {imports} (memory (export "memory") 2) (data (i32.const 0) "abcdefghijklmnopqrstuvwxyz")
             (func (export "vestibule:plugin/auto-reply@{version}#reply") (param i32 i32) (result i32)
               {calls} (call $drop/message (local.get 0)) (call $drop/conversation (local.get 1)) (i32.const 2048))
             (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536)))"#
    );
    let plugin = newest_plugin(&host, &module, &[Hook::AutoReply]);
    let report = run_bound(&host, binding(&plugin)).await;
    assert_eq!(report.calls[0].outcome, CallOutcome::Ok);
    let due: Vec<i64> = report
        .effects
        .iter()
        .map(|effect| match &effect.effect {
            Effect::SetTimer { due_at, .. } => due_at.millis() - NOW.millis(),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected: Vec<i64> = due_at.iter().map(|(.., due)| *due).collect();
    assert_eq!(due[..due_at.len()], expected);
    assert_eq!(
        (due.len(), TIMER_LEAST.as_millis()),
        (TIMERS_PER_TURN, 1_000)
    );
}

/// How deep the guest goes is the turn's time.
#[tokio::test]
async fn the_stack_has_a_sharp_end_and_it_is_where_the_limit_says() {
    let host = host();
    let body = format!(
        "(drop (call $down (i32.wrap_i64 (call $now)))) (call $reply-text {{{{hi}}}} {RET})"
    );
    let down = "(func $down (param $n i32) (result i32) (if (result i32) (local.get $n)
        (then (i32.add (call $down (i32.sub (local.get $n) (i32.const 1))) (local.get $n)))
        (else (i32.const 0))))";
    let bound = binding(&Guest::replying(&body).with(down).load(&host));
    let passes = async |depth: i64| {
        let mut request = turn(vec![bound.clone()]);
        request.now = Timestamp::from_millis(depth);
        let report = host.run_turn(request).await.expect("room");
        match &report.calls[0].outcome {
            CallOutcome::Ok => true,
            CallOutcome::Fault(fault) => {
                assert_eq!(fault.kind, FaultKind::Stack, "{fault}");
                false
            }
            other => panic!("{other:?}"),
        }
    };
    let (mut passed, mut failed) = (1_000_i64, 100_000_i64);
    while failed - passed > 1 {
        let middle = i64::midpoint(passed, failed);
        match passes(middle).await {
            true => passed = middle,
            false => failed = middle,
        }
    }
    assert!(passes(passed).await && !passes(failed).await);
    // A frame of so little has 16 to 128 bytes on the machines that we build for.
    let frame = WASM_STACK as i64 / passed;
    assert!((16..=128).contains(&frame), "{passed} frames");
}
