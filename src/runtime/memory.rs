//! Divides the memory that an application may take among its parts.
//!
//! Rule: the shares together are no more than the whole; a part's own setting can only lower its share.

use super::Settings;
use crate::{exec, log, store};

/// What an application holds in memory, in bytes: see [`App::memory`](super::App::memory).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// What it may take: [`Settings::memory_bytes`].
    pub limit: u64,
    /// Rows of stores in memory, as of the last commit: what is quickly there of stores on disk, and all of the others.
    pub rows: u64,
    /// Of them those of stores on disk. They are kept within their share of the limit; those of stores in memory are not, as
    /// they are nowhere else.
    pub rows_on_disk: u64,
    /// Records that were sent and are not written yet.
    pub sending: u64,
}

/// The share of each part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shares {
    pub(super) whole: u64,
}

/// The least that is fetched of a partition at once.
const FETCH_BYTES_MIN: u64 = 64 << 10;
/// A store's write buffer below this makes too many files.
const WRITE_BUFFER_BYTES_MIN: u64 = 1 << 20;

impl Shares {
    pub(super) fn of(settings: &Settings) -> Shares {
        Shares { whole: settings.memory_bytes }
    }

    /// Three eighths are for rows, divided among workers; half an eighth is for records that wait in the queues of tasks.
    pub(super) fn exec(self, settings: &Settings, workers: usize, queues: usize) -> exec::Settings {
        let standard = exec::Settings::default();
        let fetch = (self.whole / 16 / queues.max(1) as u64).max(FETCH_BYTES_MIN);
        exec::Settings {
            commit_interval: settings.commit_interval,
            flush_rows: settings.flush_rows,
            fetch_bytes: standard.fetch_bytes.min(usize::try_from(fetch).unwrap_or(usize::MAX)),
            row_bytes: self.whole * 3 / 8 / workers.max(1) as u64,
            ..standard
        }
    }

    /// One eighth is for the youngest records of the log.
    pub(super) fn log(self, settings: log::LogSettings) -> log::LogSettings {
        let recent = usize::try_from(self.whole / 8).unwrap_or(usize::MAX);
        log::LogSettings { recent_bytes: settings.recent_bytes.min(recent), ..settings }
    }

    /// One eighth is for blocks that were read from disk, a quarter for rows that wait to be sorted into files.
    pub(super) fn stores(self, settings: store::StoreSettings, stores: usize) -> store::StoreSettings {
        let buffer = (self.whole / 4 / stores.max(1) as u64).max(WRITE_BUFFER_BYTES_MIN);
        store::StoreSettings {
            cache_bytes: settings.cache_bytes.min(self.whole / 8),
            write_buffer_bytes: settings.write_buffer_bytes.min(buffer),
        }
    }

    /// Half an eighth is for records on their way to the log.
    pub(super) fn sending(self) -> u32 {
        u32::try_from(self.whole / 16).unwrap_or(u32::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_no_more_than_the_whole() {
        for whole in [64 << 20, 256 << 20, 4 << 30] {
            let settings = Settings { memory_bytes: whole, ..Settings::default() };
            let shares = Shares::of(&settings);
            for (workers, stores, queues) in [(1, 1, 1), (2, 8, 16), (4, 12, 40)] {
                let exec = shares.exec(&settings, workers, queues);
                let files = shares.stores(settings.stores, stores);
                let sum = exec.row_bytes * workers as u64
                    + (exec.fetch_bytes * queues) as u64
                    + shares.log(settings.log).recent_bytes as u64
                    + files.cache_bytes
                    + files.write_buffer_bytes * stores as u64
                    + u64::from(shares.sending());
                assert!(sum <= whole, "{workers} workers, {stores} stores, {queues} queues: {sum} of {whole}");
            }
        }
    }

    #[test]
    fn a_setting_lowers_its_share_and_raises_none() {
        let small = store::StoreSettings { cache_bytes: 5, write_buffer_bytes: 7 };
        let shares = Shares { whole: 256 << 20 };
        assert_eq!(shares.stores(small, 1), small);
        let large = store::StoreSettings { cache_bytes: u64::MAX, write_buffer_bytes: u64::MAX };
        assert_eq!(
            shares.stores(large, 2),
            store::StoreSettings { cache_bytes: 32 << 20, write_buffer_bytes: 32 << 20 }
        );
    }
}
