//! Telephone audio as values.

#![forbid(unsafe_code)]
