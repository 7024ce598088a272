//! The same for people: a line a step, marks in front, the stops with what they rest on, what may be sent now.

use super::chain::{Explanation, MaySend, StateNow, Step, Stop};

/// As it is printed.
pub fn text(told: &Explanation) -> String {
    let mut lines = head(told);
    lines.push(String::new());
    lines.extend(told.steps.iter().map(step));
    for stop in &told.stops {
        lines.push(String::new());
        lines.extend(stopped(stop));
    }
    if let Some(now) = &told.now {
        lines.push(String::new());
        lines.extend(state(now));
    }
    if !told.gone.is_empty() {
        lines.push(String::new());
        lines.push("Retention took:".to_owned());
        lines.extend(told.gone.iter().map(|what| format!("  {what}")));
    }
    lines.join("\n")
}

fn head(told: &Explanation) -> Vec<String> {
    let about = &told.about;
    let id = about.id.as_deref().unwrap_or("-");
    let mut lines = vec![format!("{} {id}: {}", about.kind, told.summary)];
    let whom = about
        .person
        .as_ref()
        .map(|person| format!("person {person}"));
    let number = about.number.map(|number| format!("number {number}"));
    let talk = about
        .conversation
        .map(|talk| format!("conversation {talk}"));
    let tenant = Some(format!("tenant {}", about.tenant));
    let places: Vec<String> = [whom, number, talk, tenant].into_iter().flatten().collect();
    lines.push(format!("  {}", places.join("  ")));
    if let Some(wamid) = &about.wamid {
        lines.push(format!("  {wamid}"));
    }
    lines
}

fn step(step: &Step) -> String {
    let at = step.at.as_deref().unwrap_or("-");
    let id = step.id.as_deref().unwrap_or("");
    format!(
        "{at:24}  {}  {:10}  {}  {id}",
        step.mark.sign(),
        step.step,
        step.words
    )
    .trim_end()
    .to_owned()
}

fn stopped(stop: &Stop) -> Vec<String> {
    let gate = match stop.gate.as_str() {
        "first" => "before it entered the outbox",
        "claim" => "before it left",
        _ => "by Meta",
    };
    let mut lines = vec![
        format!(
            "✗ stopped {gate} by the rule {}: {}",
            stop.rule, stop.reason
        ),
        line(
            "",
            &format!("{} (Meta's code {})", stop.explanation, stop.meta_code),
        ),
    ];
    lines.extend(stop.because.iter().map(|because| line("because", because)));
    if let Some(allowed) = &stop.allowed {
        lines.push(line("allowed", allowed));
    }
    lines.push(line("next", &next(stop)));
    if let Some(again) = &stop.again {
        let now = match (again.decision.as_str(), &again.reason) {
            ("cleared", _) => "such a message would be cleared".to_owned(),
            (word, Some(reason)) => format!("such a message would be {word}: {reason}"),
            (word, None) => format!("such a message would be {word}"),
        };
        lines.push(line("now", &now));
    }
    lines
}

fn next(stop: &Stop) -> String {
    match &stop.from {
        Some(from) => format!("at {from}"),
        None => stop.mended_by.clone(),
    }
}

fn line(head: &str, words: &str) -> String {
    format!("    {head:8} {words}").trim_end().to_owned()
}

fn state(now: &StateNow) -> Vec<String> {
    let owner = match &now.owner_name {
        Some(name) => format!("{} {name}", now.owner),
        None => now.owner.clone(),
    };
    let window = match &now.window_until {
        Some(until) => format!("{} until {until}", now.window),
        None => now.window.clone(),
    };
    let mut lines = vec![
        "Now:".to_owned(),
        line("owner", &owner),
        line("window", &window),
        line("stopped", &stopped_words(now)),
    ];
    if let Some(free) = &now.free_until {
        lines.push(line(
            "free",
            &format!("until {free} (a price, no permission)"),
        ));
    }
    if now.waiting > 0 {
        lines.push(line(
            "waiting",
            &format!("{} messages for their turn", now.waiting),
        ));
    }
    lines.extend(now.holds.iter().map(|hold| line("hold", hold)));
    lines.extend(now.may_send.iter().map(may));
    lines
}

fn stopped_words(now: &StateNow) -> String {
    let since = now.opt_out_since.as_ref();
    let mut words = match (now.opt_out.as_str(), since) {
        ("none", _) | (_, None) => now.opt_out.clone(),
        (level, Some(since)) => format!("{level} since {since}"),
    };
    if let Some(at) = &now.marketing_stopped_in_whatsapp_at {
        words = format!("{words}; marketing in WhatsApp since {at}");
    }
    words
}

fn may(may: &MaySend) -> String {
    if may.decision == "cleared" {
        return format!("    ✓ {}", may.what);
    }
    let why = may.words.as_deref().unwrap_or("");
    let when = match (&may.from, &may.mended_by) {
        (Some(from), _) => format!("from {from}"),
        (None, Some(mended)) => mended.clone(),
        (None, None) => String::new(),
    };
    format!("    ✗ {}: {why} Next: {when}", may.what)
}
