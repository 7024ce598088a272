//! Does a send give a template what it takes (§4.4)? Asked before anything is queued, and each no names the field.

use crate::domain::outbound::{
    CardHeader, TemplateButton, TemplateCard, TemplateContent, TemplateHeader, TemplateParameter,
};
use crate::domain::template::{ButtonShape, CardShape, HeaderShape, TemplateShape, is_position};

use super::decide::Refusal;
use super::reason::Reason;

type Fits = Result<(), Refusal>;

pub(super) fn fits(shape: &TemplateShape, template: &TemplateContent) -> Fits {
    header(&shape.header, template.header.as_ref())?;
    parameters("parameters", &shape.body, &template.parameters)?;
    buttons("buttons", &shape.buttons, &template.buttons)?;
    cards(&shape.cards, &template.cards)?;
    offer(shape.offer, template.limited_time_offer.is_some())
}

fn no(reason: Reason, wanted: impl Into<String>) -> Fits {
    Err(Refusal::new(reason).allowing(wanted))
}

fn parameters(field: &str, wanted: &[String], given: &[TemplateParameter]) -> Fits {
    if wanted.len() != given.len() {
        let names = match wanted.iter().any(|name| !is_position(name)) {
            true => format!(": {}", wanted.join(", ")),
            false => String::new(),
        };
        let wanted = format!("{} `{field}`{names}", wanted.len());
        return no(Reason::TemplateParameterCount, wanted);
    }
    for (place, name) in wanted.iter().enumerate() {
        let filled = match is_position(name) {
            true => given[place].name.is_none(),
            false => given.iter().any(|one| one.name.as_deref() == Some(name)),
        };
        if !filled {
            let wanted = match is_position(name) {
                true => format!("`{field}[{place}]` without a name"),
                false => format!("one of `{field}` named `{name}`"),
            };
            return no(Reason::TemplateParameterName, wanted);
        }
    }
    Ok(())
}

fn header(shape: &HeaderShape, given: Option<&TemplateHeader>) -> Fits {
    use TemplateHeader as H;
    let fits = match (shape, given) {
        (HeaderShape::Text(name), Some(H::Text(parameter))) => {
            let wanted = std::slice::from_ref(name);
            return parameters("header", wanted, std::slice::from_ref(parameter));
        }
        (HeaderShape::Fixed, None)
        | (HeaderShape::Image, Some(H::Image(_)))
        | (HeaderShape::Video, Some(H::Video(_)))
        | (HeaderShape::Document, Some(H::Document(_)))
        | (HeaderShape::Gif, Some(H::Gif(_)))
        | (HeaderShape::Location, Some(H::Location(_)))
        | (HeaderShape::Product, Some(H::Product(_))) => true,
        _ => false,
    };
    match fits {
        true => Ok(()),
        false => no(Reason::TemplateHeader, wanted_header("header", shape)),
    }
}

fn wanted_header(field: &str, shape: &HeaderShape) -> String {
    match shape {
        HeaderShape::Fixed => format!("no `{field}`"),
        other => format!("`{field}` of type `{}`", other.word()),
    }
}

fn buttons(field: &str, shapes: &[ButtonShape], given: &[TemplateButton]) -> Fits {
    for (place, button) in given.iter().enumerate() {
        let shape = shapes.get(usize::from(button.index()));
        if shape.is_none_or(|shape| !takes(*shape, button)) {
            let wanted = match shape {
                None => format!(
                    "`{field}[{place}].index` below {}: the template has no more buttons",
                    shapes.len()
                ),
                Some(shape) => format!("`{field}[{place}]` that is {}", kind(*shape)),
            };
            return no(Reason::TemplateButton, wanted);
        }
    }
    for (index, shape) in shapes.iter().enumerate() {
        let is_given = given.iter().any(|one| usize::from(one.index()) == index);
        if shape.must_be_given() && !is_given {
            let wanted = format!(
                "one of `{field}` with `index` {index} that is {}",
                kind(*shape)
            );
            return no(Reason::TemplateButton, wanted);
        }
    }
    Ok(())
}

fn takes(shape: ButtonShape, button: &TemplateButton) -> bool {
    use ButtonShape as S;
    use TemplateButton as B;
    matches!(
        (shape, button),
        (S::QuickReply, B::QuickReply { .. })
            | (S::UrlWithSuffix, B::Url { .. })
            | (S::CopyCode, B::CopyCode { .. })
            | (S::OneTimeCode, B::OneTimeCode { .. })
            | (S::Flow, B::Flow { .. })
            | (S::Catalog, B::Catalog { .. })
            | (S::MultiProduct, B::MultiProduct { .. })
            | (S::VoiceCall, B::VoiceCall { .. })
    )
}

fn kind(shape: ButtonShape) -> &'static str {
    match shape {
        ButtonShape::QuickReply => "a `quick_reply`",
        ButtonShape::UrlWithSuffix => "a `url` with its suffix",
        ButtonShape::CopyCode => "a `copy_code` with its coupon",
        ButtonShape::OneTimeCode => "the `one_time_code`",
        ButtonShape::Flow => "a `flow`",
        ButtonShape::Catalog => "a `catalog`",
        ButtonShape::MultiProduct => "the `multi_product` with its sections",
        ButtonShape::VoiceCall => "a `voice_call`",
        ButtonShape::Url | ButtonShape::Other => "left out: that button takes nothing",
    }
}

/// A carousel is sent with exactly the cards that it was approved with (§4.4).
fn cards(shapes: &[CardShape], given: &[TemplateCard]) -> Fits {
    if shapes.len() != given.len() {
        let wanted = format!("{} `cards`", shapes.len());
        return no(Reason::TemplateCards, wanted);
    }
    for (place, (shape, card)) in shapes.iter().zip(given).enumerate() {
        let within = |field: &str| format!("cards[{place}].{field}");
        let same = matches!(
            (&shape.header, &card.header),
            (HeaderShape::Image, CardHeader::Image(_))
                | (HeaderShape::Video, CardHeader::Video(_))
                | (HeaderShape::Product, CardHeader::Product(_))
        );
        if !same {
            let wanted = wanted_header(&within("header"), &shape.header);
            return no(Reason::TemplateHeader, wanted);
        }
        parameters(&within("parameters"), &shape.body, &card.parameters)?;
        buttons(&within("buttons"), &shape.buttons, &card.buttons)?;
    }
    Ok(())
}

fn offer(wanted: bool, given: bool) -> Fits {
    match (wanted, given) {
        (true, false) => no(Reason::TemplateOffer, "`limited_time_offer` with its end"),
        (false, true) => no(Reason::TemplateOffer, "no `limited_time_offer`"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outbound::{CardProduct, LimitedTimeOffer, Media};
    use crate::policy::fixture::now;

    /// What was refused, and what would be taken.
    fn verdict(shape: &TemplateShape, template: &TemplateContent) -> String {
        match fits(shape, template) {
            Ok(()) => "fits".to_owned(),
            Err(refusal) => {
                let wanted = refusal.allowed.unwrap_or_default();
                format!("{}: {wanted}", refusal.reason)
            }
        }
    }

    fn content() -> TemplateContent {
        TemplateContent::new("order_update", "en")
    }

    fn named(pairs: &[(&str, &str)]) -> Vec<TemplateParameter> {
        let one = |(name, value): &(&str, &str)| TemplateParameter::named(*name, *value);
        pairs.iter().map(one).collect()
    }

    fn body(names: &[&str]) -> TemplateShape {
        TemplateShape {
            body: names.iter().map(|&name| name.to_owned()).collect(),
            ..TemplateShape::default()
        }
    }

    fn picture() -> Media {
        serde_json::from_str(r#"{"link": "https://a.example/1.jpg"}"#).expect("a medium")
    }

    #[test]
    fn named_variables_get_their_names_in_any_order() {
        let shape = body(&["first_name", "eta"]);
        let given = |pairs| verdict(&shape, &content().with_parameters(named(pairs)));
        assert_eq!(given(&[("eta", "10:30"), ("first_name", "Ines")]), "fits");
        insta::assert_snapshot!(given(&[("eta", "10:30")]), @"template_parameter_count: 2 `parameters`: first_name, eta");
        insta::assert_snapshot!(given(&[("eta", "10:30"), ("name", "Ines")]), @"template_parameter_name: one of `parameters` named `first_name`");
        let positional = vec![TemplateParameter::positional("a"); 2];
        insta::assert_snapshot!(verdict(&shape, &content().with_parameters(positional)), @"template_parameter_name: one of `parameters` named `first_name`");
    }

    #[test]
    fn positional_variables_take_no_names() {
        let shape = body(&["1"]);
        let given = content().with_parameters(named(&[("eta", "10:30")]));
        insta::assert_snapshot!(verdict(&shape, &given), @"template_parameter_name: `parameters[0]` without a name");
    }

    #[test]
    fn a_header_is_of_the_kind_that_was_approved() {
        let image = TemplateShape {
            header: HeaderShape::Image,
            ..TemplateShape::default()
        };
        let text = TemplateShape {
            header: HeaderShape::Text("1".to_owned()),
            ..TemplateShape::default()
        };
        let mut pictured = content();
        pictured.header = Some(TemplateHeader::Image(picture()));
        let mut worded = content();
        worded.header = Some(TemplateHeader::Text(TemplateParameter::positional("Ines")));
        assert_eq!(verdict(&image, &pictured), "fits");
        assert_eq!(verdict(&text, &worded), "fits");
        insta::assert_snapshot!(verdict(&image, &content()), @"template_header: `header` of type `image`");
        insta::assert_snapshot!(verdict(&image, &worded), @"template_header: `header` of type `image`");
        insta::assert_snapshot!(verdict(&TemplateShape::default(), &pictured), @"template_header: no `header`");
        worded.header = Some(TemplateHeader::Text(TemplateParameter::named("x", "Ines")));
        insta::assert_snapshot!(verdict(&text, &worded), @"template_parameter_name: `header[0]` without a name");
    }

    #[test]
    fn buttons_that_take_something_are_given_at_their_place() {
        let shape = TemplateShape {
            buttons: vec![
                ButtonShape::UrlWithSuffix,
                ButtonShape::Url,
                ButtonShape::QuickReply,
            ],
            ..TemplateShape::default()
        };
        let url = |index| TemplateButton::Url {
            index,
            suffix: "trk-1".to_owned(),
        };
        let given = |buttons| {
            let mut content = content();
            content.buttons = buttons;
            verdict(&shape, &content)
        };
        assert_eq!(given(vec![url(0)]), "fits");
        insta::assert_snapshot!(given(vec![]), @"template_button: one of `buttons` with `index` 0 that is a `url` with its suffix");
        insta::assert_snapshot!(given(vec![url(0), url(1)]), @"template_button: `buttons[1]` that is left out: that button takes nothing");
        insta::assert_snapshot!(given(vec![url(0), url(2)]), @"template_button: `buttons[1]` that is a `quick_reply`");
        insta::assert_snapshot!(given(vec![url(0), url(3)]), @"template_button: `buttons[1].index` below 3: the template has no more buttons");
    }

    #[test]
    fn cards_are_as_many_and_as_they_were_approved() {
        let card = CardShape {
            header: HeaderShape::Image,
            body: vec!["1".to_owned()],
            buttons: vec![ButtonShape::QuickReply],
        };
        let shape = TemplateShape {
            cards: vec![card.clone(), card],
            ..TemplateShape::default()
        };
        let filled = TemplateCard {
            header: CardHeader::Image(picture()),
            parameters: vec![TemplateParameter::positional("20%")],
            buttons: vec![],
        };
        let given = |cards| {
            let mut content = content();
            content.cards = cards;
            verdict(&shape, &content)
        };
        assert_eq!(given(vec![filled.clone(), filled.clone()]), "fits");
        insta::assert_snapshot!(given(vec![filled.clone()]), @"template_cards: 2 `cards`");
        let bare = TemplateCard {
            parameters: vec![],
            ..filled.clone()
        };
        insta::assert_snapshot!(given(vec![filled.clone(), bare]), @"template_parameter_count: 1 `cards[1].parameters`");
        let product = TemplateCard {
            header: CardHeader::Product(CardProduct {
                catalog_id: "c".to_owned(),
                product_retailer_id: "p".to_owned(),
            }),
            ..filled.clone()
        };
        insta::assert_snapshot!(given(vec![product, filled]), @"template_header: `cards[0].header` of type `image`");
    }

    #[test]
    fn an_offer_is_given_exactly_where_there_is_one() {
        let mut offered = content();
        offered.limited_time_offer = Some(LimitedTimeOffer { expires_at: now() });
        let shape = TemplateShape {
            offer: true,
            ..TemplateShape::default()
        };
        assert_eq!(verdict(&shape, &offered), "fits");
        insta::assert_snapshot!(verdict(&shape, &content()), @"template_offer: `limited_time_offer` with its end");
        insta::assert_snapshot!(verdict(&TemplateShape::default(), &offered), @"template_offer: no `limited_time_offer`");
    }
}
