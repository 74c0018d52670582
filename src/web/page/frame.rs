//! What every page shows around its own part: who is signed in, where one can go, what wants attention.

use crate::core::{Caller, Sight};
use crate::model::{DeviceState, Role};
use crate::web::App;

/// A page, or a page and those below it, as the navigation knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Dashboard,
    New,
    Alerts,
    Commands,
    Files,
    Download,
    Add,
    Demo,
    Users,
    Audit,
    Health,
    Account,
    /// Of none of them.
    Elsewhere,
}

/// What a page shows around its own part.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(super) title: String,
    /// Whether the caller may command and edit.
    pub(super) operator: bool,
    /// Whether the caller may do everything.
    pub(super) admin: bool,
    /// Whether the caller sees the house.
    pub(super) house: bool,
    pub(super) shell: Option<Shell>,
}

/// The ways to other pages, for whoever is signed in.
#[derive(Clone, Debug)]
pub(super) struct Shell {
    pub(super) who: String,
    pub(super) parts: Vec<Part>,
    /// Alerts that fire now, of devices the caller sees.
    pub(super) firing: usize,
    /// Whether this is the caller's own account.
    pub(super) account: bool,
}

/// Entries that belong together.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) entries: Vec<Entry>,
}

/// A way to a page.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) here: bool,
    /// What waits there.
    pub(super) count: usize,
    pub(super) urgent: bool,
}

impl Frame {
    /// For somebody who is signed in.
    pub(crate) async fn of(app: &App, caller: &Caller, here: Place, title: impl Into<String>) -> Self {
        let sight = app.hub.sight(caller);
        let firing = firing(app, &sight).await;
        let held = if sight.house() { held(app) } else { 0 };
        let frame = Self {
            title: title.into(),
            operator: caller.role >= Role::Operator,
            admin: caller.role >= Role::Admin,
            house: sight.house(),
            shell: None,
        };
        let open = |entry: &Way| {
            (frame.operator || !entry.commands)
                && (frame.house || !entry.house)
                && (frame.admin || !entry.admin)
        };
        let entry = |way: &Way| Entry {
            name: way.name,
            path: way.path,
            here: way.place == here,
            count: match way.place {
                Place::New => held,
                Place::Alerts => firing,
                _ => 0,
            },
            urgent: way.place == Place::Alerts,
        };
        let part = |(name, ways): &(&'static str, &[Way])| Part {
            name,
            entries: ways.iter().filter(|way| open(way)).map(entry).collect(),
        };
        let parts = WAYS.iter().map(part).filter(|part| !part.entries.is_empty()).collect();
        let shell = Shell { who: caller.user.name.clone(), parts, firing, account: here == Place::Account };
        Self { shell: Some(shell), ..frame }
    }

    /// For somebody who is not signed in, or of whom nothing is known.
    pub(crate) fn outside(title: impl Into<String>) -> Self {
        Self { title: title.into(), operator: false, admin: false, house: false, shell: None }
    }
}

/// An alert that cannot be counted is no reason to show no page.
async fn firing(app: &App, sight: &Sight) -> usize {
    app.hub.firing(|device| sight.sees(device)).await.unwrap_or_else(|error| {
        tracing::debug!(%error, "alerts are not counted on this page");
        0
    })
}

fn held(app: &App) -> usize {
    let (counts, _) = app.hub.device_counts();
    let held = DeviceState::Held.as_str();
    counts.into_iter().filter(|((_, state), _)| *state == held).map(|(_, count)| count).sum()
}

/// A page and whom it is for.
struct Way {
    place: Place,
    name: &'static str,
    path: &'static str,
    /// Only for whoever commands.
    commands: bool,
    /// Only for whoever sees the house.
    house: bool,
    /// Only for administrators.
    admin: bool,
}

const fn way(place: Place, name: &'static str, path: &'static str) -> Way {
    Way { place, name, path, commands: false, house: false, admin: false }
}

/// Every way there is. The words are the original's where it had the page (`accounts-dashboard.md` §1).
const WAYS: [(&str, &[Way]); 4] = [
    (
        "Watch",
        &[
            way(Place::Dashboard, "Dashboard", "/"),
            Way { house: true, commands: true, ..way(Place::New, "New devices", "/new") },
            way(Place::Alerts, "Alerts", "/alerts"),
        ],
    ),
    (
        "Work",
        &[
            Way { commands: true, ..way(Place::Commands, "Commands", "/commands") },
            Way { house: true, ..way(Place::Files, "Files", "/published") },
            way(Place::Download, "Download", "/download"),
        ],
    ),
    (
        "Make",
        &[
            Way { commands: true, ..way(Place::Add, "Add Device", "/add") },
            Way { house: true, commands: true, ..way(Place::Demo, "Demo", "/demo") },
        ],
    ),
    (
        "House",
        &[
            Way { admin: true, ..way(Place::Users, "Users", "/users") },
            Way { admin: true, ..way(Place::Audit, "Audit", "/audit") },
            Way { house: true, ..way(Place::Health, "Health", "/status") },
        ],
    ),
];
