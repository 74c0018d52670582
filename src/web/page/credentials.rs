//! Sessions and API tokens, as lists of them show them: of oneself, and of others to an administrator.

use super::moment::Moment;
use super::typed::Choice;
use crate::core::{Caller, HubError};
use crate::model::{Role, Session, Token, UserId};
use crate::web::App;

/// A sign-in that goes on.
pub(super) struct SessionLine {
    pub(super) id: String,
    /// What the program is, as far as it says.
    pub(super) program: String,
    pub(super) peer: String,
    pub(super) created: Moment,
    pub(super) last_used: Moment,
    pub(super) expires: Moment,
    pub(super) current: bool,
}

/// An API token.
pub(super) struct TokenLine {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) role: &'static str,
    /// The only devices it is for.
    pub(super) devices: Option<Vec<String>>,
    pub(super) created: Moment,
    pub(super) last_used: Option<Moment>,
    pub(super) expires: Option<Moment>,
    pub(super) over: bool,
}

/// A user's sessions, the one used last first.
pub(super) async fn sessions(
    app: &App,
    caller: &Caller,
    user: &UserId,
) -> Result<Vec<SessionLine>, HubError> {
    let line = |session: Session| SessionLine {
        current: caller.session() == Some(session.id.as_str()),
        program: program(&session.origin.agent, session.refresh.is_some()),
        peer: session.origin.peer,
        created: Moment::at(session.created),
        last_used: Moment::ago(session.last_used),
        expires: Moment::at(session.expires),
        id: session.id,
    };
    Ok(app.hub.sessions(Some(user)).await?.into_iter().map(line).collect())
}

/// A user's API tokens, the newest first.
pub(super) async fn tokens(app: &App, user: &UserId) -> Result<Vec<TokenLine>, HubError> {
    let mut tokens = app.hub.tokens(Some(user)).await?;
    tokens.sort_by(|one, other| (other.created, &other.id).cmp(&(one.created, &one.id)));
    let now = app.hub.now();
    let line = |token: Token| TokenLine {
        id: token.id,
        name: token.name,
        role: token.role.as_str(),
        devices: token.devices.map(|devices| devices.iter().map(|id| app.device_name(id)).collect()),
        created: Moment::at(token.created),
        last_used: token.last_used.map(Moment::ago),
        over: token.expires.is_some_and(|end| end <= now),
        expires: token.expires.map(Moment::at),
    };
    Ok(tokens.into_iter().map(line).collect())
}

/// Roles to choose from, up to one.
pub(super) fn roles(most: Role, chosen: Role) -> Vec<Choice> {
    let roles = Role::ALL.into_iter().filter(|role| *role <= most);
    roles.map(|role| Choice::new(role.as_str(), role_name(role), role == chosen)).collect()
}

pub(super) const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer: looks",
        Role::Operator => "operator: also commands and edits",
        Role::Admin => "admin: everything",
    }
}

/// A browser and its system, out of what it calls itself.
fn program(agent: &str, script: bool) -> String {
    let first = |names: &[(&str, &str)]| {
        names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| (*name).to_owned())
    };
    let browser = first(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser,
        (None, _) if !agent.is_empty() => agent.chars().take(40).collect(),
        (None, _) if script => "a program".to_owned(),
        (None, _) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_told_by_its_name() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";
        assert_eq!(program(chrome, false), "Chrome on Linux");
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605 Version/17.0 Mobile Safari/604.1";
        assert_eq!(program(safari, false), "Safari on iPhone");
        assert_eq!(program("curl/8.5.0", true), "curl/8.5.0");
        assert_eq!(program("", true), "a program");
    }
}
