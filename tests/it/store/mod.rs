//! The store.

#[cfg(feature = "postgres")]
mod postgres;
