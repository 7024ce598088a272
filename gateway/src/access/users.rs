//! People: added, changed, made inactive. A person whose keys must stop at once is made inactive.

use serde_json::{Value, json};

use super::Role;
use crate::audit::OPERATOR;
use crate::domain::{TenantId, UserId};
use crate::storage::Tx;
use crate::storage::users::{self, User};
use crate::tenants::{Expected, SetupContext, SetupError, check_text, revision};

type Result<T, E = SetupError> = std::result::Result<T, E>;

/// A person as somebody adds them.
#[derive(Debug, Clone)]
pub struct NewUser {
    pub realm: TenantId,
    pub name: String,
    pub email: String,
    pub role: Role,
}

/// What is to be changed; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct UserChange {
    pub name: Option<String>,
    pub email: Option<String>,
    pub role: Option<Role>,
    pub active: Option<bool>,
}

pub async fn create(setup: &SetupContext, new: NewUser) -> Result<User> {
    let user = User {
        id: UserId::from_raw(setup.next_id()),
        tenant: new.realm,
        name: new.name,
        email: new.email,
        role: new.role.text().to_owned(),
        active: true,
        created_at: setup.clock.now(),
    };
    check(&user)?;
    let mut tx = setup.db.begin().await?;
    users::insert_user(&mut tx, new.realm, &user).await?;
    let became = Some(shown(&user));
    setup
        .record(&mut tx, new.realm, "user.create", user.id, None, became)
        .await?;
    setup.commit(tx).await?;
    Ok(user)
}

/// Changes a person who is still as the caller has read them. Keys with a role keep theirs: they are made anew.
pub async fn update(
    setup: &SetupContext,
    realm: TenantId,
    id: UserId,
    change: UserChange,
    expected: &Expected,
) -> Result<User> {
    let mut tx = setup.db.begin().await?;
    let old = users::user_for_update(&mut tx, realm, id)
        .await?
        .ok_or_else(|| SetupError::not_found("user", &id.to_string()))?;
    expected.check(&revision_of(&old))?;
    let was = shown(&old);
    let user = User {
        name: change.name.unwrap_or(old.name),
        email: change.email.unwrap_or(old.email),
        role: change.role.map_or(old.role, |role| role.text().to_owned()),
        active: change.active.unwrap_or(old.active),
        ..old
    };
    check(&user)?;
    users::update_user(&mut tx, realm, &user).await?;
    let became = Some(shown(&user));
    setup
        .record(&mut tx, realm, "user.update", id, Some(was), became)
        .await?;
    setup.commit(tx).await?;
    Ok(user)
}

pub async fn find(setup: &SetupContext, realm: TenantId, id: UserId) -> Result<User> {
    let mut tx = setup.db.read().await?;
    users::user(&mut tx, realm, id)
        .await?
        .ok_or_else(|| SetupError::not_found("user", &id.to_string()))
}

/// People of a realm after an id, oldest first.
pub async fn list(
    setup: &SetupContext,
    realm: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<User>> {
    let mut tx = setup.db.read().await?;
    Ok(users::users(&mut tx, realm, after, most).await?)
}

/// The person whom a new key is for.
pub(super) async fn active(tx: &mut Tx, realm: TenantId, id: UserId) -> Result<User> {
    let user = users::user(tx, realm, id)
        .await?
        .ok_or_else(|| SetupError::not_found("user", &id.to_string()))?;
    match user.active {
        true => Ok(user),
        false => Err(SetupError::invalid("the user", "is not active")),
    }
}

/// By which an editor says what they have read.
pub fn revision_of(user: &User) -> String {
    revision(&shown(user))
}

fn check(user: &User) -> Result<()> {
    check_text("the user's name", &user.name, 100)?;
    let email = &user.email;
    let plausible = email.contains('@') && !email.contains(char::is_whitespace);
    if !email.is_empty() && (email.len() > 254 || !plausible) {
        return Err(SetupError::invalid("the email", "is no email address"));
    }
    let of_operator = Role::read(&user.role).is_some_and(Role::is_of_operator);
    if of_operator != (user.tenant == OPERATOR) {
        let problem = "operator is the role of people without a tenant, and their only one";
        return Err(SetupError::invalid("the role", problem));
    }
    Ok(())
}

fn shown(user: &User) -> Value {
    json!({
        "name": user.name,
        "email": user.email,
        "role": user.role,
        "active": user.active,
    })
}
