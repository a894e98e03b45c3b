//! Canonical bytes: equal states give equal bytes, so that a snapshot can be compared and hashed.
//!
//! Numbers are little-endian, byte strings carry a `u32` length before them, options a byte 0 or 1.

use std::fmt;

use bytes::Bytes;

use super::{Headers, Timestamp};

/// Appends values to a buffer.
#[derive(Debug)]
pub struct Encoder<'a>(pub &'a mut Vec<u8>);

impl Encoder<'_> {
    /// A number.
    pub fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// A byte string.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.filled(|out| out.extend_from_slice(bytes));
    }

    /// A byte string that `fill` appends.
    pub fn filled<R>(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let at = self.0.len();
        self.0.extend_from_slice(&[0; 4]);
        let result = fill(self.0);
        let length = u32::try_from(self.0.len() - at - 4).expect("a part of a snapshot is shorter than 4 GiB");
        self.0[at..at + 4].copy_from_slice(&length.to_le_bytes());
        result
    }

    /// A time.
    pub fn time(&mut self, time: Timestamp) {
        self.number(time.as_millis().cast_unsigned());
    }

    /// Headers.
    pub fn headers(&mut self, headers: &Headers) {
        self.number(headers.len() as u64);
        for (name, value) in headers.iter() {
            self.bytes(name.as_bytes());
            self.option(value, Encoder::bytes);
        }
    }

    /// A value that may be absent.
    pub fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.0.push(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }
}

/// Reads values in the order in which an [`Encoder`] wrote them.
#[derive(Debug)]
pub struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    /// A reader of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Decoder(bytes)
    }

    /// Whether everything was read.
    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], CutOff> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(CutOff)?;
        self.0 = tail;
        Ok(head)
    }

    /// What was not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// A number.
    pub fn number(&mut self) -> Result<u64, CutOff> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into().map_err(|_| CutOff)?))
    }

    /// A byte string.
    pub fn bytes(&mut self) -> Result<&'a [u8], CutOff> {
        let length = u32::from_le_bytes(self.take(4)?.try_into().map_err(|_| CutOff)?);
        self.take(length as usize)
    }

    /// A time.
    pub fn time(&mut self) -> Result<Timestamp, CutOff> {
        Ok(Timestamp::from_millis(self.number()?.cast_signed()))
    }

    /// A text.
    pub fn text(&mut self) -> Result<&'a str, CutOff> {
        std::str::from_utf8(self.bytes()?).map_err(|_| CutOff)
    }

    /// Headers.
    pub fn headers(&mut self) -> Result<Headers, CutOff> {
        let mut headers = Headers::NONE;
        for _ in 0..self.number()? {
            let name = self.text()?;
            headers.add(name, self.option(Decoder::bytes)?.map(Bytes::copy_from_slice));
        }
        Ok(headers)
    }

    /// A value that may be absent.
    pub fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, CutOff>) -> Result<Option<T>, CutOff> {
        if self.take(1)? == [0] { Ok(None) } else { read(self).map(Some) }
    }
}

/// Canonical bytes end too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CutOff;

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes of a snapshot are cut off")
    }
}

impl std::error::Error for CutOff {}
