//! Users, for administrators: who there is, what each may do and sees, and invitations.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use secrecy::{ExposeSecret as _, SecretString};

use super::credentials::{self, SessionLine, TokenLine};
use super::moment::Moment;
use super::typed::{Choice, Typed, Wrong, spans};
use super::{Frame, Page, Place, Sent, refused, render};
use crate::core::{Caller, Invite, InviteOrder, RegistrationPolicy};
use crate::model::{Role, Sees, User};
use crate::web::App;
use crate::web::api::enrolment::Base;
use crate::web::api::{account, people, registration, tokens};
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::params::{Name, Params, lasts};

#[derive(Template)]
#[template(path = "users.html")]
struct UsersPage {
    frame: Frame,
    done: Option<&'static str>,
    wrong: Wrong,
    users: Vec<UserLine>,
    invites: Vec<InviteLine>,
    /// A password or an invitation, told once.
    secret: Option<Secret>,
    roles: Vec<Choice>,
    invite_roles: Vec<Choice>,
    lives: Vec<Choice>,
    /// What the settings say of registration.
    registration: &'static str,
    /// Which form is filled in: `user` or `invite`.
    at: &'static str,
    typed: Typed,
}

#[derive(Template)]
#[template(path = "user.html")]
struct UserPage {
    frame: Frame,
    done: Option<&'static str>,
    wrong: Wrong,
    user: UserLine,
    me: bool,
    roles: Vec<Choice>,
    sees: Vec<Choice>,
    sessions: Vec<SessionLine>,
    tokens: Vec<TokenLine>,
    /// How many devices the user owns.
    owns: usize,
    others: Vec<Choice>,
    secret: Option<Secret>,
    /// Where its sessions and tokens are ended.
    base: String,
}

struct UserLine {
    id: String,
    name: String,
    role: &'static str,
    sees: &'static str,
    created: Moment,
}

struct InviteLine {
    id: String,
    note: String,
    role: &'static str,
    sees: &'static str,
    by: String,
    expires: Moment,
    used: u32,
    uses: u32,
    /// It lets nobody in any more.
    over: bool,
}

/// What is told once.
struct Secret {
    what: String,
    text: String,
    /// Where somebody invited goes.
    link: Option<String>,
}

pub(crate) async fn list(State(app): State<App>, By(caller): By, params: Params) -> Page {
    let mut page = page(&app, &caller, "", Typed::default()).await?;
    page.done = params.text("done").and_then(done);
    render(&page)
}

pub(crate) async fn add(State(app): State<App>, By(caller): By, Sent(typed): Sent<Typed>) -> Page {
    let made = async {
        let (role, sees) = role_and_sees(&typed)?;
        let (password, told) = chosen_or_made(&app, &typed)?;
        let user = app.hub.add_user_who(typed.text("name"), password, role, sees).await?;
        Ok::<_, WebError>((user, told))
    };
    match made.await {
        Ok((user, None)) => Ok(to(&format!("/users?done=added#user-{}", user.id.as_str()))),
        Ok((user, Some(text))) => {
            let mut page = page(&app, &caller, "", Typed::default()).await?;
            page.secret = Some(Secret { what: format!("The password of {}", user.name), text, link: None });
            render(&page)
        }
        Err(error) => refuse(&app, &caller, "user", typed, &error).await,
    }
}

pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By, params: Params) -> Page {
    let mut page = one(&app, &caller, &id).await?;
    page.done = params.text("done").and_then(done);
    render(&page)
}

pub(crate) async fn edit(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Sent(typed): Sent<Typed>,
) -> Page {
    let changed = async {
        let (role, sees) = role_and_sees(&typed)?;
        let edit = people::Edit { role: Some(role), sees: Some(sees), password: None };
        people::change(&app, &id, edit).await
    };
    after(&app, &caller, &id, changed.await.map(drop), "changed").await
}

pub(crate) async fn password(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Sent(typed): Sent<Typed>,
) -> Page {
    let (password, told) = chosen_or_made(&app, &typed)?;
    let edit = people::Edit { password: Some(password), ..people::Edit::default() };
    match (people::change(&app, &id, edit).await, told) {
        (Ok(user), Some(text)) => {
            let mut page = one(&app, &caller, &id).await?;
            page.secret =
                Some(Secret { what: format!("The new password of {}", user.name), text, link: None });
            render(&page)
        }
        (set, _) => after(&app, &caller, &id, set.map(drop), "password").await,
    }
}

pub(crate) async fn end_sessions(State(app): State<App>, Name(id): Name, By(caller): By) -> Page {
    let user = people::user(&app, &id).await?;
    app.hub.end_sessions(&user.id, None).await?;
    after(&app, &caller, &id, Ok(()), "out").await
}

pub(crate) async fn end_session(
    State(app): State<App>,
    axum::extract::Path((id, session)): axum::extract::Path<(String, String)>,
    By(caller): By,
) -> Page {
    account::end(&app, &caller, &session).await?;
    after(&app, &caller, &id, Ok(()), "session").await
}

pub(crate) async fn revoke_token(
    State(app): State<App>,
    axum::extract::Path((id, token)): axum::extract::Path<(String, String)>,
    By(caller): By,
) -> Page {
    tokens::revoke(&app, &caller, &token).await?;
    after(&app, &caller, &id, Ok(()), "token").await
}

pub(crate) async fn remove(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Sent(typed): Sent<Typed>,
) -> Page {
    match people::take_away(&app, &id, typed.some("devices_to").as_deref()).await {
        Ok(()) => Ok(to("/users?done=removed")),
        Err(error) => after(&app, &caller, &id, Err(error), "").await,
    }
}

pub(crate) async fn invite(
    State(app): State<App>,
    By(caller): By,
    Base(base): Base,
    Sent(typed): Sent<Typed>,
) -> Page {
    let made = async {
        let (role, sees) = role_and_sees(&typed)?;
        let uses = typed.whole("uses")?.unwrap_or(1);
        let order = InviteOrder {
            role,
            sees,
            note: typed.text("note").to_owned(),
            life: lasts(typed.whole("expires_in_s")?)?.unwrap_or(registration::WEEK),
            uses: u32::try_from(uses).map_err(|_| WebError::field("uses", "too many accounts"))?,
        };
        Ok::<_, WebError>(app.hub.invite(order, &caller.by()).await?)
    };
    match made.await {
        Ok((_, secret)) => {
            let mut page = page(&app, &caller, "", Typed::default()).await?;
            let text = secret.expose_secret().to_owned();
            // Behind the `#` it stays in the browser: no log has it.
            let link = base.map(|base| format!("{base}/register#{text}"));
            page.secret = Some(Secret { what: "The invitation".to_owned(), text, link });
            render(&page)
        }
        Err(error) => refuse(&app, &caller, "invite", typed, &error).await,
    }
}

pub(crate) async fn uninvite(State(app): State<App>, Name(id): Name) -> Page {
    app.hub.uninvite(&id).await?;
    Ok(to("/users?done=uninvited"))
}

/// The password that was typed, or else a new one: that one is told, too.
fn chosen_or_made(app: &App, typed: &Typed) -> Result<(SecretString, Option<String>), WebError> {
    let chosen = typed.raw("password");
    if !chosen.is_empty() {
        return Ok((chosen.to_owned().into(), None));
    }
    let made = app.hub.fresh_password()?;
    let told = made.expose_secret().to_owned();
    Ok((made, Some(told)))
}

fn role_and_sees(typed: &Typed) -> Result<(Role, Sees), WebError> {
    let role = Role::parse(typed.text("role"));
    let sees = Sees::parse(typed.text("sees"));
    Ok((
        role.ok_or_else(|| WebError::field("role", "choose what the user may do"))?,
        sees.ok_or_else(|| WebError::field("sees", "choose which devices the user sees"))?,
    ))
}

async fn after(app: &App, caller: &Caller, id: &str, outcome: Result<(), WebError>, done: &str) -> Page {
    match outcome {
        Ok(()) => Ok(to(&format!("/users/{}?done={done}", crate::http::query::escape(id)))),
        Err(error) => {
            let page = one(app, caller, id).await?;
            refused(&error, |wrong| UserPage { wrong, ..page })
        }
    }
}

async fn refuse(app: &App, caller: &Caller, at: &'static str, typed: Typed, error: &WebError) -> Page {
    let page = page(app, caller, at, typed).await?;
    refused(error, |wrong| UsersPage { wrong, ..page })
}

fn to(path: &str) -> Response {
    Redirect::to(path).into_response()
}

async fn page(app: &App, caller: &Caller, at: &'static str, typed: Typed) -> Result<UsersPage, WebError> {
    let now = app.hub.now();
    let invite = |invite: Invite| InviteLine {
        over: invite.expires <= now || invite.used >= invite.uses,
        role: invite.role.as_str(),
        sees: sees_name(invite.sees),
        by: super::alerts::person(&invite.by).to_owned(),
        expires: Moment::at(invite.expires),
        id: invite.id,
        note: invite.note,
        used: invite.used,
        uses: invite.uses,
    };
    let chosen = |usual| Role::parse(typed.text("role")).unwrap_or(usual);
    let life = typed.whole("expires_in_s").ok().flatten().unwrap_or(registration::WEEK.as_secs());
    let lives = spans("", &LIVES_S, Some(life)).into_iter().filter(|life| !life.value.is_empty());
    Ok(UsersPage {
        frame: Frame::of(app, caller, Place::Users, "Users").await,
        done: None,
        wrong: Wrong::default(),
        users: app.hub.users().await?.into_iter().map(UserLine::of).collect(),
        invites: app.hub.invites().await?.into_iter().map(invite).collect(),
        secret: None,
        roles: credentials::roles(Role::Admin, chosen(Role::Viewer)),
        invite_roles: credentials::roles(Role::Admin, chosen(Role::Operator)),
        lives: lives.collect(),
        registration: match app.hub.settings().registration {
            RegistrationPolicy::Closed => "closed",
            RegistrationPolicy::Invite => "invite",
            RegistrationPolicy::Open => "open",
        },
        at,
        typed,
    })
}

async fn one(app: &App, caller: &Caller, id: &str) -> Result<UserPage, WebError> {
    let user = people::user(app, id).await?;
    let others = app.hub.users().await?.into_iter().filter(|other| other.id != user.id);
    let owned = |device: &crate::model::Device| {
        app.hub.owner(&device.names.id).is_some_and(|owner| owner.id == user.id)
    };
    let sees = |sees: Sees| Choice::new(sees.as_str(), sees_name(sees), sees == user.sees);
    Ok(UserPage {
        frame: Frame::of(app, caller, Place::Users, user.name.clone()).await,
        done: None,
        wrong: Wrong::default(),
        me: user.id == caller.user.id,
        roles: credentials::roles(Role::Admin, user.role),
        sees: Sees::ALL.into_iter().map(sees).collect(),
        sessions: credentials::sessions(app, caller, &user.id).await?,
        tokens: credentials::tokens(app, &user.id).await?,
        owns: app.hub.devices_now().iter().filter(|device| owned(device)).count(),
        others: others.map(|other| Choice::new(other.id.as_str(), other.name, false)).collect(),
        secret: None,
        base: format!("/users/{}", user.id.as_str()),
        user: UserLine::of(user),
    })
}

impl UserLine {
    fn of(user: User) -> Self {
        Self {
            id: user.id.as_str().to_owned(),
            name: user.name,
            role: user.role.as_str(),
            sees: if user.role == Role::Admin { "every device" } else { sees_name(user.sees) },
            created: Moment::at(user.created),
        }
    }
}

const fn sees_name(sees: Sees) -> &'static str {
    match sees {
        Sees::House => "the house's devices and the own",
        Sees::Own => "only the own and those shared",
    }
}

fn done(word: &str) -> Option<&'static str> {
    Some(match word {
        "added" => "The user is added and may sign in.",
        "changed" => "The user is changed; it counts at once.",
        "password" => "The password is set; the user is signed out everywhere.",
        "out" => "The user is signed out everywhere.",
        "session" => "That sign-in is ended.",
        "token" => "The token is revoked: it lets nobody in any more.",
        "removed" => "The user is removed, with all sessions and tokens.",
        "uninvited" => "The invitation is ended. Accounts made with it stay.",
        _ => return None,
    })
}

/// How long an invitation may last: a day, a week, a month.
const LIVES_S: [u64; 3] = [86_400, 7 * 86_400, 30 * 86_400];
