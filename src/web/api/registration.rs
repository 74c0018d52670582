//! Making an account, and the invitations for it.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use crate::core::{Invite, InviteOrder, Newcomer};
use crate::model::{Role, Sees, Timestamp};
use crate::web::App;
use crate::web::auth::{By, From};
use crate::web::code::refused;
use crate::web::deed::Noting;
use crate::web::error::WebError;
use crate::web::params::{Body, Listed, Name, lasts};
use crate::web::shape::UserShape;

/// An account to be.
#[derive(Deserialize, ToSchema)]
#[schema(as = Registration)]
pub(crate) struct Register {
    /// 5 to 64 of `A-Z a-z 0-9 . _ -`; letter case does not tell two apart.
    #[serde(alias = "name")]
    username: Option<String>,
    /// 8 to 128 characters.
    #[schema(value_type = Option<String>, format = "password")]
    password: Option<SecretString>,
    /// The password once more.
    #[schema(value_type = Option<String>, format = "password")]
    password_confirmation: Option<SecretString>,
    /// An invitation, where one is needed.
    #[schema(value_type = Option<String>)]
    invite: Option<SecretString>,
}

/// A new account.
#[derive(Serialize, ToSchema)]
pub(crate) struct Registered {
    user: UserShape,
}

/// An invitation to be.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewInvite)]
pub(crate) struct Order {
    /// What whoever uses it may do; else `operator`.
    role: Option<Role>,
    /// With which devices beside the own; else `own`.
    sees: Option<Sees>,
    /// How long it is good; else a week.
    #[schema(maximum = 315_360_000)]
    expires_in_s: Option<u64>,
    /// For how many accounts; else for one.
    uses: Option<u32>,
    /// A word for oneself.
    note: Option<String>,
}

/// An invitation, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = Invite)]
pub(crate) struct InviteShape {
    id: String,
    role: Role,
    sees: Sees,
    note: String,
    created: Timestamp,
    /// Who made it.
    by: String,
    expires: Timestamp,
    /// How many accounts may be made with it.
    uses: u32,
    /// How many were made.
    used: u32,
}

/// A new invitation; its secret is told here and never again.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedInvite {
    #[serde(flatten)]
    about: InviteShape,
    invite: String,
}

/// Makes an account for whoever asks, as `accounts.registration` allows.
#[utoipa::path(post, path = "/api/v1/auth/register", request_body = Register,
    responses((status = 201, body = Registered), refused::UsernameTaken, refused::UsernameTooShort,
        refused::PasswordLength, refused::PasswordMismatch, refused::RegistrationClosed, refused::InviteRequired,
        refused::InviteInvalid, refused::TooMany))]
pub(crate) async fn register(
    State(app): State<App>,
    From(visitor): From,
    noting: Noting,
    Body(body): Body<Register>,
) -> Result<(StatusCode, Json<Registered>), WebError> {
    let missing = |field: &str| WebError::field(field, format!("{field} is missing"));
    let newcomer = Newcomer {
        username: body.username.ok_or_else(|| missing("username"))?,
        password: body.password.ok_or_else(|| missing("password"))?,
        confirmation: body.password_confirmation.ok_or_else(|| missing("password_confirmation"))?,
        invite: body.invite,
    };
    noting.who(&newcomer.username);
    let user = app.hub.register(newcomer, visitor.peer).await?;
    Ok((StatusCode::CREATED, Json(Registered { user: user.into() })))
}

/// Invitations, the newest first; also those that are used up or past their end.
#[utoipa::path(get, path = "/api/v1/invites", responses((status = 200, body = Listed<InviteShape>)))]
pub(crate) async fn invites(State(app): State<App>) -> Answer<Listed<InviteShape>> {
    let invites = app.hub.invites().await?;
    Ok(Json(Listed::whole(invites.into_iter().map(InviteShape::from).collect())))
}

/// Makes an invitation. Its secret is told once.
#[utoipa::path(post, path = "/api/v1/invites", request_body = Order,
    responses((status = 201, body = CreatedInvite)))]
pub(crate) async fn invite(
    State(app): State<App>,
    By(caller): By,
    Body(order): Body<Order>,
) -> Result<(StatusCode, Json<CreatedInvite>), WebError> {
    let order = InviteOrder {
        role: order.role.unwrap_or(Role::Operator),
        sees: order.sees.unwrap_or(Sees::Own),
        note: order.note.unwrap_or_default(),
        life: lasts(order.expires_in_s)?.unwrap_or(WEEK),
        uses: order.uses.unwrap_or(1),
    };
    let (invite, secret) = app.hub.invite(order, &caller.by()).await?;
    let created = CreatedInvite { about: invite.into(), invite: secret.expose_secret().to_owned() };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Ends an invitation. Accounts that were made with it stay.
#[utoipa::path(delete, path = "/api/v1/invites/{id}", responses((status = 204, description = "done")))]
pub(crate) async fn uninvite(State(app): State<App>, Name(id): Name) -> Result<StatusCode, WebError> {
    app.hub.uninvite(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl std::convert::From<Invite> for InviteShape {
    fn from(invite: Invite) -> Self {
        Self {
            id: invite.id,
            role: invite.role,
            sees: invite.sees,
            note: invite.note,
            created: invite.created,
            by: invite.by,
            expires: invite.expires,
            uses: invite.uses,
            used: invite.used,
        }
    }
}

/// How long an invitation is good, when nobody says.
pub(crate) const WEEK: Duration = Duration::from_hours(7 * 24);
