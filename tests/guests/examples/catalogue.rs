//! Asks of the account's templates what the message says, and sends one; with words of harm it floods and asks for absurd
//! names.

use vestibule_plugin::content::Content;
use vestibule_plugin::templates::{self, Filter, Key, KnownTemplate};
use vestibule_plugin::{AutoReply, Outcome, ReadError, Turn};

struct Catalogue;

impl AutoReply for Catalogue {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let text = turn.message().text();
        let words: Vec<&str> = text.split(' ').collect();
        let answer = match words.as_slice() {
            ["speak", language] => {
                turn.set_language(language)?;
                "yes".to_owned()
            }
            ["search", begins_with] => tell(all(begins_with), |names| match names.is_empty() {
                true => "none".to_owned(),
                false => names.join(","),
            }),
            ["find", name, language] => tell(templates::find(name, language), |found| {
                found.map_or_else(|| "none".to_owned(), |found| shown(&found))
            }),
            ["language", name, wish] => tell(templates::choose_language(name, wish), |found| {
                found.unwrap_or_else(|| "none".to_owned())
            }),
            ["send", name, value] => match templates::best(name)? {
                Some(found) => match found.filled(&[value]) {
                    Some(content) => return Ok(turn.say(Content::from(content))?),
                    None => format!("it takes {:?}", found.parameters()),
                },
                None => "none".to_owned(),
            },
            _ => harm(&text),
        };
        turn.reply_text(&answer)?;
        Ok(())
    }
}

/// Names and languages, by pages of two.
fn all(begins_with: &str) -> Result<Vec<String>, ReadError> {
    let filter = Filter {
        begins_with: begins_with.to_owned(),
        ..Filter::default()
    };
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = templates::search(&filter, after.as_ref(), 2)?;
        let listed = page.listed.iter().map(|one| &one.key);
        names.extend(listed.map(|key: &Key| format!("{}/{}", key.name, key.language)));
        after = page.next;
        if after.is_none() {
            return Ok(names);
        }
    }
}

fn shown(found: &KnownTemplate) -> String {
    let Key { name, language } = found.key();
    format!(
        "{name}/{language} {:?} {:?} {:?} read={} {:?} {:?} {:?} cards={} offer={}",
        found.category(),
        found.status(),
        found.quality(),
        found.is_read(),
        found.header(),
        found.parameters(),
        found.buttons(),
        found.cards().len(),
        found.has_offer(),
    )
}

fn harm(words: &str) -> String {
    let find = |name: &str| templates::find(name, "en");
    match words {
        "flood" => loop {
            let _ = find("sale");
        },
        "flood-handles" => {
            let found = find("sale").ok().flatten().expect("it is there");
            loop {
                let _ = found.parameters();
            }
        }
        // So many questions, all different, until one is too many.
        "count" => {
            let asked = (0..100).take_while(|n| find(&format!("t{n}")).is_ok());
            let asked = asked.count();
            format!("{asked}; {}", tell(find("sale"), |_| "told".to_owned()))
        }
        "absurd" => {
            let names = [
                String::new(),
                "x".repeat(513),
                "é".repeat(100_000),
                "sale\0".to_owned(),
                "' OR 1=1 --".to_owned(),
                "../sale".to_owned(),
                "SALE".to_owned(),
            ];
            let found = names.map(|name| tell(find(&name), |found| found.is_some().to_string()));
            let most = [0, 101, u32::MAX].map(|most| {
                let page = templates::search(&Filter::default(), None, most);
                tell(page, |page| page.listed.len().to_string())
            });
            let wish = tell(
                templates::choose_language("sale", &"en,".repeat(90)),
                |_| "told".to_owned(),
            );
            [found.join("|"), most.join("|"), wish].join(" / ")
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

vestibule_plugin::export!(Catalogue as auto_reply);
