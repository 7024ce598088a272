//! The levels of opting out, and how one more word adds to them.

/// How much a person has stopped. The numbers are what the database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OptOut {
    #[default]
    None = 0,
    /// CANCEL, END, QUIT: no advertising. They are also ordinary words in a menu.
    Marketing = 1,
    /// STOP: nothing that the business begins; replies again once the person writes again.
    BusinessInitiated = 2,
    /// STOPALL: nothing but security codes, replies included, until an opt-in word.
    AllButSecurity = 3,
    /// Both STOP and STOPALL were said: not even codes. Opt-out words only ever take away.
    Everything = 4,
}

impl OptOut {
    pub fn code(self) -> i64 {
        self as i64
    }

    /// Stable word for people and clients.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Marketing => "marketing",
            Self::BusinessInitiated => "business_initiated",
            Self::AllButSecurity => "all_but_security",
            Self::Everything => "everything",
        }
    }

    pub fn from_code(code: i64) -> Option<Self> {
        [
            Self::None,
            Self::Marketing,
            Self::BusinessInitiated,
            Self::AllButSecurity,
            Self::Everything,
        ]
        .into_iter()
        .find(|level| level.code() == code)
    }

    /// What is stopped after one more opt-out word: never less than before.
    pub(super) fn and(self, more: Self) -> Self {
        use OptOut::{AllButSecurity, BusinessInitiated, Everything};
        match (self, more) {
            (BusinessInitiated, AllButSecurity) | (AllButSecurity, BusinessInitiated) => Everything,
            (one, other) if one.code() >= other.code() => one,
            (_, other) => other,
        }
    }
}
