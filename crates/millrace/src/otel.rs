//! Traces by OpenTelemetry, for installations that have a collector: the feature `otel`, off by default.
//!
//! What is set is what OpenTelemetry says for every program, in the environment: `OTEL_EXPORTER_OTLP_ENDPOINT` switches it on,
//! `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_SAMPLER` and kin do what they do elsewhere. A trace holds what the log holds,
//! and nothing else: the same spans, fields and lines, which never carry a secret.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::Subscriber;
use tracing_subscriber::{Layer, registry::LookupSpan};

/// What sends the traces; it must be ended, or the last of them are lost.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Sends what is still to be sent.
    pub fn end(self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!("the last traces were not sent: {error}");
        }
    }
}

/// A layer among others of a subscriber.
type OneLayer<S> = Box<dyn Layer<S> + Send + Sync>;

/// The layer that makes traces of spans, where a collector is named.
///
/// # Errors
/// When what the environment says cannot be used.
pub fn layer<S>() -> Result<Option<(OneLayer<S>, Traces)>, String>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !is_set("OTEL_EXPORTER_OTLP_ENDPOINT") && !is_set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") {
        return Ok(None);
    }
    let exporter = SpanExporter::builder().with_http().build().map_err(|error| error.to_string())?;
    let resource = Resource::builder();
    let resource = if is_set("OTEL_SERVICE_NAME") { resource } else { resource.with_service_name("millrace") };
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("millrace"));
    Ok(Some((Box::new(layer), Traces(provider))))
}
