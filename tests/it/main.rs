//! The one integration binary; its modules mirror `src`.

mod harness;
mod outside;
mod tidy;
