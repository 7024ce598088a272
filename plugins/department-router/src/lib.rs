//! A reference plugin: which department gets a conversation. "My invoice is wrong" goes to billing, in German to the
//! people in Hamburg.
//!
//! It only decides: rules in the order in which they are stated, the first that fits ([`rule`]). What a message is about
//! is told by its words, where the customer is by an attribute that somebody else has set. It remembers nothing. People who
//! get a conversation get a summary of what it is about with it ([`summary`]).

mod rule;
mod settings;
mod summary;

use vestibule_plugin::text::{Index, Words};
use vestibule_plugin::{Failure, Kind, Route, Routing, Turn, Value, config, info};

use rule::Matter;
use settings::{Otherwise, Settings};

/// The hook.
pub struct DepartmentRouter;

/// Characters of a message that are looked at: the topic is said by then, and looking costs fuel.
const LOOKED_AT: usize = 1_000;

impl Routing for DepartmentRouter {
    fn route(turn: &mut Turn<'_>) -> Result<Route, Failure> {
        // A thumb up is no topic.
        if turn.message().kind() == Kind::Reaction {
            return Ok(Route::Pass);
        }
        let settings: Settings = config::read()?;
        let text = turn.message().text();
        let said = Words::of(&text.chars().take(LOOKED_AT).collect::<String>());
        let matter = matter(turn, &said, &settings);
        let fitting = settings
            .rules
            .iter()
            .enumerate()
            .find(|(_, rule)| rule.fits(&matter));
        let route = match fitting {
            Some((index, rule)) => {
                info!("rule {index}: {}", rule.queue);
                Route::Queue(rule.queue.clone())
            }
            None => match settings.otherwise {
                Otherwise::Bot => Route::Bot,
                Otherwise::Pass => Route::Pass,
                Otherwise::Queue(queue) => Route::Queue(queue),
            },
        };
        match route {
            // A summary goes with a hand-over, and the answer says that it was asked for.
            Route::Queue(queue) if settings.summary => {
                let summary = summary::of(turn.message())?;
                turn.hand_over(&queue, Some(&summary))?;
                Ok(Route::AsAsked)
            }
            route => Ok(route),
        }
    }
}

/// What is known about the message; attributes are asked for only when a rule names them.
fn matter<'a>(turn: &Turn<'_>, said: &'a Words, settings: &Settings) -> Matter<'a> {
    let conversation = turn.conversation();
    let named = settings
        .rules
        .iter()
        .flat_map(|rule| rule.attributes.keys());
    let value = |name: &String| Some((name.clone(), text(conversation.attribute(name))?));
    Matter {
        said: Index::of(said),
        language: conversation.language(),
        region: text(conversation.attribute(&settings.region_attribute)),
        attributes: named.filter_map(value).collect(),
        tags: conversation.tags(),
    }
}

/// Rules compare texts.
fn text(value: Option<Value>) -> Option<String> {
    value.as_ref().and_then(Value::text).map(str::to_owned)
}

vestibule_plugin::export!(DepartmentRouter as routing; arena = 512 * 1024);
