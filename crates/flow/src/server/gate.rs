//! Who gets a state of its own: a small table that counts the clients of everyone.
//!
//! A count-min sketch of distinct clients: each endpoint has a cell in each of two rows, and a cell is a bitmap of 64
//! in which every client has a bit. The cell with fewer bits bounds the clients from above, apart from clients that
//! share a bit: with three clients that happens to one endpoint in 21, which is then admitted by its fourth. Cells are
//! of one epoch, because a client has another pseudonym in the next.

use std::hash::{BuildHasher, RandomState};

use crate::purpose::{Pseudonym, Remote};

/// Cells of a row: 8 MiB for both rows and both epochs at the default.
pub const DEFAULT_CELLS: usize = 1 << 18;
const ROWS: usize = 2;
/// The running epoch and the one before it, for records that come late.
const EPOCHS: u32 = 2;

#[derive(Clone)]
struct Page {
    epoch: u32,
    cells: Vec<u64>,
}

/// Bitmaps of clients for every endpoint, shared by those whose hashes meet.
pub struct Gate {
    cells_a_row: usize,
    hashers: [RandomState; ROWS],
    pages: Vec<Page>,
}

impl Gate {
    /// A gate with so many cells a row.
    pub fn new(cells_a_row: usize) -> Self {
        let page = Page { epoch: 0, cells: Vec::new() };
        Self {
            cells_a_row: cells_a_row.max(1),
            hashers: [RandomState::new(), RandomState::new()],
            pages: vec![page; EPOCHS as usize],
        }
    }

    /// Notes that a client met an endpoint; tells how many clients it has had in this epoch, at most.
    pub(crate) fn note(&mut self, endpoint: &Remote, client: Pseudonym, epoch: u32) -> u32 {
        let places = self.places(endpoint);
        let Some(page) = self.pages.get_mut((epoch % EPOCHS) as usize) else { return 0 };
        if page.epoch != epoch || page.cells.is_empty() {
            page.epoch = epoch;
            page.cells.clear();
            page.cells.resize(self.cells_a_row * ROWS, 0);
        }
        let bit = 1_u64 << (client.0 & 63);
        let mut fewest = u32::MAX;
        for place in places {
            if let Some(cell) = page.cells.get_mut(place) {
                *cell |= bit;
                fewest = fewest.min(cell.count_ones());
            }
        }
        fewest
    }

    fn places(&self, endpoint: &Remote) -> [usize; ROWS] {
        let mut places = [0; ROWS];
        for ((row, hasher), place) in self.hashers.iter().enumerate().zip(&mut places) {
            let hash = hasher.hash_one(endpoint) as usize;
            *place = row * self.cells_a_row + hash % self.cells_a_row;
        }
        places
    }
}
