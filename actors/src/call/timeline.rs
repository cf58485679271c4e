//! How a call went from state to state: what each event of its journal made of it. For one call's page; decides
//! nothing and changes nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::rebuild::read;
use super::record::{CallId, Phase};
use super::state::CallState;
use crate::cache::snapshot::Enterprise;
use crate::store::journal;

/// The state after each of these events, in their order; `None` while there was no call to show yet. Events that were
/// set aside, or name only a bridge of the call, change nothing.
pub fn phases(
    call: CallId,
    enterprise: &Arc<Enterprise>,
    events: &[journal::Event],
) -> Vec<Option<Phase>> {
    let mut state = CallState::new(call, enterprise.id, uuid::Uuid::nil());
    let mut phase = None;
    events
        .iter()
        .map(|row| {
            if row.parked || row.call != Some(call) {
                return phase;
            }
            let Some(event) = read(row, enterprise) else {
                return phase;
            };
            // An event that breaks the machine broke its call when it came; it must not break the page.
            let after = catch_unwind(AssertUnwindSafe(|| {
                state.apply(&event);
                state.record(enterprise).map(|record| record.phase)
            }));
            phase = after.unwrap_or(phase);
            phase
        })
        .collect()
}
