//! An enterprise is set up with commands alone, and every change is noted.

use actors::store::testing::Kind;

use crate::terminal::Terminal;

/// What an operator types on the first day; no server runs yet.
const FIRST_DAY: [&str; 9] = [
    "enterprise add 0367 june --token 375293332255-secret-token",
    "enterprise set 0367 --host 192.168.1.10 --zone Europe/Warsaw --country pl --language en --debug-log yes",
    "user add anna --enterprise 0367 --name 'Анна Петрова'",
    "enterprise extension 0367 add 150 --user anna",
    "enterprise extension 0367 add 151 --name 'Борис Ильин'",
    r"enterprise line 0367 set 0001367 --name Office --rule '^0#=' --rule '^80(\d{9})$=+375$1'",
    "enterprise telegram 0367 add 501 --name Director",
    "enterprise telegram 0367 add -1001234567890 --name Sales",
    "enterprise telegram 0367 remove 501",
];

fn after_the_first_day() -> Terminal {
    let terminal = Terminal::on(Kind::Sqlite);
    for line in FIRST_DAY {
        terminal.run(line).well();
    }
    terminal
        .run_with(
            "enterprise set 0367 --bot-token -",
            "1001:secret-of-the-bot\n",
        )
        .well();
    terminal
        .run_with(
            "enterprise integration 0367 retailcrm --set domain=shop.example --set api_key=- --set user_extensions=16=150,17=151 --enable",
            "secret-key-of-the-shop\n",
        )
        .well();
    terminal
}

#[test]
fn what_was_set_is_shown_with_secrets_masked() {
    let terminal = after_the_first_day();
    insta::assert_snapshot!(terminal.run("enterprise show 0367").well(), @r"
    0367  june  active
      country            PL
      time zone          Europe/Warsaw
      language           en
      host               192.168.1.10
      ssh                -
      host key           -
      originate context  inoffice
      redirect context   web-zapros
      debug log          on
      token              ****oken
      secret             -
      bot token          ****-bot
      other settings     -
    extensions
      150      Анна Петрова (anna)
      151      Борис Ильин
    lines
      0001367  Office
        ^0#  ->  nothing
        ^80(\d{9})$  ->  +375$1
    integrations
      retailcrm on
        api_key          ****shop
        domain           shop.example
        user_extensions  16=150,17=151
    chats
      -1001234567890   Sales                on
    ");
}

#[test]
fn what_is_not_named_stays() {
    let terminal = after_the_first_day();
    let before = terminal.run("enterprise show 0367").well();
    terminal.run("enterprise set 0367 --name july").well();
    terminal
        .run("enterprise integration 0367 retailcrm --set send_dial=no --disable")
        .well();
    terminal
        .run("enterprise line 0367 set 0001367 --name Shop")
        .well();
    let after = terminal.run("enterprise show 0367").well();
    let expected = before
        .replace("june", "july")
        .replace("retailcrm on", "retailcrm off")
        .replace(
            "    user_extensions",
            "    send_dial        no\n    user_extensions",
        )
        .replace("Office", "Shop");
    assert_eq!(after, expected);
}

#[test]
fn what_is_taken_away_is_gone() {
    let terminal = after_the_first_day();
    for line in [
        "enterprise extension 0367 remove 151",
        "enterprise line 0367 remove 0001367",
        "enterprise telegram 0367 remove -1001234567890",
        "enterprise set 0367 --bot-token '' --active no",
        "enterprise integration 0367 retailcrm --set user_extensions=",
    ] {
        terminal.run(line).well();
    }
    let shown = terminal.run("enterprise show 0367").well();
    for gone in ["151 ", "0001367", "-100", "****-bot", "user_extensions"] {
        assert!(!shown.contains(gone), "{gone} is still in\n{shown}");
    }
    assert!(shown.starts_with("0367  june  off"));
}

#[test]
fn a_number_is_taken_through_the_rules_of_its_line() {
    let terminal = after_the_first_day();
    insta::assert_snapshot!(terminal.run("enterprise line 0367 try 0001367 0#80291234567").well(), @r"
    0#80291234567  as it comes over 0001367
    80291234567  after ^0#
    +375291234567  after ^80(\d{9})$
    +375291234567  in E.164, country PL
    ");
    insta::assert_snapshot!(terminal.run("enterprise line 0367 try 0001367 150").well(), @r"
    150  as it comes over 0001367
    150  after ^0#  (no match)
    150  after ^80(\d{9})$  (no match)
    150  is an extension: it stays as it is
    ");
}

#[test]
fn a_new_token_is_printed_once_and_the_old_one_forgotten() {
    let terminal = after_the_first_day();
    let said = terminal.run("enterprise rotate-token 0367").well();
    let token = said
        .lines()
        .find_map(|line| line.strip_prefix("token: "))
        .and_then(|rest| rest.split(' ').next())
        .expect("a token");
    assert!(token.len() >= 40, "{token} is long enough");
    let shown = terminal.run("enterprise show 0367").well();
    assert!(shown.contains(&format!("****{}", &token[token.len() - 4..])));
    assert!(!shown.contains(token));
}

#[test]
fn every_change_is_noted_and_no_secret_with_it() {
    let terminal = after_the_first_day();
    terminal.run("enterprise rotate-token 0367").well();
    terminal
        .run_with("user password anna", "a long enough one\n")
        .well();
    let audit = terminal.audit();
    let actions: Vec<&str> = audit.iter().map(|(_, action, _)| action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "enterprise.add",
            "enterprise.set",
            "user.add",
            "extension.save",
            "extension.save",
            "line.save",
            "telegram.add",
            "telegram.add",
            "telegram.remove",
            "enterprise.set",
            "integration.save",
            "enterprise.rotate-token",
            "user.password",
        ]
    );
    for (who, action, what) in &audit {
        assert_eq!(who, "command line", "{action}");
        for secret in [
            "secret-token",
            "secret-of-the-bot",
            "secret-key",
            "long enough",
        ] {
            assert!(!what.contains(secret), "{action} tells {what}");
        }
    }
}

#[test]
fn a_host_gets_a_key_of_ours_and_its_own_is_accepted() {
    let terminal = after_the_first_day();
    let told = terminal
        .run("enterprise host 0367 --address 127.0.0.1 --port 1 --user patchbay --kind kit --make-key")
        .well();
    let bound = "command=\"/usr/local/lib/patchbay/patchbay-gate\",restrict ssh-ed25519 AAAA";
    assert!(told.contains(bound), "{told}");
    assert!(!told.contains("PRIVATE"), "{told}");
    // Without an option it only tells; ours did not change.
    let line = told.lines().find(|line| line.contains(bound)).unwrap();
    let again = terminal.run("enterprise host 0367").well();
    assert!(again.contains(line), "{again}");
    let key = line.rsplit_once("restrict ").unwrap().1;
    let told = terminal
        .run(&format!("enterprise host 0367 --accept '{key}'"))
        .well();
    assert!(told.contains("accepted   SHA256:"), "{told}");
    let refused = terminal
        .run("enterprise host 0367 --accept nonsense")
        .words();
    assert!(refused.contains("public key"), "{refused}");
    let refused = terminal.run("enterprise host 0367 --test").words();
    assert!(refused.contains("the host cannot be reached"), "{refused}");
}
