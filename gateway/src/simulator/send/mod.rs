//! `POST /{version?}/{phone_number_id}/messages` and `/marketing_messages`: the Graph side (`whatsapp-cloud-api.md` §4).
//!
//! token → number → scripted fault → content (`plain`, `medium`, `interactive`) → rules → accept → answer.

mod accept;
mod content;
mod edge;
mod interactive;
pub(super) mod medium;
mod plain;
mod rules;

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::error::GraphError;
use super::faults::{FaultKind, SendFault};
use super::number::Number;
use super::requests::{Answered, Arrival, NewRecord};
use super::violation::Violation;
use super::world::{World, monotonic};

pub(super) use edge::Edge;

/// What goes back on the connection.
#[derive(Debug)]
pub(super) enum Reply {
    Answer {
        status: StatusCode,
        body: Bytes,
    },
    /// Nothing: the connection is closed.
    Cut,
}

/// What a granted request is answered.
enum Granted {
    Sent {
        body: Value,
        wamid: String,
        /// A broken rule that Meta answers by a status.
        breach: Option<GraphError>,
    },
    MarkedRead,
}

/// A request and what could be read of it.
struct Request<'a> {
    phone_number_id: &'a str,
    edge: Edge,
    token: Option<&'a str>,
    message: Result<Value, GraphError>,
    recipient: Option<String>,
}

impl Request<'_> {
    fn opaque(&self) -> Option<&str> {
        let message = self.message.as_ref().ok()?;
        message["biz_opaque_callback_data"].as_str()
    }
}

impl World {
    /// Handles one request to `/messages` or `/marketing_messages`.
    pub(super) async fn messages(
        &self,
        phone_number_id: &str,
        edge: Edge,
        token: Option<&str>,
        body: Bytes,
    ) -> Reply {
        let arrival = Arrival {
            at: self.clock.now(),
            instant: monotonic(),
        };
        self.counters.requests.one();
        let request = self.read(phone_number_id, edge, token, &body);
        let fault = self
            .faults
            .take_send(phone_number_id, request.recipient.as_deref());
        if let Some(SendFault(FaultKind::StallMs(ms))) = fault {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        let outcome = match fault.as_ref().and_then(SendFault::instead) {
            Some(refusal) => Err(refusal),
            None => Ok(self.grant(&request)),
        };
        let (reply, answer, breach) = self.reply(outcome, fault.as_ref());
        if let Some(breach) = breach {
            self.violation(arrival, &request, breach);
        }
        let is_accepted = answer.wamid.is_some();
        self.record(arrival, &request, &body, answer);
        // Whoever sees it counted finds it among the requests.
        if is_accepted {
            self.counters.accepted.one();
        }
        if let Some(SendFault(FaultKind::SlowMs(ms))) = fault {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        reply
    }

    fn read<'a>(
        &self,
        phone_number_id: &'a str,
        edge: Edge,
        token: Option<&'a str>,
        body: &[u8],
    ) -> Request<'a> {
        let message: Result<Value, _> = serde_json::from_slice(body)
            .map_err(|_| GraphError::new(100, "The request body is not valid JSON."));
        let recipient = message.as_ref().ok().and_then(|message| {
            let number = self.number(phone_number_id).ok()?;
            content::recipient_key(message, number.waba_id())
        });
        Request {
            phone_number_id,
            edge,
            token,
            message,
            recipient,
        }
    }

    /// Token, number, then the message itself.
    fn grant(&self, request: &Request<'_>) -> Result<Granted, GraphError> {
        let token = request.token.ok_or_else(GraphError::bad_token)?;
        let number = self
            .number(request.phone_number_id)
            .map_err(|_| GraphError::unknown_object(request.phone_number_id))?;
        if number.spec().access_token != token {
            return Err(GraphError::bad_token());
        }
        let message = request.message.as_ref().map_err(Clone::clone)?;
        if message["messaging_product"] != "whatsapp" {
            return Err(GraphError::new(
                100,
                "The parameter messaging_product is required.",
            ));
        }
        match message["status"]
            .as_str()
            .filter(|_| request.edge == Edge::Messages)
        {
            Some("read") => self.mark_read(&number, message),
            Some(_) => Err(GraphError::invalid("status", "must be read")),
            None => self.accept(&number, request.edge, message),
        }
    }

    /// Counts the outcome, makes the bytes, and says which rule was broken. Scripted errors break none.
    fn reply(
        &self,
        outcome: Result<Result<Granted, GraphError>, Instead>,
        fault: Option<&SendFault>,
    ) -> (Reply, Answered, Option<GraphError>) {
        let mut answer = Answered {
            fault: fault.map(|fault| fault.0.word()),
            ..Answered::default()
        };
        if fault.is_some() {
            self.counters.faults_played.one();
        }
        let (reply, breach) = match outcome {
            Err(instead) => (instead.reply(&mut answer), None),
            Ok(Err(error)) => {
                self.counters.refused.one();
                (refusal(&error, &mut answer), Some(error))
            }
            Ok(Ok(granted)) => granted.reply(fault, &mut answer),
        };
        if let Reply::Answer { status, .. } = &reply {
            answer.status = Some(status.as_u16());
        }
        (reply, answer, breach)
    }

    fn violation(&self, arrival: Arrival, request: &Request<'_>, breach: GraphError) {
        let violation = Violation {
            code: breach.code,
            phone_number_id: request.phone_number_id.to_owned(),
            recipient: request.recipient.clone(),
            at: arrival.at,
            details: breach.details,
            opaque: request.opaque().map(str::to_owned),
        };
        self.violations.record(violation, &self.counters);
    }

    fn record(&self, arrival: Arrival, request: &Request<'_>, body: &[u8], answer: Answered) {
        self.requests.record(
            NewRecord {
                arrival,
                phone_number_id: request.phone_number_id,
                recipient: request.recipient.as_deref(),
                opaque: request.opaque(),
                body,
                answer,
            },
            &self.counters,
        );
    }

    fn mark_read(&self, number: &Number, message: &Value) -> Result<Granted, GraphError> {
        let id = content::required(&message["message_id"], "message_id")?;
        let typing = match &message["typing_indicator"] {
            Value::Null => false,
            indicator if indicator["type"] == "text" => true,
            _ => {
                return Err(GraphError::invalid(
                    "typing_indicator['type']",
                    "must be text",
                ));
            }
        };
        self.read_by_business(number, id, typing)?;
        self.counters.marked_read.one();
        Ok(Granted::MarkedRead)
    }
}

/// A scripted answer in place of what would have happened.
enum Instead {
    Error(GraphError),
    Http(StatusCode),
    Cut,
}

impl SendFault {
    fn instead(&self) -> Option<Instead> {
        match &self.0 {
            FaultKind::Error {
                code,
                status,
                details,
            } => {
                let scripted = details.as_deref().unwrap_or("scripted fault");
                let mut error = GraphError::new(*code, scripted);
                if let Some(status) = status.and_then(|status| StatusCode::from_u16(status).ok()) {
                    error.status = status;
                }
                Some(Instead::Error(error))
            }
            FaultKind::Http { status } => Some(Instead::Http(
                StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            )),
            FaultKind::CutBefore => Some(Instead::Cut),
            _ => None,
        }
    }
}

impl Instead {
    fn reply(self, answer: &mut Answered) -> Reply {
        match self {
            Self::Error(error) => refusal(&error, answer),
            Self::Http(status) => Reply::Answer {
                status,
                body: Bytes::from_static(b"<html><body>upstream error</body></html>"),
            },
            Self::Cut => Reply::Cut,
        }
    }
}

impl Granted {
    fn reply(
        self,
        fault: Option<&SendFault>,
        answer: &mut Answered,
    ) -> (Reply, Option<GraphError>) {
        let (body, breach) = match self {
            Self::MarkedRead => (json!({ "success": true }), None),
            Self::Sent {
                body,
                wamid,
                breach,
            } => {
                answer.wamid = Some(wamid);
                (body, breach)
            }
        };
        let body = match fault {
            Some(SendFault(FaultKind::CutAfter)) => return (Reply::Cut, breach),
            Some(SendFault(FaultKind::Malformed)) => {
                Bytes::from_static(b"{\"messaging_product\":\"whatsapp\",\"mess")
            }
            _ => Bytes::from(body.to_string()),
        };
        let reply = Reply::Answer {
            status: StatusCode::OK,
            body,
        };
        (reply, breach)
    }
}

fn refusal(error: &GraphError, answer: &mut Answered) -> Reply {
    answer.code = Some(error.code);
    Reply::Answer {
        status: error.status,
        body: Bytes::from(error.body("ASimTrace0000000000000").to_string()),
    }
}
