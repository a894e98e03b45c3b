//! Headers of rows, beside the cells: a store that keeps none pays nothing for them.

use crate::record::Headers;

/// Which headers rows keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeptHeaders {
    /// Those that a processor gives with a row. The verbs give none: so in Kafka Streams 4.3.
    Given,
    /// Those of the record that wrote the row.
    OfRecord,
}

/// Headers by the number of the cell.
#[derive(Default)]
pub(super) struct RowHeaders(Vec<Headers>);

impl RowHeaders {
    /// The headers of a cell's row.
    pub(super) fn get(&self, cell: u32) -> &Headers {
        self.0.get(cell as usize).unwrap_or(&Headers::NONE)
    }

    /// Sets the headers of a cell's row, in place of those of whatever the cell had before, which it gives.
    pub(super) fn set(&mut self, cell: u32, headers: Headers) -> Headers {
        let place = cell as usize;
        if place >= self.0.len() {
            self.0.resize(place + 1, Headers::NONE);
        }
        std::mem::replace(&mut self.0[place], headers)
    }
}
