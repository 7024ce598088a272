//! Why content is nothing that WhatsApp takes: which field, what is wrong with it, and where the limit is written.

use std::fmt;

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// As the content's JSON spells it: `buttons[2].title`.
    pub field: String,
    pub fault: Fault,
    /// The section of `whatsapp-cloud-api.md` that the limit comes from.
    pub section: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Empty,
    /// In Unicode code points.
    TooLong {
        most: usize,
    },
    Count {
        least: usize,
        most: usize,
    },
    /// Two that must differ are the same.
    NotUnique,
    /// It should be this.
    Form(&'static str),
    /// A template's parameter without a value, and without a default to stand in for it.
    NoValue,
    /// A template's parameters are neither all positional nor all named by different names.
    MixedParameters,
    /// A template's parameter is not this.
    ParameterText(&'static str),
    ParameterTooLong {
        most: usize,
    },
}

pub(super) type Checked = Result<(), Malformed>;

impl Malformed {
    /// Most limits are of §4.3; [`Malformed::cited`] names another section.
    pub(super) fn new(field: &str, fault: Fault) -> Self {
        Self {
            field: field.to_owned(),
            fault,
            section: "§4.3",
        }
    }

    pub(super) fn cited(mut self, section: &'static str) -> Self {
        self.section = section;
        self
    }

    /// The same fault, seen from the object that `outer` is a field of.
    pub(super) fn within(mut self, outer: impl fmt::Display) -> Self {
        self.field = match self.field.is_empty() {
            true => outer.to_string(),
            false => format!("{outer}.{}", self.field),
        };
        self
    }

    /// What would be taken instead, for people.
    pub fn wanted(&self) -> String {
        let Self { field, fault, .. } = self;
        match fault {
            Fault::Empty => format!("`{field}` that is not empty"),
            Fault::TooLong { most } | Fault::ParameterTooLong { most } => {
                format!("`{field}` of at most {most} characters")
            }
            Fault::Count { least, most } => format!("{least} to {most} in `{field}`"),
            Fault::NotUnique => format!("`{field}` that differ"),
            Fault::Form(form) | Fault::ParameterText(form) => format!("`{field}` that is {form}"),
            Fault::NoValue => {
                format!("`{field}` with a value, or with a default that is sent instead")
            }
            Fault::MixedParameters => format!(
                "`{field}` that are all positional, or all named by different names in a-z, 0-9 and _"
            ),
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it takes {} (facts {})", self.wanted(), self.section)
    }
}

impl std::error::Error for Malformed {}
