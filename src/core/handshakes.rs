//! Failed TLS handshakes as an operator reads them: one record for each client and reason, with a count.

use serde::{Deserialize, Serialize};

use super::{Hub, HubError, Kept};
use crate::model::Timestamp;

/// Handshakes of one client that failed for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HandshakeNote {
    /// The door it knocked at.
    pub listener: String,
    /// Who: an address; of an IPv6 network the address that was last.
    pub peer: String,
    /// What counts as the same client: an IPv4 address, or an IPv6 /64.
    pub group: String,
    /// Why, in one word.
    pub reason: String,
    /// The same in the words of whoever found out.
    pub detail: String,
    /// What to do about it.
    pub advice: String,
    /// The name it asked for.
    pub sni: Option<String>,
    /// Protocol versions it offered.
    pub versions: Vec<String>,
    /// Cipher suites it offered.
    pub suites: Vec<String>,
    /// Signature schemes it offered; `None` when it named none.
    pub signatures: Option<Vec<String>>,
    /// Groups it offered for the key exchange; `None` when it named none.
    pub groups: Option<Vec<String>>,
    /// Application protocols it offered.
    pub alpn: Vec<String>,
    /// How often.
    pub count: u64,
    /// The first time.
    pub first: Timestamp,
    /// The last time.
    pub last: Timestamp,
}

impl Kept for HandshakeNote {
    const KIND: &'static str = "handshake";
    const KEEP_MAX: Option<u32> = Some(500);

    fn key(&self) -> String {
        format!("{} {} {}", self.listener, self.group, self.reason)
    }
}

impl HandshakeNote {
    /// One record of two, in the words of the later one.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        let (earlier, later) = if self.last <= other.last { (self, other) } else { (other, self) };
        Self {
            count: earlier.count.saturating_add(later.count),
            first: earlier.first.min(later.first),
            ..later
        }
    }
}

impl Hub {
    /// Adds to what is known of a client's failed handshakes.
    pub async fn note_handshakes(&self, note: HandshakeNote) -> Result<(), HubError> {
        let note = match self.kept::<HandshakeNote>(&note.key()).await? {
            Some(before) => before.joined(note),
            None => note,
        };
        self.keep(&note).await
    }

    /// Failed handshakes, those that came last first; `before` is time and key of the last one seen.
    pub async fn handshakes(
        &self,
        before: Option<(Timestamp, String)>,
        limit: u32,
    ) -> Result<Vec<(Timestamp, HandshakeNote)>, HubError> {
        self.kept_all(None, before, limit).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(count: u64, first: i64, last: i64, detail: &str) -> HandshakeNote {
        HandshakeNote {
            listener: "https".to_owned(),
            peer: "192.0.2.1".to_owned(),
            group: "192.0.2.1".to_owned(),
            reason: "distrust".to_owned(),
            detail: detail.to_owned(),
            advice: String::new(),
            sni: None,
            versions: Vec::new(),
            suites: Vec::new(),
            signatures: None,
            groups: None,
            alpn: Vec::new(),
            count,
            first: Timestamp::from_micros(first),
            last: Timestamp::from_micros(last),
        }
    }

    #[test]
    fn two_records_of_one_client_become_one_in_either_order() {
        let joined = note(5, 10, 30, "new");
        let joined = [joined.clone().joined(note(2, 5, 20, "old")), note(2, 5, 20, "old").joined(joined)];
        assert_eq!(joined, [note(7, 5, 30, "new"), note(7, 5, 30, "new")]);
    }
}
