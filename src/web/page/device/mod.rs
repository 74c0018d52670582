//! The pages of one device, and what stands above each of them.
//!
//! | file | page |
//! | --- | --- |
//! | `overview` | how it is: values, plots, controls, what came last |
//! | `commands` | commands with every transition, files sent to it, forms for both |
//! | `timeline` | everything about it in one order |
//! | `settings` | its name, configuration, tokens, people, its end; what is known of it, its day files |

mod bands;
pub(crate) mod commands;
mod events;
mod facts;
mod marks;
pub(crate) mod overview;
mod plots;
pub(crate) mod settings;
mod summary;
pub(crate) mod timeline;

use super::moment::Moment;
use super::{Frame, Page, Place, brief, refused, render};
use crate::core::{Caller, Level, Presence, Sight};
use crate::family::Facts;
use crate::model::{Device, DeviceState};
use crate::web::App;
use crate::web::api;
use crate::web::error::WebError;

/// Which of a device's pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tab {
    Overview,
    Commands,
    Timeline,
    Settings,
}

impl Tab {
    const ALL: [Self; 4] = [Self::Overview, Self::Commands, Self::Timeline, Self::Settings];

    const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Commands => "Commands",
            Self::Timeline => "Timeline",
            Self::Settings => "Settings",
        }
    }

    /// What its path has behind the device's.
    const fn path(self) -> &'static str {
        match self {
            Self::Overview => "",
            Self::Commands => "/commands",
            Self::Timeline => "/timeline",
            Self::Settings => "/settings",
        }
    }
}

/// What stands above each page of a device.
struct Head {
    device: Device,
    presence: Presence,
    tab: Tab,
    seen: Option<Moment>,
    /// How often it speaks, in words.
    rhythm: Option<String>,
    parent: Option<Device>,
    /// What is wrong, as its dialect says.
    warnings: Vec<String>,
    /// Whether what it says is not recorded now.
    paused: bool,
    /// Whether the caller may command it, rename it and set it up.
    edit: bool,
    /// Whether it is the caller's to let in, to keep out and to forget.
    own: bool,
}

/// A device as its pages begin with it.
struct Begun {
    frame: Frame,
    head: Head,
    sight: Sight,
    /// What its dialect knows of it.
    facts: Facts,
}

impl Begun {
    /// Reads what every page of a device shows.
    async fn with(app: &App, caller: &Caller, id: &str, tab: Tab) -> Result<Self, WebError> {
        let device = api::device_for(app, caller, id, Level::View)?;
        let sight = app.hub.sight(caller);
        let facts = app.facts(&device).await?;
        let title = match tab {
            Tab::Overview => device.names.name.clone(),
            Tab::Commands | Tab::Timeline | Tab::Settings => {
                format!("{} of {}", tab.name(), device.names.name)
            }
        };
        let presence = app.hub.presence(&device);
        let level = sight.level(&device.names.id);
        let head = Head {
            presence,
            tab,
            seen: device.last_seen.map(Moment::ago),
            rhythm: presence.rhythm.map(pace),
            parent: app.parent(&sight, &device),
            warnings: facts::warnings(&facts),
            paused: !app.hub.is_recording(&device.names.family),
            edit: level >= Level::Edit,
            own: level >= Level::Own,
            device,
        };
        let frame = Frame::of(app, caller, Place::Elsewhere, title).await;
        Ok(Self { frame, head, sight, facts })
    }
}

/// How often something happens, in words.
fn pace(every: std::time::Duration) -> String {
    match every.as_secs_f64() {
        short if short < 10.0 => format!("{short:.1} s"),
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        minutes if minutes < 7200.0 => format!("{:.0} min", minutes / 60.0),
        hours => format!("{:.0} h", hours / 3600.0),
    }
}
