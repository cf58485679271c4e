//! A real Asterisk with a real sshd, by `scripts/asterisk-host`, and the enterprise that knows how to command it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use actors::cache::snapshot::HostKind;
use actors::store::enterprises::{self, Key, NewEnterprise};
use actors::store::testing::wait;
use chrono::Utc;
use tempfile::TempDir;

use crate::world::{API_KEY, JUNE, Person, World, until_within};

/// Runs until it is dropped.
pub struct RealHost {
    folder: TempDir,
    state: HashMap<String, String>,
}

impl RealHost {
    /// Starts one that reports to this world's server as `JUNE`'s.
    pub fn start(world: &World) -> RealHost {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let done = script()
            .args(["start".as_ref(), folder.path().as_os_str()])
            .args(["--server", &world.server.base_url, "--token", JUNE.token])
            .status()
            .expect("the host's script");
        assert!(done.success(), "the host did not start");
        let text = std::fs::read_to_string(folder.path().join("state")).expect("the host's state");
        let state = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
            .collect();
        RealHost { folder, state }
    }

    pub fn told(&self, name: &str) -> &str {
        &self.state[name]
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.told(name)).expect("a key")
    }

    /// A command of Asterisk's own console.
    pub fn rx(&self, command: &str) -> String {
        let done = script()
            .args([
                "rx".as_ref(),
                self.folder.path().as_os_str(),
                command.as_ref(),
            ])
            .output()
            .expect("the host's script");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// What a phone does from now on: `answer:RING:TALK` in seconds, `busy`; without a word it rings for ever.
    pub fn phone(&self, number: &str, does: &str) {
        self.rx(&if does.is_empty() {
            format!("database del phone {number}")
        } else {
            format!("database put phone {number} {does}")
        });
    }

    /// Somebody calls a line; the number in base64, as it may hold anything.
    pub fn incoming(&self, line: &str, number: &str) {
        use base64::Engine as _;
        let number = base64::engine::general_purpose::STANDARD.encode(number);
        self.rx("database del sim name");
        self.rx(&format!("database put sim number {number}"));
        self.rx(&format!(
            "channel originate Local/{line}@sim-caller/n application Wait 60"
        ));
    }

    /// Waits until nobody talks or rings any more.
    pub fn quiet(&self) {
        let gone = until_within(Duration::from_secs(40), || {
            self.rx("core show channels count")
                .contains("0 active channels")
                .then_some(())
        });
        assert!(
            gone.is_some(),
            "channels are left:\n{}",
            self.rx("core show channels")
        );
    }

    /// How many SSH sessions the host's sshd has let in.
    pub fn logins(&self) -> usize {
        let log =
            PathBuf::from(self.told("ROOT").to_owned() + self.told("INST")).join("log/sshd.out");
        std::fs::read_to_string(log)
            .unwrap_or_default()
            .matches("Accepted publickey")
            .count()
    }

    /// Lets plain commands of the console in with the plain key, which on a customer's host need no other configuration.
    pub fn open_plain(&self) {
        let at = PathBuf::from(self.told("ROOT").to_owned() + self.told("INST"))
            .join("ssh/authorized_keys");
        let inst = self.told("INST");
        let plain =
            std::fs::read_to_string(self.folder.path().join("ssh_plain_key.pub")).expect("a key");
        let text = std::fs::read_to_string(&at).expect("the keys");
        let wrap = format!("/usr/sbin/asterisk -C {inst}/etc/asterisk.conf");
        let script = PathBuf::from(self.told("ROOT").to_owned() + inst).join("kit/plain");
        let body = format!(
            "#!/bin/sh\ncase $SSH_ORIGINAL_COMMAND in /usr/sbin/asterisk\\ *) eval \"{wrap} ${{SSH_ORIGINAL_COMMAND#/usr/sbin/asterisk }}\" ;; esac\n"
        );
        std::fs::write(&script, body).expect("a script");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&script, mode).expect("a script");
        let text = text.replace(
            &plain,
            &format!("command=\"{inst}/kit/plain\",restrict {plain}"),
        );
        std::fs::write(&at, text).expect("the keys");
    }

    /// Tells the enterprise of it: address, keys, secrets for those who click.
    pub fn introduce(&self, world: &World, kind: HostKind) {
        let port = self.told("SSH_PORT").parse().expect("a port");
        let (user, host_key) = (self.told("SSH_USER").to_owned(), self.read("SSH_HOST_KEY"));
        let key = match kind {
            HostKind::Kit => self.read("SSH_KEY"),
            HostKind::Plain => self.read("SSH_PLAIN_KEY"),
        };
        change(world, move |new| {
            new.host_address = "127.0.0.1".into();
            new.ssh_port = port;
            new.ssh_user = user;
            new.host_key = host_key;
            new.host_kind = kind;
            new.ssh_key = Some(key.into());
            new.secret = Some(SECRET.into());
            new.integrations["retailcrm"]["client_id"] = CLIENT_ID.into();
        });
    }
}

/// What the registered RetailCRM shows.
pub const CLIENT_ID: &str = "c1-7f3a99-of-june";
/// What any other caller shows.
pub const SECRET: &str = "secret-of-june-77";

/// Changes something of `JUNE`, and tells the server.
pub fn change(world: &World, how: impl FnOnce(&mut NewEnterprise) + Send + 'static) {
    let vault = world.store.vault().clone();
    wait(world.store.write(move |conn| {
        let key = Key::Number(JUNE.number.into());
        let id = enterprises::load(conn, &vault, &key)?.expect("june").id;
        let mut new = enterprises::details(conn, &vault, id)?.expect("june");
        how(&mut new);
        enterprises::update(conn, &vault, id, &new, Utc::now())?;
        enterprises::save_integrations(conn, &vault, id, &new.integrations, Utc::now())
    }))
    .expect("june is changed");
    let stranger = Person::stranger(&world.server);
    let path = format!("/cache/invalidate/{}", JUNE.number);
    let answer = stranger.request("POST", &path, &[("x-api-key", API_KEY)], "");
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn script() -> Command {
    Command::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/scripts/asterisk-host"
    ))
}

impl Drop for RealHost {
    fn drop(&mut self) {
        let _stopped = script()
            .args(["stop".as_ref(), self.folder.path().as_os_str()])
            .status();
    }
}
