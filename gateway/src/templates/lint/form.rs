//! What a template is called, in which language, as what, for how long (§6.4, §6.5).

use super::{Findings, TemplateDraft};

pub(super) fn check(draft: &TemplateDraft, findings: &mut Findings) {
    name(&draft.name, findings);
    language(&draft.language, findings);
    if !["AUTHENTICATION", "MARKETING", "UTILITY"].contains(&draft.category.as_str()) {
        findings.error(
            "category_unknown",
            "/category",
            format!("`{}` is no category", draft.category),
            "one of UTILITY, MARKETING and AUTHENTICATION, in capitals",
        );
    }
    if let Some(format) = &draft.parameter_format
        && !["POSITIONAL", "NAMED"].contains(&format.as_str())
    {
        findings.error(
            "parameter_format_unknown",
            "/parameter_format",
            format!("`{format}` is no format"),
            "POSITIONAL or NAMED, or leave it out",
        );
    }
    ttl(draft, findings);
}

fn name(name: &str, findings: &mut Findings) {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if name.is_empty() || name.len() > 512 || !name.bytes().all(allowed) {
        findings.error(
            "name_form",
            "/name",
            "a name has 1 to 512 of a-z, 0-9 and _",
            "write it in small letters, with _ for every space and sign",
        );
    }
}

/// `en`, `en_GB`, `zh_HANS`: Meta refuses what it does not know; the form is what can be judged here.
fn language(code: &str, findings: &mut Findings) {
    let (base, region) = match code.split_once('_') {
        Some((base, region)) => (base, Some(region)),
        None => (code, None),
    };
    let base_fits = (2..=3).contains(&base.len()) && base.bytes().all(|b| b.is_ascii_lowercase());
    let region_fits = region.is_none_or(|region| {
        (2..=4).contains(&region.len()) && region.bytes().all(|b| b.is_ascii_uppercase())
    });
    if !base_fits || !region_fits {
        findings.error(
            "language_form",
            "/language",
            format!("`{code}` is no language as Meta writes it"),
            "two or three small letters, and _ with the region in capitals: en, en_GB, pt_BR, zh_HK",
        );
    }
}

fn ttl(draft: &TemplateDraft, findings: &mut Findings) {
    let Some(seconds) = draft.message_send_ttl_seconds else {
        return;
    };
    let (fits, range) = match draft.category.as_str() {
        "AUTHENTICATION" => (
            seconds == -1 || (30..=900).contains(&seconds),
            "30 to 900 seconds, or -1 for 30 days",
        ),
        "UTILITY" => (
            seconds == -1 || (30..=43_200).contains(&seconds),
            "30 to 43200 seconds, or -1 for 30 days",
        ),
        "MARKETING" => (
            (43_200..=2_592_000).contains(&seconds),
            "43200 to 2592000 seconds, and by the Marketing Messages endpoint only",
        ),
        _ => return,
    };
    if !fits {
        let problem = format!("{seconds} is outside the range of this category");
        findings.error("ttl_range", "/message_send_ttl_seconds", problem, range);
    }
}
