//! Replays the seeds through the targets, and keeps targets, seeds and programs in step.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use xmpp_fuzz::TARGETS;

#[test]
fn every_seed_passes_its_target() {
    let mut failed = Vec::new();
    for target in TARGETS {
        for file in entries(&folder("seeds").join(target.name)) {
            let data = fs::read(&file).expect("a readable seed");
            if catch_unwind(|| (target.run)(&data)).is_err() {
                failed.push(file);
            }
        }
    }
    assert!(
        failed.is_empty(),
        "these seeds broke their target: {failed:?}"
    );
}

#[test]
fn every_target_takes_nothing_and_noise() {
    let noise: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    for target in TARGETS {
        (target.run)(b"");
        (target.run)(&noise);
    }
}

#[test]
fn every_target_has_a_program_and_seeds_and_nothing_else_has() {
    let targets: BTreeSet<String> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    assert_eq!(
        targets.len(),
        TARGETS.len(),
        "a name stands twice in the table"
    );
    assert_eq!(
        stems(&folder("seeds")),
        targets,
        "folders in seeds/ against the table of targets"
    );
    assert_eq!(
        stems(&folder("fuzz_targets")),
        targets,
        "programs in fuzz_targets/ against the table of targets"
    );
    for name in &targets {
        assert!(
            !entries(&folder("seeds").join(name)).is_empty(),
            "{name} has no seeds"
        );
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The entries of a folder, sorted; a folder that does not exist has none.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    paths.sort();
    paths
}

fn stems(folder: &Path) -> BTreeSet<String> {
    let stem = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    entries(folder).into_iter().map(stem).collect()
}
