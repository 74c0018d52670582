//! What the fleet needs of the people's side of the server. Who gives it knows the API; the fleet does not.

use std::pin::Pin;

use crate::family::simulator::{Habits, Order, Orders};

/// A call that is under way. A failure is a sentence.
pub type Errand<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// An operator who asks things of the fleet while it runs.
pub trait Office: Send + Sync {
    /// Queues a command; gives its id.
    fn order(&self, order: Order) -> Errand<'_, String>;

    /// Sends the fleet's file to a device, in pieces; gives the transfer's id.
    fn send<'a>(&'a self, address: &'a str) -> Errand<'a, String>;

    /// A transfer's state, as the API calls it, and whether nothing more will become of it.
    fn transfer<'a>(&'a self, id: &'a str) -> Errand<'a, (String, bool)>;

    /// A command as the server keeps it.
    fn command<'a>(&'a self, id: &'a str) -> Errand<'a, StoredCommand>;
}

/// A command as the server keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredCommand {
    /// Its id.
    pub id: String,
    /// Its state, as the API calls it.
    pub state: String,
    /// Its exact text.
    pub text: String,
    /// The exact text of its reply, if it has one.
    pub reply: Option<String>,
}

impl StoredCommand {
    /// Whether nothing more will become of it unless its device replies late.
    pub fn is_over(&self, habits: &Habits) -> bool {
        match self.state.as_str() {
            "queued" => false,
            "sent" => habits.orders == Orders::Silent,
            _ => true,
        }
    }
}
