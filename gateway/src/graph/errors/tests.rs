//! One line per row of facts §7, written from the facts and not from the table.

use std::time::Duration;

use super::*;
use Action::{Fix, GiveUp, Hold, Ignore, Reroute, RetryInDoubt, Slow};
use HoldScope::{Feature, Number, Template, Tenant, TenantTemplates, Token};

const IN_DOUBT: Action = RetryInDoubt { attempts: 6 };
const RETRY: Action = Action::Retry {
    after: None,
    attempts: 6,
};

fn retry_after(secs: u64) -> Action {
    Action::Retry {
        after: Some(Duration::from_secs(secs)),
        attempts: 6,
    }
}

fn expect(rows: &[(&[i64], Action)]) {
    for (codes, action) in rows {
        for code in *codes {
            let verdict = classify(Some(*code), Some(400), false);
            assert_eq!(verdict.action, *action, "code {code}");
            assert!(!verdict.alert, "code {code}");
        }
    }
}

#[test]
fn authorization_and_integrity() {
    expect(&[
        (&[0, 190], Hold(Token)),
        (&[3, 10, 200, 201, 299, 368, 131_005, 131_031], Hold(Tenant)),
        (&[33], Hold(Number)),
        (&[130_497], GiveUp),
    ]);
}

#[test]
fn throttling() {
    expect(&[
        (&[4, 613], Slow(SlowScope::App)),
        (&[80_007], Slow(SlowScope::Waba)),
        (&[130_429, 131_208], Slow(SlowScope::Number)),
        (&[131_056], Slow(SlowScope::Pair)),
        (&[131_048], Hold(Number)),
        (&[131_064], Hold(TenantTemplates)),
        (&[133_016], Hold(Feature)),
    ]);
}

#[test]
fn generic() {
    expect(&[
        (&[1, 131_000], RetryInDoubt { attempts: 3 }),
        (&[2, 131_016], IN_DOUBT),
        (
            &[
                100, 131_008, 131_009, 131_030, 131_051, 131_055, 134_100, 135_000, 2_494_010,
            ],
            Fix,
        ),
        (
            &[
                130_403, 130_472, 131_021, 131_026, 131_047, 131_049, 131_050, 131_052, 131_062,
                137_000,
            ],
            GiveUp,
        ),
        (
            &[131_014, 131_053],
            Action::Retry {
                after: None,
                attempts: 2,
            },
        ),
        (&[131_037, 131_045], Hold(Number)),
        (&[131_042, 131_044], Hold(Tenant)),
        (&[131_057], retry_after(60)),
        (&[134_101], retry_after(600)),
        (&[131_063, 134_102], Reroute),
        (&[134_011], Hold(Feature)),
        (&[136_024], Slow(SlowScope::Waba)),
        (&[131_060, 1_752_041], Ignore),
    ]);
}

#[test]
fn templates_and_flows() {
    expect(&[
        (
            &[
                132_000, 132_005, 132_007, 132_008, 132_012, 132_018, 131_059,
            ],
            Fix,
        ),
        (
            &[132_001],
            Action::Retry {
                after: Some(Duration::from_secs(60)),
                attempts: 2,
            },
        ),
        (&[132_015, 132_016, 132_068, 139_000], Hold(Template)),
        (&[132_069], Slow(SlowScope::Flow)),
        (&[139_001, 139_002, 139_003, 139_004, 139_006], Fix),
        (
            &[
                2_388_019, 2_388_040, 2_388_047, 2_388_072, 2_388_073, 2_388_293, 2_388_299,
            ],
            Fix,
        ),
        (&[200_005, 200_006, 200_007], Fix),
    ]);
}

#[test]
fn registration_migration_and_coexistence() {
    expect(&[
        (&[133_000, 133_004, 139_102, 139_103], RETRY),
        (
            &[133_005, 133_006, 2_593_079, 2_593_085, 2_593_107, 2_593_108],
            GiveUp,
        ),
        (&[133_008, 133_009], Hold(Feature)),
        (&[133_010], Hold(Number)),
        (&[133_015], retry_after(300)),
        (&[2_494_100], retry_after(120)),
        (
            &[2_388_001, 2_388_012, 2_388_091, 2_388_093, 2_388_103],
            Fix,
        ),
        (
            &[147_001, 147_005, 139_100, 139_101, 2_494_164, 2_494_179],
            Fix,
        ),
        (&[2_593_109], Ignore),
    ]);
}

#[test]
fn groups_and_calling() {
    expect(&[
        (
            &[
                131_020, 131_041, 131_207, 138_001, 138_006, 138_009, 138_012, 138_019, 138_023,
            ],
            GiveUp,
        ),
        (
            &[
                131_201, 131_202, 131_204, 131_209, 131_210, 131_211, 131_212, 131_213, 138_003,
                138_017,
            ],
            Fix,
        ),
        (
            &[
                131_214, 131_215, 138_000, 138_013, 138_014, 138_015, 138_018,
            ],
            Hold(Feature),
        ),
        (&[138_002, 138_005], Slow(SlowScope::Number)),
        (&[138_004, 138_007], IN_DOUBT),
    ]);
}

#[test]
fn the_code_decides_and_not_the_http_status() {
    for status in [None, Some(200), Some(403), Some(429), Some(500)] {
        assert_eq!(classify(Some(131_047), status, true).action, GiveUp);
        assert_eq!(
            classify(Some(130_429), status, true).action,
            Slow(SlowScope::Number)
        );
    }
}

#[test]
fn an_unknown_code_is_judged_by_http_status() {
    for code in [None, Some(-1), Some(424_242)] {
        assert_eq!(classify(code, Some(500), false).action, IN_DOUBT);
        assert_eq!(classify(code, Some(503), false).action, IN_DOUBT);
        assert_eq!(
            classify(code, Some(429), true).action,
            Slow(SlowScope::Number)
        );
        assert_eq!(classify(code, Some(400), true).action, IN_DOUBT);
        for status in [None, Some(200), Some(400), Some(404)] {
            let verdict = classify(code, status, false);
            assert_eq!(
                (verdict.action, verdict.alert),
                (GiveUp, true),
                "{code:?} {status:?}"
            );
        }
    }
}

#[test]
fn some_errors_tell_more_than_the_fate_of_their_send() {
    let side_effect = |code| classify(Some(code), None, false).side_effect;
    assert_eq!(side_effect(131_050), Some(SideEffect::RecordsOptOut));
    assert_eq!(side_effect(130_403), Some(SideEffect::MarksBlocked));
    assert_eq!(side_effect(131_047), Some(SideEffect::ClosesWindow));
    assert_eq!(side_effect(132_001), Some(SideEffect::RefetchesTemplate));
    // Facts §10.2: these are not an opt-out.
    for code in [131_049, 131_026, 130_472] {
        assert_eq!(side_effect(code), None, "code {code}");
    }
}

#[test]
fn only_a_doubt_leaves_open_whether_the_message_went_out() {
    for rule in RULES {
        let doubt = matches!(rule.action, RetryInDoubt { .. });
        assert_eq!(rule.action.proves_not_sent(), !doubt, "{:?}", rule.codes);
    }
}

#[test]
fn waits_are_those_of_the_table() {
    let wait = |code, attempt| classify(Some(code), None, false).action.wait(attempt, 0.5);
    assert_eq!(wait(131_056, 2), Some(Duration::from_secs(16)));
    assert_eq!(wait(131_057, 3), Some(Duration::from_secs(60)));
    assert_eq!(wait(130_429, 1), Some(Duration::from_secs(1)));
    assert_eq!(wait(131_016, 2), Some(Duration::from_secs(8)));
    assert_eq!(wait(131_047, 1), None);
    assert_eq!(wait(132_015, 1), None);
}

#[test]
fn attempts_end() {
    let may_repeat = |code, made| classify(Some(code), None, false).action.may_repeat(made);
    assert!(may_repeat(131_000, 2) && !may_repeat(131_000, 3));
    assert!(may_repeat(132_001, 1) && !may_repeat(132_001, 2));
    assert!(may_repeat(130_429, 1_000));
    assert!(!may_repeat(100, 0));
}

#[test]
fn no_code_has_two_rules_and_all_speak_plainly() {
    for (i, rule) in RULES.iter().enumerate() {
        assert!(rule.codes.start() <= rule.codes.end());
        assert!(
            !rule.meaning.ends_with('.') && rule.remedy.ends_with('.'),
            "{:?}",
            rule.codes
        );
        for other in &RULES[i + 1..] {
            let apart =
                rule.codes.end() < other.codes.start() || other.codes.end() < rule.codes.start();
            assert!(apart, "{:?} and {:?}", rule.codes, other.codes);
        }
    }
}
