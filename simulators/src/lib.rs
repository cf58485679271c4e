//! The world outside, played strictly.
