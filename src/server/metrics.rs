//! `/metrics`: what the rooms count, and what is looked up when somebody asks. Prometheus' text form.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

use crate::core::{Hub, HubError};
use crate::model::Clock;
use crate::pki;
use crate::web::{CertificateDays, Certificates, Metrics};

/// The process's recorder. Made before anything counts: a counter made earlier would count for nobody.
pub(super) fn recorder() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    HANDLE
        .get_or_init(|| match install() {
            Ok(handle) => Some(handle),
            Err(error) => {
                tracing::error!(%error, "there will be no metrics");
                None
            }
        })
        .as_ref()
}

fn install() -> Result<PrometheusHandle, BuildError> {
    let seconds = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &seconds)?
        .set_buckets_for_metric(
            Matcher::Full("homeport_store_batch_writes".to_owned()),
            &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0],
        )?
        .install_recorder()?;
    describe();
    metrics::gauge!("homeport_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
    Ok(handle)
}

/// Takes what was recorded into the totals. Without it, histograms grow until somebody asks.
pub(super) fn upkeep() {
    if let Some(handle) = recorder() {
        handle.run_upkeep();
    }
}

/// What answers `/metrics`. `certificates` are the files whose days are told.
pub(super) fn source(hub: Hub, clock: Clock, certificates: Vec<(&'static str, PathBuf)>) -> Metrics {
    let process = Arc::new(Collector::default());
    process.describe();
    let certificates: Arc<[_]> = certificates.into();
    Arc::new(move || {
        let (hub, clock, process) = (hub.clone(), clock.clone(), Arc::clone(&process));
        let certificates = Arc::clone(&certificates);
        Box::pin(async move {
            look_up(&hub).await?;
            let looked = tokio::task::spawn_blocking(move || {
                days_left(&certificates, clock.now().seconds());
                process.collect();
            });
            if let Err(error) = looked.await {
                tracing::warn!(%error, "some metrics could not be looked up");
            }
            Ok(recorder().map(PrometheusHandle::render).unwrap_or_default())
        })
    })
}

/// The certificates as pages tell of them. Blocks.
pub(super) fn certificates(clock: Clock, files: Vec<(&'static str, PathBuf)>) -> Certificates {
    Arc::new(move || {
        let there = files.iter().filter(|(_, file)| file.exists());
        there
            .map(|(name, file)| match pki::describe_file(file, clock.now().seconds()) {
                Ok(facts) => CertificateDays {
                    name,
                    subject: facts.subject,
                    names: facts.names,
                    fingerprint: facts.fingerprint,
                    not_after: facts.not_after,
                    days_left: facts.days_left,
                    fault: None,
                },
                Err(error) => CertificateDays {
                    name,
                    subject: String::new(),
                    names: Vec::new(),
                    fingerprint: String::new(),
                    not_after: String::new(),
                    days_left: 0,
                    fault: Some(error.to_string()),
                },
            })
            .collect()
    })
}

/// What only the store and the registry know.
#[expect(clippy::cast_precision_loss, reason = "counts and bytes far below 2^52")]
async fn look_up(hub: &Hub) -> Result<(), HubError> {
    let stats = hub.stats().await?;
    for (state, count) in [("queued", stats.queued), ("sent", stats.sent), ("accepted", stats.accepted)] {
        metrics::gauge!("homeport_commands_open", "state" => state).set(count as f64);
    }
    metrics::gauge!("homeport_ledger_entries").set(stats.messages as f64);
    metrics::gauge!("homeport_store_bytes").set(hub.store_bytes().await? as f64);
    let (counts, online) = hub.device_counts();
    for ((family, state), count) in counts {
        metrics::gauge!("homeport_devices", "family" => family.to_string(), "state" => state)
            .set(count as f64);
    }
    metrics::gauge!("homeport_devices_online").set(online as f64);
    for recording in hub.recordings() {
        metrics::gauge!("homeport_recording", "family" => recording.family.to_string())
            .set(f64::from(u8::from(recording.recording)));
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "days far below 2^52")]
fn days_left(certificates: &[(&'static str, PathBuf)], now_s: i64) {
    for (name, file) in certificates.iter().filter(|(_, file)| file.exists()) {
        match pki::describe_file(file, now_s) {
            Ok(facts) => {
                metrics::gauge!("homeport_certificate_days_left", "certificate" => *name)
                    .set(facts.days_left as f64);
            }
            Err(error) => tracing::warn!(%error, "a certificate's days cannot be told"),
        }
    }
}

fn describe() {
    use metrics::{describe_counter as counter, describe_gauge as gauge, describe_histogram as histogram};
    gauge!("homeport_build_info", "1, with the version as a label");
    counter!("homeport_messages_total", "Messages stored, by family, direction and verdict");
    counter!(
        "homeport_messages_passed_over_total",
        "Messages not kept while recording was paused, by family"
    );
    gauge!("homeport_recording", "1 while what devices of a family say is kept, 0 while that is paused");
    gauge!("homeport_listener_open", "1 while a listener is open, 0 while it is closed");
    counter!("homeport_commands_total", "Changes of a command's state, by family and new state");
    gauge!("homeport_commands_open", "Commands that are not final, by state");
    gauge!(
        "homeport_alerts_firing",
        "Alerts that fire; of several servers on one store, at the one that looks after the rules"
    );
    counter!("homeport_alerts_total", "Changes of alerts, by what they became");
    counter!(
        "homeport_deliveries_total",
        "Tries to deliver a message about an alert, by channel (webhook, mail) and result (delivered, retried, dead)"
    );
    gauge!("homeport_devices", "Devices, by family and state");
    gauge!("homeport_devices_online", "Devices heard within their window");
    gauge!("homeport_ledger_entries", "Entries of the ledger");
    gauge!("homeport_store_bytes", "Size of the database in bytes");
    histogram!("homeport_store_commit_seconds", "Time of a commit with its sync, in seconds");
    histogram!("homeport_store_batch_writes", "Writes in one commit");
    gauge!("homeport_store_writes_waiting", "Writes that waited when the last commit ended");
    gauge!("homeport_connections", "Open connections, by listener");
    counter!("homeport_connections_total", "Connections accepted, by listener");
    counter!("homeport_tls_handshakes_total", "TLS handshakes, by version, suite and result");
    gauge!("homeport_certificate_days_left", "Whole days until a certificate of this server is over");
}
