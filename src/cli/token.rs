//! `homeport token`: secrets for scripts. A token is shown once.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::json;

use super::client::{self, Client, Connect, escape, text};
use super::settings::Global;
use super::user::RoleArg;
use super::{Done, Failure, output, send};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  homeport token create backup --role viewer")]
pub(super) struct Token {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a token and print it, once.
    #[command(
        after_help = "Example:\n  homeport token create dashboard --role viewer --expires 90d\n  homeport token create oven --device Oven --role operator --user eve"
    )]
    Create {
        /// What to call it.
        name: String,
        /// What it may do.
        #[arg(long, value_enum, default_value = "viewer")]
        role: RoleArg,
        /// Whose it is [default: yours; at the server itself, the oldest administrator's].
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// A device it is for; may be given several times [default: every device that its user sees].
        #[arg(long, value_name = "DEVICE")]
        device: Vec<String>,
        /// When it ends, for instance 12h or 90d [default: never].
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List tokens, without their secrets.
    #[command(after_help = "Example:\n  homeport token list --json")]
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// End a token.
    #[command(after_help = "Example:\n  homeport token revoke dashboard")]
    Revoke {
        /// Its id or name.
        token: String,
    },
}

impl Token {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let client = self.connect.client(settings)?;
        match &self.what {
            What::Create { name, role, user, device, expires, json } => {
                let mut body = json!({ "name": name, "role": role.word() });
                if let (Some(user), Some(body)) = (user, body.as_object_mut()) {
                    body.insert("user".to_owned(), user.as_str().into());
                }
                if let (false, Some(body)) = (device.is_empty(), body.as_object_mut()) {
                    body.insert("devices".to_owned(), ids(&client, device).await?.into());
                }
                if let (Some(expires), Some(body)) = (expires, body.as_object_mut()) {
                    let seconds = send::seconds(expires).map_err(Failure::Usage)?;
                    body.insert("expires_in_s".to_owned(), seconds.into());
                }
                let made = client.call(Method::POST, "/tokens", Some(&body)).await?;
                if *json {
                    return Ok(output::json(&made)?);
                }
                output::note("This is shown once. Keep it like a password:");
                let secret =
                    ["token", "secret"].iter().map(|field| text(&made, field)).find(|text| !text.is_empty());
                output::line(secret.unwrap_or_default())?;
            }
            What::List { json } => {
                let tokens = client.list("/tokens").await?;
                output::list(tokens, *json, &COLUMNS)?;
            }
            What::Revoke { token } => {
                let tokens = client.list("/tokens").await?;
                let named: Vec<_> = tokens
                    .iter()
                    .filter(|row| text(row, "id") == token || text(row, "name") == token)
                    .collect();
                let [one] = named.as_slice() else {
                    let found = if named.is_empty() { "no token is" } else { "several tokens are" };
                    return Err(anyhow::anyhow!(
                        "{found} called `{token}`: `homeport token list` shows the ids"
                    )
                    .into());
                };
                let id = escape(text(one, "id"));
                client.call(Method::DELETE, &format!("/tokens/{id}"), None).await?;
                output::line(&format!("{token} revoked"))?;
            }
        }
        Ok(())
    }
}

/// The ids of the devices that are named.
async fn ids(client: &Client, devices: &[String]) -> anyhow::Result<Vec<String>> {
    let mut ids = Vec::with_capacity(devices.len());
    for name in devices {
        ids.push(text(&client::device(client, name).await?, "id").to_owned());
    }
    Ok(ids)
}

const COLUMNS: [(&str, &str); 7] = [
    ("ID", "id"),
    ("NAME", "name"),
    ("ROLE", "role"),
    ("DEVICES", "devices"),
    ("CREATED", "created"),
    ("LAST USED", "last_used"),
    ("EXPIRES", "expires"),
];
