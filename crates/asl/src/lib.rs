//! The States Language: parse, validate, step. No IO, clock, randomness or async.
