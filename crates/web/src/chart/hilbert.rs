//! The Hilbert curve: numbers on a square so that neighbours stay neighbours and every aligned block is a square.

/// Column and row of the `index`-th cell on a curve over a square with `side` cells, `side` a power of two.
///
/// The curve is walked bottom-up: at each level the quadrant is taken from two bits of the index and the square turned
/// so that the pieces join.
pub fn place(side: u32, index: u32) -> (u32, u32) {
    let (mut column, mut row) = (0, 0);
    let mut rest = index;
    let mut size = 1;
    while size < side {
        let right = 1 & (rest >> 1);
        let down = 1 & (rest ^ right);
        if down == 0 {
            if right == 1 {
                column = size - 1 - column;
                row = size - 1 - row;
            }
            (column, row) = (row, column);
        }
        column += size * right;
        row += size * down;
        rest >>= 2;
        size *= 2;
    }
    (column, row)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_cell_once_and_each_beside_the_one_before() {
        for side in [1, 2, 16, 64] {
            let cells: Vec<_> = (0..side * side).map(|index| place(side, index)).collect();
            assert_eq!(cells.iter().collect::<BTreeSet<_>>().len(), cells.len());
            for pair in cells.windows(2) {
                let (from, to) = (pair[0], pair[1]);
                assert_eq!(from.0.abs_diff(to.0) + from.1.abs_diff(to.1), 1, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn an_aligned_block_is_a_square() {
        let block: Vec<_> = (64..128).map(|index| place(16, index)).collect();
        let columns: BTreeSet<_> = block.iter().map(|cell| cell.0).collect();
        let rows: BTreeSet<_> = block.iter().map(|cell| cell.1).collect();
        assert_eq!((columns.len(), rows.len()), (8, 8));
    }
}
