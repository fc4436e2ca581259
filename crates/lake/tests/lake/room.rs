//! No room left.

use std::path::{Path, PathBuf};
use std::process::Command;

use hinomi_model::{Evidence, EvidenceKind, Sink, SinkError};

use crate::support::{batch, open, services, sighting, stand_aside};

/// A file system of its own, of 6 MiB; goes when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: &Path) -> Option<Self> {
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]).arg(folder).output().ok()?;
        mounted.status.success().then(|| Self(folder.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// Bytes that do not compress.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn large_batch(round: u64) -> hinomi_model::Batch {
    let mut told = batch((0..8).map(|n| sighting(&format!("192.0.2.{n}"), 22, 1, &format!("ssh S {round}"))));
    for (n, sighting) in (0_u64..).zip(&mut told.sightings) {
        let piece = Evidence::new(EvidenceKind::Http, noise(round * 100 + n, 40_000));
        sighting.evidence.push(piece.reference());
        told.evidence.push(piece);
    }
    told
}

#[test]
fn a_full_disk_refuses_the_batch_whole_and_works_again_with_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(folder.path()) else {
        return stand_aside("a full disk needs the right to mount a tmpfs");
    };
    let ballast = folder.path().join("ballast");
    let lake = open(folder.path());
    lake.append(large_batch(0)).unwrap();
    let before = (services(&lake), lake.status().unwrap().sightings);
    let mut fill = std::fs::File::create(&ballast).unwrap();
    let filled = std::io::copy(&mut std::io::repeat(0), &mut fill);
    assert!(filled.is_err(), "the disk is not small");
    drop(fill);
    for _ in 0..2 {
        let refused = lake.append(large_batch(1));
        assert!(matches!(refused, Err(SinkError::NoRoom(_))), "{refused:?}");
        assert_eq!((services(&lake), lake.status().unwrap().sightings), before);
    }
    std::fs::remove_file(&ballast).unwrap();
    assert_eq!(lake.append(large_batch(1)).unwrap().sightings, 8);
    drop(lake);
    let lake = open(folder.path());
    assert_eq!((lake.status().unwrap().sightings.rows, services(&lake).len()), (16, 8));
}
