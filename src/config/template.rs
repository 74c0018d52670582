//! The commented template and the print of effective settings, both made from the table of keys.

use std::fmt::Write as _;

use super::{Config, Key, keys};

/// A file with every key at its default, each with its meaning.
pub fn template() -> String {
    let mut text = String::from(
        "# Settings of homeport. Every key stands here with its default; a flag overrides the environment,\n\
         # which overrides this file. `homeport config check` reads it without starting anything.\n",
    );
    let config = Config::default();
    sections(&mut text, |text, key| {
        text.push('\n');
        for line in key.meaning.lines() {
            let _ = writeln!(text, "# {line}");
        }
        let _ = writeln!(text, "# Environment: {}", key.variable());
        if key.secret {
            let _ = writeln!(text, "# {}_file = \"…\" reads it from a file instead.", leaf(key));
        }
        let _ = writeln!(text, "{} = {}", leaf(key), (key.show)(&config));
    });
    text
}

/// The settings as they are in force, secrets masked, in the form of a file.
pub fn print(config: &Config) -> String {
    let mut text = String::new();
    sections(&mut text, |text, key| {
        let _ = writeln!(text, "{} = {}", leaf(key), (key.show)(config));
    });
    for (family, table) in &config.families {
        // Within its section, so that a section below it keeps its whole name.
        let section = toml::Table::from_iter([(family.clone(), toml::Value::Table(masked(table)))]);
        let _ = write!(text, "\n{section}");
    }
    text
}

fn sections(text: &mut String, mut each: impl FnMut(&mut String, &Key)) {
    let mut section = "";
    for key in keys() {
        let here = key.name.rsplit_once('.').map_or("", |(section, _)| section);
        if here != section {
            let _ = writeln!(text, "\n[{here}]");
            section = here;
        }
        each(text, key);
    }
}

/// A family's section without what its members called `key` or `password` hold.
fn masked(table: &toml::Table) -> toml::Table {
    let masked_one = |(name, value): (&String, &toml::Value)| {
        let value = match value {
            toml::Value::String(_) if SECRET.contains(&name.as_str()) => toml::Value::from("***"),
            toml::Value::Table(inner) => toml::Value::Table(masked(inner)),
            other => other.clone(),
        };
        (name.clone(), value)
    };
    table.iter().map(masked_one).collect()
}

const SECRET: [&str; 2] = ["key", "password"];

fn leaf(key: &Key) -> &'static str {
    key.name.rsplit('.').next().unwrap_or(key.name)
}
