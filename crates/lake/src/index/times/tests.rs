use proptest::prelude::*;

use super::*;

fn seen(last: i64, first: i64, closed: Option<i64>) -> Seen {
    Seen { last: Some(last), first: Some(first), closed }
}

fn fresh() -> (tempfile::TempDir, Times) {
    let folder = tempfile::tempdir().expect("a folder");
    let times = Times::open(folder.path(), true, None).expect("new");
    (folder, times)
}

#[test]
fn touches_merge_survive_reopening_and_reach_other_readers() {
    let (folder, times) = fresh();
    let reader = Times::open(folder.path(), false, None).expect("open");
    times.touch((1, false), 9_001, &[(5, seen(10, 3, None)), (9_000, seen(-7, -9, Some(8)))]).expect("written");
    times.touch((2, true), 9_001, &[(5, seen(7, 2, Some(4)))]).expect("written");
    drop(times.view());
    let again = Times::open(folder.path(), true, Some(1)).expect("open");
    for times in [&times, &reader, &again] {
        let view = times.view().expect("a view");
        assert_eq!(view.get(5), seen(10, 2, Some(4)));
        assert_eq!(view.get(9_000), seen(-7, -9, Some(8)));
        assert_eq!((view.get(6), view.get(1 << 38)), (Seen::default(), Seen::default()));
        view.check().expect("no trouble");
        assert_eq!((times.version(), times.next_row()), (Some(2), 9_001));
    }
}

#[test]
fn folding_changes_nothing_and_readers_follow() {
    let (folder, times) = fresh();
    let reader = Times::open(folder.path(), false, None).expect("open");
    let all: Vec<_> =
        (0..10_000).map(|row| (row, seen(row as i64, -(row as i64), (row % 3 == 0).then_some(1)))).collect();
    times.touch((1, false), 10_000, &all).expect("written");
    assert_eq!(reader.view().expect("a view").get(77), seen(77, -77, None));
    let view = times.view().expect("a view");
    times.fold(&mut times.state(), &view, Some(1)).expect("folded");
    times.touch((2, true), 10_000, &[(77, seen(100, 100, None))]).expect("written");
    let again = Times::open(folder.path(), true, Some(1)).expect("open");
    for times in [&times, &reader, &again] {
        let view = times.view().expect("a view");
        assert_eq!(view.get(77), seen(100, -77, None));
        assert_eq!((view.get(9_999), view.get(10_000)), (seen(9_999, -9_999, Some(1)), Seen::default()));
        assert_eq!((times.version(), times.next_row()), (Some(2), 10_000));
        assert!((0..10_001).all(|row| view.is_closed(row) == view.get(row).is_closed()));
        assert!(view.is_closed(0) && !view.is_closed(3));
    }
    times.touch((3, true), 10_000, &[(0, seen(5, 5, None)), (1, seen(1, 1, Some(9)))]).expect("written");
    let view = times.view().expect("a view");
    assert_eq!((view.is_closed(0), view.is_closed(1)), (false, true), "answered again, and found closed");
    assert!(!folder.path().join("touches-0.log").exists() && folder.path().join("touches-1.log").exists());
}

#[test]
fn who_ends_leaves_a_short_log() {
    let (folder, times) = fresh();
    times.touch((1, true), 9, &[(8, seen(1, 1, Some(2)))]).expect("written");
    times.fold_at_end(Some(1), 1 << 20).expect("nothing to do");
    assert!(!folder.path().join("times.bin").exists(), "a short log stays");
    times.fold_at_end(Some(1), 1).expect("folded");
    assert!(folder.path().join("times.bin").exists());
    drop(times);
    let again = Times::open(folder.path(), false, None).expect("open");
    let view = again.view().expect("a view");
    assert_eq!((view.get(8), view.is_closed(8), again.version()), (seen(1, 1, Some(2)), true, Some(1)));
}

#[test]
fn what_a_killed_writer_left_is_cut_and_damage_is_told() {
    let (folder, times) = fresh();
    times.touch((1, true), 6, &[(5, seen(10, 3, None))]).expect("written");
    times.touch((2, true), 7, &[(6, seen(11, 4, None))]).expect("written");
    drop(times);
    let path = folder.path().join("touches-0.log");
    let whole = std::fs::read(&path).expect("read");
    for length in 61..whole.len() {
        std::fs::write(&path, &whole[..length]).expect("cut");
        let times = Times::open(folder.path(), true, Some(1)).expect("open");
        let view = times.view().expect("a view");
        assert_eq!((view.get(5), view.get(6)), (seen(10, 3, None), Seen::default()), "{length}");
        assert!(matches!(Times::open(folder.path(), true, Some(2)), Err(LakeError::Damaged { .. })), "{length}");
    }
    let mut flipped = whole;
    flipped[40] ^= 1;
    std::fs::write(&path, flipped).expect("flipped");
    let told = Times::open(folder.path(), true, Some(1)).and_then(|times| times.view().map(drop));
    assert!(matches!(told, Err(LakeError::Damaged { .. })));
    std::fs::write(folder.path().join("times.bin"), [7; 64]).expect("written");
    assert!(matches!(Times::open(folder.path(), true, None), Err(LakeError::Damaged { .. })));
}

#[test]
fn a_flipped_bit_of_the_base_is_told() {
    let (folder, times) = fresh();
    times.touch((1, true), 6, &[(5, seen(10, 3, None))]).expect("written");
    let view = times.view().expect("a view");
    times.fold(&mut times.state(), &view, Some(1)).expect("folded");
    drop(times);
    let path = folder.path().join("times.bin");
    let whole = std::fs::read(&path).expect("read");
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        std::fs::write(&path, bytes).expect("flipped");
        let told = Times::open(folder.path(), false, None).and_then(|times| {
            let view = times.view()?;
            let found = view.get(5);
            view.check().map(|()| found)
        });
        assert!(told.is_err() || told.as_ref().is_ok_and(|found| *found == seen(10, 3, None)), "{at}: {told:?}");
    }
}

proptest! {
    #[test]
    fn merging_is_newest_oldest_newest_in_any_order(a: (i64, i64, Option<i64>), b: (i64, i64, Option<i64>)) {
        let bound = |t: i64| t.clamp(i64::MIN + 1, i64::MAX - 1);
        let make = |t: (i64, i64, Option<i64>)| seen(bound(t.0), bound(t.1), t.2.map(bound));
        let (a, b) = (make(a), make(b));
        prop_assert_eq!(a.merge(b), b.merge(a));
        let widest = Seen { last: a.last.max(b.last), first: a.first.min(b.first), closed: a.closed.max(b.closed) };
        prop_assert_eq!(a.merge(b), widest);
    }
}
