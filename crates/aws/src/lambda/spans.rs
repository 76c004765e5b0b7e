//! What an invocation did, as spans of OpenTelemetry: itself, and each request to a service of AWS within it.
//!
//! Only traces that X-Ray samples are recorded. Spans are sent (OTLP over HTTP, as JSON) after the answer and before the next
//! invocation is asked for, so that nobody waits for them; what cannot be sent is dropped. Only spans of this crate are
//! told, and their fields name services and operations: nothing personal.
//!
//! Why not the `opentelemetry` crates: they bring a runtime for batches, which Lambda freezes, and protobuf. This is one request.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::client::{Aws, Request};
use crate::trace::Trace;

/// The most spans of an invocation; further ones are dropped.
const MAX_SPANS: usize = 1_000;
/// How long sending may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(1);
/// Where spans are told of, from here on.
const TARGET: &str = "aws";

static SPANS: OnceLock<Spans> = OnceLock::new();

/// Records spans; a layer of `tracing`. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Spans(Arc<Recorded>);

#[derive(Debug, Default)]
struct Recorded {
    active: AtomicBool,
    done: Mutex<Vec<Span>>,
}

/// A span in work or done.
#[derive(Debug, Clone)]
struct Span {
    id: u64,
    parent: Option<u64>,
    name: &'static str,
    began: u128,
    ended: u128,
    fields: Vec<(&'static str, String)>,
}

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

impl Visit for Span {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.fields.push((field.name(), format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.push((field.name(), value.to_owned()));
    }
}

impl<S: tracing::Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if !self.0.active.load(Ordering::Relaxed) || !attributes.metadata().target().starts_with(TARGET) {
            return;
        }
        let Some(reference) = context.span(id) else { return };
        let parent = reference.parent().and_then(|parent| parent.extensions().get::<Span>().map(|span| span.id));
        let name = attributes.metadata().name();
        let mut span = Span { id: random(), parent, name, began: now(), ended: 0, fields: Vec::new() };
        attributes.record(&mut span);
        reference.extensions_mut().insert(span);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(reference) = context.span(id)
            && let Some(span) = reference.extensions_mut().get_mut::<Span>()
        {
            values.record(span);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).and_then(|reference| reference.extensions_mut().remove::<Span>());
        if let Some(span) = span {
            let mut done = self.0.done.lock();
            if done.len() < MAX_SPANS {
                done.push(Span { ended: now(), ..span });
            }
        }
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without random numbers the clock tells spans apart; zero would be no id.
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes).max(1),
        Err(_) => u64::try_from(now() & u128::from(u64::MAX)).unwrap_or(1).max(1),
    }
}

/// The recorder of this process; the binary puts it among the layers of `tracing`.
#[must_use]
pub fn recorder() -> Spans {
    SPANS.get_or_init(Spans::default).clone()
}

/// Where spans go.
pub(super) struct Exporter {
    aws: Aws,
    url: String,
    handler: String,
    stage: String,
}

impl Exporter {
    /// To the address in `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, which is signed for; `None` without it.
    pub(super) fn from_variables(aws: Aws, stage: &str) -> Option<Exporter> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let url = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")?;
        Some(Exporter { aws, url, handler: variable("_HANDLER").unwrap_or_default(), stage: stage.to_owned() })
    }

    /// Records what belongs to this trace from here on, if it is sampled.
    pub(super) fn begin(&self, trace: Option<&Trace>) {
        let recorded = &recorder().0;
        recorded.done.lock().clear();
        recorded.active.store(trace.is_some_and(|trace| trace.sampled), Ordering::Relaxed);
    }

    /// Sends what was recorded.
    pub(super) async fn end(&self, trace: Option<&Trace>) {
        let recorded = &recorder().0;
        recorded.active.store(false, Ordering::Relaxed);
        let spans = std::mem::take(&mut *recorded.done.lock());
        let Some(trace) = trace.filter(|_| !spans.is_empty()) else { return };
        let body = self.request(trace, &spans).to_string();
        let headers = vec![("content-type", "application/json".to_owned())];
        let request = Request { service: "xray", method: "POST", url: self.url.clone(), headers, body };
        match tokio::time::timeout(SEND_TIMEOUT, self.aws.send_once(&request)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::debug!(%error, "spans are lost"),
            Err(_) => tracing::debug!("spans are lost: nobody takes them"),
        }
    }

    /// An `ExportTraceServiceRequest` in JSON (OTLP 1.x, "JSON Protobuf Encoding").
    fn request(&self, trace: &Trace, spans: &[Span]) -> Json {
        let attribute = |key: &str, value: &str| json!({ "key": key, "value": { "stringValue": value } });
        let span = |span: &Span| {
            let parent = span.parent.map(|id| format!("{id:016x}")).or_else(|| trace.parent.clone());
            let field = |name: &str| span.fields.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str());
            let name = match (field("rpc.service"), field("rpc.method")) {
                (Some(service), Some(method)) => format!("{service}.{method}"),
                _ => format!("{} {}", span.name, self.handler),
            };
            let attributes: Vec<Json> = span.fields.iter().map(|(key, value)| attribute(key, value)).collect();
            let failed = field("error").is_some();
            json!({
                "traceId": trace.id, "spanId": format!("{:016x}", span.id), "parentSpanId": parent.unwrap_or_default(),
                "name": name,
                // SPAN_KIND_SERVER, SPAN_KIND_CLIENT.
                "kind": if span.parent.is_none() { 2 } else { 3 },
                "startTimeUnixNano": span.began.to_string(), "endTimeUnixNano": span.ended.to_string(),
                "attributes": attributes,
                // STATUS_CODE_ERROR.
                "status": if failed { json!({ "code": 2 }) } else { json!({}) },
            })
        };
        let spans: Vec<Json> = spans.iter().map(span).collect();
        let resource = [
            attribute("service.name", "comanda"),
            attribute("service.version", env!("CARGO_PKG_VERSION")),
            attribute("deployment.environment.name", &self.stage),
            attribute("cloud.provider", "aws"),
            attribute("cloud.platform", "aws_lambda"),
            attribute("faas.name", &self.handler),
        ];
        json!({ "resourceSpans": [{
            "resource": { "attributes": resource },
            "scopeSpans": [{ "scope": { "name": "comanda" }, "spans": spans }],
        }] })
    }
}
