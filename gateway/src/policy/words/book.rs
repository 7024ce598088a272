//! The lookup: a message against the shared table and one tenant's changes to it.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::WordClass;
use super::normalise::normalise;
use super::table::{Row, TABLE};
use crate::domain::InboundContent;
use crate::policy::consent::ConsentWord;

/// Longer messages (bytes) are nobody's word, whatever emoji surround it. No word of the table comes near, and a
/// tenant's longer one is not taken.
const LONGEST: usize = 256;

/// The words of one tenant. Built when its settings change, asked for every inbound message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WordBook {
    /// Normal form → the tenant's own class, or `None` for a word of the table that it took out.
    changed: HashMap<Box<str>, Option<WordClass>>,
    /// How the tenant's own words begin.
    beginnings: HashSet<Box<str>>,
    /// Exact ids of buttons and rows.
    payloads: HashMap<Box<str>, WordClass>,
}

/// What a tenant changes in the shared table. An addition wins over a removal of the same word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WordChanges {
    pub add: Vec<(WordClass, String)>,
    pub remove: Vec<String>,
    /// Payloads of template buttons and ids of reply buttons and list rows that mean a word when they are tapped.
    pub payloads: Vec<(WordClass, String)>,
}

/// A message that is a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordMatch {
    pub class: WordClass,
    /// The language of the table's row; `None` for a tenant's own word or payload. Where languages share a word, the
    /// first row of the table names it.
    pub language: Option<&'static str>,
}

impl WordMatch {
    fn own(class: WordClass) -> Self {
        Self {
            class,
            language: None,
        }
    }

    /// The word, if it speaks of consent.
    pub fn consent(self) -> Option<ConsentWord> {
        match self.class {
            WordClass::Consent(word) => Some(word),
            WordClass::Human => None,
        }
    }

    pub fn wants_human(self) -> bool {
        self.class == WordClass::Human
    }
}

static STANDARD: LazyLock<HashMap<Box<str>, &'static Row>> = LazyLock::new(|| {
    let mut words = HashMap::new();
    for row in TABLE {
        for word in row.words {
            words.entry(key(word)).or_insert(row);
        }
    }
    words
});

/// The first word of every word of the table. Most messages are sentences that begin otherwise, and normalising the
/// whole of one that is not ASCII takes some 10 µs.
static BEGINNINGS: LazyLock<HashSet<Box<str>>> =
    LazyLock::new(|| STANDARD.keys().map(|key| beginning(key)).collect());

fn beginning(key: &str) -> Box<str> {
    key.split(' ').next().unwrap_or(key).into()
}

fn key(word: &str) -> Box<str> {
    normalise(word).into_boxed_str()
}

impl WordBook {
    /// Words that normalise to nothing, or are longer than any message looked at, are left out.
    pub fn new(changes: &WordChanges) -> Self {
        let removed = changes
            .remove
            .iter()
            .filter(|word| Self::is_usable(word))
            .map(|word| (key(word), None));
        let added = changes
            .add
            .iter()
            .filter(|(_, word)| Self::is_usable(word))
            .map(|(class, word)| (key(word), Some(*class)));
        let changed: HashMap<_, _> = removed.chain(added).collect();
        Self {
            beginnings: changed.keys().map(|key| beginning(key)).collect(),
            changed,
            payloads: changes
                .payloads
                .iter()
                .map(|(class, payload)| (payload.as_str().into(), *class))
                .collect(),
        }
    }

    /// Can a message ever be this word? Others are left out of a book.
    pub fn is_usable(word: &str) -> bool {
        word.len() <= LONGEST && !normalise(word).is_empty()
    }

    /// The word that an inbound message is, if any.
    ///
    /// What is typed may be any word. Of what is tapped, a configured payload counts first, then the title and the
    /// payload as a tenant's own word or as one of the table that counts on buttons.
    pub fn find(&self, content: &InboundContent) -> Option<WordMatch> {
        let Some(payload) = content.payload() else {
            return self.find_text(content.words());
        };
        let configured = self.payloads.get(payload).copied().map(WordMatch::own);
        configured
            .or_else(|| self.look_up(content.words(), |row| row.tapped))
            .or_else(|| self.look_up(payload, |row| row.tapped))
    }

    /// The word that a whole typed text is, if any.
    pub fn find_text(&self, text: &str) -> Option<WordMatch> {
        self.look_up(text, |_| true)
    }

    /// Is the first word of the text the first of any we know? A single word is simply looked up.
    fn begins_like_a_word(&self, text: &str) -> bool {
        let core = text.trim_start_matches(|c: char| !c.is_alphanumeric());
        let Some((first, _)) = core.split_once(char::is_whitespace) else {
            return true;
        };
        let first = normalise(first);
        BEGINNINGS.contains(first.as_str()) || self.beginnings.contains(first.as_str())
    }

    fn look_up(&self, text: &str, counts: impl Fn(&Row) -> bool) -> Option<WordMatch> {
        if text.is_empty() || text.len() > LONGEST || !self.begins_like_a_word(text) {
            return None;
        }
        let word = normalise(text);
        if let Some(changed) = self.changed.get(word.as_str()) {
            return changed.map(WordMatch::own);
        }
        let row = STANDARD.get(word.as_str()).filter(|row| counts(row))?;
        Some(WordMatch {
            class: row.class,
            language: Some(row.language),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::consent::ConsentWord::{
        OptIn, OptOutAll, OptOutEverything, OptOutMarketing,
    };

    fn standard(text: &str) -> Option<WordClass> {
        WordBook::default().find_text(text).map(|found| found.class)
    }

    fn tapped(book: &WordBook, id: &str, title: &str) -> Option<WordClass> {
        let content = InboundContent::ButtonReply {
            id: id.into(),
            title: title.into(),
        };
        book.find(&content).map(|found| found.class)
    }

    #[test]
    fn words_of_many_languages_are_known_however_they_are_typed() {
        let cases = [
            ("STOP", OptOutAll),
            (" \"Stop.\" 🛑", OptOutAll),
            ("Opt-Out", OptOutAll),
            ("StopAll", OptOutEverything),
            ("stop  all!", OptOutEverything),
            ("End", OptOutMarketing),
            ("quit", OptOutMarketing),
            ("cancel", OptOutMarketing),
            ("Start", OptIn),
            ("unstop", OptIn),
            ("NO MAS", OptOutAll),
            ("Cancelar", OptOutMarketing),
            ("ARRÊT", OptOutAll),
            ("desabonner", OptOutAll),
            ("İptal", OptOutMarketing),
            ("BAŞLA", OptIn),
            ("basla", OptIn),
            ("Стоп", OptOutAll),
            ("ВІДПИСАТИСЯ", OptOutAll),
            ("ايقاف", OptOutAll),
            ("إلغاء", OptOutMarketing),
            ("الغاء الاشتراك", OptOutAll),
            ("הסר", OptOutAll),
            ("रोकें", OptOutAll),
            ("BERHENTI", OptOutAll),
            ("dung", OptOutAll),
            ("หยุด", OptOutAll),
            ("ยกเลิก", OptOutMarketing),
            ("退訂", OptOutAll),
            ("配信停止", OptOutAll),
            ("수신거부", OptOutAll),
            ("KOMESHA", OptOutAll),
        ];
        for (typed, expected) in cases {
            assert_eq!(
                standard(typed),
                Some(WordClass::Consent(expected)),
                "{typed}"
            );
        }
    }

    #[test]
    fn a_person_can_be_asked_for_in_many_languages() {
        for typed in [
            "I want a person",
            "Agent",
            "HUMANO",
            "falar com atendente",
            "Parler à quelqu’un",
            "Mensch",
            "operatore",
            "een medewerker",
            "CZŁOWIEK",
            "czlowiek",
            "müşteri temsilcisi",
            "MÜŞTERİ TEMSİLCİSİ",
            "оператор",
            "людина",
            "أريد التحدث مع موظف",
            "اريد التحدث مع موظف",
            "נציג",
            "एजेंट से बात करें",
            "manusia",
            "nhân viên",
            "NHAN VIEN",
            "เจ้าหน้าที่",
            "转人工",
            "オペレーター",
            "ｵﾍﾟﾚｰﾀｰ",
            "상담원 연결",
            "mtu",
        ] {
            assert_eq!(standard(typed), Some(WordClass::Human), "{typed}");
        }
    }

    #[test]
    fn only_the_whole_message_is_a_word() {
        for typed in [
            "please stop the noise",
            "stop it",
            "don't stop",
            "nonstop",
            "s t o p",
            "the end",
            "yes",
            "sí",
            "no",
            "ja",
            "start over",
            "is there an agent near me?",
            "",
            "🛑",
            "?!",
        ] {
            assert_eq!(standard(typed), None, "{typed}");
        }
        assert_eq!(standard(&format!("stop{}", "!".repeat(LONGEST))), None);
    }

    #[test]
    fn a_menu_that_offers_cancel_or_agent_opts_nobody_out() {
        let book = WordBook::default();
        for title in ["Cancel", "End", "Remove", "Agent", "Start", "Cancelar"] {
            assert_eq!(tapped(&book, "x1", title), None, "{title}");
        }
        let stop = Some(WordClass::Consent(OptOutAll));
        assert_eq!(tapped(&book, "x1", "Stop"), stop);
        assert_eq!(tapped(&book, "UNSUBSCRIBE", "No thanks"), stop);
        let ads = Some(WordClass::Consent(OptOutMarketing));
        assert_eq!(tapped(&book, "x1", "Stop promotions"), ads);
    }

    #[test]
    fn a_tenant_adds_words_takes_words_out_and_names_payloads() {
        let book = WordBook::new(&WordChanges {
            add: vec![
                (WordClass::Consent(OptOutAll), "Leave me alone!".into()),
                (WordClass::Human, "remove".into()),
                (WordClass::Human, "?!".into()),
            ],
            remove: vec!["END".into(), "remove".into()],
            payloads: vec![(WordClass::Consent(OptOutMarketing), "btn:no-ads".into())],
        });
        let typed = |text: &str| book.find_text(text).map(|found| found.class);
        assert_eq!(typed("leave me alone"), Some(WordClass::Consent(OptOutAll)));
        assert_eq!(typed("Remove"), Some(WordClass::Human));
        assert_eq!(typed("end"), None);
        assert_eq!(typed("?!"), None);
        assert_eq!(typed("stop"), Some(WordClass::Consent(OptOutAll)));
        let ads = Some(WordClass::Consent(OptOutMarketing));
        assert_eq!(tapped(&book, "btn:no-ads", "Thanks, no"), ads);
        assert_eq!(tapped(&book, "BTN:NO-ADS", "Thanks, no"), None);
    }

    #[test]
    fn a_caption_may_be_a_word_and_a_reaction_never_is() {
        let book = WordBook::default();
        let reaction = InboundContent::Reaction {
            message_id: "stop".into(),
            emoji: Some("🛑".into()),
        };
        assert_eq!(book.find(&reaction), None);
        let text = InboundContent::Text {
            body: "ALTO".into(),
        };
        assert_eq!(
            book.find(&text).and_then(|found| found.language),
            Some("es")
        );
    }

    #[test]
    fn no_word_of_the_table_stands_in_two_classes_or_is_lost() {
        for row in TABLE {
            for word in row.words {
                assert!(word.len() <= LONGEST && !key(word).is_empty(), "{word}");
                assert_eq!(standard(word), Some(row.class), "{word} ({})", row.language);
            }
        }
    }
}
