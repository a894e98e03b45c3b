//! Rows of a store, a page at a time, for the page's browser.
//!
//! Rule: bytes are written in hex, as only whoever looks knows what they mean; a page is short, whatever was asked.

use std::ops::Bound;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::state::{Direction, KeyRange, RowBytes};
use crate::{AppView, Error, ErrorKind};

/// How many rows a page has at most.
const PAGE_ROWS: usize = 200;

/// `?key=HEX` for one row; `?from=HEX` or `?after=HEX` and `limit=50` for a page, forward, or with `backward=true` from the end.
pub(super) async fn rows(
    State(view): State<AppView>,
    Path(store): Path<String>,
    Query(options): Query<Vec<(String, String)>>,
) -> Response {
    match page(&view, &store, &options).await {
        Ok(rows) => Json(rows).into_response(),
        Err(error) => {
            let status = match error.kind() {
                ErrorKind::Invalid => StatusCode::BAD_REQUEST,
                ErrorKind::Unknown => StatusCode::NOT_FOUND,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            (status, format!("{error}\n")).into_response()
        }
    }
}

async fn page(view: &AppView, store: &str, options: &[(String, String)]) -> Result<Value, Error> {
    let option = |name: &str| options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let bytes = |name: &str| option(name).map(unhex).transpose();
    // As they are now: to publish committed rows would cost the store something from then on.
    let query = view.store(store)?.dirty();
    if let Some(key) = bytes("key")? {
        let found = query.get(&key).await?;
        let row = found.map(|(value, timestamp)| row_json(&RowBytes { key, value, timestamp }));
        return Ok(json!({ "rows": row.into_iter().collect::<Vec<_>>(), "more": false }));
    }
    let backward = option("backward") == Some("true");
    let edge = match (bytes("after")?, bytes("from")?) {
        (Some(after), _) => Bound::Excluded(after),
        (None, Some(from)) => Bound::Included(from),
        (None, None) => Bound::Unbounded,
    };
    let (range, direction) = match backward {
        true => (KeyRange { from: Bound::Unbounded, to: edge }, Direction::Backward),
        false => (KeyRange { from: edge, to: Bound::Unbounded }, Direction::Forward),
    };
    let limit = option("limit").and_then(|limit| limit.parse().ok()).unwrap_or(50).clamp(1, PAGE_ROWS);
    // One more says whether there are more.
    let mut rows = query.rows(range, direction, limit + 1).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    Ok(json!({ "rows": rows.iter().map(row_json).collect::<Vec<_>>(), "more": more }))
}

fn row_json(row: &RowBytes) -> Value {
    json!({ "key": hex(&row.key), "value": hex(&row.value), "time": row.timestamp.as_millis() })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Result<Vec<u8>, Error> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    bytes.ok_or_else(|| Error::new(ErrorKind::Invalid, format!("`{text}` is not in hex")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_comes_back_and_nothing_else_is_taken() {
        let bytes = [0, 1, 0x7f, 0xff];
        assert_eq!(unhex(&hex(&bytes)).unwrap(), bytes);
        for wrong in ["0", "0g", "é0", "+1"] {
            assert!(unhex(wrong).is_err(), "{wrong}");
        }
    }
}
