//! The storage port and its adapters.
