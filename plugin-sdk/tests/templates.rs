//! Templates without Wasm: what a test says that the account has, found, chosen and filled.

use vestibule_plugin::content::Content;
use vestibule_plugin::templates::{self, Button, Category, Filter, Header, Key, Status};
use vestibule_plugin::testing::{AccountTemplate, Customer};
use vestibule_plugin::{AutoReply, Failure, Outcome, ReadError, Turn};

/// `search PREFIX`, `find NAME LANGUAGE`, `language NAME WISH`, `send NAME VALUE`, `speak LANGUAGE`, `ask N`.
struct Asker;

impl AutoReply for Asker {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let text = turn.message().text();
        let words: Vec<&str> = text.split(' ').collect();
        let answer = match words.as_slice() {
            ["search", begins_with] => names(begins_with)?,
            ["find", name, language] => match templates::find(name, language)? {
                Some(found) => format!("{:?} {:?}", found.status(), found.buttons()),
                None => "none".to_owned(),
            },
            ["language", name, wish] => {
                let chosen = templates::choose_language(name, wish)?;
                chosen.unwrap_or_else(|| "none".to_owned())
            }
            ["send", name, value] => {
                let found = templates::best(name)?;
                match found.and_then(|found| found.filled(&[value])) {
                    Some(template) => return Ok(turn.say(template.into())?),
                    None => "it cannot be sent".to_owned(),
                }
            }
            ["speak", language] => return Ok(turn.set_language(language)?),
            ["ask", times] => {
                for n in 0..times.parse().unwrap_or(0) {
                    templates::find(&format!("t{n}"), "en")?;
                }
                "asked".to_owned()
            }
            _ => text.clone(),
        };
        Ok(turn.reply_text(&answer)?)
    }
}

/// By pages of one, of utility templates.
fn names(begins_with: &str) -> Result<String, ReadError> {
    let filter = Filter {
        begins_with: begins_with.to_owned(),
        category: Some(Category::Utility),
        language: None,
    };
    let (mut names, mut after): (Vec<String>, Option<Key>) = (Vec::new(), None);
    loop {
        let page = templates::search(&filter, after.as_ref(), 1)?;
        let listed = page.listed.into_iter();
        names.extend(listed.map(|one| format!("{}/{}", one.key.name, one.key.language)));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(names.join(" ")),
        }
    }
}

fn customer() -> Customer {
    let order = |language| AccountTemplate {
        parameters: vec!["1".to_owned()],
        ..AccountTemplate::new("order_update", language)
    };
    let late = AccountTemplate {
        status: Status::Unsendable("PAUSED".to_owned()),
        buttons: vec![Button::QuickReply, Button::UrlSuffix],
        ..AccountTemplate::new("order_late", "en")
    };
    let sale = AccountTemplate {
        category: Category::Marketing,
        header: Header::Image,
        parameters: vec!["what".to_owned()],
        ..AccountTemplate::new("sale", "en")
    };
    let all = [
        order("pt_BR"),
        order("en"),
        late,
        sale,
        AccountTemplate::new("bare", "en"),
    ];
    Customer::new()
        .auto_reply::<Asker>()
        .templates(all, Some("en"))
}

#[test]
fn approved_ones_are_listed_by_pages_and_any_is_found() {
    let mut customer = customer();
    assert_eq!(
        customer.says("search order_").text(),
        "order_update/en order_update/pt_BR"
    );
    assert_eq!(
        customer.says("search ").text(),
        "bare/en order_update/en order_update/pt_BR"
    );
    assert_eq!(customer.says("find sale de").text(), "none");
    let late = customer.says("find order_late en");
    assert!(late.text().contains(r#"Unsendable("PAUSED")"#), "{late:?}");
    assert!(late.text().contains("UrlSuffix"), "{late:?}");
}

#[test]
fn the_language_is_the_persons_then_the_default() {
    let mut customer = customer();
    let mut language = |wish: &str| {
        let answer = customer.says(&format!("language order_update {wish}"));
        answer.text().to_owned()
    };
    assert_eq!(language("auto"), "en");
    assert_eq!(language("pt-br,de"), "pt_BR");
    assert_eq!(language("pt_BR"), "pt_BR");
    assert_eq!(language("pt-br"), "none");
    assert_eq!(language("fr,de"), "none");
    customer.says("speak pt-PT");
    assert_eq!(customer.says("language order_update auto").text(), "pt_BR");
    assert_eq!(customer.says("language order_late auto").text(), "none");
}

#[test]
fn a_template_is_filled_by_places_or_names_if_it_takes_as_many() {
    let mut customer = customer();
    for (name, value_of) in [("order_update", None), ("sale", Some("what"))] {
        let answer = customer.says(&format!("send {name} tea"));
        let [Content::Template(template)] = answer.said()[..] else {
            panic!("{answer:?}");
        };
        assert_eq!(
            (template.name.as_str(), template.language.as_str()),
            (name, "en")
        );
        let parameter = &template.parameters[0];
        assert_eq!(
            (parameter.name.as_deref(), parameter.value.as_str()),
            (value_of, "tea")
        );
    }
    assert_eq!(customer.says("send bare tea").text(), "it cannot be sent");
    assert_eq!(customer.says("send none tea").text(), "it cannot be sent");
}

#[test]
fn limits_and_a_missing_grant_are_values() {
    let mut customer = customer();
    assert_eq!(customer.says("ask 32").text(), "asked");
    let failure = customer.says("ask 33").failure;
    assert!(
        matches!(&failure, Some(Failure::Fault(why)) if why.contains("32")),
        "{failure:?}"
    );
    customer.reads_answer(Some(ReadError::Denied));
    let failure = customer.says("find sale en").failure;
    assert!(matches!(failure, Some(Failure::Reject(_))), "{failure:?}");
}
