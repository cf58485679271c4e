//! The house: what lives, what it remembers, whom it tells.
