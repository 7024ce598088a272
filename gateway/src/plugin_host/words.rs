//! Words of a stranger's choosing (a component's names, a plugin's reasons), before they are stored or shown: one line,
//! no terminal escapes, nothing that turns the reading order around, and not too many.

/// At most so many characters of it.
pub(super) fn shown(text: &str, most: usize) -> String {
    harmless(text.chars().take(most).collect())
}

/// All of it.
pub(super) fn harmless(text: String) -> String {
    if text.contains(deceives) {
        return text.replace(deceives, " ");
    }
    text
}

/// Control characters, the two that break lines elsewhere, and those that make a page show other words than it holds
/// (marks that only say which way a neutral sign runs are part of ordinary Arabic and Hebrew).
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_escapes_and_turns_become_spaces() {
        let forged = "a\r\nb\u{1b}[31m\u{0}\u{85}\u{2028}\u{202e}c\u{2066}";
        assert_eq!(shown(forged, 100), "a  b [31m    c ");
        assert_eq!(shown("שלום\u{200f} é", 100), "שלום\u{200f} é");
        assert_eq!(shown("ééé", 2), "éé");
    }
}
