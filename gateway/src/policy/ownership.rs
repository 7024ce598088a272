//! Rule 2: may this sender speak in this conversation now?
//!
//! Taking over is not done here: an agent's or client's message takes the conversation over where it is committed.

use crate::domain::{Draft, DraftClass, Owner, Sender, Timestamp};

use super::decide::Refusal;
use super::facts::Facts;
use super::reason::Reason;

/// Rules of the gateway that speak whoever owns the conversation: both answer the person's own word.
const ALWAYS_HEARD: [&str; 2] = ["opt_out_confirmation", "human_requested"];

/// A plugin speaks while the bot owns the conversation and nobody has taken it since the draft was made. People and
/// clients speak any time. The gateway's automatic answers, and what a plugin says as it hands over, keep quiet while a
/// person or client owns it.
pub(super) fn may_speak(facts: &Facts, draft: &Draft, _now: Timestamp) -> Result<(), Refusal> {
    match &draft.sender {
        Sender::Plugin { farewell: true, .. } if is_attended(&facts.owner) => Err(not_the_bots()),
        Sender::Plugin { farewell: true, .. } => Ok(()),
        Sender::Plugin { .. } if !facts.owner.is_bot() => Err(not_the_bots()),
        Sender::Plugin { .. } if facts.owner_version != draft.owner_version => {
            Err(Refusal::new(Reason::OwnerChanged).allowing("a new turn of the bot"))
        }
        Sender::Rule { name } if answers_for_the_bot(name, draft) && is_attended(&facts.owner) => {
            Err(not_the_bots())
        }
        _ => Ok(()),
    }
}

/// Must this draft, if it is still queued, not be said any more once the conversation is this owner's? Whoever makes the
/// change withdraws such drafts in the same commit: a claim that read the old owner then finds them gone.
pub fn silences(owner: &Owner, draft: &Draft) -> bool {
    match &draft.sender {
        Sender::Plugin { farewell: true, .. } => is_attended(owner),
        Sender::Plugin { .. } => !owner.is_bot(),
        Sender::Rule { name } => answers_for_the_bot(name, draft) && is_attended(owner),
        Sender::ApiKey { .. } | Sender::Agent { .. } => false,
    }
}

fn not_the_bots() -> Refusal {
    Refusal::new(Reason::OwnerNotBot).allowing("messages of whoever owns the conversation")
}

fn answers_for_the_bot(rule: &str, draft: &Draft) -> bool {
    draft.class == DraftClass::Reply && !ALWAYS_HEARD.contains(&rule)
}

fn is_attended(owner: &Owner) -> bool {
    matches!(owner, Owner::Agent(_) | Owner::External(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::decide;
    use crate::policy::fixture::{code_of, facts, now, plugin_reply};

    fn verdict(owner: Owner, sender: Option<Sender>, version: i64) -> String {
        let mut facts = facts();
        let mut draft = plugin_reply("hi");
        facts.owner = owner;
        facts.owner_version += version;
        if let Some(sender) = sender {
            draft.sender = sender;
        }
        code_of(&decide(&facts, &draft, now())).to_owned()
    }

    fn rule(name: &str) -> Option<Sender> {
        Some(Sender::Rule { name: name.into() })
    }

    #[test]
    fn a_plugin_speaks_only_while_the_bot_owns_the_conversation() {
        assert_eq!(verdict(Owner::Bot, None, 0), "cleared");
        assert_eq!(
            verdict(Owner::Queue("sales".into()), None, 0),
            "owner_not_bot"
        );
        assert_eq!(
            verdict(Owner::Agent("ana".into()), None, 0),
            "owner_not_bot"
        );
        assert_eq!(
            verdict(Owner::External("crm".into()), None, 0),
            "owner_not_bot"
        );
    }

    #[test]
    fn a_plugins_draft_from_before_a_take_over_and_hand_back_is_refused() {
        assert_eq!(verdict(Owner::Bot, None, 2), "owner_changed");
    }

    #[test]
    fn a_plugins_farewell_goes_out_to_the_queue_and_keeps_quiet_once_a_person_answers() {
        let mut sender = plugin_reply("").sender;
        let Sender::Plugin { farewell, .. } = &mut sender else {
            panic!("the fixture's draft is a plugin's");
        };
        *farewell = true;
        let farewell = Some(sender);
        let queue = Owner::Queue("sales".into());
        assert_eq!(verdict(queue, farewell.clone(), 1), "cleared");
        // A queue that nobody serves gave it back at once.
        assert_eq!(verdict(Owner::Bot, farewell.clone(), 2), "cleared");
        let agent = Owner::Agent("ana".into());
        assert_eq!(verdict(agent, farewell, 2), "owner_not_bot");
    }

    #[test]
    fn people_and_clients_speak_whoever_owns_the_conversation() {
        let agent = Some(Sender::Agent { name: "bo".into() });
        let key = Some(Sender::ApiKey { name: "crm".into() });
        assert_eq!(verdict(Owner::Agent("ana".into()), agent, 3), "cleared");
        assert_eq!(verdict(Owner::Bot, key, 3), "cleared");
    }

    #[test]
    fn a_fallback_keeps_quiet_while_a_person_answers() {
        assert_eq!(
            verdict(Owner::Agent("ana".into()), rule("fallback"), 0),
            "owner_not_bot"
        );
        assert_eq!(
            verdict(Owner::Queue("sales".into()), rule("fallback"), 0),
            "cleared"
        );
        assert_eq!(
            verdict(Owner::Agent("ana".into()), rule("human_requested"), 0),
            "cleared"
        );
    }
}
