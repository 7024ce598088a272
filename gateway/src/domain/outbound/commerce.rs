//! Messages that show products of a catalog (§4.2).

use serde::{Deserialize, Serialize};

/// One product; it brings its own picture, so it takes no header, and needs no words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    pub catalog_id: String,
    pub product_retailer_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductList {
    /// Text, and mandatory.
    pub header: String,
    pub body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    pub catalog_id: String,
    pub sections: Vec<ProductSection>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductSection {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Retailer ids.
    pub products: Vec<String>,
}

/// The whole catalog that belongs to the number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogMessage {
    pub body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
    /// The product whose picture is shown; without it, Meta takes the catalog's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail_product_retailer_id: Option<String>,
}

/// Products side by side, all of one catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductCarousel {
    pub body: String,
    pub catalog_id: String,
    /// Retailer ids.
    pub products: Vec<String>,
}
