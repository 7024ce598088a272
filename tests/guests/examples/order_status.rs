//! The example of `docs/plugins-grants.md`: "where is order 4711?" is looked up in the tenant's shop.
//!
//! The shop is asked by the customer's own number, so that nobody hears of somebody else's order: the gateway writes it into
//! the request, and the shop's token with it. The plugin sees neither.

use serde::{Deserialize, Serialize};
use vestibule_plugin::http::{HttpError, Part, Request};
use vestibule_plugin::{AutoReply, Outcome, Turn, config, error};

/// A message without an order's number is left to the next plugin.
fn order_in(text: &str) -> Option<&str> {
    let mut words = text.split(|c: char| !c.is_ascii_digit());
    words.find(|word| (3..=12).contains(&word.len()))
}

#[derive(Serialize)]
struct Question<'a> {
    order: &'a str,
}

#[derive(Deserialize)]
struct Order {
    state: String,
}

struct OrderStatus;

impl AutoReply for OrderStatus {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let text = turn.message().text();
        let Some(number) = order_in(&text) else {
            return Ok(());
        };
        let shop: String = config::get("shop")?.unwrap_or_default();
        let asked = Request::post(&format!("{shop}/orders/find"))
            .bearer("shop-token")
            .json(&Question { order: number })
            .put("/phone", [Part::Phone])
            .send();
        let words = match asked {
            Ok(answer) if answer.is_success() => {
                let order: Order = answer.json()?;
                format!("Your order {number}: {}.", order.state)
            }
            Ok(answer) if answer.status == 404 => format!("I know no order {number} of yours."),
            // Somebody has to look at the installation; the customer is not made to wait for that.
            Err(error @ (HttpError::Denied(_) | HttpError::Invalid(_) | HttpError::Absent(_))) => {
                error!("{error}");
                return Ok(turn.hand_over("orders", None)?);
            }
            _ => "I cannot look that up at the moment. Please ask again in a while.".to_owned(),
        };
        turn.reply_text(&words)?;
        Ok(())
    }
}

vestibule_plugin::export!(OrderStatus as auto_reply);
