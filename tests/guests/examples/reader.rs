//! Reads all that a plugin may read of its turn and says it; with words of harm it floods, asks for too much and forges.

use vestibule_plugin::contacts::Consent;
use vestibule_plugin::history::Entry;
use vestibule_plugin::{
    AutoReply, Kind, Outcome, Purpose, ReadError, Turn, contacts, history, window,
};

struct Reader;

impl AutoReply for Reader {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        if turn.message().kind() != Kind::Text {
            return Ok(());
        }
        let words = turn.message().text();
        let answer = match words.split_once(' ') {
            Some(("recent", most)) => tell(history::recent(most.parse().unwrap_or(0)), |said| {
                let lines: Vec<String> = said.iter().map(line).collect();
                match lines.is_empty() {
                    true => "nothing".to_owned(),
                    false => lines.join("|"),
                }
            }),
            _ => match words.as_str() {
                "window" => tell(window::now(), |now| format!("{now:?}")),
                "price" => tell(window::price(), |price| format!("{price:?}")),
                "who" => tell(contacts::current(), |person| {
                    let consent = |purpose| match person.consent(purpose) {
                        Consent::Allowed => "allowed".to_owned(),
                        Consent::Refused(why) => why,
                    };
                    format!(
                        "{} {:?} {:?} {} {}",
                        person.id(),
                        person.external_key(),
                        person.attributes().len(),
                        consent(Purpose::Reply),
                        consent(Purpose::Marketing)
                    )
                }),
                "owner" => tell(history::owned_by(), |owned| format!("{owned:?}")),
                "all" => [
                    tell(window::now(), |_| "window".to_owned()),
                    tell(contacts::current(), |_| "contacts".to_owned()),
                    tell(history::recent(1), |_| "conversation".to_owned()),
                    tell(history::owned_by(), |_| "owner".to_owned()),
                ]
                .join(","),
                _ => harm(&words),
            },
        };
        turn.reply_text(&answer)?;
        Ok(())
    }
}

fn harm(words: &str) -> String {
    match words {
        "flood-window" => loop {
            let _ = window::now();
        },
        "flood-history" => loop {
            let _ = history::recent(50);
        },
        "flood-contacts" => loop {
            let person = contacts::current();
            std::mem::forget(person);
        },
        "huge" => {
            let wrong =
                [0, 51, u32::MAX].map(|most| tell(history::recent(most), |_| String::new()));
            wrong.join(",")
        }
        other => other.to_owned(),
    }
}

fn tell<T>(read: Result<T, ReadError>, say: impl FnOnce(T) -> String) -> String {
    match read {
        Ok(read) => say(read),
        Err(ReadError::Denied) => "denied".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn line(entry: &Entry) -> String {
    format!("{:?} {} {}", entry.who, entry.kind, entry.text)
}

vestibule_plugin::export!(Reader as auto_reply);
