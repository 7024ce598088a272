//! OTLP's protobuf messages, as far as spans need them (opentelemetry-proto 1.x, `trace/v1/trace.proto`). The numbers are
//! the protocol's; the SDK's crates would bring threads, clocks and randomness of their own for these seventy lines.

use prost::{Message, Oneof};

use super::{Attribute, Span};

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportTraceServiceRequest {
    #[prost(message, repeated, tag = "1")]
    pub resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    pub resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    pub scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    pub spans: Vec<WireSpan>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Scope {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub version: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct WireSpan {
    #[prost(bytes = "vec", tag = "1")]
    pub trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    pub name: String,
    /// 1: internal.
    #[prost(int32, tag = "6")]
    pub kind: i32,
    #[prost(fixed64, tag = "7")]
    pub start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    pub end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    pub attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    pub status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    #[prost(string, tag = "2")]
    pub message: String,
    /// 2: error.
    #[prost(int32, tag = "3")]
    pub code: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(message, optional, tag = "2")]
    pub value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 3")]
    pub value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "3")]
    Number(i64),
}

const INTERNAL: i32 = 1;
const ERROR: i32 = 2;

/// One request with these spans.
pub(super) fn request(node: &str, spans: &[Span]) -> Vec<u8> {
    let text = |text: &str| Attribute::Text(text.to_owned());
    let resource = Resource {
        attributes: vec![
            key_value("service.name", &text("vestibule")),
            key_value("service.version", &text(env!("CARGO_PKG_VERSION"))),
            key_value("service.instance.id", &text(node)),
        ],
    };
    let scope = Scope {
        name: "vestibule".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let spans = ScopeSpans {
        scope: Some(scope),
        spans: spans.iter().map(wire_span).collect(),
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![spans],
        }],
    };
    request.encode_to_vec()
}

fn wire_span(span: &Span) -> WireSpan {
    let attributes = span.attributes.iter();
    WireSpan {
        trace_id: span.trace.to_vec(),
        span_id: span.id.to_vec(),
        parent_span_id: span.parent.map(Vec::from).unwrap_or_default(),
        name: span.name.to_owned(),
        kind: INTERNAL,
        start_time_unix_nano: span.start,
        end_time_unix_nano: span.end,
        attributes: attributes
            .map(|(key, value)| key_value(key, value))
            .collect(),
        status: span.error.map(|kind| Status {
            message: kind.to_owned(),
            code: ERROR,
        }),
    }
}

fn key_value(key: &str, value: &Attribute) -> KeyValue {
    let value = match value {
        Attribute::Text(text) => Value::Text(text.clone()),
        Attribute::Number(number) => Value::Number(*number),
    };
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
    }
}
