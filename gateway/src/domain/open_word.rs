//! Words that others choose: Meta's, and those of a newer gateway in the rows of the same database.

use serde::{Deserialize, Serialize};

/// One that this version knows, or as it came. What acts on it says what it does with the second; what tells plugins passes
/// it on (`docs/decisions/0002-contract-growth.md`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OpenWord<T> {
    Known(T),
    /// In lower case.
    Other(String),
}

impl<T> OpenWord<T> {
    /// A word that `known` does not know is kept as it is, in lower case.
    pub fn of(word: &str, known: impl FnOnce(&str) -> Option<T>) -> Self {
        known(word).map_or_else(|| Self::Other(word.to_ascii_lowercase()), Self::Known)
    }

    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(known) => Some(known),
            Self::Other(_) => None,
        }
    }
}

impl<T> From<T> for OpenWord<T> {
    fn from(known: T) -> Self {
        Self::Known(known)
    }
}

#[cfg(test)]
mod tests {
    use super::OpenWord;
    use crate::domain::ReceiptStatus;
    use crate::domain::template::TemplateCategory;

    #[test]
    fn a_word_that_nobody_knows_is_kept() {
        let of = |word| OpenWord::of(word, TemplateCategory::from_word);
        assert_eq!(of("UTILITY"), OpenWord::Known(TemplateCategory::Utility));
        assert_eq!(of("NEWS"), OpenWord::Other("news".to_owned()));
    }

    #[test]
    fn it_is_written_as_the_word_alone_and_read_again() {
        for (text, told) in [
            ("\"read\"", OpenWord::Known(ReceiptStatus::Read)),
            ("\"translated\"", OpenWord::Other("translated".to_owned())),
        ] {
            let read: OpenWord<ReceiptStatus> = serde_json::from_str(text).expect("a word");
            assert_eq!(read, told);
            assert_eq!(serde_json::to_string(&told).expect("JSON"), text);
        }
    }
}
