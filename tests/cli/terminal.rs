//! A terminal in a folder of its own: runs the program, types into it, reads what it says.

use std::fs::File;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use actors::store::testing::{Kind, TestDatabase, vault, wait};
use actors::store::{Options, Store, audit};
use tempfile::TempDir;

/// What a command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// What it printed; fails where the command did.
    pub fn well(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    /// The words it failed with; fails where it did not, or with another code than 1.
    pub fn words(self) -> String {
        assert_eq!(self.code, 1, "{}{}", self.out, self.err);
        self.err
    }
}

pub struct Terminal {
    database: TestDatabase,
    folder: TempDir,
    settings: Vec<(String, String)>,
}

impl Terminal {
    /// A terminal beside an empty database of this kind.
    pub fn on(kind: Kind) -> Terminal {
        let database = TestDatabase::new(kind);
        let settings = [
            ("PATCHBAY_DATABASE__URL", database.url.as_str()),
            ("PATCHBAY_SECRETS__KEY", &"07".repeat(32)),
            // Nobody listens there: port 1 is nobody's.
            ("PATCHBAY_SERVER__LISTEN", "127.0.0.1:1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Terminal {
            folder: tempfile::tempdir().expect("a folder"),
            settings: settings.to_vec(),
            database,
        }
    }

    /// Sets an environment variable for what is run from now on.
    pub fn export(&mut self, name: &str, value: &str) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Runs a command; its words are divided at spaces but within '…'.
    pub fn run(&self, line: &str) -> Said {
        self.run_with(line, "")
    }

    /// The same, with something typed into it.
    pub fn run_with(&self, line: &str, typed: &str) -> Said {
        let mut child = self
            .program(line)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut input = child.stdin.take().expect("its input");
        // A program that reads nothing may be gone already.
        let _unread = input.write_all(typed.as_bytes());
        drop(input);
        let output = child.wait_with_output().expect("the program's end");
        Said {
            code: output.status.code().expect("an exit code"),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// Starts a command that goes on.
    pub fn start(&self, line: &str) -> Child {
        self.program(line)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts")
    }

    /// The same; what it says goes into these files of the terminal's folder.
    pub fn start_noted(&self, line: &str, out: &str, err: &str) -> Child {
        let file = |name: &str| File::create(self.folder.path().join(name)).expect("a file");
        self.program(line)
            .stdin(Stdio::null())
            .stdout(file(out))
            .stderr(file(err))
            .spawn()
            .expect("the program starts")
    }

    /// A file of the terminal's folder.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).expect("a file")
    }

    /// (who, action, what) of every audit row, in order.
    pub fn audit(&self) -> Vec<(String, String, String)> {
        let options = Options {
            readers: 1,
            ..Options::default()
        };
        let store = Store::open(&self.database.url, vault(), options).expect("the store opens");
        let mut rows =
            wait(async move { store.read(|conn| audit::page(conn, None, 0, 1000)).await })
                .expect("the audit is read");
        rows.reverse();
        rows.into_iter()
            .map(|row| (row.who, row.action, row.what))
            .collect()
    }

    fn program(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_patchbay"));
        command
            .args(divide(line))
            .current_dir(self.folder.path())
            .env_remove("RUST_LOG")
            .envs(self.settings.iter().cloned());
        command
    }
}

/// Words of a line as a shell divides them, single quotes only.
fn divide(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}
