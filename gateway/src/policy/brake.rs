//! The loop brake: two bots that answer each other stop after so many replies an hour (design.md §4, "Faults").

use crate::domain::{Draft, Timestamp};

use super::decide::Refusal;
use super::facts::Facts;
use super::reason::Reason;

/// Refuses an automatic answer (a plugin's, the fallback, "a person will answer") once the hour's are used up. Asked at
/// the first gate only: see [`recheck`](super::recheck).
pub(super) fn is_loose(facts: &Facts, draft: &Draft, _now: Timestamp) -> Result<(), Refusal> {
    let spent = facts.brake.bot_replies_last_hour >= facts.brake.limit;
    if draft.is_automatic_answer() && spent {
        return Err(Refusal::new(Reason::LoopBrake).allowing("an agent's message"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::domain::Sender;
    use crate::policy::fixture::{code_of, facts, now, plugin_reply};
    use crate::policy::{decide, recheck};

    #[test]
    fn the_bot_stops_at_its_limit_and_an_agent_does_not() {
        let mut facts = facts();
        facts.brake.limit = 3;
        let bot = plugin_reply("hi");
        let mut agent = plugin_reply("hi");
        agent.sender = Sender::Agent { name: "ana".into() };
        facts.brake.bot_replies_last_hour = 2;
        assert_eq!(code_of(&decide(&facts, &bot, now())), "cleared");
        facts.brake.bot_replies_last_hour = 3;
        assert_eq!(code_of(&decide(&facts, &bot, now())), "loop_brake");
        assert_eq!(code_of(&decide(&facts, &agent, now())), "cleared");
    }

    #[test]
    fn the_gateways_own_answers_stop_with_the_bots_and_confirmations_do_not() {
        let mut facts = facts();
        facts.brake.bot_replies_last_hour = facts.brake.limit;
        let verdict = |rule: &str| {
            let mut draft = plugin_reply("hi");
            draft.sender = Sender::Rule { name: rule.into() };
            code_of(&decide(&facts, &draft, now()))
        };
        assert_eq!(verdict("fallback"), "loop_brake");
        assert_eq!(verdict("human_requested"), "loop_brake");
        assert_eq!(verdict("opt_out_confirmation"), "cleared");
    }

    #[test]
    fn a_cleared_reply_is_not_stopped_by_the_replies_after_it() {
        let mut facts = facts();
        facts.brake.bot_replies_last_hour = facts.brake.limit;
        let bot = plugin_reply("hi");
        assert_eq!(code_of(&recheck(&facts, &bot, now())), "cleared");
    }
}
