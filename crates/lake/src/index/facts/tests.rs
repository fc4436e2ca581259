use super::*;

fn told() -> Told {
    Told { facts: Facts { product: Some("nginx".into()), ..Facts::default() }.into(), evidence: Vec::new() }
}

#[test]
fn records_read_back_and_leftovers_are_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("facts.bin");
    let hash = ContentHash::of(b"x");
    let file = FactsFile::open(&path, true, None).expect("new");
    let at = file.append(hash, &told(), "hello").expect("appended");
    let length = file.sync().expect("written");
    file.append(hash, &told(), "left over").expect("appended");
    file.sync().expect("written");
    drop(file);
    let again = FactsFile::open(&path, true, Some(length)).expect("open");
    assert_eq!(std::fs::metadata(&path).expect("there").len(), length);
    assert_eq!(again.read(at).expect("a record"), told());
    assert_eq!((again.text(at).expect("text"), again.content(at).expect("hash")), ("hello".to_owned(), hash));
    assert!(matches!(again.read(name_of(length, 0)), Err(LakeError::Damaged { .. })));
    assert!(matches!(again.read(at + 1), Err(LakeError::Damaged { .. })), "the group has one record");
}

#[test]
fn samples_are_taken_once_and_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("facts.bin");
    let texts: Vec<String> =
        (0..12_000).map(|n| format!("HTTP/1.1 200 OK title {} of {n} {}", n % 7, "word ".repeat(120))).collect();
    let mut file = FactsFile::open(&path, true, None).expect("new");
    let (mut names, mut length) = (Vec::new(), 0);
    for part in texts.chunks(6_000) {
        for text in part {
            names.push(file.append(ContentHash::of(text.as_bytes()), &told_of(text), text).expect("appended"));
        }
        length = file.sync().expect("written");
        let before = file.lock().packer.samples;
        drop(file);
        file = FactsFile::open(&path, true, Some(length)).expect("open");
        assert_eq!(file.lock().packer.samples, before, "the same samples");
    }
    assert!(file.lock().packer.samples > 0, "there were enough to take samples of");
    let reader = FactsFile::open(&path, false, Some(length)).expect("open");
    for (name, text) in names.iter().zip(&texts) {
        assert_eq!(
            (reader.text(*name).expect("a text"), reader.read(*name).expect("facts")),
            (text.clone(), told_of(text))
        );
    }
    let mut walked = Vec::new();
    let mut each = |group: &Walked<'_>| walked.extend(group.records().map(|one| (one.name, one.text.into_owned())));
    reader.walk(FactsFile::START, length, true, &mut each).expect("walked");
    assert_eq!(walked, names.into_iter().zip(texts).collect::<Vec<_>>());
    reader.check().expect("whole");
    file.cut(FactsFile::START).expect("cut");
    assert_eq!(file.lock().packer.samples, 0, "samples that are gone are not used");
}

fn told_of(text: &str) -> Told {
    let summary = Some(text.repeat(2));
    Told { facts: Facts { product: Some("nginx".into()), summary, ..Facts::default() }.into(), evidence: Vec::new() }
}

#[test]
fn what_a_writer_left_half_done_is_no_damage_to_who_reads() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("facts.bin");
    let file = FactsFile::open(&path, true, None).expect("new");
    file.append(ContentHash::of(b"x"), &told(), "hello").expect("appended");
    let length = file.sync().expect("written");
    write_at(&file.file, b"half a group", length).expect("written");
    let reader = FactsFile::open(&path, false, Some(length)).expect("open");
    assert!(reader.check().is_ok());
}

#[test]
fn damage_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("facts.bin");
    let file = FactsFile::open(&path, true, None).expect("new");
    let at = file.append(ContentHash::of(b"x"), &told(), "hello").expect("appended");
    let length = file.sync().expect("written");
    write_at(&file.file, b"X", length - 1).expect("damage");
    assert!(matches!(file.text(at), Err(LakeError::Damaged { .. })) && file.check().is_err());
    assert!(matches!(FactsFile::open(&path, false, Some(length + 1)), Err(LakeError::Damaged { .. })));
    std::fs::write(&path, b"something else").expect("damage");
    assert!(matches!(FactsFile::open(&path, true, None), Err(LakeError::Damaged { .. })));
}
