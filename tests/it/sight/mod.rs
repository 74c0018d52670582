//! Who sees which device, and may do what with it.

mod lists;
mod rehearsal;
mod roles;
mod servers;
mod story;

use axum::body::Body;
use bytes::Bytes;
use homeport::core::{Claim, Known, Report};
use homeport::model::{DeviceId, FamilyName, Role, Sees, User, Verdict};
use http::{Request, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::web::{Desk, Got};

/// A person with an API token.
pub(crate) struct Caller {
    pub(crate) user: User,
    pub(crate) token: String,
}

impl Desk {
    /// A person, and a token that may do what the person may.
    pub(crate) async fn person(&self, name: &str, role: Role, sees: Sees) -> Caller {
        let user = self.hub.add_user(name, SecretString::from("correct horse"), role).await.unwrap();
        self.hub.set_sees(&user.id, sees).await.unwrap();
        let (_, secret) = self.hub.create_token(&user.id, "test", role, None).await.unwrap();
        Caller { user, token: secret.expose_secret().to_owned() }
    }

    /// A call with a person's token.
    pub(crate) async fn ask_as(&self, caller: &Caller, method: &str, path: &str, body: Value) -> Got {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {}", caller.token));
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        self.ask(request.body(body).unwrap()).await
    }

    /// The same; it must be answered with this status.
    pub(crate) async fn done(
        &self,
        caller: &Caller,
        method: &str,
        path: &str,
        body: Value,
        status: StatusCode,
    ) -> Value {
        let got = self.ask_as(caller, method, path, body).await;
        assert_eq!(got.status, status, "{method} {path}: {}", got.text());
        if got.bytes().is_empty() { Value::Null } else { got.json() }
    }

    /// The names in a list.
    pub(crate) async fn names(&self, caller: &Caller, path: &str) -> Vec<String> {
        let list = self.done(caller, "GET", path, Value::Null, StatusCode::OK).await;
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn give(&self, device: &str, to: Option<&User>) {
        self.hub.give_device(&DeviceId::new(device), to, "user:test").await.unwrap();
    }
}

impl Desk {
    /// A message of a device.
    pub(crate) async fn heard_from(&self, address: &str, text: &str) {
        let family = FamilyName::new("cwm");
        let known = self.hub.claim(Claim { family: &family, address, parent: None }).unwrap();
        self.hub.accept(self.report(Some(known), text, Verdict::Ok)).await.unwrap();
    }

    /// A message that does not say whose it is.
    pub(crate) async fn heard_from_nobody(&self, text: &str, verdict: Verdict) {
        self.hub.accept(self.report(None, text, verdict)).await.unwrap();
    }

    fn report(&self, device: Option<Known>, text: &str, verdict: Verdict) -> Report {
        Report {
            device,
            at: self.hub.now(),
            raw: Bytes::copy_from_slice(text.as_bytes()),
            verdict,
            hmac: None,
            fingerprint: None,
            events: Vec::new(),
            peer: "192.0.2.1".to_owned(),
        }
    }
}
