//! Who may do what: every operation of the API, once. A new route that is not here is nobody's, and the matrix test
//! says that its row is missing.

use crate::access::{Grant, Principal, Role, ScopeKind};

use Role::{Agent, Analyst, Auditor, Developer, Operator, PluginAuthor, TenantAdmin};

/// Who may do one thing.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// The `operationId` of the document.
    pub operation: &'static str,
    pub roles: &'static [Role],
    /// Narrow tokens with such a scope may too; the handler holds them to the number or event type of the scope.
    pub scopes: &'static [ScopeKind],
    /// Everybody with a good key, whatever it gives.
    pub any_key: bool,
}

const EVERY_ROLE: &[Role] = &Role::ALL;
const OPERATOR: &[Role] = &[Operator];
const ADMINS: &[Role] = &[Operator, TenantAdmin];
const ADMINS_AND_AUDITOR: &[Role] = &[Operator, TenantAdmin, Auditor];
const BUILDERS: &[Role] = &[Operator, TenantAdmin, Developer];
const PLUGINS: &[Role] = &[Operator, TenantAdmin, Developer, PluginAuthor];
const SEE_PLUGINS: &[Role] = &[Operator, TenantAdmin, Developer, PluginAuthor, Auditor];
const SEE_JOBS: &[Role] = &[Operator, TenantAdmin, Developer, Analyst, Auditor];
const SEE_METRICS: &[Role] = &[Operator, TenantAdmin, Developer, PluginAuthor, Analyst];
const SEE_TEMPLATES: &[Role] = &[Operator, TenantAdmin, Developer, Agent, Analyst, Auditor];
const DESK: &[Role] = &[Operator, TenantAdmin, Developer, Agent];
const SEE_CONSENT: &[Role] = &[Operator, TenantAdmin, Developer, Agent, Auditor];
const SEE_HOLDS: &[Role] = &[Operator, TenantAdmin, Developer, Agent, Analyst, Auditor];

const fn roles(operation: &'static str, roles: &'static [Role]) -> Rule {
    Rule {
        operation,
        roles,
        scopes: &[],
        any_key: false,
    }
}

const fn any_key(operation: &'static str) -> Rule {
    Rule {
        any_key: true,
        ..roles(operation, EVERY_ROLE)
    }
}

/// What narrow tokens that send may do as well.
const fn senders(operation: &'static str) -> Rule {
    Rule {
        scopes: &[ScopeKind::Send],
        ..roles(operation, DESK)
    }
}

/// What narrow tokens that tell of events may do as well.
const fn tellers(operation: &'static str) -> Rule {
    Rule {
        scopes: &[ScopeKind::Event],
        ..roles(operation, BUILDERS)
    }
}

/// The table.
pub const RULES: &[Rule] = &[
    any_key("me.get"),
    any_key("health.get"),
    any_key("roles.list"),
    roles("status.get", OPERATOR),
    roles("tenants.list", OPERATOR),
    roles("tenants.create", OPERATOR),
    roles("tenants.get", EVERY_ROLE),
    roles("tenants.update", ADMINS),
    roles("tenants.delete", OPERATOR),
    roles("tenants.checklist", SEE_HOLDS),
    roles("checklist.get", SEE_HOLDS),
    roles("checklist.attest", ADMINS),
    roles("checklist.withdraw", ADMINS),
    roles("apps.list", OPERATOR),
    roles("apps.create", OPERATOR),
    roles("apps.get", OPERATOR),
    roles("apps.delete", OPERATOR),
    roles("apps.add_secret", OPERATOR),
    roles("credentials.list", BUILDERS),
    roles("credentials.get", BUILDERS),
    roles("credentials.create", ADMINS),
    roles("credentials.replace_token", ADMINS),
    roles("credentials.delete", ADMINS),
    roles("secrets.list", SEE_PLUGINS),
    roles("secrets.put", ADMINS),
    roles("secrets.delete", ADMINS),
    roles("numbers.list", EVERY_ROLE),
    roles("numbers.get", EVERY_ROLE),
    roles("numbers.create", ADMINS),
    roles("numbers.update", ADMINS),
    roles("account_facts.list", SEE_HOLDS),
    roles("account_events.list", BUILDERS),
    roles("numbers.delete", ADMINS),
    roles("users.list", ADMINS_AND_AUDITOR),
    roles("users.get", ADMINS_AND_AUDITOR),
    roles("users.create", ADMINS),
    roles("users.update", ADMINS),
    roles("keys.list", ADMINS_AND_AUDITOR),
    roles("keys.get", ADMINS_AND_AUDITOR),
    roles("keys.create", ADMINS),
    roles("keys.rotate", ADMINS),
    roles("keys.revoke", ADMINS),
    roles("holds.list", SEE_HOLDS),
    roles("holds.get", SEE_HOLDS),
    roles("holds.place", ADMINS),
    roles("holds.lift", ADMINS),
    roles("plugins.list", SEE_PLUGINS),
    roles("plugins.get", SEE_PLUGINS),
    roles("plugins.upload", PLUGINS),
    roles("plugins.health", SEE_PLUGINS),
    roles("plugins.metrics", SEE_METRICS),
    roles("plugins.stop", OPERATOR),
    roles("plugins.allow", OPERATOR),
    roles("plugin_keys.list", OPERATOR),
    roles("plugin_keys.add", OPERATOR),
    roles("plugin_keys.revoke", OPERATOR),
    roles("installations.list", SEE_PLUGINS),
    roles("installations.get", SEE_PLUGINS),
    roles("installations.versions", SEE_PLUGINS),
    roles("installations.logs", PLUGINS),
    roles("installations.install", PLUGINS),
    roles("installations.update", PLUGINS),
    roles("installations.promote", PLUGINS),
    roles("installations.pause", PLUGINS),
    roles("installations.resume", PLUGINS),
    roles("installations.roll_back", PLUGINS),
    roles("installations.remove", PLUGINS),
    // What comes of it tells what customers said.
    roles("installations.replay", BUILDERS),
    roles("audit.list", ADMINS_AND_AUDITOR),
    roles("audit.get", ADMINS_AND_AUDITOR),
    roles("audit.verify", ADMINS_AND_AUDITOR),
    roles("contacts.list", DESK),
    roles("contacts.get", DESK),
    roles("contacts.permission", DESK),
    roles("usage.get", DESK),
    roles("contacts.upsert", DESK),
    roles("contacts.update", DESK),
    roles("contacts.import", BUILDERS),
    roles("contacts.erase_journals", ADMINS),
    roles("blocks.list", SEE_CONSENT),
    roles("blocks.block", DESK),
    roles("blocks.unblock", DESK),
    roles("consents.list", SEE_CONSENT),
    roles("consents.record", DESK),
    roles("consents.import", BUILDERS),
    roles("consents.export", ADMINS_AND_AUDITOR),
    roles("consents.erase", ADMINS),
    roles("consents.verify", ADMINS_AND_AUDITOR),
    roles("consent_pages.list", SEE_CONSENT),
    roles("consent_pages.put", BUILDERS),
    roles("consent_topics.list", SEE_CONSENT),
    roles("consent_topics.add", BUILDERS),
    roles("contact_attributes.list", DESK),
    roles("contact_attributes.define", BUILDERS),
    roles("conversations.list", DESK),
    roles("conversations.get", DESK),
    roles("conversations.permission", DESK),
    roles("conversations.history", DESK),
    roles("conversations.notes", DESK),
    roles("conversations.take_over", DESK),
    roles("conversations.assign", DESK),
    roles("conversations.hand_back", DESK),
    roles("conversations.close", DESK),
    roles("conversations.reopen", DESK),
    roles("conversations.snooze", DESK),
    roles("conversations.wake", DESK),
    senders("conversations.say"),
    roles("messages.list", DESK),
    senders("messages.get"),
    roles("messages.cancel", DESK),
    roles("explain.get", SEE_HOLDS),
    senders("media.upload"),
    roles("media.download", DESK),
    roles("events.list", DESK),
    roles("events.stream", DESK),
    tellers("events.tell"),
    roles("hooks.list", BUILDERS),
    roles("hooks.get", BUILDERS),
    roles("hooks.create", BUILDERS),
    roles("hooks.update", BUILDERS),
    roles("hooks.delete", BUILDERS),
    roles("hooks.rotate", BUILDERS),
    roles("hooks.replay", BUILDERS),
    roles("hooks.dead_letters", BUILDERS),
    roles("hooks.revive", BUILDERS),
    roles("templates.list", SEE_TEMPLATES),
    roles("templates.get", SEE_TEMPLATES),
    roles("templates.history", SEE_TEMPLATES),
    roles("templates.accounts", SEE_TEMPLATES),
    roles("templates.lint", SEE_TEMPLATES),
    roles("templates.create", BUILDERS),
    roles("templates.update", BUILDERS),
    roles("templates.copy", BUILDERS),
    roles("templates.delete", BUILDERS),
    roles("templates.sync", BUILDERS),
    roles("jobs.list", SEE_JOBS),
    roles("jobs.get", SEE_JOBS),
    roles("jobs.rejects", SEE_JOBS),
    roles("jobs.cancel", BUILDERS),
    roles("jobs.resume", BUILDERS),
];

/// The rule of an operation.
pub fn rule(operation: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.operation == operation)
}

/// May they?
pub fn allows(operation: &str, principal: &Principal) -> bool {
    let Some(rule) = rule(operation) else {
        return false;
    };
    rule.any_key
        || match &principal.grant {
            Grant::Role(role) => rule.roles.contains(role),
            Grant::Scopes(scopes) => scopes
                .iter()
                .any(|scope| rule.scopes.contains(&scope.kind())),
        }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_stands_there_once_and_the_operator_may_do_all() {
        let names: BTreeSet<_> = RULES.iter().map(|rule| rule.operation).collect();
        assert_eq!(names.len(), RULES.len());
        for rule in RULES {
            assert!(rule.roles.contains(&Operator), "{}", rule.operation);
        }
    }

    #[test]
    fn an_operation_without_a_rule_is_nobodys() {
        let principal = Principal {
            key: crate::domain::ApiKeyId::from_raw(1),
            name: "root".to_owned(),
            realm: crate::audit::OPERATOR,
            grant: Grant::Role(Operator),
            user: None,
        };
        assert!(allows("tenants.list", &principal));
        assert!(!allows("tenants.destroy", &principal));
    }
}
