//! Devices made by a person, and the tokens that they show (`accounts-dashboard.md §3`).

use axum::extract::FromRequestParts;
use http::header::HOST;
use http::request::Parts;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use crate::core::Caller;
use crate::family::Enrolment;
use crate::http::{ListenerKind, Peer};
use crate::model::{DeviceRef, FamilyName};
use crate::web::App;
use crate::web::error::WebError;
use crate::web::shape::DeviceShape;

/// A device that was made, with its token, told once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = MadeDevice)]
pub(crate) struct Made {
    device: DeviceShape,
    #[serde(flatten)]
    token: Told,
}

/// A token, told once: as text, and as a picture for a camera.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ToldToken)]
pub(crate) struct Told {
    token: String,
    /// `iot1:<base-url>|<token>` as an SVG; absent where the server's URL is too long for a small one.
    #[serde(skip_serializing_if = "Option::is_none")]
    qr_svg: Option<String>,
}

impl Made {
    /// The device, its token, and the picture of that.
    pub(crate) fn into_parts(self) -> (DeviceRef, String, Option<String>) {
        (self.device.into_names(), self.token.token, self.token.qr_svg)
    }
}

impl Told {
    /// The token, and the picture of it.
    pub(crate) fn into_parts(self) -> (String, Option<String>) {
        (self.token, self.qr_svg)
    }

    /// A token for a device that is to call the server at `base`.
    pub(crate) fn new(token: &SecretString, base: Option<&str>) -> Self {
        let token = token.expose_secret().to_owned();
        let content = base.map(|base| format!("iot1:{base}|{token}"));
        let qr_svg =
            content.filter(|content| content.len() <= QR_BYTES_MAX).and_then(|content| drawn(&content));
        Self { token, qr_svg }
    }
}

/// Makes a device of a dialect that gives tokens.
pub(crate) async fn make(
    app: &App,
    family: &FamilyName,
    caller: &Caller,
    wanted: &Enrolment,
    base: Option<&str>,
) -> Result<Made, WebError> {
    let Some(made) = app.family(family).and_then(|dialect| dialect.enroll(&app.hub, wanted)) else {
        return Err(WebError::field("family", "a device of this family is not made by a person"));
    };
    let made = made.await?;
    tracing::info!(device = %made.device.names.address, by = %wanted.by, "a device was made, with a token");
    let facts = app.facts(&made.device).await?;
    let device = DeviceShape::new(&app.hub, &app.hub.sight(caller), made.device).with_facts(facts);
    Ok(Made { device, token: Told::new(&made.token, base) })
}

/// The URL at which devices reach this server: as its caller did, else as the settings have it.
#[derive(Clone, Debug)]
pub(crate) struct Base(pub(crate) Option<String>);

impl FromRequestParts<App> for Base {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, WebError> {
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.listener);
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let asked = host.filter(|_| peer == Some(ListenerKind::Https)).map(|host| format!("https://{host}"));
        Ok(Self(asked.or_else(|| app.device_url.as_deref().map(str::to_owned))))
    }
}

fn drawn(content: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(content, EcLevel::M).ok()?;
    Some(code.render::<svg::Color<'_>>().min_dimensions(QR_SIZE, QR_SIZE).build())
}

/// Fits a symbol of version 6 (§3).
const QR_BYTES_MAX: usize = 106;
/// The least width and height of the picture.
const QR_SIZE: u32 = 240;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_as_text_and_as_a_picture() {
        let token = SecretString::from("dt_0123456789abcdefghijABCDEFGHIJ01");
        let told = Told::new(&token, Some("https://homeport.example:8443"));
        assert_eq!(told.token, token.expose_secret());
        let svg = told.qr_svg.unwrap();
        assert!(svg.contains("<svg") && !svg.contains("dt_"), "{svg}");
        assert!(Told::new(&token, Some(&"x".repeat(80))).qr_svg.is_none(), "too long for a small symbol");
        assert!(Told::new(&token, None).qr_svg.is_none());
    }
}
