//! Checks a request's HMAC with the key of the module that made it (`cwm-oke.md §2.2`).

use std::cell::RefCell;
use std::sync::Arc;

use super::envelope::{self, Message};
use super::error::CwmError;
use super::okm::Okm;
use super::policy::{HmacPolicy, SpeaksFor};
use super::{Cwm, hmac, push};
use crate::core::{DeviceKey, Hub};
use crate::http::{ClientCert, Exchange};
use crate::model::{FamilyName, HmacCheck, KeySpelling};

/// The check of one request. The same key serves each reading of it.
pub(super) struct Prover<'a> {
    hub: &'a Hub,
    family: &'a FamilyName,
    policy: HmacPolicy,
    stated: Option<Vec<u8>>,
    shown: Option<&'a ClientCert>,
    /// A key that held in another spelling than before.
    learned: RefCell<Option<(Arc<DeviceKey>, KeySpelling)>>,
}

/// Refuses a module that speaks in another's name than its certificate's, where the owner wants that.
pub(super) fn check_name(cwm: &Cwm, shown: Option<&ClientCert>, module: &str) -> Result<(), CwmError> {
    let own = shown.filter(|shown| shown.fault.is_none()).and_then(|shown| shown.name.as_deref());
    match (cwm.settings.certificate_speaks_for, own) {
        (SpeaksFor::Itself, Some(own)) if !own.eq_ignore_ascii_case(module) => {
            Err(CwmError::Refused(format!("its certificate is that of {own}, and it speaks as {module}")))
        }
        (SpeaksFor::Any | SpeaksFor::Itself, _) => Ok(()),
    }
}

impl<'a> Prover<'a> {
    /// Finds what the request states.
    pub(super) fn new(cwm: &'a Cwm, hub: &'a Hub, exchange: &'a Exchange) -> Self {
        let policy = cwm.settings.hmac;
        let stated = match policy {
            HmacPolicy::Ignore => None,
            HmacPolicy::Verify | HmacPolicy::Require => {
                envelope::stated(exchange.query.as_deref(), &exchange.body, &cwm.settings)
            }
        };
        let shown = exchange.peer.certificate();
        Self { hub, family: &cwm.name, policy, stated, shown, learned: RefCell::new(None) }
    }

    /// Whether the HMAC of a request's exact text holds under the key of a module.
    pub(super) fn check(&self, text: &[u8], module: Option<&str>) -> HmacCheck {
        let Some(stated) = &self.stated else { return HmacCheck::Absent };
        let Some(key) = module.and_then(|address| self.hub.device_key(self.family, address)) else {
            return HmacCheck::NoKey;
        };
        match hmac::holds(stated, text, &key.key, key.held) {
            Some(spelling) => {
                if key.held != Some(spelling) {
                    self.learned.replace(Some((key, spelling)));
                }
                HmacCheck::Ok
            }
            None => HmacCheck::Bad,
        }
    }

    /// The same for a push: its messages must all be of one module, since one key proves them.
    pub(super) fn check_messages(&self, text: &[u8], messages: &[Message]) -> HmacCheck {
        let mut modules = messages.iter().map(|message| self.module(&message.read.okm));
        let first = modules.next().flatten();
        let same = |other: Option<&str>| match (first, other) {
            (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        match self.check(text, first) {
            HmacCheck::Ok if !modules.all(same) => HmacCheck::Bad,
            found => found,
        }
    }

    /// What to keep beside the message, or the refusal that the policy wants.
    pub(super) async fn settle(self, found: HmacCheck) -> Result<Option<HmacCheck>, CwmError> {
        if let Some((key, spelling)) = self.learned.into_inner().filter(|_| found == HmacCheck::Ok)
            && let Err(error) = Box::pin(self.hub.key_held(&key, spelling)).await
        {
            // Only the next check is slower by it.
            tracing::debug!(%error, "the spelling of a key was not kept");
        }
        match self.policy {
            HmacPolicy::Ignore => Ok(None),
            policy if policy.admits(found) => Ok(Some(found)),
            HmacPolicy::Verify | HmacPolicy::Require => Err(CwmError::Unproven(found)),
        }
    }

    /// The module whose key counts: the last of the sources, or the one behind a single source (§2.2, §3.2).
    fn module<'o>(&self, okm: &'o Okm) -> Option<&'o str>
    where
        'a: 'o,
    {
        match okm.src.as_slice() {
            [] => None,
            [only] => push::carrier(self.hub, self.family, only, self.shown).or(Some(only)),
            [_, .., last] => Some(last),
        }
    }
}
