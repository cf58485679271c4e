//! The desk as its actor uses it, without an actor.

use std::sync::Arc;

use super::*;
use crate::call::record::{Direction, Phase};
use crate::telegram::text::tests::record;

fn call(id: i64, phase: Phase) -> Present {
    let mut record = record(Direction::In, phase);
    record.call = CallId(id);
    Present::new(Arc::new(record), None)
}

fn words(present: &Present) -> Wanted {
    Wanted::Text {
        text: format!("{:?}", present.record.phase),
        last: present.over(),
    }
}

fn shows(id: i64, wanted: &Wanted) -> Option<Shown> {
    let Wanted::Text { text, last } = wanted else {
        return Some(Shown::default());
    };
    Some(Shown {
        message_id: Some(id),
        text: text.clone(),
        last: *last,
        ..Shown::default()
    })
}

fn desk(chats: &[i64]) -> (Desk, Instant) {
    let now = Instant::now();
    let mut desk = Desk::new(10);
    desk.set_chats(chats, now);
    (desk, now)
}

/// Plays a chat's turn to a good end.
fn serve(desk: &mut Desk, chat: i64, now: Instant) -> (CallId, Wanted) {
    let turn = desk.begin(chat).unwrap();
    let wanted = words(&turn.present);
    desk.end(&turn, &wanted, shows(1, &wanted), now);
    (turn.call(), wanted)
}

#[test]
fn many_events_of_one_call_are_one_turn_that_tells_the_latest() {
    let (mut desk, now) = desk(&[7]);
    for phase in [Phase::Ringing, Phase::Dialing, Phase::Talking, Phase::Ended] {
        desk.want(call(1, phase), now);
    }
    assert_eq!(desk.backlog().0, 1);
    let (_, wanted) = serve(&mut desk, 7, now);
    assert_eq!(
        wanted,
        Wanted::Text {
            text: "Ended".into(),
            last: true
        }
    );
    assert_eq!(desk.next(now, |_| now), Next::Nothing);
    assert_eq!(desk.complete(CallId(1)).unwrap().shown, 1);
    desk.forget(CallId(1));
    assert_eq!(desk.calls(), 0);
}

#[test]
fn what_changes_while_a_request_is_under_way_is_told_next() {
    let (mut desk, now) = desk(&[7]);
    desk.want(call(1, Phase::Ringing), now);
    let turn = desk.begin(7).unwrap();
    desk.want(call(1, Phase::Ended), now);
    assert_eq!(
        desk.next(now, |_| now),
        Next::Nothing,
        "one request at a time keeps a chat's order"
    );
    let wanted = words(&turn.present);
    desk.end(&turn, &wanted, shows(1, &wanted), now);
    assert_eq!(desk.complete(CallId(1)), None);
    serve(&mut desk, 7, now);
    assert!(desk.complete(CallId(1)).is_some());
}

#[test]
fn a_turn_that_was_put_off_keeps_its_place() {
    let (mut desk, now) = desk(&[7]);
    desk.want(call(1, Phase::Ringing), now);
    desk.want(call(2, Phase::Ringing), now + Duration::from_secs(1));
    let turn = desk.begin(7).unwrap();
    desk.end(
        &turn,
        &words(&turn.present),
        None,
        now + Duration::from_secs(2),
    );
    assert_eq!(serve(&mut desk, 7, now).0, CallId(1));
    assert_eq!(serve(&mut desk, 7, now).0, CallId(2));
}

#[test]
fn new_calls_and_last_words_go_before_corrections() {
    let (mut desk, now) = desk(&[7]);
    let later = |s| now + Duration::from_secs(s);
    for id in [1, 2] {
        desk.want(call(id, Phase::Ringing), now);
        serve(&mut desk, 7, now);
    }
    desk.want(call(1, Phase::Talking), later(1));
    desk.want(call(2, Phase::Ended), later(2));
    desk.want(call(3, Phase::Ringing), later(3));
    desk.want(call(4, Phase::Ringing), later(9));
    let order: Vec<i64> = (0..4).map(|_| serve(&mut desk, 7, later(9)).0.0).collect();
    assert_eq!(order, [2, 3, 1, 4]);
}

#[test]
fn the_end_of_a_call_that_waits_for_a_correction_takes_the_earlier_place() {
    let (mut desk, now) = desk(&[7]);
    let later = |s| now + Duration::from_secs(s);
    desk.want(call(1, Phase::Ringing), now);
    serve(&mut desk, 7, now);
    desk.want(call(1, Phase::Talking), later(1));
    desk.want(call(1, Phase::Ended), later(2));
    desk.want(call(2, Phase::Ringing), later(3));
    assert_eq!(
        (desk.backlog(), serve(&mut desk, 7, later(3)).0),
        ((2, Some(later(2))), CallId(1))
    );
}

#[test]
fn a_chat_that_must_wait_does_not_hold_up_another() {
    let (mut desk, now) = desk(&[7, 8]);
    desk.want(call(1, Phase::Ringing), now);
    let soon = now + Duration::from_secs(3);
    let opens = |chat| if chat == 7 { soon } else { now };
    assert_eq!(desk.next(now, opens), Next::Chat(8));
    serve(&mut desk, 8, now);
    assert_eq!(desk.next(now, opens), Next::Wait(soon));
}

#[test]
fn a_call_is_complete_when_every_active_chat_shows_its_end() {
    let (mut desk, now) = desk(&[7, 8, 9]);
    desk.want(call(1, Phase::Ended), now);
    serve(&mut desk, 7, now);
    serve(&mut desk, 8, now);
    assert_eq!(desk.complete_all(), vec![]);
    desk.close(9);
    let all = desk.complete_all();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].shown, 2);
    assert_eq!(desk.complete(CallId(1)), None, "told once");
}

#[test]
fn a_change_after_the_end_is_told_too() {
    let (mut desk, now) = desk(&[7]);
    desk.want(call(1, Phase::Ended), now);
    serve(&mut desk, 7, now);
    assert!(desk.complete(CallId(1)).is_some());
    let mut named = call(1, Phase::Ended);
    named.client = Some("name".into());
    desk.want(named, now);
    desk.forget(CallId(1));
    assert!(
        desk.knows(CallId(1)),
        "the name came while the end was written"
    );
    serve(&mut desk, 7, now);
    assert!(desk.complete(CallId(1)).is_some());
}

#[test]
fn a_full_desk_takes_no_new_call_but_goes_on_with_those_it_has() {
    let (mut desk, now) = desk(&[7]);
    for id in 0..10 {
        assert!(desk.want(call(id, Phase::Ringing), now));
    }
    assert!(!desk.want(call(10, Phase::Ringing), now));
    assert!(desk.want(call(9, Phase::Ended), now));
}

#[test]
fn a_new_subscriber_is_told_of_calls_in_progress() {
    let (mut desk, now) = desk(&[7]);
    desk.want(call(1, Phase::Talking), now);
    serve(&mut desk, 7, now);
    desk.set_chats(&[7, 8], now);
    assert_eq!(serve(&mut desk, 8, now).0, CallId(1));
}
