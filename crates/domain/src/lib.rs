//! The rules of the business: pure decisions on plain values.
