//! Every language of the table from both sides: what is its word, however it is typed, and what only sounds like one.

use std::collections::BTreeSet;

use super::table::TABLE;
use super::{WordBook, WordClass};
use crate::policy::consent::ConsentWord::{OptIn, OptOutAll};

/// A language: a STOP, an opt-in, "a person, please", and sentences that are none of them.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
);

#[rustfmt::skip]
const CASES: &[Case] = &[
    ("en", "Stop.", "START", "I want a person", &["please don't stop", "don't stop", "never stop writing", "how do I start?"]),
    ("es", "¡BAJA!", "alta", "quiero hablar con una persona", &["por favor no paren", "no quiero la baja", "¿cuándo es la baja?"]),
    ("pt", "Parar", "iniciar", "falar com atendente", &["por favor não pare", "não quero parar", "quando vou iniciar?"]),
    ("fr", "ARRÊT", "reprendre", "parler à un conseiller", &["n'arrêtez pas s'il vous plaît", "ne pas arrêter", "où est l'arrêt de bus ?"]),
    ("de", "Abmelden!", "anmelden", "ich möchte mit einem Menschen sprechen", &["bitte nicht abmelden", "nicht stoppen bitte", "wo kann ich mich anmelden?"]),
    ("it", "Basta!", "inizia", "parlare con un operatore", &["per favore non basta", "non disiscrivermi", "quando inizia?"]),
    ("nl", "Afmelden", "aanmelden", "ik wil een medewerker spreken", &["niet afmelden alsjeblieft", "hoe kan ik mij aanmelden?"]),
    ("pl", "Wypisz mnie", "zapisz", "chcę rozmawiać z człowiekiem", &["nie wypisz mnie", "proszę nie rezygnuję"]),
    ("tr", "DURDUR", "başla", "temsilciye bağlan", &["lütfen durdurma", "ne zaman başlar?"]),
    ("ru", "СТОП!", "старт", "позовите оператора", &["пожалуйста, не стоп", "не хочу отписаться"]),
    ("uk", "Відписатися", "підписатися", "потрібна людина", &["не хочу відписатися", "прошу не стоп"]),
    ("ar", "إيقاف", "اشتراك", "أريد التحدث مع موظف", &["من فضلك لا توقف", "لا أريد إلغاء الاشتراك"]),
    ("he", "הסר", "התחל", "אני רוצה נציג", &["בבקשה לא להסיר", "אל תסירו אותי"]),
    ("hi", "बंद करो", "शुरू करें", "मुझे इंसान से बात करनी है", &["कृपया बंद मत करो", "कब शुरू होगा?"]),
    ("id", "Berhenti", "mulai", "bicara dengan manusia", &["tolong jangan berhenti", "kapan mulai?"]),
    ("vi", "dừng", "bắt đầu", "gặp nhân viên", &["xin đừng dừng", "khi nào bắt đầu?"]),
    ("th", "หยุดส่ง", "เริ่ม", "ขอคุยกับเจ้าหน้าที่", &["กรุณาอย่าหยุด", "เริ่มเมื่อไหร่"]),
    ("zh", "退订", "订阅", "转人工", &["请不要退订", "什么时候开始？"]),
    ("ja", "配信停止", "再開", "オペレーターと話したい", &["配信停止しないでください", "いつ再開しますか"]),
    ("ko", "수신거부", "시작", "상담원 연결", &["수신거부 하지 마세요", "언제 시작해요?"]),
    ("sw", "acha", "anza", "nataka mtu", &["tafadhali usiache", "itaanza lini?"]),
    ("ro", "Dezabonare", "abonare", "vreau să vorbesc cu un om", &["te rog nu opri", "nu vreau dezabonare", "când începe?"]),
    ("cs", "ODHLÁSIT", "přihlásit", "chci mluvit s člověkem", &["prosím neodhlašujte mě", "nechci zastavit"]),
    ("sk", "odhlasit", "prihlásiť", "chcem hovoriť s človekom", &["prosím neodhlasujte ma", "nechcem odhlásiť"]),
    ("hu", "Leiratkozás", "feliratkozás", "ügyintézőt kérek", &["kérem ne állj", "nem akarok leiratkozni"]),
    ("el", "ΔΙΑΚΟΠΗ", "έναρξη", "θέλω να μιλήσω με άνθρωπο", &["παρακαλώ μη σταματήσετε", "πότε είναι η έναρξη;"]),
    ("sv", "Avregistrera", "starta", "jag vill prata med en människa", &["sluta inte skicka", "snälla stoppa inte"]),
    ("da", "AFMELD", "tilmeld", "jeg vil tale med et menneske", &["afmeld mig ikke", "venligst ikke stoppe"]),
    ("nb", "Meld meg av", "meld meg på", "jeg vil snakke med et menneske", &["ikke meld meg av", "vennligst ikke stopp"]),
    ("fi", "LOPETA", "aloita", "haluan puhua ihmiselle", &["älä lopeta", "ole hyvä äläkä lopeta"]),
    ("bg", "Спри", "абонирай ме", "искам да говоря с човек", &["моля, не спирай", "не ме отписвай"]),
    ("hr", "Odjava", "prijava", "želim razgovarati s čovjekom", &["molim ne odjavi me", "ne želim odjavu"]),
    ("sr", "одјава", "пријава", "желим да разговарам са човеком", &["молим не одјави ме", "не желим одјаву"]),
    ("fa", "لغو اشتراک", "شروع", "می‌خواهم با اپراتور صحبت کنم", &["لطفا لغو نکنید", "نمی‌خواهم لغو اشتراک کنم"]),
    ("ur", "بند کریں", "شروع کریں", "مجھے نمائندے سے بات کرنی ہے", &["براہ کرم بند نہ کریں", "کب شروع ہوگا؟"]),
    ("bn", "বন্ধ করুন", "শুরু করুন", "মানুষের সাথে কথা বলতে চাই", &["দয়া করে বন্ধ করবেন না", "কখন শুরু হবে?"]),
    ("ta", "நிறுத்துங்கள்", "தொடங்கு", "மனிதருடன் பேச வேண்டும்", &["தயவுசெய்து நிறுத்த வேண்டாம்", "எப்போது தொடங்கும்?"]),
    ("te", "ఆపండి", "ప్రారంభించు", "మనిషితో మాట్లాడాలి", &["దయచేసి ఆపవద్దు", "ఎప్పుడు ప్రారంభం?"]),
    ("mr", "थांबवा", "सुरू करा", "मला माणसाशी बोलायचे आहे", &["कृपया थांबवू नका", "कधी सुरू होईल?"]),
    ("fil", "Itigil", "simulan", "gusto kong makausap ang tao", &["huwag itigil", "pakiusap huwag ihinto"]),
];

fn class(text: &str) -> Option<WordClass> {
    WordBook::default().find_text(text).map(|found| found.class)
}

#[test]
fn every_language_has_its_words_and_its_sentences_are_none() {
    for (language, stop, opt_in, human, sentences) in CASES {
        assert_eq!(
            class(stop),
            Some(WordClass::Consent(OptOutAll)),
            "{language}: {stop}"
        );
        assert_eq!(
            class(opt_in),
            Some(WordClass::Consent(OptIn)),
            "{language}: {opt_in}"
        );
        assert_eq!(class(human), Some(WordClass::Human), "{language}: {human}");
        for sentence in *sentences {
            assert_eq!(class(sentence), None, "{language}: {sentence}");
        }
    }
}

#[test]
fn every_word_is_found_shouted_decorated_and_in_full_width() {
    for row in TABLE {
        for word in row.words {
            let wide: String = word
                .chars()
                .map(|c| match c {
                    '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c),
                    other => other,
                })
                .collect();
            let forms = [
                word.to_uppercase(),
                format!("  «{word}»!! 🙏\u{fe0f} "),
                wide,
            ];
            for form in forms {
                assert_eq!(class(&form), Some(row.class), "{} ({})", form, row.language);
            }
        }
    }
}

#[test]
fn the_table_has_forty_languages_each_with_all_three_lists_and_its_case() {
    let languages: BTreeSet<&str> = TABLE.iter().map(|row| row.language).collect();
    let cases: BTreeSet<&str> = CASES.iter().map(|case| case.0).collect();
    assert_eq!(languages, cases);
    assert_eq!(languages.len(), 40);
    for language in languages {
        for wanted in [
            WordClass::Consent(OptOutAll),
            WordClass::Consent(OptIn),
            WordClass::Human,
        ] {
            let has = |row: &super::table::Row| row.language == language && row.class == wanted;
            assert!(TABLE.iter().any(has), "{language}: {wanted:?}");
        }
    }
}
