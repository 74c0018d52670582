//! How one value is read from a file or from text, and written back.

use std::path::PathBuf;

/// A type that a setting may have.
pub(super) trait Setting: Sized {
    /// Reads the text of an environment variable or a flag.
    fn parse(text: &str) -> Result<Self, String>;
    /// Reads a value of the file.
    fn read(value: &toml::Value) -> Result<Self, String> {
        match value {
            toml::Value::String(text) => Self::parse(text),
            other => Err(format!("expected a text in quotes, found {}", kind(other))),
        }
    }
    /// The value as it stands in a file.
    fn show(&self) -> toml::Value;
}

/// What a value of the file is, for a person.
pub(super) fn kind(value: &toml::Value) -> &'static str {
    match value {
        toml::Value::String(_) => "a text",
        toml::Value::Integer(_) => "a whole number",
        toml::Value::Float(_) => "a number",
        toml::Value::Boolean(_) => "true or false",
        toml::Value::Datetime(_) => "a date",
        toml::Value::Array(_) => "a list",
        toml::Value::Table(_) => "a section",
    }
}

impl Setting for bool {
    fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" | "" => Ok(false),
            _ => Err(format!("expected true or false, found `{text}`")),
        }
    }

    fn read(value: &toml::Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| format!("expected true or false, found {}", kind(value)))
    }

    fn show(&self) -> toml::Value {
        toml::Value::Boolean(*self)
    }
}

/// Whole numbers. Zero is refused: a limit of nothing stops the server, and "no limit" does not exist.
macro_rules! number {
    ($($type:ty),*) => {$(
        impl Setting for $type {
            fn parse(text: &str) -> Result<Self, String> {
                match text.trim().replace('_', "").parse::<$type>() {
                    Ok(0) => Err("expected a number above 0".to_owned()),
                    Ok(number) => Ok(number),
                    Err(_) => Err(format!("expected a whole number from 1 to {}, found `{text}`", <$type>::MAX)),
                }
            }

            fn read(value: &toml::Value) -> Result<Self, String> {
                match value {
                    toml::Value::Integer(number) => Self::parse(&number.to_string()),
                    other => Err(format!("expected a whole number, found {}", kind(other))),
                }
            }

            fn show(&self) -> toml::Value {
                toml::Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        }
    )*};
}
number!(u32, u64, usize);

impl Setting for String {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.clone())
    }
}

impl Setting for PathBuf {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("expected a path, found nothing".to_owned()) } else { Ok(Self::from(text)) }
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.display().to_string())
    }
}

/// A path that need not be given: an empty text is none.
impl Setting for Option<PathBuf> {
    fn parse(text: &str) -> Result<Self, String> {
        Ok((!text.is_empty()).then(|| PathBuf::from(text)))
    }

    fn show(&self) -> toml::Value {
        toml::Value::String(self.as_ref().map(|path| path.display().to_string()).unwrap_or_default())
    }
}

/// A list of texts; in the environment and in flags, separated by commas.
impl Setting for Vec<String> {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }

    fn read(value: &toml::Value) -> Result<Self, String> {
        let toml::Value::Array(items) = value else {
            return Err(format!("expected a list of texts, found {}", kind(value)));
        };
        items
            .iter()
            .map(|item| match item {
                toml::Value::String(text) => Ok(text.clone()),
                other => Err(format!("expected a list of texts, found {} in it", kind(other))),
            })
            .collect()
    }

    fn show(&self) -> toml::Value {
        toml::Value::Array(self.iter().cloned().map(toml::Value::String).collect())
    }
}

/// Gives a closed enum the words it is set with.
macro_rules! words {
    ($type:ty { $($word:literal => $variant:path),* $(,)? }) => {
        impl $crate::config::setting::Setting for $type {
            fn parse(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok($variant),)*
                    _ => Err(format!("expected one of {}, found `{text}`", [$($word),*].join(", "))),
                }
            }

            fn show(&self) -> toml::Value {
                toml::Value::String(match self { $($variant => $word,)* }.to_owned())
            }
        }
    };
}
pub(super) use words;
