//! One message to one person by mail.

use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use rustls::pki_types::CertificateDer;
use secrecy::ExposeSecret as _;

use super::post::Outcome;
use super::settings::MailSettings;
use crate::core::{Delivery, MailSecurity};

/// Whether mail can be sent to or from what a person typed.
///
/// # Errors
/// A sentence.
pub fn check(address: &str) -> Result<(), String> {
    address.parse::<Mailbox>().map(drop).map_err(|error| format!("`{address}` is no mail address: {error}"))
}

/// Sends a message. The caller sets a limit beside the one for each command.
pub(super) async fn send(
    settings: &MailSettings,
    to: &str,
    delivery: &Delivery,
    roots: &[CertificateDer<'static>],
    limit: Duration,
) -> Outcome {
    let message = match letter(settings, to, delivery) {
        Ok(message) => message,
        Err(note) => return Outcome::never(None, note),
    };
    let transport = match transport(settings, roots, limit) {
        Ok(transport) => transport,
        Err(note) => return Outcome::later(None, note),
    };
    match transport.send(message).await {
        Ok(answer) => {
            let words = answer.message().collect::<Vec<_>>().join(" ");
            Outcome::taken(u16::from(answer.code()), words)
        }
        Err(error) => {
            let status = error.status().map(u16::from);
            // The cause says what the server said.
            let note = std::error::Error::source(&error)
                .map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
            if error.is_permanent() { Outcome::never(status, note) } else { Outcome::later(status, note) }
        }
    }
}

fn letter(settings: &MailSettings, to: &str, delivery: &Delivery) -> Result<Message, String> {
    let mailbox = |address: &str| {
        address.parse::<Mailbox>().map_err(|error| format!("`{address}` is no mail address: {error}"))
    };
    let from = mailbox(&settings.from)?;
    let domain = from.email.domain().to_owned();
    let subject = delivery.text.replace(|letter: char| letter.is_control(), " ");
    Message::builder()
        .from(from)
        .to(mailbox(to)?)
        .subject(subject)
        .message_id(Some(format!("<{}@{domain}>", delivery.id)))
        .header(ContentType::TEXT_PLAIN)
        .body(words(delivery))
        .map_err(|error| format!("no letter can be made of it: {error}"))
}

/// What stands in the letter: the sentence, and what is known as a list.
fn words(delivery: &Delivery) -> String {
    let mut text = format!("{}\n", delivery.text);
    let known: serde_json::Value = serde_json::from_str(&delivery.body).unwrap_or_default();
    for (name, place) in PLACES {
        let value = match known.pointer(place) {
            None | Some(serde_json::Value::Null) => continue,
            Some(serde_json::Value::String(value)) => value.clone(),
            Some(value) => value.to_string(),
        };
        text.extend(["\n", name, ": ", &value]);
    }
    text.push('\n');
    text
}

fn transport(
    settings: &MailSettings,
    roots: &[CertificateDer<'static>],
    limit: Duration,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let tls = || {
        let mut tls = TlsParameters::builder(settings.host.clone()).certificate_store(CertificateStore::None);
        for root in roots {
            let root = Certificate::from_der(root.to_vec()).map_err(|error| error.to_string())?;
            tls = tls.add_root_certificate(root);
        }
        tls.build_rustls().map_err(|error| error.to_string())
    };
    let tls = match settings.security {
        MailSecurity::None => Tls::None,
        MailSecurity::Starttls => Tls::Required(tls()?),
        MailSecurity::Tls => Tls::Wrapper(tls()?),
    };
    let port = settings.port.unwrap_or_else(|| settings.security.port());
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
        .port(port)
        .tls(tls)
        .timeout(Some(limit));
    if !settings.username.is_empty() {
        let password = settings.password.expose_secret().to_owned();
        transport = transport.credentials(Credentials::new(settings.username.clone(), password));
    }
    Ok(transport.build())
}

/// What a letter tells beside its sentence, and where it stands in the message.
const PLACES: [(&str, &str); 8] = [
    ("Rule", "/rule/name"),
    ("Device", "/device/name"),
    ("Address", "/device/address"),
    ("Sensor", "/alert/sensor"),
    ("Value", "/alert/value"),
    ("Bound", "/alert/bound"),
    ("Since", "/alert/since"),
    ("Over", "/alert/resolved"),
];
