//! Names that are random text: one definition for every kind of thing that has one.

/// Makes the type of an id: random text that sorts by the time it was made.
macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(::std::sync::Arc<str>);

        impl $name {
            /// A new id, sorted by the time it was made.
            pub fn random() -> Self {
                Self(::std::sync::Arc::from(::uuid::Uuid::now_v7().simple().to_string()))
            }

            /// Wraps an id read from a store or a request.
            pub fn new(text: &str) -> Self {
                Self(::std::sync::Arc::from(text))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

pub(super) use random_id;
