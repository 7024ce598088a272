//! Signs of languages that share a script: the words people use most when they write to a business, and letters of their
//! own. Words are in the normal form of [`vestibule_plugin::text::Words`]: lower case, without accents.

/// The commonest words, and those with which people begin. Not `hello` and `hi`: people of every language begin with them.
pub(super) const WORDS: &[(&str, &str)] = &[
    (
        "en",
        "the is are you your what when where how much do does can could i my we have has need want please \
         thanks thank good morning this that with for and not would like there it to of",
    ),
    (
        "de",
        "der die das ist sind ich wir sie ihr ihre was wann wo wie viel kann konnen habe haben hat brauche \
         mochte bitte danke hallo guten morgen tag dieser mit fur und nicht ein eine einen mein meine es zu \
         auf noch gibt",
    ),
    (
        "fr",
        "le la les est sont vous votre vos je nous que quand ou comment combien peux pouvez ai avez besoin \
         voudrais merci bonjour bonsoir salut ce cette avec pour et ne pas un une mon ma des du il quel \
         quelle avoir quels",
    ),
    (
        "es",
        "el la los las es son usted tu su que cuando donde como cuanto cuesta puedo puede tengo tiene \
         necesito quiero quisiera favor gracias hola buenos buenas dias tardes este esta con para y no un una \
         mi por del hay",
    ),
    (
        "pt",
        "o os as e sao voce seu sua que quando onde como quanto custa posso pode tenho tem preciso quero \
         gostaria obrigado obrigada ola oi bom boa dia tarde este esta com para nao um uma meu minha por do \
         da",
    ),
    (
        "it",
        "il lo gli le e sono lei suo che quando dove come quanto costa posso puo ho ha bisogno vorrei voglio \
         grazie ciao buongiorno salve questo questa con per non un una mio mia del della di c quali siete",
    ),
    (
        "nl",
        "de het is zijn u uw jij jullie wat wanneer waar hoe veel kan kunt heb heeft nodig wil graag bedankt \
         dank hallo hoi goedemorgen goedendag dit met voor en niet een mijn ik er ben wij",
    ),
    (
        "tr",
        "bir bu ve ne zaman nerede nasil kadar var mi siz sizin ben benim istiyorum lazim lutfen tesekkurler \
         tesekkur merhaba selam gunaydin iyi icin ile degil misiniz musunuz hangi fiyat saat",
    ),
    (
        "pl",
        "jest sa pan pani co kiedy gdzie jak ile moge mozna mam ma potrzebuje chce chcialbym prosze dziekuje \
         czesc dzien dobry witam ten ta z dla i nie moj moja czy w na do sie",
    ),
    (
        "id",
        "yang ini itu apa kapan dimana bagaimana berapa bisa saya anda kami punya butuh ingin mau tolong \
         terima kasih halo selamat pagi siang dengan untuk dan tidak ada di ke kak",
    ),
    (
        "sv",
        "den det ar du ni er vad nar var hur mycket kan jag vi har behover vill tack hej god morgon denna med \
         for och inte en ett min mitt om som",
    ),
    (
        "ru",
        "это что когда где как сколько вы ваш у я мы можно могу есть нужно хочу пожалуиста спасибо \
         здравствуите привет добрыи день с для и не мои на в за работаете вас меня какои стоит",
    ),
    (
        "uk",
        "це що коли де як скільки ви ваш у я ми можна можу є треба хочу будь ласка дякую вітаю привіт добрии \
         день з для і не міи на в за працюєте вас мене якии коштує доброго",
    ),
    (
        "bg",
        "това какво кога къде как колко вие вашият аз ние може мога има трябва искам моля благодаря здравеите \
         здравеи добър ден с за и не моят на в от ли сте струва работите",
    ),
    (
        "ar",
        "في من على ما متى اين كيف كم هل انا نحن انت عندي لدي اريد ممكن شكرا مرحبا السلام عليكم صباح الخير هذا \
         هذه مع و لا لو سمحت الى",
    ),
    (
        "fa",
        "در از به چه کی کجا چطور چقدر ایا من ما شما دارم دارید میخواهم لطفا ممنون سلام صبح بخیر این ان با و \
         نه است را برای",
    ),
    (
        "ur",
        "میں سے کو کیا کب کہاں کیسے کتنا ہے ہیں اپ ہم مجھے چاہیے شکریہ سلام یہ وہ کے کی کا نہیں اور براہ کرم",
    ),
    (
        "hi",
        "है हैं क्या कब कहां कैसे कितना कितने आप मैं हम मुझे चाहिए कृपया धन्यवाद नमस्ते यह वह के की का नहीं \
         और में से को",
    ),
    (
        "mr",
        "आहे आहेत काय कधी कुठे कसे किती तुम्ही मी आम्ही मला पाहिजे कृपया धन्यवाद नमस्कार हे ते च्या ची चा \
         नाही आणि मध्ये",
    ),
];

/// Letters that within their script belong to one language or a few.
pub(super) const LETTERS: &[(&str, &str)] = &[
    ("de", "äöüß"),
    ("fr", "çœèêëîïûùàâ"),
    ("es", "ñ¿¡"),
    ("pt", "ãõçâêà"),
    ("it", "èàòùì"),
    ("tr", "ışğçöü"),
    ("pl", "ąćęłńśźż"),
    ("sv", "åäö"),
    ("ru", "ыэёъ"),
    ("uk", "іїєґ"),
    ("bg", "ъ"),
    ("fa", "پچژگ"),
    ("ur", "ٹڈڑںےہھ"),
    ("mr", "ळ"),
];
