//! The mail server: which one counts, setting one, trying it out.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, webhooks};
use crate::alert::{MailSettings, Post, check_mail, read_roots};
use crate::core::{Delivery, HubError, MailSecurity, MailServer};
use crate::model::Timestamp;
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Body, Given, given};

/// A mail server as it is written. What is left out stays as it is.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MailEdit {
    /// Its name or address, without port.
    pub(crate) host: Option<String>,
    /// Its port; `null` is the usual one of its security.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u16>)]
    pub(crate) port: Given<u16>,
    /// How it is spoken to; of a new one `starttls`.
    pub(crate) security: Option<MailSecurity>,
    /// Who signs in; empty is nobody.
    pub(crate) username: Option<String>,
    /// The password; empty is none. It is told nobody, and has to be given again with another host or user.
    #[schema(value_type = Option<String>, format = "password")]
    pub(crate) password: Option<SecretString>,
    /// Who the mail is from: an address, or `Name <address>`; of a new one the user name, if that is an address.
    pub(crate) from: Option<String>,
    /// Roots that vouch for it in place of the usual ones, PEM; `null` is the usual ones.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub(crate) ca: Given<String>,
}

/// The mail server that counts; never its password.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Mail)]
pub(crate) struct MailShape {
    /// `settings` (the file, which goes before), `store` (set here), or `null`: none is set, and no mail is sent.
    pub(crate) source: Option<&'static str>,
    pub(crate) host: Option<String>,
    /// The port it is called at.
    pub(crate) port: Option<u16>,
    pub(crate) security: Option<MailSecurity>,
    pub(crate) username: Option<String>,
    /// Whether it has a password.
    pub(crate) password: bool,
    pub(crate) from: Option<String>,
    /// Whether it has roots of its own.
    pub(crate) ca: bool,
    /// Who set it here.
    pub(crate) by: Option<String>,
    pub(crate) changed: Option<Timestamp>,
}

/// To whom a mail is sent that only shows that mail arrives.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MailTest {
    to: String,
}

/// The mail server that alerts go by.
#[utoipa::path(get, path = "/api/v1/mail", responses((status = 200, body = MailShape)))]
pub(crate) async fn show(State(app): State<App>) -> Answer<MailShape> {
    Ok(Json(current(&app).await?))
}

/// Sets the mail server. It counts at once, on every server of the store; what waits goes by it.
#[utoipa::path(put, path = "/api/v1/mail", request_body = MailEdit,
    responses((status = 200, body = MailShape), refused::Conflict))]
pub(crate) async fn put(
    State(app): State<App>,
    By(caller): By,
    Body(edit): Body<MailEdit>,
) -> Answer<MailShape> {
    set(&app, edit, caller.by()).await.map(Json)
}

/// Forgets the mail server that was set here: no mail is sent any more.
#[utoipa::path(delete, path = "/api/v1/mail", responses((status = 204), refused::Conflict, refused::NotFound))]
pub(crate) async fn remove(State(app): State<App>) -> Result<StatusCode, WebError> {
    forget(&app).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a test mail and says what the mail server answered.
#[utoipa::path(post, path = "/api/v1/mail/test", request_body = MailTest,
    responses((status = 200, body = webhooks::DeliveryShape)))]
pub(crate) async fn test(
    State(app): State<App>,
    Body(wish): Body<MailTest>,
) -> Answer<webhooks::DeliveryShape> {
    Ok(Json(try_out(&app, &wish.to).await?.into()))
}

/// Sends a test mail; what became of it is in the delivery.
pub(crate) async fn try_out(app: &App, to: &str) -> Result<Delivery, WebError> {
    check_mail(to).map_err(|message| WebError::field("to", message))?;
    webhooks::try_out(app, &format!("mail:{to}")).await
}

/// Whether mail can be sent.
pub(crate) async fn is_set(app: &App) -> Result<bool, WebError> {
    match &app.post {
        Some(post) => Ok(post.sends_mail().await?),
        None => Ok(false),
    }
}

/// The mail server that counts.
pub(crate) async fn current(app: &App) -> Result<MailShape, WebError> {
    if let Some(server) = of_settings(app) {
        return Ok(MailShape::new("settings", server));
    }
    Ok(match app.hub.mail_server().await? {
        Some(server) => {
            let (by, changed) = (Some(server.by.clone()), Some(server.changed));
            MailShape { by, changed, ..MailShape::new("store", server.into()) }
        }
        None => MailShape {
            source: None,
            host: None,
            port: None,
            security: None,
            username: None,
            password: false,
            from: None,
            ca: false,
            by: None,
            changed: None,
        },
    })
}

/// Sets what is given over what was set before.
pub(crate) async fn set(app: &App, edit: MailEdit, by: String) -> Result<MailShape, WebError> {
    not_of_settings(app)?;
    let before = app.hub.mail_server().await?;
    let server = edit.over(before, by, app.hub.now())?;
    app.hub.mail_server_keep(server).await?;
    current(app).await
}

/// Forgets what was set here.
pub(crate) async fn forget(app: &App) -> Result<(), WebError> {
    not_of_settings(app)?;
    Ok(app.hub.mail_server_forget().await?)
}

fn of_settings(app: &App) -> Option<MailSettings> {
    app.post.as_ref().and_then(Post::mail_of_settings)
}

fn not_of_settings(app: &App) -> Result<(), WebError> {
    if of_settings(app).is_none() {
        return Ok(());
    }
    let message = "the server's settings name the mail server (mail.host): change or remove it there";
    Err(HubError::conflict("", message).into())
}

impl MailEdit {
    fn over(self, before: Option<MailServer>, by: String, now: Timestamp) -> Result<MailServer, WebError> {
        let fresh = before.is_none();
        let before = before.unwrap_or(MailServer {
            host: String::new(),
            port: None,
            security: MailSecurity::Starttls,
            username: String::new(),
            password: String::new(),
            from: String::new(),
            ca: None,
            by: String::new(),
            changed: now,
        });
        let tidy = |text: Option<String>, was: &str| {
            text.map_or_else(|| was.to_owned(), |text| text.trim().to_owned())
        };
        let host = tidy(self.host, &before.host);
        if host.is_empty() {
            return Err(WebError::field("host", "host is missing: the mail server's name"));
        }
        let username = tidy(self.username, &before.username);
        let other = !fresh && (host != before.host || username != before.username);
        let password = match self.password {
            Some(password) => password.expose_secret().to_owned(),
            // A password is for the server and the user it was given for, and for nobody else who asks for it.
            None if other && !username.is_empty() => String::new(),
            None if username.is_empty() => String::new(),
            None => before.password,
        };
        let mut from = tidy(self.from, &before.from);
        if from.is_empty() && username.contains('@') {
            from.clone_from(&username);
        }
        check_mail(&from).map_err(|_| {
            WebError::field("from", "an address that the mail is from, such as oven@example.org")
        })?;
        let ca = match self.ca {
            Some(ca) => ca.filter(|pem| !pem.trim().is_empty()),
            None => before.ca,
        };
        if let Some(pem) = &ca {
            read_roots(pem.as_bytes()).map_err(|message| WebError::field("ca", message))?;
        }
        let port = self.port.unwrap_or(before.port);
        let security = self.security.unwrap_or(before.security);
        Ok(MailServer { host, port, security, username, password, from, ca, by, changed: now })
    }
}

impl MailShape {
    fn new(source: &'static str, server: MailSettings) -> Self {
        Self {
            source: Some(source),
            port: Some(server.port.unwrap_or_else(|| server.security.port())),
            host: Some(server.host),
            security: Some(server.security),
            password: !server.password.expose_secret().is_empty(),
            username: Some(server.username),
            from: Some(server.from),
            ca: server.ca.is_some(),
            by: None,
            changed: None,
        }
    }
}
