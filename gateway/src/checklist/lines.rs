//! The lines, judged by what was seen. Pure.

use super::seen::{DAY, Seen, SeenNumber};
use super::{Item, Line, State, Word};
use crate::domain::Timestamp;
use crate::storage::account_facts::FactKind;
use crate::storage::holds::Held;
use crate::storage::hooks::Hook;
use crate::tenants::TenantSettings;

/// Every line, in the order in which a tenant is brought up.
pub(super) fn all(seen: &Seen, now: Timestamp) -> Vec<Line> {
    let mut lines = numbers(seen, now);
    lines.extend(verifications(seen));
    lines.extend(use_cases(seen));
    lines.push(consent_collection(seen));
    lines.push(opt_out(seen));
    lines.push(person(seen));
    lines.push(agents(seen));
    lines.push(webhook(seen));
    lines.push(escalation(&seen.settings));
    lines.push(tried(seen));
    for line in &mut lines {
        vouch(line, seen);
    }
    lines
}

/// Somebody's word stands in for what is not seen, where it can.
fn vouch(line: &mut Line, seen: &Seen) {
    let word = seen.words.iter().find(|word| word.item == line.item.word());
    line.attested = word.map(|word| Word {
        by: word.by.clone(),
        at: word.at.to_string(),
        note: word.note.clone(),
    });
    if line.attested.is_some() && line.state != State::Ok {
        line.state = State::Attested;
        line.to_do = None;
    }
}

fn line(item: Item, title: &str, state: State) -> Line {
    Line {
        item,
        of: None,
        state,
        title: title.to_owned(),
        evidence: None,
        seen_at: None,
        to_do: None,
        attested: None,
    }
}

impl Line {
    fn of(mut self, what: &str) -> Self {
        self.of = Some(what.to_owned());
        self
    }

    fn saw(mut self, what: impl Into<String>, at: Option<Timestamp>) -> Self {
        self.evidence = Some(what.into());
        self.seen_at = at.map(|at| at.to_string());
        self
    }

    fn wants(mut self, what: &str) -> Self {
        self.to_do = Some(what.to_owned());
        self
    }
}

fn numbers(seen: &Seen, now: Timestamp) -> Vec<Line> {
    const CONNECTED: &str = "A number of its own is connected";
    if seen.numbers.is_empty() {
        let none = line(Item::NumberConnected, CONNECTED, State::ToDo);
        return vec![none.wants("connect one: vestibule number add, or POST /numbers")];
    }
    let mut lines: Vec<Line> = seen
        .numbers
        .iter()
        .map(|one| connected(seen, one))
        .collect();
    lines.push(dedicated(seen));
    lines.extend(seen.numbers.iter().map(|one| display_name(seen, one)));
    lines.extend(seen.numbers.iter().map(|one| heard(one, now)));
    lines
}

fn connected(seen: &Seen, one: &SeenNumber) -> Line {
    let number = &one.number;
    let title = "A number of its own is connected";
    let held = seen.holds.iter().find(|hold| match &hold.held {
        Held::Number(_, held) => *held == number.id,
        Held::Credential(_, held) => *held == number.credential,
        Held::All | Held::Tenant(_) => true,
        _ => false,
    });
    match held {
        Some(hold) => line(Item::NumberConnected, title, State::ToDo)
            .saw(
                format!("{} is in force: {}", hold.id, hold.reason),
                Some(hold.placed_at),
            )
            .wants("do what the hold says, then lift it"),
        None => line(Item::NumberConnected, title, State::Ok).saw(
            format!("{} is connected; no other tenant has it", number.id),
            Some(number.connected_at),
        ),
    }
    .of(&number.display_number)
}

fn dedicated(seen: &Seen) -> Line {
    let title = "Nobody else answers from the number";
    match seen.echo_at {
        Some(at) => line(Item::NumberDedicated, title, State::ToDo)
            .saw("messages were sent from another app of the business, or from the WhatsApp Business app", Some(at))
            .wants("let nobody answer there, or say that it is meant to be so (attest)"),
        None => line(Item::NumberDedicated, title, State::Unknown)
            .saw("no message of another app was told lately", None)
            .wants("make sure that no other provider, app or phone answers from it, and say so (attest)"),
    }
}

fn display_name(seen: &Seen, one: &SeenNumber) -> Line {
    let title = "Meta has approved the name that people see";
    let number = &one.number;
    let found = seen.fact(
        FactKind::Number,
        &number.waba_id,
        &number.phone_number_id,
        "name_decision",
    );
    match found {
        Some(fact) if fact.value == "APPROVED" => line(Item::DisplayName, title, State::Ok)
            .saw("Meta told: APPROVED", Some(Timestamp::from_millis(fact.at))),
        Some(fact) => line(Item::DisplayName, title, State::ToDo)
            .saw(format!("Meta told: {}", fact.value), Some(Timestamp::from_millis(fact.at)))
            .wants("ask Meta for a name that follows its rules, in WhatsApp Manager"),
        None => line(Item::DisplayName, title, State::Unknown)
            .wants("look at WhatsApp Manager, and say that it is approved (attest): Meta tells of changes only"),
    }
    .of(&number.display_number)
}

fn heard(one: &SeenNumber, now: Timestamp) -> Line {
    let title = "Meta's webhooks come in";
    let fresh = |at: &Timestamp| now.since(*at) <= DAY;
    let (item, verified) = (Item::WebhookVerified, one.verified_at);
    match (one.heard_at, verified) {
        (Some(at), _) if fresh(&at) => {
            line(item, title, State::Ok).saw("a signed webhook of this number came", Some(at))
        }
        (Some(at), _) => line(item, title, State::ToDo)
            .saw("the last signed webhook of this number is older than a day", Some(at))
            .wants("write to the number from a phone; if nothing comes, check the callback URL and the subscription of the WhatsApp account"),
        (None, Some(at)) => line(item, title, State::ToDo)
            .saw("Meta has verified the callback URL; no webhook of this number came lately", Some(at))
            .wants("subscribe the app to the WhatsApp account, and write to the number from a phone"),
        (None, None) => line(item, title, State::ToDo)
            .wants("give Meta the callback URL and the verify token (docs/operating.md), then write to the number"),
    }
    .of(&one.number.display_number)
}

fn verifications(seen: &Seen) -> Vec<Line> {
    let title = "Meta knows who the business is";
    let mut accounts: Vec<&str> = seen
        .numbers
        .iter()
        .map(|one| one.number.waba_id.as_str())
        .collect();
    accounts.sort_unstable();
    accounts.dedup();
    let of = |account: &str| {
        match seen.fact(FactKind::Account, account, "", "verification") {
            Some(fact) => line(Item::BusinessVerification, title, State::Ok)
                .saw(format!("Meta told: {}", fact.value), Some(Timestamp::from_millis(fact.at))),
            None => line(Item::BusinessVerification, title, State::Unknown)
                .wants("look at Meta's Business settings, Security Center, and say that it is done (attest)"),
        }
        .of(account)
    };
    accounts.into_iter().map(of).collect()
}

fn use_cases(seen: &Seen) -> Vec<Line> {
    let cases = &seen.settings.use_cases;
    if cases.is_empty() {
        let none = line(
            Item::UseCases,
            "It is written down what the business writes for",
            State::ToDo,
        );
        return vec![none.wants("name them in the tenant's settings: use_cases")];
    }
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    let named = line(
        Item::UseCases,
        "It is written down what the business writes for",
        State::Ok,
    )
    .saw(names.join(", "), None);
    let templates = cases
        .iter()
        .map(|case| templates(seen, &case.name, &case.templates));
    std::iter::once(named).chain(templates).collect()
}

/// Approved in some language, and not on hold there.
fn templates(seen: &Seen, case: &str, templates: &[String]) -> Line {
    let title = "Its templates are approved";
    if templates.is_empty() {
        let answers = line(Item::TemplatesApproved, title, State::Ok);
        return answers.saw("it only answers and needs none", None).of(case);
    }
    let (mut open, mut unknown, mut newest) = (Vec::new(), Vec::new(), None);
    for name in templates {
        let told = seen.template(name);
        let good = told
            .iter()
            .find(|row| row.status == "APPROVED" && !is_held(seen, name, &row.language));
        match (good, told.first()) {
            (Some(row), _) => newest = newest.max(Some(row.status_at)),
            (None, Some(row)) => open.push(format!("{name}: {}", row.status)),
            (None, None) => unknown.push(name.clone()),
        }
    }
    let at = newest;
    let found = match (open.is_empty(), unknown.is_empty()) {
        (true, true) => line(Item::TemplatesApproved, title, State::Ok).saw(templates.join(", "), at),
        (false, _) => line(Item::TemplatesApproved, title, State::ToDo)
            .saw(open.join(", "), None)
            .wants("have them approved by Meta, or take them out of the use case"),
        (true, false) => line(Item::TemplatesApproved, title, State::Unknown)
            .saw(format!("no account has {}", unknown.join(", ")), None)
            .wants("create them (vestibule template create); made elsewhere today, they come with the next sync"),
    };
    found.of(case)
}

fn is_held(seen: &Seen, name: &str, language: &str) -> bool {
    seen.holds.iter().any(|hold| match &hold.held {
        Held::Template(_, held) => held.name == name && held.language == language,
        Held::Templates(_) | Held::NumberTemplates(..) => true,
        _ => false,
    })
}

fn consent_collection(seen: &Seen) -> Line {
    let title = "It is written down where people agree, and to which words";
    let places: Vec<&str> = seen
        .settings
        .consent_collection
        .iter()
        .map(|one| one.place.as_str())
        .collect();
    match places.is_empty() {
        false => line(Item::ConsentCollection, title, State::Ok).saw(places.join(", "), None),
        true => line(Item::ConsentCollection, title, State::ToDo).wants(
            "write down place and exact wording in the tenant's settings: consent_collection",
        ),
    }
}

fn opt_out(seen: &Seen) -> Line {
    let title = "STOP was said, obeyed and confirmed";
    match (seen.opt_out, seen.unconfirmed) {
        (Some(ended), _) => line(Item::OptOutTested, title, State::Ok).saw(
            format!("{} was obeyed, and Meta took the confirmation", ended.event),
            Some(ended.at),
        ),
        (None, Some(ended)) => line(Item::OptOutTested, title, State::ToDo)
            .saw(
                format!("{} was obeyed; no confirmation went out", ended.event),
                Some(ended.at),
            )
            .wants("see why with: vestibule explain (its id), then write STOP from a phone again"),
        (None, None) => line(Item::OptOutTested, title, State::ToDo)
            .wants("write STOP to the number from a phone, and START afterwards"),
    }
}

fn person(seen: &Seen) -> Line {
    let title = "Somebody asked for a person and got one";
    match (seen.person, seen.nobody_came) {
        (Some(ended), _) => line(Item::PersonTested, title, State::Ok).saw(
            format!("{} was answered by a person", ended.event),
            Some(ended.at),
        ),
        (None, Some(ended)) => line(Item::PersonTested, title, State::ToDo)
            .saw(
                format!(
                    "{} asked for a person; none took the conversation",
                    ended.event
                ),
                Some(ended.at),
            )
            .wants("answer it from the inbox, and see that the queue is served"),
        (None, None) => line(Item::PersonTested, title, State::ToDo)
            .wants("write \"agent\" to the number from a phone, and answer it from the inbox"),
    }
}

fn agents(seen: &Seen) -> Line {
    let title = "Agents know which cases are theirs";
    let queues: Vec<&str> = seen
        .settings
        .served_queues
        .iter()
        .map(String::as_str)
        .collect();
    let line = line(Item::AgentsKnow, title, State::Unknown);
    let line = match queues.is_empty() {
        true => line,
        false => line.saw(format!("queues: {}", queues.join(", ")), None),
    };
    line.wants("brief them, and say so (attest)")
}

fn webhook(seen: &Seen) -> Line {
    let title = "The business's own systems hear of events";
    let item = Item::OutgoingWebhook;
    let bad = |hook: &&Hook| !hook.enabled || hook.failures > 0;
    if let Some(hook) = seen.hooks.iter().find(bad) {
        return line(item, title, State::ToDo)
            .saw(
                format!("{} does not answer well: {}", hook.id, hook.last_error),
                hook.answered_at,
            )
            .wants("mend the endpoint, or remove it");
    }
    let newest = seen.hooks.iter().filter_map(|hook| hook.answered_at).max();
    match (seen.hooks.is_empty(), newest) {
        (true, _) => line(item, title, State::ToDo)
            .wants("add an endpoint (POST /hooks), or say that none is needed (attest)"),
        (false, Some(at)) => line(item, title, State::Ok).saw("every endpoint answers", Some(at)),
        (false, None) => line(item, title, State::Unknown)
            .saw("there was no event to deliver yet", None)
            .wants("write to the number from a phone, and look again"),
    }
}

fn escalation(settings: &TenantSettings) -> Line {
    let title = "Who asks for a person comes to a queue that somebody serves";
    let queue = &settings.human_queue;
    match settings.serves(queue) {
        true => line(Item::Escalation, title, State::Ok)
            .saw(format!("the queue {queue} is served"), None),
        false => line(Item::Escalation, title, State::ToDo)
            .saw(format!("nobody serves the queue {queue}"), None)
            .wants("name it in the tenant's settings, in served_queues, when somebody does"),
    }
}

fn tried(seen: &Seen) -> Line {
    let title = "Somebody tried it as a customer would";
    match seen.answered_at {
        Some(at) => line(Item::TriedAsCustomer, title, State::Ok)
            .saw("a plugin's answer reached a person's device", Some(at)),
        None => line(Item::TriedAsCustomer, title, State::ToDo)
            .wants("write to the number from a phone, and read what comes"),
    }
}

#[cfg(test)]
mod tests;
