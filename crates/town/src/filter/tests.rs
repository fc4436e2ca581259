use super::*;
use proptest::prelude::*;

/// Runs a program as the kernel does, for the instructions that are used here.
fn run(program: &[Instruction], destination: u32) -> bool {
    let (mut accumulator, mut index, mut at) = (0u32, 0u32, 0usize);
    loop {
        let instruction = program[at];
        at += 1;
        match instruction.code {
            LOAD_WORD_ABSOLUTE => accumulator = destination,
            SUBTRACT_CONSTANT => accumulator = accumulator.wrapping_sub(instruction.k),
            MULTIPLY_CONSTANT => accumulator = accumulator.wrapping_mul(instruction.k),
            SHIFT_RIGHT_CONSTANT => accumulator >>= instruction.k,
            XOR_CONSTANT => accumulator ^= instruction.k,
            XOR_INDEX => accumulator ^= index,
            TO_INDEX => index = accumulator,
            FROM_INDEX => accumulator = index,
            JUMP => at += instruction.k as usize,
            JUMP_IF_AT_LEAST => {
                let taken = accumulator >= instruction.k;
                at += usize::from(if taken { instruction.if_true } else { instruction.if_false });
            }
            RETURN => return instruction.k == SERVE,
            other => panic!("instruction {other:#x}"),
        }
    }
}

proptest! {
    #[test]
    fn program_and_hash_agree(
        key: u32,
        mut cuts in prop::collection::btree_set(0u64..=(1 << 32), 0..300),
        offsets in prop::collection::vec(0u32..70_000, 1..40),
    ) {
        if cuts.len() % 2 == 1 {
            cuts.pop_first();
        }
        let cuts: Vec<u64> = cuts.into_iter().collect();
        let intervals: Vec<(u64, u64)> = cuts.chunks(2).map(|pair| (pair[0], pair[1])).collect();
        let base = Ipv4Addr::new(127, 77, 0, 0);
        let program = program(base, 65_536, key, &intervals);
        for offset in offsets {
            let address = u32::from(base) + offset;
            let position = u64::from(mix::spread32(address ^ key));
            let expected = offset < 65_536 && intervals.iter().any(|(start, end)| (*start..*end).contains(&position));
            prop_assert_eq!(run(&program, address), expected);
        }
    }
}

#[test]
fn no_interval_drops_all_and_the_whole_ring_accepts_all() {
    let base = Ipv4Addr::new(127, 77, 0, 0);
    let nothing = program(base, 256, 1, &[]);
    let everything = program(base, 256, 1, &[(0, 1 << 32)]);
    for address in [0x7f4d_0000, 0x7f4d_00ff] {
        assert!(!run(&nothing, address));
        assert!(run(&everything, address));
    }
    assert!(!run(&everything, 0x7f4d_0100));
    assert!(!run(&everything, 0x7f00_0001));
}
