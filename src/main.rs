//! The program: everything it does lives in the library.

use std::process::ExitCode;

/// A push takes and returns tens of small pieces of memory, some of them to another thread (`docs/performance.md`).
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    homeport::cli::main()
}
