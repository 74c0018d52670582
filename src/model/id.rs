//! Names that are random text: one definition for every kind of thing that has one.

/// Makes the type of an id: random text that sorts by the time it was made.
macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize, ::utoipa::ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = String)]
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

/// Describes a type whose JSON is a text.
macro_rules! text_schema {
    ($name:ident) => {
        impl ::utoipa::PartialSchema for $name {
            fn schema() -> ::utoipa::openapi::RefOr<::utoipa::openapi::Schema> {
                String::schema()
            }
        }

        impl ::utoipa::ToSchema for $name {}
    };
}

pub(super) use {random_id, text_schema};
