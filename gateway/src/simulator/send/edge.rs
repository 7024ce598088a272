//! The two ways in: `/messages` and `/marketing_messages` (`whatsapp-cloud-api.md` §4.1, §4.6).

use serde_json::Value;

use super::super::error::GraphError;
use super::super::template::TemplateCategory;
use super::super::waba::WabaState;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Edge {
    Messages,
    Marketing,
}

impl Edge {
    /// The number and the edge that a path without its version names.
    pub fn of<'a>(parts: &[&'a str]) -> Option<(&'a str, Self)> {
        match *parts {
            [number, "messages"] => Some((number, Self::Messages)),
            [number, "marketing_messages"] => Some((number, Self::Marketing)),
            _ => None,
        }
    }

    /// What the edge says before it has looked at the content.
    pub fn takes(self, kind: &str, message: &Value) -> Result<(), GraphError> {
        if self == Self::Messages {
            return Ok(());
        }
        if kind != "template" {
            return Err(GraphError::new(
                100,
                "Only templates can be sent by marketing_messages.",
            ));
        }
        match message["product_policy"]
            .as_str()
            .unwrap_or("CLOUD_API_FALLBACK")
        {
            "CLOUD_API_FALLBACK" | "STRICT" => {}
            _ => {
                return Err(GraphError::invalid(
                    "product_policy",
                    "must be CLOUD_API_FALLBACK or STRICT",
                ));
            }
        }
        match &message["message_activity_sharing"] {
            Value::Null | Value::Bool(_) => Ok(()),
            _ => Err(GraphError::invalid(
                "message_activity_sharing",
                "must be true or false",
            )),
        }
    }

    /// What the account may send here.
    pub fn allows(
        self,
        waba: &WabaState,
        category: Option<TemplateCategory>,
    ) -> Result<(), GraphError> {
        let marketing = category == Some(TemplateCategory::Marketing);
        match self {
            Self::Messages if marketing && !waba.marketing_on_cloud_api => Err(GraphError::new(
                131063,
                "Marketing templates are disabled on Cloud API for this account",
            )),
            Self::Marketing if !marketing => Err(GraphError::new(
                134100,
                "Only marketing templates can be sent by marketing_messages",
            )),
            Self::Marketing if waba.marketing_messages != "ONBOARDED" => Err(GraphError::new(
                134102,
                "The account is not eligible for the Marketing Messages API",
            )),
            _ => Ok(()),
        }
    }
}
