//! Calls as they go on, the journal of those that ended, and one call's own page.
