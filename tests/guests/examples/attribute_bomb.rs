//! Blows up its conversation: lists of lists' worth of text, names of control characters, numbers that are none; or, as it
//! is told (`tags 13`, `attributes 5`, `weigh 20480 12282`), more than there is room for in one hook.

use vestibule_plugin::{AutoReply, Day, Field, Outcome, Turn, Value};

struct Guest;

impl AutoReply for Guest {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let words = turn.message().text();
        let mut words = words.split(' ');
        let what = words.next().unwrap_or_default().to_owned();
        let sizes: Vec<usize> = words.filter_map(|word| word.parse().ok()).collect();
        if let Some(taken) = fill(turn, &what, &sizes) {
            turn.reply_text(&format!("{taken} taken"))?;
            return Ok(());
        }
        let long = "x".repeat(1_024);
        let mut refused = Vec::new();
        let bombs = [
            ("list", Value::Items(vec![long.clone(); 101])),
            ("item", Value::Items(vec![format!("{long}x")])),
            ("text", Value::Text(format!("{long}x"))),
            ("nul", Value::from("a\0b")),
            ("nan", Value::Number(f64::NAN)),
            ("infinite", Value::Number(f64::INFINITY)),
            (
                "day",
                Value::Date(Day {
                    year: 2026,
                    month: 2,
                    day: 30,
                }),
            ),
            ("line\nbreak", Value::from("v")),
            ("vestibule.handed_back", Value::from("by_hand")),
        ];
        for (key, value) in bombs {
            if turn.set_attribute(key, value).is_err() {
                refused.push(key.split('\n').next().unwrap_or_default());
            }
        }
        let full = turn.set_attribute("full", Value::Items(vec![long; 33]));
        refused.extend(full.is_err().then_some("full"));
        let twice = [Field::new("f", 1), Field::new("f", 2)];
        refused.extend(turn.emit("twice", &twice).is_err().then_some("twice"));
        turn.reply_text(&refused.join(","))?;
        Ok(())
    }
}

/// How many of the facts were taken.
fn fill(turn: &mut Turn<'_>, what: &str, sizes: &[usize]) -> Option<usize> {
    let count = sizes.first().copied().unwrap_or_default();
    let taken: Vec<bool> = match what {
        "tags" => (0..count)
            .map(|n| turn.add_tag(&format!("new {n}")).is_ok())
            .collect(),
        "attributes" => (0..count)
            .map(|n| turn.set_attribute(&format!("new {n}"), true).is_ok())
            .collect(),
        "weigh" => (0..sizes.len())
            .map(|n| {
                turn.set_attribute(&format!("w{n}"), weighing(sizes[n]))
                    .is_ok()
            })
            .collect(),
        _ => return None,
    };
    Some(taken.into_iter().filter(|taken| *taken).count())
}

/// A list that counts for so many bytes: each item does for three more than it has.
fn weighing(bytes: usize) -> Value {
    let items = (0..bytes).step_by(1_003);
    let items = items.map(|from| "x".repeat((bytes - from).min(1_003).saturating_sub(3)));
    Value::Items(items.collect())
}

vestibule_plugin::export!(Guest as auto_reply);
