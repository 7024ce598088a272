//! Brings spans to a collector: OTLP over http, protobuf, many spans a request.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Span, Traces, wire};
use crate::telemetry::names;

/// The task that posts spans.
pub struct Exporter {
    spans: mpsc::Receiver<Span>,
    client: reqwest::Client,
    /// As `http://127.0.0.1:4318/v1/traces`.
    endpoint: String,
    /// The node's name.
    node: String,
}

/// Spans of one request.
const TOGETHER: usize = 512;
/// What came first waits so long for company.
const GATHER: Duration = Duration::from_secs(1);
/// A collector that takes longer loses the request.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Exporter {
    /// The exporter, and where its spans are told. `percent`: of the turns.
    pub fn new(
        client: reqwest::Client,
        endpoint: &str,
        node: &str,
        percent: f64,
    ) -> (Self, Traces) {
        let (traces, spans) = Traces::channel(percent);
        let exporter = Self {
            spans,
            client,
            endpoint: endpoint.to_owned(),
            node: node.to_owned(),
        };
        (exporter, traces)
    }

    /// Posts until stopped, and then what is left.
    pub async fn keep(mut self, stop: CancellationToken) {
        let mut batch = Vec::new();
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                n = self.spans.recv_many(&mut batch, TOGETHER) => if n == 0 {
                    stop.cancelled().await;
                    break;
                },
            }
            self.gather(&mut batch, &stop).await;
            self.post(&mut batch).await;
        }
        while let Ok(span) = self.spans.try_recv() {
            batch.push(span);
        }
        self.post(&mut batch).await;
    }

    async fn gather(&mut self, batch: &mut Vec<Span>, stop: &CancellationToken) {
        let company = async {
            while batch.len() < TOGETHER {
                if self.spans.recv_many(batch, TOGETHER).await == 0 {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(GATHER) => {}
            () = company => {}
        }
    }

    async fn post(&self, batch: &mut Vec<Span>) {
        if batch.is_empty() {
            return;
        }
        let request = self
            .client
            .post(&self.endpoint)
            .timeout(TIMEOUT)
            .header("content-type", "application/x-protobuf")
            .body(wire::request(&self.node, batch));
        let answer = request
            .send()
            .await
            .and_then(|answer| answer.error_for_status());
        let result = match answer {
            Ok(_) => "sent",
            Err(error) => {
                tracing::debug!(%error, spans = batch.len(), "the collector did not take spans");
                "dropped"
            }
        };
        metrics::counter!(names::SPANS, "result" => result).increment(batch.len() as u64);
        batch.clear();
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::super::{Attribute, nanos, span_of, trace_of};
    use super::*;
    use crate::domain::{Timestamp, TurnId};

    /// A collector on this machine: answers the first request's content type and body.
    async fn collector() -> (String, tokio::sync::oneshot::Receiver<(String, Vec<u8>)>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (told, heard) = tokio::sync::oneshot::channel();
        let told = std::sync::Mutex::new(Some(told));
        let take = move |headers: http::HeaderMap, body: axum::body::Bytes| {
            let kind = headers["content-type"].to_str().expect("text").to_owned();
            if let Some(told) = crate::sync::lock(&told).take() {
                let _ = told.send((kind, body.to_vec()));
            }
            std::future::ready(())
        };
        let take = std::sync::Arc::new(take);
        let routes = axum::Router::new().route(
            "/v1/traces",
            axum::routing::post(move |headers, body| take(headers, body)),
        );
        tokio::spawn(async move { axum::serve(listener, routes).await });
        (format!("http://{address}/v1/traces"), heard)
    }

    #[tokio::test]
    async fn a_collector_gets_spans_with_their_attributes() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (endpoint, heard) = collector().await;
        #[allow(clippy::disallowed_methods, reason = "a test's own client")]
        let client = reqwest::Client::new();
        let (exporter, traces) = Exporter::new(client, &endpoint, "node-1", 100.0);
        let stop = CancellationToken::new();
        let keeping = tokio::spawn(exporter.keep(stop.clone()));
        let (turn, start) = (TurnId::from_raw(7), nanos(Timestamp::from_millis(5)));
        assert!(traces.wants(turn));
        let trace = trace_of(turn);
        traces.tell(Span {
            name: "plugin call",
            trace,
            id: span_of(&trace, 1),
            parent: Some(span_of(&trace, 0)),
            start,
            end: start + 9,
            attributes: vec![
                ("vestibule.plugin", Attribute::Text("menu".to_owned())),
                ("vestibule.fuel", Attribute::Number(77)),
            ],
            error: Some("trap"),
        });
        stop.cancel();
        keeping.await.expect("it ends");
        let (kind, body) = heard.await.expect("a request");
        assert_eq!(kind, "application/x-protobuf");
        let request = wire::ExportTraceServiceRequest::decode(&*body).expect("OTLP");
        let resource = &request.resource_spans[0];
        let about = resource.resource.as_ref().expect("a resource");
        let named = |key: &str| {
            let found = about.attributes.iter().find(|pair| pair.key == key);
            found.and_then(|pair| pair.value.clone()?.value)
        };
        assert_eq!(
            named("service.name"),
            Some(wire::Value::Text("vestibule".to_owned()))
        );
        assert_eq!(
            named("service.instance.id"),
            Some(wire::Value::Text("node-1".to_owned()))
        );
        let span = &resource.scope_spans[0].spans[0];
        assert_eq!(
            (span.trace_id.as_slice(), span.start_time_unix_nano),
            (&trace[..], start)
        );
        assert_eq!(span.attributes.len(), 2);
        assert_eq!(
            span.attributes[1]
                .value
                .clone()
                .and_then(|value| value.value),
            Some(wire::Value::Number(77))
        );
        assert_eq!(span.status.as_ref().map(|status| status.code), Some(2));
    }

    #[tokio::test]
    async fn a_collector_that_is_not_there_keeps_nobody_waiting() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        #[allow(clippy::disallowed_methods, reason = "a test's own client")]
        let client = reqwest::Client::new();
        let (exporter, traces) = Exporter::new(client, "http://127.0.0.1:1/v1/traces", "n", 100.0);
        let trace = trace_of(TurnId::from_raw(1));
        for n in 0..10_000 {
            traces.tell(Span {
                name: "turn",
                trace,
                id: span_of(&trace, n),
                parent: None,
                start: 0,
                end: 1,
                attributes: Vec::new(),
                error: None,
            });
        }
        let stop = CancellationToken::new();
        stop.cancel();
        exporter.keep(stop).await;
    }
}
