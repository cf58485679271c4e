//! What the receiver believes and what it does not.

use super::verdict::{Fault, Headers, sign, verify};
use super::{Settings, secret_bytes};

const NOW: i64 = 1_772_363_109;
const BODY: &[u8] = br#"{"type":"call.started"}"#;

fn headers(secret: &str, at: i64, body: &[u8]) -> Headers {
    Headers {
        id: Some("msg_1".into()),
        timestamp: Some(at.to_string()),
        signature: Some(sign(&secret_bytes(secret).unwrap(), "msg_1", at, body)),
    }
}

#[test]
fn the_specifications_example_is_believed() {
    let headers = Headers {
        id: Some("msg_p5jXN8AQM9LWM0D4loKWxJek".into()),
        timestamp: Some("1614265330".into()),
        signature: Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".into()),
    };
    let body = br#"{"test": 2432232314}"#;
    let secrets = Settings::default().secrets;
    assert_eq!(verify(&secrets, &headers, body, 1_614_265_330), Ok(vec![0]));
}

#[test]
fn what_is_forged_old_or_unsigned_is_not() {
    let secrets = Settings::default().secrets;
    let good = headers(&secrets[0], NOW, BODY);
    assert_eq!(verify(&secrets, &good, BODY, NOW), Ok(vec![0]));
    let other = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let unsigned = Headers {
        signature: None,
        ..good.clone()
    };
    let odd = Headers {
        timestamp: Some("yesterday".into()),
        ..good.clone()
    };
    for (headers, body, now, fault) in [
        (&headers(other, NOW, BODY), BODY, NOW, Fault::NoMatch),
        (&good, &b"{}"[..], NOW, Fault::NoMatch),
        (&good, BODY, NOW + 301, Fault::TooOld),
        (&good, BODY, NOW - 301, Fault::TooNew),
        (&unsigned, BODY, NOW, Fault::MissingHeaders),
        (&odd, BODY, NOW, Fault::BadTimestamp),
    ] {
        assert_eq!(verify(&secrets, headers, body, now), Err(fault));
    }
}
