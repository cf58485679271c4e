//! What cannot be meant is refused with words that help, exit code 1, and nothing is changed or noted.

use actors::store::testing::Kind;

use crate::terminal::Terminal;

/// What is typed, and a part of what is answered.
const WRONG: [(&str, &str); 39] = [
    (
        "enterprise add june 0367",
        "an enterprise's number has digits only",
    ),
    (
        "enterprise add 0367 other",
        "has this number or this token already",
    ),
    (
        "enterprise add 0368 july --country BLR",
        "it is no country; write its two letters",
    ),
    (
        "enterprise add 0368 july --zone Minsk",
        "it is no time zone; write it like Europe/Minsk",
    ),
    (
        "enterprise add 0368 july --language be",
        "[possible values: ru, en]",
    ),
    (
        "enterprise add 0368 july --bot-token 12345",
        "does not have the form of a bot's token",
    ),
    (
        "enterprise add 0368 july --token ''",
        "--token must not be empty",
    ),
    (
        "enterprise show 0399",
        "there is no enterprise 0399 in sqlite:",
    ),
    ("enterprise set 0367", "nothing to change"),
    (
        "enterprise set 0367 --active perhaps",
        "invalid value 'perhaps' for '--active",
    ),
    ("enterprise set 0367 --name ''", "it must not be empty"),
    (
        "enterprise set 0367 --host 'a b'",
        "it is no address of a host",
    ),
    (
        "enterprise set 0367 --colour red",
        "unexpected argument '--colour'",
    ),
    (
        "enterprise set 0367 --bot-token env:NOWHERE",
        "the environment variable NOWHERE",
    ),
    (
        "enterprise set 0367 --bot-token -",
        "standard input, which has ended",
    ),
    (
        "enterprise rotate-token 0399",
        "there is no enterprise 0399",
    ),
    (
        "enterprise extension 0367 add 15a",
        "an extension has digits only",
    ),
    (
        "enterprise extension 0367 add 150 --user nobody",
        "nobody of 0367 is called nobody",
    ),
    (
        "enterprise extension 0367 add 150 --user bob",
        "nobody of 0367 is called bob",
    ),
    (
        "enterprise extension 0367 remove 199",
        "0367 has no extension 199; it has 151",
    ),
    (
        "enterprise line 0367 set 0001367 --rule '(=1'",
        "( is no regular expression: unclosed group",
    ),
    (
        "enterprise line 0367 set 0001367 --rule '^8(.*)=$2'",
        "names the group 2",
    ),
    (
        "enterprise line 0367 set 0001367 --rule '^8(.*)=$1375'",
        "is written ${1}",
    ),
    (
        "enterprise line 0367 set 0001367 --rule 375",
        "a rule is written PATTERN=REPLACEMENT",
    ),
    ("enterprise line 0367 set 0001367", "nothing to change"),
    (
        "enterprise line 0367 remove 7",
        "0367 has no line 7; it has 0001367",
    ),
    (
        "enterprise line 0367 try 7 80291234567",
        "0367 has no line 7; it has 0001367",
    ),
    (
        "enterprise line 0367 try 0001367 anonymous",
        "no number that can be called",
    ),
    (
        "enterprise integration 0367 nosuchcrm",
        "there is no such integration; there are: retailcrm",
    ),
    (
        "enterprise integration 0367 retailcrm --set apikey=x",
        "has no setting \"apikey\"; it has domain, api_key",
    ),
    (
        "enterprise integration 0367 retailcrm --set domain=shop.example",
        "api_key must not be empty",
    ),
    (
        "enterprise integration 0367 retailcrm --enable",
        "domain must not be empty",
    ),
    (
        "enterprise integration 0367 retailcrm --enable --disable",
        "cannot be used with '--disable'",
    ),
    (
        "enterprise integration 0367 retailcrm --set send_dial=perhaps",
        "\"perhaps\" is neither yes nor no",
    ),
    (
        "enterprise integration 0367 retailcrm --set user_extensions=16",
        "write 16=150,17=151",
    ),
    (
        "enterprise integration 0367 retailcrm --set domain=ftp://x --set api_key=k",
        "domain is not an address",
    ),
    (
        "enterprise telegram 0367 add @june --name June",
        "a chat is a whole number",
    ),
    ("enterprise telegram 0367 remove 5", "0367 has no chat 5"),
    (
        "enterprise telegram 0367 test",
        "0367 has no bot: make one at @BotFather",
    ),
];

#[test]
fn what_cannot_be_meant_changes_nothing() {
    let terminal = Terminal::on(Kind::Sqlite);
    for line in [
        "enterprise add 0367 june",
        "enterprise add 0400 august",
        "user add bob --enterprise 0400",
        "enterprise extension 0367 add 151",
        "enterprise line 0367 set 0001367 --name Office",
    ] {
        terminal.run(line).well();
    }
    let before = (
        terminal.run("enterprise show 0367").well(),
        terminal.audit(),
    );
    for (line, words) in WRONG {
        let said = terminal.run(line).words();
        assert!(said.contains(words), "{line}\nsaid: {said}");
    }
    let after = (
        terminal.run("enterprise show 0367").well(),
        terminal.audit(),
    );
    assert_eq!(before, after);
}

#[test]
fn a_secret_that_is_refused_is_not_repeated() {
    let terminal = Terminal::on(Kind::Sqlite);
    terminal.run("enterprise add 0367 june").well();
    for line in [
        "enterprise set 0367 --bot-token hush-hush",
        "enterprise integration 0367 retailcrm --set hush-hush",
        "enterprise integration 0367 retailcrm --set domain=ftp://x --set api_key=hush-hush",
    ] {
        let said = terminal.run(line).words();
        assert!(!said.contains("hush"), "{line}\nsaid: {said}");
    }
}

#[test]
fn every_command_explains_itself() {
    let terminal = Terminal::on(Kind::Sqlite);
    for command in [
        "",
        " add",
        " list",
        " show",
        " set",
        " rotate-token",
        " extension",
        " extension 0367 add",
        " line",
        " line 0367 set",
        " line 0367 try",
        " integration",
        " telegram",
        " telegram 0367 add",
    ] {
        let help = terminal.run(&format!("enterprise{command} --help")).well();
        assert!(
            help.contains("Usage: patchbay enterprise"),
            "{command}: {help}"
        );
    }
    let help = terminal.run("enterprise integration --help").well();
    assert!(
        help.contains("api_key") && help.contains("RetailCRM"),
        "{help}"
    );
}
