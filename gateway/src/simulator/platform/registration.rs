//! Registering and deregistering a number, and the codes that verify it (`whatsapp-cloud-api.md` §6.7, §7.5).

use std::time::Duration;

use super::super::error::GraphError;
use super::super::number::Number;
use super::{Answered, Call, for_whatsapp, success};

/// Ten in 72 hours, of both together.
const MOST: usize = 10;
const WITHIN: Duration = Duration::from_secs(72 * 60 * 60);
/// The only code that `verify_code` takes: nobody gets an SMS from a simulator.
const CODE: &str = "123456";

impl Call<'_> {
    pub(super) fn registration(&self, number: &Number, edge: &str) -> Answered {
        match edge {
            "register" => self.register(number),
            "deregister" => self.deregister(number),
            "request_code" => self.request_code(number),
            _ => self.verify_code(number),
        }
    }

    fn register(&self, number: &Number) -> Answered {
        let body = self.json()?;
        for_whatsapp(&body)?;
        let pin = body["pin"].as_str().unwrap_or_default();
        if pin.len() != 6 || !pin.bytes().all(|b| b.is_ascii_digit()) {
            return Err(GraphError::new(100, "Param pin must be 6 digits."));
        }
        self.count(number)?;
        let mut account = number.account.lock();
        let state = &mut account.state;
        if state.code_verification_status != "VERIFIED" {
            return Err(GraphError::new(
                133006,
                "Phone number needs to be verified before registering",
            ));
        }
        match &state.pin {
            Some(known) if known != pin => {
                return Err(GraphError::new(
                    133005,
                    "Two-step verification PIN mismatch",
                ));
            }
            _ => state.pin = Some(pin.to_owned()),
        }
        state.registered = true;
        "CONNECTED".clone_into(&mut state.status);
        Ok(success())
    }

    fn deregister(&self, number: &Number) -> Answered {
        self.count(number)?;
        let mut account = number.account.lock();
        if !account.state.registered {
            return Err(GraphError::new(133010, "The number is not registered"));
        }
        account.state.registered = false;
        "DISCONNECTED".clone_into(&mut account.state.status);
        Ok(success())
    }

    fn count(&self, number: &Number) -> Result<(), GraphError> {
        let now = self.world.clock.now();
        let mut account = number.account.lock();
        account.registrations.retain(|at| now.since(*at) < WITHIN);
        if account.registrations.len() >= MOST {
            return Err(GraphError::new(
                133016,
                "Too many attempts to register or deregister in 72 hours",
            ));
        }
        account.registrations.push_back(now);
        Ok(())
    }

    fn request_code(&self, number: &Number) -> Answered {
        let body = self.json()?;
        let method = self.given(&body, "code_method");
        if !matches!(method.as_deref(), Some("SMS" | "VOICE")) {
            return Err(GraphError::new(
                100,
                "Param code_method must be one of {SMS, VOICE}.",
            ));
        }
        if number.state().code_verification_status == "VERIFIED" {
            return Err(GraphError::new(136024, "The number is verified already"));
        }
        Ok(success())
    }

    fn verify_code(&self, number: &Number) -> Answered {
        let body = self.json()?;
        if self.given(&body, "code").as_deref() != Some(CODE) {
            return Err(GraphError::new(136024, "The code is not right"));
        }
        "VERIFIED".clone_into(&mut number.account.lock().state.code_verification_status);
        Ok(success())
    }

    /// A parameter in the body or, as Graph takes it too, in the query.
    pub(super) fn given(&self, body: &serde_json::Value, name: &str) -> Option<String> {
        let in_body = body[name].as_str().map(str::to_owned);
        in_body.or_else(|| self.query.get(name).cloned())
    }
}
