//! What plugins do, by tenant, plugin and version, with a bounded number of series.
//!
//! There are as many series as *seats*; whoever has none is counted together, as `other`. Within each period every plugin
//! is measured by its fuel; at its end the seats of those that did nothing go to those that did most without one. So no
//! series ever goes backwards: one counts from the moment it has its seat, `other` counts those that had none just then.
//! Somebody who is busy keeps a seat even when others become busier: a graph that breaks off is worth less than one that
//! is not of the very first hundred.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Duration;

use super::names;
use crate::domain::{TenantId, Timestamp};
use crate::sync::lock;

/// Whose series it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Key {
    tenant: TenantId,
    plugin: String,
    version: String,
}

/// One version in one turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PluginTurn {
    pub fuel: u64,
    pub wall_us: u64,
    pub faulty: bool,
}

/// Counts since a series began.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    turns: u64,
    faults: u64,
    fuel: u64,
    wall_us: u64,
}

impl Counts {
    fn add(&mut self, turn: PluginTurn) {
        self.turns += 1;
        self.faults += u64::from(turn.faulty);
        self.fuel += turn.fuel;
        self.wall_us += turn.wall_us;
    }
}

/// The plugins' own meters of a node.
#[derive(Debug)]
pub struct PluginMeters {
    seats: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    seated: HashMap<Key, Counts>,
    other: Counts,
    /// Turns and fuel of everybody in this period: one turn counts, however little it took.
    period: HashMap<Key, u64>,
    /// When it began.
    began: Option<Timestamp>,
}

/// How long somebody must be idle to lose a seat. A guess: longer than the pauses of a business in its hours.
const PERIOD: Duration = Duration::from_secs(600);
/// Plugins that one period remembers. Beyond it nobody new is; they are counted as `other` all the same.
const REMEMBERED: usize = 50_000;

impl PluginMeters {
    pub fn new(seats: usize) -> Self {
        Self {
            seats,
            state: Mutex::default(),
        }
    }

    /// Counts a turn of a version.
    pub fn note(
        &self,
        now: Timestamp,
        tenant: TenantId,
        (plugin, version): (&str, &str),
        turn: PluginTurn,
    ) {
        let key = Key {
            tenant,
            plugin: plugin.to_owned(),
            version: version.to_owned(),
        };
        let mut state = lock(&self.state);
        let began = *state.began.get_or_insert(now);
        if now.since(began) >= PERIOD {
            state.begin_period(self.seats, now);
        }
        if state.period.len() < REMEMBERED || state.period.contains_key(&key) {
            *state.period.entry(key.clone()).or_default() += turn.fuel + 1;
        }
        if state.seated.len() < self.seats && !state.seated.contains_key(&key) {
            state.seated.insert(key.clone(), Counts::default());
        }
        match state.seated.get_mut(&key) {
            Some(counts) => counts.add(turn),
            None => state.other.add(turn),
        }
    }

    /// The series as Prometheus reads them.
    pub fn render(&self) -> String {
        let mut rows: Vec<(String, Counts)> = {
            let state = lock(&self.state);
            let seated = state.seated.iter();
            let mut rows: Vec<_> = seated.map(|(key, counts)| (labels(key), *counts)).collect();
            if state.other.turns > 0 {
                let other = r#"tenant="other",plugin="other",version="other""#;
                rows.push((other.to_owned(), state.other));
            }
            rows
        };
        rows.sort_by(|one, two| one.0.cmp(&two.0));
        let mut page = String::new();
        for (name, value) in SERIES {
            let _ = writeln!(page, "# HELP {name} {}", names::help(name));
            let _ = writeln!(page, "# TYPE {name} counter");
            for (labels, counts) in &rows {
                let _ = writeln!(page, "{name}{{{labels}}} {}", value(counts));
            }
        }
        page
    }
}

type Value = fn(&Counts) -> f64;

const SERIES: [(&str, Value); 4] = [
    (names::PLUGIN_TURNS, |counts| counts.turns as f64),
    (names::PLUGIN_FAULTS, |counts| counts.faults as f64),
    (names::PLUGIN_FUEL, |counts| counts.fuel as f64),
    (names::PLUGIN_WALL, |counts| counts.wall_us as f64 / 1e6),
];

impl State {
    fn begin_period(&mut self, seats: usize, now: Timestamp) {
        let period = std::mem::take(&mut self.period);
        self.began = Some(now);
        self.seated.retain(|key, _| period.contains_key(key));
        let mut standing: Vec<(u64, Key)> = period
            .into_iter()
            .filter(|(key, _)| !self.seated.contains_key(key))
            .map(|(key, fuel)| (fuel, key))
            .collect();
        standing.sort_by(|one, two| two.0.cmp(&one.0).then_with(|| one.1.cmp(&two.1)));
        let free = seats.saturating_sub(self.seated.len());
        let seated = standing.into_iter().take(free);
        self.seated
            .extend(seated.map(|(_, key)| (key, Counts::default())));
    }
}

fn labels(key: &Key) -> String {
    format!(
        r#"tenant="{}",plugin="{}",version="{}""#,
        key.tenant,
        escaped(&key.plugin),
        escaped(&key.version)
    )
}

/// A manifest allows no such letters; a label that could end early would forge others.
fn escaped(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_control() && *letter != '"' && *letter != '\\')
        .take(128)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000 + seconds * 1_000)
    }

    fn note(meters: &PluginMeters, second: i64, tenant: i64, fuel: u64) {
        let turn = PluginTurn {
            fuel,
            wall_us: 1_000,
            faulty: tenant == 2,
        };
        meters.note(
            at(second),
            TenantId::from_raw(tenant),
            ("menu", "1.0.0"),
            turn,
        );
    }

    fn value(meters: &PluginMeters, name: &str, tenant: &str) -> Option<f64> {
        let page = meters.render();
        let start = format!("{name}{{tenant=\"{tenant}\"");
        let line = page.lines().find(|line| line.starts_with(&start))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    fn tenant(n: i64) -> String {
        TenantId::from_raw(n).to_string()
    }

    #[test]
    fn ten_thousand_plugins_are_as_many_series_as_there_are_seats_and_one_for_the_others() {
        let meters = PluginMeters::new(10);
        for n in 1..=10_000 {
            note(&meters, 0, n, 5);
        }
        let page = meters.render();
        let turns = page
            .lines()
            .filter(|line| line.starts_with(names::PLUGIN_TURNS))
            .count();
        assert_eq!(turns, 11);
        assert_eq!(value(&meters, names::PLUGIN_TURNS, "other"), Some(9_990.0));
        assert_eq!(value(&meters, names::PLUGIN_FAULTS, &tenant(2)), Some(1.0));
        assert_eq!(value(&meters, names::PLUGIN_FUEL, &tenant(3)), Some(5.0));
        assert_eq!(value(&meters, names::PLUGIN_WALL, &tenant(3)), Some(0.001));
    }

    #[test]
    fn seats_of_the_idle_go_to_those_that_did_most_and_others_never_go_back() {
        let meters = PluginMeters::new(2);
        note(&meters, 0, 1, 5);
        note(&meters, 0, 2, 5);
        // A period in which the first is idle; the third did more than the fourth.
        for (n, fuel) in [(2, 5), (4, 10), (3, 90)] {
            note(&meters, 601, n, fuel);
        }
        let other = value(&meters, names::PLUGIN_TURNS, "other").expect("some");
        assert_eq!(other, 2.0);
        note(&meters, 1_300, 3, 7);
        assert_eq!(value(&meters, names::PLUGIN_TURNS, &tenant(1)), None);
        assert_eq!(value(&meters, names::PLUGIN_TURNS, &tenant(2)), Some(2.0));
        assert_eq!(value(&meters, names::PLUGIN_FUEL, &tenant(3)), Some(7.0));
        assert_eq!(value(&meters, names::PLUGIN_TURNS, &tenant(4)), None);
        assert_eq!(value(&meters, names::PLUGIN_TURNS, "other"), Some(other));
    }

    #[test]
    fn a_name_cannot_forge_a_label() {
        let meters = PluginMeters::new(2);
        let name = "a\",tenant=\"b\"} 1\nvestibule_x{x=\"";
        let turn = PluginTurn::default();
        meters.note(at(0), TenantId::from_raw(1), (name, "1"), turn);
        let page = meters.render();
        assert!(
            page.contains(r#"plugin="a,tenant=b} 1vestibule_x{x=","#),
            "{page}"
        );
    }
}
