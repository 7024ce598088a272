//! Messages about products of a catalog (`whatsapp-cloud-api.md` §4.2, §4.3).

use serde_json::Value;

use super::super::super::error::GraphError;
use super::super::content::{bounded, required};
use super::parameters;

pub(super) fn read(kind: &str, action: &Value) -> Result<(), GraphError> {
    match kind {
        "product" => product(action),
        "product_list" => list(action),
        // The thumbnail may be left out: then the catalog's first product is shown.
        _ => parameters(action, "catalog_message").map(drop),
    }
}

/// Also of a carousel's cards.
pub(super) fn product(action: &Value) -> Result<(), GraphError> {
    required(&action["catalog_id"], "interactive['action']['catalog_id']")?;
    required(
        &action["product_retailer_id"],
        "interactive['action']['product_retailer_id']",
    )?;
    Ok(())
}

fn list(action: &Value) -> Result<(), GraphError> {
    required(&action["catalog_id"], "interactive['action']['catalog_id']")?;
    let parameter = "interactive['action']['sections']";
    let sections = action["sections"].as_array().map_or(&[][..], Vec::as_slice);
    let mut products = 0;
    for section in sections {
        if sections.len() > 1 || !section["title"].is_null() {
            bounded(&section["title"], 24, "section['title']")?;
        }
        let items = section["product_items"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        for item in items {
            required(
                &item["product_retailer_id"],
                "product_items['product_retailer_id']",
            )?;
        }
        products += items.len();
    }
    if !(1..=10).contains(&sections.len()) || !(1..=30).contains(&products) {
        return Err(GraphError::invalid(
            parameter,
            "must have 1 to 10 sections with 1 to 30 products in all",
        ));
    }
    Ok(())
}
