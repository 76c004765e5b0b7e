//! Use cases and functions: load, decide, commit. Knows no runtime.
