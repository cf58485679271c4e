//! Questions of ours, and what U-ON answers.

use super::*;

fn answers(uon: &Uon, question: &Question, heard: &[Reply]) -> String {
    match uon.ask(question, &Known::default(), heard) {
        Step::Send(request) => request.shown(),
        other => format!("{other:?}"),
    }
}

#[test]
fn questions_are_answered() {
    let uon = connector();
    let phone = || "+375296254070".to_owned();
    let mut text = String::new();
    for (question, heard) in [
        (Question::Customer { phone: phone() }, vec![]),
        (Question::Customer { phone: phone() }, vec![ok(USERS)]),
        (Question::Customer { phone: phone() }, vec![nobody()]),
        (Question::Responsible { phone: phone() }, vec![ok(USERS)]),
        (Question::Managers, vec![ok(MANAGERS)]),
        (Question::Test, vec![ok(MANAGERS)]),
        (Question::Test, vec![ok(MANAGERS), nobody()]),
        (
            Question::Test,
            vec![
                ok(MANAGERS),
                ok(r#"{"webhooks":[{"type_id":47,"url":"https://pbx.example/crm/uon/addr3ss"}]}"#),
            ],
        ),
        (Question::Test, vec![Reply::new(403, "")]),
    ] {
        text.push_str(&answers(&uon, &question, &heard));
        text.push('\n');
    }
    insta::assert_snapshot!(text, @r#"
    GET https://api.u-on.ru/•••/user/phone/375296254070.json
    End(Customer(Some(Customer { name: "Sidorov Ivan P.", link: "https://id12345.u-on.ru/client_edit.php?client_id=5" })))
    End(Customer(None))
    End(Responsible(Some(Manager { id: "2", name: "", extension: None })))
    End(Managers([Manager { id: "2", name: "Smirnova Anna", extension: Some("150") }, Manager { id: "3", name: "Kotov Boris", extension: Some("151") }, Manager { id: "8", name: "New Here", extension: None }]))
    GET https://api.u-on.ru/•••/webhook/1.json
    End(Works("the key works; managers: 3; U-ON has no webhook with our address: clicks on numbers do not reach us"))
    End(Works("the key works; managers: 3; clicks on numbers reach us"))
    Failed(Settings { words: "U-ON answered 403: the key is wrong, or it may not do this (GET and POST are allowed apart)" })
    "#);
    // Who has no extension here may have one in U-ON.
    let bare = connector_with(json!({"user_extensions": {}}));
    let question = Question::Responsible { phone: phone() };
    insta::assert_snapshot!(answers(&bare, &question, &[ok(USERS), ok(MANAGERS)]), @r#"End(Responsible(Some(Manager { id: "2", name: "Smirnova Anna", extension: Some("150") })))"#);
}
