use proptest::prelude::*;

use super::*;

struct Blake;

impl TreeHash for Blake {
    fn hash(parts: &[&[u8]]) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(part);
        }
        *hasher.finalize().as_bytes()
    }
}

/// The definition, word for word (RFC 9162, 2.1.1).
fn by_definition(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Blake::hash(&[]),
        [one] => *one,
        _ => {
            let mut cut = 1;
            while cut * 2 < leaves.len() {
                cut *= 2;
            }
            let (left, right) = leaves.split_at(cut);
            node::<Blake>(&by_definition(left), &by_definition(right))
        }
    }
}

fn tree(size: u64) -> (Tree<Blake>, Vec<Digest>) {
    let leaves: Vec<Digest> = (0..size).map(|place| leaf::<Blake>(&place.to_be_bytes())).collect();
    let mut tree = Tree::default();
    leaves.iter().for_each(|leaf| tree.push(*leaf));
    (tree, leaves)
}

#[test]
fn roots_are_those_of_the_definition() {
    let (tree, leaves) = tree(70);
    for size in 0..=70 {
        assert_eq!(tree.root_at(size), leaves.get(..size as usize).map(by_definition), "{size}");
    }
    assert_eq!(tree.root_at(71), None);
}

#[test]
fn every_proof_of_small_trees_holds_and_no_other_root_does() {
    let (tree, leaves) = tree(33);
    for size in 1..=33 {
        let root = tree.root_at(size).expect("a root");
        for (place, own) in leaves.iter().enumerate().take(size as usize) {
            let path = tree.inclusion(place as u64, size).expect("a path");
            assert!(verify_inclusion::<Blake>(*own, place as u64, size, &path, &root));
            assert!(!verify_inclusion::<Blake>(Blake::hash(&[b"x"]), place as u64, size, &path, &root));
        }
        for old in 1..=size {
            let before = tree.root_at(old).expect("a root");
            let proof = tree.consistency(old, size).expect("a proof");
            assert!(verify_consistency::<Blake>(old, &before, size, &root, &proof), "{old} {size}");
            assert!(!verify_consistency::<Blake>(old, &Blake::hash(&[b"x"]), size, &root, &proof));
        }
    }
    assert_eq!((tree.inclusion(5, 5), tree.consistency(0, 5), tree.consistency(6, 5)), (None, None, None));
}

#[test]
fn an_edge_grows_to_the_same_roots_from_wherever_it_begins() {
    let (tree, leaves) = tree(70);
    for begin in [0, 1, 2, 3, 7, 8, 33, 64] {
        let mut stored = std::collections::HashMap::new();
        for (level, index) in wanted(|subtrees| Edge::<Blake>::of(begin, subtrees)) {
            stored.insert((level, index), tree.levels[level as usize][index as usize]);
        }
        let mut edge = Edge::<Blake>::of(begin, &stored).expect("all are there");
        for place in begin..70 {
            assert_eq!(edge.root(), tree.root_at(place).expect("a root"), "{begin} {place}");
            let ended = edge.push(leaves[place as usize]);
            for (level, root) in ended.iter().enumerate() {
                assert_eq!(*root, tree.levels[level][(place >> level) as usize], "{place} {level}");
            }
            assert_eq!(ended.len() as u32, (place + 1).trailing_zeros() + 1);
        }
    }
}

proptest! {
    #[test]
    fn a_changed_proof_never_holds(
        size in 2_u64..200, place in 0_u64..200, bit in 0_usize..256, step in 0_usize..8,
    ) {
        let (tree, leaves) = tree(size);
        let place = place % size;
        let mut path = tree.inclusion(place, size).expect("a path");
        let many = path.len();
        let own = *leaves.get(place as usize).expect("inside");
        if let Some(byte) = path.get_mut(step % many).and_then(|hash| hash.get_mut(bit / 8)) {
            *byte ^= 1 << (bit % 8);
        }
        prop_assert!(!verify_inclusion::<Blake>(own, place, size, &path, &tree.root()));
        path.pop();
        prop_assert!(!verify_inclusion::<Blake>(own, place, size, &path, &tree.root()));
    }

    #[test]
    fn hostile_proofs_do_no_harm(
        old in any::<u64>(), new in any::<u64>(), proof in proptest::collection::vec(any::<Digest>(), 0..80),
    ) {
        let root = Blake::hash(&[]);
        prop_assert!(!verify_consistency::<Blake>(old, &root, new, &Blake::hash(&[b"y"]), &proof));
        prop_assert!(!verify_inclusion::<Blake>(root, old, new, &proof, &root) || new == 1);
    }
}
