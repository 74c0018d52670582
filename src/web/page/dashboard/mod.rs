//! The dashboard: every device that the caller sees, as cards or as a list, with what it says now.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `asked` | which devices are asked for, in which order, and the addresses that ask for others |
//! | `standing` | where a device stands: online, late, offline, held, blocked |
//! | `card` | what is shown of one device, and its small drawing |

mod asked;
mod card;
mod standing;

use askama::Template;
use axum::extract::State;

use self::asked::{Asked, View};
use self::card::Card;
use self::standing::{Counts, Found};
use super::typed::Choice;
use super::{Frame, Page, Place, render, status};
use crate::web::App;
use crate::web::auth::By;
use crate::web::params::Params;

#[derive(Template)]
#[template(path = "dashboard/page.html")]
struct DashboardPage {
    frame: Frame,
    notes: Vec<String>,
    counts: Counts,
    asked: Asked,
    families: Vec<Choice>,
    tags: Vec<Choice>,
    groups: Vec<Choice>,
    cards: Vec<Card>,
    /// Of all devices that fit, the first one shown, counted from one, and the last one.
    first: usize,
    last: usize,
    fitting: usize,
}

impl DashboardPage {
    /// How many of the devices that the caller sees stand so.
    fn count(&self, word: &str) -> usize {
        self.counts.of(word)
    }
}

pub(crate) async fn show(State(app): State<App>, By(caller): By, params: Params) -> Page {
    let sight = app.hub.sight(&caller);
    let params = params.filled();
    let asked = Asked::of(&params)?;
    let among = crate::web::api::groups::narrowed(&app, &caller, &params)?;
    let all = standing::all(&app, &sight).await?;
    let counts = Counts::made(&all);
    let choices = asked::choices(&app, &sight, &all, &asked);
    let mut found: Vec<Found> = all
        .into_iter()
        .filter(|found| among.as_ref().is_none_or(|among| among.contains(&found.device.names.id)))
        .filter(|found| asked.fits(found))
        .collect();
    asked.sort(&mut found);
    let fitting = found.len();
    let asked = asked.within(fitting);
    let shown: Vec<Found> = found.into_iter().skip(asked.skipped()).take(asked.limit).collect();
    let (first, last) = (asked.skipped() + 1, asked.skipped() + shown.len());
    let cards = card::cards(&app, &sight, shown, asked.view == View::Cards && asked.is_rich()).await?;
    render(&DashboardPage {
        frame: Frame::of(&app, &caller, Place::Dashboard, "Dashboard").await,
        notes: status::notes(&app, &sight),
        counts,
        families: choices.families,
        tags: choices.tags,
        groups: choices.groups,
        asked,
        cards,
        first,
        last,
        fitting,
    })
}
