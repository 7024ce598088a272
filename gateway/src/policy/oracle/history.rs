//! What may happen around one conversation, and a cheap generator of it that likes edges.

use crate::domain::template::{TemplateCategory, TemplateStatus};
use crate::domain::{DraftClass, Timestamp};

#[derive(Debug, Clone, PartialEq)]
pub struct History {
    pub connected_at: Timestamp,
    /// The tenant writes first only to whom it has an opt-in of on record.
    pub by_ledger: bool,
    pub limits: Limits,
    pub steps: Vec<Step>,
}

/// What the tenant has set. Quiet hours are minutes after midnight; `most` is a day's, a week's and a month's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    pub quiet_utility: Option<(u16, u16)>,
    pub quiet_marketing: Option<(u16, u16)>,
    /// Nothing of marketing on this day of the week; 0 is Monday.
    pub quiet_day: Option<u8>,
    /// The person may be in India too; else the clock on their wall shows UTC.
    pub or_india: bool,
    pub most_utility: [Option<usize>; 3],
    pub most_marketing: [Option<usize>; 3],
    pub most_codes_a_month: Option<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub at: Timestamp,
    pub event: Event,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event {
    /// The person typed this; the webhook came `late` seconds after.
    Typed {
        text: &'static str,
        late: i64,
    },
    /// The person tapped a button of this title.
    Tapped(&'static str),
    /// `user_preferences` stop and resume.
    MetaStop,
    MetaResume,
    /// The business put the person on the number's block list, and took them off.
    Blocked,
    Unblocked,
    /// An opt-in with evidence, given `late` seconds before we heard of it.
    Gave {
        what: Agreed,
        own_act: bool,
        late: i64,
    },
    Withdrew {
        what: Agreed,
        late: i64,
    },
    /// The person has another number since.
    Moved,
    Owner(Who),
    PutHold {
        on: Held,
        seconds: Option<i64>,
    },
    LiftHolds(Held),
    /// Meta answered 131047.
    WindowRefused,
    /// Ingest is back after a gap.
    GapEnds,
    BodyStored,
    BodiesRead,
    /// Something of this class went to the person, by another conversation and outside a window.
    Begun(DraftClass),
    /// Meta answered 131049.
    HadEnough,
    /// So many others were reached outside a window.
    OthersReached(i64),
    /// Meta told how many may be; below 0: everybody.
    TierTold(i64),
    Draft(Wish),
    /// Delivery claims the latest draft.
    Claim,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Agreed {
    Everything,
    Ads,
    Service,
    News,
}

/// The topic that a template names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum About {
    Nothing,
    News,
    NoTopicOfOurs,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Who {
    Bot,
    Queue,
    Agent,
    Client,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Held {
    All,
    Tenant,
    Number,
    Credential,
    MenuPlugin,
    OtherPlugin,
    SaleTemplate,
    SaleTemplateElsewhere,
    EveryTemplate,
    EveryAnswer,
    Adverts,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum By {
    MenuPlugin,
    /// Said in the turn in which the plugin handed over.
    MenuPluginsFarewell,
    Client,
    Agent,
    ConfirmationRule,
    HumanRule,
    FallbackRule,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum What {
    Text,
    LongText,
    BlankText,
    Ticks,
    SaleTemplate,
    SaleTemplateOfTwoLines,
    /// In whatever language fits: none did, or it would be named by now.
    SaleTemplateInAnyLanguage,
}

/// What Meta's list says of the template.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Listed {
    NoTemplate,
    /// Nobody has read the list.
    Unread,
    Absent,
    There {
        status: TemplateStatus,
        category: TemplateCategory,
        variables: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wish {
    pub class: DraftClass,
    pub by: By,
    pub what: What,
    pub template: Listed,
    pub about: About,
    /// The bot has used up its replies of the hour.
    pub braked: bool,
}

const TYPED: [&str; 16] = [
    "stop",
    " STOP! ",
    "Unsubscribe",
    "СТОП",
    "cancel",
    "END",
    "Quit.",
    "StopAll",
    "stop all",
    "START",
    "unstop",
    "hello",
    "hello",
    "please stop the noise",
    "agent",
    "yes",
];
const TAPPED: [&str; 4] = ["Stop", "Cancel", "Start", "Opening hours"];
const DAY: i64 = 86_400_000;
/// Milliseconds between two events: within a second, around 5 s, 5 min and 24 h (+ 5 min), and beyond.
const PAUSES: [i64; 22] = [
    0,
    0,
    1,
    250,
    750,
    1_000,
    1_000,
    2_000,
    4_999,
    5_000,
    5_001,
    60_000,
    299_000,
    300_000,
    300_001,
    3_600_000,
    DAY - 1_000,
    DAY,
    DAY + 299_999,
    DAY + 300_000,
    DAY + 300_001,
    2 * DAY,
];

impl History {
    pub fn random(dice: &mut Dice) -> Self {
        let mut now = 1_795_000_000_000 + dice.pick(&[0, 0, 0, 750]);
        let connected_at =
            now - dice.pick(&[0, 3_600_000, DAY - 1_000, DAY, 90 * DAY, 90 * DAY, 90 * DAY]);
        let mut steps = Vec::with_capacity(16);
        for _ in 0..4 + dice.below(10) {
            now += dice.pick(&PAUSES);
            steps.push(Step {
                at: Timestamp::from_millis(now),
                event: Event::random(dice),
            });
        }
        steps.push(Step {
            at: Timestamp::from_millis(now),
            event: Event::Claim,
        });
        Self {
            connected_at: Timestamp::from_millis(connected_at),
            by_ledger: dice.below(2) == 0,
            limits: Limits::random(dice),
            steps,
        }
    }
}

impl Event {
    fn random(dice: &mut Dice) -> Self {
        use DraftClass::{Authentication, Marketing, Utility};
        match dice.below(44) {
            0..8 => Self::Typed {
                text: dice.pick(&TYPED),
                late: dice.pick(&[0, 0, 0, 0, 1, 2, 300, 86_400]),
            },
            8 => Self::Tapped(dice.pick(&TAPPED)),
            9 => dice.pick(&[Self::MetaStop, Self::MetaStop, Self::MetaResume]),
            10..12 => {
                Self::Owner(dice.pick(&[Who::Bot, Who::Bot, Who::Queue, Who::Agent, Who::Client]))
            }
            12 => Self::PutHold {
                on: held(dice),
                seconds: dice.pick(&[None, Some(1), Some(60), Some(86_400)]),
            },
            13 => Self::LiftHolds(held(dice)),
            14 => Self::WindowRefused,
            15 => dice.pick(&[Self::GapEnds, Self::BodiesRead, Self::BodiesRead]),
            16..18 => Self::BodyStored,
            18 => Self::BodiesRead,
            19..23 => Self::Claim,
            32..35 => Self::Gave {
                what: agreed(dice),
                own_act: dice.below(2) == 0,
                late: dice.pick(&[0, 0, 1, 300]),
            },
            35 => Self::Withdrew {
                what: agreed(dice),
                late: dice.pick(&[0, 0, 1, 300]),
            },
            36 if dice.below(2) == 0 => Self::Moved,
            42..44 => Self::OthersReached(dice.pick(&[1, 1, 2, 3])),
            37 => match dice.below(3) {
                0 => dice.pick(&[Self::Blocked, Self::Unblocked, Self::Unblocked]),
                _ => Self::HadEnough,
            },
            38 => Self::TierTold(dice.pick(&[-1, 1, 2, 2, 3, 5])),
            39..42 => {
                Self::Begun(dice.pick(&[Utility, Utility, Marketing, Marketing, Authentication]))
            }
            _ => Self::Draft(Wish::random(dice)),
        }
    }
}

fn agreed(dice: &mut Dice) -> Agreed {
    dice.pick(&[
        Agreed::Everything,
        Agreed::Ads,
        Agreed::Service,
        Agreed::News,
    ])
}

fn held(dice: &mut Dice) -> Held {
    dice.pick(&[
        Held::All,
        Held::Tenant,
        Held::Number,
        Held::Credential,
        Held::MenuPlugin,
        Held::OtherPlugin,
        Held::SaleTemplate,
        Held::SaleTemplateElsewhere,
        Held::EveryTemplate,
        Held::EveryAnswer,
        Held::Adverts,
    ])
}

impl What {
    pub fn is_template(self) -> bool {
        matches!(
            self,
            Self::SaleTemplate | Self::SaleTemplateOfTwoLines | Self::SaleTemplateInAnyLanguage
        )
    }
}

/// Around the hours of the day at which histories play, each with a moment that is open in India too.
const NIGHTS: [Option<(u16, u16)>; 10] = [
    None,
    None,
    None,
    None,
    Some((666, 667)),
    Some((11 * 60, 12 * 60)),
    Some((13 * 60 + 7, 4 * 60)),
    Some((12 * 60 + 6, 4 * 60)),
    Some((16 * 60 + 30, 17 * 60)),
    Some((18 * 60, 10 * 60)),
];

impl Limits {
    fn random(dice: &mut Dice) -> Self {
        let most = [None, None, None, Some(0), Some(1), Some(2), Some(3)];
        let mut three = || [dice.pick(&most), dice.pick(&most), dice.pick(&most)];
        let (most_utility, most_marketing) = (three(), three());
        Self {
            quiet_utility: dice.pick(&NIGHTS),
            quiet_marketing: dice.pick(&NIGHTS),
            quiet_day: dice.pick(&[None, None, None, Some(2), Some(3), Some(4)]),
            or_india: dice.below(3) == 0,
            most_utility,
            most_marketing,
            most_codes_a_month: dice.pick(&[None, None, None, None, Some(0), Some(1)]),
        }
    }
}

impl Wish {
    fn random(dice: &mut Dice) -> Self {
        use DraftClass::{Authentication, Marketing, OptOutConfirmation, Reply, Utility};
        use What::{
            BlankText, LongText, SaleTemplate, SaleTemplateInAnyLanguage, SaleTemplateOfTwoLines,
            Text, Ticks,
        };
        let class = dice.pick(&[
            Reply,
            Reply,
            Reply,
            OptOutConfirmation,
            Utility,
            Marketing,
            Authentication,
        ]);
        let by = dice.pick(&[
            By::MenuPlugin,
            By::MenuPlugin,
            By::MenuPluginsFarewell,
            By::Client,
            By::Agent,
            By::ConfirmationRule,
            By::HumanRule,
            By::FallbackRule,
        ]);
        let what = dice.pick(&[
            Text,
            Text,
            Text,
            Text,
            Ticks,
            SaleTemplate,
            SaleTemplate,
            SaleTemplate,
            LongText,
            BlankText,
            SaleTemplateOfTwoLines,
            SaleTemplateInAnyLanguage,
        ]);
        Self {
            class,
            by,
            what,
            template: if what.is_template() {
                template(dice)
            } else {
                Listed::NoTemplate
            },
            about: dice.pick(&[
                About::Nothing,
                About::Nothing,
                About::News,
                About::News,
                About::NoTopicOfOurs,
            ]),
            braked: dice.below(12) == 0,
        }
    }
}

fn template(dice: &mut Dice) -> Listed {
    use TemplateCategory::{Authentication, Marketing, Utility};
    match dice.below(16) {
        0..8 => Listed::Unread,
        8 => Listed::Absent,
        _ => Listed::There {
            status: match dice.below(3) {
                0 => dice.pick(TemplateStatus::ALL),
                _ => TemplateStatus::Approved,
            },
            category: dice.pick(&[Authentication, Utility, Marketing]),
            variables: dice.pick(&[1, 1, 1, 1, 1, 1, 1, 1, 0, 2]),
        },
    }
}

/// SplitMix64: a few operations a throw, because a hundred thousand histories are thrown in an unoptimised build.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 33) as usize % bound
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}
