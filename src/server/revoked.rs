//! Tells those who judge clients' certificates which of them were revoked.

use std::collections::HashSet;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::core::Hub;
use crate::model::Fingerprint;
use crate::pki::ClientTrust;

/// Hands over what is revoked now, and gives the chore that hands over what will be.
pub(super) fn follow(
    hub: &Hub,
    trust: &Arc<ClientTrust>,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send + 'static {
    let (mut revocations, trust) = (hub.revocations(), Arc::clone(trust));
    trust.revoke(texts(&revocations.borrow_and_update()));
    async move {
        while let Some(Ok(())) = stop.run_until_cancelled(revocations.changed()).await {
            let revoked = texts(&revocations.borrow_and_update());
            trust.revoke(revoked);
        }
    }
}

fn texts(revoked: &HashSet<Fingerprint>) -> HashSet<String> {
    revoked.iter().map(ToString::to_string).collect()
}
