//! Chats that join by a code: what they are told, who gets in, what is noted, and one reader for each bot.

use chrono::{TimeDelta, Utc};
use simulators::script::{Behaviour, Fault};
use simulators::telegram::NewChat;

use super::house::{House, TOKEN, call, in_house, until};
use crate::call::record::Phase;
use crate::store::invitations::{self, NewInvitation};
use crate::store::testing::TestDatabase;
use crate::telegram::code::Code;

crate::for_each_database!(
    a_chat_with_a_right_code_joins_and_is_told_of_calls,
    a_wrong_code_gets_words_and_nothing_else,
    a_group_and_many_chats_join_by_one_code,
    what_was_answered_twice_joins_once,
    a_bot_read_by_somebody_else_says_so_and_goes_on,
    two_processes_read_a_bot_in_turn,
);

const SUBSCRIBERS: &str = "SELECT count(*) FROM telegram_users WHERE active";
const JOINED: &str = "✅ Готово. Сюда будут приходить звонки: ";

/// Makes a code and says so.
async fn invite(house: &House, single: bool, lasts: TimeDelta) -> Code {
    let code = Code::random();
    let new = NewInvitation {
        enterprise: house.enterprise,
        code_hash: code.fingerprint(house.store.vault()),
        hint: code.hint().into(),
        single,
        made_by: "anna".into(),
        created_at: Utc::now(),
        expires_at: Utc::now() + lasts,
    };
    let add = house.store.write(move |conn| invitations::add(conn, &new));
    add.await.unwrap();
    house.telegram.attend();
    code
}

/// Somebody writes, and the bot's answer is waited for.
async fn say(house: &House, chat: i64, text: &str) -> String {
    let before = house.texts(chat).len();
    assert!(house.bot.receive(chat, text));
    until("an answer", || house.texts(chat).len() > before).await;
    house.texts(chat).pop().unwrap()
}

fn a_chat_with_a_right_code_joins_and_is_told_of_calls(database: &TestDatabase) {
    in_house(database, &[], async |house| {
        house.bot.add_chat(&NewChat::new(7, "Анна"));
        house.tell(&call(house, 1, Phase::Talking)).await;
        let code = invite(house, true, TimeDelta::hours(1)).await;
        house.bot.receive(7, &format!("/start {}", code.text()));
        // The call that goes on may be told before the answer.
        let texts = |house: &House| house.texts(7);
        until("it is told", || {
            texts(house).iter().any(|told| told.starts_with(JOINED))
        })
        .await;
        house.counts(SUBSCRIBERS, 1).await;
        house
            .counts(
                "SELECT count(*) FROM telegram_users WHERE chat_id = 7 AND name = 'Анна'",
                1,
            )
            .await;
        let noted =
            "SELECT count(*) FROM audit_log WHERE action = 'telegram.join' AND what LIKE '%Анна%'";
        house.counts(noted, 1).await;
        house
            .counts(
                &format!(
                    "SELECT count(*) FROM audit_log WHERE what LIKE '%{}%'",
                    code.text()
                ),
                0,
            )
            .await;
        house.tell(&call(house, 2, Phase::Ringing)).await;
        until("the next call is told", || house.texts(7).len() >= 2).await;
    });
}

fn a_wrong_code_gets_words_and_nothing_else(database: &TestDatabase) {
    in_house(database, &[], async |house| {
        for chat in [7, 8, 9] {
            house.bot.add_chat(&NewChat::new(chat, "chat"));
        }
        let used = invite(house, true, TimeDelta::hours(1)).await;
        let expired = invite(house, true, TimeDelta::seconds(-1)).await;
        say(house, 9, &used.text()).await;
        for (text, words) in [
            ("/start".to_owned(), "/join"),
            ("/join hello".to_owned(), "нет"),
            (format!("/join {}", Code::random().text()), "нет"),
            (format!("/join {}", used.text()), "использован"),
            (format!("/start {}", expired.text()), "истёк"),
        ] {
            let told = say(house, 7, &text).await;
            assert!(told.contains(words), "{text}: {told}");
        }
        house.counts(SUBSCRIBERS, 1).await;

        // Who guesses is not answered any more; others are.
        for _ in 0..4 {
            say(house, 8, "/join nothing").await;
        }
        say(house, 8, &Code::random().text()).await;
        let answers = house.texts(8).len();
        house.bot.receive(8, &Code::random().text());
        let good = invite(house, true, TimeDelta::hours(1)).await;
        house.bot.receive(8, &good.text());
        assert!(say(house, 7, &good.text()).await.starts_with(JOINED));
        assert_eq!(house.texts(8).len(), answers);
        house.counts(SUBSCRIBERS, 2).await;
    });
}

fn a_group_and_many_chats_join_by_one_code(database: &TestDatabase) {
    in_house(database, &[], async |house| {
        house.bot.add_chat(&NewChat::new(-100, "Sales"));
        house.bot.add_chat(&NewChat::new(7, "Анна"));
        let code = invite(house, false, TimeDelta::hours(1)).await;
        let name = house.bot.username();
        for (chat, text) in [
            (-100, format!("/start@{name} {}", code.text())),
            (7, code.text().to_lowercase()),
        ] {
            assert!(say(house, chat, &text).await.starts_with(JOINED));
        }
        let again = say(house, 7, &format!("/join {}", code.text())).await;
        assert!(again.contains("уже получает"), "{again}");
        house.counts(SUBSCRIBERS, 2).await;
        house
            .counts("SELECT uses FROM telegram_invitations", 2)
            .await;
    });
}

fn what_was_answered_twice_joins_once(database: &TestDatabase) {
    in_house(database, &[], async |house| {
        house.bot.add_chat(&NewChat::new(7, "Анна"));
        // The answer is sent and its receipt lost, so it is said again; meanwhile the process is killed.
        let lost = Behaviour {
            after: true,
            ..Behaviour::fault(Fault::Drop).at("sendMessage").times(1)
        };
        house.simulator.state.behave(lost);
        let code = invite(house, true, TimeDelta::hours(1)).await;
        say(house, 7, &code.text()).await;
        house.restart(TOKEN);
        house.telegram.attend();
        until("it is heard again, or was confirmed", || {
            house.texts(7).len() >= 2
        })
        .await;
        house.counts(SUBSCRIBERS, 1).await;
        house
            .counts("SELECT uses FROM telegram_invitations", 1)
            .await;
    });
}

fn a_bot_read_by_somebody_else_says_so_and_goes_on(database: &TestDatabase) {
    in_house(database, &[], async |house| {
        house.bot.add_chat(&NewChat::new(7, "Анна"));
        let conflict = serde_json::json!({"ok": false, "error_code": 409, "description":
            "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"});
        house.simulator.state.behave(Behaviour {
            status: Some(409),
            body: Some(conflict),
            ..Behaviour::fault(Fault::Status).at("getUpdates").times(3)
        });
        let code = invite(house, true, TimeDelta::hours(1)).await;
        let noted = "SELECT count(*) FROM telegram_listeners WHERE trouble LIKE 'Conflict: %'";
        house.counts(noted, 1).await;
        assert!(say(house, 7, &code.text()).await.starts_with(JOINED));
        house
            .counts(
                "SELECT count(*) FROM telegram_listeners WHERE trouble = ''",
                1,
            )
            .await;
    });
}

fn two_processes_read_a_bot_in_turn(database: &TestDatabase) {
    in_house(database, &[], async |house| {
        house.bot.add_chat(&NewChat::new(7, "Анна"));
        let their_end = Utc::now() + TimeDelta::seconds(1);
        let bot = house.bot.id;
        let other = move |conn: &mut crate::store::Conn| {
            invitations::listen(conn, bot, "another process", (Utc::now(), their_end))
        };
        assert!(house.store.write(other).await.unwrap());
        let code = invite(house, true, TimeDelta::hours(1)).await;
        let asked = |house: &House| house.bot.counts().requests.contains_key("getUpdates");
        house.bot.receive(7, &code.text());
        until("ours now", || asked(house)).await;
        assert!(Utc::now() > their_end, "until then it was the other's turn");
        until("an answer", || !house.texts(7).is_empty()).await;
        house.counts(SUBSCRIBERS, 1).await;
    });
}
