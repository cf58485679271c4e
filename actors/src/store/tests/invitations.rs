//! What the table of joining codes promises: a code lets in whom it is for, once or until its time, in its enterprise;
//! and one process at a time reads a bot.

use chrono::TimeDelta;

use super::{enterprise, noon};
use crate::store::StoreError;
use crate::store::invitations::{self, NewInvitation, Standing};
use crate::store::testing::databases;

fn new(enterprise: i64, code: &str, single: bool) -> NewInvitation {
    NewInvitation {
        enterprise,
        code_hash: code.into(),
        hint: "9TDA".into(),
        single,
        made_by: "anna".into(),
        created_at: noon(),
        expires_at: noon() + TimeDelta::hours(1),
    }
}

#[test]
fn a_code_for_one_chat_lets_in_one_and_a_code_for_many_until_its_time() {
    for database in databases() {
        let store = database.store();
        let june = enterprise(&store, "0367");
        let mut conn = database.connect();
        let one = invitations::add(&mut conn, &new(june, "one", true)).unwrap();
        let many = invitations::add(&mut conn, &new(june, "many", false)).unwrap();
        let later = noon() + TimeDelta::minutes(59);
        let mut take = |id, chat, at| invitations::take(&mut conn, id, chat, "Anna", at).unwrap();
        assert!(take(one, 7, noon()));
        assert!(!take(one, 8, noon()), "it was for one");
        assert!(take(many, 7, noon()) && take(many, 8, later));
        assert!(
            !take(many, 9, later + TimeDelta::minutes(1)),
            "its time is over"
        );
        let found = invitations::find(&mut conn, "many").unwrap().unwrap();
        assert_eq!(
            (found.uses, found.last_chat, found.standing(later)),
            (2, Some(8), Standing::Open)
        );
        assert_eq!(
            found.standing(later + TimeDelta::minutes(1)),
            Standing::Expired
        );
        let found = invitations::find(&mut conn, "one").unwrap().unwrap();
        assert_eq!(found.standing(later), Standing::Used);
    }
}

#[test]
fn a_code_is_taken_back_only_by_its_own_enterprise() {
    for database in databases() {
        let store = database.store();
        let (june, july) = (enterprise(&store, "0367"), enterprise(&store, "0368"));
        let mut conn = database.connect();
        let id = invitations::add(&mut conn, &new(june, "one", true)).unwrap();
        let not_its = invitations::end(&mut conn, july, id, noon());
        assert!(matches!(not_its, Err(StoreError::NotFound)), "{not_its:?}");
        invitations::end(&mut conn, june, id, noon()).unwrap();
        assert!(!invitations::take(&mut conn, id, 7, "Anna", noon()).unwrap());
        assert_eq!(
            invitations::of(&mut conn, july, noon()).unwrap(),
            Vec::new()
        );
        let all = invitations::of(&mut conn, june, noon()).unwrap();
        assert_eq!(all[0].standing(noon()), Standing::Ended);
    }
}

#[test]
fn a_bot_is_listened_to_while_a_code_is_remembered() {
    for database in databases() {
        let store = database.store();
        let (june, july) = (enterprise(&store, "0367"), enterprise(&store, "0368"));
        let mut conn = database.connect();
        for (enterprise, code) in [(june, "a"), (june, "b"), (july, "c")] {
            invitations::add(&mut conn, &new(enterprise, code, true)).unwrap();
        }
        let over = noon() + TimeDelta::hours(1) + invitations::REMEMBERED;
        let before = over - TimeDelta::seconds(1);
        assert_eq!(
            invitations::awaited(&mut conn, before).unwrap(),
            [june, july]
        );
        assert_eq!(
            invitations::awaited(&mut conn, over).unwrap(),
            Vec::<i64>::new()
        );
        assert_eq!(invitations::forget(&mut conn, before).unwrap(), 0);
        assert_eq!(invitations::forget(&mut conn, over).unwrap(), 3);
    }
}

#[test]
fn one_process_at_a_time_reads_a_bot() {
    for database in databases() {
        let _store = database.store();
        let mut conn = database.connect();
        let (now, until) = (noon(), noon() + TimeDelta::minutes(1));
        let mut listen =
            |owner: &str, now| invitations::listen(&mut conn, 42, owner, (now, until)).unwrap();
        assert!(listen("a", now));
        assert!(listen("a", now), "its own turn goes on");
        assert!(!listen("b", now));
        assert!(listen("b", until + TimeDelta::seconds(1)), "turns run out");
        invitations::leave(&mut conn, 42, "b").unwrap();
        assert!(invitations::listen(&mut conn, 42, "a", (now, until)).unwrap());
        assert_eq!(invitations::trouble(&mut conn, 42).unwrap(), "");
        invitations::note(&mut conn, 42, "Conflict", now).unwrap();
        assert_eq!(invitations::trouble(&mut conn, 42).unwrap(), "Conflict");
        assert_eq!(invitations::trouble(&mut conn, 43).unwrap(), "");
    }
}
