//! Blows up its conversation: lists of lists' worth of text, names of control characters, numbers that are none.

use vestibule_plugin::{AutoReply, Day, Field, Outcome, Turn, Value};

struct Guest;

impl AutoReply for Guest {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
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

vestibule_plugin::export!(Guest as auto_reply);
