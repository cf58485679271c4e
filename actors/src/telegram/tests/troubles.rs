//! Calls while something goes wrong: with Telegram, with a chat, with the bot, with ourselves.

use simulators::script::{Behaviour, Fault};
use simulators::telegram::ChatFailure;

use super::house::{TOKEN, call, in_house, until};
use crate::call::record::Phase;
use crate::store::CallState;
use crate::store::testing::TestDatabase;

crate::for_each_database!(
    too_many_requests_are_waited_out_in_order,
    a_chat_that_blocked_the_bot_is_switched_off_with_the_reason,
    a_group_that_moved_is_followed,
    a_revoked_bot_stops_with_words_and_goes_on_with_a_new_token,
    an_outage_leaves_out_what_is_over_but_no_last_word,
    a_restart_edits_the_message_that_is_there,
    an_answer_that_got_lost_does_not_lose_the_end,
    a_message_somebody_deleted_is_sent_anew,
    a_bot_that_breaks_is_started_anew_and_tells_what_it_owes,
    the_token_is_in_no_log_and_no_error,
);

fn too_many_requests_are_waited_out_in_order(database: &TestDatabase) {
    in_house(database, &[7, 9], async |house| {
        house
            .bot
            .fail_chat(7, Some(ChatFailure::TooMany { retry_after: 1 }), Some(1));
        for id in 1..=5 {
            house.tell(&call(house, id, Phase::Ringing)).await;
            house.tell(&call(house, id, Phase::Ended)).await;
        }
        until("the other chat goes on", || house.texts(9).len() == 5).await;
        assert_eq!(house.texts(7).len(), 0, "this one waits");
        house.all_told().await;
        let order = |chat| {
            house
                .screen(chat)
                .iter()
                .map(|m| m.text()[..40].to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(order(7), order(9));
        house.observes("one pause", |o| o.held == 1).await;
    });
}

fn a_chat_that_blocked_the_bot_is_switched_off_with_the_reason(database: &TestDatabase) {
    in_house(database, &[7, 9], async |house| {
        house.tell(&call(house, 1, Phase::Ringing)).await;
        until("shown", || {
            house.texts(7).len() == 1 && house.texts(9).len() == 1
        })
        .await;
        house.bot.fail_chat(7, Some(ChatFailure::Blocked), None);
        house.tell(&call(house, 1, Phase::Ended)).await;
        house.all_told().await;
        assert_eq!(house.outcome(1).await, "done: shown in 1 chat");
        let off = "SELECT count(*) FROM telegram_users WHERE chat_id = 7 AND NOT active AND \
                   disabled_reason = 'Forbidden: bot was blocked by the user'";
        house.counts(off, 1).await;
        let requests = house.bot.counts().requests.clone();
        house.tell(&call(house, 2, Phase::Ended)).await;
        house.all_told().await;
        let sent = |r: &std::collections::BTreeMap<&'static str, u64>| {
            r.get("sendMessage").copied().unwrap_or(0)
        };
        assert_eq!(
            sent(&house.bot.counts().requests),
            sent(&requests) + 1,
            "only the other chat is asked"
        );
    });
}

fn a_group_that_moved_is_followed(database: &TestDatabase) {
    in_house(database, &[-8], async |house| {
        house.tell(&call(house, 1, Phase::Ringing)).await;
        until("shown", || house.texts(-8).len() == 1).await;
        house.bot.fail_chat(
            -8,
            Some(ChatFailure::Migrated {
                to: -1_000_000_000_008,
            }),
            None,
        );
        house.tell(&call(house, 1, Phase::Ended)).await;
        house.all_told().await;
        assert!(house.texts(-1_000_000_000_008)[0].starts_with("✅"));
        house
            .counts(
                "SELECT count(*) FROM telegram_users WHERE chat_id = -1000000000008 AND active",
                1,
            )
            .await;
    });
}

fn a_revoked_bot_stops_with_words_and_goes_on_with_a_new_token(database: &TestDatabase) {
    in_house(database, &[7], async |house| {
        house.simulator.state.revoke(TOKEN);
        house.tell(&call(house, 1, Phase::Ended)).await;
        house
            .observes("stopped", |o| o.stopped.contains("Unauthorized"))
            .await;
        let chats = vec![simulators::telegram::NewChat::new(7, "chat")];
        let new = simulators::telegram::NewBot {
            chats,
            ..simulators::telegram::NewBot::new("123456:new", "bot")
        };
        house.bot = house.simulator.state.add_bot(&new);
        house.restart("123456:new");
        house.all_told().await;
        assert_eq!(house.texts(7).len(), 1);
    });
}

fn an_outage_leaves_out_what_is_over_but_no_last_word(database: &TestDatabase) {
    in_house(database, &[7], async |house| {
        house.simulator.state.behave(Behaviour::fault(Fault::Down));
        for id in 1..=4 {
            for phase in [Phase::Ringing, Phase::Dialing, Phase::Talking] {
                house.tell(&call(house, id, phase)).await;
            }
        }
        house.observes("trouble", |o| o.errors > 1).await;
        for id in 1..=4 {
            house.tell(&call(house, id, Phase::Ended)).await;
        }
        house.simulator.state.behave(Behaviour::default());
        house.all_told().await;
        assert_eq!(house.texts(7).len(), 4);
        assert!(
            house
                .screen(7)
                .iter()
                .all(|m| m.edits() == 0 && m.text().starts_with("✅"))
        );
    });
}

fn a_restart_edits_the_message_that_is_there(database: &TestDatabase) {
    in_house(database, &[7], async |house| {
        for id in 1..=3 {
            house.tell(&call(house, id, Phase::Talking)).await;
        }
        house
            .counts(
                "SELECT count(*) FROM telegram_messages WHERE message_id IS NOT NULL",
                3,
            )
            .await;
        // One call ends while nobody is there, one goes on and ends later, one has changed on the board.
        house
            .commit(&call(house, 1, Phase::Ended), CallState::Ended)
            .await;
        let mut transferred = call(house, 3, Phase::Talking);
        transferred.talking = Some("152".into());
        house.commit(&transferred, CallState::Live).await;
        house.restart(TOKEN);
        until("ended", || house.texts(7)[0].starts_with("✅")).await;
        until("the board is asked", || {
            house.texts(7)[2].ends_with("↔ 152")
        })
        .await;
        for id in [2, 3] {
            house.tell(&call(house, id, Phase::Ended)).await;
        }
        house.all_told().await;
        assert_eq!(house.texts(7).len(), 3, "no second message of any call");
    });
}

fn an_answer_that_got_lost_does_not_lose_the_end(database: &TestDatabase) {
    in_house(database, &[7], async |house| {
        house.bot.fail_chat(
            7,
            Some(ChatFailure::Error {
                status: 502,
                stored: true,
            }),
            Some(1),
        );
        house.tell(&call(house, 1, Phase::Ringing)).await;
        until("asked again", || house.screen(7).len() == 2).await;
        house.tell(&call(house, 1, Phase::Ended)).await;
        house.all_told().await;
        // Telegram has no key against it: the first message stays as it was, the one that is known is brought to its end.
        assert!(house.texts(7)[1].starts_with("✅"));
        // An edit whose answer got lost is harmless: the same again is "not modified", a success.
        house.tell(&call(house, 2, Phase::Ringing)).await;
        until("shown", || house.screen(7).len() == 3).await;
        house.bot.fail_chat(
            7,
            Some(ChatFailure::Error {
                status: 500,
                stored: true,
            }),
            Some(1),
        );
        house.tell(&call(house, 2, Phase::Ended)).await;
        house.all_told().await;
        assert_eq!(house.screen(7).len(), 3);
        assert_eq!(house.screen(7)[2].edits(), 1);
    });
}

fn a_message_somebody_deleted_is_sent_anew(database: &TestDatabase) {
    in_house(database, &[7], async |house| {
        house.tell(&call(house, 1, Phase::Ringing)).await;
        until("shown", || house.texts(7).len() == 1).await;
        let url = format!("{}/bot{TOKEN}/deleteMessage", house.simulator.base_url);
        let body = serde_json::json!({"chat_id": 7, "message_id": 1});
        awc::Client::default()
            .post(url)
            .send_json(&body)
            .await
            .unwrap();
        assert_eq!(house.texts(7).len(), 0);
        house.tell(&call(house, 1, Phase::Ended)).await;
        house.all_told().await;
        assert_eq!(house.texts(7), ["✅ Завершен: +375290000001 ↔ 151, 1:05"]);
    });
}

fn a_bot_that_breaks_is_started_anew_and_tells_what_it_owes(database: &TestDatabase) {
    in_house(database, &[7], async |house| {
        house
            .commit(&call(house, 1, Phase::Talking), CallState::Live)
            .await;
        house
            .commit(&call(house, 2, Phase::Ended), CallState::Ended)
            .await;
        house.breaks.store(1, std::sync::atomic::Ordering::SeqCst);
        house.restart(TOKEN);
        until("both told", || house.texts(7).len() == 2).await;
        house.observes("one restart", |o| o.restarts == 1).await;
        house.tell(&call(house, 1, Phase::Ended)).await;
        house.all_told().await;
        assert!(house.texts(7).iter().all(|text| text.starts_with("✅")));
    });
}

fn the_token_is_in_no_log_and_no_error(database: &TestDatabase) {
    super::house::listen();
    in_house(database, &[7], async |house| {
        for fault in [Fault::Drop, Fault::Down, Fault::Status] {
            house
                .simulator
                .state
                .behave(Behaviour::fault(fault).times(2));
            house.tell(&call(house, 1, Phase::Ringing)).await;
            house.tell(&call(house, 1, Phase::Ended)).await;
            house.all_told().await;
            let observed = format!("{:?}", house.observed().await);
            assert!(!observed.contains("house-bot-token"), "{observed}");
        }
        house.simulator.state.revoke(TOKEN);
        house.tell(&call(house, 2, Phase::Ended)).await;
        house.observes("stopped", |o| !o.stopped.is_empty()).await;
    });
    let heard = super::house::heard();
    assert!(
        heard.iter().any(|line| line.contains("the bot is stopped")),
        "the log was heard"
    );
    let told: Vec<_> = heard
        .iter()
        .filter(|line| line.contains("house-bot-token"))
        .collect();
    assert!(told.is_empty(), "{told:?}");
}
