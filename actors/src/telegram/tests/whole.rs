//! Calls that go well: what the chats show, and what the tables say of it.

use std::sync::Arc;

use super::house::{call, in_house, in_house_with, quick, until};
use crate::call::record::{Outcome, Phase};
use crate::store::CallState;
use crate::store::testing::TestDatabase;
use crate::telegram::limiter::Limits;

crate::for_each_database!(
    a_call_is_one_message_in_each_chat_through_all_its_phases,
    a_burst_is_told_within_the_limits_and_ends_right,
    the_number_s_next_call_replies_to_its_last_message,
    a_name_that_comes_later_is_put_in,
    a_call_that_became_part_of_another_disappears,
    an_end_whose_nudge_was_lost_is_told_all_the_same,
    a_call_without_subscribers_owes_nothing,
    a_change_after_the_end_is_told,
);

const PHASES: [Phase; 4] = [Phase::Ringing, Phase::Dialing, Phase::Talking, Phase::Ended];

fn a_call_is_one_message_in_each_chat_through_all_its_phases(database: &TestDatabase) {
    in_house(database, &[7, -8], async |house| {
        for phase in PHASES {
            house.tell(&call(house, 1, phase)).await;
            let begins = match phase {
                Phase::Ringing => "📞 Звонок",
                Phase::Dialing => "📞 Дозвон",
                Phase::Talking => "🔗 Разговор",
                _ => "✅ Завершен",
            };
            for chat in [7, -8] {
                until(begins, || {
                    house
                        .texts(chat)
                        .first()
                        .is_some_and(|t| t.starts_with(begins))
                })
                .await;
            }
        }
        house.all_told().await;
        for chat in [7, -8] {
            let screen = house.screen(chat);
            assert_eq!(screen.len(), 1);
            assert_eq!(screen[0].edits(), 3);
            assert_eq!(screen[0].text(), "✅ Завершен: +375290000001 ↔ 151, 1:05");
        }
        assert_eq!(house.outcome(1).await, "done: shown in 2 chats");
        house
            .counts(
                "SELECT count(*) FROM telegram_messages WHERE final AND message_id IS NOT NULL",
                2,
            )
            .await;
        house
            .observes("nothing kept", |o| {
                o.calls == 0 && o.backlog == 0 && o.sent == 2 && o.edited == 6
            })
            .await;
        assert_eq!(
            house.bot.counts().refused,
            0,
            "nothing was sent that Telegram refuses"
        );
    });
}

fn a_burst_is_told_within_the_limits_and_ends_right(database: &TestDatabase) {
    let mut settings = quick();
    settings.limits = Limits {
        chat_pace: std::time::Duration::from_millis(50),
        chat_burst: 2,
        ..settings.limits
    };
    let mut simulator = simulators::telegram::Settings::default();
    simulator.limits.chat_per_second = Some(20.0);
    simulator.limits.group_per_minute = None;
    in_house_with(database, &[7], settings, simulator, async |house| {
        for phase in PHASES {
            for id in 1..=15 {
                house.tell(&call(house, id, phase)).await;
            }
        }
        house.all_told().await;
        let texts = house.texts(7);
        assert_eq!(texts.len(), 15);
        assert!(
            texts.iter().all(|t| t.starts_with("✅ Завершен")),
            "{texts:?}"
        );
        let edits: usize = house.screen(7).iter().map(|m| m.edits()).sum();
        assert!(
            edits <= 20,
            "states that were over before their turn came are left out: {edits}"
        );
        assert_eq!(house.bot.counts().limited, 0, "the limits were kept");
    });
}

fn the_number_s_next_call_replies_to_its_last_message(database: &TestDatabase) {
    in_house(database, &[7, 9], async |house| {
        let same = |id| {
            let mut record = call(house, id, Phase::Ended);
            record.phone = Some("+375291112233".into());
            record
        };
        for id in 1..=3 {
            house.tell(&same(id)).await;
            house.all_told().await;
        }
        house.tell(&call(house, 4, Phase::Ended)).await;
        house.all_told().await;
        for chat in [7, 9] {
            let replies: Vec<_> = house.screen(chat).iter().map(|m| m.reply_to).collect();
            assert_eq!(replies, [None, Some(1), Some(2), None]);
        }
        // Two calls at once: the second replies to the first although its row may still be on the way.
        house.tell(&same(5)).await;
        house.tell(&same(6)).await;
        house.all_told().await;
        assert_eq!(
            house
                .screen(7)
                .iter()
                .filter(|m| m.reply_to == Some(3))
                .count(),
            1
        );
    });
}

fn a_name_that_comes_later_is_put_in(database: &TestDatabase) {
    in_house(database, &[7], async |house| {
        let talking = call(house, 1, Phase::Talking);
        house.tell(&talking).await;
        until("shown", || !house.texts(7).is_empty()).await;
        house
            .telegram
            .nudge(Arc::new(talking), Some("Мария <К&Л>".into()));
        let named = "🔗 Разговор: +375290000001 (Мария <К&Л>) ↔ 151";
        until("named", || house.texts(7) == [named]).await;
    });
}

fn a_call_that_became_part_of_another_disappears(database: &TestDatabase) {
    in_house(database, &[7], async |house| {
        let (main, part) = (
            call(house, 1, Phase::Talking),
            call(house, 2, Phase::Dialing),
        );
        house.tell(&main).await;
        house.tell(&part).await;
        until("both shown", || house.texts(7).len() == 2).await;
        // One whose message is too old to be deleted is edited to a note instead.
        let old = call(house, 3, Phase::Dialing);
        house.tell(&old).await;
        until("shown", || house.texts(7).len() == 3).await;
        house.bot.backdate(7, 3, 50 * 3600 * 1000);
        for absorbed in [part, old] {
            house.commit(&absorbed, CallState::Merged).await;
            house.telegram.absorb(Arc::new(absorbed));
        }
        until("gone", || house.texts(7).len() == 2).await;
        until("noted", || house.texts(7)[1] == "🔗 Часть другого звонка").await;
        house.tell(&call(house, 1, Phase::Ended)).await;
        house.all_told().await;
        assert!(house.texts(7)[0].starts_with("✅"));
        assert_eq!(
            house.outcome(2).await,
            "withdrawn: the call is a part of another one"
        );
        house
            .counts("SELECT count(*) FROM telegram_messages", 2)
            .await;
    });
}

fn an_end_whose_nudge_was_lost_is_told_all_the_same(database: &TestDatabase) {
    in_house(database, &[7], async |house| {
        house.tell(&call(house, 1, Phase::Ringing)).await;
        until("shown", || house.texts(7).len() == 1).await;
        let mut missed = call(house, 1, Phase::Ended);
        missed.outcome = Some(Outcome::Missed);
        missed.talked.clear();
        house.commit(&missed, CallState::Ended).await;
        house
            .commit(&call(house, 2, Phase::Ended), CallState::Ended)
            .await;
        house.restart_gracefully().await;
        house.all_told().await;
        assert_eq!(
            house.texts(7),
            [
                "❌ Не отвечен: +375290000001 → 150 (Анна <b>), 151",
                "✅ Завершен: +375290000002 ↔ 151, 1:05"
            ]
        );
    });
}

fn a_call_without_subscribers_owes_nothing(database: &TestDatabase) {
    in_house(database, &[], async |house| {
        house.tell(&call(house, 1, Phase::Ended)).await;
        house.all_told().await;
        assert_eq!(house.outcome(1).await, "withdrawn: no subscriber is active");
    });
}

fn a_change_after_the_end_is_told(database: &TestDatabase) {
    in_house(database, &[7], async |house| {
        house.tell(&call(house, 1, Phase::Ended)).await;
        house.all_told().await;
        let mut longer = call(house, 1, Phase::Ended);
        longer.talk_seconds = 90;
        house.tell(&longer).await;
        until("changed", || {
            house.texts(7) == ["✅ Завершен: +375290000001 ↔ 151, 1:30"]
        })
        .await;
        assert_eq!(house.screen(7).len(), 1);
    });
}
