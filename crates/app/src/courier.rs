//! The courier simulator.
