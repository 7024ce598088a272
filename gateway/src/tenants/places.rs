//! Where each kind of secret lies. Sealing and opening both ask here, so they cannot disagree.

use crate::domain::{AppId, CredentialId, TenantId};
use crate::secrets::Place;

/// Rows of the operator belong to no tenant.
const NOBODY: i64 = 0;

pub(super) fn verify_token(app: AppId) -> Place {
    Place {
        table: "app",
        column: "verify_token",
        tenant: NOBODY,
        row: app.raw(),
    }
}

pub(super) fn app_secret(id: i64) -> Place {
    Place {
        table: "app_secret",
        column: "secret",
        tenant: NOBODY,
        row: id,
    }
}

pub(super) fn secret(tenant: TenantId, id: i64) -> Place {
    Place {
        table: "secret",
        column: "value",
        tenant: tenant.raw(),
        row: id,
    }
}

pub(super) fn token(tenant: TenantId, credential: CredentialId) -> Place {
    Place {
        table: "credential",
        column: "token",
        tenant: tenant.raw(),
        row: credential.raw(),
    }
}
