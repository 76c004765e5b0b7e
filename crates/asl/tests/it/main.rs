//! The language from outside: definitions and events in, commands and histories out.

mod conformance;
mod fuzz;
mod paths;
mod simulator;
mod steps;
mod validation;
