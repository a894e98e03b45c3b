//! The keys of window and session stores, as Kafka Streams has them in changelogs.
//!
//! ```text
//! window store    key bytes | start (8) | sequence number (4)    the number is 0 unless the store keeps duplicates
//! session store   key bytes | end (8) | start (8)
//! ```
//! Times are milliseconds, numbers big-endian.

use super::segmented_rows::KeyLayout;
use crate::record::Timestamp;
use crate::window::Window;

/// Keys of window stores.
pub(super) struct WindowKeys;

/// Keys of session stores.
pub(super) struct SessionKeys;

/// Appends what follows the key's own bytes in a window store.
pub(super) fn push_window(out: &mut Vec<u8>, start: i64, sequence: u32) {
    out.extend_from_slice(&window_tail(start, sequence));
}

/// What follows the key's own bytes in a window store.
pub(super) fn window_tail(start: i64, sequence: u32) -> [u8; WindowKeys::TAIL] {
    let mut tail = [0; WindowKeys::TAIL];
    tail[..8].copy_from_slice(&start.to_be_bytes());
    tail[8..].copy_from_slice(&sequence.to_be_bytes());
    tail
}

/// What follows the key's own bytes in a session store.
pub(super) fn session_tail(window: Window) -> [u8; SessionKeys::TAIL] {
    let mut tail = [0; SessionKeys::TAIL];
    tail[..8].copy_from_slice(&window.end.as_millis().to_be_bytes());
    tail[8..].copy_from_slice(&window.start.as_millis().to_be_bytes());
    tail
}

/// Appends what follows the key's own bytes in a session store.
pub(super) fn push_session(out: &mut Vec<u8>, window: Window) {
    out.extend_from_slice(&session_tail(window));
}

/// The time that `tail` bytes before the end begin.
#[inline]
fn time_at(key: &[u8], tail: usize) -> Option<i64> {
    let at = key.len().checked_sub(tail)?;
    key[at..].first_chunk().map(|time| i64::from_be_bytes(*time))
}

/// The own bytes of a key.
pub(super) fn own_bytes<L: KeyLayout>(key: &[u8]) -> &[u8] {
    &key[..key.len() - L::TAIL]
}

/// The start of a window.
pub(super) fn window_start(key: &[u8]) -> i64 {
    time_at(key, WindowKeys::TAIL).expect("a key of a window store has a start")
}

/// Start and end of a session.
pub(super) fn session_window(key: &[u8]) -> Window {
    let time = |tail| Timestamp::from_millis(time_at(key, tail).expect("a key of a session store has two times"));
    Window { start: time(8), end: time(SessionKeys::TAIL) }
}

impl KeyLayout for WindowKeys {
    const TAIL: usize = 12;

    #[inline]
    fn time(key: &[u8]) -> Option<i64> {
        time_at(key, Self::TAIL)
    }

    fn timely(key: &[u8], out: &mut Vec<u8>) {
        let (own, tail) = key.split_at(key.len() - Self::TAIL);
        let (start, sequence) = tail.split_at(8);
        [start, own, sequence].into_iter().for_each(|part| out.extend_from_slice(part));
    }

    fn from_timely(timely: &[u8], out: &mut Vec<u8>) {
        let (start, rest) = timely.split_at(8);
        let (own, sequence) = rest.split_at(rest.len() - 4);
        [own, start, sequence].into_iter().for_each(|part| out.extend_from_slice(part));
    }
}

impl KeyLayout for SessionKeys {
    const TAIL: usize = 16;

    #[inline]
    fn time(key: &[u8]) -> Option<i64> {
        time_at(key, Self::TAIL)
    }

    fn timely(key: &[u8], out: &mut Vec<u8>) {
        let (own, times) = key.split_at(key.len() - Self::TAIL);
        [times, own].into_iter().for_each(|part| out.extend_from_slice(part));
    }

    fn from_timely(timely: &[u8], out: &mut Vec<u8>) {
        let (times, own) = timely.split_at(Self::TAIL);
        [own, times].into_iter().for_each(|part| out.extend_from_slice(part));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back_and_forth<L: KeyLayout>(key: &[u8]) {
        let (mut timely, mut again) = (Vec::new(), Vec::new());
        L::timely(key, &mut timely);
        L::from_timely(&timely, &mut again);
        assert_eq!(again, key);
        assert_eq!(time_at(&timely, timely.len()), L::time(key), "the deciding time stands first");
    }

    #[test]
    fn keys_are_kafkas() {
        let mut key = b"k".to_vec();
        push_window(&mut key, 258, 7);
        assert_eq!(key, [b'k', 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 7]);
        assert_eq!(
            (WindowKeys::time(&key), window_start(&key), own_bytes::<WindowKeys>(&key)),
            (Some(258), 258, &b"k"[..])
        );
        back_and_forth::<WindowKeys>(&key);

        let (mut key, session) = (b"k".to_vec(), Window::of_millis(3, 5));
        push_session(&mut key, session);
        assert_eq!(key, [b'k', 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 3]);
        assert_eq!((SessionKeys::time(&key), session_window(&key)), (Some(5), session));
        back_and_forth::<SessionKeys>(&key);
    }

    #[test]
    fn bytes_that_are_too_few_are_no_key() {
        assert_eq!(WindowKeys::time(&[0; 11]), None);
        assert_eq!(SessionKeys::time(&[0; 15]), None);
    }
}
