//! Which devices a person asks for, and in which order. Pure but for the lists of what can be chosen.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::standing::{Found, Standing};
use crate::core::Sight;
use crate::http::query;
use crate::model::DeviceState;
use crate::web::App;
use crate::web::error::WebError;
use crate::web::page::typed::Choice;
use crate::web::params::Params;

/// How devices are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Cards,
    List,
}

/// What the address says.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) q: String,
    /// One of [`STATES`]' words, or a device state of the API.
    pub(super) state: String,
    family: String,
    tags: Vec<String>,
    group: String,
    pub(super) sort: &'static str,
    pub(super) view: View,
    pub(super) limit: usize,
    /// Counted from one.
    page: usize,
    pages: usize,
}

/// What can be chosen, beside what is always there.
pub(super) struct Choices {
    pub(super) families: Vec<Choice>,
    pub(super) tags: Vec<Choice>,
    pub(super) groups: Vec<Choice>,
}

impl Asked {
    /// Reads the address.
    pub(super) fn of(params: &Params) -> Result<Self, WebError> {
        let text = |name: &str| params.text(name).unwrap_or_default().trim().to_owned();
        let known = |word: &str| {
            STATES.iter().map(|(known, _)| *known).chain(["active", "late"]).find(|known| *known == word)
        };
        let words = "active, held, blocked, online, late, offline, never active, alerts";
        let state = params.word("state", known, words)?.unwrap_or_default().to_owned();
        let sort = |word: &str| SORTS.iter().map(|(known, _)| *known).find(|known| *known == word);
        let view = |word: &str| match word {
            "cards" => Some(View::Cards),
            "list" => Some(View::List),
            _ => None,
        };
        let view = params.word("view", view, "cards, list")?.unwrap_or(View::Cards);
        let limit = match params.text("limit") {
            Some(_) => usize::try_from(params.limit()?).unwrap_or(usize::MAX),
            None => view.usual(),
        };
        // So many cards would be no overview.
        let view = if limit > RICH_MAX { View::List } else { view };
        Ok(Self {
            q: text("q"),
            state,
            family: text("family"),
            tags: params.texts("tag").map(str::to_owned).collect(),
            group: text("group"),
            sort: params.word("sort", sort, "name, attention, heard, silent, new")?.unwrap_or("name"),
            view,
            limit,
            page: params.text("page").and_then(|page| page.parse().ok()).unwrap_or(1).max(1),
            pages: 1,
        })
    }

    /// Whether a device is one of those.
    pub(super) fn fits(&self, found: &Found) -> bool {
        let names = &found.device.names;
        let q = self.q.to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&q);
        let stands = match self.state.as_str() {
            "" => true,
            "alerts" => found.alerts > 0,
            "active" => found.device.state == DeviceState::Active,
            // One that is late is online still.
            "online" => matches!(found.standing, Standing::Online | Standing::Late),
            word => found.standing.word() == word,
        };
        stands
            && (q.is_empty() || has(&names.name) || has(&names.address) || names.id.as_str() == q)
            && (self.family.is_empty() || names.family.as_str() == self.family)
    }

    /// Puts devices in the order that is asked for.
    pub(super) fn sort(&self, found: &mut [Found]) {
        let name = |one: &Found| (one.device.names.name.to_lowercase(), one.device.names.id.clone());
        found.sort_by_cached_key(name);
        match self.sort {
            "attention" => found.sort_by_key(|one| (Reverse(one.alerts), one.standing)),
            "heard" => found.sort_by_key(|one| Reverse(one.device.last_seen)),
            "silent" => found.sort_by_key(|one| (one.device.last_seen.is_none(), one.device.last_seen)),
            "new" => found.sort_by_key(|one| Reverse(one.device.created)),
            _ => {}
        }
    }

    /// The same on a page that there is, of so many devices.
    pub(super) fn within(self, fitting: usize) -> Self {
        let pages = fitting.div_ceil(self.limit).max(1);
        Self { page: self.page.min(pages), pages, ..self }
    }

    /// Devices on the pages before.
    pub(super) const fn skipped(&self) -> usize {
        (self.page - 1) * self.limit
    }

    /// Whether there are so few devices on a page that each is shown with all that belongs to it.
    pub(super) const fn is_rich(&self) -> bool {
        self.limit <= RICH_MAX
    }

    /// Whether those are asked for that stand so.
    pub(super) fn is_state(&self, word: &str) -> bool {
        self.state == word
    }

    /// Whether this order is asked for.
    pub(super) fn is_sort(&self, word: &str) -> bool {
        self.sort == word
    }

    pub(super) const fn cards(&self) -> bool {
        matches!(self.view, View::Cards)
    }

    /// The address of those that stand otherwise.
    pub(super) fn with_state(&self, word: &str) -> String {
        Self { state: word.to_owned(), page: 1, ..self.clone() }.address()
    }

    /// The address of the same devices in the other view.
    pub(super) fn as_cards(&self, cards: bool) -> String {
        let view = if cards { View::Cards } else { View::List };
        let limit = if self.limit == self.view.usual() || cards { view.usual() } else { self.limit };
        Self { view, limit, page: 1, ..self.clone() }.address()
    }

    /// The address of the page before.
    pub(super) fn before(&self) -> Option<String> {
        (self.page > 1).then(|| Self { page: self.page - 1, ..self.clone() }.address())
    }

    /// The address of the page behind.
    pub(super) fn behind(&self) -> Option<String> {
        (self.page < self.pages).then(|| Self { page: self.page + 1, ..self.clone() }.address())
    }

    fn address(&self) -> String {
        let mut pairs =
            vec![("q", self.q.clone()), ("state", self.state.clone()), ("family", self.family.clone())];
        pairs.extend(self.tags.iter().map(|tag| ("tag", tag.clone())));
        pairs.push(("group", self.group.clone()));
        if self.sort != "name" {
            pairs.push(("sort", self.sort.to_owned()));
        }
        if self.view == View::List {
            pairs.push(("view", "list".to_owned()));
        }
        if self.limit != self.view.usual() {
            pairs.push(("limit", self.limit.to_string()));
        }
        if self.page > 1 {
            pairs.push(("page", self.page.to_string()));
        }
        let pair = |(name, value): &(&str, String)| format!("{name}={}", query::escape(value));
        let pairs: Vec<_> = pairs.iter().filter(|(_, value)| !value.is_empty()).map(pair).collect();
        if pairs.is_empty() { "/".to_owned() } else { format!("/?{}", pairs.join("&")) }
    }
}

impl View {
    /// Devices on a page, unless a person asks for more or fewer.
    const fn usual(self) -> usize {
        match self {
            Self::Cards => 60,
            Self::List => 200,
        }
    }
}

/// The families, tags and groups that there are among the devices that the caller sees.
pub(super) fn choices(app: &App, sight: &Sight, all: &[Found], asked: &Asked) -> Choices {
    let families: BTreeSet<&str> = all.iter().map(|found| found.device.names.family.as_str()).collect();
    let tags: BTreeSet<String> =
        all.iter().flat_map(|found| app.hub.tags(&found.device.names.id).to_vec()).collect();
    let family = |name: &str| Choice::new(name, name, name == asked.family);
    let tag = |tag: String| Choice::new(&*tag, &*tag, asked.tags.contains(&tag));
    let group = |id: String, name: String| {
        let chosen = asked.group == id || asked.group == name;
        Choice::new(id, name, chosen)
    };
    let groups = sight.groups().into_iter();
    Choices {
        families: families.into_iter().map(family).collect(),
        tags: tags.into_iter().map(tag).collect(),
        groups: groups.map(|one| group(one.id.as_str().to_owned(), one.name)).collect(),
    }
}

/// Where devices may stand, as the page offers it.
pub(super) const STATES: [(&str, &str); 7] = [
    ("", "All"),
    ("alerts", "With alerts"),
    ("online", "Online"),
    ("offline", "Offline"),
    ("never active", "Never active"),
    ("held", "Held"),
    ("blocked", "Blocked"),
];

/// Orders, as the page offers them.
pub(super) const SORTS: [(&str, &str); 5] = [
    ("name", "Name"),
    ("attention", "What wants attention"),
    ("heard", "Last heard"),
    ("silent", "Longest silent"),
    ("new", "Newest"),
];

/// More devices on a page are a list: with fewer words, and without drawings.
const RICH_MAX: usize = 120;

/// The colour of a count of devices that stand so.
pub(super) fn tone(word: &str) -> &'static str {
    match word {
        "alerts" => "bad",
        "held" => "warn",
        _ => "",
    }
}
