//! Which certificate each device shows: kept when it changes, never for each message.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Hub, HubError, Kept};
use crate::model::{DeviceId, Timestamp};

/// A certificate as a device showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented<'a> {
    /// SHA-256 of the certificate, `AB:CD:…`.
    pub fingerprint: &'a str,
    /// Its subject.
    pub subject: &'a str,
    /// End of its life.
    pub not_after: Timestamp,
    /// Why it is not believed; `None` when it is.
    pub fault: Option<&'a str>,
}

/// What is kept of it: the newest certificate of a device, and those before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CertificateNote {
    /// Whose.
    pub device: DeviceId,
    /// SHA-256 of the certificate, `AB:CD:…`.
    pub fingerprint: String,
    /// Its subject.
    pub subject: String,
    /// End of its life.
    pub not_after: Timestamp,
    /// Whether a root that we trust vouches for it.
    pub verified: bool,
    /// Why it is not believed.
    pub fault: Option<String>,
    /// When it was first shown.
    pub first_seen: Timestamp,
    /// When it was last shown, to the day: a device that shows the same one is not written down each time.
    pub last_seen: Timestamp,
    /// Those shown before, newest first.
    #[serde(default)]
    pub earlier: Vec<EarlierCertificate>,
}

/// A certificate that a device showed before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EarlierCertificate {
    /// SHA-256 of the certificate.
    pub fingerprint: String,
    /// Its subject.
    pub subject: String,
    /// When it was first shown.
    pub first_seen: Timestamp,
    /// When it was last shown.
    pub last_seen: Timestamp,
}

impl Kept for CertificateNote {
    const KIND: &'static str = "client_cert";

    fn key(&self) -> String {
        self.device.to_string()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

/// What was last written down for each device.
#[derive(Default)]
pub(super) struct Shown(Mutex<HashMap<DeviceId, Mark>>);

#[derive(Clone, PartialEq)]
struct Mark {
    fingerprint: String,
    fault: Option<String>,
    at: Timestamp,
}

impl Shown {
    /// Whether this is news; if so it counts as written from now on.
    fn is_news(&self, device: &DeviceId, presented: Presented<'_>, at: Timestamp) -> bool {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = marks.get(device).is_some_and(|mark| {
            mark.fingerprint == presented.fingerprint
                && mark.fault.as_deref() == presented.fault
                && at < mark.at.plus(WRITE_EVERY)
        });
        if !old {
            let mark = Mark {
                fingerprint: presented.fingerprint.to_owned(),
                fault: presented.fault.map(str::to_owned),
                at,
            };
            marks.insert(device.clone(), mark);
        }
        !old
    }

    fn forget(&self, device: &DeviceId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(device);
    }
}

impl Hub {
    /// Takes note of the certificate that a stored device shows. Returns at once: what is new about it is written
    /// behind the caller's back, and tried again with the next message when that fails.
    pub fn presented(&self, device: &DeviceId, presented: Presented<'_>) {
        let at = self.now();
        if !self.0.shown.is_news(device, presented, at) {
            return;
        }
        let note = CertificateNote {
            device: device.clone(),
            fingerprint: presented.fingerprint.to_owned(),
            subject: presented.subject.to_owned(),
            not_after: presented.not_after,
            verified: presented.fault.is_none(),
            fault: presented.fault.map(str::to_owned),
            first_seen: at,
            last_seen: at,
            earlier: Vec::new(),
        };
        let (hub, device) = (self.clone(), device.clone());
        self.behind(async move {
            if let Err(error) = hub.note_certificate(note).await {
                tracing::warn!(%device, %error, "its certificate is not written down");
                hub.0.shown.forget(&device);
            }
        });
    }

    /// The certificate a device shows, and those before.
    pub async fn certificate(&self, device: &DeviceId) -> Result<Option<CertificateNote>, HubError> {
        self.kept(device.as_str()).await
    }

    async fn note_certificate(&self, note: CertificateNote) -> Result<(), HubError> {
        let before = self.certificate(&note.device).await?;
        if let Some(before) = before.as_ref().filter(|before| before.fingerprint != note.fingerprint) {
            let (device, now, then) = (&note.device, &note.fingerprint, &before.fingerprint);
            tracing::info!(%device, "shows another certificate: {now} in place of {then}");
        }
        self.keep(&note.after(before)).await
    }
}

impl CertificateNote {
    /// This one, with what was known before.
    fn after(mut self, before: Option<Self>) -> Self {
        let Some(mut before) = before else { return self };
        self.earlier = std::mem::take(&mut before.earlier);
        if before.fingerprint == self.fingerprint {
            self.first_seen = before.first_seen;
            return self;
        }
        let Self { fingerprint, subject, first_seen, last_seen, .. } = before;
        self.earlier.insert(0, EarlierCertificate { fingerprint, subject, first_seen, last_seen });
        self.earlier.truncate(EARLIER_MAX_COUNT);
        self
    }
}

/// `last_seen` is as exact as this.
const WRITE_EVERY: Duration = Duration::from_hours(24);
const EARLIER_MAX_COUNT: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn note(fingerprint: &str, at: i64) -> CertificateNote {
        CertificateNote {
            device: DeviceId::new("1"),
            fingerprint: fingerprint.to_owned(),
            subject: "CN=1".to_owned(),
            not_after: Timestamp::from_micros(0),
            verified: true,
            fault: None,
            first_seen: Timestamp::from_micros(at),
            last_seen: Timestamp::from_micros(at),
            earlier: Vec::new(),
        }
    }

    #[test]
    fn another_certificate_makes_the_one_before_an_earlier_one() {
        let first = note("A", 1).after(None);
        let again = note("A", 2).after(Some(first));
        assert_eq!((again.first_seen.micros(), again.last_seen.micros()), (1, 2));
        let mut now = note("B", 3).after(Some(again));
        assert_eq!(now.earlier.len(), 1);
        assert_eq!(now.earlier[0].last_seen.micros(), 2);
        for at in 4..20 {
            now = note(&at.to_string(), at).after(Some(now));
        }
        assert_eq!(now.earlier.len(), EARLIER_MAX_COUNT);
        assert_eq!(now.earlier[0].fingerprint, "18");
    }

    #[test]
    fn the_same_certificate_is_news_once_a_day() {
        let shown = Shown::default();
        let device = DeviceId::new("1");
        let good =
            Presented { fingerprint: "A", subject: "", not_after: Timestamp::from_micros(0), fault: None };
        let bad = Presented { fault: Some("it has been revoked"), ..good };
        let start = Timestamp::from_micros(0);
        assert!(shown.is_news(&device, good, start));
        assert!(!shown.is_news(&device, good, start.plus(WRITE_EVERY / 2)));
        assert!(shown.is_news(&device, bad, start.plus(WRITE_EVERY / 2)));
        assert!(!shown.is_news(&device, bad, start.plus(WRITE_EVERY)));
        assert!(shown.is_news(&device, bad, start.plus(WRITE_EVERY * 2)));
    }
}
