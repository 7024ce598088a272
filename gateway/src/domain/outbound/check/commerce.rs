//! Messages that show products.

use super::super::commerce::{
    CatalogMessage, Product, ProductCarousel, ProductList, ProductSection,
};
use super::interactive::{BODY, FOOTER, section_title};
use super::{Checked, count, each, filled, optional, optional_filled, text, unique};

pub(super) fn product(product: &Product) -> Checked {
    optional("body", product.body.as_deref(), BODY)?;
    optional("footer", product.footer.as_deref(), FOOTER)?;
    filled("catalog_id", &product.catalog_id)?;
    filled("product_retailer_id", &product.product_retailer_id)
}

pub(super) fn product_list(list: &ProductList) -> Checked {
    text("header", &list.header, 60)?;
    text("body", &list.body, BODY)?;
    optional("footer", list.footer.as_deref(), FOOTER)?;
    filled("catalog_id", &list.catalog_id)?;
    sections(&list.sections)
}

/// Of a message and of a template's button alike.
pub(super) fn sections(all: &[ProductSection]) -> Checked {
    count("sections", all.len(), 1, 10)?;
    let products = || all.iter().flat_map(|section| &section.products);
    // Over all sections together.
    count("sections[].products", products().count(), 1, 30)?;
    each("sections", all, |section| {
        section_title(&section.title, all.len())?;
        count("products", section.products.len(), 1, 30)?;
        each("products", &section.products, |id| filled("", id))
    })
}

pub(super) fn catalog(catalog: &CatalogMessage) -> Checked {
    text("body", &catalog.body, BODY)?;
    optional("footer", catalog.footer.as_deref(), FOOTER)?;
    optional_filled(
        "thumbnail_product_retailer_id",
        catalog.thumbnail_product_retailer_id.as_deref(),
    )
}

pub(super) fn carousel(carousel: &ProductCarousel) -> Checked {
    text("body", &carousel.body, BODY)?;
    filled("catalog_id", &carousel.catalog_id)?;
    count("products", carousel.products.len(), 2, 10)?;
    each("products", &carousel.products, |id| filled("", id))?;
    unique("products", carousel.products.iter())
}
