//! The list for people: a mark, what it is about, what was seen, what to do.

use super::{Checklist, Line, State};

/// As it is printed.
pub fn text(list: &Checklist) -> String {
    let open = |line: &&Line| matches!(line.state, State::ToDo | State::Unknown);
    let left = list.lines.iter().filter(open).count();
    let head = match left {
        0 => format!("{} is ready to go live.", list.name),
        1 => format!("{}: one line is open.", list.name),
        n => format!("{}: {n} lines are open.", list.name),
    };
    let lines = list.lines.iter().flat_map(line);
    std::iter::once(head)
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n")
}

fn line(line: &Line) -> Vec<String> {
    let of = line
        .of
        .as_ref()
        .map_or_else(String::new, |of| format!(" [{of}]"));
    let mut lines = vec![format!(
        "{} {:21} {}{of}",
        sign(line.state),
        line.item.word(),
        line.title
    )];
    let at = line
        .seen_at
        .as_ref()
        .map_or_else(String::new, |at| format!(" ({at})"));
    if let Some(seen) = &line.evidence {
        lines.push(format!("    seen: {seen}{at}"));
    }
    if let Some(word) = &line.attested {
        lines.push(format!(
            "    {} says so: {} ({})",
            word.by, word.note, word.at
        ));
    }
    if let Some(to_do) = &line.to_do {
        lines.push(format!("    to do: {to_do}"));
    }
    lines
}

fn sign(state: State) -> char {
    match state {
        State::Ok => '✓',
        State::ToDo => '✗',
        State::Unknown => '?',
        State::Attested => '☑',
    }
}
