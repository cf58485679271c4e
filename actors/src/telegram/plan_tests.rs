//! The plan against a Telegram in miniature that answers with everything the real one may say.

use super::*;
use proptest::prelude::*;

fn text(words: &str, last: bool) -> Wanted {
    Wanted::Text {
        text: words.into(),
        last,
    }
}

fn shown(id: i64, words: &str) -> Shown {
    Shown {
        message_id: Some(id),
        text: words.into(),
        ..Shown::default()
    }
}

fn done(id: i64) -> Answer {
    Answer::Done {
        message_id: Some(id),
    }
}

#[test]
fn a_call_is_sent_once_then_edited_and_then_finished() {
    let mut now = Shown::default();
    let step = next(&now, &text("start", false));
    assert_eq!(
        step,
        Step::Send {
            text: "start".into(),
            plain: false,
            reply_to: None,
            last: false
        }
    );
    assert_eq!(heed(&mut now, &step, done(7)), After::Next);
    assert_eq!(next(&now, &text("start", false)), Step::Nothing);

    let step = next(&now, &text("end", true));
    assert_eq!(
        step,
        Step::Edit {
            message_id: 7,
            text: "end".into(),
            plain: false,
            last: true
        }
    );
    assert!(!finished(&now, &text("end", true)));
    assert_eq!(heed(&mut now, &step, done(7)), After::Next);
    assert!(finished(&now, &text("end", true)));
}

#[test]
fn not_modified_is_a_success() {
    let mut now = shown(7, "");
    let step = next(&now, &text("end", true));
    assert_eq!(heed(&mut now, &step, Answer::NotModified), After::Next);
    assert!(finished(&now, &text("end", true)));
}

#[test]
fn a_message_that_somebody_deleted_is_sent_anew() {
    let mut now = shown(7, "start");
    let step = next(&now, &text("end", true));
    heed(&mut now, &step, Answer::Gone);
    assert_eq!(
        next(&now, &text("end", true)),
        Step::Send {
            text: "end".into(),
            plain: false,
            reply_to: None,
            last: true
        }
    );
}

#[test]
fn unreadable_markup_goes_without_and_twice_unreadable_is_given_up() {
    let mut now = Shown::default();
    let step = next(&now, &text("<x>", true));
    heed(&mut now, &step, Answer::Unreadable);
    let step = next(&now, &text("<x>", true));
    assert_eq!(
        step,
        Step::Send {
            text: "<x>".into(),
            plain: true,
            reply_to: None,
            last: true
        }
    );
    heed(&mut now, &step, Answer::Unreadable);
    assert!(finished(&now, &text("<x>", true)));
    assert_eq!(now.note, "the markup could not be read");
}

#[test]
fn a_call_that_became_part_of_another_disappears() {
    let gone = Wanted::Nothing {
        note: "note".into(),
    };
    let mut now = shown(7, "start");
    let step = next(&now, &gone);
    assert_eq!(step, Step::Delete { message_id: 7 });
    heed(&mut now, &step, Answer::Done { message_id: None });
    assert!(finished(&now, &gone));
    assert!(
        finished(&Shown::default(), &gone),
        "never shown: nothing to do"
    );
}

#[test]
fn what_cannot_be_deleted_is_edited_to_a_note() {
    let gone = Wanted::Nothing {
        note: "note".into(),
    };
    let mut now = shown(7, "start");
    heed(&mut now, &Step::Delete { message_id: 7 }, Answer::Gone);
    let step = next(&now, &gone);
    assert_eq!(
        step,
        Step::Edit {
            message_id: 7,
            text: "note".into(),
            plain: true,
            last: true
        }
    );
    let mut edited = now.clone();
    heed(&mut edited, &step, done(7));
    assert!(finished(&edited, &gone));
    heed(&mut now, &step, Answer::Gone);
    assert!(finished(&now, &gone), "it had been deleted by hand");
}

#[test]
fn what_concerns_more_than_the_message_leaves_it_as_it_is() {
    let answers = [
        (
            Answer::TooMany {
                pause: Duration::from_secs(14),
            },
            After::HoldChat {
                pause: Duration::from_secs(14),
            },
        ),
        (
            Answer::Moved { chat_id: -2 },
            After::MoveChat { chat_id: -2 },
        ),
        (
            Answer::Closed { reason: "b".into() },
            After::CloseChat { reason: "b".into() },
        ),
        (
            Answer::Revoked { reason: "r".into() },
            After::StopBot { reason: "r".into() },
        ),
        (
            Answer::Trouble { reason: "t".into() },
            After::BackOff { reason: "t".into() },
        ),
    ];
    for (answer, after) in answers {
        let mut now = shown(7, "start");
        let step = next(&now, &text("end", true));
        assert_eq!(heed(&mut now, &step, answer), after);
        assert_eq!(now, shown(7, "start"));
    }
}

#[test]
fn pauses_double_up_to_a_minute() {
    assert_eq!(
        [1, 2, 3, 6, 7, 100].map(|n| back_off(n).as_secs()),
        [1, 2, 4, 32, 60, 60]
    );
}

/// What Telegram may say to a request, as a test chooses; what it holds is kept as a person would see it.
fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        6 => Just(Answer::Done { message_id: None }),
        1 => Just(Answer::NotModified),
        1 => Just(Answer::Gone),
        1 => Just(Answer::Unreadable),
        1 => Just(Answer::TooMany { pause: Duration::from_secs(1) }),
        1 => Just(Answer::Trouble { reason: "x".into() }),
        1 => Just(Answer::Refused { reason: "x".into() }),
    ]
}

/// An edit that was sent before the process was killed is not in the table: the chat may show anything.
#[test]
fn a_last_word_that_only_the_table_remembers_is_told_once_more() {
    let mut found = Shown {
        last: true,
        in_doubt: true,
        ..shown(5, "end")
    };
    let wanted = text("end", true);
    let step = next(&found, &wanted);
    assert!(matches!(step, Step::Edit { message_id: 5, .. }));
    assert!(!finished(&found, &wanted));
    assert_eq!(heed(&mut found, &step, Answer::NotModified), After::Next);
    assert!(finished(&found, &wanted));
}

proptest! {
    /// Whatever is answered in between, once Telegram answers well the chat soon shows the last word.
    #[test]
    fn the_last_word_always_comes_through(
        storm in prop::collection::vec((answers(), 0u8..4), 0..20),
        absorbed in any::<bool>(),
    ) {
        let mut now = Shown::default();
        let mut screen: Option<String> = None;
        let mut ids = 0;
        let mut act = |now: &mut Shown, wanted: &Wanted, answer: Answer| {
            let step = next(now, wanted);
            let answer = match (&answer, &step) {
                // A good answer does what was asked.
                (Answer::Done { .. }, Step::Send { text, .. }) => {
                    ids += 1;
                    screen = Some(text.clone());
                    done(ids)
                }
                (Answer::Done { .. }, Step::Edit { text, .. }) => {
                    screen = Some(text.clone());
                    answer
                }
                (Answer::Done { .. }, Step::Delete { .. }) => {
                    screen = None;
                    answer
                }
                // "Not modified" is said only when it is true.
                (Answer::NotModified, Step::Edit { text, .. }) if screen.as_ref() == Some(text) => answer,
                (Answer::NotModified, _) => Answer::Trouble { reason: "x".into() },
                (Answer::Gone, Step::Edit { .. } | Step::Delete { .. }) => {
                    screen = None;
                    answer
                }
                (Answer::Gone, _) => Answer::Trouble { reason: "x".into() },
                _ => answer,
            };
            if step != Step::Nothing {
                heed(now, &step, answer);
            }
            screen.clone()
        };
        for (answer, phase) in storm {
            act(&mut now, &text(&phase.to_string(), false), answer);
        }
        let wanted = if absorbed { Wanted::Nothing { note: "note".into() } } else { text("end", true) };
        let mut screen = None;
        for _ in 0..4 {
            screen = act(&mut now, &wanted, Answer::Done { message_id: None });
        }
        prop_assert!(finished(&now, &wanted));
        if absorbed {
            prop_assert!(screen.is_none() || screen.as_deref() == Some("note"));
        } else {
            prop_assert_eq!(screen.as_deref(), Some("end"));
        }
    }
}
