//! Which language a send by template goes out in, when it leaves that to us: a rule, never a guess.
//!
//! Among the approved languages of the template, of those that the send lists if it lists any:
//! 1. exactly the person's, 2. one with the person's base language (`pt` before `pt_BR` before `pt_PT`),
//! 3. the tenant's default for the template, by the same two steps, 4. the first of the list. Else none.

use crate::domain::outbound::AUTO;

/// The language, spelled as approved. `wish`: `auto`, or codes with commas between.
pub fn choose(
    wish: &str,
    approved: &[&str],
    person: Option<&str>,
    default: Option<&str>,
) -> Option<String> {
    let mut among: Vec<&str> = if wish == AUTO {
        approved.to_vec()
    } else {
        let listed = wish
            .split(',')
            .map(str::trim)
            .filter(|code| !code.is_empty());
        let find = |code: &str| approved.iter().copied().find(|one| equal(one, code));
        listed.filter_map(find).collect()
    };
    let first = among.first().copied().filter(|_| wish != AUTO);
    among.sort_unstable();
    let fitting = |wanted: Option<&str>| {
        let wanted = wanted?;
        let exact = among.iter().find(|one| equal(one, wanted));
        // In order, the plain base comes before its regions.
        exact.or_else(|| among.iter().find(|one| equal(base(one), base(wanted))))
    };
    let found = fitting(person).or_else(|| fitting(default)).copied();
    found.or(first).map(str::to_owned)
}

/// `pt-br` of a browser and `pt_BR` of Meta are one language.
fn equal(one: &str, other: &str) -> bool {
    let plain = |code: &str| code.replace('-', "_").to_ascii_lowercase();
    plain(one) == plain(other)
}

fn base(code: &str) -> &str {
    code.split(['_', '-']).next().unwrap_or(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    const APPROVED: [&str; 5] = ["de", "en_GB", "en", "pt_PT", "pt_BR"];

    fn auto(person: Option<&str>, default: Option<&str>) -> Option<String> {
        choose("auto", &APPROVED, person, default)
    }

    #[test]
    fn the_persons_own_language_comes_first_then_its_base_then_the_default() {
        for (person, expected) in [
            (Some("en_GB"), Some("en_GB")),
            (Some("en-gb"), Some("en_GB")),
            (Some("en_US"), Some("en")),
            (Some("pt"), Some("pt_BR")),
            (Some("de_AT"), Some("de")),
            (Some("fr"), Some("de")),
            (None, Some("de")),
        ] {
            assert_eq!(auto(person, Some("de")).as_deref(), expected, "{person:?}");
        }
    }

    #[test]
    fn nothing_is_guessed() {
        assert_eq!(auto(Some("fr"), None), None);
        assert_eq!(auto(None, None), None);
        assert_eq!(auto(Some("fr"), Some("it")), None);
        assert_eq!(choose("auto", &[], Some("en"), Some("en")), None);
    }

    #[test]
    fn a_list_bounds_the_choice_and_its_order_decides_last() {
        let listed = |wish, person| choose(wish, &APPROVED, person, Some("en"));
        assert_eq!(listed("pt_BR,de", Some("de")).as_deref(), Some("de"));
        assert_eq!(listed("pt_BR,de", Some("fr")).as_deref(), Some("pt_BR"));
        assert_eq!(listed("pt_BR,en_GB", Some("fr")).as_deref(), Some("en_GB"));
        assert_eq!(listed("fr,it", Some("de")), None);
        assert_eq!(listed("de,", Some("fr")).as_deref(), Some("de"));
    }
}
