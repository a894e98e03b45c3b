//! Writes to standard output, until whoever reads it has had enough.

use std::io::{self, BufWriter, StdoutLock, Write};

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};

use super::Failure;

/// Standard output, buffered.
pub(crate) type Out = BufWriter<StdoutLock<'static>>;

/// Lets `write` write; a closed pipe, as after `| head`, ends it and is no error.
pub(crate) fn print(write: impl FnOnce(&mut Out) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let written = write(&mut out).and_then(|()| Ok(out.flush()?));
    // What is still buffered has no reader.
    let (_stdout, _unwritten) = out.into_parts();
    match written {
        Err(error) if is_closed_pipe(&error) => Ok(()),
        other => other,
    }
}

fn is_closed_pipe(error: &Failure) -> bool {
    let io = error.downcast_ref::<io::Error>().map(io::Error::kind);
    let json = error.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
    io.or(json) == Some(io::ErrorKind::BrokenPipe)
}

/// Writes a value as one line of JSON.
pub(crate) fn json_line(out: &mut Out, value: &impl serde::Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, value)?;
    Ok(out.write_all(b"\n")?)
}

/// A table of names with a number each, the numbers right-aligned.
pub(crate) fn numbers(header: [&str; 2], rows: impl IntoIterator<Item = (String, i64)>) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    table.add_rows(rows.into_iter().map(|(name, number)| [name, number.to_string()]));
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
