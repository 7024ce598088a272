//! What a text sounds like to Meta's reviewers (§6.4): a utility template that sells is approved as marketing, charged as
//! marketing, and after a few of them the tenant may send none for a week.
//!
//! Words are matched whole, whatever their case. The list is short on purpose: a warning that is often wrong is not read.

use super::{Findings, TemplateDraft};
use crate::domain::template::variables;
use crate::graph::template::{list, part};

/// Words that promote, in the languages that most templates are written in.
const PROMOTES: &[&str] = &[
    // English
    "sale",
    "discount",
    "discounts",
    "promo",
    "promotion",
    "coupon",
    "voucher",
    "deal",
    "deals",
    "bargain",
    "cashback",
    "giveaway",
    "bestseller",
    "clearance",
    "% off",
    "special offer",
    "limited time",
    "limited offer",
    "buy now",
    "shop now",
    "order now",
    "book now",
    "don't miss",
    "free gift",
    "new arrivals",
    "new collection",
    "exclusive offer",
    "black friday",
    "cyber monday",
    // Spanish, Portuguese
    "descuento",
    "descuentos",
    "oferta",
    "ofertas",
    "promoción",
    "rebajas",
    "cupón",
    "compra ahora",
    "aprovecha",
    "desconto",
    "descontos",
    "promoção",
    "liquidação",
    "cupom",
    "compre agora",
    "aproveite",
    "frete grátis",
    // German, French, Italian
    "rabatt",
    "rabatte",
    "angebot",
    "angebote",
    "gutschein",
    "sonderangebot",
    "schlussverkauf",
    "jetzt kaufen",
    "réduction",
    "promo",
    "soldes",
    "offre spéciale",
    "bon d'achat",
    "profitez",
    "achetez",
    "sconto",
    "sconti",
    "offerta",
    "offerte",
    "promozione",
    "saldi",
    "acquista ora",
    // Indonesian, Turkish, Arabic, Hindi
    "diskon",
    "promo spesial",
    "beli sekarang",
    "indirim",
    "kampanya",
    "fırsat",
    "خصم",
    "عرض خاص",
    "تخفيضات",
    "छूट",
    "ऑफर",
];
/// What asks a customer back, to try, to rate or to renew: marketing by Meta's test, however polite.
const SOLICITS: &[&str] = &[
    "we miss you",
    "come back",
    "check out our",
    "have you tried",
    "you may also like",
    "recommended for you",
    "left in your cart",
    "still in your cart",
    "abandoned",
    "renew your subscription",
    "upgrade to",
    "refer a friend",
    "join our",
    "follow us",
    "invite your friends",
    "happy birthday",
    "season's greetings",
    "te extrañamos",
    "sentimos sua falta",
    "wir vermissen",
    "empfehlen sie uns",
    "tu nous manques",
];
/// Says that it is about something of the person's: what a utility text is.
const CONCERNS: &[&str] = &[
    "order",
    "invoice",
    "delivery",
    "appointment",
    "booking",
    "reservation",
    "payment",
    "account",
    "ticket",
    "shipment",
    "parcel",
    "package",
    "receipt",
    "subscription",
    "request",
    "policy",
    "flight",
    "reminder",
    "refund",
    "contract",
    "statement",
    "code",
    "confirm",
    "confirmed",
    "confirmation",
    "visit",
    "repair",
    "case",
    "claim",
    "verification",
];
/// How a marketing text lets a person stop it (§6.8).
const STOPS: &[&str] = &[
    "stop",
    "unsubscribe",
    "opt out",
    "opt-out",
    "baja",
    "cancelar",
    "sair",
    "parar",
    "abmelden",
    "stopp",
    "désabonner",
    "arrêter",
    "disiscriviti",
    "berhenti",
    "إيقاف",
];

pub(super) fn utility(draft: &TemplateDraft, findings: &mut Findings) {
    for (at, text) in texts(draft) {
        if let Some(word) = first_of(PROMOTES, &text) {
            findings.warning(
                "utility_promotes",
                &at,
                format!("\"{word}\" promotes: Meta will call it marketing"),
                "take what promotes out, or submit it as MARKETING and send it to those who agreed to that",
            );
        }
        if let Some(words) = first_of(SOLICITS, &text) {
            findings.warning(
                "utility_solicits",
                &at,
                format!("\"{words}\" asks for business: Meta will call it marketing"),
                "say only what the person asked for or must know",
            );
        }
    }
    reads_as_marketing(draft, findings);
}

/// Unclear content is marketing (§6.4): a text that is its variables, or names nothing that the person has with the
/// business.
fn reads_as_marketing(draft: &TemplateDraft, findings: &mut Findings) {
    let text = body(draft).to_lowercase();
    let at = "/components";
    let own = text
        .split_whitespace()
        .filter(|word| !word.contains("{{"))
        .count();
    if own < 3 {
        findings.warning(
            "utility_unclear",
            at,
            "nobody can tell what it is about before it is filled",
            "name the matter in the text itself: which order, appointment, payment",
        );
        return;
    }
    // The list knows English only; other languages are not judged by it.
    let english = draft.language == "en" || draft.language.starts_with("en_");
    if english && variables(&text).is_empty() && first_of(CONCERNS, &text).is_none() {
        findings.warning(
            "utility_general",
            at,
            "it names nothing of the person's and has no variable: it could go to anybody, as advertising does",
            "say what it is about: their order, appointment, payment …",
        );
    }
}

pub(super) fn marketing(draft: &TemplateDraft, findings: &mut Findings) {
    let stops = texts(draft)
        .iter()
        .any(|(_, text)| first_of(STOPS, text).is_some());
    if !stops {
        findings.warning(
            "marketing_no_way_out",
            "/components",
            "nothing in it says how to stop such messages; people then report and block",
            "a quick reply \"Stop\", or a footer such as \"Reply STOP to opt out\"",
        );
    }
    let shouting = body(draft)
        .split_whitespace()
        .filter(|word| is_shouted(word))
        .count();
    if shouting >= 4 {
        findings.warning(
            "shouting",
            "/components",
            "many words are in capitals",
            "write words as words: reviewers take capitals for spam",
        );
    }
}

fn is_shouted(word: &str) -> bool {
    let letters: Vec<char> = word.chars().filter(|c| c.is_alphabetic()).collect();
    letters.len() > 3 && !word.contains("{{") && letters.iter().all(|c| c.is_uppercase())
}

fn body(draft: &TemplateDraft) -> &str {
    let body = part(&draft.components, "BODY");
    body.and_then(|body| body["text"].as_str())
        .unwrap_or_default()
}

/// Everything that a person reads, with its place.
fn texts(draft: &TemplateDraft) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    for (place, component) in draft.components.iter().enumerate() {
        let at = format!("/components/{place}");
        if let Some(text) = component["text"].as_str() {
            texts.push((format!("{at}/text"), text.to_lowercase()));
        }
        for (index, button) in list(&component["buttons"]).iter().enumerate() {
            if let Some(text) = button["text"].as_str() {
                texts.push((format!("{at}/buttons/{index}/text"), text.to_lowercase()));
            }
        }
    }
    texts
}

/// The first of the words that stands in a text (in small letters) as a word.
fn first_of(words: &[&'static str], text: &str) -> Option<&'static str> {
    words.iter().copied().find(|word| stands(word, text))
}

fn stands(word: &str, text: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let open = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        // `20% off` has a digit before it.
        (word.starts_with('%') || open(before)) && open(after)
    })
}
