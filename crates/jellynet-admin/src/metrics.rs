//! Counters and gauges with bounded labels.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

/// Methods that have a label of their own; every other is `other`.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "other"];
/// Classes of status codes.
const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];
/// Upper bounds in seconds: a static file to a transcoding that has to start.
const BUCKETS: &[f64] = &[0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// The metrics of a server; cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    requests: IntCounterVec,
    durations: HistogramVec,
    in_flight: IntGaugeVec,
}

impl Metrics {
    /// Registers the metrics of this crate, `jellynet_build_info` with `version` and `commit` among
    /// them.
    ///
    /// # Panics
    ///
    /// Never: the names are constants, each registered once in a registry of its own.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "constant names, registered once in a registry of our own"
    )]
    pub fn new(version: &str, commit: &str) -> Self {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            IntCounterVec::new(Opts::new(name, help), labels).expect("a constant name")
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| {
            IntGaugeVec::new(Opts::new(name, help), labels).expect("a constant name")
        };
        let build = gauge("jellynet_build_info", "What runs.", &["version", "commit"]);
        build.with_label_values(&[version, commit]).set(1);
        let inner = Inner {
            requests: counter(
                "jellynet_http_requests_total",
                "Requests answered, by listener, method and class of status codes.",
                &["listener", "method", "code"],
            ),
            durations: HistogramVec::new(
                HistogramOpts::new(
                    "jellynet_http_request_duration_seconds",
                    "Time from the request's head to the response's head.",
                )
                .buckets(BUCKETS.to_vec()),
                &["listener"],
            )
            .expect("constant names"),
            in_flight: gauge(
                "jellynet_http_requests_in_flight",
                "Requests whose response has not ended.",
                &["listener"],
            ),
            registry,
        };
        let collectors: [Box<dyn Collector>; 4] = [
            Box::new(build),
            Box::new(inner.requests.clone()),
            Box::new(inner.durations.clone()),
            Box::new(inner.in_flight.clone()),
        ];
        for collector in collectors {
            inner.registry.register(collector).expect("each is registered once");
        }
        Self { inner: Arc::new(inner) }
    }

    /// The metrics of one listener; `name` becomes a label and must come from the configuration.
    #[must_use]
    pub fn listener(&self, name: &str) -> ListenerMetrics {
        let requests = std::array::from_fn(|m| {
            std::array::from_fn(|c| {
                let method = METHODS.get(m).copied().unwrap_or("other");
                let class = CLASSES.get(c).copied().unwrap_or("other");
                self.inner.requests.with_label_values(&[name, method, class])
            })
        });
        ListenerMetrics {
            inner: Arc::new(PerListener {
                requests,
                durations: self.inner.durations.with_label_values(&[name]),
                in_flight: self.inner.in_flight.with_label_values(&[name]),
            }),
        }
    }

    /// Adds a metric that is kept elsewhere and read at each scrape.
    ///
    /// A name that is taken, or is no metric name, is said in the log and left out.
    pub fn add(
        &self,
        name: &'static str,
        help: &'static str,
        kind: Kind,
        read: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) {
        let added = Desc::new(
            name.to_owned(),
            help.to_owned(),
            Vec::new(),
            std::collections::HashMap::new(),
        )
        .and_then(|desc| {
            let source = Source { name, help, kind, desc, read: Box::new(read) };
            self.inner.registry.register(Box::new(source))
        });
        if let Err(error) = added {
            tracing::error!(name, %error, "leave out a metric");
        }
    }

    /// All metrics in Prometheus' text format, version 0.0.4.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.inner.registry.gather(), &mut text) {
            tracing::error!(%error, "encode metrics");
        }
        String::from_utf8(text).unwrap_or_default()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Whether a value only grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Only grows; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// One value with its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Names and values of the labels; values out of a bounded set, never an address or a path.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

struct Source {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    desc: Desc,
    read: Box<dyn Fn() -> Vec<Sample> + Send + Sync>,
}

impl Collector for Source {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.desc]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let metrics = (self.read)().into_iter().map(|sample| {
            let mut metric = Metric::default();
            let pairs = sample.labels.into_iter().map(|(name, value)| {
                let mut pair = LabelPair::default();
                pair.set_name(name.to_owned());
                pair.set_value(value);
                pair
            });
            metric.set_label(pairs.collect());
            match self.kind {
                Kind::Counter => {
                    let mut counter = Counter::default();
                    counter.set_value(sample.value);
                    metric.set_counter(counter);
                }
                Kind::Gauge => {
                    let mut gauge = Gauge::default();
                    gauge.set_value(sample.value);
                    metric.set_gauge(gauge);
                }
            }
            metric
        });
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(match self.kind {
            Kind::Counter => MetricType::COUNTER,
            Kind::Gauge => MetricType::GAUGE,
        });
        family.set_metric(metrics.collect());
        if family.get_metric().is_empty() { Vec::new() } else { vec![family] }
    }
}

/// The metrics of one listener, every label resolved: counting takes no lock and allocates
/// nothing.
#[derive(Clone)]
pub struct ListenerMetrics {
    inner: Arc<PerListener>,
}

struct PerListener {
    requests: [[IntCounter; CLASSES.len()]; METHODS.len()],
    durations: Histogram,
    in_flight: IntGauge,
}

impl ListenerMetrics {
    /// A request began; it ends when the guard is dropped.
    #[must_use]
    pub fn begin(&self) -> InFlight {
        self.inner.in_flight.inc();
        InFlight { gauge: self.inner.in_flight.clone() }
    }

    /// A response's head was made.
    pub fn answered(&self, method: &Method, status: StatusCode, after: Duration) {
        let method =
            METHODS.iter().position(|m| *m == method.as_str()).unwrap_or(METHODS.len() - 1);
        let class = usize::from(status.as_u16() / 100).wrapping_sub(1).min(CLASSES.len() - 1);
        if let Some(counter) = self.inner.requests.get(method).and_then(|m| m.get(class)) {
            counter.inc();
        }
        self.inner.durations.observe(after.as_secs_f64());
    }
}

impl fmt::Debug for ListenerMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListenerMetrics").finish_non_exhaustive()
    }
}

/// A request that has not ended.
#[derive(Debug)]
pub struct InFlight {
    gauge: IntGauge,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_shown_with_bounded_labels() {
        let metrics = Metrics::new("1.2.3", "c0ffee");
        let http = metrics.listener("http");
        let in_flight = http.begin();
        http.answered(&Method::GET, StatusCode::NOT_FOUND, Duration::from_millis(3));
        let odd = Method::from_bytes(b"BREW").unwrap();
        http.answered(&odd, StatusCode::from_u16(799).unwrap(), Duration::from_millis(3));
        metrics.add("jellynet_access_denied_total", "Refusals.", Kind::Counter, || {
            vec![Sample { labels: vec![("reason", "remote".into())], value: 7.0 }]
        });
        let text = metrics.encode();
        for line in [
            "jellynet_build_info{commit=\"c0ffee\",version=\"1.2.3\"} 1",
            "jellynet_http_requests_total{code=\"4xx\",listener=\"http\",method=\"GET\"} 1",
            "jellynet_http_requests_total{code=\"other\",listener=\"http\",method=\"other\"} 1",
            "jellynet_http_requests_in_flight{listener=\"http\"} 1",
            "# TYPE jellynet_access_denied_total counter",
            "jellynet_access_denied_total{reason=\"remote\"} 7",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        drop(in_flight);
        let text = metrics.encode();
        assert!(text.contains("jellynet_http_requests_in_flight{listener=\"http\"} 0"));
    }
}
