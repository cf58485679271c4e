//! Clicks on numbers.

use super::*;

fn wish(fields: &[(&str, &str)]) -> Result<Wish, String> {
    let fields = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let incoming = Incoming {
        fields: fields.collect(),
        ..Incoming::default()
    };
    connector().hear(&incoming, &Known::default())
}

#[test]
fn a_click_is_heard() {
    let base = [
        ("uon_subdomain", "id12345"),
        ("type_id", "47"),
        ("method", "call"),
        ("user_id", "2"),
    ];
    for (phone, dialled) in [
        ("79001234567", "+79001234567"),
        (" 375296254070", "+375296254070"),
        ("89001234567", "89001234567"),
        ("2254070", "2254070"),
    ] {
        let mut fields = base.to_vec();
        fields.push(("phone", phone));
        let Ok(Wish::Call { user, phone, .. }) = wish(&fields) else {
            panic!("{phone} was not taken");
        };
        assert_eq!((user.as_deref(), phone.as_str()), (Some("2"), dialled));
    }
    assert!(wish(&base).is_err(), "no number");
    assert!(
        wish(&[("type_id", "47"), ("phone", "79001234567")]).is_err(),
        "nobody clicked"
    );
    assert!(
        wish(&[
            ("uon_subdomain", "id9"),
            ("type_id", "47"),
            ("phone", "79001234567"),
            ("user_id", "2")
        ])
        .is_err()
    );
    assert!(matches!(
        wish(&[("type_id", "44"), ("phone", "79001234567")]),
        Ok(Wish::Nothing(_))
    ));
    // A 5xx would have the click sent once more.
    let spoken = connector().speak(&Incoming::default(), Err((503, "the host is down")));
    assert_eq!(spoken.status, 200);
    assert!(spoken.body.contains("the host is down") && spoken.body.contains("false"));
    assert_eq!(
        connector()
            .speak(&Incoming::default(), Err((400, "no")))
            .status,
        400
    );
}
