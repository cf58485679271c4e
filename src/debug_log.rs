//! The debug log of single enterprises: every event of an enterprise whose switch is on goes to a file of its own, with
//! type, unique id and full body, the token masked. Called by the webhooks for every event; never makes one wait: what
//! the disk cannot keep up with is dropped, counted, and said in the file.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use actors::cache::snapshot::Enterprise;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;

/// Events that may wait for the disk.
const QUEUE: usize = 4096;

/// Where the files are and how large they get.
#[derive(Clone, Debug)]
pub struct Place {
    pub folder: PathBuf,
    /// A file this large is turned: `enterprise-0367.log` becomes `.log.1`, and so on.
    pub rotate_size: u64,
    /// Turned files kept.
    pub rotate_keep: usize,
}

/// The handle; cheap to clone. The writing thread ends with the last one.
#[derive(Clone, Debug)]
pub struct DebugLog {
    queue: SyncSender<Line>,
    lost: Arc<Lost>,
}

/// Lines that were dropped, by enterprise, until the file says so.
#[derive(Debug, Default)]
struct Lost {
    waiting: Mutex<HashMap<String, u64>>,
    total: AtomicU64,
}

struct Line {
    number: String,
    at: DateTime<Utc>,
    kind: &'static str,
    unique_id: String,
    token: String,
    body: Vec<u8>,
}

impl DebugLog {
    /// Starts the writing thread. The folder is made with the first line, so that an installation that never uses this
    /// has none.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(place: Place) -> std::io::Result<DebugLog> {
        let (queue, lines) = sync_channel(QUEUE);
        let log = DebugLog::over(queue);
        let lost = log.lost.clone();
        std::thread::Builder::new()
            .name("debug-log".into())
            .spawn(move || {
                Writer {
                    place,
                    files: HashMap::new(),
                    lost,
                    ailing: false,
                }
                .run(&lines)
            })?;
        Ok(log)
    }

    fn over(queue: SyncSender<Line>) -> DebugLog {
        DebugLog {
            queue,
            lost: Arc::default(),
        }
    }

    /// Takes an event of an enterprise down, if its switch is on. Never waits.
    pub fn event(&self, enterprise: &Enterprise, kind: &'static str, unique_id: &str, body: &[u8]) {
        if !enterprise.debug_log {
            return;
        }
        let line = Line {
            number: enterprise.number.clone(),
            at: Utc::now(),
            kind,
            unique_id: unique_id.to_owned(),
            token: enterprise.token.expose_secret().to_owned(),
            body: body.to_vec(),
        };
        if let Err(TrySendError::Full(line) | TrySendError::Disconnected(line)) =
            self.queue.try_send(line)
        {
            self.lost.total.fetch_add(1, Ordering::Relaxed);
            let mut waiting = self
                .lost
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *waiting.entry(line.number).or_default() += 1;
        }
    }

    /// Events dropped since the start, all enterprises together; for the system page.
    pub fn lost(&self) -> u64 {
        self.lost.total.load(Ordering::Relaxed)
    }
}

struct Writer {
    place: Place,
    files: HashMap<String, (File, u64)>,
    lost: Arc<Lost>,
    /// The last write failed: said once in the general log.
    ailing: bool,
}

impl Writer {
    fn run(mut self, lines: &Receiver<Line>) {
        while let Ok(line) = lines.recv() {
            match self.write(&line) {
                Ok(()) if self.ailing => {
                    self.ailing = false;
                    log::info!("debug logs can be written again");
                }
                Ok(()) => {}
                Err(error) => {
                    self.lost.total.fetch_add(1, Ordering::Relaxed);
                    self.files.remove(&line.number);
                    if !self.ailing {
                        self.ailing = true;
                        log::error!(
                            "debug logs cannot be written in {}: {error}",
                            self.place.folder.display()
                        );
                    }
                }
            }
        }
    }

    fn write(&mut self, line: &Line) -> std::io::Result<()> {
        let missed = {
            let mut waiting = self
                .lost
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            waiting.remove(&line.number).unwrap_or_default()
        };
        let mut text = Vec::with_capacity(line.body.len() + 256);
        let at = line.at.format("%Y-%m-%dT%H:%M:%S%.3fZ");
        if missed > 0 {
            writeln!(
                text,
                "{at} ({missed} events are missing here: the disk could not keep up)"
            )?;
        }
        write!(
            text,
            "{at} {} token={} unique_id={} ",
            line.kind,
            mask(&line.token),
            plain(&line.unique_id)
        )?;
        text.extend(shown(&line.body, &line.token));
        text.push(b'\n');

        let path = path(&self.place.folder, &line.number);
        let (file, size) = match self.files.entry(line.number.clone()) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => entry.insert(open(&path)?),
        };
        if *size > 0 && *size + text.len() as u64 > self.place.rotate_size {
            turn(&path, self.place.rotate_keep)?;
            (*file, *size) = open(&path)?;
        }
        file.write_all(&text)?;
        *size += text.len() as u64;
        Ok(())
    }
}

/// The file of an enterprise. Its number comes from a form: nothing of it may lead out of the folder.
fn path(folder: &Path, number: &str) -> PathBuf {
    let name: String = number
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    folder.join(format!("enterprise-{name}.log"))
}

/// Opens for appending; bodies hold clients' numbers, so the file is the server's alone.
fn open(path: &Path) -> std::io::Result<(File, u64)> {
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

/// `.log` becomes `.log.1`, that `.log.2`, and the last goes.
fn turn(path: &Path, keep: usize) -> std::io::Result<()> {
    let old = |number: usize| PathBuf::from(format!("{}.{number}", path.display()));
    for number in (1..keep).rev() {
        if old(number).exists() {
            fs::rename(old(number), old(number + 1))?;
        }
    }
    if keep == 0 {
        fs::remove_file(path)
    } else {
        fs::rename(path, old(1))
    }
}

/// The last four characters of a long token, nothing of a short one.
fn mask(token: &str) -> String {
    match token.char_indices().rev().nth(3) {
        Some((at, _)) if token.chars().count() >= 12 => format!("****{}", &token[at..]),
        _ => "****".to_owned(),
    }
}

/// What an outsider wrote, on one line.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The body without the token, its line breaks and other control characters escaped: an entry is one line.
fn shown(body: &[u8], token: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(first) = rest.first() {
        if !token.is_empty() && rest.starts_with(token.as_bytes()) {
            out.extend_from_slice(mask(token).as_bytes());
            rest = rest.get(token.len()..).unwrap_or_default();
            continue;
        }
        match first {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            byte if *byte < b' ' => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
            byte => out.push(*byte),
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enterprise(on: bool) -> Enterprise {
        Enterprise {
            id: 1,
            number: "0367".into(),
            name: "june".into(),
            token: "375293332255".into(),
            active: true,
            country: "BY".into(),
            time_zone: chrono_tz::Europe::Minsk,
            language: "ru".into(),
            bot_token: None,
            secret: None,
            debug_log: on,
            settings: serde_json::Value::Null,
            extensions: HashMap::new(),
            lines: HashMap::new(),
            primary: None,
            integrations: Default::default(),
            has_telegram_subscribers: false,
            host: Default::default(),
        }
    }

    /// Logs what `fill` says, waits for the writer's end, and gives the folder.
    fn logged(rotate_size: u64, fill: impl FnOnce(&DebugLog)) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let place = Place {
            folder: folder.path().join("logs"),
            rotate_size,
            rotate_keep: 2,
        };
        let (queue, lines) = sync_channel(QUEUE);
        let log = DebugLog::over(queue);
        let lost = log.lost.clone();
        fill(&log);
        drop(log);
        Writer {
            place,
            files: HashMap::new(),
            lost,
            ailing: false,
        }
        .run(&lines);
        folder
    }

    fn read(folder: &tempfile::TempDir, name: &str) -> String {
        fs::read_to_string(folder.path().join("logs").join(name)).unwrap()
    }

    #[test]
    fn an_entry_is_one_line_without_the_token() {
        let body = b"{\"Token\": \"375293332255\",\n \"UniqueId\": \"1.1\", \"CallerIDName\": \"\xd0\x90\x1b[31m\"}";
        let folder = logged(1 << 20, |log| {
            log.event(&enterprise(true), "start", "1.1\n2", body);
        });
        let text = read(&folder, "enterprise-0367.log");
        assert_eq!(text.lines().count(), 1);
        assert!(
            text.contains(" start token=****2255 unique_id=1.12 {"),
            "{text}"
        );
        assert!(
            text.contains(r#""Token": "****2255",\n "UniqueId": "1.1""#),
            "{text}"
        );
        assert!(text.contains("\u{410}\\x1b[31m") && !text.contains("375293332255"));
    }

    #[test]
    fn an_enterprise_whose_switch_is_off_has_no_file() {
        let folder = logged(1 << 20, |log| {
            log.event(&enterprise(false), "start", "1.1", b"{}")
        });
        assert!(!folder.path().join("logs").exists());
    }

    #[test]
    fn a_full_file_is_turned_and_old_ones_go() {
        let folder = logged(300, |log| {
            for n in 0..20 {
                log.event(&enterprise(true), "dial", &format!("{n}.0"), &[b'x'; 100]);
            }
        });
        let mut names: Vec<_> = fs::read_dir(folder.path().join("logs"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "enterprise-0367.log",
                "enterprise-0367.log.1",
                "enterprise-0367.log.2"
            ]
        );
        assert!(read(&folder, "enterprise-0367.log").contains("unique_id=19.0"));
        assert!(
            names
                .iter()
                .all(|name| read(&folder, name.to_str().unwrap()).len() <= 300)
        );
    }

    #[test]
    fn what_cannot_be_kept_up_with_is_dropped_counted_and_said() {
        let folder = logged(1 << 30, |log| {
            for n in 0..QUEUE + 10 {
                log.event(&enterprise(true), "dial", &format!("{n}.0"), b"{}");
            }
            assert_eq!(log.lost(), 10);
        });
        assert!(read(&folder, "enterprise-0367.log").starts_with(|c: char| c.is_ascii_digit()));
        assert!(
            read(&folder, "enterprise-0367.log")
                .contains("(10 events are missing here: the disk could not keep up)")
        );
    }

    #[test]
    fn a_number_leads_nowhere_else() {
        assert_eq!(
            path(Path::new("/logs"), "../../etc/x"),
            Path::new("/logs/enterprise-______etc_x.log")
        );
    }
}
