//! How much of a difference is shown: enough to see it. A candidate may answer every turn with 32 long texts, and a report
//! is kept whole in memory, in one row, and by whoever reads it.

use super::judge::Done;

/// Lines of one side of a difference.
const LINES: usize = 20;
/// Characters of one line, and of what a customer said.
const CHARS: usize = 400;
/// Characters before the first one that differs, where a line is shown from its middle.
const LEAD: usize = 80;

/// Both sides, cut so that what differs first is among what is shown. What was left away is marked.
pub(super) fn sides(before: &Done, after: &Done) -> (Done, Done) {
    let (before, after) = (&before.0, &after.0);
    let fits = before.len().max(after.len()) <= LINES;
    let pairs = before.iter().zip(after);
    let same = pairs.take_while(|(before, after)| before == after).count();
    let from = if fits { 0 } else { same };
    (side(before, after, from), side(after, before, from))
}

fn side(lines: &[String], other: &[String], from: usize) -> Done {
    let mut shown = Vec::new();
    if from > 0 {
        shown.push(format!("… ({from} lines that are the same)"));
    }
    for (place, line) in lines.iter().enumerate().skip(from).take(LINES) {
        let other = other.get(place).map_or("", String::as_str);
        shown.push(cut(line, first_that_differs(line, other)));
    }
    let more = lines.len().saturating_sub(from + LINES);
    if more > 0 {
        shown.push(format!("… ({more} more lines)"));
    }
    Done(shown)
}

/// A text from its start.
pub(super) fn text(words: &str) -> String {
    cut(words, 0)
}

/// In characters; 0 when nothing does.
fn first_that_differs(line: &str, other: &str) -> usize {
    if line == other {
        return 0;
    }
    let pairs = line.chars().zip(other.chars());
    pairs.take_while(|(own, other)| own == other).count()
}

fn cut(line: &str, differs: usize) -> String {
    // A byte is at least as much as a character: most lines are not counted.
    if line.len() <= CHARS {
        return line.to_owned();
    }
    let chars = line.chars().count();
    if chars <= CHARS {
        return line.to_owned();
    }
    let from = match differs < CHARS - LEAD {
        true => 0,
        false => differs - LEAD,
    };
    let (lead, more) = (from > 0, chars.saturating_sub(from + CHARS));
    let mut shown: String = lead.then_some("…").into_iter().collect();
    shown.extend(line.chars().skip(from).take(CHARS));
    if more > 0 {
        shown.push_str(&format!("… ({more} more characters)"));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(lines: impl IntoIterator<Item = String>) -> Done {
        Done(lines.into_iter().collect())
    }

    #[test]
    fn what_is_short_is_shown_whole() {
        let (before, after) = (done(["a".repeat(CHARS)]), done(["é".repeat(CHARS)]));
        let shown = sides(&before, &after);
        assert_eq!(shown, (before, after));
    }

    #[test]
    fn long_lines_are_cut_around_what_differs_and_marked() {
        let line = |end: &str| format!("{}{end}", "x".repeat(4_096));
        let (before, after) = sides(&done([line("ä")]), &done([line(&"b".repeat(1_000))]));
        assert_eq!(before.0, [format!("…{}ä", "x".repeat(LEAD))]);
        let (seen, more) = (CHARS - LEAD, 1_000 - (CHARS - LEAD));
        let expected = format!(
            "…{}{}… ({more} more characters)",
            "x".repeat(LEAD),
            "b".repeat(seen)
        );
        assert_eq!(after.0, [expected]);
        let cut = text(&"y".repeat(4_096));
        let start = format!("{}… (3696 more characters)", "y".repeat(CHARS));
        assert_eq!(cut, start);
    }

    #[test]
    fn many_lines_are_cut_around_what_differs_and_counted() {
        let lines = |changed: &str| {
            let line = |n: usize| {
                if n == 30 {
                    changed.to_owned()
                } else {
                    n.to_string()
                }
            };
            done((0..60).map(line))
        };
        let (before, after) = sides(&lines("old"), &lines("new"));
        assert_eq!(before.0.len(), LINES + 2);
        assert_eq!(before.0[..2], ["… (30 lines that are the same)", "old"]);
        assert_eq!(after.0[..2], ["… (30 lines that are the same)", "new"]);
        assert_eq!(after.0[LINES + 1], "… (10 more lines)");
    }
}
