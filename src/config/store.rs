//! The database's URL, which may hold a password and therefore never prints it.

use std::fmt;

use super::setting::Setting;

/// `sqlite`, `sqlite:PATH` or `postgres://…`.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl(String);

impl StoreUrl {
    /// Wraps a URL.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The whole URL, with its password.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The URL with its password masked: in `user:password@` and in `password=`.
    pub fn masked(&self) -> String {
        let mut text = self.0.clone();
        let from = text.find("://").map_or(0, |at| at + 3);
        let authority = text.get(from..).and_then(|rest| rest.rfind('@')).map(|at| from + at);
        if let Some(end) = authority
            && let Some(colon) = text.get(from..end).and_then(|user| user.find(':'))
        {
            text.replace_range(from + colon + 1..end, "***");
        }
        let mut searched = 0;
        while let Some(at) = text.get(searched..).and_then(|rest| rest.find("password=")) {
            let start = searched + at + "password=".len();
            let end = text
                .get(start..)
                .and_then(|rest| rest.find(['&', ' ']))
                .map_or(text.len(), |length| start + length);
            text.replace_range(start..end, "***");
            searched = start;
        }
        text
    }
}

impl Default for StoreUrl {
    fn default() -> Self {
        Self::new("sqlite")
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Setting for StoreUrl {
    fn parse(text: &str) -> Result<Self, String> {
        let known = text == "sqlite"
            || ["sqlite:", "postgres://", "postgresql://"].iter().any(|start| text.starts_with(start));
        if known {
            Ok(Self::new(text))
        } else {
            Err("expected sqlite, sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE".to_owned())
        }
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_never_show() {
        for (url, masked) in [
            ("sqlite", "sqlite"),
            ("postgres://u:s3cret@db/x", "postgres://u:***@db/x"),
            ("postgres://u:a@b:c@db/x", "postgres://u:***@db/x"),
            ("postgres://db/x?user=u&password=s3cret&a=1", "postgres://db/x?user=u&password=***&a=1"),
            ("postgres://u@db/x", "postgres://u@db/x"),
        ] {
            assert_eq!(StoreUrl::new(url).masked(), masked);
            assert_eq!(format!("{:?}", StoreUrl::new(url)), masked);
        }
    }
}
