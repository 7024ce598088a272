//! The Prometheus recorder of the process and its page.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use tokio_util::sync::CancellationToken;

use super::names;
use super::plugins::PluginMeters;

const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Histograms are drained this often, so that they stay small while nobody scrapes.
const UPKEEP: Duration = Duration::from_secs(5);

/// What the process has counted so far.
#[derive(Debug, Clone)]
pub struct Recorder {
    recorded: PrometheusHandle,
    plugins: Option<Arc<PluginMeters>>,
}

impl Recorder {
    /// Makes this the recorder that `metrics::counter!` and its like write to. Called once, by `app`; a second call in
    /// one process (tests) gets a recorder of its own that stays empty.
    pub fn install() -> Self {
        let recorder = recorder();
        let handle = recorder.handle();
        match ::metrics::set_global_recorder(recorder) {
            Ok(()) => names::describe(),
            Err(_) => tracing::debug!("metrics were installed before"),
        }
        Self {
            recorded: handle,
            plugins: None,
        }
    }

    /// Shows these meters on its page too.
    pub fn with_plugins(mut self, plugins: Arc<PluginMeters>) -> Self {
        self.plugins = Some(plugins);
        self
    }

    /// `GET /metrics`.
    pub fn routes(&self) -> Router {
        Router::new()
            .route("/metrics", get(page))
            .with_state(self.clone())
    }

    /// Drains histograms until `stop`.
    pub async fn upkeep(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(UPKEEP);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.recorded.run_upkeep();
        }
    }

    pub fn render(&self) -> String {
        let plugins = self.plugins.as_ref();
        self.recorded.render() + &plugins.map(|meters| meters.render()).unwrap_or_default()
    }
}

fn recorder() -> PrometheusRecorder {
    let seconds = Matcher::Suffix("_seconds".to_owned());
    PrometheusBuilder::new()
        .set_buckets_for_metric(seconds, names::SECONDS)
        .expect("the buckets are not empty")
        .build_recorder()
}

async fn page(State(recorder): State<Recorder>) -> impl IntoResponse {
    ([(CONTENT_TYPE, TEXT_FORMAT)], recorder.render())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_histograms_with_buckets_that_prometheus_can_add_up() {
        let recorder = recorder();
        let handle = Recorder {
            recorded: recorder.handle(),
            plugins: None,
        };
        ::metrics::with_local_recorder(&recorder, || {
            names::describe();
            ::metrics::counter!(names::WEBHOOKS, "outcome" => "kept").increment(2);
            ::metrics::histogram!(names::PLUGIN_CALL_SECONDS).record(0.003);
        });
        let text = handle.render();
        assert!(
            text.contains("vestibule_webhooks_total{outcome=\"kept\"} 2"),
            "{text}"
        );
        assert!(
            text.contains("vestibule_plugin_call_seconds_bucket{le=\"0.005\"} 1"),
            "{text}"
        );
        assert!(text.contains("# HELP vestibule_webhooks_total"), "{text}");
    }
}
