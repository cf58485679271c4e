//! No room: hosts hear 503, nothing is corrupted, and it goes on when there is room. On a small disk in memory, which
//! takes the right to mount.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::world::cluster::Cluster;
use crate::world::{Host, JUNE, World, journal, story, until};

/// A disk in memory; unmounted with its test.
struct SmallDisk {
    folder: Option<tempfile::TempDir>,
    place: PathBuf,
}

impl SmallDisk {
    fn new(size: &str) -> SmallDisk {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join("disk");
        std::fs::create_dir(&place).expect("a folder");
        let mounted = Command::new("mount")
            .args([
                "-t",
                "tmpfs",
                "-o",
                &format!("size={size},mode=0755"),
                "tmpfs",
            ])
            .arg(&place)
            .status();
        assert!(
            mounted.is_ok_and(|status| status.success()),
            "a small disk cannot be mounted: this test needs root"
        );
        SmallDisk {
            folder: Some(folder),
            place,
        }
    }

    /// Takes all the room there is.
    fn fill(&self) -> PathBuf {
        let path = self.place.join("filler");
        let mut filler = File::create(&path).expect("a file");
        for piece in [1 << 16, 1 << 12, 1 << 9, 1] {
            while filler.write_all(&vec![0; piece]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.place).status();
        drop(self.folder.take());
    }
}

#[test]
fn sqlite_without_room_refuses_and_goes_on_later() {
    let disk = SmallDisk::new("24m");
    let world = World::at(&format!(
        "sqlite://{}",
        disk.place.join("patchbay.db").display()
    ))
    .start();
    runs_out_and_recovers(&world, &disk, || {});
}

#[test]
fn postgres_without_room_refuses_and_goes_on_later() {
    let disk = SmallDisk::new("160m");
    let place = disk.place.clone();
    let cluster = Cluster::start_in(tempfile::tempdir().expect("a folder"), &place);
    let world = World::at(&cluster.url()).start();
    // PostgreSQL may have ended over it; then its operator starts it again when there is room.
    runs_out_and_recovers(&world, &disk, || {
        if !cluster.is_running() {
            assert!(cluster.begin(), "PostgreSQL comes back");
        }
    });
    drop(world);
}

fn runs_out_and_recovers(world: &World, disk: &SmallDisk, when_there_is_room: impl Fn()) {
    let host = world.host(&JUNE);
    host.tell(&story::answered("d1.1", "375296254070", &["150"], "150"));
    let (mut taken, mut number) = (4, 0);
    let filler = disk.fill();
    let refusal = until("events are refused", || {
        number += 1;
        let answer = post_large(&host, number);
        taken += i64::from(answer.status == 200);
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(refusal.status, 503, "{}", refusal.body);
    assert!(!refusal.header("retry-after").is_empty());
    assert!(!refusal.message().is_empty());
    // It stays that way, whatever is sent.
    for _ in 0..20 {
        number += 1;
        let answer = post_large(&host, number);
        assert!(
            matches!(answer.status, 200 | 503),
            "{}: {}",
            answer.status,
            answer.body
        );
        taken += i64::from(answer.status == 200);
    }
    make_room(&filler);
    when_there_is_room();
    until("events are taken again", || {
        number += 1;
        let took = post_large(&host, number).status == 200;
        taken += i64::from(took);
        took.then_some(())
    });
    host.tell(&story::answered("d2.1", "375296254071", &["150"], "150"));
    taken += 4;
    world.settle();
    assert_eq!(
        world.number("SELECT COUNT(*) FROM call_events"),
        taken,
        "what was taken, and only that, is there"
    );
    assert_eq!(journal::raw_bodies(&world.store, "d1.1").len(), 4);
    assert_eq!(
        world.account(&JUNE).calls().len(),
        2,
        "both calls are in the history"
    );
    if disk.place.join("patchbay.db").exists() {
        assert_eq!(journal::integrity(&world.store), "ok");
    }
}

/// A call's first event with much in it.
fn post_large(host: &Host, number: u32) -> crate::world::answer::Answer {
    host.post("start", &json!({"UniqueId": format!("fill.{number}"), "CallType": 2, "Phone": "151", "CallerIDNum": "150", "x": "x".repeat(200_000)}))
}

fn make_room(filler: &Path) {
    std::fs::remove_file(filler).expect("the filler is there");
}
