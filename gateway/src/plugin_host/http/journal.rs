//! What was asked and answered, as the journal keeps it; a replay answers from it.

use serde::{Deserialize, Serialize};

use super::{HttpAnswer, HttpAsked, HttpRefused, HttpResponse};
use crate::domain::InstallationId;

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpRecord {
    pub installation: InstallationId,
    pub ordinal: u32,
    pub mark: String,
    /// For people: `GET https://shop.example/orders/7`.
    pub asked: String,
    #[serde(with = "written")]
    pub answer: HttpAnswer,
}

impl HttpRecord {
    pub(super) fn of(asked: &HttpAsked, answer: HttpAnswer) -> Self {
        Self {
            installation: asked.installation,
            ordinal: asked.ordinal,
            mark: asked.mark.clone(),
            asked: format!("{} {}", asked.request.method.name(), asked.request.url),
            answer,
        }
    }

    /// Was it this request, in this place?
    pub fn is_of(&self, asked: &HttpAsked) -> bool {
        (self.installation, self.ordinal) == (asked.installation, asked.ordinal)
            && self.mark == asked.mark
    }

    /// About as many as it takes in the journal.
    pub(in crate::plugin_host) fn bytes(&self) -> usize {
        let answer = match &self.answer {
            Ok(response) => {
                let headers = response.headers.iter();
                let headers: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
                headers + response.body.len()
            }
            Err(_) => 0,
        };
        self.asked.len() + 96 + answer
    }
}

/// A body that is text as it is, any other as base64.
mod written {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

    use super::{HttpAnswer, HttpRefused, HttpResponse};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Written {
        Response {
            status: u16,
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            headers: Vec<(String, String)>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            text: Option<String>,
            #[serde(default, skip_serializing_if = "Option::is_none")]
            base64: Option<String>,
        },
        Refused(HttpRefused),
    }

    pub(super) fn serialize<S: Serializer>(answer: &HttpAnswer, to: S) -> Result<S::Ok, S::Error> {
        let written = match answer {
            Ok(response) => {
                let text = std::str::from_utf8(&response.body).ok().map(str::to_owned);
                let base64 = text.is_none().then(|| STANDARD.encode(&response.body));
                Written::Response {
                    status: response.status,
                    headers: response.headers.clone(),
                    text,
                    base64,
                }
            }
            Err(refused) => Written::Refused(refused.clone()),
        };
        written.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<HttpAnswer, D::Error> {
        Ok(match Written::deserialize(from)? {
            Written::Refused(refused) => Err(refused),
            Written::Response {
                status,
                headers,
                text,
                base64,
            } => {
                let body = match base64 {
                    Some(base64) => STANDARD.decode(base64).map_err(D::Error::custom)?,
                    None => text.unwrap_or_default().into_bytes(),
                };
                Ok(HttpResponse {
                    status,
                    headers,
                    body,
                })
            }
        })
    }
}
