//! Says everything that can be said, once each.

use vestibule_plugin::content::{
    AddressForm, Button, CallButton, Card, CarouselCard, Catalog, Content, Document, File, Flow,
    Header, Link, NamedText, Parameter, Place, Product, ProductCarousel, ProductList,
    ProductSection, Row, Section, Template,
};
use vestibule_plugin::{AutoReply, Day, Field, Outcome, Turn};

struct Guest;

fn file() -> File {
    File::Link("https://shop.example/file".to_owned())
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn media() -> Vec<Content> {
    let document = Document {
        file: file(),
        filename: Some(text("bill.pdf")),
    };
    vec![
        Content::text("hello"),
        Content::Image {
            file: file(),
            caption: None,
        },
        Content::Video {
            file: file(),
            caption: Some(text("look")),
        },
        Content::Audio {
            file: file(),
            voice: true,
        },
        Content::Document {
            document,
            caption: None,
        },
        Content::Sticker(file()),
        Content::Location(Place {
            latitude: 52.52,
            longitude: 13.405,
            name: Some(text("Office")),
            address: None,
        }),
        Content::Contacts(vec![Card {
            name: text("Ana Silva"),
            phones: vec![text("+49 151 1234567")],
            emails: vec![],
            urls: vec![],
            company: Some(text("Shop")),
            title: None,
            birthday: Some(Day {
                year: 1990,
                month: 2,
                day: 28,
            }),
        }]),
    ]
}

fn interactive() -> Vec<Content> {
    let card = || CarouselCard {
        header: Header::Image(file()),
        body: Some(text("cup")),
        title: text("Buy"),
        url: text("https://shop.example/cup"),
    };
    vec![
        Content::Buttons {
            header: Some(Header::Text(text("A question"))),
            body: text("Yes?"),
            footer: None,
            buttons: vec![Button::new("yes", "Yes")],
        },
        Content::List {
            header: None,
            body: text("Which?"),
            footer: None,
            button: text("Choose"),
            sections: vec![Section {
                title: text("Sizes"),
                rows: vec![Row::new("s", "Small")],
            }],
        },
        Content::Link(Link {
            header: None,
            body: text("Your bill"),
            footer: None,
            title: text("Pay"),
            url: text("https://shop.example/pay"),
        }),
        Content::Flow(Flow {
            header: None,
            body: text("Book a table"),
            footer: None,
            id: text("123"),
            token: text("t"),
            title: text("Book"),
            screen: Some(text("DATE")),
            fields: vec![Field::new("guests", 2)],
        }),
        Content::AskLocation {
            body: text("Where are you?"),
        },
        Content::AskAddress(AddressForm {
            body: text("Where to?"),
            country: text("IN"),
            known: vec![NamedText {
                name: text("name"),
                text: text("Ana"),
            }],
            errors: vec![],
        }),
        Content::AskPhone {
            body: text("Your number?"),
        },
        Content::AskToCall {
            body: text("May we call?"),
        },
        Content::CallButton(CallButton {
            body: text("Call us"),
            title: text("Call"),
            minutes: Some(60),
            payload: None,
        }),
        Content::Carousel {
            body: text("Cups"),
            cards: vec![card(), card()],
        },
    ]
}

fn commerce() -> Vec<Content> {
    vec![
        Content::Product(Product {
            body: None,
            footer: None,
            catalog: text("c"),
            retailer_id: text("p"),
        }),
        Content::ProductList(ProductList {
            header: text("Cups"),
            body: text("All of them"),
            footer: None,
            catalog: text("c"),
            sections: vec![ProductSection {
                title: text("Blue"),
                products: vec![text("p")],
            }],
        }),
        Content::Catalog(Catalog {
            body: text("Everything"),
            footer: None,
            thumbnail: None,
        }),
        Content::ProductCarousel(ProductCarousel {
            body: text("Two"),
            catalog: text("c"),
            products: vec![text("p"), text("q")],
        }),
        Content::Template(Template::new(
            "paid",
            "en",
            vec![Parameter::positional("49.90 €")],
        )),
    ]
}

impl AutoReply for Guest {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        for content in media().into_iter().chain(interactive()).chain(commerce()) {
            turn.say(content)?;
        }
        turn.react("👍")?;
        turn.mark_read(true)?;
        Ok(())
    }
}

vestibule_plugin::export!(Guest as auto_reply);
