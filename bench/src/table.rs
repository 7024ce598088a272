//! The result: one row per budget, what was measured, and whether it holds.

use std::fmt;

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Row {
    pub what: String,
    pub measured: String,
    /// What the baseline did in the same run; empty where the budget is absolute.
    pub baseline: String,
    pub ratio: Option<f64>,
    pub budget: Budget,
}

#[derive(Debug, Clone, Copy)]
pub enum Budget {
    /// The ratio is at least this.
    AtLeast(f64),
    /// The ratio is at most this.
    AtMost(f64),
    /// An absolute limit, told in words.
    Limit { text: &'static str, met: bool },
    /// Told for information.
    None,
}

impl Row {
    fn met(&self) -> &'static str {
        let met = match (self.budget, self.ratio) {
            (Budget::AtLeast(least), Some(ratio)) => ratio >= least,
            (Budget::AtMost(most), Some(ratio)) => ratio <= most,
            (Budget::Limit { met, .. }, _) => met,
            _ => return "",
        };
        if met { "yes" } else { "**no**" }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "≥ {least} ×"),
            Self::AtMost(most) => write!(f, "≤ {most} ×"),
            Self::Limit { text, .. } => f.write_str(text),
            Self::None => Ok(()),
        }
    }
}

/// Markdown.
pub fn render(title: &str, rows: &[Row]) -> String {
    let mut text = format!(
        "### {title}\n\n| what | measured | baseline | ratio | budget | met |\n|---|---|---|---|---|---|\n"
    );
    for row in rows {
        let ratio = row
            .ratio
            .map_or(String::new(), |ratio| format!("{ratio:.2} ×"));
        text += &format!(
            "| {} | {} | {} | {ratio} | {} | {} |\n",
            row.what,
            row.measured,
            row.baseline,
            row.budget,
            row.met()
        );
    }
    text
}
