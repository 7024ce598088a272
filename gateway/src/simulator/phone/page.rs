//! The document: one file with styles and script inside, so that nothing else is ever requested for it.

use std::sync::LazyLock;

const STYLES: [&str; 3] = [
    include_str!("page/frame.css"),
    include_str!("page/chat.css"),
    include_str!("page/sheet.css"),
];

/// In this order: later files use what earlier ones define.
const SCRIPTS: [&str; 8] = [
    include_str!("page/dom.js"),
    include_str!("page/text.js"),
    include_str!("page/bubbles.js"),
    include_str!("page/interactive.js"),
    include_str!("page/sheets.js"),
    include_str!("page/chat.js"),
    include_str!("page/panel.js"),
    include_str!("page/app.js"),
];

static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let script = format!("\"use strict\";\n{{\n{}\n}}", SCRIPTS.concat());
    include_str!("page/page.html")
        .replace("/*{{styles}}*/", &STYLES.concat())
        .replace("/*{{script}}*/", &script)
});

/// What the page may load: itself, the simulator, and what a message links to.
pub(crate) const SECURITY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
     connect-src 'self'; img-src 'self' data: http: https:; media-src 'self' http: https:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'";

pub(crate) fn document() -> &'static str {
    &DOCUMENT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_whole_and_asks_for_nothing_else() {
        let document = document();
        assert!(!document.contains("{{"), "a part is missing");
        for part in [
            "<link rel=\"stylesheet\"",
            "<script src",
            "@import",
            "import(",
        ] {
            assert!(!document.contains(part), "{part}");
        }
        // Inside of a script element this would end it.
        assert_eq!(document.matches("</script>").count(), 1);
    }
}
