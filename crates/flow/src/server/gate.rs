//! Who gets a state of its own: a small table that counts the clients of everyone.
//!
//! A count-min sketch of distinct clients: each endpoint has a cell in each of two rows, and a cell is a bitmap of 64
//! in which every client has a bit. The cell with fewer bits bounds the clients from above, apart from clients that
//! share a bit: with three clients that happens to one endpoint in 21, which is then admitted by its fourth. Cells are
//! of one epoch, because a client has another pseudonym in the next.
//!
//! Where there are more endpoints than cells, chance would admit everyone. So a row is put aside when a quarter of its
//! cells are in use, and forgotten when the next one is: the window in which clients add up is the whole epoch on a small
//! network, and shorter the more endpoints a network meets. By chance about one endpoint in a hundred is admitted then.

use ahash::RandomState;

use crate::purpose::{Pseudonym, Remote};

/// Cells of a row: 32 MiB for both rows, twice that with those put aside, and again for the epoch before.
pub const DEFAULT_CELLS: usize = 1 << 21;
const ROWS: usize = 2;
/// The running epoch and the one before it, for records that come late.
const EPOCHS: u32 = 2;
/// Part of the cells in use that puts a row aside: one in so many.
const ASIDE_ONE_IN: usize = 4;

#[derive(Clone, Default)]
struct Page {
    epoch: u32,
    cells: Vec<u64>,
    aside: Vec<u64>,
    /// Cells of the first row that are in use.
    used: usize,
}

/// Bitmaps of clients for every endpoint, shared by those whose hashes meet.
pub struct Gate {
    cells_a_row: usize,
    hasher: RandomState,
    pages: Vec<Page>,
}

impl Gate {
    /// A gate with so many cells a row.
    pub fn new(cells_a_row: usize) -> Self {
        let pages = vec![Page::default(); EPOCHS as usize];
        Self { cells_a_row: cells_a_row.max(1), hasher: RandomState::new(), pages }
    }

    /// Notes that a client met an endpoint; tells how many clients it has had lately in this epoch, at most.
    pub(crate) fn note(&mut self, endpoint: &Remote, client: Pseudonym, epoch: u32) -> u32 {
        let places = self.places(endpoint);
        let cells = self.cells_a_row * ROWS;
        let Some(page) = self.pages.get_mut((epoch % EPOCHS) as usize) else { return 0 };
        if page.epoch != epoch || page.cells.is_empty() {
            *page = Page { epoch, cells: vec![0; cells], aside: Vec::new(), used: 0 };
        } else if page.used > self.cells_a_row / ASIDE_ONE_IN {
            page.aside = std::mem::replace(&mut page.cells, vec![0; cells]);
            page.used = 0;
        }
        let bit = 1_u64 << (client.0 & 63);
        let mut fewest = u32::MAX;
        for (row, place) in places.into_iter().enumerate() {
            if let Some(cell) = page.cells.get_mut(place) {
                page.used += usize::from(row == 0 && *cell == 0);
                *cell |= bit;
                let before = page.aside.get(place).copied().unwrap_or(0);
                fewest = fewest.min((*cell | before).count_ones());
            }
        }
        fewest
    }

    fn places(&self, endpoint: &Remote) -> [usize; ROWS] {
        let hash = self.hasher.hash_one(endpoint);
        // Two halves of one hash are as good as two hashes.
        let (low, high) = (hash as u32 as usize, (hash >> 32) as usize);
        [low % self.cells_a_row, self.cells_a_row + high % self.cells_a_row]
    }
}
