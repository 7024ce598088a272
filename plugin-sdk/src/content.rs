//! Everything that can be said. The records are the contract's; the gateway checks them as they are said.

pub use crate::bindings::host::vestibule::plugin::replies::{
    AddressForm, Button, CallButton, Card, CardHeader, CarouselCard, Catalog, Document, File, Flow,
    Header, Link, NamedText, Parameter, Place, Product, ProductCarousel, ProductList,
    ProductSection, Purpose, Row, Section, Template, TemplateButton, TemplateCard, TemplateHeader,
};

/// A message to the customer: for [`Turn::say`](crate::Turn::say).
///
/// ```
/// # use vestibule_plugin::{Outcome, Turn};
/// use vestibule_plugin::content::{Content, File};
///
/// # fn reply(turn: &mut Turn) -> Outcome {
/// turn.say(Content::Image {
///     file: File::Link("https://shop.example/cups.jpg".to_owned()),
///     caption: Some("Our new cups".to_owned()),
/// })?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Content {
    /// At most 4096 characters. `preview`: show what its first link leads to.
    Text {
        body: String,
        preview: bool,
    },
    Image {
        file: File,
        caption: Option<String>,
    },
    Video {
        file: File,
        caption: Option<String>,
    },
    /// `voice`: a voice message (OGG with OPUS, mono).
    Audio {
        file: File,
        voice: bool,
    },
    Document {
        document: Document,
        caption: Option<String>,
    },
    Sticker(File),
    Location(Place),
    /// Cards for the customer's address book.
    Contacts(Vec<Card>),
    /// One to three buttons.
    Buttons {
        header: Option<Header>,
        body: String,
        footer: Option<String>,
        buttons: Vec<Button>,
    },
    /// At most ten rows over all sections; `button` opens them.
    List {
        header: Option<String>,
        body: String,
        footer: Option<String>,
        button: String,
        sections: Vec<Section>,
    },
    /// One button that opens an address.
    Link(Link),
    Flow(Flow),
    AskLocation {
        body: String,
    },
    AskAddress(AddressForm),
    /// Asks for the phone number of somebody who shows none.
    AskPhone {
        body: String,
    },
    /// Asks whether the business may call.
    AskToCall {
        body: String,
    },
    CallButton(CallButton),
    Product(Product),
    ProductList(ProductList),
    Catalog(Catalog),
    /// Two to ten cards side by side.
    Carousel {
        body: String,
        cards: Vec<CarouselCard>,
    },
    ProductCarousel(ProductCarousel),
    Template(Template),
}

impl Content {
    pub fn text(body: impl Into<String>) -> Self {
        Self::Text {
            body: body.into(),
            preview: false,
        }
    }
}

impl Button {
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
        }
    }
}

impl Row {
    pub fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            description: None,
        }
    }
}

impl Parameter {
    /// Fills the next variable of the template.
    pub fn positional(value: impl Into<String>) -> Self {
        Self {
            name: None,
            value: value.into(),
            fallback: None,
        }
    }

    /// Fills the variable of this name.
    pub fn named(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..Self::positional(value)
        }
    }
}

impl Template {
    /// A template whose body has these parameters, and nothing else that varies.
    ///
    /// ```
    /// # use vestibule_plugin::content::{Parameter, Template};
    /// let paid = Template::new("payment_received", "en", vec![Parameter::positional("49.90 €")]);
    /// ```
    pub fn new(
        name: impl Into<String>,
        language: impl Into<String>,
        parameters: Vec<Parameter>,
    ) -> Self {
        Self {
            name: name.into(),
            language: language.into(),
            parameters,
            header: None,
            buttons: Vec::new(),
            cards: Vec::new(),
            offer_ends: None,
        }
    }
}

impl From<Template> for Content {
    fn from(template: Template) -> Self {
        Self::Template(template)
    }
}
