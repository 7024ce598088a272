//! The words that the gateway itself acts on, by class and language: the shared table (§10.1, "unverified, let
//! tenants edit").
//!
//! Written as people write them; the book normalises. A word that is an everyday answer in a menu, in its own
//! language or another of this table, stands in the weakest class (END, CANCEL; Turkish RED, an English colour).
//! Opt-in words never include a bare "yes": it agrees to whatever was asked last.

use super::WordClass;
use crate::policy::consent::ConsentWord::{OptIn, OptOutAll, OptOutEverything, OptOutMarketing};

/// One language's words of one class.
pub struct Row {
    /// BCP 47.
    pub language: &'static str,
    pub class: WordClass,
    /// Does it count when it is the title of a button, too? Buttons are worded by the business: "Cancel", "Remove",
    /// "Agent" and "Start" are choices in its menu there.
    pub tapped: bool,
    pub words: &'static [&'static str],
}

/// Words that mean the same wherever they stand.
const fn row(language: &'static str, class: WordClass, words: &'static [&'static str]) -> Row {
    Row {
        language,
        class,
        tapped: true,
        words,
    }
}

/// Words that count only when the person typed them.
const fn typed(language: &'static str, class: WordClass, words: &'static [&'static str]) -> Row {
    Row {
        language,
        class,
        tapped: false,
        words,
    }
}

const ALL: WordClass = WordClass::Consent(OptOutAll);
const MARKETING: WordClass = WordClass::Consent(OptOutMarketing);
const EVERYTHING: WordClass = WordClass::Consent(OptOutEverything);
const IN: WordClass = WordClass::Consent(OptIn);
const HUMAN: WordClass = WordClass::Human;

#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    row("en", EVERYTHING, &["stopall", "stop all", "stop everything"]),
    row("en", ALL, &["stop", "unsubscribe", "revoke", "optout", "opt out", "opt-out", "remove me", "stop messages", "stop messaging me", "unsubscribe me"]),
    typed("en", MARKETING, &["end", "quit", "cancel", "td"]),
    typed("en", ALL, &["remove"]),
    row("en", MARKETING, &["stop promotions", "stop promotion", "stop ads", "stop marketing", "no more ads", "stop offers"]),
    typed("en", IN, &["start", "unstop", "subscribe", "resubscribe", "opt in", "opt-in", "optin"]),
    typed("en", HUMAN, &["human", "agent", "person", "operator", "representative", "live agent", "real person", "real human", "human please", "agent please", "talk to a human", "talk to human", "talk to a person", "talk to an agent", "talk to agent", "talk to someone", "talk to a real person", "speak to a human", "speak to a person", "speak to an agent", "speak to someone", "speak with a human", "speak with an agent", "chat with a human", "chat with an agent", "i want a human", "i want a person", "i want an agent", "i need a human", "i need a person", "i need an agent", "i want to talk to a human", "i want to talk to a person", "i want to talk to an agent", "i want to talk to someone", "i want to speak to a human", "i want to speak to a person", "i want to speak to an agent", "i want to speak with a person", "can i talk to a human", "can i talk to a person", "can i speak to a human", "can i speak to a person"]),
    row("es", ALL, &["alto", "baja", "parar", "detener", "no más", "no mas mensajes", "desuscribir", "desuscribirme", "darme de baja", "dar de baja"]),
    typed("es", MARKETING, &["cancelar"]),
    row("es", MARKETING, &["no más publicidad", "no más promociones", "parar promociones"]),
    typed("es", IN, &["alta", "iniciar", "suscribir", "suscribirme"]),
    typed("es", HUMAN, &["humano", "agente", "persona", "asesor", "asesora", "operador", "operadora", "persona real", "un humano", "una persona", "un agente", "un asesor", "hablar con un humano", "hablar con una persona", "hablar con un agente", "hablar con un asesor", "hablar con alguien", "quiero una persona", "quiero un agente", "quiero hablar con una persona", "quiero hablar con un humano", "quiero hablar con un agente", "quiero hablar con un asesor", "quiero hablar con alguien", "necesito un agente", "necesito una persona"]),
    row("pt", ALL, &["parar", "pare", "descadastrar", "descadastrar-me", "me remova", "cancelar inscrição"]),
    typed("pt", MARKETING, &["cancelar"]),
    typed("pt", ALL, &["sair", "remover"]),
    row("pt", MARKETING, &["parar promoções", "parar ofertas"]),
    typed("pt", IN, &["iniciar", "começar", "voltar a receber", "inscrever"]),
    typed("pt", HUMAN, &["humano", "atendente", "pessoa", "agente", "atendimento humano", "falar com atendente", "falar com um atendente", "falar com uma pessoa", "falar com humano", "falar com um humano", "falar com alguém", "quero um atendente", "quero falar com atendente", "quero falar com um atendente", "quero falar com uma pessoa", "quero falar com um humano", "preciso de um atendente"]),
    row("fr", ALL, &["arrêt", "arrêter", "arrêtez", "stop", "désabonner", "me désabonner", "désinscrire", "me désinscrire", "désinscription"]),
    typed("fr", MARKETING, &["annuler"]),
    row("fr", MARKETING, &["stop pub", "plus de publicité"]),
    typed("fr", IN, &["début", "reprendre", "m'abonner", "m'inscrire"]),
    typed("fr", HUMAN, &["humain", "un humain", "conseiller", "un conseiller", "conseillère", "une personne", "agent", "un agent", "parler à un humain", "parler à un conseiller", "parler à une personne", "parler à un agent", "parler à quelqu'un", "parler avec un conseiller", "je veux parler à un humain", "je veux parler à un conseiller", "je veux parler à une personne", "je veux parler à quelqu'un", "je voudrais parler à quelqu'un", "je voudrais parler à un conseiller"]),
    row("de", ALL, &["stopp", "stop", "abmelden", "abbestellen", "abbestellung"]),
    typed("de", MARKETING, &["ende"]),
    row("de", MARKETING, &["keine werbung", "keine werbung mehr", "werbung abbestellen"]),
    typed("de", IN, &["anmelden", "start"]),
    typed("de", HUMAN, &["mensch", "mitarbeiter", "mitarbeiterin", "berater", "ein mensch", "echter mensch", "mit einem menschen sprechen", "mit einem mitarbeiter sprechen", "mit jemandem sprechen", "mitarbeiter sprechen", "ich will einen menschen", "ich möchte einen menschen sprechen", "ich möchte mit einem menschen sprechen", "ich möchte mit einem mitarbeiter sprechen", "ich möchte mit jemandem sprechen", "ich will mit einem menschen sprechen", "ich will mit einem mitarbeiter sprechen", "ich brauche einen menschen"]),
    row("it", ALL, &["basta", "disiscrivi", "disiscrivimi", "disiscrizione"]),
    typed("it", MARKETING, &["annulla", "cancella"]),
    row("it", MARKETING, &["basta pubblicità"]),
    typed("it", IN, &["inizia", "iscrivi", "iscrivimi"]),
    typed("it", HUMAN, &["umano", "operatore", "operatrice", "persona", "un operatore", "una persona", "persona reale", "parlare con un operatore", "parlare con una persona", "parlare con un umano", "parlare con qualcuno", "voglio una persona", "voglio un operatore", "voglio parlare con un operatore", "voglio parlare con una persona", "voglio parlare con qualcuno", "vorrei parlare con un operatore"]),
    row("nl", ALL, &["afmelden", "uitschrijven", "stoppen"]),
    typed("nl", MARKETING, &["annuleren"]),
    row("nl", MARKETING, &["geen reclame", "geen reclame meer"]),
    typed("nl", IN, &["aanmelden", "inschrijven"]),
    typed("nl", HUMAN, &["mens", "een mens", "medewerker", "een medewerker", "medewerker spreken", "met een mens praten", "met een medewerker praten", "met iemand praten", "met een medewerker spreken", "ik wil een medewerker", "ik wil een medewerker spreken", "ik wil een mens spreken", "ik wil met een mens praten", "ik wil met iemand praten", "ik wil met een medewerker praten"]),
    row("pl", ALL, &["wypisz", "wypisz mnie", "rezygnuję", "rezygnuje"]),
    typed("pl", MARKETING, &["anuluj"]),
    row("pl", MARKETING, &["koniec reklam"]),
    typed("pl", IN, &["zapisz", "zapisz mnie"]),
    typed("pl", HUMAN, &["człowiek", "czlowiek", "konsultant", "pracownik", "konsultantka", "rozmowa z konsultantem", "połącz z konsultantem", "polacz z konsultantem", "chcę rozmawiać z człowiekiem", "chce rozmawiac z czlowiekiem", "chcę rozmawiać z konsultantem", "chce rozmawiac z konsultantem", "chcę porozmawiać z człowiekiem"]),
    row("tr", ALL, &["dur", "durdur", "abonelikten çık", "ret"]),
    typed("tr", MARKETING, &["iptal", "red"]),
    row("tr", MARKETING, &["reklam istemiyorum"]),
    typed("tr", IN, &["başla", "başlat", "abone ol"]),
    typed("tr", HUMAN, &["insan", "temsilci", "müşteri temsilcisi", "canlı destek", "temsilciye bağlan", "müşteri temsilcisine bağlan", "insanla konuşmak istiyorum", "bir insanla konuşmak istiyorum", "biriyle konuşmak istiyorum", "temsilciyle konuşmak istiyorum", "müşteri temsilcisiyle görüşmek istiyorum"]),
    row("ru", ALL, &["стоп", "отписаться", "отписка", "отпишите меня"]),
    typed("ru", MARKETING, &["отмена"]),
    row("ru", MARKETING, &["без рекламы"]),
    typed("ru", IN, &["старт", "подписаться"]),
    typed("ru", HUMAN, &["человек", "оператор", "менеджер", "живой человек", "позовите оператора", "соедините с оператором", "связаться с оператором", "нужен человек", "нужен оператор", "хочу поговорить с человеком", "хочу поговорить с оператором", "поговорить с человеком", "поговорить с оператором"]),
    row("uk", ALL, &["стоп", "відписатися", "відпишіть мене"]),
    typed("uk", MARKETING, &["скасувати"]),
    row("uk", MARKETING, &["без реклами"]),
    typed("uk", IN, &["підписатися"]),
    typed("uk", HUMAN, &["людина", "жива людина", "покличте оператора", "з'єднайте з оператором", "потрібна людина", "потрібен оператор", "хочу поговорити з людиною", "хочу поговорити з оператором", "поговорити з людиною"]),
    row("ar", ALL, &["إيقاف", "توقف", "الغاء الاشتراك", "إلغاء الاشتراك"]),
    typed("ar", MARKETING, &["إلغاء"]),
    row("ar", MARKETING, &["ايقاف الاعلانات"]),
    typed("ar", IN, &["ابدأ", "اشتراك"]),
    typed("ar", HUMAN, &["موظف", "إنسان", "شخص", "مندوب", "شخص حقيقي", "التحدث مع موظف", "التحدث الى موظف", "تحدث مع موظف", "التحدث مع شخص", "أريد موظف", "أريد التحدث مع شخص", "أريد التحدث مع موظف", "أريد التحدث إلى موظف", "أريد التحدث إلى شخص", "أريد أن أتحدث مع شخص", "اريد التكلم مع موظف"]),
    row("he", ALL, &["הסר", "הסרה", "עצור", "הסירו אותי"]),
    typed("he", MARKETING, &["ביטול"]),
    row("he", MARKETING, &["בלי פרסומות"]),
    typed("he", IN, &["התחל", "הרשמה"]),
    typed("he", HUMAN, &["נציג", "נציגה", "נציג אנושי", "אדם", "בן אדם", "לדבר עם נציג", "לדבר עם בן אדם", "אני רוצה נציג", "אני רוצה לדבר עם נציג", "אני רוצה לדבר עם בן אדם", "אני רוצה לדבר עם מישהו"]),
    row("hi", ALL, &["रोकें", "बंद", "बंद करो", "बंद करें"]),
    typed("hi", MARKETING, &["रद्द", "रद्द करें"]),
    typed("hi", IN, &["शुरू", "शुरू करें"]),
    typed("hi", HUMAN, &["इंसान", "एजेंट", "प्रतिनिधि", "एजेंट से बात करें", "एजेंट से बात करनी है", "इंसान से बात करनी है", "किसी से बात करनी है", "मुझे एजेंट से बात करनी है", "मुझे इंसान से बात करनी है", "मुझे किसी से बात करनी है", "insaan se baat karni hai", "agent se baat karni hai", "mujhe agent se baat karni hai"]),
    row("id", ALL, &["berhenti", "berhenti berlangganan", "berhenti langganan"]),
    typed("id", MARKETING, &["batal"]),
    row("id", MARKETING, &["tanpa iklan"]),
    typed("id", IN, &["mulai", "langganan", "mula"]),
    typed("id", HUMAN, &["manusia", "agen", "ejen", "bicara dengan agen", "bicara dengan manusia", "bicara dengan orang", "bicara dengan cs", "hubungi agen", "hubungkan ke agen", "saya mau bicara dengan agen", "saya mau bicara dengan manusia", "saya ingin bicara dengan agen", "saya ingin bicara dengan manusia", "saya ingin berbicara dengan agen", "cakap dengan ejen", "cakap dengan manusia", "saya mahu bercakap dengan ejen"]),
    row("vi", ALL, &["dừng", "từ chối", "tuchoi", "hủy đăng ký", "huy dang ky"]),
    typed("vi", MARKETING, &["hủy"]),
    typed("vi", IN, &["bắt đầu", "bat dau", "batdau", "đồng ý nhận tin", "đăng ký", "dang ky"]),
    typed("vi", HUMAN, &["nhân viên", "người thật", "tư vấn viên", "gặp nhân viên", "gặp tư vấn viên", "gặp người thật", "nói chuyện với nhân viên", "nói chuyện với người thật", "tôi muốn gặp nhân viên", "tôi muốn nói chuyện với nhân viên", "tôi muốn nói chuyện với người thật", "cho tôi gặp nhân viên"]),
    row("th", ALL, &["หยุด", "หยุดส่ง", "เลิกรับข้อความ", "ยกเลิกการสมัคร", "ยกเลิกการรับข่าวสาร"]),
    typed("th", MARKETING, &["ยกเลิก"]),
    row("th", MARKETING, &["ไม่รับโฆษณา"]),
    typed("th", IN, &["เริ่ม", "สมัครรับข่าวสาร"]),
    typed("th", HUMAN, &["เจ้าหน้าที่", "พนักงาน", "แอดมิน", "คนจริง", "คุยกับคน", "คุยกับเจ้าหน้าที่", "คุยกับพนักงาน", "คุยกับแอดมิน", "ติดต่อเจ้าหน้าที่", "ติดต่อพนักงาน", "ขอคุยกับเจ้าหน้าที่", "ขอคุยกับคน", "ต้องการคุยกับเจ้าหน้าที่", "ต้องการคุยกับคน"]),
    row("zh", ALL, &["退订", "退訂", "停止", "取消订阅", "取消訂閱", "td退订"]),
    typed("zh", MARKETING, &["取消"]),
    row("zh", MARKETING, &["不要广告", "不要廣告"]),
    typed("zh", IN, &["订阅", "訂閱", "开始", "開始"]),
    typed("zh", HUMAN, &["人工", "人工客服", "人工服务", "人工服務", "转人工", "轉人工", "转人工客服", "轉人工客服", "真人", "真人客服", "客服", "找客服", "我要人工", "我要人工客服", "我要找客服", "我想找真人", "我想和人工客服说话", "我要跟真人說話"]),
    row("ja", ALL, &["配信停止", "解除", "登録解除", "停止してください"]),
    typed("ja", MARKETING, &["キャンセル"]),
    row("ja", MARKETING, &["広告停止"]),
    typed("ja", IN, &["再開", "登録", "配信再開"]),
    typed("ja", HUMAN, &["オペレーター", "オペレータ", "担当者", "人間", "有人対応", "有人チャット", "人と話したい", "人間と話したい", "担当者と話したい", "オペレーターと話したい", "オペレーターにつないで", "オペレーターに繋いで", "担当者につないでください"]),
    row("ko", ALL, &["수신거부", "수신 거부", "중지", "그만"]),
    typed("ko", MARKETING, &["취소"]),
    row("ko", MARKETING, &["광고 거부", "광고거부"]),
    typed("ko", IN, &["시작", "수신동의", "수신 동의"]),
    typed("ko", HUMAN, &["상담원", "상담사", "상담원 연결", "상담사 연결", "상담원연결", "직원", "사람", "사람과 이야기하고 싶어요", "상담원과 이야기하고 싶어요", "상담원 연결해 주세요", "상담원 연결해주세요", "사람이랑 얘기하고 싶어요"]),
    row("sw", ALL, &["acha", "simama", "komesha", "jiondoe"]),
    typed("sw", MARKETING, &["ghairi"]),
    row("sw", MARKETING, &["sitaki matangazo"]),
    typed("sw", IN, &["anza", "jiunge"]),
    typed("sw", HUMAN, &["mtu", "wakala", "mhudumu", "ongea na mtu", "ongea na wakala", "zungumza na mtu", "nataka mtu", "nataka kuongea na mtu", "nataka kuongea na wakala", "nataka kuzungumza na mtu"]),
];
